"""Shapley's axioms, which hold for any ensemble and row without an oracle's help."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from leafshap import _core
from strategies import concatenated, ensembles, random_ensemble, random_rows, recipes

if TYPE_CHECKING:
    from conftest import Explain
    from leafshap.converters.arrays import EnsembleArrays
    from strategies import Recipe

N_ROWS = 9


@given(arrays=ensembles(), seed=st.integers(0, 1000))
def test_efficiency(isa: str, explain: Explain, arrays: EnsembleArrays, seed: int) -> None:
    """Values and base add up to the prediction."""
    X = random_rows(arrays, N_ROWS, seed)
    predicted = _core.Ensemble(arrays.as_dict()).predict(X)
    phi, base = explain(arrays, X)
    np.testing.assert_allclose(phi.sum(axis=1) + base, predicted, rtol=1e-11, atol=1e-11)
    phi32, base = explain(arrays, X, "float32")
    np.testing.assert_allclose(phi32.sum(axis=1) + base, predicted, rtol=1e-5, atol=1e-5)


@given(arrays=ensembles(), seed=st.integers(0, 1000))
def test_efficiency_of_approximate_values(
    isa: str, explain: Explain, arrays: EnsembleArrays, seed: int
) -> None:
    X = random_rows(arrays, N_ROWS, seed)
    phi, base = explain(arrays, X, approximate=True)
    predicted = _core.Ensemble(arrays.as_dict()).predict(X)
    np.testing.assert_allclose(phi.sum(axis=1) + base, predicted, rtol=1e-11, atol=1e-11)


@given(arrays=ensembles(), seed=st.integers(0, 1000))
def test_dummy(isa: str, explain: Explain, arrays: EnsembleArrays, seed: int) -> None:
    """A feature that no split tests gets exactly zero, whatever its value, and changes nothing."""
    wider = replace(arrays, n_features=arrays.n_features + 2)
    X = random_rows(wider, N_ROWS, seed)
    phi, _ = explain(wider, X)
    unused = np.setdiff1d(np.arange(wider.n_features), arrays.split_feature)
    assert len(unused) >= 2
    assert (phi[:, unused] == 0.0).all()
    narrow, _ = explain(arrays, np.ascontiguousarray(X[:, :-2]))
    np.testing.assert_array_equal(phi[:, :-2], narrow)


@given(recipe=recipes(), share=st.sampled_from([0.0, 1.0]), seed=st.integers(0, 1000))
def test_symmetry(isa: str, explain: Explain, recipe: Recipe, share: float, seed: int) -> None:
    """Two features with the same role and the same value get the same value."""
    # all numeric or all categorical, else a feature would change its kind when mirrored
    n_features = max(recipe.n_features, 2)
    arrays = random_ensemble(recipe.but(n_features=n_features, categorical=share))
    mirrored = arrays.split_feature.copy()
    mirrored[arrays.split_feature == 0] = 1
    mirrored[arrays.split_feature == 1] = 0
    both = concatenated(arrays, replace(arrays, split_feature=mirrored))
    X = random_rows(both, N_ROWS, seed)
    X[:, 1] = X[:, 0]
    phi, _ = explain(both, X)
    np.testing.assert_allclose(phi[:, 0], phi[:, 1], rtol=0, atol=1e-12)


@given(recipe=recipes(), other_seed=st.integers(0, 2**16), seed=st.integers(0, 1000))
def test_linearity(isa: str, explain: Explain, recipe: Recipe, other_seed: int, seed: int) -> None:
    """The values of a sum are the sum of the values, with any weights."""
    # one kind of feature, so that both ensembles read a column alike
    recipe = recipe.but(categorical=round(recipe.categorical))
    a, b = random_ensemble(recipe), random_ensemble(recipe.but(seed=other_seed))
    both = concatenated(a, replace(b, tree_weight=-3.0 * b.tree_weight))
    X = random_rows(both, N_ROWS, seed)
    (phi_a, base_a), (phi_b, base_b) = explain(a, X), explain(b, X)
    phi, base = explain(both, X)
    np.testing.assert_allclose(phi, phi_a - 3.0 * phi_b, rtol=0, atol=1e-11)
    only_trees = base_b - b.base_values
    np.testing.assert_allclose(base, base_a + b.base_values - 3.0 * only_trees, rtol=0, atol=1e-11)
