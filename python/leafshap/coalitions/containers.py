"""Background data of any kind that the user's function may know."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.background import read_weights, rows_and_weights
from leafshap.coalitions.arrays import ArrayBackground, as_matrix
from leafshap.coalitions.frames import FrameBackground, frame_of_series
from leafshap.coalitions.masking import BackgroundRows
from leafshap.coalitions.sparse import SparseBackground
from leafshap.coalitions.tables import TableBackground
from leafshap.errors import InvalidInputError
from leafshap.inputs import container_of

Floats = npt.NDArray[np.float64]


def read_rows(
    data: Any, sample_weight: Any, names: list[Any] | None
) -> tuple[BackgroundRows, Floats, npt.NDArray[np.intp]]:
    """Read background rows, their weights, and their numbers in the user's data.

    Rows of weight 0 are left out; the weights of the others have the sum 1. `names` are the
    user's for the columns of an array.

    Raises
    ------
    InvalidInputError
        If there are no rows, or the weights do not fit them.
    """
    rows, weights = rows_and_weights(data)
    if weights is not None and sample_weight is not None:
        raise InvalidInputError("weights were given twice: with data and as sample_weight")
    if getattr(data, "transposed", False):
        raise InvalidInputError("background data: transposed DenseData is not supported")
    if data is not rows and getattr(data, "output_dataframe", False):
        rows = _frame_of_masker(rows, data)
    try:
        background = _read(rows, _names_of(data) if names is None else names)
    except InvalidInputError as error:
        raise InvalidInputError(f"background data: {error}") from error
    m = background.n_rows
    if not m or not background.n_columns:
        raise InvalidInputError(f"background data: there are no {'columns' if m else 'rows'}")
    given = sample_weight if weights is None else weights
    normalised = np.full(m, 1.0 / m) if given is None else read_weights(given, m)
    kept = np.flatnonzero(normalised)
    if len(kept) < m:
        background = background.select(kept)
    return background, normalised[kept], kept


def _read(rows: Any, names: list[Any] | None) -> BackgroundRows:
    kind = container_of(rows)
    if kind == "pandas":
        return FrameBackground(rows if hasattr(rows, "columns") else frame_of_series(rows))
    if kind == "sparse":
        return SparseBackground(rows.reshape((1, -1)) if rows.ndim == 1 else rows)
    if kind in ("polars", "pyarrow") and hasattr(rows, "columns"):
        return TableBackground(rows)
    values, _ = as_matrix(rows)
    if names is not None and len(names) != values.shape[1]:
        names = None
    return ArrayBackground(values, names)


def _names_of(data: Any) -> list[Any] | None:
    """Names of columns that shap's containers bring along."""
    if type(data).__module__.partition(".")[0] != "shap":
        return None
    names = getattr(data, "group_names", None)
    names = getattr(data, "feature_names", None) if names is None else names
    if names is None or list(names) == [str(j) for j in range(len(names))]:  # made up by shap
        return None
    return list(names)


def _frame_of_masker(rows: Any, masker: Any) -> Any:
    """Make a DataFrame again of what a masker of shap was made of, and hands to the model."""
    import pandas

    return pandas.DataFrame(rows, columns=masker.feature_names).infer_objects()
