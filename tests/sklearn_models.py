"""Small scikit-learn models of every kind, rows that are hard for them, and where rows end up."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from leafshap.converters.arrays import EnsembleArrays
from oracle import goes_left, rounded, trees_of

sklearn = pytest.importorskip("sklearn")

from sklearn import ensemble, tree  # noqa: E402
from sklearn.dummy import DummyClassifier, DummyRegressor  # noqa: E402

VERSION = tuple(int(part) for part in sklearn.__version__.split(".")[:2])
Array = npt.NDArray[Any]
N_FEATURES = 5


def training_rows(n: int = 160, seed: int = 0, *, missing: bool = False) -> Array:
    """Ties, tenths (no exact floats), large and tiny magnitudes; with missing values if asked."""
    rng = np.random.default_rng(seed)
    X = np.column_stack(
        [
            rng.integers(-3, 4, n),
            rng.integers(0, 40, n) / 10,
            rng.normal(size=n),
            1e7 + rng.integers(0, 50, n),
            rng.normal(size=n) * 1e-30,
        ]
    )
    if missing:
        X[rng.random(X.shape) < 0.25] = np.nan
    return X


X = training_rows()
X_MISSING = training_rows(missing=True)
SCORE = np.nan_to_num(X_MISSING[:, 2]) + np.isnan(X_MISSING[:, 0]) + (X[:, 0] > 0) * (X[:, 1] > 2)
NUMBER = SCORE + np.random.default_rng(1).normal(size=len(X)) * 0.3
POSITIVE = np.exp(NUMBER)
BINARY = np.where(np.median(NUMBER) < NUMBER, "yes", "no")
CLASSES = np.digitize(NUMBER, np.quantile(NUMBER, [0.3, 0.6])) * 10
TARGETS = np.column_stack([NUMBER, SCORE, X[:, 0]])
CLASS_TARGETS = np.column_stack([CLASSES, (NUMBER > 0).astype(int)])
WEIGHTS = np.random.default_rng(2).integers(0, 4, len(X)) * 0.3  # a quarter of them zero

C, R = tree.DecisionTreeClassifier, tree.DecisionTreeRegressor
EC, ER = tree.ExtraTreeClassifier, tree.ExtraTreeRegressor
FC, FR = ensemble.RandomForestClassifier, ensemble.RandomForestRegressor
XC, XR = ensemble.ExtraTreesClassifier, ensemble.ExtraTreesRegressor
GC, GR = ensemble.GradientBoostingClassifier, ensemble.GradientBoostingRegressor
HC, HR = ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor
IF = ensemble.IsolationForest


def warm_started(model: Any, y: Array) -> Any:
    """Fit twice, the second time with more trees."""
    size = "max_iter" if hasattr(model, "max_iter") else "n_estimators"
    model.set_params(warm_start=True, **{size: 3}).fit(X, y)
    return model.set_params(**{size: 7}).fit(X, y)


def chain() -> Any:
    """A tree that is almost as deep as it has leaves: each split cuts off the largest value."""
    x = np.zeros((40, N_FEATURES))
    x[:, 2] = np.arange(40)
    return R().fit(x, 4.0 ** np.arange(40))


def grown(
    cls: Any, y: Array, rows: Array = X, weights: Array | None = None, **settings: Any
) -> Any:
    return cls(random_state=0, **settings).fit(rows, y, weights)


def forest(
    cls: Any, y: Array, rows: Array = X, weights: Array | None = None, **settings: Any
) -> Any:
    size = "max_iter" if issubclass(cls, (HC, HR)) else "n_estimators"
    model = cls(**{size: 6, "random_state": 0, **settings})
    return model.fit(rows, y, sample_weight=weights)


def hist(cls: Any, y: Array, rows: Array = X, weights: Array | None = None, **settings: Any) -> Any:
    return forest(cls, y, rows, weights, **{"min_samples_leaf": 5, **settings})


MODELS: dict[str, Callable[[], Any]] = {
    "tree binary": lambda: grown(C, BINARY),
    "tree classes": lambda: grown(C, CLASSES, criterion="entropy", max_leaf_nodes=9),
    "tree balanced": lambda: grown(C, CLASSES, X, WEIGHTS, class_weight="balanced", max_depth=4),
    "tree one class": lambda: grown(C, np.zeros(len(X))),
    "tree class targets": lambda: grown(C, CLASS_TARGETS, max_depth=4),
    "tree": lambda: grown(R, NUMBER),
    "tree stump": lambda: grown(R, NUMBER, max_depth=1, criterion="friedman_mse"),
    "tree single leaf": lambda: grown(R, np.full(len(X), 2.5)),
    "tree chain": chain,
    "tree absolute": lambda: grown(R, NUMBER, X, WEIGHTS, criterion="absolute_error", max_depth=4),
    "tree poisson": lambda: grown(R, POSITIVE, X, WEIGHTS, criterion="poisson", max_depth=4),
    "tree pruned": lambda: grown(R, NUMBER, X, WEIGHTS, ccp_alpha=0.01),
    "tree targets": lambda: grown(R, TARGETS, max_depth=5),
    "tree missing": lambda: grown(R, NUMBER, X_MISSING, max_depth=6),
    "tree classes missing": lambda: grown(C, CLASSES, X_MISSING),
    "tree monotonic": lambda: grown(R, NUMBER, max_depth=5, monotonic_cst=[1, 0, 1, 0, 0]),
    "extra tree classes": lambda: grown(EC, CLASSES),
    "extra tree": lambda: grown(ER, NUMBER, max_features=2),
    "forest binary": lambda: forest(FC, BINARY, weights=WEIGHTS),
    "forest classes": lambda: forest(FC, CLASSES, max_samples=0.5, max_depth=5),
    "forest class targets": lambda: forest(FC, CLASS_TARGETS, max_depth=4),
    "forest": lambda: forest(FR, NUMBER),
    "forest whole": lambda: forest(FR, NUMBER, bootstrap=False, max_features=0.4),
    "forest targets": lambda: forest(FR, TARGETS, max_depth=6),
    "forest warm": lambda: warm_started(FR(random_state=0), NUMBER),
    "forest missing": lambda: forest(FC, CLASSES, X_MISSING),
    "extra trees classes": lambda: forest(XC, CLASSES),
    "extra trees": lambda: forest(XR, NUMBER, weights=WEIGHTS),
    "extra trees missing": lambda: forest(XR, NUMBER, X_MISSING),
    "boosting": lambda: forest(GR, NUMBER, weights=WEIGHTS),
    "boosting huber": lambda: forest(GR, NUMBER, loss="huber", subsample=0.6, max_leaf_nodes=6),
    "boosting quantile": lambda: forest(GR, NUMBER, loss="quantile", alpha=0.8, init="zero"),
    "boosting absolute": lambda: forest(
        GR, NUMBER, loss="absolute_error", init=DummyRegressor(strategy="constant", constant=7.0)
    ),
    "boosting warm": lambda: warm_started(GR(random_state=0), NUMBER),
    "boosting pruned": lambda: forest(GR, NUMBER, ccp_alpha=0.02),
    "boosting stopped": lambda: forest(GR, NUMBER, n_estimators=50, n_iter_no_change=2),
    "boosting binary": lambda: forest(GC, BINARY, learning_rate=0.3),
    "boosting exponential": lambda: forest(GC, BINARY, loss="exponential"),
    "boosting classes": lambda: forest(GC, CLASSES),
    "boosting classes zero": lambda: forest(GC, CLASSES, init="zero", weights=WEIGHTS),
    "boosting uniform": lambda: forest(GC, CLASSES, init=DummyClassifier(strategy="uniform")),
    "hist": lambda: hist(HR, NUMBER),
    "hist poisson": lambda: hist(HR, POSITIVE, loss="poisson", weights=WEIGHTS),
    "hist gamma": lambda: hist(HR, POSITIVE, loss="gamma"),
    "hist quantile": lambda: hist(HR, NUMBER, loss="quantile", quantile=0.2),
    "hist absolute": lambda: hist(HR, NUMBER, loss="absolute_error", max_bins=10),
    "hist monotonic": lambda: hist(HR, NUMBER, monotonic_cst=[1, 0, -1, 0, 0]),
    "hist warm": lambda: warm_started(HR(random_state=0), NUMBER),
    "hist single leaf": lambda: hist(HR, NUMBER, min_samples_leaf=len(X)),
    "hist missing": lambda: hist(HR, NUMBER, X_MISSING, min_samples_leaf=2),
    "hist binary": lambda: hist(HC, BINARY, max_leaf_nodes=5),
    "hist classes": lambda: hist(HC, CLASSES, X_MISSING),
    "hist stopped": lambda: hist(HC, CLASSES, max_iter=40, early_stopping=True, tol=0.1),
    "isolation": lambda: IF(n_estimators=9, random_state=0).fit(X),
    "isolation features": lambda: IF(n_estimators=9, max_features=0.5, random_state=0).fit(X),
    "isolation samples": lambda: IF(
        n_estimators=9, max_samples=40, bootstrap=True, random_state=0
    ).fit(X),
    "isolation weights": lambda: IF(n_estimators=9, bootstrap=True, random_state=0).fit(
        X, sample_weight=WEIGHTS
    ),
    "isolation one row": lambda: IF(n_estimators=3, max_samples=1, random_state=0).fit(X),
    "isolation missing": lambda: IF(n_estimators=9, max_features=3, random_state=0).fit(X_MISSING),
}
_fitted: dict[str, Any] = {}


def fitted(name: str) -> Any:
    """Fit once; skip what this version of scikit-learn cannot do."""
    if name not in _fitted:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # this file tests no fitting
                _fitted[name] = MODELS[name]()
        except (ValueError, TypeError) as error:
            newer = {"missing": (1, 8), "gamma": (1, 3), "monotonic": (1, 4)}
            if not any(word in name and since > VERSION for word, since in newer.items()):
                raise
            _fitted[name] = error
    if isinstance(_fitted[name], Exception):
        pytest.skip(f"scikit-learn {sklearn.__version__}: {_fitted[name]}")
    return _fitted[name]


def nasty_rows(arrays: EnsembleArrays, n: int = 500, *, inf: bool = True) -> Array:
    """Thresholds, their neighbours in float64 and float32, ties of rounding, zeros, extremes."""
    rng = np.random.default_rng(7)
    rows = np.empty((n, arrays.n_features))
    for j in range(arrays.n_features):
        cuts = arrays.threshold[(arrays.split_feature == j) & (arrays.categorical == 0)]
        cuts = rng.permutation(np.append(np.unique(cuts[np.abs(cuts) < 1e300]), 0.0))[:30]
        near = cuts.astype(np.float32)
        up, down = (np.nextafter(near, np.float32(s * np.inf)) for s in (1, -1))
        pool = [cuts, near, up, down]
        # the doubles at which rounding to float32 changes its mind
        for other in (up, down):
            halfway = (near.astype(np.float64) + other) / 2
            pool += [halfway, np.nextafter(halfway, np.inf), np.nextafter(halfway, -np.inf)]
        pool += [np.nextafter(cuts, np.inf), np.nextafter(cuts, -np.inf)]
        extremes = [0.0, -0.0, 1e-45, -1e-45, 1e35, -1e35, 2.5, -2.5]
        extremes += [np.nan] * 4 if arrays.allow_nan else []
        extremes += [np.inf, -np.inf] if arrays.allow_inf and inf else []
        values = np.concatenate([np.asarray(p, np.float64) for p in [*pool, extremes]])
        rows[:, j] = rng.choice(values, n)
    return np.concatenate([rows, X, X_MISSING if arrays.allow_nan else X])


def walk(arrays: EnsembleArrays, rows: Array) -> Array:
    """Leaf (node within its tree) of every row in every tree, shape (n, T)."""
    x = rounded(arrays, rows)
    leaves = []
    for t in trees_of(arrays):
        node_of = np.zeros(len(x), np.int64)
        for node in t.order:
            at = np.flatnonzero(node_of == node)
            if not t.is_leaf(node) and at.size:
                left = goes_left(arrays, t.first + node, x[at, t.feature[node]])
                node_of[at] = np.where(left, t.left[node], t.right[node])
        leaves.append(node_of)
    return np.column_stack(leaves)


def hist_leaves(model: Any, rows: Any) -> Array:
    """Leaves by scikit-learn's own walk, of trees whose values are replaced by node numbers."""
    model = copy.deepcopy(model)
    predictors = [p for iteration in model._predictors for p in iteration]
    model._baseline_prediction = np.zeros((1, 1))
    model.n_trees_per_iteration_ = 1
    leaves = []
    for predictor in predictors:
        predictor.nodes["value"] = np.arange(len(predictor.nodes))
        model._predictors = [[predictor]]
        leaves.append(model._raw_predict(rows).ravel().astype(np.int64))
    return np.column_stack(leaves)


def library_leaves(model: Any, rows: Array) -> Array:
    """Leaf of every row in every tree as scikit-learn says, shape (n, T)."""
    if isinstance(model, (HC, HR)):
        return hist_leaves(model, rows)
    if isinstance(model, IF):
        pairs = zip(model.estimators_, model.estimators_features_, strict=True)
        narrow = rows.astype(np.float32)
        return np.column_stack([member.tree_.apply(narrow[:, f]) for member, f in pairs])
    return np.asarray(model.apply(rows), np.int64).reshape(len(rows), -1)
