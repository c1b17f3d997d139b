"""KernelExplainer of tree models, whose coalitions the core evaluates."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import oracle
import oracle_background
from leafshap import (
    AdditivityError,
    InvalidInputError,
    KernelExplainer,
    TreeEnsemble,
    TreeExplainer,
    UnsupportedModelError,
)
from leafshap.converters.arrays import EnsembleArrays
from oracle_coalitions import Floats, logit, shap_values
from small_ensembles import no_trees, stump
from strategies import Recipe, random_ensemble, random_rows
from tolerance import assert_close

Array = Any
SAMPLED = ["regression", "gaussian_process", "permutation"]
# numbers only, so that rows of a normal distribution make all features vary
PLAIN = Recipe(categorical=0.0, policies=(0,), precision="float64", n_trees=12)


def rows_of(n_features: int, n: int, m: int, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng([seed, n_features])
    return rng.normal(size=(n, n_features)), rng.normal(size=(m, n_features))


def output_of(arrays: EnsembleArrays, link: str) -> Any:
    """The prediction of rows by the oracle's trees, after a link."""

    def predict(X: Array) -> Floats:
        margins = oracle.predict(arrays, X)
        if link == "logistic":
            return np.asarray(1 / (1 + np.exp(-margins)))
        if link == "exp":
            return np.asarray(np.exp(margins))
        if link == "softmax":
            e = np.exp(margins - margins.max(axis=1, keepdims=True))
            return np.asarray(e / e.sum(axis=1, keepdims=True))
        return margins

    return predict


# ---------------------------------------------------------------- exact values


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_margins_are_those_of_the_exact_method(seed: int, n_outputs: int, weighted: bool) -> None:
    """Any trees: categories, missing values, rows on thresholds; all coalitions of 8 features."""
    arrays = random_ensemble(Recipe(seed=seed, n_features=8, n_outputs=n_outputs, n_trees=6))
    rows = random_rows(arrays, 25)
    X, background = rows[:15], rows[15:]
    w = np.random.default_rng(seed).random(10) if weighted else None
    ensemble = TreeEnsemble(arrays)
    found = KernelExplainer(ensemble, background, sample_weight=w)(X)
    assert found.exact
    expected = oracle_background.shap_by_leaves(arrays, X, background, w)
    assert_close(found.values.reshape(expected.shape), expected, "float64")
    base = oracle_background.expected_values(arrays, background, w)
    np.testing.assert_allclose(found.base_values.reshape(15, -1)[0], base, rtol=1e-10, atol=1e-12)
    assert found.values.ndim == (2 if n_outputs == 1 else 3)


@pytest.mark.parametrize(
    ("link", "n_outputs", "model_output"),
    [
        ("logistic", 1, "probability"),
        ("logistic", 2, "predict_proba"),
        ("exp", 1, "predict"),
        ("softmax", 3, "probability"),
        ("softmax", 4, "predict_proba"),
    ],
)
def test_other_outputs_by_brute_force(link: str, n_outputs: int, model_output: str) -> None:
    arrays = random_ensemble(PLAIN.but(n_features=7, n_outputs=n_outputs, seed=n_outputs))
    arrays = replace(arrays, link=link)
    X, background = rows_of(7, 3, 5)
    w = np.arange(1.0, 6.0)
    explainer = KernelExplainer(
        TreeEnsemble(arrays), background, model_output=model_output, sample_weight=w
    )
    found = explainer(X)
    f = output_of(arrays, link)
    expected = shap_values(f, X, background, w)
    assert found.exact
    assert_close(found.values.reshape(expected.shape), expected, "float64")
    total = found.values.sum(axis=1) + found.base_values
    np.testing.assert_allclose(total.reshape(3, -1), f(X), rtol=1e-10)
    if link == "softmax":
        np.testing.assert_allclose(found.values.sum(axis=2), 0.0, atol=1e-12)


