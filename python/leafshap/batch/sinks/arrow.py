"""Arrow IPC output; also what the parts of an unfinished run are written as."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from leafshap.batch.sinks.grouped import GroupedSink, group_rows
from leafshap.batch.sinks.plain import plain_schema

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_BATCH_ROWS = 1 << 16


class ArrowSink(GroupedSink):
    """Writes an IPC file (Feather version 2), uncompressed, so that it can be mapped.

    Parameters
    ----------
    path : Path
    schema : pyarrow.Schema
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        import pyarrow as pa

        schema = plain_schema(schema)
        super().__init__(schema, group_rows(schema, _MOST_BATCH_ROWS))
        self._writer = pa.ipc.new_file(str(path), self._schema)

    def _write_group(self, batch: pa.RecordBatch) -> None:
        import pyarrow as pa

        # a slice of text would be written with a rest of what lies behind it
        columns = [pa.concat_arrays([column]) for column in batch.columns]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def _finish(self) -> None:
        self._writer.close()
