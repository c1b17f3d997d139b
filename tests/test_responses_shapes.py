"""Responses of trees that are deep, large, many, or whose leaves are huge or tiny."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from leafshap import UnsupportedModelError, _core
from response_cases import (
    Case,
    answers,
    assert_near,
    case_of,
    places,
    plan_of,
    players_of,
    predictions,
    random_sources,
    responses,
)
from small_ensembles import no_trees
from strategies import Recipe, Shape, random_ensemble, random_rows
from trees import long_chain, long_chain_rows

if TYPE_CHECKING:
    from leafshap.converters.arrays import EnsembleArrays


def check_against_predict(case: Case) -> None:
    """As the core itself predicts, quicker than the oracle; by every instruction set."""
    ensemble = _core.Ensemble(case.arrays.as_dict())
    found, plan = answers(case), plan_of(case, all_values=True)
    n, m = len(case.rows), len(case.probes)
    assert_near(found.raw, ensemble.predict(case.rows), case)
    for p in range(case.n_players):
        mine = case.players == p
        at_probes = np.empty((n, m, case.arrays.n_outputs))
        for probe in range(m):
            changed = case.rows.copy()
            changed[:, mine] = case.probes[probe, mine]
            at_probes[:, probe] = ensemble.predict(changed)
        for r, source in enumerate(case.sources):
            assert_near(found.responses[p, r], at_probes[np.arange(n), source], case)
        where = places(plan, p)
        assert_near(found.curves[:, where], at_probes, case)
        assert_near(found.means[where], (at_probes / n).sum(axis=0), case)


# ---- shapes


@pytest.mark.parametrize("shape", ["random", "balanced", "chain"])
@pytest.mark.parametrize("vector_leaves", [False, True])
def test_features_repeated_on_paths(shape: Shape, vector_leaves: bool) -> None:
    """Two or three features, so that each is tested many times on the way to a leaf."""
    depth = {"random": 12, "balanced": 8, "chain": 40}[shape]
    recipe = Recipe(n_trees=4, n_outputs=2, vector_leaves=vector_leaves, shape=shape,
                    n_leaves=120, depth=depth)  # fmt: skip
    for n_features, players in ((2, [0, 1]), (3, [0, 1, 0]), (3, [0, -1, 1])):
        arrays = random_ensemble(recipe.but(n_features=n_features))
        check_against_predict(case_of(arrays, players, 90, 25, 9))


def thin_chain(depth: int, n_features: int) -> EnsembleArrays:
    """A chain of tests that most rows go along for long; any feature at any node."""
    rng = np.random.default_rng(depth)
    arrays = long_chain(depth, 1.0)
    features, side = rng.integers(n_features, size=depth), rng.integers(2, size=depth)
    # who turns off the chain: values beyond 2 or 3, below or above
    edge = np.where(side == 0, 1.0, -1.0) * rng.uniform(2.0, 4.0, size=depth)
    inner = np.arange(depth)
    left, right = arrays.left[:depth].copy(), arrays.right[:depth].copy()
    arrays.left[:depth] = np.where(side == 0, left, right)
    arrays.right[:depth] = np.where(side == 0, right, left)
    arrays.split_feature[inner] = features
    arrays.threshold[inner] = edge
    return replace(arrays, n_features=n_features, cover=None)


@pytest.mark.parametrize("depth", [300, 5000])
def test_deep_thin_chains(depth: int) -> None:
    arrays = thin_chain(depth, 7)
    rng = np.random.default_rng(1)
    rows, probes = rng.normal(size=(300, 7)), 1.5 * rng.normal(size=(11, 7))
    case = Case(arrays=arrays, players=players_of([0, 1, 2, 3, 3, 3, -1]), rows=rows,
                probes=probes, sources=random_sources(3, 300, 11))  # fmt: skip
    check_against_predict(case)
    assert (responses(case)[1] > 0).all()


@pytest.mark.parametrize("depth", [64, 65, 400])
def test_as_many_players_on_a_path_as_features(depth: int) -> None:
    arrays = long_chain(depth, 0.9)
    rows = np.concatenate([long_chain_rows(depth), -long_chain_rows(depth)])
    case = Case(arrays=arrays, players=players_of(range(depth)), rows=rows,
                probes=long_chain_rows(depth)[:3], sources=random_sources(2, 10, 3))  # fmt: skip
    check_against_predict(case)
    check_against_predict(case.but(players=players_of(np.arange(depth) % 3)))
    check_against_predict(case.but(players=players_of(np.arange(depth) // 2)))


def test_deep_trees_of_many_leaves() -> None:
    """More leaves than rows of a tile, so that most nodes are met by few rows or none."""
    recipe = Recipe(n_trees=2, n_features=9, n_leaves=3000, depth=40, n_categories=70)
    arrays = random_ensemble(recipe)
    check_against_predict(case_of(arrays, [0, 1, 2, 2, 2, 3, -1, 4, 0], 700, 12, 9))


@pytest.mark.parametrize("n_trees", [1, 300])
def test_leaves_only(n_trees: int) -> None:
    recipe = Recipe(n_trees=n_trees, n_outputs=3, shape="leaf")
    for vector_leaves in (False, True):
        arrays = random_ensemble(recipe.but(vector_leaves=vector_leaves))
        for players in ([0, 1, 2, -1, -1, 1], [-1] * 6):
            case = case_of(arrays, players, 20, 4)
            check_against_predict(case)
            assert (responses(case)[1] == 0).all()


def test_no_players_of_a_model_without_trees() -> None:
    check_against_predict(case_of(no_trees(), [-1, -1], 3, 2))


def test_zero_valued_trees() -> None:
    arrays = random_ensemble(Recipe(n_trees=5, n_outputs=2))
    arrays.leaf_value[:] = 0.0
    case = case_of(arrays, range(6), 50, 9)
    found = answers(case)
    np.testing.assert_array_equal(found.raw, np.tile(arrays.base_values, (50, 1)))
    assert (found.responses == arrays.base_values).all()
    assert (found.curves == arrays.base_values).all()
    np.testing.assert_allclose(found.means - arrays.base_values, 0.0, atol=1e-15)


# ---- ranks


def search_tree(n_levels: int) -> EnsembleArrays:
    """``x0 < i`` for i = 0 .. 2^n_levels - 2, balanced; leaf i holds i plus something random."""
    n_inner = 2**n_levels - 1
    n = 2 * n_inner + 1
    node = np.arange(n_inner)
    level = np.floor(np.log2(node + 1)).astype(int)
    in_level = node + 1 - 2**level
    arrays = no_trees()
    leaf_value = np.zeros(n)
    leaf_value[n_inner:] = np.arange(n_inner + 1) + np.random.default_rng(0).random(n_inner + 1)
    none = np.full(n_inner + 1, -1)
    return replace(
        arrays,
        tree_offsets=np.array([0, n]),
        tree_output=np.zeros(1, np.int32),
        tree_weight=np.ones(1),
        split_feature=np.concatenate([np.zeros(n_inner, int), none]).astype(np.int32),
        left=np.concatenate([2 * node + 1, none]).astype(np.int32),
        right=np.concatenate([2 * node + 2, none]).astype(np.int32),
        threshold=np.concatenate(
            [(2 * in_level + 1) * 2.0 ** (n_levels - 1 - level) - 1, np.zeros(n_inner + 1)]
        ),
        default_left=np.arange(n) % 3 == 0,
        missing=np.zeros(n, np.uint8),
        categorical=np.zeros(n, np.uint8),
        cover=None,
        leaf_value=leaf_value,
    )


@pytest.mark.parametrize("n_levels", [16, 17])
def test_more_than_2_16_cuts_of_a_feature(n_levels: int) -> None:
    """65,535 and 131,071 cuts: one rank more than fits, and columns in pieces."""
    arrays = search_tree(n_levels)
    top = 2**n_levels - 1
    rng = np.random.default_rng(0)
    values = [-1.0, -0.5, 0.0, 0.5, 65532.5, 65533.0, 65533.5, 65534.0, 65534.5, 65535.0, 65535.5,
              65536.0, top - 1.5, top - 1.0, top, np.inf, np.nan]  # fmt: skip
    probes = np.column_stack([values, np.zeros(len(values))])
    rows = np.column_stack([rng.integers(-2, top + 2, size=300), np.zeros(300)]).astype(float)
    case = Case(arrays=arrays, players=players_of([0, 1]), rows=rows, probes=probes,
                sources=random_sources(9, 300, len(values)))  # fmt: skip
    check_against_predict(case)
    ranks = np.clip(np.floor(values[:-1]) + 1, 0, top).astype(int)  # leaves from the left
    assert len(np.unique(plan_of(case, all_values=True).cells(0)[:-1])) == len(np.unique(ranks))


@pytest.mark.parametrize("n_categories", [60_000, 80_000, 200_000])
def test_more_categories_than_ranks(n_categories: int) -> None:
    recipe = Recipe(n_trees=3, n_features=3, n_leaves=8, categorical=0.7, comparison="<=",
                    precision="float64", n_categories=n_categories)  # fmt: skip
    arrays = random_ensemble(recipe)
    feature = np.repeat(arrays.split_feature, np.diff(arrays.category_offsets))
    n_known = [len(np.unique(arrays.category_codes[feature == f])) for f in range(3)]
    assert (max(n_known) > 65_535) == (n_categories > 65_535)
    case = case_of(arrays, [0, 1, 1], 300, 30, 9)
    rng = np.random.default_rng(0)
    for X in (case.rows, case.probes):
        known = rng.integers(0, n_categories, size=X.shape)
        np.copyto(X, known, where=rng.random(X.shape) < 0.6)
    check_against_predict(case)


# ---- leaf values


@pytest.mark.parametrize("largest", [1e300, 1e30, 1e-30, 1e-250, 1e-284, 1e-305])
def test_huge_and_tiny_leaves(largest: float) -> None:
    arrays = random_ensemble(Recipe(n_trees=8, n_outputs=2, n_leaves=20, weights=False))
    arrays.leaf_value *= largest / np.abs(arrays.leaf_value).max()
    check_against_predict(case_of(replace(arrays, base_values=np.zeros(2)), range(6), 50, 9))
    check_against_predict(case_of(arrays, range(6), 50, 9))


def test_leaves_that_are_denormal() -> None:
    arrays = random_ensemble(Recipe(n_trees=3))
    arrays.leaf_value *= 1e-320
    arrays.base_values[:] = 0.0
    case = case_of(arrays, range(6), 50, 9)
    found, plan = answers(case), plan_of(case, all_values=True)
    raw = _core.Ensemble(arrays.as_dict()).predict(case.rows)
    # each leaf is rounded to the smallest double that there is
    np.testing.assert_allclose(found.raw, raw, rtol=0, atol=5e-323)
    for p in range(6):
        average = found.curves[:, places(plan, p)].mean(axis=0)
        np.testing.assert_allclose(found.means[places(plan, p)], average, rtol=0, atol=5e-322)


@pytest.mark.parametrize("vector_leaves", [False, True])
def test_outputs_of_different_size(vector_leaves: bool) -> None:
    """Each is as exact as if it were alone."""
    arrays = random_ensemble(Recipe(n_trees=9, n_outputs=3, vector_leaves=vector_leaves))
    size = np.array([1e200, 1.0, 1e-200])
    of_tree = np.repeat(arrays.tree_output, np.diff(arrays.tree_offsets))
    arrays.leaf_value *= size if vector_leaves else size[of_tree]
    arrays.base_values *= size
    check_against_predict(case_of(arrays, range(6), 100, 20))


def test_small_leaves_beside_a_huge_one() -> None:
    arrays = random_ensemble(Recipe(n_trees=8, n_outputs=2, n_leaves=20))
    arrays.leaf_value[np.flatnonzero(arrays.left < 0)[3]] = -1e300
    check_against_predict(case_of(arrays, range(6), 100, 20))


def near_the_limit(share: float) -> EnsembleArrays:
    """One leaf's weighted value is this share of the largest that is allowed."""
    arrays = random_ensemble(Recipe(n_trees=3, n_leaves=5))
    first = int(arrays.tree_offsets[1])
    leaf = first + int(np.flatnonzero(arrays.left[first:] < 0)[0])
    arrays.tree_weight[1] = 0.5
    arrays.leaf_value[leaf] = -share * (np.finfo(np.float64).max / 1e6) / 0.5
    return arrays


