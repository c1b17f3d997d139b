"""UBJSON reader: the format by hand and by a writer made from its specification, and bad bytes."""

from __future__ import annotations

import math
import struct
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafshap.converters.ubjson import MAX_DEPTH, decode
from leafshap.errors import InvalidModelError, LeafshapError

DTYPES = ("i1", "u1", "i2", "i4", "i8", "f4", "f8")


def length(n: int) -> bytes:
    return b"L" + struct.pack(">q", n)


def write(value: Any) -> bytes:
    """Write a value as XGBoost does."""
    if value is None:
        return b"Z"
    if isinstance(value, bool):
        return b"T" if value else b"F"
    if isinstance(value, int):
        for marker, code, bits in (b"i", "b", 7), (b"I", "h", 15), (b"l", "i", 31), (b"L", "q", 63):
            if -(2**bits) <= value < 2**bits:
                return marker + struct.pack(">" + code, value)
    if isinstance(value, float):
        return b"D" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"S" + length(len(value.encode())) + value.encode()
    if isinstance(value, np.ndarray):
        markers = {
            "i1": b"i",
            "u1": b"U",
            "i2": b"I",
            "i4": b"l",
            "i8": b"L",
            "f4": b"d",
            "f8": b"D",
        }
        raw: bytes = value.astype(value.dtype.newbyteorder(">")).tobytes()
        return b"[$" + markers[value.dtype.str[1:]] + b"#" + length(value.size) + raw
    if isinstance(value, list):
        return b"[#" + length(len(value)) + b"".join(map(write, value))
    if isinstance(value, dict):
        members = (length(len(k.encode())) + k.encode() + write(v) for k, v in value.items())
        return b"{" + b"".join(members) + b"}"
    raise TypeError(type(value))


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return (
            isinstance(b, np.ndarray)
            and a.dtype == b.dtype.newbyteorder("=")
            and (a.tobytes() == b.astype(a.dtype).tobytes())
        )
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))


arrays = st.builds(
    lambda dtype, raw: np.frombuffer(raw[: len(raw) // 8 * 8], dtype),
    st.sampled_from(DTYPES),
    st.binary(max_size=64),
)
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text() | arrays,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(documents)
def test_reads_what_was_written(document: Any) -> None:
    assert same(document, decode(write(document)))
    assert same(document, decode(bytearray(write(document))))


@given(documents, st.data())
def test_truncated_documents_are_errors(document: Any, data: Any) -> None:
    raw = write(document)
    end = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(InvalidModelError, match="UBJSON"):
        decode(raw[:end])


@given(documents, st.data())
def test_damaged_documents_do_not_crash(document: Any, data: Any) -> None:
    damaged = bytearray(write(document))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(damaged)
    except LeafshapError as error:
        assert "at byte" in str(error)  # noqa: PT017


@given(st.binary(max_size=80))
def test_any_bytes(raw: bytes) -> None:
    try:
        decode(raw)
    except LeafshapError as error:
        assert "at byte" in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"i\xff", -1),
        (b"U\xff", 255),
        (b"I\x80\x00", -32768),
        (b"l\x00\x01\x00\x00", 65536),
        (b"d\x3f\x80\x00\x00", 1.0),
        (b"D\x3f\xf8\x00\x00\x00\x00\x00\x00", 1.5),
        (b"S" + length(2) + "é".encode(), "é"),
        (b"[]", []),
        (b"[i\x01TZ]", [1, True, None]),
        (b"[#" + length(2) + b"FU\x07", [False, 7]),
        (b"{}", {}),
        (b"{" + length(1) + b"a[]" + length(0) + b"i\x05}", {"a": [], "": 5}),
    ],
)
def test_by_hand(raw: bytes, expected: Any) -> None:
    assert same(expected, decode(raw))


def test_typed_arrays_are_views() -> None:
    raw = write(np.arange(1000, dtype=np.float32))
    array = decode(raw)
    assert np.shares_memory(array, np.frombuffer(raw, np.uint8))
    np.testing.assert_array_equal(array, np.arange(1000))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "ends too early at byte 0 of 0"),
        (b"x", "unknown marker b'x' at byte 0"),
        (b"C\x41", "unknown marker"),
        (b"H" + length(1) + b"1", "unknown marker"),
        (b"N", "unknown marker"),
        (b"i\x01i", "bytes after the end of the document at byte 2"),
        (b"S" + length(3) + b"ab", "length 3 does not fit"),
        (b"S" + length(-1), "length -1 does not fit"),
        (b"Si\x01a", "expected b'L', found b'i' at byte 1"),
        (b"S" + length(1) + b"\xff", "not UTF-8"),
        (b"[$d#" + length(2) + b"\0" * 7, "length 2 does not fit"),
        (b"[$d#" + length(2**61 + 1) + b"\0" * 8, "does not fit"),
        (b"[$Z#" + length(2**40), "typed array of unknown type b'Z'"),
        (b"[$T#" + length(2), "typed array of unknown type"),
        (b"[$S#" + length(0), "typed array of unknown type"),
        (b"[#" + length(3) + b"ZZ", "length 3 does not fit"),
        (b"[Z", "ends too early"),
        (b"{" + length(1) + b"a", "ends too early"),
        (b"{i\x01aZ}", "expected b'L'"),
        (b"{" + (length(1) + b"aZ") * 2 + b"}", "key 'a' appears twice"),
        (b"l\0\0", "ends inside a number"),
        (b"SL\0\0", "ends inside a length"),
        (b"[" * (MAX_DEPTH + 1), f"nesting deeper than {MAX_DEPTH}"),
        (b"[" * 10**6, "nesting deeper"),
        ((b"{" + length(1) + b"a") * 10**4, "nesting deeper"),
    ],
)
def test_errors(raw: bytes, message: str) -> None:
    with pytest.raises(InvalidModelError, match="UBJSON") as caught:
        decode(raw)
    assert message in str(caught.value)


def test_depth_that_is_allowed() -> None:
    value = decode(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    for _ in range(MAX_DEPTH - 1):
        (value,) = value
    assert value == []


@pytest.mark.parametrize("opening", [b"[#", b"[$d#", b"[$U#", b"S", b"{"])
def test_a_claimed_length_allocates_nothing(opening: bytes) -> None:
    raw = opening + length(2**40) + b"Z" * 1000
    tracemalloc.start()
    try:
        with pytest.raises(InvalidModelError, match="does not fit"):
            decode(raw)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
