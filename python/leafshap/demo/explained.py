"""Explain every row with a model, check the sums, and time the library's own SHAP beside it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

import leafshap
from leafshap.errors import AdditivityError

if TYPE_CHECKING:
    from collections.abc import Callable

    from leafshap.demo.models import DemoModel

CHUNK = 8192
TOLERANCE = 1e-4

# the library's own SHAP is given about this many seconds' worth of rows
_OWN_SECONDS = 3.0
_OWN_WARM_UP = 200
_OWN_MIN_ROWS = 500


@dataclass(frozen=True)
class Explained:
    """What was computed for one model.

    Attributes
    ----------
    values : ndarray (n, F), float64
        SHAP values in minutes.
    expected_value : float
        The part of the prediction that every flight shares.
    prediction : ndarray (n,), float64
        The library's own prediction.
    seconds : float
        Time of all calls of `shap_values`.
    additivity_error : float
        Largest absolute difference between `prediction` and the sum of the values, in minutes.
    own_rows, own_seconds : int, float
        Rows given to the library's own SHAP, and its time for them.
    own_difference : float
        Largest absolute difference of a value from the library's own on these rows.
    """

    model: DemoModel
    values: npt.NDArray[np.float64]
    expected_value: float
    prediction: npt.NDArray[np.float64]
    seconds: float
    additivity_error: float
    own_rows: int
    own_seconds: float
    own_difference: float

    @property
    def rows_per_second(self) -> float:
        """Throughput of leafshap."""
        return len(self.values) / self.seconds

    @property
    def own_rows_per_second(self) -> float:
        """Throughput of the library's own SHAP."""
        return self.own_rows / self.own_seconds

    @property
    def importance(self) -> npt.NDArray[np.float64]:
        """Mean absolute SHAP value of each feature, shape (F,)."""
        return np.asarray(np.abs(self.values).mean(axis=0))


def explain(
    model: DemoModel,
    X: npt.NDArray[np.float32],
    n_threads: int,
    advance: Callable[[int], None],
) -> Explained:
    """Explain all rows of `X` in chunks; `advance` is told the rows done after each.

    Raises
    ------
    AdditivityError
        If a row's values do not add up to the library's own prediction.
    """
    explainer = leafshap.TreeExplainer(model.model, n_jobs=n_threads)
    expected_value = float(explainer.expected_value)
    values = np.empty(X.shape, np.float64)
    seconds = 0.0
    for start in range(0, len(X), CHUNK):
        chunk = X[start : start + CHUNK]
        # the check below is made once for all rows, outside the timed part
        before = time.perf_counter()
        values[start : start + CHUNK] = explainer.shap_values(chunk, check_additivity=False)
        seconds += time.perf_counter() - before
        advance(len(chunk))

    prediction = model.predict(X)
    error = np.abs(values.sum(axis=1) + expected_value - prediction)
    if not error.max() <= TOLERANCE * np.abs(prediction).max():
        raise AdditivityError(
            f"{model.name}: row {int(error.argmax())}: expected value plus SHAP values differs "
            f"from the library's own prediction by {error.max():.3g} minutes"
        )

    own_rows, own_seconds, own_values = _time_own(model, X)
    return Explained(
        model=model,
        values=values,
        expected_value=expected_value,
        prediction=prediction,
        seconds=seconds,
        additivity_error=float(error.max()),
        own_rows=own_rows,
        own_seconds=own_seconds,
        own_difference=float(np.abs(own_values - values[:own_rows]).max()),
    )


def _time_own(
    model: DemoModel, X: npt.NDArray[np.float32]
) -> tuple[int, float, npt.NDArray[np.float64]]:
    """Rows, seconds and values of the library's own SHAP on the first rows of `X`."""
    before = time.perf_counter()
    model.own_shap_values(X[:_OWN_WARM_UP])
    rate = _OWN_WARM_UP / (time.perf_counter() - before)
    rows = min(len(X), max(_OWN_MIN_ROWS, int(rate * _OWN_SECONDS)))
    before = time.perf_counter()
    values = model.own_shap_values(X[:rows])
    return rows, time.perf_counter() - before, values
