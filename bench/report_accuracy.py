"""Results (the JSON of accuracy.py) as Markdown: `python bench/report_accuracy.py FILE.json`."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from accuracy_estimators import ESTIMATORS, OURS, SHAP
from formatting import describe_machine, seconds, table, verdict

# Budgets, in evaluations per player, that the targets are about.
_ALL_POINTS = (4, 8, 32)
_PROXY_POINTS = (16, 64)
# Errors below it count as this much in ratios: as good as exact.
_LEAST_ERROR = 1e-8
_REGRESSIONS = ("regression",)
_ALL_KINDS = ("regression", "trees")


def _name(point: dict[str, Any]) -> str:
    return f"{point['game']}, m = {point['background']}"


def _error(point: dict[str, Any], name: str) -> float | None:
    """Root mean square of the relative errors; None where the estimator did not run."""
    error: float | None = point["estimators"].get(name, {}).get("error")
    return error


def _best(point: dict[str, Any], kinds: tuple[str, ...]) -> tuple[str, float] | None:
    """The competitor with the least error."""
    found = [
        (name, error)
        for name in point["estimators"]
        if ESTIMATORS[name].kind in kinds and (error := _error(point, name)) is not None
    ]
    return min(found, key=lambda item: item[1]) if found else None


def _ratio(value: float | None, other: float | None) -> float | None:
    if value is None or other is None:
        return None
    return max(value, _LEAST_ERROR) / max(other, _LEAST_ERROR)


def _text(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _ours(results: dict[str, Any]) -> list[str]:
    return [e.name for e in OURS if e.name not in results["absent"]]


def _head(results: dict[str, Any]) -> list[str]:
    machine = results["machine"]
    lines = [
        f"# Accuracy of estimated SHAP values, {machine['date'][:10]}",
        "",
        f"{describe_machine(machine)}; instruction set {results['leafshap']['isa']}; "
        f"Python {machine['python']}; {results['seeds']} seeds for each of {results['rows']} rows; "
        f"{results['processes']} processes of one thread, {results['seconds']:.0f} s; load average "
        f"at the start {(machine['load_average'] or ['unknown'])[0]}.",
        "",
        f"Versions: {', '.join(results['versions'])}.",
        "",
        "An error is |estimate - exact| / |exact| in the Euclidean norm of a row's values; given "
        "is its root mean square over rows and seeds. m is the number of background rows, M that "
        "of players. A budget counts every evaluation of a coalition, the empty and the full one "
        f"too. In ratios an error is at least {_LEAST_ERROR:.0e}.",
    ]
    lines += [f"\nWithout {name}: {word}." for name, word in results["absent"].items()]
    return lines


def _comparison(results: dict[str, Any]) -> list[str]:
    """Ours at every point beside shap's error and that of the best competitor."""
    ours = _ours(results)
    rows = []
    for point in results["points"]:
        best = _best(point, _ALL_KINDS)
        shap = _error(point, SHAP.name)
        row = [_name(point), f"{point['multiple']}M", _text(shap, ".2e")]
        row.append(f"{best[1]:.2e} ({best[0].removeprefix('shapiq ')})" if best else "")
        for name in ours:
            error = _error(point, name)
            over_best = _text(_ratio(error, best[1] if best else None), ".2f")
            over_shap = _text(_ratio(error, shap), ".2f")
            row.append(f"{_text(error, '.2e')} ({over_best}, {over_shap})" if error else "")
        rows.append(row)
    header = ["game", "budget", "shap", "best competitor"]
    header += [f"{name.removeprefix('leafshap ')} (over best, over shap)" for name in ours]
    return ["", "## Ours over the best competitor and over shap", "", *table(header, rows)]


def _medians(results: dict[str, Any]) -> list[str]:
    multiples = sorted({point["multiple"] for point in results["points"]})
    rows = []
    for name in _ours(results):
        row = [name]
        for multiple in multiples:
            points = [p for p in results["points"] if p["multiple"] == multiple]
            of_best, of_shap = _over_best(points, name, _ALL_KINDS), _over_shap(points, name)
            row.append(
                f"{statistics.median(of_best):.2f}, {statistics.median(of_shap):.2f}"
                if of_best and of_shap
                else ""
            )
        rows.append(row)
    header = ["estimator", *(f"{multiple}M" for multiple in multiples)]
    return ["", "### Medians over games: over best, over shap", "", *table(header, rows)]


