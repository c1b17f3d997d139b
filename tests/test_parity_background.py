"""The public API with background data against shap, shapiq and woodelf; the oracle where they fail.

The oracle works on the trees that the converter read; base plus values is held to the model's own
prediction besides. Interactions of both modes are here, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import leafshap
import oracle_background
from leafshap import converters
from parity_data import Array, F, by_output, classes, table, target

if TYPE_CHECKING:
    from collections.abc import Callable

    from leafshap.converters.arrays import EnsembleArrays

ROWS, BACKGROUND = slice(0, 30), slice(100, 160)

quiet = pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)  # fmt: skip


def the_shap() -> Any:
    return pytest.importorskip("shap", minversion="0.46", exc_type=ImportError)


def coded(arrays: EnsembleArrays, X: Array) -> Array:
    """Rows with categories as codes, as the oracle wants them."""
    if not arrays.encode_numeric:
        return X
    X = X.copy()
    for f, values in arrays.feature_categories.items():
        index = {value: code for code, value in enumerate(values)}
        X[:, f] = [index.get(x, np.nan) for x in X[:, f]]
    return X


def assert_parity(actual: Array, expected: Array, tolerance: float) -> None:
    """Shapes are equal but for an axis of one output; the tolerance is of the largest value."""
    expected = np.asarray(expected, dtype=np.float64).reshape(actual.shape)
    scale = np.abs(expected).max()
    assert scale > 0.001
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale)


def check_by_oracle(model: Any, X: Array, predicted: Array) -> None:
    """Values and interactions by leaves, weighted, and the model's own prediction of X[ROWS]."""
    rows, background = X[ROWS], X[BACKGROUND]
    weights = np.random.default_rng(0).integers(0, 4, len(background)).astype(float)
    arrays = converters.convert(model)
    codes, data = coded(arrays, rows), coded(arrays, background)
    explainer = leafshap.TreeExplainer(model, background, sample_weight=weights)
    phi = by_output(explainer.shap_values(rows))
    assert_parity(phi, oracle_background.shap_by_leaves(arrays, codes, data, weights), 1e-10)
    base = oracle_background.expected_values(arrays, data, weights)
    np.testing.assert_allclose(np.atleast_1d(explainer.expected_value), base, rtol=1e-10)
    predicted = predicted.reshape(len(rows), -1)
    np.testing.assert_allclose(phi.sum(axis=1) + base, predicted, rtol=2e-5, atol=2e-5)
    pairs = explainer.shap_interaction_values(rows).reshape(len(rows), F, F, -1)
    expected = oracle_background.interactions_by_leaves(arrays, codes, data, weights)
    assert_parity(pairs, expected, 1e-10)


def check_by_shap(model: Any, X: Array, tolerance: float, **options: Any) -> None:
    rows, background = X[ROWS], X[BACKGROUND]
    other = the_shap().TreeExplainer(model, background, **options)
    theirs = np.asarray(other.shap_values(rows, check_additivity=False))
    explainer = leafshap.TreeExplainer(model, background, **options)
    assert_parity(explainer.shap_values(rows), theirs, tolerance)
    np.testing.assert_allclose(
        np.atleast_1d(explainer.expected_value),
        np.ravel(other.expected_value),
        rtol=1e-5,
        atol=1e-6,
    )


# ---------------------------------------------------------------- XGBoost

XGBOOST: dict[str, tuple[dict[str, Any], dict[str, Any], int, bool]] = {
    # name -> parameters, what is in the table, number of classes (0: regression), is shap right
    "regression": ({}, {}, 0, True),
    "missing": ({}, {"nan": True}, 0, True),
    "logistic": ({"objective": "binary:logistic"}, {"nan": True}, 2, True),
    "poisson": ({"objective": "count:poisson"}, {}, 3, True),
    "softmax": ({"objective": "multi:softprob", "num_class": 3}, {"nan": True}, 3, True),
    "deep": ({"max_depth": 12, "min_child_weight": 0.0}, {"nan": True}, 0, True),
    # error 129 of a range of 160
    "dart": ({"booster": "dart", "rate_drop": 0.4, "one_drop": 1}, {}, 0, False),
    # shap refuses these
    "parallel trees": ({"num_parallel_tree": 3, "subsample": 0.6, "colsample_bynode": 0.5},
                       {}, 0, False),
    "sets of categories": ({"max_cat_to_onehot": 1}, {"categories": True, "nan": True}, 0, False),
    "one-hot categories": ({"max_cat_to_onehot": 99}, {"categories": True}, 0, False),
}  # fmt: skip


