"""The public API against each library's own SHAP values, and shap's; brute force where they fail.

Every model is also held to its own prediction: base plus values is what the library predicts.
Where a library or shap is known to be wrong (see the comments) the oracle decides, on the trees
that the converter read and that the model's own prediction confirms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import leafshap
import oracle
from leafshap import converters
from parity_data import Array, F, N, by_output, classes, table, target

if TYPE_CHECKING:
    from collections.abc import Callable


def check(
    explainer: leafshap.TreeExplainer, X: Array, expected: Array, base: Array, tolerance: float
) -> None:
    """Both are (n, F, K) and (K,); the tolerance is of the largest |phi|."""
    values = explainer.shap_values(X)
    phi = by_output(values)
    assert phi.shape == expected.shape
    scale = np.abs(expected).max()
    assert scale > 0.01
    np.testing.assert_allclose(phi, expected, rtol=0, atol=tolerance * scale)
    np.testing.assert_allclose(
        np.atleast_1d(explainer.expected_value),
        base,
        rtol=0,
        atol=tolerance * max(1.0, scale, float(np.abs(base).max())),
    )


def check_by_brute_force(model: Any, X: Array, predicted: Array) -> None:
    """The oracle on the converter's arrays, which must predict what the model predicts."""
    explainer = leafshap.TreeExplainer(model)
    arrays = converters.convert(model)
    if arrays.encode_numeric:
        coded = X.copy()
        for f, values in arrays.feature_categories.items():
            index = {value: code for code, value in enumerate(values)}
            coded[:, f] = [index.get(x, np.nan) for x in X[:, f]]
    else:
        coded = X
    expected, base = oracle.shap_brute_force(arrays, coded)
    predicted = predicted.reshape(len(X), -1)
    np.testing.assert_allclose(expected.sum(axis=1) + base, predicted, rtol=1e-5, atol=1e-5)
    check(explainer, X, expected, base, 1e-10)


# ---------------------------------------------------------------- XGBoost

XGBOOST: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    # name -> parameters, what is in the table, number of classes (0: regression)
    "regression": ({}, {}, 0),
    "missing": ({}, {"nan": True}, 0),
    "missing is -999": ({"missing": -999.0}, {"nan": True}, 0),
    "logistic": ({"objective": "binary:logistic"}, {"nan": True}, 2),
    "base score": ({"base_score": 0.3, "objective": "binary:logistic"}, {}, 2),
    "poisson": ({"objective": "count:poisson"}, {}, 3),
    "softmax": ({"objective": "multi:softprob", "num_class": 3}, {"nan": True}, 3),
    "dart": ({"booster": "dart", "rate_drop": 0.4, "one_drop": 1}, {}, 0),
    "dart multiclass": (
        {"booster": "dart", "rate_drop": 0.4, "objective": "multi:softprob", "num_class": 3},
        {}, 3),
    "parallel trees": ({"num_parallel_tree": 3, "subsample": 0.6, "colsample_bynode": 0.5}, {}, 0),
    "deep": ({"max_depth": 12, "min_child_weight": 0.0}, {"nan": True}, 0),
    "lossguide": ({"tree_method": "hist", "grow_policy": "lossguide", "max_leaves": 20}, {}, 0),
    "exact": ({"tree_method": "exact"}, {"nan": True}, 0),
    "pruned": ({"gamma": 2.0, "tree_method": "exact"}, {}, 0),
    "one-hot categories": ({"max_cat_to_onehot": 99}, {"categories": True, "nan": True}, 0),
    "sets of categories": ({"max_cat_to_onehot": 1}, {"categories": True, "nan": True}, 0),
}  # fmt: skip


@pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize("name", XGBOOST)
def test_xgboost_contributions(name: str) -> None:
    xgboost = pytest.importorskip("xgboost")
    parameters, content, n_classes = XGBOOST[name]
    X = table(**content)
    y = classes(X, n_classes) if n_classes else target(X)
    missing = parameters.get("missing", np.nan)
    X = np.where(np.isnan(X), missing, X)
    types = ["c" if content.get("categories") and f == 0 else "q" for f in range(F)]
    data = xgboost.DMatrix(X, y, missing=missing, feature_types=types, enable_categorical=True)
    settings = {"max_depth": 4, "eta": 0.3, "seed": 0, "nthread": 1, **parameters}
    settings.pop("missing", None)
    booster = xgboost.train(settings, data, num_boost_round=12)
    own = booster.predict(data, pred_contribs=True)
    own = own[:, :, None] if own.ndim == 2 else own.transpose(0, 2, 1)
    if np.isnan(missing):
        model: Any = booster
    else:  # a Booster does not know its missing value, the sklearn classes do
        model = xgboost.XGBRegressor(n_estimators=12, missing=missing, **settings)
        model.fit(X, y)
        booster = model.get_booster()
        own = booster.predict(data, pred_contribs=True)[:, :, None]
    # XGBoost adds up in float32
    check(leafshap.TreeExplainer(model), X, own[:, :F], own[0, F], 1e-5)


def test_xgboost_several_targets() -> None:
    xgboost = pytest.importorskip("xgboost")
    X = table(nan=True)
    y = np.stack([target(X), -(target(X) ** 2)], axis=1)
    data = xgboost.DMatrix(X, y)
    booster = xgboost.train({"max_depth": 4, "nthread": 1}, data, num_boost_round=8)
    own = booster.predict(data, pred_contribs=True).transpose(0, 2, 1)
    check(leafshap.TreeExplainer(booster), X, own[:, :F], own[0, F], 1e-5)


def test_xgboost_vector_leaves() -> None:
    """XGBoost's own contributions refuse such trees, or leave them out, in older versions."""
    xgboost = pytest.importorskip("xgboost", minversion="2.0")
    X = table(nan=True)
    y = np.stack([target(X), -(target(X) ** 2), X[:, 0]], axis=1)
    data = xgboost.DMatrix(X, y)
    parameters = {"max_depth": 3, "nthread": 1, "multi_strategy": "multi_output_tree"}
    booster = xgboost.train(parameters, data, num_boost_round=6)
    check_by_brute_force(booster, X, booster.predict(data, output_margin=True))


def test_xgboost_approximate_contributions() -> None:
    xgboost = pytest.importorskip("xgboost")
    X = table(nan=True)
    data = xgboost.DMatrix(X, target(X))
    booster = xgboost.train({"max_depth": 5, "nthread": 1}, data, num_boost_round=8)
    own = booster.predict(data, pred_contribs=True, approx_contribs=True)
    phi = leafshap.TreeExplainer(booster).shap_values(X, approximate=True)
    np.testing.assert_allclose(phi, own[:, :F], rtol=0, atol=1e-5 * np.abs(own).max())


# ---------------------------------------------------------------- LightGBM

LIGHTGBM: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    "regression": ({}, {}, 0),
    "missing": ({}, {"nan": True}, 0),
    "missing is ignored": ({"use_missing": False}, {"nan": True}, 0),
    "zero is missing": ({"zero_as_missing": True}, {"zeros": True, "nan": True}, 0),
    "zeros": ({}, {"zeros": True}, 0),
    "binary": ({"objective": "binary"}, {"nan": True}, 2),
    "multiclass": ({"objective": "multiclass", "num_class": 3}, {"nan": True}, 3),
    "poisson": ({"objective": "poisson"}, {}, 3),
    "dart": ({"boosting": "dart", "drop_rate": 0.5, "skip_drop": 0.0}, {}, 0),
    "goss": ({"data_sample_strategy": "goss"}, {}, 0),
    "deep": ({"num_leaves": 60, "min_data_in_leaf": 1}, {"nan": True}, 0),
    "categories": ({"min_data_per_group": 5, "cat_smooth": 1.0}, {"categories": True}, 0),
    "one-hot categories": (
        {"max_cat_to_onehot": 99, "min_data_per_group": 5}, {"categories": True}, 0),
}  # fmt: skip


