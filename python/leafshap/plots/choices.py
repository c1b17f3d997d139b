"""Arguments that choose a feature, an output or a row by name or number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leafshap.errors import InvalidInputError
from leafshap.explanation.selection import made_up_names, positions
from leafshap.integers import whole_number

_SHOWN = 12


def choose(what: str, given: Any, names: Sequence[str] | None, size: int) -> int:
    """Find the number of a thing that is given by name or by number, from the end if negative.

    Parameters
    ----------
    what : str
        "feature", "output" or "row", for messages.
    names : sequence of str or None
        None if the things have no names; those of features and outputs are made up then.

    Raises
    ------
    InvalidInputError
        Naming what there is to choose from; also if several have the name.
    """
    if isinstance(given, str) and what != "row":
        known = made_up_names(what, size) if names is None else list(map(str, names))
        return int(positions([given], known, what)[0])
    index = whole_number(given)
    if index is None or not -size <= index < size:
        raise InvalidInputError(f"there is no {what} {given!r}: {_offer(what, names, size)}")
    return index % size


def choose_output(given: Any, names: Sequence[str] | None, size: int, what: str) -> int:
    """As `choose`; with one output there is nothing to choose.

    Parameters
    ----------
    what : str
        What shows one output at a time.
    """
    if given is None:
        if size == 1:
            return 0
        raise InvalidInputError(
            f"{what} shows one output: pass output=; {_offer('output', names, size)}"
        )
    return choose("output", given, names, size)


def _offer(what: str, names: Sequence[str] | None, size: int) -> str:
    if not size:
        return f"there are no {what}s"
    if names is None:
        return f"{what}s are 0 to {size - 1}" if size > 1 else f"the only {what} is 0"
    shown = ", ".join(repr(str(name)) for name in names[:_SHOWN])
    return f"{what}s are {shown}" + (", ..." if len(names) > _SHOWN else "")
