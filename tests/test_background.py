"""Interventional values by the core are the Shapley values by definition, in every way it has."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import oracle
import oracle_background
from background_cases import (
    METHODS,
    Case,
    case_of,
    expected_of,
    explain,
    leaf_case,
    plan_of,
    random_case,
    random_case_values,
    values_of,
)
from leafshap.errors import UnsupportedModelError
from strategies import Recipe, random_ensemble, random_rows
from tolerance import DTYPES, Dtype, assert_close
from trees import AND_ROWS, and_tree, long_chain, long_chain_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from background_cases import Array, Floats
    from leafshap.converters.arrays import EnsembleArrays

N_RANDOM, N_CHUNKS = 210, 3


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> str:
    """Every way to explain a leaf, forced."""
    name: str = request.param
    return name


def test_there_is_more_than_one_method() -> None:
    assert "auto" in METHODS
    assert len(METHODS) > 2
    assert len(set(METHODS)) == len(METHODS)


def test_and_tree_by_hand(isa: str, method: str) -> None:
    """x satisfies both conditions, or none; the background rows satisfy none, one, or both."""
    X = AND_ROWS[[0, 3]]
    values = {0: [0.0, 0.0], 1: [0.0, 1.0], 2: [1.0, 0.0], 3: [0.5, 0.5]}
    swapped = {0: [-0.5, -0.5], 1: [0.0, 0.0], 2: [0.0, 0.0], 3: [0.0, 0.0]}
    for b in range(4):
        plan = plan_of(and_tree(), AND_ROWS[[b]], method=method)
        phi = values_of(plan, X, "float64", 1)[:, :, 0]
        np.testing.assert_allclose(phi, [values[b], swapped[b]], atol=1e-15)
        np.testing.assert_allclose(expected_of(plan), [float(b == 0)], atol=1e-15)
    weights = np.array([0.0, 2.0, 1.0, 5.0])
    plan = plan_of(and_tree(), AND_ROWS, weights, method=method)
    phi = values_of(plan, X, "float64", 1)[:, :, 0]
    np.testing.assert_allclose(phi, [[3.5 / 8, 4.5 / 8], [0.0, 0.0]], atol=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("chunk", range(N_CHUNKS))
def test_random_ensembles_by_brute_force(isa: str, method: str, chunk: int, dtype: Dtype) -> None:
    for seed in range(chunk, N_RANDOM, N_CHUNKS):
        case = random_case(seed)
        plan = plan_of(case.arrays, case.background, case.weights, dtype, method=method)
        phi = values_of(plan, case.X, dtype, case.arrays.n_outputs)
        assert_close(phi, random_case_values(seed), dtype, f"seed {seed}:")
        np.testing.assert_allclose(expected_of(plan), case.base, rtol=1e-12, atol=1e-13)


def test_random_cases_are_not_trivial() -> None:
    """The cases above must contain what they claim to test."""
    cases = [random_case(seed) for seed in range(N_RANDOM)]
    assert sum(bool((c.arrays.categorical > 0).any()) for c in cases) > 50
    assert sum(c.arrays.n_outputs > 1 for c in cases) > 50
    assert sum(len(c.background) == 1 for c in cases) > 10
    assert sum(c.weights is not None and bool((c.weights == 0).any()) for c in cases) > 40
    nonzero = [np.abs(random_case_values(seed)).max() > 0.01 for seed in range(N_RANDOM)]
    assert sum(nonzero) > 0.6 * N_RANDOM


# ---------------------------------------------------------------- shapes of models

BALANCED = Recipe(n_trees=4, n_features=8, shape="balanced")


@pytest.mark.parametrize("dtype", DTYPES)
def test_balanced_trees(isa: str, method: str, dtype: Dtype) -> None:
    for depth in range(1, 8):
        case, expected = leaf_case(BALANCED.but(depth=depth), 20, 70, weighted=True)
        assert_close(explain(case, dtype, method=method), expected, dtype, f"depth {depth}:")


DISTINCT = {"few": range(1, 9), "some": range(9, 17), "many": (18, 20, 24, 31, 32, 33),
            "most": (40, 64, 65)}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("how_many", DISTINCT)
def test_distinct_features_on_a_path(isa: str, method: str, how_many: str, dtype: Dtype) -> None:
    for distinct in DISTINCT[how_many]:
        recipe = Recipe(seed=distinct, n_trees=2, n_features=distinct, shape="chain",
                        depth=distinct, repeat=False, categorical=0.0)  # fmt: skip
        case, expected = leaf_case(recipe, 7)
        phi = explain(case, dtype, method=method)
        assert_close(phi, expected, dtype, f"{distinct} features:")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("depth", [16, 64])
@pytest.mark.parametrize("shape", ["random", "chain"])
def test_deep_trees_with_repeated_features(
    isa: str, method: str, depth: int, shape: Any, dtype: Dtype
) -> None:
    recipe = Recipe(n_trees=2, n_features=12, shape=shape, depth=depth, n_leaves=150)
    case, expected = leaf_case(recipe)
    assert_close(explain(case, dtype, method=method), expected, dtype)


@cache
def chain_case(depth: int, *, far_leaf_only: bool) -> tuple[Case, Floats]:
    """Rows and background that reach the far end of a chain, or nearly."""
    arrays, X = long_chain(depth, 0.5), long_chain_rows(depth)
    if far_leaf_only:
        arrays.leaf_value[:-1] = 0.0
    rng = np.random.default_rng(depth)
    inside = rng.choice([0.5, 0.98, 1.0], (40, 1))
    background = np.where(rng.random((40, depth)) < inside, -1.0, 1.0)
    case = Case(arrays, X, background)
    return case, oracle_background.shap_by_leaves(arrays, X, background)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("depth", [33, 200])
def test_long_chains(method: str, depth: int, dtype: Dtype) -> None:
    case, expected = chain_case(depth, far_leaf_only=False)
    phi = explain(case, dtype, method=method)
    for row in range(len(case.X)):
        assert_close(phi[row], expected[row], dtype, f"row {row}:")


@pytest.mark.parametrize("dtype", DTYPES)
def test_far_leaf_of_a_long_chain_alone(method: str, dtype: Dtype) -> None:
    """Only one leaf counts: nothing hides an error of its weights."""
    for depth in (12, 20, 31, 48):
        case, expected = chain_case(depth, far_leaf_only=True)
        phi = explain(case, dtype, method=method)
        for row in range(len(case.X)):
            assert_close(phi[row], expected[row], dtype, f"depth {depth}, row {row}:")


@pytest.mark.parametrize("dtype", DTYPES)
def test_thousands_of_features(method: str, dtype: Dtype) -> None:
    recipe = Recipe(n_trees=20, n_features=5000, n_leaves=16, depth=8, categorical=0.1)
    case, expected = leaf_case(recipe)
    assert_close(explain(case, dtype, method=method), expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("vector_leaves", [False, True])
@pytest.mark.parametrize("n_outputs", [1, 2, 3, 4, 5, 8, 17])
def test_outputs(isa: str, method: str, n_outputs: int, vector_leaves: bool, dtype: Dtype) -> None:
    recipe = Recipe(n_trees=12, n_outputs=n_outputs, vector_leaves=vector_leaves, n_features=5)
    case, expected = leaf_case(recipe, 17, weighted=True)
    assert_close(explain(case, dtype, method=method), expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_category_sets(method: str, dtype: Dtype) -> None:
    for n_categories in (31, 32, 33, 64, 65, 1025, 5000):
        recipe = Recipe(n_trees=3, n_features=4, categorical=1.0, n_categories=n_categories)
        for rule in ("truncate", "nonnegative"):
            case, expected = leaf_case(recipe.but(category_rule=rule))
            assert_close(explain(case, dtype, method=method), expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sum_of_many_trees(method: str, dtype: Dtype) -> None:
    """Float rounding must not grow with the number of trees."""
    recipe = Recipe(n_trees=600, n_features=10, n_leaves=8, categorical=0.2)
    case, expected = leaf_case(recipe)
    assert_close(explain(case, dtype, method=method), expected, dtype)


def repeated(one: EnsembleArrays, times: int) -> EnsembleArrays:
    """The same single tree many times over."""
    changes: dict[str, Any] = {
        name: np.tile(getattr(one, name), times)
        for name in ("split_feature", "left", "right", "threshold", "default_left", "missing",
                     "categorical", "category_codes", "cover", "leaf_value")
    }  # fmt: skip
    if len(one.category_offsets):
        sizes = np.tile(np.diff(one.category_offsets), times)
        changes["category_offsets"] = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    changes["tree_offsets"] = np.arange(times + 1, dtype=np.int64) * len(one.split_feature)
    changes["tree_output"] = np.zeros(times, np.int32)
    changes["tree_weight"] = np.full(times, 0.1)
    return replace(one, **changes)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sum_of_many_trees_that_agree(method: str, dtype: Dtype) -> None:
    """600 times one tree: the sum grows steadily, so every addition rounds the same way."""
    one = random_ensemble(Recipe(n_trees=1, n_features=4, n_leaves=12, weights=False))
    case = case_of(one, 9, 20)
    expected = 60.0 * oracle_background.shap_brute_force(one, case.X, case.background)
    many = replace(case, arrays=repeated(one, 600))
    assert_close(explain(many, dtype, method=method), expected, dtype)


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [("float64", 1e-100), ("float64", 1e100), ("float32", 1e-9), ("float32", 1e9)],
)
def test_leaf_values_of_any_size(method: str, dtype: Dtype, scale: float) -> None:
    case, expected = leaf_case(Recipe(n_trees=5))
    scaled = replace(case, arrays=replace(case.arrays, leaf_value=case.arrays.leaf_value * scale))
    phi = explain(scaled, dtype, method=method).astype(np.float64) / scale
    assert_close(phi, expected, dtype)


def test_values_beyond_float32_are_refused() -> None:
    arrays = and_tree()
    arrays.leaf_value = arrays.leaf_value * 1e50
    plan_of(arrays, AND_ROWS)
    with pytest.raises(UnsupportedModelError, match=r"tree 0, node \d+: its leaf value"):
        plan_of(arrays, AND_ROWS, None, "float32")


def test_cover_is_not_needed(method: str) -> None:
    case, expected = leaf_case(Recipe(n_trees=3))
    bare = replace(case, arrays=replace(case.arrays, cover=None))
    assert_close(explain(bare, method=method), expected, "float64")


@pytest.mark.parametrize("n_trees", [0, 1, 5])
def test_trees_without_a_split(method: str, n_trees: int) -> None:
    case = case_of(random_ensemble(Recipe(n_trees=n_trees, shape="leaf", n_outputs=2)), 9, 5)
    plan = plan_of(case.arrays, case.background, method=method)
    assert (values_of(plan, case.X, "float64", 2) == 0.0).all()
    np.testing.assert_allclose(
        expected_of(plan), oracle.predict(case.arrays, case.X)[0], rtol=1e-14
    )


@pytest.mark.parametrize("averaged", [False, True])
def test_first_trees_only(method: str, averaged: bool) -> None:
    arrays = random_ensemble(Recipe(n_trees=6))
    arrays.averaged = averaged
    case = case_of(arrays, 9, 12)
    for n_trees in (0, 1, 2, 5, 6):
        plan = plan_of(arrays, case.background, method=method, n_trees=n_trees)
        expected = oracle_background.shap_by_leaves(
            arrays, case.X, case.background, n_trees=n_trees
        )
        assert_close(values_of(plan, case.X, "float64", 1), expected, "float64")
        base = oracle_background.expected_values(arrays, case.background, n_trees=n_trees)
        np.testing.assert_allclose(expected_of(plan), base, rtol=1e-12)


# ---------------------------------------------------------------- backgrounds

RECIPE = Recipe(n_trees=6, n_features=7, n_outputs=2, n_leaves=16, depth=6)


def test_weights_count_rows(method: str) -> None:
    """A whole weight is a row repeated, 0 a row left out; the size of the weights is nothing."""
    case, _ = leaf_case(RECIPE)
    m = len(case.background)
    counts = np.random.default_rng(0).integers(0, 4, m)
    weighted = explain(replace(case, weights=counts.astype(float)), method=method)
    several = replace(case, background=np.repeat(case.background, counts, axis=0))
    np.testing.assert_allclose(weighted, explain(several, method=method), rtol=0, atol=1e-13)
    scaled = explain(replace(case, weights=counts.astype(np.float64) * 1e-9), method=method)
    np.testing.assert_allclose(scaled, weighted, rtol=0, atol=1e-13)
    equal = explain(replace(case, weights=np.full(m, 0.1)), method=method)
    np.testing.assert_allclose(equal, explain(case, method=method), rtol=0, atol=1e-13)


def test_a_row_of_weight_0_is_absent_whatever_it_holds(method: str) -> None:
    case, expected = leaf_case(RECIPE)
    odd = np.tile(np.array([[np.nan], [np.inf], [-np.inf], [1e300]]), case.X.shape[1])
    background = np.concatenate([odd, case.background])
    weights = np.append(np.zeros(4), np.ones(len(case.background)))
    phi = explain(replace(case, background=background, weights=weights), method=method)
    assert_close(phi, expected, "float64")


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_background_row(isa: str, method: str, dtype: Dtype) -> None:
    for seed in range(5):
        case, expected = leaf_case(RECIPE.but(seed=seed), 9, 1)
        assert_close(explain(case, dtype, method=method), expected, dtype)
        itself = replace(case, X=case.background)
        scale = np.abs(case.arrays.leaf_value).max()
        allowed = {"float64": 1e-14, "float32": 1e-6}[dtype] * scale
        assert np.abs(explain(itself, dtype, method=method)).max() <= allowed


DEGENERATE: dict[str, Callable[[Array], Array]] = {
    "constant": lambda X: np.tile(X[:1], (50, 1)),
    "all NaN": lambda X: np.full((20, X.shape[1]), np.nan),
    "the rows": lambda X: X,
    "two rows in turn": lambda X: np.tile(X[:2], (50, 1)),
}


@cache
def degenerate_case(what: str, seed: int) -> tuple[Case, Floats]:
    arrays = random_ensemble(RECIPE.but(seed=seed))
    X = random_rows(arrays, 12, seed)
    case = Case(arrays, X, DEGENERATE[what](X))
    return case, oracle_background.shap_by_leaves(arrays, X, case.background)


@pytest.mark.parametrize("what", DEGENERATE)
@pytest.mark.parametrize("dtype", DTYPES)
def test_degenerate_backgrounds(method: str, what: str, dtype: Dtype) -> None:
    for seed in range(4):
        case, expected = degenerate_case(what, seed)
        assert_close(explain(case, dtype, method=method), expected, dtype, f"seed {seed}:")


def test_order_of_the_background_is_nothing(method: str) -> None:
    case, expected = leaf_case(RECIPE, weighted=True)
    assert case.weights is not None
    order = np.random.default_rng(1).permutation(len(case.background))
    shuffled = replace(case, background=case.background[order], weights=case.weights[order])
    assert_close(explain(shuffled, method=method), expected, "float64")


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_background(method: str, dtype: Dtype) -> None:
    """100,000 rows with weights, by the oracle: counts must not lose their last bits."""
    case, expected = leaf_case(RECIPE, 9, 100_000, weighted=True)
    assert_close(explain(case, dtype, method=method), expected, dtype)


def test_mean_over_parts_of_a_large_background(method: str) -> None:
    """Linear in the background: two halves, weighted, are the whole."""
    arrays = random_ensemble(RECIPE.but(n_trees=3, seed=5))
    case = case_of(arrays, 9, 30_000)
    whole = explain(case, method=method)
    a = explain(replace(case, background=case.background[:10_000]), method=method)
    b = explain(
        replace(case, background=np.ascontiguousarray(case.background[10_000:])), method=method
    )
    np.testing.assert_allclose((a + 2.0 * b) / 3.0, whole, rtol=0, atol=1e-12)


def test_background_is_copied(method: str) -> None:
    """The caller may change its array at once."""
    case, expected = leaf_case(RECIPE, weighted=True)
    background, weights = case.background.copy(), np.array(case.weights)
    plan = plan_of(case.arrays, background, weights, method=method)
    background[:], weights[:] = np.nan, np.nan
    assert_close(values_of(plan, case.X, "float64", 2), expected, "float64")


def test_single_precision_background_is_taken_as_it_is(method: str) -> None:
    """A float32 array means its own values, for a model that compares in double."""
    arrays = random_ensemble(RECIPE.but(precision="float64", comparison="<="))
    X = random_rows(arrays, 9, dtype=np.float32)
    background = random_rows(arrays, 30, 1, dtype=np.float32)
    expected = oracle_background.shap_by_leaves(arrays, X, background)
    assert_close(explain(Case(arrays, X, background), method=method), expected, "float64")
