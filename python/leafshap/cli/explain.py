"""``leafshap explain``: SHAP values of data files, into files."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from leafshap.batch.scoring import require_pyarrow
from leafshap.batch.unfinished import UnfinishedRun
from leafshap.cli.arguments import (
    OutputPath,
    background_option,
    background_rows_option,
    check_background,
    features_option,
    fraction,
    input_format_option,
    jobs_option,
    memory,
    model_argument,
    optional_data_argument,
    quiet_option,
    seed_option,
    trust_pickle_option,
)
from leafshap.cli.data_files import (
    index_of_pandas,
    knows_names,
    named_schema,
    read_background,
)
from leafshap.cli.model_files import NO_COVER, load_model
from leafshap.cli.output_files import keep_apart
from leafshap.cli.progress import row_progress, time_text
from leafshap.errors import InvalidInputError, UnsupportedModelError
from leafshap.explainers.tree import TreeExplainer

if TYPE_CHECKING:
    from leafshap.batch import RunReport

_TERMINAL = "-"  # aggregates are printed

_EXAMPLES = """\b
Examples:
  leafshap explain model.json data.parquet -o values.parquet
  leafshap explain model.json data.parquet -o top.csv --values none --top-k 3 --key id
  leafshap explain model.json parts/ -o shap/ --background train.parquet --memory 500MB
  leafshap explain model.json parts/ --aggregate means.csv --group-by region
