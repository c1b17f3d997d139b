"""CSV files, plain or compressed by gzip."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from leafshap.batch.sources.chunk import Chunk, Position, Reject
from leafshap.batch.sources.csv_cells import (
    BadRow,
    Form,
    infer_keys,
    infer_types,
    read_cells,
)
from leafshap.batch.sources.csv_records import WINDOW, Records, UnendedRecord
from leafshap.batch.sources.listing import InputFile
from leafshap.errors import InvalidInputError

if TYPE_CHECKING:
    import pyarrow as pa

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SHOWN = 200  # characters of a bad cell or row
_DELIMITERS = ",;\t|"  # the first of those that make most columns of a header


def open_file(file: InputFile, known: dict[str, Any], delimiter: str | None = None) -> CsvFile:
    """Open a CSV file; `known` are the types of columns of files before this one.

    Without a delimiter the header tells: commas, or what it has in place of them.
    """
    opened = CsvFile(file, delimiter)
    opened.tell_types(known)
    return opened


class CsvFile:
    """A CSV file, read block by block of whole records.

    A position is the number of a row and its byte, in the uncompressed text.
    """

    n_rows = None
    schema: pa.Schema

    def __init__(self, file: InputFile, delimiter: str | None) -> None:
        self.name = file.name
        self._path = file.path
        self._form, self._body = self._header(delimiter)

    def tell_types(self, known: dict[str, Any]) -> None:
        """Take the types of columns from other files, and tell them of the rest.

        A file without rows tells nothing.
        """
        import pyarrow as pa

        names = self._form.names
        if not set(names) <= set(known):
            block = self._first_block()
            types = {} if block is None else infer_types(block, self._form)
            for name, kind in types.items():
                known.setdefault(name, kind)
        # a null is of any type
        self.schema = pa.schema([(name, known.get(name, pa.null())) for name in names])

    def expect(
        self,
        numbers: Collection[str],
        text: Collection[str],
        keys: Collection[str],
        known: dict[str, Any],
    ) -> None:
        """See `leafshap.batch.sources.chunk.Source`; `known` are the types of other files' keys.

        No column is in two of the collections.
        """
        import pyarrow as pa

        own = [name for name in self._form.names if name in keys]
        if not set(own) <= set(known):
            block = self._first_block()
            types = {} if block is None else infer_keys(block, self._form, own)
            for name, kind in types.items():
                known.setdefault(name, kind)
        kinds = dict(zip(self.schema.names, self.schema.types, strict=True))
        for name, kind in kinds.items():
            if name in text:
                kinds[name] = pa.string()
            elif name in numbers and kind == pa.string():
                kinds[name] = pa.float64()
            elif name in own:
                kinds[name] = known.get(name, pa.null())
        self.schema = pa.schema(list(kinds.items()))
        self._form = self._form._replace(verbatim=frozenset(own))

    def _first_block(self) -> Any:
        """Read what tells the types of columns; None if there are no rows."""
        with self._open(self._body) as stream:
            try:
                found = Records(stream, self._form.delimiter).take(WINDOW)
            except UnendedRecord:
                return None
        return None if found is None else found[0]

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
            records = Records(stream, self._form.delimiter, byte)
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
            cells = read_cells(block, n_rows, self._form, wanted, exact)
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

    def _header(self, delimiter: str | None) -> tuple[Form, int]:
        """Names of the columns and what is between them, and where the first row begins."""
        text, body = self._first_record(delimiter or ",")
        if delimiter is None:
            delimiter = _delimiter_of(text)
            if delimiter != ",":  # which decides where quotes count
                text, body = self._first_record(delimiter)
        names = _split(text, delimiter)
        if _are_numbers(names):
            raise InvalidInputError(
                f"{self.name}: the first line holds numbers, no names of columns: {text[:_SHOWN]!r}"
            )
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise InvalidInputError(f"{self.name}: the header names the column {twice[0]!r} twice")
        return Form(names, delimiter), body

    def _first_record(self, delimiter: str) -> tuple[str, int]:
        """Text of the header, and where it ends."""
        with self._open(0) as stream:
            first = stream.read(len(_BYTE_ORDER_MARK))
            if not first:
                raise InvalidInputError(f"{self.name}: the file is empty: it has no header")
            byte = len(first) if first == _BYTE_ORDER_MARK else 0
            stream.seek(byte)
            records = Records(stream, delimiter, byte)
            try:
                found = records.take(1)
                text = "" if found is None else found[0].tobytes().decode()
            except UnendedRecord:
                raise InvalidInputError(f"{self.name}: the header does not end") from None
            except UnicodeDecodeError:
                raise InvalidInputError(f"{self.name}: the header is not UTF-8 text") from None
        if found is None:
            raise InvalidInputError(f"{self.name}: the file is empty: it has no header")
        return text.strip("\r\n"), records.byte


def _split(text: str, delimiter: str) -> list[str]:
    return next(csv.reader([text], delimiter=delimiter))


def _delimiter_of(header: str) -> str:
    """Tell what a header has between names: a comma, else what makes most columns of it."""
    if len(_split(header, ",")) > 1:
        return ","
    return max(_DELIMITERS, key=lambda mark: len(_split(header, mark)))


def _are_numbers(names: list[str]) -> bool:
    """Whether names are cells of a row; pandas numbers the columns of what has no names."""
    if names == [str(j) for j in range(len(names))]:
        return False
    try:
        list(map(float, names))
    except ValueError:
        return False
    return True
