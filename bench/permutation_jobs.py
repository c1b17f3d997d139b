"""Jobs of permutation importance and partial dependence, timed whole: from model to numbers.

With the same seed the same rows are permuted on every side, so importances are compared number by
number; exact ones, which have no seed, with the mean of the others' repeats and its standard error.
"""

from __future__ import annotations

import gc
import time
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

import datasets
import timing
from competitors import PermutationCompetitor, PermutationSide, PermutationTask
from equality import relative_error
from models import TrainedModel
from timing import ONCE_SECONDS, spread
from workloads import PermutationJob, Workload

# What is compared before the job is run: so many rows, and of curves so many features and points.
_COMPARED_ROWS, _COMPARED_FEATURES, _COMPARED_POINTS = 2_000, 2, 3
# Curves of sides that take a prediction for every point are timed on so many features, and on as
# many points as take about this long.
_TIMED_FEATURES, _TIMED_SECONDS = 2, 6.0
# Exact importances may be off the mean of repeats by so many of its standard errors: root mean
# square over the features, and any of them. Five repeats know their standard error roughly.
_MOST_RMS, _MOST_ANY = 3.0, 10.0

_QUICK_SHARE, _QUICK_POINTS = 20, 10

Floats = npt.NDArray[np.float64]


@dataclass
class Entrant:
    """A side doing a job or, of curves, a part of it, and what that took in every round."""

    side: PermutationSide
    task: PermutationTask
    share: float = 1.0  # of the job's points
    calls: list[tuple[float, float]] = field(default_factory=list)  # wall and processor seconds
    found: Floats | None = None  # by the first of them

    def call(self) -> tuple[float, float]:
        """Do the task once."""
        gc.collect()
        cpu = time.process_time()
        start = time.perf_counter()
        found = self.side.call(self.task)
        seconds = time.perf_counter() - start
        cpu = time.process_time() - cpu
        if self.found is None:
            self.found = np.asarray(found, np.float64)
        return seconds, cpu

    def seconds(self) -> list[float]:
        """Of every round for the whole job."""
        return [seconds / self.share for seconds, _ in self.calls]

    def summary(self) -> dict[str, Any]:
        """JSON-able."""
        points = sum(len(values) for values in self.task.grid.values())
        found: dict[str, Any] = {
            "seconds": spread(self.seconds()),
            "seconds_measured": [round(seconds, 4) for seconds, _ in self.calls],
            "points_measured": points,
            "extrapolated": self.share < 1,
        }
        if not self.side.processes:
            cpu, wall = (sum(column) for column in zip(*self.calls, strict=True))
            found["cores_busy"] = round(cpu / wall, 2)
        return found


