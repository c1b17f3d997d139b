"""`Explanation.plot`: shap's plots draw the values, whatever the data's container."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import leafshap
from leafshap.explanation import Explanation
from leafshap.plots.drawable import read_drawable
from leafshap.plots.explanation import ExplanationPlots

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
pyplot = pytest.importorskip("matplotlib.pyplot")
shap = pytest.importorskip("shap")
pandas = pytest.importorskip("pandas")

N = 24
PLOTS = ["bar", "beeswarm", "violin", "heatmap", "decision", "waterfall", "force", "scatter"]
NAMES = ["age", "city", "grade", "score"]


def _random_state() -> Any:
    return np.random.get_state()  # noqa: NPY002


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    """Nothing but figures is left behind, and no figure by what fails."""
    before, state = dict(matplotlib.rcParams), _random_state()
    yield
    assert dict(matplotlib.rcParams) == before
    assert (_random_state()[1] == state[1]).all()
    pyplot.close("all")


def frame(rng: np.random.Generator) -> Any:
    """Numbers, categories with and without an order, and missing values in all."""
    city = rng.choice(["Bonn", "Lyon", "Turin"], N).astype(object)
    city[[0, 5]] = None
    score = rng.normal(size=N)
    score[[1, 7]] = np.nan
    return pandas.DataFrame(
        {
            "age": rng.integers(20, 60, N),
            "city": pandas.Categorical(city),
            "grade": pandas.Categorical(
                rng.choice(["low", "mid", "high"], N), ["low", "mid", "high"], ordered=True
            ),
            "score": score,
        }
    )


def explanation(n_outputs: int = 0, **fields: Any) -> Explanation:
    rng = np.random.default_rng(0)
    shape = (N, 4) if not n_outputs else (N, 4, n_outputs)
    given: dict[str, Any] = {
        "values": rng.normal(size=shape)
        * np.array([1.0, 4.0, 2.0, 3.0]).reshape(-1, *[1] * (len(shape) - 2)),
        "base_values": np.full((N, *shape[2:]), 0.5),
        "data": frame(rng),
        "feature_names": NAMES,
        "output_names": [f"class {k}" for k in range(n_outputs)] if n_outputs else None,
    }
    return Explanation(**given | fields)


def plots_of(e: Explanation) -> Any:
    """What tests look into is not in matplotlib's annotations."""
    return ExplanationPlots(e)


def draw(e: Explanation, plot: str, **options: Any) -> Any:
    method: Callable[..., Any] = getattr(plots_of(e), plot)
    if plot in ("waterfall", "force") and not e.single_row:
        options.setdefault("row", 3)
    if plot == "force":
        options.setdefault("matplotlib", True)
    return method("age", **options) if plot == "scatter" else method(**options)


def labels(axis: Any, n: int) -> list[str]:
    """Names at the y axis, from the top."""
    ticks = sorted(
        zip(axis.get_yticks()[:n], axis.get_yticklabels()[:n], strict=True), key=lambda t: -t[0]
    )
    return [label.get_text() for _, label in ticks]


@pytest.mark.parametrize("plot", PLOTS)
def test_every_plot_is_rendered_to_a_file(plot: str, tmp_path: Path) -> None:
    axis = draw(explanation(), plot)
    assert isinstance(axis, matplotlib.axes.Axes)
    path = tmp_path / "plot.png"
    axis.figure.savefig(path)
    assert path.stat().st_size > 2000


def test_the_property_of_explanations() -> None:
    plots = explanation().plot
    assert isinstance(plots, ExplanationPlots)
    assert "beeswarm" in repr(plots)


def test_bars_are_mean_absolute_values_in_their_order() -> None:
    e = explanation()
    axis = draw(e, "bar")
    mean = np.abs(e.values).mean(axis=0)
    order = np.argsort(-mean)
    np.testing.assert_allclose([bar.get_width() for bar in axis.patches[:4]], mean[order])
    assert labels(axis, 4) == [NAMES[j] for j in order]


