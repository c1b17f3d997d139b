"""Results (the JSON of run.py) as Markdown: `python bench/report.py bench/results/NAME.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import report_batch
import report_compat
import report_jobs
import report_kernel
import report_permutation
import workloads
from competitors.ours import OURS, OURS_FLOAT32
from formatting import count, describe_machine, table, times, verdict
from timing import geometric_mean

_PRECISIONS = {OURS: "float64", OURS_FLOAT32: "float32"}
_XGBOOST = ("xgboost", "xgboost-old")
PREDICT = "xgboost-predict"


def _measured(results: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: w for name, w in results["workloads"].items() if key in w}


def _head(results: dict[str, Any]) -> list[str]:
    machine, info = results["machine"], results["leafshap"] or {}
    lines = [
        f"# Benchmark of {machine['date'][:10]}",
        "",
        f"{describe_machine(machine)}; {results['threads']} threads on every side; instruction set "
        f"{info.get('isa', 'unknown')}; Python {machine['python']}; {results['repeats']} rounds; "
        f"load average at the start {(machine['load_average'] or ['unknown'])[0]}.",
        "",
        "Versions: " + ", ".join(dict.fromkeys(results["versions"].values())) + ".",
    ]
    lines += [f"Without {name}: {word}." for name, word in results["absent"].items()]
    if results["quick"]:
        lines += ["", "**A quick run: short calls, few rounds. Not for quoting.**"]
    lines += [f"\n**FAILED, not timed: {failure}**" for failure in results.get("failures", [])]
    return lines


def _throughput(results: dict[str, Any]) -> list[str]:
    rows = []
    for name, workload in _measured(results, "sides").items():
        if "job" in workload:  # of the other parts
            continue
        speedups = workload["speedups"]
        for side, found in workload["sides"].items():
            rate = found["rows_per_second"]
            agreement = workload["agreement"][side]
            error = agreement["error"]
            rows.append(
                [
                    name,
                    side,
                    count(rate["median"]),
                    f"{count(rate['min'])}-{count(rate['max'])}",
                    count(found["rows"]),
                    f"{found['cores_busy']:.1f}",
                    "reference" if error is None else f"{error:.0e}",
                    *(
                        times(speedups[mine][side]) if side in speedups.get(mine, {}) else ""
                        for mine in _PRECISIONS
                    ),
                ]
            )
    if not rows:
        return []
    header = ["workload", "side", "rows/s", "spread", "rows a call", "cores", "difference"]
    header += [f"{precision} is faster by" for precision in _PRECISIONS.values()]
    return ["", "## Rows per second", "", *table(header, rows)]


def _latency(results: dict[str, Any]) -> list[str]:
    rows = []
    for name, workload in _measured(results, "latency").items():
        for side, found in workload["latency"].items():
            alone, staged = found["explain_us"], found["with_staging_us"]
            rows.append(
                [
                    name,
                    side,
                    f"{alone['median']:.0f}",
                    f"{alone['min']:.0f}-{alone['max']:.0f}",
                    f"{staged['median']:.0f}",
                ]
            )
    if not rows:
        return []
    header = ["workload", "side", "us a call", "spread", "with building the input object"]
    return ["", "## One row", "", *table(header, rows)]


def _memory_workloads(results: dict[str, Any]) -> dict[str, Any]:
    return {n: w for n, w in _measured(results, "processes").items() if w["measure"] == "memory"}


def _memory(results: dict[str, Any]) -> list[str]:
    rows = [
        [
            name,
            found["dtype"],
            f"{found['rows']:,}",
            f"{found['input_mb']:.0f} + {found['output_mb']:.0f}",
            f"{found['construction_peak_mb']:.1f}",
            f"{found['explainer_mb']:.1f}",
            f"{found['call_mb']:.1f}",
            f"{found['total_mb']:.1f}",
        ]
        for name, workload in _memory_workloads(results).items()
        for found in workload["processes"]
    ]
    if not rows:
        return []
    header = ["workload", "dtype", "rows", "input + output", "construction peak", "explainer"]
    header += ["call", "peak beyond input and output"]
    return ["", "## Memory in MB", "", *table(header, rows)]


def _against_xgboost(results: dict[str, Any], mine: str) -> dict[str, float]:
    """Median speed-up over XGBoost's pred_contribs, by workload of the six."""
    found = {}
    for name, workload in _measured(results, "speedups").items():
        if workload["group"] != workloads.SIX:
            continue
        for theirs in _XGBOOST:
            ratio = workload["speedups"].get(mine, {}).get(theirs)
            if ratio:
                found[name] = ratio["median"]
    return found