def test_logit_of_probabilities() -> None:
    """Of a coalition's mean probability: not the same as the margin."""
    arrays = replace(random_ensemble(PLAIN.but(n_features=6)), link="logistic")
    X, background = rows_of(6, 3, 5)
    ensemble = TreeEnsemble(arrays)
    found = KernelExplainer(ensemble, background, link="logit", model_output="probability")(X)
    expected = shap_values(output_of(arrays, "logistic"), X, background, link=logit)
    assert_close(found.values[:, :, None], expected, "float64")
    margins = KernelExplainer(ensemble, background)(X).values
    assert np.abs(found.values - margins).max() > 1e-3


@pytest.mark.parametrize("model_output", ["raw", "probability"])
def test_groups(model_output: str) -> None:
    """A group of which the model uses one column, one that it does not use at all, the rest."""
    arrays = random_ensemble(PLAIN.but(n_features=8, n_outputs=3, n_trees=6))
    used = oracle.used_features(arrays).tolist()
    arrays = replace(
        arrays, link="softmax", n_features=10, feature_names=[f"x{j}" for j in range(10)]
    )
    X, background = rows_of(10, 3, 4)
    groups = {"first": ["x0", 9], "unused": ["x8"], "pair": ["x3", "x5"]}
    found = KernelExplainer(
        TreeEnsemble(arrays), background, groups=groups, model_output=model_output
    )(X)
    assert found.feature_names == ["first", "unused", "pair", "x1", "x2", "x4", "x6", "x7"]
    assert len(used) >= 6
    players = [[0, 9], [8], [3, 5], [1], [2], [4], [6], [7]]
    f = output_of(arrays, "softmax" if model_output == "probability" else "identity")
    assert_close(found.values, shap_values(f, X, background, players=players), "float64")
    np.testing.assert_array_equal(found.values[:, 1], 0.0)


def test_no_trees_and_one() -> None:
    X, background = rows_of(2, 3, 4)
    found = KernelExplainer(TreeEnsemble(no_trees()), background)(X)
    np.testing.assert_array_equal(found.values, np.zeros((3, 2)))
    np.testing.assert_array_equal(found.base_values, np.ones(3))
    X[0, 0] = 3.0
    found = KernelExplainer(TreeEnsemble(stump()), background)(X)
    np.testing.assert_allclose(found.values, [[5, 0], [0, 0], [0, 0]], atol=1e-12)
    np.testing.assert_array_equal(found.n_evaluations, 2)
    assert found.exact


def test_rows_single_and_none() -> None:
    arrays = random_ensemble(PLAIN.but(n_features=6, n_outputs=2))
    X, background = rows_of(6, 4, 5)
    explainer = KernelExplainer(TreeEnsemble(arrays), background)
    many, one, none = explainer(X), explainer(X[2]), explainer(X[:0])
    np.testing.assert_array_equal(one.values, many.values[2])
    assert one.values.shape == (6, 2)
    assert none.values.shape == (0, 6, 2)
    assert none.base_values.shape == (0, 2)


# ---------------------------------------------------------------- sampled values


@pytest.mark.parametrize("n_features", [15, 30, 60, 100])
def test_margins_converge_to_the_exact_method(n_features: int) -> None:
    """16 times the evaluations: at most 1 / 2.5 of the error (1 / 4 in the long run)."""
    arrays = random_ensemble(
        PLAIN.but(n_features=n_features, n_trees=2 * n_features, seed=n_features)
    )
    ensemble = TreeEnsemble(arrays)
    X, background = rows_of(n_features, 4, 20)
    exact: Floats = np.asarray(TreeExplainer(ensemble, background).shap_values(X), np.float64)
    errors = {}
    for per_feature in (4, 64):
        found = [
            KernelExplainer(ensemble, background, seed=seed)(X, nsamples=per_feature * n_features)
            for seed in range(5)
        ]
        miss = np.array([e.values - exact for e in found])
        standard = np.array([e.standard_errors for e in found])
        covered = (np.abs(miss) <= 2 * standard + 1e-12).mean()
        assert 0.88 <= covered <= 1.0
        errors[per_feature] = np.sqrt((miss**2).mean())
    assert errors[64] < errors[4] / 2.5


