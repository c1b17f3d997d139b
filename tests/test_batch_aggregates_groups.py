"""Sums by group are pandas' own, for every way to write a key column."""

from __future__ import annotations

import datetime
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregate_cases import NAMES, added, assert_same, make_base, make_values, state
from leafshap import InvalidInputError
from leafshap.batch.aggregates import Aggregates, groups

pa = pytest.importorskip("pyarrow")
pd = pytest.importorskip("pandas")

DAY = datetime.date(2024, 2, 29)
KEYS: dict[str, list[Any]] = {
    "text": ["b", "a", None, "", "b", "Ünï", "a b"],
    "integer": [3, -1, None, 0, 3, 2**40, 7],
    "boolean": [True, None, False, True, True, None, False],
    "date": [DAY, None, DAY - datetime.timedelta(40_000), DAY, DAY, None, DAY],
}
TYPES = {
    "text": [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())],
    "integer": [pa.int64(), pa.uint64(), pa.dictionary(pa.uint8(), pa.int64())],
    "boolean": [pa.bool_(), pa.dictionary(pa.int32(), pa.bool_())],
    "date": [pa.date32(), pa.date64(), pa.dictionary(pa.int16(), pa.date32())],
}


def columns(kind: str) -> list[Any]:
    """The keys of a kind in each of its types."""
    found = []
    for dtype in TYPES[kind]:
        values = [abs(v) if dtype == pa.uint64() and v else v for v in KEYS[kind]]
        if pa.types.is_dictionary(dtype):
            plain = pa.array(values, type=dtype.value_type)
            found.append(plain.dictionary_encode().cast(dtype))
        else:
            found.append(pa.array(values, type=dtype))
    return found


def by_pandas(values: Any, keys: list[Any]) -> dict[Any, tuple[int, Any, Any]]:
    """Count, mean |phi| and mean of each group, null as None."""
    wide = pd.DataFrame(values.reshape(len(values), -1).astype(float))
    labels = pd.Series(keys, dtype=object)
    found = {}
    for label in labels.unique():
        null = label is None or label != label
        rows = wide[labels.isna() if null else labels == label]
        means = [m.to_numpy().reshape(values.shape[1:]) for m in (rows.abs().mean(), rows.mean())]
        if values.shape[2] == 1:
            means = [m[:, 0] for m in means]
        found[None if null else label] = (len(rows), *means)
    return found


def assert_groups(aggregates: Aggregates, expected: dict[Any, tuple[int, Any, Any]]) -> None:
    found = aggregates.groups
    order = sorted(k for k in expected if k is not None) + [None] * (None in expected)
    assert list(found) == order
    assert [type(k) for k in found] == [type(k) for k in order]
    for label, (n, mean_abs, mean) in expected.items():
        assert found[label].n_rows == n
        assert type(found[label].n_rows) is int
        np.testing.assert_allclose(found[label].mean_abs, mean_abs, rtol=1e-12)
        np.testing.assert_allclose(found[label].mean, mean, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("kind", KEYS)
def test_every_type(kind: str, n_outputs: int) -> None:
    values = make_values(7, n_outputs=n_outputs, dtype="float32")
    for column in columns(kind):
        aggregates = added(Aggregates(group="g"), values, [2, 0, 5], column)
        assert_groups(aggregates, by_pandas(values, column.to_pylist()))


@pytest.mark.parametrize("kind", KEYS)
def test_types_of_one_kind_mix(kind: str) -> None:
    aggregates, expected = Aggregates(group="g"), []
    keys: list[Any] = []
    for column in columns(kind):
        values = make_values(7, seed=len(keys))
        added(aggregates, values, groups=column)
        expected.append(values)
        keys += column.to_pylist()
    assert_groups(aggregates, by_pandas(np.concatenate(expected), keys))


@pytest.mark.parametrize("n_groups", [1, 3, 500, 30_000])
def test_many_rows(n_groups: int) -> None:
    rng = np.random.default_rng(0)
    keys = rng.integers(0, n_groups, 40_000)
    values = make_values(40_000, 20, dtype="float32")
    aggregates = Aggregates(group="g")
    added(aggregates, values, [1_000, 19_000, 20_000], pa.array(keys), names=None)
    frame = pd.DataFrame(values[..., 0].astype(float))
    expected, sizes = frame.abs().groupby(keys).mean(), frame.groupby(keys).size()
    found = aggregates.groups
    assert list(found) == expected.index.tolist()
    assert [part.n_rows for part in found.values()] == sizes.tolist()
    mean_abs = np.array([part.mean_abs for part in found.values()])
    np.testing.assert_allclose(mean_abs, expected.to_numpy(), rtol=1e-12)


@given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=60), st.data())
def test_any_division_and_any_merging(keys: list[str | None], data: st.DataObject) -> None:
    values = make_values(len(keys), seed=len(keys))
    cuts = data.draw(st.lists(st.integers(0, len(keys)), max_size=5))
    column, base = pa.array(keys, type=pa.string()), make_base(len(keys))
    ends = [0, *sorted(cuts), len(keys)]
    parts = []
    for a, b in itertools.pairwise(ends):
        parts.append(Aggregates(group="g"))
        parts[-1].add(values[a:b], base[a:b], NAMES, groups=column[a:b])
    while len(parts) > 1:
        i = data.draw(st.integers(0, len(parts) - 2))
        parts[i].merge(parts.pop(i + 1))
    found, expected = parts[0].groups, added(Aggregates(group="g"), values, groups=column).groups
    assert list(found) == list(expected)
    for label, part in expected.items():
        assert found[label].n_rows == part.n_rows
        np.testing.assert_allclose(found[label].mean_abs, part.mean_abs, rtol=1e-12)
        np.testing.assert_allclose(found[label].mean, part.mean, rtol=0, atol=1e-12 * 100)


