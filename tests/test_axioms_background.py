"""Shapley's axioms for background data and interactions, without an oracle's help."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from background_cases import (
    Case,
    expected_of,
    explain,
    explain_interactions,
    plan_of,
    random_weights,
    values_of,
)
from leafshap import _core
from leafshap.converters.arrays import EnsembleArrays
from strategies import Recipe, concatenated, ensembles, random_ensemble, random_rows, recipes

SEEDS = st.integers(0, 1000)
FEW = settings(max_examples=25)


def case_from(arrays: EnsembleArrays, seed: int) -> Case:
    """Some rows and a background of up to 17, with or without weights."""
    m = 1 + seed % 17
    X, background = random_rows(arrays, 9, seed), random_rows(arrays, m, seed + 1)
    return Case(arrays, X, background, random_weights(m, seed))


@given(arrays=ensembles(), seed=SEEDS)
def test_efficiency(isa: str, arrays: EnsembleArrays, seed: int) -> None:
    """Values and base add up to the prediction."""
    case = case_from(arrays, seed)
    predicted = _core.Ensemble(arrays.as_dict()).predict(case.X)
    plan = plan_of(arrays, case.background, case.weights)
    phi = values_of(plan, case.X, "float64", arrays.n_outputs)
    sums = phi.sum(axis=1) + expected_of(plan)
    np.testing.assert_allclose(sums, predicted, rtol=1e-11, atol=1e-11)
    phi32 = explain(case, "float32")
    np.testing.assert_allclose(phi32.sum(axis=1) + case.base, predicted, rtol=1e-5, atol=1e-5)


@given(arrays=ensembles(), seed=SEEDS)
@FEW
def test_dummy(isa: str, arrays: EnsembleArrays, seed: int) -> None:
    """A feature that no split tests gets exactly zero, whatever its value, and changes nothing."""
    wider = replace(arrays, n_features=arrays.n_features + 2)
    case = case_from(wider, seed)
    phi, pairs = explain(case), explain_interactions(case)
    unused = np.setdiff1d(np.arange(wider.n_features), arrays.split_feature)
    assert (phi[:, unused] == 0.0).all()
    assert (pairs[:, unused] == 0.0).all()
    assert (pairs[:, :, unused] == 0.0).all()
    X, background = (np.ascontiguousarray(a[:, :-2]) for a in (case.X, case.background))
    narrow = Case(arrays, X, background, case.weights)
    np.testing.assert_array_equal(explain(narrow), phi[:, :-2])


@given(arrays=ensembles(), seed=SEEDS)
@FEW
def test_agreement(isa: str, arrays: EnsembleArrays, seed: int) -> None:
    """A feature that is the same in a row and all of the background explains nothing."""
    case = case_from(arrays, seed)
    f = seed % arrays.n_features
    case.background[:, f] = case.X[0, f]
    scale = 1e-13 * max(1.0, float(np.abs(arrays.leaf_value).max(initial=0.0)))
    assert np.abs(explain(case)[0, f]).max() <= scale
    pairs = explain_interactions(case)
    assert np.abs(pairs[0, f]).max() <= scale * arrays.n_features


@given(recipe=recipes(), share=st.sampled_from([0.0, 1.0]), seed=SEEDS)
@FEW
def test_symmetry(isa: str, recipe: Recipe, share: float, seed: int) -> None:
    """Two features with the same role and the same values get the same value."""
    # all numeric or all categorical, else a feature would change its kind when mirrored
    n_features = max(recipe.n_features, 2)
    arrays = random_ensemble(recipe.but(n_features=n_features, categorical=share))
    mirrored = arrays.split_feature.copy()
    mirrored[arrays.split_feature == 0] = 1
    mirrored[arrays.split_feature == 1] = 0
    case = case_from(concatenated(arrays, replace(arrays, split_feature=mirrored)), seed)
    case.X[:, 1], case.background[:, 1] = case.X[:, 0], case.background[:, 0]
    phi = explain(case)
    np.testing.assert_allclose(phi[:, 0], phi[:, 1], rtol=0, atol=1e-12)


@given(recipe=recipes(), other_seed=st.integers(0, 2**16), seed=SEEDS)
@FEW
def test_linearity_in_the_model(isa: str, recipe: Recipe, other_seed: int, seed: int) -> None:
    """The values of a sum are the sum of the values, with any weights."""
    # one kind of feature, so that both ensembles read a column alike
    recipe = recipe.but(categorical=round(recipe.categorical))
    a, b = random_ensemble(recipe), random_ensemble(recipe.but(seed=other_seed))
    both = case_from(concatenated(a, replace(b, tree_weight=-3.0 * b.tree_weight)), seed)
    for call in (explain, explain_interactions):
        parts = call(replace(both, arrays=a)) - 3.0 * call(replace(both, arrays=b))
        np.testing.assert_allclose(call(both), parts, rtol=0, atol=1e-11)


@given(arrays=ensembles(), seed=SEEDS, share=st.floats(0.01, 0.99))
@FEW
def test_linearity_in_the_background(
    isa: str, arrays: EnsembleArrays, seed: int, share: float
) -> None:
    """The values of a mixture of two backgrounds are the mixture of the values."""
    a, b = case_from(arrays, seed), case_from(arrays, seed + 1)
    rows = np.concatenate([a.background, b.background])
    of_a = np.full(len(a.background), share / len(a.background))
    of_b = np.full(len(b.background), (1.0 - share) / len(b.background))
    both = Case(arrays, a.X, rows, np.concatenate([of_a, of_b]))
    a, b = replace(a, weights=None), replace(b, X=a.X, weights=None)
    for call in (explain, explain_interactions):
        mixed = share * call(a) + (1.0 - share) * call(b)
        np.testing.assert_allclose(call(both), mixed, rtol=0, atol=1e-12)


@given(arrays=ensembles(), seed=SEEDS)
@FEW
def test_exchange(isa: str, arrays: EnsembleArrays, seed: int) -> None:
    """A row against a background row is the negative of the latter against the former."""
    X, background = random_rows(arrays, 1, seed), random_rows(arrays, 1, seed + 1)
    phi = explain(Case(arrays, X, background))
    back = explain(Case(arrays, background, X))
    np.testing.assert_allclose(phi, -back, rtol=0, atol=1e-12)
