"""Columns of the user's data, in the values that the user knows them by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.columns import codes_of, is_missing, is_text, label_of, numbers_of_objects
from leafshap.errors import InvalidInputError
from leafshap.inputs import FloatArray, InputRows, InputSchema, container_of

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class UserColumn:
    """One feature: its values as the core reads them, and as the user writes them.

    Attributes
    ----------
    index : int
    label : str
        For messages.
    codes : ndarray, shape (n,)
        As the core reads them: numbers, or codes of categories.
    categories : list or None
        The category of each code; None: the codes are the user's own values.
    own : ndarray, shape (n,)
        The user's values.
    """

    index: int
    label: str
    codes: FloatArray
    categories: list[Any] | None
    own: npt.NDArray[Any]

    def distinct(self) -> npt.NDArray[Any]:
        """List the user's values, each once, in their order; a missing one last."""
        if self.categories is None:
            return np.unique(self.codes)
        return _sorted_values(self.own.tolist())

    def encode(self, values: npt.NDArray[Any]) -> Floats:
        """Turn values as the user writes them into what the core reads."""
        if self.categories is None:
            return np.asarray(values, dtype=np.float64)
        return codes_of(values.tolist(), self.categories, self.label)

    def read(self, given: Any, schema: InputSchema) -> npt.NDArray[Any]:
        """Check values that the user wrote, shape (m,).

        Raises
        ------
        InvalidInputError
            If they are no values of this column, or the model does not accept them.
        """
        where = f"the grid of {self.label}"
        values = _as_vector(given, where)
        if self.categories is None:
            numbers = numbers_of_objects(values, where) if values.dtype.kind in "OU" else values
            numbers = np.asarray(numbers, dtype=np.float64)
            _check_numbers(numbers, where, schema)
            return numbers
        codes = codes_of(values.tolist(), self.categories, where)
        present = {v for v in self.own.tolist() if not is_missing(v)}
        for value, code in zip(values.tolist(), codes, strict=True):
            if np.isnan(code) and not is_missing(value) and value not in present:
                known = ", ".join(repr(c) for c in self.categories[:5])
                raise InvalidInputError(
                    f"{where} holds {value!r}, which is no category of it: {known}"
                    + (", ..." if len(self.categories) > 5 else "")
                )
        return values


def read_columns(
    X: Any, rows: InputRows, matrix: FloatArray, indices: Sequence[int], schema: InputSchema
) -> dict[int, UserColumn]:
    """Take the columns `indices` out of the user's data."""
    by_value = rows.category_columns
    if container_of(X) == "array" and not schema.encode_numeric:
        # objects: text is a category's value; without any, numbers are codes (see ArraySource)
        array = np.atleast_2d(np.asarray(X, dtype=object)) if by_value else None
        if array is not None and not any(is_text(v) for j in by_value for v in array[:, j]):
            by_value = frozenset()
    names = rows.names or schema.feature_names
    columns = {}
    for j in indices:
        categories = _categories(X, j, schema) if j in by_value else None
        codes = matrix[:, j]
        own = codes if categories is None else _own_values(X, j)
        columns[j] = UserColumn(j, label_of(j, names), codes, categories, own)
    return columns


def _categories(X: Any, index: int, schema: InputSchema) -> list[Any] | None:
    """Category of each code; None if the model splits the categories' values as numbers."""
    known = schema.feature_categories.get(index)
    if known is not None:
        return list(known)
    if index in schema.used_features and index not in schema.categorical_features:
        return None
    kind = container_of(X)
    if kind == "pandas":
        found = X.iloc[:, index].dtype.categories.tolist()
    elif kind == "polars":
        dtype = X.dtypes[index]
        known_to_type = hasattr(dtype, "categories") and type(dtype).__name__ == "Enum"
        found = (dtype.categories if known_to_type else X.to_series(index).unique()).to_list()
    else:
        chunks = X.column(index).unify_dictionaries().chunks
        found = chunks[0].dictionary.to_pylist() if chunks else []
    return list(found)


def _own_values(X: Any, index: int) -> npt.NDArray[Any]:
    """One column of the user's data as an array of its values, missing ones as NaN."""
    kind = container_of(X)
    if kind == "pandas":
        values = X.iloc[:, index].tolist()
    elif kind == "polars":
        values = X.to_series(index).to_list()
    elif kind == "pyarrow":
        values = X.column(index).to_pylist()
    elif kind == "sparse":
        values = X.tocsc()[:, [index]].toarray().ravel().tolist()
    else:
        values = np.atleast_2d(np.asarray(X))[:, index].tolist()
    return _array_of([np.nan if is_missing(v) else v for v in values])


def _sorted_values(values: list[Any]) -> npt.NDArray[Any]:
    kept = {v for v in values if not is_missing(v)}
    try:
        ordered = sorted(kept)
    except TypeError:  # text and numbers: by kind
        ordered = sorted(kept, key=lambda v: (is_text(v), str(v)))
    if len(kept) < len(set(values)) or any(is_missing(v) for v in values):
        ordered.append(np.nan)
    return _array_of(ordered)


def _array_of(values: list[Any]) -> npt.NDArray[Any]:
    """Numbers as numbers, else objects."""
    if all(isinstance(v, (int, float)) for v in values):
        return np.asarray(values, dtype=np.float64)
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _as_vector(given: Any, where: str) -> npt.NDArray[Any]:
    if isinstance(given, (str, bytes)) or not hasattr(given, "__len__"):
        raise InvalidInputError(f"{where} must be a sequence of values, got {given!r}")
    values: npt.NDArray[Any]
    if container_of(given) != "array":
        given = given.to_numpy()
    text = any(is_text(v) for v in given) if isinstance(given, (list, tuple)) else False
    try:
        values = np.array(given, dtype=object if text else None)
    except ValueError:  # of different lengths
        raise InvalidInputError(f"{where} must be one-dimensional") from None
    if values.ndim != 1:
        raise InvalidInputError(f"{where} must be one-dimensional, it has {values.ndim} dimensions")
    if not len(values):
        raise InvalidInputError(f"{where} is empty")
    if values.dtype.kind not in "biufOU":
        raise InvalidInputError(f"{where} is of dtype {values.dtype}, expected numbers")
    return values


def _check_numbers(values: Floats, where: str, schema: InputSchema) -> None:
    """Refuse what the model's own library would."""
    for value in values:
        if np.isnan(value):
            refused = not schema.allow_nan
        else:
            with np.errstate(over="ignore"):
                narrow = np.float32(value) if schema.input_precision == "float32" else value
            refused = not schema.allow_inf and not np.isfinite(narrow)
            refused = refused and value != schema.missing_value
        if refused:
            raise InvalidInputError(f"{where}: the model does not accept {value}")
