"""From a library's model to the tree IR.

The converter is chosen by the module path of the model's class, so that importing leafshap
imports no framework. A converter knows its library and the IR's arrays, nothing of SHAP.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from leafshap.errors import UnsupportedModelError

if TYPE_CHECKING:
    from types import ModuleType

    import numpy as np
    import numpy.typing as npt

    from leafshap.converters.arrays import EnsembleArrays

# top-level package of the model's class -> converter module
_CONVERTERS = {
    "xgboost": "leafshap.converters.xgboost",
    "lightgbm": "leafshap.converters.lightgbm",
    "sklearn": "leafshap.converters.sklearn",
}

_HINTS = {
    "catboost": "CatBoost is not supported yet.",
    "shap": "Pass the original model, not a shap object.",
}


def _converter_of(model: object) -> ModuleType:
    """Find the converter for a model object by the classes it derives from."""
    for cls in type(model).__mro__:
        package = cls.__module__.partition(".")[0]
        if package in _CONVERTERS:
            return importlib.import_module(_CONVERTERS[package])
    name = f"{type(model).__module__}.{type(model).__qualname__}"
    hint = _HINTS.get(type(model).__module__.partition(".")[0], "")
    raise UnsupportedModelError(
        f"cannot convert a model of type {name}: supported are XGBoost, LightGBM and "
        f"scikit-learn tree models, and paths to XGBoost .json/.ubj or LightGBM .txt files. {hint}"
    )


def convert(model: object) -> EnsembleArrays:
    """Convert a model object, or a model file given by its path, to the IR's arrays.

    Raises
    ------
    UnsupportedModelError
        If the model's kind cannot be represented; the message names it and says what to do.
    InvalidModelError
        If a model file is damaged or not what its name says.
    """
    if isinstance(model, (str, os.PathLike)):
        return _convert_file(os.fspath(model))
    arrays: EnsembleArrays = _converter_of(model).convert(model)
    return arrays


def _convert_file(path: str | bytes) -> EnsembleArrays:
    name = os.fsdecode(path)
    suffix = os.path.splitext(name)[1].lower()
    modules = {".json": "xgboost", ".ubj": "xgboost", ".txt": "lightgbm"}
    if suffix not in modules:
        raise UnsupportedModelError(
            f"cannot tell the kind of model file {name!r} from its suffix: expected .json or .ubj "
            "(XGBoost) or .txt (LightGBM); leafshap's own files are read by TreeEnsemble.load"
        )
    module = importlib.import_module(f"leafshap.converters.{modules[suffix]}")
    arrays: EnsembleArrays = module.convert_file(name)
    return arrays


def predict_raw(model: object, X: Any, n_trees: int | None = None) -> npt.NDArray[np.float64]:
    """Raw prediction by the user's own library, shape (n,) or (n, K)."""
    prediction: npt.NDArray[np.float64] = _converter_of(model).predict_raw(model, X, n_trees)
    return prediction
