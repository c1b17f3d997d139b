"""Files that appear under their name only when they are whole."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(target: str | os.PathLike[str], token: str | None = None) -> Iterator[Path]:
    """Give a name to write to; it becomes `target` if all goes well, and is removed if not.

    With a `token` the name is always the same, so that what a killed process has left is replaced.
    """
    path = Path(target)
    partial = path.with_name(f".{path.name}.{token or secrets.token_hex(4)}.tmp")
    partial.unlink(missing_ok=True)
    try:
        yield partial
        move_into_place(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def move_into_place(partial: Path, target: Path) -> None:
    """Rename a file, after its content has reached the disk."""
    with open(partial, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(partial, target)
