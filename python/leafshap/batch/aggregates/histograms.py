"""Histograms that need no range in advance: bins by sign, exponent and leading bits of a float64.

A bin is as wide as 1/32 of the power of two below it, so that it holds a value to 1/32 of its size,
and histograms of parts add up to that of the whole, exactly. (The idea of DDSketch: Masson, Rim and
Lee, VLDB 2019, with bins by the number's own bits in place of its logarithm.)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.batch.aggregates.tiles import Floats, tiles

_LEADING = 5  # bits of the fraction
_SHIFT = 52 - _LEADING
_LEAST = 1 << _LEADING  # key of the smallest normal float64; what is below counts as zero
_NEGATIVE = 1 << (63 - _SHIFT)  # sign bit of shifted bits
_LARGEST = np.finfo(np.float64).max

_WIDTH, _CELLS = 16, 1 << 18


class Histograms:
    """Counts of the values of C columns.

    A key numbers a bin, in the order of the values in it: 0 for zero, k > 0 for numbers whose
    bits begin as k does, -k for those below zero.

    Attributes
    ----------
    keys : ndarray of int32, shape (S,)
        Of bins that hold a value of some column, as they came.
    counts : ndarray of int64, shape (C, at least S)
    """

    def __init__(self, n_columns: int) -> None:
        self.keys = np.zeros(0, dtype=np.int32)
        self.counts = np.zeros((n_columns, 0), dtype=np.int64)

    def add(self, values: npt.NDArray[Any]) -> None:
        """Count finite values, shape (n, C)."""
        slot_of = self._slots()
        for columns, _, x in tiles(values, _WIDTH, _CELLS):
            bits = x.view(np.int64) >> _SHIFT  # negative with the number: an index from the end
            slots = slot_of[bits]
            if slots.size and slots.min() < 0:
                self._add_keys(np.unique(_keys_of(np.unique(bits[slots < 0]))))
                slot_of = self._slots()
                slots = slot_of[bits]
            width, n = len(x), len(self.keys)
            slots += np.arange(0, width * n, n)[:, np.newaxis] if n else 0
            found = np.bincount(slots.reshape(-1), minlength=width * n)
            self.counts[columns, :n] += found.reshape(width, n)

    def merge(self, other: Histograms) -> None:
        """Add the counts of another part."""
        self._add_keys(np.setdiff1d(other.keys, self.keys))
        order = np.argsort(self.keys, kind="stable")
        at = order[np.searchsorted(self.keys[order], other.keys)]
        self.counts[:, at] += other.counts[:, : len(other.keys)]

    def ordered(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Keys in rising order, shape (S,), and counts, shape (C, S)."""
        order = np.argsort(self.keys, kind="stable")
        return self.keys[order], self.counts[:, order]

    def quantile(self, q: float, n_rows: int, minimum: Floats, maximum: Floats) -> Floats:
        """Middle of the bin of the smallest value that at least q of the rows do not exceed."""
        rank = min(max(math.ceil(q * n_rows), 1), n_rows)
        if rank in (1, n_rows):
            return (minimum if rank == 1 else maximum).copy()
        keys, counts = self.ordered()
        low, high = _bounds(keys)
        at = (counts.cumsum(axis=1) >= rank).argmax(axis=1)
        return np.asarray(np.clip(low[at] / 2 + high[at] / 2, minimum, maximum))

    def column(
        self, column: int, edges: Floats, minimum: float, maximum: float
    ) -> npt.NDArray[np.int64]:
        """Count a column between E edges, shape (E - 1,); a bin that one cuts is shared out."""
        keys, counts = self.ordered()
        low, high = (np.clip(bound, minimum, maximum) for bound in _bounds(keys))
        width = np.where(high > low, high - low, 1.0)
        below = np.empty(len(edges))
        for i, edge in enumerate(edges):
            # the last edge belongs to the bin before it, as in numpy.histogram
            point = edge >= low if i == len(edges) - 1 else edge > low
            share = np.where(high > low, (np.clip(edge, low, high) - low) / width, point)
            below[i] = counts[column] @ share
        whole: npt.NDArray[np.int64] = np.rint(below).astype(np.int64)
        return whole[1:] - whole[:-1]

    def _slots(self) -> npt.NDArray[np.intp]:
        """Column of the counts by shifted bits, -1 for none."""
        slot_of = np.full(2 * _NEGATIVE, -1, dtype=np.intp)
        at = np.arange(len(self.keys))
        above, below, zero = self.keys > 0, self.keys < 0, self.keys == 0
        slot_of[self.keys[above]] = at[above]
        slot_of[_NEGATIVE - self.keys[below]] = at[below]
        if zero.any():
            slot_of[:_LEAST] = slot_of[_NEGATIVE : _NEGATIVE + _LEAST] = at[zero]
        return slot_of

    def _add_keys(self, new: npt.NDArray[np.integer[Any]]) -> None:
        n = len(self.keys) + len(new)
        self.keys = np.append(self.keys, new.astype(np.int32))
        if n > self.counts.shape[1]:
            wider = np.zeros((len(self.counts), max(n, 2 * self.counts.shape[1])), dtype=np.int64)
            wider[:, : self.counts.shape[1]] = self.counts
            self.counts = wider


def round_edges(minimum: float, maximum: float, bins: int) -> Floats:
    """Edges at multiples of 1, 2 or 5 times a power of ten, of at most bins + 1 bins."""
    step = maximum / bins - minimum / bins
    if step <= 0:
        step = abs(maximum) / bins or 1.0
    exponent = math.floor(math.log10(step))
    digit = next((d for d in (1, 2, 5) if float(f"{d}e{exponent}") >= step), 10)
    if digit == 10:
        digit, exponent = 1, exponent + 1

    def edge(k: int) -> float:
        return float(f"{k * digit}e{exponent}")  # 0.3, not 3 * 0.1

    width = edge(1)
    first, last = math.floor(minimum / width), math.ceil(maximum / width)
    while edge(first) > minimum:  # a quotient was rounded
        first -= 1
    while edge(first + 1) <= minimum:
        first += 1
    while edge(last) < maximum:
        last += 1
    while last > first + 1 and edge(last - 1) >= maximum:
        last -= 1
    edges = [edge(k) for k in range(first, max(last, first + 1) + 1)]
    return np.unique(np.clip(edges, -_LARGEST, _LARGEST))  # a step may be below the last digit


def _keys_of(bits: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    size = np.where(bits < 0, bits + _NEGATIVE, bits)
    return np.where(size < _LEAST, 0, np.where(bits < 0, -size, size))


def _bounds(keys: npt.NDArray[np.int32]) -> tuple[Floats, Floats]:
    """Return both ends of bins, the lower ones first."""
    size = np.abs(keys).astype(np.int64)
    inner, outer = (((size + k) << _SHIFT).view(np.float64) for k in (0, 1))
    outer = np.where(size == 0, 0.0, np.minimum(outer, _LARGEST))
    return np.where(keys < 0, -outer, inner), np.where(keys < 0, -inner, outer)