def shrink(job: PermutationJob) -> PermutationJob:
    """The same job with fewer rows and points, for a quick run."""
    rows, points = max(100, job.rows // _QUICK_SHARE), min(job.points, _QUICK_POINTS)
    return replace(job, rows=rows, points=points)


class Race:
    """One job, its entrants, and what is found; `result` is JSON-able."""

    def __init__(
        self, workload: Workload, job: PermutationJob, model: TrainedModel, n_threads: int
    ) -> None:
        self.name = workload.name
        self.job = job
        self.model = model
        self.n_threads = n_threads
        X, y = datasets.rows(model.spec.data, job.rows), datasets.labels(model.spec.data, job.rows)
        grid: dict[int, Floats] = {}
        if job.points:
            ends = zip(X.min(axis=0).tolist(), X.max(axis=0).tolist(), strict=True)
            grid = {j: np.linspace(a, b, job.points) for j, (a, b) in enumerate(ends)}
        self.task = PermutationTask(X, y, grid)
        self.reference = ""
        self.compared: Floats | None = None
        self.entrants: dict[str, Entrant] = {}
        # Failures are also told as the reason why a competitor is skipped.
        self.failures: list[str] = []
        self.result: dict[str, Any] = {
            "agreement": {},
            "skipped_competitors": {},
            "job": {**asdict(job), "features": X.shape[1]},
        }

    def enter(self, name: str, competitor: PermutationCompetitor) -> str:
        """Let a side try the job; a word on how that went. The first one is the reference."""
        word = competitor.unsupported(self.job)
        if word is not None:
            self.result["skipped_competitors"][name] = word
            return word
        try:
            side = competitor.prepare(self.model, self.job, self.n_threads)
            few = self._part(_COMPARED_FEATURES, _COMPARED_POINTS, _COMPARED_ROWS)
            found = np.asarray(side.call(few), np.float64)
            if self.compared is None:
                self.reference, self.compared = name, found
            word = self._compare(name, competitor, found, self.compared, len(few.X))
            if word is not None:
                return word
            entrant = Entrant(side, self.task)
            if self.task.grid and competitor.point_by_point:
                self._shorten(entrant)
        except Exception as error:  # whatever a library raises, the others still run
            return self._fail(name, f"raised {type(error).__name__}: {error}")
        self.entrants[name] = entrant
        return "agrees" if entrant.share == 1 else f"agrees, does {100 * entrant.share:.1f}%"

    def _part(self, n_features: int, n_points: int, n_rows: int | None = None) -> PermutationTask:
        """The task with fewer features, points, which remain evenly spread, and rows."""
        grid = {}
        for feature, values in list(self.task.grid.items())[:n_features]:
            at = np.linspace(0, len(values) - 1, min(n_points, len(values))).round().astype(int)
            grid[feature] = values[at]
        return PermutationTask(self.task.X[:n_rows], self.task.y[:n_rows], grid)

    def _shorten(self, entrant: Entrant) -> None:
        """Give a side that takes a prediction for every point as few as tell the time of all."""
        entrant.task = self._part(1, 2)
        seconds = min(entrant.call()[0], entrant.call()[0]) / 2
        points = max(2, int(_TIMED_SECONDS / seconds / _TIMED_FEATURES))
        entrant.task = self._part(_TIMED_FEATURES, points)
        entrant.found = None
        measured, whole = (
            sum(len(values) for values in task.grid.values()) for task in (entrant.task, self.task)
        )
        entrant.share = measured / whole

    def _fail(self, name: str, word: str) -> str:
        self.result["skipped_competitors"][name] = word
        self.failures.append(f"{self.name}: {name} {word}")
        return word

    def _compare(
        self,
        name: str,
        competitor: PermutationCompetitor,
        found: Floats,
        expected: Floats,
        n_rows: int,
    ) -> str | None:
        """Hold an output against the reference's; a word if they differ."""
        agreement = {"reference": self.reference, "rows": n_rows, "error": None, "ok": True}
        self.result["agreement"][name] = agreement
        if name == self.reference:
            return None
        if self.job.exact:
            error, worst = _standard_errors(found, expected)
            agreement |= {"error": error, "worst": worst, "unit": "standard errors"}
            agreement["ok"] = error <= _MOST_RMS and worst <= _MOST_ANY
        else:
            error = relative_error(found, expected)
            agreement |= {"error": error, "unit": "relative", "tolerance": competitor.tolerance}
            agreement["ok"] = error <= competitor.tolerance
        if agreement["ok"]:
            return None
        return self._fail(name, f"differs by {error:.1e} ({agreement['unit']}) on {n_rows} rows")

    def run(self, repeats: int) -> None:
        """Every entrant once per round, the order turning; long calls are not repeated."""
        for repeat in range(repeats):
            for entrant in timing.turned(self.entrants.values(), repeat):
                if entrant.calls and entrant.calls[0][0] > ONCE_SECONDS:
                    continue
                entrant.calls.append(timing.repeat_short(entrant.call, lambda call: call[0]))

    def compare_outputs(self, competitors: dict[str, PermutationCompetitor]) -> None:
        """Hold what was timed against the reference's, and leave out what differs."""
        if self.reference not in self.entrants:
            return
        reference = self.entrants[self.reference].found
        assert reference is not None
        for name, entrant in list(self.entrants.items()):
            assert entrant.found is not None
            expected = self._subset(reference, entrant.task)
            word = self._compare(name, competitors[name], entrant.found, expected, self.job.rows)
            if word is not None:
                del self.entrants[name]

    def _subset(self, whole: Floats, task: PermutationTask) -> Floats:
        """Of the curves of all features at all points, those that a task has."""
        if task.grid == {} or task is self.task:
            return whole
        parts = []
        for feature, values in task.grid.items():
            at = np.searchsorted(self.task.grid[feature], values)
            parts.append(whole[feature][..., at])
        return np.stack(parts)

    def compare_times(self, ours: str) -> None:
        """Seconds of every side, and ratios of theirs to ours, round by round."""
        self.result["sides"] = {name: e.summary() for name, e in self.entrants.items()}
        seconds = {name: entrant.seconds() for name, entrant in self.entrants.items()}
        self.result["speedups"] = timing.speedups(seconds, (ours,))


def _standard_errors(repeats: Floats, exact: Floats) -> tuple[float, float]:
    """Differences of exact importances (F, 1) to the mean of repeats (F, R), in standard errors.

    Root mean square and greatest, over the features. Where a feature moves nothing, or float32
    predictions all there is, what counts is a millionth of the greatest importance.
    """
    expected = exact.mean(axis=1)
    error = repeats.std(axis=1, ddof=1) / np.sqrt(repeats.shape[1])
    floor = 1e-6 * np.abs(expected).max()
    away = np.abs(repeats.mean(axis=1) - expected) / np.hypot(error, floor)
    return float(np.sqrt(np.mean(away**2))), float(away.max())
