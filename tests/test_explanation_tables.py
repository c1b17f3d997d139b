"""Explanations as tables: pandas, pyarrow, the top features of every row, HTML."""

from __future__ import annotations

import doctest
import html.parser
import json
import re
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from explanation_cases import CONTAINERS, NAMES, OUTPUTS, make, plain
from leafshap import Explanation
from leafshap.errors import InvalidInputError
from leafshap.explanation.tables import Table


class TestToPandas:
    def test_one_output(self) -> None:
        pytest.importorskip("pandas")
        e = make(kind="pandas")
        frame: Any = e.to_pandas()
        np.testing.assert_array_equal(frame.to_numpy(), e.values)
        assert list(frame.columns) == NAMES
        assert list(frame.index) == [f"r{i}" for i in range(7)]
        assert list(e[[4, 2]].to_pandas().index) == ["r4", "r2"]
        assert list(make().to_pandas().index) == list(range(7))

    def test_several_outputs(self) -> None:
        pytest.importorskip("pandas")
        e = make(n_outputs=3)
        frame: Any = e.to_pandas()
        assert frame.columns.names == ["output", "feature"]
        for k, name in enumerate(OUTPUTS):
            np.testing.assert_array_equal(frame[name].to_numpy(), e.values[:, :, k])
            assert list(frame[name].columns) == NAMES

    def test_base_values(self) -> None:
        pytest.importorskip("pandas")
        for n_outputs in (0, 3):
            e = make(n_outputs=n_outputs)
            frame: Any = e.to_pandas(base_values=True)
            total = e.base_values + e.values.sum(axis=1)
            if n_outputs:
                sums = np.stack([frame[name].sum(axis=1) for name in OUTPUTS], axis=1)
                np.testing.assert_allclose(sums, total)
                np.testing.assert_array_equal(frame["class 1"]["base_value"], e.base_values[:, 1])
            else:
                np.testing.assert_allclose(frame.sum(axis=1), total)
                assert frame.columns[-1] == "base_value"
            row: Any = e[2].to_pandas(base_values=True)
            assert row.index[-1] == "base_value"
            np.testing.assert_allclose(row.sum(axis=0), total[2])
        with pytest.raises(InvalidInputError, match="single feature axis"):
            make(interactions=True).to_pandas(base_values=True)

    def test_fewer_axes(self) -> None:
        pandas = pytest.importorskip("pandas")
        e = make(n_outputs=3, kind="pandas")
        importance: Any = e.abs.mean(0).to_pandas()
        assert list(importance.index) == NAMES
        assert list(importance.columns) == OUTPUTS
        series: Any = e[:, "age", "class 1"].to_pandas()
        assert isinstance(series, pandas.Series)
        assert series.name == "age"
        assert list(series.index) == [f"r{i}" for i in range(7)]
        assert list(e[:, "age"].to_pandas().columns) == OUTPUTS
        assert e[3, :, 1].to_pandas()["wage"] == e.values[3, 2, 1]
        with pytest.raises(InvalidInputError, match="no table"):
            e[0, 0, 0].to_pandas()

    def test_no_rows(self) -> None:
        pytest.importorskip("pandas")
        for n_outputs in (0, 3):
            e = make(n=0, n_outputs=n_outputs)
            assert e.to_pandas().shape == (0, 4 * max(1, n_outputs))
            assert len(e.top(2)) == 0
            assert "0 rows" in e._repr_html_()

    def test_interactions(self) -> None:
        pytest.importorskip("pandas")
        e = make(n_outputs=3, interactions=True)
        frame: Any = e.to_pandas()
        np.testing.assert_array_equal(frame["class 1", "age", "wage"], e.values[:, 0, 2, 1])
        square: Any = e[..., 0].abs.mean(0).to_pandas()
        assert list(square.index) == list(square.columns) == NAMES


