"""One schema for several files, and batches converted to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from leafshap.batch.categories import is_number
from leafshap.errors import InvalidInputError
from leafshap.pandas_metadata import lost_categories, with_lost_categories
from leafshap.string_views import plain_array, without_views

if TYPE_CHECKING:
    import pyarrow as pa


def common_schema(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """All columns of the schemas; where types do not go together, the first one.

    Integers and floats meet in the type numpy promotes them to, dictionaries in one with int32
    indices, a dictionary and plain values in plain values. A column of nulls is float64. Columns
    of plain values that were categorical for pandas in one schema are so in the common one.
    """
    import pyarrow as pa

    found: dict[str, pa.DataType] = {}
    lost: set[str] = set()
    for schema in schemas:
        lost |= lost_categories(schema)
        for field in schema:
            kind = _wide(field.type)
            known = found.get(field.name)
            met = kind if known is None else _meet(known, kind)
            if known is not None and met is not None and _loses_categories((known, kind), met):
                lost.add(field.name)
            found[field.name] = known if met is None else met
    nothing = pa.null()  # a column without any value is one of missing numbers
    common = pa.schema(
        [(name, pa.float64() if kind == nothing else kind) for name, kind in found.items()]
    )
    return with_lost_categories(common, lost)


def _loses_categories(kinds: Sequence[pa.DataType], met: pa.DataType) -> bool:
    import pyarrow as pa

    return any(map(pa.types.is_dictionary, kinds)) and not pa.types.is_dictionary(met)


def goes_with(kind: pa.DataType, common: pa.DataType) -> bool:
    """Whether a column of a type can be converted to the common one."""
    return bool(_meet(_wide(kind), common) == common)


def _wide(kind: pa.DataType) -> pa.DataType:
    """Make room for the values of other batches: indices of dictionaries are int32.

    Views of text, which other functions lack, are text.
    """
    import pyarrow as pa

    kind = without_views(kind)
    if pa.types.is_dictionary(kind):
        return pa.dictionary(pa.int32(), kind.value_type, ordered=kind.ordered)
    return kind


def _meet(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """Type that holds the values of both, None if there is none."""
    import pyarrow as pa

    if a == b or pa.types.is_null(b):
        return a
    if pa.types.is_null(a):
        return b
    if is_number(a) and is_number(b):
        return pa.from_numpy_dtype(np.promote_types(a.to_pandas_dtype(), b.to_pandas_dtype()))
    if pa.types.is_dictionary(a) or pa.types.is_dictionary(b):
        plain = _meet(_values_type(a), _values_type(b))
        if plain is not None and pa.types.is_dictionary(a) and pa.types.is_dictionary(b):
            return pa.dictionary(pa.int32(), plain)
        return plain
    texts = (pa.string(), pa.large_string())
    return pa.large_string() if a in texts and b in texts else None


def _values_type(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Pick the columns of a schema by name and convert them to its types.

    Raises
    ------
    InvalidInputError
        If a column is absent, or its values do not fit the type; naming it.
    """
    import pyarrow as pa

    arrays = []
    for field in schema:
        index = batch.schema.get_field_index(field.name)
        if index < 0:
            raise InvalidInputError(f"there is no column {field.name!r}, or two of them")
        try:
            arrays.append(_convert(batch.column(index), field.type))
        except pa.ArrowException as error:
            raise InvalidInputError(
                f"column {field.name!r} cannot be converted to {field.type}: {error}"
            ) from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _convert(array: pa.Array, kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    array = plain_array(array)
    if array.type == kind:
        return array
    if not pa.types.is_dictionary(array.type):
        if pa.types.is_dictionary(kind):
            return _convert(array.cast(kind.value_type).dictionary_encode(), kind)
        return array.cast(kind)
    if not pa.types.is_dictionary(kind):
        return array.dictionary_decode().cast(kind)
    return pa.DictionaryArray.from_arrays(
        array.indices.cast(kind.index_type),
        _convert(array.dictionary, kind.value_type),
        ordered=kind.ordered,
    )


def regroup(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Cut and join batches of one schema to batches of `rows` rows; only the last has fewer.

    Nothing is copied where the cuts fit.
    """
    held: list[pa.RecordBatch] = []
    n_held = 0
    for batch in batches:
        at = 0
        while n_held + batch.num_rows - at >= rows:
            stop = at + rows - n_held
            held.append(batch.slice(at, stop - at))
            yield join_batches(held)
            held, n_held, at = [], 0, stop
        if at < batch.num_rows:
            held.append(batch.slice(at))
            n_held += batch.num_rows - at
    if held:
        yield join_batches(held)


def join_batches(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """Put batches of one schema together; a single one is not copied."""
    import pyarrow as pa

    if len(batches) == 1:
        return batches[0]
    columns = zip(*(batch.columns for batch in batches), strict=True)
    return pa.RecordBatch.from_arrays(
        [pa.concat_arrays(arrays) for arrays in columns], schema=batches[0].schema
    )


def without_first(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Leave out the first rows."""
    for batch in batches:
        if rows < batch.num_rows:
            yield batch.slice(rows)
        rows = max(0, rows - batch.num_rows)
