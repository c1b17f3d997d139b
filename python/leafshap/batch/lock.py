"""A lock that a process holds as long as it lives, however it ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leafshap.errors import InvalidInputError


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock of a file, which is made if it is absent; the folder must exist.

    On Windows, and on file systems that know no locks, it does nothing.

    Raises
    ------
    InvalidInputError
        If another process, or another run of this one, holds it.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    try:
        file = open(path, "a")  # noqa: SIM115
    except FileNotFoundError:
        raise _gone(path) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidInputError(f"{path.parent}: another run is at work there") from None
        except OSError:
            pass
        if not _is_same(file.fileno(), path):  # its run has just ended, and removed the file
            raise _gone(path)
        yield


def _gone(path: Path) -> InvalidInputError:
    return InvalidInputError(f"{path.parent}: another run was at work there: try again")


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
