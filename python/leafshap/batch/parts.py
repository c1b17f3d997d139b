"""A run over a source, cut into parts that are written one after another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from leafshap.atomic import move_into_place
from leafshap.batch.bad_rows import bad_rows
from leafshap.batch.grouping import grouped
from leafshap.batch.pipeline import Ahead, Behind
from leafshap.batch.sampling import sample_rows
from leafshap.batch.scoring import Scorer
from leafshap.batch.sinks import RejectWriter, Sink, open_sink
from leafshap.batch.sources import Chunk, Position, Reject, Source
from leafshap.batch.sources.schemas import join_batches
from leafshap.batch.unfinished import Part, UnfinishedRun
from leafshap.errors import AdditivityError, InvalidInputError

if TYPE_CHECKING:
    import pyarrow as pa

    from leafshap.batch.aggregates import Aggregates

Progress = Callable[[int, int | None], None]


class PartWriter(Protocol):
    """Where the results of a part go; called by one thread, in order."""

    def write(self, rows: pa.RecordBatch, rejects: list[Reject]) -> None:
        """Write some rows."""
        ...

    def finish(self, part: Part, aggregates: Aggregates | None) -> None:
        """Say that there are no more."""
        ...


class MergedParts:
    """Adds up the aggregates of all parts, and keeps nothing else."""

    def __init__(self, total: Aggregates) -> None:
        self._total = total

    def open(self, number: int) -> MergedParts:
        """Take the next part."""
        return self

    def write(self, rows: pa.RecordBatch, rejects: list[Reject]) -> None:
        """Let the rows go: their aggregates are what is wanted."""

    def finish(self, part: Part, aggregates: Aggregates | None) -> None:
        """Add the part's."""
        assert aggregates is not None
        self._total.merge(aggregates)


class PartFiles:
    """The files of a part; they get their names when they are whole."""

    def __init__(
        self, run: UnfinishedRun, number: int, schema: pa.Schema | None, rejecting: bool
    ) -> None:
        self._run, self._number = run, number
        self._sink: Sink | None = None
        self._rejects: RejectWriter | None = None
        if schema is not None:
            self._rows = run.rows_path(number)
            self._sink = open_sink(_partial(self._rows), run.format, schema)
        if rejecting:
            partial = _partial(run.path(number, "csv"))
            partial.unlink(missing_ok=True)  # of a killed run: it would be added to
            self._rejects = RejectWriter(partial)

    def write(self, rows: pa.RecordBatch, rejects: list[Reject]) -> None:
        """Write some rows."""
        if self._sink is not None:
            self._sink.write(rows)
        if self._rejects is not None:
            self._rejects.write(rejects)

    def finish(self, part: Part, aggregates: Aggregates | None) -> None:
        """Close the files, move them into place, and then say that the part is whole."""
        if self._sink is not None:
            self._sink.close()
            move_into_place(_partial(self._rows), self._rows)
        if self._rejects is not None:
            self._rejects.close()
            path = self._run.path(self._number, "csv")
            move_into_place(_partial(path), path)
        if aggregates is not None:
            aggregates.save(self._run.path(self._number, "npz"))
        self._run.finish_part(self._number, part)


@dataclass
class _Open:
    """The part that is being written."""

    writer: PartWriter
    aggregates: Aggregates | None
    n_rows: int = 0
    n_read: int = 0
    n_rejected: int = 0
    next: Position = field(default_factory=dict)

    def write(self, rows: pa.RecordBatch, rejects: list[Reject], behind: Behind) -> None:
        behind(self.writer.write, rows, rejects)
        self.n_rows += rows.num_rows
        self.n_rejected += len(rejects)

    def done(self) -> Part:
        return Part(self.n_rows, self.n_read, self.n_rejected, self.next)


