"""Masking: rows that take a coalition's columns from an explained row and the rest from background.

A background row b, an explained row x and a coalition S make one synthetic row, (x on S, b
elsewhere); a cell is one coalition of one explained row, with all the background's rows. There is
one masker for every kind of container, because the user's function gets the kind that it knows:
arrays (`arrays`), pandas (`frames`), polars and pyarrow (`tables`), sparse matrices (`sparse`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError

Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

_ALL_NANS = object()


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of one batch, in the order of their coalitions.

    All cells are N coalitions of r rows each; a batch has a span of them.

    Attributes
    ----------
    of_rows : ndarray of int64, shape (r,)
        Explained rows.
    coalitions : ndarray of bool, shape (N, M)
        Whether a player is in the coalition.
    player : ndarray of int64, shape (F,)
        Player of each column: a column of `coalitions`, or M for always background.
    first, end : int
        Which cells.
    start, stop : int
        Which background rows.
    """

    of_rows: Integers
    coalitions: Bools
    player: Integers
    first: int
    end: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.end - self.first

    @property
    def first_coalition(self) -> int:
        """Coalition of the first cell: a row of `coalitions`."""
        return self.first // len(self.of_rows)

    @cached_property
    def rows(self) -> Integers:
        """Explained row of each cell, shape (cells,)."""
        return self.of_rows[np.arange(self.first, self.end) % len(self.of_rows)]

    @cached_property
    def coalition(self) -> Integers:
        """Coalition of each cell, shape (cells,), not decreasing: a row of `members`."""
        return np.arange(self.first, self.end) // len(self.of_rows) - self.first_coalition

    @property
    def members(self) -> Bools:
        """Whether a player is in a coalition of the batch, shape (coalitions, M)."""
        return self.coalitions[self.first_coalition : (self.end - 1) // len(self.of_rows) + 1]

    @property
    def n_background(self) -> int:
        """Synthetic rows of each cell."""
        return self.stop - self.start

    def holds(self, columns: Integers | slice = slice(None)) -> Bools:
        """Whether each coalition holds each of some columns, shape (coalitions, columns)."""
        members = self.members
        absent = np.zeros((len(members), 1), dtype=np.bool_)
        held: Bools = np.hstack([members, absent])[:, self.player[columns]]
        return held


class Masker(Protocol):
    """Rows to explain and background of one container, brought to the same types."""

    n_rows: int
    row_bytes: float  # of one synthetic row, roughly

    def explained(self, start: int, stop: int) -> Any:
        """Copy rows to explain, as the function gets them."""
        ...

    def mixed(self, cells: Cells) -> Any:
        """Make the synthetic rows of some cells: by cell, then by background row.

        The function may change them: nothing of what it is given is used again, unless the
        function has let go of it and it is overwritten as a whole.
        """
        ...

    def differs(self) -> Bools:
        """Tell whether a row's value differs from any background row's, shape (n, F)."""
        ...


class BackgroundRows(Protocol):
    """Background rows in one container: a copy, which nobody changes."""

    n_rows: int
    n_columns: int
    names: list[Any] | None  # labels of the columns
    row_bytes: float

    def copy(self, start: int, stop: int) -> Any:
        """Copy background rows, as the function gets them."""
        ...

    def select(self, rows: npt.NDArray[np.intp]) -> BackgroundRows:
        """Keep only some rows."""
        ...

    def masker(self, X: Any) -> tuple[Masker, bool]:
        """Bring rows to explain to the background's kind and types, and tell whether X was 1-D.

        Raises
        ------
        InvalidInputError
            If they do not fit the background.
        """
        ...


def differing(background: npt.NDArray[Any], explained: npt.NDArray[Any]) -> Bools:
    """Whether explained values differ from any background value of their column, exactly.

    NaN equals NaN, and NaT equals NaT. Shapes (m, ...), (n, ...) -> (n, ...); not for objects.
    """
    first = background[:1]
    constant = _equal(background, first).all(axis=0)
    different: Bools = ~(constant & _equal(explained, first))
    return different


def _equal(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> Bools:
    equal: Bools = left == right
    if left.dtype.kind in "fcmM":
        equal |= (left != left) & (right != right)
    return equal


def codes_of_objects(values: Iterable[Any]) -> Integers:
    """Give equal objects equal numbers; a NaN equals every NaN, but not None. Shape (n,)."""
    code: dict[Any, int] = {}

    def of(value: Any) -> int:
        try:
            same = value == value
            key = _ALL_NANS if isinstance(same, (bool, np.bool_)) and not same else value
            return code.setdefault(key, len(code))
        except TypeError:  # a list or a dictionary, which cannot be looked up
            return code.setdefault((type(value), repr(value)), len(code))

    return np.fromiter((of(value) for value in values), dtype=np.int64)


def check_names(found: list[Any], wanted: list[Any]) -> None:
    """Refuse columns whose labels are not the background's, in its order.

    Raises
    ------
    InvalidInputError
        Naming the first that differs.
    """
    if found == wanted:
        return
    if len(found) == len(wanted) and sorted(map(str, found)) == sorted(map(str, wanted)):
        j = next(j for j, (a, b) in enumerate(zip(found, wanted, strict=True)) if a != b)
        raise InvalidInputError(
            f"the columns are the background's in another order: column {j} is {found[j]!r}, the "
            f"background's is {wanted[j]!r}; reorder them first, as X = X[background.columns]"
        )
    parts = []
    if missing := [name for name in wanted if name not in found]:
        parts.append("missing: " + _listed(missing))
    if unknown := [name for name in found if name not in wanted]:
        parts.append("not in the background: " + _listed(unknown))
    raise InvalidInputError("the columns are not the background's; " + "; ".join(parts))


def check_n_columns(found: int, wanted: int) -> None:
    """Refuse another number of columns than the background's."""
    if found != wanted:
        raise InvalidInputError(f"{found} columns were given, the background has {wanted}")


def _listed(names: list[Any], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(name) for name in names[:most]) + more