def test_bars_of_one_row_are_its_values_with_the_data() -> None:
    e = explanation()[0]
    axis = draw(e, "bar")
    order = np.argsort(-np.abs(e.values))
    np.testing.assert_allclose([bar.get_width() for bar in axis.patches[:4]], e.values[order])
    assert "missing = city" in labels(axis, 4)
    plain = draw(e, "bar", show_data=False)
    assert labels(plain, 4) == [NAMES[j] for j in order]


def test_text_that_ends_in_zero_keeps_it() -> None:
    """shap strips zeros off the end of what it takes for a number."""
    data = np.array([["line 100", 250.0]], dtype=object)
    e = Explanation(values=np.array([[1.0, 2.0]]), base_values=np.zeros(1), data=data)[0]
    assert labels(draw(e, "bar"), 2) == ["250 = Feature 1", "line 100 = Feature 0"]


def test_points_of_the_beeswarm_are_the_values() -> None:
    e = explanation()
    axis = draw(e, "beeswarm")
    order = np.argsort(-np.abs(e.values).mean(axis=0))
    assert labels(axis, 4) == [NAMES[j] for j in order]
    points: dict[str, list[float]] = {name: [] for name in NAMES}
    colored: dict[str, int] = dict.fromkeys(NAMES, 0)
    for collection in axis.collections:
        offsets = np.ma.getdata(collection.get_offsets())
        if not len(offsets):
            continue
        name = NAMES[order[len(order) - 1 - round(float(np.median(offsets[:, 1])))]]
        points[name] += offsets[:, 0].tolist()
        if collection.get_array() is not None:
            colored[name] += len(offsets)
    for j, name in enumerate(NAMES):
        np.testing.assert_allclose(sorted(points[name]), np.sort(e.values[:, j]))
    # grey: categories without an order, missing values
    assert colored == {"age": N, "city": 0, "grade": N, "score": N - 2}
    assert any("grey" in a.get_ylabel() for a in axis.figure.axes)


def test_waterfall_ends_at_the_output() -> None:
    e = explanation()
    axis = draw(e, "waterfall", row=3)
    texts = [t.get_text() for a in axis.figure.axes for t in a.get_xticklabels()]
    total = f"{e.base_values[3] + e.values[3].sum():.3f}".rstrip("0").replace("-", "\u2212")
    assert any(total in text for text in texts)
    written = " ".join(t.get_text() for t in axis.get_yticklabels())
    assert f"{int(e.data.age.iloc[3])} = age" in written


def test_negative_rows_count_from_the_end() -> None:
    e = explanation()
    widths = [
        [p.get_width() for p in draw(e, "waterfall", row=row).patches[:4]] for row in (-1, N - 1)
    ]
    assert widths[0] == widths[1]


def test_heatmap_shows_the_values() -> None:
    e = explanation()
    axis = draw(e, "heatmap", instance_order=np.arange(N))
    order = np.argsort(-np.abs(e.values).mean(axis=0))
    np.testing.assert_allclose(axis.images[0].get_array(), e.values[:, order].T)


def test_decision_lines_end_at_the_output() -> None:
    e = explanation()
    axis = draw(e, "decision")
    ends = [line.get_xdata()[-1] for line in axis.lines if len(line.get_xdata()) == 5]
    np.testing.assert_allclose(ends, e.base_values + e.values.sum(axis=1))
    result = draw(e, "decision", return_objects=True)
    assert result.base_value == 0.5


def test_decision_of_one_row_writes_the_data() -> None:
    written = [t.get_text().strip() for t in draw(explanation()[0], "decision").texts]
    assert "(missing)" in written


