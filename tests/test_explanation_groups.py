"""Groups compared: means, differences that add up, labels of every kind."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from explanation_cases import CONTAINERS, NAMES, make, table
from leafshap import Explanation, TreeEnsemble, TreeExplainer
from leafshap.errors import InvalidInputError
from leafshap.explanation import reductions
from strategies import Recipe, random_ensemble, random_rows

LABELS = np.array(["b", "a", "b", "c", "a", "b", "b"])


@pytest.mark.parametrize("n_outputs", [0, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_means_by_hand(n_outputs: int, weighted: bool) -> None:
    e = make(n_outputs=n_outputs)
    weights = np.array([1.0, 2.0, 0.5, 3.0, 1.0, 0.0, 2.0]) if weighted else np.ones(7)
    means = e.by(LABELS, sample_weight=weights if weighted else None)
    assert means.groups.tolist() == ["a", "b", "c"]
    assert means.sizes.tolist() == [2, 4, 1]
    assert means.n_unlabelled == 0
    assert len(means) == 3
    for g, label in enumerate(means.groups):
        rows = label == LABELS
        average = {"axis": 0, "weights": weights[rows]}
        np.testing.assert_allclose(means.values[g], np.average(e.values[rows], **average))
        np.testing.assert_allclose(means.base_values[g], np.average(e.base_values[rows], **average))
    np.testing.assert_allclose(means.outputs, means.base_values + means.values.sum(axis=1))


@pytest.mark.parametrize("n_outputs", [0, 3])
def test_differences_by_hand(n_outputs: int) -> None:
    e = make(n_outputs=n_outputs)
    against_rest = e.by(LABELS).differences()
    assert against_rest.groups.tolist() == ["a", "b", "c"]
    for g, label in enumerate(against_rest.groups):
        own, other = e.values[label == LABELS], e.values[label != LABELS]
        np.testing.assert_allclose(against_rest.values[g], own.mean(axis=0) - other.mean(axis=0))
        if len(own) > 1:
            error = np.sqrt(
                own.var(axis=0, ddof=1) / len(own) + other.var(axis=0, ddof=1) / len(other)
            )
            np.testing.assert_allclose(against_rest.standard_errors[g], error)
        else:
            assert np.isnan(against_rest.standard_errors[g]).all()
    against_b = e.by(LABELS).differences("b")
    assert against_b.groups.tolist() == ["a", "c"]
    assert against_b.reference == "b"
    b, a = e.values[LABELS == "b"], e.values[LABELS == "a"]
    np.testing.assert_allclose(against_b.values[0], a.mean(axis=0) - b.mean(axis=0))
    totals = against_b.base_values + against_b.values.sum(axis=1)
    np.testing.assert_allclose(against_b.outputs, totals, atol=1e-14)
    output = e.base_values + e.values.sum(axis=1)
    a_out, b_out = output[LABELS == "a"], output[LABELS == "b"]
    np.testing.assert_allclose(
        against_b.output_standard_errors[0],
        np.sqrt(a_out.var(axis=0, ddof=1) / 2 + b_out.var(axis=0, ddof=1) / 4),
    )


def test_weights_repeat_rows() -> None:
    """Means with whole weights are those of repeated rows."""
    e = make()
    times = np.array([1, 2, 1, 3, 1, 0, 2])
    rows = np.repeat(np.arange(7), times)
    weighted = e.by(LABELS, sample_weight=times).differences()
    repeated = e[rows].by(LABELS[rows]).differences()
    np.testing.assert_allclose(weighted.values, repeated.values, atol=1e-14)
    np.testing.assert_allclose(weighted.outputs, repeated.outputs, atol=1e-14)


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_they_add_up_to_what_the_model_predicts(n_outputs: int, dtype: str) -> None:
    recipe = Recipe(seed=3, n_trees=5, n_features=5, categorical=0.0, n_leaves=8)
    arrays = random_ensemble(recipe.but(n_outputs=n_outputs))
    X = random_rows(arrays, 80)
    predicted = TreeEnsemble.from_model(arrays).predict(X)
    labels = np.arange(80) % 3
    differences = TreeExplainer(arrays, dtype=dtype)(X).by(labels).differences(2)
    for g in (0, 1):
        gap = predicted[labels == g].mean(axis=0) - predicted[labels == 2].mean(axis=0)
        scale = np.abs(predicted).max()
        tolerance = scale * (1e-12 if dtype == "float64" else 1e-5)
        np.testing.assert_allclose(differences.outputs[g], gap, atol=tolerance)
        np.testing.assert_allclose(differences.values[g].sum(axis=0), gap, atol=tolerance)
        np.testing.assert_allclose(differences.base_values[g], 0, atol=tolerance)
    if n_outputs == 1:
        feature_names = differences.table()["feature"].tolist()
        assert "base_value" not in feature_names
        assert feature_names.count("output") == 2


def objects(values: list[Any]) -> npt.NDArray[Any]:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def label_cases() -> list[Any]:
    plain = [1, 0, 1, None, 0, 1, 1]
    cases: list[Any] = [plain, objects(plain), np.array([1, 0, 1, np.nan, 0, 1, 1])]
    try:
        import pandas

        cases += [pandas.Series(plain), pandas.Series(plain, dtype="Int64")]
        cases += [pandas.Series(plain, dtype="category")]
    except ImportError:
        pass
    try:
        import polars

        cases.append(polars.Series(plain))
    except ImportError:
        pass
    try:
        import pyarrow

        cases += [pyarrow.array(plain), pyarrow.chunked_array([plain[:3], plain[3:]])]
    except ImportError:
        pass
    return cases


@pytest.mark.parametrize("labels", label_cases(), ids=lambda c: type(c).__module__)
def test_missing_labels_count_nowhere(labels: Any) -> None:
    e = make()
    means = e.by(labels)
    assert means.groups.tolist() == [0, 1]
    assert means.sizes.tolist() == [2, 4]
    assert means.n_unlabelled == 1
    rows = np.array([0, 1, 2, 4, 5, 6])
    whole = e[rows].by([1, 0, 1, 0, 1, 1])
    np.testing.assert_allclose(means.values, whole.values)
    np.testing.assert_allclose(means.differences().values, whole.differences().values)
    assert "rows without label: 1" in repr(means)


def test_dates_text_and_labels_that_do_not_compare() -> None:
    e = make()
    days = np.array(["2026-01-02", "2026-01-01", "NaT"] * 2 + ["NaT"], dtype="datetime64[D]")
    assert e.by(days).sizes.tolist() == [2, 2]
    assert e.by(days).n_unlabelled == 3
    mixed = e.by(objects(["b", 1, "b", 1, "b", None, (1, 2)]))
    assert mixed.groups.tolist() == ["b", 1, (1, 2)]
    assert mixed.sizes.tolist() == [3, 2, 1]
    assert e.by([True, False] * 3 + [True]).groups.tolist() == [False, True]


@pytest.mark.parametrize("kind", ["numpy", "list", "pandas", "polars", "pyarrow", "sparse"])
def test_a_column_of_the_data(kind: str) -> None:
    X = np.array([[1.0, 2, 3, 4], [0, 2, 3, 4], [1, 5, 6, 7]])
    e = Explanation(values=X * 2, base_values=np.zeros(3), data=table(X, kind), feature_names=NAMES)
    means = e.by("age")
    assert means.groups.tolist() == [0.0, 1.0]
    np.testing.assert_allclose(means.values[1], [2, 7, 9, 11])
    with pytest.raises(InvalidInputError, match="no column 'agee'; close ones: 'age'"):
        e.by("agee")


def test_one_feature_and_absolute_values() -> None:
    e = make()
    np.testing.assert_allclose(e[:, "wage"].by(LABELS).values, e.by(LABELS).values[:, [2]])
    assert e[:, "wage"].by(LABELS).feature_names == ["wage"]
    importance = e.abs.by(LABELS)
    np.testing.assert_allclose(importance.values[0], np.abs(e.values[LABELS == "a"]).mean(axis=0))
    assert np.isnan(importance.outputs).all()
    assert "output" not in repr(importance)
    assert "output" not in importance.differences().table()["feature"]


def test_what_is_shown() -> None:
    pytest.importorskip("pandas")
    e = make()
    means = e.by(LABELS)
    frame = means.to_pandas()
    assert list(frame.columns) == ["size", "output", "base_value", *NAMES]
    assert list(frame.index) == ["a", "b", "c"]
    np.testing.assert_array_equal(frame["wage"], means.values[:, 2])
    differences = means.differences()
    found = differences.to_pandas()
    for g, label in enumerate("abc"):
        part = found.loc[label]
        assert part["difference"]["wage"] == differences.values[g, 2]
        assert part["difference"]["output"] == differences.outputs[g]
        np.testing.assert_allclose(part["difference"].drop("output").sum(), differences.outputs[g])
    several = make(n_outputs=3).by(LABELS)
    assert several.to_pandas().loc[("b", "class 1"), "wage"] == several.values[1, 2, 1]
    gaps = several.differences("a")
    cell = gaps.to_pandas().loc[("c", "class 2", "city"), "difference"]
    assert cell == gaps.values[1, 3, 2]
    clash = replace(means, feature_names=["size", "output", "a", "b"]).to_pandas()
    assert list(clash.columns) == ["size", "output", "base_value", "size", "output", "a", "b"]
    short = differences.table(top=1)
    assert short["feature"].tolist()[3] == "other features"
    np.testing.assert_allclose(short["difference"][1:4].sum(), short["difference"][0])
    for thing in (means, differences, several, gaps):
        assert "wage" in repr(thing)


def test_a_mean_far_from_zero() -> None:
    e = make(n=1000)
    far = Explanation(values=e.values + 1e7, base_values=e.base_values - 1e7)
    labels = np.arange(1000) % 2
    np.testing.assert_allclose(
        far.by(labels).differences().standard_errors,
        e.by(labels).differences().standard_errors,
        rtol=1e-6,
    )


def test_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    e = make(n=100, n_outputs=3)
    labels = np.arange(100) % 4
    whole = e.by(labels, sample_weight=np.arange(100)).differences()
    monkeypatch.setattr(reductions, "_BLOCK_BYTES", 60 * 8)
    parts = e.by(labels, sample_weight=np.arange(100)).differences()
    np.testing.assert_allclose(parts.values, whole.values, atol=1e-14)
    np.testing.assert_allclose(parts.standard_errors, whole.standard_errors)


def test_rows_that_are_not_done() -> None:
    e = make()
    values = e.values.copy()
    values[1] = np.nan  # of an interrupted KernelExplainer
    means = Explanation(values=values, base_values=e.base_values).by(LABELS)
    assert np.isnan(means.values[0]).all()
    np.testing.assert_allclose(means.values[1:], e.by(LABELS).values[1:])


def test_refusals() -> None:
    e = make()
    for groups, message in (
        ([1, 2], r"each of the 7 rows, got the shape \(2,\)"),
        ([None] * 7, "no row has a group label"),
        ([[1]] * 7, "hashable"),
        (np.zeros((7, 2)), "shape"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            e.by(groups)
    with pytest.raises(InvalidInputError, match="no data to take groups 'age'"):
        make(kind=None).by("age")
    with pytest.raises(InvalidInputError, match="several rows"):
        e[0].by(["a"] * 4)
    with pytest.raises(InvalidInputError, match="interaction values"):
        make(interactions=True).by(LABELS)
    with pytest.raises(InvalidInputError, match="one group only"):
        e.by([1] * 7).differences()
    with pytest.raises(InvalidInputError, match="no group 'x'; there are: a, b, c"):
        e.by(LABELS).differences("x")
    with pytest.raises(InvalidInputError, match="'c' have the weight zero"):
        e.by(LABELS, sample_weight=(LABELS != "c") * 1.0)
    with pytest.raises(InvalidInputError, match="sample weights"):
        e.by(LABELS, sample_weight=[-1.0] * 7)


def test_labels_of_every_type_of_pyarrow() -> None:
    pa = pytest.importorskip("pyarrow")
    e = make()
    by = [2, 0, 2, 0, 0, 2, 2]
    for own in (["a", "x", "b"], [False, None, True], [1, 5, 2], [1.5, 0.0, 2.5]):
        labels = pa.array([own[i] for i in by])
        for form in (labels, labels.dictionary_encode(), pa.chunked_array([labels])):
            means = e.by(form)
            assert means.groups.tolist() == [own[0], own[2]]
            assert means.sizes.tolist() == [3, 4]


def dates(unit: str = "ns") -> npt.NDArray[Any]:
    days = np.array(["2020-01-01", "2020-01-02", "2020-01-03"], dtype=f"M8[{unit}]")
    return days[[0, 1, 0, 2, 1, 0, 0]]


@pytest.mark.parametrize("n_outputs", [0, 3])
@pytest.mark.parametrize("unit", ["ns", "us", "D"])
def test_dates_stay_dates(unit: str, n_outputs: int) -> None:
    means = make(n_outputs=n_outputs).by(dates(unit))
    assert means.groups.dtype.kind == "M"
    assert "2020-01-02 (2)" in repr(means)
    whole = means.differences()
    assert whole.table()["group"].dtype.kind == "M"
    assert "2020-01-02  " in repr(whole)
    for first in ("2020-01-01", datetime.datetime(2020, 1, 1), means.groups[0]):
        gaps = means.differences(first)
        np.testing.assert_array_equal(gaps.groups, means.groups[1:])
        assert gaps.reference == "2020-01-01"
    for unknown in ("2020-02-01", "Monday", 5, None.__class__):
        with pytest.raises(InvalidInputError, match="there are: 2020-01-01, 2020-01-02, 2020-"):
            means.differences(unknown)
    pandas = pytest.importorskip("pandas")
    assert means.differences(pandas.Timestamp("2020-01-02")).reference == "2020-01-02"
    for frame in (means.to_pandas(), whole.to_pandas()):
        assert frame.index.get_level_values(0)[0] == pandas.Timestamp("2020-01-01")


def test_times_of_day() -> None:
    times = np.array(["2020-01-01T10:30", "2020-01-01T10:30:00.25"], dtype="M8[ns]")
    means = make().by(times[[0, 1, 0, 1, 0, 1, 1]])
    assert "2020-01-01 10:30:00 (3)" in repr(means)
    assert "2020-01-01 10:30:00.25 (4)" in repr(means)


def test_order_of_categories() -> None:
    pandas = pytest.importorskip("pandas")
    text = ["low", "high", None, "low", "high", "mid", "mid"]
    known = ["low", "mid", "high", "never"]
    ordered = pandas.Categorical(text, known, ordered=True)
    e = make()
    for labels in (ordered, pandas.Series(ordered)):
        means = e.by(labels)
        assert means.groups.tolist() == ["low", "mid", "high"]
        np.testing.assert_allclose(means.values[0], e.values[[0, 3]].mean(axis=0))
        assert means.n_unlabelled == 1
    assert e.by(pandas.Categorical(text, known)).groups.tolist() == ["high", "low", "mid"]
    late, early = pandas.Timestamp("2021-01-01"), pandas.Timestamp("2020-01-01")
    days = pandas.Categorical([late, early, late] * 2 + [None], [late, early], ordered=True)
    assert e.by(days).groups.tolist() == [late, early]
    polars = pytest.importorskip("polars")
    means = e.by(polars.Series(text, dtype=polars.Enum(known)))
    assert means.groups.tolist() == ["low", "mid", "high"]


def test_integers_beside_missing_labels() -> None:
    pandas = pytest.importorskip("pandas")
    labels = pandas.Series([1, 2, pandas.NA, 1, 2, 2, 1], dtype="Int64")
    means = make().by(labels)
    assert repr(means.groups.tolist()) == "[1, 2]"
    assert means.n_unlabelled == 1


@pytest.mark.parametrize("kind", CONTAINERS)
def test_one_feature_by_itself(kind: str) -> None:
    e = make(kind=kind)
    age = e[:, "age"]
    np.testing.assert_array_equal(age.by("age").groups, e.by("age").groups)
    with pytest.raises(InvalidInputError, match=r"no data of 'wage'.* selected feature 'age'"):
        age.by("wage")


def test_columns_of_the_same_name() -> None:
    pandas = pytest.importorskip("pandas")
    data = pandas.DataFrame(np.arange(8).reshape(4, 2), columns=["a", "a"])
    e = Explanation(values=np.ones((4, 2)), base_values=np.zeros(4), data=data)
    with pytest.raises(InvalidInputError, match="several columns 'a'"):
        e.by("a")


def test_groups_that_are_written_alike() -> None:
    means = make().by(np.array([1, "1", 1, 1, "1", "1", None], dtype=object))
    assert repr(means).splitlines()[0].split() == ["feature", "1", "(3)", "1", "(3)"]
    assert means._repr_html_().count("<th ") == 3


def test_arguments_of_differences() -> None:
    means = make().by(LABELS)
    with pytest.raises(InvalidInputError, match=r"no group array.*there are: a, b, c"):
        means.differences(np.array(["a", "b"]))
    gaps = means.differences()
    assert len(gaps.table(0)) == 9  # output, base value and other features
    for top in (-1, 1.5, True):
        with pytest.raises(InvalidInputError, match="top must be a whole number of at least 0"):
            gaps.table(top)  # type: ignore[arg-type]