def xgboost_booster(name: str) -> tuple[Any, Array, Array]:
    """Booster, table and raw prediction of the table."""
    xgboost = pytest.importorskip("xgboost")
    parameters, content, n_classes, _ = XGBOOST[name]
    X = table(**content)
    y = classes(X, n_classes) if n_classes else target(X)
    types = ["c" if content.get("categories") and f == 0 else "q" for f in range(F)]
    data = xgboost.DMatrix(X, y, feature_types=types, enable_categorical=True)
    settings = {"max_depth": 4, "eta": 0.3, "seed": 0, "nthread": 1, **parameters}
    booster = xgboost.train(settings, data, num_boost_round=10)
    return booster, X, booster.predict(data, output_margin=True)


@quiet
@pytest.mark.parametrize("name", XGBOOST)
def test_xgboost(name: str) -> None:
    booster, X, predicted = xgboost_booster(name)
    check_by_oracle(booster, X, predicted[ROWS])


@quiet
@pytest.mark.parametrize("name", [name for name in XGBOOST if XGBOOST[name][3]])
def test_xgboost_against_shap(name: str) -> None:
    if name == "softmax" and tuple(map(int, the_shap().__version__.split(".")[:2])) < (0, 52):
        pytest.skip("reads the first class's base score for all classes")
    booster, X, _ = xgboost_booster(name)
    check_by_shap(booster, X, 1e-6)


@quiet
@pytest.mark.parametrize("name", XGBOOST)
def test_xgboost_path_dependent_interactions(name: str) -> None:
    xgboost = pytest.importorskip("xgboost")
    booster, X, _ = xgboost_booster(name)
    types = ["c" if XGBOOST[name][1].get("categories") and f == 0 else "q" for f in range(F)]
    rows = xgboost.DMatrix(X[ROWS], feature_types=types, enable_categorical=True)
    theirs = booster.predict(rows, pred_interactions=True)
    if theirs.ndim == 4:
        theirs = theirs.transpose(0, 2, 3, 1)
    values = leafshap.TreeExplainer(booster).shap_interaction_values(X[ROWS])
    assert_parity(values, theirs[:, :F, :F], 1e-5)


# ---------------------------------------------------------------- LightGBM

LIGHTGBM: dict[str, tuple[dict[str, Any], dict[str, Any], int, bool]] = {
    "regression": ({}, {}, 0, True),
    "missing": ({}, {"nan": True}, 0, True),
    "binary": ({"objective": "binary"}, {"nan": True}, 2, True),
    "deep": ({"num_leaves": 60, "min_data_in_leaf": 1}, {}, 0, True),
    "zero is missing": ({"zero_as_missing": True}, {"zeros": True, "nan": True}, 0, False),
    # shap adds the classes up, or fails
    "multiclass": ({"objective": "multiclass", "num_class": 3}, {"nan": True}, 3, False),
    "dart": ({"boosting": "dart", "drop_rate": 0.5, "skip_drop": 0.0}, {}, 0, True),
    # shap reads a category as a number
    "categories": ({"min_data_per_group": 5, "cat_smooth": 1.0}, {"categories": True}, 0, False),
}  # fmt: skip


def lightgbm_booster(name: str) -> tuple[Any, Array]:
    lightgbm = pytest.importorskip("lightgbm")
    parameters, content, n_classes, _ = LIGHTGBM[name]
    X = table(**content)
    y = classes(X, n_classes) if n_classes else target(X)
    categorical = [0] if content.get("categories") else []
    data = lightgbm.Dataset(X, y, categorical_feature=categorical, free_raw_data=False)
    settings = {"num_leaves": 12, "verbose": -1, "seed": 0, "num_threads": 1,
                "min_data_in_leaf": 5, **parameters}  # fmt: skip
    return lightgbm.train(settings, data, num_boost_round=10), X


