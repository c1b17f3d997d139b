"""Which output of the model is shown, and whether leafshap computes it as the model does."""

from __future__ import annotations

import math
import os
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap import converters
from leafshap.converters.arrays import EnsembleArrays
from leafshap.ensemble import TreeEnsemble
from leafshap.errors import AdditivityError, InvalidInputError, UnsupportedModelError
from leafshap.explainers.additivity import rows_for_model
from leafshap.explainers.outputs import Output, choose_game_output
from leafshap.inputs import FloatArray, InputRows
from leafshap.responses import response_plan

Floats = npt.NDArray[np.float64]

RESPONSES = ("auto", "raw", "probability", "predict", "predict_proba")
_CHECKED_ROWS = 64
_RELATIVE = 1e-4
_FLOAT32_EPSILON = float(np.finfo(np.float32).eps)


def ensemble_of(model: object, what: str, instead: str = "") -> TreeEnsemble:
    """Convert the model; where it cannot be, say which way is left.

    Raises
    ------
    UnsupportedModelError
    """
    try:
        return TreeEnsemble.from_model(model)
    except UnsupportedModelError as error:
        raise UnsupportedModelError(f"{what}: {error} {instead}".rstrip()) from error


@dataclass(frozen=True)
class Response:
    """An output of the model.

    Attributes
    ----------
    output : Output
        The transform of the margin.
    kept : slice
        Which of the K outputs: of the two probabilities of a binary forest only the second.
    method : str or None
        The model's own method that gives it; None: its raw prediction does.
    """

    output: Output
    kept: slice
    method: str | None

    @property
    def linear(self) -> bool:
        """Whether the output's mean is the mean margin."""
        return self.output.transform == "raw"


def choose_response(model_output: str, ensemble: TreeEnsemble, model: object) -> Response:
    """Find the output that `model_output` means; "auto" is what scikit-learn would show.

    Raises
    ------
    InvalidInputError
        If `model_output` is unknown.
    UnsupportedModelError
        If the model has no such output.
    """
    if model_output not in RESPONSES:
        raise InvalidInputError(
            f"unknown model_output {model_output!r}: expected one of {', '.join(RESPONSES)}"
        )
    estimator = not _is_converted(model) and hasattr(model, "fit")
    classifier = estimator and hasattr(model, "predict_proba")
    if model_output == "auto":
        if not estimator or ensemble.link == "path_length":
            model_output = "raw"
        else:
            model_output = "probability" if classifier else "predict"
    output = choose_game_output(model_output, ensemble, model)
    if model_output == "raw" or not estimator:
        return Response(output, slice(None), None)
    if not classifier:
        return Response(output, slice(None), "predict")
    binary = ensemble.n_outputs == 2 and ensemble.link in ("probability", "softmax")
    binary = binary and not isinstance(getattr(model, "classes_", None), list)  # of two targets
    return Response(output, slice(1, None) if binary else slice(None), "predict_proba")


def check_response(
    response: Response,
    model: object,
    ensemble: TreeEnsemble,
    rows: InputRows,
    n_threads: int,
) -> None:
    """Compare the output at some rows of the data with the model's own prediction.

    A wrong conversion, or a wrong link, is an error here, not a wrong curve. Tolerance: 1e-4 of the
    largest distance of a prediction from their mean, and the rounding of a library that adds T
    trees in float32, 4 sqrt(T) eps32 times the largest margin.

    Raises
    ------
    AdditivityError
        Naming the worst row; or if the model does not predict the rows.
    """
    if _is_converted(model):
        return
    span = (0, rows.n_rows, max(1, math.ceil(rows.n_rows / _CHECKED_ROWS)))
    n_trees = ensemble.count_trees()
    margins = _margins_of_plan(ensemble, rows.coded(*span), n_threads)
    ours = response.output.of(margins)
    theirs = _own_prediction(response, model, ensemble, rows, span)
    if theirs.shape[1] == ours.shape[1] + 1 == 2:  # both classes, where the trees give one margin
        theirs = theirs[:, 1:]
    if theirs.shape != ours.shape:
        raise AdditivityError(
            f"the model's own {response.method} gives {theirs.shape[1]} outputs, leafshap "
            f"{ours.shape[1]}: leafshap reads this kind of model wrongly, please report it"
        )
    finite = np.where(np.isfinite(theirs), theirs, 0.0)
    noise = 4 * math.sqrt(max(1, n_trees)) * _FLOAT32_EPSILON
    rounding = np.abs(margins) * response.output.slope(margins)
    tolerance = _RELATIVE * np.abs(finite - finite.mean(axis=0)).max(axis=0)
    tolerance = tolerance + noise * np.where(np.isfinite(rounding), rounding, 0.0).max(axis=0)
    tolerance = tolerance + noise * np.abs(finite).max(axis=0)
    with np.errstate(invalid="ignore"):
        difference = np.where(ours == theirs, 0.0, np.abs(ours - theirs))
    if (difference <= tolerance).all():
        return
    excess = difference / np.maximum(tolerance, np.finfo(np.float64).tiny)
    i, k = divmod(int(np.argmax(np.where(np.isnan(excess), np.inf, excess))), ours.shape[1])
    raise AdditivityError(
        f"row {i * span[2]}{'' if ours.shape[1] == 1 else f', output {k}'}: leafshap predicts "
        f"{ours[i, k]:.9g}, the model's own {response.method or 'raw prediction'} is "
        f"{theirs[i, k]:.9g} (tolerance {tolerance[k]:.2g}). leafshap reads this kind of model "
        "wrongly: please report it. check_predictions=False skips the check."
    )


def _margins_of_plan(ensemble: TreeEnsemble, rows: FloatArray, n_threads: int) -> Floats:
    """Margins as plans add them up, which lose digits beside a leaf that is far larger."""
    players = np.full(ensemble.n_features, -1, dtype=np.int32)
    plan = response_plan(ensemble, players, rows[:1])
    margins = np.empty((len(rows), ensemble.n_outputs))
    plan.predict(rows, margins, n_threads)
    return margins


def _own_prediction(
    response: Response,
    model: object,
    ensemble: TreeEnsemble,
    rows: InputRows,
    span: tuple[int, int, int],
) -> Floats:
    """Ask the user's library, shape (n, K)."""
    first_error: Exception | None = None
    for X in rows_for_model(rows, ensemble, span):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of columns without names, which are all the same
                if response.method is None:
                    raw = np.asarray(converters.predict_raw(model, X, None), dtype=np.float64)
                    return response.output.of(raw.reshape(len(raw), -1))
                found: Any = getattr(model, response.method)(X)
        except Exception as error:  # a library's refusal of a container is of any kind
            first_error = first_error or error
            continue
        if isinstance(found, list):  # of several targets with classes
            found = np.hstack(found)
        prediction = np.asarray(found, dtype=np.float64)
        return prediction.reshape(len(prediction), -1)
    raise AdditivityError(
        "leafshap's predictions could not be checked, because the model itself does not predict "
        f"these rows: {first_error}. Pass check_predictions=False to go on all the same."
    ) from first_error


def _is_converted(model: object) -> bool:
    return isinstance(model, (str, os.PathLike, EnsembleArrays, TreeEnsemble))
