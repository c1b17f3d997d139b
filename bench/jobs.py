"""Jobs with background data: timed whole, from the trained model and the arrays to the values.

Building the explainer is part of the time, with the conversion of the library's model and whatever
is computed from the background; it is done anew for every call.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

import datasets
import timing
from competitors import BackgroundCompetitor, BackgroundSide
from equality import FIRST_ROWS, relative_error
from models import TrainedModel
from timing import FAST_SECONDS, ONCE_SECONDS, SLOW_SECONDS, spread
from workloads import Job, Workload

Floats = npt.NDArray[np.float32]

QUICK_SHARE = 20
QUICK_LEAST = 50


@dataclass(frozen=True)
class _Call:
    """One way from the model to the output: wall seconds of its two parts, processor seconds."""

    building: float
    explaining: float
    cpu: float

    @property
    def wall(self) -> float:
        return self.building + self.explaining


@dataclass
class Entrant:
    """A side doing a job: on how many of its rows, and what that took, a call for every round."""

    competitor: BackgroundCompetitor
    side: BackgroundSide
    rows: int
    calls: list[_Call] = field(default_factory=list)

    def call(self, X: Floats, background: Floats) -> tuple[_Call, Any, Any]:
        """Explain the first rows of `X`; also the explainer, and its raw output."""
        staged_background = self.side.stage(background)
        staged = self.side.stage(X[: self.rows])
        gc.collect()
        cpu = time.process_time()
        start = time.perf_counter()
        explainer = self.side.build(staged_background)
        middle = time.perf_counter()
        raw = self.side.explain(explainer, staged)
        end = time.perf_counter()
        cpu = time.process_time() - cpu
        return _Call(middle - start, end - middle, cpu), explainer, raw

    def seconds(self, n_rows: int) -> list[float]:
        """Of every round for `n_rows` rows: building once, explaining in proportion."""
        return [c.building + c.explaining * n_rows / self.rows for c in self.calls]

    def summary(self, n_rows: int) -> dict[str, Any]:
        """JSON-able: seconds of the whole job and of building."""
        return {
            "rows": self.rows,
            "extrapolated": self.rows < n_rows,
            "seconds": spread(self.seconds(n_rows)),
            "building_seconds": statistics.median(c.building for c in self.calls),
            "explaining_seconds_measured": [round(c.explaining, 5) for c in self.calls],
            "cores_busy": round(
                sum(c.cpu for c in self.calls) / sum(c.wall for c in self.calls), 2
            ),
        }


def shrink(job: Job) -> Job:
    """The same job with fewer rows on both sides, for a quick run."""
    rows, background = (
        min(n, max(QUICK_LEAST, n // QUICK_SHARE)) for n in (job.rows, job.background)
    )
    return replace(job, rows=rows, background=background)


class Race:
    """One job, its entrants, and what is found; `result` is JSON-able."""

    def __init__(
        self, workload: Workload, job: Job, model: TrainedModel, n_threads: int, whole: bool
    ) -> None:
        self.name = workload.name
        self.job = job
        self.model = model
        self.n_threads = n_threads
        self.whole = whole
        self.X = datasets.rows(model.spec.data, job.rows)
        self.background = datasets.background(model.spec.data, job.background)
        self.reference: tuple[str, npt.NDArray[Any]] | None = None
        self.entrants: dict[str, Entrant] = {}
        # Failures are also told as the reason why a competitor is skipped.
        self.failures: list[str] = []
        self.result: dict[str, Any] = {
            "agreement": {},
            "skipped_competitors": {},
            "job": {
                "rows": job.rows,
                "background": job.background,
                "interactions": job.interactions,
                "model_output": job.model_output,
            },
        }

    def enter(self, name: str, competitor: BackgroundCompetitor) -> str:
        """Let a side try the job; a word on how that went.

        The first one is the reference: it explains all rows. One that explains row by row is
        compared on a few and timed on as many as take it some time; the others are compared on
        the output of their first timed call.
        """
        try:
            side = competitor.prepare(self.model, self.job, self.n_threads)
            entrant = Entrant(competitor, side, self.job.rows)
            if self.reference is None:
                _, explainer, raw = entrant.call(self.X, self.background)
                self.reference = name, side.values(raw)
                self.result["summary"] = side.summary(explainer)
                self._agree(name, competitor, self.job.rows, None)
            elif competitor.row_by_row:
                entrant.rows = min(FIRST_ROWS, self.job.rows)
                entrant.call(self.X, self.background)  # what is done once is done now
                tried, _, raw = entrant.call(self.X, self.background)
                if not self._compare(name, entrant, raw):
                    return "differs"
                wanted = 2 * SLOW_SECONDS / (tried.explaining / entrant.rows)
                if self.whole:
                    wanted = self.job.rows
                entrant.rows = min(self.job.rows, max(entrant.rows, int(wanted)))
        except Exception as error:  # whatever a library raises, the others still run
            word = f"raised {type(error).__name__}: {error}"
            self.result["skipped_competitors"][name] = word
            self.failures.append(f"{self.name}: {name} {word}")
            return word
        self.entrants[name] = entrant
        return f"{entrant.rows} of {self.job.rows} rows"

    def _compare(self, name: str, entrant: Entrant, raw: Any) -> bool:
        """Hold an output against the reference; a side that differs is out of the race."""
        if self.reference is None or self.reference[0] == name:
            return True
        found = entrant.side.values(raw)
        error = relative_error(found, self.reference[1][: len(found)])
        if self._agree(name, entrant.competitor, len(found), error):
            return True
        tolerance = entrant.competitor.tolerance
        self.failures.append(f"{self.name}: {name} differs by {error:.2e}")
        word = f"differs by {error:.1e}, more than {tolerance:.0e}"
        self.result["skipped_competitors"][name] = word
        self.entrants.pop(name, None)
        return False

    def _agree(
        self, name: str, competitor: BackgroundCompetitor, rows: int, error: float | None
    ) -> bool:
        """Note how far an output is from the reference; None is the reference itself."""
        ok = error is None or error <= competitor.tolerance
        self.result["agreement"][name] = {
            "reference": self.reference[0] if self.reference else None,
            "rows": rows,
            "error": error,
            "tolerance": competitor.tolerance,
            "ok": ok,
        }
        return ok

    def _round(self, name: str, entrant: Entrant) -> None:
        """One call, or as many as take half a second: then the one of the median time."""
        call, _, raw = entrant.call(self.X, self.background)
        if not entrant.calls and not self._compare(name, entrant, raw):
            return
        del raw
        calls = [call]
        for _ in range(min(9, math.ceil(FAST_SECONDS / call.wall)) - 1):
            calls.append(entrant.call(self.X, self.background)[0])
        entrant.calls.append(sorted(calls, key=lambda c: c.wall)[len(calls) // 2])

    def run(self, repeats: int) -> None:
        """Every entrant once per round, the order turning; long calls are not repeated."""
        for repeat in range(repeats):
            for name, entrant in timing.turned(self.entrants.items(), repeat):
                if not entrant.calls or entrant.calls[0].wall <= ONCE_SECONDS:
                    self._round(name, entrant)

    def compare_times(self, ours: tuple[str, ...]) -> None:
        """Seconds of every side, and of ours also with a ready explainer; ratios of theirs to ours.

        A ratio is taken round by round, or of all rounds to an only one.
        """
        n_rows = self.job.rows
        sides = self.result["sides"] = {
            name: entrant.summary(n_rows) for name, entrant in self.entrants.items()
        }
        mine = [name for name in ours if name in self.entrants]
        for name in mine:
            sides[name]["ready_seconds"] = self._ready_seconds(self.entrants[name])
        seconds = {name: entrant.seconds(n_rows) for name, entrant in self.entrants.items()}
        self.result["speedups"] = timing.speedups(seconds, ours)

    def _ready_seconds(self, entrant: Entrant) -> float:
        call, explainer, _ = entrant.call(self.X, self.background)
        staged = entrant.side.stage(self.X)
        seconds = []
        for _ in range(1 if call.wall > ONCE_SECONDS else 3):
            start = time.perf_counter()
            entrant.side.explain(explainer, staged)
            seconds.append(time.perf_counter() - start)
        return statistics.median(seconds)