@pytest.mark.parametrize("name", LIGHTGBM)
def test_lightgbm(name: str) -> None:
    booster, X = lightgbm_booster(name)
    check_by_oracle(booster, X, np.asarray(booster.predict(X[ROWS], raw_score=True)))


@quiet
@pytest.mark.parametrize("name", [name for name in LIGHTGBM if LIGHTGBM[name][3]])
def test_lightgbm_against_shap(name: str) -> None:
    booster, X = lightgbm_booster(name)
    check_by_shap(booster, X, 1e-6)


@quiet
@pytest.mark.parametrize("name", ["regression", "missing", "binary", "deep"])
def test_lightgbm_path_dependent_interactions(name: str) -> None:
    booster, X = lightgbm_booster(name)
    other = the_shap().TreeExplainer(booster)
    theirs = np.asarray(other.shap_interaction_values(X[ROWS]))
    values = leafshap.TreeExplainer(booster).shap_interaction_values(X[ROWS])
    assert_parity(values, theirs, 1e-9)


@pytest.mark.parametrize("name", ["categories", "zero is missing", "multiclass"])
def test_lightgbm_path_dependent_interactions_by_leaves(name: str) -> None:
    """shap reads a category as a number (error 1.7 of a range of 3.5)."""
    booster, X = lightgbm_booster(name)
    values = leafshap.TreeExplainer(booster).shap_interaction_values(X[ROWS])
    arrays = converters.convert(booster)
    expected = oracle_background.path_interactions_by_leaves(arrays, coded(arrays, X[ROWS]))
    assert_parity(values, expected, 1e-9)


def test_lightgbm_missing_at_prediction_only() -> None:
    """With background data, shap sends such NaN elsewhere (error 43 of a range of 80)."""
    booster, _ = lightgbm_booster("regression")
    X = table(nan=True)
    check_by_oracle(booster, X, np.asarray(booster.predict(X[ROWS], raw_score=True)))


# ---------------------------------------------------------------- scikit-learn


def sklearn_models() -> dict[str, tuple[Callable[[Any, Any], Any], dict[str, Any], int, bool]]:
    small = {"n_estimators": 6, "max_depth": 5, "random_state": 0}
    return {
        "decision tree": (
            lambda e, t: t.DecisionTreeRegressor(max_depth=6, random_state=0), {}, 0, True),
        "full tree": (lambda e, t: t.DecisionTreeRegressor(random_state=0), {}, 0, True),
        "forest": (lambda e, t: e.RandomForestRegressor(**small), {}, 0, True),
        "binary forest": (lambda e, t: e.RandomForestClassifier(**small), {}, 2, True),
        "multiclass forest": (lambda e, t: e.RandomForestClassifier(**small), {}, 4, True),
        "extra trees": (lambda e, t: e.ExtraTreesClassifier(**small), {}, 3, True),
        "forest, missing": (
            lambda e, t: e.RandomForestRegressor(**small), {"nan": True}, 0, True),
        "boosting": (lambda e, t: e.GradientBoostingRegressor(**small), {}, 0, True),
        "binary boosting": (lambda e, t: e.GradientBoostingClassifier(**small), {}, 2, True),
        "multiclass boosting": (lambda e, t: e.GradientBoostingClassifier(**small), {}, 3, False),
        "histogram": (
            lambda e, t: e.HistGradientBoostingRegressor(max_iter=6), {"nan": True}, 0, True),
        "binary histogram": (
            lambda e, t: e.HistGradientBoostingClassifier(max_iter=6), {"nan": True}, 2, True),
        "multiclass histogram": (
            lambda e, t: e.HistGradientBoostingClassifier(max_iter=4), {"nan": True}, 3, True),
        # shap reads a category as a number
        "histogram, categories": (
            lambda e, t: e.HistGradientBoostingRegressor(max_iter=6, categorical_features=[0]),
            {"nan": True, "categories": True}, 0, False),
    }  # fmt: skip


