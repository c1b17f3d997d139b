"""What trees answer when players take other values, against predictions one by one."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import oracle
from response_cases import (
    Case,
    Floats,
    answers,
    assert_near,
    case_of,
    cases,
    curves,
    expected_at_probes,
    expected_predictions,
    expected_responses,
    means,
    places,
    plan_of,
    players_of,
    predictions,
    random_players,
    responses,
)
from small_ensembles import no_trees, rich, stump
from strategies import Recipe, flavours, random_ensemble, random_rows

RECIPE = Recipe(n_trees=8, n_features=6, n_outputs=2, n_leaves=20, depth=7)


def check_against_the_oracle(case: Case) -> None:
    """By every instruction set."""
    found = answers(case)
    assert_near(found.raw, expected_predictions(case), case)
    assert_near(found.responses, expected_responses(case), case)
    assert found.n_parted.dtype == np.int64
    assert found.n_parted.shape == (case.n_players,)
    assert (found.n_parted >= 0).all()

    plan = plan_of(case, all_values=True)
    assert plan.n_players == case.n_players
    assert plan.cell_offsets.dtype == np.int64
    assert plan.cell_offsets.shape == (case.n_players + 1,)
    at_probes = expected_at_probes(case)
    for p in range(case.n_players):
        where = places(plan, p)
        assert_near(found.curves[:, where], at_probes[p], case)
        if len(case.rows) > 0:
            assert_near(found.means[where], at_probes[p].mean(axis=0), case)


@given(case=cases())
@settings(max_examples=250)
def test_random_ensembles_by_brute_force(case: Case) -> None:
    check_against_the_oracle(case)


@pytest.mark.parametrize("vector_leaves", [False, True])
@pytest.mark.parametrize("flavour", range(len(flavours())))
def test_rules_of_the_libraries(flavour: int, vector_leaves: bool) -> None:
    recipe = RECIPE.but(vector_leaves=vector_leaves, **flavours()[flavour])
    for seed in range(2):
        arrays = random_ensemble(recipe.but(seed=seed))
        players = random_players(6, np.random.default_rng(seed))
        check_against_the_oracle(case_of(arrays, players, 70, 20, 3, seed))


@pytest.mark.parametrize(
    "arrays", [stump(), no_trees(), rich()], ids=["stump", "no trees", "every field"]
)
def test_ensembles_by_hand(arrays: Any) -> None:
    n_features = arrays.n_features
    for players in (range(n_features), [0] * n_features, [-1] * (n_features - 1) + [0]):
        check_against_the_oracle(case_of(arrays, list(players), 30, 7))


def test_stump_by_hand(isa: str) -> None:
    """x0 < 2 -> 10, else 20, times 0.5, and the base value 1."""
    case = Case(
        arrays=stump(),
        players=players_of([0, 1]),
        probes=np.array([[1.0, 5.0], [2.0, 6.0], [1.5, 7.0]]),
        rows=np.array([[0.0, 0.0], [3.0, 0.0]]),
        sources=np.array([[0, 0], [1, 1], [2, 1]]),
    )
    out, n_parted = responses(case)
    np.testing.assert_array_equal(out[0, :, :, 0], [[6, 6], [11, 11], [6, 11]])
    np.testing.assert_array_equal(out[1, :, :, 0], [[6, 11]] * 3)
    np.testing.assert_array_equal(n_parted, [2, 0])
    plan = plan_of(case, all_values=True)
    np.testing.assert_array_equal(plan.cell_offsets, [0, 2, 3])  # x1 is tested nowhere
    np.testing.assert_array_equal(plan.cells(0), [0, 1, 0])
    np.testing.assert_array_equal(plan.cells(1), [0, 0, 0])
    np.testing.assert_array_equal(curves(case)[:, :, 0], [[6, 11, 6], [6, 11, 11]])
    np.testing.assert_array_equal(means(case)[:, 0], [6, 11, 8.5])
    np.testing.assert_array_equal(means(case, np.array([3.0, 1.0]))[:, 0], [6, 11, 7.25])


@pytest.mark.parametrize("n", [0, 1, 7, 255, 256, 257, 5000])
@pytest.mark.parametrize("n_repeats", [0, 1, 5, 8, 9, 17])
def test_rows_and_repeats(n: int, n_repeats: int) -> None:
    case = case_of(random_ensemble(RECIPE), [0, 1, -1, 1, 2, 0], n, 50, n_repeats)
    out = answers(case).responses
    if n == 5000:  # the oracle takes a while
        part = np.r_[0:40, 4090:4100, 4960:5000]
        case = case.but(rows=case.rows[part], sources=np.ascontiguousarray(case.sources[:, part]))
        out = out[:, :, part]
    assert_near(out, expected_responses(case), case)


@pytest.mark.parametrize("vector_leaves", [False, True])
@pytest.mark.parametrize("n", [1, 7, 9, 63, 65, 255, 256, 257, 700])
def test_curves_of_any_number_of_rows(n: int, vector_leaves: bool) -> None:
    arrays = random_ensemble(RECIPE.but(vector_leaves=vector_leaves, n_outputs=3))
    case = case_of(arrays, [0, 1, -1, 1, 2, 0], n, 20, 2)
    check_against_the_oracle(case)


def test_no_probes(isa: str) -> None:
    case = case_of(random_ensemble(RECIPE), [0, 1, -1, 1, 2, 0], 20, 0)
    np.testing.assert_array_equal(plan_of(case, all_values=True).cell_offsets, [0, 0, 0, 0])
    assert plan_of(case, all_values=True).cells(1).shape == (0,)
    assert curves(case).shape == (20, 0, 2)
    assert means(case).shape == (0, 2)
    assert responses(case)[0].shape == (3, 0, 20, 2)
    assert_near(predictions(case), expected_predictions(case), case)


def test_features_without_a_player_keep_their_values(isa: str) -> None:
    case = case_of(random_ensemble(RECIPE), [-1] * 6, 20, 5)
    out, n_parted = responses(case)
    assert out.shape == (0, 3, 20, 2)
    assert n_parted.shape == (0,)
    np.testing.assert_array_equal(plan_of(case, all_values=True).cell_offsets, [0])
    assert means(case).shape == (0, 2)


def test_float32_probes_of_float64_rows() -> None:
    arrays = random_ensemble(RECIPE.but(precision="float64", comparison="<="))
    case = case_of(arrays, range(6), 30, 9)
    for rows, probes in ((np.float32, np.float64), (np.float64, np.float32)):
        with np.errstate(over="ignore"):
            check_against_the_oracle(
                case.but(rows=case.rows.astype(rows), probes=case.probes.astype(probes))
            )


# ---- what is exact


@pytest.mark.parametrize("vector_leaves", [False, True])
def test_what_changes_nothing_is_the_prediction_bit_for_bit(isa: str, vector_leaves: bool) -> None:
    arrays = random_ensemble(RECIPE.but(n_trees=40, vector_leaves=vector_leaves))
    case = case_of(arrays, [0, 1, -1, 1, 2, 3], 300, 1)
    # every row takes its own values, in every other repeat
    case = case.but(
        probes=np.concatenate([case.rows, random_rows(arrays, 300, 8)]),
        sources=np.tile(np.arange(300), (6, 1)) + 300 * (np.arange(6)[:, None] % 2),
    )
    raw, (out, n_parted) = predictions(case), responses(case)
    for r in (0, 2, 4):
        np.testing.assert_array_equal(out[:, r], np.tile(raw, (4, 1, 1)))
    assert (n_parted > 0).all()
    out, n_parted = responses(case.but(sources=np.ascontiguousarray(case.sources[::2])))
    np.testing.assert_array_equal(out, np.tile(raw, (4, 3, 1, 1)))
    np.testing.assert_array_equal(n_parted, 0)
    plan, found = plan_of(case, all_values=True), curves(case)
    for p in range(4):
        np.testing.assert_array_equal(found[np.arange(300), places(plan, p)[:300]], raw)


def test_a_player_that_no_tree_tests(isa: str) -> None:
    arrays = random_ensemble(RECIPE)
    arrays.split_feature[arrays.split_feature >= 3] -= 3
    case = case_of(arrays, range(6), 300, 40, 9)
    raw, (out, n_parted) = predictions(case), responses(case)
    np.testing.assert_array_equal(n_parted > 0, [True] * 3 + [False] * 3)
    np.testing.assert_array_equal(out[3:], np.tile(raw, (3, 9, 1, 1)))
    np.testing.assert_array_equal(np.diff(plan_of(case, all_values=True).cell_offsets)[3:], 1)
    np.testing.assert_array_equal(curves(case)[:, -3:], np.repeat(raw[:, None], 3, axis=1))


def test_same_leaf_values_in_another_order_are_ties(isa: str) -> None:
    """Rows that go left in as many of equal stumps have equal margins; floats would differ."""
    n = 40
    arrays = random_ensemble(
        Recipe(n_trees=n, n_features=n, shape="balanced", depth=1, categorical=0, weights=False)
    )
    inner = arrays.left >= 0
    arrays.split_feature[inner] = np.arange(n)
    arrays.threshold[inner] = 0.0
    arrays.missing[:] = 0
    arrays.leaf_value[arrays.left[inner] + np.arange(0, 3 * n, 3)] = 0.1
    arrays.leaf_value[arrays.right[inner] + np.arange(0, 3 * n, 3)] = 0.7
    rng = np.random.default_rng(0)
    rows = np.sort(rng.choice([-1.0, 1.0], size=(600, n)), axis=1)
    rows = rng.permuted(rows, axis=1)
    n_right = (rows > 0).sum(axis=1)
    floats = np.where(rows > 0, 0.7, 0.1).cumsum(axis=1)[:, -1]
    case = Case(
        arrays=arrays,
        players=players_of(range(n)),
        probes=np.stack([np.full(n, -1.0), np.full(n, 1.0)]),
        rows=rows,
        sources=np.repeat([[0], [1]], 600, axis=1),
    )
    raw, (out, _) = predictions(case), responses(case)
    assert len(np.unique(floats)) > len(np.unique(n_right))
    assert len(np.unique(raw)) == len(np.unique(n_right))
    by_count = dict(zip(n_right.tolist(), raw[:, 0].tolist(), strict=True))
    for value, goes_right in enumerate([False, True]):
        now = n_right - (rows.T > 0) + goes_right
        for count, margin in by_count.items():
            assert (out[:, value, :, 0][now == count] == margin).all()
    backwards = case.but(
        arrays=_trees_backwards(case.arrays),
    )
    np.testing.assert_array_equal(predictions(backwards), raw)
    np.testing.assert_array_equal(responses(backwards)[0], out)
    np.testing.assert_array_equal(curves(backwards), curves(case))


def _trees_backwards(arrays: Any) -> Any:
    """Trees of equally many nodes, from the last to the first."""
    n = len(arrays.tree_offsets) - 1
    changes = {}
    for name in ("split_feature", "left", "right", "threshold", "default_left", "missing",
                 "categorical", "cover", "leaf_value"):  # fmt: skip
        changes[name] = getattr(arrays, name).reshape(n, -1)[::-1].reshape(-1).copy()
    return type(arrays)(**{**vars(arrays), **changes})


# ---- cells


@pytest.mark.parametrize("vector_leaves", [False, True])
def test_cells_are_what_respond_answers_bit_for_bit(isa: str, vector_leaves: bool) -> None:
    recipe = RECIPE.but(vector_leaves=vector_leaves, n_outputs=3)
    for seed, players in enumerate(([0, 1, 2, 3, 4, 5], [0, 0, 1, 1, -1, 2], [0] * 6)):
        case = case_of(random_ensemble(recipe.but(seed=seed)), players, 100, 60, 0, seed)
        case = case.but(sources=np.repeat(np.arange(60)[:, None], 100, axis=1))
        (out, _), found, plan = responses(case), curves(case), plan_of(case, all_values=True)
        for p in range(case.n_players):
            cells, size = plan.cells(p), int(np.diff(plan.cell_offsets)[p])
            np.testing.assert_array_equal(np.unique(cells), np.arange(size))  # a partition
            np.testing.assert_array_equal(out[p].swapaxes(0, 1), found[:, places(plan, p)])
            for cell in range(size):
                alike = out[p, cells == cell]
                np.testing.assert_array_equal(alike, np.repeat(alike[:1], len(alike), axis=0))


def test_cells_are_values_that_some_tree_tells_apart(isa: str) -> None:
    arrays = random_ensemble(RECIPE.but(categorical=0, policies=(0,)))
    case = case_of(arrays, [0, 0, 1, 2, 2, 2], 1, 400)
    plan = plan_of(case, all_values=True)
    for p in range(3):
        nodes = [
            node
            for node in np.flatnonzero(arrays.split_feature >= 0).tolist()
            if case.players[arrays.split_feature[node]] == p
        ]
        x = oracle.rounded(arrays, case.probes)
        left = [oracle.goes_left(arrays, node, x[:, arrays.split_feature[node]]) for node in nodes]
        _, first, decisions = np.unique(
            np.array(left), axis=1, return_index=True, return_inverse=True
        )
        decisions = decisions.reshape(-1)
        assert len(first) == np.diff(plan.cell_offsets)[p] > 1
        # one to one
        assert len(np.unique(np.stack([plan.cells(p), decisions]), axis=1).T) == len(first)


# ---- means


@cache
def case_of_means() -> tuple[Case, Floats]:
    case = case_of(random_ensemble(RECIPE), [0, 1, -1, 1, 2, 0], 300, 50)
    return case, expected_at_probes(case)


@pytest.mark.parametrize(
    "kind", ["equal", "random", "zeros", "one", "tiny", "huge", "both", "denormal"]
)
def test_means_are_those_of_the_curves(isa: str, kind: str) -> None:
    rng = np.random.default_rng(3)
    n = 300
    weights = {
        "equal": np.full(n, 0.1),
        "random": rng.random(n),
        "zeros": rng.random(n) * (rng.random(n) < 0.5),
        "one": np.eye(n)[17],
        "tiny": rng.random(n) * 1e-300,
        "huge": rng.random(n) * 1e308,
        "both": np.where(rng.random(n) < 0.5, 1e-300, 1e300),
        "denormal": np.full(n, 5e-324),
    }[kind]
    case, at_probes = case_of_means()
    found, plan = curves(case), plan_of(case, all_values=True)
    share = weights / weights.max()
    expected = np.tensordot(share / share.sum(), found, axes=1)
    assert_near(means(case, weights), expected, case)
    for p in range(3):
        expected = np.tensordot(share / share.sum(), at_probes[p], axes=1)
        assert_near(means(case, weights)[places(plan, p)], expected, case)


def test_means_with_weights_that_do_not_matter(isa: str) -> None:
    case, _ = case_of_means()
    weights = np.random.default_rng(0).random(300)
    weights[200:] = 0.0
    expected = means(case, weights)
    np.testing.assert_array_equal(means(case, weights * 2.0**-800), expected)
    fewer = case.but(rows=case.rows[:200])
    np.testing.assert_array_equal(means(fewer, weights[:200]), expected)
    assert_near(means(case, np.ones(300)), means(case), case)
