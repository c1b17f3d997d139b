"""KernelSHAP with a proxy: boosted trees tell where the game interacts, the sample how much.

RegressionMSR (Witter et al., NeurIPS 2025) takes the Shapley values of a boosted tree proxy and
adds a sampled correction of what the proxy leaves. Measured on the coalitions of tree models, that
correction decides: as weighted means it is worse than KernelSHAP without any proxy, as weighted
least squares it is little better than that. Here the trees are read as a Fourier spectrum
(`boosted`), which becomes part of the prior of a Gaussian process (`covariance`) beside a
relevance of every player (`relevance`); conditioned on all sampled pairs the process reproduces
each of them, whatever the trees were, and its Shapley values are linear in the sample. Constrained
weighted least squares, KernelSHAP's own, take what the process's nugget leaves.

Standard errors are the posterior ones, scaled by how far values of pairs that neither trees nor
process had seen were from their predictions (held-out folds).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.coalitions.boosted import choose_library, fit_boosted, third_order
from leafshap.coalitions.covariance import SpectralPrior, products
from leafshap.coalitions.factor import Factor
from leafshap.coalitions.relevance import NUGGET, Evidence, fit_relevance
from leafshap.errors import MissingDependencyError

_Floats = npt.NDArray[np.float64]

_MOST_FOR_PRIOR = 300  # pairs: the relevances need no more, and their time is cubic
_MOST_TRIPLES = 3000
_MOST_TRIPLES_PER_PAIR = 2  # the time of everything below is pairs^2 * triples
_SHARES = np.array([0.0, *np.geomspace(1e-3, 0.3, 6)])  # of the trees' term in the prior
_REWEIGHTINGS = 2  # of the triples by what the sample says about them; a third changes nothing
_FOLDS = 5
# With one fold held out a rare large surprise is often not in it: 82% of the values within two
# standard errors at worst. All folds are held out while that is cheap.
_MANY_PAIRS, _FOLDS_OF_MANY = 600, 2
_LEAST_PAIRS = 10  # below, nothing can be held out
_LINEAR = 1e-12  # a game whose odd part is linear up to this is solved by least squares


def proxy_values(
    coalitions: npt.NDArray[np.bool_],
    weights: _Floats,
    odd: _Floats,
    odd_full: _Floats,
    even: _Floats,
    seed: int,
    n_threads: int,
    library: str = "auto",
) -> tuple[_Floats, _Floats]:
    r"""Shapley values of games from sampled pairs of complements, and their standard errors.

    Parameters
    ----------
    coalitions : (P, M) bool
        One coalition S of every pair (S, N\S); neither empty nor full, no pair twice.
    weights : (P,) float64
        Least-squares weight of every pair: Shapley kernel over inclusion probability.
    odd, even : (P, C) float64
        (v(S) - v(N\S)) / 2 and (v(S) + v(N\S)) / 2 of every game.
    odd_full : (C,) float64
        (v(N) - v({})) / 2.
    seed : int
        Of the subsets, the folds and the trees; the result depends on nothing else.
    n_threads : int
        Games estimated at once.
    library : {"auto", "lightgbm", "xgboost"}
        What fits the trees.

    Returns
    -------
    values, standard_errors : (M, C) float64
        The values of a game add up to 2 * odd_full up to rounding. With all pairs they are exact
        and the errors zero.

    Raises
    ------
    MissingDependencyError, InvalidInputError
        See `boosted.choose_library`.
    """
    library = choose_library(library)
    n_players, n_games = coalitions.shape[1], odd.shape[1]
    values, errors = np.zeros((n_players, n_games)), np.zeros((n_players, n_games))
    if not n_games:
        return values, errors
    squares = LeastSquares(np.where(coalitions, 1.0, -1.0), weights)
    exact = len(coalitions) == 2 ** (n_players - 1) - 1

    def estimate(game: int) -> None:
        scale = max(float(np.abs(odd[:, game]).max(initial=0.0)), abs(float(odd_full[game])))
        if not scale:
            return
        g, full = odd[:, game] / scale, float(odd_full[game]) / scale
        phi = squares.solve(g, full)
        left = np.abs(g - squares.signs @ phi / 2).max(initial=0.0)
        if not exact and (len(g) <= n_players or left > _LINEAR):
            centred = even[:, game] - even[:, game].mean()
            sample = Sample(squares.signs, g, full, centred / scale)
            phi, error = _estimate(sample, squares, phi, seed, library)
            errors[:, game] = error * scale
        values[:, game] = phi * scale

    with one_blas_thread(), ThreadPoolExecutor(max(1, min(n_threads, n_games))) as pool:
        for _ in pool.map(estimate, range(n_games)):
            pass
    return values, errors


def one_blas_thread() -> Any:
    """Hold LAPACK to one thread while games have their own: faster, and always the same bits."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise MissingDependencyError(
            "the proxy estimator needs threadpoolctl: pip install leafshap[proxy]"
        ) from error
    return threadpool_limits(1, user_api="blas")