class TestToArrow:
    def test_one_output(self) -> None:
        pytest.importorskip("pyarrow")
        e = make(dtype="float32")
        table = e.to_arrow()
        assert table.column_names == [*NAMES, "base_value"]
        for j, name in enumerate(NAMES):
            assert str(table.schema.field(name).type) == "float"
            np.testing.assert_array_equal(table.column(name).to_numpy(), e.values[:, j])
        np.testing.assert_array_equal(table.column("base_value").to_numpy(), e.base_values)
        assert e.to_arrow(base_values=False).column_names == NAMES
        assert e.abs.to_arrow().column_names == NAMES

    def test_several_outputs(self) -> None:
        pytest.importorskip("pyarrow")
        e = make(n_outputs=3)
        table = e.to_arrow()
        assert str(table.schema.field("wage").type).startswith("fixed_size_list")
        for j, name in enumerate(NAMES):
            np.testing.assert_array_equal(np.array(table.column(name).to_pylist()), e.values[:, j])
        names = table.schema.field("wage").metadata[b"outputs"]
        assert json.loads(names) == OUTPUTS
        np.testing.assert_array_equal(table.column("base_value").to_pylist(), e.base_values)

    def test_fewer_and_more_axes(self) -> None:
        pytest.importorskip("pyarrow")
        e = make(n_outputs=3, interactions=True)
        cells = e.to_arrow().column("wage").to_pylist()
        np.testing.assert_array_equal(np.array(cells), e.values[:, 2])
        row = e[4].to_arrow()
        assert row.num_rows == 1
        np.testing.assert_array_equal(np.array(row.column("wage").to_pylist())[0], e.values[4, 2])
        one = make()[:, "age"].to_arrow()
        assert one.column_names == ["age", "base_value"]
        assert make()[0].to_arrow().num_rows == 1
        assert make().abs.mean(0).to_arrow().column_names == NAMES
        assert make()[:0].to_arrow().num_rows == 0

    def test_a_feature_called_base_value(self) -> None:
        pytest.importorskip("pyarrow")
        e = replace(make(), feature_names=["base_value", "b", "c", "d"])
        with pytest.raises(InvalidInputError, match="base_values=False"):
            e.to_arrow()
        assert e.to_arrow(base_values=False).num_columns == 4


