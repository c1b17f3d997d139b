"""Background data: between shap's maskers and rows that leafshap reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from shap import maskers
from shap.utils._exceptions import ExplainerError, InvalidMaskerError

from leafshap.background import rows_and_weights
from leafshap.compat.shap.rows import by_position
from leafshap.explanation.data import displayed
from leafshap.inputs import InputSchema


def check_masker(masker: Any) -> None:
    """Refuse maskers that are not independent; data is none.

    Raises
    ------
    InvalidMaskerError, ExplainerError
        As shap's.
    """
    if not isinstance(masker, (maskers.Masker, str)):
        return
    if type(masker) is not maskers.Independent:
        raise InvalidMaskerError(f"Unsupported masker type: {type(masker)!s}!")
    if getattr(masker, "clustering", None) is not None:
        raise ExplainerError(
            "TreeExplainer does not support clustered data inputs! Please use shap.Explainer or "
            "pass an unclustered masker!"
        )


def rows_of_background(data: Any, schema: InputSchema) -> Any:
    """Background rows as leafshap reads them: a masker's, or `data` as it is; None without data.

    A masker made of a DataFrame keeps its values, but not the types of its columns: values of
    categorical columns are labels again.
    """
    if not isinstance(data, maskers.Masker):
        return None if data is None else by_position(data, schema)
    if not getattr(data, "output_dataframe", False):
        return by_position(data.data, schema)
    table = by_position(pd.DataFrame(data.data, columns=list(data.feature_names)), schema)
    for j, categories in schema.feature_categories.items():
        name = table.columns[j]
        table[name] = pd.Categorical(table[name], categories=list(categories))
    return table.infer_objects()


def masker_of(data: Any) -> Any:
    """Wrap background data as shap does, but all of its rows; None without data."""
    if data is None or isinstance(data, maskers.Masker):
        return data
    rows, _ = rows_and_weights(data)
    if not isinstance(rows, pd.DataFrame):
        rows = np.atleast_2d(np.asarray(displayed(rows)))
    return maskers.Independent(rows, max_samples=max(1, len(rows)))
