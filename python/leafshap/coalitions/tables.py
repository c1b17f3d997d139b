"""Masking of polars DataFrames and pyarrow Tables, with the types of their columns kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.coalitions.columnar import Column, ColumnMasker
from leafshap.coalitions.masking import check_names, codes_of_objects
from leafshap.errors import InvalidInputError
from leafshap.inputs import container_of


class TableBackground:
    """Background rows of a polars DataFrame or a pyarrow Table; the function gets the same kind."""

    def __init__(self, table: Any) -> None:
        self._kind = container_of(table)
        self._table = table.clone() if self._kind == "polars" else table  # pyarrow's never change
        self._names: list[str] = table.columns if self._kind == "polars" else table.column_names
        if len(set(self._names)) < len(self._names):
            raise InvalidInputError("two columns have the same name")
        self.names: list[Any] | None = list(self._names)
        self.n_rows, self.n_columns = table.shape
        self.row_bytes = _bytes_of(table) / max(1, self.n_rows)

    def copy(self, start: int, stop: int) -> Any:
        """Background rows; writing into them would not change these."""
        return self._table.slice(start, stop - start)

    def select(self, rows: npt.NDArray[np.intp]) -> TableBackground:
        """Keep only some rows."""
        return TableBackground(self._table[rows] if self._polars else self._table.take(rows))

    @property
    def _polars(self) -> bool:
        return self._kind == "polars"

    def masker(self, X: Any) -> tuple[ColumnMasker, bool]:
        """Bring rows to explain to the background's types."""
        if container_of(X) != self._kind or not hasattr(X, "columns"):
            raise InvalidInputError(
                f"the background is a {self._kind} table, X is a {type(X).__name__}: give both as "
                "the same kind"
            )
        check_names(list(X.columns if self._polars else X.column_names), self._names)
        pool = self._pool(X)
        columns = [self._column(pool, name, len(X)) for name in self._names]
        explained = pool.slice(self.n_rows, len(X))

        def rows(start: int, stop: int) -> Any:
            return explained.slice(start, stop - start)

        def assemble(values: list[Any]) -> Any:
            if self._polars:
                return type(pool)(dict(zip(self._names, values, strict=True)))
            return type(pool).from_arrays(values, schema=pool.schema)

        return ColumnMasker(columns, rows, len(X), assemble), False

    def _pool(self, X: Any) -> Any:
        """Background and X as one table, of types that hold both."""
        try:
            if self._polars:
                import polars

                pool = polars.concat([self._table, X], how="vertical_relaxed", rechunk=True)
            else:
                import pyarrow

                tables = [self._table, X]
                pool = pyarrow.concat_tables(tables, promote_options="permissive").combine_chunks()
        except Exception as error:  # each library has its own
            raise InvalidInputError(
                f"the columns of X are not of the background's types: {error}"
            ) from error
        for name, ours, found in zip(self._names, _types(self._table), _types(pool), strict=True):
            if ours != found and str(found).lower() in ("string", "object"):
                raise InvalidInputError(f"column {name!r} is {ours} in the background, text in X")
        return pool

    def _column(self, pool: Any, name: str, n_explained: int) -> Column:
        column = pool[name]
        keys = codes_of_objects(column.to_list() if self._polars else column.to_pylist())
        take = column.gather if self._polars else column.take
        size = _bytes_of(column) / max(1, len(column))
        return Column.of_pool(self.n_rows, n_explained, take, keys, size)


def _bytes_of(data: Any) -> int:
    return int(data.estimated_size() if hasattr(data, "estimated_size") else data.nbytes)


def _types(table: Any) -> list[Any]:
    return list(table.dtypes if hasattr(table, "dtypes") else table.schema.types)
