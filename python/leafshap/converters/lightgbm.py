"""LightGBM models (Booster, sklearn classes, model text files) to the tree IR.

Everything goes through the model text, so a file needs no LightGBM and a Booster converts the
same way. What a row meets at a node (``include/LightGBM/tree.h``, ``NumericalDecision`` and
``CategoricalDecision``; alike in 3.3 to 4.7):

* numeric: float64 ``x <= threshold`` goes left. Missing type "none": NaN is read as 0.0; "zero":
  NaN and zeros take the default side; "nan": NaN does.
* every ``|x| <= 1e-35f`` is read as 0.0 before any tree sees it (``src/c_api.cpp`` drops it from
  the row), see ``_zero_range_thresholds``.
* categorical: x is truncated toward zero; members of the set go left; NaN, negative and unseen
  categories go right whatever the missing type is.

Cover is the raw count of training rows (``internal_count``, ``leaf_count``), as in LightGBM's own
SHAP values; sample weights do not enter it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.converters.arrays import Categorical, EnsembleArrays, Missing, gains_of_splits
from leafshap.converters.lightgbm_categories import category_sets, feature_categories
from leafshap.converters.lightgbm_text import (
    TextModel,
    check_range,
    offsets_of,
    positions_of,
    read_text,
)
from leafshap.errors import InvalidInputError, InvalidModelError, UnsupportedModelError

if TYPE_CHECKING:
    from lightgbm import Booster

_CATEGORICAL_BIT, _DEFAULT_LEFT_BIT = 1, 2
_MISSING_OF_TYPE = np.array([Missing.NAN_AS_ZERO, Missing.ZERO, Missing.NAN], np.uint8)
_ZERO = float(np.float32(1e-35))  # LightGBM's kZeroThreshold

_LINKS = {
    "binary": "logistic",
    "multiclassova": "logistic",
    "cross_entropy": "logistic",
    "cross_entropy_lambda": "softplus",
    "multiclass": "softmax",
    "poisson": "exp",
    "gamma": "exp",
    "tweedie": "exp",
}
_IDENTITY = {
    *("regression", "regression_l1", "huber", "fair", "quantile", "mape"),
    *("lambdarank", "rank_xendcg", "custom", "none", ""),
}


def convert(model: object) -> EnsembleArrays:
    """Convert a Booster or a fitted sklearn model of LightGBM.

    All trees are converted; ``tree_limit`` is the model's best iteration in trees if it has one,
    which is what LightGBM's own predict uses.

    Raises
    ------
    UnsupportedModelError
        For linear trees, and for objects of LightGBM that are no single model.
    InvalidModelError
        If the sklearn model is not fitted.
    """
    import lightgbm

    booster = _booster(model)
    # -1, not the default: the default stops at the best iteration
    text = booster.model_to_string(num_iteration=-1).encode()
    arrays = convert_text(text, f"lightgbm {lightgbm.__version__}")
    n_trees = arrays.tree_output.size
    best = booster.best_iteration or 0
    if best > 0:
        arrays.tree_limit = min(best * arrays.trees_per_iteration, n_trees)
    if arrays.n_outputs > 1:
        classes = getattr(model, "classes_", None)
        if classes is not None and len(classes) == arrays.n_outputs:
            arrays.output_names = [str(c) for c in classes]
    return arrays


def convert_file(path: str | os.PathLike[str]) -> EnsembleArrays:
    """Convert a model text file; LightGBM is not needed, nor imported.

    The best iteration is not recorded in the text. ``Booster.save_model`` by default writes only
    the trees up to it, so all trees of the file are used.

    Raises
    ------
    InvalidModelError
        If the file is no LightGBM model text or is damaged; the message names tree and key.
    UnsupportedModelError
        For linear trees and unknown versions of the format.
    OSError
        If the file cannot be read.
    """
    with open(path, "rb") as file:
        data = file.read()
    return convert_text(data)


def convert_text(data: bytes, source: str = "lightgbm text") -> EnsembleArrays:
    """Convert a model text (UTF-8); ``source`` opens the result's ``source``.

    Raises as ``convert_file``, but for OSError.
    """
    return _assemble(read_text(data), source)


def predict_raw(model: object, X: Any, n_trees: int | None = None) -> npt.NDArray[np.float64]:
    """Raw prediction by LightGBM itself.

    Parameters
    ----------
    model : Booster or sklearn model
    X : anything LightGBM's predict accepts, (n, F)
        Also a DataFrame with the categorical columns that the model was trained on.
    n_trees : int, optional
        Number of leading trees, a multiple of the trees per iteration; None is LightGBM's own
        default, up to the best iteration if the model has one, else all.

    Returns
    -------
    ndarray, float64, (n,) or (n, K)
        The margin. For averaged models (boosting "rf") LightGBM's raw score is the sum over the
        iterations (only its predict averages), so it is divided by their number here.

    Raises
    ------
    InvalidInputError
        If ``n_trees`` is negative or not a multiple of the trees per iteration.
    """
    booster = _booster(model)
    per_iteration = booster.num_model_per_iteration()
    n_iterations = max(booster.num_trees() // per_iteration, 0)
    if n_trees is None:
        best = booster.best_iteration or 0
        used = min(best, n_iterations) if best > 0 else n_iterations
    elif n_trees < 0 or n_trees % per_iteration:
        raise InvalidInputError(
            f"n_trees={n_trees} must be a multiple of the model's {per_iteration} trees per "
            "iteration"
        )
    else:
        used = min(n_trees // per_iteration, n_iterations)
    if used == 0:
        # LightGBM takes num_iteration=0 for all trees
        shape = (X.shape[0],) if per_iteration == 1 else (X.shape[0], per_iteration)
        return np.zeros(shape)
    if _is_not_for_lightgbm(X):
        X = X.to_pandas()
    raw = np.asarray(booster.predict(X, num_iteration=used, raw_score=True), np.float64)
    if _averages(booster):
        raw /= used
    return raw


def _booster(model: object) -> Booster:
    import lightgbm

    if isinstance(model, lightgbm.Booster):
        return model
    sklearn_class = getattr(lightgbm, "LGBMModel", None)
    if sklearn_class is not None and isinstance(model, sklearn_class):
        try:
            booster: Booster = model.booster_
        except (ValueError, AttributeError) as error:  # LGBMNotFittedError is a ValueError
            raise InvalidModelError(f"{type(model).__name__} is not fitted: {error}") from None
        return booster
    hint = "pass one of its .boosters" if isinstance(model, lightgbm.CVBooster) else ""
    raise UnsupportedModelError(
        f"cannot convert lightgbm's {type(model).__name__}: supported are Booster, LGBMRegressor, "
        f"LGBMClassifier and LGBMRanker{'; ' + hint if hint else ''}"
    )


def _is_not_for_lightgbm(X: Any) -> bool:
    """Whether it is a table of polars, or one of Arrow with categories, which LightGBM refuses."""
    package = type(X).__module__.partition(".")[0]
    return package == "polars" or (
        package == "pyarrow" and any(str(kind).startswith("dictionary") for kind in X.schema.types)
    )


def _averages(booster: Booster) -> bool:
    """Whether predict averages over iterations: the header's ``average_output`` line."""
    # the header alone is wanted, so ask for one iteration
    return "\naverage_output\n" in booster.model_to_string(num_iteration=1).split("\nTree=", 1)[0]


