"""Calls of a plan of responses: threads, ranges of rows, instruction sets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

from leafshap import _core
from response_cases import (
    Array,
    Case,
    answers,
    case_of,
    curves,
    means,
    plan_of,
    players_of,
    predictions,
    random_sources,
    responses,
    responses_and_unchanged,
)
from strategies import Recipe, random_ensemble, random_rows

RECIPE = Recipe(n_trees=12, n_features=7, n_outputs=2, n_leaves=20, depth=7)
PLAYERS = [0, 1, 2, 2, -1, 1, 3]


def large_case(n: int, *, n_repeats: int = 9, vector_leaves: bool = False) -> Case:
    arrays = random_ensemble(RECIPE.but(vector_leaves=vector_leaves))
    return case_of(arrays, PLAYERS, n, 40, n_repeats)


@pytest.mark.parametrize("vector_leaves", [False, True])
@pytest.mark.parametrize("n", [1, 5, 64, 257, 1001, 5003])
def test_same_bits_for_any_number_of_threads(isa: str, n: int, vector_leaves: bool) -> None:
    case = large_case(n, vector_leaves=vector_leaves)
    weights = np.random.default_rng(0).random(n)
    out, n_parted = responses(case)
    one = [predictions(case), curves(case), means(case), means(case, weights)]
    for n_threads in (2, 3, 7):
        more, parted = responses(case, n_threads=n_threads)
        np.testing.assert_array_equal(more, out)
        np.testing.assert_array_equal(parted, n_parted)
        with_unchanged, unchanged = responses_and_unchanged(case, n_threads=n_threads)
        np.testing.assert_array_equal(with_unchanged, out)
        np.testing.assert_array_equal(unchanged, one[0])
        again = [
            predictions(case, n_threads=n_threads),
            curves(case, n_threads=n_threads),
            means(case, n_threads=n_threads),
            means(case, weights, n_threads=n_threads),
        ]
        for a, b in zip(again, one, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("cuts", [[0, 5003], [0, 1, 2, 5003], [0, 0, 300, 301, 4096, 5003, 5003]])
def test_ranges_of_rows(isa: str, cuts: list[int]) -> None:
    """Each range fills its own rows, with the bits of a call for all, and counts its own."""
    case = large_case(5003)
    whole, n_parted = responses(case)
    plan = plan_of(case, all_values=False)
    out = np.full(whole.shape, np.nan)
    counts = np.zeros(4, np.int64)
    for begin, end in pairwise(cuts):
        counts += plan.respond(case.rows, case.sources, begin, end, out, None, 2)
        np.testing.assert_array_equal(out[:, :, begin:end], whole[:, :, begin:end])
        assert np.isnan(out[:, :, end:]).all()
    np.testing.assert_array_equal(out, whole)
    np.testing.assert_array_equal(counts, n_parted)


def test_other_rows_are_left_alone(isa: str) -> None:
    case = large_case(700)
    out, unchanged = np.full((4, 9, 700, 2), np.nan), np.full((700, 2), np.nan)
    plan = plan_of(case, all_values=False)
    plan.respond(case.rows, case.sources, 100, 400, out, unchanged, 2)
    filled = np.zeros(700, dtype=bool)
    filled[100:400] = True
    assert np.isnan(out[:, :, ~filled]).all()
    assert np.isfinite(out[:, :, filled]).all()
    np.testing.assert_array_equal(np.isfinite(unchanged).all(axis=1), filled)
    np.testing.assert_array_equal(unchanged[filled], predictions(case)[filled])
    before = out.copy()
    np.testing.assert_array_equal(plan.respond(case.rows, case.sources, 7, 7, out, unchanged, 2), 0)
    np.testing.assert_array_equal(out, before)


def test_same_bits_for_any_grouping_of_rows_and_repeats(isa: str) -> None:
    case = large_case(700, n_repeats=11)
    whole, _ = responses(case)
    raw, found = predictions(case), curves(case)
    for parts in (3, 50):
        for rows in np.array_split(np.arange(700), parts):
            part = case.but(
                rows=case.rows[rows], sources=np.ascontiguousarray(case.sources[:, rows])
            )
            np.testing.assert_array_equal(responses(part)[0], whole[:, :, rows])
            np.testing.assert_array_equal(predictions(part), raw[rows])
            np.testing.assert_array_equal(curves(part), found[rows])
    order = np.random.default_rng(0).permutation(700)
    mixed = case.but(rows=case.rows[order], sources=np.ascontiguousarray(case.sources[::-1, order]))
    np.testing.assert_array_equal(responses(mixed)[0], whole[:, ::-1, order])
    np.testing.assert_array_equal(curves(mixed), found[order])
    np.testing.assert_array_equal(means(mixed), means(case))


def test_players_do_not_depend_on_each_other(isa: str) -> None:
    """Each of them alone is what it is among others, bit for bit."""
    case = large_case(300)
    (whole, n_parted), found = responses(case), curves(case)
    offsets = plan_of(case, all_values=True).cell_offsets
    for p in range(4):
        alone = case.but(players=players_of(np.where(case.players == p, 0, -1)))
        out, parted = responses(alone)
        np.testing.assert_array_equal(out[0], whole[p])
        np.testing.assert_array_equal(parted, n_parted[[p]])
        np.testing.assert_array_equal(curves(alone), found[:, offsets[p] : offsets[p + 1]])


def test_same_bits_by_every_instruction_set() -> None:
    for vector_leaves in (False, True):
        for n in (1, 300, 5003):
            answers(large_case(n, n_repeats=3, vector_leaves=vector_leaves))  # compares them


def test_plan_outlives_a_change_of_instruction_set() -> None:
    case = large_case(300)
    expected, plans = answers(case), []
    before = _core.build_info()["isa"]
    isas = _core.build_info()["available_isas"]
    try:
        for isa in isas:
            _core.set_isa(isa)
            plans.append((plan_of(case, all_values=False), plan_of(case, all_values=True)))
        for isa in isas:
            _core.set_isa(isa)
            for plan, all_values in plans:
                out = np.full(expected.responses.shape, np.nan)
                plan.respond(case.rows, case.sources, 0, 300, out, None, 1)
                np.testing.assert_array_equal(out, expected.responses)
                np.testing.assert_array_equal(all_values.means(case.rows, None, 1), expected.means)
    finally:
        _core.set_isa(before)


def test_one_plan_in_many_python_threads(isa: str) -> None:
    case = large_case(1)
    plan, all_values = plan_of(case, all_values=False), plan_of(case, all_values=True)
    blocks = [random_rows(case.arrays, 200 + 37 * seed, seed) for seed in range(8)]

    def call(rows: Array) -> tuple[Array, Array]:
        out = np.full((4, 3, len(rows), 2), np.nan)
        plan.respond(rows, random_sources(3, len(rows), 40), 0, len(rows), out, None, 2)
        return out, all_values.means(rows, None, 2)

    expected = [call(rows) for rows in blocks]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            for found, right in zip(pool.map(call, blocks), expected, strict=True):
                np.testing.assert_array_equal(found[0], right[0])
                np.testing.assert_array_equal(found[1], right[1])


def test_the_plan_keeps_what_it_needs(isa: str) -> None:
    """The ensemble and the probes may go, and the arrays may change."""
    case = large_case(50)
    expected, _ = responses(case)
    arrays = case.arrays.as_dict()
    players, probes = case.players.copy(), case.probes.copy()
    plan = _core.ResponsePlan(_core.Ensemble(arrays), -1, players, probes, False)
    players[:], probes[:] = 0, 1e9
    del arrays, players, probes
    out = np.full(expected.shape, np.nan)
    plan.respond(case.rows, case.sources, 0, 50, out, None, 1)
    np.testing.assert_array_equal(out, expected)


def test_read_only_rows(isa: str) -> None:
    case = large_case(50)
    expected, _ = responses(case)
    for array in (case.rows, case.probes, case.players, case.sources):
        array.flags.writeable = False
    np.testing.assert_array_equal(responses(case)[0], expected)


def test_rows_as_they_are_without_repeats(isa: str) -> None:
    case = large_case(300, n_repeats=0)
    out, unchanged = responses_and_unchanged(case)
    assert out.size == 0
    np.testing.assert_array_equal(unchanged, predictions(case))
