"""Sums over the rows of each group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.batch.aggregates.keys import read_keys
from leafshap.batch.aggregates.tiles import Floats, tiles
from leafshap.errors import InvalidInputError

if TYPE_CHECKING:
    import pyarrow as pa

_WIDTH, _CELLS = 16, 1 << 18

# Both sums together then take 64 MB at most.
_MOST_GROUPS, _MOST_CELLS = 100_000, 4_000_000


@dataclass(frozen=True, eq=False)
class GroupAggregates:
    """Means over the rows of one group.

    Attributes
    ----------
    n_rows : int
    mean_abs, mean : ndarray of float64, shape (F,), or (F, K) with several outputs
        Of |phi| and phi.
    """

    n_rows: int
    mean_abs: Floats
    mean: Floats


class GroupSums:
    """Sums over the rows of G groups, of C columns.

    Attributes
    ----------
    kind : str or None
        What the groups' values are; None until there is one that is not null.
    slots : dict
        Line of the sums by the group's value.
    counts : ndarray of int64, shape (at least G,)
    sums, sums_abs : ndarray of float64, shape (at least G, C)
    """

    def __init__(self, n_columns: int) -> None:
        self.kind: str | None = None
        self.slots: dict[Any, int] = {}
        self.counts = np.zeros(0, dtype=np.int64)
        self.sums = np.zeros((0, n_columns))
        self.sums_abs = np.zeros((0, n_columns))

    @classmethod
    def of(cls, column: pa.Array, values: npt.NDArray[Any]) -> GroupSums:
        """Add up values (n, C) by the n values of a column.

        Raises
        ------
        InvalidInputError
            If it is no column to group by, or has too many different values.
        """
        part = cls(values.shape[1])
        part.kind, groups, codes = read_keys(column)
        part._make_room(groups)
        n = len(groups)
        part.counts += np.bincount(codes, minlength=n)
        for columns, rows, tile in tiles(values, _WIDTH, _CELLS):
            of = codes[rows]
            for j, x in enumerate(tile, start=columns.start):
                part.sums[:, j] += np.bincount(of, x, minlength=n)
                part.sums_abs[:, j] += np.bincount(of, np.abs(x, out=x), minlength=n)
        return part

    def check(self, other: GroupSums) -> None:
        """Refuse to merge other kinds of groups, or too many.

        Raises
        ------
        InvalidInputError
        """
        if None not in (self.kind, other.kind) and self.kind != other.kind:
            raise InvalidInputError(
                f"the values of the column to group by were of the kind {self.kind}, and now are "
                f"of the kind {other.kind}"
            )
        n_new = sum(value not in self.slots for value in other.slots)
        self._check_number(len(self.slots) + n_new)

    def merge(self, other: GroupSums) -> None:
        """Add the rows of another part that `check` accepts; groups of equal value become one."""
        self.kind = self.kind or other.kind
        self._make_room(other.slots)
        at, n = [self.slots[value] for value in other.slots], len(other.slots)
        self.counts[at] += other.counts[:n]
        self.sums[at] += other.sums[:n]
        self.sums_abs[at] += other.sums_abs[:n]

    def ordered(self) -> tuple[list[Any], npt.NDArray[np.intp]]:
        """Values in rising order, null last, and the line of each."""
        values = sorted(self.slots, key=lambda v: (v is None, 0 if v is None else v))
        return values, np.array([self.slots[v] for v in values], dtype=np.intp)

    def _make_room(self, values: Any) -> None:
        n_before = len(self.slots)
        self._check_number(len(values))
        for value in values:
            self.slots.setdefault(value, len(self.slots))
        n = len(self.slots)
        if n > len(self.counts):
            n = max(n, 2 * n_before)
            self.counts, self.sums, self.sums_abs = (
                _padded(a, n) for a in (self.counts, self.sums, self.sums_abs)
            )

    def _check_number(self, n: int) -> None:
        n_columns = self.sums.shape[1]
        most = max(1, min(_MOST_GROUPS, _MOST_CELLS // max(1, n_columns)))
        if n > most:
            raise InvalidInputError(
                f"the column to group by has more than {most:,} different values, the most there "
                f"can be with {n_columns:,} SHAP values per row: group by a coarser one"
            )


def _padded(array: npt.NDArray[Any], n: int) -> npt.NDArray[Any]:
    """With lines of zeros at the end, n in all."""
    longer = np.zeros((n, *array.shape[1:]), dtype=array.dtype)
    longer[: len(array)] = array
    return longer
