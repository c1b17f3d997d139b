"""scikit-learn tree models (1.2 and newer) to the tree IR.

The classical trees (``tree/_tree.pyx``) read X as float32 and send a row left if
``x <= threshold`` with a float64 threshold. Raw output by kind of model:

* DecisionTree, ExtraTree, RandomForest, ExtraTrees: the prediction, for classifiers the
  probabilities of all classes (several targets: one after the other). A forest is the mean of its
  trees.
* GradientBoosting: the decision function (log-odds, or one value per class) or the prediction.
* HistGradientBoosting: see `leafshap.converters.sklearn_hist`.
* IsolationForest: the mean path length over the trees, as shap explains it: the leaf's depth plus
  the expected depth of a tree grown on the leaf's rows. It is additive over trees and higher for
  more normal rows; ``score_samples = -2 ** (-raw / c(max_samples_))`` with Liu's c.

Cover is ``weighted_n_node_samples``. Whether NaN and infinite values are accepted depends on model
kind and version in many ways, so the model's own predict is asked.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from leafshap.converters.arrays import EnsembleArrays, Missing, gains_of_splits
from leafshap.converters.sklearn_hist import base_of_hist, convert_hist, predict_raw_hist
from leafshap.errors import InvalidInputError, InvalidModelError, UnsupportedModelError

Kind = Literal["tree", "forest", "boosting", "hist", "isolation"]

_KINDS: dict[str, Kind] = {
    "DecisionTreeClassifier": "tree",
    "DecisionTreeRegressor": "tree",
    "RandomForestClassifier": "forest",
    "RandomForestRegressor": "forest",
    "ExtraTreesClassifier": "forest",
    "ExtraTreesRegressor": "forest",
    "GradientBoostingClassifier": "boosting",
    "GradientBoostingRegressor": "boosting",
    "HistGradientBoostingClassifier": "hist",
    "HistGradientBoostingRegressor": "hist",
    "IsolationForest": "isolation",
}

# where a fitted model keeps its trees
_FITTED = {
    "tree": "tree_",
    "forest": "estimators_",
    "boosting": "estimators_",
    "hist": "_predictors",
    "isolation": "estimators_",
}

_MEMBERS = "pass one of its fitted members in estimators_"
_HINTS = {
    "Pipeline": "pass its last step, model[-1], and explain the rows that model[:-1].transform(X) "
    "gives",
    "BaseSearchCV": "pass its best_estimator_",
    "FixedThresholdClassifier": "pass its estimator_",
    "TunedThresholdClassifierCV": "pass its estimator_",
    "FrozenEstimator": "pass its estimator",
    "TransformedTargetRegressor": "pass its regressor_, which predicts the transformed target",
    "CalibratedClassifierCV": "pass the estimator of one of its calibrated_classifiers_",
    "SelfTrainingClassifier": "pass the classifier fitted inside (estimator_, or base_estimator_ "
    "before scikit-learn 1.6)",
    "RandomTreesEmbedding": "it encodes rows by leaves and predicts nothing",
    "BaseBagging": _MEMBERS + ", on its columns in estimators_features_",
    "BaseWeightBoosting": _MEMBERS + "; the prediction itself is no sum of leaf values",
    "_BaseVoting": _MEMBERS,
    "_BaseStacking": _MEMBERS,
    "_MultiOutputEstimator": _MEMBERS,
    "_BaseChain": _MEMBERS,
    "OneVsRestClassifier": _MEMBERS,
    "OneVsOneClassifier": _MEMBERS,
    "OutputCodeClassifier": _MEMBERS,
}

Trees = Sequence[Any]  # of sklearn.tree._tree.Tree
Floats = npt.NDArray[np.float64]


def convert(model: object) -> EnsembleArrays:
    """Convert a fitted scikit-learn tree model, or one of a class derived from it.

    Raises
    ------
    UnsupportedModelError
        For any other estimator, and for a GradientBoosting model whose `init` is not constant.
    InvalidModelError
        If the model is not fitted.
    """
    import sklearn

    kind = _kind_of(model)
    estimator: Any = model
    if kind == "hist":
        arrays = convert_hist(estimator)
    elif kind == "boosting":
        arrays = _convert_boosting(estimator)
    elif kind == "isolation":
        arrays = _convert_isolation(estimator)
    else:
        arrays = _convert_mean(estimator, _members(estimator, kind), averaged=kind == "forest")
    names = getattr(estimator, "feature_names_in_", None)
    arrays.feature_names = None if names is None else [str(name) for name in names]
    goal = next((getattr(model, key) for key in ("loss", "criterion") if hasattr(model, key)), "")
    arrays.source = f"scikit-learn {sklearn.__version__} {type(model).__name__} {goal}".strip()
    return arrays


def predict_raw(model: object, X: Any, n_trees: int | None = None) -> Floats:
    """Raw prediction by scikit-learn itself, in the space of the IR's raw output.

    Parameters
    ----------
    model : estimator
        Anything that `convert` accepts.
    X : array or table
        Rows as the model's own predict takes them.
    n_trees : int, optional
        Use only the first trees, 1 to T; a boosting iteration has one tree per output.

    Returns
    -------
    ndarray, (n,) or (n, K)

    Raises
    ------
    InvalidInputError
        If `n_trees` is out of range. What scikit-learn raises passes through.
    """
    kind = _kind_of(model)
    estimator: Any = model
    if n_trees is None:
        return _predict(estimator, kind, X)
    iterations = [estimator] if kind == "tree" else getattr(estimator, _FITTED[kind])
    per_iteration = len(iterations[0]) if kind in ("boosting", "hist") else 1
    trees = len(iterations) * per_iteration
    if not 1 <= n_trees <= trees:
        raise InvalidInputError(f"n_trees is {n_trees}: the model has {trees} trees")
    whole, rest = divmod(n_trees, per_iteration)
    if rest == 0:
        return _predict(_first(estimator, kind, whole), kind, X)
    # the last iteration is cut: its first `rest` trees add to the first outputs
    raw = _predict(_first(estimator, kind, whole + 1), kind, X)
    if whole:
        before = _predict(_first(estimator, kind, whole), kind, X)
    else:
        before = base_of_hist(estimator) if kind == "hist" else _base_of_boosting(estimator)
    raw[:, rest:] = before[..., rest:]
    return raw


def _kind_of(model: object) -> Kind:
    """Kind of a fitted model, by the names of the scikit-learn classes that it derives from."""
    name = type(model).__qualname__
    bases = [c.__name__ for c in type(model).__mro__ if c.__module__.startswith("sklearn.")]
    kind = next((_KINDS[base] for base in bases if base in _KINDS), None)
    if kind is None:
        hint = next((_HINTS[base] for base in bases if base in _HINTS), None)
        raise UnsupportedModelError(
            f"cannot convert a scikit-learn {name}: "
            + (hint or "supported are its trees, forests, (Hist)GradientBoosting, IsolationForest")
        )
    if not hasattr(model, _FITTED[kind]):
        raise InvalidModelError(f"this {name} is not fitted yet: call fit first")
    return kind


def _members(model: Any, kind: Kind) -> list[Any]:
    return [model] if kind == "tree" else list(model.estimators_)


def _convert_mean(model: Any, members: list[Any], *, averaged: bool) -> EnsembleArrays:
    """Convert a single tree, or a forest that is the mean of its trees; one or several targets."""
    trees = [member.tree_ for member in members]
    values = np.concatenate([tree.value for tree in trees])  # (N, targets, values or classes)
    names = None
    if hasattr(model, "classes_"):
        values = _probabilities(values)
        several = model.n_outputs_ > 1
        targets = model.classes_ if several else [model.classes_]
        values = np.concatenate([values[:, k, : len(c)] for k, c in enumerate(targets)], axis=1)
        names = [f"{k}:{c}" if several else str(c) for k, t in enumerate(targets) for c in t]
    else:
        values = values[:, :, 0]
    arrays = _arrays(model, trees, values)
    arrays.tree_weight = np.full(len(trees), 1.0 / len(trees))
    arrays.averaged = averaged
    arrays.link = "identity" if names is None else "probability"
    arrays.output_names = names
    return arrays


def _probabilities(values: Floats) -> Floats:
    """Class fractions of every node and target; before scikit-learn 1.4 `values` are counts."""
    total = values.sum(axis=2, keepdims=True)
    if np.allclose(total, 1.0, rtol=0.0, atol=1e-12):
        return values  # fractions: dividing once more would change their last bits
    total[total == 0.0] = 1.0
    fractions: Floats = values / total
    return fractions


def _convert_boosting(model: Any) -> EnsembleArrays:
    base = _base_of_boosting(model)
    n_outputs = base.size
    trees = [member.tree_ for member in model.estimators_.ravel()]
    arrays = _arrays(model, trees, np.concatenate([tree.value[:, 0, 0] for tree in trees]))
    arrays.n_outputs = arrays.trees_per_iteration = n_outputs
    arrays.base_values = base
    arrays.tree_output = np.tile(np.arange(n_outputs, dtype=np.int32), len(model.estimators_))
    arrays.tree_weight = np.full(len(trees), float(model.learning_rate))
    if hasattr(model, "classes_"):
        arrays.output_names = [str(c) for c in model.classes_[-n_outputs:]]
        # the exponential loss fits half the log-odds: probability = expit(2 * raw)
        binary = "logistic_2x" if model.loss == "exponential" else "logistic"
        arrays.link = binary if n_outputs == 1 else "softmax"
    return arrays


def _base_of_boosting(model: Any) -> Floats:
    """Raw prediction of the `init` estimator, the same for every row. Shape (K,)."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    init = model.init_
    zero = isinstance(init, str)  # "zero" is the only string there is
    random = getattr(init, "strategy", None) == "stratified"
    if random or not (zero or isinstance(init, (DummyClassifier, DummyRegressor))):
        raise UnsupportedModelError(
            f"cannot convert a {type(model).__name__} with init={init!r}, whose prediction is not "
            "the same for every row: use init=None, 'zero', or a constant Dummy estimator"
        )
    row = np.zeros((1, model.n_features_in_), np.float32)
    return np.array(model._raw_predict_init(row), np.float64).ravel()


