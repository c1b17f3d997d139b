"""The part of the report on permutation importance and partial dependence."""

from __future__ import annotations

from typing import Any

import formatting
import workloads
from competitors.ours_permutation import OUR_PERMUTATION
from competitors.sklearn_permutation import SKLEARN

# How many times as long scikit-learn takes: workload (without its group), at least.
_SPEED_TARGETS = (
    ("flights-d6-500", 25),
    ("noisy-d6-500", 80),
    ("forest-50", 20),
    ("exact-flights-d6-500", 1),
    ("dependence-flights-d6-500", 100),
)


def _jobs(results: dict[str, Any]) -> dict[str, Any]:
    return {
        name: workload
        for name, workload in results["workloads"].items()
        if workload["measure"] == "permutation" and "sides" in workload
    }


def _what(job: dict[str, Any]) -> str:
    if job["points"]:
        return f"{job['features']} x {job['points']} points" + (
            ", every row" if job["individual"] else ""
        )
    return f"{job['features']} features, {job['repeats']} repeats, {job['scoring']}"


def _difference(agreement: dict[str, Any]) -> str:
    if agreement["error"] is None:
        return "reference"
    if agreement["unit"] == "standard errors":
        return f"{agreement['error']:.2f} standard errors, at most {agreement['worst']:.1f}"
    return f"{agreement['error']:.0e}"


def permutation(results: dict[str, Any]) -> list[str]:
    """Seconds of every side for the whole job, and how many times as long as ours that is."""
    rows = []
    for name, workload in _jobs(results).items():
        job = workload["job"]
        whole = job["features"] * job["points"]
        speedups = workload["speedups"].get(OUR_PERMUTATION, {})
        for side, found in workload["sides"].items():
            part = f", from {found['points_measured']} of {whole:,} points"
            exact = ", exact" if job["exact"] and side == OUR_PERMUTATION else ""
            rows.append(
                [
                    name,
                    f"{job['rows']:,}",
                    _what(job) + exact,
                    side,
                    formatting.seconds(found["seconds"]["median"])
                    + (part if found["extrapolated"] else ""),
                    f"{found['cores_busy']:.1f}" if "cores_busy" in found else "",
                    _difference(workload["agreement"][side]),
                    formatting.times(speedups[side]) if side in speedups else "",
                ]
            )
    if not rows:
        return []
    header = ["workload", "rows", "what", "side", "whole job", "cores", "difference"]
    return [
        "",
        "## Permutation importance and partial dependence: from the model to the numbers",
        "",
        "`from N points` is a time that grows point by point, measured on N of them. `sklearn` "
        f"computes importances in {results['threads']} processes (whose processor time is not "
        "known here) and curves in this one, with a model that predicts on all threads.",
        "",
        *formatting.table([*header, "leafshap is faster by"], rows),
    ]


def targets(results: dict[str, Any]) -> list[list[str]]:
    """Rows of the table of targets."""
    if results["quick"] or results["rows"]:
        return []  # not the job the target is about
    rows = []
    for label, target in _SPEED_TARGETS:
        name = f"{workloads.PERMUTATION}-{label}"
        speedups = results["workloads"].get(name, {}).get("speedups", {})
        ratio = speedups.get(OUR_PERMUTATION, {}).get(SKLEARN)
        if ratio:
            rows.append(
                [
                    f"scikit-learn, {name}",
                    f">= {target}x",
                    f"{ratio['median']:.1f}x",
                    formatting.verdict(ratio["median"] >= target),
                ]
            )
    return rows
