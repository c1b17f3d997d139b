"""Plots of our own: what is drawn is what the results hold."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import leafshap
import leafshap.plots
from leafshap.bunch import make_bunch
from leafshap.interactions import InteractionPairs, InteractionSummary

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
pyplot = pytest.importorskip("matplotlib.pyplot")

N = 60
# what tests look into is not in matplotlib's annotations
interaction_matrix: Any = leafshap.plots.interaction_matrix
partial_dependence: Any = leafshap.plots.partial_dependence
permutation_importance: Any = leafshap.plots.permutation_importance


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before
    pyplot.close("all")


def written(axis: Any) -> str:
    return "\n".join(t.get_text() for t in axis.figure.findobj(matplotlib.text.Text))


# partial dependence


@pytest.fixture(scope="module")
def fitted() -> tuple[Any, Any]:
    lightgbm = pytest.importorskip("lightgbm")
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    rows = pandas.DataFrame(
        {
            "x": rng.normal(size=N),
            "colour": pandas.Categorical(rng.choice(["red", "green", "blue"], N)),
            "z": rng.normal(size=N),
        }
    )
    rows.loc[:5, "x"] = np.nan
    y = rows["x"].fillna(2.0) * (rows["colour"] == "red") + np.sin(3 * rows["z"])
    settings = {"n_estimators": 15, "num_leaves": 6, "min_child_samples": 3, "verbose": -1}
    settings |= {"min_data_per_group": 1, "cat_smooth": 1}
    return lightgbm.LGBMRegressor(**settings).fit(rows, y), rows


@pytest.fixture(scope="module")
def results(fitted: tuple[Any, Any]) -> Any:
    return leafshap.partial_dependence(*fitted, ["x", "colour", "z"], kind="both")


def test_steps_are_the_average_at_the_thresholds(results: Any, tmp_path: Path) -> None:
    axes = partial_dependence(results)
    assert axes.shape == (3,)
    line, result = axes[2].lines[0], results[2]
    assert result.at_cuts == (True,)
    assert line.get_drawstyle() == "steps-post"
    grid, average = result.grid_values[0], result.average[0]
    np.testing.assert_array_equal(line.get_xdata()[1:-1], grid)
    np.testing.assert_array_equal(line.get_ydata()[1:-1], average)
    # on beyond the grid, where the model is constant
    assert line.get_xdata()[0] < grid[0]
    assert line.get_xdata()[-1] > grid[-1]
    assert line.get_ydata()[0] == average[0]
    assert line.get_ydata()[-1] == average[-1]
    assert axes[2].get_xlabel() == "z"
    assert "mean model output" in axes[2].get_ylabel()
    path = tmp_path / "plot.png"
    axes[0].figure.savefig(path)
    assert path.stat().st_size > 5000


def test_the_drawn_steps_are_the_models(fitted: tuple[Any, Any], results: Any) -> None:
    """Read off the picture between the thresholds, the mean prediction is what is drawn."""
    model, rows = fitted
    line = partial_dependence(results[2]).lines[0]
    x, y = line.get_xdata(), line.get_ydata()
    for i in range(0, len(x) - 1, 5):
        middle = rows.assign(z=(x[i] + x[i + 1]) / 2)
        np.testing.assert_allclose(y[i], model.predict(middle).mean(), rtol=1e-9)


def test_missing_is_a_point_beside_the_curve(results: Any) -> None:
    axis = partial_dependence(results, "x", kind="average")
    grid, average = results[0].grid_values[0], results[0].average[0]
    assert np.isnan(grid[-1])
    np.testing.assert_array_equal(axis.lines[0].get_xdata()[1:-1], grid[:-1])
    (point,) = axis.collections[0].get_offsets()
    assert point[0] > grid[-2]
    assert point[1] == average[-1]
    assert [t.get_text() for t in axis.get_xticklabels()][-1] == "missing"


def test_individual_curves(results: Any) -> None:
    axis = partial_dependence(results, "z", max_curves=10, deciles=False)
    curves = axis.collections[0].get_segments()
    assert len(curves) == 10
    rows = np.linspace(0, N - 1, 10).astype(int)
    for row, curve in zip(rows, curves, strict=True):
        steps = curve[2::2][:-1]
        np.testing.assert_array_equal(steps[:, 0], results[2].grid_values[0])
        np.testing.assert_array_equal(steps[:, 1], results[2].individual[0, row])
        np.testing.assert_array_equal(curve[1:-2:2, 0], results[2].grid_values[0])
    only = partial_dependence(results, "z", kind="individual", deciles=False)
    assert len(only.lines) == 0
    assert only.get_ylabel() == "model output"
    none = partial_dependence(results, "z", kind="average", deciles=False)
    assert len(none.collections) == 0


def test_centered_curves_begin_at_zero(results: Any) -> None:
    axis = partial_dependence(results, "z", centered=True)
    average = results[2].average[0]
    np.testing.assert_array_equal(axis.lines[0].get_ydata()[1:-1], average - average[0])
    assert all(curve[0, 1] == 0.0 for curve in axis.collections[0].get_segments())


def test_categories_are_points(results: Any) -> None:
    axis = partial_dependence(results, "colour", kind="average")
    drawn = [c.get_offsets()[0].tolist() for c in axis.collections]
    average = results[1].average[0]
    assert drawn == [[float(i), average[i]] for i in range(len(average))]
    names = [t.get_text() for t in axis.get_xticklabels()]
    assert names == list(results[1].grid_values[0])


def test_deciles_of_the_data(results: Any) -> None:
    axis = partial_dependence(results, "z", kind="average")
    marks = [segment[0, 0] for segment in axis.collections[0].get_segments()]
    np.testing.assert_array_equal(marks, results[2].deciles[2])


def test_lines_between_points_that_are_no_thresholds(fitted: tuple[Any, Any]) -> None:
    result = leafshap.partial_dependence(*fitted, "z", grid="sklearn", grid_resolution=20)
    assert result.at_cuts == (False,)
    line = partial_dependence(result).lines[0]
    assert line.get_drawstyle() == "default"
    np.testing.assert_array_equal(line.get_xdata(), result.grid_values[0])
    given = leafshap.partial_dependence(*fitted, "z", grid=[0.0])
    assert partial_dependence(given).lines[0].get_marker() == "o"


def test_two_features_are_cells(fitted: tuple[Any, Any]) -> None:
    result = leafshap.partial_dependence(*fitted, ("z", "x"))
    axis = partial_dependence(result)
    (mesh,) = axis.collections
    np.testing.assert_array_equal(mesh.get_array(), result.average[0].T)
    corners = mesh.get_coordinates()
    np.testing.assert_array_equal(corners[0, :-1, 0], result.grid_values[0])
    np.testing.assert_array_equal(corners[:-1, 0, 1], result.grid_values[1])
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("z", "x")
    mixed = leafshap.partial_dependence(*fitted, ("z", "colour"))
    axis = partial_dependence(mixed)
    np.testing.assert_array_equal(axis.collections[0].get_array(), mixed.average[0].T)
    assert [t.get_text() for t in axis.get_yticklabels()] == list(mixed.grid_values[1])
    missing = leafshap.partial_dependence(
        *fitted, ("x", "z"), custom_values={"x": [np.nan, 1.0, 0.0], "z": [0.0]}
    )
    axis = partial_dependence(missing)
    average = missing.average[0][[2, 1, 0]]
    np.testing.assert_array_equal(axis.collections[0].get_array(), average.T)
    assert [t.get_text() for t in axis.get_xticklabels()][-1] == "missing"


def test_several_outputs(fitted: tuple[Any, Any]) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    rows = fitted[1]
    model = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(rows, np.arange(N) % 3)
    result = leafshap.partial_dependence(model, rows, "z")
    with pytest.raises(leafshap.InvalidInputError, match="pass output=; outputs are '0', '1', '2'"):
        partial_dependence(result)
    axis = partial_dependence(result, output="1")
    np.testing.assert_array_equal(axis.lines[0].get_ydata()[1:-1], result.average[1])
    assert axis.get_ylabel() == "mean model output, 1"


def test_axes_of_the_user(results: Any) -> None:
    _, axes = pyplot.subplots(1, 3)
    drawn = partial_dependence(results, ax=axes)
    assert list(drawn) == list(axes)
    assert partial_dependence(results[0], ax=axes[0]) is axes[0]
    with pytest.raises(leafshap.InvalidInputError, match="ax must be 3 Axes"):
        partial_dependence(results, ax=axes[0])


def test_which_results(results: Any, fitted: tuple[Any, Any]) -> None:
    assert partial_dependence(results, ["z", 0]).shape == (2,)
    assert partial_dependence(results, 1).get_xlabel() == "colour"
    with pytest.raises(leafshap.InvalidInputError, match="no result of 'y': there are 'x', 'colo"):
        partial_dependence(results, "y")
    pair = leafshap.partial_dependence(*fitted, [("x", "z")], grid="sklearn", grid_resolution=3)
    assert partial_dependence(pair, ("x", "z")).get_ylabel() == "z"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "all"}, "unknown kind"),
        ({"max_curves": 0}, "max_curves"),
        ({"features": []}, "features is empty"),
        ({"output": 2}, "no output 2"),
    ],
)
def test_arguments_that_do_not_fit(results: Any, options: Any, message: str) -> None:
    with pytest.raises(leafshap.InvalidInputError, match=message):
        partial_dependence(results, **options)
    assert pyplot.get_fignums() == []


def test_what_is_no_partial_dependence(fitted: tuple[Any, Any]) -> None:
    for wrong in (None, [], [1], {"average": 1}, np.zeros(3)):
        with pytest.raises(leafshap.InvalidInputError, match="expected"):
            partial_dependence(wrong)
    average = leafshap.partial_dependence(*fitted, "z")
    with pytest.raises(leafshap.InvalidInputError, match='kind="both"'):
        partial_dependence(average, kind="individual")
    three = leafshap.partial_dependence(*fitted, ("x", "z", "colour"), custom_values={"x": [0.0]})
    with pytest.raises(leafshap.InvalidInputError, match="one or two features"):
        partial_dependence(three)
    two = leafshap.partial_dependence(*fitted, ("x", "z"), kind="both", grid=[[0.0], [0.0]])
    with pytest.raises(leafshap.InvalidInputError, match="only the average"):
        partial_dependence(two, kind="individual")


# interactions


def summary(n_outputs: int = 0) -> InteractionSummary:
    pairs = np.array([[0, 2], [1, 2]], dtype=np.int32)
    shape = (n_outputs,) if n_outputs else ()
    scale = np.ones(shape) * (1.0 + np.arange(n_outputs)) if n_outputs else 1.0
    return InteractionSummary(
        pairs=pairs,
        mean_abs=np.multiply.outer(np.array([0.5, 0.25]), scale),
        mean_abs_main_effects=np.multiply.outer(np.array([1.0, 0.125, 2.0]), scale),
        n_rows=10,
        feature_names=["a", "b", "c"],
        output_names=[f"class {k}" for k in range(n_outputs)] if n_outputs else None,
    )


def names_of(axis: Any) -> list[str]:
    return [t.get_text() for t in axis.get_yticklabels()]


def test_cells_are_the_summarys_values(tmp_path: Path) -> None:
    axis = interaction_matrix(summary())
    assert names_of(axis) == ["c", "a", "b"]
    cells = axis.images[0].get_array()
    expected = np.array([[0, 0.5, 0.25], [0.5, 0, 0], [0.25, 0, 0]])
    np.testing.assert_array_equal(cells.filled(0.0), expected)
    numbers = {t.get_position(): t.get_text() for t in axis.texts}
    assert numbers == {
        (0, 0): "2.000", (1, 1): "1.000", (2, 2): "0.125",
        (1, 0): "0.500", (0, 1): "0.500", (2, 0): "0.250", (0, 2): "0.250",
    }  # fmt: skip
    path = tmp_path / "matrix.png"
    axis.figure.savefig(path)
    assert path.stat().st_size > 5000


def test_the_most_important_features() -> None:
    axis = interaction_matrix(summary(), top=2)
    assert names_of(axis) == ["c", "a"]
    assert "2 of 3 features" in written(axis)
    named = interaction_matrix(summary(), feature_names=["x", "$y$", "z"])
    assert names_of(named) == ["z", "x", r"\$y\$"]


def test_an_output_of_several() -> None:
    with pytest.raises(leafshap.InvalidInputError, match="outputs are 'class 0', 'class 1'"):
        interaction_matrix(summary(2))
    axis = interaction_matrix(summary(2), output="class 1")
    assert axis.images[0].get_array().max() == 1.0
    assert "class 1" in written(axis)


def dense(n_outputs: int = 0) -> Any:
    half = np.random.default_rng(0).normal(size=(8, 3, 3, *([n_outputs] if n_outputs else [])))
    return half + half.swapaxes(1, 2)


def in_order(values: Any, axis: Any) -> Any:
    mean = np.abs(values).mean(axis=0)
    order = [int(name.rpartition(" ")[2]) for name in names_of(axis)]
    assert order == np.argsort(-mean.sum(axis=1)).tolist()
    mean = mean[np.ix_(order, order)]
    np.fill_diagonal(mean, 0.0)
    return mean


def test_arrays_and_explanations() -> None:
    values = dense()
    explanation = leafshap.Explanation(values=values, base_values=np.zeros(8))
    for given in (values, explanation, np.abs(values).mean(axis=0)):
        axis = interaction_matrix(given)
        np.testing.assert_allclose(axis.images[0].get_array().filled(0.0), in_order(values, axis))
    several = dense(2)
    explanation = leafshap.Explanation(values=several, base_values=np.zeros((8, 2)))
    for given in (several, explanation):
        axis = interaction_matrix(given, output=1)
        expected = in_order(several[..., 1], axis)
        np.testing.assert_allclose(axis.images[0].get_array().filled(0.0), expected)
    one = leafshap.Explanation(values=values[0], base_values=np.zeros(()), single_row=True)
    axis = interaction_matrix(one)
    np.testing.assert_allclose(axis.images[0].get_array().filled(0.0), in_order(values[:1], axis))


def test_pairs() -> None:
    pairs = InteractionPairs(
        pairs=np.array([[0, 2]], dtype=np.int32),
        values=np.array([[1.0], [-3.0]]),
        shap_values=np.array([[1.0, 0.5, 2.0], [3.0, 0.5, 0.0]]),
        base_values=np.zeros(2),
    )
    axis = interaction_matrix(pairs)
    np.testing.assert_allclose(
        axis.images[0].get_array().filled(0.0), in_order(pairs.to_dense(), axis)
    )


def test_no_interactions_at_all() -> None:
    axis = interaction_matrix(np.diag([1.0, 2.0]))
    assert names_of(axis) == ["Feature 1", "Feature 0"]
    assert "no features interact" in written(axis)
    interaction_matrix(np.zeros((1, 1))).figure.canvas.draw()


def test_numbers_only_where_there_is_room() -> None:
    axis = interaction_matrix(np.ones((40, 40)), top=40)
    assert not axis.texts
    tiny = interaction_matrix(dense() * 1e-7)
    assert "10$^{-" in written(tiny)
    assert all(len(t.get_text()) <= 5 for t in tiny.texts)
    huge = interaction_matrix(dense() * 1e7)
    assert all(len(t.get_text()) <= 5 for t in huge.texts)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((4, 3)), "it has shape"),
        (np.zeros((0, 3, 3)), "no rows"),
        (None, "got NoneType"),
        ([[1.0]], "got list"),
        (leafshap.Explanation(values=np.zeros((3, 3)), base_values=np.zeros(3)), "interactions=T"),
    ],
)
def test_what_has_no_interactions(given: Any, message: str) -> None:
    with pytest.raises(leafshap.InvalidInputError, match=message):
        interaction_matrix(given)


def test_arguments_of_the_matrix() -> None:
    with pytest.raises(leafshap.InvalidInputError, match="top must be"):
        interaction_matrix(summary(), top=0)
    with pytest.raises(leafshap.InvalidInputError, match="2 feature_names were given for 3"):
        interaction_matrix(summary(), feature_names=["a", "b"])
    _, axis = pyplot.subplots()
    assert interaction_matrix(summary(), ax=axis) is axis


# permutation importance


def importances(n_repeats: int = 6, shift: float = 0.0) -> Any:
    values = np.random.default_rng(0).normal(size=(4, n_repeats)) * 0.1
    values += np.array([[1.0], [3.0], [0.0], [2.0]]) + shift
    return make_bunch(
        importances=values,
        importances_mean=values.mean(axis=1),
        importances_std=values.std(axis=1),
        names=["a", "b", "c", "d"],
    )


def test_repeats_means_and_spread(tmp_path: Path) -> None:
    result = importances()
    axis = permutation_importance(result)
    assert names_of(axis) == ["b", "d", "a", "c"]
    order = [1, 3, 0, 2]
    spread, repeats, means = axis.collections
    drawn = np.array([segment[:, 0] for segment in spread.get_segments()])
    mean, std = result.importances_mean[order], result.importances_std[order]
    np.testing.assert_allclose(drawn, np.stack([mean - std, mean + std], axis=1))
    np.testing.assert_allclose(repeats.get_offsets()[:, 0], result.importances[order].ravel())
    np.testing.assert_allclose(means.get_offsets()[:, 0], mean)
    path = tmp_path / "importance.png"
    axis.figure.savefig(path)
    assert path.stat().st_size > 5000


def test_bars_without_repeats() -> None:
    result = importances(1)
    axis = permutation_importance(result, top=3)
    widths = [bar.get_width() for bar in axis.patches]
    np.testing.assert_allclose(widths, np.sort(result.importances_mean)[::-1][:3])
    assert "3 of 4 features" in written(axis)


def test_several_scorers_share_the_order() -> None:
    result = {"r2": importances(), "neg_error": importances(shift=5.0)}
    axes = permutation_importance(result)
    assert axes.shape == (2,)
    assert [axis.get_title(loc="left") for axis in axes] == ["r2", "neg_error"]
    means = axes[1].collections[2].get_offsets()[:, 0]
    np.testing.assert_allclose(means, result["neg_error"].importances_mean[[1, 3, 0, 2]])
    with pytest.raises(leafshap.InvalidInputError, match="ax must be 2 Axes"):
        permutation_importance(result, ax=axes[0])


def test_results_of_both_libraries(fitted: tuple[Any, Any]) -> None:
    inspection = pytest.importorskip("sklearn.inspection")
    model, rows = fitted
    y = model.predict(rows)
    theirs = inspection.permutation_importance(model, rows, y, n_repeats=2, random_state=0)
    assert names_of(permutation_importance(theirs))[0].startswith("Feature ")
    axis = permutation_importance(theirs, feature_names=list(rows.columns))
    ours = leafshap.permutation_importance(model, rows, y, n_repeats=2, random_state=0)
    assert names_of(permutation_importance(ours)) == names_of(axis)
    exact = leafshap.permutation_importance(model, rows, y, method="exact")
    assert len(permutation_importance(exact).patches) == 3


@pytest.mark.parametrize("wrong", [None, {}, {"a": 1}, {"importances": np.zeros(3)}, np.zeros(3)])
def test_what_is_no_importance(wrong: Any) -> None:
    with pytest.raises(leafshap.InvalidInputError, match="expected what"):
        permutation_importance(wrong)


def test_arguments_of_permutation_importance() -> None:
    with pytest.raises(leafshap.InvalidInputError, match="top must be"):
        permutation_importance(importances(), top=0)
    with pytest.raises(leafshap.InvalidInputError, match="2 feature_names were given for 4"):
        permutation_importance(importances(), feature_names=["a", "b"])
    with pytest.raises(leafshap.InvalidInputError, match="must be 4 names, got 'abcd'"):
        permutation_importance(importances(), feature_names="abcd")
    assert pyplot.get_fignums() == []


# all


def test_missing_dependency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for plot, given in (
        (interaction_matrix, summary()),
        (permutation_importance, importances()),
    ):
        with pytest.raises(leafshap.MissingDependencyError, match=r'"leafshap\[plots\]"'):
            plot(given)


def test_shown_if_asked(monkeypatch: pytest.MonkeyPatch, results: Any) -> None:
    calls: list[int] = []
    monkeypatch.setattr(pyplot, "show", lambda: calls.append(1))
    interaction_matrix(summary())
    permutation_importance(importances(), show=True)
    partial_dependence(results[0], show=True)
    assert len(calls) == 2


def test_plots_are_there_without_their_import() -> None:
    code = """
import sys
import leafshap
leafshap.plots.interaction_matrix
assert not {"shap", "matplotlib"} & set(sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_interactions_that_cannot_be_drawn(wrong: float) -> None:
    values = dense()
    values[1, 0, 2] = wrong
    for given in (values, leafshap.Explanation(values=values, base_values=np.zeros(8))):
        with pytest.raises(leafshap.InvalidInputError, match=r"1 of .* are NaN or infinite"):
            interaction_matrix(given)
    assert pyplot.get_fignums() == []
