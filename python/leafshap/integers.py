"""Whole numbers as users give them."""

from __future__ import annotations

import operator
from typing import Any

from leafshap.errors import InvalidInputError


def whole_number(value: Any) -> int | None:
    """Return an integer of any kind (numpy's too) as an int; None for everything else.

    A bool is not taken for a number, and neither is an array.
    """
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def at_least(least: int, value: Any, what: str) -> int:
    """Return a whole number that is not below `least`.

    Raises
    ------
    InvalidInputError
        Naming `what` it is for.
    """
    number = whole_number(value)
    if number is None or number < least:
        raise InvalidInputError(f"{what} must be a whole number of at least {least}, got {value!r}")
    return number
