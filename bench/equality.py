"""Outputs are compared before anything is timed: a fast wrong answer is not an answer.

The reference is our float64; what is held against it is every competitor's own output.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from competitors import Competitor, Side

FIRST_ROWS = 8
MOST_ROWS = 256
SECONDS = 2.0


@dataclass(frozen=True)
class Reference:
    """The values (n, F) or (n, F, K) that all others are compared with, and whose they are."""

    name: str
    values: npt.NDArray[Any]
    expected_value: Any


@dataclass(frozen=True)
class Agreement:
    """How far a competitor is from the reference.

    `error` is the greatest difference relative to the greatest reference value; None for the
    reference itself and where there is nothing to compare with.
    """

    rows: int
    error: float | None
    tolerance: float
    seconds_per_row: float

    @property
    def ok(self) -> bool:
        """NaN is not within any tolerance."""
        return self.error is None or bool(self.error <= self.tolerance)


def make_reference(name: str, side: Side, X: npt.NDArray[np.float32]) -> Reference:
    """Explain `X` with the side that the others are measured against."""
    return Reference(name, side.values(side.explain(side.stage(X))), side.expected_value)


def relative_error(found: npt.NDArray[Any], expected: npt.NDArray[Any]) -> float:
    """The greatest difference over the greatest expected value; infinite for another shape."""
    if found.shape != expected.shape:
        return float("inf")
    return float(np.max(np.abs(found - expected)) / np.max(np.abs(expected)))


def _error(competitor: Competitor, found: npt.NDArray[Any], reference: Reference) -> float | None:
    expected = reference.values[: len(found)]
    if competitor.output == "prediction":
        if reference.expected_value is None:
            return None
        # Efficiency: values and expected value sum up to the raw prediction.
        expected = expected.sum(axis=1) + np.asarray(reference.expected_value)
    return relative_error(found, expected)


def compare(
    competitor: Competitor,
    side: Side,
    reference: Reference | None,
    X: npt.NDArray[np.float32],
) -> Agreement:
    """Compare on as many of the rows of `X` (at least 8) as take the competitor two seconds."""
    side.explain(side.stage(X[:FIRST_ROWS]))  # what is done lazily is done now
    staged = side.stage(X[:FIRST_ROWS])
    start = time.perf_counter()
    raw = side.explain(staged)
    per_row = (time.perf_counter() - start) / FIRST_ROWS
    n = int(min(len(X), max(FIRST_ROWS, SECONDS / per_row)))
    if n > FIRST_ROWS:
        raw = side.explain(side.stage(X[:n]))
    same = reference is None or reference.name == competitor.name
    error = None if same or reference is None else _error(competitor, side.values(raw), reference)
    return Agreement(n, error, competitor.tolerance, per_row)
