"""The part of the report on estimates from coalitions, KernelExplainer's jobs."""

from __future__ import annotations

from typing import Any

import formatting
import workloads
from competitors.ours_kernel import OUR_KERNEL_NAMES

# How many times as long shap takes: workload (without its group), at least.
_SPEED_TARGETS = (("raw", 300), ("probability", 10), ("black-box", 2))
_MOST_BEYOND = 0.05


def _jobs(results: dict[str, Any]) -> dict[str, Any]:
    return {
        name: workload
        for name, workload in results["workloads"].items()
        if workload["measure"] == "kernel" and "sides" in workload
    }


def _share(ratio: dict[str, float]) -> str:
    low, high = (f"{100 * ratio[key]:.1f}" for key in ("min", "max"))
    return f"{100 * ratio['median']:.1f}% ({low}-{high})"


def kernel(results: dict[str, Any]) -> list[str]:
    """Rows per second, how good the estimates are, and the time beyond the model's own."""
    rows, beyond = [], []
    for name, workload in _jobs(results).items():
        job = workload["job"]
        for side, found in workload["sides"].items():
            agreement = workload["agreement"][side]
            error = agreement["error"]
            rows.append(
                [
                    name,
                    f"{job['background']:,} / {job['coalitions']:,}",
                    side,
                    formatting.count(found["rows_per_second"]["median"])
                    + f", {found['rows']:,} rows",
                    formatting.seconds(found["building_seconds"]),
                    f"{found['cores_busy']:.1f}",
                    "reference" if error is None else f"{error:.0e}",
                    f"{agreement['estimate_error']:.1e}",
                    *(
                        formatting.times(workload["speedups"][mine][side])
                        if side in workload["speedups"].get(mine, {})
                        else ""
                        for mine in OUR_KERNEL_NAMES
                    ),
                ]
            )
            if "function" in found:
                beyond.append(_beyond(name, side, job, workload, found))
    if not rows:
        return []
    header = ["workload", "background / coalitions", "side", "rows/s", "building", "cores"]
    header += ["difference, all coalitions", "error of estimates"]
    header += [f"{mine} is faster by" for mine in OUR_KERNEL_NAMES]
    lines = [
        "",
        "## Estimates from coalitions: from the model to the values",
        "",
        "Rows per second count the building of the explainer for all rows of the job, and are "
        "measured on the rows given. `difference` is that of values from all coalitions, where "
        "every side is exact. `error of estimates` is |estimate - exact| / |exact|, root mean "
        "square over a few rows.",
        "",
        *formatting.table(header, rows),
    ]
    if beyond:
        header = ["workload", "side", "evaluations a row", "a row", "of it the model"]
        header += ["one large call of the model", "beyond, of the model's time"]
        header += ["beyond, of one large call"]
        lines += [
            "",
            "### Time beyond the model's own",
            "",
            "Of a row, in its share of a call of several. On every side BLAS has one thread, "
            f"XGBoost {results['threads']}.",
            "",
            *formatting.table(header, beyond),
        ]
    return lines


def _beyond(
    name: str, side: str, job: dict[str, Any], workload: dict[str, Any], found: dict[str, Any]
) -> list[str]:
    function, bare = found["function"], workload.get("bare_seconds")
    own = function.get("beyond_over_bare")
    return [
        name,
        side,
        f"{function['evaluated_per_row']:,.0f}",
        formatting.seconds(found["seconds"]["median"] / job["rows"]),
        formatting.seconds(function["seconds_per_row"]["median"]),
        formatting.seconds(bare["median"]) if bare else "",
        _share(function["beyond"]),
        _share(own) if own else "",
    ]


def targets(results: dict[str, Any]) -> list[list[str]]:
    """Rows of the table of targets."""
    if results["quick"] or results["rows"]:
        return []  # not the job the target is about
    rows = []
    for label, target in _SPEED_TARGETS:
        name = f"{workloads.KERNEL}-{label}"
        workload = _jobs(results).get(name)
        if workload is None:
            continue
        for mine in OUR_KERNEL_NAMES:
            ratio = workload["speedups"].get(mine, {}).get("shap")
            if ratio:
                rows.append(
                    [
                        f"shap, {name}, {mine}",
                        f">= {target}x",
                        f"{ratio['median']:.1f}x",
                        formatting.verdict(ratio["median"] >= target),
                    ]
                )
            function = workload["sides"].get(mine, {}).get("function")
            if function:
                share = function["beyond"]["median"]
                rows.append(
                    [
                        f"time beyond the model's own, {name}, {mine}",
                        f"<= {100 * _MOST_BEYOND:.0f}%",
                        f"{100 * share:.1f}%",
                        formatting.verdict(share <= _MOST_BEYOND),
                    ]
                )
    return rows