@pytest.mark.parametrize("all_values", [False, True])
def test_leaves_too_large_to_add_up_are_refused(all_values: bool) -> None:
    good, bad = near_the_limit(0.999), near_the_limit(1.001)
    check_against_predict(case_of(good, range(6), 20, 5))
    leaf = int(np.flatnonzero(np.abs(bad.leaf_value) > 1e300)[0] - bad.tree_offsets[1])
    case = case_of(bad, range(6), 20, 5)
    with pytest.raises(UnsupportedModelError, match=f"tree 1, node {leaf}: .*too large"):
        plan_of(case, all_values=all_values)
    # the tree is not asked for
    assert np.isfinite(predictions(case.but(n_trees=1), all_values=all_values)).all()


def test_fewer_trees_of_a_mean_weigh_more() -> None:
    """The mean of the first 2 of 6 trees divides by 2."""
    arrays: Any = replace(random_ensemble(Recipe(n_trees=6)), averaged=True)
    case = case_of(arrays, range(6), 30, 5)
    ensemble = _core.Ensemble(arrays.as_dict())
    for n_trees in (0, 1, 2, 6):
        raw = predictions(case.but(n_trees=n_trees))
        expected = ensemble.predict(case.rows, n_trees)
        np.testing.assert_allclose(raw, expected, rtol=0, atol=1e-13)


