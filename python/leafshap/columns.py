"""Single columns of user data: objects to numbers, category values to codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError


def label_of(index: int, names: Sequence[str] | None) -> str:
    """How error messages call a column."""
    return f"column {index}" if names is None else f"column {index} ({names[index]!r})"


def is_missing(value: Any) -> bool:
    """None, NaN, NaT and pandas.NA (recognised without importing pandas)."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def numbers_of_objects(
    values: npt.NDArray[np.object_], label: str, first_row: int = 0, step: int = 1
) -> npt.NDArray[np.float64]:
    """Convert a column of Python objects to float64, shape (n,); missing markers become NaN.

    Text is refused even where it spells a number: a column of text is a mistake, not data.

    Raises
    ------
    InvalidInputError
        Naming the column, the row and the value.
    """
    out = np.empty(len(values), dtype=np.float64)
    for i, value in enumerate(values):
        if is_missing(value):
            out[i] = np.nan
            continue
        try:
            if isinstance(value, (str, bytes, np.datetime64, np.timedelta64)):
                raise TypeError
            out[i] = value
        except (TypeError, ValueError, OverflowError):
            raise InvalidInputError(
                f"{label} is not numeric: row {first_row + i * step} holds {value!r}"
            ) from None
    return out


def is_text(value: Any) -> bool:
    """Whether a category value is text."""
    return isinstance(value, (str, bytes))


def codes_of(
    values: Sequence[Any], categories: Sequence[Any], label: str
) -> npt.NDArray[np.float64]:
    """Code (position in `categories`) of each value; NaN if missing or unknown. Shape (n,).

    Raises
    ------
    InvalidInputError
        If a value is text and all categories are numbers, or the other way round: then it is not
        unknown, but written differently than in training.
    """
    code = {value: i for i, value in enumerate(categories) if not is_missing(value)}
    kinds = {is_text(category) for category in code}
    out = np.full(len(values), np.nan)
    for i, value in enumerate(values):
        if is_missing(value):
            continue
        found = code.get(value)
        if found is not None:
            out[i] = found
        elif kinds and is_text(value) not in kinds:
            raise InvalidInputError(
                f"{label} holds {value!r}, but the model knows its categories as values such as "
                f"{next(iter(code))!r}"
            )
    return out


def value_codes(
    values: npt.NDArray[Any], categories: Sequence[Any], label: str
) -> npt.NDArray[np.float64]:
    """As `codes_of`, by binary search if values and categories are numbers. Shape (n,)."""
    if values.dtype.kind == "O" or any(is_text(c) for c in categories):
        return codes_of(values.tolist(), categories, label)
    kept = [(float(c), i) for i, c in enumerate(categories) if not is_missing(c)]
    if not kept:
        return np.full(len(values), np.nan)
    kept.sort()
    known, code = (np.array(column, dtype=np.float64) for column in zip(*kept, strict=True))
    at = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return np.where(known[at] == values, code[at], np.nan)
