"""Arrow's views of text and bytes, as polars writes them, for which Arrow lacks many functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def without_views(kind: pa.DataType) -> pa.DataType:
    """Tell the plain type of text or bytes, also of a dictionary's; other types as they are."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        plain = without_views(kind.value_type)
        if plain != kind.value_type:
            return pa.dictionary(kind.index_type, plain, ordered=kind.ordered)
        return kind
    # by name: older pyarrow has no such types
    return {"string_view": pa.string(), "binary_view": pa.binary()}.get(str(kind), kind)


def plain_array(array: pa.Array) -> pa.Array:
    """Copy views of text or bytes into an array of the plain type; give others as they are."""
    import pyarrow as pa

    kind = without_views(array.type)
    if kind == array.type:
        return array
    if pa.types.is_dictionary(kind):
        return pa.DictionaryArray.from_arrays(
            array.indices, plain_array(array.dictionary), ordered=kind.ordered
        )
    try:
        return array.cast(kind)
    except pa.ArrowNotImplementedError:  # pyarrow 16
        return pa.array(array.to_pylist(), kind)


def plain_table(table: pa.Table) -> pa.Table:
    """Make a table without views."""
    import pyarrow as pa

    for j, field in enumerate(table.schema):
        kind = without_views(field.type)
        if kind != field.type:
            chunks = [plain_array(chunk) for chunk in table.column(j).chunks]
            table = table.set_column(j, field.name, pa.chunked_array(chunks, kind))
    return table