def test_many_rows_of_a_wide_model() -> None:
    """Tiles of the fewest rows: 2,000 players of 3 outputs need a MB for 20 rows."""
    n_features = 2000
    recipe = Recipe(n_trees=60, n_features=n_features, n_outputs=3, n_leaves=16, categorical=0.1)
    arrays = random_ensemble(recipe)
    case = case_of(arrays, range(n_features), 300, 8, 2)
    out, n_parted = responses(case)
    used = np.isin(np.arange(n_features), arrays.split_feature)
    assert (n_parted[~used] == 0).all()
    np.testing.assert_array_equal(out[~used], np.broadcast_to(predictions(case), out[~used].shape))
    ensemble = _core.Ensemble(arrays.as_dict())
    for p in np.flatnonzero(used)[::50]:
        changed = case.rows.copy()
        changed[:, p] = case.probes[case.sources[1], p]
        assert_near(out[p, 1], ensemble.predict(changed), case)


def test_rows_that_are_all_alike() -> None:
    """All rows go one way, so that sets and lists are all full or all empty."""
    arrays = random_ensemble(Recipe(n_trees=5, n_leaves=20, depth=7))
    case = case_of(arrays, [0, 1, 1, 2, -1, 3], 1, 6)
    n = 513
    case = case.but(rows=np.repeat(case.rows, n, axis=0), sources=random_sources(9, n, 6))
    check_against_predict(case)
    check_against_predict(case.but(probes=random_rows(arrays, 1, 3), sources=case.sources * 0))
