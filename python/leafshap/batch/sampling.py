"""Random samples of rows that do not depend on how the rows are cut into batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError
from leafshap.integers import whole_number

Bits = npt.NDArray[np.uint64]


def check_fraction(sample: Any) -> float:
    """Check a share of rows; None for all.

    Raises
    ------
    InvalidInputError
    """
    if sample is None:
        return 1.0
    number = isinstance(sample, (int, float, np.floating)) and not isinstance(sample, bool)
    if number and 0 < sample <= 1:
        return float(sample)
    raise InvalidInputError(f"sample must be a number above 0 and at most 1, got {sample!r}")


def check_seed(seed: Any) -> int:
    """Check a seed.

    Raises
    ------
    InvalidInputError
        If it is not a whole number.
    """
    number = whole_number(seed)
    if number is None:
        raise InvalidInputError(f"seed must be a whole number, got {seed!r}")
    return number


def sample_rows(first_row: int, n: int, fraction: float, seed: int) -> npt.NDArray[np.bool_]:
    """Draw rows, each by itself: by a hash of its number and the seed.

    Parameters
    ----------
    first_row : int
        Number of the first of n rows in the whole data.
    n : int
    fraction : float
        Share to draw. A smaller one draws from the rows of a larger one.
    seed : int
        Any whole number, taken modulo 2^64.

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    InvalidInputError
        If the seed is not a whole number.

    References
    ----------
    Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014: the
    number of row i is the i-th of the generator splitmix64, started at the hash of the seed.
    """
    # without its own hash, the next seed would draw the same rows, one further on
    start = _mix(np.array([check_seed(seed) % 2**64], dtype=np.uint64))
    rows = np.arange(first_row + 1, first_row + n + 1, dtype=np.uint64)
    bits = _mix(start + rows * np.uint64(0x9E3779B97F4A7C15))
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53 < fraction


def _mix(bits: Bits) -> Bits:
    """splitmix64's hash of 64 bits."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
