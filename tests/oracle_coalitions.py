"""The oracle for KernelSHAP: games of any function in plain numpy, and games with known values.

``values_of`` is the brute force: every coalition of up to 12 players is evaluated by building its
rows, cell by cell, and calling the function; Shapley values are those of `oracle_background`. For
more players, ``RandomGame`` is a sum of products of players, whose Shapley values share each term
equally among its players (Shapley 1953), and ``weighted_least_squares`` is the definition of the
estimator, with a dense weight matrix and Lagrange's multiplier.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from oracle_background import normalised, shapley_values

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Function = Callable[[Any], Any]


def all_coalitions(n_players: int) -> Bools:
    """Every coalition, player i by bit i: (2^M, M)."""
    masks = np.arange(2**n_players)[:, np.newaxis]
    return np.asarray((masks >> np.arange(n_players)) & 1, dtype=np.bool_)


def logit(p: Floats) -> Floats:
    """Log-odds."""
    return np.asarray(np.log(p / (1.0 - p)))


def values_of(
    f: Function,
    X: Any,
    background: Any,
    weights: Floats | None = None,
    players: Sequence[Sequence[int]] | None = None,
    link: Callable[[Floats], Floats] = lambda v: v,
) -> Floats:
    """Values (n, 2^M, K) of all coalitions of the players; X and background both numpy or pandas.

    `players` are the columns of each; by default each column is one.
    """
    n, m = len(X), len(background)
    width = background.shape[1]
    players = [[j] for j in range(width)] if players is None else players
    coalitions = all_coalitions(len(players))
    holds = np.zeros((len(coalitions), width), dtype=bool)
    for i, columns in enumerate(players):
        holds[:, columns] = coalitions[:, [i]]
    w = normalised(weights, m)
    games = []
    for i in range(n):
        rows = _hybrids(X, i, background, holds)
        outputs = np.asarray(f(rows), dtype=np.float64).reshape(len(coalitions), m, -1)
        games.append(link(np.einsum("m,cmk->ck", w, outputs)))
    return np.stack(games)


def _hybrids(X: Any, i: int, background: Any, holds: Bools) -> Any:
    """Rows of every coalition with every background row, background rows moving fastest."""
    m = len(background)
    held = np.repeat(holds, m, axis=0)
    if isinstance(background, np.ndarray):
        return np.where(held, X[i], np.tile(background, (len(holds), 1)))
    import pandas as pd

    both = pd.concat([X.iloc[[i]], background], ignore_index=True)
    columns = {}
    for j, name in enumerate(background.columns):
        # row 0 is the explained one; taking keeps the column's dtype
        at = np.where(held[:, j], 0, np.tile(np.arange(1, m + 1), len(holds)))
        columns[name] = both[name].astype(background[name].dtype).take(at).reset_index(drop=True)
    return pd.DataFrame(columns)


def shap_values(
    f: Function,
    X: Any,
    background: Any,
    weights: Floats | None = None,
    players: Sequence[Sequence[int]] | None = None,
    link: Callable[[Floats], Floats] = lambda v: v,
) -> Floats:
    """Shapley values (n, M, K) by brute force."""
    return shapley_values(values_of(f, X, background, weights, players, link))


class RandomGame:
    """A sum of products ``c_T prod_{j in T} z_j`` over random sets T of at most `order` players.

    As a function of rows z of zeros and ones; explained at ones with a background of zeros.
    """

    def __init__(self, n_players: int, order: int, seed: int, n_terms: int | None = None) -> None:
        rng = np.random.default_rng([seed, n_players, order])
        n_terms = 3 * n_players if n_terms is None else n_terms
        self.terms = np.zeros((n_terms, n_players))
        for term in self.terms:
            term[rng.choice(n_players, rng.integers(1, order + 1), replace=False)] = 1.0
        self.sizes = self.terms.sum(axis=1)
        self.coefficients = rng.normal(size=n_terms)
        self.n_players = n_players

    def __call__(self, z: Any) -> Floats:
        held = np.asarray(z, dtype=np.float64) @ self.terms.T > self.sizes - 0.5
        return np.asarray(held @ self.coefficients)

    @property
    def shapley_values(self) -> Floats:
        """(M,)."""
        return np.asarray((self.coefficients / self.sizes) @ self.terms)


def parts_of(game: Function, coalitions: Bools) -> tuple[Floats, Floats, Floats, Floats]:
    """What estimators are given of one game: odd and even parts (P, 1), and the full one's (1,)."""
    ends = np.asarray(game(np.array([np.ones(coalitions.shape[1]), np.zeros(coalitions.shape[1])])))
    inside, outside = np.asarray(game(coalitions)), np.asarray(game(~coalitions))
    return (
        (0.5 * (inside - outside))[:, np.newaxis],
        (0.5 * (inside + outside))[:, np.newaxis],
        0.5 * (ends[:1] - ends[1:]),
        0.5 * (ends[:1] + ends[1:]),
    )


def weighted_least_squares(
    coalitions: Bools, weights: Floats, inclusion: Floats, odd: Floats, odd_full: Floats
) -> tuple[Floats, Floats]:
    """Values and standard errors (M, C) of a regression on complement pairs.

    Minimises ``sum_p w_p (g_p - sum_i s_pi phi_i / 2)^2`` under ``sum_i phi_i = 2 g(N)`` by its
    Karush-Kuhn-Tucker equations; errors are HC3 over the pairs that might not have been drawn.
    """
    signs = np.where(coalitions, 0.5, -0.5)
    n_players = coalitions.shape[1]
    kkt = np.zeros((n_players + 1, n_players + 1))
    kkt[:-1, :-1] = signs.T @ np.diag(weights) @ signs
    kkt[:-1, -1] = kkt[-1, :-1] = 1.0
    solve = np.linalg.solve(kkt, np.eye(n_players + 1))[:-1]
    rows = solve[:, :-1] @ (signs.T * weights)  # phi = rows g + column 2 g(N)
    phi = rows @ odd + solve[:, [-1]] * 2.0 * odd_full
    leverage = np.einsum("ip,pi->p", rows, signs)
    residual = (odd - signs @ phi) / np.maximum(1.0 - leverage, 1e-3)[:, np.newaxis]
    variance = rows**2 @ (np.maximum(1.0 - inclusion, 0.0)[:, np.newaxis] * residual**2)
    return phi, np.sqrt(variance)