@dataclass(frozen=True)
class Job:
    """What is done with every row of a source.

    Attributes
    ----------
    aggregates : Aggregates or None
        Empty; the parts' are made like it.
    rejecting : bool
        Whether bad rows go to a reject file instead of ending the run.
    batch_rows, part_rows : int
        Rows explained at once; rows read for a part, at least.
    """

    scorer: Scorer
    source: Source
    aggregates: Aggregates | None
    fraction: float
    seed: int
    rejecting: bool
    batch_rows: int
    part_rows: int

    def run(
        self,
        whole: list[Part],
        open_part: Callable[[int], PartWriter],
        progress: Progress | None,
    ) -> list[Part]:
        """Make the parts that are not whole yet; returns all of them.

        Raises
        ------
        InvalidInputError
            If a row does not fit the model and none are to be rejected; names file and row.
        AdditivityError
            If values do not add up to the model's prediction.
        """
        parts = list(whole)
        seen = sum(part.n_read for part in parts)
        columns = self.scorer.input_columns(self.source.schema, self.aggregates)
        start = parts[-1].next if parts else None
        exact = self.scorer.kept_columns(self.aggregates)
        chunks = self.source.chunks(
            columns, self.batch_rows, start, rejects=self.rejecting, exact=exact
        )
        tell = progress or (lambda done, total: None)
        tell(seen, self.source.n_rows)
        current: _Open | None = None
        with Behind() as behind, Ahead(grouped(chunks, self.batch_rows)) as ahead:

            def finish(part: _Open) -> None:
                parts.append(part.done())
                behind(part.writer.finish, parts[-1], part.aggregates)

            for group in ahead:
                current = current or self._open(open_part, len(parts))
                for rows, rejects in self._explain(group, seen, current.aggregates):
                    current.write(rows, rejects, behind)
                n_read = sum(chunk.n_read for chunk in group)
                current.n_read += n_read
                current.next = group[-1].next
                seen += n_read
                if current.n_read >= self.part_rows:
                    finish(current)
                    current = None
                tell(seen, self.source.n_rows)
            if current is not None or not parts:  # no rows: a part with none of them
                finish(current or self._open(open_part, 0))
        return parts

    def _bad_rows(self, batch: pa.RecordBatch) -> dict[int, str]:
        """Say of every bad row what is wrong."""
        found = self.scorer.unknown_categories(batch, self.aggregates)  # quicker than by halving
        rest = np.setdiff1d(np.arange(batch.num_rows), list(found))
        if len(rest):
            for at, reason in bad_rows(self._check, batch.take(rest)):
                found[int(rest[at])] = reason
        return found

    def _check(self, batch: pa.RecordBatch) -> None:
        self.scorer.check_rows(batch, self.aggregates)

    def _open(self, open_part: Callable[[int], PartWriter], number: int) -> _Open:
        like = self.aggregates
        return _Open(open_part(number), None if like is None else like.empty())

    def _explain(
        self, group: list[Chunk], seen: int, aggregates: Aggregates | None
    ) -> list[tuple[pa.RecordBatch, list[Reject]]]:
        """Explain chunks together; one by one if something is wrong with one of them."""
        import pyarrow as pa

        sampled = []
        for chunk in group:
            sampled.append(self._sampled(chunk, seen))
            seen += chunk.n_read
        if len(group) == 1:
            return [self._explain_one(sampled[0], aggregates)]
        failure: AdditivityError | None = None
        try:
            whole = join_batches([chunk.batch for chunk in sampled])
            rejects = [reject for chunk in group for reject in chunk.rejects]
            return [(self.scorer.explain(whole, aggregates), rejects)]
        except AdditivityError as error:
            failure = error
        except (InvalidInputError, pa.ArrowException):  # Arrow cannot join any dictionaries
            pass
        explained = [self._explain_one(chunk, aggregates) for chunk in sampled]
        if failure is not None:  # the check looks at some rows only, and now at others
            raise AdditivityError(f"{group[0].file} to {group[-1].file}: {failure}") from failure
        return explained

    def _sampled(self, chunk: Chunk, seen: int) -> Chunk:
        """Leave out the rows that are not in the sample."""
        numbers = chunk.rows
        if self.fraction == 1 or not len(numbers):
            return chunk
        first = min([int(numbers[0])] + [r.row for r in chunk.rejects if r.row is not None])
        kept = sample_rows(seen, chunk.n_read, self.fraction, self.seed)[numbers - first]
        return replace(chunk, batch=chunk.batch.filter(kept), rows=numbers[kept])

    def _explain_one(
        self, chunk: Chunk, aggregates: Aggregates | None
    ) -> tuple[pa.RecordBatch, list[Reject]]:
        """Explain the rows of a chunk that fit the model."""
        batch, numbers, rejects = chunk.batch, chunk.rows, list(chunk.rejects)
        try:
            return self.scorer.explain(batch, aggregates), rejects
        except AdditivityError as error:
            raise AdditivityError(
                f"{chunk.file}, rows {numbers[0]} to {numbers[-1]}: {error}"
            ) from error
        except InvalidInputError as error:
            if not self.rejecting:
                bad = bad_rows(self._check, batch) if len(numbers) else iter(())
                at, reason = next(bad, (None, str(error)))
                place = "" if at is None else f", row {numbers[at]}"
                raise InvalidInputError(f"{chunk.file}{place}: {reason}") from error
            found = self._bad_rows(batch)
            if not found:
                raise InvalidInputError(f"{chunk.file}: {error}") from error
        good = np.ones(len(numbers), dtype=bool)
        for at, reason in found.items():
            good[at] = False
            text = str({k: v[0] for k, v in batch.slice(at, 1).to_pydict().items()})
            rejects.append(Reject(chunk.file, int(numbers[at]), None, reason, text))
        rejects.sort(key=lambda reject: -1 if reject.row is None else reject.row)
        return self.scorer.explain(batch.filter(good), aggregates), rejects


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.tmp")
