"""What a plan of responses refuses, with a message and before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from leafshap import InvalidInputError, _core
from response_cases import Array, case_of, means, plan_of, players_of, responses
from strategies import Recipe, random_ensemble

if TYPE_CHECKING:
    from collections.abc import Callable

RECIPE = Recipe(n_trees=12, n_features=7, n_outputs=2)
PLAYERS = [0, 1, 2, 2, -1, 1, 3]
CASE = case_of(random_ensemble(RECIPE), PLAYERS, 6, 40, 2)


def not_contiguous(array: Array) -> Array:
    wide = np.repeat(array, 2, axis=-1)
    return wide[..., ::2]


@pytest.mark.parametrize(
    ("players", "message"),
    [
        (np.array(PLAYERS), "players must be a C-contiguous array of int32"),
        (np.array(PLAYERS, np.float64), "players must be a C-contiguous array of int32"),
        (players_of(PLAYERS)[:-1], "for each of the 7 features"),
        (players_of([*PLAYERS, 0]), "for each of the 7 features"),
        (players_of(PLAYERS)[None], "for each of the 7 features"),
        (not_contiguous(players_of(PLAYERS)), "C-contiguous"),
        (players_of([0, 1, 2, 2, -2, 1, 3]), "players holds -2"),
        (players_of([0, 1, 2, 2, 7, 1, 3]), "players holds 7, expected -1 or a number below 7"),
        (players_of([2**31 - 1, 1, 2, 2, 7, 1, 3]), "players holds 2147483647"),
        (players_of([-(2**31), 1, 2, 2, 7, 1, 3]), "players holds -2147483648"),
        (players_of([0, 1, 3, 3, -1, 1, 3]), "no feature has the player 2"),
        (players_of([-1, -1, -1, -1, -1, -1, 1]), "no feature has the player 0"),
    ],
)
def test_bad_players(players: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        plan_of(CASE.but(players=players), all_values=False)


@pytest.mark.parametrize(
    ("probes", "message"),
    [
        (CASE.probes[0], "probes must be 2-D, got 1-D"),
        (CASE.probes[:, :6].copy(), "probes has 6 columns, the model 7"),
        (np.zeros((40, 7), int), "probes must be float32 or float64"),
        (CASE.probes.astype(">f8"), "probes must be float32 or float64"),
        (np.asfortranarray(CASE.probes), "probes must be C-contiguous"),
        (CASE.probes[::2], "probes must be C-contiguous"),
    ],
    ids=["1-D", "columns", "int", "byte order", "Fortran", "every other"],
)
@pytest.mark.parametrize("all_values", [False, True])
def test_bad_probes(probes: Any, message: str, all_values: bool) -> None:
    with pytest.raises(InvalidInputError, match=message):
        plan_of(CASE.but(probes=probes), all_values=all_values)


@pytest.mark.parametrize("n_trees", [-2, 13, 2**40])
def test_bad_number_of_trees(n_trees: int) -> None:
    with pytest.raises(InvalidInputError, match=f"n_trees is {n_trees}, the ensemble has 12"):
        plan_of(CASE.but(n_trees=n_trees), all_values=False)


def changed(sources: Array, value: int) -> Array:
    out = sources.copy()
    out[-1, -1] = value
    return out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": CASE.rows[0]}, "X must be 2-D"),
        ({"rows": CASE.rows[:, :6].copy()}, "X has 6 columns"),
        ({"rows": np.asfortranarray(CASE.rows)}, "X must be C-contiguous"),
        ({"rows": CASE.rows.astype(object)}, "X must be float32 or float64"),
        ({"rows": CASE.rows[:5]}, "int64 with 5 columns"),
        ({"sources": CASE.sources.astype(np.int32)}, "sources must be a .* int64 with 6 columns"),
        ({"sources": CASE.sources.astype(np.uint64)}, "sources must be a .* int64 with 6 columns"),
        ({"sources": CASE.sources[0]}, "int64 with 6 columns"),
        ({"sources": CASE.sources[:, :5].copy()}, "int64 with 6 columns"),
        ({"sources": not_contiguous(CASE.sources)}, "C-contiguous"),
        ({"sources": changed(CASE.sources, -1)}, "sources holds -1, there are 40 probes"),
        ({"sources": changed(CASE.sources, 40)}, "sources holds 40, there are 40 probes"),
        ({"sources": changed(CASE.sources, 2**62)}, f"sources holds {2**62}"),
        ({"sources": changed(CASE.sources, -(2**63))}, f"sources holds -{2**63}"),
        ({"begin": -1}, r"rows \[-1, 6\) are out of range for 6"),
        ({"begin": 4, "end": 3}, r"rows \[4, 3\) are out of range"),
        ({"end": 7}, r"rows \[0, 7\) are out of range"),
        ({"begin": 2**62, "end": 2**62}, "are out of range"),
        ({"out": np.full((4, 2, 6, 2), np.nan, np.float32)}, r"array \(4, 2, 6, 2\)"),
        ({"out": np.full((4, 2, 6), np.nan)}, r"array \(4, 2, 6, 2\)"),
        ({"out": np.full((4, 2, 6, 3), np.nan)}, r"array \(4, 2, 6, 2\)"),
        ({"out": np.full((3, 2, 6, 2), np.nan)}, r"array \(4, 2, 6, 2\)"),
        ({"out": np.full((4, 2, 2, 6), np.nan).swapaxes(2, 3)}, "C-contiguous"),
        ({"unchanged": np.full((6, 2), np.nan, np.float32)}, r"unchanged .* array \(6, 2\)"),
        ({"unchanged": np.full((5, 2), np.nan)}, r"unchanged .* array \(6, 2\)"),
        ({"unchanged": np.full((6, 2), np.nan, order="F")}, "unchanged .* C-contiguous"),
        ({"n_threads": 0}, "n_threads must be at least 1"),
        ({"n_threads": -3}, "n_threads must be at least 1"),
    ],
)
def test_bad_arguments_of_respond(change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {
        "rows": CASE.rows,
        "sources": CASE.sources,
        "begin": 0,
        "end": 6,
        "out": np.full((4, 2, 6, 2), np.nan),
        "unchanged": np.full((6, 2), np.nan),
        "n_threads": 1,
    }
    arguments = {**given, **change}
    with pytest.raises(InvalidInputError, match=message):
        plan_of(CASE, all_values=False).respond(**arguments)
    assert np.isnan(arguments["out"]).all()
    assert np.isnan(arguments["unchanged"]).all()


def test_sources_without_probes() -> None:
    case = CASE.but(probes=CASE.probes[:0])
    with pytest.raises(InvalidInputError, match="there are 0 probes"):
        responses(case)
    assert responses(case.but(sources=case.sources[:0]))[0].shape == (4, 0, 6, 2)


@pytest.mark.parametrize("unchanged", ["margins", 1.0])
def test_unchanged_that_is_no_array(unchanged: Any) -> None:
    """What is filled must be what the caller has, not an array made of it."""
    out = np.full((4, 2, 6, 2), np.nan)
    with pytest.raises((InvalidInputError, TypeError)):
        plan_of(CASE, all_values=False).respond(CASE.rows, CASE.sources, 0, 6, out, unchanged, 1)
    assert np.isnan(out).all()


def test_out_that_is_read_only() -> None:
    out = np.full((6, 2), np.nan)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="writeable"):
        plan_of(CASE, all_values=False).predict(CASE.rows, out, 1)
    assert np.isnan(out).all()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.array([1, 2, np.nan, 1, 1, 1.0]), "weights holds a value that is not finite"),
        (np.array([1, 2, np.inf, 1, 1, 1.0]), "weights holds a value that is not finite"),
        (np.array([1, 2, -1e-300, 1, 1, 1.0]), "weights holds a negative value"),
        (np.zeros(6), "weights are all 0"),
        (np.ones(5), "weights has 5 entries for 6 rows"),
        (np.ones((6, 1)), "weights must be 1-D"),
        (np.ones(6, np.float32), "weights must be an array of float64"),
        (np.ones(6, int), "weights must be an array of float64"),
        ([1.0] * 6, "weights must be an array of float64"),
    ],
)
def test_bad_weights(weights: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        means(CASE, weights)


def test_weights_that_are_not_contiguous() -> None:
    weights = np.random.default_rng(0).random(6)
    np.testing.assert_array_equal(means(CASE, not_contiguous(weights)), means(CASE, weights))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: p.curves(CASE.rows, np.empty((6, 3, 2)), 1), r"array \(6, \d+, 2\)"),
        (lambda p: p.curves(CASE.rows[:, 1:].copy(), np.empty((6, 3, 2)), 1), "has 6 columns"),
        (lambda p: p.curves(CASE.rows, np.empty((6, 3, 2)), 0), "n_threads must be at least 1"),
        (lambda p: p.means(CASE.rows, None, 0), "n_threads must be at least 1"),
        (lambda p: p.means(CASE.rows[:0], None, 1), "X has no rows"),
        (lambda p: p.means(CASE.rows[:, 1:].copy(), None, 1), "X has 6 columns"),
        (lambda p: p.predict(CASE.rows, np.empty((5, 2)), 1), r"array \(6, 2\)"),
        (lambda p: p.predict(CASE.rows, np.empty((6, 2), np.float32), 1), r"array \(6, 2\)"),
        (lambda p: p.predict(CASE.rows, np.empty((6, 2), order="F"), 1), "C-contiguous"),
        (lambda p: p.predict(CASE.rows[0], np.empty((6, 2)), 1), "X must be 2-D"),
        (lambda p: p.predict(CASE.rows, np.empty((6, 2)), 0), "n_threads must be at least 1"),
        (lambda p: p.cells(4), "player 4 is out of range for 4"),
        (lambda p: p.cells(-1), "player -1 is out of range for 4"),
        (
            lambda p: p.respond(CASE.rows, CASE.sources, 0, 6, np.empty((4, 2, 6, 2)), None, 1),
            "all_values=True has no single values",
        ),
    ],
)
def test_bad_arguments_of_a_joint_plan(
    call: Callable[[_core.ResponsePlan], object], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        call(plan_of(CASE, all_values=True))


@pytest.mark.parametrize(
    "call",
    [
        lambda p: p.cell_offsets,
        lambda p: p.cells(0),
        lambda p: p.curves(CASE.rows, np.empty((6, 9, 2)), 1),
        lambda p: p.means(CASE.rows, None, 1),
    ],
    ids=["cell_offsets", "cells", "curves", "means"],
)
def test_cells_of_a_plan_without_them(call: Callable[[_core.ResponsePlan], object]) -> None:
    with pytest.raises(InvalidInputError, match="only a plan with all_values=True has cells"):
        call(plan_of(CASE, all_values=False))
