"""The builder refuses every way in which arrays can contradict themselves, and says where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from leafshap import _core
from leafshap.errors import InvalidInputError, InvalidModelError
from strategies import Recipe, random_ensemble, random_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from leafshap.converters.arrays import EnsembleArrays

# the second of three trees: 0 -> (1, 2), 1 -> (3, 4); features 0 and 1 numeric, 2 categorical
TREE, FIRST, SIZE = 1, 3, 5


def valid() -> EnsembleArrays:
    """Three small trees: 3, 5 and 3 nodes; the third splits on a category."""
    arrays = random_ensemble(
        Recipe(n_trees=3, shape="balanced", depth=1, n_features=3, categorical=0.0)
    )
    arrays.tree_offsets = np.array([0, 3, 8, 11], dtype=np.int64)
    arrays.split_feature = np.array([0, -1, -1, 0, 1, -1, -1, -1, 2, -1, -1], dtype=np.int32)
    arrays.left = np.array([1, -1, -1, 1, 3, -1, -1, -1, 1, -1, -1], dtype=np.int32)
    arrays.right = np.array([2, -1, -1, 2, 4, -1, -1, -1, 2, -1, -1], dtype=np.int32)
    n = len(arrays.left)
    arrays.threshold = np.zeros(n)
    arrays.default_left = np.zeros(n, dtype=np.bool_)
    arrays.missing = np.zeros(n, dtype=np.uint8)
    arrays.categorical = np.zeros(n, dtype=np.uint8)
    arrays.categorical[8] = 1
    arrays.category_offsets = np.array([0] * 9 + [3] * 3, dtype=np.int64)
    arrays.category_codes = np.array([1, 4, 7], dtype=np.int32)
    arrays.cover = np.array([4.0, 2, 2, 8, 6, 2, 5, 1, 3, 2, 1])
    arrays.leaf_value = np.where(arrays.left < 0, np.arange(n) + 0.5, 0.0)
    return arrays


def put(name: str, at: int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(d: dict[str, Any]) -> None:
        d[name] = d[name].copy()
        d[name][at] = value

    return change


def put_all(*changes: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    def change(d: dict[str, Any]) -> None:
        for each in changes:
            each(d)

    return change


def put_field(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(d: dict[str, Any]) -> None:
        d[name] = value

    return change


# (change, the node within tree 1 that the message must name)
AT_A_NODE: dict[str, tuple[Callable[[dict[str, Any]], None], int]] = {
    "left child too large": (put("left", FIRST + 1, 5), 1),
    "right child too large": (put("right", FIRST + 1, 5), 1),
    "child of another tree": (put("right", FIRST, 8), 0),
    "child huge": (put("left", FIRST, 2**31 - 1), 0),
    "child negative": (put("left", FIRST, -2), 0),
    "no right child": (put("right", FIRST + 1, -1), 1),
    "no left child": (put("left", FIRST + 1, -1), 1),
    "right child very negative": (put("right", FIRST + 1, -(2**31)), 1),
    "child is itself": (put("left", FIRST + 1, 1), 1),
    "child is the root": (put("left", FIRST + 1, 0), 0),
    "two parents": (put("left", FIRST + 1, 2), 2),
    "same child twice": (put("right", FIRST + 1, 3), 3),
    "leaf with a right child": (put("right", FIRST + 2, 3), 2),
    "leaf with a feature": (put("split_feature", FIRST + 2, 1), 2),
    "feature too large": (put("split_feature", FIRST + 1, 3), 1),
    "feature negative": (put("split_feature", FIRST + 1, -1), 1),
    "feature very negative": (put("split_feature", FIRST + 1, -(2**31)), 1),
    "threshold nan": (put("threshold", FIRST + 1, np.nan), 1),
    "threshold inf": (put("threshold", FIRST + 1, np.inf), 1),
    "threshold -inf": (put("threshold", FIRST, -np.inf), 0),
    "leaf nan": (put("leaf_value", FIRST + 3, np.nan), 3),
    "leaf inf": (put("leaf_value", FIRST + 2, -np.inf), 2),
    "cover negative": (put("cover", FIRST + 1, -1.0), 1),
    "cover of a leaf negative": (put("cover", FIRST + 4, -1e-300), 4),
    "cover nan": (put("cover", FIRST, np.nan), 0),
    "cover inf": (put("cover", FIRST + 1, np.inf), 1),
    "missing policy unknown": (put("missing", FIRST + 1, 3), 1),
    "missing policy 255": (put("missing", FIRST, 255), 0),
    "split kind unknown": (put("categorical", FIRST + 1, 3), 1),
    "orphan leaf": (
        put_all(put("left", FIRST + 1, -1), put("right", FIRST + 1, -1),
                put("split_feature", FIRST + 1, -1)), 3),
    "cycle beside the tree": (
        # 1 becomes a leaf; 3 and 4, now orphans, point at each other
        put_all(put("left", FIRST + 1, -1), put("right", FIRST + 1, -1),
                put("split_feature", FIRST + 1, -1), put("left", FIRST + 3, 4),
                put("right", FIRST + 3, 4), put("split_feature", FIRST + 3, 0)), 3),
}  # fmt: skip

# (change, a word that the message must hold)
ELSEWHERE: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "category code negative": (put("category_codes", 0, -1), "tree 2, node 0.*categor"),
    "categorical without sets": (
        put_all(put_field("category_offsets", np.zeros(0, np.int64)),
                put_field("category_codes", np.zeros(0, np.int32))), "tree 2, node 0.*categor"),
    "codes without offsets": (put_field("category_offsets", np.zeros(0, np.int64)), "categor"),
    "category offsets decrease": (put("category_offsets", 9, -1), "category_offsets"),
    "category offsets beyond the codes": (put("category_offsets", 11, 4), "category_offsets"),
    "category offsets start late": (put("category_offsets", 0, 1), "category_offsets"),
    "category offsets huge": (put("category_offsets", 9, 2**62), "category_offsets"),
    "category offsets too short": (
        put_field("category_offsets", np.zeros(3, np.int64)), "category_offsets"),
    "tree offsets start late": (put("tree_offsets", 0, 1), "tree_offsets"),
    "tree offsets negative": (put("tree_offsets", 1, -3), "tree"),
    "tree offsets decrease": (put("tree_offsets", 1, 9), "tree 1"),
    "tree without nodes": (put("tree_offsets", 1, 8), "tree 1"),
    "tree offsets beyond the nodes": (put("tree_offsets", 3, 12), "tree_offsets"),
    "tree offsets before the last node": (put("tree_offsets", 3, 10), "tree_offsets"),
    "tree offsets empty": (put_field("tree_offsets", np.zeros(0, np.int64)), "tree_offsets"),
    "one tree offset missing": (
        put_field("tree_offsets", np.array([0, 3, 11])), "tree_offsets"),
    "output too large": (put("tree_output", 1, 1), "tree 1"),
    "output negative": (put("tree_output", 1, -1), "tree 1"),
    "output missing": (put_field("tree_output", np.zeros(2, np.int32)), "tree_output"),
    "weight nan": (put("tree_weight", 1, np.nan), "tree 1"),
    "weight inf": (put("tree_weight", 1, np.inf), "tree 1"),
    "base nan": (put("base_values", 0, np.nan), "base_values"),
    "base of another length": (put_field("base_values", np.zeros(2)), "base_values"),
    "no outputs": (
        put_all(put_field("n_outputs", 0), put_field("base_values", np.zeros(0))), "output"),
    "negative features": (put_field("n_features", -1), "n_features"),
    "too many features": (put_field("n_features", 2**31), "n_features"),
    "comparison unknown": (put_field("comparison", ">"), "comparison"),
    "precision unknown": (put_field("input_precision", "float16"), "input_precision"),
    "category rule unknown": (put_field("category_rule", "round"), "category_rule"),
}  # fmt: skip


def test_the_arrays_are_valid_before_they_are_changed() -> None:
    ensemble = _core.Ensemble(valid().as_dict())
    row = np.array([[-1.0, 1.0, 4.0]])
    # tree 0 left, tree 1 left then right, tree 2 left as a member
    arrays = valid()
    leaves = arrays.leaf_value[[1, FIRST + 4, 9]]
    expected = arrays.base_values + arrays.tree_weight @ leaves
    np.testing.assert_allclose(ensemble.predict(row)[0], expected)


@pytest.mark.parametrize("what", AT_A_NODE)
def test_bad_node_is_named(what: str) -> None:
    change, node = AT_A_NODE[what]
    d = valid().as_dict()
    change(d)
    with pytest.raises(InvalidModelError, match=f"tree {TREE}, node {node}\\b"):
        _core.Ensemble(d)


@pytest.mark.parametrize("what", ELSEWHERE)
def test_bad_arrays_are_refused(what: str) -> None:
    change, word = ELSEWHERE[what]
    d = valid().as_dict()
    change(d)
    with pytest.raises(InvalidModelError, match=word):
        _core.Ensemble(d)


def test_vector_leaves_want_no_tree_output() -> None:
    d = valid().as_dict()
    d["n_outputs"], d["base_values"] = 2, np.zeros(2)
    d["leaf_value"] = np.ones((11, 2))
    with pytest.raises(InvalidModelError, match=r"tree 0|leaf_value"):
        _core.Ensemble(d)
    d["tree_output"] = np.full(3, -1, dtype=np.int32)
    _core.Ensemble(d)
    d["leaf_value"][FIRST + 3, 1] = np.nan
    with pytest.raises(InvalidModelError, match=f"tree {TREE}, node 3"):
        _core.Ensemble(d)
    d["leaf_value"] = np.ones((11, 3))
    with pytest.raises(InvalidModelError, match="leaf_value"):
        _core.Ensemble(d)


PER_NODE = ["split_feature", "left", "right", "threshold", "default_left", "missing",
            "categorical", "cover", "leaf_value"]  # fmt: skip


@pytest.mark.parametrize("name", PER_NODE)
def test_wrong_length_is_named(name: str) -> None:
    for length in (0, 10, 12):
        d = valid().as_dict()
        d[name] = np.resize(d[name], length)
        if name == "cover" and length == 0:
            continue  # an empty cover may mean none
        # a shorter `split_feature` is the count of nodes that the others miss
        with pytest.raises(InvalidModelError, match=".*" if name == "split_feature" else name):
            _core.Ensemble(d)


@pytest.mark.parametrize("name", [*PER_NODE, "tree_offsets", "tree_output", "tree_weight",
                                  "base_values", "category_codes"])  # fmt: skip
def test_wrong_kind_of_array_is_named(name: str) -> None:
    good = valid().as_dict()[name]
    for bad in (good.astype(object), good[:, None, None], "text", None, good.astype("U8")):
        if name == "cover" and bad is None:
            continue
        d = valid().as_dict()
        d[name] = bad
        with pytest.raises(InvalidModelError, match=name):
            _core.Ensemble(d)


@pytest.mark.parametrize("name", [*sorted(set(PER_NODE) - {"cover"}), "n_features", "comparison"])
def test_missing_field_is_named(name: str) -> None:
    d = valid().as_dict()
    del d[name]
    with pytest.raises(InvalidModelError, match=name):
        _core.Ensemble(d)


def test_category_sets_may_be_unsorted_and_hold_duplicates() -> None:
    X = random_rows(valid(), 200)
    expected = _core.Ensemble(valid().as_dict()).predict(X)
    arrays = valid()
    arrays.category_codes = np.array([7, 1, 7, 4, 1], dtype=np.int32)
    arrays.category_offsets[9:] = 5
    np.testing.assert_array_equal(_core.Ensemble(arrays.as_dict()).predict(X), expected)


def test_the_callers_arrays_are_copied() -> None:
    arrays = valid()
    X = random_rows(arrays, 50)
    ensemble = _core.Ensemble(arrays.as_dict())
    before = ensemble.predict(X)
    arrays.leaf_value[:] = 0.0
    arrays.left[:] = 99
    np.testing.assert_array_equal(ensemble.predict(X), before)


def test_arrays_come_back_as_they_went_in() -> None:
    arrays = valid()
    back = _core.Ensemble(arrays.as_dict()).to_arrays()
    for name in (*PER_NODE, "tree_offsets", "tree_output", "tree_weight", "base_values",
                 "category_offsets", "category_codes"):  # fmt: skip
        expected = getattr(arrays, name)
        np.testing.assert_array_equal(back[name], expected)
        assert back[name].dtype == expected.dtype, name
    assert back["n_features"] == 3
    assert back["comparison"] == arrays.comparison


def test_no_cover_is_not_zero_cover() -> None:
    """Without cover a model predicts, but has no path-dependent values: say so, do not guess."""
    arrays = valid()
    arrays.cover = None
    X = random_rows(arrays, 9)
    ensemble = _core.Ensemble(arrays.as_dict())
    np.testing.assert_array_equal(ensemble.predict(X), _core.Ensemble(valid().as_dict()).predict(X))
    assert ensemble.to_arrays()["cover"] is None
    with pytest.raises(Exception, match="cover") as caught:
        _core.PathPlan(ensemble, "float64")
    assert "data" in str(caught.value)  # names the way out


def bad_inputs() -> dict[str, Any]:
    good = np.zeros((5, 3))
    return {
        "too few columns": good[:, :2].copy(),
        "too many columns": np.zeros((5, 4)),
        "one dimension": good[0],
        "three dimensions": good[:, :, None],
        "Fortran order": np.asfortranarray(good),
        "every second row": np.zeros((10, 3))[::2],
        "integers": good.astype(np.int64),
        "objects": good.astype(object),
        "big-endian": good.astype(">f8"),
        "float16": good.astype(np.float16),
    }


@pytest.mark.parametrize("what", bad_inputs())
def test_bad_rows_are_refused(what: str) -> None:
    """The core takes what it can read in place; anything else is an error, not a wrong read."""
    X = bad_inputs()[what]
    ensemble = _core.Ensemble(valid().as_dict())
    plan = _core.PathPlan(ensemble, "float64")
    out = np.empty((5, 3, 1))
    for call in (ensemble.predict, lambda X: plan.shap_values(X, out, 1)):
        with pytest.raises((InvalidInputError, TypeError)):
            call(X)


def bad_outputs() -> dict[str, Any]:
    read_only = np.empty((5, 3, 1))
    read_only.flags.writeable = False
    return {
        "too few rows": np.empty((4, 3, 1)),
        "too many rows": np.empty((6, 3, 1)),
        "too few features": np.empty((5, 2, 1)),
        "too many outputs": np.empty((5, 3, 2)),
        "two dimensions": np.empty((5, 3)),
        "other precision": np.empty((5, 3, 1), dtype=np.float32),
        "other order": np.empty((1, 3, 5)).T,
        "not contiguous": np.empty((5, 6, 1))[:, ::2],
        "read-only": read_only,
        "no array": None,
    }


@pytest.mark.parametrize("what", bad_outputs())
@pytest.mark.parametrize("method", ["shap_values", "approximate"])
def test_bad_output_is_refused(what: str, method: str) -> None:
    plan = _core.PathPlan(_core.Ensemble(valid().as_dict()), "float64")
    with pytest.raises((InvalidInputError, TypeError, ValueError)):
        getattr(plan, method)(np.zeros((5, 3)), bad_outputs()[what], 1)


def test_bad_arguments_are_refused() -> None:
    ensemble = _core.Ensemble(valid().as_dict())
    X = np.zeros((5, 3))
    with pytest.raises((InvalidInputError, ValueError, TypeError)):
        _core.PathPlan(ensemble, "float16")
    for n_trees in (4, -2):
        with pytest.raises((InvalidInputError, ValueError)):
            _core.PathPlan(ensemble, "float64", n_trees)
        with pytest.raises((InvalidInputError, ValueError)):
            ensemble.predict(X, n_trees=n_trees)
    with pytest.raises((InvalidModelError, TypeError)):
        _core.Ensemble({})
    with pytest.raises((InvalidModelError, TypeError)):
        _core.Ensemble(None)  # type: ignore[arg-type]
