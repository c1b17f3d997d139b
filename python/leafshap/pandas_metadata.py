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
    """Name the columns that were categorical in pandas, and of which there are plain values.

    Also those that are not in the schema: the values of some are in the names of folders.
    """
    import pyarrow as pa

    try:
        columns = (schema.pandas_metadata or {})["columns"]
        told = {
            str(column.get("field_name", column.get("name")))
            for column in columns
            if column.get("pandas_type") == "categorical"
        }
    # another program's, or damaged
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return frozenset()
    kept = (pa.types.is_dictionary, pa.types.is_null)  # without values, there is nothing to take
    return frozenset(told).difference(
        field.name for field in (schema if told else ()) if any(is_(field.type) for is_ in kept)
    )


def with_lost_categories(schema: pa.Schema, names: Collection[str]) -> pa.Schema:
    """Give a schema the metadata that `lost_categories` reads, and no other."""
    columns = [{"field_name": name, "pandas_type": "categorical"} for name in sorted(names)]
    metadata = {b"pandas": json.dumps({"columns": columns}).encode()} if columns else None
    return schema.remove_metadata().with_metadata(metadata)
