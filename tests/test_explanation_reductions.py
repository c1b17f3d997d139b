"""Means, sums, extremes and orders: against numpy, and against shap's own."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from explanation_cases import CONTAINERS, NAMES, make
from leafshap import Explanation, TreeExplainer
from leafshap.errors import InvalidInputError
from leafshap.explanation import reductions
from strategies import Recipe, random_ensemble, random_rows

NUMPY: dict[str, Any] = {"mean": np.mean, "sum": np.sum, "max": np.max, "min": np.min}


@pytest.mark.parametrize("name", list(NUMPY))
@pytest.mark.parametrize("n_outputs", [0, 3])
@pytest.mark.parametrize("interactions", [False, True])
def test_along_every_axis(name: str, n_outputs: int, interactions: bool) -> None:
    e = make(n_outputs=n_outputs, interactions=interactions)
    for k in range(len(e.axes)):
        reduced = getattr(e, name)(k)
        np.testing.assert_allclose(reduced.values, NUMPY[name](e.values, axis=k), rtol=1e-13)
        assert reduced.axes == e.axes[:k] + e.axes[k + 1 :]
        assert reduced.standard_errors is None
        np.testing.assert_array_equal(getattr(e, name)(k - len(e.axes)).values, reduced.values)
    whole = getattr(e, name)(None)
    np.testing.assert_allclose(whole.values, NUMPY[name](e.values), rtol=1e-12)
    assert whole.shape == whole.axes == ()
    both = getattr(e, name)("features")
    assert both.axes == tuple(axis for axis in e.axes if axis != "features")
    np.testing.assert_allclose(
        getattr(e, name)(("rows", -1)).values, getattr(e, name)((-1, 0)).values
    )


def test_of_the_absolute_values() -> None:
    e = make(n_outputs=3)
    np.testing.assert_array_equal(e.abs.values, np.abs(e.values))
    assert np.isnan(e.abs.base_values).all()
    assert e.abs.base_values.shape == e.base_values.shape
    assert e.abs.data is e.data
    assert e.abs.standard_errors is None
    importance = e.abs.mean(0)
    np.testing.assert_allclose(importance.values, np.abs(e.values).mean(axis=0), rtol=1e-14)
    assert importance.feature_names == NAMES
    assert importance.data is None
    assert importance.n_evaluations is None
    assert not importance.single_row
    assert importance["wage", "class 1"].values == importance.values[2, 1]
    assert importance[["age"]].feature_names == ["age"]


def test_what_adds_up_still_does() -> None:
    for interactions in (False, True):
        e = make(n_outputs=3, interactions=interactions)
        output = e.base_values + e.values.sum(axis=(1, 2) if interactions else 1)
        for part, expected in (
            (e.sum("features"), output),
            (e.mean(0), output.mean(axis=0)),
            (e.sum("rows"), output.sum(axis=0)),
            (e.sum("outputs"), output.sum(axis=-1)),
            (e.mean("outputs"), output.mean(axis=-1)),
        ):
            total = part.sum("features") if "features" in part.axes else part
            np.testing.assert_allclose(total.base_values + total.values, expected, rtol=1e-12)
        for lost in (e.max(0), e.mean(1), e.min("outputs"), e.argsort):
            assert np.isnan(lost.base_values).all()
            rest = [s for s, a in zip(lost.shape, lost.axes, strict=True) if a != "features"]
            assert lost.base_values.shape == tuple(rest)


def test_interactions_add_up_to_shap_values() -> None:
    arrays = random_ensemble(Recipe(seed=1, n_trees=3, n_features=4, categorical=0.0, n_leaves=6))
    X = random_rows(arrays, 20)
    explainer = TreeExplainer(arrays, feature_names=NAMES)
    e, pairs = explainer(X), explainer(X, interactions=True)
    summed = pairs.sum(axis=2)
    np.testing.assert_allclose(summed.values, e.values, atol=1e-12)
    assert summed.axes == ("rows", "features")
    assert summed.feature_names == NAMES
    assert summed.data is pairs.data
    np.testing.assert_allclose(summed.base_values, e.base_values)
    of_age = pairs[:, ["age"]].sum(axis=1)
    np.testing.assert_allclose(of_age.values, pairs.values[:, 0])
    assert of_age.feature_names == NAMES


def test_blocks_and_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    e = make(n=1000, dtype="float32")
    once = e.mean(0).values
    assert once.dtype == np.float64
    np.testing.assert_allclose(once, e.values.astype(np.float64).mean(axis=0), rtol=1e-13)
    assert e.max(0).values.dtype == np.float32
    monkeypatch.setattr(reductions, "_BLOCK_BYTES", 7 * 4 * 8)
    blocks = list(reductions.row_blocks(*e.shape))
    assert len(blocks) == 143
    assert np.concatenate([e.values[rows] for rows in blocks]).shape == e.shape
    np.testing.assert_allclose(e.mean(0).values, once, rtol=1e-13)
    np.testing.assert_allclose(e.abs.mean(0).values, reductions.mean_abs(e.values), rtol=1e-13)


@pytest.mark.parametrize(
    "call",
    [
        lambda e: e.mean(0),
        lambda e: e.sum("features"),
        lambda e: e._repr_html_(),
        lambda e: e.drift(e),
    ],
)
def test_no_copy_in_float64(call: Any) -> None:
    values = np.ones((500_000, 20), dtype=np.float32)  # 40 MB; 80 in float64
    e = Explanation(values=values, base_values=np.zeros(len(values)))
    tracemalloc.start()
    try:
        call(e)
        assert tracemalloc.get_traced_memory()[1] < 48 << 20
    finally:
        tracemalloc.stop()


def test_orders() -> None:
    e = make()
    np.testing.assert_array_equal(e.argsort.values, np.argsort(e.values, axis=-1))
    importance = e.abs.mean(0)
    order = importance.argsort
    np.testing.assert_array_equal(order.values, np.argsort(importance.values))
    assert order.feature_names == [NAMES[j] for j in np.argsort(importance.values)]
    tied = Explanation(
        values=np.array([1.0, 0.0, 1.0, 0.0]), base_values=np.array(0.0), single_row=True
    )
    assert tied.argsort.values.tolist() == [1, 3, 0, 2]
    with pytest.raises(InvalidInputError, match="one number"):
        e[0, 0].argsort  # noqa: B018


def test_refusals() -> None:
    e = make()
    with pytest.raises(InvalidInputError, match=r"no axis 2; there are: 0 \('rows'\), 1 \('feat"):
        e.mean(2)
    with pytest.raises(InvalidInputError, match="no axis 'outputs'"):
        e.sum("outputs")
    for name in ("mean", "max", "min"):
        with pytest.raises(InvalidInputError, match=f"no rows to take the {name}"):
            getattr(e[:0], name)(0)
    assert e[:0].sum(0).values.tolist() == [0.0] * 4


class TestAgainstShap:
    """The same calls on shap's own object."""

    @pytest.mark.parametrize("n_outputs", [0, 3])
    @pytest.mark.parametrize("kind", CONTAINERS)
    def test_the_same_calls(self, kind: str, n_outputs: int) -> None:
        pytest.importorskip("shap")
        e = make(n_outputs=n_outputs, kind=kind)
        theirs = e.to_shap()
        for call in CALLS:
            ours, other = call(e), call(theirs)
            np.testing.assert_allclose(ours.values, other.values, rtol=1e-12)
            back = ours.to_shap()
            assert back.shape == other.shape
            np.testing.assert_array_equal(back.values, ours.values)

    def test_selections(self) -> None:
        pytest.importorskip("shap")
        e = make(n_outputs=3)
        theirs = e.to_shap()
        for key in (
            3,
            slice(1, 4),
            (slice(None), "age"),
            (slice(None), slice(None), 1),
            (slice(None), ["age", "city"]),
            (2, "wage"),
            (slice(None), "age", "class 1"),
            [4, 1],
            (slice(None), slice(None), ["class 2", "class 0"]),
        ):
            ours, other = e[key].to_shap(), theirs[key]
            np.testing.assert_array_equal(ours.values, other.values)
            np.testing.assert_array_equal(ours.base_values, other.base_values)
            np.testing.assert_array_equal(ours.data, other.data)
            assert ours.feature_names == other.feature_names
            np.testing.assert_array_equal(ours.error_std, other.error_std)

    @pytest.mark.parametrize("kind", CONTAINERS)
    def test_interactions_and_single_columns(self, kind: str) -> None:
        pytest.importorskip("shap")
        for n_outputs in (0, 3):
            e = make(n_outputs=n_outputs, interactions=True, kind=kind)
            for part in (
                e,
                e[2],
                e[:, "age"],
                e[:, "age", "wage"],
                e[1, "age", "wage"],
                e.mean(0),
                e[:, ["age", "wage"], ["city"]],
                e.abs.mean(0),
                e.sum("features"),
            ):
                shown = part.to_shap()
                np.testing.assert_array_equal(shown.values, part.values)
            column = make(kind=kind)[:, "age"].to_shap()
            assert np.shape(column.data) == (7,)

    def test_history_is_known_to_plots(self) -> None:
        pytest.importorskip("shap")
        e = make()
        names = [item.name for item in e.abs.mean(0).argsort.to_shap().op_history]
        assert names == ["abs", "mean", "argsort"]
        assert np.asarray(e.abs.to_shap().data).tolist() == e.data.tolist()

    def test_orders_of_plots(self) -> None:
        shap = pytest.importorskip("shap")
        pytest.importorskip("matplotlib").use("Agg")
        from matplotlib import pyplot

        e = make(n=30)
        theirs = e.to_shap()
        orders: list[Any] = [lambda x: x.abs.mean(0), lambda x: x.abs.max(0)]
        for order in orders:
            labels = []
            for x, plain in ((e, False), (theirs, True)):
                chosen = order(x)
                chosen = chosen if plain else chosen.to_shap()
                ax = shap.plots.beeswarm(theirs, order=chosen, show=False)
                labels.append([t.get_text() for t in ax.get_yticklabels()])
                pyplot.close("all")
            assert labels[0] == labels[1]
        ax = shap.plots.bar(e.abs.mean(0).to_shap(), show=False)
        assert ax.get_xlabel() == "mean(|SHAP value|)"
        pyplot.close("all")


CALLS: list[Any] = [
    lambda e: e.abs,
    lambda e: e.mean(0),
    lambda e: e.abs.mean(0),
    lambda e: e.abs.max(0),
    lambda e: e.min(0),
    lambda e: e.sum(1),
    lambda e: e.sum(axis=0),
    lambda e: e.abs.sum(1),
    lambda e: e.argsort,
    lambda e: e.abs.mean(0).argsort,
    lambda e: e.sum(1).argsort,
    lambda e: e[:, "age"].abs,
    lambda e: e[:3].abs.mean(0),
    lambda e: e[1].abs,
]


def test_several_axes_as_a_list() -> None:
    e = make(n_outputs=3)
    np.testing.assert_array_equal(e.mean(["rows", 2]).values, e.mean((0, "outputs")).values)


@pytest.mark.parametrize("axis", [1.0, True, "row", [0, 9], None.__class__])
def test_what_is_no_axis(axis: Any) -> None:
    with pytest.raises(
        InvalidInputError, match=r"there is no axis .*0 \('rows'\), 1 \('features'\)"
    ):
        make().mean(axis)
