"""Category values that files keep as plain numbers, and models that know codes only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from leafshap.columns import is_missing
from leafshap.errors import InvalidInputError
from leafshap.inputs import InputSchema
from leafshap.pandas_metadata import lost_categories

if TYPE_CHECKING:
    import pyarrow as pa


def coded_categories(features: Sequence[str], known: InputSchema) -> list[str]:
    """Name the columns of categories that the model knows by their codes only."""
    coded = known.categorical_features - set(known.feature_categories)
    return [features[j] for j in sorted(coded)]


def ambiguous_categories(known: InputSchema) -> dict[int, list[Any]]:
    """Features whose numbers could be codes or category values, with the values."""
    return {} if known.encode_numeric else known.feature_categories


def refuse_lost_values(coded: Sequence[str], schema: pa.Schema) -> None:
    """Refuse what was categorical in pandas, and is plain values, where the model knows codes only.

    Raises
    ------
    InvalidInputError
        Naming the column.
    """
    lost = lost_categories(schema) if coded else ()
    for name in coded:
        if name in lost:
            raise InvalidInputError(
                f"column {name!r} holds category values, as pandas' metadata tell, but the model "
                "does not store those of training: give it the codes of training, as numbers and "
                "without such metadata"
            )


def refuse_values(coded: Sequence[str], schema: pa.Schema) -> None:
    """Refuse dictionaries, too: each file or block may number its values in its own way.

    Raises
    ------
    InvalidInputError
        Naming the column.
    """
    import pyarrow as pa

    refuse_lost_values(coded, schema)
    for name in coded:
        if pa.types.is_dictionary(schema.field(name).type):
            raise InvalidInputError(
                f"column {name!r} holds category values, which other rows may number in another "
                "way, and the model does not store those of training: give it the codes of "
                "training, as numbers"
            )


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    )


def unknown_numbers(column: pa.Array, categories: list[Any], name: str) -> dict[int, str]:
    """Say of every row with a number that is none of the categories what is wrong.

    Nothing is said of anything but numbers.
    """
    if not _is_number(column.type):
        return {}
    encoded = column.dictionary_encode()
    values = encoded.dictionary.to_pylist()
    known = {value for value in categories if not is_missing(value)}
    bad = [i for i, value in enumerate(values) if not is_missing(value) and value not in known]
    if not bad:
        return {}
    shown = ", ".join(repr(category) for category in categories[:5])
    rest = f"({shown}{', ...' if len(categories) > 5 else ''}); codes are not accepted"
    indices = encoded.indices.fill_null(-1).to_numpy(False)
    return {
        int(row): f"column {name!r}: {values[indices[row]]!r} is none of the categories that the "
        f"model was trained with {rest}"
        for row in np.flatnonzero(np.isin(indices, bad))
    }


def as_categories(column: pa.Array, categories: list[Any], name: str) -> pa.Array:
    """Take numbers for category values, as files keep those of a pandas column.

    Anything but numbers is returned as it is.

    They could also be codes, so all must be values that the model knows.

    Raises
    ------
    InvalidInputError
        Naming the first other value.
    """
    import pyarrow as pa

    if not _is_number(column.type):
        return column
    for reason in unknown_numbers(column, categories, name).values():
        raise InvalidInputError(reason)
    encoded = column.dictionary_encode()
    values = encoded.dictionary.to_pylist()
    own = [value for value in categories if not is_missing(value)]
    code = {value: i for i, value in enumerate(own)}
    position = np.array([code.get(value, -1) for value in values] + [-1])
    codes = position[encoded.indices.fill_null(len(values)).to_numpy(False)]
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32), mask=codes < 0), own)
