"""Masking of pandas DataFrames, whose dtypes the function gets exactly as the background has them.

Only where a row to explain has a value that the background's dtype cannot hold (a missing value
among integers) the column gets the type that pandas would give both; a category that the
background's dtype does not have is an error, because a model would not know it either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.coalitions.arrays import ArrayMasker, as_matrix
from leafshap.coalitions.columnar import Column, ColumnMasker
from leafshap.coalitions.masking import (
    Bools,
    Cells,
    Masker,
    check_n_columns,
    check_names,
    codes_of_objects,
)
from leafshap.errors import InvalidInputError
from leafshap.inputs import container_of

if TYPE_CHECKING:
    import pandas


class FrameBackground:
    """Background rows of a DataFrame; the function gets DataFrames with the same columns."""

    def __init__(self, frame: pandas.DataFrame) -> None:
        if not frame.columns.is_unique:
            name = frame.columns[frame.columns.duplicated()][0]
            raise InvalidInputError(f"two columns are called {name!r}")
        self._frame = frame.reset_index(drop=True).copy()
        self.names: list[Any] | None = list(frame.columns)
        self.n_rows, self.n_columns = frame.shape
        self.row_bytes = float(frame.memory_usage(index=False).sum() / max(1, len(frame)))

    def copy(self, start: int, stop: int) -> pandas.DataFrame:
        """Copy background rows."""
        return self._frame.iloc[start:stop].reset_index(drop=True).copy()

    def select(self, rows: npt.NDArray[np.intp]) -> FrameBackground:
        """Keep only some rows."""
        return FrameBackground(self._frame.iloc[rows])

    def masker(self, X: Any) -> tuple[Masker, bool]:
        """Bring rows to explain to the background's dtypes."""
        import pandas

        frame, single = self._frame_of(X)
        names = self._frame.columns
        ours, theirs = {}, {}
        for j in range(self.n_columns):
            ours[j], theirs[j] = _same_dtype(
                self._frame.iloc[:, j], frame.iloc[:, j], f"column {names[j]!r}"
            )
        background = pandas.DataFrame(ours)
        explained = pandas.DataFrame(theirs, index=pandas.RangeIndex(len(frame)))
        background.columns = explained.columns = names
        dtypes = list(background.dtypes)
        if isinstance(dtypes[0], np.dtype) and dtypes[0].kind != "O" and len(set(dtypes)) == 1:
            return _MatrixMasker(background, explained), single
        columns = [_column(background.iloc[:, j], explained.iloc[:, j]) for j in range(len(names))]

        def rows(start: int, stop: int) -> pandas.DataFrame:
            return explained.iloc[start:stop].reset_index(drop=True).copy()

        def assemble(values: list[Any]) -> pandas.DataFrame:
            made = pandas.DataFrame(dict(enumerate(values)), copy=False)
            made.columns = names
            return made

        return ColumnMasker(columns, rows, len(explained), assemble), single

    def _frame_of(self, X: Any) -> tuple[pandas.DataFrame, bool]:
        """Rows to explain as a DataFrame with the background's columns, its dtypes any."""
        import pandas

        if isinstance(X, pandas.Series):
            X, single = frame_of_series(X), True
        elif isinstance(X, pandas.DataFrame):
            single = False
        else:
            if (kind := container_of(X)) != "array":
                raise InvalidInputError(
                    f"the background is a pandas DataFrame, X is a {kind} {type(X).__name__}: "
                    "convert one of them"
                )
            values, single = as_matrix(X)
            check_n_columns(values.shape[1], self.n_columns)
            columns = {
                j: pandas.Series(values[:, j], dtype=object if values.dtype.kind == "O" else None)
                for j in range(self.n_columns)
            }
            return pandas.DataFrame(columns), single
        check_names(list(X.columns), list(self._frame.columns))
        return X.reset_index(drop=True), single


def frame_of_series(row: pandas.Series) -> pandas.DataFrame:
    """One row of a DataFrame, with dtypes again that fit its values."""
    return row.to_frame().T.infer_objects().reset_index(drop=True)


