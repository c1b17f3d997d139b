"""Weighted means of groups of rows and how sure they are, in one pass over blocks of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leafshap.explanation.reductions import row_blocks

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Moments:
    """Sums over the rows x_i of G groups with weights w_i, of x less a constant near their mean.

    Attributes
    ----------
    shift : ndarray, shape (C,)
    counts : ndarray, shape (G,)
        Rows of positive weight.
    w, ww : ndarray, shape (G,)
        Sums of w_i and w_i^2.
    wx, wwx, wwxx : ndarray, shape (G, C)
        Sums of w_i x_i, w_i^2 x_i and w_i^2 x_i^2.
    """

    shift: Floats
    counts: Floats
    w: Floats
    ww: Floats
    wx: Floats
    wwx: Floats
    wwxx: Floats

    @property
    def means(self) -> Floats:
        """Weighted means, shape (G, C)."""
        return self.shift + self.wx / self.w[:, np.newaxis]

    @property
    def variances(self) -> Floats:
        """Of the weighted means, estimated; NaN for groups of one row. Shape (G, C).

        sum w^2 (x - m)^2 / (sum w)^2 * n / (n - 1): with equal weights s^2 / n.
        """
        m = self.wx / self.w[:, np.newaxis]
        squares = self.wwxx - 2 * m * self.wwx + m * m * self.ww[:, np.newaxis]
        factor = np.full(len(self.counts), np.nan)
        several = self.counts > 1
        factor[several] = self.counts[several] / (self.counts[several] - 1) / self.w[several] ** 2
        return np.asarray(np.maximum(squares, 0) * factor[:, np.newaxis])

    def others(self) -> Moments:
        """Moments of all rows that are not in a group, for each group."""
        sums = (self.counts, self.w, self.ww, self.wx, self.wwx, self.wwxx)
        return Moments(self.shift, *(_without_each(s) for s in sums))

    def take(self, groups: Rows) -> Moments:
        """Return those of some groups."""
        sums = (self.counts, self.w, self.ww, self.wx, self.wwx, self.wwxx)
        return Moments(self.shift, *(s[groups] for s in sums))


def group_moments(
    read: Callable[[Rows], Floats], codes: Rows, n_groups: int, weights: Floats | None
) -> Moments:
    """Add up the rows of every group.

    Parameters
    ----------
    read : callable
        Gives some rows as a matrix of shape (b, C).
    codes : ndarray of int, shape (n,)
        Group of every row, -1 for none.
    n_groups : int
        None of them empty.
    weights : ndarray, shape (n,), optional
    """
    order = np.argsort(codes, kind="stable")
    order = order[np.searchsorted(codes[order], 0) :]
    shift = read(order[:: max(1, len(order) // 256)]).mean(axis=0)
    shift = np.where(np.isfinite(shift), shift, 0.0)
    n_columns = len(shift)
    w = np.ones(len(order)) if weights is None else weights[order]
    group = codes[order]
    wx, wwx, wwxx = (np.zeros((n_groups, n_columns)) for _ in range(3))
    for part in row_blocks(len(order), n_columns):
        x = read(order[part]) - shift
        starts = np.flatnonzero(np.diff(group[part], prepend=-1))
        at = group[part][starts]
        if weights is None:
            sums = np.add.reduceat(x, starts, axis=0)
            wx[at] += sums
            wwx[at] += sums
        else:
            x *= w[part, np.newaxis]
            wx[at] += np.add.reduceat(x, starts, axis=0)
            wwx[at] += np.add.reduceat(x * w[part, np.newaxis], starts, axis=0)
        wwxx[at] += np.add.reduceat(np.square(x, out=x), starts, axis=0)

    def total(of: Floats) -> Floats:
        return np.bincount(group, weights=of, minlength=n_groups).astype(np.float64)

    return Moments(shift, total((w > 0).astype(np.float64)), total(w), total(w * w), wx, wwx, wwxx)


def _without_each(sums: Floats) -> Floats:
    """Of all but one, for each: added up from both sides, not subtracted from the whole."""
    before, after = np.zeros_like(sums), np.zeros_like(sums)
    before[1:] = np.cumsum(sums[:-1], axis=0)
    after[:-1] = np.cumsum(sums[:0:-1], axis=0)[::-1]
    return before + after