def _group(results: dict[str, Any], group: str, mine: str, theirs: str) -> dict[str, float]:
    return {
        name: workload["speedups"][mine][theirs]["median"]
        for name, workload in _measured(results, "speedups").items()
        if workload["group"] == group and theirs in workload["speedups"].get(mine, {})
    }


def _speed_targets(results: dict[str, Any]) -> list[list[str]]:
    rows = []
    for mine, mean_target, least_target in ((OURS, 50, 25), (OURS_FLOAT32, 100, 50)):
        six = _against_xgboost(results, mine)
        if not six:
            continue
        mean, (worst, least) = (
            geometric_mean(list(six.values())),
            min(six.items(), key=lambda item: item[1]),
        )
        all_six = len(six) == 6
        which = "the six" if all_six else f"{len(six)} of the six"
        precision = _PRECISIONS[mine]
        rows += [
            [
                f"XGBoost pred_contribs, geometric mean of {which}, {precision}",
                f">= {mean_target}x",
                f"{mean:.1f}x",
                verdict(mean >= mean_target) if all_six else "part of it",
            ],
            [
                f"XGBoost pred_contribs, least of {which}, {precision}",
                f">= {least_target}x",
                f"{least:.1f}x ({worst})",
                verdict(least >= least_target) if all_six else "part of it",
            ],
        ]
    for label, group, theirs, mine, target in (
        ("LightGBM pred_contrib", "lightgbm", "lightgbm", OURS, 120),
        ("LightGBM pred_contrib", "lightgbm", "lightgbm", OURS_FLOAT32, 240),
        ("shap on the scikit-learn forest", "sklearn", "shap", OURS, 200),
    ):
        for name, ratio in _group(results, group, mine, theirs).items():
            rows.append(
                [
                    f"{label}, {name}, {_PRECISIONS[mine]}",
                    f">= {target}x",
                    f"{ratio:.0f}x",
                    verdict(ratio >= target),
                ]
            )
    for name, ratio in _group(results, workloads.SIX, OURS_FLOAT32, PREDICT).items():
        if workloads.WORKLOADS[name].spec.depth <= 6:
            rows.append(
                [
                    f"time of explaining over XGBoost's predict, {name}, float32",
                    "<= 2x",
                    f"{1 / ratio:.2f}x",
                    verdict(1 / ratio <= 2),
                ]
            )
    return rows


def _cost_targets(results: dict[str, Any]) -> list[list[str]]:
    rows = []
    for name, workload in _measured(results, "latency").items():
        for theirs in (*_XGBOOST, "lightgbm"):
            if theirs in workload["latency"] and OURS in workload["latency"]:
                mine = workload["latency"][OURS]["explain_us"]["median"]
                other = workload["latency"][theirs]["explain_us"]["median"]
                rows.append(
                    [
                        f"one row, {name}, over {theirs}, float64",
                        "<= 1x",
                        f"{mine / other:.2f}x",
                        verdict(mine <= other),
                    ]
                )
    for name, workload in _memory_workloads(results).items():
        worst = max(found["total_mb"] for found in workload["processes"])
        rows.append([f"peak of {name}", "< 50 MB", f"{worst:.1f} MB", verdict(worst < 50)])
    return rows


def _targets(results: dict[str, Any]) -> list[str]:
    rows = _speed_targets(results) + _cost_targets(results)
    rows += report_jobs.targets(results) + report_kernel.targets(results)
    rows += report_permutation.targets(results) + report_batch.targets(results)
    if not rows:
        return []
    return ["", "## Targets", "", *table(["what", "target", "measured", ""], rows)]


def _notes(results: dict[str, Any]) -> list[str]:
    where: dict[str, list[str]] = {}
    for name, workload in results["workloads"].items():
        if "skipped" in workload:
            where.setdefault(f"skipped: {workload['skipped']}", []).append(name)
        for side, word in workload.get("skipped_competitors", {}).items():
            if not word.startswith("not a"):  # of another library: nothing to tell
                where.setdefault(f"{side}: {word}", []).append(name)
    notes = [f"* {word} ({', '.join(names)})" for word, names in where.items()]
    return ["", "## Left out", "", *notes] if notes else []


def render(results: dict[str, Any]) -> str:
    """The whole report."""
    sections = (
        _head,
        _targets,
        _throughput,
        _latency,
        _memory,
        report_jobs.background,
        report_jobs.summaries,
        report_kernel.kernel,
        report_permutation.permutation,
        report_compat.compat,
        report_batch.batch,
        _notes,
    )
    lines: list[str] = []
    for section in sections:
        lines += section(results)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        source = Path(argument)
        source.with_suffix(".md").write_text(render(json.loads(source.read_text())))
