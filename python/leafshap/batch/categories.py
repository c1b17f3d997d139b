"""Category values that files keep as plain numbers, and models that know codes only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.columns import is_missing
from leafshap.errors import InvalidInputError
from leafshap.inputs import InputSchema
from leafshap.pandas_metadata import lost_categories

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN = 5


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
                f"column {name!r} holds category values, as the metadata tell, but the model "
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


def is_number(kind: pa.DataType) -> bool:
    """Whether a column is of integers, floats, or true and false."""
    import pyarrow as pa

    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    )


def unknown_numbers(column: pa.Array, categories: list[Any], name: str) -> dict[int, str]:
    """Say of every row with a number that is none of the categories what is wrong.

    Nothing is said of anything but numbers.
    """
    if not is_number(column.type):
        return {}
    values, positions = _distinct(column)
    known = {value for value in categories if not is_missing(value)}
    bad = [i for i, value in enumerate(values) if not is_missing(value) and value not in known]
    return {
        int(row): _is_unknown(values[positions[row]], categories, name)
        for row in (np.flatnonzero(np.isin(positions, bad)) if bad else ())
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

    if not is_number(column.type):
        return column
    values, positions = _distinct(column)
    known = [value for value in categories if not is_missing(value)]
    code = {value: i for i, value in enumerate(known)}
    for value in values:
        if value not in code and not is_missing(value):
            raise InvalidInputError(_is_unknown(value, categories, name))
    codes = np.array([code.get(value, -1) for value in values], dtype=np.int32)[positions]
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), known)


def _distinct(column: pa.Array) -> tuple[list[Any], npt.NDArray[np.int64]]:
    """Distinct values of a column, None the last of them, and which of them each row holds."""
    encoded = column.dictionary_encode()
    values = [*encoded.dictionary.to_pylist(), None]
    indices = encoded.indices.fill_null(len(values) - 1)
    return values, indices.to_numpy(False).astype(np.int64)


def _is_unknown(value: Any, categories: list[Any], name: str) -> str:
    shown = ", ".join(repr(category) for category in categories[:_SHOWN])
    more = ", ..." if len(categories) > _SHOWN else ""
    return (
        f"column {name!r}: {value!r} is none of the categories that the model was trained with "
        f"({shown}{more}); codes are not accepted"
    )
