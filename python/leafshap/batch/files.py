"""Explaining files: from Parquet, CSV, Arrow or npy to the same, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from leafshap.batch.categories import refuse_values
from leafshap.batch.layout import OutputOptions, yes_or_no
from leafshap.batch.parts import Job, MergedParts, PartFiles, PartWriter, Progress
from leafshap.batch.resumption import begin
from leafshap.batch.sampling import check_fraction, check_seed
from leafshap.batch.scoring import Explainer, Scorer
from leafshap.batch.sources import Source, open_source
from leafshap.batch.targets import AnyPath, Targets
from leafshap.batch.unfinished import Part, UnfinishedRun
from leafshap.errors import InvalidInputError
from leafshap.integers import at_least

if TYPE_CHECKING:
    from typing import Unpack

    import pyarrow as pa

    from leafshap.batch.aggregates import Aggregates

# a part is what a killed run loses at most: seconds of work, and one file of a folder
_PART_BYTES, _PART_ROWS = 1 << 30, 1 << 20
# chunks that are read ahead, explained and written at the same time
_IN_FLIGHT = 8
_LEAST_MEMORY = 16_000_000


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
        File for the table of the aggregates (a new `Aggregates` if none are given): of the groups
        if there are any, otherwise of the interactions, otherwise of the features.
    sample, seed
        As in `explain_batches`.
    input_format, output_format : str, optional
        "parquet", "csv", "arrow", "npy"; "parquet", "arrow", "csv", "npz". By default the suffix
        tells; a folder gets Parquet.
    resume : bool, default False
        Go on with a run that was stopped, at its first missing part; from the start if there is
        none. The result is the same as that of one undisturbed run. Results that are there and
        whole remain an error: nothing tells what they were made from.
    overwrite : bool, default False
        Replace an output that is there, and forget an unfinished run. A folder with other files
        than parts in it is never replaced.
    rejects : path, optional
        CSV file for rows that cannot be read or do not fit the model, with file, row and reason;
        without it the first one ends the run.
    memory : int, optional
        Bytes for the rows that are read, explained and written at the same time, 16 MB at least;
        the explainer's own tables and the libraries come on top.
    part_rows : int, optional
        Rows of a part; by default about a million, less if they are wide. A run that is resumed
        keeps its sizes.
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
    resume, overwrite = yes_or_no(resume, "resume"), yes_or_no(overwrite, "overwrite")
    if resume and overwrite:
        raise InvalidInputError("resume=True and overwrite=True exclude each other")
    scorer = Scorer(explainer, **options)
    fraction, seed = check_fraction(sample), check_seed(seed)
    targets = Targets.read(output, output_format, aggregate_output, rejects)
    totals = _empty(aggregates, aggregate_output is not None)
    if targets.output is None and totals is None:
        raise InvalidInputError("nothing is asked for: give an output or aggregates")
    inputs = open_source(source, input_format)
    targets.keep_apart(inputs.files, [source] if isinstance(source, (str, PathLike)) else source)
    _expect(inputs, scorer, totals)
    scorer.check_types(inputs.schema, totals)
    refuse_values(scorer.coded_categories(inputs.schema, totals), inputs.schema)
    schema = scorer.output_schema(inputs.schema, totals)
    targets.check_schema(schema)
    job = _job(scorer, inputs, totals, fraction, seed, rejects is not None, memory, part_rows)
    resumed = 0
    if targets.first is None:
        assert totals is not None
        parts = job.run([], MergedParts(totals).open, progress)
    else:
        run = UnfinishedRun(targets.first, "arrow" if targets.is_file else targets.format)
        with run.held():
            job, whole = begin(run, job, explainer, targets, resume, overwrite)
            resumed = sum(part.n_read for part in whole)
            try:
                parts = _make_parts(run, job, whole, schema, targets, progress)
                _complete(run, targets, parts, totals)
            except BaseException as error:
                _leave(run, error)
                raise
    if aggregates is not None and totals is not None:
        aggregates.merge(totals)
    return RunReport(
        output=targets.output,
        n_rows=sum(part.n_rows for part in parts),
        n_rejected=sum(part.n_rejected for part in parts),
        n_resumed=resumed,
        seconds=time.perf_counter() - began,
        aggregates=totals if aggregates is None else aggregates,
    )


def _empty(aggregates: Aggregates | None, to_file: bool) -> Aggregates | None:
    """Make what the run adds up; the user's own object gets it when all went well."""
    from leafshap.batch.aggregates import Aggregates

    if aggregates is None:
        return Aggregates() if to_file else None
    if not isinstance(aggregates, Aggregates):
        raise InvalidInputError(f"expected Aggregates, got {type(aggregates).__name__}")
    if aggregates.n_rows:
        raise InvalidInputError("aggregates must be empty at the start of a run")
    return aggregates.empty()


def _job(
    scorer: Scorer,
    inputs: Source,
    totals: Aggregates | None,
    fraction: float,
    seed: int,
    rejecting: bool,
    memory: int | None,
    part_rows: int | None,
) -> Job:
    """Choose how many rows are explained at once, and how many make a part."""
    n_columns = len(scorer.input_columns(inputs.schema, totals))
    rows = scorer.block_rows(n_columns)
    if memory is not None:
        chunk = at_least(_LEAST_MEMORY, memory, "memory") // _IN_FLIGHT
        rows = scorer.block_rows(n_columns, chunk)
    if part_rows is None:
        of_bytes = _PART_BYTES // scorer.row_bytes(n_columns)
        part_rows = max(rows, min(_PART_ROWS, of_bytes))
    part_rows = at_least(1, part_rows, "part_rows")
    return Job(scorer, inputs, totals, fraction, seed, rejecting, rows, part_rows)


def _expect(inputs: Source, scorer: Scorer, totals: Aggregates | None) -> None:
    """Tell text files what their columns are for."""
    numbers, text = scorer.kinds_of_features(inputs.schema, totals)
    inputs.expect(numbers=numbers, text=text, keys=scorer.kept_columns(totals))


def _make_parts(
    run: UnfinishedRun,
    job: Job,
    whole: list[Part],
    schema: pa.Schema,
    targets: Targets,
    progress: Progress | None,
) -> list[Part]:
    if run.is_complete:
        return whole

    def open_part(number: int) -> PartWriter:
        return PartFiles(run, number, None if targets.output is None else schema, job.rejecting)

    return job.run(whole, open_part, progress)


def _complete(
    run: UnfinishedRun, targets: Targets, parts: list[Part], totals: Aggregates | None
) -> None:
    if totals is not None:
        if run.is_complete:
            paths = [run.aggregates_path]
        else:
            paths = [run.path(number, "npz") for number in range(len(parts))]
        for path in paths:
            totals.merge(type(totals).load(path))
    if not run.is_complete:
        run.mark_moving()
        targets.write(run, len(parts), totals)
        if totals is not None:
            totals.save(run.aggregates_path)
        run.mark_complete(parts)
    run.remove()


def _leave(run: UnfinishedRun, error: BaseException) -> None:
    """Keep what is done of a run that failed, and say how to go on; remove it if there is none."""
    if isinstance(error, OSError) and error.filename is None:  # of reading, it would be named
        error.add_note(f"while writing {run.folder}")
    done = run.n_done if run.exists else 0
    if done:
        error.add_note(
            f"{done:,} rows are done and kept in {run.folder}: resume=True (--resume) goes on"
        )
    else:
        run.remove()
