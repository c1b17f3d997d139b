"""The background oracle's own tests: values known by hand, its ways against each other, shap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import oracle
import oracle_background
from leafshap import converters
from strategies import Recipe, random_ensemble, random_recipe, random_rows
from trees import and_tree

SEEDS = range(40)


def weights_of(m: int, seed: int) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """None, or weights some of which are 0."""
    rng = np.random.default_rng(seed)
    return None if seed % 2 else np.append(rng.integers(0, 4, m - 1) * 0.7, 1.3)


@pytest.mark.parametrize(
    "method", [oracle_background.shap_brute_force, oracle_background.shap_by_leaves]
)
def test_values_by_hand(method: Any) -> None:
    """x in both conditions: b in none, one or both of them."""
    x = np.array([[0.0, 0.0]])
    for b, expected in (
        ([1.0, 1.0], [0.5, 0.5]),
        ([0.0, 1.0], [0.0, 1.0]),
        ([1.0, 0.0], [1.0, 0.0]),
        ([0.0, 0.0], [0.0, 0.0]),
    ):
        phi = method(and_tree(), x, np.array([b]))
        np.testing.assert_allclose(phi[0, :, 0], expected, atol=1e-15)
    both = np.array([[1.0, 1.0], [0.0, 1.0]])
    phi = method(and_tree(), x, both, np.array([3.0, 1.0]))
    np.testing.assert_allclose(phi[0, :, 0], [0.375, 0.625], atol=1e-15)


@pytest.mark.parametrize(
    "method",
    [oracle_background.interactions_brute_force, oracle_background.interactions_by_leaves],
)
def test_interactions_by_hand(method: Any) -> None:
    x = np.array([[0.0, 0.0]])
    # v({}) = v({0}) = v({1}) = 0, v({0, 1}) = 1: all of it is interaction
    phi = method(and_tree(), x, np.array([[1.0, 1.0]]))
    np.testing.assert_allclose(phi[0, :, :, 0], [[0.0, 0.5], [0.5, 0.0]], atol=1e-15)
    # the background has x's feature 0: a game of feature 1 alone
    phi = method(and_tree(), x, np.array([[0.0, 1.0]]))
    np.testing.assert_allclose(phi[0, :, :, 0], [[0.0, 0.0], [0.0, 1.0]], atol=1e-15)
    # x and b swap: v({}) = 1, else 0
    phi = method(and_tree(), np.array([[1.0, 1.0]]), x)
    np.testing.assert_allclose(phi[0, :, :, 0], [[-1.0, 0.5], [0.5, -1.0]], atol=1e-15)


def test_ways_agree() -> None:
    for seed in SEEDS:
        arrays = random_ensemble(random_recipe(seed))
        X, background = random_rows(arrays, 1 + seed % 5, seed), random_rows(arrays, 6, seed + 7)
        w = weights_of(6, seed)
        phi = oracle_background.shap_brute_force(arrays, X, background, w)
        other = oracle_background.shap_by_leaves(arrays, X, background, w)
        np.testing.assert_allclose(other, phi, atol=1e-13)
        raw = oracle.predict(arrays, X)
        base = oracle_background.expected_values(arrays, background, w)
        np.testing.assert_allclose(phi.sum(axis=1) + base, raw, atol=1e-12)
        pairs = oracle_background.interactions_brute_force(arrays, X, background, w)
        by_leaves = oracle_background.interactions_by_leaves(arrays, X, background, w)
        np.testing.assert_allclose(by_leaves, pairs, atol=1e-13)
        np.testing.assert_allclose(pairs.sum(axis=2), phi, atol=1e-13)


def test_path_dependent_ways_agree() -> None:
    for seed in SEEDS:
        arrays = random_ensemble(random_recipe(seed))
        X = random_rows(arrays, 1 + seed % 5, seed)
        pairs = oracle_background.path_interactions_brute_force(arrays, X)
        by_leaves = oracle_background.path_interactions_by_leaves(arrays, X)
        np.testing.assert_allclose(by_leaves, pairs, atol=1e-13)
        np.testing.assert_allclose(pairs, pairs.transpose(0, 2, 1, 3), atol=1e-15)
        phi, _ = oracle.shap_brute_force(arrays, X)
        np.testing.assert_allclose(pairs.sum(axis=2), phi, atol=1e-13)


def test_pairs_are_those_that_may_interact() -> None:
    for seed in SEEDS:
        arrays = random_ensemble(random_recipe(seed))
        possible = np.zeros((arrays.n_features, arrays.n_features), dtype=bool)
        i, j = oracle_background.pairs_of(arrays).T
        possible[i, j] = possible[j, i] = True
        X, background = random_rows(arrays, 3, seed), random_rows(arrays, 6, seed + 7)
        index = oracle_background.interactions_brute_force(arrays, X, background)
        index[:, np.arange(arrays.n_features), np.arange(arrays.n_features)] = 0.0
        assert np.abs(index[:, ~possible]).max(initial=0.0) < 1e-13


def test_pairwise_values_average_to_the_values() -> None:
    for seed in SEEDS:
        arrays = random_ensemble(random_recipe(seed))
        X, background = random_rows(arrays, 3, seed), random_rows(arrays, 6, seed + 7)
        w = weights_of(6, seed)
        phi = oracle_background.shap_brute_force(arrays, X, background, w)
        single = oracle_background.pairwise_values(arrays, X, background)
        share = oracle_background.normalised(w, 6)
        np.testing.assert_allclose(np.einsum("m,nmfk->nfk", share, single), phi, atol=1e-13)
        raw, base = oracle_background.transformed(arrays, X, background, "raw", weights=w)
        np.testing.assert_allclose(raw, phi, atol=1e-13)
        expected = oracle_background.expected_values(arrays, background, w)
        np.testing.assert_allclose(base, np.tile(expected, (3, 1)), atol=1e-13)


@pytest.mark.parametrize("output", oracle_background.OUTPUTS)
def test_derivatives_of_the_outputs(output: str) -> None:
    t, derivative = oracle_background.OUTPUTS[output]
    margin, y = np.linspace(-6.0, 6.0, 41), np.array(0.3)
    slope = (t(margin + 1e-5, y) - t(margin - 1e-5, y)) / 2e-5
    np.testing.assert_allclose(derivative(margin, y), slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("output", oracle_background.OUTPUTS)
def test_transformed_values_add_up(output: str) -> None:
    for seed in SEEDS:
        arrays = random_ensemble(random_recipe(seed))
        X, background = random_rows(arrays, 4, seed), random_rows(arrays, 6, seed + 7)
        background[0] = X[0]  # equal margins
        y = np.random.default_rng(seed).random(4)
        phi, base = oracle_background.transformed(
            arrays, X, background, output, y, weights_of(6, seed)
        )
        margin = oracle.predict(arrays, X)
        wanted = oracle_background.OUTPUTS[output][0](margin, y[:, None])
        np.testing.assert_allclose(phi.sum(axis=1) + base, wanted, rtol=1e-11, atol=1e-11)


def test_equal_margins_take_the_derivative() -> None:
    """Both leaves hold 2, but 0.5 lies between them: the values are not zero, their sum is."""
    arrays = and_tree()
    arrays.leaf_value[arrays.left < 0] = [2.0, 0.5, 2.0]
    x, b = np.array([[0.0, 0.0]]), np.array([[1.0, 1.0]])
    raw = oracle_background.shap_brute_force(arrays, x, b)[0, :, 0]
    assert raw[0] == -raw[1] == -0.75
    phi, _ = oracle_background.transformed(arrays, x, b, "exp")
    np.testing.assert_allclose(phi[0, :, 0], raw * np.exp(2.0), rtol=1e-14)


def test_leaf_oracle_on_deep_paths_adds_up() -> None:
    recipe = Recipe(n_trees=2, n_features=60, shape="chain", depth=60, repeat=False)
    arrays = random_ensemble(recipe)
    X, background = random_rows(arrays, 4), random_rows(arrays, 60, 1)
    phi = oracle_background.shap_by_leaves(arrays, X, background)
    base = oracle_background.expected_values(arrays, background)
    raw = oracle.predict(arrays, X)
    np.testing.assert_allclose(phi.sum(axis=1) + base, raw, rtol=1e-12, atol=1e-12)
    pairs = oracle_background.interactions_by_leaves(arrays, X, background)
    np.testing.assert_allclose(pairs, pairs.transpose(0, 2, 1, 3), rtol=0, atol=1e-16)
    np.testing.assert_allclose(pairs.sum(axis=2), phi, rtol=0, atol=1e-14)


@pytest.mark.parametrize("output", ["raw", "logistic", "logistic_loss"])
def test_shap_agrees(output: str) -> None:
    """shap is right on small numeric XGBoost models with up to 100 background rows."""
    xgboost = pytest.importorskip("xgboost")
    shap = pytest.importorskip("shap", minversion="0.46", exc_type=ImportError)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5)).astype(np.float32).astype(np.float64)
    y = (X[:, 0] + X[:, 1] * X[:, 2] > 0.3).astype(float)
    model = xgboost.XGBClassifier(n_estimators=8, max_depth=4, n_jobs=1).fit(X, y)
    arrays = converters.convert(model)
    rows, background = X[:20], X[100:160]
    name = {"raw": "raw", "logistic": "probability", "logistic_loss": "log_loss"}[output]
    other = shap.TreeExplainer(model, background, model_output=name)
    theirs = other.shap_values(rows, y[:20]) if output.endswith("loss") else other(rows).values
    phi, _ = oracle_background.transformed(arrays, rows, background, output, y[:20])
    np.testing.assert_allclose(theirs, phi[:, :, 0], atol=2e-6)
    if output == "raw":
        np.testing.assert_allclose(
            oracle_background.shap_by_leaves(arrays, rows, background), phi, atol=1e-13
        )