def test_force_for_notebooks_is_shaps_object() -> None:
    e = explanation()
    one = draw(e, "force", row=0, matplotlib=False)
    assert "missing" in one.html()
    many = plots_of(e).force()
    assert len(many.data["explanations"]) == N
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("color", [None, "score", 3, "auto", "city", "grade", "#ff0000"])
def test_scatter_draws_each_row_in_its_color(color: Any) -> None:
    e = explanation()
    axis = draw(e, "scatter", color=color)
    offsets = np.ma.getdata(axis.collections[0].get_offsets())
    at = np.lexsort((offsets[:, 1], offsets[:, 0]))
    rows = np.lexsort((e.values[:, 0], e.data["age"]))
    np.testing.assert_allclose(offsets[at, 0], e.data["age"].to_numpy()[rows], atol=0.5)
    np.testing.assert_allclose(np.sort(offsets[:, 1]), np.sort(e.values[:, 0]))
    assert axis.get_xlabel() == "age"
    hues = axis.collections[0].get_array()
    if color in (None, "#ff0000"):
        assert hues is None
        return
    assert hues is not None
    if color in ("score", 3):
        by_value = dict(zip(e.values[:, 0], e.data["score"], strict=True))
        np.testing.assert_allclose(np.ma.filled(hues, np.nan), [by_value[y] for y in offsets[:, 1]])
    if color == "city":
        codes = {"Bonn": 0, "Lyon": 1, "Turin": 2}
        by_value = dict(zip(e.values[:, 0], [codes.get(c, 3) for c in e.data["city"]], strict=True))
        np.testing.assert_array_equal(hues, [by_value[y] for y in offsets[:, 1]])
        bar = axis.figure.axes[-1]
        assert [t.get_text() for t in bar.get_yticklabels()] == ["Bonn", "Lyon", "Turin", "missing"]


def test_scatter_colors_few_rows_and_missing_x() -> None:
    e = explanation()[:12]
    axis = plots_of(e).scatter("score", color="age")
    points, marks = axis.collections[:2]
    assert len(marks.get_offsets()) == 2
    gone = np.flatnonzero(np.isnan(e.data["score"]))
    by_value = dict(zip(e.values[gone, 3], e.data["age"].to_numpy()[gone], strict=True))
    found = np.ma.getdata(marks.get_offsets())[:, 1]
    np.testing.assert_array_equal(marks.get_array(), [by_value[y] for y in found])
    assert len(points.get_array()) == 12


def test_scatter_over_categories_names_them() -> None:
    axis = plots_of(explanation()).scatter("city")
    assert [t.get_text() for t in axis.get_xticklabels()] == ["Bonn", "Lyon", "Turin", "missing"]


@pytest.mark.parametrize("plot", PLOTS)
def test_one_of_several_outputs(plot: str) -> None:
    e = explanation(3)
    with pytest.raises(leafshap.InvalidInputError, match="'class 0', 'class 1', 'class 2'"):
        draw(e, plot)
    assert pyplot.get_fignums() == []
    axis = draw(e, plot, output="class 1")
    written = [t.get_text() for t in axis.figure.findobj(matplotlib.text.Text)]
    assert "class 1" in written
    with pytest.raises(leafshap.InvalidInputError, match="no output 3"):
        draw(e, plot, output=3)
    nameless = explanation(3, output_names=None)
    with pytest.raises(leafshap.InvalidInputError, match="outputs are 0 to 2"):
        draw(nameless, plot)


def test_bars_of_an_output() -> None:
    e = explanation(3)
    axis = draw(e, "bar", output=2)
    mean = np.sort(np.abs(e.values[..., 2]).mean(axis=0))[::-1]
    np.testing.assert_allclose([bar.get_width() for bar in axis.patches[:4]], mean)


def containers() -> dict[str, Any]:
    table = frame(np.random.default_rng(0))
    numbers = np.array(np.random.default_rng(1).normal(size=(N, 4)))
    numbers[3, 1], numbers[4, 2] = np.nan, np.inf
    found: dict[str, Any] = {
        "none": None,
        "array": numbers,
        "float32": numbers.astype(np.float32),
        "bool": numbers > 0,
        "objects": table.astype(object).to_numpy(),
        "pandas": table,
        "masked": np.ma.masked_invalid(numbers),
        "all missing": np.full((N, 4), np.nan),
        "nullable": pandas.DataFrame(np.arange(4 * N).reshape(N, 4) % 7, dtype="Int64"),
        "text": table.astype({"city": "str", "grade": "str"}),
    }
    return found


