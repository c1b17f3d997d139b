"""Tables (pandas, polars, pyarrow) as sources of rows for `leafshap.inputs`.

A table is read column by column and block by block. A categorical or text column is encoded by
the model's own category values if the model knows them. Otherwise its codes are used where the
model splits the feature by category, and its values where they are numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.columns import codes_of, label_of, numbers_of_objects
from leafshap.errors import InvalidInputError
from leafshap.inputs import (
    ArraySource,
    FloatArray,
    InputSchema,
    Source,
    check_columns,
    float_type,
)
from leafshap.pandas_metadata import lost_categories
from leafshap.string_views import plain_table

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

_FLOAT32 = np.dtype(np.float32)
_FLOAT64 = np.dtype(np.float64)

# Reads one column of a block of rows: (column, number of the block's first row, step) -> (n,).
Reader = Callable[[Any, int, int], npt.NDArray[Any]]


def _category_reader(
    index: int, label: str, schema: InputSchema
) -> Callable[[list[Any]], npt.NDArray[np.float64]]:
    """How to turn a column's list of category values into the numbers the model was trained on."""
    known = schema.feature_categories.get(index)
    if known is not None:
        return lambda categories: codes_of(categories, known, label)
    if index in schema.categorical_features:
        return lambda categories: np.arange(len(categories), dtype=np.float64)

    def values(categories: list[Any]) -> npt.NDArray[np.float64]:
        if index not in schema.used_features:  # no split reads it
            return np.arange(len(categories), dtype=np.float64)
        try:
            return numbers_of_objects(np.array(categories, dtype=object), label)
        except InvalidInputError:
            raise InvalidInputError(
                f"{label} is categorical with values such as {categories[0]!r}, but the model "
                "splits it as a number"
            ) from None

    return values


