"""Checks of permutation_importance's arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError
from leafshap.integers import whole_number
from leafshap.threads import count_threads

METHODS = ("sampled", "exact")


def check_method(method: Any) -> None:
    """Refuse an unknown method.

    Raises
    ------
    InvalidInputError
    """
    if method not in METHODS:
        raise InvalidInputError(f'method must be "sampled" or "exact", got {method!r}')


def read_repeats(n_repeats: Any) -> int:
    """Check the number of repeats.

    Raises
    ------
    InvalidInputError
    """
    number = whole_number(n_repeats)
    if number is None or number < 1:
        raise InvalidInputError(
            f"n_repeats must be a whole number of at least 1, got {n_repeats!r}"
        )
    return number


def read_jobs(n_jobs: Any) -> int:
    """Turn `n_jobs` into a number of threads of the core; None: all cores, -2: all but one.

    Raises
    ------
    InvalidInputError
    """
    n = -1 if n_jobs is None else whole_number(n_jobs)
    if n is not None and n < -1:  # as joblib counts
        return max(1, count_threads(-1) + 1 + n)
    return count_threads(n_jobs if n is None else n)


def check_rows(n_rows: int, n_columns: int) -> None:
    """Refuse X that nothing can be shuffled in.

    Raises
    ------
    InvalidInputError
    """
    if not n_columns:
        raise InvalidInputError("X has no columns")
    if n_rows < 2:
        raise InvalidInputError(
            f"X has {n_rows} row{'' if n_rows == 1 else 's'}: there is nothing to shuffle, at "
            "least 2 are needed"
        )


def check_targets(y: Any, n_rows: int, needed: bool) -> None:
    """Refuse targets that do not fit the rows; where scores are known to need them, NaN, too.

    Raises
    ------
    InvalidInputError
    """
    if y is None:
        if needed:
            raise InvalidInputError("y is None, but the score compares predictions with it")
        return
    shape = np.shape(y)
    if not shape or shape[0] != n_rows:
        found = f"{shape[0]} values" if shape else "a single value"
        raise InvalidInputError(f"y has {found} for {n_rows} rows of X")
    if not needed:
        return
    values = np.asarray(y)
    missing = values != values if values.dtype.kind in "fc" else _missing_objects(values)
    if missing.any():
        raise InvalidInputError(f"y[{np.argwhere(missing)[0, 0]}] is missing (NaN)")


def _missing_objects(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    from leafshap.columns import is_missing

    if values.dtype.kind != "O":
        return np.zeros(values.shape, dtype=bool)
    flat = np.fromiter((is_missing(v) for v in values.flat), dtype=bool, count=values.size)
    return flat.reshape(values.shape)


def read_sample_weight(sample_weight: Any, n_rows: int) -> npt.NDArray[np.float64] | None:
    """Check weights, shape (n_rows,).

    Raises
    ------
    InvalidInputError
    """
    if sample_weight is None:
        return None
    try:
        weights = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"cannot read sample_weight: {error}") from error
    if weights.shape != (n_rows,):
        raise InvalidInputError(
            f"sample_weight has the shape {weights.shape}, expected ({n_rows},)"
        )
    wrong = np.flatnonzero(~np.isfinite(weights))
    if wrong.size:
        raise InvalidInputError(f"sample_weight[{wrong[0]}] is {weights[wrong[0]]}")
    return weights
