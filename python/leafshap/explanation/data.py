"""The explained rows in the user's own container: some rows, some features, one feature."""

from __future__ import annotations

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
    if one_feature and kind == "sparse" and isinstance(rows, int):
        return data.tocsr()[rows, 0]
    return _elements(data, rows, kind) if _n_dims(data, kind) == 1 else take_rows(data, rows)


def column(data: Any, j: int) -> npt.NDArray[Any]:
    """One feature of all rows as a numpy array, of objects where it is not of numbers."""
    kind = container_of(data)
    if kind == "array":
        found: npt.NDArray[Any] = np.asarray(data)[:, j]
    elif kind == "pyarrow":
        found = _to_numpy(_columns(data, j, kind))
    elif kind == "sparse":
        found = data.tocsc()[:, [j]].toarray()[:, 0]
    else:
        found = _to_numpy(_columns(data, j, kind))
    return found


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
    if kind == "pyarrow" and _n_dims(data, kind) == 2:
        columns = [_to_numpy(data.column(j)) for j in range(data.num_columns)]
        return np.stack(columns, axis=1) if columns else np.empty((data.num_rows, 0))
    return _to_numpy(data)


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


def _to_numpy(data: Any) -> npt.NDArray[Any]:
    if type(data).__module__.partition(".")[0] == "pyarrow":
        try:
            return np.asarray(data.to_numpy(zero_copy_only=False))
        except TypeError:  # a ChunkedArray of an older pyarrow has no such argument
            return np.asarray(data.to_numpy())
    return np.asarray(data.to_numpy() if hasattr(data, "to_numpy") else data)
