"""Absolute values, means, sums, extremes and orders of explanations.

Sums and means are accumulated in float64, a block of rows at a time, so that a million rows of
float32 are never held as float64.

What follows the values, and what does not:

* base values: means and sums over rows or outputs apply to them, too, and a sum over features
  leaves them: ``base_values + values`` stays an output. After anything else they are NaN.
* data: kept while there is a row for them and the features are still there, as they are (shap takes
  their absolute values, means and sums, too).
* standard errors: dropped, as those of sums would need covariances.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError
from leafshap.explanation.selection import Names, axis_names
from leafshap.integers import whole_number

if TYPE_CHECKING:
    from leafshap.explanation.explanation import Explanation

Reduction = Literal["mean", "sum", "max", "min"]
Axis = int | str | tuple[int | str, ...] | list[int | str] | None
Floats = npt.NDArray[np.float64]

_BLOCK_BYTES = 16 << 20


def row_blocks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Slices of the first axis, of so many rows that a block in float64 is of bounded size."""
    size = max(1, _BLOCK_BYTES // (8 * max(1, n_columns)))
    return (slice(a, min(a + size, n_rows)) for a in range(0, n_rows, size))


def absolute(explanation: Explanation) -> Explanation:
    """Take absolute values."""
    return replace(
        explanation,
        values=np.abs(explanation.values),
        base_values=np.full_like(explanation.base_values, np.nan),
        standard_errors=None,
        operations=(*explanation.operations, ("abs", None)),
    )


def ascending_order(explanation: Explanation) -> Explanation:
    """Numbers that would sort the values along the last axis, ascending; ties keep their order."""
    axes, values = explanation.axes, explanation.values
    if not axes:
        raise InvalidInputError("one number has no order")
    order: npt.NDArray[Any] = np.argsort(values, axis=-1, kind="stable")
    names = axis_names(explanation, len(axes) - 1)
    sorted_names: Names = None
    if names is not None and values.ndim == 1:
        sorted_names = [names[i] for i in order]
    of_features, of_outputs = axes[-1] == "features", axes[-1] == "outputs"
    return replace(
        explanation,
        values=order,
        base_values=np.full_like(explanation.base_values, np.nan),
        data=None,
        feature_names=sorted_names if of_features else explanation.feature_names,
        partner_names=None if of_features else explanation.partner_names,
        output_names=sorted_names if of_outputs else explanation.output_names,
        standard_errors=None,
        n_evaluations=None,
        operations=(*explanation.operations, ("argsort", None)),
    )


def reduce(explanation: Explanation, name: Reduction, axis: Axis) -> Explanation:
    """Take the mean, sum, largest or smallest value along one axis, several, or all (None).

    Raises
    ------
    InvalidInputError
        If there is no such axis, or nothing along it.
    """
    for k in sorted(_positions(axis, explanation.axes), reverse=True):
        explanation = _reduce_one(explanation, name, k)
    return explanation


def mean_abs(values: npt.NDArray[Any]) -> Floats:
    """Mean of |phi| over the rows, the first axis, without an array of the absolute values."""
    return _accumulate(values, absolute=True) / len(values)


def _reduce_one(explanation: Explanation, name: Reduction, k: int) -> Explanation:
    axes, values = explanation.axes, explanation.values
    axis = axes[k]
    if not values.shape[k] and name != "sum":
        raise InvalidInputError(f"there are no {axis} to take the {name} of")
    kept = axes[:k] + axes[k + 1 :]
    first = "features" not in axes[:k]
    names, partners = explanation.feature_names, explanation.partner_names
    data = explanation.data if axis == "outputs" else None
    if axis == "features":
        if "features" not in kept:
            names = partners = None
        elif first and partners is not None:
            names, partners = partners, None
        else:
            partners, data = None, explanation.data
    rows_gone = axis == "rows"
    return replace(
        explanation,
        values=_along(values, name, k),
        base_values=_base(explanation, name, k),
        data=data,
        feature_names=names,
        partner_names=partners,
        output_names=None if axis == "outputs" else explanation.output_names,
        standard_errors=None,
        n_evaluations=None if rows_gone else explanation.n_evaluations,
        axes=kept,
        operations=(*explanation.operations, (name, axis)),
    )


def _along(values: npt.NDArray[Any], name: Reduction, k: int) -> npt.NDArray[Any]:
    if name in ("max", "min"):
        return np.asarray(getattr(np, name)(values, axis=k))
    total = _accumulate(values) if k == 0 else np.asarray(values.sum(axis=k, dtype=np.float64))
    return total if name == "sum" else np.asarray(total / values.shape[k])


def _base(explanation: Explanation, name: Reduction, k: int) -> Floats:
    """Find base values that still add up with the values, NaN where nothing does."""
    base, axis = explanation.base_values, explanation.axes[k]
    if axis == "features":
        return base if name == "sum" else np.full_like(base, np.nan)
    at = 0 if axis == "rows" else base.ndim - 1
    if name == "sum":
        return np.asarray(base.sum(axis=at))
    if name == "mean":
        return np.asarray(base.mean(axis=at))
    return np.full(base.shape[:at] + base.shape[at + 1 :], np.nan)


def _accumulate(values: npt.NDArray[Any], absolute: bool = False) -> Floats:
    """Sum over the first axis in float64."""
    total = np.zeros(values.shape[1:])
    for rows in row_blocks(len(values), total.size):
        block = np.abs(values[rows]) if absolute else values[rows]
        total += block.astype(np.float64).sum(axis=0)
    return total


def _positions(axis: Axis, axes: tuple[str, ...]) -> set[int]:
    """Positions of the axes that are meant; "features" means both of interaction values."""
    if axis is None:
        return set(range(len(axes)))
    found: set[int] = set()
    for one in axis if isinstance(axis, (tuple, list)) else (axis,):
        number = whole_number(one)
        if isinstance(one, str):
            at = {k for k, name in enumerate(axes) if name == one}
        else:
            at = {k for k in range(len(axes)) if number in (k, k - len(axes))}
        if not at:
            left = ", ".join(f"{k} ({name!r})" for k, name in enumerate(axes)) or "none"
            raise InvalidInputError(f"there is no axis {one!r}; there are: {left}")
        found |= at
    return found
