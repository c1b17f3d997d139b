"""Cutting the evaluation of coalitions into calls of the function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from leafshap.errors import InvalidInputError
from leafshap.integers import whole_number

MEMORY_LIMIT = 256 << 20
# An MLP of scikit-learn with 100 hidden units and 15 columns on one thread takes 200 ns a row for
# 4,096 rows, 200 for 8,192, 250 to 330 for 16,384 and 390 for 32,768: what it computes no longer
# fits the cache. What is slow for each call, as a remote model, wants more.
BATCH_ROWS = 1 << 13


@dataclass(frozen=True)
class Limits:
    """How large one call may be: bytes of the rows it is given, and their number."""

    memory: int = MEMORY_LIMIT
    rows: int = BATCH_ROWS

    @staticmethod
    def read(memory_limit: int | None = None, batch_rows: int | None = None) -> Limits:
        """Check what the user gave; None stands for the default."""
        given = {
            "memory_limit": MEMORY_LIMIT if memory_limit is None else memory_limit,
            "batch_rows": BATCH_ROWS if batch_rows is None else batch_rows,
        }
        for name, value in given.items():
            number = whole_number(value)
            if number is None or number < 1:
                raise InvalidInputError(f"{name} must be a whole number above 0, got {value!r}")
        return Limits(int(given["memory_limit"]), int(given["batch_rows"]))

    def rows_of(self, row_bytes: float) -> int:
        """Rows of one call, at least 1."""
        return max(1, min(self.rows, int(self.memory / max(row_bytes, 1.0))))


def even_spans(n: int, most: int) -> list[tuple[int, int]]:
    """Cut n things into as few spans of at most `most` as possible, about the same size each."""
    parts = -(-n // most)
    return [(n * i // parts, n * (i + 1) // parts) for i in range(parts)]


def spans_of_cells(
    n_cells: int, n_background: int, most_rows: int
) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Yield (first cell, end, spans of the background), by calls of at most `most_rows` rows.

    Several cells are one call, or one cell is several calls: one for each span.
    """
    if n_background <= most_rows:
        for first, end in even_spans(n_cells, most_rows // n_background):
            yield first, end, [(0, n_background)]
        return
    spans = even_spans(n_background, most_rows)
    for cell in range(n_cells):
        yield cell, cell + 1, spans
