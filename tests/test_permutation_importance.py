"""Permutation importance of tree models: scikit-learn's numbers without calling the estimator."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

import sklearn_models
from importance_cases import (
    assert_as_scikit,
    by_leafshap,
    by_scikit,
    classes,
    forbid_calls,
    numbers,
    rows,
    weights,
)
from leafshap import TreeEnsemble

# scikit-learn adds up fractions in an order of its own, which decides between equal ones: a row's
# label, or which of two scores is higher
UNDECIDED = {"forest classes": 0.02, "isolation": 1e-3}


def target_of(name: str, model: Any) -> Any:
    if "targets" in name:
        return sklearn_models.TARGETS
    if isinstance(model, sklearn_models.IF):
        return sklearn_models.NUMBER > 0
    if hasattr(model, "classes_"):
        return {
            1: np.zeros(len(sklearn_models.X)),
            2: sklearn_models.BINARY,
            3: sklearn_models.CLASSES,
        }[len(model.classes_)]
    return sklearn_models.POSITIVE


# The first has leaves from 1 to 1e23, the second no depth: they are called. No score of
# scikit-learn takes several targets of several classes.
CALLED = ("tree chain", "isolation one row")
NAMES = [n for n in sklearn_models.MODELS if n not in CALLED and "class targets" not in n]


@pytest.mark.parametrize("name", NAMES)
def test_equals_scikit_learn_for_all_its_models(name: str, monkeypatch: Any) -> None:
    forbid_calls(monkeypatch)
    model = sklearn_models.fitted(name)
    X = sklearn_models.X_MISSING if "missing" in name else sklearn_models.X
    y = target_of(name, model)
    atol = next((v for k, v in UNDECIDED.items() if name.startswith(k)), 1e-11)
    scorings: list[Any] = [None]
    if isinstance(model, sklearn_models.IF):
        scorings = ["roc_auc"]
    elif hasattr(model, "classes_") and len(model.classes_) > 1:
        scorings += ["neg_log_loss", "balanced_accuracy"]
    elif not hasattr(model, "classes_") and y.ndim == 1:
        scorings += ["neg_root_mean_squared_error", "neg_median_absolute_error"]
    for scoring in scorings:
        assert_as_scikit(model, X, y, scoring=scoring, atol=atol)


@pytest.mark.parametrize("name", ["tree class targets", "forest class targets"])
def test_several_classified_targets(name: str, monkeypatch: Any) -> None:
    from sklearn.metrics import make_scorer

    forbid_calls(monkeypatch)
    model = sklearn_models.fitted(name)
    scorer = make_scorer(lambda y, predicted: float(np.mean(y == predicted)))
    assert_as_scikit(
        model, sklearn_models.X, sklearn_models.CLASS_TARGETS, scoring=scorer, atol=0.01
    )


def test_a_model_beyond_the_core_is_called() -> None:
    model = sklearn_models.fitted("tree chain")
    y = np.arange(len(sklearn_models.X))
    with pytest.warns(UserWarning, match="does not predict what follows from its trees"):
        ours = by_leafshap(model, sklearn_models.X, y, random_state=1)
    theirs = by_scikit(model, sklearn_models.X, y, random_state=1)
    np.testing.assert_allclose(ours.importances, theirs.importances)


XGBOOST: dict[str, tuple[str, dict[str, Any]]] = {
    "regression": ("XGBRegressor", {}),
    "dart": ("XGBRegressor", {"booster": "dart", "rate_drop": 0.3}),
    "parallel": ("XGBRegressor", {"num_parallel_tree": 3, "subsample": 0.5}),
    "poisson": ("XGBRegressor", {"objective": "count:poisson"}),
    "probability": ("XGBRegressor", {"objective": "reg:logistic"}),
    "binary": ("XGBClassifier", {}),
    "hinge": ("XGBClassifier", {"objective": "binary:hinge"}),
    "classes": ("XGBClassifier", {}),
    "softmax": ("XGBClassifier", {"objective": "multi:softmax"}),
    "early stopping": ("XGBClassifier", {"early_stopping_rounds": 2, "n_estimators": 60}),
}


@pytest.mark.parametrize("name", XGBOOST)
def test_equals_scikit_learn_for_xgboost(name: str, monkeypatch: Any) -> None:
    xgb = pytest.importorskip("xgboost")
    forbid_calls(monkeypatch)
    cls, settings = XGBOOST[name]
    X = rows(missing=True)
    y: Any = numbers(X)
    scorings = [None, "neg_mean_absolute_error"]
    if name == "poisson":
        y = np.exp(y / 3)
    elif name in ("binary", "hinge", "probability"):
        y = (y > 0).astype(int)
    if cls == "XGBClassifier":
        y = y if y.dtype == int else classes(X)
        scorings = [None] if name == "hinge" else [None, "neg_log_loss"]
        if name == "binary":
            scorings.append("neg_brier_score")
    model = getattr(xgb, cls)(**{"n_estimators": 12, "max_depth": 3, "n_jobs": 1, **settings})
    fit = {"eval_set": [(X[::3], y[::3])], "verbose": False} if name == "early stopping" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y, **fit)
        for scoring in scorings:
            # XGBoost predicts in float32
            assert_as_scikit(model, X, y, scoring=scoring, sample_weight=weights(), atol=2e-6)


LIGHTGBM: dict[str, tuple[str, dict[str, Any]]] = {
    "regression": ("LGBMRegressor", {}),
    "square root": ("LGBMRegressor", {"reg_sqrt": True}),
    "poisson": ("LGBMRegressor", {"objective": "poisson"}),
    "cross entropy": ("LGBMRegressor", {"objective": "cross_entropy"}),
    "cross entropy lambda": ("LGBMRegressor", {"objective": "cross_entropy_lambda"}),
    "binary": ("LGBMClassifier", {"sigmoid": 1.5}),
    "classes": ("LGBMClassifier", {}),
    "forest": (
        "LGBMClassifier",
        {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
    ),
}


@pytest.mark.parametrize("name", LIGHTGBM)
def test_equals_scikit_learn_for_lightgbm(name: str, monkeypatch: Any) -> None:
    lgb = pytest.importorskip("lightgbm")
    forbid_calls(monkeypatch)
    cls, settings = LIGHTGBM[name]
    X = rows(missing=True)
    y: Any = numbers(X)
    scorings = [None, "neg_mean_absolute_error"]
    if name in ("poisson", "square root"):
        y = np.exp(y / 3)
    elif "cross entropy" in name:
        y = (y > 0).astype(int)
    if cls == "LGBMClassifier":
        y = np.where(y > 0, "yes", "no") if name == "binary" else classes(X) * 10
        scorings = [None, "neg_log_loss", "balanced_accuracy"]
    model = getattr(lgb, cls)(n_estimators=12, num_leaves=7, n_jobs=1, verbose=-1, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
        for scoring in scorings:
            assert_as_scikit(model, X, y, scoring=scoring, sample_weight=weights())


def test_a_feature_that_no_tree_tests_has_importance_zero() -> None:
    from sklearn.ensemble import RandomForestRegressor

    X = rows()
    y = numbers(X)
    model = RandomForestRegressor(8, random_state=0).fit(np.where(np.arange(6) == 4, 0.0, X), y)
    for scoring in ("r2", "neg_mean_absolute_error", "neg_max_error"):
        if scoring == "neg_max_error":
            from sklearn.metrics import get_scorer_names

            scoring = scoring if scoring in get_scorer_names() else "max_error"
        found = by_leafshap(model, X, y, scoring=scoring, random_state=0)
        assert (found.importances[4] == 0.0).all()
        assert (found.importances_mean[[0, 1, 2, 3]] > 0).all()


def test_trees_that_do_not_test_a_feature_are_not_walked() -> None:
    from sklearn.tree import DecisionTreeRegressor

    from leafshap.importance.plans import make_plan

    X = np.ascontiguousarray(rows())
    model = DecisionTreeRegressor(max_depth=3).fit(np.where(np.arange(6) == 4, 0.0, X), numbers(X))
    plan = make_plan(TreeEnsemble.from_model(model), np.arange(6), range(6), X, all_values=False)
    margins = np.empty((6, 1, len(X), 1))
    visits = plan.respond(
        X, np.arange(len(X))[np.newaxis, ::-1].copy(), 0, len(X), margins, None, 1
    )
    assert visits[4] == 0
    assert visits[0] > 0


def test_the_same_for_any_number_of_threads() -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    X = rows()
    y = classes(X)
    model = HistGradientBoostingClassifier(max_iter=10).fit(X, y)
    options: dict[str, Any] = {"scoring": ["neg_log_loss", "accuracy", "f1_macro"]}
    one, two, default = (
        by_leafshap(model, X, y, random_state=2, n_jobs=n, **options) for n in (1, 2, None)
    )
    for name in options["scoring"]:
        np.testing.assert_array_equal(one[name].importances, two[name].importances)
        np.testing.assert_array_equal(one[name].importances, default[name].importances)


@pytest.mark.parametrize("limit", ["players", "repeats"])
def test_blocks_change_nothing(limit: str, monkeypatch: Any) -> None:
    from sklearn.ensemble import ExtraTreesRegressor

    X = rows()
    y = numbers(X)
    model = ExtraTreesRegressor(5, random_state=0).fit(X, y)
    whole = by_leafshap(model, X, y, random_state=2, n_repeats=4)
    size = {"players": 9 * 8 * len(X), "repeats": 3 * 8 * len(X)}[limit]
    monkeypatch.setattr("leafshap.importance.sampled._MEMORY", size)
    parts = by_leafshap(model, X, y, random_state=2, n_repeats=4)
    np.testing.assert_array_equal(whole.importances, parts.importances)
