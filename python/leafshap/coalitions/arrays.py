"""Masking of numpy arrays.

The core writes synthetic rows of any type of fixed size, as bytes: values and any NaN stay what
they are, bit for bit. Python's objects are left to numpy, which counts their references.
"""

from __future__ import annotations

import math
import sys
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap import _core
from leafshap.coalitions.masking import (
    Bools,
    Cells,
    check_n_columns,
    check_names,
    codes_of_objects,
    differing,
)
from leafshap.errors import InvalidInputError
from leafshap.inputs import container_of

Array = npt.NDArray[Any]

_KINDS = "biufcmMSUO"


def as_matrix(X: Any) -> tuple[Array, bool]:
    """Read anything numpy understands as a matrix, and tell whether it was one row, 1-D.

    A list of text and numbers becomes objects, not text.
    """
    if isinstance(X, np.ma.MaskedArray):
        X = np.ma.filled(X.astype(np.result_type(X.dtype, np.float32)), np.nan)
    try:
        array = np.asarray(X)
        if array.dtype.kind in "SU" and not isinstance(X, np.ndarray):
            objects = np.asarray(X, dtype=object)
            if not all(isinstance(value, (str, bytes)) for value in objects.flat):
                array = objects
    except ValueError as error:  # rows of different lengths
        raise InvalidInputError(f"cannot read it as a matrix: {error}") from error
    if array.ndim not in (1, 2):
        raise InvalidInputError(
            f"expected 2 dimensions (rows, features), or 1 for a single row; it has {array.ndim}"
        )
    if array.dtype.kind == "T":
        array = array.astype(object)
    if array.dtype.kind not in _KINDS:
        raise InvalidInputError(f"cannot read data of dtype {array.dtype}")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return np.atleast_2d(array), array.ndim == 1


class ArrayBackground:
    """Background rows of a numpy array; the function gets C-contiguous arrays."""

    def __init__(self, values: Array, names: list[Any] | None) -> None:
        self._values = np.array(values, order="C", subok=False)
        self.names = names
        self.n_rows, self.n_columns = self._values.shape
        self.row_bytes = float(self.n_columns * self._values.dtype.itemsize)

    def copy(self, start: int, stop: int) -> Array:
        """Copy background rows."""
        return self._values[start:stop].copy()

    def select(self, rows: npt.NDArray[np.intp]) -> ArrayBackground:
        """Keep only some rows."""
        return ArrayBackground(self._values[rows], self.names)

    def masker(self, X: Any) -> tuple[ArrayMasker, bool]:
        """Read rows to explain; values of a table or a sparse matrix become an array."""
        values, single = self._matrix(X)
        check_n_columns(values.shape[1], self.n_columns)
        dtype = common_dtype(self._values, values)
        explained = values.astype(dtype, order="C", copy=False)
        return ArrayMasker(self._values.astype(dtype, copy=False), explained), single

    def _matrix(self, X: Any) -> tuple[Array, bool]:
        kind = container_of(X)
        if kind == "sparse":
            single = X.ndim == 1
            return np.atleast_2d(X.toarray()), single
        if kind == "array" or not hasattr(X, "columns"):
            return as_matrix(X)
        columns = [str(name) for name in (X.column_names if kind == "pyarrow" else X.columns)]
        names = [str(name) for name in self.names or []]
        if sorted(columns) == sorted(names):  # else the background's are names to be shown
            check_names(columns, names)
        if kind == "pandas" and self._values.dtype.kind == "f":
            try:  # columns that have pandas' own missing values, too
                return X.to_numpy(dtype=np.float64, na_value=np.nan), False
            except (TypeError, ValueError):
                pass  # text, which is refused with a better message
        if kind == "pyarrow":
            values = [column.to_numpy() for column in X.columns]
            return np.column_stack(values) if values else np.empty((X.num_rows, 0)), False
        return as_matrix(X.to_numpy())


