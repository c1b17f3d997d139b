"""Explaining files: from Parquet, CSV, Arrow or npy to the same, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leafshap.batch.layout import OutputOptions
from leafshap.batch.parts import Job, MergedParts, PartFiles, PartWriter, Progress
from leafshap.batch.resumption import begin
from leafshap.batch.sampling import check_fraction
from leafshap.batch.scoring import Explainer, Scorer
from leafshap.batch.sources import open_source
from leafshap.batch.targets import AnyPath, Targets
from leafshap.batch.unfinished import Part, UnfinishedRun
from leafshap.errors import InvalidInputError
from leafshap.integers import at_least

if TYPE_CHECKING:
    from typing import Unpack

    import pyarrow as pa

    from leafshap.batch.aggregates import Aggregates

# a part is what a killed run loses at most: seconds of work, and one file of a folder
_PART_BYTES, _PART_ROWS = 256 << 20, 1 << 20
# chunks that are read ahead, explained and written at the same time
_IN_FLIGHT = 8
_LEAST_MEMORY = 16 << 20


@dataclass(frozen=True)
class RunReport:
    """What became of a run.

    Attributes
    ----------
    output : Path or None
        The file or folder that was written.
    n_rows : int
        Rows explained, with those of parts that were there already.
    n_rejected : int
        Rows (and whole files) in the reject file.
    n_resumed : int
        Rows of the input that an earlier run had done.
    seconds : float
    aggregates : Aggregates or None
    """

    output: Path | None
    n_rows: int
    n_rejected: int
    n_resumed: int
    seconds: float
    aggregates: Aggregates | None


def explain_files(
    explainer: Explainer,
    source: AnyPath | Sequence[AnyPath],
    output: AnyPath | None = None,
    *,
    aggregates: Aggregates | None = None,
    aggregate_output: AnyPath | None = None,
    sample: float | None = None,
    seed: int = 0,
    input_format: str | None = None,
    output_format: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    rejects: AnyPath | None = None,
    memory: int | None = None,
    part_rows: int | None = None,
    progress: Progress | None = None,
    **options: Unpack[OutputOptions],
) -> RunReport:
    """Explain the rows of files, in memory that does not grow with their number.

    One thread reads, one writes, the others explain. While it runs, all results are in a folder
    "<output>.unfinished"; the output appears when it is whole.

    Parameters
    ----------
    explainer : TreeExplainer or KernelExplainer
    source : path or sequence of paths
        A file, a folder (with folders like "year=2024" in it, which become columns), a pattern
        such as ``data/*.parquet``, or several of them: Parquet, CSV, Arrow IPC or Feather, npy.
    output : path, optional
        A .parquet, .arrow, .feather, .csv or .npz file; or a folder, for one file of each part.
        None for aggregates only.
    aggregates : Aggregates, optional
        An empty one; every explained row is added to it.
    aggregate_output : path, optional
        File for the table of the aggregates (a new `Aggregates` if none are given).
    sample, seed
        As in `explain_batches`.
    input_format, output_format : str, optional
        "parquet", "csv", "arrow", "npy"; "parquet", "arrow", "csv", "npz". By default the suffix
        tells; a folder gets Parquet.
    resume : bool, default False
        Go on with a run that was stopped, at its first missing part; from the start if there is
        none. The result is the same as that of one undisturbed run.
    overwrite : bool, default False
        Replace an output that is there, and forget an unfinished run.
    rejects : path, optional
        CSV file for rows that cannot be read or do not fit the model, with file, row and reason;
        without it the first one ends the run.
    memory : int, optional
        Bytes for the rows that are read, explained and written at the same time, 16 MB at least;
        the explainer's own tables and the libraries come on top.
    part_rows : int, optional
        Rows of a part; by default about a million, less if they are wide.
    progress : callable, optional
        ``progress(done, total)`` in rows of the input, total None where it is not known.
    **options
        Those of `explain_batches`.

    Returns
    -------
    RunReport

    Raises
    ------
    InvalidInputError
        If an argument does not hold, a column is absent, a row is bad (with file and row), the
        output exists, or an unfinished run is of other data, another model or other options.
    AdditivityError
        If values do not add up to the model's prediction.
    OSError
        If a file cannot be read or written.
    """
    began = time.perf_counter()
    scorer = Scorer(explainer, **options)
    fraction = check_fraction(sample)
    targets = Targets.read(output, output_format, aggregate_output, rejects)
    if aggregates is None and aggregate_output is not None:
        from leafshap.batch.aggregates import Aggregates

        aggregates = Aggregates()
    if targets.output is None and aggregates is None:
        raise InvalidInputError("nothing is asked for: give an output or aggregates")
    if aggregates is not None and aggregates.n_rows:
        raise InvalidInputError("aggregates must be empty at the start of a run")
    inputs = open_source(source, input_format)
    targets.keep_apart(inputs.files, [source] if isinstance(source, (str, PathLike)) else source)
    inputs.expect_numbers(scorer.numeric_features(inputs.schema, aggregates))
    columns = scorer.input_columns(inputs.schema, aggregates)
    _refuse_unnamed_categories(scorer, inputs.schema, aggregates)
    rows = _batch_rows(scorer, len(columns), memory)
    job = Job(
        scorer, inputs, aggregates, fraction, seed, rejects is not None, rows,
        _part_rows(part_rows, rows, len(columns)),
    )  # fmt: skip
    if targets.first is None:
        assert aggregates is not None
        total = aggregates
        parts = job.run([], lambda number: MergedParts(total), progress)
        return _report(targets, parts, 0, began, aggregates)
    run = UnfinishedRun(targets.first, "arrow" if targets.is_file else targets.format)
    job, whole = begin(run, job, explainer, targets, resume, overwrite)
    try:
        parts = _make_parts(run, job, whole, targets, progress)
        _complete(run, targets, parts, aggregates)
    except BaseException as error:
        _leave(run, error)
        raise
    return _report(targets, parts, sum(part.n_read for part in whole), began, aggregates)


def _refuse_unnamed_categories(
    scorer: Scorer, schema: pa.Schema, aggregates: Aggregates | None
) -> None:
    for name in scorer.unnamed_categories(schema, aggregates):
        raise InvalidInputError(
            f"column {name!r} holds category values, which each file may number in its own way, "
            "and the model does not store those of training: write the codes of training instead"
        )


def _make_parts(
    run: UnfinishedRun, job: Job, whole: list[Part], targets: Targets, progress: Progress | None
) -> list[Part]:
    if run.is_complete:
        return whole
    schema = None
    if targets.output is not None:
        schema = job.scorer.output_schema(job.source.schema, job.aggregates)

    def open_part(number: int) -> PartWriter:
        return PartFiles(run, number, schema, job.rejecting)

    return job.run(whole, open_part, progress)


def _complete(
    run: UnfinishedRun, targets: Targets, parts: list[Part], aggregates: Aggregates | None
) -> None:
    if aggregates is not None:
        if run.is_complete:
            paths = [run.aggregates_path]
        else:
            paths = [run.path(number, "npz") for number in range(len(parts))]
        for path in paths:
            aggregates.merge(type(aggregates).load(path))
    if not run.is_complete:
        targets.write(run, len(parts), aggregates)
        if aggregates is not None:
            aggregates.save(run.aggregates_path)
        run.mark_complete(parts)
    run.remove()


def _leave(run: UnfinishedRun, error: BaseException) -> None:
    """Keep what is done of a run that failed, and say how to go on; remove it if there is none."""
    done = sum(part.n_read for part in run.parts()) if run.exists else 0
    if done:
        error.add_note(
            f"{done:,} rows are done and kept in {run.folder}: resume=True (--resume) goes on"
        )
    else:
        run.remove()


def _batch_rows(scorer: Scorer, n_columns: int, memory: int | None) -> int:
    if memory is None:
        return scorer.block_rows(n_columns)
    return scorer.block_rows(n_columns, at_least(_LEAST_MEMORY, memory, "memory") // _IN_FLIGHT)


def _part_rows(part_rows: int | None, batch_rows: int, n_columns: int) -> int:
    if part_rows is not None:
        return at_least(1, part_rows, "part_rows")
    return int(np.clip(_PART_BYTES // (8 * n_columns), batch_rows, _PART_ROWS))


def _report(
    targets: Targets,
    parts: list[Part],
    n_resumed: int,
    began: float,
    aggregates: Aggregates | None,
) -> RunReport:
    return RunReport(
        output=targets.output,
        n_rows=sum(part.n_rows for part in parts),
        n_rejected=sum(part.n_rejected for part in parts),
        n_resumed=n_resumed,
        seconds=time.perf_counter() - began,
        aggregates=aggregates,
    )
