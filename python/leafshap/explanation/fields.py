"""What an Explanation is made from, read and checked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError

if TYPE_CHECKING:
    from leafshap.explanation.explanation import Explanation


def read_fields(given: Explanation) -> dict[str, Any]:
    """Fields of an explanation that is made from scratch: arrays, lists of names, and its axes.

    Raises
    ------
    InvalidInputError
        If they are not arrays of numbers, or do not fit each other.
    """
    values, base = _numbers(given.values, "values"), _numbers(given.base_values, "base_values")
    rows = () if given.single_row else ("rows",)
    outputs = ("outputs",) if base.ndim > len(rows) else ()
    n_features = values.ndim - len(rows) - len(outputs)
    axes = (*rows, *("features",) * n_features, *outputs)
    wanted = tuple(n for n, axis in zip(values.shape, axes, strict=False) if axis != "features")
    if not 0 <= n_features <= 2 or base.shape != wanted:
        raise InvalidInputError(
            f"base_values of shape {base.shape} do not fit values of shape {values.shape}: these "
            "are (rows, features) or (rows, features, outputs), and base values (rows) or (rows, "
            "outputs)"
        )
    found: dict[str, Any] = {"values": values, "base_values": base, "axes": axes}
    for axis, names in (("features", given.feature_names), ("outputs", given.output_names)):
        size = values.shape[axes.index(axis)] if axis in axes else None
        read = found[f"{axis[:-1]}_names"] = _names(names)
        if isinstance(read, list) and size is not None and len(read) != size:
            raise InvalidInputError(f"{len(read)} {axis[:-1]}_names were given for {size} {axis}")
    return found


def _numbers(given: Any, what: str) -> npt.NDArray[Any]:
    """Array of floats as it is, anything else made one."""
    if isinstance(given, np.ndarray) and given.dtype.kind == "f":
        return given
    try:
        array = np.asarray(given)
        return array if array.dtype.kind == "f" else array.astype(np.float64, casting="safe")
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{what} must be an array of real numbers: {error}") from error


def _names(given: Any) -> list[str] | str | None:
    """Names as a list of text; text and None stay."""
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, list) and all(type(name) is str for name in given):
        return given
    if not isinstance(given, Iterable):
        raise InvalidInputError(f"names must be a list of text, got {given!r}")
    return [str(name) for name in given]