class LeastSquares:
    """KernelSHAP's regression on pairs, `odd(S) = s @ phi / 2`, with the sum of phi fixed."""

    def __init__(self, signs: _Floats, weights: _Floats) -> None:
        self.signs = signs
        n_players = signs.shape[1]
        basis = np.linalg.qr(np.column_stack([np.ones(n_players), np.eye(n_players)]))[0]
        self._free = basis[:, 1:n_players]  # directions that leave the sum as it is
        self._root = np.sqrt(weights / weights.max(initial=1e-300))
        self._operator = self._free @ np.linalg.pinv((signs @ self._free) * self._root[:, None])

    def solve(self, odd: _Floats, odd_full: float) -> _Floats:
        """Values (M,) that fit `odd` (P,) best and add up to `2 * odd_full`."""
        n_players = self.signs.shape[1]
        even_share = np.full(n_players, odd_full / n_players)
        left = (odd - self.signs @ even_share) * self._root
        out: _Floats = 2 * (even_share + self._operator @ left)
        return out


@dataclass(frozen=True)
class Sample:
    """Pairs of a game that are known, and its full coalition."""

    signs: _Floats  # (P, M)
    odd: _Floats  # (P,)
    odd_full: float
    even: _Floats  # (P,)

    def take(self, pairs: npt.NDArray[np.int64]) -> Sample:
        """Keep some pairs, and the full coalition."""
        return Sample(self.signs[pairs], self.odd[pairs], self.odd_full, self.even[pairs])

    def with_full(self) -> tuple[_Floats, _Floats]:
        """Signs and odd part with the full coalition as the last row."""
        full = np.ones((1, self.signs.shape[1]))
        return np.concatenate([self.signs, full]), np.append(self.odd, self.odd_full)


class Posterior:
    """The process conditioned on a sample."""

    def __init__(self, prior: SpectralPrior, sample: Sample) -> None:
        self.prior = prior
        self.signs, y = sample.with_full()
        covariance = prior.covariance(self.signs, self.signs)
        self.nugget = NUGGET * prior.scale
        covariance[np.diag_indices_from(covariance)] += self.nugget
        self._factor = Factor(covariance)
        self.solved = self._factor.solve(y)
        self.square = float(y @ self.solved) / len(y)  # the scale of the game

    def negative_log_evidence(self) -> float:
        """Minus the log evidence with the best scale."""
        by_scale = float(0.5 * len(self.solved) * np.log(self.square))
        return by_scale + self._factor.half_log_determinant

    def values(self) -> tuple[_Floats, _Floats]:
        """Mean and variance of every Shapley value."""
        cross = self.prior.covariance_with_values(self.signs)
        explained = np.square(self._factor.whiten(cross)).sum(0)
        variance = np.maximum(self.prior.variance_of_values() - explained, 0.0)
        return self.solved @ cross, variance * self.square

    def predict(self, signs: _Floats) -> tuple[_Floats, _Floats]:
        """Mean and variance of the odd part at other coalitions."""
        cross = self.prior.covariance(self.signs, signs)
        explained = np.square(self._factor.whiten(cross)).sum(0)
        variance = np.maximum(self.prior.variance() - explained, 0.0) + self.nugget
        return self.solved @ cross, variance * self.square

    def reweighted(self) -> SpectralPrior:
        """Second moments of the triples' coefficients as their variances (a step of EM)."""
        basis, v = products(self.signs, self.prior.triples), self.prior.triple_variances
        mean = v * (self.solved @ basis)
        spread = v - v**2 * np.square(self._factor.whiten(basis)).sum(0)
        moments = mean**2 / self.square + np.maximum(spread, 0.0)
        return replace(self.prior, triple_variances=moments)


