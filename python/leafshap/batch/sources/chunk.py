"""Some rows of an input file, and where the next ones start."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

# JSON-able; {} is the beginning
Position = dict[str, int]


@dataclass(frozen=True)
class Reject:
    """A row, or a whole file, that could not be read.

    Attributes
    ----------
    file : str
    row : int or None
        From 0; None for all rows of the file that have not been read.
    column : str or None
    reason : str
    text : str
        The cell, or the whole row where no single cell is at fault; "" if unknown.
    """

    file: str
    row: int | None
    column: str | None
    reason: str
    text: str = ""

    def __str__(self) -> str:
        place = self.file
        if self.row is not None:
            place += f", row {self.row}"
        if self.column is not None:
            place += f", column {self.column!r}"
        return f"{place}: {self.reason}" + (f": {self.text!r}" if self.text else "")


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows of one file, without the rejected ones.

    Attributes
    ----------
    batch : pyarrow.RecordBatch
        The columns asked for, in that order.
    file : str
        As the user would name it.
    rows : ndarray, shape (n,), dtype int64
        The number of each row of the batch in its file, from 0; a CSV's header does not count.
    rejects : tuple of Reject
    next : Position
        Where the following chunk starts.
    """

    batch: pa.RecordBatch
    file: str
    rows: npt.NDArray[np.int64]
    rejects: tuple[Reject, ...]
    next: Position

    @property
    def n_read(self) -> int:
        """How many rows of the file this is, with the rejected ones."""
        return len(self.rows) + sum(reject.row is not None for reject in self.rejects)


class Source(Protocol):
    """Input files as a sequence of chunks.

    Attributes
    ----------
    schema : pyarrow.Schema
        Of all files: their columns in the order of the first one, then partition columns.
        Numbers of different types meet in the type numpy promotes them to. Its metadata tell
        `leafshap.pandas_metadata.lost_categories`.
    n_rows : int or None
        None where only reading tells (CSV, Arrow streams).
    files : list of str
        Sorted; the order in which they are read.
    """

    schema: pa.Schema
    n_rows: int | None
    files: list[str]

    def fingerprint(self) -> list[list[str | int]]:
        """Tell path, size and time of change (ns) of every file, to see whether they changed.

        Paths are absolute, without links, whatever the files were called.
        """
        ...

    def expect(
        self,
        *,
        numbers: Collection[str],
        text: Collection[str] = (),
        keys: Collection[str] = (),
    ) -> None:
        """Say what columns are for, before chunks are read; only text files have a choice.

        Parameters
        ----------
        numbers : collection of str
            Numbers, also if the first cells are none.
        text : collection of str
            Text, also if all cells look like numbers; none of `numbers`.
        keys : collection of str
            Cells come through as they are, none of the others: as int64 if all cells of the first
            block are integers as Python writes them, and then a later one such as "007" is bad;
            else as text.
        """
        ...

    def chunks(
        self,
        columns: list[str],
        batch_rows: int,
        start: Position | None = None,
        *,
        rejects: bool = False,
        exact: Collection[str] = (),
    ) -> Iterator[Chunk]:
        """Read the rows from a position on.

        The sequence depends on nothing but the files, `columns`, `batch_rows` and `start`.
        Reading on from a chunk's `next` gives the chunks that would have followed it.

        Parameters
        ----------
        columns : list of str
            To read.
        batch_rows : int
            Most rows of a chunk.
        start : Position, optional
            `next` of a chunk; the beginning if None.
        rejects : bool
            Leave out what cannot be read and tell it in `Chunk.rejects`, instead of raising.
            A file without one of the columns, or with one of another type, is left out whole.
        exact : collection of str
            Columns that must have the type of `schema` in every chunk. Other columns of integers
            of a CSV file come as float64 where a chunk has decimals in them, but for the keys of
            `expect`.

        Raises
        ------
        InvalidInputError
            Naming file, row and column.
        """
        ...


class FileReader(Protocol):
    """What each format does for one file.

    Attributes
    ----------
    schema : pyarrow.Schema
    n_rows : int or None
    """

    schema: pa.Schema
    n_rows: int | None

    def chunks(
        self,
        wanted: pa.Schema,
        batch_rows: int,
        start: Position,
        *,
        rejects: bool,
        exact: Collection[str],
    ) -> Iterator[Chunk]:
        """Read the wanted columns, converted to the wanted types; positions are of this file."""
        ...
