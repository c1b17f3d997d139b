"""User data as rows that the compiled core can read.

The core wants C-contiguous float32 or float64 matrices. An array that already is one is passed
as it is; everything else (integers, Fortran order, tables, sparse matrices) is converted one block
of rows at a time, so that memory stays bounded whatever the number of rows.

A source reads one kind of container (`ArraySource` and `SparseSource` here, tables in
`leafshap.tables`); `InputRows` checks what it reads against the model's `InputSchema`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from leafshap.columns import is_text, label_of, numbers_of_objects, value_codes
from leafshap.errors import InvalidInputError

FloatArray = npt.NDArray[np.float32] | npt.NDArray[np.float64]

# One converted block: large enough to keep every thread busy, small beside the output.
_BLOCK_BYTES = 16 << 20
_MIN_BLOCK_ROWS = 256
# the largest double that rounds to a finite float32
_FLOAT32_MAX = float(np.nextafter(2.0**128 - 2.0**103, 0.0))


@dataclass(frozen=True, kw_only=True)
class InputSchema:
    """What a model expects of its input; the fields are those of `EnsembleArrays`.

    `categorical_features` have a categorical split somewhere, `used_features` a split of any kind;
    `sparse_fill` is what an entry absent from a sparse matrix means (0, or NaN for XGBoost, which
    reads it as missing).
    """

    n_features: int
    feature_names: Sequence[str] | None = None
    feature_categories: dict[int, list[Any]] = field(default_factory=dict)
    categorical_features: frozenset[int] = frozenset()
    used_features: frozenset[int] = frozenset()
    encode_numeric: bool = False
    allow_nan: bool = True
    allow_inf: bool = True
    missing_value: float = float("nan")
    input_precision: str = "float64"
    sparse_fill: float = 0.0

    def named(self, names: Sequence[str] | None) -> InputSchema:
        """Give names to the features of a model that knows none."""
        if self.feature_names is not None or names is None:
            return self
        return replace(self, feature_names=list(names))


class Source(Protocol):
    """One container of rows. `encoded` columns come out as category codes already."""

    n_rows: int
    n_columns: int
    names: list[str] | None
    dtype: np.dtype[Any]
    encoded: frozenset[int]

    def read(self, start: int, stop: int, step: int) -> FloatArray:
        """Read rows ``[start:stop:step]`` as a C-contiguous matrix of `dtype`; may be a view."""
        ...

    def own(self, start: int, stop: int, step: int) -> Any:
        """Return the same rows in the user's own container."""
        ...


