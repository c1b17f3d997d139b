"""The core's interactions are the Shapley interaction index by definition, path-dependent game."""

from __future__ import annotations

import math
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest

import oracle
from leafshap import _core
from strategies import Recipe, Shape, random_ensemble, random_recipe, random_rows
from tolerance import DTYPES, Dtype, assert_close
from trees import AND_ROWS, and_tree, long_chain, long_chain_rows

if TYPE_CHECKING:
    from leafshap.converters.arrays import EnsembleArrays

Floats = npt.NDArray[np.float64]
N_RANDOM, N_CHUNKS = 200, 4


def brute_force(arrays: EnsembleArrays, X: npt.NDArray[Any]) -> Floats:
    """(n, F, F, K) over all coalitions; shap's convention: half of the index to each of ij, ji."""
    used = oracle.used_features(arrays)
    m = len(used)
    masks = np.arange(2**m)
    coalitions = np.zeros((2**m, arrays.n_features), dtype=bool)
    for bit, f in enumerate(used):
        coalitions[:, f] = (masks >> bit) & 1 == 1
    v = oracle.conditional_expectation(arrays, X, coalitions)
    size = coalitions.sum(axis=1)
    F, K = arrays.n_features, arrays.n_outputs
    out = np.zeros((len(X), F, F, K))
    for a, b in combinations(range(m), 2):
        i, j = 1 << a, 1 << b
        S = masks[masks & (i | j) == 0]
        weight = np.array([math.factorial(s) * math.factorial(m - s - 2) for s in size[S]])
        second = v[:, S | i | j] - v[:, S | i] - v[:, S | j] + v[:, S]
        index = np.einsum("c,nck->nk", weight / math.factorial(m - 1), second)
        out[:, used[a], used[b]] = out[:, used[b], used[a]] = index / 2
    phi, _ = oracle.shap_brute_force(arrays, X)
    for i in range(F):
        out[:, i, i] = phi[:, i] - out[:, i].sum(axis=1)
    return out


def dense(
    arrays: EnsembleArrays, X: npt.NDArray[Any], dtype: str = "float64", n_threads: int = 1
) -> npt.NDArray[Any]:
    plan = _core.PathPlan(_core.Ensemble(arrays.as_dict()), dtype)
    F = arrays.n_features
    # the core must write every value, not add to what is there
    out = np.full((len(X), F, F, arrays.n_outputs), np.nan, dtype=dtype)
    plan.interaction_values(X, out, n_threads)
    return out


def in_pairs(
    arrays: EnsembleArrays, X: npt.NDArray[Any], dtype: str = "float64", n_threads: int = 1
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.int32]]:
    plan = _core.PathPlan(_core.Ensemble(arrays.as_dict()), dtype)
    pairs = np.full((len(X), len(plan.pairs), arrays.n_outputs), np.nan, dtype=dtype)
    phi = np.full((len(X), arrays.n_features, arrays.n_outputs), np.nan, dtype=dtype)
    plan.interaction_pairs(X, pairs, phi, n_threads)
    return pairs, phi, plan.pairs


