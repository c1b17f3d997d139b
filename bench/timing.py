"""Time several sides against each other: same rows, same threads, in turns, in one process."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

import datasets
from competitors import Competitor, Side

# A call of a slow side lasts about this long, one of a fast side at least as long as that.
SLOW_SECONDS = 1.5
FAST_SECONDS = 0.5
QUICK_FACTOR = 0.2

# A call longer than this is not repeated.
ONCE_SECONDS = 12.0

Call = TypeVar("Call")
Item = TypeVar("Item")

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

    def seconds_for(self, data: str, rows: int) -> float:
        """Wall seconds of one call."""
        return self.call(data, rows)[0]

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


def choose_rows(
    seconds_of: Callable[[int], float], target: float, limit: int, *, least: int = 1, block: int = 1
) -> int:
    """Rows for a call of about `target` seconds, whole blocks, found by growing the call."""
    rows = max(block, least)
    while True:
        rows = min(-(-rows // block) * block, limit)
        seconds = seconds_of(rows)
        if rows >= limit or seconds >= 0.7 * target:
            return rows
        # The first calls are the least typical ones: approach by at most 16x a step.
        rows = max(rows + 1, int(rows * min(16.0, target / max(seconds, 1e-6))))


def turned(items: Iterable[Item], repeat: int) -> list[Item]:
    """The order of a round: it turns from round to round."""
    order = list(items)
    first = repeat % max(len(order), 1)
    return order[first:] + order[:first]


def alternate(contestants: list[Contestant], data: str, repeats: int) -> None:
    """Call every contestant once per round; the order turns from round to round."""
    for repeat in range(repeats):
        for contestant in turned(contestants, repeat):
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
    return ratio(ours.rates(), theirs.rates())


def ratio(dividends: list[float], divisors: list[float]) -> dict[str, float]:
    """Round by round, or of all rounds of one side to an only one of the other."""
    rounds = max(len(dividends), len(divisors))
    above, below = (s * rounds if len(s) == 1 else s for s in (dividends, divisors))
    return spread([a / b for a, b in zip(above, below, strict=True)])


def speedups(
    seconds: dict[str, list[float]], ours: Collection[str]
) -> dict[str, dict[str, dict[str, float]]]:
    """Ratios of everybody else's seconds to those of each of ours, by name and by name."""
    others = [name for name in seconds if name not in ours]
    return {
        mine: {other: ratio(seconds[other], seconds[mine]) for other in others}
        for mine in ours
        if mine in seconds
    }


def repeat_short(call: Callable[[], Call], seconds_of: Callable[[Call], float]) -> Call:
    """One call, or up to nine while they take half a second: then the one of the median time."""
    calls: list[Call] = []
    began = time.perf_counter()
    while not calls or (len(calls) < 9 and time.perf_counter() - began < FAST_SECONDS):
        calls.append(call())
    return sorted(calls, key=seconds_of)[len(calls) // 2]


def geometric_mean(values: list[float]) -> float:
    """Of positive numbers."""
    return float(np.exp(np.mean(np.log(values))))
