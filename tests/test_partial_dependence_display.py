"""scikit-learn's display draws the results as they are."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import leafshap

matplotlib = pytest.importorskip("matplotlib")
inspection = pytest.importorskip("sklearn.inspection")
pandas = pytest.importorskip("pandas")

N = 120


@pytest.fixture(autouse=True)
def pyplot() -> Iterator[Any]:
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def frame() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    rows = pandas.DataFrame(
        {
            "x": rng.normal(size=N),
            "colour": pandas.Categorical(rng.choice(["red", "green", "blue"], N)),
            "z": rng.normal(size=N).round(1),
        }
    )
    rows.loc[rng.random(N) < 0.1, "x"] = np.nan
    red = (rows["colour"] == "red").to_numpy()
    return rows, rows["x"].fillna(2.0).to_numpy() * red + np.sin(3 * rows["z"].to_numpy())


def fitted(classes: bool = False) -> tuple[Any, Any]:
    lightgbm = pytest.importorskip("lightgbm")
    rows, y = frame()
    settings = {"n_estimators": 20, "num_leaves": 6, "min_child_samples": 3, "verbose": -1}
    if classes:
        model = lightgbm.LGBMClassifier(**settings)
        return model.fit(rows, np.digitize(y, [-0.5, 0.5])), rows
    return lightgbm.LGBMRegressor(**settings).fit(rows, y), rows


def display(results: list[Any], kind: str = "average", target_idx: int = 0) -> Any:
    first = results[0]
    return inspection.PartialDependenceDisplay(
        results,
        features=[r.features for r in results],
        feature_names=first.feature_names,
        target_idx=target_idx,
        deciles=first.deciles,
        is_categorical=[r.is_categorical for r in results],
        kind=kind,
        random_state=0,
    )


def test_steps_bars_and_contours(pyplot: Any, tmp_path: Any) -> None:
    model, rows = fitted()
    one = leafshap.partial_dependence(model, rows, ["x", "colour", "z"])
    assert np.isnan(one[0].grid_values[0][-1])
    two = leafshap.partial_dependence(model, rows, [("z", "x")])
    assert not np.isnan(two[0].grid_values[1]).any()
    drawn = display(one + two).plot(line_kw={"drawstyle": "steps-post"})
    line = drawn.lines_.ravel()[0]
    np.testing.assert_array_equal(line.get_xdata(), one[0].grid_values[0])
    np.testing.assert_array_equal(line.get_ydata(), one[0].average[0])
    assert line.get_drawstyle() == "steps-post"
    assert drawn.bars_.ravel()[1] is not None
    assert drawn.contours_.ravel()[3] is not None
    labels = [axis.get_xlabel() for axis in drawn.axes_.ravel() if axis is not None]
    assert labels[:3] == ["x", "colour", "z"]
    pyplot.gcf().savefig(tmp_path / "drawn.png")


def test_two_categories_together() -> None:
    model, rows = fitted()
    rows = rows.assign(z=rows["z"].round())
    results = [leafshap.partial_dependence(model, rows, ("colour", "z"), categorical_features=[2])]
    assert results[0].is_categorical == (True, True)
    drawn = display(results).plot()
    assert drawn.heatmaps_.ravel()[0] is not None


def test_single_curves_of_a_class() -> None:
    model, rows = fitted(classes=True)
    results = leafshap.partial_dependence(model, rows, ["z", "x"], kind="both")
    drawn = display(results, kind="both", target_idx=2).plot()
    lines = drawn.lines_.reshape(-1, N + 1)
    assert lines.shape[0] == 2
    np.testing.assert_array_equal(lines[0, -1].get_ydata(), results[0].average[2])


def test_the_same_picture_as_sklearn() -> None:
    model, rows = fitted()
    rows = rows.fillna({"x": 0.0})
    settings: dict[str, Any] = {"grid_resolution": 15}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = inspection.PartialDependenceDisplay.from_estimator(
            model, rows, ["x", "z"], method="brute", **settings
        )
    ours = display(
        leafshap.partial_dependence(model, rows, ["x", "z"], grid="sklearn", **settings)
    ).plot()
    for a, b in zip(ours.lines_.ravel(), theirs.lines_.ravel(), strict=True):
        np.testing.assert_array_equal(a.get_xdata(), b.get_xdata())
        np.testing.assert_allclose(a.get_ydata(), b.get_ydata(), rtol=0, atol=1e-12)
    for j, deciles in theirs.deciles.items():
        np.testing.assert_array_equal(ours.deciles[j], deciles)
    for a, b in zip(ours.axes_.ravel(), theirs.axes_.ravel(), strict=True):
        assert a.get_xlabel() == b.get_xlabel()
