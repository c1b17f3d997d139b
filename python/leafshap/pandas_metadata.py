"""What pandas tells in a schema's metadata of columns that are no longer what they were.

Parquet keeps the categories of text only: others come back as plain values, which look like codes.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def lost_categories(schema: pa.Schema) -> frozenset[str]:
    """Name the columns of plain values that were categorical in pandas."""
    import pyarrow as pa

    try:
        columns = (schema.pandas_metadata or {})["columns"]
        told = {
            column.get("field_name", column.get("name"))
            for column in columns
            if column.get("pandas_type") == "categorical"
        }
    except (AttributeError, KeyError, TypeError, ValueError):  # another program's, or damaged
        return frozenset()
    return frozenset(
        field.name
        for field in (schema if told else ())
        if field.name in told and not pa.types.is_dictionary(field.type)
    )


def with_lost_categories(schema: pa.Schema, names: Collection[str]) -> pa.Schema:
    """Give a schema the metadata that `lost_categories` reads, and no other."""
    columns = [{"field_name": name, "pandas_type": "categorical"} for name in sorted(names)]
    metadata = {b"pandas": json.dumps({"columns": columns}).encode()} if columns else None
    return schema.remove_metadata().with_metadata(metadata)
