"""Functions that are a tree model's own, such as `model.predict_proba`.

`shap.KernelExplainer(model.predict_proba, data)` is how most people explain probabilities. The core
knows what such a function computes and needs no call of it for any coalition. It is used only where
it gives what the function gives on the rows at hand; in any doubt, the function is called.
"""

from __future__ import annotations

import inspect
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.compat.shap.expected import both_classes
from leafshap.ensemble import TreeEnsemble
from leafshap.errors import UnsupportedModelError
from leafshap.explainers.outputs import Output, choose_game_output
from leafshap.importance.agreement import MOST_ROWS, OF_ONE, agree

Floats = npt.NDArray[np.float64]

_LIBRARIES = {"lightgbm", "sklearn", "xgboost"}
# what a method may return, as `model_output` of leafshap.KernelExplainer. A LightGBM Booster's
# predict gives probabilities also where a classifier's would give labels.
_MODEL_OUTPUTS = {
    "predict": ("predict", "probability"),
    "inplace_predict": ("predict", "probability"),
    "predict_proba": ("predict_proba",),
    "decision_function": ("raw",),
}


@dataclass(frozen=True)
class TreeFunction:
    """A function of rows that the core can evaluate.

    Attributes
    ----------
    ensemble : TreeEnsemble
    model_output : str
        What of the ensemble the function returns.
    output : Output
        The same, as a transform.
    both_classes : bool
        Whether it returns 1 - p and p, where the ensemble has one margin.
    """

    ensemble: TreeEnsemble
    model_output: str
    output: Output
    both_classes: bool

    def __call__(self, rows: Any) -> Floats:
        """Evaluate rows, shape (n, F), to (n,) or (n, K)."""
        n_outputs = self.ensemble.n_outputs
        margins = self.ensemble.predict(rows).reshape(-1, n_outputs)
        found = self.output.of(margins)
        return self.of_probability(found[:, 0]) if n_outputs == 1 else found

    def of_probability(self, p: Floats) -> Floats:
        """Add the column of the other class, 1 - p, if the function has it."""
        return np.stack([1.0 - p, p], axis=-1) if self.both_classes else p

    def of_values(self, values: Floats) -> Floats:
        """Add the other class to SHAP values of p; also to those of its log-odds."""
        return both_classes(values) if self.both_classes else values

    def of_errors(self, errors: Floats) -> Floats:
        """Add the other class to standard errors."""
        return np.stack([errors, errors], axis=-1) if self.both_classes else errors

    def agrees(self, function: Any, rows: Any) -> bool:
        """Whether the function gives the same on up to 256 rows, evenly spread.

        Numbers may differ by 1e-4 of the largest of their output, those between 0 and 1 also by
        1e-6.
        """
        step = max(1, -(-rows.shape[0] // MOST_ROWS))
        some = rows.iloc[::step] if hasattr(rows, "iloc") else rows[::step]
        try:
            theirs, ours = np.asarray(function(some)), self(matrix_of(some))
        except Exception:  # a library's refusal is of any kind
            return False
        return agree(ours, theirs, least=0.0 if self.output.transform == "raw" else OF_ONE)


def tree_function(function: Any, rows: Any) -> TreeFunction | None:
    """Recognise a bound method of a tree model, if it agrees with the core on some rows.

    Parameters
    ----------
    function : callable
        Also one of shap's wrappers of a callable.
    rows : array, sparse matrix or DataFrame, shape (m, F)
        As the function takes them.

    Returns
    -------
    TreeFunction or None
    """
    method = innermost(function)
    if not inspect.ismethod(method) or method.__name__ not in _MODEL_OUTPUTS:
        return None
    # a class of the user's may do anything after its library
    model = method.__self__
    if not (_is_of_library(type(model)) and _is_of_library(method.__func__)):
        return None
    try:
        ensemble = TreeEnsemble.from_model(model)
    except Exception:  # whatever it is, it can be called
        return None
    name = method.__name__
    for model_output in _MODEL_OUTPUTS[name]:
        try:
            output = choose_game_output(model_output, ensemble, model)
        except UnsupportedModelError:
            continue
        both = name == "predict_proba" and ensemble.n_outputs == 1
        found = TreeFunction(ensemble, model_output, output, both)
        if found.agrees(function, rows):
            return found
    return None


class Method:
    """A bound method whose object shap cannot see, and so cannot copy and change.

    `shap.KernelExplainer` sets ``feature_names_in_`` to None, lest scikit-learn warns of arrays. Of
    XGBoost's and LightGBM's estimators that have names it is a property without a setter, and
    shap 0.54 raises an AttributeError.
    """

    def __init__(self, method: Any) -> None:
        self.f = method

    def __call__(self, rows: Any) -> Any:
        """Call the method; it may not warn of missing names either."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            return self.f(rows)


def without_names(function: Any) -> Any:
    """Wrap a bound method of an object that has feature names which cannot be set."""
    owner = getattr(function, "__self__", None)
    names = getattr(type(owner), "feature_names_in_", None)
    if isinstance(names, property) and names.fset is None and hasattr(owner, "feature_names_in_"):
        return Method(function)
    return function


def innermost(model: Any) -> Any:
    """Take a model out of wrappers: `shap.models.Model`, that of KernelExplainer, and `Method`."""
    while isinstance(model, Method) or type(model).__module__.partition(".")[0] == "shap":
        inner = getattr(model, "inner_model", getattr(model, "f", None))
        if inner is None:
            break
        model = inner
    return model


def matrix_of(rows: Any) -> Any:
    """Rows as an array or a sparse matrix."""
    return rows.to_numpy() if hasattr(rows, "to_numpy") else rows


def _is_of_library(thing: Any) -> bool:
    return str(getattr(thing, "__module__", "")).partition(".")[0] in _LIBRARIES