@pytest.mark.parametrize("plot", [p for p in PLOTS if p != "heatmap"])
@pytest.mark.parametrize("container", [*containers(), "polars", "pyarrow", "sparse"])
def test_every_container(plot: str, container: str) -> None:
    data = containers().get(container)
    if container == "polars":
        polars = pytest.importorskip("polars")
        data = polars.from_dict(
            {
                name: [None if v is None or v != v else v for v in column.tolist()]
                for name, column in frame(np.random.default_rng(0)).items()
            }
        )
    elif container == "pyarrow":
        data = pytest.importorskip("pyarrow").Table.from_pandas(frame(np.random.default_rng(0)))
    elif container == "sparse":
        numbers = np.round(np.random.default_rng(1).normal(size=(N, 4)))
        data = pytest.importorskip("scipy.sparse").csr_array(numbers)
    e = explanation(data=data)
    if plot == "scatter" and data is None:
        with pytest.raises(leafshap.InvalidInputError, match="needs data"):
            draw(e, plot)
        return
    if plot in ("bar", "waterfall", "force", "decision"):
        draw(e[3], plot)
    elif plot == "scatter":
        plots_of(e).scatter("city", color="score")
    else:
        draw(e, plot)


@pytest.mark.parametrize("plot", PLOTS)
def test_names_are_drawn_as_they_are(plot: str) -> None:
    """Between dollar signs matplotlib would set a formula."""
    e = explanation(feature_names=["$_a$", "b=c", "a very long name of some feature " * 2, "d"])
    if plot == "scatter":
        plots_of(e).scatter("$_a$", color="b=c").figure.canvas.draw()
    else:
        draw(e, plot).figure.canvas.draw()


@pytest.mark.parametrize("plot", PLOTS)
def test_without_names(plot: str) -> None:
    e = explanation(feature_names=None, data=np.zeros((N, 4)))
    axis = plots_of(e).scatter(0) if plot == "scatter" else draw(e, plot)
    written = " ".join(t.get_text() for t in axis.figure.findobj(matplotlib.text.Text))
    assert "Feature 0" in written


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_one_feature_and_constant_values(plot: str, value: float) -> None:
    e = Explanation(
        values=np.full((N, 1), value), base_values=np.zeros(N), data=np.ones((N, 1)),
        feature_names=["age"],
    )  # fmt: skip
    if plot == "violin" or (value == 0.0 and plot in ("force", "heatmap")):
        with pytest.raises(leafshap.InvalidInputError, match=r"values that differ|values are 0"):
            draw(e, plot)
        assert pyplot.get_fignums() == []
        return
    draw(e, plot).figure.canvas.draw()


@pytest.mark.parametrize("plot", ["bar", "beeswarm", "violin", "heatmap", "scatter", "decision"])
def test_as_many_rows_as_features(plot: str) -> None:
    """From shapes alone shap could not tell rows from features."""
    e = explanation()[:4]
    axis = draw(e, plot)
    if plot == "bar":
        mean = np.sort(np.abs(e.values).mean(axis=0))[::-1]
        np.testing.assert_allclose([bar.get_width() for bar in axis.patches[:4]], mean)


@pytest.mark.parametrize("plot", ["beeswarm", "violin", "heatmap", "scatter"])
def test_plots_of_rows_refuse_a_single_one(plot: str) -> None:
    with pytest.raises(leafshap.InvalidInputError, match="compares rows"):
        draw(explanation()[0], plot)


@pytest.mark.parametrize("plot", ["waterfall", "force"])
def test_which_row(plot: str) -> None:
    e = explanation()
    with pytest.raises(leafshap.InvalidInputError, match="pass row=; rows are 0 to 23"):
        draw(e, plot, row=None)
    with pytest.raises(leafshap.InvalidInputError, match="no row 24"):
        draw(e, plot, row=24)
    draw(e[:1], plot, row=None)


def interactions() -> Explanation:
    half = np.random.default_rng(0).normal(size=(N, 4, 4))
    return explanation(values=half + half.transpose(0, 2, 1))


