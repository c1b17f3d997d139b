"""Which features a partial dependence is of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from leafshap.errors import InvalidInputError
from leafshap.integers import whole_number


def read_targets(
    features: Any, names: Sequence[str] | None, n_features: int
) -> tuple[list[tuple[int, ...]], bool]:
    """Read `features`: one target, or a list of them; a target is a feature or a tuple of them.

    Returns
    -------
    targets : list of tuples of int
    single : bool
        Whether it was one target, not a list.

    Raises
    ------
    InvalidInputError
        Naming an unknown feature, one that is twice in a tuple, or an empty list or tuple.
    """
    single = isinstance(features, (str, tuple)) or whole_number(features) is not None
    if not single and not isinstance(features, (list, range, np.ndarray)):
        raise InvalidInputError(
            "features must be a feature's number or name, a tuple of them, or a list of such "
            f"targets; got {features!r}"
        )
    given = [features] if single else list(features)
    if not given:
        raise InvalidInputError("features is empty: name at least one feature")
    return [_target(target, names, n_features) for target in given], single


def _target(target: Any, names: Sequence[str] | None, n_features: int) -> tuple[int, ...]:
    several = isinstance(target, (tuple, list, np.ndarray))
    parts = list(target) if several else [target]
    if not parts:
        raise InvalidInputError("features has an empty tuple: name at least one feature")
    found = tuple(feature_index(part, names, n_features) for part in parts)
    for i, index in enumerate(found):
        if index in found[:i]:
            raise InvalidInputError(f"features names {parts[i]!r} twice in {target!r}")
    return found


def feature_index(
    feature: Any, names: Sequence[str] | None, n_features: int, what: str = "features"
) -> int:
    """Find the number of a feature by number or name.

    Raises
    ------
    InvalidInputError
    """
    if isinstance(feature, str):
        if names is None:
            raise InvalidInputError(
                f"{what} names {feature!r}, but neither the data nor the model has names: pass "
                "feature_names, or the column's number"
            )
        if feature in names:
            return list(names).index(feature)
        raise InvalidInputError(f"{what} names {feature!r}, which is no column of the data")
    index = whole_number(feature)
    if index is None:
        raise InvalidInputError(f"{what} must hold numbers or names of columns, got {feature!r}")
    if not 0 <= index < n_features:
        raise InvalidInputError(
            f"{what} names column {index}, the model has columns 0 to {n_features - 1}"
        )
    return index


def read_categorical(given: Any, names: Sequence[str] | None, n_features: int) -> frozenset[int]:
    """Read `categorical_features`: numbers or names of columns, or one bool for each column.

    Raises
    ------
    InvalidInputError
    """
    what = "categorical_features"
    if given is None:
        return frozenset()
    if isinstance(given, (str, bytes)) or not hasattr(given, "__len__"):
        raise InvalidInputError(f"{what} must be a sequence of columns, got {given!r}")
    parts = list(given)
    if not parts:
        raise InvalidInputError(f"{what} is empty: pass None if there are none")
    if all(isinstance(part, (bool, np.bool_)) for part in parts):
        if len(parts) != n_features:
            raise InvalidInputError(
                f"{what} has {len(parts)} bools, the model has {n_features} features"
            )
        return frozenset(j for j, part in enumerate(parts) if part)
    return frozenset(feature_index(part, names, n_features, what) for part in parts)
