"""Whole numbers as users give them."""

from __future__ import annotations

import operator
from typing import Any


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