def test_scatter_of_interaction_values() -> None:
    e = interactions()
    axis = plots_of(e).scatter(("age", "score"))
    found = np.sort(np.ma.getdata(axis.collections[0].get_offsets())[:, 1])
    np.testing.assert_allclose(found, np.sort(2 * e.values[:, 0, 3]))
    assert axis.get_ylabel() == "SHAP interaction value for\nage\nand score"
    main = plots_of(e).scatter("age", color="auto")
    found = np.sort(np.ma.getdata(main.collections[0].get_offsets())[:, 1])
    np.testing.assert_allclose(found, np.sort(e.values[:, 0, 0]))
    with pytest.raises(leafshap.InvalidInputError, match="second feature"):
        plots_of(e).scatter(("age", "score"), color="city")
    with pytest.raises(leafshap.InvalidInputError, match="one feature"):
        plots_of(explanation()).scatter(("age", "score"))


@pytest.mark.parametrize("plot", ["bar", "beeswarm", "violin", "heatmap", "waterfall", "force"])
def test_plots_that_take_no_interaction_values(plot: str) -> None:
    with pytest.raises(leafshap.InvalidInputError, match="interaction_matrix"):
        draw(interactions(), plot)


def test_decision_of_interaction_values() -> None:
    e = interactions()
    axis = draw(e, "decision")
    ends = [line.get_xdata()[-1] for line in axis.lines if len(line.get_xdata()) == 11]
    np.testing.assert_allclose(ends, e.base_values + e.values.sum(axis=(1, 2)))


def test_what_was_selected_and_reduced() -> None:
    e = explanation(3)
    axis = draw(e[..., "class 1"], "beeswarm")
    assert axis.get_title(loc="left") == "class 1"
    mean = e[..., "class 1"].abs.mean(0)
    axis = draw(mean, "bar")
    np.testing.assert_allclose(
        [bar.get_width() for bar in axis.patches[:4]],
        np.sort(np.asarray(mean.values, dtype=np.float64))[::-1],
    )
    assert axis.get_xlabel() == "mean(|SHAP value|)"
    two = e[:, ["score", "age"], 0]
    assert labels(draw(two, "bar"), 2) == ["score", "age"]
    plots_of(two).scatter("age", color="score")
    for plot in ("waterfall", "decision", "force"):
        with pytest.raises(leafshap.InvalidInputError, match="no base values"):
            draw(e[..., 0].abs, plot)
    with pytest.raises(leafshap.InvalidInputError, match="axes are rows"):
        draw(e[:, "age", 0], "bar")
    with pytest.raises(leafshap.InvalidInputError, match="all features"):
        draw(interactions()[:, :, ["age"]], "decision")


def test_base_values_that_differ() -> None:
    e = explanation(base_values=np.arange(float(N)))
    for plot in (plots_of(e).decision, plots_of(e).force):
        with pytest.raises(leafshap.InvalidInputError, match="same base value"):
            plot()
    draw(e, "waterfall", row=2)
    draw(e, "force", row=2)


@pytest.mark.parametrize("plot", ["bar", "beeswarm", "heatmap", "decision", "waterfall", "scatter"])
def test_axes_of_the_user(plot: str) -> None:
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 4))
    assert draw(explanation(), plot, ax=axes[1]) is axes[1]
    assert not axes[0].has_data()
    assert tuple(figure.get_size_inches()) == (9, 4)
    assert pyplot.get_fignums() == [figure.number]


def test_each_plot_has_a_figure_of_its_own() -> None:
    e = explanation()
    first, second = draw(e, "bar"), draw(e, "beeswarm")
    assert first.figure is not second.figure


def test_nothing_is_cut() -> None:
    e = explanation(feature_names=[f"{'a long name ' * 6}{j}" for j in range(4)])
    for plot in ("bar", "waterfall", "heatmap"):
        figure = draw(e, plot).figure
        figure.canvas.draw()
        box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height


def test_shown_if_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(pyplot, "show", lambda: calls.append(1))
    draw(explanation(), "bar")
    assert not calls
    draw(explanation(), "bar", show=True)
    draw(explanation(), "force", show=True)
    assert len(calls) == 2


def test_interactive_mode_stays() -> None:
    pyplot.ion()
    try:
        draw(explanation(), "waterfall")
        draw(explanation(), "force")
        assert pyplot.isinteractive()
    finally:
        pyplot.ioff()


