"""Interaction values against background data are the Shapley interaction index by definition.

Those of the path-dependent game are in test_interactions_core.py.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import oracle_background
from background_cases import (
    METHODS,
    Case,
    Floats,
    case_of,
    explain,
    explain_interactions,
    interactions_of,
    leaf_case,
    leaf_case_interactions,
    pairs_of,
    plan_of,
    random_case,
    random_case_interactions,
    random_case_values,
    values_of,
)
from strategies import Recipe, random_ensemble, random_rows
from tolerance import DTYPES, Dtype, assert_close
from trees import AND_ROWS, and_tree, long_chain, long_chain_rows

N_RANDOM, N_CHUNKS = 150, 2


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> str:
    """Every way to explain a leaf, forced."""
    name: str = request.param
    return name


def test_and_tree_by_hand(isa: str, method: str) -> None:
    """Of f = x0 x1 with x in and b out, all is interaction; with one feature shared, none is."""
    X = AND_ROWS[[0]]
    expected = {
        0: [[0.0, 0.0], [0.0, 0.0]],
        1: [[0.0, 0.0], [0.0, 1.0]],
        2: [[1.0, 0.0], [0.0, 0.0]],
        3: [[0.0, 0.5], [0.5, 0.0]],
    }
    for b in range(4):
        plan = plan_of(and_tree(), AND_ROWS[[b]], interactions=True, method=method)
        assert plan.pairs.tolist() == [[0, 1]]
        phi = interactions_of(plan, X, "float64", 1)
        np.testing.assert_allclose(phi[0, :, :, 0], expected[b], atol=1e-15)
    back = plan_of(and_tree(), X, interactions=True, method=method)
    phi = interactions_of(back, AND_ROWS[[3]], "float64", 1)
    np.testing.assert_allclose(phi[0, :, :, 0], [[-1.0, 0.5], [0.5, -1.0]], atol=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("chunk", range(N_CHUNKS))
def test_random_ensembles_by_brute_force(isa: str, method: str, chunk: int, dtype: Dtype) -> None:
    for seed in range(chunk, N_RANDOM, N_CHUNKS):
        case, what = random_case(seed), f"seed {seed}:"
        plan = plan_of(
            case.arrays, case.background, case.weights, dtype, interactions=True, method=method
        )
        k = case.arrays.n_outputs
        phi = interactions_of(plan, case.X, dtype, k)
        assert_close(phi, random_case_interactions(seed), dtype, what)
        np.testing.assert_array_equal(phi, phi.transpose(0, 2, 1, 3))
        assert_close(values_of(plan, case.X, dtype, k), random_case_values(seed), dtype, what)


def test_random_cases_are_not_trivial() -> None:
    """The cases above must contain what they claim to test."""
    sizes = []
    for seed in range(N_RANDOM):
        values = random_case_interactions(seed).copy()
        values[:, np.arange(values.shape[1]), np.arange(values.shape[1])] = 0.0
        sizes.append(np.abs(values).max(initial=0.0) > 0.01)
    assert sum(sizes) > 0.4 * N_RANDOM


@pytest.mark.parametrize("dtype", DTYPES)
def test_pairs_are_the_dense_form(isa: str, method: str, dtype: Dtype) -> None:
    """Pairs are complete and minimal, and their values those of the dense form."""
    for seed in range(40):
        case = random_case(seed)
        arrays, k = case.arrays, case.arrays.n_outputs
        plan = plan_of(
            arrays, case.background, case.weights, dtype, interactions=True, method=method
        )
        assert plan.pairs.dtype == np.int32
        np.testing.assert_array_equal(plan.pairs, oracle_background.pairs_of(arrays))
        pairs, phi = pairs_of(plan, case.X, dtype, k)
        # a leaf without a table is walked by another kernel for values alone
        assert_close(phi, values_of(plan, case.X, dtype, k).astype(np.float64), dtype)
        dense = interactions_of(plan, case.X, dtype, k)
        i, j = plan.pairs.T
        np.testing.assert_array_equal(pairs, dense[:, i, j])
        rest = dense.copy()
        rest[:, i, j] = rest[:, j, i] = 0.0
        rest[:, np.arange(arrays.n_features), np.arange(arrays.n_features)] = 0.0
        assert (rest == 0.0).all()
        scale = np.abs(phi).max(initial=0.0) + np.abs(dense).max(initial=0.0)
        allowed = {"float64": 1e-14, "float32": 1e-6}[dtype] * scale
        np.testing.assert_allclose(dense.sum(axis=2), phi, rtol=0, atol=allowed)


@pytest.mark.parametrize("dtype", DTYPES)
def test_balanced_trees(isa: str, method: str, dtype: Dtype) -> None:
    for depth in range(1, 7):
        recipe = Recipe(n_trees=3, n_features=8, shape="balanced", depth=depth)
        case, expected = leaf_case_interactions(recipe, 9, 50, weighted=True)
        phi = explain_interactions(case, dtype, method=method)
        assert_close(phi, expected, dtype, f"depth {depth}:")


def chain_recipe(distinct: int) -> Recipe:
    return Recipe(seed=distinct, n_trees=2, n_features=distinct, shape="chain", depth=distinct,
                  repeat=False, categorical=0.0)  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_distinct_features_on_a_path(isa: str, method: str, dtype: Dtype) -> None:
    for distinct in (2, 3, 4, 5, 6, 7, 8, 9, 11):
        case, expected = leaf_case_interactions(chain_recipe(distinct), 5, 30)
        phi = explain_interactions(case, dtype, method=method)
        assert_close(phi, expected, dtype, f"{distinct} features:")


@pytest.mark.parametrize("dtype", DTYPES)
def test_many_features_on_a_path(dtype: Dtype) -> None:
    """Tables grow with 2^d d^2; somewhere on the way the leaves must be explained without."""
    for distinct in (13, 16, 17, 20, 33, 64, 70):
        case, expected = leaf_case_interactions(chain_recipe(distinct), 5, 30)
        assert_close(explain_interactions(case, dtype), expected, dtype, f"{distinct} features:")


@pytest.mark.parametrize("dtype", DTYPES)
def test_deep_trees_with_repeated_features(isa: str, method: str, dtype: Dtype) -> None:
    for shape in ("random", "chain"):
        recipe = Recipe(n_trees=2, n_features=9, shape=shape, depth=24, n_leaves=100)
        case, expected = leaf_case_interactions(recipe)
        assert_close(explain_interactions(case, dtype, method=method), expected, dtype, shape)


@cache
def far_leaf_case(depth: int) -> tuple[Case, Floats]:
    arrays = long_chain(depth, 0.5)
    arrays.leaf_value[:-1] = 0.0
    rng = np.random.default_rng(depth)
    inside = rng.choice([0.5, 0.9, 1.0], (30, 1))
    background = np.where(rng.random((30, depth)) < inside, -1.0, 1.0)
    case = Case(arrays, long_chain_rows(depth), background)
    return case, oracle_background.interactions_by_leaves(arrays, case.X, background)


@pytest.mark.parametrize("dtype", DTYPES)
def test_far_leaf_of_a_chain_alone(isa: str, method: str, dtype: Dtype) -> None:
    """Only one leaf counts: nothing hides an error of its weights."""
    for depth in (6, 8, 11, 24):
        case, expected = far_leaf_case(depth)
        phi = explain_interactions(case, dtype, method=method)
        for row in range(len(case.X)):
            assert_close(phi[row], expected[row], dtype, f"depth {depth}, row {row}:")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("vector_leaves", [False, True])
def test_outputs(isa: str, method: str, vector_leaves: bool, dtype: Dtype) -> None:
    for n_outputs in (1, 2, 3, 8):
        recipe = Recipe(n_trees=6, n_outputs=n_outputs, vector_leaves=vector_leaves, n_features=5)
        case, expected = leaf_case_interactions(recipe, 17, weighted=True)
        assert_close(explain_interactions(case, dtype, method=method), expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_categories(method: str, dtype: Dtype) -> None:
    for n_categories in (33, 1025):
        recipe = Recipe(n_trees=3, n_features=4, categorical=1.0, n_categories=n_categories)
        case, expected = leaf_case_interactions(recipe)
        assert_close(explain_interactions(case, dtype, method=method), expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sum_of_many_trees(dtype: Dtype) -> None:
    """Float rounding must not grow with the number of trees."""
    recipe = Recipe(n_trees=150, n_features=7, n_leaves=8, categorical=0.2)
    case, expected = leaf_case_interactions(recipe, 5)
    assert_close(explain_interactions(case, dtype), expected, dtype)


@cache
def leaf_case_pairs(recipe: Recipe) -> Floats:
    """Values of the pairs alone: the dense oracle would fill memory if it were kept."""
    case, _ = leaf_case(recipe, 3, 30)
    i, j = oracle_background.pairs_of(case.arrays).T
    index = oracle_background.interactions_by_leaves(case.arrays, case.X, case.background)
    return index[:, i, j]


@pytest.mark.parametrize("dtype", DTYPES)
def test_many_features_few_pairs(method: str, dtype: Dtype) -> None:
    """2,000 features would make a dense result of 4 million values a row; the pairs are 500."""
    recipe = Recipe(n_trees=25, n_features=2000, n_leaves=12, depth=6)
    case, phi_expected = leaf_case(recipe, 3, 30)
    plan = plan_of(case.arrays, case.background, None, dtype, interactions=True, method=method)
    assert 100 < len(plan.pairs) < 2000
    np.testing.assert_array_equal(plan.pairs, oracle_background.pairs_of(case.arrays))
    pairs, phi = pairs_of(plan, case.X, dtype, 1)
    expected, scale = leaf_case_pairs(recipe), float(np.abs(phi_expected).max())
    assert_close(pairs, expected, dtype, scale=scale)
    assert_close(phi, phi_expected, dtype)


def test_first_trees_only() -> None:
    arrays = random_ensemble(Recipe(n_trees=6, n_features=9))
    case = case_of(arrays, 5, 12)
    for n_trees in (0, 1, 3, 6):
        plan = plan_of(arrays, case.background, interactions=True, n_trees=n_trees)
        np.testing.assert_array_equal(plan.pairs, oracle_background.pairs_of(arrays, n_trees))
        expected = oracle_background.interactions_by_leaves(
            arrays, case.X, case.background, n_trees=n_trees
        )
        assert_close(interactions_of(plan, case.X, "float64", 1), expected, "float64")


@pytest.mark.parametrize("dtype", DTYPES)
def test_degenerate_backgrounds(method: str, dtype: Dtype) -> None:
    arrays = random_ensemble(Recipe(n_trees=4, n_features=6, n_outputs=2))
    X = random_rows(arrays, 8)
    backgrounds = (np.tile(X[:1], (40, 1)), np.full((9, 6), np.nan), X, random_rows(arrays, 1, 5))
    for background in backgrounds:
        case = Case(arrays, X, background)
        expected = oracle_background.interactions_by_leaves(arrays, X, background)
        assert_close(explain_interactions(case, dtype, method=method), expected, dtype)
    itself = explain_interactions(Case(arrays, X[:1], X[:1]), dtype, method=method)
    assert np.abs(itself).max() <= {"float64": 1e-14, "float32": 1e-6}[dtype]


def test_weights_count_rows(method: str) -> None:
    case, _ = leaf_case(Recipe(n_trees=4))
    counts = np.random.default_rng(0).integers(0, 4, len(case.background))
    several = replace(case, background=np.repeat(case.background, counts, axis=0))
    expected = explain_interactions(several, method=method)
    weighted = explain_interactions(
        replace(case, weights=counts.astype(np.float64) * 2.5), method=method
    )
    np.testing.assert_allclose(weighted, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_for_any_threads_and_rows(isa: str, method: str, dtype: Dtype) -> None:
    arrays = random_ensemble(Recipe(n_trees=8, n_features=8, n_outputs=2, n_leaves=30, depth=9))
    case = case_of(arrays, 600, 70, weighted=True)
    plan = plan_of(arrays, case.background, case.weights, dtype, interactions=True, method=method)
    whole = interactions_of(plan, case.X, dtype, 2)
    pairs, phi = pairs_of(plan, case.X, dtype, 2)
    for n_threads in (2, 3):
        np.testing.assert_array_equal(interactions_of(plan, case.X, dtype, 2, n_threads), whole)
        again = pairs_of(plan, case.X, dtype, 2, n_threads)
        np.testing.assert_array_equal(again[0], pairs)
        np.testing.assert_array_equal(again[1], phi)
    for n in (0, 1, 15, 65, 599):
        first = np.ascontiguousarray(case.X[:n])
        np.testing.assert_array_equal(interactions_of(plan, first, dtype, 2), whole[:n])
        last = np.ascontiguousarray(case.X[600 - n :])
        np.testing.assert_array_equal(pairs_of(plan, last, dtype, 2)[0], pairs[600 - n :])


def test_large_background(method: str) -> None:
    recipe = Recipe(n_trees=3, n_features=7, n_leaves=16, depth=6)
    case, expected = leaf_case_interactions(recipe, 5, 50_000, weighted=True)
    for dtype in DTYPES:
        assert_close(explain_interactions(case, dtype, method=method), expected, dtype)
        assert_close(explain(case, dtype, method=method), expected.sum(axis=2), dtype)
