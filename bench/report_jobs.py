"""The parts of the report on interaction values and on jobs with background data."""

from __future__ import annotations

from typing import Any

import formatting
import workloads
from competitors.ours import OUR_NAMES, OURS, OURS_FLOAT32
from timing import geometric_mean

_PRECISIONS = {OURS: "float64", OURS_FLOAT32: "float32"}

# How many times as long the other takes: workload (without its group), side, at least.
_JOB_TARGETS = (
    ("flights-d6-500-m100", "shap", 700),
    ("flights-d6-500-m100", "shapiq", 500),
    ("flights-d6-500-m300000", "woodelf", 25),
    ("flights-d8-100-m50000", "woodelf", 15),
    ("syn-d10-200-m50000", "woodelf", 15),
    ("pairs-flights-d6-500-m100000", "woodelf", 15),
)


def _jobs(results: dict[str, Any]) -> dict[str, Any]:
    """Workloads with background data that were timed."""
    return {
        name: workload
        for name, workload in results["workloads"].items()
        if workload["measure"] == "background" and "sides" in workload
    }


def _memory(workload: dict[str, Any], side: str) -> str:
    precision = _PRECISIONS.get(side)
    peaks = [p["total_mb"] for p in workload.get("processes", ()) if p["dtype"] == precision]
    return f"{max(peaks):.0f} MB" if peaks else ""


def _error(workload: dict[str, Any], side: str) -> str:
    agreement = workload["agreement"][side]
    if agreement["error"] is None:
        return "reference"
    return f"{agreement['error']:.0e} on {formatting.count(agreement['rows'])} rows"


def background(results: dict[str, Any]) -> list[str]:
    """Seconds of every side for the whole job, and how many times as long as ours that is."""
    rows = []
    for name, workload in _jobs(results).items():
        job = workload["job"]
        for side, found in workload["sides"].items():
            whole, building = found["seconds"]["median"], found["building_seconds"]
            ready = found.get("ready_seconds")
            if ready is not None:  # part of our building waits for the first call
                building = max(building, whole - ready)
            rows.append(
                [
                    name,
                    f"{job['rows']:,} / {job['background']:,}",
                    side,
                    formatting.seconds(whole)
                    + (
                        f", from {formatting.count(found['rows'])}" if found["extrapolated"] else ""
                    ),
                    formatting.seconds(building),
                    "" if ready is None else formatting.seconds(ready),
                    f"{found['cores_busy']:.1f}",
                    _memory(workload, side),
                    _error(workload, side),
                    *(
                        formatting.times(workload["speedups"][mine][side])
                        if side in workload["speedups"].get(mine, {})
                        else ""
                        for mine in OUR_NAMES
                    ),
                ]
            )
    if not rows:
        return []
    header = ["workload", "rows / background", "side", "whole job", "building", "ready explainer"]
    header += ["cores", "peak memory", "difference"]
    header += [f"{_PRECISIONS[mine]} is faster by" for mine in OUR_NAMES]
    return [
        "",
        "## Background data: from the model to the values",
        "",
        "`whole job` includes `building`: the explainer's construction, and of ours what the first "
        "call takes longer than another one with the same, `ready explainer`. `from N` is a time "
        "that grows row by row, measured on N rows. `peak memory` is ours beyond input and output.",
        "",
        *formatting.table(header, rows),
    ]


def summaries(results: dict[str, Any]) -> list[str]:
    """How our explainer chose to work, for every job."""
    found = {n: w["summary"] for n, w in _jobs(results).items() if w.get("summary")}
    if not found:
        return []
    rows = [
        [name, ", ".join(f"{key} {_plain(value)}" for key, value in summary.items())]
        for name, summary in found.items()
    ]
    return ["", "## Methods chosen for the leaves", "", *formatting.table(["workload", ""], rows)]


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key} {_plain(v)}" for key, v in value.items()) + ")"
    return f"{value:,}" if isinstance(value, int) else str(value)


def targets(results: dict[str, Any]) -> list[list[str]]:
    """Rows of the table of targets."""
    return _interaction_targets(results) + _background_targets(results)


def _interaction_targets(results: dict[str, Any]) -> list[list[str]]:
    rows = []
    for mine, mean_target, least_target in ((OURS, 50, None), (OURS_FLOAT32, 100, 50)):
        ratios = {
            name: workload["speedups"][mine]["xgboost"]["median"]
            for name, workload in results["workloads"].items()
            if workload["group"] == workloads.INTERACTIONS
            and "xgboost" in workload.get("speedups", {}).get(mine, {})
        }
        if not ratios:
            continue
        all_six = len(ratios) == 6
        count = "the six" if all_six else f"{len(ratios)} of the six"
        what = f"of {count}, {_PRECISIONS[mine]}"
        mean = geometric_mean(list(ratios.values()))
        worst, least = min(ratios.items(), key=lambda item: item[1])
        rows.append(
            [
                f"XGBoost pred_interactions, geometric mean {what}",
                f">= {mean_target}x",
                f"{mean:.1f}x",
                formatting.verdict(mean >= mean_target) if all_six else "part of it",
            ]
        )
        if least_target:
            rows.append(
                [
                    f"XGBoost pred_interactions, least {what}",
                    f">= {least_target}x",
                    f"{least:.1f}x ({worst})",
                    formatting.verdict(least >= least_target) if all_six else "part of it",
                ]
            )
    return rows


def _background_targets(results: dict[str, Any]) -> list[list[str]]:
    if results["quick"] or results["rows"]:
        return []  # not the job the target is about
    rows = []
    for label, theirs, target in _JOB_TARGETS:
        name = f"{workloads.BACKGROUND}-{label}"
        speedups = results["workloads"].get(name, {}).get("speedups", {})
        for mine in OUR_NAMES:
            if theirs in speedups.get(mine, {}):
                ratio = speedups[mine][theirs]["median"]
                rows.append(
                    [
                        f"{theirs}, {name}, {_PRECISIONS[mine]}",
                        f">= {target}x",
                        f"{ratio:.1f}x",
                        formatting.verdict(ratio >= target),
                    ]
                )
    return rows
