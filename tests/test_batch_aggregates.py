"""Aggregates are numpy's means of the whole matrix, however it came in parts."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregate_cases import (
    NAMES,
    added,
    assert_same,
    make_base,
    make_values,
    output_names,
    state,
)
from leafshap import InvalidInputError, TreeEnsemble, TreeExplainer
from leafshap.batch.aggregates import Aggregates, interactions
from strategies import Recipe, random_ensemble, random_rows

PROPERTIES = ["mean_abs", "mean", "standard_deviation", "minimum", "maximum", "expected_value"]


def whole(values: npt.NDArray[Any]) -> dict[str, npt.NDArray[np.float64]]:
    """numpy's answers, from all values at once."""
    x = values.astype(np.float64)
    found = {
        "mean_abs": np.abs(x).mean(axis=0),
        "mean": x.mean(axis=0),
        "standard_deviation": x.std(axis=0),
        "minimum": x.min(axis=0),
        "maximum": x.max(axis=0),
    }
    if values.shape[2] == 1:
        found = {name: value[:, 0] for name, value in found.items()}
    return found


def assert_close(a: Aggregates, b: Aggregates) -> None:
    """To rounding: of the mean of sizes, where values of both signs cancel."""
    assert a.n_rows == b.n_rows
    size = b.mean_abs
    for name in PROPERTIES[:3]:
        ours, theirs = getattr(a, name), getattr(b, name)
        scale = b.standard_deviation + size if name == "standard_deviation" else size
        assert (np.abs(ours - theirs) <= 1e-12 * scale).all(), name
    np.testing.assert_array_equal(a.minimum, b.minimum)
    np.testing.assert_array_equal(a.maximum, b.maximum)
    np.testing.assert_allclose(a.expected_value, b.expected_value, rtol=1e-12, atol=1e-12)


