"""The file of rows that could not be read or explained."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path

from leafshap.batch.sources.chunk import Reject

_HEADER = ("file", "row", "column", "reason", "text")


class RejectWriter:
    """Appends rejects to a CSV file: one line each, on disk after every call.

    Parameters
    ----------
    path : path
        Begun with a header if it is new or empty. A line that a killed process left unfinished is
        cut off.

    Attributes
    ----------
    count : int
        Rejects written by this writer.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.count = 0
        is_new = not _cut_unfinished_line(Path(path))
        self._file = open(path, "a", newline="", encoding="utf-8")  # noqa: SIM115
        self._writer = csv.writer(self._file, lineterminator="\n")
        if is_new:
            self._writer.writerow(_HEADER)
            self._file.flush()

    def write(self, rejects: Iterable[Reject]) -> None:
        """Append rejects; line ends in their text are written as a backslash and n."""
        for reject in rejects:
            row = "" if reject.row is None else reject.row
            cells = (reject.file, row, reject.column or "", reject.reason, reject.text)
            self._writer.writerow([_one_line(str(cell)) for cell in cells])
            self.count += 1
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _one_line(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _cut_unfinished_line(path: Path) -> bool:
    """Leave whole lines in the file; tell whether there are any."""
    if not path.exists():
        return False
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.truncate(path, whole)
    return whole > 0
