"""Errors of estimates: how fast they fall, and what standard errors know of them.

The truth is exact in all cases: games with known Shapley values, or trees explained as a function
and by `TreeExplainer`. Bounds are wide enough for a statistical statement to hold with any seeds;
the seeds are fixed, so that a test that passes passes again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

from leafshap import KernelExplainer, TreeEnsemble, TreeExplainer
from oracle_coalitions import Floats, RandomGame
from strategies import Recipe, random_ensemble


@dataclass
class Problem:
    """A function, background rows, a row and its exact values."""

    f: Callable[[Any], Any]
    background: Floats
    row: Floats
    phi: Floats

    def estimates(self, estimator: str, nsamples: int, n_seeds: int) -> tuple[Floats, Floats]:
        """Errors and standard errors, (seeds, M)."""
        found = [
            KernelExplainer(self.f, self.background, estimator=estimator, seed=seed, n_jobs=1)(
                self.row, nsamples=nsamples
            )
            for seed in range(n_seeds)
        ]
        errors = np.array([e.values - self.phi for e in found])
        return errors, np.array([e.standard_errors for e in found])


@cache
def trees(n_players: int) -> Problem:
    """Random trees of depth 4 that use all features, their weights falling as 1 / rank."""
    arrays = random_ensemble(
        Recipe(
            seed=n_players,
            n_features=n_players,
            n_trees=2 * n_players,
            categorical=0.0,
            policies=(0,),
            precision="float64",
        )
    )
    ensemble = TreeEnsemble(arrays)
    rng = np.random.default_rng(n_players)
    background, row = rng.normal(size=(5, n_players)), rng.normal(size=n_players)
    phi = TreeExplainer(ensemble, background).shap_values(row)
    return Problem(ensemble.predict, background, row, np.asarray(phi))


@cache
def products(n_players: int) -> Problem:
    """Random products of up to four players."""
    game = RandomGame(n_players, 4, seed=1)
    return Problem(game, np.zeros((1, n_players)), np.ones(n_players), game.shapley_values)


def rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


# ---------------------------------------------------------------- convergence


@pytest.mark.parametrize("n_players", [15, 30, 60, 100])
def test_regression_converges(n_players: int) -> None:
    """16 times the evaluations: 1/4 of the error, and less where outer sizes become whole."""
    problem = trees(n_players)
    few = rms(problem.estimates("regression", 4 * n_players, 6)[0])
    many = rms(problem.estimates("regression", 64 * n_players, 6)[0])
    assert many < few / 2.5
    assert many < 0.2 * np.abs(problem.phi).max()


# a fit's time grows with the cube of the evaluations: fewer of them for more players
@pytest.mark.parametrize(
    ("n_players", "factor", "n_seeds"), [(15, 16, 4), (30, 8, 4), (60, 4, 3), (100, 4, 2)]
)
def test_gaussian_process_converges(n_players: int, factor: int, n_seeds: int) -> None:
    """At least as 1 / sqrt(N), by the same share of it; better than a regression with many."""
    problem = trees(n_players)
    most = 4 * factor * n_players
    few = rms(problem.estimates("gaussian_process", 4 * n_players, n_seeds)[0])
    many = rms(problem.estimates("gaussian_process", most, n_seeds)[0])
    assert many < few / (2.5 / 4 * np.sqrt(factor))
    assert many < 1.05 * rms(problem.estimates("regression", most, n_seeds)[0])


@pytest.mark.parametrize("n_players", [15, 60])
def test_permutations_converge(n_players: int) -> None:
    problem = trees(n_players)
    few = rms(problem.estimates("permutation", 4 * n_players, 8)[0])
    many = rms(problem.estimates("permutation", 64 * n_players, 8)[0])
    assert many < few / 2.5


def test_permutations_are_unbiased() -> None:
    """The mean over 400 seeds, within 5 of its own standard errors for each of 9 players."""
    problem = products(9)
    errors, _ = problem.estimates("permutation", 16, 400)
    deviation = errors.std(axis=0, ddof=1) / np.sqrt(len(errors))
    assert (np.abs(errors.mean(axis=0)) < 5 * deviation + 1e-12).all()


def test_regression_bias_is_small() -> None:
    """A ratio of two random sums is biased by some 1/N; beside its standard deviation it is little.

    Each of 200 seeds deviates by one; five standard errors of the mean are 0.35 of it.
    """
    errors, _ = products(12).estimates("regression", 100, 200)
    assert (np.abs(errors.mean(axis=0)) < 0.35 * errors.std(axis=0)).all()


# ---------------------------------------------------------------- standard errors

COVERED = [
    ("regression", 12, 100, 200),
    ("regression", 15, 240, 200),
    ("regression", 30, 120, 200),
    ("regression", 60, 240, 100),
    ("gaussian_process", 12, 100, 200),
    ("gaussian_process", 15, 60, 200),
    ("gaussian_process", 30, 120, 200),
    ("permutation", 12, 22, 200),
    ("permutation", 15, 112, 200),
    ("permutation", 30, 290, 200),
]


@pytest.mark.parametrize("kind", ["products", "trees"])
@pytest.mark.parametrize(("estimator", "n_players", "nsamples", "n_seeds"), COVERED)
def test_coverage(kind: str, estimator: str, n_players: int, nsamples: int, n_seeds: int) -> None:
    """Two standard errors cover the truth in about 95% of all seeds, in the mean over players.

    Not much less: a normal distribution of estimated scale has 0.93 with ten degrees of freedom,
    and values of few coalitions are no normal ones. Nor by being absurdly wide: errors
    have 0.2 to 1.6 times the size that standard errors say.
    """
    problem = {"products": products, "trees": trees}[kind](n_players)
    errors, standard = problem.estimates(estimator, nsamples, n_seeds)
    moving = standard.max(axis=0) > 0
    assert moving.sum() > n_players / 2
    errors, standard = errors[:, moving], standard[:, moving]
    covered = np.abs(errors) <= 2 * standard
    assert 0.88 <= covered.mean() <= 1.0
    assert 0.2 < rms(errors) / rms(standard) < 1.6


def test_standard_errors_of_an_exact_regression_are_zero() -> None:
    problem = products(8)
    found = KernelExplainer(problem.f, problem.background)(problem.row, nsamples=254)
    assert found.exact
    assert found.standard_errors is not None
    np.testing.assert_array_equal(found.standard_errors, 0.0)


@pytest.mark.parametrize("estimator", ["regression", "gaussian_process", "permutation"])
def test_standard_errors_fall(estimator: str) -> None:
    problem = products(20)
    sizes = [rms(problem.estimates(estimator, n, 5)[1]) for n in (80, 320, 1280)]
    assert sizes[0] > 1.5 * sizes[1] > 2.25 * sizes[2]