def test_pictures_are_the_same_each_time() -> None:
    first, second = (draw(explanation(), "beeswarm") for _ in range(2))
    for a, b in zip(first.collections, second.collections, strict=True):
        np.testing.assert_array_equal(a.get_offsets(), b.get_offsets())


def test_a_failed_plot_leaves_no_figure() -> None:
    with pytest.raises(TypeError):
        draw(explanation(), "bar", no_such_option=1)
    with pytest.raises(leafshap.InvalidInputError, match="no feature 'height'; there are: 'age'"):
        plots_of(explanation()).scatter("height")
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("missing", ["shap", "matplotlib"])
def test_missing_dependency(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    for plot in PLOTS:
        with pytest.raises(leafshap.MissingDependencyError, match=rf"{missing}.*leafshap\[plots\]"):
            draw(explanation(), plot)


def test_columns_by_the_rule() -> None:
    data = np.array(
        [[1, "b", None, True], [np.inf, None, 2.5, False], [3, "a", np.nan, True]], object
    )
    columns = read_drawable(data, 3, 4)
    assert columns is not None
    numbers, text, missing, flags = columns
    np.testing.assert_array_equal(numbers.numbers, [1, 3, 3])
    assert numbers.texts == ["1", "3", "3"]
    assert text.texts == ["b", "missing", "a"]
    np.testing.assert_array_equal(text.numbers, [1, 2, 0])
    assert np.isnan(text.shades).all()
    assert missing.texts == ["missing", "2.5", "missing"]
    np.testing.assert_array_equal(flags.shades, [1, 0, 1])
    ordered = pandas.Categorical(["low", None, "high"], ["low", "mid", "high"], ordered=True)
    (grade,) = read_drawable(pandas.DataFrame({"grade": ordered}), 3, 1) or []
    assert grade.texts == ["low", "missing", "high"]
    np.testing.assert_array_equal(grade.shades, [0, np.nan, 1])


def test_scatter_of_the_one_selected_feature() -> None:
    e = explanation()
    for one in (e[:, "age"], e[:, ["age"]]):
        axis = plots_of(one).scatter()
        found = np.ma.getdata(axis.collections[0].get_offsets())
        np.testing.assert_allclose(np.sort(found[:, 1]), np.sort(e.values[:, 0]))
        assert axis.get_xlabel() == "age"
        plots_of(one).scatter("age", color="auto")
        plots_of(one).scatter(color="red")
        with pytest.raises(leafshap.InvalidInputError, match="no feature 'city'"):
            plots_of(one).scatter("city")
    grade = plots_of(e[:, "grade"]).scatter()
    assert [t.get_text() for t in grade.get_xticklabels()] == ["low", "mid", "high"]
    plots_of(explanation(3)[:, "age"]).scatter(output="class 1")
    plots_of(explanation(3)[:, "age", 1]).scatter()
    with pytest.raises(
        leafshap.InvalidInputError, match=r"shows one feature: name it.*'age', 'city'"
    ):
        plots_of(e).scatter()
    with pytest.raises(leafshap.InvalidInputError, match="needs an explanation of features"):
        plots_of(interactions()[:, "age", "city"]).scatter()


@pytest.mark.parametrize("container", ["array", "polars", "pyarrow", "sparse"])
def test_scatter_of_one_feature_of_any_container(container: str) -> None:
    data: Any = np.arange(4.0 * N).reshape(N, 4)
    if container == "polars":
        data = pytest.importorskip("polars").DataFrame(data, schema=NAMES)
    elif container == "pyarrow":
        data = pytest.importorskip("pyarrow").Table.from_arrays(list(data.T), names=NAMES)
    elif container == "sparse":
        data = pytest.importorskip("scipy.sparse").csr_array(data)
    axis = plots_of(explanation(data=data)[:, "city"]).scatter()
    found = np.ma.getdata(axis.collections[0].get_offsets())[:, 0]
    np.testing.assert_allclose(np.sort(found), 4 * np.arange(N) + 1)


def test_colors_that_are_none() -> None:
    with pytest.raises(leafshap.InvalidInputError, match=r"'nope' is no colour .*there are: 'age'"):
        plots_of(explanation()).scatter("age", color="nope")
    plots_of(explanation()).scatter("age", color="tab:red")


def test_violins_are_whole_where_data_are_missing() -> None:
    n = 60
    rng = np.random.default_rng(0)
    values, data = rng.normal(size=(n, 3)), rng.normal(size=(n, 3))
    data[:5, 0], data[:, 1] = np.nan, np.nan
    e = Explanation(
        values=values, base_values=np.zeros(n), data=data, feature_names=["a", "b", "c"]
    )
    axis = plots_of(e).violin()
    bodies = [c for c in axis.collections if isinstance(c, matplotlib.collections.PolyCollection)]
    assert len(bodies) > 100
    assert all(body.get_facecolor()[0][3] == 1 for body in bodies)
    axis.figure.canvas.draw()
    grey = matplotlib.colors.to_rgba("#9a9a9a")
    for points in axis.collections:
        if isinstance(points, matplotlib.collections.PathCollection) and len(points.get_offsets()):
            x = np.ma.getdata(points.get_offsets())[:, 0]
            j = int(np.flatnonzero((values == x[:, np.newaxis]).all(axis=0))[0])
            if j == 1:  # nothing is known: one colour
                assert points.get_array() is None
                continue
            shades = points.to_rgba(points.get_array())
            drawn = (np.abs(shades - grey)[:, :3] < 1e-6).all(axis=1)
            np.testing.assert_array_equal(drawn, np.isnan(data[:, j]))


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e300])
def test_values_that_cannot_be_drawn(plot: str, wrong: float) -> None:
    e = explanation()
    values = e.values.copy()
    values[2:4, 1] = wrong
    message = "as large as 1e.300"
    if not np.isfinite(wrong):
        message = "finite values: those of . of .* NaN or infinite, the first of feature 'city'"
    broken = explanation(values=values)
    if plot in ("waterfall", "force"):
        draw(broken, plot, row=0)  # this one is whole
        options = {"row": 2}
    else:
        options = {}
    with pytest.raises(leafshap.InvalidInputError, match=message):
        draw(broken, plot, **options)
    assert len(pyplot.get_fignums()) == (plot in ("waterfall", "force"))