def _convert_isolation(model: Any) -> EnsembleArrays:
    trees = [member.tree_ for member in model.estimators_]
    values = [_depths(tree) + expected_depth(tree.n_node_samples) for tree in trees]
    arrays = _arrays(model, trees, np.concatenate(values), model.estimators_features_)
    arrays.tree_weight = np.full(len(trees), 1.0 / len(trees))
    arrays.averaged = True
    arrays.link = "path_length"
    arrays.split_gain = None  # of targets that were drawn at random
    return arrays


def _depths(tree: Any) -> Floats:
    """Count the splits above each node. Shape (nodes,)."""
    depth = np.zeros(tree.node_count)
    left, right = tree.children_left, tree.children_right
    level = np.zeros(1, np.int64)
    for below in range(1, tree.node_count):
        level = level[left[level] >= 0]
        if level.size == 0:
            break
        level = np.concatenate([left[level], right[level]])
        depth[level] = below
    return depth


def expected_depth(n_rows: npt.ArrayLike) -> Floats:
    """Mean depth c(n) of a row in an isolation tree of n rows (Liu et al. 2008, equation 1)."""
    n = np.asarray(n_rows, np.float64)
    m = np.maximum(n, 3.0)
    many = 2.0 * (np.log(m - 1.0) + np.euler_gamma) - 2.0 * (m - 1.0) / m
    depth: Floats = np.where(n > 2, many, np.where(n == 2, 1.0, 0.0))
    return depth


