"""Time several sides against each other: same rows, same threads, in turns, in one process."""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import datasets
from competitors import Competitor, Side

# A call of a slow side lasts about this long, one of a fast side at least as long as that.
SLOW_SECONDS = 1.5
FAST_SECONDS = 0.5
QUICK_FACTOR = 0.2

# A call longer than this is not repeated.
ONCE_SECONDS = 12.0

MOST_ROWS = 2_000_000
MOST_BYTES = 400_000_000


@dataclass
class Contestant:
    """A side in a race: how many rows it gets per call, and what it took."""

    competitor: Competitor
    side: Side
    rows: int = 0
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)

    def call(self, data: str, rows: int) -> tuple[float, float]:
        """Wall and processor seconds of one call; staging is outside."""
        staged = self.side.stage(datasets.rows(data, rows))
        gc.collect()
        cpu = time.process_time()
        start = time.perf_counter()
        result = self.side.explain(staged)
        seconds = time.perf_counter() - start
        cpu = time.process_time() - cpu
        del result
        return seconds, cpu

    def rates(self) -> list[float]:
        """Rows per second of every call."""
        return [self.rows / seconds for seconds in self.seconds]

    def summary(self) -> dict[str, Any]:
        """JSON-able: rows per second, spread, and how many cores it kept busy."""
        rates = self.rates()
        return {
            "rows": self.rows,
            "seconds": [round(s, 5) for s in self.seconds],
            "rows_per_second": {
                "median": statistics.median(rates),
                "min": min(rates),
                "max": max(rates),
            },
            "cores_busy": round(sum(self.cpu_seconds) / sum(self.seconds), 2),
        }


def most_rows(values_per_row: int) -> int:
    """Rows whose float64 output fits the memory one call may take."""
    return min(MOST_ROWS, MOST_BYTES // (8 * values_per_row))


def choose_rows(contestant: Contestant, data: str, target: float, limit: int, block: int) -> int:
    """Rows for a call of about `target` seconds, whole blocks, found by growing the call."""
    rows = max(block, contestant.competitor.min_rows)
    while True:
        rows = min(-(-rows // block) * block, limit)
        seconds, _ = contestant.call(data, rows)
        if rows >= limit or seconds >= 0.7 * target:
            return rows
        # The first calls are the least typical ones: approach by at most 16x a step.
        rows = max(rows + 1, int(rows * min(16.0, target / max(seconds, 1e-6))))


def alternate(contestants: list[Contestant], data: str, repeats: int) -> None:
    """Call every contestant once per round; the order turns from round to round."""
    for repeat in range(repeats):
        first = repeat % len(contestants)
        for contestant in contestants[first:] + contestants[:first]:
            if contestant.seconds and contestant.seconds[0] > ONCE_SECONDS:
                continue
            seconds, cpu = contestant.call(data, contestant.rows)
            contestant.seconds.append(seconds)
            contestant.cpu_seconds.append(cpu)


def spread(ratios: list[float]) -> dict[str, float]:
    """Median, least and greatest."""
    return {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)}


def speedup(ours: Contestant, theirs: Contestant) -> dict[str, float]:
    """Our rows per second over theirs: round by round, or all rounds against an only one."""
    mine, others = ours.rates(), theirs.rates()
    rounds = max(len(mine), len(others))
    mine, others = (r * rounds if len(r) == 1 else r for r in (mine, others))
    return spread([a / b for a, b in zip(mine, others, strict=True)])


def geometric_mean(values: list[float]) -> float:
    """Of positive numbers."""
    return float(np.exp(np.mean(np.log(values))))
