"""Group labels of rows: from any container to codes and the distinct labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.columns import is_missing
from leafshap.errors import InvalidInputError
from leafshap.explanation.data import column
from leafshap.explanation.selection import axis_names, positions
from leafshap.inputs import container_of

if TYPE_CHECKING:
    from leafshap.explanation.explanation import Explanation

Codes = npt.NDArray[np.intp]


def read_labels(explanation: Explanation, groups: Any) -> tuple[Codes, npt.NDArray[Any]]:
    """Codes of the rows, -1 where the label is missing, and the sorted labels they stand for.

    Labels that cannot be compared with each other are in the order in which they occur.
    """
    n = len(explanation)
    if isinstance(groups, str):
        groups = _column_called(explanation, groups)
    values = _values(groups)
    if values.shape != (n,):
        raise InvalidInputError(
            f"groups need one label for each of the {n} rows, got the shape {values.shape}"
        )
    codes, labels = _objects(values) if values.dtype.kind == "O" else _plain(values)
    if not len(labels):
        raise InvalidInputError("no row has a group label")
    return codes, labels


def _column_called(explanation: Explanation, name: str) -> Any:
    data, axes = explanation.data, explanation.axes
    if data is None or "features" not in axes:
        raise InvalidInputError(f"there are no data to take groups {name!r} from: pass the labels")
    kind = container_of(data)
    if kind == "pandas" and name in data.columns:
        return data[name]
    if kind == "polars" and name in data.columns:
        return data.get_column(name)
    if kind == "pyarrow" and name in data.column_names:
        return data.column(name)
    names = axis_names(explanation, axes.index("features")) or []
    return column(data, int(positions([name], names, "column")[0]))


def _values(groups: Any) -> npt.NDArray[Any]:
    kind = container_of(groups)
    if (kind == "polars" and groups.null_count()) or (kind == "pyarrow" and groups.null_count):
        labels = groups.to_list() if kind == "polars" else groups.to_pylist()
        out = np.empty(len(labels), dtype=object)  # numpy would turn 1 beside None into 1.0
        out[:] = labels
        return out
    if isinstance(groups, (list, tuple)):
        found = np.empty(len(groups), dtype=object)
        found[:] = groups
        return found
    return np.asarray(groups.to_numpy() if hasattr(groups, "to_numpy") else groups)


def _plain(values: npt.NDArray[Any]) -> tuple[Codes, npt.NDArray[Any]]:
    missing = np.zeros(values.shape, dtype=bool)
    if values.dtype.kind in "fc":
        missing = np.isnan(values)
    elif values.dtype.kind in "mM":
        missing = np.isnat(values)
    codes = np.full(len(values), -1, dtype=np.intp)
    labels, inverse = np.unique(values[~missing], return_inverse=True)
    codes[~missing] = inverse.reshape(-1)
    return codes, labels


def _objects(values: npt.NDArray[Any]) -> tuple[Codes, npt.NDArray[Any]]:
    code: dict[Any, int] = {}
    codes = np.empty(len(values), dtype=np.intp)
    try:
        for i, value in enumerate(values):
            codes[i] = -1 if is_missing(value) else code.setdefault(value, len(code))
    except TypeError as error:
        raise InvalidInputError(f"a group label must be hashable: {error}") from error
    found = list(code)
    labels = np.empty(len(found), dtype=object)
    labels[:] = found
    try:
        order = sorted(range(len(found)), key=found.__getitem__)
    except TypeError:
        return codes, labels
    place = np.empty(len(found) + 1, dtype=np.intp)
    place[order] = np.arange(len(found))
    place[-1] = -1
    return place[codes], labels[order]
