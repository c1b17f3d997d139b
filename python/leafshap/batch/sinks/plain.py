"""Columns as files take them: values in place of dictionaries, columns in place of lists."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from leafshap.batch.layout import ELEMENT_NAMES
from leafshap.errors import InvalidInputError

if TYPE_CHECKING:
    import pyarrow as pa


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Values in place of dictionaries.

    A file of Arrow batches can have one dictionary per column only, and batches of Parquet row
    groups come with different ones.
    """
    import pyarrow as pa

    fields = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in schema
    ]
    return pa.schema(fields, metadata=schema.metadata)


def flat_schema(schema: pa.Schema) -> pa.Schema:
    """Make a column of every element of a list of fixed size, named by the field's metadata.

    Raises
    ------
    InvalidInputError
        If a column is of another nested type, or two would have one name.
    """
    import pyarrow as pa

    fields: list[pa.Field] = []
    for field in schema:
        if pa.types.is_fixed_size_list(field.type):
            fields += [pa.field(name, field.type.value_type) for name in _element_names(field)]
        elif pa.types.is_nested(field.type):
            raise InvalidInputError(
                f"column {field.name!r} of type {field.type} cannot be written as CSV"
            )
        else:
            fields.append(pa.field(field.name, field.type))
    seen: set[str] = set()
    for field in fields:
        if field.name in seen:
            raise InvalidInputError(f"the output would have two columns called {field.name!r}")
        seen.add(field.name)
    return pa.schema(fields)


def _element_names(field: pa.Field) -> list[str]:
    size = field.type.list_size
    told = (field.metadata or {}).get(ELEMENT_NAMES)
    if told is not None:
        names = [str(name) for name in json.loads(told)]
        if len(names) == size:
            return names
    return [f"{field.name}_{i}" for i in range(size)]


def flat_batch(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Put columns in place of lists; `schema` is the flat one."""
    import pyarrow as pa

    arrays: list[pa.Array] = []
    for array in batch.columns:
        if not pa.types.is_fixed_size_list(array.type):
            arrays.append(array)
            continue
        size = array.type.list_size
        elements = array.values.slice(array.offset * size, len(array) * size)
        missing = array.is_null().to_numpy(zero_copy_only=False)
        first = np.arange(len(array)) * size
        arrays += [elements.take(pa.array(first + j, mask=missing)) for j in range(size)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
