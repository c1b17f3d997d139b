"""Reader of Universal Binary JSON (ubjson.org, draft 12) in the dialect that XGBoost writes.

Lengths are ``L`` (int64), typed arrays come as ``[$<type>#L<count>`` and become NumPy views of
the input, everything else becomes plain Python values. The reader is made for files from
anywhere: every length is checked against the bytes that are left before anything is allocated,
nesting is bounded, and whatever is not understood is an error with its byte position.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import numpy as np

from leafshap.errors import InvalidModelError

# An XGBoost model nests 8 deep.
MAX_DEPTH: Final = 64

_INT64 = struct.Struct(">q")

# marker -> reader of one number
_NUMBERS: Final[dict[int, struct.Struct]] = {
    ord("i"): struct.Struct(">b"),
    ord("U"): struct.Struct(">B"),
    ord("I"): struct.Struct(">h"),
    ord("l"): struct.Struct(">i"),
    ord("L"): _INT64,
    ord("d"): struct.Struct(">f"),
    ord("D"): struct.Struct(">d"),
}

# marker -> dtype of a typed array
_DTYPES: Final[dict[int, np.dtype[Any]]] = {
    ord("i"): np.dtype(">i1"),
    ord("U"): np.dtype(">u1"),
    ord("I"): np.dtype(">i2"),
    ord("l"): np.dtype(">i4"),
    ord("L"): np.dtype(">i8"),
    ord("d"): np.dtype(">f4"),
    ord("D"): np.dtype(">f8"),
}

# How a typed array begins after its bracket, with a length of eight bytes to follow.
_TYPED: Final[dict[bytes, np.dtype[Any]]] = {
    b"$" + bytes([marker]) + b"#L": dtype for marker, dtype in _DTYPES.items()
}

_CONSTANTS: Final[dict[int, bool | None]] = {ord("T"): True, ord("F"): False, ord("Z"): None}


class _Reader:
    """Cursor over one document."""

    def __init__(self, data: bytes | bytearray) -> None:
        self.data = data
        self.position = 0

    def fail(self, what: str, position: int | None = None) -> InvalidModelError:
        at = self.position if position is None else position
        return InvalidModelError(f"UBJSON: {what} at byte {at} of {len(self.data)}")

    def marker(self) -> int:
        if self.position >= len(self.data):
            raise self.fail("the document ends too early")
        marker = self.data[self.position]
        self.position += 1
        return marker

    def expect(self, marker: bytes) -> None:
        found = self.marker()
        if found != marker[0]:
            raise self.fail(f"expected {marker!r}, found {bytes([found])!r}", self.position - 1)

    def length(self, item_size: int) -> int:
        """Read an ``L`` length of items that take at least ``item_size`` bytes each."""
        start = self.position + 1
        if self.data[start - 1 : start] != b"L":
            self.expect(b"L")
        if len(self.data) - start < 8:
            self.position = start
            raise self.fail("the document ends inside a length")
        (count,) = _INT64.unpack_from(self.data, start)
        self.position = start + 8
        if not 0 <= count <= (len(self.data) - self.position) // item_size:
            raise self.fail(f"length {count} does not fit into the document", start)
        return int(count)

    def string(self) -> str:
        count = self.length(1)
        start = self.position
        self.position = start + count
        try:
            return self.data[start : self.position].decode("utf-8")
        except UnicodeDecodeError:
            raise self.fail("a string is not UTF-8", start) from None

    def value(self, depth: int) -> Any:
        marker = self.marker()
        if marker in _NUMBERS:
            return self.number(_NUMBERS[marker])
        if marker == 0x53:  # S
            return self.string()
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        if marker in (0x5B, 0x7B):  # [ {
            if depth >= MAX_DEPTH:
                raise self.fail(f"nesting deeper than {MAX_DEPTH}", self.position - 1)
            return self.array(depth + 1) if marker == 0x5B else self.object(depth + 1)
        raise self.fail(f"unknown marker {bytes([marker])!r}", self.position - 1)

    def number(self, layout: struct.Struct) -> int | float:
        start = self.position
        if len(self.data) - start < layout.size:
            raise self.fail("the document ends inside a number")
        self.position = start + layout.size
        number: int | float = layout.unpack_from(self.data, start)[0]
        return number

    def array(self, depth: int) -> Any:
        start = self.position
        dtype = _TYPED.get(bytes(self.data[start : start + 4]))
        if dtype is not None and len(self.data) - start >= 12:  # almost all of a model, at once
            count = _INT64.unpack_from(self.data, start + 4)[0]
            if 0 <= count <= (len(self.data) - start - 12) // dtype.itemsize:
                self.position = start + 12 + count * dtype.itemsize
                return np.frombuffer(self.data, dtype, count, start + 12)
        kind = self.peek()
        if kind == 0x24:  # $: one type for all elements
            self.position += 1
            marker = self.marker()
            dtype = _DTYPES.get(marker)
            if dtype is None:
                raise self.fail(f"typed array of unknown type {bytes([marker])!r}")
            self.expect(b"#")
            count = self.length(dtype.itemsize)
            array = np.frombuffer(self.data, dtype, count, self.position)
            self.position += count * dtype.itemsize
            return array
        if kind == 0x23:  # #: counted; each element takes a byte or more
            self.position += 1
            return [self.value(depth) for _ in range(self.length(1))]
        values = []
        while self.peek() != 0x5D:  # ]
            values.append(self.value(depth))
        self.position += 1
        return values

    def object(self, depth: int) -> dict[str, Any]:
        members: dict[str, Any] = {}
        while self.peek() != 0x7D:  # }
            start = self.position
            key = self.string()
            if key in members:
                raise self.fail(f"key {key!r} appears twice", start)
            members[key] = self.value(depth)
        self.position += 1
        return members

    def peek(self) -> int:
        if self.position >= len(self.data):
            raise self.fail("the document ends too early")
        return self.data[self.position]


def decode(data: bytes | bytearray) -> Any:
    """Decode one UBJSON document.

    Parameters
    ----------
    data : bytes or bytearray
        The whole document. Typed arrays of the result are views of it.

    Returns
    -------
    dict, list, str, int, float, bool, None or ndarray
        Objects are dicts, typed arrays are one-dimensional big-endian ndarrays.

    Raises
    ------
    InvalidModelError
        If the bytes are not exactly one document of this dialect; the message has the position.
    """
    reader = _Reader(data)
    value = reader.value(0)
    if reader.position != len(data):
        raise reader.fail("there are bytes after the end of the document")
    return value
