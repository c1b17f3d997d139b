"""Sampled rows: the same whatever the batches are, and as random as they should be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafshap.batch.sampling import check_fraction, sample_rows
from leafshap.errors import InvalidInputError

MASK = 2**64 - 1


def splitmix64(bits: int) -> int:
    """The generator's hash, in Python's integers."""
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 & MASK
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EB & MASK
    return bits ^ bits >> 31


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1, -1, 12345678901234567890123])
@pytest.mark.parametrize("first", [0, 2**40])
def test_by_the_definition(seed: int, first: int) -> None:
    start = splitmix64(seed & MASK)
    rows = range(first, first + 200)
    bits = [splitmix64(start + (i + 1) * 0x9E3779B97F4A7C15 & MASK) for i in rows]
    expected = [(b >> 11) / 2**53 < 0.3 for b in bits]
    assert sample_rows(first, 200, 0.3, seed).tolist() == expected


@given(st.lists(st.integers(0, 70), max_size=8), st.floats(0, 1), st.integers(-5, 5))
def test_batches_do_not_matter(sizes: list[int], fraction: float, seed: int) -> None:
    starts = np.concatenate([[0], np.cumsum(sizes, dtype=int)])
    parts = [
        sample_rows(a, n, fraction, seed) for a, n in zip(starts.tolist(), sizes, strict=False)
    ]
    whole = sample_rows(0, sum(sizes), fraction, seed)
    np.testing.assert_array_equal(np.concatenate([np.zeros(0, bool), *parts]), whole)


@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.9])
@pytest.mark.parametrize("seed", [0, 1, 7])
def test_share(fraction: float, seed: int) -> None:
    n = 200_000
    mask = sample_rows(10, n, fraction, seed)
    assert abs(mask.sum() - n * fraction) < 5 * np.sqrt(n * fraction * (1 - fraction))


def test_all_and_none() -> None:
    assert sample_rows(3, 1000, 1.0, 0).all()
    assert not sample_rows(3, 1000, 0.0, 0).any()
    assert sample_rows(3, 0, 0.5, 0).shape == (0,)


def test_a_smaller_share_is_part_of_a_larger_one() -> None:
    small, large = (sample_rows(0, 10_000, fraction, 5) for fraction in (0.1, 0.4))
    assert (large | ~small).all()


@pytest.mark.parametrize("shift", [0, 1, 2, -1])
def test_seeds_are_independent(shift: int) -> None:
    """The sample of the next seed is not that of this one, shifted."""
    a, b = sample_rows(5, 100_000, 0.5, 0), sample_rows(5 + shift, 100_000, 0.5, 1)
    assert abs((a == b).mean() - 0.5) < 0.01


def test_neighbours_are_independent() -> None:
    mask = sample_rows(0, 200_000, 0.5, 3)
    for lag in (1, 2, 3, 64):
        assert abs((mask[lag:] == mask[:-lag]).mean() - 0.5) < 0.01


def test_numpy_seeds() -> None:
    expected = sample_rows(0, 100, 0.5, 4)
    np.testing.assert_array_equal(sample_rows(0, 100, 0.5, np.int8(4)), expected)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [None, 1.0, "1", True])
def test_seeds_that_are_none(seed: Any) -> None:
    with pytest.raises(InvalidInputError, match="seed must be a whole number"):
        sample_rows(0, 5, 0.5, seed)


def test_fractions() -> None:
    assert check_fraction(None) == check_fraction(1) == 1.0
    assert check_fraction(np.float64(0.25)) == 0.25


@pytest.mark.parametrize("sample", [0, -0.5, 1.5, float("nan"), True, "0.5", [0.5]])
def test_fractions_that_are_none(sample: Any) -> None:
    with pytest.raises(InvalidInputError, match="sample must be a number above 0"):
        check_fraction(sample)
