"""Columns to group by: their values, in any of Arrow's ways to write them."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError

if TYPE_CHECKING:
    import pyarrow as pa

# kind -> the Python type of its values
KINDS: dict[str, type] = {
    "text": str,
    "integer": int,
    "boolean": bool,
    "date": datetime.date,
}


def read_keys(column: pa.Array) -> tuple[str | None, list[Any], npt.NDArray[np.intp]]:
    """Give each different value of a column a number.

    Parameters
    ----------
    column : pyarrow.Array of n text, integers, booleans, dates or nulls, or a dictionary of them

    Returns
    -------
    kind : str or None
        Of `KINDS`; None if all are null.
    values : list
        Each once, as far as a row has it; None for null.
    codes : ndarray of intp, shape (n,)

    Raises
    ------
    InvalidInputError
        If it holds anything else.
    """
    import pyarrow as pa

    kind = _kind_of(column.type)
    if kind is None:
        return None, [None] if len(column) else [], np.zeros(len(column), dtype=np.intp)
    if str(column.type) == "string_view":
        column = column.cast(pa.string())
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    indices = column.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    entries, codes = _dense(indices, len(column.dictionary))
    known = column.dictionary.take(pa.array(entries[entries >= 0])).to_pylist()
    values: dict[Any, int] = {}  # a dictionary may hold a value twice, and nulls of its own
    listed = [None] * (len(entries) - len(known)) + known
    merged = np.array([values.setdefault(v, len(values)) for v in listed], dtype=np.intp)
    return kind if set(values) - {None} else None, list(values), merged[codes]


def pack_key(value: Any) -> Any:
    """Write a value for JSON."""
    return value.isoformat() if isinstance(value, datetime.date) else value


def unpack_key(value: Any, kind: str | None) -> Any:
    """Read what `pack_key` wrote.

    Raises
    ------
    ValueError
        If it is not of its kind.
    """
    if value is not None and kind == "date":
        return datetime.date.fromisoformat(value)
    if value is not None and (kind is None or type(value) is not KINDS[kind]):
        raise ValueError(f"{value!r} is no {kind}")
    return value


def _dense(
    indices: npt.NDArray[np.int64], n_entries: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp]]:
    """Those that occur, rising, and the position of each row's: np.unique without sorting."""
    at = np.zeros(n_entries + 1, dtype=np.intp)
    at[indices + 1] = 1
    entries = np.flatnonzero(at) - 1
    at[entries + 1] = np.arange(len(entries))
    return entries, at[indices + 1]


def _kind_of(dtype: pa.DataType) -> str | None:
    from pyarrow import types

    if types.is_dictionary(dtype):
        dtype = dtype.value_type
    if types.is_null(dtype):
        return None
    if str(dtype) in ("string", "large_string", "string_view"):
        return "text"
    if types.is_integer(dtype):
        return "integer"
    if types.is_boolean(dtype):
        return "boolean"
    if types.is_date(dtype):
        return "date"
    floating = types.is_floating(dtype)
    what = "cut it into ranges, or cast it to whole numbers" if floating else "cast it to one"
    raise InvalidInputError(
        f"the column to group by has the type {dtype}, and not text, whole numbers, booleans or "
        f"dates: {what}"
    )
