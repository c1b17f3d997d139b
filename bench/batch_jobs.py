"""Whole Parquet files: rows per second and peak memory, every measurement in its own process.

Outputs are compared before anything is timed, and what was timed is checked at both ends.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import batch_process
import datasets
import flight_tables
import kill_resume
import timing
from competitors import BatchCompetitor
from equality import relative_error
from flight_tables import FlightTable, flights
from killable_run import Run
from models import TrainedModel
from workloads import BatchJob, Workload

_FEW = FlightTable(5_000)
_PART = 100  # of the rows, for a side that would take too long
_ENDS = 1_000  # rows compared of an output that was timed
# Means of millions of values are sums of other parts in another order.
_MEANS_TOLERANCE = 1e-5
# Of a run that is killed.
_KILLED_PARTS = 10
_QUICK_SHARE = 20


def shrink(job: BatchJob) -> BatchJob:
    """The same job with fewer rows, for a quick run."""
    if job.kills:  # at moments that must not be too short
        return replace(job, rows=job.rows // 5, kills=2)
    return replace(job, rows=job.rows // _QUICK_SHARE)


def named_model(model: TrainedModel) -> Path:
    """The same trees in a file that knows the columns' names, by which tables are read."""
    path = model.path.with_name(f"{model.path.stem}-named{model.path.suffix}")
    if not path.exists():
        booster = model.load()
        booster.feature_names = list(datasets.FLIGHTS_FEATURES)
        partial = path.with_name("part-" + path.name)
        booster.save_model(partial)
        partial.replace(path)
    return path


@contextmanager
def _output() -> Iterator[Path]:
    """A path to write to, in a folder of its own that is removed with everything in it."""
    flight_tables.TABLES.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="output-", dir=flight_tables.TABLES))
    try:
        yield folder / "values.parquet"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if hasattr(os, "sync"):
            os.sync()  # what was written is on the disk before the next one is timed


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
    return sum(file.stat().st_size for file in files)


@dataclass
class Entrant:
    """A side, the table it gets, and what that took in every round."""

    competitor: BatchCompetitor
    table: FlightTable
    found: list[dict[str, Any]] = field(default_factory=list)
    output_bytes: int | None = None

    def rates(self) -> list[float]:
        """Rows per second of every round."""
        return [(f["rows"] or self.table.rows) / f["seconds"] for f in self.found]

    def summary(self, rows: int) -> dict[str, Any]:
        """JSON-able."""
        explained = self.found[0]["rows"] or self.table.rows
        cpu = [f["cpu_seconds"] for f in self.found]
        wall = sum(f["seconds"] for f in self.found)
        summary = {
            "rows": explained,
            "in_part": self.table.rows < rows,
            "seconds": [round(f["seconds"], 4) for f in self.found],
            "rows_per_second": timing.spread(self.rates()),
            "cores_busy": None if None in cpu else round(sum(cpu) / wall, 2),
            "peak_mb": round(max(f["peak_mb"] for f in self.found), 1),
            "worker_peaks_mb": [round(p) for f in self.found for p in f["worker_peaks_mb"]],
        }
        if self.output_bytes is not None:
            summary["output_bytes_per_row"] = round(self.output_bytes / explained, 2)
        return summary


