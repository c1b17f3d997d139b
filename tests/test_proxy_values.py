"""The proxy estimator against Shapley values by enumeration of all coalitions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from leafshap.coalitions import boosted
from leafshap.coalitions.covariance import SpectralPrior
from leafshap.coalitions.relevance import Evidence
from leafshap.errors import InvalidInputError, MissingDependencyError

Floats = npt.NDArray[np.float64]
Game = Callable[[npt.NDArray[np.bool_]], Floats]

pytest.importorskip("lightgbm")
from leafshap.coalitions.proxy import proxy_values  # noqa: E402


def all_coalitions(n_players: int) -> npt.NDArray[np.bool_]:
    return (np.arange(2**n_players)[:, None] >> np.arange(n_players) & 1).astype(bool)


def brute_force(game: Game, n_players: int) -> Floats:
    everything = all_coalitions(n_players)
    v, size = game(everything), everything.sum(1)
    phi = np.empty(n_players)
    for i in range(n_players):
        without = np.flatnonzero(~everything[:, i])
        weight = [1 / (n_players * math.comb(n_players - 1, s)) for s in size[without]]
        phi[i] = weight @ (v[without + 2**i] - v[without])
    return phi


def product_game(n_players: int, seed: int = 0, n_terms: int = 25) -> Game:
    """Products of up to four players or absent players, as the leaves of trees are."""
    rng = np.random.default_rng(seed)
    terms = [
        (rng.choice(n_players, size, replace=False), rng.random(size) < 0.5, rng.normal())
        for size in rng.integers(1, min(4, n_players) + 1, n_terms)
    ]

    def game(z: npt.NDArray[np.bool_]) -> Floats:
        sums = [c * (z[:, t] == side).all(1) for t, side, c in terms]
        return np.asarray(np.sum(sums, axis=0), dtype=np.float64)

    return game


def sample(game: Game, n_players: int, n_pairs: int | None, seed: int = 0) -> tuple[Any, ...]:
    """Pairs without replacement, sizes alike; all of them without `n_pairs`."""
    everything = all_coalitions(n_players)
    z = everything[1 : 2 ** (n_players - 1)]  # without the last player: one of each pair
    size = z.sum(1)
    kernel = np.array([1 / math.comb(n_players - 2, s - 1) if s < n_players else 1 for s in size])
    inclusion = np.ones(len(z))
    if n_pairs is not None:
        rng = np.random.default_rng(seed)
        keys = -np.log(rng.random(len(z))) / kernel  # of Efraimidis and Spirakis
        kept = np.argsort(keys)[:n_pairs]
        inclusion = np.minimum(1, n_pairs * kernel / kernel.sum())[kept]
        z, kernel = z[kept], kernel[kept]
    inside, outside = game(z), game(~z)
    full, empty = game(everything[[-1, 0]])
    parts = (inside - outside) / 2, np.array([(full - empty) / 2]), (inside + outside) / 2
    return z, kernel / inclusion, parts[0][:, None], parts[1], parts[2][:, None]


def estimate(*args: Any, **options: Any) -> Any:
    return proxy_values(*args, **{"seed": 0, "n_threads": 1, "library": "lightgbm", **options})


@pytest.mark.parametrize("n_players", [1, 2, 3, 4, 7, 9])
def test_all_pairs_are_exact(n_players: int) -> None:
    game = product_game(n_players)
    values, errors = estimate(*sample(game, n_players, None))
    np.testing.assert_allclose(values[:, 0], brute_force(game, n_players), atol=1e-11)
    assert not errors.any()


@pytest.mark.parametrize("library", boosted.LIBRARIES)
@pytest.mark.parametrize("n_players", [8, 11])
def test_a_sample_is_close_and_closer_than_least_squares(n_players: int, library: str) -> None:
    pytest.importorskip(library)
    from leafshap.coalitions.proxy import LeastSquares

    error, plain = [], []
    for seed in range(4):
        game = product_game(n_players, seed)
        truth = brute_force(game, n_players)
        z, weights, odd, full, even = sample(game, n_players, 8 * n_players, seed)
        values, _ = estimate(z, weights, odd, full, even, library=library)
        squares = LeastSquares(np.where(z, 1.0, -1.0), weights).solve(odd[:, 0], float(full[0]))
        scale = np.linalg.norm(truth)
        error.append(np.linalg.norm(values[:, 0] - truth) / scale)
        plain.append(np.linalg.norm(squares - truth) / scale)
        assert values.sum() == pytest.approx(2 * full[0], abs=1e-11)
    assert np.median(error) < 0.5 * np.median(plain)


def test_an_additive_game_is_exact() -> None:
    slopes = np.arange(12.0)
    values, errors = estimate(*sample(lambda z: z @ slopes + 3, 12, 40))
    np.testing.assert_allclose(values[:, 0], slopes, atol=1e-10)
    np.testing.assert_allclose(errors, 0, atol=1e-10)


def test_fewer_pairs_than_players() -> None:
    z, weights, odd, full, even = sample(product_game(10), 10, 6)
    values, errors = estimate(z, weights, odd, full, even)
    assert np.isfinite(values).all()
    assert (errors > 0).all()
    assert values.sum() == pytest.approx(2 * full[0])


@pytest.mark.parametrize("value", [0.0, 1.0, 1e12, -1e-9])
def test_a_constant_game(value: float) -> None:
    values, errors = estimate(*sample(lambda z: np.full(len(z), value), 9, 60))
    assert not values.any()
    assert not errors.any()


def test_no_games() -> None:
    z, weights, odd, full, even = sample(product_game(8), 8, 30)
    values, errors = estimate(z, weights, odd[:, :0], full[:0], even[:, :0])
    assert values.shape == errors.shape == (8, 0)


@pytest.mark.parametrize("factor", [1e-9, 1e12])
def test_scale_does_not_matter(factor: float) -> None:
    z, weights, odd, full, even = sample(product_game(9), 9, 70)
    values, errors = estimate(z, weights, odd, full, even)
    scaled, scaled_errors = estimate(z, weights, odd * factor, full * factor, even * factor)
    # the optimiser and the trees may part at the last digit; what they decide moves far less
    np.testing.assert_allclose(scaled / factor, values, atol=1e-5)
    np.testing.assert_allclose(scaled_errors / factor, errors, rtol=0.05)


def test_seed_threads_and_neighbours_do_not_change_a_game() -> None:
    games = [sample(product_game(10, seed), 10, 80) for seed in range(3)]
    z, weights = games[0][:2]
    odd, even = (np.concatenate([g[at] for g in games], 1) for at in (2, 4))
    full = np.concatenate([g[3] for g in games])
    one = estimate(z, weights, odd, full, even)
    three = estimate(z, weights, odd, full, even, n_threads=3)
    alone = estimate(z, weights, odd[:, 1:2], full[1:2], even[:, 1:2])
    other = estimate(z, weights, odd, full, even, seed=1)
    np.testing.assert_array_equal(one, three)
    np.testing.assert_array_equal(np.asarray(one)[:, :, 1:2], alone)
    assert (one[1] != other[1]).any()


def test_true_values_lie_within_two_standard_errors() -> None:
    inside = []
    for seed in range(40):
        game = product_game(10, seed)
        values, errors = estimate(*sample(game, 10, 60, seed), seed=seed)
        inside.append(np.abs(values[:, 0] - brute_force(game, 10)) <= 2 * errors[:, 0])
    # errors of the players of one game are not independent: 40 games, not 400 values
    assert 0.88 <= np.mean(inside) <= 1.0


@pytest.mark.parametrize("library", boosted.LIBRARIES)
def test_third_order_of_the_trees(library: str) -> None:
    pytest.importorskip(library)
    rng = np.random.default_rng(0)
    rows = (rng.random((200, 6)) < 0.5).astype(float)
    values = rows[:, 0] * rows[:, 1] * rows[:, 2] - rows[:, 3] * (1 - rows[:, 4]) * rows[:, 5]
    trees = boosted.fit_boosted(rows, values, 0, library)
    found = {
        tuple(int(i) for i in triple): value
        for triple, value in zip(*boosted.third_order(trees), strict=True)
    }
    everything = all_coalitions(6)
    s, v = np.where(everything, 1.0, -1.0), trees.predict(everything.astype(float)).reshape(-1)
    for triple in itertools.combinations(range(6), 3):
        expected = (s[:, triple].prod(1) * v).mean()
        assert found.get(triple, 0.0) == pytest.approx(expected, abs=1e-6)


def test_covariances_are_those_of_the_spectrum() -> None:
    n_players, rng = 5, np.random.default_rng(0)
    relevance, linear = rng.uniform(0.05, 0.9, n_players), rng.uniform(0.1, 2, n_players)
    triples, extra = np.array([[0, 1, 3], [1, 2, 4]]), np.array([0.5, 0.2])
    prior = SpectralPrior(relevance, linear, triples, extra)
    s = np.where(rng.random((7, n_players)) < 0.5, 1.0, -1.0)
    at = np.zeros((7, 7))
    with_values, of_values = np.zeros((7, n_players)), np.zeros(n_players)
    for size in (1, 3, 5):
        for players in itertools.combinations(range(n_players), size):
            variance = relevance[list(players)].prod()
            variance += linear[players[0]] if size == 1 else 0
            variance += extra[(triples == players).all(1)].sum() if size == 3 else 0
            chi, share = s[:, players].prod(1), np.zeros(n_players)
            share[list(players)] = 2 / size
            at += variance * np.outer(chi, chi)
            with_values += variance * np.outer(chi, share)
            of_values += variance * share**2
    np.testing.assert_allclose(prior.covariance(s, s), at, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(prior.covariance_with_values(s), with_values, atol=1e-12)
    np.testing.assert_allclose(prior.variance_of_values(), of_values, rtol=1e-12)
    assert prior.variance() == pytest.approx(at[0, 0])


@pytest.mark.parametrize("with_even", [True, False])
def test_gradient_of_the_evidence(with_even: bool) -> None:
    z, _, odd, full, even = sample(product_game(6), 6, 20)
    signs = np.concatenate([np.where(z, 1.0, -1.0), np.ones((1, 6))])
    h = even[:, 0] if with_even else None
    evidence = Evidence(signs, np.append(odd[:, 0], full), h)
    u = np.random.default_rng(1).normal(-1.5, 0.3, 7)
    gradient = evidence.negative_log(u)[1]
    for i, step in enumerate(1e-5 * np.eye(7)):
        slope = evidence.negative_log(u + step)[0] - evidence.negative_log(u - step)[0]
        assert gradient[i] == pytest.approx(slope / 2e-5, rel=1e-3, abs=1e-3)


def test_libraries_that_are_missing_or_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInputError, match="library must be one of 'auto'"):
        boosted.choose_library("catboost")
    monkeypatch.setattr(boosted, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"lightgbm or xgboost.*leafshap\[proxy\]"):
        boosted.choose_library("auto")
    with pytest.raises(ImportError, match="needs xgboost"):
        boosted.choose_library("xgboost")
