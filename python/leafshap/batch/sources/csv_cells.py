"""Cells of CSV records as Arrow columns: at once where all is well, otherwise with care."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from leafshap.batch.sources.csv_records import Bytes
from leafshap.errors import InvalidInputError

if TYPE_CHECKING:
    import pyarrow as pa

# what pandas.read_csv takes for missing
MISSING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip
_TRUE = ("true", "True", "TRUE", "1")
_FALSE = ("false", "False", "FALSE", "0")

Convert = Callable[["pa.Array", "pa.DataType"], "pa.Array"]


class BadRow(NamedTuple):
    """A row of a block that could not be read."""

    row: int
    column: str | None
    reason: str
    text: str


class Cells(NamedTuple):
    """Rows of a block that could be read, their numbers in the block, and the other ones."""

    batch: pa.RecordBatch
    rows: npt.NDArray[np.int64]
    bad: list[BadRow]


def infer_types(block: Bytes, names: list[str], delimiter: str) -> dict[str, Any]:
    """Types of columns: bool, int64, uint64, float64 or string."""
    import pyarrow as pa

    table = _parse(block, names, delimiter, None, on_bad_row=lambda row: "skip")
    types = {}
    for field in table.schema:
        if field.type in (pa.bool_(), pa.int64()):
            types[field.name] = field.type
        elif field.type in (pa.float64(), pa.null()):
            types[field.name] = pa.float64()
        else:
            types[field.name] = pa.string()
    for name in [name for name, kind in types.items() if kind == pa.float64()]:
        column = table[name]
        # identifiers of 64 bits are out of int64's range; as floats they would lose digits
        if len(column) > column.null_count and float(column.drop_null()[0].as_py()).is_integer():
            try:
                only = pa.schema([(name, pa.uint64())])
                _parse(block, names, delimiter, only, on_bad_row=lambda row: "skip")
                types[name] = pa.uint64()
            except pa.ArrowInvalid:
                pass
    return types


def read_cells(
    block: Bytes,
    n_rows: int,
    names: list[str],
    wanted: pa.Schema,
    delimiter: str,
    exact: Collection[str],
) -> Cells:
    """Parse whole records.

    Parameters
    ----------
    block : ndarray of bytes
    n_rows : int
        How many records there are.
    names : list of str
        Of the columns of the text.
    wanted : pyarrow.Schema
        The columns to give.
    delimiter : str
    exact : collection of str
        Columns whose cells must be of the wanted type. Those of integers become float64 if cells
        have decimals otherwise.

    Raises
    ------
    InvalidInputError
        If records cannot be told apart.
    """
    import pyarrow as pa

    try:
        table = _parse(block, names, delimiter, wanted)
    except pa.ArrowInvalid:
        return _read_with_care(block, n_rows, names, wanted, delimiter, exact)
    _check_count(table.num_rows, n_rows)
    columns = [_one_array(column) for column in table.columns]
    return Cells(pa.RecordBatch.from_arrays(columns, schema=wanted), np.arange(n_rows), [])


def _parse(
    block: Bytes,
    names: list[str],
    delimiter: str,
    wanted: pa.Schema | None,
    on_bad_row: Callable[[Any], str] | None = None,
) -> pa.Table:
    """Parse on this thread; types are inferred if none are wanted."""
    import pyarrow as pa
    from pyarrow import csv

    return csv.read_csv(
        pa.BufferReader(pa.py_buffer(block)),
        read_options=csv.ReadOptions(
            use_threads=False, block_size=len(block) + 1, column_names=names
        ),
        parse_options=csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=on_bad_row
        ),
        convert_options=csv.ConvertOptions(
            column_types=wanted,
            include_columns=None if wanted is None else wanted.names,
            null_values=MISSING,
            true_values=_TRUE,
            false_values=_FALSE,
            strings_can_be_null=True,
        ),
    )


def _read_with_care(
    block: Bytes,
    n_rows: int,
    names: list[str],
    wanted: pa.Schema,
    delimiter: str,
    exact: Collection[str],
) -> Cells:
    """Parse cells as bytes, then convert column by column and find what does not convert."""
    import pyarrow as pa

    bad: list[BadRow] = []

    def note(row: Any) -> str:
        reason = f"{row.expected_columns} cells expected, {row.actual_columns} found"
        bad.append(BadRow(row.number - 1, None, reason, row.text))
        return "skip"

    raw = pa.schema([(name, pa.binary()) for name in wanted.names])
    table = _parse(block, names, delimiter, raw, on_bad_row=note)
    _check_count(table.num_rows + len(bad), n_rows)
    rows = np.setdiff1d(np.arange(n_rows), [row.row for row in bad])
    columns = [_one_array(column) for column in table.columns]
    fields = []
    good = np.ones(len(rows), dtype=bool)
    for field, column in zip(wanted, columns, strict=True):
        encoded = column.dictionary_encode()
        kind = field.type
        faults = _faults(encoded.dictionary, kind)
        if faults and pa.types.is_integer(kind) and field.name not in exact:
            as_floats = _faults(encoded.dictionary, pa.float64())
            if len(as_floats) < len(faults):
                kind, faults = pa.float64(), as_floats
        fields.append(pa.field(field.name, kind))
        if faults:
            codes = encoded.indices.fill_null(-1).to_numpy()
            for at in np.flatnonzero(np.isin(codes, faults) & good):
                text = encoded.dictionary[int(codes[at])].as_py().decode(errors="replace")
                bad.append(BadRow(int(rows[at]), field.name, _reason(kind), text))
                good[at] = False
    keep = pa.array(good)
    arrays = [
        _convert(column.filter(keep), field.type)
        for field, column in zip(fields, columns, strict=True)
    ]
    batch = pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))
    return Cells(batch, rows[good], sorted(bad))


def _faults(values: pa.Array, kind: pa.DataType) -> list[int]:
    """Positions of the values that do not convert, found by halving."""
    import pyarrow as pa

    def search(start: int, stop: int) -> None:
        try:
            _convert(values.slice(start, stop - start), kind)
        except pa.ArrowInvalid:
            if stop - start == 1:
                found.append(start)
            else:
                middle = (start + stop) // 2
                search(start, middle)
                search(middle, stop)

    found: list[int] = []
    search(0, len(values))
    return found


def _convert(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Convert bytes as the CSV reader does."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = values.cast(pa.string())
    if kind == pa.string():
        return text
    text = pc.utf8_trim(text, characters=" \t")
    if kind != pa.bool_():
        return text.cast(kind)
    true = pc.is_in(text, value_set=pa.array(_TRUE))
    known = pc.or_(true, pc.is_in(text, value_set=pa.array([*_FALSE, None])))
    if not pc.all(known).as_py() and len(text):
        raise pa.ArrowInvalid("neither true nor false")
    return pc.if_else(text.is_valid(), true, None)


def _reason(kind: pa.DataType) -> str:
    import pyarrow as pa

    if kind == pa.string():
        return "not UTF-8 text"
    if kind == pa.bool_():
        return "neither true nor false"
    return "not an integer" if pa.types.is_integer(kind) else "not a number"


def _check_count(found: int, expected: int) -> None:
    if found != expected:
        raise InvalidInputError(
            f"rows cannot be told apart ({expected} by quotes and line ends, {found} by cells): "
            "is there a quote within a cell?"
        )


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
