"""XGBoost models: Booster, scikit-learn wrappers, and .json/.ubj files.

A Booster is converted through the document that it saves, so an object and its file take the same
path, and a file needs no xgboost. What differs is how the object predicts: a Booster uses all
trees and refuses infinity (``DMatrix``), a scikit-learn wrapper stops at ``best_iteration``, takes
infinity as a number (``inplace_predict``) and has its own ``missing``.
"""

from __future__ import annotations

import json
import math
import os
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.converters import ubjson
from leafshap.converters.arrays import EnsembleArrays
from leafshap.converters.xgboost_document import (
    best_iteration,
    limit_trees,
    saved_estimator,
    to_arrays,
)
from leafshap.converters.xgboost_trees import ARRAY_FIELDS
from leafshap.errors import InvalidInputError, InvalidModelError, UnsupportedModelError


def convert(model: Any) -> EnsembleArrays:
    """Convert an ``xgboost.Booster`` or a fitted scikit-learn wrapper.

    Parameters
    ----------
    model : xgboost.Booster or xgboost.XGBModel
        Also the classifiers, rankers and random forests derived from ``XGBModel``.

    Returns
    -------
    EnsembleArrays
        ``tree_limit`` is set for a wrapper that was trained with early stopping; the predict of a
        Booster uses all trees, whatever its ``best_iteration``.

    Raises
    ------
    UnsupportedModelError
        For booster ``gblinear``, or an object that is neither of the two.
    InvalidModelError
        If the model is not trained, or its document contradicts itself.
    """
    booster = _booster(model)
    document = ubjson.decode(_save(booster))
    arrays = to_arrays(document)
    if booster is not model:
        _as_estimator(arrays, _missing(model))
        arrays.allow_inf = arrays.allow_inf or _predicts_in_place(model)
        arrays.tree_limit = limit_trees(arrays, best_iteration(document))
    return arrays


def convert_file(path: str | os.PathLike[str]) -> EnsembleArrays:
    """Convert a file of ``save_model``, in JSON or UBJSON by its suffix; needs no xgboost.

    A file that a scikit-learn wrapper saved is converted as that wrapper predicts.

    Parameters
    ----------
    path : str or path
        Name ending in .json or .ubj.

    Returns
    -------
    EnsembleArrays

    Raises
    ------
    InvalidModelError
        If the file is damaged or not what its name says.
    UnsupportedModelError
        As for ``convert``.
    OSError
        If the file cannot be read.
    """
    name = os.fspath(path)
    with open(name, "rb") as file:
        data = file.read()
    try:
        document = _decode_json(data) if name.lower().endswith(".json") else _decode_ubjson(data)
        del data
        arrays = to_arrays(document)
        estimator = saved_estimator(document)
        if estimator is not None:
            _as_estimator(arrays, estimator.missing)
            arrays.allow_inf = True
            arrays.tree_limit = limit_trees(arrays, best_iteration(document))
    except InvalidModelError as error:
        raise InvalidModelError(f"{name}: {error}") from None
    except UnsupportedModelError as error:
        raise UnsupportedModelError(f"{name}: {error}") from None
    return arrays


def predict_raw(model: Any, X: Any, n_trees: int | None = None) -> npt.NDArray[np.float64]:
    """Raw margin by XGBoost itself, as the given object predicts.

    Parameters
    ----------
    model : xgboost.Booster or xgboost.XGBModel
    X : array or data frame of shape (n, n_features)
        Whatever the model's own predict takes.
    n_trees : int, optional
        The first ``n_trees`` trees, a multiple of the trees per iteration. By default as many as
        the model's own predict uses.

    Returns
    -------
    ndarray of shape (n,) or (n, n_outputs)

    Raises
    ------
    InvalidInputError
        If ``n_trees`` is not a whole number of iterations of the model.
    """
    booster = _booster(model)
    rounds = None if n_trees is None else (0, _iterations(booster, n_trees))
    if booster is not model and _predicts_eagerly(model):
        margin = model.predict(X, output_margin=True, iteration_range=rounds)
        return np.asarray(margin, dtype=np.float64)

    from xgboost import DMatrix

    if rounds is None:
        rounds = (0, 0)  # all
        if booster is not model and booster.attr("best_iteration") is not None:
            rounds = (0, int(booster.attr("best_iteration")) + 1)
    missing = float("nan") if booster is model else _missing(model)
    if hasattr(X, "columns"):
        types = None if _has_categories(X) else booster.feature_types
        data = DMatrix(X, missing=missing, feature_types=types, enable_categorical=True)
    else:
        data = DMatrix(
            X,
            missing=missing,
            feature_names=booster.feature_names,
            feature_types=booster.feature_types,
            enable_categorical=True,
        )
    margin = booster.predict(data, output_margin=True, iteration_range=rounds)
    return np.asarray(margin, dtype=np.float64)


