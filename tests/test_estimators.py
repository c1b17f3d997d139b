"""The estimators' mathematics: what is exact, what does not matter, and linear algebra by numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from leafshap import Explanation, InvalidInputError, KernelExplainer, _core
from leafshap.coalitions.estimators import EstimatorChoice
from oracle_coalitions import Floats, RandomGame, parts_of, weighted_least_squares

SAMPLED = ["regression", "gaussian_process", "permutation"]
# Of the largest |phi|. A Gaussian process keeps a nugget of 1e-6 of a value's variance: what it
# knows for certain is off by some 1e-8 to 1e-7 (measured), at most sqrt(1e-6).
EXACT = {"regression": 1e-10, "permutation": 1e-12, "gaussian_process": 1e-6}


def explain(
    f: Callable[[Any], Any], n_players: int, estimator: str, nsamples: int, seed: int = 0
) -> Explanation:
    """Values of a function of zeros and ones, at ones."""
    explainer = KernelExplainer(
        f, np.zeros((1, n_players)), estimator=estimator, seed=seed, n_jobs=1
    )
    return explainer(np.ones(n_players), nsamples=nsamples)


def assert_near(actual: Any, expected: Any, tolerance: float) -> None:
    scale = np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale)


# ---------------------------------------------------------------- what is exact


@pytest.mark.parametrize("estimator", ["regression", "gaussian_process"])
@pytest.mark.parametrize(
    ("n_players", "nsamples"), [(6, 30), (11, 66), (15, 100), (30, 480), (60, 240), (100, 1600)]
)
def test_order_two_is_exact(n_players: int, nsamples: int, estimator: str) -> None:
    """Interactions of pairs are even but for what their players share: pairing removes the rest."""
    game = RandomGame(n_players, 2, seed=1)
    found = explain(game, n_players, estimator, nsamples)
    assert not found.exact
    assert_near(found.values, game.shapley_values, EXACT[estimator])
    assert found.standard_errors is not None
    assert found.standard_errors.max() <= 1e3 * EXACT[estimator]  # sqrt of the nugget


def test_order_two_is_exact_for_permutations() -> None:
    game = RandomGame(40, 2, seed=2)
    found = explain(game, 40, "permutation", 2 * 39)  # one order and its reverse
    assert_near(found.values, game.shapley_values, EXACT["permutation"])


def test_order_three_is_not_exact() -> None:
    """So that the tests above show something."""
    game = RandomGame(15, 3, seed=1)
    for estimator in SAMPLED:
        found = explain(game, 15, estimator, 100)
        assert np.abs(found.values - game.shapley_values).max() > 1e-3


@pytest.mark.parametrize("estimator", ["regression", "permutation"])
def test_even_part_does_not_matter(estimator: str) -> None:
    """A game that is the same for a coalition and its complement gives nobody anything."""
    game = RandomGame(20, 4, seed=3)
    other = RandomGame(20, 4, seed=4)

    def with_even(z: Any) -> Floats:
        z = np.asarray(z)
        return game(z) + other(z) + other(1 - z)

    plain, added = (explain(f, 20, estimator, 200) for f in (game, with_even))
    assert_near(added.values, plain.values, 1e-11)


@pytest.mark.parametrize("estimator", SAMPLED)
@pytest.mark.parametrize("n_players", [15, 200])
def test_linear(n_players: int, estimator: str) -> None:
    slopes = np.random.default_rng(0).normal(size=n_players)
    found = explain(lambda X: X @ slopes + 3, n_players, estimator, 4 * n_players)
    assert_near(found.values, slopes, EXACT[estimator])


@pytest.mark.parametrize("estimator", SAMPLED)
def test_only_one_player_matters(estimator: str) -> None:
    expected = np.zeros(40)
    expected[17] = 2.5
    found = explain(lambda X: 2.5 * X[:, 17], 40, estimator, 160)
    assert_near(found.values, expected, EXACT[estimator])


@pytest.mark.parametrize("estimator", SAMPLED)
def test_nobody_matters(estimator: str) -> None:
    found = explain(lambda X: np.full(len(X), 7.25), 40, estimator, 160)
    np.testing.assert_array_equal(found.values, 0.0)
    np.testing.assert_array_equal(found.standard_errors, 0.0)
    assert float(found.base_values) == 7.25


@pytest.mark.parametrize("estimator", SAMPLED)
@pytest.mark.parametrize("n_players", [5, 12, 33, 100])
def test_values_add_up(n_players: int, estimator: str) -> None:
    game = RandomGame(n_players, 5, seed=5)
    found = explain(game, n_players, estimator, 5 * n_players)
    total = game(np.ones((1, n_players)))[0] - game(np.zeros((1, n_players)))[0]
    size = np.abs(found.values).sum()
    assert abs(found.values.sum() - total) <= 1e-12 * size


# ---------------------------------------------------------------- units


@pytest.mark.parametrize("estimator", SAMPLED)
@pytest.mark.parametrize(("scale", "shift"), [(1e-9, 0.0), (1e12, 0.0), (1.0, 1e6), (-1.0, 0.0)])
def test_units_do_not_matter(scale: float, shift: float, estimator: str) -> None:
    """Values and errors follow the game's units.

    What is lost is the rounding of the shift, 1e6 * 2^-52 = 2e-10 of a value. A Gaussian process
    learns relevances in a few steps that rounding moves by a little, and the values with them.
    """
    game = RandomGame(20, 4, seed=6)
    plain = explain(game, 20, estimator, 200)
    moved = explain(lambda z: scale * game(z) + shift, 20, estimator, 200)
    tolerance = 1e-7 if estimator == "gaussian_process" else 1e-9 if shift else 1e-12
    assert_near(moved.values / scale, plain.values, tolerance)
    errors = np.asarray(moved.standard_errors) / abs(scale)
    assert_near(errors, plain.standard_errors, tolerance)


# ---------------------------------------------------------------- linear algebra


@pytest.mark.parametrize(("n_players", "n_pairs"), [(2, 1), (5, 12), (9, 100), (9, 255), (30, 300)])
def test_regression_by_its_definition(isa: str, n_players: int, n_pairs: int) -> None:
    """More games than the core fits side by side (64)."""
    design = _core.CoalitionDesign(n_players, 3)
    design.extend(n_pairs)
    rng = np.random.default_rng(n_pairs)
    odd, odd_full = rng.normal(size=(n_pairs, 70)), rng.normal(size=70)
    inputs = design.coalitions, design.weights, design.inclusion, odd, odd_full
    phi, errors = _core.fit_regression(*inputs, 1)
    expected, expected_errors = weighted_least_squares(*inputs)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(phi, expected, rtol=0, atol=1e-11 * scale)
    np.testing.assert_allclose(errors, expected_errors, rtol=1e-9, atol=1e-12 * scale)
    again = _core.fit_regression(*inputs, 2)
    np.testing.assert_array_equal(again[0], phi)
    np.testing.assert_array_equal(again[1], errors)


def test_regression_needs_enough_coalitions() -> None:
    design = _core.CoalitionDesign(10, 0)
    design.extend(5)
    odd, _, odd_full, _ = parts_of(RandomGame(10, 3, 0), design.coalitions)
    with pytest.raises(InvalidInputError, match="more of them are needed"):
        _core.fit_regression(design.coalitions, design.weights, design.inclusion, odd, odd_full, 1)


def process_inputs(
    game: Callable[[Any], Any], n_players: int, n_pairs: int
) -> tuple[Any, Any, Any, Any, Any]:
    design = _core.CoalitionDesign(n_players, 3)
    design.extend(n_pairs)
    odd, even, odd_full, even_full = parts_of(game, design.coalitions)
    return design.coalitions, odd, odd_full, even, even_full


def fit(*inputs: Any, n_threads: int = 1) -> tuple[Floats, Floats]:
    coalitions, odd, odd_full, even, even_full = inputs
    return _core.fit_process(coalitions, odd, odd_full, even, even_full, n_threads)


def test_process_adds_up_and_knows_its_error(isa: str) -> None:
    game = RandomGame(14, 4, seed=7)
    inputs = process_inputs(game, 14, 150)
    phi, errors = fit(*inputs)
    assert abs(phi.sum() - 2 * inputs[2][0]) < 1e-12
    error = phi[:, 0] - game.shapley_values
    assert (errors > 0).all()
    assert 0.2 < np.sqrt((error**2).mean() / (errors**2).mean()) < 2.0


def test_process_is_the_same_for_all_instruction_sets_but_for_rounding() -> None:
    inputs = process_inputs(RandomGame(14, 4, seed=7), 14, 150)
    before, found = _core.build_info()["isa"], []
    try:
        for isa in _core.build_info()["available_isas"]:
            _core.set_isa(isa)
            found.append(fit(*inputs))
    finally:
        _core.set_isa(before)
    for phi, errors in found[1:]:
        assert_near(phi, found[0][0], 1e-7)  # relevances are learned step by step
        assert_near(errors, found[0][1], 1e-6)


def test_process_knows_no_order_of_players() -> None:
    coalitions, *rest = process_inputs(RandomGame(12, 4, seed=8), 12, 100)
    order = np.random.default_rng(0).permutation(12)
    phi, errors = fit(coalitions, *rest)
    moved = fit(np.ascontiguousarray(coalitions[:, order]), *rest)
    assert_near(moved[0], phi[order], 1e-6)
    assert_near(moved[1], errors[order], 1e-5)


def test_process_interpolates_when_it_knows_all() -> None:
    """All pairs but one of nine players: the estimate is all but the Shapley value."""
    game = RandomGame(9, 3, seed=9)
    phi, errors = fit(*process_inputs(game, 9, 254))
    assert_near(phi[:, 0], game.shapley_values, 2e-3)
    assert errors.max() < 1e-2 * np.abs(phi).max()


def test_process_fits_each_game_by_itself() -> None:
    """Bit for bit, whatever games and threads are beside it."""
    games = [RandomGame(11, 4, seed) for seed in range(5)]
    inputs = [process_inputs(game, 11, 60) for game in games]
    coalitions = inputs[0][0]
    together = [
        np.ascontiguousarray(np.concatenate([own[k] for own in inputs], axis=-1))
        for k in range(1, 5)
    ]
    for n_threads in (1, 2):
        phi, errors = fit(coalitions, *together, n_threads=n_threads)
        for c, own in enumerate(inputs):
            alone = fit(*own)
            np.testing.assert_array_equal(phi[:, [c]], alone[0])
            np.testing.assert_array_equal(errors[:, [c]], alone[1])


def test_process_flips_with_the_sign_of_the_game() -> None:
    coalitions, odd, odd_full, even, even_full = process_inputs(RandomGame(11, 4, seed=1), 11, 60)
    phi, errors = fit(coalitions, odd, odd_full, even, even_full)
    negative = fit(coalitions, -odd, -odd_full, -even, -even_full)
    np.testing.assert_array_equal(negative[0], -phi)
    np.testing.assert_array_equal(negative[1], errors)


def bad_inputs() -> dict[str, dict[str, Any]]:
    coalitions, odd, _, even, _ = process_inputs(RandomGame(7, 3, 0), 7, 30)
    return {
        "coalitions must": {"coalitions": coalitions.astype(np.uint8)},
        "coalitions must be a C-contiguous": {"coalitions": np.asfortranarray(coalitions)},
        "odd must be 2-D": {"odd": odd[:, 0]},
        "odd must be a C-contiguous float64": {"odd": odd.astype(np.float32)},
        "odd must": {"odd": odd[:-1]},
        "odd_full must": {"odd_full": np.ones(3)},
        "even must": {"even": even[:-1]},
        "even_full must": {"even_full": np.ones(2)},
        "odd holds a value that is not finite": {"odd": np.full_like(odd, np.nan)},
        "even holds a value that is not finite": {"even": np.full_like(even, np.inf)},
        "at least 2 players": {"coalitions": coalitions[:, :0]},
        "n_threads must be": {"n_threads": 0},
    }


@pytest.mark.parametrize("message", list(bad_inputs()))
def test_what_does_not_fit_is_refused(message: str) -> None:
    names = ("coalitions", "odd", "odd_full", "even", "even_full")
    good = dict(zip(names, process_inputs(RandomGame(7, 3, 0), 7, 30), strict=True))
    bad = {**good, "n_threads": 1, **bad_inputs()[message]}
    with pytest.raises(InvalidInputError, match=message):
        _core.fit_process(*(bad[name] for name in (*names, "n_threads")))
    if "even" not in message:
        weights = np.ones(30)
        with pytest.raises(InvalidInputError, match=message):
            _core.fit_regression(
                bad["coalitions"], weights, weights, bad["odd"], bad["odd_full"], bad["n_threads"]
            )


@pytest.mark.parametrize("n_players", [2100, 3000])
@pytest.mark.parametrize("per_player", [3, 5.5, 8])
def test_many_players_find_an_estimator(n_players: int, per_player: float) -> None:
    """Budgets too large for a process and too small for a regression are for permutations."""
    choice = EstimatorChoice("auto", False, 0)
    n = int(per_player * n_players)
    estimator = choice.estimator(n_players, n)
    estimator.extend(n)
    assert 0 < 2 * len(estimator.coalitions) <= n
