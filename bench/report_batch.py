"""The part of the report on whole files: rows per second, peak memory, cost, killed runs."""

from __future__ import annotations

from typing import Any

import formatting
import workloads
from competitors.ours_batch import (
    OUR_AGGREGATES,
    OUR_COLUMNS,
    OUR_DASK,
    OUR_FILES,
    OUR_KERNEL,
)
from competitors.xgboost_script import XGBOOST_SCRIPT

_ROWS = 100_000_000
# Workload (without its group), side, beside, and the least its rows per second over the other's.
_RATIOS = (
    ("parquet", OUR_FILES, OUR_KERNEL, 0.8),
    ("parquet", OUR_AGGREGATES, OUR_KERNEL, 0.9),
    ("parquet", OUR_FILES, XGBOOST_SCRIPT, 30),
    ("dask", OUR_DASK, OUR_COLUMNS, 0.85),
)
_MOST_MB = 500
# Peak memory is flat if all the rows take at most so many times as much as a tenth of them.
_FLAT = 1.1


def _of(results: dict[str, Any], measure: str) -> dict[str, Any]:
    return {
        name: workload
        for name, workload in results["workloads"].items()
        if workload["measure"] == measure and "skipped" not in workload
    }


def batch(results: dict[str, Any]) -> list[str]:
    """Every table that there is something for."""
    return [*_rates(results), *_memory(results), *_kills(results)]


def _share(ratio: dict[str, float]) -> str:
    """A ratio that should be near 1, in percent."""
    median, low, high = (100 * ratio[key] for key in ("median", "min", "max"))
    return f"{median:.0f}% ({low:.0f}-{high:.0f})"


def _ratio(ratio: dict[str, float]) -> str:
    return formatting.times(ratio) if ratio["median"] > 2 else _share(ratio)


def _beside(side: str, ratios: dict[str, dict[str, dict[str, float]]]) -> str:
    """Its rows per second beside those of what it is measured by; XGBoost's the other way round."""
    if side == XGBOOST_SCRIPT and side in ratios.get(OUR_FILES, {}):
        return f"{OUR_FILES}: {formatting.times(ratios[OUR_FILES][side])}"
    other = OUR_COLUMNS if side == OUR_DASK else OUR_KERNEL
    found = ratios[side].get(other)
    return f"{_share(found)} of {other}" if found else ""


def _hours(rate: float) -> str:
    hours = _ROWS / rate / 3600
    return f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.0f} min"


def _gigabytes(found: dict[str, Any]) -> str:
    per_row = found.get("output_bytes_per_row")
    return "" if per_row is None else f"{per_row * _ROWS / 1e9:.1f} GB"


def _cost(side: str, found: dict[str, Any]) -> list[str]:
    """Hours and bytes; the kernel alone reads and writes nothing."""
    if side == OUR_KERNEL:
        return ["", ""]
    return [_hours(found["rows_per_second"]["median"]), _gigabytes(found)]


def _peak(found: dict[str, Any]) -> str:
    workers = found["worker_peaks_mb"]
    beside = f" + {max(workers):.0f} a worker" if workers else ""
    return f"{found['peak_mb']:.0f}{beside}"


def _rates(results: dict[str, Any]) -> list[str]:
    rows = []
    for name, workload in _of(results, "batch").items():
        for side, found in workload["sides"].items():
            rate, cores = found["rows_per_second"], found["cores_busy"]
            rows.append(
                [
                    name,
                    side,
                    f"{found['rows']:,}" + (" (a part)" if found["in_part"] else ""),
                    formatting.count(rate["median"]),
                    "" if cores is None else f"{cores:.1f}",
                    _peak(found),
                    f"{workload['agreement'][side]['error']:.0e}",
                    _beside(side, workload["ratios"]),
                    *_cost(side, found),
                ]
            )
    if not rows:
        return []
    header = ["workload", "side", "rows", "rows/s", "cores", "peak MB", "difference", "beside"]
    header += ["100M rows", "their output"]
    return [
        "",
        "## From file to file",
        "",
        "Peak memory is that of the whole process. A figure for 100M rows is extrapolated from "
        f"rows per second and bytes per row, on {results['threads']} threads.",
        "",
        *formatting.table(header, rows),
    ]