def _same_dtype(
    background: pandas.Series, explained: pandas.Series, label: str
) -> tuple[pandas.Series, pandas.Series]:
    """One dtype for a column of the background and of X, which holds the values of both."""
    import pandas

    dtype = background.dtype
    if isinstance(dtype, pandas.CategoricalDtype):
        # pandas calls unordered categories equal in any order, but their codes are not
        return background, _categories(explained, dtype, label)
    if explained.dtype == dtype:
        return background, explained
    if pandas.api.types.is_object_dtype(dtype):
        return background, explained.astype(object)
    explained = explained.infer_objects()
    try:
        cast = explained.astype(dtype)
        if _same_values(explained, cast):
            return background, cast
    except (TypeError, ValueError, OverflowError):
        pass
    common = pandas.concat([background, explained], ignore_index=True)
    if pandas.api.types.is_object_dtype(common.dtype):
        held = explained[explained.notna()]
        value = f" ({held.iloc[0]!r})" if len(held) else ""
        raise InvalidInputError(
            f"{label} is {dtype} in the background, but {explained.dtype} in X{value}"
        )
    return common.iloc[: len(background)], common.iloc[len(background) :].reset_index(drop=True)


def _categories(explained: pandas.Series, dtype: Any, label: str) -> pandas.Series:
    """Categories of X as those of the background's dtype, by value."""
    import pandas

    values = explained.astype(object)
    codes = dtype.categories.get_indexer(values)
    wrong = np.flatnonzero((codes < 0) & values.notna().to_numpy())
    if wrong.size:
        raise InvalidInputError(
            f"{label}: {values.iloc[wrong[0]]!r} in row {wrong[0]} of X is none of the "
            f"{len(dtype.categories)} categories of the background's dtype; give the background "
            "the categories of the training data, for example "
            "background[column].astype(train[column].dtype)"
        )
    return pandas.Series(pandas.Categorical.from_codes(codes, dtype=dtype), index=explained.index)


def _same_values(left: pandas.Series, right: pandas.Series) -> bool:
    ours, theirs = left.astype(object), right.astype(object)
    both_missing = (ours.isna() & theirs.isna()).to_numpy()
    pairs = zip(ours.array[~both_missing], theirs.array[~both_missing], strict=True)
    return all(a is b or bool(np.all(a == b)) for a, b in pairs)


def _column(background: pandas.Series, explained: pandas.Series) -> Column:
    """Codes of a column: values where numpy holds them, numbers of categories, or positions."""
    import pandas

    dtype, n, m = background.dtype, len(explained), len(background)
    if isinstance(dtype, np.dtype):
        ours, theirs = background.to_numpy(), explained.to_numpy()
        if dtype.kind != "O":
            return Column(ours, theirs, lambda values: values, (ours, theirs), dtype.itemsize)
        codes = codes_of_objects(np.concatenate([ours, theirs]))

        def as_objects(values: npt.NDArray[Any]) -> pandas.Series:
            return pandas.Series(values, dtype=object, copy=False)  # pandas would look for text

        return Column(ours, theirs, as_objects, (codes[:m], codes[m:]), dtype.itemsize)
    if isinstance(dtype, pandas.CategoricalDtype):
        ours, theirs = background.cat.codes.to_numpy(), explained.cat.codes.to_numpy()

        def from_codes(codes: npt.NDArray[Any]) -> pandas.Categorical:
            return pandas.Categorical.from_codes(codes, dtype=dtype)

        return Column(ours, theirs, from_codes, (ours, theirs), 2 * ours.itemsize)
    pool = pandas.concat([background, explained], ignore_index=True).array
    keys = pandas.factorize(pool)[0]
    return Column.of_pool(m, n, pool.take, keys, pool.nbytes / len(pool))


class _MatrixMasker:
    """DataFrames whose columns all have the same dtype of numpy: one block of memory."""

    def __init__(self, background: pandas.DataFrame, explained: pandas.DataFrame) -> None:
        ours = np.ascontiguousarray(background.to_numpy())
        self._masker = ArrayMasker(ours, np.ascontiguousarray(explained.to_numpy()))
        self._names = background.columns
        self.n_rows = self._masker.n_rows
        self.row_bytes = self._masker.row_bytes

    def explained(self, start: int, stop: int) -> pandas.DataFrame:
        """Copy rows to explain."""
        return self._frame(self._masker.explained(start, stop))

    def mixed(self, cells: Cells) -> pandas.DataFrame:
        """Make the synthetic rows of some cells."""
        return self._frame(self._masker.mixed(cells))

    def differs(self) -> Bools:
        """Tell whether values differ from the background's, shape (n, F)."""
        return self._masker.differs()

    def _frame(self, values: npt.NDArray[Any]) -> pandas.DataFrame:
        import pandas

        return pandas.DataFrame(values, columns=self._names, copy=False)
