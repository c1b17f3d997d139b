"""Group labels of rows: from any container to codes and the distinct labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.columns import is_missing
from leafshap.errors import InvalidInputError
from leafshap.explanation.data import column, objects, series, to_numpy, values_of
from leafshap.explanation.selection import axis_names, positions
from leafshap.inputs import container_of

if TYPE_CHECKING:
    from leafshap.explanation.explanation import Explanation

Codes = npt.NDArray[np.intp]


def read_labels(explanation: Explanation, groups: Any) -> tuple[Codes, npt.NDArray[Any]]:
    """Codes of the rows, -1 where the label is missing, and the sorted labels they stand for.

    Ordered categories keep their order. Labels that cannot be compared with each other are in the
    order in which they occur.
    """
    n = len(explanation)
    if isinstance(groups, str):
        groups = _column_called(explanation, groups)
    known = _ordered_categories(groups)
    values = _values(groups) if known is None else objects(values_of(groups))
    if values.shape != (n,):
        raise InvalidInputError(
            f"groups need one label for each of the {n} rows, got the shape {values.shape}"
        )
    codes, labels = _objects(values) if values.dtype.kind == "O" else _plain(values)
    if not len(labels):
        raise InvalidInputError("no row has a group label")
    if known is not None:
        place = {category: i for i, category in enumerate(known)}
        return _reordered(codes, labels, [place[label] for label in labels.tolist()])
    return codes, labels


def _ordered_categories(groups: Any) -> Sequence[Any] | None:
    """Categories in their order, if the type of a column (pandas, polars Enum) has one."""
    dtype: Any = getattr(groups, "dtype", None)
    ordered = getattr(dtype, "ordered", False) or type(dtype).__name__ == "Enum"
    return values_of(dtype.categories) if ordered and hasattr(dtype, "categories") else None


def _reordered(
    codes: Codes, labels: npt.NDArray[Any], keys: Sequence[Any]
) -> tuple[Codes, npt.NDArray[Any]]:
    """Codes and labels sorted by keys, one for each label."""
    order = sorted(range(len(labels)), key=keys.__getitem__)
    place = np.empty(len(labels) + 1, dtype=np.intp)
    place[order] = np.arange(len(labels))
    place[-1] = -1  # of no label
    return place[codes], labels[order]


def _column_called(explanation: Explanation, name: str) -> Any:
    data, axes = explanation.data, explanation.axes
    if data is None:
        raise InvalidInputError(f"there are no data to take groups {name!r} from: pass the labels")
    kind = container_of(data)
    if "features" not in axes:
        if name != explanation.feature_names:
            raise InvalidInputError(
                f"there are no data of {name!r} to take groups from, only of the selected feature "
                f"{explanation.feature_names!r}: pass the labels"
            )
        return column(data, 0) if kind == "sparse" else data
    if kind != "array" and kind != "sparse":
        columns = list(data.column_names if kind == "pyarrow" else data.columns)
        if name in columns:
            return series(data, int(positions([name], columns, "column")[0]))
    names = axis_names(explanation, axes.index("features")) or []
    return column(data, int(positions([name], names, "column")[0]))


def _values(groups: Any) -> npt.NDArray[Any]:
    if isinstance(groups, (list, tuple)) or _has_own_missing(groups):
        return objects(values_of(groups))  # numpy would turn 1 beside None into 1.0
    return to_numpy(groups)


def _has_own_missing(groups: Any) -> bool:
    """Whether there are missing values that are not NaN or NaT in a type of numpy."""
    kind = container_of(groups)
    if kind == "polars":
        return (
            hasattr(groups, "null_count")
            and not hasattr(groups, "columns")
            and bool(groups.null_count())
        )
    if kind == "pyarrow":
        return bool(getattr(groups, "null_count", 0))
    dtype = getattr(groups, "dtype", np.dtype(object))
    return kind == "pandas" and not isinstance(dtype, np.dtype) and bool(np.any(groups.isna()))


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
    labels = objects(found)
    try:
        return _reordered(codes, labels, found)
    except TypeError:
        return codes, labels
