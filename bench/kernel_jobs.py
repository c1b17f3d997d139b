"""Jobs of KernelExplainer: values estimated from coalitions, timed whole, row by row by others.

Estimates differ, so what is compared first are values from all coalitions, where every side is
exact; then how far the estimates are from those.
"""

from __future__ import annotations

import contextlib
import gc
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

import datasets
import timing
from competitors import KernelCompetitor, KernelSide, predict_function
from equality import relative_error
from models import TrainedModel
from timing import ONCE_SECONDS, SLOW_SECONDS, spread
from workloads import Job, Workload

# All coalitions are evaluated of so many rows: with a small background for the comparison of all
# sides (shap calls the model with all synthetic rows of a row at once), with the job's own by
# ours, for the estimates to be held against.
_COMPARED_ROWS, _COMPARED_BACKGROUND = 2, 10
_EXACT_ROWS = 4
# An estimate that is further off, relative to the norm of a row's values, is none of them.
_MOST_ERROR = 0.1

_QUICK_SHARE = 20

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Call:
    """One way from the model to the values: wall seconds, and those inside the model's function."""

    building: float
    explaining: float
    cpu: float
    inside: float
    evaluated: int


@dataclass
class Entrant:
    """A side doing a job on the first rows of it, and what that took, a call for every round."""

    side: KernelSide
    rows: int
    calls: list[_Call] = field(default_factory=list)

    def call(
        self, X: npt.NDArray[Any], background: npt.NDArray[Any], coalitions: int
    ) -> tuple[_Call, Floats]:
        """Explain `X` anew."""
        gc.collect()
        cpu = time.process_time()
        start = time.perf_counter()
        explainer = self.side.build(background)
        middle = time.perf_counter()
        if self.side.function is not None:
            self.side.function.reset()
        found = self.side.explain(explainer, X, coalitions)
        end = time.perf_counter()
        cpu = time.process_time() - cpu
        function = self.side.function
        inside, evaluated = (function.seconds, function.rows) if function else (0.0, 0)
        return _Call(middle - start, end - middle, cpu, inside, evaluated), found

    def seconds(self, n_rows: int) -> list[float]:
        """Of every round for `n_rows` rows: building once, explaining in proportion."""
        return [c.building + c.explaining * n_rows / self.rows for c in self.calls]

    def summary(self, n_rows: int, bare: list[float]) -> dict[str, Any]:
        """JSON-able; `bare` are the seconds of one large call of the model, every round's."""
        seconds = self.seconds(n_rows)
        found: dict[str, Any] = {
            "rows": self.rows,
            "extrapolated": self.rows < n_rows,
            "seconds": spread(seconds),
            "rows_per_second": spread([n_rows / s for s in seconds]),
            "building_seconds": statistics.median(c.building for c in self.calls),
            "explaining_seconds_measured": [round(c.explaining, 5) for c in self.calls],
            "cores_busy": round(
                sum(c.cpu for c in self.calls) / sum(c.building + c.explaining for c in self.calls),
                2,
            ),
        }
        if self.side.function is not None:
            found["function"] = {
                "evaluated_per_row": self.calls[0].evaluated / self.rows,
                "seconds_per_row": spread([c.inside / self.rows for c in self.calls]),
                "beyond": spread([c.explaining / c.inside - 1 for c in self.calls]),
            }
            if bare:
                own = [
                    (c.explaining - c.inside) / self.rows / b
                    for c, b in zip(self.calls, bare, strict=False)
                ]
                found["function"]["beyond_over_bare"] = spread(own)
        return found


