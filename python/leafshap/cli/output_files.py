"""Small tables that commands write: .csv, .json or .parquet, whole or not at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from leafshap.atomic import whole_file
from leafshap.batch.sources.listing import list_files
from leafshap.batch.targets import refuse_to_replace
from leafshap.errors import InvalidInputError

TABLES = (".csv", ".json", ".parquet")
PICTURES = (".png", ".svg", ".pdf")


def check_target(path: Path, overwrite: bool, kinds: Sequence[str]) -> None:
    """Refuse a file that could not be written, before there is anything to write.

    Raises
    ------
    InvalidInputError
        If its suffix is none of `kinds`, its folder is absent, or it is there already.
    """
    if path.suffix.lower() not in kinds:
        raise InvalidInputError(f"{path}: the suffix must be one of {', '.join(kinds)}")
    if not path.parent.is_dir():
        raise InvalidInputError(f"{path}: there is no folder {path.parent}")
    if path.is_dir():
        raise InvalidInputError(f"{path} is a folder")
    if path.exists() and not overwrite:
        raise InvalidInputError(f"{path} is there already: --overwrite replaces it")


def keep_apart(
    targets: Iterable[Path | None],
    model: Path,
    *inputs: tuple[Sequence[str], str | None],
) -> None:
    """Refuse to write over the model or over data, whatever the paths are called.

    Parameters
    ----------
    targets : iterable of Path or None
        What will be written; None is nothing.
    model : Path
    *inputs : tuple of (sequence of str, str or None)
        Files, folders or patterns, and their format (None: by the suffix).

    Raises
    ------
    InvalidInputError
        If a target, or a folder that is one, is or holds a file that is read; or there is no such
        input.
    """
    read = [model]
    for paths, format in inputs:
        if paths:
            read += [file.path for file in list_files(paths, format)[1]]
    refuse_to_replace([target for target in targets if target is not None], read)


def write_table(columns: Mapping[str, Sequence[Any]], path: Path) -> None:
    """Write columns of equal length, in the format of the suffix.

    JSON is a list of records; numbers are written with all their digits.
    """
    suffix = path.suffix.lower()
    rows = zip(*columns.values(), strict=True)
    with whole_file(path) as partial:
        if suffix == ".parquet":
            import pyarrow as pa
            import pyarrow.parquet

            pyarrow.parquet.write_table(pa.table({k: list(v) for k, v in columns.items()}), partial)
        elif suffix == ".json":
            records = [dict(zip(columns, row, strict=True)) for row in rows]
            partial.write_text(f"{json.dumps(records, indent=1)}\n", encoding="utf-8")
        else:
            with open(partial, "w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(columns)
                writer.writerows(rows)
