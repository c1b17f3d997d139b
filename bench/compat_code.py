"""User code as it is written for shap, run with shap and with the module that takes its place.

Every function gets the module, a trained model, rows the model was trained on, and rows to explain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
UserCode = Callable[[Any, Any, Floats, Floats], Any]


def explanation(shap: Any, model: Any, X_train: Floats, X: Floats) -> Any:
    explainer = shap.TreeExplainer(model)
    return explainer(X)


def shap_values(shap: Any, model: Any, X_train: Floats, X: Floats) -> Any:
    explainer = shap.TreeExplainer(model)
    return explainer.shap_values(X)


def background(shap: Any, model: Any, X_train: Floats, X: Floats) -> Any:
    explainer = shap.TreeExplainer(model, shap.sample(X_train, 100))
    return explainer(X)


def probability(shap: Any, model: Any, X_train: Floats, X: Floats) -> Any:
    explainer = shap.TreeExplainer(model, shap.sample(X_train, 100), model_output="probability")
    return explainer(X)


def interactions(shap: Any, model: Any, X_train: Floats, X: Floats) -> Any:
    return shap.TreeExplainer(model).shap_interaction_values(X)


def auto(shap: Any, model: Any, X_train: Floats, X: Floats) -> Any:
    return shap.Explainer(model)(X)


def kernel_probability(shap: Any, model: Any, X_train: Floats, X: Floats) -> Any:
    explainer = shap.KernelExplainer(model.predict_proba, shap.sample(X_train, 100))
    return explainer.shap_values(X, silent=True)


def kernel_means(shap: Any, model: Any, X_train: Floats, X: Floats) -> Any:
    explainer = shap.KernelExplainer(model.predict, shap.kmeans(X_train, 10))
    return explainer.shap_values(X, silent=True)


def permutation(shap: Any, model: Any, X_train: Floats, X: Floats) -> Any:
    explainer = shap.PermutationExplainer(model.predict, shap.sample(X_train, 100))
    return explainer(X, silent=True)
