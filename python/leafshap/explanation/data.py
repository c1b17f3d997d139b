"""The explained rows in the user's own container: some rows, some features, one feature."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.inputs import container_of, take_rows

_ALL = slice(None)


def select_data(data: Any, rows: Any, features: Any, axes: tuple[str, ...]) -> Any:
    """Select rows and features (a number drops the axis), in the container the data are in.

    Parameters
    ----------
    data : array, table, sparse matrix or one row or one feature of these
    rows, features : int, slice or ndarray of int
        Of the axes that `data` still has.
    axes : tuple of str
        Of the explanation: whether there are still "rows" and "features".

    Returns
    -------
    object
        One row of an array or a DataFrame is 1-D, of other tables and sparse matrices a table of
        one row; one feature is an array or a series, of a sparse matrix a matrix of one column;
        one feature of one row is a scalar.
    """
    kind = container_of(data)
    if kind == "array":
        data = np.asarray(data)
    elif kind == "sparse" and data.ndim == 1:  # one row
        kind, data = "array", data.toarray()
    single, one_feature = "rows" not in axes, "features" not in axes
    if not _everything(features):  # first, so that a column keeps its own dtype
        if _n_dims(data, kind) == 1:
            return _elements(data, features, kind)
        data = _columns(data, features, kind)
        one_feature = isinstance(features, int)
        if single and one_feature:
            return data[0, 0] if kind == "sparse" else _elements(data, 0, kind)
    if single or _everything(rows):
        return data
    if kind in ("polars", "pyarrow") and 0 in getattr(data, "shape", ())[1:]:
        return data  # a table without columns has no rows, either
    if one_feature and kind == "sparse" and isinstance(rows, int):
        return data.tocsr()[rows, 0]
    return _elements(data, rows, kind) if _n_dims(data, kind) == 1 else take_rows(data, rows)


def column(data: Any, j: int) -> npt.NDArray[Any]:
    """One feature of all rows as a numpy array, of objects where it is not of numbers."""
    kind = container_of(data)
    if kind == "array":
        found: npt.NDArray[Any] = np.asarray(data)[:, j]
    elif kind == "sparse":
        found = data.tocsc()[:, [j]].toarray()[:, 0]
    else:
        found = to_numpy(series(data, j))
    return found


def series(data: Any, j: int) -> Any:
    """One feature of all rows of a pandas, polars or pyarrow table, as it is there."""
    return _columns(data, j, container_of(data))


def row_labels(data: Any) -> Any:
    """Index of a pandas DataFrame, or of one feature of it; else None."""
    return data.index if data is not None and container_of(data) == "pandas" else None


def displayed(data: Any) -> npt.NDArray[Any] | None:
    """Turn the explained rows into an array of what the user sees (objects if mixed)."""
    if data is None:
        return None
    kind = container_of(data)
    if kind == "sparse":
        dense: npt.NDArray[Any] = data.toarray()
        return dense
    if kind in ("polars", "pyarrow") and _n_dims(data, kind) == 2:
        n, n_columns = data.shape
        columns = [column(data, j) for j in range(n_columns)]
        if all(c.dtype.kind in "biuf" for c in columns):
            return np.stack(columns, axis=1) if columns else np.empty((n, 0))
        mixed = np.empty((n, n_columns), dtype=object)
        for j in range(n_columns):  # numpy has no type for dates beside numbers
            mixed[:, j] = objects(values_of(series(data, j)))
        return mixed
    return to_numpy(data)


def as_table(data: Any, name: str) -> Any:
    """Table, or matrix, of one column, of one feature of all rows."""
    kind = container_of(data)
    if kind == "pandas":
        return data.to_frame(name)
    if kind == "polars":
        return data.to_frame()
    if kind == "pyarrow":
        import pyarrow

        return pyarrow.table([data], names=[name])
    return data if kind == "sparse" else np.asarray(data)[:, np.newaxis]


def values_of(data: Any) -> list[Any]:
    """Values of a series of any container as its own objects, missing ones as its own marker."""
    for name in ("to_pylist", "tolist", "to_list"):
        if hasattr(data, name):
            return list(getattr(data, name)())
    return list(data)


def objects(values: Iterable[Any]) -> npt.NDArray[np.object_]:
    """Array of objects, shape (n,), whatever they are: numpy would turn lists into a matrix."""
    values = list(values)
    out = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        out[i] = value
    return out


def _everything(pick: Any) -> bool:
    return isinstance(pick, slice) and pick == _ALL


def _n_dims(data: Any, kind: str) -> int:
    if kind == "pyarrow":
        return 2 if hasattr(data, "num_columns") else 1
    return len(data.shape)


def _columns(data: Any, pick: Any, kind: str) -> Any:
    if kind == "pandas":
        return data.iloc[:, pick]
    if kind == "array":
        return data[:, pick]
    if kind == "sparse":
        return data.tocsr()[:, [pick] if isinstance(pick, int) else pick]
    if isinstance(pick, int):
        return data.column(pick) if kind == "pyarrow" else data.to_series(pick)
    n = data.num_columns if kind == "pyarrow" else data.shape[1]
    at = np.arange(n)[pick].tolist()
    return data.select(at) if kind == "pyarrow" else data[:, at]


def _elements(data: Any, pick: Any, kind: str) -> Any:
    if kind in ("array", "pandas"):
        return take_rows(data, pick)
    if isinstance(pick, int):
        return data[pick].as_py() if kind == "pyarrow" else data[pick]
    at = np.arange(len(data))[pick]
    return data.take(at) if kind == "pyarrow" else data[at.tolist()]


def to_numpy(data: Any) -> npt.NDArray[Any]:
    """Series, column, table or array of any container as a numpy array."""
    if type(data).__module__.partition(".")[0] == "pyarrow":
        try:
            return np.asarray(data.to_numpy(zero_copy_only=False))
        except TypeError:  # a ChunkedArray of an older pyarrow has no such argument
            return np.asarray(data.to_numpy())
    return np.asarray(data.to_numpy() if hasattr(data, "to_numpy") else data)