def shrink(job: Job) -> Job:
    """The same job with fewer rows, for a quick run."""
    return replace(job, rows=max(_EXACT_ROWS, job.rows // _QUICK_SHARE))


class Race:
    """One job, its entrants, and what is found; `result` is JSON-able."""

    def __init__(self, workload: Workload, job: Job, model: TrainedModel, n_threads: int) -> None:
        self.name = workload.name
        self.job = job
        self.model = model
        self.n_threads = n_threads
        # scikit-learn's models would convert float32 for every side and every call.
        dtype = np.float32 if model.spec.library == "xgboost" else np.float64
        self.X = datasets.rows(model.spec.data, job.rows).astype(dtype)
        self.background = datasets.background(model.spec.data, job.background).astype(dtype)
        self.reference: tuple[str, Floats] | None = None
        self.exact: Floats | None = None
        self.entrants: dict[str, Entrant] = {}
        self.bare: list[float] = []  # seconds of one large call of the model, for every round
        # Failures are also told as the reason why a competitor is skipped.
        self.failures: list[str] = []
        self.result: dict[str, Any] = {
            "agreement": {},
            "skipped_competitors": {},
            "job": {
                "rows": job.rows,
                "background": job.background,
                "coalitions": job.coalitions,
                "model_output": job.model_output,
            },
        }

    def enter(self, name: str, competitor: KernelCompetitor, ours: bool) -> str:
        """Let a side try the job; a word on how that went. The first one is the reference."""
        try:
            entrant = Entrant(competitor.prepare(self.model, self.job, self.n_threads), 1)
            word = self._compare(name, competitor, entrant)
            if word is not None:
                return word
            tried, _ = entrant.call(self.X[:1], self.background, self.job.coalitions)
            entrant.rows = min(self.job.rows, max(1, int(2 * SLOW_SECONDS / tried.explaining)))
            if ours:
                entrant.rows = self.job.rows
            word = self._estimate(name, entrant)
            if word is not None:
                return word
        except Exception as error:  # whatever a library raises, the others still run
            return self._fail(name, f"raised {type(error).__name__}: {error}")
        self.entrants[name] = entrant
        return f"{entrant.rows} of {self.job.rows} rows"

    def _fail(self, name: str, word: str) -> str:
        self.result["skipped_competitors"][name] = word
        self.failures.append(f"{self.name}: {name} {word}")
        return word

    def _compare(self, name: str, competitor: KernelCompetitor, entrant: Entrant) -> str | None:
        """Hold values from all coalitions against the reference; a word if they differ."""
        everything = 2 ** self.X.shape[1] - 2
        rows, background = self.X[:_COMPARED_ROWS], self.background[:_COMPARED_BACKGROUND]
        _, found = entrant.call(rows, background, everything)
        error = None
        if self.reference is None:
            self.reference = name, found
            _, self.exact = entrant.call(self.X[:_EXACT_ROWS], self.background, everything)
        else:
            error = relative_error(found, self.reference[1])
        self.result["agreement"][name] = {
            "reference": self.reference[0],
            "rows": len(rows),
            "error": error,
            "tolerance": competitor.tolerance,
            "ok": error is None or error <= competitor.tolerance,
        }
        if self.result["agreement"][name]["ok"]:
            return None
        return self._fail(name, f"differs by {error:.1e}, more than {competitor.tolerance:.0e}")

    def _estimate(self, name: str, entrant: Entrant) -> str | None:
        """Note the error of estimates; a word if they are of something else."""
        assert self.exact is not None
        rows = self.X[: len(self.exact)]
        _, found = entrant.call(rows, self.background, self.job.coalitions)
        distance, norm = (
            np.linalg.norm(v.reshape(len(v), -1), axis=1) for v in (found - self.exact, self.exact)
        )
        error = float(np.sqrt(np.mean((distance / norm) ** 2)))
        self.result["agreement"][name]["estimate_error"] = error
        self.result["agreement"][name]["estimate_rows"] = len(rows)
        return (
            None if error <= _MOST_ERROR else self._fail(name, f"estimates are off by {error:.1e}")
        )

    def run(self, repeats: int) -> None:
        """Every entrant once per round, the order turning; long calls are not repeated."""
        for repeat in range(repeats):
            if any(e.side.function for e in self.entrants.values()):
                self.bare.append(self._call_model())
            for entrant in timing.turned(self.entrants.values(), repeat):
                if entrant.calls and entrant.calls[0].explaining > ONCE_SECONDS:
                    continue
                entrant.calls.append(self._round(entrant))

    def _round(self, entrant: Entrant) -> _Call:
        rows = self.X[: entrant.rows]
        return timing.repeat_short(
            lambda: entrant.call(rows, self.background, self.job.coalitions)[0],
            lambda call: call.explaining,
        )

    def _call_model(self) -> float:
        """Seconds of one call of the model with as many synthetic rows as one row takes."""
        shape = (self.job.coalitions, 1, self.X.shape[1])
        members = np.random.default_rng(0).random(shape) < 0.5
        synthetic = np.where(members, self.X[0], self.background).reshape(-1, self.X.shape[1])
        function = predict_function(self.model, self.job, self.n_threads)
        function(synthetic[:1000])  # what is done once is done now
        function.reset()
        function(synthetic)
        return function.seconds

    def compare_times(self, ours: tuple[str, ...]) -> None:
        """Seconds of every side, and ratios of theirs to ours, round by round."""
        n_rows = self.job.rows
        if self.bare:
            self.result["bare_seconds"] = spread(self.bare)
        self.result["sides"] = {
            name: entrant.summary(n_rows, self.bare) for name, entrant in self.entrants.items()
        }
        seconds = {name: entrant.seconds(n_rows) for name, entrant in self.entrants.items()}
        self.result["speedups"] = timing.speedups(seconds, ours)


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """The same for every side, and the fastest: products of a small network are too small for two.

    Also keeps waiting threads of BLAS out of the way of others'.
    """
    try:
        import threadpoolctl  # comes with scikit-learn
    except ImportError:
        yield
        return
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        yield
