"""Arguments of TreeExplainer, checked with shap's exceptions."""

from __future__ import annotations

from typing import Any

import numpy as np
from shap.utils._exceptions import (
    DimensionError,
    ExplainerError,
    InvalidFeaturePerturbationError,
)

import leafshap
from leafshap.compat.shap.drop_in import warn_caller


def choose_perturbation(asked: str, with_data: bool) -> str:
    """Choose between "interventional" and "tree_path_dependent".

    Raises
    ------
    InvalidFeaturePerturbationError
    """
    if asked not in ("auto", "interventional", "tree_path_dependent"):
        raise InvalidFeaturePerturbationError(
            "feature_perturbation must be 'auto', 'interventional', or 'tree_path_dependent'. "
            f"Got {asked} instead."
        )
    if asked == "interventional" and not with_data:
        warn_caller(
            "In the future, passing feature_perturbation='interventional' without providing a "
            "background dataset will raise an error. Values are tree_path_dependent",
            FutureWarning,
        )
    if not with_data:
        return "tree_path_dependent"
    return "interventional" if asked == "auto" else asked


def default_limit(model: Any, ensemble: leafshap.TreeEnsemble) -> int | None:
    """Trees that shap uses unless told otherwise: of a bare Booster, up to the best iteration."""
    best = getattr(model, "best_iteration", None)
    if best is None or not ensemble.source.startswith("xgboost"):
        return None
    return (int(best) + 1) * max(1, ensemble.trees_per_iteration)


def check_labels(X: Any, y: Any) -> None:
    """Refuse rows without labels.

    Raises
    ------
    ExplainerError, DimensionError
    """
    if y is None:
        raise ExplainerError(
            'Both samples and labels must be provided when model_output = "log_loss" '
            "(i.e. `explainer.shap_values(X, y)`)!"
        )
    n_rows = 1 if getattr(X, "ndim", 2) == 1 else len(X)
    if np.size(y) != n_rows:
        raise DimensionError(
            f"The number of labels ({np.size(y)}) does not match the number of samples to explain "
            f"({n_rows})!"
        )
