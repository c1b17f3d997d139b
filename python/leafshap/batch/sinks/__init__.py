"""Output files, written batch by batch: Parquet, Arrow IPC, CSV and npz."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from leafshap.batch.scoring import require_pyarrow
from leafshap.batch.sinks.rejects import RejectWriter
from leafshap.errors import InvalidInputError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RejectWriter", "Sink", "format_of", "join_parts", "open_sink"]

_SUFFIXES = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".csv": "csv",
    ".npz": "npz",
}
_FORMATS = ("parquet", "arrow", "csv", "npz")


class Sink(Protocol):
    """A file that is being written; whole only after `close`.

    Columns of dictionaries are written as their values, so that batches may have different ones.
    The same rows give the same bytes, however they come in batches.
    """

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows.

        Raises
        ------
        InvalidInputError
            If a column is absent or does not fit the schema's type.
        """
        ...

    def close(self) -> None:
        """Write what is left."""
        ...


def format_of(path: str | os.PathLike[str]) -> str:
    """Tell a file's format by its suffix.

    Raises
    ------
    InvalidInputError
        If the suffix is none of those known.
    """
    name = os.fspath(path)
    found = _SUFFIXES.get(Path(name).suffix.lower())
    if found is None:
        raise InvalidInputError(
            f"{name}: cannot tell the output's format: expected a suffix of {', '.join(_SUFFIXES)}"
        )
    return found


def open_sink(path: str | os.PathLike[str], format: str, schema: pa.Schema) -> Sink:
    """Begin a file.

    Parameters
    ----------
    path : path
        An existing file is overwritten.
    format : {"parquet", "arrow", "csv", "npz"}
        CSV has a column for every element of a list; npz an array for every column, lists as
        matrices, written by way of another file beside it.
    schema : pyarrow.Schema
        Of what is written.

    Raises
    ------
    InvalidInputError
        If the format is unknown, or has no place for a column.
    MissingDependencyError
        If pyarrow is not installed.
    """
    require_pyarrow()
    _check_format(format)
    where = Path(path)
    if format == "parquet":
        from leafshap.batch.sinks.parquet import ParquetSink

        return ParquetSink(where, schema)
    if format == "arrow":
        from leafshap.batch.sinks.arrow import ArrowSink

        return ArrowSink(where, schema)
    if format == "csv":
        from leafshap.batch.sinks.csv import CsvSink

        return CsvSink(where, schema)
    from leafshap.batch.sinks.npz import NpzSink

    return NpzSink(where, schema)


def join_parts(parts: list[Path], path: str | os.PathLike[str], format: str) -> None:
    """Write the rows of many Arrow IPC files, in order, to one file, in constant memory.

    Parameters
    ----------
    parts : list of Path
        Of one schema; at least one.
    path : path
    format : {"parquet", "arrow", "csv", "npz"}

    Raises
    ------
    InvalidInputError
        See `open_sink`.
    """
    require_pyarrow()
    _check_format(format)
    from leafshap.batch.sinks.parts import Parts

    rows = Parts(parts)
    if format == "npz":
        from leafshap.batch.sinks.npz import write_npz

        write_npz(rows, Path(path))
        return
    sink = open_sink(path, format, rows.schema)
    for batch in rows.batches():
        sink.write(batch)
    sink.close()


def _check_format(format: str) -> None:
    if format not in _FORMATS:
        known = ", ".join(map(repr, _FORMATS))
        raise InvalidInputError(f"unknown output format {format!r}: expected one of {known}")
