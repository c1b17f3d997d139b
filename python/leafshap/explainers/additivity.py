"""The additivity check: SHAP values against the user's own model.

The local accuracy property (Lundberg and Lee 2017, property 1) says that the expected value plus a
row's SHAP values is the model's output. Compared with the prediction of the user's own library,
not of the converted trees, it also catches a model converted wrongly.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from leafshap import converters
from leafshap.converters.arrays import EnsembleArrays
from leafshap.ensemble import TreeEnsemble
from leafshap.errors import AdditivityError, InvalidInputError
from leafshap.explainers.outputs import Output

if TYPE_CHECKING:
    from leafshap.explanation import Values
    from leafshap.inputs import InputRows

# Libraries predict about as fast as the core explains (measured on one thread, 100 trees: XGBoost
# takes 26-40% of the time, LightGBM 120-230%), so only one row in 16 is checked of larger data.
_FEW_ROWS = 256
_ONE_IN = 16
_MOST_ROWS = 16_384
_MOST_BYTES = 32 << 20

_RELATIVE = 1e-4
_FLOAT32_EPSILON = float(np.finfo(np.float32).eps)

CheckAdditivity = bool | Literal["all", "few"]


def validate_which(which: CheckAdditivity) -> None:
    """Refuse anything but a bool, "all" or "few".

    Raises
    ------
    InvalidInputError
    """
    if not (isinstance(which, (bool, np.bool_)) or which in ("all", "few")):
        raise InvalidInputError(
            f'check_additivity must be True, False, "all" or "few", got {which!r}'
        )


class AdditivityCheck:
    """Compares explanations of one model with the model's own predictions.

    Parameters
    ----------
    model : object
        The user's model. Of a model file, or one that is converted already, the reference predictor
        of `ensemble` is used.
    ensemble : TreeEnsemble
        The converted model.
    output : Output
        What is explained of the raw prediction.
    """

    def __init__(self, model: object, ensemble: TreeEnsemble, output: Output) -> None:
        converted = isinstance(model, (str, os.PathLike, EnsembleArrays, TreeEnsemble))
        self._model = None if converted else model
        self._ensemble = ensemble
        self._output = output

    def without_model(self) -> AdditivityCheck:
        """Make a check against the reference predictor of the ensemble, which pickles by itself."""
        return AdditivityCheck(self._ensemble, self._ensemble, self._output)

    def run(
        self,
        which: CheckAdditivity,
        rows: InputRows,
        values: Values,
        base_values: npt.NDArray[np.float64],
        tree_limit: int | None,
        n_threads: int,
        labels: npt.NDArray[np.float64] | None = None,
    ) -> None:
        """Check the values (n, F, K) or (n, F, F, K) of the first n rows; base values are (n, K).

        A row passes if it differs by at most 1e-4 of the largest sum of absolute values of a
        checked row, plus the rounding of a library that adds T trees in float32 (XGBoost):
        4 sqrt(T) eps32 times the largest raw prediction, times the slope of the output there.

        Raises
        ------
        AdditivityError
            Naming the worst row; or if the model cannot predict the rows.
        """
        if not which or len(values) == 0:
            return
        spans = self._spans(which, len(values), values)
        output, axes = self._output, tuple(range(1, values.ndim - 1))
        found, wanted, sizes, inexact = [], [], [], []
        for start, stop, step in spans:
            phi = values[start:stop:step]
            base = base_values[start:stop:step]
            y = None if labels is None else labels[start:stop:step]
            found.append(phi.sum(axis=axes, dtype=np.float64) + base)
            sizes.append(_largest(np.abs(phi).sum(axis=axes, dtype=np.float64)))
            raw = self._predict(rows, (start, stop, step), tree_limit, n_threads)
            raw = raw.reshape(found[-1].shape)
            wanted.append(output.of(raw, y))
            inexact.append(_largest(np.abs(raw) * output.slope(raw, y)))
            inexact.append(_largest(np.abs(base)))
        sums, predictions = np.concatenate(found), np.concatenate(wanted)
        n_trees = self._ensemble.count_trees(tree_limit)
        noise = 4 * math.sqrt(n_trees) * _FLOAT32_EPSILON
        tolerance = _RELATIVE * np.max(sizes, axis=0) + noise * np.max(inexact, axis=0)
        self._compare(sums, predictions, tolerance, spans[0][2])

    @staticmethod
    def _spans(which: CheckAdditivity, n: int, values: Values) -> list[tuple[int, int, int]]:
        """(start, stop, step) of the rows to compare, each small enough to hold twice."""
        row_bytes = max(1, values[:1].nbytes)
        most = max(1, min(_MOST_ROWS, _MOST_BYTES // row_bytes))
        if which == "all":
            return [(a, min(a + most, n), 1) for a in range(0, n, most)]
        few = n // _ONE_IN
        most = min(most, max(1, min(few, _FEW_ROWS)) if which == "few" else max(few, _FEW_ROWS))
        return [(0, n, -(-n // most))]

    def _predict(
        self,
        rows: InputRows,
        span: tuple[int, int, int],
        tree_limit: int | None,
        n_threads: int,
    ) -> npt.NDArray[np.float64]:
        ensemble = self._ensemble
        n_trees = None if tree_limit is None else ensemble.count_trees(tree_limit)
        whole = n_trees is None or n_trees % max(1, ensemble.trees_per_iteration) == 0
        if self._model is None or not whole:  # a library stops only between two iterations
            limit = ensemble.count_trees(tree_limit)
            block = rows.coded(*span)
            reference: npt.NDArray[np.float64] = ensemble.core.predict(block, limit, n_threads)
            return reference
        first_error: Exception | None = None
        for X in rows_for_model(rows, ensemble, span):
            try:
                return converters.predict_raw(self._model, X, n_trees)
            except Exception as error:  # a library's refusal of a container is of any kind
                first_error = first_error or error
        raise AdditivityError(
            "additivity could not be checked, because the model itself does not predict these "
            f"rows: {first_error}. Pass check_additivity=False to explain them all the same."
        ) from first_error

    def _compare(
        self,
        sums: npt.NDArray[np.float64],
        predictions: npt.NDArray[np.float64],
        tolerance: npt.NDArray[np.float64],
        step: int,
    ) -> None:
        difference = np.abs(sums - predictions)
        if (difference <= tolerance).all():  # False for NaN
            return
        excess = difference / np.maximum(tolerance, np.finfo(np.float64).tiny)
        worst = int(np.argmax(np.where(np.isnan(excess), np.inf, excess)))
        i, k = divmod(worst, sums.shape[1])
        output = "" if sums.shape[1] == 1 else f", output {k}"
        whose = "reference" if self._model is None else "model's own"
        what = "raw prediction"
        if self._output.transform != "raw":
            what = f"{self._output.transform} of the {what}"
        raise AdditivityError(
            f"row {i * step}{output}: expected value + SHAP values = {sums[i, k]:.9g}, but the "
            f"{whose} {what} is {predictions[i, k]:.9g} (tolerance {tolerance[k]:.2g}). "
            "Either the model has changed since the explainer was made, or leafshap reads this "
            "kind of model wrongly: please report it. check_additivity=False skips the check."
        )


def rows_for_model(
    rows: InputRows, ensemble: TreeEnsemble, span: tuple[int, int, int]
) -> list[Any]:
    """Forms of rows (start, stop, step) to try on the user's model, best first.

    The user's own rows first: only they are sure to hold categories as the library wants them.
    A table goes to a model that knows no column names as a matrix, as that model was trained.
    """
    codes_differ = rows.encoded and ensemble.schema.encode_numeric
    nameless = rows.names is not None and ensemble.schema.feature_names is None
    forms: list[Any] = []
    if codes_differ or not nameless:
        forms.append(rows.own(*span))
    if not codes_differ:
        forms.append(rows.dense(*span))
    return forms


def _largest(sizes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Find the largest finite value of every column: one that is not must not widen a tolerance."""
    largest: npt.NDArray[np.float64] = np.where(np.isfinite(sizes), sizes, 0.0).max(axis=0)
    return largest
