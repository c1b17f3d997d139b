"""CSV text cut where records end, without parsing the cells.

A block of whole records can be parsed on its own: then row numbers are exact, and reading can go
on at any block. As Arrow's parser has it, quotes count only where a cell begins with one.
"""

from __future__ import annotations

import re
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Positions = npt.NDArray[np.int64]

# most bytes of a block
WINDOW = 1 << 23
_SHOWN = 1000  # bytes of a line that is left out
_LF, _CR, _QUOTE = b"\n"[0], b"\r"[0], b'"'[0]


class UnendedRecord(Exception):
    """A record is longer than the window, or its quoted text never ends."""

    def __init__(self, quoted: bool) -> None:
        super().__init__()
        self.quoted = quoted


class Records:
    """Blocks of whole records of a stream.

    Parameters
    ----------
    stream : binary file
        Standing where a record begins.
    delimiter : str
    byte : int
        The stream's position.
    window : int
        Most bytes of a block.

    Attributes
    ----------
    byte : int
        Where the next block begins.
    """

    def __init__(
        self, stream: BinaryIO, delimiter: str, byte: int = 0, window: int = WINDOW
    ) -> None:
        self._stream = stream
        self._delimiter = delimiter
        self._window = window
        self.byte = byte
        self._data: Bytes = np.empty(0, np.uint8)  # loaded
        self._at = 0  # next block in _data
        self._ends: Positions = np.empty(0, np.int64)  # of the records of _data
        self._next = 0  # the first of _ends behind _at
        self._final = False

    def take(self, rows: int) -> tuple[Bytes, int] | None:
        """Give the next records, at most `rows` and a window, and their number; None at the end.

        The cut depends on what follows `byte` only.

        Raises
        ------
        UnendedRecord
        """
        while True:
            limit = self._at + self._window
            stop = self._next + rows
            if stop <= len(self._ends) and self._ends[stop - 1] <= limit:
                break
            if len(self._data) <= limit and not self._final:  # a line may end by the next byte
                self._load()
                continue
            stop = int(np.searchsorted(self._ends, limit, side="right"))
            if stop > self._next:
                break
            rest = self._data[self._at : limit]
            if len(_not_empty(rest)):
                raise UnendedRecord(record_ends(rest, self._delimiter, False)[1])
            if len(self._data) <= limit:
                return None
            self._move(limit)  # empty lines
        count = stop - self._next
        end = int(self._ends[stop - 1])
        block = self._data[self._at : end]
        self._move(end)
        self._next = stop
        return block, count

    def skip_line(self) -> bytes:
        """Leave out the text up to the next line end, quoted or not; give its beginning."""
        self._move(self._at + int(_not_empty(self._data[self._at :])[0]))
        text = b""
        while True:
            rest = self._data[self._at :]
            stop, ended = _first_line(rest, self._final)
            text += rest[: min(stop, _SHOWN - len(text))].tobytes()
            self._move(self._at + stop)
            if ended:
                self._scan(self._data[self._at :])
                return text.rstrip(b"\r\n")
            self._load()

    def _move(self, at: int) -> None:
        self.byte += at - self._at
        self._at = at

    def _load(self) -> None:
        """Read on, until a window and more is there."""
        rest = self._data[self._at :].tobytes()
        parts = [rest]
        missing = self._window + max(self._window // 2, 1) - len(rest)
        while missing > 0 and not self._final:
            part = self._stream.read(missing)
            self._final = not part
            parts.append(part)
            missing -= len(part)
        self._scan(np.frombuffer(b"".join(parts), dtype=np.uint8))

    def _scan(self, data: Bytes) -> None:
        self._data, self._at, self._next = data, 0, 0
        self._ends, _ = record_ends(data, self._delimiter, self._final)


def _not_empty(data: Bytes) -> Positions:
    """Find the bytes that end no line."""
    return np.flatnonzero((data != _LF) & (data != _CR))


def _first_line(data: Bytes, final: bool) -> tuple[int, bool]:
    """Length of the first line, or of what can be told of it, and whether it ends."""
    ends = np.flatnonzero((data == _LF) | (data == _CR))
    if not len(ends):
        return len(data), final
    stop = int(ends[0]) + 1
    if data[stop - 1] == _CR and stop == len(data) and not final:
        return stop - 1, False
    return stop + int(data[stop - 1 : stop + 1].tobytes() == b"\r\n"), True


def record_ends(data: Bytes, delimiter: str, final: bool) -> tuple[Positions, bool]:
    """Find the positions behind each record of a text, and whether it ends within quotes.

    Empty lines are no records. `final`: nothing follows, so the text's end is a record's, too.
    """
    ends = np.flatnonzero(data == _LF)
    if (data == _CR).any():
        returns = np.flatnonzero(data == _CR)
        followed = np.append(data[1:], _LF)[returns] == _LF  # the last one: not known yet
        lone = returns[~followed]
        if final and returns[-1] == len(data) - 1:
            lone = np.append(lone, returns[-1])
        ends = np.sort(np.concatenate([ends, lone]))
    quotes = np.flatnonzero(data == _QUOTE)
    quoted = False
    if len(quotes):
        ends, quoted = _outside_quotes(ends, quotes, data, delimiter)
    ends = ends + 1
    if final and not quoted and len(data) and (not len(ends) or ends[-1] < len(data)):
        ends = np.append(ends, len(data))
    first = data[np.append(0, ends[:-1])] if len(ends) else data[:0]
    return ends[(first != _LF) & (first != _CR)], quoted


def _outside_quotes(
    ends: Positions, quotes: Positions, data: Bytes, delimiter: str
) -> tuple[Positions, bool]:
    """Leave out line ends in quoted text; tell whether the last quoted text does not end."""
    separators = np.frombuffer(f'{delimiter}\n\r"'.encode(), dtype=np.uint8)
    opening, closing = quotes[::2], quotes[1::2]
    before = data[np.maximum(opening - 1, 0)]
    after = data[np.minimum(closing + 1, len(data) - 1)]
    regular = (np.isin(before, separators) | (opening == 0)).all() and (
        np.isin(after, separators) | (closing == len(data) - 1)
    ).all()
    if regular:  # an even number of quotes before what is outside
        return ends[np.searchsorted(quotes, ends) % 2 == 0], len(quotes) % 2 == 1
    # a quote within a cell, as in 5" pipe
    mark = re.escape(delimiter.encode())
    pattern = rb'"(?<![^' + mark + rb'\n\r]")[^"]*+(?:""[^"]*+)*+(?:"|(\Z))'
    spans = [(m.start(), m.end(), m[1] is not None) for m in re.finditer(pattern, data.tobytes())]
    if not spans:
        return ends, False
    starts = np.array([start for start, _, _ in spans])
    stops = np.array([stop for _, stop, _ in spans])
    span = np.searchsorted(starts, ends) - 1
    inside = (span >= 0) & (ends < stops[np.maximum(span, 0)])
    return ends[~inside], spans[-1][2]