def sklearn_model(name: str) -> tuple[Any, Array]:
    ensemble = pytest.importorskip("sklearn.ensemble")
    make, content, n_classes, _ = sklearn_models()[name]
    X = table(**content)
    if content.get("categories"):
        X[:, 0] = X[:, 0] * 3 + 2  # raw values that are not their codes
    model = make(ensemble, pytest.importorskip("sklearn.tree"))
    # threads that wait for each other by spinning take seconds on a busy machine
    with pytest.importorskip("threadpoolctl").threadpool_limits(1):
        return model.fit(X, classes(X, n_classes) if n_classes else target(X)), X


@pytest.mark.parametrize("name", sklearn_models())
def test_sklearn(name: str) -> None:
    model, X = sklearn_model(name)
    if "histogram, categories" in name:
        X[:6, 0] = [np.nan, 77.0, 3.0, 2.0, 26.0, 29.0]  # unseen, or seen
    boosted = hasattr(model, "learning_rate") and hasattr(model, "predict_proba")
    if boosted:
        predicted = model.decision_function(X[ROWS])
    elif hasattr(model, "predict_proba"):
        predicted = model.predict_proba(X[ROWS])
    else:
        predicted = model.predict(X[ROWS])
    check_by_oracle(model, X, predicted)


@quiet
@pytest.mark.parametrize("name", [name for name, m in sklearn_models().items() if m[3]])
def test_sklearn_against_shap(name: str) -> None:
    model, X = sklearn_model(name)
    check_by_shap(model, X, 1e-6)


@quiet
@pytest.mark.parametrize("name", ["decision tree", "binary forest", "boosting", "histogram"])
def test_sklearn_path_dependent_interactions(name: str) -> None:
    model, X = sklearn_model(name)
    theirs = np.asarray(the_shap().TreeExplainer(model).shap_interaction_values(X[ROWS]))
    values = leafshap.TreeExplainer(model).shap_interaction_values(X[ROWS])
    assert_parity(values, theirs, 1e-7)


# ---------------------------------------------------------------- other outputs


@quiet
@pytest.mark.parametrize("output", ["probability", "log_loss"])
@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "sklearn"])
def test_outputs_against_shap(library: str, output: str) -> None:
    """Also by the oracle, which takes all pairs of rows by their definition."""
    pytest.importorskip(library)
    shap = the_shap()
    X = table()
    y = classes(X, 2)
    if library == "xgboost":
        model = pytest.importorskip("xgboost").XGBClassifier(n_estimators=8, max_depth=4, n_jobs=1)
    elif library == "lightgbm":
        lightgbm = pytest.importorskip("lightgbm")
        model = lightgbm.LGBMClassifier(n_estimators=8, n_jobs=1, verbose=-1).fit(X, y).booster_
    else:
        ensemble = pytest.importorskip("sklearn.ensemble")
        model = ensemble.GradientBoostingClassifier(n_estimators=8, random_state=0)
    if library != "lightgbm":
        model.fit(X, y)
    rows, background, labels = X[ROWS], X[BACKGROUND], y[ROWS]
    explainer = leafshap.TreeExplainer(model, background, model_output=output)
    values = explainer.shap_values(rows, labels)
    name = {"probability": "logistic", "log_loss": "logistic_loss"}[output]
    phi, _ = oracle_background.transformed(
        converters.convert(model), rows, background, name, labels.astype(float)
    )
    assert_parity(values, phi, 1e-9)
    if (library, output) == ("sklearn", "log_loss"):
        return  # shap knows no loss of this model
    theirs = shap.TreeExplainer(model, background, model_output=output)
    assert_parity(values, theirs.shap_values(rows, labels, check_additivity=False), 2e-5)


# ---------------------------------------------------------------- shapiq and woodelf