@pytest.mark.parametrize("estimator", SAMPLED)
@pytest.mark.parametrize("model_output", ["raw", "probability"])
def test_function_and_core_agree(model_output: str, estimator: str) -> None:
    """The same seed and players draw the same coalitions, whoever evaluates them."""
    arrays = random_ensemble(PLAIN.but(n_features=14, n_outputs=2, n_trees=60))
    arrays = replace(arrays, link="softmax")
    X, background = rows_of(14, 6, 9)
    core = KernelExplainer(
        TreeEnsemble(arrays), background, estimator=estimator, seed=4, model_output=model_output
    )(X, nsamples=120)
    f = output_of(arrays, "softmax" if model_output == "probability" else "identity")
    function = KernelExplainer(f, background, estimator=estimator, seed=4)(X, nsamples=120)
    same = core.n_evaluations == function.n_evaluations  # the core knows who cannot matter
    assert isinstance(same, np.ndarray)
    assert same.sum() > 3
    assert not core.exact
    tolerance = 1e-7 if estimator == "gaussian_process" else 1e-10  # learned step by step
    scale = np.abs(function.values).max()
    for ours, theirs in (
        (core.values, function.values),
        (core.standard_errors, function.standard_errors),
    ):
        assert ours is not None
        assert theirs is not None
        np.testing.assert_allclose(ours[same], theirs[same], rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("model_output", ["raw", "probability"])
@pytest.mark.parametrize("estimator", SAMPLED)
def test_threads_and_other_rows_do_not_matter(estimator: str, model_output: str) -> None:
    arrays = replace(random_ensemble(PLAIN.but(n_features=12, n_trees=30)), link="logistic")
    X, background = rows_of(12, 7, 6)
    ensemble = TreeEnsemble(arrays)
    one, two = (
        KernelExplainer(
            ensemble, background, estimator=estimator, model_output=model_output, n_jobs=n_jobs
        )
        for n_jobs in (1, 2)
    )
    together = two(X, nsamples=60)
    for explainer, rows in ((one, slice(None)), (two, slice(2, 3)), (one, slice(3, 7))):
        found = explainer(X[rows], nsamples=60)
        np.testing.assert_array_equal(found.values, together.values[rows])
        assert together.standard_errors is not None
        np.testing.assert_array_equal(found.standard_errors, together.standard_errors[rows])


@pytest.mark.parametrize("n_features", [5, 6, 8, 10, 15])
def test_small_budgets_of_any_seed(n_features: int) -> None:
    """Nor do few coalitions fail for some seeds, because they happen to leave values open."""
    arrays = random_ensemble(PLAIN.but(n_features=n_features, n_trees=4 * n_features))
    X, background = rows_of(n_features, 1, 4)
    for per_feature in (2, 3, 4):
        for seed in range(40):
            explainer = KernelExplainer(TreeEnsemble(arrays), background, seed=seed, n_jobs=1)
            found = explainer(X, nsamples=per_feature * n_features)
            assert np.abs(found.values).max() < 50 * np.abs(arrays.leaf_value).max()


def test_tolerance() -> None:
    arrays = random_ensemble(PLAIN.but(n_features=20, n_trees=60))
    X, background = rows_of(20, 5, 8)
    explainer = KernelExplainer(TreeEnsemble(arrays), background)
    found = explainer(X, tol=0.02)
    assert found.standard_errors is not None
    spread = found.values.max(axis=1) - found.values.min(axis=1)
    assert (found.standard_errors.max(axis=1) <= 0.02 * spread).all()
    again = explainer(X[1:2], tol=0.02)
    np.testing.assert_array_equal(again.values, found.values[1:2])


def test_pickle() -> None:
    arrays = random_ensemble(PLAIN.but(n_features=6))
    X, background = rows_of(6, 3, 4)
    explainer = KernelExplainer(TreeEnsemble(arrays), background, seed=3, n_jobs=1)
    again = pickle.loads(pickle.dumps(explainer))
    np.testing.assert_array_equal(
        again.shap_values(X, nsamples=50), explainer.shap_values(X, nsamples=50)
    )


# ---------------------------------------------------------------- models of libraries


def test_multiclass_probabilities_of_a_model() -> None:
    xgboost = pytest.importorskip("xgboost")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5)).astype(np.float32)
    y = (X[:, 0] > 0).astype(int) + ((X[:, 1] * X[:, 2]) > 0.3)
    model = xgboost.XGBClassifier(n_estimators=8, max_depth=3, n_jobs=1).fit(X, y)
    background, rows = X[:6], X[6:9]
    found = KernelExplainer(model, background, model_output="probability")(rows)
    assert found.values.shape == (3, 5, 3)
    expected = shap_values(model.predict_proba, rows, background)
    # the library adds up float32
    np.testing.assert_allclose(found.values, expected, rtol=0, atol=2e-6)
    total = found.values.sum(axis=1) + found.base_values
    np.testing.assert_allclose(total, model.predict_proba(rows), rtol=0, atol=2e-6)


