"""Random samples of rows that do not depend on how the rows are cut into batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError


def check_fraction(sample: Any) -> float:
    """Check a share of rows; None for all.

    Raises
    ------
    InvalidInputError
    """
    if sample is None:
        return 1.0
    if isinstance(sample, (int, float)) and not isinstance(sample, bool) and 0 < sample <= 1:
        return float(sample)
    raise InvalidInputError(f"sample must be a number above 0 and at most 1, got {sample!r}")


def sample_rows(first_row: int, n: int, fraction: float, seed: int) -> npt.NDArray[np.bool_]:
    """Draw rows, each by a hash of its number and the seed (splitmix64). Shape (n,)."""
    bits = np.arange(first_row, first_row + n, dtype=np.uint64)
    bits = (bits + np.uint64(seed % 2**64)) * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53 < fraction