class Race:
    """One job, its entrants, and what is found; `result` is JSON-able."""

    def __init__(
        self, workload: Workload, job: BatchJob, model: TrainedModel, n_threads: int
    ) -> None:
        import leafshap

        self.name = workload.name
        self.job = job
        self.n_threads = n_threads
        self.model = named_model(model)
        self.table = FlightTable(job.rows, job.files)
        # float64: what every output is compared with.
        self._explainer = leafshap.TreeExplainer(str(self.model), n_jobs=n_threads)
        # By the number of rows, of the first output with so many.
        self._mean_abs: dict[int, npt.NDArray[np.float64]] = {}
        self.entrants: dict[str, Entrant] = {}
        # Failures are also told as the reason why a side is skipped.
        self.failures: list[str] = []
        self.result: dict[str, Any] = {
            "agreement": {},
            "skipped_competitors": {},
            "job": {**asdict(job), "table": self.table.label},
        }

    def _expected(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        return np.asarray(self._explainer.shap_values(rows, check_additivity=False))

    def _measure(self, name: str, table: FlightTable, output: Path) -> dict[str, Any]:
        source, few = table.path(), _FEW.path()
        table.warm()
        return batch_process.measure(name, self.model, source, few, output, self.n_threads)

    def enter(self, name: str, competitor: BatchCompetitor) -> str:
        """Let a side explain few rows; a word on how that went."""
        try:
            with _output() as output:
                self._measure(name, _FEW, output)
                found = competitor.values(output)
            expected = self._expected(flights(0, _FEW.rows))
            if competitor.output == "mean |phi|":
                expected = np.abs(expected).mean(axis=0)
            error = relative_error(found, expected)
        except Exception as raised:  # whatever a library raises, the others still run
            return self._fail(name, f"raised {type(raised).__name__}: {raised}")
        tolerance = competitor.tolerance
        self.result["agreement"][name] = {
            "rows": _FEW.rows,
            "error": error,
            "tolerance": tolerance,
            "ok": error <= tolerance,
        }
        if not error <= tolerance:
            return self._fail(name, f"differs by {error:.1e}, more than {tolerance:.0e}")
        part = FlightTable(max(_FEW.rows, self.job.rows // _PART))
        self.entrants[name] = Entrant(competitor, part if competitor.in_part else self.table)
        return f"differs by {error:.1e} on {_FEW.rows} rows"

    def _fail(self, name: str, word: str) -> str:
        self.result["skipped_competitors"][name] = word
        self.failures.append(f"{self.name}: {name} {word}")
        self.entrants.pop(name, None)
        return word

    def run(self, repeats: int) -> None:
        """Every side once per round, the order turning."""
        for repeat in range(repeats):
            for name in timing.turned(self.entrants, repeat):
                entrant = self.entrants.get(name)
                if entrant is None:  # has failed in this round
                    continue
                try:
                    with _output() as output:
                        found = self._measure(name, entrant.table, output)
                        self._check(entrant, output, found["rows"])
                except Exception as error:  # whatever a library raises, the others still run
                    self._fail(name, f"raised {type(error).__name__}: {error}")
                else:
                    entrant.found.append(found)

    def _check(self, entrant: Entrant, output: Path, rows: int | None) -> None:
        """Hold the first and last rows of an output against the reference, or means against means.

        Raises
        ------
        ValueError
            If they differ, or there are fewer or more.
        """
        rows = rows or entrant.table.rows
        found = entrant.competitor.values(output)
        if entrant.competitor.output != "values":
            means = self._mean_abs.get(rows)
            error = 0.0 if means is None else relative_error(found, means)
            if not error <= _MEANS_TOLERANCE:
                raise ValueError(f"the means of {rows} rows differ by {error:.1e}")
            return
        if len(found) != rows:
            raise ValueError(f"{len(found)} rows of output for {rows}")
        for begin in (0, rows - _ENDS):
            end = begin + _ENDS
            error = relative_error(found[begin:end], self._expected(flights(begin, end)))
            if not error <= entrant.competitor.tolerance:
                raise ValueError(f"the rows from {begin} on differ by {error:.1e}")
        entrant.output_bytes = _size(output)
        if rows not in self._mean_abs:
            self._mean_abs[rows] = np.abs(found).mean(axis=0, dtype=np.float64)

    def measure_memory(self) -> None:
        """Peak memory of every side for a tenth of the rows, all, and all in one row group."""
        rows = self.job.rows
        tables = [FlightTable(rows // 10), FlightTable(rows)]
        if rows > flight_tables.ROW_GROUP:
            tables.append(FlightTable(rows, row_group=rows))
        self.result["processes"] = []
        for name in self.entrants:
            for table in tables:
                with _output() as output:
                    found = self._measure(name, table, output)
                self.result["processes"].append({"side": name, "table": table.label, **found})

    def kill(self) -> None:
        """Kill runs that write every kind of output, resume them, and compare what they wrote."""
        trials = self.result["kills"] = []
        for case in kill_resume.CASES:
            with _output() as output:
                run = Run(
                    self.model,
                    self.table.path(),
                    case,
                    output.parent,
                    self.job.rows // _KILLED_PARTS,
                    self.n_threads,
                )
                found = kill_resume.trial(run, self.job.kills)
            trials.append(found)
            self.failures += [f"{self.name}: {case.name}: {word}" for word in found["failures"]]

    def compare_rates(self) -> None:
        """Rows per second of every side, and the ratios of all to all, round by round."""
        self.result["sides"] = {n: e.summary(self.job.rows) for n, e in self.entrants.items()}
        rates = {name: entrant.rates() for name, entrant in self.entrants.items()}
        self.result["ratios"] = {
            name: {
                other: timing.ratio(mine, theirs)
                for other, theirs in rates.items()
                if other != name and len(theirs) == len(mine)
            }
            for name, mine in rates.items()
        }