@pytest.mark.parametrize("plot", PLOTS)
def test_nothing_to_draw(plot: str) -> None:
    for part in (explanation()[:0], explanation()[:, []]):
        with pytest.raises(leafshap.InvalidInputError, match=r"nothing to draw: .* shape is"):
            draw(part, plot)


@pytest.mark.parametrize("plot", ["bar", "beeswarm", "violin", "waterfall", "heatmap"])
@pytest.mark.parametrize("most", [0, -1, 1.5])
def test_max_display(plot: str, most: Any) -> None:
    with pytest.raises(leafshap.InvalidInputError, match="max_display must be a whole number"):
        draw(explanation(), plot, max_display=most)


def test_data_that_are_not_hashable() -> None:
    data = np.empty((N, 4), dtype=object)
    for i, j in np.ndindex(data.shape):
        data[i, j] = [i % 2]
    axis = plots_of(explanation(data=data)).scatter("age")
    assert [t.get_text() for t in axis.get_xticklabels()] == ["[0]", "[1]"]


def test_names_that_repeat() -> None:
    e = explanation(feature_names=["age", "age", "grade", "score"])
    with pytest.raises(leafshap.InvalidInputError, match="several features 'age': select by numb"):
        plots_of(e).scatter("age")
    plots_of(e).scatter(1)
    twice = explanation(2, output_names=["a", "a"])
    with pytest.raises(leafshap.InvalidInputError, match="several outputs 'a'"):
        draw(twice, "bar", output="a")


def test_names_that_are_made_up_can_be_chosen() -> None:
    e = explanation(2, feature_names=None, output_names=None)
    axis = plots_of(e).scatter("Feature 2", output="Output 1")
    assert axis.get_xlabel() == "Feature 2"
    assert axis.get_title(loc="left") == "Output 1"
