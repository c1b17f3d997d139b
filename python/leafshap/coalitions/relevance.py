"""How much every player interacts: the relevances of the prior, by marginal likelihood.

The even part of a game, which has no Shapley value, still tells which players interact: it has the
same relevances, with cosh in the place of sinh. Both parts are profiled over their scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leafshap.coalitions.covariance import SpectralPrior, half_log_odds
from leafshap.coalitions.factor import Factor

_Floats = npt.NDArray[np.float64]

NUGGET = 1e-6  # of the prior variance, keeps the factorisations stable
_FLAT = 1e4  # prior variance of a mean that is not known, relative to the rest
_PRIOR_PRECISION = 0.1  # of the log relevances around their common mean
_FIRST, _LEAST, _MOST = 0.1, 1e-5, 0.95
_STEPS = 20  # of L-BFGS; more changed the estimates by less than 1%


@dataclass(frozen=True)
class Evidence:
    """Signs of some coalitions, the last of them the full one, and both parts of the game there."""

    signs: _Floats  # (n, M)
    odd: _Floats  # (n,)
    even: _Floats | None  # (n - 1,), without the full coalition; None if it is constant

    def negative_log(self, u: _Floats) -> tuple[float, _Floats]:
        """Minus the log evidence at u = log(relevance_1 ... relevance_M, slope), and gradient."""
        s, n_players = self.signs, self.signs.shape[1]
        relevance, slope = np.exp(u[:-1]), np.exp(u[-1])
        half, base = half_log_odds(relevance)
        dot = (s * half) @ s.T
        sinh, cosh = np.sinh(dot) * base, np.cosh(dot) * base
        scale = sinh[0, 0]
        shrink = 1 - relevance**2
        scale_slope = (sinh[0, 0] * -relevance + cosh[0, 0]) / shrink

        linear = slope * ((s * relevance) @ s.T)
        total, w = _profiled(self.odd, sinh + linear, scale)
        gradient = _along(s, w * cosh) / shrink - (w * sinh).sum() * relevance / shrink
        gradient += slope * _along(s, w) + NUGGET * np.trace(w) * scale_slope
        by_slope = float((w * linear).sum())
        if self.even is not None:
            known = slice(len(self.even))
            sinh, cosh = sinh[known, known], cosh[known, known]
            even, w = _profiled(self.even, cosh + _FLAT * scale, scale)
            total += even
            gradient += _along(s[known], w * sinh) / shrink - (w * cosh).sum() * relevance / shrink
            gradient += (_FLAT * w.sum() + NUGGET * np.trace(w)) * scale_slope
        apart = u[:-1] - u[:-1].mean()
        total += 0.5 * _PRIOR_PRECISION * float(apart @ apart)
        out = np.empty(n_players + 1)
        out[:-1] = gradient * relevance + _PRIOR_PRECISION * apart
        out[-1] = by_slope
        return total, out


def fit_relevance(evidence: Evidence) -> SpectralPrior:
    """Find the relevances and the slope of the linear term that make the data most likely."""
    from scipy.optimize import minimize

    n_players = evidence.signs.shape[1]
    bounds = [(np.log(_LEAST), np.log(_MOST))] * n_players + [(np.log(1e-2), np.log(1e6))]
    best = minimize(
        evidence.negative_log,
        np.append(np.full(n_players, np.log(_FIRST)), 0.0),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": _STEPS},
    ).x
    relevance = np.exp(best[:-1])
    return SpectralPrior(relevance, float(np.exp(best[-1])) * relevance)


def _profiled(values: _Floats, covariance: _Floats, scale: float) -> tuple[float, _Floats]:
    """Minus the log evidence with the best scale, and its derivative by the covariance."""
    n = len(values)
    covariance = covariance + NUGGET * scale * np.eye(n)
    factor = Factor(covariance)
    inverse = factor.inverse()
    solved = inverse @ values
    square = float(values @ solved)
    total = 0.5 * n * np.log(square / n) + factor.half_log_determinant
    return total, 0.5 * inverse - (0.5 * n / square) * np.outer(solved, solved)


def _along(s: _Floats, w: _Floats) -> _Floats:
    """`sum_ab s_ai w_ab s_bi` for every player i."""
    out: _Floats = np.einsum("ai,ai->i", s, w @ s)
    return out