def common_dtype(background: Array, explained: Array) -> np.dtype[Any]:
    """Find the type that holds background and explained values without changing any.

    Raises
    ------
    InvalidInputError
        If there is none, as for text and numbers.
    """
    ours, theirs = background.dtype, explained.dtype
    if ours == theirs or ours.kind == "O":
        return ours
    if theirs.kind == "O" and ours.kind in "biufcmM":
        floating = np.result_type(ours, np.float64) if ours.kind in "biuf" else ours
        for dtype in (ours, floating):
            if _casts(explained, dtype):
                return dtype
        wrong = next((v for v in explained.flat if not _casts(np.array([v], object), floating)), 0)
        raise InvalidInputError(f"the background is of dtype {ours}, but there is {wrong!r} in X")
    if (ours.kind in "SU") == (theirs.kind in "SU") or theirs.kind == "O":
        try:
            return np.result_type(ours, theirs) if theirs.kind != "O" else np.dtype(object)
        except TypeError:
            pass
    raise InvalidInputError(f"X is of dtype {theirs}, the background of {ours}")


def _casts(values: Array, dtype: np.dtype[Any]) -> bool:
    """Whether objects are values of a type; None is a missing float."""
    try:
        cast = values.astype(dtype)
    except (TypeError, ValueError, OverflowError):
        return False
    return all(
        a is None or (not isinstance(a, (str, bytes)) and (a == b or (a != a and b != b)))
        for a, b in zip(values.flat, cast.flat, strict=True)
    )


class ArrayMasker:
    """Synthetic rows of numpy arrays, both C-contiguous and of the same dtype."""

    def __init__(self, background: Array, explained: Array) -> None:
        self._background = background
        self._explained = explained
        self.n_rows = len(explained)
        self.row_bytes = float(background.shape[1] * background.dtype.itemsize)
        self._buffer = Buffer()

    def explained(self, start: int, stop: int) -> Array:
        """Copy rows to explain."""
        return self._explained[start:stop].copy()

    def differs(self) -> Bools:
        """Tell whether values differ from the background's, shape (n, F)."""
        if self._background.dtype.kind != "O":
            return differing(self._background, self._explained)
        out = np.empty(self._explained.shape, dtype=np.bool_)
        for j in range(np.size(out, axis=1)):
            columns = self._background[:, j], self._explained[:, j]
            codes = codes_of_objects(np.concatenate(columns))
            out[:, j] = differing(codes[: len(self._background)], codes[len(self._background) :])
        return out

    def mixed(self, cells: Cells) -> Array:
        """Make the synthetic rows of some cells."""
        background = self._background[cells.start : cells.stop]
        m, n_columns = background.shape
        if background.dtype.kind == "O":
            out = np.empty((len(cells), m, n_columns), dtype=object)
            out[:] = background
            held = cells.holds()[cells.coalition, np.newaxis]
            np.copyto(out, self._explained[cells.rows, np.newaxis], where=held)
            return out.reshape(-1, n_columns)
        out = self._buffer.empty((len(cells) * m, n_columns), background.dtype)
        _core.mix_rows(
            background, self._explained, cells.of_rows, cells.coalitions, cells.player, cells.first,
            out,
        )  # fmt: skip
        return out


class Buffer:
    """Memory for one batch, used again if the function has not kept any of it. Of each thread.

    Fresh memory costs page faults, which is as much again as filling it.
    """

    def __init__(self) -> None:
        self._local = threading.local()

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Uninitialised array, C-contiguous; nobody else has a reference to its memory."""
        size = math.prod(shape) * dtype.itemsize
        memory: Array | None = getattr(self._local, "memory", None)
        if memory is None or len(memory) < size or _references(memory) != self._local.references:
            memory = np.empty(size, dtype=np.uint8)
            self._local.memory = memory
            self._local.references = _references(memory)
        return memory[:size].view(dtype).reshape(shape)


def _references(memory: Array) -> int:
    return sys.getrefcount(memory)  # every view of it holds one
