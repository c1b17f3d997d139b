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

Every file is written under another name and moved when it is whole, and the part's .json is the
last of them; a process may be killed at any moment.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from leafshap.atomic import move_into_place
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
    """

    n_rows: int
    n_read: int
    n_rejected: int
    next: dict[str, int]


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
        self.folder = target.with_name(target.name + SUFFIX)
        self.format = format
        self._run = self.folder / "run.json"
        self._complete = self.folder / "complete"
        self.parts_folder = self.folder / "parts"
        self.aggregates_path = self.folder / "aggregates.npz"

    @property
    def exists(self) -> bool:
        """Whether there is a run to go on with; a folder without a description is none."""
        return self._run.exists()

    @property
    def is_complete(self) -> bool:
        """Whether the output was moved to its place already."""
        return self._complete.exists()

    def begin(self, description: dict[str, Any]) -> None:
        """Start anew; what another run has left is removed."""
        self.remove()
        self.parts_folder.mkdir(parents=True)
        self._write_json(self._run, description)

    def description(self) -> dict[str, Any]:
        """Read what the run was begun with.

        Raises
        ------
        InvalidInputError
            If the file is damaged.
        """
        found = self._read_json(self._run)
        if not isinstance(found, dict):
            raise InvalidInputError(f"{self._run}: damaged; overwrite starts anew")
        return found

    def parts(self) -> list[Part]:
        """List the parts that are whole, up to the first one that is not."""
        if self.is_complete:
            return [Part(**part) for part in self._read_json(self._complete)]
        found: list[Part] = []
        while (path := self.path(len(found), "json")).exists():
            try:
                found.append(Part(**self._read_json(path)))
            except TypeError as error:
                raise InvalidInputError(f"{path}: damaged; overwrite starts anew") from error
        return found

    def path(self, number: int, suffix: str) -> Path:
        """Name a file of a part."""
        return self.folder / f"part-{number:05d}.{suffix}"

    def rows_path(self, number: int) -> Path:
        """Name the file of a part's output rows."""
        return self.parts_folder / f"part-{number:05d}.{self.format}"

    def finish_part(self, number: int, part: Part) -> None:
        """Say that all files of a part are whole."""
        self._write_json(self.path(number, "json"), asdict(part))

    def mark_complete(self, parts: list[Part]) -> None:
        """Say that the output is in its place."""
        self._write_json(self._complete, [asdict(part) for part in parts])

    def remove(self) -> None:
        """Remove the folder; it may be interrupted, and what is left is a run or none."""
        if not self.folder.exists():
            return
        kept = {self._run, self.aggregates_path, self._complete}
        # the last parts first: what is left are always the first ones
        for path in sorted(self.folder.iterdir(), reverse=True):
            if path not in kept:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self._run.unlink(missing_ok=True)
        self.remove_rest()

    def remove_rest(self) -> None:
        """Remove what there is beside a description: all that an interrupted `remove` can leave."""
        self.aggregates_path.unlink(missing_ok=True)
        self._complete.unlink(missing_ok=True)
        with suppress(OSError):  # absent, or something else is in it
            self.folder.rmdir()

    def _write_json(self, path: Path, content: object) -> None:
        partial = path.with_name(f"{path.name}.tmp")
        partial.write_text(json.dumps(content, indent=1))
        move_into_place(partial, path)

    @staticmethod
    def _read_json(path: Path) -> Any:
        try:
            return json.loads(path.read_text())
        except ValueError as error:
            raise InvalidInputError(f"{path}: damaged; overwrite starts anew") from error


def move_folder(folder: Path, target: Path, aside: Path) -> None:
    """Move a folder to its final name; one that is there is put aside before."""
    if target.exists():
        if aside.exists():  # since an earlier attempt, after which the target came back
            shutil.rmtree(aside)
        os.rename(target, aside)
    os.rename(folder, target)
