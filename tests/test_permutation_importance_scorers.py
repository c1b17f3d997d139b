"""Scores: those that leafshap computes, scikit-learn's, and the user's."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

import sklearn
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.metrics import get_scorer, get_scorer_names, make_scorer
from sklearn.tree import DecisionTreeClassifier

from importance_cases import (
    assert_as_scikit,
    assert_equal,
    by_leafshap,
    by_scikit,
    classes,
    forbid_calls,
    numbers,
    rows,
    weights,
)
from leafshap import InvalidInputError, MissingDependencyError, TreeEnsemble
from leafshap.importance.estimators import predictor_of
from leafshap.importance.losses import METRICS, make_score
from leafshap.importance.predictions import Responses
from leafshap.importance.stand_in import StandIn

X = rows()
POSITIVE = np.exp(numbers(X) / 2)
BINARY = np.where(classes(X, 2), "yes", "no")
CLASSES = classes(X)
REGRESSION = METRICS[: METRICS.index("accuracy")]
CLASSIFICATION = METRICS[METRICS.index("accuracy") :]


@pytest.fixture(scope="module")
def regressor() -> Any:
    return HistGradientBoostingRegressor(loss="poisson", max_iter=15).fit(X, POSITIVE)


@pytest.fixture(scope="module")
def binary() -> Any:
    return GradientBoostingClassifier(n_estimators=8, random_state=0).fit(X, BINARY)


@pytest.fixture(scope="module")
def several() -> Any:
    return RandomForestClassifier(20, random_state=0).fit(X, CLASSES)


def assert_quick_score(model: Any, y: Any, metric: str, given: Any) -> None:
    """The score of this package equals scikit-learn's scorer of the same name."""
    ensemble = TreeEnsemble.from_model(model)
    predictor = predictor_of(model, ensemble)
    assert predictor is not None
    score = make_score(metric, predictor, y, given)
    assert score is not None
    responses = Responses(predictor, ensemble.predict(X).reshape(len(X), -1))
    options = {} if given is None else {"sample_weight": given}
    stand_in = StandIn(model, responses.of)
    expected = get_scorer(metric)(stand_in, None, y, **options)
    np.testing.assert_allclose(score(responses), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("metric", REGRESSION)
def test_scores_of_regression(regressor: Any, metric: str, weighted: bool) -> None:
    y = POSITIVE.copy()
    if metric == "neg_mean_poisson_deviance":
        y[::3] = 0.0
    for labels in (y, np.ceil(y).astype(int) if y.min() > 0 else y.astype(np.float32)):
        assert_quick_score(regressor, labels, metric, weights() if weighted else None)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("metric", CLASSIFICATION)
def test_scores_of_classification(binary: Any, several: Any, metric: str, weighted: bool) -> None:
    given = weights() if weighted else None
    if metric == "neg_brier_score":  # which takes numbers only
        coded = (BINARY == "yes").astype(int)
        model = GradientBoostingClassifier(n_estimators=8, random_state=0).fit(X, coded)
        assert_quick_score(model, coded, metric, given)
    else:
        assert_quick_score(binary, BINARY, metric, given)
    if metric == "neg_brier_score" and sklearn_version() < (1, 7):
        return
    if metric != "roc_auc":
        assert_quick_score(several, CLASSES, metric, given)


def sklearn_version() -> tuple[int, ...]:
    return tuple(int(part) for part in sklearn.__version__.split(".")[:2])


@pytest.mark.parametrize("weighted", [False, True])
def test_area_under_the_curve_with_ties(weighted: bool) -> None:
    model = DecisionTreeClassifier(max_depth=2).fit(X, BINARY)
    given = weights() if weighted else None
    assert_quick_score(model, BINARY, "roc_auc", given)
    assert_as_scikit(model, X, BINARY, scoring="roc_auc", sample_weight=given)


# scores of several labels a row, of clusters, or where this data has none
OTHER = [
    *("average_precision", "f1_macro", "jaccard_micro", "matthews_corrcoef", "recall_weighted"),
    *("roc_auc_ovo", "roc_auc_ovr_weighted", "top_k_accuracy", "d2_log_loss_score"),
    *("explained_variance", "neg_median_absolute_error", "d2_absolute_error_score"),
    *("neg_max_error", "max_error", "adjusted_rand_score"),
]


@pytest.mark.parametrize("name", OTHER)
def test_other_scorers_by_name(
    regressor: Any, several: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name not in get_scorer_names():
        pytest.skip(f"scikit-learn {sklearn.__version__} has none")
    forbid_calls(monkeypatch)
    of_numbers = name in OTHER[-6:-1]
    model, y = (regressor, POSITIVE) if of_numbers else (several, CLASSES)
    assert_as_scikit(model, X, y, scoring=name)


def test_scorers_for_one_of_two_classes(binary: Any) -> None:
    from sklearn.metrics import f1_score, log_loss

    scorings: list[Any] = [
        make_scorer(f1_score, pos_label="no"),
        make_scorer(lambda y, p: float(np.abs(p).mean()), greater_is_better=False),
        make_scorer(log_loss, greater_is_better=False, response_method="predict_proba")
        if sklearn_version() >= (1, 4)
        else "neg_log_loss",
    ]
    for scoring in scorings:
        if callable(scoring) and "lambda" in repr(scoring):
            codes = (BINARY == "yes").astype(int)
            model = GradientBoostingClassifier(n_estimators=4).fit(X, codes)
            assert_as_scikit(model, X, codes, scoring=scoring)
        else:
            assert_as_scikit(binary, X, BINARY, scoring=scoring)


def test_several_scorers_share_predictions(several: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_calls(monkeypatch)
    named = ["accuracy", "neg_log_loss", "f1_macro"]
    assert list(assert_as_scikit(several, X, CLASSES, scoring=named)) == named
    assert_as_scikit(several, X, CLASSES, scoring=tuple(named), sample_weight=weights())
    made = {"a": "accuracy", "b": make_scorer(lambda y, p: float((y == p)[:50].mean()))}
    assert_as_scikit(several, X, CLASSES, scoring=made)
    assert isinstance(by_leafshap(several, X, CLASSES, scoring=["accuracy"]), dict)


def middle(model: Any, X: Any, y: Any) -> float:
    return float(np.median(np.abs(model.predict(X) - y)))


def two_scores(model: Any, X: Any, y: Any) -> dict[str, float]:
    return {"middle": middle(model, X, y), "score": model.score(X, y)}


def one_score(model: Any, X: Any, y: Any) -> dict[str, float]:
    return {"score": model.score(X, y)}


def test_any_callable_gets_the_estimator_and_shuffled_rows(regressor: Any) -> None:
    assert_as_scikit(regressor, X, POSITIVE, scoring=middle)
    assert_as_scikit(regressor, X, POSITIVE, scoring=two_scores, max_samples=0.5)
    assert_as_scikit(regressor, X, POSITIVE, scoring=one_score)
    ours = assert_as_scikit(regressor, X, POSITIVE, scoring={"own": middle, "r2": "r2"})
    assert list(ours) == ["own", "r2"]


def test_an_estimators_own_score_is_called() -> None:
    class Own(HistGradientBoostingRegressor):  # type: ignore[misc]
        def score(self, X: Any, y: Any) -> float:
            return -float(np.abs(self.predict(X) - y).max())

    model = Own(max_iter=5).fit(X, POSITIVE)
    assert_as_scikit(model, X, POSITIVE)


def test_an_unknown_label_is_never_right(several: Any) -> None:
    y = CLASSES.copy()
    y[:9] = 99
    assert_as_scikit(several, X, y, scoring="accuracy")


# ---------------------------------------------------------------- models without a score


def test_boosters_and_files(tmp_path: Any) -> None:
    xgb = pytest.importorskip("xgboost")
    wrapper = xgb.XGBClassifier(n_estimators=8, max_depth=3, n_jobs=1)
    y = (BINARY == "yes").astype(int)
    wrapper.fit(X, y)
    path = tmp_path / "model.json"
    wrapper.save_model(path)
    models = [wrapper.get_booster(), path, str(path), TreeEnsemble.from_model(wrapper)]
    for scoring in ("neg_log_loss", "accuracy", "roc_auc", "f1"):
        theirs = by_scikit(wrapper, X, y, scoring=scoring, random_state=3)
        for model in models:
            ours = by_leafshap(model, X, y, scoring=scoring, random_state=3)
            assert_equal(ours, theirs, 1e-5)
    refused: tuple[Any, ...] = (None, middle)
    for scoring in refused:
        with pytest.raises(InvalidInputError, match=r"no score of its own|needs an estimator"):
            by_leafshap(path, X, y, scoring=scoring)


def test_boosters_of_numbers_and_several_classes() -> None:
    lgb = pytest.importorskip("lightgbm")
    settings = {"n_estimators": 8, "num_leaves": 7, "verbose": -1, "n_jobs": 1}
    regressor = lgb.LGBMRegressor(objective="gamma", **settings).fit(X, POSITIVE)
    classifier = lgb.LGBMClassifier(**settings).fit(X, CLASSES)
    for model, y, scoring in (
        (regressor, POSITIVE, "neg_mean_gamma_deviance"),
        (regressor, POSITIVE, "r2"),
        (classifier, CLASSES, "neg_log_loss"),
        (classifier, CLASSES, "balanced_accuracy"),
    ):
        theirs = by_leafshap(model, X, y, scoring=scoring, random_state=3)
        ours = by_leafshap(model.booster_, X, y, scoring=scoring, random_state=3)
        np.testing.assert_allclose(ours.importances, theirs.importances, rtol=0, atol=1e-12)


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    model = GradientBoostingClassifier(n_estimators=8, random_state=0).fit(X, classes(X, 2))
    ensemble, y = TreeEnsemble.from_model(model), classes(X, 2)
    expected = by_leafshap(ensemble, X, y, scoring="neg_log_loss", random_state=0)
    for name in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
        monkeypatch.setitem(sys.modules, name, None)
    found = by_leafshap(ensemble, X, y, scoring="neg_log_loss", random_state=0)
    np.testing.assert_array_equal(found.importances, expected.importances)
    np.testing.assert_array_equal(found["importances_mean"], expected.importances_mean)
    exact = by_leafshap(ensemble, X, y, scoring=["accuracy"], method="exact")
    assert exact["accuracy"].importances.shape == (6, 1)
    with pytest.raises(MissingDependencyError, match='scoring="f1" needs scikit-learn'):
        by_leafshap(ensemble, X, y, scoring="f1")
    with pytest.raises(MissingDependencyError, match="max_samples draws rows as scikit-learn"):
        by_leafshap(ensemble, X, y, scoring="accuracy", max_samples=0.5)
    with pytest.raises(InvalidInputError, match="does not fit the labels or the model"):
        by_leafshap(ensemble, X, y, scoring="r2")
