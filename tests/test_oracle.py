"""The oracle's own tests: values known by hand, and its three ways against each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import oracle
from strategies import Recipe, random_ensemble, random_recipe, random_rows
from trees import AND_ROWS, AND_VALUES, and_tree, long_chain, long_chain_rows


@pytest.mark.parametrize(
    "method", [oracle.shap_brute_force, oracle.shap_by_leaves, oracle.shap_by_quadrature]
)
def test_oracle_is_right_by_hand(method: Any) -> None:
    phi, base = method(and_tree(), AND_ROWS)
    np.testing.assert_allclose(phi, AND_VALUES, atol=1e-15)
    np.testing.assert_allclose(base, [0.25])


def test_oracles_agree() -> None:
    for seed in range(100):
        arrays = random_ensemble(random_recipe(seed))
        X = random_rows(arrays, 1 + seed % 19, seed)
        phi, base = oracle.shap_brute_force(arrays, X)
        for method in (oracle.shap_by_leaves, oracle.shap_by_quadrature):
            other, other_base = method(arrays, X)
            np.testing.assert_allclose(other, phi, atol=1e-13)
            np.testing.assert_allclose(other_base, base, atol=1e-13)


def test_oracle_agrees_with_itself_on_deep_paths() -> None:
    recipe = Recipe(n_trees=1, n_features=60, shape="chain", depth=60, repeat=False, zero_cover=0)
    arrays = random_ensemble(recipe)
    X = random_rows(arrays, 5)
    phi, _ = oracle.shap_by_leaves(arrays, X)
    other, _ = oracle.shap_by_quadrature(arrays, X)
    assert np.abs(other - phi).max() < 1e-13 * np.abs(phi).max()


@pytest.mark.parametrize("left_share", [0.5, 0.99])
def test_oracles_agree_on_500_features(left_share: float) -> None:
    """250 points make the integral exact; multiplied out, every 50th leaf is enough to see it."""
    arrays, X = long_chain(500, left_share), long_chain_rows(500)
    arrays.leaf_value[np.arange(len(arrays.leaf_value)) % 50 != 0] = 0.0
    by_leaves, by_points = oracle.shap_by_leaves(arrays, X), oracle.shap_by_quadrature(arrays, X)
    for row in range(len(X)):
        error = np.abs(by_points[0][row] - by_leaves[0][row]).max()
        assert error < 1e-11 * np.abs(by_leaves[0][row]).max()


def test_oracle_adds_up_to_its_own_prediction() -> None:
    for seed in range(200):
        arrays = random_ensemble(random_recipe(seed))
        X = random_rows(arrays, 5, seed)
        raw = oracle.predict(arrays, X)
        phi, base = oracle.shap_by_leaves(arrays, X)
        np.testing.assert_allclose(phi.sum(axis=1) + base, raw, atol=1e-12)
        np.testing.assert_allclose(oracle.saabas(arrays, X).sum(axis=1) + base, raw, atol=1e-12)