def lightgbm_booster(
    parameters: dict[str, Any], content: dict[str, Any], n_classes: int
) -> tuple[Any, Array]:
    lightgbm = pytest.importorskip("lightgbm")
    X = table(**content)
    y = classes(X, n_classes) if n_classes else target(X)
    categorical = [0] if content.get("categories") else []
    data = lightgbm.Dataset(X, y, categorical_feature=categorical, free_raw_data=False)
    settings = {"num_leaves": 12, "verbose": -1, "seed": 0, "num_threads": 1,
                "min_data_in_leaf": 5, **parameters}  # fmt: skip
    return lightgbm.train(settings, data, num_boost_round=12), X


@pytest.mark.parametrize("name", LIGHTGBM)
def test_lightgbm_contributions(name: str) -> None:
    booster, X = lightgbm_booster(*LIGHTGBM[name])
    own = np.asarray(booster.predict(X, pred_contrib=True))
    own = own.reshape(N, -1, F + 1).transpose(0, 2, 1)
    # a constant first tree is spread over the values' base; LightGBM adds up in double
    check(leafshap.TreeExplainer(booster), X, own[:, :F], own[0, F], 1e-9)


def test_lightgbm_missing_at_prediction_only() -> None:
    """shap sends such NaN to the side that no row went to (error 43 of a range of 80)."""
    booster, _ = lightgbm_booster({}, {}, 0)
    X = table(nan=True)
    own = np.asarray(booster.predict(X, pred_contrib=True))[:, :, None]
    check(leafshap.TreeExplainer(booster), X, own[:, :F], own[0, F], 1e-9)
    check_by_brute_force(booster, X, np.asarray(booster.predict(X, raw_score=True)))


@pytest.mark.parametrize("content", [{}, {"categories": True}])
def test_lightgbm_random_forest(content: dict[str, Any]) -> None:
    """A mean over trees; shap adds them up (error 1928 of a range of 206)."""
    parameters = {"boosting": "rf", "bagging_fraction": 0.6, "bagging_freq": 1}
    booster, X = lightgbm_booster(parameters, content, 0)
    # raw_score=True would be the sum over trees, which no prediction is
    check_by_brute_force(booster, X, np.asarray(booster.predict(X)))


def test_lightgbm_unseen_categories() -> None:
    booster, X = lightgbm_booster(*LIGHTGBM["categories"])
    X = X.copy()
    X[:100, 0] = np.tile([np.nan, -1.0, -0.5, 77.0, 2.5, 1e6, 3.999, 8.0, 9.0, 40.0], 10)
    check_by_brute_force(booster, X, np.asarray(booster.predict(X, raw_score=True)))


# ---------------------------------------------------------------- scikit-learn


def sklearn_models() -> dict[str, tuple[Callable[[Any, Any], Any], dict[str, Any], int]]:
    small = {"n_estimators": 8, "max_depth": 5, "random_state": 0}
    return {
        "decision tree": (lambda e, t: t.DecisionTreeRegressor(max_depth=6, random_state=0), {}, 0),
        "decision tree, missing": (
            lambda e, t: t.DecisionTreeRegressor(max_depth=6, random_state=0), {"nan": True}, 0),
        "tree classifier": (lambda e, t: t.DecisionTreeClassifier(max_depth=5), {}, 3),
        "full tree": (lambda e, t: t.DecisionTreeRegressor(random_state=0), {}, 0),
        "extra tree": (lambda e, t: t.ExtraTreeRegressor(max_depth=6, random_state=0), {}, 0),
        "forest": (lambda e, t: e.RandomForestRegressor(**small), {}, 0),
        "forest, missing": (lambda e, t: e.RandomForestRegressor(**small), {"nan": True}, 0),
        "binary forest": (lambda e, t: e.RandomForestClassifier(**small), {}, 2),
        "multiclass forest": (lambda e, t: e.RandomForestClassifier(**small), {}, 4),
        "extra trees": (lambda e, t: e.ExtraTreesClassifier(**small), {}, 3),
        "boosting": (lambda e, t: e.GradientBoostingRegressor(**small), {}, 0),
        "binary boosting": (lambda e, t: e.GradientBoostingClassifier(**small), {}, 2),
        "histogram": (
            lambda e, t: e.HistGradientBoostingRegressor(max_iter=8), {"nan": True}, 0),
        "binary histogram": (
            lambda e, t: e.HistGradientBoostingClassifier(max_iter=8), {"nan": True}, 2),
        "multiclass histogram": (
            lambda e, t: e.HistGradientBoostingClassifier(max_iter=5), {"nan": True}, 3),
    }  # fmt: skip