def _over_best(points: list[dict[str, Any]], name: str, kinds: tuple[str, ...]) -> list[float]:
    bests = [_best(point, kinds) for point in points]
    ratios = [
        _ratio(_error(point, name), best[1])
        for point, best in zip(points, bests, strict=True)
        if best
    ]
    return [ratio for ratio in ratios if ratio is not None]


def _over_shap(points: list[dict[str, Any]], name: str) -> list[float]:
    ratios = [_ratio(_error(point, name), _error(point, SHAP.name)) for point in points]
    return [ratio for ratio in ratios if ratio is not None]


def _matrix(results: dict[str, Any], key: str, title: str) -> list[str]:
    """One table for every game: estimators by budgets."""
    lines = ["", f"## {title}"]
    for name in dict.fromkeys(_name(point) for point in results["points"]):
        points = [p for p in results["points"] if _name(p) == name]
        rows = []
        for estimator in points[0]["estimators"]:
            found = [p["estimators"][estimator].get(key) for p in points]
            if key == "seconds":
                cells = ["" if f is None else seconds(f) for f in found]
            else:
                cells = [_text(f, ".2e") for f in found]
            rows.append([estimator, *cells])
        header = ["estimator", *(f"{p['multiple']}M" for p in points)]
        lines += ["", f"### {name}", "", *table(header, rows)]
    return lines


def _errors(results: dict[str, Any]) -> list[str]:
    return _matrix(results, "error", "Relative errors")


def _times(results: dict[str, Any]) -> list[str]:
    title = "Mean time of an estimate, without the evaluations, one thread"
    return _matrix(results, "seconds", title)


def _points(results: dict[str, Any], multiples: tuple[int, ...]) -> list[dict[str, Any]]:
    return [p for p in results["points"] if p["multiple"] in multiples]


def _targets(results: dict[str, Any]) -> list[str]:
    rows = []
    for name in _ours(results):
        proxy = name == "leafshap proxy"
        points = _points(results, _PROXY_POINTS if proxy else _ALL_POINTS)
        for kinds in (_REGRESSIONS, _ALL_KINDS):
            who = "shap and shapiq" if kinds == _ALL_KINDS else "shap and shapiq's regressions"
            ratios = _over_best(points, name, kinds)
            if not ratios:
                continue
            if proxy:
                middle = statistics.median(ratios)
                rows.append(
                    [f"{name} over the best of {who}, median at 16M and 64M", "<= 0.5",
                     f"{middle:.2f}", verdict(middle <= 0.5)]
                )  # fmt: skip
            else:
                good = sum(ratio <= 1 for ratio in ratios)
                rows.append(
                    [f"{name} over the best of {who}, at every point of 4M, 8M, 32M", "<= 1",
                     f"{good} of {len(ratios)} points, greatest {max(ratios):.2f}",
                     verdict(good == len(ratios))]
                )  # fmt: skip
        of_shap = _over_shap(points, name)
        if of_shap and not proxy:
            middle = 1 / statistics.median(of_shap)
            rows.append(
                [f"shap over {name}, median at 4M, 8M, 32M", ">= 3x", f"{middle:.1f}x",
                 verdict(middle >= 3)]
            )  # fmt: skip
    return ["", "## Targets", "", *table(["what", "target", "measured", ""], rows)] if rows else []


def _notes(results: dict[str, Any]) -> list[str]:
    """Who did not run where, ran on fewer seeds, or took more evaluations than allowed."""
    where: dict[str, list[str]] = {}
    wanted = results["seeds"] * results["rows"]
    for point in results["points"]:
        at, budget = f"{_name(point)}, {point['multiple']}M", point["multiple"] * point["players"]
        for name, found in point["estimators"].items():
            if "absent" in found:
                where.setdefault(f"{name}: {found['absent']}", []).append(at)
                continue
            if found["estimates"] < wanted:
                word = f"{name}: only {found['estimates']} of {wanted} estimates for lack of time"
                where.setdefault(word, []).append(at)
            if found["most_evaluations"] > budget:
                word = f"{name}: {found['most_evaluations']} evaluations, {budget} were allowed"
                where.setdefault(word, []).append(at)
    notes = [f"* {word} ({'; '.join(places)})" for word, places in where.items()]
    return ["", "## Left out", "", *notes] if notes else []


def render(results: dict[str, Any]) -> str:
    """The whole report."""
    lines: list[str] = []
    for section in (_head, _targets, _comparison, _medians, _errors, _times, _notes):
        lines += section(results)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        source = Path(argument)
        source.with_suffix(".md").write_text(render(json.loads(source.read_text())))
