"""A file whose rows can be found by number: all formats but CSV."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import numpy as np

from leafshap.batch.sources.chunk import Chunk, Position
from leafshap.batch.sources.schemas import conform, regroup
from leafshap.errors import InvalidInputError

if TYPE_CHECKING:
    import pyarrow as pa


class RowFile:
    """Cuts what `batches` reads into chunks; a position is the number of a row."""

    name: str
    schema: pa.Schema
    n_rows: int | None

    def batches(
        self, columns: list[str], first_row: int, batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """Read columns, and maybe others, from a row on; in batches of about `batch_rows`."""
        raise NotImplementedError

    def chunks(
        self,
        wanted: pa.Schema,
        batch_rows: int,
        start: Position,
        *,
        rejects: bool,
        exact: Collection[str],
    ) -> Iterator[Chunk]:
        """See `leafshap.batch.sources.chunk.FileReader`; there are no rejected rows."""
        row = start.get("row", 0)
        for batch in regroup(self._conforming(wanted, row, batch_rows), batch_rows):
            rows = np.arange(row, row + batch.num_rows, dtype=np.int64)
            row += batch.num_rows
            yield Chunk(batch, self.name, rows, (), {"row": row})

    def _conforming(self, wanted: pa.Schema, row: int, batch_rows: int) -> Iterator[pa.RecordBatch]:
        for batch in self.batches(wanted.names, row, batch_rows):
            try:
                yield conform(batch, wanted)
            except InvalidInputError as error:
                last = row + batch.num_rows - 1
                raise InvalidInputError(f"{self.name}, rows {row} to {last}: {error}") from error
            row += batch.num_rows
