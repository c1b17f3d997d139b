"""``leafshap importance``: mean |phi|, permutation importance and gain, side by side."""

from __future__ import annotations

from pathlib import Path

import click

from leafshap.batch.scoring import require_pyarrow
from leafshap.cli.arguments import (
    OutputPath,
    background_option,
    background_rows_option,
    check_background,
    data_argument,
    features_option,
    input_format_option,
    jobs_option,
    model_argument,
    quiet_option,
    seed_option,
    trust_pickle_option,
)
from leafshap.cli.data_files import named_schema, read_background, read_rows
from leafshap.cli.importance_picture import draw_importances
from leafshap.cli.importance_table import measure, notes, print_importances
from leafshap.cli.model_files import NO_COVER, load_model
from leafshap.cli.output_files import PICTURES, TABLES, check_target, keep_apart, write_table
from leafshap.cli.progress import row_progress
from leafshap.errors import UnsupportedModelError

_ROWS = 100_000
_SORTS = {
    "phi": "mean_abs_phi",
    "permutation": "permutation",
    "gain": "total_gain",
    "split": "split",
    "name": None,
}

_EXAMPLES = """\b
Examples:
  leafshap importance model.json data.parquet
  leafshap importance model.json data.parquet --target label --scoring roc_auc
  leafshap importance model.json data.parquet --target label --out importance.csv
  leafshap importance model.json data.parquet --out importance.png
"""


@click.command(
    short_help="Importance of features: mean |phi|, permutation, gain.", epilog=_EXAMPLES
)
@model_argument
@data_argument
@click.option("--target", metavar="COLUMN", help="Labels; adds permutation importance.")
@click.option(
    "--scoring",
    metavar="NAME",
    help="Score that permutation lowers, by scikit-learn's name.  [default: the estimator's own "
    "of a pickled one; else r2, or neg_log_loss of a classifier]",
)
@click.option(
    "--repeats",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="How often each feature is permuted.",
)
@click.option(
    "--rows",
    type=click.IntRange(min=1),
    default=_ROWS,
    show_default=True,
    help="Rows to measure on, drawn at random if there are more.",
)
@background_option
@background_rows_option
@seed_option
@click.option(
    "--sort", type=click.Choice(list(_SORTS)), default="phi", show_default=True, help="By what."
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Features to show, printed or drawn.",
)
@click.option(
    "--out",
    "-o",
    type=OutputPath(),
    metavar="FILE",
    help="Write all features to .csv, .json or .parquet, or draw the first to .png, .svg or .pdf.",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE if it is there.")
@features_option
@input_format_option
@jobs_option
@quiet_option
@trust_pickle_option
def importance(
    model: Path,
    data: tuple[str, ...],
    target: str | None,
    scoring: str | None,
    repeats: int,
    rows: int,
    background: tuple[str, ...],
    background_rows: int | None,
    seed: int,
    sort: str,
    top: int,
    out: Path | None,
    overwrite: bool,
    features: list[str] | None,
    input_format: str | None,
    jobs: int,
    quiet: bool,
    trust_pickle: bool,
) -> None:
    """Measure how much each feature of MODEL matters, on rows of DATA.

    Mean |phi| tells how far it moves predictions, permutation importance what a score loses when
    its values are shuffled, gain and splits what training did with it. Percentages are shares of
    the column's sum. Read docs/feature_importance.md before you trust any.
    """
    if target is None and (scoring is not None or sort == "permutation"):
        raise click.UsageError(
            f"{'--scoring' if scoring is not None else '--sort permutation'} needs --target"
        )
    check_background(background, background_rows)
    if out is not None:
        check_target(out, overwrite, (*TABLES, *PICTURES))
        keep_apart([out], model, (data, input_format), (background, None))

    require_pyarrow("to read data files takes", "cli")
    converted = load_model(model, trust_pickle=trust_pickle)
    ensemble = converted.ensemble
    if not background and not ensemble.has_cover:
        raise UnsupportedModelError(NO_COVER)
    schema = named_schema(ensemble, features)
    behind = None
    if background:
        behind = read_background(background, schema, [target], background_rows, seed, quiet)
    with row_progress("reading", quiet=quiet) as progress:
        found = read_rows(
            data,
            schema,
            others=[] if target is None else [target],
            most=rows,
            seed=seed,
            input_format=input_format,
            progress=progress,
        )
    with row_progress("permuting", quiet=quiet) as progress:
        result = measure(
            converted,
            found,
            background=behind,
            scoring=scoring,
            repeats=repeats,
            seed=seed,
            n_jobs=jobs,
            progress=progress,
        )
    order = result.order(_SORTS[sort])
    if out is None:
        print_importances(result, order[:top])
        click.echo(f"\n{notes(result, found, len(order[:top]), repeats, seed)}")
        return
    if out.suffix.lower() in PICTURES:
        draw_importances(result, order[:top], out)
        order = order[:top]
    else:
        write_table(result.rows(order), out)
    if not quiet:
        click.echo(f"{notes(result, found, len(order), repeats, seed)}\nwritten: {out}", err=True)
