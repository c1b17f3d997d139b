"""The user's data as shap's plots can draw it.

shap's plots want arrays of numbers and stop, or draw nonsense, at text, categories and missing
values of some kinds. Here every column becomes numbers, by one rule:

* numbers and truth values stay what they are, missing ones are NaN, and infinite ones are the
  largest or smallest finite value;
* of any other column each value that occurs is a category, numbered 0, 1, ... in the order of the
  column's type (pandas categories, polars Enum) or sorted; missing is a category of its own, the
  last;
* a plot that colours by low and high gets no colour for categories, unless their type says that
  they are ordered.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.columns import is_missing
from leafshap.inputs import container_of
from leafshap.plots.style import number_text

Floats = npt.NDArray[np.float64]

MISSING = "missing"


@dataclass(frozen=True, eq=False)
class DrawableColumn:
    """One feature of n rows.

    Attributes
    ----------
    numbers : ndarray of float64, shape (n,)
        Numbers, NaN where missing; or numbers of categories.
    categories : list of str, or None
        Text of each category; None for numbers.
    ordered : bool
        Whether the categories are known to have an order.
    has_missing : bool
        Whether the last category stands for missing values.
    """

    numbers: Floats
    categories: list[str] | None = None
    ordered: bool = False
    has_missing: bool = False

    @property
    def shades(self) -> Floats:
        """What to colour by from low to high; NaN is grey. Shape (n,)."""
        if self.categories is None:
            return self.numbers
        if not self.ordered:
            return np.full(len(self.numbers), np.nan)
        codes = self.numbers.copy()
        if self.has_missing:
            codes[codes == len(self.categories) - 1] = np.nan
        return codes

    @property
    def texts(self) -> list[str]:
        """What to write for each row."""
        if self.categories is not None:
            return [self.categories[int(code)] for code in self.numbers]
        return [MISSING if np.isnan(v) else number_text(v) for v in self.numbers]


def read_drawable(data: Any, n_rows: int, n_features: int) -> list[DrawableColumn] | None:
    """Read every column of an explanation's data; None if there is none.

    Parameters
    ----------
    data : array, table, Series or sparse matrix, or None
        n rows, or a single one without the row axis.
    """
    if data is None:
        return None
    kind = container_of(data)
    if kind == "pandas" and data.ndim == 2:
        return [_pandas_column(data.iloc[:, j]) for j in range(n_features)]
    if kind == "polars" and hasattr(data, "columns"):
        return [_polars_column(data.to_series(j)) for j in range(n_features)]
    if kind == "pyarrow" and hasattr(data, "num_columns"):
        return [_of_values(data.column(j).to_pylist()) for j in range(n_features)]
    if kind == "sparse":
        data = data.toarray()
    elif kind == "pyarrow":
        data = data.to_pylist()
    elif kind != "array":  # a Series
        data = data.to_list()
    array = data if isinstance(data, np.ndarray) else np.asarray(data, dtype=object)
    if isinstance(array, np.ma.MaskedArray):
        array = np.ma.filled(array.astype(np.float64), np.nan)
    array = array.reshape(n_rows, n_features)
    if array.dtype.kind in "biuf":
        return [DrawableColumn(_finite(array[:, j].astype(np.float64))) for j in range(n_features)]
    return [_of_values(array[:, j].tolist()) for j in range(n_features)]


def _pandas_column(column: Any) -> DrawableColumn:
    dtype = column.dtype
    if hasattr(dtype, "categories") and hasattr(column, "cat"):
        known = dtype.categories.tolist()
        return _of_values(column.tolist(), known, bool(dtype.ordered))
    if getattr(dtype, "kind", "O") in "biuf":
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return DrawableColumn(_finite(np.array(numbers)))
    return _of_values(column.tolist())


def _polars_column(column: Any) -> DrawableColumn:
    known = None
    if type(column.dtype).__name__ == "Enum":
        known = column.dtype.categories.to_list()
    return _of_values(column.to_list(), known)


def _of_values(
    values: list[Any], known: Sequence[Any] | None = None, ordered: bool = False
) -> DrawableColumn:
    """Numbers if all values are numbers and no categories are `known`, else categories."""
    missing = [is_missing(value) for value in values]
    if known is None:
        values = [value if isinstance(value, Hashable) else str(value) for value in values]
        if all(
            gone or isinstance(value, (int, float, np.number, np.bool_))
            for value, gone in zip(values, missing, strict=True)
        ):
            pairs = zip(values, missing, strict=True)
            return DrawableColumn(_finite(np.array([np.nan if m else float(v) for v, m in pairs])))
        present = {value for value, gone in zip(values, missing, strict=True) if not gone}
        try:
            known = sorted(present)
        except TypeError:  # numbers and text
            known = sorted(present, key=lambda value: (isinstance(value, str), str(value)))
    else:
        present = {value for value, gone in zip(values, missing, strict=True) if not gone}
        known = [value for value in known if value in present]
    code = {value: i for i, value in enumerate(known)}
    categories = [_category_text(value) for value in known]
    if any(missing):
        categories.append(MISSING)
    numbers = [
        len(categories) - 1 if gone else code[value]
        for value, gone in zip(values, missing, strict=True)
    ]
    codes = np.array(numbers, dtype=np.float64)
    return DrawableColumn(codes, categories, ordered, any(missing))


def _category_text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return number_text(value) if isinstance(value, float) else str(value)


def _finite(numbers: Floats) -> Floats:
    """Put the largest and smallest finite number in place of infinity; NaN stays."""
    infinite = np.isinf(numbers)
    if not infinite.any():
        return numbers
    finite = numbers[np.isfinite(numbers)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
    out = numbers.copy()
    out[infinite & (numbers > 0)] = high
    out[infinite & (numbers < 0)] = low
    return out
