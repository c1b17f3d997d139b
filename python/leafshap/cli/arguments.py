"""Arguments that several commands take, and kinds of argument that click does not know."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import click

from leafshap.cli.model_files import MODEL_SUFFIXES

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
          "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}  # fmt: skip


def size(text: str, least: int = 1) -> int:
    """Read a number of bytes: "500MB", "2GiB"; a bare number counts bytes.

    Raises
    ------
    click.BadParameter
        As all functions here; click adds the option's name.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]I?)?B?\s*", text.upper())
    if found is None:
        raise click.BadParameter(f"{text!r} is no size: write 500MB, 2GiB or a number of bytes")
    n_bytes = int(float(found[1]) * _UNITS[found[2] or ""])
    if n_bytes < least:
        raise click.BadParameter(f"{text!r} is too small: at least {least:,} bytes")
    return n_bytes


def memory(text: str) -> int:
    """Read a size that `explain_files` can keep within."""
    return size(text, least=16 << 20)


def fraction(text: str) -> float:
    """Read a share above 0 and at most 1, also written as a percentage."""
    number = text.strip()
    try:
        share = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise click.BadParameter(f"{text!r} is no share above 0 and at most 1 (0.1, or 10%)")
    return share


def jobs(text: str) -> int:
    """Read a number of threads: -1, or positive."""
    try:
        n = int(text)
    except ValueError:
        n = 0
    if n != -1 and n < 1:
        raise click.BadParameter(f"{text!r} is neither a positive number nor -1 (all cores)")
    return n


def names(text: str) -> list[str]:
    """Read names with commas between; one with a comma in it is quoted, as in CSV."""
    try:
        (cells,) = csv.reader([text], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError) as error:
        raise click.BadParameter(f"{text!r} is no list of names: {error}") from error
    found = [name.strip() for name in cells or [""]]
    for name in found:
        if not name or found.count(name) > 1:
            raise click.BadParameter(f"{name!r} is {'there twice' if name else 'no name'}")
    return found


class OutputPath(click.Path):
    """A file or folder to write; stdout is none."""

    def __init__(self, **limits: bool) -> None:
        super().__init__(path_type=Path, **limits)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Make a path."""
        if str(value) == "-":
            self.fail("results go to files, not to stdout: name one", param, ctx)
        return super().convert(value, param, ctx)


def check_background(background: tuple[str, ...], background_rows: int | None) -> None:
    """Refuse a number of background rows without any."""
    if background_rows is not None and not background:
        raise click.UsageError("--background-rows goes with --background")


def _no_models(ctx: click.Context, param: click.Parameter, paths: tuple[str, ...]) -> Any:
    """Refuse data whose suffix is a model's, unless their format is given."""
    if not isinstance(ctx.params.get("input_format"), str):
        for path in paths:
            if Path(path).suffix.lower() in MODEL_SUFFIXES:
                raise click.BadParameter(f"{path!r} looks like a model: MODEL comes first")
    return paths


model_argument = click.argument("model", type=click.Path(path_type=Path))
data_argument = click.argument("data", nargs=-1, required=True, callback=_no_models)
# for a command that says more of what is missing
optional_data_argument = click.argument(
    "data", nargs=-1, metavar="DATA...", required=False, callback=_no_models
)

trust_pickle_option = click.option(
    "--trust-pickle",
    is_flag=True,
    help="Load MODEL even if it is a pickle or joblib file, which can run any code.",
)
background_option = click.option(
    "--background",
    multiple=True,
    callback=_no_models,
    metavar="DATA",
    help="Background rows, for interventional SHAP values; all of them count. Repeatable. "
    "Without: path-dependent values.",
)
background_rows_option = click.option(
    "--background-rows",
    type=click.IntRange(min=1),
    metavar="N",
    help="At most N background rows, drawn at random.  [default: all]",
)
features_option = click.option(
    "--features",
    type=names,
    metavar="A,B,...",
    help="Columns of the features, in the model's order, for a model that knows no names. A name "
    "with a comma is quoted: '\"a,b\",c'.",
)
input_format_option = click.option(
    "--input-format",
    type=click.Choice(["parquet", "csv", "tsv", "arrow", "npy"]),
    is_eager=True,  # decides what DATA may be called
    help="Of DATA.  [default: by its suffix]",
)
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of what is drawn."
)
jobs_option = click.option(
    "--jobs",
    type=jobs,
    default="-1",
    metavar="N",
    help="Threads; -1: all the cores this process may use.  [default: -1]",
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="No progress, no summary.")
