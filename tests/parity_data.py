"""Tables and targets on which models are compared with their libraries' and shap's values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

N, F = 400, 6


def table(*, nan: bool = False, categories: bool = False, zeros: bool = False) -> Array:
    """Rows that float32 holds exactly; column 0 holds codes 0..8 if `categories`."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, F)).astype(np.float32).astype(np.float64)
    X[:, 5] = np.round(X[:, 5])
    if categories:
        X[:, 0] = rng.integers(9, size=N)
    if zeros:
        X[rng.random(X.shape) < 0.3] = 0.0
    if nan:
        X[:, 1:][rng.random((N, F - 1)) < 0.15] = np.nan
    return X


def target(X: Array) -> Array:
    x = np.nan_to_num(X, nan=0.7)
    return np.asarray(
        np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + (x[:, 3] > 0) * x[:, 4] + 0.5 * x[:, 5]
    )


def classes(X: Array, n: int) -> Array:
    y = target(X)
    return np.searchsorted(np.quantile(y, np.arange(1, n) / n), y)


def by_output(values: Array) -> Array:
    """(n, F) or (n, F, K) -> (n, F, K)."""
    return values[:, :, None] if values.ndim == 2 else values
