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

# what pandas.read_csv takes for missing; of keys that are text only the first, since NA is Namibia
MISSING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip
_TRUE = ("true", "True", "TRUE", "1")
_FALSE = ("false", "False", "FALSE", "0")


class Form(NamedTuple):
    """How a file is to be read: names of its columns, and what stands between cells.

    Cells of the columns in `verbatim`, if integers are wanted, must be as Python writes them.
    """

    names: list[str]
    delimiter: str
    verbatim: frozenset[str] = frozenset()


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


def infer_types(block: Bytes, form: Form) -> dict[str, Any]:
    """Types of columns: bool, int64, uint64, float64 or string."""
    import pyarrow as pa

    table = _parse(block, form, None, on_bad_row=lambda row: "skip")
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
                _parse(block, form, only, on_bad_row=lambda row: "skip")
                types[name] = pa.uint64()
            except pa.ArrowInvalid:
                pass
    return types


def infer_keys(block: Bytes, form: Form, keys: Collection[str]) -> dict[str, Any]:
    """Types of columns that must lose nothing: int64 if its cells are as Python writes them."""
    import pyarrow as pa

    raw = pa.schema([(name, pa.binary()) for name in keys])
    table = _parse(block, form, raw, on_bad_row=lambda row: "skip")
    types = {}
    for name in keys:
        column = table[name].drop_null().unique()
        try:
            _convert(column, pa.int64(), verbatim=True)
            types[name] = pa.int64() if len(column) else pa.string()
        except pa.ArrowInvalid:
            types[name] = pa.string()
    return types


def read_cells(
    block: Bytes, n_rows: int, form: Form, wanted: pa.Schema, exact: Collection[str]
) -> Cells:
    """Parse whole records.

    Parameters
    ----------
    block : ndarray of bytes
    n_rows : int
        How many records there are.
    form : Form
    wanted : pyarrow.Schema
        The columns to give.
    exact : collection of str
        Columns whose cells must be of the wanted type. Those of integers become float64 if cells
        have decimals otherwise.

    Raises
    ------
    InvalidInputError
        If records cannot be told apart.
    """
    import pyarrow as pa

    verbatim = [field.name in form.verbatim and pa.types.is_integer(field.type) for field in wanted]
    kinds = [
        pa.field(field.name, pa.binary()) if as_is else field
        for field, as_is in zip(wanted, verbatim, strict=True)
    ]
    try:
        table = _parse(block, form, pa.schema(kinds), raw_text=True)
        columns = _with_nulls(table, form, wanted)
        for j in np.flatnonzero(verbatim):
            columns[j] = _convert(columns[j], wanted.field(int(j)).type, verbatim=True)
    except pa.ArrowInvalid:
        return _read_with_care(block, n_rows, form, wanted, exact)
    _check_count(table.num_rows, n_rows)
    return Cells(pa.RecordBatch.from_arrays(columns, schema=wanted), np.arange(n_rows), [])


def _parse(
    block: Bytes,
    form: Form,
    wanted: pa.Schema | None,
    on_bad_row: Callable[[Any], str] | None = None,
    raw_text: bool = False,
) -> pa.Table:
    """Parse on this thread; types are inferred if none are wanted, raw text has no nulls."""
    import pyarrow as pa
    from pyarrow import csv

    return csv.read_csv(
        pa.BufferReader(pa.py_buffer(block)),
        read_options=csv.ReadOptions(
            use_threads=False, block_size=len(block) + 1, column_names=form.names
        ),
        parse_options=csv.ParseOptions(
            delimiter=form.delimiter, newlines_in_values=True, invalid_row_handler=on_bad_row
        ),
        convert_options=csv.ConvertOptions(
            column_types=wanted,
            include_columns=None if wanted is None else wanted.names,
            null_values=MISSING,
            true_values=_TRUE,
            false_values=_FALSE,
            strings_can_be_null=not raw_text,
        ),
    )


