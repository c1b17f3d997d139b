"""Small chunks put together: what is explained at once may come from many files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from leafshap.batch.sources import Chunk


def grouped(chunks: Iterable[Chunk], rows: int) -> Iterator[list[Chunk]]:
    """Put consecutive chunks of one schema together, as long as they have at most `rows` rows.

    Which chunks are together depends only on the group's first one and those after it, so that
    a run that is resumed behind a group goes on with the same groups.
    """
    group: list[Chunk] = []
    n = 0
    for chunk in chunks:
        fits = n + len(chunk.rows) <= rows
        if group and not (fits and chunk.batch.schema == group[0].batch.schema):
            yield group
            group, n = [], 0
        group.append(chunk)
        n += len(chunk.rows)
    if group:
        yield group
