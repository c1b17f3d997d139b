"""Partial dependence of boosters on tables, with categories and missing values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import leafshap

pandas = pytest.importorskip("pandas")

N = 80
COLOURS = ["red", "green", "blue", "grey"]


def frame(seed: int = 0, missing: bool = True) -> Any:
    rng = np.random.default_rng(seed)
    found = pandas.DataFrame(
        {
            "x": rng.normal(size=N).round(1),
            "colour": pandas.Categorical(rng.choice(COLOURS[:3], N), categories=COLOURS),
            "z": rng.normal(size=N),
        }
    )
    if missing:
        found.loc[rng.random(N) < 0.2, "x"] = np.nan
        found.loc[rng.random(N) < 0.1, "colour"] = None
    return found


def target(rows: Any, seed: int = 1) -> Any:
    noise = np.random.default_rng(seed).normal(size=len(rows)) * 0.1
    red = (rows["colour"] == "red").to_numpy()
    return rows["x"].fillna(-1).to_numpy() * red + rows["z"].to_numpy() + noise


def changed(rows: Any, column: str, value: Any) -> Any:
    rows = rows.copy()
    if column == "colour":
        rows[column] = pandas.Categorical([value] * len(rows), categories=COLOURS)
    else:
        rows[column] = value
    return rows


def xgboost(classes: int = 0, **settings: Any) -> Any:
    xgb = pytest.importorskip("xgboost_cases").xgb
    kind = xgb.XGBClassifier if classes else xgb.XGBRegressor
    return kind(n_estimators=8, max_depth=3, n_jobs=1, enable_categorical=True,
                tree_method="hist", max_cat_to_onehot=2, **settings)  # fmt: skip


def lightgbm(classes: int = 0, **settings: Any) -> Any:
    lgb = pytest.importorskip("lightgbm")
    kind = lgb.LGBMClassifier if classes else lgb.LGBMRegressor
    return kind(n_estimators=8, num_leaves=6, min_child_samples=3, min_data_per_group=2,
                cat_smooth=1.0, n_jobs=1, verbose=-1, **settings)  # fmt: skip


def histogram(classes: int = 0) -> Any:
    ensemble = pytest.importorskip("sklearn.ensemble")
    sklearn_models = pytest.importorskip("sklearn_models")
    if sklearn_models.VERSION < (1, 4):
        pytest.skip("no categorical dtypes before scikit-learn 1.4")
    kind = (
        ensemble.HistGradientBoostingClassifier
        if classes
        else ensemble.HistGradientBoostingRegressor
    )
    return kind(max_iter=8, min_samples_leaf=3, categorical_features="from_dtype")


@pytest.mark.parametrize("classes", [0, 2, 3])
@pytest.mark.parametrize("make", [xgboost, lightgbm, histogram])
def test_curves_are_predictions(make: Any, classes: int) -> None:
    rows = frame()
    y = target(rows)
    if classes:
        y = np.digitize(y, np.quantile(y, np.arange(1, classes) / classes))
    model = make(classes).fit(rows, y)
    own = model.predict_proba if classes else model.predict
    found = leafshap.partial_dependence(model, rows, ["x", "colour", "z"], kind="both")
    for name, result in zip(["x", "colour", "z"], found, strict=True):
        (values,) = result.grid_values
        if name == "colour":
            known = [v for v in values.tolist() if isinstance(v, str)]
            assert set(COLOURS[:3]) <= set(known) <= set(COLOURS)
            assert values[-1] != values[-1]
            assert result.is_categorical == (True,)
        wanted = own(pandas.concat([changed(rows, name, value) for value in values]))
        wanted = np.asarray(wanted).reshape(len(values), N, -1).T
        wanted = wanted[1:] if classes == 2 else wanted
        np.testing.assert_allclose(result.individual, wanted, rtol=0, atol=2e-6)
        np.testing.assert_allclose(result.average, wanted.mean(axis=1), rtol=0, atol=2e-6)


@pytest.mark.parametrize("make", [xgboost, lightgbm, histogram])
def test_equals_brute_force_of_sklearn(make: Any) -> None:
    inspection = pytest.importorskip("sklearn.inspection")
    rows = frame(missing=False)
    rows.loc[::7, "x"] = np.nan
    model = make().fit(rows, target(rows))
    weights = np.arange(N) % 3
    settings: dict[str, Any] = {
        "categorical_features": ["colour"],
        "sample_weight": weights,
        "kind": "both",
        "custom_values": {"x": np.array([-1.0, 0.0, 0.5, np.nan])},
    }
    for features in (["colour"], ["x", "colour"], ["z"], ["x"]):
        ours = leafshap.partial_dependence(model, rows, tuple(features), grid="sklearn", **settings)
        theirs = inspection.partial_dependence(model, rows, features, method="brute", **settings)
        for a, b in zip(ours.grid_values, theirs["grid_values"], strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(ours.average, theirs["average"], rtol=0, atol=2e-6)
        np.testing.assert_allclose(ours.individual, theirs["individual"], rtol=0, atol=2e-6)


def test_other_tables() -> None:
    polars, pyarrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    rows = frame()
    model = lightgbm().fit(rows, target(rows))
    wanted = leafshap.partial_dependence(model, rows, ["x", "colour", ("x", "colour")])
    columns = {"x": rows["x"].tolist(), "z": rows["z"].tolist()}
    text = [v if isinstance(v, str) else None for v in rows["colour"]]
    enum = polars.Series(text, dtype=polars.Enum(COLOURS))
    tables = [
        polars.DataFrame({"x": columns["x"], "colour": text, "z": columns["z"]}),
        polars.DataFrame({"x": columns["x"], "colour": enum, "z": columns["z"]}),
        pyarrow.table({"x": columns["x"], "colour": pyarrow.array(text).dictionary_encode(),
                       "z": columns["z"]}),
        pyarrow.table({"x": columns["x"], "colour": pyarrow.array(text), "z": columns["z"]}),
        rows.astype(object).to_numpy(),
    ]  # fmt: skip
    for table in tables:
        found = leafshap.partial_dependence(model, table, [0, 1, (0, 1)])
        for a, b in zip(found, wanted, strict=True):
            assert list(map(str, a.grid_values[0])) == list(map(str, b.grid_values[0]))
            np.testing.assert_allclose(a.average, b.average, rtol=0, atol=1e-12)


def test_codes_in_an_array() -> None:
    rows = frame()
    model = lightgbm().fit(rows, target(rows))
    codes = np.column_stack([rows["x"], rows["colour"].cat.codes, rows["z"]]).astype(float)
    codes[codes[:, 1] < 0, 1] = np.nan
    found = leafshap.partial_dependence(model, codes, 1, check_predictions=False)
    wanted = leafshap.partial_dependence(model, rows, 1)
    at = dict(zip(wanted.grid_values[0].tolist(), wanted.average[0], strict=True))
    for code, mean in zip(found.grid_values[0], found.average[0], strict=True):
        if not np.isnan(code):
            np.testing.assert_allclose(mean, at[COLOURS[int(code)]], rtol=1e-12)


def test_numeric_categories_of_histograms() -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.integers(0, 5, N) * 10.0, rng.normal(size=N)])
    y = (rows[:, 0] == 20) + rows[:, 1]
    model = ensemble.HistGradientBoostingRegressor(
        max_iter=8, min_samples_leaf=3, categorical_features=[0]
    ).fit(rows, y)
    found = leafshap.partial_dependence(model, rows, 0)
    np.testing.assert_array_equal(found.grid_values[0], [0, 10, 20, 30, 40])
    for value, mean in zip(found.grid_values[0], found.average[0], strict=True):
        other = rows.copy()
        other[:, 0] = value
        np.testing.assert_allclose(mean, model.predict(other).mean(), rtol=1e-12)


def test_boosters_show_the_margin() -> None:
    cases = pytest.importorskip("xgboost_cases")
    X, y = cases.classes(3)
    booster = cases.train({"objective": "multi:softprob", "num_class": 3}, X, y)
    found = leafshap.partial_dependence(booster, X[:40], 0, grid=[0.0, np.nan])
    for i, value in enumerate([0.0, np.nan]):
        other = X[:40].copy()
        other[:, 0] = value
        margin = booster.predict(cases.matrix(booster, other), output_margin=True)
        np.testing.assert_allclose(found.average[:, i], margin.mean(axis=0), atol=2e-6)