def float_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Choose float32 if it holds every value of a real dtype, else float64 (int64: rounds).

    Raises
    ------
    InvalidInputError
        If the dtype is not a real number's.
    """
    if dtype.kind in "biuf":
        narrow = dtype.itemsize <= (4 if dtype.kind == "f" else 2)
        return np.dtype(np.float32 if narrow else np.float64)
    raise InvalidInputError(f"cannot read data of dtype {dtype}: expected real numbers")


class ArraySource:
    """A numpy array of real numbers, or of objects that are numbers or known categories."""

    def __init__(self, X: npt.NDArray[Any], schema: InputSchema, names: list[str] | None) -> None:
        self._X = X
        self._schema = schema
        self.n_rows, self.n_columns = X.shape
        self.names = names
        self.objects = X.dtype.kind == "O"
        self.encoded = frozenset(schema.feature_categories) if self.objects else frozenset()
        self.dtype = np.dtype(np.float64) if self.objects else float_type(X.dtype)

    @property
    def contiguous(self) -> bool:
        """Whether the core can read the array as it is."""
        X = self._X
        flags = X.flags.c_contiguous and X.flags.aligned and X.dtype.isnative
        return flags and X.dtype == self.dtype and type(X) is np.ndarray

    def read(self, start: int, stop: int, step: int) -> FloatArray:
        """Read some rows; a view where the array is contiguous."""
        rows = self._X[start:stop:step]
        if self.objects:
            return self._read_objects(rows, start, step)
        if isinstance(rows, np.ma.MaskedArray):
            rows = np.ma.filled(rows.astype(self.dtype), np.nan)
        with np.errstate(over="ignore"):  # a long double beyond float64 becomes inf, checked later
            return np.require(rows, self.dtype, ["C", "A"])

    def _read_objects(self, rows: npt.NDArray[Any], start: int, step: int) -> FloatArray:
        out = np.empty(rows.shape, dtype=np.float64)
        names = self.names or self._schema.feature_names
        known = self._schema.feature_categories
        # Text is a category's value; a number may be its code, as in an array of floats. Where one
        # column has text, the array holds values.
        by_value = self._schema.encode_numeric or any(
            is_text(v) for j in known if j < self.n_columns for v in rows[:, j]
        )
        for j in range(self.n_columns):
            column, label = rows[:, j], label_of(j, names)
            categories = known.get(j)
            if categories is not None and by_value:
                out[:, j] = value_codes(column, categories, label)
            else:
                out[:, j] = numbers_of_objects(column, label, start, step)
        return out

    def own(self, start: int, stop: int, step: int) -> Any:
        """Return some rows in the user's own kind of container, in this machine's byte order."""
        rows = self._X[start:stop:step]
        return rows if rows.dtype.isnative else rows.astype(rows.dtype.newbyteorder("="))


class SparseSource:
    """A scipy sparse matrix or array of any format; absent entries read as `sparse_fill`."""

    def __init__(self, X: Any, schema: InputSchema) -> None:
        csr = X.tocsr()
        if not csr.has_canonical_format:
            csr = csr.copy()  # entries given twice add up, in a copy: the user's stays untouched
            csr.sum_duplicates()
        self._X = csr
        self._fill = schema.sparse_fill
        self.n_rows, self.n_columns = (int(n) for n in X.shape)
        self.names: list[str] | None = None
        self.dtype = float_type(csr.dtype)
        self.encoded: frozenset[int] = frozenset()

    def read(self, start: int, stop: int, step: int) -> FloatArray:
        """Read some rows, made dense."""
        block = self._X[start:stop:step]
        out = np.full(block.shape, self._fill, dtype=self.dtype)
        rows = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
        out[rows, block.indices] = block.data
        return out

    def own(self, start: int, stop: int, step: int) -> Any:
        """Return some rows in the user's own kind of container."""
        return self._X[start:stop:step]


def container_of(X: Any) -> str:
    """Kind of a container: "pandas", "polars", "pyarrow", "sparse" or "array" (anything else)."""
    if isinstance(X, np.ndarray):
        return "array"
    packages = {cls.__module__.partition(".")[0] for cls in type(X).__mro__}
    for package in ("pandas", "polars", "pyarrow"):
        if package in packages:
            return package
    return "sparse" if hasattr(X, "tocsr") else "array"


def take_rows(X: Any, rows: int | slice | npt.NDArray[np.integer[Any]]) -> Any:
    """Rows of the user's data in its own container; of an array or a DataFrame one row is 1-D."""
    kind = container_of(X)
    if kind == "pandas":
        return X.iloc[rows]
    if kind == "array":
        return (X if isinstance(X, np.ndarray) else np.asarray(X))[rows]
    if kind == "sparse":
        return X.tocsr()[[rows] if isinstance(rows, int) else rows]
    n = X.shape[0] if hasattr(X, "shape") else X.num_rows
    at = np.atleast_1d(np.arange(n)[rows])
    return X.take(at) if kind == "pyarrow" else X[at.tolist()]