@quiet
@pytest.mark.parametrize("name", ["regression", "deep"])
def test_shapiq(name: str) -> None:
    """The index of order 1 is the SHAP value, that of order 2 the whole of a pair."""
    tree = pytest.importorskip("shapiq.tree", exc_type=ImportError)
    if not hasattr(tree, "InterventionalTreeSHAPIQ"):
        pytest.skip("this shapiq has no interventional explainer")
    booster, X, _ = xgboost_booster(name)
    rows, background = X[:6], X[BACKGROUND]
    other = tree.InterventionalTreeSHAPIQ(booster, background, max_order=2, index="SII")
    explainer = leafshap.TreeExplainer(booster, background)
    phi, pairs = explainer.shap_values(rows), explainer.shap_interaction_values(rows)
    expected_phi, expected_pairs = np.zeros_like(phi), np.zeros_like(pairs)
    for row in range(len(rows)):
        found = other.explain(rows[row])
        for players, at in found.interaction_lookup.items():
            if len(players) == 1:
                expected_phi[row, players[0]] = found.values[at]
            elif len(players) == 2:
                i, j = players
                expected_pairs[row, i, j] = expected_pairs[row, j, i] = found.values[at] / 2.0
    off = ~np.eye(F, dtype=bool)
    assert_parity(phi, expected_phi, 1e-6)
    assert_parity(pairs[:, off], expected_pairs[:, off], 1e-6)


@quiet
@pytest.mark.parametrize("library", ["xgboost", "sklearn"])
def test_woodelf(library: str) -> None:
    woodelf = pytest.importorskip("woodelf", exc_type=ImportError)
    pandas = pytest.importorskip("pandas")
    pytest.importorskip(library)
    X = pandas.DataFrame(table(), columns=[f"f{i}" for i in range(F)])
    if library == "xgboost":
        xgboost = pytest.importorskip("xgboost")
        model = xgboost.XGBRegressor(n_estimators=6, max_depth=4, n_jobs=1)
    else:
        ensemble = pytest.importorskip("sklearn.ensemble")
        model = ensemble.RandomForestRegressor(n_estimators=4, max_depth=5, random_state=0)
    model.fit(X, target(X.to_numpy()))
    rows, background = X.iloc[ROWS].reset_index(drop=True), X.iloc[50:]
    other = woodelf.WoodelfExplainer(model, background)
    explainer = leafshap.TreeExplainer(model, background)
    assert_parity(explainer.shap_values(rows), other.shap_values(rows, verbose=False), 1e-5)
    theirs = other.shap_interaction_values(rows, verbose=False)
    assert_parity(explainer.shap_interaction_values(rows), theirs, 1e-5)


# ---------------------------------------------------------------- one game, several ways


def test_float32_values_are_float64_values_rounded() -> None:
    booster, X = lightgbm_booster("deep")
    rows, background = X[ROWS], X[100:]
    exact = leafshap.TreeExplainer(booster, background)
    quick = leafshap.TreeExplainer(booster, background, dtype="float32")
    for name in ("shap_values", "shap_interaction_values"):
        a, b = getattr(exact, name)(rows), getattr(quick, name)(rows)
        assert b.dtype == np.float32
        assert np.abs(a - b).max() <= 2e-6 * np.abs(a).max()


def test_recounted_cover_by_leaves() -> None:
    """The cover of the training rows themselves is the model's own, but for hessians."""
    booster, X = lightgbm_booster("regression")
    rows, data = X[ROWS], X[100:]
    explainer = leafshap.TreeExplainer(booster, data, feature_perturbation="tree_path_dependent")
    own = leafshap.TreeExplainer(booster, X, feature_perturbation="tree_path_dependent")
    plain = leafshap.TreeExplainer(booster)
    np.testing.assert_allclose(own.shap_values(rows), plain.shap_values(rows), atol=1e-12)
    assert not np.allclose(explainer.shap_values(rows), plain.shap_values(rows), atol=1e-3)
    predicted = np.asarray(booster.predict(data, raw_score=True))
    np.testing.assert_allclose(explainer.expected_value, predicted.mean(), rtol=1e-10)