@pytest.mark.parametrize("name", sklearn_models())
def test_sklearn_against_shap(name: str) -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    shap = pytest.importorskip("shap", minversion="0.46", exc_type=ImportError)
    make, content, n_classes = sklearn_models()[name]
    X = table(**content)
    y = classes(X, n_classes) if n_classes else target(X)
    model = make(ensemble, pytest.importorskip("sklearn.tree"))
    model.fit(X, y, sample_weight=np.random.default_rng(0).uniform(0.5, 2.0, N).round(2))
    other = shap.TreeExplainer(model)
    rows = X[:60]
    expected = by_output(np.asarray(other.shap_values(rows, check_additivity=False)))
    base = np.atleast_1d(other.expected_value)
    check(leafshap.TreeExplainer(model), rows, expected, base, 1e-9)


def test_sklearn_multiclass_boosting() -> None:
    """shap refuses it."""
    ensemble = pytest.importorskip("sklearn.ensemble")
    X = table()
    model = ensemble.GradientBoostingClassifier(n_estimators=5, random_state=0)
    model.fit(X, classes(X, 3))
    check_by_brute_force(model, X[:50], model.decision_function(X[:50]))


@pytest.mark.parametrize("n_classes", [0, 2, 3])
def test_sklearn_histogram_with_categories(n_classes: int) -> None:
    """shap reads a category as a number (error 1.8 of a range of 3.7)."""
    ensemble = pytest.importorskip("sklearn.ensemble")
    X = table(categories=True, nan=True)
    X[:, 0] = X[:, 0] * 3 + 2  # raw values that are not their codes
    name = "HistGradientBoostingClassifier" if n_classes else "HistGradientBoostingRegressor"
    model = getattr(ensemble, name)(max_iter=6, categorical_features=[0], min_samples_leaf=5)
    model.fit(X, classes(X, n_classes) if n_classes else target(X))
    rows = X[:60].copy()
    rows[:6, 0] = [np.nan, 77.0, 3.0, 2.0, 26.0, 29.0]  # unseen, or seen
    predicted = model.decision_function(rows) if n_classes else model.predict(rows)
    check_by_brute_force(model, rows, predicted)


def test_sklearn_several_targets() -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    X = table()
    model = ensemble.ExtraTreesRegressor(n_estimators=5, max_depth=5, random_state=0)
    model.fit(X, np.stack([target(X), X[:, 0] ** 2], axis=1))
    check_by_brute_force(model, X[:50], model.predict(X[:50]))


def test_sklearn_isolation_forest() -> None:
    """The values add up to the converter's own score, whatever sign it chose, and are exact."""
    ensemble = pytest.importorskip("sklearn.ensemble")
    X = table()
    model = ensemble.IsolationForest(n_estimators=6, max_samples=64, random_state=0).fit(X)
    check_by_brute_force(model, X[:50], converters.predict_raw(model, X[:50]))


# ---------------------------------------------------------------- one game, several libraries


def test_float32_values_are_float64_values_rounded() -> None:
    booster, X = lightgbm_booster(*LIGHTGBM["deep"])
    exact = leafshap.TreeExplainer(booster).shap_values(X)
    quick = leafshap.TreeExplainer(booster, dtype="float32").shap_values(X)
    assert quick.dtype == np.float32
    assert np.abs(quick - exact).max() <= 2e-6 * np.abs(exact).max()