def _as_array(X: Any) -> npt.NDArray[Any]:
    """Anything that numpy understands, with a 1-D array as one row."""
    if type(X).__module__.partition(".")[0] in ("xgboost", "lightgbm"):
        raise InvalidInputError(
            f"cannot read a {type(X).__name__}: pass the array or table it was made from"
        )
    try:
        array: npt.NDArray[Any] = X if isinstance(X, np.ma.MaskedArray) else np.asarray(X)
    except ValueError as error:  # rows of different lengths
        raise InvalidInputError(f"cannot read it as a matrix: {error}") from error
    if array.ndim not in (1, 2):
        raise InvalidInputError(
            f"expected 2 dimensions (rows, features), or 1 for a single row; it has {array.ndim}"
        )
    if array.dtype.kind not in "biufO":
        raise InvalidInputError(
            f"cannot read data of dtype {array.dtype}: expected real numbers"
            + (f", found {array.flat[0]!r}" if array.size else "")
        )
    return array


def _source_of(X: Any, schema: InputSchema) -> tuple[Source, bool]:
    """Find the source that reads `X`, and whether `X` is one row without a row axis."""
    kind = container_of(X)
    if kind in ("pandas", "polars", "pyarrow"):
        from leafshap.tables import series_source, table_source

        if type(X).__name__ == "Series":
            return series_source(X, kind, schema), True
        return table_source(X, kind, schema), False
    if kind == "sparse":
        single = X.ndim == 1
        return SparseSource(X.reshape((1, -1)) if single else X, schema), single
    array = _as_array(X)
    return ArraySource(np.atleast_2d(array), schema, None), array.ndim == 1


def are_made_up(names: Sequence[str]) -> bool:
    """Whether the names are those that libraries make up for columns without any."""
    return all(
        name in {f"{prefix}{i}" for prefix in ("", "f", "x", "Column_", "column_")}
        for i, name in enumerate(names)
    )


def check_columns(n_columns: int, column_names: list[str] | None, schema: InputSchema) -> None:
    """Refuse a wrong number of columns, and names that differ from the model's.

    LightGBM stores spaces in names as underscores. Names made up by a library ("f0", "Column_0",
    "0", ...) on either side say nothing and are not compared, unless they are the same names in
    another order.
    """
    if n_columns != schema.n_features:
        raise InvalidInputError(
            f"{n_columns} columns were given, the model has {schema.n_features} features"
        )
    if column_names is None or schema.feature_names is None:
        return
    found = [name.replace(" ", "_") for name in column_names]
    wanted = [name.replace(" ", "_") for name in schema.feature_names]
    if found == wanted:
        return
    j = next(j for j, (a, b) in enumerate(zip(found, wanted, strict=True)) if a != b)
    first = f"column {j} is {column_names[j]!r}, the model's is {schema.feature_names[j]!r}"
    if sorted(found) == sorted(wanted):
        raise InvalidInputError(
            f"the columns are the model's in another order: {first}; reorder them first, "
            "for example X = X[explainer.model.feature_names]"
        )
    if are_made_up(found) or are_made_up(wanted):
        return
    raise InvalidInputError(f"the columns are not the model's: {first}")


