"""Whether predictions made of margins are those of the estimator itself, on some rows."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.importance.predictions import Predictor
from leafshap.importance.stand_in import methods_of
from leafshap.inputs import InputRows

Floats = npt.NDArray[np.float64]

MOST_ROWS = 256
# XGBoost adds up trees and computes probabilities in float32
_RELATIVE = 1e-4
_UNDECIDED = 1e-5
OF_ONE = 1e-6  # of probabilities: 1 - p keeps no more of a small one


def disagreement(
    estimator: Any, predictor: Predictor, rows: InputRows, margins: Floats
) -> str | None:
    """Compare every prediction method on up to 256 rows, evenly spread.

    Parameters
    ----------
    estimator : object
    predictor : Predictor
    rows : InputRows, n of them
    margins : ndarray, shape (n, K)
        Of these rows.

    Returns
    -------
    str or None
        What differs; None if nothing does. Numbers may differ by 1e-4 of the largest of their
        output, probabilities also by 1e-6, labels where the best two classes are within 1e-5 of
        each other.
    """
    step = -(-rows.n_rows // MOST_ROWS)
    compared = margins[::step]
    for method in methods_of(estimator):
        try:
            theirs = _ask(estimator, method, rows, step)
        except Exception as error:  # a library's refusal is of any kind
            return f"its {method} fails: {type(error).__name__}: {error}"
        ours = getattr(predictor, method)(compared)
        decided = None
        if method == "predict":
            undecided = predictor.undecided(compared, _UNDECIDED)
            decided = None if undecided is None else ~undecided
        least = OF_ONE if method == "predict_proba" else 0.0
        if not agree(ours, theirs, decided, least):
            return f"its {method} returns something else"
    return None


def _ask(estimator: Any, method: str, rows: InputRows, step: int) -> Any:
    """Ask the estimator, which may take the user's table or only a matrix.

    What it refuses in a DataFrame or in numbers is not the container, but what is in it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return getattr(estimator, method)(rows.own(0, rows.n_rows, step))
        except Exception:
            if rows.native:
                raise
            return getattr(estimator, method)(rows.dense(0, rows.n_rows, step))


def agree(
    ours: Any, theirs: Any, decided: npt.NDArray[np.bool_] | None = None, least: float = 0.0
) -> bool:
    """Whether predictions of all rows are near each other.

    Parameters
    ----------
    ours, theirs : array, or list of arrays
    decided : ndarray of bool, shape (n,), optional
        Of labels: where they must be equal.
    least : float
        By what numbers may differ however small they are.
    """
    if isinstance(ours, list):
        if not isinstance(theirs, list) or len(ours) != len(theirs):
            return False
        return all(agree(a, b, decided, least) for a, b in zip(ours, theirs, strict=True))
    a, b = np.asarray(ours), np.asarray(theirs)
    if a.shape != b.shape:
        return False
    if decided is not None:
        return bool(np.all(a[decided] == b[decided]))
    if a.dtype.kind not in "biuf" or b.dtype.kind not in "biuf":
        return False
    a, b = a.astype(np.float64), b.astype(np.float64)
    largest = np.where(np.isfinite(b), np.abs(b), 0.0).max(axis=0, initial=0.0)
    with np.errstate(invalid="ignore"):
        near = np.abs(a - b) <= _RELATIVE * largest + least
    return bool(np.all(near | (a == b) | (np.isnan(a) & np.isnan(b))))
