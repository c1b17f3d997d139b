"""Data and comparisons for the tests of permutation importance."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import leafshap

sklearn = pytest.importorskip("sklearn")
inspection = pytest.importorskip("sklearn.inspection")

VERSION = tuple(int(part) for part in sklearn.__version__.split(".")[:2])

Floats = npt.NDArray[np.float64]

N = 300


def rows(n: int = N, seed: int = 0, *, missing: bool = False) -> Floats:
    """Six columns of numbers with ties; the last one matters to no target."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6)).round(2)
    if missing:
        X[rng.random(X.shape) < 0.1] = np.nan
    return X


def numbers(X: Floats, seed: int = 1) -> Floats:
    z = np.nan_to_num(X)
    noise = np.random.default_rng(seed).normal(size=len(X))
    return np.asarray(2 * z[:, 0] + z[:, 1] * z[:, 2] - np.abs(z[:, 3]) + 0.3 * noise)


def classes(X: Floats, n_classes: int = 3) -> npt.NDArray[np.int64]:
    y = numbers(X)
    return np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes))


def weights(n: int = N) -> Floats:
    return np.random.default_rng(5).random(n) + 0.1


def by_scikit(model: Any, X: Any, y: Any, **options: Any) -> Any:
    return inspection.permutation_importance(model, X, y, **options)


def by_leafshap(model: Any, X: Any, y: Any, **options: Any) -> Any:
    return leafshap.permutation_importance(model, X, y, **options)


def assert_equal(ours: Any, theirs: Any, atol: float = 1e-12) -> None:
    """The same Bunch, or dict of them; `atol` of scores."""
    if set(theirs) != {"importances", "importances_mean", "importances_std"}:
        assert list(ours) == list(theirs)
        for name in theirs:
            assert_equal(ours[name], theirs[name], atol)
        return
    assert type(ours) is type(theirs)
    for field in theirs:
        assert ours[field].shape == theirs[field].shape
        np.testing.assert_allclose(ours[field], theirs[field], rtol=0, atol=atol, err_msg=field)


def assert_as_scikit(model: Any, X: Any, y: Any, *, atol: float = 1e-12, **options: Any) -> Any:
    """Compare both on the same arguments; returns ours."""
    options = {"random_state": 3, "n_repeats": 3, **options}
    try:
        theirs = by_scikit(model, X, y, **options)
    except ValueError:
        if VERSION >= (1, 9):
            raise
        if {"sample_weight", "max_samples"} <= set(options):  # which older versions cannot do
            return by_leafshap(model, X, y, **options)
        with pytest.raises(ValueError, match=r"\w"):
            by_leafshap(model, X, y, **options)
        pytest.skip(f"scikit-learn {sklearn.__version__} cannot do it")
    ours = by_leafshap(model, X, y, **options)
    assert_equal(ours, theirs, atol)
    return ours


def forbid_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where the estimator would be called for shuffled rows."""

    def fail(*args: Any) -> Any:
        raise AssertionError("the estimator was called")

    monkeypatch.setattr("leafshap.importance.generic.importances", fail)
