"""Checks of the explainers' arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.ensemble import TreeEnsemble
from leafshap.errors import InvalidInputError
from leafshap.integers import whole_number

_FEATURE_PERTURBATIONS = ("auto", "tree_path_dependent", "interventional")


def choose_perturbation(feature_perturbation: str, has_data: bool) -> str:
    """Resolve "auto": "interventional" with background data, else "tree_path_dependent".

    Raises
    ------
    InvalidInputError
        If the name is unknown, or "interventional" has no background data.
    """
    if feature_perturbation not in _FEATURE_PERTURBATIONS:
        raise InvalidInputError(
            f"unknown feature_perturbation {feature_perturbation!r}: expected one of "
            f"{', '.join(_FEATURE_PERTURBATIONS)}"
        )
    if feature_perturbation == "auto":
        return "interventional" if has_data else "tree_path_dependent"
    if feature_perturbation == "interventional" and not has_data:
        raise InvalidInputError(
            'feature_perturbation="interventional" needs background data (data=)'
        )
    return feature_perturbation


def check_dtype(dtype: npt.DTypeLike) -> str:
    """Name a dtype that the core computes in: "float64" or "float32".

    Raises
    ------
    InvalidInputError
    """
    try:
        name = np.dtype(dtype).name
    except TypeError:
        name = ""
    if name not in ("float64", "float32"):
        raise InvalidInputError(f'dtype must be "float64" or "float32", got {dtype!r}')
    return name


def check_names(
    names: Sequence[str] | npt.NDArray[np.str_] | None, ensemble: TreeEnsemble
) -> list[str] | None:
    """Copy the user's feature names, one for each feature.

    Raises
    ------
    InvalidInputError
    """
    if names is None:
        return None
    if isinstance(names, str) or not hasattr(names, "__len__"):
        raise InvalidInputError(f"feature_names must be a sequence of names, got {names!r}")
    if len(names) != ensemble.n_features:
        raise InvalidInputError(
            f"feature_names has {len(names)} names, the model has {ensemble.n_features} features"
        )
    return [str(name) for name in names]


def check_top(top: int | None) -> int | None:
    """Check how many pairs are wanted; None: all.

    Raises
    ------
    InvalidInputError
    """
    if top is None:
        return None
    number = whole_number(top)
    if number is None or number < 1:
        raise InvalidInputError(f"top must be a positive integer or None, got {top!r}")
    return number


def read_seed(seed: Any) -> int:
    """Check a seed.

    Raises
    ------
    InvalidInputError
        If it is no whole number from 0 to 2**64 - 1.
    """
    number = whole_number(seed)
    if number is None or not 0 <= number < 2**64:
        raise InvalidInputError(f"seed must be a whole number from 0 to 2**64 - 1, got {seed!r}")
    return number


def read_nsamples(nsamples: Any) -> int | Callable[[int], int] | None:
    """Check a budget: None for "auto", a number, or a function of the number of players.

    Raises
    ------
    InvalidInputError
    """
    if isinstance(nsamples, str) and nsamples == "auto":
        return None
    if callable(nsamples):
        count: Callable[[int], int] = nsamples
        return count
    number = whole_number(nsamples)
    if number is None or number < 2:
        raise InvalidInputError(
            f'nsamples must be "auto" or a whole number of at least 2, got {nsamples!r}'
        )
    return number


def read_tolerance(tol: Any) -> float | None:
    """Check a tolerance of standard errors; None for none.

    Raises
    ------
    InvalidInputError
    """
    if tol is None:
        return None
    if isinstance(tol, (int, float, np.integer, np.floating)) and 0 < tol < 1:
        return float(tol)
    raise InvalidInputError(f"tol must be a number between 0 and 1, got {tol!r}")
