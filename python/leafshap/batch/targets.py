"""Where the results of a run go, and how they get there when they are whole."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leafshap.atomic import move_into_place, whole_file
from leafshap.batch.sinks import RejectWriter, format_of, join_parts, open_sink
from leafshap.batch.unfinished import UnfinishedRun, move_folder
from leafshap.errors import InvalidInputError

if TYPE_CHECKING:
    import pyarrow as pa

    from leafshap.batch.aggregates import Aggregates

AnyPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Targets:
    """Where results go."""

    output: Path | None
    format: str  # of the output
    is_file: bool
    aggregates: Path | None
    rejects: Path | None

    @property
    def first(self) -> Path | None:
        """What the run is named by."""
        return self.output or self.aggregates or self.rejects

    @property
    def all(self) -> list[Path]:
        """All paths."""
        return [p for p in (self.output, self.aggregates, self.rejects) if p is not None]

    @classmethod
    def read(
        cls,
        output: AnyPath | None,
        output_format: str | None,
        aggregates: AnyPath | None,
        rejects: AnyPath | None,
    ) -> Targets:
        """Check paths and formats.

        Raises
        ------
        InvalidInputError
            If a format is unknown, a folder is absent, or two are the same.
        """
        path = None if output is None else Path(output)
        if path is not None and path.is_symlink():  # the file or folder itself is replaced
            path = path.resolve()
        is_file = path is not None and not path.is_dir() and bool(path.suffix)
        chosen = output_format or (format_of(path) if path is not None and is_file else "parquet")
        found = cls(
            path,
            chosen,
            is_file,
            None if aggregates is None else Path(aggregates),
            None if rejects is None else Path(rejects),
        )
        if found.aggregates is not None:
            format_of(found.aggregates)
        places: set[Path] = set()
        for target in found.all:
            if target.name in ("", ".."):
                raise InvalidInputError(f"{target}: results need a file or folder of their own")
            if not target.absolute().parent.is_dir():
                raise InvalidInputError(f"there is no folder {target.absolute().parent}")
            if target.resolve() in places:
                raise InvalidInputError(f"two results would go to {target}")
            places.add(target.resolve())
        return found

    def check_room(self, overwrite: bool) -> None:
        """Refuse to replace what is there, unless asked; never a folder of other things.

        Raises
        ------
        InvalidInputError
        """
        for target in self.all:
            foreign = self._foreign(target)
            if foreign is not None:
                raise InvalidInputError(
                    f"{target} holds other files than parts ({foreign.name}), and would be "
                    "replaced: choose a folder of its own"
                )
            empty = target == self.output and self.is_empty_folder
            if target.exists() and not overwrite and not empty:
                raise InvalidInputError(
                    f"{target} exists: overwrite=True (--overwrite) replaces it"
                )

    @property
    def is_empty_folder(self) -> bool:
        """Whether the output is a folder that is there, with nothing in it."""
        path = self.output
        return path is not None and path.is_dir() and not any(path.iterdir())

    def _foreign(self, target: Path) -> Path | None:
        """Find something in a folder that no run has written."""
        if not target.is_dir():
            return None
        own = re.compile(rf"part-\d+\.{self.format}")
        others = (p for p in target.iterdir() if not (own.fullmatch(p.name) and p.is_file()))
        return next(others if target == self.output else target.iterdir(), None)

    def keep_apart(self, files: Sequence[str], given: Sequence[AnyPath]) -> None:
        """Refuse to write over the files that are read, or into a folder that was given.

        Raises
        ------
        InvalidInputError
        """
        refuse_to_replace(self.all, files)
        folders = {Path(path).resolve() for path in given if Path(path).is_dir()}
        for target in self.all:
            if not folders.isdisjoint(target.resolve().parents):
                raise InvalidInputError(
                    f"{target} would be among the files that are read: write to another folder"
                )

    def check_schema(self, schema: pa.Schema) -> None:
        """Refuse columns that the output's format cannot hold, before any are computed.

        Raises
        ------
        InvalidInputError
        """
        import pyarrow as pa

        if self.output is None:
            return
        if not len(schema):
            raise InvalidInputError("the output would have no columns")
        if self.format == "arrow":  # it holds anything
            return
        with tempfile.TemporaryDirectory() as folder:
            try:
                sink = open_sink(Path(folder) / "nothing", self.format, schema)
                arrays = [pa.nulls(0, field.type) for field in schema]
                sink.write(pa.RecordBatch.from_arrays(arrays, schema=schema))
                sink.close()
            except pa.ArrowException as error:
                raise InvalidInputError(f"{self.output}: {error}") from error

    def write(self, run: UnfinishedRun, n_parts: int, aggregates: Aggregates | None) -> None:
        """Put everything in its place; what is there already is made once more, the same."""
        if aggregates is not None and self.aggregates is not None:
            write_table(_table_of(aggregates), self.aggregates)
        if self.rejects is not None:
            _join_rejects([run.path(i, "csv") for i in range(n_parts)], self.rejects)
        if self.output is not None and self.is_file:
            joined = run.folder / f"joined.{self.format}"
            join_parts([run.rows_path(i) for i in range(n_parts)], joined, self.format)
            move_into_place(joined, self.output)
        elif self.output is not None and run.parts_folder.exists():
            self.check_room(overwrite=True)  # what others have put there meanwhile is kept
            for path in run.parts_folder.glob("*.tmp"):
                path.unlink()
            move_folder(run.parts_folder, self.output, run.folder / "replaced")


def refuse_to_replace(targets: Iterable[Path], files: Iterable[AnyPath]) -> None:
    """Refuse to write over files that are read, or a folder that holds one, whatever it is called.

    Raises
    ------
    InvalidInputError
    """
    read = [Path(file).resolve() for file in files]
    for target in targets:
        path = target.resolve()
        if any(path == file or path in file.parents for file in read):
            raise InvalidInputError(f"{target} would replace what is read")


def _table_of(aggregates: Aggregates) -> pa.Table:
    """Make the table of aggregates; without rows, one with the columns of a single output."""
    import pyarrow as pa

    pairs = aggregates.wants_interactions and aggregates.group is None
    if aggregates.n_rows:
        return aggregates.interactions.to_arrow() if pairs else aggregates.to_arrow()
    if pairs:
        text, numbers = ["feature", "partner"], ["mean_abs"]
    else:
        groups = [] if aggregates.group is None else ["group"]
        spread = [] if groups else ["standard_deviation", "min", "max"]
        text, numbers = [*groups, "feature"], ["mean_abs", "mean", *spread]
    fields = [(name, pa.string()) for name in text] + [("n_rows", pa.int64())]
    return pa.schema(fields + [(name, pa.float64()) for name in numbers]).empty_table()


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table to a file whose suffix tells the format; it appears when it is whole."""
    with whole_file(path, "batch") as partial:
        sink = open_sink(partial, format_of(path), table.schema)
        for batch in table.to_batches():
            sink.write(batch)
        sink.close()


def _join_rejects(paths: list[Path], target: Path) -> None:
    with whole_file(target, "batch") as partial:
        RejectWriter(partial).close()
        with open(partial, "ab") as out:
            for path in paths:
                if path.exists():  # a part made when rejects were not asked for has none
                    with open(path, "rb") as file:
                        file.readline()  # the header
                        shutil.copyfileobj(file, out)
