"""Arrow IPC files, one after the other, as one table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from leafshap.batch.sources.arrow import ArrowFile
from leafshap.batch.sources.listing import InputFile
from leafshap.errors import InvalidInputError

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 1 << 16


class Parts:
    """Rows of several files of one schema, mapped into memory one by one.

    Parameters
    ----------
    paths : list of Path

    Raises
    ------
    InvalidInputError
        If there are none, or their columns differ.
    """

    def __init__(self, paths: list[Path]) -> None:
        import pyarrow as pa

        if not paths:
            raise InvalidInputError("there are no parts to join")
        self._files = [ArrowFile(InputFile(str(path))) for path in paths]
        # with the metadata, which says how to name the elements of lists
        with pa.OSFile(str(paths[0])) as file, pa.ipc.open_file(file) as reader:
            self.schema: pa.Schema = reader.schema
        for file in self._files:
            if file.schema != self.schema:
                raise InvalidInputError(f"{file.name}: its columns differ from {paths[0]}")
        self.n_rows = sum(file.n_rows or 0 for file in self._files)

    def batches(self, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Read all rows."""
        for file in self._files:
            yield from file.batches(columns or self.schema.names, 0, _BATCH_ROWS)

    def column(self, name: str) -> Iterator[pa.Array]:
        """Read one column."""
        for batch in self.batches([name]):
            yield batch.column(batch.schema.get_field_index(name))
