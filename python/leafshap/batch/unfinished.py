"""A run that is not finished: a folder beside the output with all that is done so far.

    OUT.unfinished/
        run.json                what is explained, and how: another run must not go on from here
        parts/part-00000.arrow  output rows (the format of the output if that is a folder of parts)
        part-00000.npz          aggregates
        part-00000.csv          rejected rows
        part-00000.json         the part is whole: rows, and where the next one starts
        aggregates.npz          those of all parts, when there are all
        complete                the output is in its place: only this folder is left to be removed;
                                what is known of all parts
        moving                  results are being put in their places
        lock                    held by the process that is at work

Every file is written under another name and moved when it is whole, and the part's .json is the
last of them; a process may be killed at any moment.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from leafshap.atomic import move_into_place
from leafshap.batch.lock import hold
from leafshap.errors import InvalidInputError

SUFFIX = ".unfinished"


@dataclass(frozen=True)
class Part:
    """What is known of a part that is whole.

    Attributes
    ----------
    n_rows : int
        Rows explained.
    n_read : int
        Rows of the input, with those rejected and those not in the sample.
    n_rejected : int
    next : dict
        Where the source goes on.
    digests : dict
        SHA-256 of its files, by name.
    """

    n_rows: int
    n_read: int
    n_rejected: int
    next: dict[str, int]
    digests: dict[str, str] = field(default_factory=dict)


class UnfinishedRun:
    """The folder of one run.

    Parameters
    ----------
    target : Path
        What the run makes in the end.
    format : str
        Of the parts' rows.
    """

    def __init__(self, target: Path, format: str) -> None:
        self._target = target
        self.folder = target.with_name(target.name + SUFFIX)
        self.format = format
        self._run = self.folder / "run.json"
        self._complete = self.folder / "complete"
        self._moving = self.folder / "moving"
        self._lock = self.folder / "lock"
        self.parts_folder = self.folder / "parts"
        self.aggregates_path = self.folder / "aggregates.npz"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out; the folder is there meanwhile.

        Raises
        ------
        InvalidInputError
            If one is at work.
        """
        self.folder.mkdir(exist_ok=True)
        with hold(self._lock):
            try:
                yield
            finally:
                if not self.exists:
                    self.remove_rest()

    @property
    def exists(self) -> bool:
        """Whether there is a run to go on with; a folder without a description is none."""
        return self._run.exists()

    @property
    def is_complete(self) -> bool:
        """Whether the output was moved to its place already."""
        return self._complete.exists()

    @property
    def is_moving(self) -> bool:
        """Whether results that are there may be this run's own."""
        return self._moving.exists()

    @property
    def is_moved(self) -> bool:
        """Whether the folder of the parts has become the output."""
        return self.is_moving and not self.parts_folder.exists() and self._target.exists()

    def mark_moving(self) -> None:
        """Say that results are going to be put in their places."""
        self._write_json(self._moving, {})

    def go_on(self) -> list[Part]:
        """List the parts that are whole; there is room for the others."""
        whole = self.parts()
        if not (self.is_moved or self.is_complete):
            self.parts_folder.mkdir(exist_ok=True)
        return whole

    def begin(self, description: dict[str, Any]) -> None:
        """Start anew; what another run has left is removed."""
        self._clear()
        self.parts_folder.mkdir(parents=True)
        self._write_json(self._run, description)

    def description(self) -> dict[str, Any]:
        """Read what the run was begun with.

        Raises
        ------
        InvalidInputError
            If the file is damaged.
        """
        found: dict[str, Any] = self._read_json(self._run)
        return found

    def parts(self) -> list[Part]:
        """List the parts that are whole, up to the first one that is not.

        All their files are read: one that is not as it was written is made once more.
        """
        if self.is_complete:
            return [Part(**part) for part in self._read_json(self._complete)]
        found: list[Part] = []
        while self.path(len(found), "json").exists():
            try:
                found.append(self._whole_part(len(found)))
            except InvalidInputError:
                if self.is_moved:  # too late
                    raise
                break
        return found

    @property
    def n_done(self) -> int:
        """How many rows of the input are in parts that are said to be whole."""
        done = 0
        with suppress(InvalidInputError):
            for number in count():
                if not self.path(number, "json").exists():
                    break
                done += Part(**self._read_json(self.path(number, "json"))).n_read
        return done

    def _whole_part(self, number: int) -> Part:
        """Read what is known of a part, and that its files are as they were written."""
        path = self.path(number, "json")
        part = Part(**self._read_json(path))
        digests = self._digests(number)
        if self.is_moved:  # the rows are in the output
            rows = self.rows_path(number).name
            digests = {rows: part.digests.get(rows, ""), **digests}
        if digests != part.digests:
            raise InvalidInputError(f"{path}: other files than these; overwrite starts anew")
        return part

    def _digests(self, number: int) -> dict[str, str]:
        paths = [self.rows_path(number), self.path(number, "npz"), self.path(number, "csv")]
        found = {}
        for path in paths:
            if path.exists():
                with open(path, "rb") as file:
                    found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
        return found

    def path(self, number: int, suffix: str) -> Path:
        """Name a file of a part."""
        return self.folder / f"part-{number:05d}.{suffix}"

    def rows_path(self, number: int) -> Path:
        """Name the file of a part's output rows."""
        return self.parts_folder / f"part-{number:05d}.{self.format}"

    def finish_part(self, number: int, part: Part) -> None:
        """Say that all files of a part are whole."""
        whole = replace(part, digests=self._digests(number))
        self._write_json(self.path(number, "json"), asdict(whole))

    def mark_complete(self, parts: list[Part]) -> None:
        """Say that the output is in its place."""
        self._write_json(self._complete, [asdict(part) for part in parts])

    def remove(self) -> None:
        """Remove the folder; it may be interrupted, and what is left is a run or none."""
        self._clear()
        self.remove_rest()

    def _clear(self) -> None:
        """Remove what a run has made, and nothing else that somebody has put here."""
        if not self.folder.exists():
            return
        # the last parts first: what is left are always the first ones
        for path in sorted(self.folder.glob("part-*"), reverse=True):
            path.unlink()
        for path in [*self.folder.glob("joined.*"), *self.folder.glob("*.tmp")]:
            path.unlink()
        for folder in (self.parts_folder, self.folder / "replaced"):
            if folder.exists():
                shutil.rmtree(folder)
        self._run.unlink(missing_ok=True)
        for path in self._last_files:
            path.unlink(missing_ok=True)

    @property
    def _last_files(self) -> list[Path]:
        """Files that mean nothing without the description."""
        return [self._moving, self.aggregates_path, self._complete]

    def remove_rest(self) -> None:
        """Remove what there is beside a description: all that an interrupted `remove` can leave."""
        for path in (*self._last_files, self._lock):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # absent, or something else is in it
            self.folder.rmdir()

    def _write_json(self, path: Path, content: object) -> None:
        partial = path.with_name(f"{path.name}.tmp")
        partial.write_text(json.dumps({"content": content, "sha256": _digest(content)}, indent=1))
        move_into_place(partial, path)

    @staticmethod
    def _read_json(path: Path) -> Any:
        try:
            found = json.loads(path.read_text())
            content = found["content"]
            if found["sha256"] == _digest(content):
                return content
        except (KeyError, RecursionError, TypeError, ValueError):
            pass
        raise InvalidInputError(f"{path}: damaged; overwrite starts anew")


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def move_folder(folder: Path, target: Path, aside: Path) -> None:
    """Move a folder to its final name; one that is there is put aside before."""
    if target.exists():
        if aside.exists():  # since an earlier attempt, after which the target came back
            shutil.rmtree(aside)
        os.rename(target, aside)
    os.rename(folder, target)
