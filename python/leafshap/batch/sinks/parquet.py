"""Parquet output."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from leafshap.batch.sinks.grouped import GroupedSink, group_rows
from leafshap.batch.sinks.plain import plain_schema

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_GROUP_ROWS = 1 << 17


class ParquetSink(GroupedSink):
    """Writes row groups of a size that depends on the schema only.

    Parameters
    ----------
    path : Path
    schema : pyarrow.Schema
    """

    # CPU seconds per million rows of id, 15 float32 values, base value, and bytes per row; writing
    # includes no dictionaries and no statistics of values (pyarrow 26, one thread):
    #                       one list column            15 columns
    #                   write   bytes   read       write   bytes   read
    #   none             0.17    70.5   0.22        0.14    68.1   0.06
    #   snappy           0.18    64.1   0.19        0.17    64.1   0.08
    #   lz4              0.20    64.3   0.15        0.14    64.3   0.07
    #   zstd             0.27    57.0   0.16        0.21    56.6   0.14
    #   zstd, split      0.25    52.1   0.14        0.28    56.4   0.13
    # (split: BYTE_STREAM_SPLIT, which older readers do not know.) Snappy costs next to nothing,
    # and every reader has it.
    _COMPRESSION = "snappy"

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        import pyarrow.parquet as pq

        schema = plain_schema(schema)
        super().__init__(schema, group_rows(schema, _MOST_GROUP_ROWS))
        self._writer = pq.ParquetWriter(
            path,
            schema,
            compression=self._COMPRESSION,
            use_dictionary=_repeating(schema),
            write_statistics=_flat_names(schema),
        )

    def _write_group(self, batch: pa.RecordBatch) -> None:
        import pyarrow as pa

        self._writer.write_table(pa.Table.from_batches([batch]), self._group_rows)

    def _finish(self) -> None:
        self._writer.close()


def _repeating(schema: pa.Schema) -> list[str]:
    """Columns, as Parquet calls them, that a dictionary makes smaller: text and base values."""
    import pyarrow as pa

    found = []
    for field in schema:
        is_list = pa.types.is_fixed_size_list(field.type)
        kind = field.type.value_type if is_list else field.type
        if kind in (pa.string(), pa.large_string()) or field.name.startswith("base_value"):
            found += [f"{field.name}.list.element"] if is_list else [field.name]
    return found


def _flat_names(schema: pa.Schema) -> list[str]:
    """Columns whose statistics may help a reader; those of lists help nobody."""
    import pyarrow as pa

    return [field.name for field in schema if not pa.types.is_nested(field.type)]
