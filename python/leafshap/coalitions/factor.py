"""A covariance's Cholesky factor and inverses, by LAPACK's routines for triangles.

numpy would invert them as general matrices, which was half of the estimator's time. scipy is there
whenever LightGBM or XGBoost is; both need it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]


class Factor:
    """`covariance = lower @ lower.T`."""

    def __init__(self, covariance: _Floats) -> None:
        self.lower = np.linalg.cholesky(covariance)

    @property
    def half_log_determinant(self) -> float:
        """Half of the logarithm of the covariance's determinant."""
        return float(np.log(np.diag(self.lower)).sum())

    def solve(self, y: _Floats) -> _Floats:
        """`covariance^-1 @ y`."""
        from scipy.linalg import cho_solve

        out: _Floats = cho_solve((self.lower, True), y, check_finite=False)
        return out

    def whiten(self, y: _Floats) -> _Floats:
        """`lower^-1 @ y`."""
        from scipy.linalg import solve_triangular

        out: _Floats = solve_triangular(self.lower, y, lower=True, check_finite=False)
        return out

    def inverse(self) -> _Floats:
        """`covariance^-1`."""
        from scipy.linalg.lapack import dpotri

        triangle = np.tril(dpotri(self.lower, lower=1)[0])
        out: _Floats = triangle + np.tril(triangle, -1).T
        return out
