"""Grids: no step of the model is missed, and scikit-learn's grid is scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import leafshap
from leafshap.converters.arrays import EnsembleArrays, Missing
from leafshap.effects.grids import quantiles
from small_ensembles import stump
from strategies import Recipe, random_ensemble

sklearn_models = pytest.importorskip("sklearn_models")
inspection = pytest.importorskip("sklearn.inspection")

Array = npt.NDArray[Any]
ZERO = float(np.float32(1e-35))


def stumps(cuts: list[float], **settings: Any) -> EnsembleArrays:
    """One tree for each threshold of feature 0, of two features."""
    n = len(cuts)
    arrays = stump(**settings)
    for name in ("split_feature", "left", "right", "default_left", "missing", "categorical"):
        setattr(arrays, name, np.tile(getattr(arrays, name), n))
    arrays.threshold = np.array([[t, 0.0, 0.0] for t in cuts]).ravel()
    arrays.leaf_value = np.array([[0.0, 2.0**i, -1.0] for i in range(n)]).ravel()
    arrays.cover = np.tile([2.0, 1.0, 1.0], n)
    arrays.tree_offsets = np.arange(n + 1) * 3
    arrays.tree_output, arrays.tree_weight = np.zeros(n, np.int32), np.ones(n)
    return arrays


def near(values: Array) -> Array:
    """Numbers beside those of a grid, between them, and far from them."""
    rng = np.random.default_rng(5)
    finite = values[np.isfinite(values)]
    narrow = finite.astype(np.float32)
    beside = [f(x, s * np.inf) for f, x in ((np.nextafter, finite),) for s in (1, -1)]
    beside += [np.nextafter(narrow, np.float32(s * np.inf)) for s in (1, -1)]
    between = rng.uniform(np.repeat(finite[:-1], 3), np.repeat(finite[1:], 3))
    far = [finite[0] - 1.0, finite[0] - 1e6, finite[-1] + 1.0, 1e30, -1e30, 0.0, -0.0]
    small = [s * z for s in (1, -1) for z in (ZERO, ZERO / 2, np.nextafter(ZERO, 1), 1e-30)]
    return np.concatenate([finite, *beside, between, far, small])


def assert_no_step_is_missed(model: Any, rows: Array, feature: int) -> Array:
    """The curve at any number is that at the largest value of the grid that is not above it."""
    ensemble = leafshap.TreeEnsemble.from_model(model)
    found = leafshap.partial_dependence(ensemble, rows, feature, kind="individual")
    values = np.asarray(found.grid_values[0], dtype=np.float64)
    marker = ensemble.to_arrays().missing_value
    missing = np.isnan(values) | (values == marker)
    assert not missing[: len(values) - missing.sum()].any()
    numbers = values[~missing]
    assert (np.diff(numbers) > 0).all()
    points = near(numbers)
    points = points[points != marker]
    if ensemble.schema.input_precision == "float32":
        points = points.astype(np.float32).astype(np.float64)
    at = np.maximum(np.searchsorted(numbers, points, side="right") - 1, 0)
    own = leafshap.partial_dependence(ensemble, rows, feature, grid=points, kind="individual")
    wanted = found.individual[:, :, at]
    np.testing.assert_allclose(own.individual, wanted, rtol=0, atol=1e-11 * np.abs(wanted).max())
    return values


@pytest.mark.parametrize(
    "name", ["tree", "tree missing", "forest", "boosting", "hist", "hist missing", "isolation"]
)
def test_cuts_of_sklearn(name: str) -> None:
    model = sklearn_models.fitted(name)
    rows = (sklearn_models.X_MISSING if "missing" in name else sklearn_models.X)[:30]
    for feature in range(sklearn_models.N_FEATURES):
        assert_no_step_is_missed(model, rows, feature)


def test_cuts_of_xgboost() -> None:
    cases = pytest.importorskip("xgboost_cases")
    rows, _ = cases.numeric_data(40)
    model = cases.train()
    values = assert_no_step_is_missed(model, rows, 1)
    assert np.isnan(values[-1])  # X has missing values there, and the model a side for them
    assert not np.isnan(
        leafshap.partial_dependence(model, np.nan_to_num(rows), 1).grid_values[0][-1]
    )
    thresholds = leafshap.TreeEnsemble.from_model(model).to_arrays()
    mine = np.unique(thresholds.threshold[thresholds.split_feature == 1])
    np.testing.assert_array_equal(values[1 : len(mine) + 1], mine)
    ends = [np.nanmin(rows[:, 1]), np.nanmax(rows[:, 1])]
    np.testing.assert_array_equal(values[[0, -2]], ends)


@pytest.mark.parametrize("kind", ["missing none", "missing nan", "missing zero", "missing unused"])
def test_cuts_of_lightgbm(kind: str) -> None:
    cases = pytest.importorskip("lightgbm_cases")
    settings, data = cases.KINDS[kind]
    rows = cases.training_data(data)[0][:40]
    model = cases.train(settings, data)
    for feature in (0, 2):
        values = assert_no_step_is_missed(model, rows, feature)
        told_apart = kind in ("missing nan",)
        assert np.isnan(values[-1]) == (told_apart and np.isnan(rows[:, feature]).any())


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("comparison", ["<", "<="])
def test_cuts_of_every_comparison_and_precision(comparison: Any, precision: Any) -> None:
    cuts: list[Any] = [0.0, 0.1, 0.1 + 1e-12, 0.5, np.float32(0.7), 1e-45, 3e38, -2.0]
    arrays = stumps(cuts, comparison=comparison, input_precision=precision)
    rows = np.array([[-5.0, 0.0], [0.2, 0.0], [np.nan, 1.0]])
    values = assert_no_step_is_missed(arrays, rows, 0)
    assert values[0] == -5.0
    none = assert_no_step_is_missed(arrays, rows[1:], 0)
    assert -2.0 >= none[0] > -2.001  # no row is in the first bin
    assert (none[0] == -2.0) == (comparison == "<=")
    np.testing.assert_array_equal(none[1:], values[1:])


@pytest.mark.parametrize("seed", range(12))
def test_cuts_of_random_ensembles(seed: int) -> None:
    arrays = random_ensemble(
        Recipe(
            seed=seed,
            n_trees=6,
            n_outputs=1 + seed % 2,
            comparison=("<", "<=")[seed % 2],
            precision=("float32", "float64")[seed // 2 % 2],
            categorical=0.0,
            missing_value=-1.0 if seed % 5 == 0 else np.nan,
        )
    )
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(8, arrays.n_features)).round(1)
    rows[rng.random(rows.shape) < 0.2] = np.nan
    for feature in range(arrays.n_features):
        assert_no_step_is_missed(arrays, rows, feature)


def test_zero_as_missing_is_one_bin() -> None:
    arrays = stumps([-1.0, 1.0], comparison="<=")
    arrays.missing[:] = Missing.ZERO
    arrays.default_left[:3] = True
    rows = np.array([[-3.0, 0.0], [0.0, 1.0], [2.0, 2.0]])
    values = assert_no_step_is_missed(arrays, rows, 0)
    np.testing.assert_array_equal(values[np.abs(values) <= ZERO], [-ZERO])


def test_a_missing_marker_is_no_number() -> None:
    xgb = pytest.importorskip("xgboost_cases").xgb
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 2)).round(1)
    rows[rng.random(rows.shape) < 0.2] = -999.0
    model = xgb.XGBRegressor(n_estimators=5, max_depth=3, missing=-999.0, n_jobs=1)
    model.fit(rows, rows[:, 0])
    found = leafshap.partial_dependence(model, rows[:30], 0, kind="individual")
    values = found.grid_values[0]
    assert values[-1] == -999.0
    assert values[0] > -10
    for i, value in enumerate(values):
        changed = rows[:30].copy()
        changed[:, 0] = value
        np.testing.assert_allclose(found.individual[0, :, i], model.predict(changed), atol=1e-5)


def test_categories_without_names_are_codes() -> None:
    cases = pytest.importorskip("lightgbm_cases")
    model, rows = cases.train({}, "nan"), cases.training_data("nan")[0][:60]
    values = leafshap.partial_dependence(model, rows, 4).grid_values[0]
    assert np.isnan(values[-1])
    assert set(rows[:, 4][~np.isnan(rows[:, 4])]) <= set(values)
    arrays = leafshap.TreeEnsemble.from_model(model).to_arrays()
    for node in np.flatnonzero((arrays.split_feature == 4) & (arrays.categorical > 0)):
        first, last = arrays.category_offsets[node : node + 2]
        assert set(arrays.category_codes[first:last]) <= set(values)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"grid_resolution": 7},
        {"grid_resolution": 7, "percentiles": (0, 1)},
        {"grid_resolution": 7, "percentiles": (0.31, 0.32)},
        {"categorical_features": [0, 2]},
        {"categorical_features": [True, False, True, False, False], "grid_resolution": 4},
        {"custom_values": {0: [3.0, -1.0]}, "grid_resolution": 7},
    ],
)
def test_the_grid_of_sklearn(settings: dict[str, Any], dtype: Any) -> None:
    model = sklearn_models.fitted("tree stump")
    rows = sklearn_models.X.astype(dtype)
    for feature in range(4):
        try:
            theirs = inspection.partial_dependence(
                model, rows, [feature], method="brute", **settings
            )
        except ValueError:  # percentiles are too close to each other
            with pytest.raises(leafshap.InvalidInputError, match="are both about"):
                leafshap.partial_dependence(model, rows, feature, grid="sklearn", **settings)
            continue
        ours = leafshap.partial_dependence(model, rows, feature, grid="sklearn", **settings)
        np.testing.assert_array_equal(ours.grid_values[0], theirs["grid_values"][0])


def test_the_grid_of_sklearn_with_missing_values() -> None:
    model, rows = sklearn_models.fitted("hist missing"), sklearn_models.X_MISSING.copy()
    rows[5:, 1] = np.arange(len(rows) - 5)  # few enough missing for percentiles
    settings: dict[str, Any] = {"grid_resolution": 20}
    for feature in (0, 1):
        ours = leafshap.partial_dependence(model, rows, feature, grid="sklearn", **settings)
        theirs = inspection.partial_dependence(model, rows, [feature], method="brute", **settings)
        np.testing.assert_array_equal(ours.grid_values[0], theirs["grid_values"][0])
        np.testing.assert_allclose(ours.average, theirs["average"], atol=1e-12)
    found = leafshap.partial_dependence(model, rows, 2, grid="sklearn", grid_resolution=20)
    kept = rows[~np.isnan(rows[:, 2]), 2]
    np.testing.assert_array_equal(found.grid_values[0][[0, -1]], quantiles(kept, (0.05, 0.95)))


def test_quantiles_are_those_of_scipy() -> None:
    mstats = pytest.importorskip("scipy.stats.mstats")
    rng = np.random.default_rng(0)
    for n in (1, 2, 3, 10, 101):
        for values in (rng.normal(size=n), rng.integers(0, 4, n).astype(np.float32)):
            shares = [0.0, 0.05, 0.3, 0.5, 0.95, 1.0]
            wanted = mstats.mquantiles(values, prob=shares)
            np.testing.assert_array_equal(quantiles(values, shares), wanted)


def test_names_lead_to_features() -> None:
    model = sklearn_models.fitted("boosting")
    names = list("abcde")
    found = leafshap.partial_dependence(
        model, sklearn_models.X, ["c", ("a", 1)], feature_names=names,
        custom_values={"a": [0.0, 1.0], 1: np.array([2.0])},
    )  # fmt: skip
    assert [r.features for r in found] == [(2,), (0, 1)]
    assert found[0].feature_names == names
    assert found[1].average.shape == (1, 2, 1)
    assert set(found[0].deciles) == {0, 1, 2}