def _take_codes(table: npt.NDArray[np.float64], codes: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """table[codes], NaN where the code is negative (missing)."""
    codes_or_nan: npt.NDArray[np.float64] = np.append(table, np.nan)[codes]
    return codes_or_nan


class _TableSource:
    """What the three kinds of table share: filling a matrix column by column."""

    encoded: frozenset[int]
    names: list[str] | None

    def __init__(self, X: Any, schema: InputSchema, columns: list[Any], n_rows: int) -> None:
        names = [_column_name(column) for column in columns]
        self._X = X
        self._schema = schema
        self.n_rows = n_rows
        self.n_columns = len(names)
        self.names = None if columns == list(range(len(columns))) else names
        check_columns(self.n_columns, self.names, schema)  # the columns' dtypes come after
        self._encoded: set[int] = set()
        self._readers: list[Reader] = []
        self.dtype = _FLOAT32
        for j in range(self.n_columns):
            label = label_of(j, names)
            dtype, reader = self._plan(j, label)
            if self._known(j) and j not in self._encoded and not schema.encode_numeric:
                dtype, reader = self._refuse_numbers(j, label)
            self._readers.append(reader)
            self.dtype = np.promote_types(self.dtype, dtype)
        self.encoded = frozenset(self._encoded)

    def _plan(self, index: int, label: str) -> tuple[np.dtype[Any], Reader]:
        raise NotImplementedError

    def _slice(self, start: int, stop: int, step: int) -> Any:
        raise NotImplementedError

    def _column(self, block: Any, index: int) -> Any:
        raise NotImplementedError

    def read(self, start: int, stop: int, step: int) -> FloatArray:
        """Read some rows, column by column."""
        block = self.own(start, stop, step)
        out = np.empty((len(range(start, stop, step)), self.n_columns), dtype=self.dtype)
        for j, reader in enumerate(self._readers):
            out[:, j] = reader(self._column(block, j), start, step)
        return out

    def own(self, start: int, stop: int, step: int) -> Any:
        """Return some rows in the user's own kind of table."""
        whole = (start, stop, step) == (0, self.n_rows, 1)
        return self._X if whole else self._slice(start, stop, step)

    def _refuse(self, label: str, dtype: Any) -> tuple[np.dtype[Any], Reader]:
        """Make a reader that names a value of a column that is no number; harmless without rows."""

        def read(column: Any, start: int, step: int) -> npt.NDArray[Any]:
            if len(column) == 0:
                return np.empty(0)
            sample = column.iloc[0] if hasattr(column, "iloc") else column[0]
            sample = sample.as_py() if hasattr(sample, "as_py") else sample
            raise InvalidInputError(
                f"{label} of dtype {dtype} is not numeric: row {start} holds {sample!r}"
            )

        return _FLOAT64, read

    def _refuse_numbers(self, index: int, label: str) -> tuple[np.dtype[Any], Reader]:
        """Make a reader that refuses numbers where the model knows category values.

        They could be values or codes; XGBoost and LightGBM refuse such a table, too.
        """
        known = self._schema.feature_categories[index]
        return _refusing(
            f"{label} holds plain numbers, but the model was trained on a categorical column "
            f"with values such as {known[0]!r}: give it the categorical dtype of training"
            if known
            else f"{label} holds plain numbers, but the model knows it as categorical"
        )

    def _known(self, index: int) -> bool:
        """Whether the model knows the category values of this column."""
        return index in self._schema.feature_categories


def _refusing(message: str) -> tuple[np.dtype[Any], Reader]:
    """Make a reader that refuses any rows; a table without rows is no fault."""

    def read(column: Any, _start: int, _step: int) -> npt.NDArray[Any]:
        if len(column) == 0:
            return np.empty(0)
        raise InvalidInputError(message)

    return _FLOAT64, read


class PandasSource(_TableSource):
    """A pandas DataFrame."""

    _X: pandas.DataFrame

    def __init__(self, X: pandas.DataFrame, schema: InputSchema) -> None:
        self._dtypes = list(X.dtypes)
        super().__init__(X, schema, list(X.columns), len(X))
        plain = all(isinstance(d, np.dtype) and d.kind in "biuf" for d in self._dtypes)
        self._plain = plain and (schema.encode_numeric or not schema.feature_categories)

    def read(self, start: int, stop: int, step: int) -> FloatArray:
        """Read some rows; at once if all columns are plain numbers."""
        if not self._plain:
            return super().read(start, stop, step)
        block = self._slice(start, stop, step).to_numpy(dtype=self.dtype)
        return np.ascontiguousarray(block)

    def _slice(self, start: int, stop: int, step: int) -> pandas.DataFrame:
        return self._X.iloc[start:stop:step]

    def _column(self, block: pandas.DataFrame, index: int) -> pandas.Series[Any]:
        return block.iloc[:, index]

    def _plan(self, index: int, label: str) -> tuple[np.dtype[Any], Reader]:
        dtype: Any = self._dtypes[index]
        kind = getattr(dtype, "kind", "O")  # an extension dtype's kind is that of its values
        if hasattr(dtype, "categories") and hasattr(dtype, "ordered"):
            self._encoded.add(index)
            values = _category_reader(index, label, self._schema)(dtype.categories.tolist())
            return _FLOAT64, lambda c, _start, _step: _take_codes(values, c.cat.codes.to_numpy())
        if isinstance(dtype, np.dtype) and kind in "biuf":
            return float_type(dtype), lambda c, _start, _step: c.to_numpy()
        if hasattr(dtype, "fill_value") and hasattr(dtype, "subtype"):  # SparseDtype
            return _FLOAT64, lambda c, _start, _step: np.asarray(c, dtype=np.float64)
        if not isinstance(dtype, np.dtype) and kind in "biuf":
            return _FLOAT64, lambda c, _start, _step: c.to_numpy(np.float64, na_value=np.nan)
        if kind not in "OUS":
            return self._refuse(label, dtype)
        if self._known(index):
            self._encoded.add(index)
            known = self._schema.feature_categories[index]
            return _FLOAT64, lambda c, _start, _step: codes_of(c.tolist(), known, label)
        return _FLOAT64, lambda c, start, step: numbers_of_objects(
            c.to_numpy(dtype=object), label, start, step
        )


class PolarsSource(_TableSource):
    """A polars DataFrame."""

    _X: polars.DataFrame

    def __init__(self, X: polars.DataFrame, schema: InputSchema) -> None:
        super().__init__(X, schema, list(X.columns), X.height)

    def _slice(self, start: int, stop: int, step: int) -> polars.DataFrame:
        block = self._X.slice(start, stop - start)
        return block if step == 1 else block.gather_every(step)

    def _column(self, block: polars.DataFrame, index: int) -> polars.Series:
        return block.to_series(index)

    def _plan(self, index: int, label: str) -> tuple[np.dtype[Any], Reader]:
        import polars

        dtype = self._X.dtypes[index]
        if dtype in (polars.Categorical, polars.Enum, polars.String):
            return self._plan_category(index, label, dtype)
        if not (dtype.is_numeric() or dtype in (polars.Boolean, polars.Null)):
            return self._refuse(label, dtype)
        narrow = dtype in (
            polars.Boolean, polars.Int8, polars.Int16, polars.UInt8, polars.UInt16, polars.Float32
        )  # fmt: skip
        to = polars.Float32 if narrow else polars.Float64
        return (
            _FLOAT32 if narrow else _FLOAT64,
            lambda c, _start, _step: c.cast(to).fill_null(float("nan")).to_numpy(),
        )

    def _plan_category(self, index: int, label: str, dtype: Any) -> tuple[np.dtype[Any], Reader]:
        import polars

        if self._known(index):
            self._encoded.add(index)
            known = self._schema.feature_categories[index]

            def by_value(column: polars.Series, _start: int, _step: int) -> npt.NDArray[Any]:
                distinct = column.cast(polars.String).unique()
                table = dict(zip(distinct, codes_of(distinct.to_list(), known, label), strict=True))
                return np.array([table[v] for v in column.cast(polars.String)], dtype=np.float64)

            return _FLOAT64, by_value
        if dtype == polars.String:
            return self._refuse(label, dtype)
        self._encoded.add(index)
        if dtype == polars.Categorical:
            if index in self._schema.used_features:
                # the numbers behind a Categorical depend on what the process has seen before
                raise InvalidInputError(
                    f"{label} is a polars Categorical and the model does not store its "
                    "categories: pass the codes used in training, or an Enum in their order"
                )
            return _FLOAT32, lambda c, _start, _step: np.zeros(len(c), dtype=np.float32)
        table = _category_reader(index, label, self._schema)(dtype.categories.to_list())
        return _FLOAT64, lambda c, _start, _step: _take_codes(
            table, c.to_physical().cast(polars.Int64).fill_null(-1).to_numpy()
        )


class ArrowSource(_TableSource):
    """A pyarrow Table or RecordBatch."""

    _X: pyarrow.Table

    def __init__(self, X: Any, schema: InputSchema) -> None:
        import pyarrow

        table = pyarrow.Table.from_batches([X]) if isinstance(X, pyarrow.RecordBatch) else X
        table = plain_table(table)
        self._lost = lost_categories(table.schema)
        super().__init__(
            table.unify_dictionaries(), schema, list(table.column_names), table.num_rows
        )

    def _slice(self, start: int, stop: int, step: int) -> pyarrow.Table:
        if step == 1:
            return self._X.slice(start, stop - start)
        return self._X.take(np.arange(start, stop, step))

    def _column(self, block: pyarrow.Table, index: int) -> Any:
        return block.column(index)

    def _plan(self, index: int, label: str) -> tuple[np.dtype[Any], Reader]:
        import pyarrow
        from pyarrow import types

        field = self._X.schema.field(index)
        dtype, lost = field.type, field.name in self._lost
        if types.is_dictionary(dtype):
            return self._plan_dictionary(index, label)
        if lost and index in self._schema.categorical_features and not self._known(index):
            return _refusing(
                f"{label} was categorical in pandas and Parquet has kept its values, but the model "
                "knows codes only: pass the codes of training (without pandas' metadata, if these "
                "are the codes: replace_schema_metadata())"
            )
        if types.is_string(dtype) or types.is_large_string(dtype):
            if not self._known(index):
                return self._refuse(label, dtype)
            _, read = self._plan_dictionary(index, label)
            return _FLOAT64, lambda c, start, step: read(c.dictionary_encode(), start, step)
        if types.is_null(dtype):
            return _FLOAT32, lambda c, _start, _step: np.full(len(c), np.nan, dtype=np.float32)
        if types.is_boolean(dtype):
            return _FLOAT32, lambda c, _start, _step: _arrow_numbers(
                c.cast(pyarrow.uint8()), pyarrow.float32()
            )
        if not reads_as_number(dtype):
            return self._refuse(label, dtype)
        narrow = not types.is_decimal(dtype) and dtype.bit_width <= (
            32 if types.is_floating(dtype) else 16
        )
        to = pyarrow.float32() if narrow else pyarrow.float64()
        return _FLOAT32 if narrow else _FLOAT64, lambda c, _start, _step: _arrow_numbers(c, to)

    def _plan_dictionary(self, index: int, label: str) -> tuple[np.dtype[Any], Reader]:
        import pyarrow

        self._encoded.add(index)
        values = _category_reader(index, label, self._schema)

        def read(column: Any, _start: int, _step: int) -> npt.NDArray[Any]:
            parts = [
                _take_codes(
                    values(chunk.dictionary.to_pylist()),
                    chunk.indices.cast(pyarrow.int64()).fill_null(-1).to_numpy(),
                )
                for chunk in column.chunks
            ]
            return np.concatenate(parts) if parts else np.empty(0)

        return _FLOAT64, read


def reads_as_number(dtype: pyarrow.DataType) -> bool:
    """Whether an Arrow column can be a feature without categories."""
    from pyarrow import types

    readable = (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean)
    return any(is_(dtype) for is_ in (*readable, types.is_dictionary, types.is_null))


def _arrow_numbers(column: Any, dtype: Any) -> npt.NDArray[Any]:
    """Convert a numeric chunked array to floats, nulls as NaN; int64 rounds as numpy does."""
    if column.type != dtype:
        column = column.cast(dtype, safe=False)
    array: npt.NDArray[Any] = column.to_numpy()
    return array


def _column_name(column: Any) -> str:
    """Name a pandas column as text; levels of a MultiIndex joined as XGBoost does."""
    return " ".join(str(part) for part in column) if isinstance(column, tuple) else str(column)


def table_source(X: Any, kind: str, schema: InputSchema) -> Source:
    """Make the source for a DataFrame, Table or RecordBatch of the named package."""
    name = type(X).__name__
    if kind == "pandas" and hasattr(X, "columns"):
        return PandasSource(X, schema)
    if kind == "polars" and hasattr(X, "height"):
        return PolarsSource(X, schema)
    if kind == "pyarrow" and hasattr(X, "schema") and hasattr(X, "num_rows"):
        return ArrowSource(X, schema)
    hint = "; call collect() first" if name == "LazyFrame" else ""
    raise InvalidInputError(f"cannot read rows from a {kind} {name}{hint}")


def series_source(X: Any, kind: str, schema: InputSchema) -> Source:
    """Make the source for a pandas or polars Series that is one row; its labels name columns."""
    values = X.to_numpy()
    labelled = kind == "pandas" and all(isinstance(label, str) for label in X.index)
    if kind == "pandas" and (
        values.dtype.kind not in "biuf" or (labelled and schema.feature_categories)
    ):
        # a row of a DataFrame: give its columns their dtypes back
        frame = X.to_frame().T.infer_objects()
        held = {frame.columns[j]: object for j in schema.feature_categories if j < len(X)}
        return PandasSource(frame.astype(held), schema)  # a row holds values, not codes
    names = [str(label) for label in X.index] if labelled else None
    values = values if values.dtype.kind in "biuf" else values.astype(object)
    return ArraySource(values.reshape(1, -1), schema, names)
