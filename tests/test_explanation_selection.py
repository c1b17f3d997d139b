"""Selecting rows, features and outputs of an explanation, by number, name, mask or slice."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explanation_cases import CONTAINERS, NAMES, OUTPUTS, make, plain
from leafshap import Explanation
from leafshap.errors import InvalidInputError


def one_key(size: int, names: list[str] | None) -> st.SearchStrategy[Any]:
    number = st.integers(-size, size - 1)
    edge = st.none() | st.integers(-size - 1, size + 1)
    kinds = [
        number,
        number.map(np.int32),
        st.builds(slice, edge, edge, st.none() | st.sampled_from([1, 2, -1, -2])),
        st.lists(number, max_size=5),
        st.lists(number, max_size=5).map(lambda k: np.array(k, dtype=np.int64)),
        st.lists(st.booleans(), min_size=size, max_size=size),
        st.lists(st.booleans(), min_size=size, max_size=size).map(np.array),
    ]
    if names is not None:
        kinds += [st.sampled_from(names), st.lists(st.sampled_from(names), max_size=5)]
        kinds += [st.lists(st.sampled_from(names), min_size=1, max_size=5).map(np.array)]
    return st.one_of(kinds)


def as_numpy(key: Any, size: int, names: list[str] | None) -> Any:
    """The same selection as an integer or an array of integers, for numpy."""
    if isinstance(key, str):
        assert names is not None
        return names.index(key)
    if isinstance(key, slice):
        return np.arange(size)[key]
    key = np.asarray(key)
    if key.dtype.kind == "U":
        assert names is not None
        return np.array([names.index(name) for name in key])
    return np.arange(size)[key if key.size else key.astype(int)]


def taken(values: npt.NDArray[Any], keys: list[Any]) -> npt.NDArray[Any]:
    """Axis by axis, from the last, so that those before keep their place."""
    for axis in reversed(range(len(keys))):
        values = np.take(values, keys[axis], axis=axis)
    return values


@st.composite
def selections(draw: st.DrawFn) -> tuple[Explanation, tuple[Any, ...], list[Any]]:
    n_outputs = draw(st.sampled_from([0, 3]))
    interactions = draw(st.booleans())
    kind = draw(st.sampled_from([None, *CONTAINERS]))
    e = make(n_outputs=n_outputs, interactions=interactions, kind=kind, names=draw(st.booleans()))
    names: list[list[str] | None] = [None, NAMES, *([NAMES] if interactions else [])]
    names += [OUTPUTS] if n_outputs else []
    if e.feature_names is None:
        names = [None] * len(names)
    n_keys = draw(st.integers(1, len(names)))
    keys = [draw(one_key(e.shape[k], names[k])) for k in range(n_keys)]
    wanted = [as_numpy(key, e.shape[k], names[k]) for k, key in enumerate(keys)]
    wanted += [np.arange(size) for size in e.shape[n_keys:]]
    tail = (...,) if draw(st.booleans()) else ()
    return e, (*keys, *tail), wanted


@given(selections())
def test_every_selection_is_that_of_numpy(
    case: tuple[Explanation, tuple[Any, ...], list[Any]],
) -> None:
    e, key, wanted = case
    part = e[key[0]] if len(key) == 1 else e[key]
    assert isinstance(part.values, np.ndarray)
    np.testing.assert_array_equal(part.values, taken(e.values, wanted))
    assert part.standard_errors is not None
    assert e.standard_errors is not None
    np.testing.assert_array_equal(part.standard_errors, taken(e.standard_errors, wanted))
    based = [wanted[0], *(wanted[-1:] if "outputs" in e.axes else [])]
    np.testing.assert_array_equal(part.base_values, taken(e.base_values, based))
    np.testing.assert_array_equal(part.n_evaluations, np.arange(7)[wanted[0]] + 10)
    kept = [axis for axis, w in zip(e.axes, wanted, strict=True) if np.ndim(w)]
    assert part.axes == tuple(kept)
    assert part.single_row == (np.ndim(wanted[0]) == 0)
    if e.data is not None:
        follows = wanted[1]
        if "features" in kept and not np.ndim(wanted[1]):
            follows = wanted[2]  # of interaction values the other axis is left
        X = plain(np.asarray(e.data) if isinstance(e.data, list) else e.data)
        expected = taken(X, [wanted[0], follows])
        np.testing.assert_array_equal(plain(part.data).reshape(expected.shape), expected)
    repr(part)
    part._repr_html_()


@pytest.mark.parametrize("kind", CONTAINERS)
def test_data_stay_in_their_container(kind: str) -> None:
    e = make(kind=kind)
    for part in (e[2:5], e[:, ["wage", "age"]], e[[0, 3], 1:]):
        assert type(part.data) is (np.ndarray if kind == "list" else type(e.data))
    X = plain(np.asarray(e.data) if kind == "list" else e.data)
    for value in (e[3, "wage"].data, e[3][2].data, e[:, "wage"][3].data, e[3][["wage"]][0].data):
        assert np.ndim(value) == 0
        assert float(value) == X[3, 2]
    np.testing.assert_array_equal(plain(e[3][["wage", "age"]].data).ravel(), X[3, [2, 0]])
    np.testing.assert_array_equal(plain(e[:, "wage"][1:4].data).ravel(), X[1:4, 2])
    np.testing.assert_array_equal(plain(e[:, "wage"][[5, 0]].data).ravel(), X[[5, 0], 2])


def test_a_column_keeps_its_own_dtype() -> None:
    pandas = pytest.importorskip("pandas")
    data = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    e = Explanation(values=np.eye(2), base_values=np.zeros(2), data=data, feature_names=["a", "b"])
    assert e[:, "a"].data.dtype == data["a"].dtype
    assert e[1, "b"].data == "y"
    assert isinstance(e[1, "a"].data, (int, np.integer))


def test_masks_made_of_any_container() -> None:
    for kind in CONTAINERS:
        e = make(kind=kind)
        column = e[:, "age"].data
        if kind == "pyarrow":
            pc = pytest.importorskip("pyarrow.compute")
            mask = pc.greater(column, 3)
        else:
            mask = column > 3
        expected = e.values[plain(column).ravel() > 3]
        np.testing.assert_array_equal(e[mask].values, expected)


def test_names_of_what_is_left() -> None:
    e = make(n_outputs=3)
    assert e[:, "age"].feature_names == "age"
    assert e[:, 2].feature_names == "wage"
    assert e[..., "class 1"].output_names == "class 1"
    assert e[:, :, 1].feature_names == NAMES
    assert e[:, ["city", "age"]].feature_names == ["city", "age"]
    assert e[:, ::-2].feature_names == ["city", "income"]
    assert e[:, :, [False, True, True]].output_names == ["class 1", "class 2"]
    unnamed = make(n_outputs=3, names=False)
    assert unnamed[:3].feature_names is None
    assert unnamed[:, [3, 1]].feature_names == ["Feature 3", "Feature 1"]
    assert unnamed[:, "Feature 2"].feature_names == "Feature 2"
    assert unnamed[..., 2].output_names == "Output 2"


def test_interaction_values() -> None:
    e = make(interactions=True)
    pair = e[:, "age", "wage"]
    np.testing.assert_array_equal(pair.values, e.values[:, 0, 2])
    assert (pair.feature_names, pair.partner_names) == ("age", "wage")
    with_age = e[:, "age"]
    assert (with_age.feature_names, with_age.partner_names) == (NAMES, "age")
    np.testing.assert_array_equal(with_age.values, e[:, :, "age"].values)
    np.testing.assert_array_equal(with_age[:, "wage"].values, pair.values)
    assert with_age[:, "wage"].feature_names == "wage"
    block = e[:, ["age", "city"], ["age", "city"]]
    assert (block.feature_names, block.partner_names) == (["age", "city"], None)
    other = e[:, ["age", "city"], ["wage"]]
    assert (other.feature_names, other.partner_names) == (["age", "city"], ["wage"])
    np.testing.assert_array_equal(other.data, e.data[:, [0, 3]])
    np.testing.assert_array_equal(other[:, "city", "wage"].values, e.values[:, 3, 2])
    assert other[:, "city"].feature_names == ["wage"]
    assert other[:, "city"].data is None  # it never had that of wage
    assert e[0].axes == ("features", "features")


def test_unknown_and_repeated_names() -> None:
    e = make(n_outputs=3)
    with pytest.raises(InvalidInputError, match="no feature 'Wages'; close ones: 'wage'"):
        e[:, "Wages"]
    with pytest.raises(InvalidInputError, match="no feature 'zzz'; there are: 'age', 'income'"):
        e[:, ["age", "zzz"]]
    with pytest.raises(InvalidInputError, match="no output 'class 7'; close ones: 'class"):
        e[..., "class 7"]
    twice = Explanation(values=np.eye(2), base_values=np.zeros(2), feature_names=["a", "a"])
    with pytest.raises(InvalidInputError, match="several features 'a'"):
        twice[:, "a"]
    assert twice[:, 1].feature_names == "a"


def test_slices_are_views() -> None:
    e = make()
    assert np.shares_memory(e[2:5, 1:].values, e.values)
    assert np.shares_memory(e[:, "age"].values, e.values)


def test_an_order_selects() -> None:
    e = make()
    importance = e.abs.mean(0)
    falling = importance[importance.argsort[::-1]]
    np.testing.assert_array_equal(falling.values, np.sort(importance.values)[::-1])
    assert falling.feature_names == importance.argsort[::-1].feature_names
    assert e[:, importance.argsort].feature_names == importance.argsort.feature_names


def test_pickles() -> None:
    part = pickle.loads(pickle.dumps(make(n_outputs=3)[2, ["age"]]))
    assert part.axes == ("features", "outputs")
    assert part.feature_names == ["age"]


def test_names_beside_numbers() -> None:
    e = make(n_outputs=3)
    mixed = np.array(["age", 2], dtype=object)
    for key in (["age", 2], ("age", -2), mixed):
        assert e[:, key if isinstance(key, np.ndarray) else list(key)].feature_names == [
            "age",
            "wage",
        ]
    assert e[..., [2, "class 0"]].output_names == ["class 2", "class 0"]
    named = Explanation(values=np.eye(2), base_values=np.zeros(2), feature_names=["1", "a"])
    assert named[:, ["a", 1]].feature_names == ["a", "a"]  # the number, not the name "1"
    with pytest.raises(IndexError, match="feature 9 is out of range"):
        e[:, ["age", 9]]
    with pytest.raises(TypeError, match="a list of these"):
        e[:, ["age", 1.5]]
    with pytest.raises(TypeError, match="rows are selected by"):
        e[["age", 1]]


def masks_with_missing(values: list[bool | None]) -> list[Any]:
    found: list[Any] = [np.array(values, dtype=object)]
    pandas = pytest.importorskip("pandas")
    found += [pandas.array(values, dtype="boolean"), pandas.Series(values, dtype="boolean")]
    found.append(pytest.importorskip("polars").Series(values))
    found.append(pytest.importorskip("pyarrow").array(values))
    return found


def test_masks_with_missing_values() -> None:
    e = make()
    for mask in masks_with_missing([True, None, False, True, None, True, False]):
        with pytest.raises(InvalidInputError, match="mask of rows has missing values at 2 of 7"):
            e[mask]
    for mask in masks_with_missing([True, None, False, True]):
        with pytest.raises(
            InvalidInputError, match="mask of features has missing values at 1 of 4"
        ):
            e[:, mask]
    for mask in masks_with_missing([True, False, False, True]):
        assert e[:, mask].feature_names == ["age", "city"]


def test_an_empty_mask_is_one() -> None:
    e = make()
    with pytest.raises(IndexError, match="one entry for each of the 7 rows"):
        e[np.array([], dtype=bool)]
    with pytest.raises(IndexError, match="one entry for each of the 4 features"):
        e[:, np.array([], dtype=bool)]
    assert e[:0][np.array([], dtype=bool)].shape == (0, 4)
    assert e[[]].shape == (0, 4)


@pytest.mark.parametrize("kind", CONTAINERS)
def test_rows_without_features(kind: str) -> None:
    e = make(kind=kind)
    assert e[2, []].shape == (0,)
    assert e[[2, 1], []].shape == (2, 0)
