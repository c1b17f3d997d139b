"""`expected_value` in the types that shap gives it, which change with the first call.

leafshap's own `expected_value` is a float or an array, always. Code written for shap has met other
types: an array of length 1, a list for each class, numpy scalars of the library's precision.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Stage = Literal["made", "explained", "interactions"]


def expected_as_shap(
    expected: npt.NDArray[np.float64], *, native: bool, data: bool, dtype: str, stage: Stage
) -> Any:
    """Give the expected value the type it has in shap.

    Parameters
    ----------
    expected : ndarray, shape (K,)
    native : bool
        Whether shap asks the model's own library (XGBoost, LightGBM) for path-dependent values.
    data : bool
        Whether there is background data.
    dtype : str
        Of the values: float32 for XGBoost's own.
    stage : str
        "made": no call yet; "explained": after SHAP values; "interactions": after interactions.

    Returns
    -------
    numpy scalar, ndarray of shape (1,) or (K,), or list of K scalars
    """
    several = len(expected) > 1
    asked = stage != "made" and native and not data
    if stage == "interactions" and several:
        asked = True
    if asked:
        scalars = list(expected.astype(dtype))
        return scalars if several else scalars[0]
    if data and not several:
        return expected[0]
    return expected.copy()


def both_classes(values: Any) -> Any:
    """Values of the first class beside those of the second, as a new last axis of two."""
    return np.stack([-values, values], axis=-1)
