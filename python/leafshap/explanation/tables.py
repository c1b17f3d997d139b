"""A light table: named columns, for what is longer than it is wide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError, MissingDependencyError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Columns = Sequence[tuple[str, npt.NDArray[Any]]]  # names may repeat

_SHOWN = 12


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """Columns of equal length.

    Attributes
    ----------
    columns : dict of str to ndarray, each of shape (n,)

    Notes
    -----
    ``table["phi"]`` is a column, ``len(table)`` the number of rows.
    """

    columns: dict[str, npt.NDArray[Any]]

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        if name not in self.columns:
            raise InvalidInputError(f"no column {name!r}; there are: {', '.join(self.columns)}")
        return self.columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.columns.values())))

    def head(self, n: int) -> Table:
        """Return the first n rows."""
        return Table({name: column[:n] for name, column in self.columns.items()})

    def to_pandas(self) -> pd.DataFrame:
        """Return a DataFrame.

        Raises
        ------
        MissingDependencyError
            If pandas is not installed.
        """
        return import_pandas().DataFrame(self.columns)

    def to_arrow(self) -> pa.Table:
        """Return a pyarrow Table; a column of mixed objects becomes text.

        Raises
        ------
        MissingDependencyError
            If pyarrow is not installed.
        """
        pyarrow = import_pyarrow()
        return pyarrow.table({k: _arrow_column(pyarrow, v) for k, v in self.columns.items()})

    def __repr__(self) -> str:
        return text_table(list(self.columns.items()), _SHOWN)

    def _repr_html_(self) -> str:
        from leafshap.explanation.html import table_html

        return table_html(list(self.columns.items()))


def import_pandas() -> Any:
    """Import pandas, or say how to get it."""
    try:
        import pandas
    except ImportError as error:
        raise MissingDependencyError("to_pandas needs pandas: pip install pandas") from error
    return pandas


def import_pyarrow() -> Any:
    """Import pyarrow, or say how to get it."""
    try:
        import pyarrow
    except ImportError as error:
        raise MissingDependencyError("to_arrow needs pyarrow: pip install pyarrow") from error
    return pyarrow


def format_cell(value: Any) -> str:
    """Show a number with four digits, anything else as `label_text` does."""
    if isinstance(value, (float, np.floating)):
        return f"{value:.4g}"
    return label_text(value)


def label_text(value: Any) -> str:
    """Show a value in full; a date without a time of day that is zero."""
    if not isinstance(value, np.datetime64):
        return str(value)
    day, _, time = str(value).partition("T")
    if "." in time:
        time = time.rstrip("0").rstrip(".")
    return day if not time.strip("0:") else f"{day} {time}"


def text_table(columns: Columns, most: int) -> str:
    """Columns side by side, numbers to the right, at most so many rows."""
    n = len(columns[0][1])
    cells = [_aligned([name, *map(format_cell, column[:most])], column) for name, column in columns]
    lines = []
    for line in zip(*cells, strict=True):
        lines.append("  ".join(line).rstrip())
    return "\n".join(lines + ([f"... {n - most} more"] if n > most else []))


def _aligned(cells: list[str], column: npt.NDArray[Any]) -> list[str]:
    width = max(map(len, cells))
    left = column.dtype.kind not in "biuf"
    return [f"{cell:<{width}}" if left else f"{cell:>{width}}" for cell in cells]


def _arrow_column(pyarrow: Any, column: npt.NDArray[Any]) -> Any:
    if column.dtype == object and not len(column):  # of names
        return pyarrow.array([], pyarrow.string())
    try:
        return pyarrow.array(column, from_pandas=True)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):
        return pyarrow.array([None if v is None else str(v) for v in column.tolist()])