def _arrays(
    model: Any, trees: Trees, values: Floats, columns: Sequence[Any] | None = None
) -> EnsembleArrays:
    """Assemble what all classical trees share; `values` (N,) or (N, K) are used at the leaves only.

    `columns` gives each tree's columns of X, if it was grown on a part of them.
    """
    sizes = [tree.node_count for tree in trees]
    left = np.concatenate([tree.children_left for tree in trees]).astype(np.int32)
    leaf = left < 0
    if columns is None:
        feature = np.concatenate([tree.feature for tree in trees])
    else:  # a leaf's feature is -2, which would be a valid index
        feature = np.concatenate(
            [np.asarray(c)[np.maximum(t.feature, 0)] for t, c in zip(trees, columns, strict=True)]
        )
    threshold = np.concatenate([tree.threshold for tree in trees])
    allow_inf = _accepts(model, np.inf)
    if not allow_inf:
        # "all present values go left, NaN right", since scikit-learn 1.3
        threshold = np.minimum(threshold, np.finfo(np.float64).max)
    if not np.isfinite(threshold[~leaf]).all():
        raise UnsupportedModelError(
            f"cannot convert this {type(model).__name__}: it was fitted on infinite values and has "
            "thresholds that are not finite"
        )
    if hasattr(trees[0], "missing_go_to_left"):  # since 1.3
        default_left = np.concatenate([tree.missing_go_to_left for tree in trees]) != 0
    else:
        default_left = np.zeros(len(leaf), bool)
    cover = np.concatenate([tree.weighted_n_node_samples for tree in trees]).astype(np.float64)
    # one output needs no vectors
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values.copy()
    values[~leaf] = 0.0
    vectors = values.ndim == 2
    n_outputs = values.shape[1] if vectors else 1
    return EnsembleArrays(
        n_features=int(model.n_features_in_),
        n_outputs=n_outputs,
        tree_offsets=np.cumsum([0, *sizes], dtype=np.int64),
        tree_output=np.full(len(trees), -1 if vectors else 0, np.int32),
        tree_weight=np.ones(len(trees)),
        split_feature=np.where(leaf, -1, feature).astype(np.int32),
        left=left,
        right=np.concatenate([tree.children_right for tree in trees]).astype(np.int32),
        threshold=np.where(leaf, 0.0, threshold),
        default_left=default_left & ~leaf,
        missing=np.full(len(leaf), Missing.NAN, np.uint8),
        categorical=np.zeros(len(leaf), np.uint8),
        category_offsets=np.empty(0, np.int64),
        category_codes=np.empty(0, np.int32),
        cover=cover,
        leaf_value=np.ascontiguousarray(values),
        split_gain=_impurity_decreases(trees, leaf),
        base_values=np.zeros(n_outputs),
        comparison="<=",
        input_precision="float32",
        allow_nan=_accepts(model, np.nan),
        allow_inf=allow_inf,
    )


