"""What leafshap does not explain is left to shap's own class, with one warning that says so."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pytest

from compat_cases import F, background, fitted, quiet, rows
from compat_checks import assert_alike, assert_same_explanation

shap = pytest.importorskip("shap")

import leafshap.compat.shap as compat  # noqa: E402

pytestmark = quiet


def by_hand() -> dict[str, Any]:
    """A model as shap's own format of trees, which leafshap does not read."""
    tree = {
        "children_left": np.array([1, -1, 3, -1, -1]),
        "children_right": np.array([2, -1, 4, -1, -1]),
        "children_default": np.array([1, -1, 3, -1, -1]),
        "features": np.array([0, -2, 1, -2, -2]),
        "thresholds": np.array([0.0, -2, 0.5, -2, -2]),
        "values": np.array([[0.5], [1.0], [0.25], [-1.0], [3.0]]),
        "node_sample_weight": np.array([10.0, 4, 6, 3, 3]),
    }
    return {"trees": [tree, tree], "base_offset": 2.0}


@pytest.mark.parametrize("mode", ["plain", "background"])
def test_models(mode: str) -> None:
    data = [background("XGBRegressor")] if mode == "background" else []
    with pytest.warns(compat.FallbackWarning, match="shap's own") as caught:
        ours = compat.TreeExplainer(by_hand(), *data)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert issubclass(compat.FallbackWarning, UserWarning)
    theirs = shap.TreeExplainer(by_hand(), *data)
    assert type(ours) is compat.TreeExplainer
    X = rows("XGBRegressor")
    # none for its calls
    assert_alike(ours.expected_value, theirs.expected_value)
    assert_alike(ours.shap_values(X), theirs.shap_values(X))
    assert_same_explanation(ours(X), theirs(X))
    pairs = ours.shap_interaction_values(X[:2])
    assert_alike(pairs, theirs.shap_interaction_values(X[:2]))
    assert_alike(ours.expected_value, theirs.expected_value)
    for attribute in ("feature_perturbation", "model_output", "data", "data_missing"):
        assert_alike(getattr(ours, attribute), getattr(theirs, attribute))
    assert type(ours.model) is type(theirs.model)
    other = pickle.loads(pickle.dumps(ours))
    assert type(other) is compat.TreeExplainer
    assert_alike(other.shap_values(X), ours.shap_values(X))


def test_installed() -> None:
    theirs = shap.TreeExplainer(by_hand())
    with compat.install():
        with pytest.warns(compat.FallbackWarning) as caught:
            ours = shap.TreeExplainer(by_hand())
        assert len(caught) == 1
        values = ours.shap_values(rows("XGBRegressor"))
        assert_same_explanation(ours(rows("XGBRegressor")), theirs(rows("XGBRegressor")))
    assert_alike(values, theirs.shap_values(rows("XGBRegressor")))


def test_by_choice() -> None:
    """shap.Explainer takes it for a model of trees, too, with the one warning."""
    theirs = shap.Explainer(by_hand())
    with pytest.warns(compat.FallbackWarning) as caught:
        ours = compat.Explainer(by_hand())
    assert len(caught) == 1
    assert isinstance(ours, compat.TreeExplainer)
    assert type(theirs) is shap.TreeExplainer
    assert_same_explanation(ours(rows("XGBRegressor")), theirs(rows("XGBRegressor")))


def test_offsets_of_rows() -> None:
    """An xgboost.DMatrix may bring a base margin for each row, which XGBoost's values contain."""
    xgboost = pytest.importorskip("xgboost")
    X = rows("XGBRegressor")
    data = xgboost.DMatrix(X, base_margin=np.linspace(-1, 1, len(X)))
    options = {"check_additivity": False}  # shap's does not hold there
    theirs = shap.TreeExplainer(fitted("XGBRegressor")).shap_values(data, **options)
    with pytest.warns(compat.FallbackWarning, match="base_margin"):
        ours = compat.TreeExplainer(fitted("XGBRegressor")).shap_values(data, **options)
    assert_alike(ours, theirs)


def test_what_is_supported_does_not_warn() -> None:
    """Not even once, in anything that leafshap does itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("RandomForestClassifier 3", "XGBRegressor"):
            explainer: Any = compat.TreeExplainer(fitted(name), background(name))
            explainer(rows(name))
            explainer.shap_interaction_values(rows(name)[:2])
            assert explainer.model.num_outputs in {1, 3}
            assert explainer.data.shape == (30, F)
