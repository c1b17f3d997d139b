"""Masking of tables, column by column.

Each column of a batch starts as codes in a numpy array: its values themselves, numbers of
categories, or row numbers of the background and the explained rows together. Then one step makes a
column of the table's own type of them, so that the function gets the types that it knows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.coalitions.masking import Bools, Cells, differing

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Column:
    """One column of the background and of the rows to explain.

    Attributes
    ----------
    background, explained : ndarray, shape (m,), (n,)
        Codes.
    decode : callable
        Makes a column of the table's own type from codes.
    keys : pair of ndarray, shape (m,), (n,)
        Equal where values are equal.
    value_bytes : float
        Bytes of one value in a batch, roughly.
    """

    background: Array
    explained: Array
    decode: Callable[[Array], Any]
    keys: tuple[Array, Array]
    value_bytes: float

    @staticmethod
    def of_pool(
        n_background: int,
        n_explained: int,
        take: Callable[[Array], Any],
        keys: Array,
        value_bytes: float,
    ) -> Column:
        """Background and explained values one after the other; `take` picks by position."""
        at = np.arange(n_background + n_explained, dtype=np.intp)
        return Column(
            at[:n_background],
            at[n_background:],
            take,
            (keys[:n_background], keys[n_background:]),
            value_bytes + at.itemsize,
        )

    def mixed(self, cells: Cells, inside: Bools) -> Any:
        """Values of a batch; `inside`: whether a cell's coalition holds the column."""
        out = np.empty((len(cells), cells.n_background), dtype=self.background.dtype)
        out[:] = self.background[cells.start : cells.stop]
        at = np.flatnonzero(inside)
        out[at] = self.explained[cells.rows[at], np.newaxis]
        return self.decode(out.reshape(-1))


class ColumnMasker:
    """Synthetic rows of a table; `assemble` makes the table of its columns and number of rows."""

    def __init__(
        self,
        columns: list[Column],
        explained: Callable[[int, int], Any],
        n_rows: int,
        assemble: Callable[[list[Any]], Any],
    ) -> None:
        self._columns = columns
        self._explained = explained
        self._assemble = assemble
        self.n_rows = n_rows
        self.row_bytes = sum(column.value_bytes for column in columns)

    def explained(self, start: int, stop: int) -> Any:
        """Copy rows to explain."""
        return self._explained(start, stop)

    def mixed(self, cells: Cells) -> Any:
        """Make the synthetic rows of some cells."""
        held = cells.holds()
        return self._assemble(
            [c.mixed(cells, held[cells.coalition, j]) for j, c in enumerate(self._columns)]
        )

    def differs(self) -> Bools:
        """Tell whether values differ from the background's, shape (n, F)."""
        return np.column_stack([differing(*column.keys) for column in self._columns])