class InputRows:
    """Checked access to the rows of the user's data.

    Parameters
    ----------
    X : array, table or sparse matrix
        Of shape (n, n_features), or (n_features,) for a single row.
    schema : InputSchema
        What the model expects.

    Raises
    ------
    InvalidInputError
        If the shape, the column names or the dtypes do not fit. Values are checked as they are
        read by `blocks`.
    """

    def __init__(self, X: Any, schema: InputSchema) -> None:
        self._source, self.single = _source_of(X, schema)
        self._schema = schema
        check_columns(self._source.n_columns, self._source.names, schema)
        self.n_rows = self._source.n_rows
        self.names = self._source.names
        self._coded = (
            ()
            if not schema.encode_numeric
            else tuple(j for j in schema.feature_categories if j not in self._source.encoded)
        )

    @property
    def encoded(self) -> bool:
        """Whether some columns are turned into category codes as they are read."""
        return bool(self._source.encoded)

    @property
    def native(self) -> bool:
        """Whether all the libraries read the user's container: a DataFrame, an array of numbers."""
        if isinstance(self._source, ArraySource):
            return not self._source.objects
        return container_of(self._source.own(0, 0, 1)) == "pandas"

    @property
    def category_columns(self) -> frozenset[int]:
        """Columns that are turned into category codes as they are read."""
        return self._source.encoded | frozenset(self._coded)

    def blocks(self) -> Iterator[tuple[int, int, FloatArray]]:
        """Yield (start, stop, rows) over all rows; a suitable array is one block, as it is."""
        source = self._source
        row_bytes = max(1, source.n_columns * source.dtype.itemsize)
        size = max(_MIN_BLOCK_ROWS, _BLOCK_BYTES // row_bytes)
        spans = [(a, min(a + size, self.n_rows)) for a in range(0, self.n_rows, size)]
        if isinstance(source, ArraySource) and source.contiguous and not self._coded:
            for start, stop in spans:
                self._check_values(source.read(start, stop, 1), start, 1)
            yield 0, self.n_rows, source.read(0, self.n_rows, 1)
            return
        for start, stop in spans:
            rows = source.read(start, stop, 1)
            self._check_values(rows, start, 1)
            yield start, stop, self._encode(rows)

    def matrix(self) -> FloatArray:
        """Read all rows, as the core wants them, into one new matrix."""
        out: FloatArray = np.empty((self.n_rows, self._source.n_columns), self._source.dtype)
        for start, stop, rows in self.blocks():
            out[start:stop] = rows
        return out

    def whole(self) -> FloatArray:
        """Read all rows, as `matrix`, but not copied if they can be used as they are."""
        blocks = self.blocks()
        first = next(blocks, None)
        return self.matrix() if first is None or first[1] < self.n_rows else first[2]

    def dense(self, start: int, stop: int, step: int) -> FloatArray:
        """Rows ``[start:stop:step]``, numeric category values as given (not encoded)."""
        return self._source.read(start, stop, step)

    def coded(self, start: int, stop: int, step: int) -> FloatArray:
        """Rows ``[start:stop:step]`` as the core wants them."""
        return self._encode(self._source.read(start, stop, step))

    def own(self, start: int, stop: int, step: int) -> Any:
        """Rows ``[start:stop:step]`` in the user's own container."""
        return self._source.own(start, stop, step)

    def _encode(self, rows: FloatArray) -> FloatArray:
        """Replace raw category values of numeric columns by their codes, in a copy."""
        if not self._coded:
            return rows
        rows = rows.copy()
        for j in self._coded:
            label = label_of(j, self.names or self._schema.feature_names)
            rows[:, j] = value_codes(rows[:, j], self._schema.feature_categories[j], label)
        return rows

    def _check_values(self, rows: FloatArray, start: int, step: int) -> None:
        """Refuse NaN and infinite values where the model's own library would."""
        schema = self._schema
        if (schema.allow_nan and schema.allow_inf) or rows.size == 0:
            return
        narrowed = schema.input_precision == "float32" and rows.dtype == np.float64
        limit = _FLOAT32_MAX if narrowed else float(np.finfo(rows.dtype).max)
        # min and max are NaN if any value is: one cheap test clears almost every block
        low, high = float(np.min(rows)), float(np.max(rows))
        if -limit <= low and high <= limit:
            return
        bad = np.zeros(rows.shape, dtype=bool)
        if not schema.allow_nan:
            bad |= np.isnan(rows)
        if not schema.allow_inf:
            bad |= (np.abs(rows) > limit) & (rows != schema.missing_value)
        if not bad.any():
            return
        i, j = (int(k) for k in np.argwhere(bad)[0])
        where = label_of(j, self.names or schema.feature_names)
        place = where if self.single else f"row {start + i * step}, {where}"
        value = float(rows[i, j])
        if np.isfinite(value):
            raise InvalidInputError(f"{place}: {value} is too large for the model's float32 input")
        raise InvalidInputError(f"{place}: the model does not accept {value}")
