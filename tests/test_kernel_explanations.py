"""What KernelExplainer's explanations hold, shap's way of calling it, and `l1_reg`."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest

from leafshap import Explanation, InvalidInputError, KernelExplainer, MissingDependencyError
from oracle_coalitions import RandomGame

Array = Any
GAME = RandomGame(14, 3, seed=2)
ZEROS, ONES = np.zeros((1, 14)), np.ones((3, 14))


def two(X: Array) -> Array:
    first = np.sin(X).sum(axis=1) + X[:, 0] * X[:, 1] * X[:, 2] * X[:, 3]
    return np.column_stack([first, np.tanh(first)])


def p(X: Array) -> Array:
    return 1 / (1 + np.exp(-two(X)))


def data(n: int = 6, n_players: int = 9) -> tuple[Array, Array]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, n_players)), rng.normal(size=(4, n_players))


# ---------------------------------------------------------------- fields


@pytest.mark.parametrize("nsamples", [60, "auto"])
def test_fields(nsamples: int | str) -> None:
    X, background = data()
    found = KernelExplainer(two, background)(X, nsamples=nsamples)
    assert found.values.shape == (6, 9, 2)
    assert found.values.dtype == np.float64
    assert found.standard_errors is not None
    assert found.standard_errors.shape == (6, 9, 2)
    assert found.exact == (nsamples == "auto")
    assert ((found.standard_errors == 0) == found.exact).all()
    assert isinstance(found.n_evaluations, np.ndarray)
    assert found.n_evaluations.dtype == np.int64
    np.testing.assert_array_equal(found.n_evaluations, 512 if nsamples == "auto" else 62)
    assert found.base_values.shape == (6, 2)
    assert found.data is X
    assert found.feature_names is None
    assert found.compute_time is not None
    assert found.compute_time > 0
    assert ("exact" in repr(found)) == found.exact
    np.testing.assert_allclose(found.values.sum(axis=1) + found.base_values, two(X), rtol=1e-10)


def test_one_inexact_row_is_enough() -> None:
    """`exact` is of all rows; `n_evaluations` tells them apart."""
    X, background = data()
    X[1:, 3:] = background[:, 3:] = 0.5
    X[0, 3:] = 0.25
    found = KernelExplainer(two, background)(X, nsamples=60)
    assert not found.exact
    assert isinstance(found.n_evaluations, np.ndarray)
    assert found.n_evaluations.tolist() == [62, 8, 8, 8, 8, 8]
    assert found.standard_errors is not None
    np.testing.assert_array_equal(found.standard_errors[1:], 0.0)
    assert (found.standard_errors[0] > 0).all()


def test_slicing() -> None:
    X, background = data()
    found = KernelExplainer(two, background)(X, nsamples=60)
    assert found.standard_errors is not None
    one, some = found[2], found[[0, 4]]
    np.testing.assert_array_equal(one.standard_errors, found.standard_errors[2])
    assert one.n_evaluations == 62
    np.testing.assert_array_equal(some.standard_errors, found.standard_errors[[0, 4]])
    np.testing.assert_array_equal(some.n_evaluations, [62, 62])
    assert not some.exact
    np.testing.assert_array_equal(some.data, X[[0, 4]])


def test_expected_value() -> None:
    _, background = data()
    both = KernelExplainer(two, background)
    np.testing.assert_allclose(both.expected_value, two(background).mean(axis=0))
    first = KernelExplainer(lambda X: two(X)[:, 0], background)
    assert isinstance(first.expected_value, float)
    assert first.expected_value == pytest.approx(two(background)[:, 0].mean())
    column = KernelExplainer(lambda X: two(X)[:, :1], background)
    assert np.shape(column.expected_value) == (1,)


def test_values_cannot_be_changed_from_outside() -> None:
    """Neither by what was returned before, nor through the data that was given."""
    X, background = data()
    explainer = KernelExplainer(two, background)
    first = explainer(X)
    kept = first.values.copy()
    first.values[:] = 0
    expected = np.array(explainer.expected_value)
    background[:] = 0
    np.testing.assert_array_equal(explainer(X).values, kept)
    np.testing.assert_array_equal(explainer.expected_value, expected)
    with pytest.raises(ValueError, match="read-only"):
        explainer.expected_value[0] = 1.0  # type: ignore[index]


# ---------------------------------------------------------------- shap


@pytest.mark.parametrize("single", [False, True])
def test_to_shap(single: bool) -> None:
    shap = pytest.importorskip("shap")
    X, background = data()
    names = [f"x{j}" for j in range(9)]
    found = KernelExplainer(lambda X: two(X)[:, 0], background, names)(X[0] if single else X)
    theirs = found.to_shap()
    assert isinstance(theirs, shap.Explanation)
    np.testing.assert_array_equal(theirs.values, found.values)
    np.testing.assert_array_equal(theirs.data, X[0] if single else X)
    np.testing.assert_array_equal(theirs.error_std, found.standard_errors)
    assert list(theirs.feature_names) == names


def test_plots_of_shap() -> None:
    shap = pytest.importorskip("shap")
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    X, background = data()
    names = [f"x{j}" for j in range(9)]
    theirs = KernelExplainer(two, background, names)(X).to_shap()
    try:
        shap.plots.bar(theirs[:, :, 0], show=False)
        shap.plots.beeswarm(theirs[:, :, 1], show=False)
        shap.plots.waterfall(theirs[0, :, 0], show=False)
    finally:
        plt.close("all")


def test_call_as_shap() -> None:
    """Everything `shap.KernelExplainer` takes, by position where it does."""
    X, background = data()
    names = [f"x{j}" for j in range(9)]
    explainer = KernelExplainer(p, background, names, "logit")
    plain = explainer.shap_values(X)
    for call in (
        lambda: explainer.shap_values(X, 510, "auto"),
        lambda: explainer.shap_values(X, nsamples=510, l1_reg=False, silent=True, gc_collect=True),
        lambda: explainer.shap_values(X, gc_collect=False, silent=False),
        lambda: np.asarray(explainer(X, l1_reg=0, silent=True).values),
    ):
        np.testing.assert_array_equal(call(), plain)
    assert explainer(X).feature_names == names


def test_data_and_links_of_shap() -> None:
    shap = pytest.importorskip("shap")
    pytest.importorskip("sklearn")
    X, background = data()
    centres = shap.kmeans(background, 2)
    ours = KernelExplainer(p, centres, link="logit").shap_values(X)
    theirs = shap.KernelExplainer(p, centres, link="logit")
    expected = theirs.shap_values(X, nsamples=510, l1_reg=False, silent=True)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-8)
    masker = shap.maskers.Independent(background)
    by_object = KernelExplainer(p, masker, link=shap.links.logit).shap_values(X)
    by_name = KernelExplainer(p, background, link="logit").shap_values(X)
    np.testing.assert_array_equal(by_object, by_name)


# ---------------------------------------------------------------- l1_reg


@pytest.mark.parametrize("k", [1, 2, 3, 5, 9, 20])
def test_features_kept_by_number(k: int) -> None:
    """As many as shap keeps, the same ones, with the same values, as all coalitions are known."""
    pytest.importorskip("sklearn")
    shap = pytest.importorskip("shap")
    X, background = data()
    ours = KernelExplainer(two, background).shap_values(X, 510, f"num_features({k})")
    kept = np.count_nonzero(ours, axis=1)
    assert (kept == min(k, 9)).all()
    theirs = shap.KernelExplainer(two, background)
    values = theirs.shap_values(X, nsamples=510, l1_reg=f"num_features({k})", silent=True)
    np.testing.assert_array_equal(np.count_nonzero(np.abs(values) > 1e-12, axis=1), kept)
    np.testing.assert_allclose(ours, values, rtol=0, atol=1e-8)


@pytest.mark.filterwarnings("ignore:l1_reg kept no feature")  # shap says nothing of it
@pytest.mark.parametrize("l1_reg", ["aic", "bic", 1e-4, 1e-3, 3e-3])
def test_features_kept_by_shap(l1_reg: str | float) -> None:
    pytest.importorskip("sklearn")
    shap = pytest.importorskip("shap")
    X, background = data()
    ours = KernelExplainer(two, background).shap_values(X, 510, l1_reg)
    theirs = shap.KernelExplainer(two, background)
    values = theirs.shap_values(X, nsamples=510, l1_reg=l1_reg, silent=True)
    np.testing.assert_allclose(ours, values, rtol=0, atol=1e-8)


@pytest.mark.parametrize("l1_reg", ["num_features(4)", "aic", "bic", 0.001])
def test_selected_of_some_coalitions(l1_reg: str | float) -> None:
    pytest.importorskip("sklearn")
    found = KernelExplainer(GAME, ZEROS)(ONES, nsamples=100, l1_reg=l1_reg)
    total = GAME(ONES)[0] - GAME(ZEROS)[0]
    np.testing.assert_allclose(found.values.sum(axis=1), total, rtol=1e-9)
    dropped = found.values == 0
    assert 0 < dropped.sum() < dropped.size
    assert found.standard_errors is not None
    assert np.isnan(found.standard_errors[dropped]).all()
    assert np.isfinite(found.standard_errors[~dropped]).all()


def test_values_of_selected_features_are_not_called_exact() -> None:
    """The lasso drops small values: the sum is right, the values are not Shapley values."""
    pytest.importorskip("sklearn")
    found = KernelExplainer(GAME, ZEROS)(ONES, nsamples=2**14, l1_reg="num_features(4)")
    assert np.abs(found.values[0] - GAME.shapley_values).max() > 1e-3
    assert not found.exact


def test_nothing_selected() -> None:
    """As in shap, all values are 0 then, but a warning says so; nothing of numpy is heard."""
    pytest.importorskip("sklearn")
    with pytest.warns(RuntimeWarning, match="l1_reg kept no feature for 1 of 1 rows"):
        found = KernelExplainer(GAME, ZEROS)(ONES[:1], tol=0.1, nsamples=500, l1_reg=50.0)
    np.testing.assert_array_equal(found.values, 0.0)


@pytest.mark.parametrize("off", [False, None, "auto", 0, 0.0])
def test_off_by_default(off: Any) -> None:
    X, background = data()
    explainer = KernelExplainer(two, background)
    np.testing.assert_array_equal(explainer.shap_values(X), explainer.shap_values(X, l1_reg=off))


@pytest.mark.parametrize(
    "l1_reg", ["num_features(0)", "num_features", "AIC", True, -0.1, float("nan"), float("inf"), []]
)
def test_wrong_l1(l1_reg: Any) -> None:
    with pytest.raises(InvalidInputError, match="l1_reg must be"):
        KernelExplainer(GAME, ZEROS).shap_values(ONES, l1_reg=l1_reg)


@pytest.mark.parametrize("estimator", ["gaussian_process", "permutation", "proxy"])
def test_l1_is_of_the_regression(estimator: str) -> None:
    with pytest.raises(InvalidInputError, match='l1_reg needs estimator="regression"'):
        KernelExplainer(GAME, ZEROS, estimator=estimator).shap_values(ONES, l1_reg="aic")


def test_l1_without_sklearn(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("sklearn"):
            raise ImportError(name)
        return original(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match="pip install scikit-learn"):
        KernelExplainer(GAME, ZEROS).shap_values(ONES, nsamples=100, l1_reg="aic")


# ---------------------------------------------------------------- wrong arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"estimator": "lasso"},
            "unknown estimator 'lasso': expected one of auto, quick",
        ),
        ({"seed": -1}, "seed must be a whole number"),
        ({"seed": 2**64}, "seed must be a whole number"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"seed": None}, "seed must be a whole number"),
        ({"n_jobs": 0}, "n_jobs must be"),
        ({"model_output": "probability"}, "is for tree models"),
        ({"feature_names": ["a", "b"]}, "2 feature_names were given"),
        ({"groups": [[0, 1], [1]]}, "in group 0 and in group 1"),
        ({"sample_weight": [1.0, 2.0]}, "background weights have the shape"),
        ({"sample_weight": [-1.0]}, "background weights must be finite"),
        ({"link": "log"}, "link must be"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        KernelExplainer(GAME, ZEROS, **arguments)


def test_largest_seed() -> None:
    found: Explanation = KernelExplainer(GAME, ZEROS, seed=2**64 - 1)(ONES, nsamples=100)
    assert np.isfinite(found.values).all()


def test_model_that_is_no_function() -> None:
    sklearn = pytest.importorskip("sklearn.linear_model")
    with pytest.raises(NotImplementedError, match=r"pass model\.predict"):
        KernelExplainer(sklearn.LinearRegression(), ZEROS)


def test_repr() -> None:
    assert repr(KernelExplainer(GAME, ZEROS, seed=3)) == (
        "<KernelExplainer: 1 background row, estimator 'auto', seed 3>"
    )
