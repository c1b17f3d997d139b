"""LightGBM models to convert, rows on their edges, and the IR's rules in plain numpy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from leafshap import _core
from leafshap.converters.arrays import EnsembleArrays, Missing

lgb = pytest.importorskip("lightgbm")

Floats = npt.NDArray[np.float64]
ZERO = float(np.float32(1e-35))
SPECIAL = [
    *(math.nan, math.inf, -math.inf, 0.0, -0.0, 1e-36, -1e-36, 1e-35, -1e-35),
    *(s * z for s in (1, -1) for z in (ZERO, math.nextafter(ZERO, 0), math.nextafter(ZERO, 1))),
    *(-1.0, -0.5, -0.999, 1.5, 2.999, 37.0, 1e9, 3e9, 2.0**31, 2.0**32 + 1, -(2.0**32) + 1, 1e300),
]
QUIET = {
    "verbose": -1,
    "num_threads": 1,
    "num_leaves": 9,
    "min_data_in_leaf": 3,
    "min_data_per_group": 3,
    "cat_smooth": 1.0,
    "seed": 3,
    "deterministic": True,
}


def training_data(kind: str = "plain") -> tuple[Floats, Floats]:
    """600 rows: two dense columns, one mostly zero, one of small and one of many categories."""
    rng = np.random.default_rng(5)
    n = 600
    X = rng.normal(size=(n, 5))
    X[:, 2] *= rng.random(n) < 0.4
    X[:, 3] = rng.integers(0, 4, n)
    X[:, 4] = rng.integers(0, 70, n)
    effect = rng.normal(size=70)
    y = X[:, 0] + np.sin(2 * X[:, 1]) + (X[:, 2] > 0) - 2 * (X[:, 2] < 0)
    y = y + 2 * (X[:, 3] == 0) + effect[X[:, 4].astype(int)] + rng.normal(size=n) / 10
    if kind == "nan":
        X[rng.random(X.shape) < 0.15] = np.nan
        y = y + 2 * np.isnan(X[:, 0])
    return X, y


def squared_error(score: Floats, data: Any) -> tuple[Floats, Floats]:
    return score - data.get_label(), np.ones_like(score)


def train(parameters: dict[str, Any], kind: str = "plain", rounds: int = 6) -> Any:
    """Train a Booster on 3 classes, 2 classes or the number itself, as the objective needs."""
    X, y = training_data(kind)
    objective = parameters.get("objective", "regression")
    group = None
    if objective in ("multiclass", "multiclassova"):
        y = np.digitize(y, [-1.0, 1.0]).astype(float)
        parameters = {"num_class": 3, **parameters}
    elif objective in ("binary", "cross_entropy", "cross_entropy_lambda"):
        y = (y > 0).astype(float)
    elif objective in ("poisson", "gamma", "tweedie"):
        y = np.exp(y / 3)
    elif objective in ("lambdarank", "rank_xendcg"):
        y, group = np.digitize(y, [-1.0, 1.0]).astype(float), [20] * 30
    elif objective == "custom":
        parameters = dict(parameters)
        if int(lgb.__version__.split(".")[0]) >= 4:
            parameters["objective"] = squared_error
    data = lgb.Dataset(X, y, group=group, categorical_feature=[3, 4], free_raw_data=False)
    if objective == "custom" and not callable(parameters["objective"]):
        parameters["objective"] = "none"
        return lgb.train({**QUIET, **parameters}, data, rounds, fobj=squared_error)
    return lgb.train({**QUIET, **parameters}, data, rounds)


def edge_rows(arrays: EnsembleArrays, X: Floats) -> Floats:
    """Training rows with one value, then all values, put on an edge of the model."""
    rng = np.random.default_rng(11)
    edges = []
    for j in range(X.shape[1]):
        at = np.unique(arrays.threshold[(arrays.split_feature == j) & (arrays.categorical == 0)])
        beside = [np.nextafter(at, -np.inf), np.nextafter(at, np.inf)]
        edges.append(np.concatenate([at, *beside, SPECIAL, np.arange(-2, 75)]))
    rows = [X]
    for j, values in enumerate(edges):
        block = X[rng.integers(0, len(X), 2 * len(values))].copy()
        block[:, j] = np.tile(values, 2)
        rows.append(block)
    rows.append(np.column_stack([rng.choice(values, 1500) for values in edges]))
    return np.concatenate(rows)


def leaves_reached(arrays: EnsembleArrays, X: Floats) -> npt.NDArray[np.int64]:
    """Node of every row's leaf in every tree, (n, T): the IR's rules in plain numpy."""
    out = np.zeros((len(X), arrays.tree_output.size), np.int64)
    for t, first in enumerate(arrays.tree_offsets[:-1]):
        node = out[:, t]
        while True:
            at = first + node
            feature = arrays.split_feature[at]
            inner = np.flatnonzero(feature >= 0)
            if inner.size == 0:
                break
            at = at[inner]
            x = X[inner, feature[inner]]
            policy = arrays.missing[at]
            missing = np.isnan(x) & (policy != Missing.NAN_AS_ZERO)
            missing |= (policy == Missing.ZERO) & (np.abs(x) <= ZERO)
            x = np.where(np.isnan(x), 0.0, x)
            left = x <= arrays.threshold[at]
            for i in np.flatnonzero(arrays.categorical[at] != 0):
                span = arrays.category_offsets[at[i] : at[i] + 2]
                member = math.isfinite(x[i]) and math.trunc(x[i]) in set(
                    arrays.category_codes[span[0] : span[1]].tolist()
                )
                left[i] = member == (arrays.categorical[at[i]] == 1)
            left = np.where(missing, arrays.default_left[at], left)
            node[inner] = np.where(left, arrays.left[at], arrays.right[at])
    return out


def raw_sums(arrays: EnsembleArrays, leaves: npt.NDArray[np.int64]) -> Floats:
    raw = np.tile(arrays.base_values, (len(leaves), 1))
    values = arrays.leaf_value[arrays.tree_offsets[:-1] + leaves] * arrays.tree_weight
    for t, k in enumerate(arrays.tree_output):
        raw[:, k] += values[:, t]
    return raw


def own_raw(booster: Any, X: Floats) -> Floats:
    """LightGBM's raw prediction (n, K); its raw score does not average a forest."""
    raw = booster.predict(X, raw_score=True, num_iteration=-1)
    if booster.model_to_string(num_iteration=1).count("\naverage_output\n"):
        raw = raw / (booster.num_trees() // booster.num_model_per_iteration())
    return np.asarray(raw).reshape(len(X), -1)


def assert_same_model(arrays: EnsembleArrays, booster: Any, X: Floats) -> None:
    """Same leaf for every row and tree, same sums, in numpy and in the compiled core."""
    leaves = leaves_reached(arrays, X)
    own = np.asarray(booster.predict(X, pred_leaf=True, num_iteration=-1)).reshape(len(X), -1)
    # leaf j of LightGBM follows the tree's inner nodes
    np.testing.assert_array_equal(leaves, own + (np.diff(arrays.tree_offsets) - 1) // 2)
    raw = own_raw(booster, X)
    np.testing.assert_allclose(raw_sums(arrays, leaves), raw, rtol=1e-13, atol=1e-13)
    core = _core.Ensemble(arrays.as_dict()).predict(np.ascontiguousarray(X), -1, 1)
    np.testing.assert_allclose(core, raw, rtol=1e-13, atol=1e-13)


KINDS: dict[str, tuple[dict[str, Any], str]] = {
    "missing none": ({}, "plain"),
    "missing nan": ({}, "nan"),
    "missing zero": ({"zero_as_missing": True}, "plain"),
    "missing zero and nan": ({"zero_as_missing": True}, "nan"),
    "missing unused": ({"use_missing": False}, "nan"),
    "one-hot categories": ({"max_cat_to_onehot": 100}, "nan"),
    "many-category sets": ({"max_cat_threshold": 64, "min_data_in_leaf": 1}, "nan"),
    "rf": ({"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6}, "nan"),
    "rf multiclass": (
        {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6, "objective": "multiclass"},
        "plain",
    ),
    "dart": ({"boosting": "dart", "drop_rate": 0.9, "skip_drop": 0.0}, "plain"),
    "extra trees": ({"extra_trees": True}, "nan"),
    "binary": ({"objective": "binary"}, "plain"),
    "binary, other sigmoid": ({"objective": "binary", "sigmoid": 0.7}, "nan"),
    "multiclass": ({"objective": "multiclass"}, "nan"),
    "multiclassova": ({"objective": "multiclassova", "sigmoid": 1.3}, "plain"),
    "cross entropy": ({"objective": "cross_entropy"}, "plain"),
    "cross entropy lambda": ({"objective": "cross_entropy_lambda"}, "plain"),
    "poisson": ({"objective": "poisson"}, "plain"),
    "gamma": ({"objective": "gamma"}, "plain"),
    "tweedie": ({"objective": "tweedie"}, "plain"),
    "absolute error": ({"objective": "regression_l1"}, "plain"),
    "quantile": ({"objective": "quantile", "alpha": 0.8}, "plain"),
    "square root": ({"reg_sqrt": True}, "plain"),
    "ranking": ({"objective": "lambdarank"}, "plain"),
    "custom objective": ({"objective": "custom"}, "plain"),
    "not from average": ({"boost_from_average": False, "learning_rate": 0.5}, "plain"),
}


def edited(text: str, **lines: str | None) -> str:
    """Model text with lines of the first tree replaced, or removed; sizes are dropped with it."""
    head, _, body = text.partition("\nTree=0\n")
    block, _, rest = body.partition("\n\n\n")
    kept = []
    for line in block.split("\n"):
        key = line.partition("=")[0]
        value = lines.get(key, line.partition("=")[2])
        if value is not None:
            kept.append(f"{key}={value}")
    head = "\n".join(line for line in head.split("\n") if not line.startswith("tree_sizes="))
    return f"{head}\nTree=0\n" + "\n".join(kept) + "\n\n\n" + rest