def test_frames_of_a_model() -> None:
    pd = pytest.importorskip("pandas")
    ensemble = pytest.importorskip("sklearn.ensemble")
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(100, 4)), columns=["a", "b", "c", "d"])
    y = (X["a"] * X["b"] > 0).to_numpy()
    model = ensemble.RandomForestClassifier(5, max_depth=4, random_state=0).fit(X, y)
    explainer = KernelExplainer(model, X[:10], groups=[["c", "d"]])
    found = explainer(X[10:13])
    assert found.feature_names == ["c + d", "a", "b"]
    players = [[2, 3], [0], [1]]
    expected = shap_values(model.predict_proba, X[10:13], X[:10], players=players)
    assert_close(found.values, expected, "float64")
    one = explainer(X.iloc[10])
    np.testing.assert_array_equal(one.values, found.values[0])


def test_additivity_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    X, background = rows_of(4, 20, 5)
    model = ensemble.GradientBoostingRegressor(n_estimators=5).fit(X, X[:, 0])
    explainer = KernelExplainer(model, background)
    explainer.shap_values(X)
    original = type(model).predict
    monkeypatch.setattr(type(model), "predict", lambda self, rows: original(self, rows) + 0.5)
    with pytest.raises(AdditivityError, match=r"row \d+:"):
        explainer.shap_values(X)
    explainer.shap_values(X, check_additivity=False)


# ---------------------------------------------------------------- wrong arguments


@pytest.mark.parametrize(
    ("link", "model_output", "error", "message"),
    [
        ("logistic", "log_loss", UnsupportedModelError, "TreeExplainer explains losses"),
        ("identity", "probability", UnsupportedModelError, "has no probability"),
        ("identity", "margin", InvalidInputError, "unknown model_output 'margin'"),
    ],
)
def test_outputs_that_there_are_not(
    link: str, model_output: str, error: type[Exception], message: str
) -> None:
    ensemble = TreeEnsemble(stump(link=link))
    with pytest.raises(error, match=message):
        KernelExplainer(ensemble, np.zeros((2, 2)), model_output=model_output)


def test_prediction_of_softmax_is_not_sent_to_where_it_comes_from() -> None:
    arrays = replace(random_ensemble(PLAIN.but(n_features=4, n_outputs=3)), link="softmax")
    with pytest.raises(UnsupportedModelError) as caught:
        KernelExplainer(TreeEnsemble(arrays), np.zeros((2, 4)), model_output="predict")
    assert "KernelExplainer can" not in str(caught.value)


def test_rows_that_do_not_fit() -> None:
    explainer = KernelExplainer(TreeEnsemble(stump()), np.zeros((2, 2)))
    with pytest.raises(InvalidInputError, match="3"):
        explainer.shap_values(np.zeros((1, 3)))
    with pytest.raises(InvalidInputError, match=r"feature_names has 1 names|1 names"):
        KernelExplainer(TreeEnsemble(stump()), np.zeros((2, 2)), ["a"])


def test_progress() -> None:
    """Counted as a function would be called; what a tolerance saves is done in the end."""
    ensemble = TreeEnsemble(random_ensemble(replace(PLAIN, n_features=14)))
    X, background = rows_of(14, 3, 4)
    options: dict[str, Any]
    for options in ({"nsamples": 100}, {"tol": 0.2, "nsamples": 4000}):
        told: list[tuple[int, int]] = []
        KernelExplainer(ensemble, background).shap_values(
            X, progress=lambda *now, told=told: told.append(now), **options
        )
        assert told[-1][0] == told[-1][1] > 0
        assert [done for done, _ in told] == sorted(done for done, _ in told)