def _with_nulls(table: pa.Table, form: Form, wanted: pa.Schema) -> list[pa.Array]:
    """Give the columns of a table of raw text, with nulls for what is missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = []
    for column, field in zip(map(_one_array, table.columns), wanted, strict=True):
        if column.type in (pa.binary(), pa.string()):
            as_is = field.name in form.verbatim and field.type == pa.string()
            missing = pa.array(MISSING[:1] if as_is else MISSING, column.type)
            null = pa.scalar(None, column.type)
            column = pc.if_else(pc.is_in(column, value_set=missing), null, column)
        columns.append(column)
    return columns


def _read_with_care(
    block: Bytes, n_rows: int, form: Form, wanted: pa.Schema, exact: Collection[str]
) -> Cells:
    """Parse cells as bytes, then convert column by column and find what does not convert."""
    import pyarrow as pa

    bad: list[BadRow] = []

    def note(row: Any) -> str:
        reason = f"{row.expected_columns} cells expected, {row.actual_columns} found"
        bad.append(BadRow(row.number - 1, None, reason, row.text))
        return "skip"

    raw = pa.schema([(name, pa.binary()) for name in wanted.names])
    table = _parse(block, form, raw, on_bad_row=note, raw_text=True)
    _check_count(table.num_rows + len(bad), n_rows)
    rows = np.setdiff1d(np.arange(n_rows), [row.row for row in bad])
    columns = _with_nulls(table, form, wanted)
    fields = []
    good = np.ones(len(rows), dtype=bool)
    for field, column in zip(wanted, columns, strict=True):
        encoded = column.dictionary_encode()
        kind = field.type
        verbatim = field.name in form.verbatim and pa.types.is_integer(kind)
        faults = _faults(encoded.dictionary, kind, verbatim)
        may_widen = pa.types.is_integer(kind) and not verbatim and field.name not in exact
        if faults and may_widen:
            as_floats = _faults(encoded.dictionary, pa.float64())
            if len(as_floats) < len(faults):
                kind, faults = pa.float64(), as_floats
        fields.append(pa.field(field.name, kind))
        if faults:
            codes = encoded.indices.fill_null(-1).to_numpy()
            for at in np.flatnonzero(np.isin(codes, faults) & good):
                text = encoded.dictionary[int(codes[at])].as_py().decode(errors="replace")
                bad.append(BadRow(int(rows[at]), field.name, _reason(kind, verbatim), text))
                good[at] = False
    keep = pa.array(good)
    arrays = [
        _convert(column.filter(keep), field.type)
        for field, column in zip(fields, columns, strict=True)
    ]
    batch = pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))
    return Cells(batch, rows[good], sorted(bad))


def _faults(values: pa.Array, kind: pa.DataType, verbatim: bool = False) -> list[int]:
    """Positions of the values that do not convert, found by halving."""
    import pyarrow as pa

    def search(start: int, stop: int) -> None:
        try:
            _convert(values.slice(start, stop - start), kind, verbatim)
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


def _convert(values: pa.Array, kind: pa.DataType, verbatim: bool = False) -> pa.Array:
    """Convert bytes as the CSV reader does; `verbatim`: to integers that give the same bytes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = values.cast(pa.string())
    if kind == pa.string():
        return text
    if verbatim:
        integers = text.cast(kind)
        if not pc.all(pc.equal(integers.cast(pa.string()), text)).as_py() and len(text):
            raise pa.ArrowInvalid("not as Python writes an integer")
        return integers
    text = pc.utf8_trim(text, characters=" \t")
    if kind != pa.bool_():
        return text.cast(kind)
    true = pc.is_in(text, value_set=pa.array(_TRUE))
    known = pc.or_(true, pc.is_in(text, value_set=pa.array([*_FALSE, None])))
    if not pc.all(known).as_py() and len(text):
        raise pa.ArrowInvalid("neither true nor false")
    return pc.if_else(text.is_valid(), true, None)


def _reason(kind: pa.DataType, verbatim: bool) -> str:
    import pyarrow as pa

    if verbatim:
        return "not a plain integer, as the first cells of this key are"

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
