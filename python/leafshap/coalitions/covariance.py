r"""A Gaussian prior of a game's odd part, (v(S) - v(N\S)) / 2, in the Fourier basis.

With `s` in {-1, +1}^M the odd part is a sum of `beta_T prod_{i in T} s_i` over coalitions T of odd
size, and such a product gives each player of T the Shapley value 2 / |T| (symmetry and
efficiency). The prior takes the `beta_T` as independent, with variances

* size 1: `linear[i]`;
* every odd size: `prod_{i in T} relevance[i]`, so that all 2^(M-1) of them add up in closed form:
  `k(s, t) = (prod(1 + r_i s_i t_i) - prod(1 - r_i s_i t_i)) / 2`;
* in addition, for single triples, `triple_variances`: where boosted trees saw an interaction.

Variances are relative: the scale of the game is estimated beside them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]

# Nodes of the integral over the probability of joining a coalition: exact up to 48 players; beyond
# that the error is far below that of the estimate
_MOST_NODES = 24


@dataclass(frozen=True)
class SpectralPrior:
    """Prior variances of the odd Fourier coefficients."""

    relevance: _Floats  # (M,), in (0, 1)
    linear: _Floats  # (M,)
    triples: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 3), np.int64))
    triple_variances: _Floats = field(default_factory=lambda: np.empty(0))

    @property
    def scale(self) -> float:
        """Prior variance that every coalition has from the product term."""
        plus, minus = np.log1p(self.relevance).sum(), np.log1p(-self.relevance).sum()
        return float((np.exp(plus) - np.exp(minus)) / 2)

    def covariance(self, s: _Floats, t: _Floats) -> _Floats:
        """Covariance of the odd part at the rows of `s` and at those of `t`."""
        half, base = half_log_odds(self.relevance)
        return (
            np.sinh((s * half) @ t.T) * base
            + (s * self.linear) @ t.T
            + (products(s, self.triples) * self.triple_variances) @ products(t, self.triples).T
        )

    def variance(self) -> float:
        """Prior variance of the odd part at any coalition."""
        return self.scale + float(self.linear.sum() + self.triple_variances.sum())

    def covariance_with_values(self, s: _Floats) -> _Floats:
        """Covariance of the odd part at the rows of `s` with every Shapley value, (n, M)."""
        nodes, weights = _nodes(len(self.relevance))
        signed = s * self.relevance
        out = 2 * s * self.linear
        for x, w in zip(nodes, weights, strict=True):
            factor = 1 + x * signed
            out += w * 2 * signed * (np.exp(np.log(factor).sum(1))[:, None] / factor)
        part = products(s, self.triples) * (self.triple_variances * (2 / 3))
        for position in range(3):
            for_player = np.zeros((len(self.triples), len(self.relevance)))
            for_player[np.arange(len(self.triples)), self.triples[:, position]] = 1
            out += part @ for_player
        return out

    def variance_of_values(self) -> _Floats:
        """Prior variance of every Shapley value, (M,)."""
        nodes, weights = _nodes(len(self.relevance))
        pairs = np.multiply.outer(nodes, nodes).reshape(-1)
        factor = 1 + pairs[:, None] * self.relevance
        others = np.exp(np.log(factor).sum(1))[:, None] / factor
        out = 4 * self.relevance * (np.multiply.outer(weights, weights).reshape(-1) @ others)
        out += 4 * self.linear
        for position in range(3):
            of_triples = self.triple_variances * (4 / 9)
            out += np.bincount(self.triples[:, position], of_triples, minlength=len(out))
        variances: _Floats = out
        return variances


def half_log_odds(relevance: _Floats) -> tuple[_Floats, float]:
    """Write the product term as `base * sinh(sum_i half_i s_i t_i)`."""
    plus, minus = np.log1p(relevance), np.log1p(-relevance)
    return (plus - minus) / 2, float(np.exp((plus + minus).sum() / 2))


def products(s: _Floats, triples: npt.NDArray[np.int64]) -> _Floats:
    """`s_i s_j s_k` of every row and triple."""
    return s[:, triples[:, 0]] * s[:, triples[:, 1]] * s[:, triples[:, 2]]


def _nodes(n_players: int) -> tuple[_Floats, _Floats]:
    """Gauss-Legendre nodes and weights of the mean over [-1, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(min(n_players // 2 + 1, _MOST_NODES))
    return nodes, weights / 2
