"""The core's SHAP values are the Shapley values by definition, on every instruction set."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest

import oracle
from leafshap import _core
from leafshap.errors import UnsupportedModelError
from strategies import Recipe, random_ensemble, random_recipe, random_rows
from tolerance import DTYPES, Dtype, assert_close
from trees import AND_ROWS, AND_VALUES, and_tree, long_chain, long_chain_rows

if TYPE_CHECKING:
    from conftest import Explain
    from leafshap.converters.arrays import EnsembleArrays

Case = tuple["EnsembleArrays", npt.NDArray[Any], npt.NDArray[np.float64], npt.NDArray[np.float64]]

N_RANDOM, N_CHUNKS = 480, 8


@cache
def random_case(seed: int) -> Case:
    arrays = random_ensemble(random_recipe(seed))
    X = random_rows(arrays, 1 + seed % 19, seed, dtype=(np.float64, np.float32)[seed % 2])
    return (arrays, X, *oracle.shap_brute_force(arrays, X))


@cache
def leaf_case(recipe: Recipe, n: int = 5) -> Case:
    arrays = random_ensemble(recipe)
    X = random_rows(arrays, n, recipe.seed)
    return (arrays, X, *oracle.shap_by_leaves(arrays, X))


def test_and_tree_by_hand(isa: str, explain: Explain) -> None:
    phi, base = explain(and_tree(), AND_ROWS)
    np.testing.assert_allclose(phi, AND_VALUES, atol=1e-15)
    np.testing.assert_allclose(base, [0.25])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("chunk", range(N_CHUNKS))
def test_random_ensembles_by_brute_force(
    isa: str, chunk: int, dtype: Dtype, explain: Explain
) -> None:
    for seed in range(chunk, N_RANDOM, N_CHUNKS):
        arrays, X, expected, base = random_case(seed)
        phi, expected_values = explain(arrays, X, dtype)
        assert_close(phi, expected, dtype, f"seed {seed}:")
        np.testing.assert_allclose(expected_values, base, rtol=1e-12, atol=1e-13)


def repeats_a_feature(arrays: EnsembleArrays) -> bool:
    """Does a child test what its parent tests?"""
    for tree in oracle.trees_of(arrays):
        for node in tree.order:
            for child in () if tree.is_leaf(node) else (tree.left[node], tree.right[node]):
                if tree.feature[child] == tree.feature[node]:
                    return True
    return False


def test_random_cases_are_not_trivial() -> None:
    """The cases above must contain what they claim to test."""
    cases = [random_case(seed)[0] for seed in range(N_RANDOM)]
    assert sum(bool((a.categorical > 0).any()) for a in cases) > 100
    assert sum(bool((np.diff(a.category_offsets) > 64).any()) for a in cases) > 20
    assert sum(bool((np.diff(a.category_offsets) > 1000).any()) for a in cases) > 10
    assert sum(a.leaf_value.ndim == 2 and a.n_outputs > 1 for a in cases) > 50
    assert sum(a.leaf_value.ndim == 1 and a.n_outputs > 1 for a in cases) > 50
    for policy in range(3):
        assert sum(bool((a.missing == policy).any()) for a in cases) > 50
    inner = [(a.cover == 0).any() for a in cases if a.cover is not None]
    assert sum(map(bool, inner)) > 50
    assert sum(repeats_a_feature(a) for a in cases) > 100
    hits = sum(np.isin(random_case(seed)[1], cases[seed].threshold).mean() for seed in range(100))
    assert hits > 10  # a tenth of all values lies on a threshold
    nonzero = [np.abs(random_case(seed)[2]).max(initial=0.0) > 0.01 for seed in range(N_RANDOM)]
    assert sum(nonzero) > 0.7 * N_RANDOM


def test_predictions_of_random_ensembles() -> None:
    for seed in range(N_RANDOM):
        arrays, X, _, _ = random_case(seed)
        X = random_rows(arrays, 50, seed + 1)
        actual = _core.Ensemble(arrays.as_dict()).predict(X)
        np.testing.assert_allclose(actual, oracle.predict(arrays, X), rtol=1e-13, atol=1e-13)


def test_approximate_values_are_saabas(isa: str, explain: Explain) -> None:
    for seed in range(150):
        arrays, X, _, _ = random_case(seed)
        expected = oracle.saabas(arrays, X)
        for dtype in DTYPES:
            phi, _ = explain(arrays, X, dtype, approximate=True)
            assert_close(phi, expected, dtype, f"seed {seed}:")


BALANCED = Recipe(n_trees=4, n_features=8, shape="balanced")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 6])
def test_balanced_trees(isa: str, depth: int, dtype: Dtype, explain: Explain) -> None:
    arrays, X, expected, _ = leaf_case(BALANCED.but(depth=depth), 9)
    assert_close(explain(arrays, X, dtype)[0], expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("depth", [16, 64])
@pytest.mark.parametrize("shape", ["random", "chain"])
def test_deep_trees_with_repeated_features(
    isa: str, depth: int, shape: Any, dtype: Dtype, explain: Explain
) -> None:
    recipe = Recipe(
        n_trees=2, n_features=12, shape=shape, depth=depth, n_leaves=150, zero_cover=0.02
    )
    arrays, X, expected, _ = leaf_case(recipe, 9)
    assert_close(explain(arrays, X, dtype)[0], expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("distinct", [*range(1, 41), 48, 64, 100])
def test_distinct_features_on_a_path(
    isa: str, distinct: int, dtype: Dtype, explain: Explain
) -> None:
    recipe = Recipe(
        seed=distinct,
        n_trees=2,
        n_features=distinct,
        shape="chain",
        depth=distinct,
        repeat=False,
        categorical=0.0,
        zero_cover=0.0,
    )
    arrays, X, expected, _ = leaf_case(recipe, 7)
    assert_close(explain(arrays, X, dtype)[0], expected, dtype)


@cache
def long_chain_case(left_share: float) -> Case:
    arrays, X = long_chain(500, left_share), long_chain_rows(500)
    if left_share == 0.5:  # to save time; the deepest leaf is one that stays
        arrays.leaf_value[np.arange(len(arrays.leaf_value)) % 5 != 0] = 0.0
    return (arrays, X, *oracle.shap_by_quadrature(arrays, X))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("left_share", [0.5, 0.99])
def test_chain_of_500_features(isa: str, left_share: float, dtype: Dtype, explain: Explain) -> None:
    arrays, X, expected, base = long_chain_case(left_share)
    phi, expected_values = explain(arrays, X, dtype)
    np.testing.assert_allclose(expected_values, base, rtol=1e-12)
    for row in range(len(X)):
        assert_close(phi[row], expected[row], dtype, f"row {row}:")


@cache
def lone_leaf_case(depth: int, seed: int) -> Case:
    """One leaf that counts, at the end of a chain whose covers are next to none or next to all."""
    rng = np.random.default_rng([depth, seed])
    far = 10.0 ** -rng.uniform(0, 6, depth)
    arrays = long_chain(depth, np.where(rng.random(depth) < 0.5, far, 1.0 - far))
    arrays.leaf_value[:] = 0.0
    arrays.leaf_value[-1] = 1.0
    X = np.full((40, depth), -1.0)
    for i in range(40):  # violates i / 40 of the conditions
        X[i, rng.permutation(depth)[: i * depth // 40]] = 1.0
    return (arrays, X, *oracle.shap_by_quadrature(arrays, X))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("depth", [8, 11, 12, 14, 16, 20, 24, 32, 64])
def test_lone_leaf_with_extreme_cover(isa: str, depth: int, dtype: Dtype, explain: Explain) -> None:
    """The hardest polynomials for a quadrature with fewer points than make it exact."""
    for seed in range(20):
        arrays, X, expected, _ = lone_leaf_case(depth, seed)
        assert_close(explain(arrays, X, dtype)[0], expected, dtype, f"seed {seed}:")


@pytest.mark.parametrize("dtype", DTYPES)
def test_thousands_of_features(isa: str, dtype: Dtype, explain: Explain) -> None:
    recipe = Recipe(n_trees=20, n_features=5000, n_leaves=16, depth=8, categorical=0.1)
    arrays, X, expected, _ = leaf_case(recipe, 9)
    assert_close(explain(arrays, X, dtype)[0], expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("vector_leaves", [False, True])
@pytest.mark.parametrize("n_outputs", [1, 2, 3, 4, 5, 8, 10, 17])
def test_outputs(
    isa: str, n_outputs: int, vector_leaves: bool, dtype: Dtype, explain: Explain
) -> None:
    recipe = Recipe(n_trees=12, n_outputs=n_outputs, vector_leaves=vector_leaves, n_features=5)
    arrays, X, expected, _ = leaf_case(recipe, 17)
    assert_close(explain(arrays, X, dtype)[0], expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sum_of_many_trees(isa: str, dtype: Dtype, explain: Explain) -> None:
    """Float rounding must not grow with the number of trees."""
    recipe = Recipe(n_trees=600, n_features=10, n_leaves=8, categorical=0.2, zero_cover=0.0)
    arrays, X, expected, _ = leaf_case(recipe, 9)
    assert_close(explain(arrays, X, dtype)[0], expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sum_of_many_trees_that_agree(isa: str, dtype: Dtype, explain: Explain) -> None:
    """600 times one tree: the sum grows steadily, so every addition rounds the same way."""
    one = random_ensemble(Recipe(n_trees=1, n_features=4, n_leaves=12, weights=False))
    X = random_rows(one, 9)
    many = random_ensemble(Recipe(n_trees=1, n_features=4, n_leaves=12, weights=False))
    n = len(one.split_feature)
    for name in ("split_feature", "left", "right", "threshold", "default_left", "missing",
                 "categorical", "category_codes", "cover", "leaf_value"):  # fmt: skip
        setattr(many, name, np.tile(getattr(one, name), 600))
    if len(one.category_offsets):
        sizes = np.tile(np.diff(one.category_offsets), 600)
        many.category_offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    many.tree_offsets = np.arange(601, dtype=np.int64) * n
    many.tree_output, many.tree_weight = np.zeros(600, np.int32), np.full(600, 0.1)
    expected = 60.0 * oracle.shap_brute_force(one, X)[0]
    assert_close(explain(many, X, dtype)[0], expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_category_sets(isa: str, dtype: Dtype, explain: Explain) -> None:
    for n_categories in (31, 32, 33, 63, 64, 65, 129, 1025, 5000):
        recipe = Recipe(n_trees=3, n_features=4, categorical=1.0, n_categories=n_categories)
        for rule in ("truncate", "nonnegative"):
            arrays, X, expected, _ = leaf_case(recipe.but(category_rule=rule), 40)
            assert_close(explain(arrays, X, dtype)[0], expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_cover_of_zero_everywhere(isa: str, dtype: Dtype, explain: Explain) -> None:
    arrays = random_ensemble(Recipe(n_trees=3))
    arrays.cover = np.zeros(len(arrays.left))
    X = random_rows(arrays, 9)
    expected, base = oracle.shap_brute_force(arrays, X)
    phi, expected_values = explain(arrays, X, dtype)
    assert_close(phi, expected, dtype)
    np.testing.assert_allclose(expected_values, base, rtol=1e-12)


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [("float64", 1e-100), ("float64", 1e100), ("float32", 1e-9), ("float32", 1e9)],
)
def test_leaf_values_of_any_size(isa: str, dtype: Dtype, scale: float, explain: Explain) -> None:
    recipe = Recipe(n_trees=5)
    _, X, expected, _ = leaf_case(recipe)
    scaled = random_ensemble(recipe)
    scaled.leaf_value *= scale
    phi = explain(scaled, X, dtype)[0].astype(np.float64) / scale
    assert_close(phi, expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_constant_trees_have_no_effect(isa: str, dtype: Dtype, explain: Explain) -> None:
    arrays = random_ensemble(Recipe(n_trees=3, n_outputs=2))
    arrays.leaf_value = np.where(arrays.left < 0, 0.7, 0.0)
    X = random_rows(arrays, 9)
    phi, expected_values = explain(arrays, X, dtype)
    assert np.abs(phi).max() <= {"float64": 1e-15, "float32": 1e-7}[dtype]
    np.testing.assert_allclose(expected_values, oracle.predict(arrays, X)[0], rtol=1e-14)


@pytest.mark.parametrize("n_trees", [0, 1, 5])
def test_trees_without_a_split(isa: str, n_trees: int, explain: Explain) -> None:
    arrays = random_ensemble(Recipe(n_trees=n_trees, shape="leaf", n_outputs=2))
    X = random_rows(arrays, 9)
    phi, expected_values = explain(arrays, X)
    assert phi.shape == (9, 6, 2)
    assert (phi == 0.0).all()
    np.testing.assert_allclose(expected_values, oracle.predict(arrays, X)[0], rtol=1e-14)


@pytest.mark.parametrize("averaged", [False, True])
def test_first_trees_only(isa: str, averaged: bool, explain: Explain) -> None:
    arrays = random_ensemble(Recipe(n_trees=6))
    arrays.averaged = averaged
    X = random_rows(arrays, 9)
    for n_trees in (1, 2, 5, 6):
        expected, base = oracle.shap_brute_force(arrays, X, n_trees)
        phi, expected_values = explain(arrays, X, n_trees=n_trees)
        assert_close(phi, expected, "float64")
        np.testing.assert_allclose(expected_values, base, rtol=1e-12)
        predicted = _core.Ensemble(arrays.as_dict()).predict(X, n_trees=n_trees)
        np.testing.assert_allclose(predicted, oracle.predict(arrays, X, n_trees), rtol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_block_edges(isa: str, dtype: Dtype, explain: Explain) -> None:
    """A row's values do not depend on how many rows come with it: the same bits."""
    recipe = Recipe(n_trees=5, n_features=6, n_outputs=2, n_leaves=20, depth=6)
    arrays, X, expected, _ = leaf_case(recipe, 1000)
    all_rows = explain(arrays, X, dtype)[0]
    assert_close(all_rows, expected, dtype)
    for n in (0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129, 255, 257, 999):
        first = explain(arrays, np.ascontiguousarray(X[:n]), dtype)[0]
        np.testing.assert_array_equal(first, all_rows[:n])
        last = explain(arrays, np.ascontiguousarray(X[1000 - n :]), dtype)[0]
        np.testing.assert_array_equal(last, all_rows[1000 - n :])


def test_values_beyond_float32_are_refused(explain: Explain) -> None:
    arrays = and_tree()
    arrays.leaf_value = arrays.leaf_value * 1e50
    phi, _ = explain(arrays, AND_ROWS)
    np.testing.assert_allclose(phi, np.asarray(AND_VALUES) * 1e50, rtol=1e-12)
    with pytest.raises(UnsupportedModelError, match=r"tree 0, node \d+: its leaf value"):
        explain(arrays, AND_ROWS, "float32")