def _assemble(text: TextModel, source: str) -> EnsembleArrays:
    """Build the IR: in a tree inner node i stays node i, leaf j becomes node (leaves - 1) + j."""
    header = text.header
    n_outputs = _header_integer(header, "num_tree_per_iteration", 1)
    n_features = _header_integer(header, "max_feature_idx", 0) + 1
    n_trees = text.n_leaves.size
    if n_trees % n_outputs:
        raise InvalidModelError(
            f"damaged LightGBM model text: {n_trees} trees are no multiple of "
            f"num_tree_per_iteration={n_outputs}"
        )
    n_inner = text.n_leaves - 1
    tree_offsets = offsets_of(text.n_leaves + n_inner)
    tree_of_inner = np.repeat(np.arange(n_trees), n_inner)
    inner = positions_of(tree_offsets[:-1], n_inner)
    leaf = positions_of(tree_offsets[:-1] + n_inner, text.n_leaves)
    n_nodes = int(tree_offsets[-1])

    def scatter(at: npt.NDArray[np.int64], values: Any, empty: Any, dtype: Any) -> Any:
        out = np.full(n_nodes, empty, dtype)
        out[at] = values
        return out

    check_range(text.decision_type, 0, 11, tree_of_inner, "decision_type")
    categorical = (text.decision_type & _CATEGORICAL_BIT) != 0
    missing = _MISSING_OF_TYPE[text.decision_type >> 2]
    missing[categorical] = Missing.NAN
    default_left = (text.decision_type & _DEFAULT_LEFT_BIT) != 0
    default_left[categorical] = False
    threshold = _zero_range_thresholds(text.threshold)
    # "missing or not": every present value, +inf too, goes left, as at a node with an empty set
    present_left = ~categorical & (threshold == np.inf)
    threshold[categorical | present_left] = 0.0
    kind = np.where(categorical, Categorical.MEMBERS_LEFT, Categorical.NUMERIC)
    kind[present_left] = Categorical.MEMBERS_RIGHT
    category_offsets, category_codes = category_sets(
        text, np.flatnonzero(categorical), tree_of_inner, inner, n_nodes
    )
    if present_left.any() and not len(category_offsets):
        category_offsets = np.zeros(n_nodes + 1, np.int64)
    children = [
        scatter(inner, _child_nodes(text, side, tree_of_inner), -1, np.int32)
        for side in ("left_child", "right_child")
    ]
    leaf_value = scatter(leaf, text.leaf_value, 0.0, np.float64)
    cover = None
    if text.internal_count is not None and text.leaf_count is not None:
        cover = scatter(inner, text.internal_count, 0.0, np.float64)
        cover[leaf] = text.leaf_count
        if not cover.any():
            cover = None
    gain = None
    if text.split_gain is not None:
        is_leaf = np.ones(n_nodes, np.bool_)
        is_leaf[inner] = False
        with np.errstate(over="ignore"):  # LightGBM keeps them as float32
            gain = gains_of_splits(scatter(inner, text.split_gain, 0.0, np.float32), is_leaf)
    averaged = "average_output" in header
    weight = n_outputs / n_trees if averaged and n_trees else 1.0
    objective, _, parameters = header.get("objective", "").partition(" ")
    return EnsembleArrays(
        n_features=n_features,
        n_outputs=n_outputs,
        tree_offsets=tree_offsets,
        tree_output=(np.arange(n_trees) % n_outputs).astype(np.int32),
        tree_weight=np.full(n_trees, weight),
        split_feature=scatter(inner, text.split_feature, -1, np.int32),
        left=children[0],
        right=children[1],
        threshold=scatter(inner, threshold, 0.0, np.float64),
        default_left=scatter(inner, default_left, False, np.bool_),
        missing=scatter(inner, missing, Missing.NAN, np.uint8),
        categorical=scatter(inner, kind, Categorical.NUMERIC, np.uint8),
        category_offsets=category_offsets,
        category_codes=category_codes,
        cover=cover,
        leaf_value=leaf_value,
        split_gain=gain,
        base_values=np.zeros(n_outputs),  # boost_from_average is inside the leaves
        comparison="<=",
        input_precision="float64",
        category_rule="truncate",
        link=_link(objective, parameters),
        averaged=averaged,
        trees_per_iteration=n_outputs,
        feature_names=_feature_names(header, n_features),
        feature_categories=feature_categories(text, n_features),
        source=f"{source} {text.boosting} {header.get('objective') or 'custom objective'}",
    )