class TestTotals:
    @pytest.mark.parametrize("n_outputs", [1, 3])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("n", [1, 2, 300, 40_000])
    def test_against_numpy(self, n: int, dtype: str, n_outputs: int) -> None:
        values = make_values(n, n_outputs=n_outputs, dtype=dtype)
        aggregates = added(Aggregates(), values)
        assert aggregates.n_rows == n
        assert (aggregates.feature_names, aggregates.output_names) == (
            NAMES,
            output_names(n_outputs),
        )
        for name, expected in whole(values).items():
            found = getattr(aggregates, name)
            assert found.dtype == np.float64
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12, err_msg=name)
        np.testing.assert_array_equal(aggregates.minimum, whole(values)["minimum"])
        base = make_base(n, n_outputs).mean(axis=0)
        expected = base if n_outputs > 1 else base[0]
        np.testing.assert_allclose(aggregates.expected_value, expected, rtol=1e-12)
        assert np.shape(aggregates.expected_value) == np.shape(expected)

    @pytest.mark.parametrize("n_features", [1, 64, 65, 300])
    def test_any_number_of_features(self, n_features: int) -> None:
        values = make_values(2000, n_features, 2, "float32")
        aggregates = added(Aggregates(), values, [1500, 500], names=None)
        for name, expected in whole(values).items():
            np.testing.assert_allclose(getattr(aggregates, name), expected, 1e-12, 1e-12)

    @pytest.mark.parametrize("layout", ["reversed", "columns first", "every other"])
    def test_any_memory_layout(self, layout: str) -> None:
        values = make_values(500, 4, 2)
        given = {
            "reversed": values[::-1],
            "columns first": np.asfortranarray(values),
            "every other": np.repeat(values, 2, axis=1)[:, ::2],
        }[layout]
        before = given.copy()
        found, expected = added(Aggregates(), given), added(Aggregates(), values)
        np.testing.assert_array_equal(given, before)
        np.testing.assert_allclose(found.mean_abs, expected.mean_abs, rtol=1e-12)

    @pytest.mark.parametrize("sizes", [None, [1] * 50 + [49_950], [25_000, 25_000]])
    def test_a_large_mean_costs_no_digits(self, sizes: list[int] | None) -> None:
        noise = np.random.default_rng(0).normal(size=(50_000, 4, 1))
        aggregates = added(Aggregates(), noise + 1e6, sizes)
        expected = (noise + 1e6).std(axis=0)[:, 0]
        np.testing.assert_allclose(aggregates.standard_deviation, expected, rtol=1e-10)

    def test_constants_have_no_spread(self) -> None:
        aggregates = added(Aggregates(), np.full((1000, 4, 1), 0.1), [3, 997])
        np.testing.assert_allclose(aggregates.standard_deviation, 0, atol=1e-15)

    @pytest.mark.parametrize("size", [1e200, 1e-200, 5e-324])
    def test_sizes_at_the_ends(self, size: float) -> None:
        values = np.array([-size, size, size]).reshape(3, 1, 1)
        aggregates = added(Aggregates(), values, [2, 1], names=None)
        np.testing.assert_allclose(aggregates.mean_abs, [size])
        np.testing.assert_array_equal([aggregates.minimum, aggregates.maximum], [[-size], [size]])

    @given(st.data(), st.integers(1, 2), st.sampled_from(["float32", "float64"]))
    def test_any_division_and_any_merging(
        self, data: st.DataObject, n_outputs: int, dtype: str
    ) -> None:
        sizes = data.draw(st.lists(st.integers(0, 30), min_size=1, max_size=8))
        sizes.append(1)
        values = make_values(sum(sizes), n_outputs=n_outputs, dtype=dtype, seed=sum(sizes))
        expected = added(Aggregates(histograms=True), values)
        assert_close(added(Aggregates(histograms=True), values, sizes), expected)
        starts = np.cumsum([0, *sizes])
        parts = []
        base = make_base(len(values), n_outputs)
        for a, b in itertools.pairwise(starts):
            parts.append(Aggregates(histograms=True))
            parts[-1].add(values[a:b], base[a:b], NAMES, output_names(n_outputs))
        parts.insert(0, Aggregates(histograms=True))
        while len(parts) > 1:
            i = data.draw(st.integers(0, len(parts) - 2))
            parts[i].merge(parts.pop(i + 1))
        assert_close(parts[0], expected)
        np.testing.assert_equal(state(parts[0])["quantiles"], state(expected)["quantiles"])

    def test_the_same_batches_give_the_same_bits(self) -> None:
        values = make_values(30_000, dtype="float32")
        a, b = (added(Aggregates(histograms=True), values, [9_000, 21_000]) for _ in range(2))
        assert_same(a, b)
        # and so do merged parts of one batch each
        merged = Aggregates(histograms=True)
        base = make_base(30_000)
        for rows in (slice(0, 9_000), slice(9_000, None)):
            part = merged.empty()
            part.add(values[rows], base[rows], NAMES)
            merged.merge(part)
        assert_same(merged, a)

    def test_merging_leaves_the_other_as_it_is(self) -> None:
        values = make_values(20)
        parts = [added(Aggregates(histograms=True), v) for v in (values[:5], values[5:])]
        before = [state(part) for part in parts]
        merged = Aggregates(histograms=True)
        for part in (*parts, *parts):
            merged.merge(part)
        np.testing.assert_equal([state(part) for part in parts], before)
        assert merged.n_rows == 40


class TestNoRows:
    def test_nothing_added(self) -> None:
        aggregates = Aggregates(group="g", interactions=True, histograms=True)
        assert aggregates.n_rows == 0
        assert aggregates.feature_names is None
        assert repr(aggregates) == "<Aggregates: no rows>"
        for name in (*PROPERTIES, "groups", "interactions"):
            with pytest.raises(InvalidInputError, match="no rows"):
                getattr(aggregates, name)
        reads: list[Callable[[], Any]] = [
            lambda: aggregates.quantile(0.5),
            lambda: aggregates.histogram(0),
            lambda: aggregates.to_pandas(),
            lambda: aggregates.to_arrow(),
        ]
        for read in reads:
            with pytest.raises(InvalidInputError, match="no rows"):
                read()

    def test_empty_batches_and_parts_change_nothing(self) -> None:
        values = make_values(10)
        expected = added(Aggregates(histograms=True), values)
        aggregates = added(Aggregates(histograms=True), values, [0, 4, 0, 6])
        assert_close(aggregates, expected)
        no_batch, no_rows = expected.empty(), added(expected.empty(), values[:0])
        before = state(expected)
        for nothing in (no_batch, no_rows):
            expected.merge(nothing)
            nothing.merge(expected)
            assert_same(nothing, expected)
        np.testing.assert_equal(state(expected), before)

    def test_only_empty_batches(self) -> None:
        aggregates = added(Aggregates(), make_values(0))
        assert aggregates.feature_names == NAMES
        with pytest.raises(InvalidInputError, match="no rows"):
            _ = aggregates.mean


