"""Parquet files."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from leafshap.batch.sources.listing import InputFile
from leafshap.batch.sources.row_file import RowFile
from leafshap.batch.sources.schemas import without_first
from leafshap.pandas_metadata import lost_categories, with_lost_categories

if TYPE_CHECKING:
    import pyarrow as pa

# Pages are read through a buffer of this size per column. Without one a whole column of a row
# group is held, and pre-buffering (newer pyarrow's default) holds the whole row group: one group of
# 5M rows x 15 float32 then took 360 MB instead of 134 (78 of them pyarrow itself; batches of 65,536
# rows) and was no quicker than the 15 to 19M rows/s on one thread. Mapping the file is no quicker
# either, and its pages count as the process's memory.
_BUFFER = 1 << 17


def open_file(file: InputFile, known: dict[str, Any]) -> ParquetFile:
    """Open a Parquet file."""
    return ParquetFile(file)


class ParquetFile(RowFile):
    """A Parquet file; only its footer is read at first."""

    def __init__(self, file: InputFile) -> None:
        import pyarrow.parquet as pq

        self.name = file.name
        self._path = file.path
        with pq.ParquetFile(self._path) as opened:
            written, metadata = opened.schema_arrow, opened.metadata
        lost = lost_categories(written) | _dictionaries(metadata) if metadata.num_rows else ()
        self.schema: pa.Schema = with_lost_categories(written, lost)
        sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        self._group_ends = np.cumsum(sizes, dtype=np.int64)
        self.n_rows = int(metadata.num_rows)

    def batches(
        self, columns: list[str], first_row: int, batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """Read from the row group on that holds the first row; small ones together."""
        import pyarrow.parquet as pq

        group = int(np.searchsorted(self._group_ends, first_row, side="right"))
        groups = list(range(group, len(self._group_ends)))
        if not groups:
            return
        before = int(self._group_ends[group - 1]) if group else 0
        with pq.ParquetFile(self._path, buffer_size=_BUFFER, pre_buffer=False) as opened:
            batches = opened.iter_batches(
                batch_rows, row_groups=groups, columns=columns, use_threads=False
            )
            yield from without_first(batches, first_row - before)


def _dictionaries(metadata: Any) -> frozenset[str]:
    """Name the columns that Arrow wrote from dictionaries; it gives back those of text only."""
    import pyarrow as pa

    told = (metadata.metadata or {}).get(b"ARROW:schema", b"")
    try:
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(told)))
    except (pa.ArrowException, OSError, ValueError):  # another program's, or none
        return frozenset()
    return frozenset(field.name for field in schema if pa.types.is_dictionary(field.type))
