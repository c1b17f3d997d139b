"""Output in groups of a fixed number of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leafshap.batch.sources.schemas import conform, regroup

if TYPE_CHECKING:
    import pyarrow as pa


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
