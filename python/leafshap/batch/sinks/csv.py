"""CSV output."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from leafshap.batch.sinks.plain import flat_batch, flat_schema, plain_schema
from leafshap.batch.sources.schemas import conform

if TYPE_CHECKING:
    import pyarrow as pa


class CsvSink:
    """Writes a header and a line per row; numbers with as many digits as tell them apart.

    Text is in quotes, missing values are empty, NaN is "nan".

    Parameters
    ----------
    path : Path
    schema : pyarrow.Schema
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        from pyarrow import csv

        self._schema = plain_schema(schema)
        self._flat = flat_schema(self._schema)
        self._writer = csv.CSVWriter(str(path), self._flat)

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        self._writer.write_batch(flat_batch(conform(batch, self._schema), self._flat))

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