class TestTop:
    @given(
        arrays.arrays(
            np.float32,
            st.tuples(st.integers(0, 6), st.integers(1, 7)),
            elements=st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, float("nan")]),
        ),
        st.integers(1, 8),
    )
    def test_against_a_stable_sort(self, values: Any, k: int) -> None:
        e = Explanation(values=values, base_values=np.zeros(len(values)), data=values * 10)
        top = e.top(k)
        n_features = values.shape[1]
        k = min(k, n_features)
        lines = [
            (i, rank + 1, f"Feature {j}", values[i, j])
            for i in range(len(values))
            for rank, j in enumerate(
                sorted(range(n_features), key=lambda j: _falling(values[i, j]))[:k]
            )
        ]
        assert len(top) == len(lines)
        assert top["row"].tolist() == [line[0] for line in lines]
        assert top["rank"].tolist() == [line[1] for line in lines]
        assert top["feature"].tolist() == [line[2] for line in lines]
        np.testing.assert_array_equal(top["phi"], [line[3] for line in lines])
        np.testing.assert_array_equal(top["feature_value"], top["phi"] * 10)

    @pytest.mark.parametrize("kind", CONTAINERS)
    def test_containers_and_outputs(self, kind: str) -> None:
        e = make(n_outputs=3, kind=kind)
        top = e.top(2)
        assert list(top) == ["row", "output", "rank", "feature", "feature_value", "phi"]
        X = plain(np.asarray(e.data) if kind == "list" else e.data)
        for line in range(len(top)):
            i, k = top["row"][line], OUTPUTS.index(top["output"][line])
            order = np.argsort(-np.abs(e.values[i, :, k]))
            j = order[top["rank"][line] - 1]
            assert (top["feature"][line], top["phi"][line]) == (NAMES[j], e.values[i, j, k])
            assert top["feature_value"][line] == X[i, j]
        row = e[3].top(2)
        assert list(row) == ["output", "rank", "feature", "feature_value", "phi"]
        np.testing.assert_array_equal(row["phi"], top["phi"][18:24])
        np.testing.assert_array_equal(row["feature_value"], top["feature_value"][18:24])

    def test_mixed_columns(self) -> None:
        pandas = pytest.importorskip("pandas")
        data = pandas.DataFrame({"n": [1.5, 2.5], "c": pandas.Categorical(["x", None])})
        e = Explanation(
            values=np.array([[1.0, 2.0], [4.0, 3.0]]),
            base_values=np.zeros(2),
            data=data,
            feature_names=["n", "c"],
        )
        top = e.top(2)
        assert top["feature_value"].tolist()[:3] == ["x", 1.5, 2.5]
        assert len(top.to_pandas()) == 4
        if pytest.importorskip("pyarrow"):
            assert top.to_arrow().column("feature_value").to_pylist()[:2] == ["x", "1.5"]

    def test_importance_and_partners(self) -> None:
        e = make(interactions=True, kind=None)
        top = e[:, "age"].top(1)
        assert list(top) == ["row", "rank", "feature", "phi"]
        importance = make().abs.mean(0)
        assert importance.top(4)["feature"].tolist() == importance.argsort[::-1].feature_names
        with pytest.raises(InvalidInputError, match="one feature axis"):
            e.top(1)
        with pytest.raises(InvalidInputError, match="one feature axis"):
            make()[:, "age"].top(1)
        for k in (0, -1, 1.5, "a", True):
            with pytest.raises(InvalidInputError, match="whole number"):
                make().top(k)  # type: ignore[arg-type]

    def test_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from leafshap.explanation import reductions

        e = make(n=50, n_outputs=3)
        whole = e.top(3)
        monkeypatch.setattr(reductions.row_blocks, "__defaults__", (1000,))
        assert e.top(3)["feature"].tolist() == whole["feature"].tolist()


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_dates_beside_numbers(kind: str) -> None:
    pandas = pytest.importorskip("pandas")
    days = np.array(["2020-01-01", "2020-01-02"], dtype="M8[ns]")
    data: Any = pandas.DataFrame({"n": [1, 2], "day": days, "other": days})
    if kind == "polars":
        data = pytest.importorskip("polars").from_dict(
            {name: data[name].to_numpy() for name in data}
        )
    elif kind == "pyarrow":
        data = pytest.importorskip("pyarrow").Table.from_pandas(data)
    e = Explanation(
        values=np.array([[1.0, 2.0, 3.0]] * 2), base_values=np.zeros(2), data=data,
        feature_names=["n", "day", "other"],
    )  # fmt: skip
    for part in (e, e[0]):
        shown = part.top(3)
        assert "2020-01-01" in repr(shown)
        assert "2020-01-01" in part.top(3)._repr_html_()
        assert str(shown["feature_value"][0])[:10] == "2020-01-01"
        assert shown["feature_value"][2] == 1
    assert e[:, ["day", "other"]].top(2)["feature_value"].dtype.kind == "M"
    assert "2020-01-01" in e[0]._repr_html_()
    if kind == "pyarrow":
        pytest.importorskip("shap")
        assert str(e.to_shap().data[1, 1])[:10] == "2020-01-02"


@pytest.mark.parametrize("n_outputs", [0, 3])
def test_no_features(n_outputs: int) -> None:
    for part in (make(n_outputs=n_outputs)[:, []], make(n_outputs=n_outputs)[0, []]):
        assert len(part.top(2)) == 0
        assert "0 features" in part._repr_html_()
        assert part.top(2)._repr_html_()
        pytest.importorskip("shap")
        with pytest.raises(InvalidInputError, match="no features"):
            part.to_shap()


def _falling(value: float) -> float:
    return 1.0 if value != value else -abs(value)


