"""XGBoost models for the tests of its converter, and what their arrays must do.

The walker follows the IR's definition in plain numpy and is given rows that are chosen to go
wrong: thresholds, their float32 neighbours, float64 numbers between two float32, NaN, both zeros,
infinities, and categories that are unknown, negative or fractional.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from leafshap import _core
from leafshap.converters.arrays import EnsembleArrays, Missing
from leafshap.converters.xgboost import convert, predict_raw

xgb = pytest.importorskip("xgboost")
xgb.set_config(verbosity=0)

VERSION = tuple(int(part) for part in xgb.__version__.split(".")[:2])
SEED = 20
F = 5  # features of the numeric data sets

# XGBoost's own warnings (deprecated parameters and the like); numpy's would still be errors.
QUIET = pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"
)

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


# ---------------------------------------------------------------- the IR's definition


def leaf_indices(a: EnsembleArrays, X: Any) -> npt.NDArray[np.int64]:
    """Node (within its tree) that every row ends in, (n, T)."""
    X = np.asarray(X, dtype=np.float64)
    with np.errstate(over="ignore"):
        X = X.astype(np.float32).astype(np.float64)
    X = np.where(a.missing_value == X, np.nan, X)
    assert a.input_precision == "float32"
    assert a.comparison == "<"
    assert (a.missing == Missing.NAN).all()
    out = np.zeros((len(X), len(a.tree_weight)), dtype=int)
    rows = np.arange(len(X))
    for t, start in enumerate(a.tree_offsets[:-1]):
        at = np.full(len(X), start)
        while (a.left[at] != -1).any():
            x = X[rows, np.maximum(a.split_feature[at], 0)]
            left = x < a.threshold[at]
            for node in np.unique(at[a.categorical[at] > 0]):
                members = a.category_codes[a.category_offsets[node] : a.category_offsets[node + 1]]
                here = at == node
                is_member = [v >= 0 and int(v) in members for v in np.nan_to_num(x[here], nan=-1)]
                left[here] = np.array(is_member) == (a.categorical[node] == 1)
            left = np.where(np.isnan(x), a.default_left[at], left)
            child = np.where(left, a.left[at], a.right[at])
            at = np.where(a.left[at] == -1, at, start + child)
        out[:, t] = at - start
    return out


def margin_of(a: EnsembleArrays, X: Any, n_trees: int | None = None) -> Floats:
    """Raw output by the IR's definition, (n,) or (n, K)."""
    leaves = leaf_indices(a, X)
    out = np.tile(a.base_values, (len(leaves), 1))
    total = len(a.tree_weight) if a.tree_limit is None else a.tree_limit
    for t in range(total if n_trees is None else n_trees):
        value = a.tree_weight[t] * a.leaf_value[a.tree_offsets[t] + leaves[:, t]]
        if a.leaf_value.ndim == 2:
            out += value
        else:
            out[:, a.tree_output[t]] += value
    return out[:, 0] if a.n_outputs == 1 else out


def hard_rows(a: EnsembleArrays, n: int = 300, infinity: bool = False, seed: int = 1) -> Floats:
    """Rows of float64 that sit on, and as near as possible to, the model's own thresholds."""
    rng = np.random.default_rng(seed)
    X = np.empty((n, a.n_features))
    for f in range(a.n_features):
        numeric = (a.split_feature == f) & (a.categorical == 0)
        t = np.unique(a.threshold[numeric]).astype(np.float32)
        low, high = np.nextafter(t, np.float32(-np.inf)), np.nextafter(t, np.float32(np.inf))
        pool = [t, low, high, rng.normal(size=20) * 2, [np.nan, 0.0, -0.0, 1e-40, -1e-40]]
        for between in (0.25, 0.5, 0.500001, 0.75):  # float64 that rounds to one of the two
            pool.append(t.astype(float) * (1 - between) + low.astype(float) * between)
            pool.append(t.astype(float) * (1 - between) + high.astype(float) * between)
        if ((a.split_feature == f) & (a.categorical > 0)).any():
            codes = np.arange(12)
            pool = [codes, codes, codes + 0.75, [np.nan, -0.0, -0.5, -1, -2, -1e9, 31, 32, 63, 64]]
            pool.append([77, 2.0**24 - 1, 2.0**24, 2.0**24 + 2, 2.0**31, 2.0**32, 1e30, 11.9999999])
        if infinity:
            pool.append([np.inf, -np.inf, 1e39, -1e39])
        X[:, f] = rng.choice(np.concatenate([np.asarray(p, float) for p in pool]), n)
    return X


def kept_nodes(booster: Any) -> list[list[int]]:
    """Node numbers of every tree as XGBoost numbers them, without the deleted ones."""

    def walk(node: Any) -> list[int]:
        return [node["nodeid"], *(i for child in node.get("children", []) for i in walk(child))]

    return [sorted(walk(json.loads(tree))) for tree in booster.get_dump(dump_format="json")]


def assert_same_leaves(a: EnsembleArrays, booster: Any, X: Any, missing: float = np.nan) -> None:
    data = matrix(booster, X, missing)
    theirs = booster.predict(data, pred_leaf=True).reshape(len(X), -1).astype(int)
    nodes = kept_nodes(booster)
    ours = leaf_indices(a, X)
    assert ours.shape == theirs.shape
    for t, ids in enumerate(nodes):
        np.testing.assert_array_equal(np.array(ids)[ours[:, t]], theirs[:, t])


