"""Grids: the values that features are set to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.effects.cuts import ModelCuts
from leafshap.effects.targets import feature_index
from leafshap.effects.user_columns import UserColumn
from leafshap.errors import InvalidInputError
from leafshap.inputs import InputSchema
from leafshap.integers import whole_number

Floats = npt.NDArray[np.float64]
Values = npt.NDArray[Any]

PERCENTILES, GRID_RESOLUTION = (0.05, 0.95), 100
MOST_POINTS = 1_000_000  # of one target


@dataclass(frozen=True)
class GridRule:
    """How the values of a feature are chosen.

    Attributes
    ----------
    kind : str
        "cuts" or "sklearn", or "given": every feature needs values in `given`.
    given : dict
        Values that the user chose, by feature.
    categorical : frozenset of int
        Features of which every value in the data is a point.
    percentiles : tuple of float
    resolution : int
    """

    kind: str
    given: Mapping[int, Any]
    categorical: frozenset[int]
    percentiles: tuple[float, float]
    resolution: int


def read_rule(
    grid: Any,
    custom_values: Any,
    percentiles: Any,
    grid_resolution: Any,
    categorical: frozenset[int],
    targets: Sequence[tuple[int, ...]],
    single: bool,
    names: Sequence[str] | None,
    n_features: int,
) -> GridRule:
    """Read the arguments that choose the grid.

    Raises
    ------
    InvalidInputError
    """
    given = _by_feature(custom_values, "custom_values", names, n_features)
    kind = grid
    if isinstance(grid, str):
        if grid not in ("cuts", "sklearn"):
            raise InvalidInputError(
                f'unknown grid {grid!r}: expected "cuts", "sklearn", or the values themselves'
            )
    else:
        kind = "given"
        given |= _read_values(grid, targets, single, names, n_features)
    bounds = _read_percentiles(percentiles)
    resolution = whole_number(grid_resolution)
    if resolution is None or resolution < 2:
        raise InvalidInputError(
            f"grid_resolution must be a whole number above 1, got {grid_resolution!r}"
        )
    if kind != "sklearn" and (bounds, resolution) != (PERCENTILES, GRID_RESOLUTION):
        raise InvalidInputError('percentiles and grid_resolution are for grid="sklearn"')
    return GridRule(kind, given, categorical, bounds, resolution)


def _read_values(
    grid: Any,
    targets: Sequence[tuple[int, ...]],
    single: bool,
    names: Sequence[str] | None,
    n_features: int,
) -> dict[int, Any]:
    """Values of features from an array, a sequence of arrays or a dict."""
    if grid is None or not hasattr(grid, "__len__"):
        raise InvalidInputError(
            f'grid must be "cuts", "sklearn", an array, a list of arrays or a dict, got {grid!r}'
        )
    if isinstance(grid, Mapping):
        return _by_feature(grid, "grid", names, n_features)
    if not single:
        raise InvalidInputError(
            "with a list of features, grid must be a dict from feature to values"
        )
    (target,) = targets
    if len(target) == 1:
        one = isinstance(grid, (list, tuple)) and len(grid) == 1 and np.ndim(grid[0]) == 1
        return {target[0]: grid[0] if one else grid}
    if len(grid) != len(target) or not isinstance(grid, (list, tuple)):
        raise InvalidInputError(
            f"grid must be a list of {len(target)} arrays, one for each of the features together"
        )
    return dict(zip(target, grid, strict=True))


def _by_feature(
    given: Any, what: str, names: Sequence[str] | None, n_features: int
) -> dict[int, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InvalidInputError(f"{what} must be a dict from feature to values, got {given!r}")
    return {feature_index(key, names, n_features, what): v for key, v in given.items()}


def _read_percentiles(percentiles: Any) -> tuple[float, float]:
    try:
        low, high = (float(p) for p in percentiles)
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    if not 0.0 <= low < high <= 1.0:
        raise InvalidInputError(
            f"percentiles must be two numbers from 0 to 1, the first smaller, got {percentiles!r}"
        )
    return low, high


def grid_axis(
    rule: GridRule,
    column: UserColumn,
    cuts: ModelCuts | None,
    schema: InputSchema,
    joint: bool,
) -> Values:
    """Choose the values of one feature, as the user writes them. Shape (points,).

    Parameters
    ----------
    joint : bool
        Whether it is set together with others. What is drawn then is a surface, on which a missing
        number has no place, so the cuts leave it out.

    Raises
    ------
    InvalidInputError
        Naming the feature, if there are none, or given ones do not fit it.
    """
    j = column.index
    if j in rule.given:
        return column.read(rule.given[j], schema)
    if rule.kind == "given":
        raise InvalidInputError(f"grid has no values for {column.label}")
    if rule.kind == "sklearn":
        return sklearn_axis(column, j in rule.categorical, rule.percentiles, rule.resolution)
    if j in rule.categorical:
        return column.distinct()
    assert cuts is not None
    values = cuts.grid(column)
    if joint and column.categories is None and len(values) > 1:
        values = values[~cuts.is_missing(values)]
    return values


def check_points(axes: Sequence[Values], columns: Sequence[UserColumn]) -> None:
    """Refuse a joint grid that is too large.

    Raises
    ------
    InvalidInputError
    """
    n_points = math.prod(len(axis) for axis in axes)
    if n_points > MOST_POINTS:
        sizes = " x ".join(str(len(axis)) for axis in axes)
        raise InvalidInputError(
            f"the grid of {' and '.join(c.label for c in columns)} has {sizes} = {n_points} points,"
            f' more than {MOST_POINTS}: take grid="sklearn" with a smaller grid_resolution, or '
            "give values as grid or custom_values"
        )


def sklearn_axis(
    column: UserColumn, categorical: bool, percentiles: tuple[float, float], resolution: int
) -> Values:
    """Make the axis of `sklearn.inspection.partial_dependence`.

    Every distinct value of a categorical feature, or where there are fewer than `resolution`; else
    evenly spaced numbers between two percentiles. scikit-learn counts missing values as the
    largest; where a percentile would be missing, they are left out here.

    Raises
    ------
    InvalidInputError
        If the percentiles are the same, or a feature of many categories is not said to be
        categorical.
    """
    values = column.distinct()
    if categorical or len(values) < resolution:
        return values
    if column.categories is not None and column.own.dtype.kind == "O":
        raise InvalidInputError(
            f"{column.label} has {len(values)} categories: name it in categorical_features"
        )
    sample = column.codes if column.categories is None else column.own
    ends = quantiles(sample, percentiles)
    if np.isnan(ends).any():
        ends = quantiles(sample[~np.isnan(sample)], percentiles)
    if np.allclose(ends[0], ends[1]):
        raise InvalidInputError(
            f"the percentiles {percentiles} of {column.label} are both about {ends[0]:.6g}: choose "
            "percentiles further apart, or a grid_resolution above the number of distinct values"
        )
    return np.linspace(ends[0], ends[1], num=resolution)


def quantiles(values: npt.NDArray[Any], shares: Sequence[float]) -> Floats:
    """Quantiles as `scipy.stats.mstats.mquantiles` has them (alphap = betap = 0.4)."""
    x, p = np.sort(values), np.asarray(shares, dtype=np.float64)
    n = len(x)
    if n == 0:
        return np.full(len(p), np.nan)
    if n == 1:
        return np.full(len(p), float(x[0]))
    at = n * p + (0.4 + p * (1.0 - 0.4 - 0.4))
    k = np.floor(at.clip(1, n - 1)).astype(int)
    gamma = (at - k).clip(0, 1)
    found: Floats = (1.0 - gamma) * x[k - 1] + gamma * x[k]
    return found


def deciles_of(column: UserColumn) -> Floats:
    """Deciles of a numeric feature, which scikit-learn's display marks. Shape (9,)."""
    numbers = column.codes[np.isfinite(column.codes)]
    return quantiles(numbers, np.arange(0.1, 1.0, 0.1).tolist())
