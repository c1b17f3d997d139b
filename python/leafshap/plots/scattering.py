"""What `ExplanationPlots.scatter` draws, and what it colours by."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError
from leafshap.integers import whole_number
from leafshap.plots.libraries import load_shap
from leafshap.plots.reading import ExplanationReader
from leafshap.plots.shap_calls import undisturbed

Floats = npt.NDArray[Any]

_POINT_COLOR = "#1E88E5"  # shap's


def scattered(
    given: ExplanationReader, values: Floats, feature: Any
) -> tuple[int, int | None, Floats, str]:
    """Feature, feature to colour by if that is settled, values (n,), and their label."""
    pair = isinstance(feature, (tuple, list))
    if pair and (values.ndim == 2 or len(feature) != 2):
        raise InvalidInputError(
            f"scatter draws one feature, or two of interaction values; got {feature!r}"
        )
    indices = [given.feature(f) for f in (feature if pair else [feature])]
    i, j = indices[0], indices[-1]
    name = given.short_name(i)
    if values.ndim == 2:
        return i, None, values[:, i], f"SHAP value for\n{name}"
    if i == j:
        return i, None, values[:, i, i], f"SHAP main effect value for\n{name}"
    both = values[:, i, j] + values[:, j, i]
    return i, j, both, f"SHAP interaction value for\n{name}\nand {given.short_name(j)}"


def color_of(
    given: ExplanationReader, color: Any, index: int, values: Floats
) -> tuple[int | None, Any]:
    """Feature to colour by, or None; and the colour where there is none."""
    if color is None:
        return None, _POINT_COLOR
    if whole_number(color) is not None or (isinstance(color, str) and color in given.feature_names):
        return given.feature(color), _POINT_COLOR
    if not (color == "auto" if isinstance(color, str) else hasattr(color, "base_values")):
        from matplotlib.colors import is_color_like

        if isinstance(color, str) and not is_color_like(color):
            try:
                given.feature(color)
            except InvalidInputError as error:
                raise InvalidInputError(
                    f"{color!r} is no colour of matplotlib, and {error}"
                ) from None
        return None, color
    if given.n_features == 1:
        return None, _POINT_COLOR
    assert given.columns is not None
    matrix = np.stack([column.numbers for column in given.columns], axis=1)
    phi = values if values.ndim == 2 else values.sum(axis=2)
    with undisturbed():
        strongest = load_shap().utils.approximate_interactions(index, phi, matrix)
    others = [int(j) for j in strongest if j != index]
    return (others[0] if others else None), _POINT_COLOR
