"""Arrow IPC files and streams (Feather version 2 is the same)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leafshap.batch.sources.listing import InputFile
from leafshap.batch.sources.mapping import Mapping
from leafshap.batch.sources.row_file import RowFile
from leafshap.batch.sources.schemas import without_first

if TYPE_CHECKING:
    import pyarrow as pa

_FILE_MAGIC = b"ARROW1"


def open_file(file: InputFile, known: dict[str, Any]) -> ArrowFile | ArrowStream:
    """Open an Arrow IPC file or stream."""
    with open(file.path, "rb") as opened:
        magic = opened.read(len(_FILE_MAGIC))
    return ArrowFile(file) if magic == _FILE_MAGIC else ArrowStream(file)


class ArrowFile(RowFile):
    """An IPC file, mapped into memory.

    A compressed record batch is uncompressed as a whole: its size is the memory it takes.
    """

    def __init__(self, file: InputFile) -> None:
        self.name = file.name
        self._path = file.path
        self.schema: pa.Schema = _open(Mapping(self._path)).schema.remove_metadata()
        self._batch_ends = np.cumsum([0, *_batch_sizes(self._path)], dtype=np.int64)[1:]
        self.n_rows = int(self._batch_ends[-1]) if len(self._batch_ends) else 0

    def batches(
        self, columns: list[str], first_row: int, batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """Read the batches from the one on that holds the first row, large ones in slices."""
        mapping = Mapping(self._path)
        reader = _open(mapping, [self.schema.get_field_index(name) for name in columns])
        first = int(np.searchsorted(self._batch_ends, first_row, side="right"))
        before = int(self._batch_ends[first - 1]) if first else 0
        batches = (reader.get_batch(i) for i in range(first, reader.num_record_batches))
        yield from _sliced(without_first(batches, first_row - before), batch_rows, mapping)


class ArrowStream(RowFile):
    """An IPC stream, mapped into memory; its number of rows is not known before it is read."""

    def __init__(self, file: InputFile) -> None:
        import pyarrow as pa

        self.name = file.name
        self._path = file.path
        with pa.ipc.open_stream(pa.py_buffer(Mapping(self._path).bytes)) as reader:
            self.schema: pa.Schema = reader.schema.remove_metadata()
        self.n_rows = None

    def batches(
        self, columns: list[str], first_row: int, batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """Read the stream, without its first rows."""
        import pyarrow as pa

        mapping = Mapping(self._path)
        options = _only([self.schema.get_field_index(name) for name in columns])
        with pa.ipc.open_stream(pa.py_buffer(mapping.bytes), options=options) as reader:
            yield from _sliced(without_first(reader, first_row), batch_rows, mapping)


def _open(mapping: Mapping, fields: list[int] | None = None) -> Any:
    import pyarrow as pa

    return pa.ipc.open_file(pa.py_buffer(mapping.bytes), options=_only(fields))


def _only(fields: list[int] | None) -> Any:
    """Leave the other columns compressed."""
    import pyarrow as pa

    return pa.ipc.IpcReadOptions(use_threads=False, included_fields=fields)


def _batch_sizes(path: Path) -> list[int]:
    reader = _open(Mapping(path), [0])
    return [reader.get_batch(i).num_rows for i in range(reader.num_record_batches)]


def _sliced(
    batches: Iterator[pa.RecordBatch], rows: int, mapping: Mapping
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for start in range(0, batch.num_rows, rows):
            part = batch.slice(start, rows)
            yield part
            mapping.done_with(part.nbytes)