def test_the_order_of_rows_does_not_matter_to_that_of_groups() -> None:
    values, column = make_values(7), pa.array(KEYS["text"])
    a = added(Aggregates(group="g"), values, groups=column)
    b = added(Aggregates(group="g"), values[::-1], groups=column[::-1])
    assert list(a.groups) == list(b.groups) == ["", "a", "a b", "b", "Ünï", None]


def test_dictionaries_as_they_come() -> None:
    """With entries that no row has, twice the same, and null as an entry."""
    entries = pa.array(["x", "b", "a", "b", None])
    column = pa.DictionaryArray.from_arrays(pa.array([1, 3, 2, 4, None, 1]), entries)
    values = make_values(6)
    aggregates = added(Aggregates(group="g"), values, groups=column)
    assert {k: v.n_rows for k, v in aggregates.groups.items()} == {"a": 1, "b": 3, None: 2}
    assert_groups(aggregates, by_pandas(values, ["b", "b", "a", None, None, "b"]))


def test_null_is_a_group_of_every_kind() -> None:
    aggregates = Aggregates(group="g")
    for column in (pa.nulls(2), pa.nulls(2, pa.int64()), pa.array([True, None])):
        added(aggregates, make_values(2), groups=column)
    assert {k: v.n_rows for k, v in aggregates.groups.items()} == {True: 1, None: 5}


def test_slices_of_columns() -> None:
    column = pa.array(["a", "b", "c", "b", None])[1:4]
    aggregates = added(Aggregates(group="g"), make_values(3), groups=column)
    assert {k: v.n_rows for k, v in aggregates.groups.items()} == {"b": 2, "c": 1}


@pytest.mark.skipif(not hasattr(pa, "string_view"), reason="pyarrow has no views of text")
def test_views_of_text() -> None:
    column = pa.array(["b", None, "a"]).cast(pa.string_view())
    aggregates = added(Aggregates(group="g"), make_values(3), groups=column)
    assert list(aggregates.groups) == ["a", "b", None]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1.0, 2.0]),
        pa.array([1.0, 2.0]).dictionary_encode(),
        pa.array([datetime.datetime(2024, 1, 1)] * 2),
        pa.array([[1], [2]]),
        pa.array([b"a", b"b"]),
    ],
    ids=lambda column: str(column.type),
)
def test_types_that_make_no_groups(column: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"column to group by has the type .*: c"):
        added(Aggregates(group="g"), make_values(2), groups=column)


def test_kinds_do_not_mix() -> None:
    values = make_values(2)
    aggregates = added(Aggregates(group="g"), values, groups=pa.array([1, 0]))
    before = state(aggregates)
    for column in (pa.array([True, False]), pa.array(["1", "0"])):
        with pytest.raises(InvalidInputError, match="kind integer, and now"):
            added(aggregates, values, groups=column)
        with pytest.raises(InvalidInputError, match="kind integer, and now"):
            aggregates.merge(added(aggregates.empty(), values, groups=column))
    np.testing.assert_equal(state(aggregates), before)


def test_one_value_for_each_row() -> None:
    with pytest.raises(InvalidInputError, match="3 values to group 2 rows by"):
        Aggregates(group="g").add(make_values(2), make_base(2), groups=pa.array([1, 2, 3]))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "_MOST_CELLS", 40)
    values, aggregates = make_values(10), Aggregates(group="g")
    added(aggregates, values, groups=pa.array(range(10)))
    added(aggregates, values, groups=pa.array(range(9, -1, -1)))
    assert len(aggregates.groups) == 10
    before = state(aggregates)
    message = "more than 10 different values, the most there can be with 4 SHAP values"
    with pytest.raises(InvalidInputError, match=message):
        added(aggregates, values, groups=pa.array(range(1, 11)))
    with pytest.raises(InvalidInputError, match=message):
        added(Aggregates(group="g"), make_values(11), groups=pa.array(range(11)))
    other = added(Aggregates(group="g"), values, groups=pa.array(range(1, 11)))
    with pytest.raises(InvalidInputError, match=message):
        aggregates.merge(other)
    np.testing.assert_equal(state(aggregates), before)


def test_the_same_batches_give_the_same_bits() -> None:
    values, column = make_values(5000), pa.array(np.arange(5000) % 37)
    a, b = (added(Aggregates(group="g"), values, [2000, 3000], column) for _ in range(2))
    assert_same(a, b)
