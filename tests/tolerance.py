"""How far values may be from the oracle's."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Dtype = Literal["float64", "float32"]
DTYPES: tuple[Dtype, ...] = ("float64", "float32")
# error allowed, of the largest |phi|
TOLERANCE = {"float64": 1e-10, "float32": 2e-6}


def assert_close(
    actual: npt.NDArray[Any],
    expected: npt.NDArray[np.float64],
    dtype: str,
    what: str = "",
    *,
    scale: float | None = None,
) -> None:
    """Within the promised share of `scale`, by default the largest |expected|.

    Zeros are met to the rounding of leaves.
    """
    assert actual.shape == expected.shape, what
    assert np.isfinite(actual).all(), what
    if scale is None:
        scale = float(np.abs(expected).max(initial=0.0))
    error = float(np.abs(actual - expected).max(initial=0.0))
    allowed = TOLERANCE[dtype] * scale + (1e-15 if dtype == "float64" else 1e-7)
    assert error <= allowed, f"{what} off by {error:.3g} at a largest |phi| of {scale:.3g}"
