"""The latency of one row: a ready explainer, one row per call, different rows one after another."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from competitors import Side
from timing import spread

DISTINCT_ROWS = 64
BLOCK_SECONDS = 0.05


@dataclass
class _Caller:
    side: Side
    calls: int
    explain: list[float] = field(default_factory=list)
    staged: list[float] = field(default_factory=list)

    def block(self, X: npt.NDArray[np.float32], calls: int) -> tuple[float, float]:
        """Median seconds of `explain` alone, and with `stage` before it."""
        alone, together = [], []
        # The first calls after another library's turn meet its spinning threads: not counted.
        for i in range(calls + 3):
            row = X[i % len(X)][None]
            start = time.perf_counter()
            staged = self.side.stage(row)
            middle = time.perf_counter()
            self.side.explain(staged)
            end = time.perf_counter()
            alone.append(end - middle)
            together.append(end - start)
        return statistics.median(alone[3:]), statistics.median(together[3:])


def measure(
    sides: dict[str, Side], X: npt.NDArray[np.float32], repeats: int
) -> dict[str, dict[str, Any]]:
    """Microseconds per call of every side, in alternating blocks of calls.

    Returns, by name, the spread over blocks of the block medians: `explain` with the library's
    input object ready, `with_staging` including its construction from a float32 (1, F) array.
    """
    X = X[:DISTINCT_ROWS]
    callers = {}
    for name, side in sides.items():
        seconds = _Caller(side, 1).block(X, 3)[1]
        callers[name] = _Caller(side, max(5, min(1000, int(BLOCK_SECONDS / seconds))))
    for repeat in range(max(repeats, 2) * 2):
        order = list(callers.values())
        first = repeat % len(order)
        for caller in order[first:] + order[:first]:
            alone, together = caller.block(X, caller.calls)
            caller.explain.append(alone * 1e6)
            caller.staged.append(together * 1e6)
    return {
        name: {
            "calls": caller.calls * len(caller.explain),
            "explain_us": spread(caller.explain),
            "with_staging_us": spread(caller.staged),
        }
        for name, caller in callers.items()
    }
