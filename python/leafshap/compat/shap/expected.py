"""`expected_value` in the types that shap gives it, which change with the first call.

leafshap's own `expected_value` is a float or an array, always. Code written for shap has met other
types: an array of length 1, a list for each class, numpy scalars of the library's precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def expected_when_made(expected: Floats, *, with_data: bool) -> Any:
    """Give the type that shap's constructor leaves.

    Parameters
    ----------
    expected : ndarray, shape (K,)
    with_data : bool
        Whether there is background data.

    Returns
    -------
    ndarray of shape (K,); with background data, a numpy scalar of one output
    """
    return expected[0] if with_data and len(expected) == 1 else expected.copy()


def expected_when_called(expected: Floats, dtype: str) -> Any:
    """Give the type that a call leaves whose values bring an expected value of their own.

    Returns
    -------
    numpy scalar of `dtype`, or a list of K > 1 of them
    """
    scalars = list(expected.astype(dtype))
    return scalars if len(scalars) > 1 else scalars[0]


def both_classes(values: Any) -> Any:
    """Values of the first class beside those of the second, as a new last axis of two."""
    return np.stack([0.0 - values, values], axis=-1)
