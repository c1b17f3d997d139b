"""User code with shap and with leafshap.compat.shap: the same function, only the import changed.

It is timed whole, from the trained model to the values. Outputs are compared before anything is
timed: values one by one, estimates by their distance and by what they add up to.
"""

from __future__ import annotations

import gc
import importlib
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

import datasets
import timing
from compat_code import Floats
from competitors import CompatCompetitor
from equality import FIRST_ROWS, relative_error
from models import TrainedModel
from timing import ONCE_SECONDS, spread
from workloads import CompatJob, Workload

# Rows the code gets for a background, the last ones of the data.
_TRAINING_ROWS = 1_000
# Beside what its first row takes, a call lasts about this long where all rows would take longer.
CALL_SECONDS = 5.0
# Estimates add up to the model's outputs within this part of the greatest of them.
_MOST_GAP = 1e-5

_QUICK_SHARE, _QUICK_LEAST = 20, 10
_IMPORTS = 5


@dataclass
class Entrant:
    """The code with one module, on the first rows of the job, and what that took in every round."""

    module: Any
    model: Any
    job: CompatJob
    X_train: Floats
    X: Floats
    rows: int = 1
    one_row: float = 0.0  # seconds
    calls: list[tuple[float, float]] = field(default_factory=list)  # wall and processor seconds
    output: Any = None
    fallbacks: set[str] = field(default_factory=set)

    def call(self) -> tuple[float, float]:
        """Run the code on `rows` rows, and keep its output."""
        X = self.X[: self.rows]
        np.random.seed(0)  # noqa: NPY002  shap draws from the global state
        gc.collect()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            cpu = time.process_time()
            start = time.perf_counter()
            self.output = self.job.code(self.module, self.model, self.X_train, X)
            seconds = time.perf_counter() - start
            cpu = time.process_time() - cpu
        names = ((warning.category.__name__, str(warning.message)) for warning in caught)
        self.fallbacks |= {message for name, message in names if name == "FallbackWarning"}
        return seconds, cpu

    def choose_rows(self, target: float) -> None:
        """As many rows of the job as take about so long, beside the time of a single one."""
        self.call()  # what is done once is done now
        self.one_row = min(self.call()[0], self.call()[0])
        self.rows = timing.choose_rows(
            self._seconds_beyond_one, target, self.job.rows, least=FIRST_ROWS
        )

    def _seconds_beyond_one(self, rows: int) -> float:
        self.rows = rows
        return self.call()[0] - self.one_row

    def seconds(self) -> list[float]:
        """Of every round for the whole job: the first row once, the others in proportion."""
        if self.rows == self.job.rows:
            return [seconds for seconds, _ in self.calls]
        share = (self.job.rows - 1) / (self.rows - 1)
        return [max(s, self.one_row + (s - self.one_row) * share) for s, _ in self.calls]

    def summary(self) -> dict[str, Any]:
        """JSON-able."""
        seconds = self.seconds()
        wall, cpu = (sum(column) for column in zip(*self.calls, strict=True))
        return {
            "rows": self.rows,
            "extrapolated": self.rows < self.job.rows,
            "seconds": spread(seconds),
            "seconds_measured": [round(s, 5) for s, _ in self.calls],
            "seconds_of_one_row": round(self.one_row, 5),
            "rows_per_second": spread([self.job.rows / s for s in seconds]),
            "cores_busy": round(cpu / wall, 2),
            "fallbacks": sorted(self.fallbacks),
        }


class _Numbers:
    """Of an output: an array of values, or an `Explanation` with base values."""

    def __init__(self, output: Any) -> None:
        values = np.asarray(getattr(output, "values", output))
        self.kind = f"{type(output).__name__} {values.dtype}"
        self.values: Floats = values.astype(np.float64)
        self.base: Floats = np.asarray(getattr(output, "base_values", np.zeros(len(values))))

    def difference(self, expected: _Numbers, n_rows: int) -> float:
        """Of the first rows' values and base values, the greatest, relative to the greatest value.

        Infinite for other shapes.
        """
        values, base = expected.values[:n_rows], expected.base[:n_rows]
        if self.base[:n_rows].shape != base.shape:
            return float("inf")
        base_error = np.abs(self.base[:n_rows] - base).max() / np.abs(values).max()
        return max(relative_error(self.values[:n_rows], values), float(base_error))

    def distance(self, expected: _Numbers, n_rows: int) -> float:
        """Of the first rows' values, relative to their norm; infinite for another shape."""
        found, values = self.values[:n_rows], expected.values[:n_rows]
        if found.shape != values.shape:
            return float("inf")
        return float(np.linalg.norm(found - values) / np.linalg.norm(values))

    def gap(self, outputs: npt.NDArray[Any]) -> float:
        """How far values are from adding up, relative to the greatest of the model's outputs.

        What they leave of an output is its mean over the background, the same for every row.
        """
        left = outputs - self.values.sum(axis=1)
        return float(np.ptp(left, axis=0).max() / np.abs(outputs).max())


