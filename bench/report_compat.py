"""The part of the report on user code before and after the import is changed."""

from __future__ import annotations

from typing import Any

import formatting
import workloads
from competitors.ours_compat import OUR_COMPAT
from competitors.shap_compat import SHAP
from timing import geometric_mean


def _jobs(results: dict[str, Any]) -> dict[str, Any]:
    """Those that ran with both modules."""
    return {
        name: workload
        for name, workload in results["workloads"].items()
        if workload["measure"] == "compat" and len(workload.get("sides", {})) == 2
    }


def _time(found: dict[str, Any]) -> str:
    time = formatting.seconds(found["seconds"]["median"])
    return f"{time}, from {found['rows']:,} rows" if found["extrapolated"] else time


def _difference(agreement: dict[str, Any]) -> str:
    gap = f", adds up within {agreement['gap']:.0e}" if "gap" in agreement else ""
    return f"{agreement['error']:.0e}{gap} on {agreement['rows']:,} rows"


def compat(results: dict[str, Any]) -> list[str]:
    """Seconds of the code with both modules, and the time to import them."""
    rows = []
    for name, workload in _jobs(results).items():
        job, model = workload["job"], workload["model"]
        before, after = (workload["sides"][side] for side in (SHAP, OUR_COMPAT))
        kind = name.removeprefix(f"{workloads.COMPAT}-")
        rows.append(
            [
                kind + (" (falls back)" if after["fallbacks"] else ""),
                f"{model['library'].split()[0]} {model.get('estimator', '')}".strip(),
                job["code"],
                f"{job['rows']:,}",
                _time(before),
                _time(after),
                f"{before['cores_busy']:.1f} / {after['cores_busy']:.1f}",
                _difference(workload["agreement"][SHAP]),
                formatting.times(workload["speedups"][OUR_COMPAT][SHAP]),
            ]
        )
    lines: list[str] = []
    if rows:
        header = ["kind", "model", "code", "rows", "before", "after", "cores", "difference"]
        lines = [
            "",
            "## User code before and after the import is changed",
            "",
            "`code` is a function of bench/compat_code.py, run with `import shap` and with "
            f"`import {OUR_COMPAT} as shap`; seconds are of the whole of it, from the model to the "
            "values. `from N rows` is a time that grows row by row, measured on N of them. "
            "`difference` is relative to the greatest value; of estimates, to the norm of all, "
            "beside how well they add up to the model's outputs.",
            "",
            *formatting.table([*header, "faster by"], rows),
            "",
            *_summary(results),
        ]
    if "import_seconds" in results:
        times = ", ".join(
            f"`import {module}` {formatting.seconds(found['median'])}"
            for module, found in results["import_seconds"].items()
        )
        lines += ["", f"In a fresh interpreter, median of five: {times}."]
    return lines


def _summary(results: dict[str, Any]) -> list[str]:
    jobs = _jobs(results)
    ratios = {name: w["speedups"][OUR_COMPAT][SHAP]["median"] for name, w in jobs.items()}
    least, greatest = min(ratios, key=ratios.__getitem__), max(ratios, key=ratios.__getitem__)
    mean = geometric_mean(list(ratios.values()))
    lines = [
        f"Of {len(ratios)} kinds the geometric mean is {mean:.1f}x, "
        f"the least {ratios[least]:.2f}x ({least}), the greatest {ratios[greatest]:.0f}x "
        f"({greatest})."
    ]
    for name, workload in jobs.items():
        for message in workload["sides"][OUR_COMPAT]["fallbacks"]:
            lines += ["", f"{name}: {message}"]
    return lines