def assert_close(ours: Floats, theirs: Any) -> None:
    """Equal to what a sum of float32 leaves can differ by."""
    theirs = np.asarray(theirs, dtype=float)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6 * max(1.0, np.abs(theirs).max()))


def matrix(booster: Any, X: Any, missing: float = np.nan) -> Any:
    return xgb.DMatrix(
        X,
        missing=missing,
        feature_names=booster.feature_names,
        feature_types=booster.feature_types,
        enable_categorical=True,
    )


def check(model: Any, *, X: Any = None, leaves: bool = True) -> EnsembleArrays:
    """Everything that must hold for a Booster or wrapper; returns the arrays."""
    a = convert(model)
    wrapped = hasattr(model, "get_booster")
    booster = model.get_booster() if wrapped else model
    X = hard_rows(a, infinity=a.allow_inf) if X is None else X
    ours = margin_of(a, X)
    assert_close(ours, predict_raw(model, X))
    assert np.ptp(ours) > 0
    if wrapped:
        assert_close(ours, model.predict(X, output_margin=True))
    else:
        assert_close(ours, booster.predict(matrix(booster, X), output_margin=True))
    if leaves:
        missing = a.missing_value
        with np.errstate(over="ignore"):
            finite = np.where(np.isinf(X.astype(np.float32)), 0.0, X)  # DMatrix takes no infinity
        assert_same_leaves(a, booster, finite, missing)
    core = _core.Ensemble(a.as_dict())
    limit = -1 if a.tree_limit is None else a.tree_limit
    compiled = core.predict(np.ascontiguousarray(X, dtype=np.float64), limit, 1)
    np.testing.assert_allclose(compiled.reshape(ours.shape), ours, rtol=0, atol=1e-12)
    return a


# ---------------------------------------------------------------- models


def numeric_data(n: int = 400, seed: int = SEED) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, F)).round(2)
    X[rng.random(X.shape) < 0.15] = np.nan
    z = np.nan_to_num(X)
    return X, z[:, 0] * 2 + np.where(z[:, 1] > 0, z[:, 2], -z[:, 3]) + rng.normal(size=n) * 0.1


def train(
    params: dict[str, Any] | None = None,
    X: Any = None,
    y: Any = None,
    rounds: int = 6,
    **kwargs: Any,
) -> Any:
    X0, y0 = numeric_data()
    X, y = (X0 if X is None else X), (y0 if y is None else y)
    given = {"max_depth": 4, "nthread": 1, "seed": 3, "eta": 0.4, **(params or {})}
    return xgb.train(given, xgb.DMatrix(X, y, **kwargs), rounds)


def classes(k: int = 3) -> tuple[Floats, Floats]:
    X, y = numeric_data()
    return X, np.digitize(y, np.quantile(y, np.arange(1, k) / k)).astype(float)


def targets(k: int = 3) -> tuple[Floats, Floats]:
    X, y = numeric_data()
    return X, np.column_stack([y * (j + 1) + np.nan_to_num(X[:, j]) + j for j in range(k)])


def categorical_data(n: int = 600, n_categories: int = 40) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(SEED)
    X = np.column_stack(
        [rng.integers(0, n_categories, n), rng.integers(0, 4, n), rng.normal(size=n)]
    )
    effect = rng.normal(size=n_categories) * 3
    y = effect[X[:, 0].astype(int)] + (X[:, 1] == 2) * 2 + X[:, 2]
    X[rng.random(X.shape) < 0.05] = np.nan
    return X, y


def categorical_booster(max_cat_to_onehot: int, n_categories: int = 40, **params: Any) -> Any:
    X, y = categorical_data(n_categories=n_categories)
    given = {"tree_method": "hist", "max_cat_to_onehot": max_cat_to_onehot, **params}
    return train(given, X, y, feature_types=["c", "c", "q"], enable_categorical=True)


def zoo(max_depth: int = 4) -> Iterator[tuple[str, Any]]:
    X, y = classes()
    yield "regression", train({"base_score": 0.5})
    yield "pruned", train({"tree_method": "exact", "gamma": 2.0, "max_depth": 6})
    dart = {"booster": "dart", "rate_drop": 0.5, "one_drop": 1, "max_depth": max_depth}
    yield "dart", train(dart)
    params = {"objective": "multi:softprob", "num_class": 3, "num_parallel_tree": 2}
    yield "multiclass", train(params, X, y)
    if VERSION >= (1, 7):
        yield "onehot", categorical_booster(100)
        yield "partition", categorical_booster(1, max_depth=max_depth)
    if VERSION >= (2, 0):
        X, y = targets()
        vector = {"tree_method": "hist", "multi_strategy": "multi_output_tree"}
        yield "vector", train({**vector, "max_depth": max_depth}, X, y)


def assert_equal_arrays(a: EnsembleArrays, b: EnsembleArrays) -> None:
    for name, value in a.as_dict().items():
        other = b.as_dict()[name]
        np.testing.assert_array_equal(value, other, err_msg=name)
        if isinstance(value, np.ndarray):
            assert value.dtype == other.dtype, name