def pairs_on_paths(arrays: EnsembleArrays) -> list[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    for tree in oracle.trees_of(arrays):
        above: dict[int, frozenset[int]] = {0: frozenset()}
        for node in tree.order:
            if tree.is_leaf(node):
                continue
            f, path = int(tree.feature[node]), above[node]
            found |= {(min(f, j), max(f, j)) for j in path if j != f}
            for child in (tree.left[node], tree.right[node]):
                above[int(child)] = path | {f}
    return sorted(found)


@cache
def random_case(seed: int) -> tuple[EnsembleArrays, npt.NDArray[Any], Floats]:
    arrays = random_ensemble(random_recipe(seed))
    X = random_rows(arrays, 1 + seed % 19, seed, dtype=(np.float64, np.float32)[seed % 2])
    return arrays, X, brute_force(arrays, X)


def test_and_tree_by_hand(isa: str) -> None:
    """v(S) as in AND_VALUES: v({0, 1}) - v({0}) - v({1}) + v({}) is +-1/4, half of it to each."""
    off = np.array([1, -1, -1, 1]) / 8.0
    expected = np.empty((4, 2, 2, 1))
    expected[:, 0, 1, 0] = expected[:, 1, 0, 0] = off
    expected[:, 0, 0, 0] = np.array([3, 1, -3, -1]) / 8.0 - off
    expected[:, 1, 1, 0] = np.array([3, -3, 1, -1]) / 8.0 - off
    np.testing.assert_allclose(brute_force(and_tree(), AND_ROWS), expected, atol=1e-15)
    np.testing.assert_allclose(dense(and_tree(), AND_ROWS), expected, atol=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("chunk", range(N_CHUNKS))
def test_random_ensembles_by_brute_force(isa: str, chunk: int, dtype: Dtype) -> None:
    for seed in range(chunk, N_RANDOM, N_CHUNKS):
        arrays, X, expected = random_case(seed)
        values = dense(arrays, X, dtype)
        assert_close(values, expected, dtype, f"seed {seed}:")
        np.testing.assert_array_equal(values, values.swapaxes(1, 2))
        pairs, phi, where = in_pairs(arrays, X, dtype)
        assert where.dtype == np.int32
        assert [tuple(pair) for pair in where.tolist()] == pairs_on_paths(arrays)
        np.testing.assert_array_equal(pairs, values[:, where[:, 0], where[:, 1]])
        assert_close(phi, oracle.shap_brute_force(arrays, X)[0], dtype, f"seed {seed}:")
        off = values.copy()
        off[:, where[:, 0], where[:, 1]] = off[:, where[:, 1], where[:, 0]] = 0
        off[:, np.arange(arrays.n_features), np.arange(arrays.n_features)] = 0
        assert (off == 0).all()


def test_random_cases_are_not_trivial() -> None:
    cases = [random_case(seed) for seed in range(N_RANDOM)]
    off = [
        np.abs(values[:, ~np.eye(a.n_features, dtype=bool)]).max(initial=0.0) > 0.01
        for a, _, values in cases
    ]
    assert sum(map(bool, off)) > 0.4 * N_RANDOM


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("vector_leaves", [False, True])
@pytest.mark.parametrize("repeat", [False, True])
def test_deep_trees(isa: str, dtype: Dtype, vector_leaves: bool, repeat: bool) -> None:
    shapes: tuple[Shape, ...] = ("random", "chain", "balanced")
    for seed, shape in enumerate(shapes * 2):
        recipe = Recipe(
            seed=seed, n_trees=3, n_features=10, n_outputs=3, vector_leaves=vector_leaves,
            repeat=repeat, shape=shape, n_leaves=150, zero_cover=0.02,
            depth={"random": 10, "chain": 10 if not repeat else 60, "balanced": 7}[shape],
        )  # fmt: skip
        arrays = random_ensemble(recipe)
        X = random_rows(arrays, 5, seed)
        assert_close(dense(arrays, X, dtype), brute_force(arrays, X), dtype)


def by_leaves(arrays: EnsembleArrays, X: npt.NDArray[Any]) -> Floats:
    """Leaf by leaf: ``h_i h_j prod F`` by exact quadrature, as many features as one likes."""
    F, K = arrays.n_features, arrays.n_outputs
    out = np.zeros((len(X), F, F, K))
    for tree in oracle.trees_of(arrays):
        games = oracle.leaf_games(arrays, tree, oracle.rounded(arrays, X))
        for value, features, z, o in games:
            t, w = oracle._gauss_legendre(8 * math.ceil((len(features) + 1) / 16))
            factor = t * o[:, :, None] + (1.0 - t) * z[:, None]
            h = np.divide((o - z)[:, :, None], factor, out=np.zeros_like(factor), where=factor > 0)
            both = np.einsum("nt,nit,njt->nij", factor.prod(axis=1) * w, h, h) / 2
            out[np.ix_(range(len(X)), features, features)] += both[..., None] * value
    phi, _ = oracle.shap_by_leaves(arrays, X)
    for i in range(F):
        out[:, i, i] = 0
        out[:, i, i] = phi[:, i] - out[:, i].sum(axis=1)
    return out


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("depth", [7, 17, 40, 100])
@pytest.mark.parametrize("left_share", [0.5, 0.9, 0.99])
def test_trees_that_need_several_walks(
    isa: str, depth: int, left_share: float, dtype: Dtype
) -> None:
    arrays, X = long_chain(depth, left_share), long_chain_rows(depth)
    assert_close(dense(arrays, X, dtype), by_leaves(arrays, X), dtype)


def test_both_truths_agree() -> None:
    for seed in range(20):
        arrays = random_ensemble(random_recipe(seed))
        X = random_rows(arrays, 4, seed)
        np.testing.assert_allclose(by_leaves(arrays, X), brute_force(arrays, X), atol=1e-12)


def test_some_chains_need_several_walks() -> None:
    plan = _core.PathPlan(_core.Ensemble(long_chain(100, 0.99).as_dict()), "float64")
    assert plan.max_points > 8


@pytest.mark.parametrize("dtype", DTYPES)
def test_sum_of_many_trees(isa: str, dtype: Dtype) -> None:
    """Float rounding must not grow with the number of trees."""
    arrays = random_ensemble(
        Recipe(n_trees=600, n_features=6, n_leaves=8, categorical=0.2, zero_cover=0.0)
    )
    X = random_rows(arrays, 9)
    assert_close(dense(arrays, X, dtype), brute_force(arrays, X), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_many_features_few_pairs(isa: str, dtype: Dtype) -> None:
    arrays = random_ensemble(Recipe(n_trees=40, n_features=200, n_leaves=5, depth=3, n_outputs=2))
    X = random_rows(arrays, 3)
    pairs, phi, where = in_pairs(arrays, X, dtype)
    values = dense(arrays, X, dtype)
    np.testing.assert_array_equal(pairs, values[:, where[:, 0], where[:, 1]])
    assert_close(values.sum(axis=2, dtype=np.float64), phi.astype(np.float64), dtype)
    assert_close(values, by_leaves(arrays, X), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_for_any_threads_and_rows(isa: str, dtype: Dtype) -> None:
    arrays = random_ensemble(Recipe(n_trees=12, n_features=7, n_outputs=2, n_leaves=20, depth=7))
    X = random_rows(arrays, 1003)
    one = dense(arrays, X, dtype)
    for n_threads in (2, 3, 7):
        np.testing.assert_array_equal(dense(arrays, X, dtype, n_threads), one)
    pairs, phi, where = in_pairs(arrays, X, dtype, 2)
    np.testing.assert_array_equal(pairs, one[:, where[:, 0], where[:, 1]])
    assert_close(one.sum(axis=2, dtype=np.float64), phi.astype(np.float64), dtype)
    for n in (0, 1, 15, 17, 33, 64, 129, 1001):
        np.testing.assert_array_equal(dense(arrays, np.ascontiguousarray(X[:n]), dtype), one[:n])


def test_wrong_arrays_are_refused() -> None:
    arrays = random_ensemble(Recipe(n_trees=3, n_features=4))
    plan = _core.PathPlan(_core.Ensemble(arrays.as_dict()), "float64")
    X = random_rows(arrays, 5)
    good = np.empty((5, 4, 4, 1))
    pairs, phi = np.empty((5, len(plan.pairs), 1)), np.empty((5, 4, 1))
    bad: Any
    for bad in (good[:4], good[..., 0], good.astype(np.float32), good[:, ::-1], good[:, :3]):
        with pytest.raises(ValueError, match=r"out must be .*\(5, 4, 4, 1\)"):
            plan.interaction_values(X, bad, 1)
    for bad in (pairs[:4], pairs[:, :-1], pairs.astype(np.float32)):
        with pytest.raises(ValueError, match="pairs_out must be"):
            plan.interaction_pairs(X, bad, phi, 1)
    for bad in (phi[:4], phi[:, :-1], phi.astype(np.float32)):
        with pytest.raises(ValueError, match="phi_out must be"):
            plan.interaction_pairs(X, pairs, bad, 1)
    with pytest.raises(ValueError, match="columns"):
        plan.interaction_values(np.ascontiguousarray(X[:, :3]), good, 1)
    with pytest.raises(ValueError, match="n_threads"):
        plan.interaction_values(X, good, 0)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_against_xgboost(isa: str, n_outputs: int) -> None:
    xgb = pytest.importorskip("xgboost")
    from leafshap.converters.xgboost import convert

    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 6)).astype(np.float32)
    y = X[:, 0] * X[:, 1] + np.abs(X[:, 2]) + X[:, 3]
    params: dict[str, Any] = {"max_depth": 5, "verbosity": 0, "base_score": 0.5}
    if n_outputs > 1:
        y = np.digitize(y, np.quantile(y, [1 / 3, 2 / 3]))
        params |= {"objective": "multi:softprob", "num_class": n_outputs}
    X[rng.random(X.shape) < 0.1] = np.nan
    booster = xgb.train(params, xgb.DMatrix(X, y), 20)
    theirs = booster.predict(xgb.DMatrix(X[:50]), pred_interactions=True).astype(np.float64)
    theirs = theirs.reshape(50, n_outputs, 7, 7)[:, :, :6, :6]
    for dtype in DTYPES:
        ours = np.moveaxis(dense(convert(booster), X[:50], dtype), 3, 1)
        np.testing.assert_allclose(ours, theirs, atol=2e-5 * np.abs(theirs).max())