def _booster(model: Any) -> Any:
    """Get the Booster: the model itself, or the one inside a wrapper."""
    classes = {cls.__name__ for cls in type(model).__mro__ if cls.__module__.startswith("xgboost")}
    if "Booster" in classes:
        return model
    if "XGBModel" not in classes:
        name = f"{type(model).__module__}.{type(model).__qualname__}"
        hint = "model.get_booster()" if hasattr(model, "get_booster") else "an xgboost.Booster"
        raise UnsupportedModelError(f"cannot convert a {name}: pass {hint}")
    from sklearn.exceptions import NotFittedError

    try:
        return model.get_booster()
    except NotFittedError:
        raise InvalidModelError(f"this {type(model).__name__} is not fitted yet") from None


def _save(booster: Any) -> bytearray:
    from xgboost.core import XGBoostError

    try:
        raw: bytearray = booster.save_raw(raw_format="ubj")
    except XGBoostError as error:
        lines = str(error).splitlines() or ["no message"]
        raise InvalidModelError(f"XGBoost cannot save this Booster: {lines[0]}") from error
    return raw


def _missing(model: Any) -> float:
    return float("nan") if model.missing is None else float(model.missing)


def _as_estimator(arrays: EnsembleArrays, missing: float) -> None:
    """Set the wrapper's missing value; XGBoost compares it as float32."""
    with np.errstate(over="ignore"):
        arrays.missing_value = float(np.float32(missing))
    if math.isinf(arrays.missing_value):
        arrays.allow_inf = True


def _predicts_eagerly(model: Any) -> bool:
    """Whether predict takes local data and returns an array; the Dask wrappers do not."""
    return not any(cls.__module__.startswith("xgboost.dask") for cls in type(model).__mro__)


def _predicts_in_place(model: Any) -> bool:
    """Whether predict goes around DMatrix and so around its check for infinity."""
    check = getattr(model, "_can_use_inplace_predict", None)
    return _predicts_eagerly(model) and check is not None and bool(check())


def _has_categories(frame: Any) -> bool:
    """Whether DMatrix finds categories in the types of a pandas, polars or Arrow table."""
    schema: Any = getattr(frame, "schema", None)  # pyarrow has the types there
    types = schema.types if hasattr(schema, "types") else frame.dtypes
    return any(str(dtype).lower().startswith(("categor", "enum", "dictionary")) for dtype in types)


def _iterations(booster: Any, n_trees: int) -> int:
    """Turn a number of trees into XGBoost's iterations; 0 would mean all to it."""
    config = json.loads(booster.save_config())["learner"]["gradient_booster"]
    config = config.get("gbtree", config)  # dart before 3.5
    total = int(config["gbtree_model_param"]["num_trees"])
    rounds = booster.num_boosted_rounds()
    step = max(1, total // max(1, rounds))
    if not 0 < n_trees <= total or n_trees % step:
        raise InvalidInputError(
            f"n_trees={n_trees} is not a multiple of the model's {step} trees per iteration "
            f"between {step} and {total}"
        )
    return int(n_trees // step)


def _decode_ubjson(data: bytes) -> Any:
    if data[:1] == b"{" and data[1:2] in (b'"', b"\n", b" ", b"\r", b"\t"):
        raise InvalidModelError("this looks like JSON: name it .json")
    return ubjson.decode(data)


def _decode_json(data: bytes) -> Any:
    if data[:2] == b"{L":
        raise InvalidModelError("this looks like UBJSON: name it .ubj")
    try:
        # Arrays are made as soon as a tree ends: lists of Python floats take 4 times the memory.
        return json.loads(data, object_hook=_compact)
    except RecursionError:
        raise InvalidModelError("the JSON is nested too deeply") from None
    except ValueError as error:
        raise InvalidModelError(f"this is not valid JSON: {error}") from None


def _compact(record: dict[str, Any]) -> dict[str, Any]:
    for key in ARRAY_FIELDS & record.keys():
        if isinstance(record[key], list):
            try:
                record[key] = np.asarray(record[key])
            except (ValueError, OverflowError, TypeError):
                record[key] = None  # reported by its key later
    return record