def _memory(results: dict[str, Any]) -> list[str]:
    rows = [
        [
            name,
            found["side"],
            found["table"],
            f"{found['peak_before_mb']:.0f}",
            f"{found['peak_mb']:.0f}",
            formatting.count(found["rows"] / found["seconds"]),
        ]
        for name, workload in _of(results, "batch-memory").items()
        for found in workload["processes"]
    ]
    if not rows:
        return []
    header = ["workload", "side", "table", "before", "peak", "rows/s"]
    return [
        "",
        "## Peak memory of the whole process in MB",
        "",
        "`before`: with interpreter, libraries and model, after 5,000 rows.",
        "",
        *formatting.table(header, rows),
    ]


def _kills(results: dict[str, Any]) -> list[str]:
    rows = []
    for workload in _of(results, "batch-kill").values():
        for trial in workload["kills"]:
            attempts = trial["attempts"]
            deaths = [death for attempt in attempts for death in attempt["deaths"]]
            rows.append(
                [
                    trial["case"],
                    f"{len(attempts)}",
                    f"{len(deaths)}",
                    ", ".join(f"{death['parts']}" for death in deaths if not death["final"]),
                    f"{sum(bool(death['final']) for death in deaths)}",
                    f"{sum(attempt['same'] == 'bytes' for attempt in attempts)}",
                    f"{sum(attempt['same'] == 'rows' for attempt in attempts)}",
                    f"{len(trial['failures'])}",
                ]
            )
    if not rows:
        return []
    header = ["output", "runs", "kills", "whole parts at a kill", "kills after the move"]
    header += ["same bytes", "only same rows", "failures"]
    return ["", "## Killed and resumed", "", *formatting.table(header, rows)]


def targets(results: dict[str, Any]) -> list[list[str]]:
    """Rows of the table of targets."""
    rows = _kill_targets(results)
    if results["quick"] or results["rows"]:
        return rows  # not the job the other targets are about
    return _ratio_targets(results) + _memory_targets(results) + rows


def _ratio_targets(results: dict[str, Any]) -> list[list[str]]:
    rows = []
    for label, side, beside, target in _RATIOS:
        workload = results["workloads"].get(f"{workloads.BATCH}-{label}", {})
        ratio = workload.get("ratios", {}).get(side, {}).get(beside)
        if ratio:
            aim = f">= {target}x" if target > 1 else f">= {100 * target:.0f}%"
            met = formatting.verdict(ratio["median"] >= target)
            rows.append([f"rows/s of {side} over {beside}", aim, _ratio(ratio), met])
    return rows


def _memory_targets(results: dict[str, Any]) -> list[list[str]]:
    rows = []
    for workload in _of(results, "batch-memory").values():
        for side in dict.fromkeys(found["side"] for found in workload["processes"]):
            peaks = [f["peak_mb"] for f in workload["processes"] if f["side"] == side]
            growth = max(peaks[1:]) / peaks[0]
            rows += [
                [
                    f"peak memory of {side}",
                    f"< {_MOST_MB} MB",
                    f"{max(peaks):.0f} MB",
                    formatting.verdict(max(peaks) < _MOST_MB),
                ],
                [
                    f"peak memory of {side}, all rows over a tenth of them",
                    f"<= {_FLAT}x",
                    f"{growth:.2f}x",
                    formatting.verdict(growth <= _FLAT),
                ],
            ]
    return rows


def _kill_targets(results: dict[str, Any]) -> list[list[str]]:
    rows = []
    for workload in _of(results, "batch-kill").values():
        attempts = [a for trial in workload["kills"] for a in trial["attempts"]]
        failures = [word for trial in workload["kills"] for word in trial["failures"]]
        same = sum(attempt["same"] is not None for attempt in attempts)
        rows.append(
            [
                "runs killed and resumed with the output of an undisturbed one",
                "all",
                f"{same} of {len(attempts)}",
                formatting.verdict(same == len(attempts) and not failures),
            ]
        )
    return rows