def _estimate(
    sample: Sample, squares: LeastSquares, linear: _Floats, seed: int, library: str
) -> tuple[_Floats, _Floats]:
    """Values and standard errors of one game of scale 1."""
    rng = np.random.default_rng(seed)
    n_pairs = len(sample.odd)
    order = rng.permutation(n_pairs)
    some = sample.take(np.sort(order[:_MOST_FOR_PRIOR]))
    prior = _plain_prior(some)
    posterior = _fit(sample, some, prior, linear, seed, library)
    phi, variance = posterior.values()
    # what the nugget leaves at the sampled pairs, and the sum
    left = posterior.nugget * posterior.solved
    phi = phi + squares.solve(left[:-1], sample.odd_full - phi.sum() / 2)

    if n_pairs < _LEAST_PAIRS:
        return phi, np.sqrt(variance)
    surprise = 0.0
    folds = _FOLDS if n_pairs < _MANY_PAIRS else _FOLDS_OF_MANY
    for fold in range(folds):
        unseen = np.arange(fold, n_pairs, _FOLDS)
        seen = sample.take(np.delete(order, unseen))
        few = seen.take(np.arange(min(len(seen.odd), _MOST_FOR_PRIOR)))
        without = _fit(seen, few, prior, linear, seed, library)
        mean, spread = without.predict(sample.signs[order[unseen]])
        surprise += float(np.mean((sample.odd[order[unseen]] - mean) ** 2 / spread)) / folds
    return phi, np.sqrt(variance * surprise)


def _plain_prior(some: Sample) -> SpectralPrior:
    """Prior without triples."""
    signs, y = some.with_full()
    varies = float(some.even.std()) > 1e-9
    return fit_relevance(Evidence(signs, y, some.even if varies else None))


def _fit(
    sample: Sample, some: Sample, prior: SpectralPrior, linear: _Floats, seed: int, library: str
) -> Posterior:
    """Let the trees say where triples interact, and the sample how much."""
    residual = sample.odd - sample.signs @ linear / 2
    rows = np.concatenate([sample.signs, -sample.signs]) > 0
    values = np.concatenate([sample.even + residual, sample.even - residual])
    spread = values.std()
    if not spread > 0:
        return Posterior(prior, sample)
    trees = fit_boosted(rows.astype(np.float64), values / spread, seed, library)
    triples, coefficients = third_order(trees)
    if not len(triples):
        return Posterior(prior, sample)
    most = min(_MOST_TRIPLES, _MOST_TRIPLES_PER_PAIR * len(residual))
    largest = np.argsort(-np.abs(coefficients), kind="stable")[:most]
    variances = coefficients[largest] ** 2
    variances *= prior.scale / variances.sum()
    shares = [replace(prior, triples=triples[largest], triple_variances=variances * share)
              for share in _SHARES]  # fmt: skip
    evidence = [Posterior(candidate, some).negative_log_evidence() for candidate in shares]
    posterior = Posterior(shares[int(np.argmin(evidence))], sample)
    for _ in range(_REWEIGHTINGS):
        if posterior.prior.triple_variances.any():
            posterior = Posterior(posterior.reweighted(), sample)
    return posterior
