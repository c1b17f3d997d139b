"""Ensembles small enough to predict by hand, and how to compare two of them bit by bit."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from leafshap.converters.arrays import EnsembleArrays
from strategies import Recipe, random_ensemble


def stump(**changes: Any) -> EnsembleArrays:
    """x0 < 2 -> 10, else 20, weighted by 0.5 (30 and 10 training rows)."""
    arrays = EnsembleArrays(
        n_features=2,
        n_outputs=1,
        tree_offsets=np.array([0, 3]),
        tree_output=np.array([0], np.int32),
        tree_weight=np.array([0.5]),
        split_feature=np.array([0, -1, -1], np.int32),
        left=np.array([1, -1, -1], np.int32),
        right=np.array([2, -1, -1], np.int32),
        threshold=np.array([2.0, 0, 0]),
        default_left=np.array([False, False, False]),
        missing=np.zeros(3, np.uint8),
        categorical=np.zeros(3, np.uint8),
        category_offsets=np.zeros(0, np.int64),
        category_codes=np.zeros(0, np.int32),
        cover=np.array([40.0, 30.0, 10.0]),
        leaf_value=np.array([0.0, 10.0, 20.0]),
        base_values=np.array([1.0]),
        comparison="<",
        input_precision="float64",
        source="a stump",
    )
    return replace(arrays, **changes)


def no_trees() -> EnsembleArrays:
    """What is left of a model that was trained for no iteration: its base value."""
    empty = {
        name: value[:0]
        for name, value in stump().as_dict().items()
        if isinstance(value, np.ndarray) and name != "base_values"
    }
    return stump(**{**empty, "tree_offsets": np.zeros(1, np.int64)})


def rich() -> EnsembleArrays:
    """Every field away from its default."""
    arrays = random_ensemble(
        Recipe(seed=5, n_trees=6, n_outputs=3, missing_value=-999.0, precision="float64")
    )
    return replace(
        arrays,
        allow_nan=False,
        allow_inf=False,
        link="softmax",
        averaged=True,
        tree_limit=3,
        trees_per_iteration=3,
        feature_names=["naïve", "b c", "c", "d", "e", "f"],
        output_names=["x", "y", "z"],
        feature_categories={
            0: ["u", "ü", ""],
            2: [1, 2.5, -7],
            4: [np.int64(3), np.float64(np.inf), np.str_("s"), True, None, float("nan")],
        },
        encode_numeric=True,
        source="many",
    )


def assert_same(a: EnsembleArrays, b: EnsembleArrays) -> None:
    for f in fields(EnsembleArrays):
        x, y = getattr(a, f.name), getattr(b, f.name)
        if isinstance(x, np.ndarray):
            assert x.dtype == y.dtype, f.name
            assert x.shape == y.shape, f.name
            assert x.tobytes() == y.tobytes(), f.name  # -0.0 and NaN bits too
        elif isinstance(x, float):
            assert np.float64(x).tobytes() == np.float64(y).tobytes(), f.name
        else:
            assert x == y, f.name