def _impurity_decreases(trees: Trees, leaf: npt.NDArray[np.bool_]) -> Floats | None:
    """Weighted impurity decrease of every split as a share of the tree's training rows. Shape (N,).

    ``(N_t i_t - N_left i_left - N_right i_right) / N``: what ``min_impurity_decrease`` bounds, and
    what a tree's ``compute_feature_importances(normalize=False)`` adds up by feature.
    """
    parts = []
    with np.errstate(all="ignore"):
        for tree in trees:
            weighted = tree.weighted_n_node_samples * tree.impurity
            # at a leaf, whose children are -1, this is some number; it becomes 0
            below = weighted[tree.children_left] + weighted[tree.children_right]
            parts.append((weighted - below) / tree.weighted_n_node_samples[0])
    return gains_of_splits(np.concatenate(parts), leaf)


def _accepts(model: Any, value: float) -> bool:
    """Whether the model's own predict accepts a value; the answer is the same for all columns."""
    row = np.full((1, model.n_features_in_), value)
    try:
        predict_raw(model, row)
    except ValueError:
        return False
    return True


def _first(model: Any, kind: Kind, n: int) -> Any:
    """Copy a model, shallowly, with only its first n trees or boosting iterations."""
    if kind == "tree":
        return model
    part = copy.copy(model)
    setattr(part, _FITTED[kind], getattr(model, _FITTED[kind])[:n])
    return part


def _predict(model: Any, kind: Kind, X: Any) -> Floats:
    with _no_name_warning():
        if kind == "hist":
            return predict_raw_hist(model, X)
        if kind == "isolation":
            # score = -2 ** (-mean path length / c): undone, as the scores are all it makes public
            c = expected_depth(model.max_samples_)
            return np.asarray(-np.log2(-model.score_samples(X)) * c, np.float64)
        if not hasattr(model, "classes_"):
            raw = model.predict(X)
        elif kind == "boosting":
            raw = model.decision_function(X)
        else:
            raw = model.predict_proba(X)
            if isinstance(raw, list):  # one array per target
                raw = np.concatenate(raw, axis=1)
            raw = raw[:, 0] if raw.shape[1] == 1 else raw
    return np.asarray(raw, np.float64)


@contextmanager
def _no_name_warning() -> Iterator[None]:
    """Leave out scikit-learn's warning about rows without names: leafshap checks names itself."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have valid feature names")
        yield
