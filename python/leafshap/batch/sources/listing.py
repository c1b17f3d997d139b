"""Which files an input is made of, their format, and what the names of folders say."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from leafshap.errors import InvalidInputError

_SUFFIXES = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".tsv": "tsv",
    ".tsv.gz": "tsv",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".npy": "npy",
}
_FORMATS = ("parquet", "csv", "tsv", "arrow", "npy")
# how Hive and Spark write a missing value into a folder's name
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class InputFile:
    """A file to read.

    Attributes
    ----------
    name : str
        As the user would name it.
    partitions : dict of str to str or None
        Columns told by the folders' names; None is a missing value.
    """

    name: str
    partitions: dict[str, str | None] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(self.name)


def list_files(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], format: str | None = None
) -> tuple[str, list[InputFile]]:
    """Find the format and the files, sorted by name, each once.

    Raises
    ------
    InvalidInputError
        If there are none, or of several formats.
    """
    if format is not None and format not in _FORMATS:
        known = ", ".join(map(repr, _FORMATS))
        raise InvalidInputError(f"unknown input format {format!r}: expected one of {known}")
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    if not given:
        raise InvalidInputError("there are no input files: the list of paths is empty")
    found: dict[str, InputFile] = {}
    for path in given:
        for file in _expand(os.fspath(path), format):
            found.setdefault(os.path.abspath(file.name), file)
    files = sorted(found.values(), key=lambda file: file.name)
    return format or _common_format([file.name for file in files]), files


def _expand(path: str, format: str | None) -> Iterator[InputFile]:
    """List the files of one path."""
    if os.path.isdir(path):
        yield from _below(path, path, format)
    elif os.path.exists(path):
        yield InputFile(path)
    elif glob.has_magic(path):
        root = _fixed_part(path)
        matches = [
            match
            for match in sorted(glob.glob(path, recursive=True))
            if not any(map(_is_skipped, Path(os.path.relpath(match, root)).parts))
        ]
        if not matches:
            raise InvalidInputError(f"no file matches {path!r}")
        for match in matches:
            if os.path.isdir(match):
                yield from _below(match, root, format) if "**" not in path else ()
            else:
                yield InputFile(match, _partitions(match, root))
    else:
        raise InvalidInputError(f"{path}: there is no such file or folder")


def _below(folder: str, root: str, format: str | None) -> list[InputFile]:
    """List the files of a folder and those below it; of unknown formats only if there is a hint."""
    names = []
    for base, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not _is_skipped(name)]
        names += [os.path.join(base, name) for name in files if not _is_skipped(name)]
    known = [name for name in names if _format_of(name) in ({format} if format else _FORMATS)]
    if format is not None and not known:
        known = names  # such as part-00000, without any suffix
    if not known:
        expected = ", ".join(_SUFFIXES)
        raise InvalidInputError(f"{folder}: there are no input files in it ({expected})")
    return [InputFile(name, _partitions(name, root)) for name in known]


def _is_skipped(name: str) -> bool:
    return name.startswith((".", "_"))


def _format_of(name: str) -> str | None:
    lower = os.path.basename(name).lower()
    suffix = next((suffix for suffix in _SUFFIXES if lower.endswith(suffix)), None)
    return None if suffix is None else _SUFFIXES[suffix]


def _common_format(names: list[str]) -> str:
    formats = {_format_of(name): name for name in names}
    if None in formats:
        raise InvalidInputError(
            f"{formats[None]}: the format of this file is unknown: expected a suffix of "
            f"{', '.join(_SUFFIXES)}; or say which it is (input_format=, --input-format)"
        )
    if len(formats) > 1:
        examples = " and ".join(formats[name] for name in sorted(map(str, formats))[:2])
        raise InvalidInputError(
            f"the input has files of several formats, such as {examples}: say which to take "
            "(input_format=, --input-format), or give them one by one"
        )
    return str(next(iter(formats)))


def _fixed_part(pattern: str) -> str:
    """Folder of a pattern above its first wildcard."""
    parts = Path(pattern).parts
    fixed = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return os.path.join(*parts[:fixed]) if fixed else "."


def _partitions(name: str, root: str) -> dict[str, str | None]:
    """Columns told by the folders between root and file: year=2024 and the like."""
    found: dict[str, str | None] = {}
    for part in Path(os.path.relpath(name, root)).parts[:-1]:
        match = re.fullmatch(r"([^=]+)=(.*)", part)
        if match:
            text = unquote(match[2])
            found[unquote(match[1])] = None if text == _HIVE_NULL else text
    return found