class TestErrors:
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_values_must_be_finite(self, bad: float, dtype: str) -> None:
        aggregates = added(Aggregates(histograms=True), make_values(10, dtype=dtype))
        before = state(aggregates)
        values = make_values(10, dtype=dtype)
        values[7, 2] = bad
        with pytest.raises(InvalidInputError, match=rf"finite: row 7 of .* {bad} for 'c'"):
            added(aggregates, values)
        np.testing.assert_equal(state(aggregates), before)

    def test_base_values_must_be_finite(self) -> None:
        with pytest.raises(InvalidInputError, match="base values must be finite"):
            Aggregates().add(np.zeros((2, 3, 1)), np.array([[0.0], [np.nan]]))

    @pytest.mark.parametrize(
        ("shape", "names", "words"),
        [
            ((2, 3, 1), None, "3 features and 1 outputs .* 4 and 1"),
            ((2, 4, 2), None, "4 features and 2 outputs .* 4 and 1"),
            ((2, 4, 1), None, "feature_names differ: .* before, None now"),
            ((2, 4, 1), ["departure delay", "b", "x", "d"], "number 2 was 'c', and now is 'x'"),
            ((2, 4, 1), ["a"], "1 feature names for 4 features"),
        ],
    )
    def test_mixed_models(
        self, shape: tuple[int, ...], names: list[str] | None, words: str
    ) -> None:
        aggregates = added(Aggregates(), make_values(5))
        before = state(aggregates)
        with pytest.raises(InvalidInputError, match=words):
            aggregates.add(np.ones(shape), np.ones((2, shape[2])), names)
        if names != ["a"]:
            other = Aggregates()
            other.add(np.ones(shape), np.ones((2, shape[2])), names)
            with pytest.raises(InvalidInputError, match=words):
                aggregates.merge(other)
        np.testing.assert_equal(state(aggregates), before)

    @pytest.mark.parametrize("shapes", [((2, 4), (2, 1)), ((2, 4, 1), (2,)), ((2, 4, 1), (3, 1))])
    def test_shapes(self, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
        with pytest.raises(InvalidInputError, match="expected values of shape"):
            Aggregates().add(np.ones(shapes[0]), np.ones(shapes[1]))

    @pytest.mark.parametrize("kind", [{"group": "g"}, {"interactions": True}, {"histograms": True}])
    def test_other_settings_cannot_be_merged(self, kind: dict[str, Any]) -> None:
        with pytest.raises(InvalidInputError, match="only aggregates of the same settings"):
            Aggregates().merge(Aggregates(**kind))
        with pytest.raises(InvalidInputError, match="expected Aggregates, got dict"):
            Aggregates().merge({})  # type: ignore[arg-type]

    def test_what_was_not_added_up(self) -> None:
        aggregates = added(Aggregates(), make_values(5))
        for read, option in (
            (lambda: aggregates.groups, "group="),
            (lambda: aggregates.interactions, "interactions=True"),
            (lambda: aggregates.quantile(0.5), "histograms=True"),
            (lambda: aggregates.histogram("b"), "histograms=True"),
            (lambda: aggregates.to_pandas(by_group=True), "group="),
        ):
            with pytest.raises(InvalidInputError, match=option):
                read()

    def test_what_is_needed(self) -> None:
        with pytest.raises(InvalidInputError, match="values of 'carrier' are needed"):
            added(Aggregates(group="carrier"), make_values(5))
        with pytest.raises(InvalidInputError, match="interaction values are needed"):
            added(Aggregates(interactions=True), make_values(5))
        with pytest.raises(InvalidInputError, match="name of a column"):
            Aggregates(group=["a"])  # type: ignore[arg-type]


class TestInteractions:
    @pytest.mark.parametrize("n_outputs", [1, 3])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("cells", [1, 200, 1 << 20])
    def test_equal_those_of_all_rows_at_once(
        self, n_outputs: int, dtype: Any, cells: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(interactions, "_CELLS", cells)
        arrays = random_ensemble(Recipe(seed=3, n_trees=8, n_outputs=n_outputs, zero_cover=0))
        X = random_rows(arrays, 200)
        explainer = TreeExplainer(TreeEnsemble(arrays), dtype=dtype)
        expected = explainer.mean_abs_interactions(X)
        parts = [Aggregates(interactions=True) for _ in range(2)]
        for i, (a, b) in enumerate([(0, 50), (50, 50), (50, 51), (51, 200)]):
            found = explainer.interaction_pairs(X[a:b])
            phi, values = found.shap_values, found.values
            if n_outputs == 1:
                phi, values = phi[..., np.newaxis], values[..., np.newaxis]
            before = values.copy()
            base = found.base_values.reshape(b - a, n_outputs)
            parts[i // 2].add(phi, base, interactions=(found.pairs, values))
            np.testing.assert_array_equal(values, before)
        parts[0].merge(parts[1])
        summary = parts[0].interactions
        assert summary.n_rows == 200
        assert len(summary) == len(expected)
        assert summary.mean_abs.shape == expected.mean_abs.shape
        # pairs of the same strength may be in any order
        ours, theirs = (
            {tuple(pair): value for pair, value in zip(s.pairs.tolist(), s.mean_abs, strict=True)}
            for s in (summary, expected)
        )
        assert ours.keys() == theirs.keys()
        rtol = 1e-12 if dtype == "float64" else 1e-5
        for pair, value in theirs.items():
            np.testing.assert_allclose(ours[pair], value, rtol=rtol, atol=rtol)
        np.testing.assert_allclose(
            summary.mean_abs_main_effects, expected.mean_abs_main_effects, rtol=rtol, atol=rtol
        )
        strength = summary.mean_abs.reshape(len(summary), -1).sum(axis=1)
        assert (np.diff(strength) <= 0).all()

    def test_other_pairs_cannot_be_added(self) -> None:
        aggregates = Aggregates(interactions=True)
        values, base = np.ones((2, 3, 1)), np.zeros((2, 1))
        pairs = np.array([[0, 1]], dtype=np.int32)
        aggregates.add(values, base, interactions=(pairs, values[:, :1]))
        with pytest.raises(InvalidInputError, match="other pairs of features"):
            aggregates.add(values, base, interactions=(pairs + 1, values[:, :1]))
        with pytest.raises(InvalidInputError, match="do not fit"):
            aggregates.add(values, base, interactions=(pairs, values))
        with pytest.raises(InvalidInputError, match="not finite"):
            aggregates.add(values, base, interactions=(pairs, values[:, :1] * np.nan))
        assert aggregates.n_rows == 2
        assert aggregates.interactions.mean_abs.tolist() == [1]

    def test_no_pairs(self) -> None:
        aggregates = Aggregates(interactions=True)
        none = (np.zeros((0, 2), np.int32), np.zeros((2, 0, 1)))
        aggregates.add(np.ones((2, 3, 1)), np.zeros((2, 1)), interactions=none)
        assert len(aggregates.interactions) == 0
        assert aggregates.interactions.mean_abs_main_effects.tolist() == [1, 1, 1]


def test_copies_of_pickles() -> None:
    aggregates = added(Aggregates(histograms=True), make_values(50, n_outputs=2))
    copy = pickle.loads(pickle.dumps(aggregates))
    assert_same(copy, aggregates)
    copy.merge(aggregates)
    assert (copy.n_rows, aggregates.n_rows) == (100, 50)


def test_repr_shows_the_largest() -> None:
    values = np.array([[[1.0], [-3.0], [2.0], [0.0]]])
    assert repr(added(Aggregates(), values)) == (
        "<Aggregates: 1 row; mean |phi|: b 3, c 2, departure delay 1, d 0>"
    )
    many = repr(added(Aggregates(), np.ones((1000, 7, 2)), names=None))
    assert many.startswith("<Aggregates: 1,000 rows; mean |phi|: Feature 0 2, Feature 1 2, ")
    assert many.endswith("Feature 4 2, ...>")
