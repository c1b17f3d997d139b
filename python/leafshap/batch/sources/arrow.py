"""Arrow IPC files and streams (Feather version 2 is the same)."""

from __future__ import annotations

from collections.abc import Iterator
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
        import pyarrow as pa

        self.name = file.name
        self._path = file.path
        mapping = Mapping(self._path)
        reader = pa.ipc.open_file(pa.py_buffer(mapping.bytes))
        self.schema: pa.Schema = reader.schema.remove_metadata()
        n_batches = reader.num_record_batches
        self._compressed = n_batches > 0 and _is_copy(reader.get_batch(0), mapping)
        if self._compressed:  # one column tells their lengths, too
            reader = pa.ipc.open_file(pa.py_buffer(mapping.bytes), options=_only([0]))
        sizes = [reader.get_batch(i).num_rows for i in range(n_batches)]
        self._batch_ends = np.cumsum(sizes, dtype=np.int64)
        self.n_rows = sum(sizes)

    def batches(
        self, columns: list[str], first_row: int, batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """Read the batches from the one on that holds the first row, large ones in slices."""
        import pyarrow as pa

        mapping = Mapping(self._path)
        options = _options(self.schema, columns, self._compressed)
        reader = pa.ipc.open_file(pa.py_buffer(mapping.bytes), options=options)
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
        mapping = Mapping(self._path)
        with pa.ipc.open_stream(pa.py_buffer(mapping.bytes)) as reader:
            self.schema: pa.Schema = reader.schema.remove_metadata()
            first = next(iter(reader), None)
        self._compressed = first is not None and _is_copy(first, mapping)
        self.n_rows = None

    def batches(
        self, columns: list[str], first_row: int, batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """Read the stream, without its first rows."""
        import pyarrow as pa

        mapping = Mapping(self._path)
        options = _options(self.schema, columns, self._compressed)
        with pa.ipc.open_stream(pa.py_buffer(mapping.bytes), options=options) as reader:
            yield from _sliced(without_first(reader, first_row), batch_rows, mapping)


def _is_copy(batch: pa.RecordBatch, mapping: Mapping) -> bool:
    """Whether a batch is elsewhere than in the mapped file: it has been uncompressed."""
    import pyarrow as pa

    begin = pa.py_buffer(mapping.bytes).address
    end = begin + len(mapping.bytes)
    buffers = [
        buffer for column in batch.columns if _has_own(column.type) for buffer in column.buffers()
    ]
    return any(buffer and not begin <= buffer.address < end for buffer in buffers)


def _has_own(kind: pa.DataType) -> bool:
    """Whether all values are in the batch: a dictionary is not."""
    import pyarrow as pa

    return not (pa.types.is_dictionary(kind) or pa.types.is_null(kind))


def _options(schema: pa.Schema, columns: list[str], compressed: bool) -> Any:
    """Uncompress no other columns; where nothing is compressed, choosing would copy the batch."""
    return _only([schema.get_field_index(name) for name in columns] if compressed else None)


def _only(fields: list[int] | None) -> Any:
    import pyarrow as pa

    return pa.ipc.IpcReadOptions(use_threads=False, included_fields=fields)


def _sliced(
    batches: Iterator[pa.RecordBatch], rows: int, mapping: Mapping
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        n_bytes = batch.get_total_buffer_size()  # older pyarrow knows no nbytes of views
        for start in range(0, batch.num_rows, rows):
            part = batch.slice(start, rows)
            yield part
            mapping.done_with(n_bytes * part.num_rows // batch.num_rows)
