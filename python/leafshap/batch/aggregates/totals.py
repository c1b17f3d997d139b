"""Sums over all rows: what means, spreads and extremes of SHAP values are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.batch.aggregates.tiles import Floats, tiles

# 512 KB of float64, half of a usual second-level cache
_WIDTH, _CELLS = 64, 1 << 16


@dataclass(eq=False)
class Totals:
    """Sums over n rows x_i of C columns.

    Attributes
    ----------
    n_rows : int
    sums, sums_abs : ndarray of float64, shape (C,)
        Sums of x_i and |x_i|.
    squares : ndarray of float64, shape (C,)
        Sum of (x_i - mean)^2, put together from parts as in Chan, Golub and LeVeque, "Algorithms
        for computing the sample variance", 1983, eq. 2.1: no digits are lost to a large mean.
    minimum, maximum : ndarray of float64, shape (C,)
        Infinite without rows.
    base_sums : ndarray of float64, shape (K,)
    """

    n_rows: int
    sums: Floats
    sums_abs: Floats
    squares: Floats
    minimum: Floats
    maximum: Floats
    base_sums: Floats

    @classmethod
    def empty(cls, n_columns: int, n_outputs: int) -> Totals:
        """Make those of no rows."""
        sums, sums_abs, squares = np.zeros((3, n_columns))
        minimum, maximum = np.full(n_columns, np.inf), np.full(n_columns, -np.inf)
        return cls(0, sums, sums_abs, squares, minimum, maximum, np.zeros(n_outputs))

    @classmethod
    def of(cls, values: npt.NDArray[Any], base_values: npt.NDArray[Any]) -> Totals:
        """Add up the rows of values (n, C) and base values (n, K).

        Values that are not finite stand in minimum or maximum.
        """
        whole = cls.empty(values.shape[1], base_values.shape[1])
        whole.n_rows = len(values)
        whole.base_sums = base_values.sum(axis=0, dtype=np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            for columns, rows, x in tiles(values, _WIDTH, _CELLS):
                minimum, maximum = whole.minimum[columns], whole.maximum[columns]
                np.minimum(minimum, x.min(axis=1), out=minimum)
                np.maximum(maximum, x.max(axis=1), out=maximum)
                whole.sums_abs[columns] += np.abs(x).sum(axis=1)
                n, sums = x.shape[1], x.sum(axis=1)
                x -= (sums / n)[:, np.newaxis]
                squares = np.multiply(x, x, out=x).sum(axis=1)
                so_far = rows.start, whole.sums[columns], whole.squares[columns]
                whole.squares[columns] = _joint_squares(*so_far, n, sums, squares)
                whole.sums[columns] += sums
        return whole

    def merge(self, other: Totals) -> None:
        """Add the rows of another part."""
        with np.errstate(over="ignore", invalid="ignore"):
            self.squares = _joint_squares(
                self.n_rows, self.sums, self.squares, other.n_rows, other.sums, other.squares
            )
            self.n_rows += other.n_rows
            self.sums = self.sums + other.sums
            self.sums_abs = self.sums_abs + other.sums_abs
            self.minimum = np.minimum(self.minimum, other.minimum)
            self.maximum = np.maximum(self.maximum, other.maximum)
            self.base_sums = self.base_sums + other.base_sums


def _joint_squares(
    m: int, sums: Floats, squares: Floats, n: int, other_sums: Floats, other_squares: Floats
) -> Floats:
    """Sum of squared deviations of two parts of m and n rows from their joint mean."""
    if not m or not n:
        return other_squares if n else squares
    apart = other_sums / n - sums / m
    return np.asarray(squares + other_squares + apart * apart * (m * (n / (m + n))))
