"""TreeExplainer under shap's name against shap's own, for every kind of model and way to ask.

Where shap is wrong or refuses (compat_cases), leafshap's own explainer is what the values are held
to, and they add up to the model's own prediction.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import leafshap
from compat_cases import KINDS, MODES, F, arguments, fitted, is_comparable, quiet, rows
from compat_checks import EXACT, FLOAT32, assert_alike, assert_close, assert_same_explanation

shap = pytest.importorskip("shap")

import leafshap.compat.shap as compat  # noqa: E402

pytestmark = quiet

CASES = [(name, mode) for name in KINDS for mode in MODES]
LIKE = [case for case in CASES if is_comparable(*case)]
UNLIKE = [case for case in CASES if not is_comparable(*case)]
INTERACTIONS = [case for case in CASES if is_comparable(*case, interactions=True)]
OTHER_INTERACTIONS = [case for case in CASES if case not in INTERACTIONS]
# path-dependent values before the first call: shap's sum over its own copy of the trees
BEFORE = [
    case
    for case in LIKE
    # a Booster of three classes is one output to shap, until LightGBM has explained a row
    if case not in {("lightgbm.Booster 3", "plain")}
    # a parallel tree is an output of its own
    and case != ("XGBRFRegressor", "plain")
]


def both(name: str, mode: str) -> tuple[Any, Any]:
    model, options = fitted(name), arguments(name, mode)
    return compat.TreeExplainer(model, **options), shap.TreeExplainer(model, **options)


def tolerance(name: str, mode: str) -> float:
    """XGBoost's own values are float32, as are shap's with data; the others are float64."""
    own = mode == "plain" and KINDS[name].library == "xgboost"
    # XGBoost's base score is a float32 there
    return FLOAT32 if own or mode == "background" or KINDS[name].library == "xgboost" else EXACT


def numbers(expected_value: Any) -> Any:
    return np.atleast_1d(np.asarray(expected_value, dtype=np.float64))


@pytest.mark.parametrize(("name", "mode"), BEFORE)
def test_expected_value_after_construction(name: str, mode: str) -> None:
    ours, theirs = both(name, mode)
    if mode == "plain" and KINDS[name].library == "xgboost":
        # shap starts from what XGBoost's roots would give alone, a regularised mean
        before = ours.expected_value
        assert_alike(before, theirs.expected_value, 1e3)
        ours.shap_values(rows(name))
        assert_close(before, numbers(ours.expected_value), FLOAT32)
        return
    assert_alike(ours.expected_value, theirs.expected_value, tolerance(name, mode))


@pytest.mark.parametrize(("name", "mode"), LIKE)
def test_values(name: str, mode: str) -> None:
    ours, theirs = both(name, mode)
    assert_alike(
        ours.shap_values(rows(name)), theirs.shap_values(rows(name)), tolerance(name, mode)
    )
    assert_alike(ours.expected_value, theirs.expected_value, tolerance(name, mode))
    # and it stays so
    ours.shap_values(rows(name))
    assert_alike(ours.expected_value, theirs.expected_value, tolerance(name, mode))


@pytest.mark.parametrize(("name", "mode"), LIKE)
def test_explanation(name: str, mode: str) -> None:
    ours, theirs = both(name, mode)
    X = rows(name)
    assert_same_explanation(ours(X), theirs(X), tolerance(name, mode))
    assert_alike(ours.expected_value, theirs.expected_value, tolerance(name, mode))


@pytest.mark.parametrize(("name", "mode"), INTERACTIONS)
def test_interactions(name: str, mode: str) -> None:
    ours, theirs = both(name, mode)
    X = rows(name)[:3]
    pairs = ours.shap_interaction_values(X)
    assert_alike(pairs, theirs.shap_interaction_values(X), tolerance(name, mode))
    assert_alike(ours.expected_value, theirs.expected_value, tolerance(name, mode))
    assert_same_explanation(
        ours(X, interactions=True), theirs(X, interactions=True), tolerance(name, mode)
    )
    # values after interactions
    if is_comparable(name, mode):
        assert_alike(ours.shap_values(X), theirs.shap_values(X), tolerance(name, mode))
        assert_alike(ours.expected_value, theirs.expected_value, tolerance(name, mode))


def expected_shape(name: str, n: int) -> tuple[int, ...]:
    """Of values; what the model predicts tells the number of outputs."""
    predicted = np.asarray(KINDS[name].predict(fitted(name), rows(name)))
    return (n, F, *predicted.shape[1:])


def assert_adds_up(name: str, values: Any, expected_value: Any, axes: tuple[int, ...]) -> None:
    if KINDS[name].predict is None:  # nothing in scikit-learn gives mean path lengths
        return
    predicted = np.asarray(KINDS[name].predict(fitted(name), rows(name)))[: len(values)]
    total = values.sum(axis=axes, dtype=np.float64) + np.squeeze(numbers(expected_value))
    assert_close(total, np.asarray(predicted, np.float64), 1e-5)


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_values_add_up(name: str, mode: str) -> None:
    ours = compat.TreeExplainer(fitted(name), **arguments(name, mode))
    explanation = ours(rows(name))
    assert_adds_up(name, explanation.values, ours.expected_value, (1,))
    base = np.broadcast_to(np.squeeze(numbers(ours.expected_value)), explanation.base_values.shape)
    assert_close(np.asarray(explanation.base_values, np.float64), base, 1e-7)


@pytest.mark.parametrize(("name", "mode"), UNLIKE)
def test_values_where_shap_is_not_right(name: str, mode: str) -> None:
    options = arguments(name, mode)
    ours = compat.TreeExplainer(fitted(name), **options)
    values = ours.shap_values(rows(name))
    assert type(values) is np.ndarray
    assert values.shape == expected_shape(name, len(rows(name)))
    reference = leafshap.TreeExplainer(fitted(name), **options)
    assert_close(values, reference.shap_values(rows(name)), FLOAT32)
    assert_close(numbers(ours.expected_value), numbers(reference.expected_value), FLOAT32)
    explanation = ours(rows(name))
    assert type(explanation) is shap.Explanation
    assert_close(explanation.values, values, EXACT)


@pytest.mark.parametrize(("name", "mode"), OTHER_INTERACTIONS)
def test_interactions_where_shap_is_not_right(name: str, mode: str) -> None:
    options, X = arguments(name, mode), rows(name)[:3]
    ours = compat.TreeExplainer(fitted(name), **options)
    pairs = ours.shap_interaction_values(X)
    assert type(pairs) is np.ndarray
    reference = leafshap.TreeExplainer(fitted(name), **options)
    expected = reference.shap_interaction_values(X)
    assert pairs.shape == expected.shape
    assert_close(pairs, expected, FLOAT32)
    assert_adds_up(name, pairs, ours.expected_value, (1, 2))
    explanation = ours(X, interactions=True)
    assert type(explanation) is shap.Explanation
    assert_close(explanation.values, pairs, EXACT)
    assert_close(pairs.sum(axis=2), ours.shap_values(X), 1e-5)


@pytest.mark.parametrize("name", ["RandomForestClassifier 3", "XGBRegressor", "LGBMClassifier 3"])
@pytest.mark.parametrize("mode", MODES)
def test_no_rows(name: str, mode: str) -> None:
    """What shap gives of its own; the libraries that it asks fail."""
    ours, theirs = both(name, mode)
    X = rows(name)
    explanation = ours(X[:0])
    np.testing.assert_array_equal(explanation.values, ours.shap_values(X[:0]))
    if mode == "plain" and KINDS[name].library != "sklearn":
        expected = theirs.shap_values(X)
        assert explanation.values.shape == (0, *expected.shape[1:])
        assert explanation.values.dtype == expected.dtype
    else:
        assert_same_explanation(explanation, theirs(X[:0]))
