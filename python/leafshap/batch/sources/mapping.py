"""Files mapped into memory, without keeping what has been read."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

# mapped pages count as the process's memory until they are given back
_HELD_BYTES = 1 << 25


class Mapping:
    """A read-only map of a file; unmapped when nothing refers to its bytes any more.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ValueError
        If the file is empty.
    """

    def __init__(self, path: Path) -> None:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise ValueError("the file is empty")
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._read = 0

    def done_with(self, n_bytes: int) -> None:
        """Give pages back after another so many bytes; later use would read them again."""
        self._read += n_bytes
        if self._read >= _HELD_BYTES and hasattr(mmap, "MADV_DONTNEED"):
            self.bytes.madvise(mmap.MADV_DONTNEED)
            self._read = 0