def shrink(job: CompatJob) -> CompatJob:
    """The same job with fewer rows, for a quick run."""
    return replace(job, rows=max(_QUICK_LEAST, job.rows // _QUICK_SHARE))


class Race:
    """One job, its entrants, and what is found; `result` is JSON-able."""

    def __init__(self, workload: Workload, job: CompatJob, model: TrainedModel) -> None:
        self.name = workload.name
        self.job = job
        self.model = model
        # float64, as a table of numbers is read.
        self.X = datasets.rows(model.spec.data, job.rows).astype(np.float64)
        self.X_train = datasets.background(model.spec.data, _TRAINING_ROWS).astype(np.float64)
        self.reference: tuple[str, _Numbers] | None = None
        self.entrants: dict[str, Entrant] = {}
        # Failures are also told as the reason why a module is skipped.
        self.failures: list[str] = []
        self.result: dict[str, Any] = {
            "agreement": {},
            "skipped_competitors": {},
            "job": {
                "rows": job.rows,
                "code": job.code.__name__,
                "sampled": job.sampled,
                "tolerance": job.tolerance,
            },
        }

    def enter(self, name: str, competitor: CompatCompetitor, target: float) -> str:
        """Let a module run the code, in calls of about `target` seconds; a word on how that went.

        The first one is the reference.
        """
        try:
            module = importlib.import_module(competitor.module)
            entrant = Entrant(module, self.model.load(), self.job, self.X_train, self.X)
            entrant.choose_rows(target)
            word = self._compare(name, entrant)
        except Exception as error:  # whatever a library raises, the other still runs
            word = f"raised {type(error).__name__}: {error}"
        if word is not None:
            self.result["skipped_competitors"][name] = word
            self.failures.append(f"{self.name}: {name} {word}")
            return word
        self.entrants[name] = entrant
        return f"{entrant.rows} of {self.job.rows} rows"

    def _compare(self, name: str, entrant: Entrant) -> str | None:
        """Hold an output against the reference's; a word if they differ."""
        found = _Numbers(entrant.output)
        agreement: dict[str, Any] = {"output": found.kind}
        self.result["agreement"][name] = agreement
        if self.job.sampled:
            outputs = getattr(entrant.model, self.job.sampled)(self.X[: entrant.rows])
            agreement["gap"] = gap = found.gap(outputs)
            if not gap <= _MOST_GAP:
                return f"does not add up to the model's output: {gap:.1e} of the greatest"
        if self.reference is None:
            self.reference = name, found
        reference, expected = self.reference
        n_rows = min(len(found.values), len(expected.values))
        agreement |= {"reference": reference, "rows": n_rows, "error": None}
        if name == reference:
            return None
        if found.kind.split()[0] != expected.kind.split()[0]:
            return f"returns {found.kind}, {reference} {expected.kind}"
        distance = found.distance if self.job.sampled else found.difference
        agreement["error"] = error = distance(expected, n_rows)
        if error <= self.job.tolerance:
            return None
        return f"differs by {error:.1e}, more than {self.job.tolerance:.0e}"

    def run(self, repeats: int) -> None:
        """Every module once per round, the order turning; long calls are not repeated."""
        for repeat in range(repeats):
            for entrant in timing.turned(self.entrants.values(), repeat):
                if not entrant.calls or entrant.calls[0][0] <= ONCE_SECONDS:
                    entrant.calls.append(timing.repeat_short(entrant.call, lambda call: call[0]))

    def compare_times(self, ours: str) -> None:
        """Seconds of both, and the ratio of shap's to ours, round by round."""
        self.result["sides"] = {name: e.summary() for name, e in self.entrants.items()}
        seconds = {name: entrant.seconds() for name, entrant in self.entrants.items()}
        self.result["speedups"] = timing.speedups(seconds, (ours,))


def import_seconds(modules: list[str]) -> dict[str, dict[str, float]]:
    """Of importing each in a fresh interpreter, in turns."""
    found: dict[str, list[float]] = {module: [] for module in modules}
    for repeat in range(-1, _IMPORTS):  # before the first round, files are read from the disk
        for module in timing.turned(modules, repeat):
            code = (
                f"import time; start = time.perf_counter(); import {module}; "
                "print(time.perf_counter() - start)"
            )
            done = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True
            )
            if repeat >= 0:
                found[module].append(float(done.stdout))
    return {module: spread(seconds) for module, seconds in found.items()}