class Reader(html.parser.HTMLParser):
    """Checks that elements are closed in order, and collects what they say."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + " "


NASTY = '<script>alert("x")</script>&\''


class TestHtml:
    def shown(self, thing: Any) -> Reader:
        text = thing._repr_html_()
        reader = Reader(text)
        allowed = {"table", "caption", "thead", "tbody", "tr", "th", "td", "span", "br", "div"}
        assert reader.tags <= allowed
        assert {name for name, _ in reader.attributes} <= {"style"}
        assert not re.search(r"url\(|https?:|<script", text)
        return reader

    @pytest.mark.parametrize("kind", [None, *CONTAINERS])
    @pytest.mark.parametrize("n_outputs", [0, 3])
    def test_everything_has_one(self, kind: str | None, n_outputs: int) -> None:
        e = make(n_outputs=n_outputs, kind=kind)
        for thing in (
            e,
            e[0],
            e[:, "age"],
            e[0, 0],
            e.abs.mean(0),
            e.argsort,
            e[:0],
            e.top(2),
            e.by([0, 0, 0, 1, 1, 1, 1]),
            e.drift(e),
            e.by([0, 0, 0, 1, 1, 1, 1]).differences(),
        ):
            self.shown(thing)
        self.shown(make(interactions=True, n_outputs=n_outputs))

    def test_what_it_says(self) -> None:
        e = make()
        text = self.shown(e).text
        assert "7 rows, 4 features" in text
        assert "mean |phi|" in text
        for name, size in zip(NAMES, np.abs(e.values).mean(axis=0), strict=True):
            assert name in text
            assert f"{size:.4g}" in text
        row = self.shown(e[2]).text
        assert f"{e.values[2, 1]:.4g}" in row
        assert "from base value to output: " in row
        assert f"{e.base_values[2]:.4g} to {e.base_values[2] + e.values[2].sum():.4g}" in row
        assert "class 1" in self.shown(make(n_outputs=3)).text

    def test_many_features_and_outputs(self) -> None:
        values = np.arange(60.0).reshape(1, 12, 5)
        e = Explanation(values=values, base_values=np.zeros((1, 5)))
        text = self.shown(e[0]).text
        assert "2 other features together" in text
        assert "the first 4 of 5 outputs" in text

    def test_columns_of_the_same_name(self) -> None:
        text = self.shown(make()[2].abs).text
        assert "feature feature value value" in " ".join(text.split())
        e = Explanation(
            values=np.array([[[1.0, 2.0]]]), base_values=np.zeros((1, 2)), output_names=["p", "p"]
        )
        assert " ".join(self.shown(e[0]).text.split()).endswith("Feature 0 1 2")

    def test_nothing_gets_out(self) -> None:
        values = np.array([[1.0, 2.0]])
        data = np.array([[NASTY, 1.0]], dtype=object)
        e = Explanation(
            values=values[..., None].repeat(2, axis=2),
            base_values=np.zeros((1, 2)),
            data=data,
            feature_names=[NASTY, "b"],
            output_names=[NASTY, "c"],
        )
        for thing in (
            e,
            e[0],
            e[..., 0],
            e[0, ..., 0],
            e[:, 0],
            e.top(2),
            e.drift(e),
            e[[0, 0]].by([NASTY, "other"]),
            e[[0, 0]].by([NASTY, "z"]).differences(NASTY),
            Table({NASTY: np.array([NASTY], dtype=object)}),
        ):
            reader = self.shown(thing)
            assert '<script>alert("x")</script>&' in reader.text


def test_examples_in_docstrings() -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    found = doctest.testmod(import_module("leafshap.explanation.explanation"))
    assert found.attempted > 15
    assert not found.failed


class TestTable:
    def test_as_a_mapping(self) -> None:
        table = Table({"a": np.arange(30), "b": np.linspace(0, 1, 30)})
        assert len(table) == 30
        assert list(table) == ["a", "b"]
        assert len(table.head(3)) == 3
        assert repr(table).splitlines()[-1] == "... 18 more"
        with pytest.raises(InvalidInputError, match="no column 'c'; there are: a, b"):
            table["c"]
        pandas = pytest.importorskip("pandas")
        pandas.testing.assert_frame_equal(table.to_pandas(), pandas.DataFrame(table.columns))
        pytest.importorskip("pyarrow")
        assert table.to_arrow().num_rows == 30
