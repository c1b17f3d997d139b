"""What partial_dependence refuses, and how it says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import leafshap
from leafshap import AdditivityError, InvalidInputError, UnsupportedModelError

sklearn_models = pytest.importorskip("sklearn_models")
pandas = pytest.importorskip("pandas")

X = sklearn_models.X[:30]
NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(
    ("features", "settings", "message"),
    [
        (9, {}, "column 9, the model has columns 0 to 4"),
        (-1, {}, "column -1"),
        (True, {}, "got True"),
        (1.0, {}, "got 1.0"),
        (None, {}, "got None"),
        ("a", {}, "neither the data nor the model has names"),
        ("z", {"feature_names": list("abcde")}, "'z', which is no column"),
        ([], {}, "features is empty"),
        ((), {}, "empty tuple"),
        ((1, 2, 1), {}, "1 twice"),
        (("b", 1), {"feature_names": list("abcde")}, "1 twice"),
        ([0, True], {}, "got True"),
        (0, {"kind": "ice"}, "unknown kind 'ice'"),
        (0, {"model_output": "logit"}, "unknown model_output 'logit'"),
        (0, {"n_jobs": 0}, "n_jobs"),
        (0, {"grid": "quantiles"}, "unknown grid 'quantiles'"),
        (0, {"grid": None}, "grid must be"),
        (0, {"grid": 3.0}, "grid must be"),
        (0, {"grid": []}, "grid of column 0 is empty"),
        (0, {"grid": ["a", "b"]}, "grid of column 0 is not numeric: row 0 holds 'a'"),
        (0, {"grid": [1, "b"]}, "row 1 holds 'b'"),
        (0, {"grid": [[1.0, 2.0], [1.0]]}, "one-dimensional"),
        (0, {"grid": np.zeros((2, 2))}, "2 dimensions"),
        (0, {"grid": [1.0, NAN]}, "grid of column 0: the model does not accept nan"),
        (0, {"grid": [INF]}, "does not accept inf"),
        (0, {"grid": [1e300]}, "does not accept 1e\\+300"),
        (0, {"grid": {1: [0.0]}}, "no values for column 0"),
        (0, {"grid": {7: [0.0]}}, "grid names column 7"),
        ((0, 1), {"grid": [0.0, 1.0, 2.0]}, "list of 2 arrays"),
        ((0, 1), {"grid": [[0.0]]}, "list of 2 arrays"),
        ([0, 1], {"grid": [[0.0], [1.0]]}, "must be a dict"),
        (0, {"custom_values": [1.0]}, "custom_values must be a dict"),
        (0, {"custom_values": {0: []}}, "empty"),
        (0, {"custom_values": {"q": [1]}}, "custom_values names 'q'"),
        (0, {"grid_resolution": 50}, 'are for grid="sklearn"'),
        (0, {"percentiles": (0.1, 0.9)}, 'are for grid="sklearn"'),
        (0, {"grid": "sklearn", "grid_resolution": 1}, "grid_resolution must be"),
        (0, {"grid": "sklearn", "grid_resolution": 2.5}, "grid_resolution must be"),
        (0, {"grid": "sklearn", "percentiles": (0.5, 0.5)}, "percentiles must be"),
        (0, {"grid": "sklearn", "percentiles": (-1, 0.5)}, "percentiles must be"),
        (0, {"grid": "sklearn", "percentiles": 0.5}, "percentiles must be"),
        (0, {"categorical_features": []}, "categorical_features is empty"),
        (0, {"categorical_features": "a"}, "sequence of columns"),
        (0, {"categorical_features": [True]}, "1 bools"),
        (0, {"categorical_features": [8]}, "categorical_features names column 8"),
        (0, {"feature_names": ["a"]}, "feature_names has 1 names"),
        (0, {"sample_weight": [1.0]}, r"sample weights have the shape \(1,\)"),
        (0, {"sample_weight": np.zeros(30)}, "sample weights are all zero"),
        (0, {"sample_weight": -np.ones(30)}, "that of row 0 is -1"),
        (0, {"sample_weight": ["a"] * 30}, "cannot read the sample weights"),
    ],
)
def test_arguments(features: Any, settings: dict[str, Any], message: str) -> None:
    model = sklearn_models.fitted("boosting")
    with pytest.raises(InvalidInputError, match=message):
        leafshap.partial_dependence(model, X, features, **settings)


def test_rows() -> None:
    model = sklearn_models.fitted("boosting")
    with pytest.raises(InvalidInputError, match="4 columns were given"):
        leafshap.partial_dependence(model, X[:, :4], 0)
    with pytest.raises(InvalidInputError, match="no rows"):
        leafshap.partial_dependence(model, X[:0], 0)
    with pytest.raises(InvalidInputError, match="not numeric"):
        leafshap.partial_dependence(model, np.full((2, 5), "a", dtype=object), 0)


def test_percentiles_that_are_the_same() -> None:
    model = sklearn_models.fitted("boosting")
    rows = X.copy()
    rows[:28, 2] = 0.0
    with pytest.raises(InvalidInputError, match="are both about 0"):
        leafshap.partial_dependence(
            model, rows, 2, grid="sklearn", percentiles=(0.2, 0.4), grid_resolution=3
        )


def test_a_joint_grid_that_is_too_large() -> None:
    model = sklearn_models.fitted("boosting")
    grid = [np.linspace(0, 1, 1001), np.linspace(0, 1, 1000)]
    with pytest.raises(InvalidInputError, match=r"1001 x 1000 = 1001000 points.*grid_resolution"):
        leafshap.partial_dependence(model, X, (0, 1), grid=grid)


def test_a_category_that_is_none() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    frame = pandas.DataFrame({"x": X[:, 0], "c": pandas.Categorical(list("abc") * 10)})
    model = lightgbm.LGBMRegressor(n_estimators=3, min_child_samples=2, verbose=-1)
    model.fit(frame, X[:, 2] + (frame["c"] == "a"))
    found = leafshap.partial_dependence(model, frame, "c", grid=["c", "a"])
    assert found.average.shape == (1, 2)
    with pytest.raises(InvalidInputError, match=r"grid of column 1 \('c'\) holds 'd', which is no"):
        leafshap.partial_dependence(model, frame, "c", grid=["c", "d"])
    with pytest.raises(InvalidInputError, match=r"'x'.* holds 'a'"):
        leafshap.partial_dependence(model, frame, "x", grid=["a"])


def test_models() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    linear = linear_model.LinearRegression().fit(X, X[:, 0])
    with pytest.raises(
        UnsupportedModelError, match=r"LinearRegression.*sklearn.inspection.partial_dependence"
    ):
        leafshap.partial_dependence(linear, X, 0)
    classifier = sklearn_models.fitted("boosting classes")
    with pytest.raises(UnsupportedModelError, match="label"):
        leafshap.partial_dependence(classifier, X, 0, model_output="predict")
    regressor = sklearn_models.fitted("boosting")
    with pytest.raises(UnsupportedModelError, match="no probability"):
        leafshap.partial_dependence(regressor, X, 0, model_output="probability")


def test_a_model_that_predicts_something_else() -> None:
    model = sklearn_models.fitted("boosting")

    class Shifted(type(model)):  # type: ignore[misc]
        def predict(self, X: Any) -> Any:
            return super().predict(X) + 1e-2

    shifted = Shifted()
    shifted.__dict__.update(model.__dict__)
    with pytest.raises(AdditivityError, match=r"row .*: leafshap predicts .* own predict is"):
        leafshap.partial_dependence(shifted, X, 0)
    found = leafshap.partial_dependence(shifted, X, 0, check_predictions=False)
    np.testing.assert_array_equal(found.average, leafshap.partial_dependence(model, X, 0).average)

    class Refusing(type(model)):  # type: ignore[misc]
        def predict(self, X: Any) -> Any:
            if np.isinf(X).any() or np.isnan(X).any():  # asked by the converter
                return super().predict(X)
            raise RuntimeError("not today")

    refusing = Refusing()
    refusing.__dict__.update(model.__dict__)
    with pytest.raises(AdditivityError, match=r"not today.*check_predictions=False"):
        leafshap.partial_dependence(refusing, X, 0)
