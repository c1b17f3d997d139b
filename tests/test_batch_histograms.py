"""Quantiles and histograms of aggregates: as near to the data's own as they promise."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregate_cases import NAMES, added, make_values
from leafshap import InvalidInputError
from leafshap.batch.aggregates import Aggregates
from leafshap.batch.aggregates.histograms import round_edges

TINY = np.finfo(np.float64).tiny  # sizes below count as zero
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def counted(values: npt.ArrayLike, *sizes: int) -> Aggregates:
    """Aggregates of one feature."""
    column = np.asarray(values).reshape(-1, 1, 1)
    return added(Aggregates(histograms=True), column, sizes or None, names=["f"])


def own_quantile(values: npt.NDArray[Any], q: float) -> float:
    """The smallest value that at least a share q does not exceed."""
    rank = max(1, min(len(values), math.ceil(q * len(values))))
    return float(np.sort(values)[rank - 1])


class TestQuantiles:
    @given(st.lists(FINITE, min_size=1, max_size=60), st.floats(0, 1))
    def test_within_the_promised_width(self, values: list[float], q: float) -> None:
        own = own_quantile(np.array(values), q)
        found = counted(values).quantile(q)[0]
        assert abs(Fraction(found) - Fraction(own)) <= Fraction(max(abs(own), TINY)) / 64 or (
            abs(own) < TINY and abs(found) < TINY
        )

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("n_outputs", [1, 3])
    def test_against_numpy(self, n_outputs: int, dtype: str) -> None:
        values = make_values(10_000, n_outputs=n_outputs, dtype=dtype)
        aggregates = added(Aggregates(histograms=True), values, [3_000, 7_000])
        for q in (0.01, 0.25, 0.5, 0.75, 0.999):
            own = np.quantile(values.astype(float), q, axis=0, method="inverted_cdf")
            found = aggregates.quantile(q)
            own = own[:, 0] if n_outputs == 1 else own
            assert found.shape == own.shape
            np.testing.assert_allclose(found, own, rtol=1 / 64, atol=0)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_ends_are_exact(self, dtype: str) -> None:
        values = make_values(1000, dtype=dtype)
        aggregates = added(Aggregates(histograms=True), values)
        np.testing.assert_array_equal(aggregates.quantile(0), aggregates.minimum)
        np.testing.assert_array_equal(aggregates.quantile(1), aggregates.maximum)

    def test_zeros_are_exact(self) -> None:
        values = [-1.0] * 3 + [0.0, -0.0] * 2 + [1e-300] * 3
        assert counted(values).quantile(0.5) == 0
        assert counted([0.0, -0.0, 0.0]).quantile(0.5) == 0

    def test_sizes_at_the_ends(self) -> None:
        largest = np.finfo(np.float64).max
        values = [-largest, -1e-45, 0.0, 5e-324, 1e-45, largest / 2, largest]
        aggregates = counted(values)
        for q, own in ((0.2, -1e-45), (0.4, 0), (0.5, 0), (0.7, 1e-45), (0.8, largest / 2)):
            np.testing.assert_allclose(aggregates.quantile(q), own, rtol=1 / 64)
        denormal = np.array([1e-45, 3e-45, 1e-40, 1e-38], dtype=np.float32)
        np.testing.assert_allclose(counted(denormal).quantile(0.5), float(denormal[1]), 1 / 64)

    def test_one_value(self) -> None:
        assert counted([0.3]).quantile(0.5) == 0.3
        assert counted([0.3] * 5).quantile(0.5) == 0.3

    @pytest.mark.parametrize("q", [-0.1, 1.1, float("nan"), "0.5", [0.5], None])
    def test_q_out_of_range(self, q: Any) -> None:
        with pytest.raises(InvalidInputError, match="q must be a number from 0 to 1"):
            counted([1.0]).quantile(q)


class TestHistograms:
    @given(
        st.lists(FINITE, min_size=1, max_size=60),
        st.lists(FINITE | st.sampled_from([-1.0, 0.0, 1.0]), min_size=2, max_size=8, unique=True),
    )
    def test_values_are_counted_near_their_bin(
        self, values: list[float], cuts: list[float]
    ) -> None:
        """Every sum of neighbouring counts is that of edges moved by 1/32, in or out."""
        edges = np.sort(np.array(cuts))
        edges = edges[np.append(True, np.diff(edges) > 0)]  # -0 and 0
        if len(edges) < 2:
            return
        counts, found = counted(values).histogram("f", edges)
        np.testing.assert_array_equal(found, edges)
        x = [Fraction(v) for v in values]
        for i in range(len(counts)):
            for j in range(i + 1, len(edges)):
                a, b = Fraction(edges[i]), Fraction(edges[j])
                width = [max(abs(e) / 32, 2 * Fraction(TINY)) for e in (a, b)]
                inner = sum(a + width[0] < v < b - width[1] for v in x)
                outer = sum(a - width[0] <= v <= b + width[1] for v in x)
                assert inner <= counts[i:j].sum() <= outer

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_against_numpy(self, dtype: str) -> None:
        values = make_values(20_000, dtype=dtype)
        aggregates = added(Aggregates(histograms=True), values, [15_000, 5_000])
        for name, column in zip(NAMES, values[..., 0].T.astype(float), strict=True):
            counts, edges = aggregates.histogram(name, bins=30)
            expected = np.histogram(column, edges)[0]
            assert counts.sum() == expected.sum() == 20_000
            near = [np.sum(np.abs(column - e) <= abs(e) / 32) for e in edges]
            assert (np.abs(counts - expected) <= np.add(near[1:], near[:-1])).all()

    def test_exact_at_powers_of_two(self) -> None:
        values = np.random.default_rng(0).normal(size=5000)
        edges = [-4, -1, -0.25, 0, 0.5, 1, 2, 8]
        counts, _ = counted(values, 2000, 3000).histogram("f", edges)
        np.testing.assert_array_equal(counts, np.histogram(values, edges)[0])

    @pytest.mark.parametrize("edges", [[0, 1], [-1, 0], [-1, 0, 1], [-1, -0.5, 0]])
    def test_zeros_and_edges_as_numpy_counts_them(self, edges: list[float]) -> None:
        values = [-0.7, 0.0, 0.0, -0.0, 0.6, 1e-310]
        expected = np.histogram(np.where(np.abs(values) < TINY, 0, values), edges)[0]
        np.testing.assert_array_equal(counted(values).histogram(0, edges)[0], expected)

    @given(st.data())
    def test_counts_of_any_division_are_the_same(self, data: st.DataObject) -> None:
        values = data.draw(st.lists(FINITE, min_size=1, max_size=40))
        cut = data.draw(st.integers(0, len(values)))
        whole = counted(values)
        merged = counted(values[:cut]) if cut else Aggregates(histograms=True)
        if cut < len(values):
            merged.merge(counted(values[cut:]))
        for part in (merged, counted(values, cut, len(values) - cut)):
            for ours, theirs in zip(part.histogram(0, 7), whole.histogram(0, 7), strict=True):
                np.testing.assert_array_equal(ours, theirs)

    def test_outputs(self) -> None:
        values = make_values(500, n_outputs=2)
        aggregates = added(Aggregates(histograms=True), values)
        for output, k in (("class 1", 1), (0, 0)):
            counts, edges = aggregates.histogram("c", 5, output)
            column = values[:, 2, k]
            near = sum(np.sum(np.abs(column - e) <= abs(e) / 32) for e in edges)
            assert np.abs(counts - np.histogram(column, edges)[0]).sum() <= 2 * near
        with pytest.raises(InvalidInputError, match="of which output: one of class 0, class 1"):
            aggregates.histogram("c")

    def test_what_there_is_not(self) -> None:
        aggregates = added(Aggregates(histograms=True), make_values(5))
        with pytest.raises(InvalidInputError, match="departure"):
            aggregates.histogram("departure dela")
        with pytest.raises(IndexError):
            aggregates.histogram(4)
        with pytest.raises(InvalidInputError, match="one feature"):
            aggregates.histogram([1, 2])  # type: ignore[arg-type]
        for bins in (0, -1, 2.5, "auto"):
            with pytest.raises(InvalidInputError, match="bins must be a whole number"):
                aggregates.histogram(0, bins)
        for edges in ([1.0], [1, 0], [1, 1], [0, np.nan], [0, np.inf], [[0, 1]]):
            with pytest.raises(InvalidInputError, match="rising finite numbers"):
                aggregates.histogram(0, edges)


class TestEdges:
    @given(FINITE, FINITE, st.integers(1, 200))
    def test_they_enclose_the_values(self, a: float, b: float, bins: int) -> None:
        low, high = sorted((a, b))
        edges = round_edges(low, high, bins)
        assert edges[0] <= low
        assert high <= edges[-1]
        assert 2 <= len(edges) <= bins + 3
        assert (np.diff(edges) > 0).all()

    @pytest.mark.parametrize(
        ("low", "high", "bins", "expected"),
        [
            (0.1, 0.72, 4, [0, 0.2, 0.4, 0.6, 0.8]),
            (0.3, 0.6, 3, [0.3, 0.4, 0.5, 0.6]),
            (-7, 12, 5, [-10, -5, 0, 5, 10, 15]),
            (0, 0, 5, [0, 1]),
            (0.25, 0.25, 1, [0, 0.5]),
        ],
    )
    def test_they_are_round(
        self, low: float, high: float, bins: int, expected: list[float]
    ) -> None:
        assert round_edges(low, high, bins).tolist() == expected


def test_memory_does_not_grow_with_rows() -> None:
    rng = np.random.default_rng(0)
    aggregates = Aggregates(histograms=True)
    for _ in range(20):
        added(aggregates, rng.normal(size=(5000, 2, 1)), names=None)
    assert aggregates._sums is not None
    assert aggregates._sums.histograms is not None
    assert aggregates._sums.histograms.counts.nbytes < 100_000


def test_many_columns() -> None:
    values = make_values(300, 70, 2, "float32")
    aggregates = added(Aggregates(histograms=True), values, [100, 200], names=None)
    own = np.quantile(values.astype(float), 0.3, axis=0, method="inverted_cdf")
    np.testing.assert_allclose(aggregates.quantile(0.3), own, rtol=1 / 64)
