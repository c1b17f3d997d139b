"""Output in groups of a fixed number of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leafshap.batch.sources.schemas import conform, regroup

if TYPE_CHECKING:
    import pyarrow as pa


_GROUP_BYTES = 1 << 24
_LEAST_GROUP_ROWS = 16


def group_rows(schema: pa.Schema, most: int) -> int:
    """Choose the rows of a group: of some 16 MB, a power of two."""
    import pyarrow as pa

    row_bytes = 0
    for field in schema:
        size = field.type.list_size if pa.types.is_fixed_size_list(field.type) else 1
        row_bytes += 8 * size
    rows = max(_LEAST_GROUP_ROWS, _GROUP_BYTES // max(row_bytes, 1))
    return int(min(most, 1 << (rows.bit_length() - 1)))


class GroupedSink:
    """Collects rows until a group is full: files do not depend on how rows come in batches.

    Parameters
    ----------
    schema : pyarrow.Schema
    group_rows : int
    """

    def __init__(self, schema: pa.Schema, group_rows: int) -> None:
        self._schema = schema
        self._group_rows = group_rows
        self._held: list[pa.RecordBatch] = []
        self._n_held = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        if batch.num_rows:
            self._held.append(conform(batch, self._schema))
            self._n_held += batch.num_rows
        if self._n_held >= self._group_rows:
            self._flush()

    def close(self) -> None:
        """Write the last group, and what ends the file."""
        self._flush()
        for batch in self._held:
            self._write_group(batch)
        self._held = []
        self._finish()

    def _flush(self) -> None:
        """Write the groups that are full."""
        held, self._held, self._n_held = self._held, [], 0
        for batch in regroup(held, self._group_rows):
            if batch.num_rows == self._group_rows:
                self._write_group(batch)
            else:
                self._held, self._n_held = [batch], batch.num_rows

    def _write_group(self, batch: pa.RecordBatch) -> None:
        raise NotImplementedError

    def _finish(self) -> None:
        raise NotImplementedError
