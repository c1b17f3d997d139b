"""Antithetic permutations: for budgets too small for a regression.

Players join one after the other in random order, and again in the reverse order (Castro et al.
2009; Mitchell et al. 2022). The coalitions of the reverse order are the complements of those of
the first, so both together are marginal contributions to the odd part of the game.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class Permutations:
    """Pairs of permutations of M >= 2 players; the same seed gives the same ones.

    Attributes
    ----------
    orders : ndarray of int64, shape (R, M)
    """

    def __init__(self, n_players: int, seed: int) -> None:
        self._random = np.random.default_rng([seed, n_players])
        self.orders = np.empty((0, n_players), dtype=np.int64)

    def extend(self, n: int) -> None:
        """Grow to n pairs of permutations."""
        size = self.orders.shape[1]
        more = [self._random.permutation(size) for _ in range(n - len(self.orders))]
        if more:
            self.orders = np.concatenate([self.orders, np.stack(more)])

    @property
    def coalitions(self) -> Bools:
        """Players that have joined, without the empty and the full coalition: (R (M - 1), M)."""
        n, size = self.orders.shape
        joined = np.zeros((n, size - 1, size), dtype=np.bool_)
        place = np.argsort(self.orders, axis=1)
        joined[:] = place[:, np.newaxis, :] <= np.arange(size - 1)[:, np.newaxis]
        return joined.reshape(-1, size)


def fit_permutations(
    orders: npt.NDArray[np.int64], odd: Floats, odd_full: Floats, even: Floats, even_full: Floats
) -> tuple[Floats, Floats]:
    """Mean marginal contributions and their standard errors, both (M, C).

    Parameters
    ----------
    orders : ndarray of int64, shape (R, M)
    odd, even : ndarray, shape (R (M - 1), C)
        (v(S) - v(complement)) / 2 and (v(S) + v(complement)) / 2.
    odd_full, even_full : ndarray, shape (C,)
        The same of the full coalition; the even part of the empty one is the same.

    Notes
    -----
    The variance over R pairs of permutations is drawn towards its mean over the players, since few
    pairs tell little of it. A single pair tells nothing; then the even part's contributions, in
    which the two orders differ, stand in for how much contributions vary.
    """
    n, size = orders.shape
    shape = (n, size - 1, odd.shape[1])
    steps = _contributions(odd.reshape(shape), -odd_full, odd_full)
    other = _contributions(even.reshape(shape), even_full, even_full)
    by_player = np.empty_like(steps)
    np.put_along_axis(by_player, orders[:, :, np.newaxis], steps, axis=1)
    phi: Floats = by_player.mean(axis=0)
    if n == 1:
        variance = np.broadcast_to(_mean_of_players(other[0] ** 2), phi.shape)
    else:
        own = by_player.var(axis=0, ddof=1)
        variance = ((n - 1) * own + 2 * _mean_of_players(own)) / (n + 1)
    errors: Floats = np.sqrt(variance / n)
    return phi, errors


def _mean_of_players(values: Floats) -> Floats:
    """Mean over the first axis, of one game with the same bits as among others."""
    mean: Floats = np.ascontiguousarray(values.T).mean(axis=1)
    return mean


def _contributions(values: Floats, first: Floats, last: Floats) -> Floats:
    """Differences along the axis of joining players, shape (R, M - 1, C) -> (R, M, C)."""
    ends = [np.broadcast_to(end, (len(values), 1, values.shape[2])) for end in (first, last)]
    differences: Floats = np.diff(np.concatenate([ends[0], values, ends[1]], axis=1), axis=1)
    return differences
