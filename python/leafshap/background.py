"""Background data: the rows whose values stand in for absent features, and their weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError
from leafshap.inputs import FloatArray, InputRows, InputSchema, container_of

Floats = npt.NDArray[np.float64]

_MEAN_ROWS = 1 << 16  # at once; bounds what a mean holds, and fixes the order of its sum


@dataclass(frozen=True, eq=False)
class Background:
    """m rows as the core reads them (a copy of the user's), read-only.

    Attributes
    ----------
    rows : ndarray of float32 or float64, shape (m, F)
    weights : ndarray of float64, shape (m,), or None
        Not negative, with sum 1; None: all rows weigh the same.
    names : list of str or None
        Names of the columns.
    """

    rows: FloatArray
    weights: Floats | None
    names: list[str] | None

    def __len__(self) -> int:
        return len(self.rows)

    def mean(self, of: Callable[[FloatArray], Floats]) -> Floats:
        """Weighted mean over the rows of ``of(rows)``, which has shape (rows, K). Shape (K,)."""
        sums = []
        for start in range(0, len(self), _MEAN_ROWS):
            values = of(self.rows[start : start + _MEAN_ROWS])
            if self.weights is not None:
                values = values * self.weights[start : start + _MEAN_ROWS, np.newaxis]
            sums.append(values.sum(axis=0))
        total: Floats = np.sum(sums, axis=0)
        return total if self.weights is not None else total / len(self)


def read_background(data: Any, sample_weight: Any, schema: InputSchema) -> Background:
    """Read all rows of background data.

    Parameters
    ----------
    data : array, table or sparse matrix, shape (m, F)
        Whatever `InputRows` reads; also a pair (rows, weights) as a tuple, `shap.kmeans`'s result,
        or a `shap.maskers.Independent`. A `Background` is returned as it is.
    sample_weight : array-like, shape (m,), or None
        Weights of the rows, unless `data` brings its own.
    schema : InputSchema
        What the model expects.

    Raises
    ------
    InvalidInputError
        If there are no rows, if they do not fit the model, or the weights do not fit the rows.
    """
    if isinstance(data, Background):
        return data
    rows, weights = rows_and_weights(data)
    if weights is not None and sample_weight is not None:
        raise InvalidInputError("weights were given twice: with data and as sample_weight")
    try:
        found = InputRows(rows, schema)
        matrix = found.matrix()
    except InvalidInputError as error:
        raise InvalidInputError(f"background data: {error}") from error
    if not len(matrix):
        raise InvalidInputError("background data: there are no rows")
    given = sample_weight if weights is None else weights
    normalised = None if given is None else read_weights(given, len(matrix))
    return frozen_background(Background(matrix, normalised, found.names))


def frozen_background(background: Background) -> Background:
    """Make the arrays read-only, which pickle forgets."""
    background.rows.flags.writeable = False
    if background.weights is not None:
        background.weights.flags.writeable = False
    return background


def read_weights(weights: Any, n_rows: int, what: str = "background weights") -> Floats:
    """Check weights of rows, and divide them by their sum. Shape (n_rows,).

    Raises
    ------
    InvalidInputError
        Naming the row if a weight is negative or not finite; if all are zero, or the shape is not
        (n_rows,).
    """
    try:
        array = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"cannot read the {what}: {error}") from error
    if array.shape != (n_rows,):
        raise InvalidInputError(f"{what} have the shape {array.shape}, expected ({n_rows},)")
    wrong = np.flatnonzero(~((array >= 0) & np.isfinite(array)))
    if wrong.size:
        raise InvalidInputError(
            f"{what} must be finite and not negative: that of row {wrong[0]} is {array[wrong[0]]}"
        )
    largest = array.max()
    if largest == 0:
        raise InvalidInputError(f"{what} are all zero")
    share = array / largest  # so that neither tiny nor huge weights leave the range of a double
    normalised: Floats = share / share.sum()
    return normalised


def rows_and_weights(data: Any) -> tuple[Any, Any]:
    """Take apart what brings its own weights, and shap's containers (without importing shap)."""
    if isinstance(data, tuple):
        if len(data) != 2:
            raise InvalidInputError(
                f"background data: a tuple must be (rows, weights), this one has {len(data)} parts"
            )
        rows, weights = data
        if weights is None:
            raise InvalidInputError("background data: the weights of (rows, weights) are None")
        return rows, weights
    # arrays and tables, too, can have an attribute (or a column) called data
    if container_of(data) != "array" or hasattr(data, "__array__") or isinstance(data, list):
        return data, None
    if hasattr(data, "data") and hasattr(data, "weights"):
        return data.data, data.weights
    if type(data).__module__.startswith("shap.maskers"):
        if type(data).__name__ != "Independent" or getattr(data, "clustering", None) is not None:
            raise InvalidInputError(
                f"background data: of shap's maskers only Independent is interventional, got "
                f"{type(data).__name__}"
            )
        return data.data, None
    return data, None
