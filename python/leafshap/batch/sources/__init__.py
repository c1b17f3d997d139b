"""Input files as chunks of rows: Parquet, CSV, Arrow IPC and npy."""

from __future__ import annotations

import os
from collections.abc import Sequence

from leafshap.batch.scoring import require_pyarrow
from leafshap.batch.sources.chunk import Chunk, Position, Reject, Source
from leafshap.batch.sources.listing import list_files

__all__ = ["Chunk", "Position", "Reject", "Source", "open_source"]

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def open_source(paths: Paths, format: str | None = None) -> Source:
    """Open files for reading in chunks, in constant memory.

    Parameters
    ----------
    paths : path, or sequence of them
        A file; a folder, with all files of one format below it, where folders such as
        ``year=2024`` are columns; or a glob pattern. Files and folders whose names start
        with "." or "_" are skipped.
    format : {"parquet", "csv", "tsv", "arrow", "npy"}, optional
        By default told by the suffix: .parquet, .pq; .csv, .csv.gz; .tsv, .tsv.gz; .arrow,
        .feather, .ipc (file or stream); .npy (a matrix, columns named "0", "1", ...).

    Returns
    -------
    Source

    Raises
    ------
    InvalidInputError
        If there are no files, they are of several formats, or none can be read.
    MissingDependencyError
        If pyarrow is not installed.

    Notes
    -----
    CSV is UTF-8 with a header, comma-separated (tsv: tabs); a header without commas tells what is
    there instead: semicolons, tabs or "|", for each file. Types are those of the first 8 MB:
    integers, numbers, true/false, otherwise text (dates, too); `Source.expect` changes them.
    Missing are what pandas takes for it: empty cells, NA, NaN, nan, null, None, ... also in text;
    of keys that are text only empty cells.
    Empty lines are skipped. A column without any value there is one of numbers.

    Arrow's views of text and bytes are read as text and bytes.
    """
    require_pyarrow()
    from leafshap.batch.sources.files import FileSource

    return FileSource(*list_files(paths, format))
