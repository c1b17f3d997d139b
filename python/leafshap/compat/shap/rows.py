"""Rows as shap's users pass them, made fit for leafshap, and for shap's plots."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError
from leafshap.explanation.data import displayed
from leafshap.inputs import InputSchema, container_of


def is_dmatrix(X: Any) -> bool:
    """Whether X is an `xgboost.DMatrix`."""
    xgboost = sys.modules.get("xgboost")
    return xgboost is not None and isinstance(X, xgboost.DMatrix)


def hidden_in_dmatrix(X: Any, schema: InputSchema) -> str | None:
    """Say what a DMatrix holds that its rows do not tell; None if there is nothing."""
    if not is_dmatrix(X):
        return None
    if type(X) is not sys.modules["xgboost"].DMatrix:
        return f"a {type(X).__name__} holds the bins of the values only"
    if np.size(X.get_base_margin()):
        return "the DMatrix has a base_margin of its own"
    if schema.categorical_features:
        return "the DMatrix has categories of its own"
    return None


def dense_rows(matrix: Any) -> npt.NDArray[np.float32]:
    """Rows of an `xgboost.DMatrix` as a dense array: what it does not hold is missing."""
    entries = matrix.get_data().tocoo()
    rows = np.full(entries.shape, np.nan, dtype=np.float32)
    rows[entries.row, entries.col] = entries.data
    return rows


def by_position(X: Any, schema: InputSchema) -> Any:
    """Let a DataFrame with other column names than the model's through, as shap does.

    People rename columns for their plots. Masked arrays lose their mask, which libraries do not
    see.

    Raises
    ------
    InvalidInputError
        If they are the model's names in another order: shap would take them for each other.
    """
    if isinstance(X, np.ma.MaskedArray):
        return X.data
    names = schema.feature_names
    if names is None or not hasattr(X, "set_axis") or not hasattr(X, "columns"):
        return X
    found = [str(name) for name in X.columns]
    if found == names or len(found) != len(names):
        return X
    if sorted(found) == sorted(names):
        j = next(j for j, name in enumerate(names) if found[j] != name)
        raise InvalidInputError(
            f"the columns are the model's in another order: column {j} is {found[j]!r}, the "
            f"model's is {names[j]!r}; bring them into the order of training first"
        )
    return X.set_axis(names, axis=1)


def column_names(X: Any) -> list[Any] | None:
    """Names of the columns of a table; None of anything else."""
    names = getattr(X, "column_names", None)  # pyarrow
    if names is None:
        names = getattr(X, "columns", None)
    return None if names is None or callable(names) or len(names) == 0 else list(names)


def shown_rows(X: Any) -> Any:
    """Rows as an Explanation of shap's holds them: the values of a table, else what was given."""
    if is_dmatrix(X):
        return X.get_data()
    return X if container_of(X) in ("array", "sparse") else displayed(X)