"""


@click.command(
    short_help="SHAP values of data files, into files; or their means.", epilog=_EXAMPLES
)
@model_argument
@optional_data_argument
@click.option(
    "--out",
    "-o",
    type=OutputPath(),
    help="File for the values (.parquet .arrow .csv .npz), or folder for Parquet parts.",
)
@background_option
@background_rows_option
@click.option(
    "--model-output",
    type=click.Choice(["raw", "probability", "predict", "log_loss"]),
    default="raw",
    show_default=True,
    help="What is explained; all but raw take --background, and time that grows with its rows.",
)
@click.option("--label", metavar="COLUMN", help="Labels, for --model-output log_loss.")
@click.option(
    "--interactions",
    is_flag=True,
    help="SHAP interaction values instead; aggregates are their strengths.",
)
@click.option(
    "--values",
    type=click.Choice(["list", "columns", "none"]),
    default="list",
    show_default=True,
    help="A list for each row, a column for each feature, or no values.",
)
@click.option(
    "--top-k",
    type=click.IntRange(min=0),
    default=0,
    metavar="K",
    help="Also the K features with the largest |phi| of each row, and their values.",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="COLUMN",
    help="A column of DATA to carry through. Repeatable.",
)
@click.option("--prediction", is_flag=True, help="Also what the values add up to.")
@click.option(
    "--aggregate",
    is_flag=False,
    flag_value=_TERMINAL,
    metavar="[FILE]",
    help="Mean |phi|, mean, deviation and range of every feature: into FILE (.csv .parquet "
    ".arrow .npz), "
    "or printed. Without --out nothing else is made.",
)
@click.option("--group-by", metavar="COLUMN", help="Aggregates by the values of a column, too.")
@click.option("--histograms", is_flag=True, help="Aggregates with median and quantiles, too.")
@click.option(
    "--sample", type=fraction, metavar="FRACTION", help="Only this share of the rows: 0.1, 10%."
)
@seed_option
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float64"]),
    default="float32",
    show_default=True,
    help="Of computation and values. float32 is twice as fast, makes files half as large, and is "
    "within 2e-6 of float64 relative to the largest value.",
)
@jobs_option
@click.option(
    "--memory",
    type=memory,
    metavar="SIZE",
    help="For rows that are read, explained and written: 500MB, 2GiB; the model comes on top.",
)
@features_option
@input_format_option
@click.option(
    "--output-format",
    type=click.Choice(["parquet", "arrow", "csv", "npz"]),
    help="Of --out.  [default: by its suffix; parquet for a folder]",
)
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@click.option(
    "--rejects",
    type=OutputPath(dir_okay=False),
    metavar="FILE",
    help="List bad rows in this .csv and go on. Without, the first one is an error.",
)
@click.option(
    "--check/--no-check",
    default=True,
    help="Compare sums of values with predictions on some rows.  [default: check]",
)
@quiet_option
@trust_pickle_option
def explain(
    model: Path,
    data: tuple[str, ...],
    out: Path | None,
    background: tuple[str, ...],
    background_rows: int | None,
    model_output: str,
    aggregate: str | None,
    group_by: str | None,
    histograms: bool,
    features: list[str] | None,
    dtype: str,
    jobs: int,
    quiet: bool,
    trust_pickle: bool,
    check: bool,
    **options: Any,
) -> None:
    """Explain every row of DATA: Parquet, CSV, Arrow or .npy files, a folder or a glob pattern.

    MODEL is an XGBoost .json or .ubj, a LightGBM .txt, or a file of TreeEnsemble.save. Columns are
    found by their names. Memory does not grow with the number of rows. A run that was stopped, by
    whatever, goes on with --resume.
    """
    _check_usage(data, out, aggregate, group_by, histograms, background, model_output, options)
    check_background(background, background_rows)
    written = None if aggregate in (None, _TERMINAL) else Path(str(aggregate))
    require_pyarrow("to read data files takes", "cli")
    from leafshap.batch import Aggregates, explain_files

    converted = load_model(model, trust_pickle=trust_pickle)
    keep_apart(
        (out, written, options["rejects"]),
        model,
        (data, options["input_format"]),
        (background, None),
    )
    schema, rows = named_schema(converted.ensemble, features), None
    if out is None and options["keys"] and knows_names(schema):
        raise click.UsageError("--key goes with --out")
    if background:
        set_apart = [*options["keys"], options["label"], group_by]
        rows = read_background(
            background, schema, set_apart, background_rows, options["seed"], quiet
        )
    elif not converted.ensemble.has_cover:
        raise UnsupportedModelError(NO_COVER)
    explainer = TreeExplainer(
        converted, rows, model_output, feature_names=features, dtype=dtype, n_jobs=jobs
    )
    aggregates = None
    if aggregate is not None:
        aggregates = Aggregates(
            group=group_by, interactions=options["interactions"], histograms=histograms
        )
    progress = row_progress("explaining", quiet=quiet)
    try:
        with progress:
            report = explain_files(
                explainer,
                list(data),
                out,
                aggregates=aggregates,
                aggregate_output=written,
                check_additivity="few" if check else False,
                progress=progress,
                **options,
            )
    except BaseException as error:
        _tell_how_to_resume(error, out or written)
        _tell_of_index(error, data, options["input_format"])
        raise
    if not quiet:
        _summarise(report, progress.done, options["rejects"], written)
    if report.n_rejected and not report.n_rows:
        raise InvalidInputError(
            f"no row could be explained: {options['rejects']} says what is wrong with them"
        )
    if aggregate == _TERMINAL:
        from leafshap.cli.aggregates import print_aggregates

        assert report.aggregates is not None
        print_aggregates(report.aggregates)


def _check_usage(
    data: tuple[str, ...],
    out: Path | None,
    aggregate: str | None,
    group_by: str | None,
    histograms: bool,
    background: tuple[str, ...],
    model_output: str,
    options: dict[str, Any],
) -> None:
    """Refuse options that do not go together."""
    if not data:
        taken = "" if aggregate in (None, _TERMINAL) else f"; --aggregate took {aggregate!r}"
        raise click.UsageError(f"Missing argument 'DATA...'{taken}")
    if out is None and aggregate is None:
        raise click.UsageError("nothing is asked for: give --out FILE, or --aggregate")
    if out is None:
        _refuse_without_out("values", "top_k", "prediction", "output_format")
    if aggregate is None and (group_by is not None or histograms):
        raise click.UsageError(
            f"{'--histograms' if group_by is None else '--group-by'} goes with --aggregate"
        )
    if aggregate not in (None, _TERMINAL):
        tables = [options["interactions"], histograms, group_by is not None]
        if sum(tables) > 1:
            raise click.UsageError(
                "a FILE of --aggregate is one table: of --interactions, --histograms or --group-by"
            )
    if model_output != "raw" and not background:
        raise click.UsageError(f"--model-output {model_output} needs --background")
    if (options["label"] is not None) != (model_output == "log_loss"):
        raise click.UsageError("--label and --model-output log_loss go together")
    if options["resume"] and options["overwrite"]:
        raise click.UsageError("--resume and --overwrite exclude each other")


def _refuse_without_out(*names: str) -> None:
    """Refuse options that say what is in the output, where there is none."""
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name.replace('_', '-')} goes with --out")


def _tell_how_to_resume(error: BaseException, output: Path | None) -> None:
    """Add the command that goes on to an error that has left an unfinished run."""
    if output is None or not UnfinishedRun(output, "").exists or not hasattr(error, "__notes__"):
        return
    given = [word for word in click.get_current_context().obj if word != "--overwrite"]
    if "--resume" not in given:
        given.append("--resume")
    error.add_note(f"  {shlex.join(['leafshap', *given])}")


def _tell_of_index(error: BaseException, data: Sequence[str], input_format: str | None) -> None:
    """Say where the column of an error is, if it is an index of pandas."""
    if not isinstance(error, InvalidInputError) or "there is no column" not in str(error):
        return
    name = index_of_pandas(data, input_format)
    if name is not None and repr(name) in str(error):
        error.add_note(
            f"{name!r} is the index of a DataFrame, whose numbers pandas does not write as a "
            "column: reset_index() before to_parquet()"
        )


def _summarise(
    report: RunReport, n_read: int, rejects: Path | None, aggregates: Path | None
) -> None:
    made = n_read - report.n_resumed
    rate = f", {made / report.seconds:,.0f} rows/s" if made > 0 and report.seconds > 0 else ""
    of = "" if report.n_rows == n_read else f" of {n_read:,}"
    lines = [f"{report.n_rows:,}{of} rows in {time_text(report.seconds)}{rate}"]
    if report.n_resumed:
        lines[0] += f"; {report.n_resumed:,} rows of the input were done before"
    if report.n_rejected:
        lines.append(f"{report.n_rejected:,} bad rows or files: {rejects}")
    lines += [f"written: {path}" for path in (report.output, aggregates) if path is not None]
    for line in lines:
        click.echo(line, err=True)
