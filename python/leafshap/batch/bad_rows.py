"""Rows of a batch that the model does not accept, found by halving."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from leafshap.errors import InvalidInputError

if TYPE_CHECKING:
    import pyarrow as pa

Check = Callable[["pa.RecordBatch"], None]


def bad_rows(check: Check, batch: pa.RecordBatch, first: int = 0) -> Iterator[tuple[int, str]]:
    """Yield the number of each bad row, and what is wrong with it, in order.

    Parameters
    ----------
    check : callable
        Raises InvalidInputError for a batch with a bad row in it.
    batch : pyarrow.RecordBatch
    first : int
        Number of the batch's first row.
    """
    try:
        check(batch)
        return
    except InvalidInputError as error:
        reason = str(error)
    n = batch.num_rows
    if n == 1:
        yield first, _without_row(reason)
        return
    for start, stop in ((0, n // 2), (n // 2, n)):
        yield from bad_rows(check, batch.slice(start, stop - start), first + start)


def _without_row(reason: str) -> str:
    """Leave out the number that the only row has in its own batch."""
    reason = re.sub(r"^row 0, ", "", reason)
    return re.sub(r": row 0 holds ", ": it holds ", re.sub(r": y\[0\] is ", ": it is ", reason))
