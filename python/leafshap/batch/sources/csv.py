"""CSV files, plain or compressed by gzip."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from leafshap.batch.sources.chunk import Chunk, Position, Reject
from leafshap.batch.sources.csv_cells import BadRow, infer_types, read_cells
from leafshap.batch.sources.csv_records import WINDOW, Records, UnendedRecord
from leafshap.batch.sources.listing import InputFile
from leafshap.errors import InvalidInputError

if TYPE_CHECKING:
    import pyarrow as pa

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SHOWN = 200  # characters of a bad cell or row


def open_file(file: InputFile, known: dict[str, Any], delimiter: str = ",") -> CsvFile:
    """Open a CSV file; `known` are the types of columns of files before this one."""
    opened = CsvFile(file, delimiter)
    opened.tell_types(known)
    return opened


class CsvFile:
    """A CSV file, read block by block of whole records.

    A position is the number of a row and its byte, in the uncompressed text.
    """

    n_rows = None
    schema: pa.Schema

    def __init__(self, file: InputFile, delimiter: str) -> None:
        self.name = file.name
        self._path = file.path
        self._delimiter = delimiter
        self._names, self._body = self._header()

    def tell_types(self, known: dict[str, Any]) -> None:
        """Take the types of columns from other files, and tell them of the rest.

        A file without rows tells nothing.
        """
        import pyarrow as pa

        types: dict[str, Any] = {}
        if not set(self._names) <= set(known):
            with self._open(self._body) as stream:
                try:
                    found = Records(stream, self._delimiter).take(WINDOW)
                except UnendedRecord:
                    found = None
            if found is not None:
                types = infer_types(found[0], self._names, self._delimiter)
        for name, kind in types.items():
            known.setdefault(name, kind)
        # a null is of any type
        self.schema = pa.schema([(name, known.get(name, pa.null())) for name in self._names])

    def chunks(
        self,
        wanted: pa.Schema,
        batch_rows: int,
        start: Position,
        *,
        rejects: bool,
        exact: Collection[str],
    ) -> Iterator[Chunk]:
        """See `leafshap.batch.sources.chunk.FileReader`."""
        row, byte = start.get("row", 0), start.get("byte", self._body)
        with self._open(byte) as stream:
            records = Records(stream, self._delimiter, byte)
            while True:
                try:
                    found = records.take(batch_rows)
                except UnendedRecord as error:
                    chunk = self._unended(wanted, row, records, error)
                else:
                    if found is None:
                        return
                    chunk = self._parse(found[0], found[1], wanted, row, records.byte, exact)
                if chunk.rejects and not rejects:
                    raise InvalidInputError(str(chunk.rejects[0]))
                row = chunk.next["row"]
                yield chunk

    def _parse(
        self,
        block: Any,
        n_rows: int,
        wanted: pa.Schema,
        row: int,
        byte: int,
        exact: Collection[str],
    ) -> Chunk:
        try:
            cells = read_cells(block, n_rows, self._names, wanted, self._delimiter, exact)
        except InvalidInputError as error:
            last = row + n_rows - 1
            raise InvalidInputError(f"{self.name}, rows {row} to {last}: {error}") from error
        rejects = tuple(self._reject(row, bad) for bad in cells.bad)
        position = {"row": row + n_rows, "byte": byte}
        return Chunk(cells.batch, self.name, cells.rows + row, rejects, position)

    def _unended(
        self, wanted: pa.Schema, row: int, records: Records, error: UnendedRecord
    ) -> Chunk:
        """Leave out a line."""
        import pyarrow as pa

        reason = "quoted text that does not end" if error.quoted else f"more than {WINDOW:,} bytes"
        text = records.skip_line().decode(errors="replace")
        reject = self._reject(row, BadRow(0, None, reason, text))
        batch = pa.RecordBatch.from_pylist([], schema=wanted)
        position = {"row": row + 1, "byte": records.byte}
        return Chunk(batch, self.name, np.empty(0, np.int64), (reject,), position)

    def _reject(self, row: int, bad: BadRow) -> Reject:
        text = bad.text if len(bad.text) <= _SHOWN else bad.text[:_SHOWN] + "..."
        return Reject(self.name, row + bad.row, bad.column, bad.reason, text)

    @contextmanager
    def _open(self, byte: int) -> Iterator[BinaryIO]:
        """Open the text from a byte on; compressed text is read up to it."""
        compressed = self.name.lower().endswith(".gz")
        with gzip.open(self._path) if compressed else open(self._path, "rb") as stream:
            stream.seek(byte)
            yield cast(BinaryIO, stream)

    def _header(self) -> tuple[list[str], int]:
        """Names of the columns, and where the first row begins."""
        with self._open(0) as stream:
            first = stream.read(len(_BYTE_ORDER_MARK))
            if not first:
                raise InvalidInputError(f"{self.name}: the file is empty: it has no header")
            byte = len(first) if first == _BYTE_ORDER_MARK else 0
            stream.seek(byte)
            records = Records(stream, self._delimiter, byte)
            try:
                found = records.take(1)
                text = "" if found is None else found[0].tobytes().decode()
            except UnendedRecord:
                raise InvalidInputError(f"{self.name}: the header does not end") from None
            except UnicodeDecodeError:
                raise InvalidInputError(f"{self.name}: the header is not UTF-8 text") from None
        if found is None:
            raise InvalidInputError(f"{self.name}: the file is empty: it has no header")
        names = next(csv.reader([text.strip("\r\n")], delimiter=self._delimiter))
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise InvalidInputError(f"{self.name}: the header names the column {twice[0]!r} twice")
        return names, records.byte