def _header_integer(header: dict[str, str], key: str, least: int) -> int:
    try:
        value = int(header[key])
    except (KeyError, ValueError):
        value = least - 1
    if not least <= value < 2**31 - 1:
        raise InvalidModelError(
            f"damaged LightGBM model text: header: {key} must be an integer of at least {least}, "
            f"is {header.get(key, 'missing')[:40]}"
        )
    return value


def _child_nodes(
    text: TextModel, side: str, tree_of_inner: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Node within the tree of every inner node's child."""
    child: npt.NDArray[np.int32] = getattr(text, side)
    n_inner = (text.n_leaves - 1)[tree_of_inner]
    check_range(child, -n_inner - 1, n_inner - 1, tree_of_inner, side)
    return np.where(child >= 0, child, n_inner + ~child.astype(np.int64))


def _zero_range_thresholds(threshold: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Move thresholds inside LightGBM's zero range to its edge.

    LightGBM reads every ``|x| <= 1e-35f`` as 0.0, so all of that range takes one side: left of a
    threshold >= 0, right of one < 0. Thresholds of exactly -1e-35f are common (the bin edge below
    zero), and there ``x <= threshold`` alone would send x = -1e-35f left where LightGBM goes right.
    """
    moved = threshold.copy()
    moved[(threshold >= 0) & (threshold < _ZERO)] = _ZERO
    moved[(threshold < 0) & (threshold >= -_ZERO)] = np.nextafter(-_ZERO, -np.inf)
    return moved


def _link(objective: str, parameters: str) -> str:
    """Short name of what turns the margin into the prediction (LightGBM's ``ConvertOutput``)."""
    words = parameters.split()
    if objective == "regression" and "sqrt" in words:
        return "signed_square"
    if objective in _IDENTITY:
        return "identity"
    link = _LINKS.get(objective, f"unknown:{objective}")
    for word in words:
        key, _, value = word.partition(":")
        # prediction = 1 / (1 + exp(-sigmoid * margin)): the plain logistic only for sigmoid 1
        if key == "sigmoid" and link == "logistic" and value not in ("1", "1.0"):
            return f"logistic:{value}"
    return link


def _feature_names(header: dict[str, str], n_features: int) -> list[str] | None:
    """Names of the columns; None if LightGBM made them up (Column_0, Column_1, ...)."""
    names = header.get("feature_names", "").split()
    if len(names) != n_features:
        raise InvalidModelError(
            f"damaged LightGBM model text: header: feature_names holds {len(names)} names where "
            f"max_feature_idx announces {n_features} features"
        )
    if all(name == f"Column_{i}" for i, name in enumerate(names)):
        return None
    return names
