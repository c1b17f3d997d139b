"""The largest contributions of every row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError
from leafshap.explanation.data import column, displayed, objects
from leafshap.explanation.reductions import row_blocks
from leafshap.explanation.selection import axis_names
from leafshap.explanation.tables import Table
from leafshap.integers import at_least

if TYPE_CHECKING:
    from leafshap.explanation.explanation import Explanation


def top_features(explanation: Explanation, k: int) -> Table:
    """See `Explanation.top`."""
    number = at_least(1, k, "k")
    axes, values = explanation.axes, explanation.values
    if axes.count("features") != 1:
        raise InvalidInputError(
            'top features need one feature axis: of interaction values take e[:, "feature"] or '
            'e.sum("features"); of one feature there is nothing to choose'
        )
    where = axes.index("features")
    names = objects(axis_names(explanation, where) or [])
    k = min(number, len(names))
    matrix = np.moveaxis(values, where, -1)  # a view; (n, K, F), or with fewer axes
    lead = matrix.shape[:-1]
    n = int(np.prod(lead))
    chosen = np.empty((n, k), dtype=np.min_scalar_type(max(1, len(names))))
    phi = np.empty((n, k), dtype=values.dtype)
    by_row = matrix.reshape((1, *matrix.shape)) if not lead else matrix
    at = 0
    for rows in row_blocks(len(by_row), int(np.prod(by_row.shape[1:]))):
        part = np.ascontiguousarray(by_row[rows])
        block = part.reshape(int(np.prod(part.shape[:-1])), len(names))
        best = largest(np.abs(block), k)
        chosen[at : at + len(block)] = best
        phi[at : at + len(block)] = np.take_along_axis(block, best, axis=1)
        at += len(block)
    columns = _index_columns(explanation, lead, k)
    columns["rank"] = np.tile(np.arange(1, k + 1), n)
    columns["feature"] = names[chosen.reshape(-1)]
    if explanation.data is not None:
        rows_of = np.repeat(np.arange(n) // (n // lead[0] if n else 1), k) if lead else None
        single = "rows" not in axes
        columns["feature_value"] = _feature_values(
            explanation.data, None if single else rows_of, chosen.reshape(-1), len(names)
        )
    columns["phi"] = phi.reshape(-1)
    return Table(columns)


def largest(sizes: npt.NDArray[Any], k: int) -> npt.NDArray[np.intp]:
    """Of every row the k largest numbers, falling, ties by position, NaN last. Shape (n, k).

    `sizes`, shape (n, F) and not negative, is changed.
    """
    n, n_features = sizes.shape
    sizes[np.isnan(sizes)] = -1
    if k < n_features:
        least = np.partition(sizes, n_features - k, axis=1)[:, n_features - k, np.newaxis]
        keep = sizes >= least
        # where several are as large as the k-th, the first of them
        tied = np.flatnonzero(keep.sum(axis=1) > k)
        if tied.size:
            larger, equal = sizes[tied] > least[tied], sizes[tied] == least[tied]
            missing = k - larger.sum(axis=1, keepdims=True)
            keep[tied] = larger | (equal & (np.cumsum(equal, axis=1) <= missing))
        found = np.nonzero(keep)[1].reshape(n, k)
        kept = np.take_along_axis(sizes, found, axis=1)
        order = np.argsort(-kept, axis=1, kind="stable")
        return np.asarray(np.take_along_axis(found, order, axis=1))
    return np.asarray(np.argsort(-sizes, axis=1, kind="stable"))


def _index_columns(
    explanation: Explanation, lead: tuple[int, ...], k: int
) -> dict[str, npt.NDArray[Any]]:
    """Which row and which output a line is of."""
    axes = [axis for axis in explanation.axes if axis != "features"]
    columns: dict[str, npt.NDArray[Any]] = {}
    for i, axis in enumerate(axes):
        inner = int(np.prod(lead[i + 1 :])) * k
        number = np.tile(np.repeat(np.arange(lead[i]), inner), int(np.prod(lead[:i])))
        if axis == "rows":
            columns["row"] = number
        else:
            names = axis_names(explanation, len(explanation.axes) - 1)
            columns["output"] = objects(names or [])[number]
    return columns


def _feature_values(
    data: Any, rows: npt.NDArray[Any] | None, features: npt.NDArray[Any], n_features: int
) -> npt.NDArray[Any]:
    """Value of the feature of every line; numbers are float64, dates dates, the rest objects."""
    if rows is None:
        line = displayed(data)
        assert line is not None
        return np.take(line, features)
    if isinstance(data, np.ndarray):
        picked: npt.NDArray[Any] = data[rows, features]
        return picked
    order = np.argsort(features, kind="stable")
    ends = np.searchsorted(features[order], np.arange(n_features + 1))
    parts = [column(data, j)[rows[order[ends[j] : ends[j + 1]]]] for j in range(n_features)]
    kinds = {part.dtype.kind for part in parts}
    dtype = np.dtype(np.float64 if kinds <= set("biuf") else object)
    if kinds in ({"M"}, {"m"}):
        dtype = np.result_type(*parts)
    out = np.empty(len(features), dtype=dtype)
    for j, part in enumerate(parts):
        # numpy would write dates as integers into objects
        kept = objects(part) if dtype.kind == "O" and part.dtype.kind in "mM" else part
        out[order[ends[j] : ends[j + 1]]] = kept
    return out
