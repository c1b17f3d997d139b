"""Explanation: SHAP values together with what is needed to read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.inputs import container_of, take_rows

if TYPE_CHECKING:
    import shap

Values = npt.NDArray[np.float32] | npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Explanation:
    """SHAP values of n rows, F features and K outputs.

    Attributes
    ----------
    values : ndarray of float32 or float64
        phi, of shape (n, F), or (n, F, K) with several outputs; interaction values have the F axis
        twice. Without the row axis for a single row.
    base_values : ndarray of float64
        What the values of a row add up from, shape (n,) or (n, K); () or (K,) for a single row.
    data : array, table or sparse matrix, optional
        The explained rows in the container they were given in.
    feature_names, output_names : list of str, optional
    single_row : bool
        Whether this explains one row, without the row axis.
    standard_errors : ndarray, optional
        Of every value, in the shape of `values`; only estimates have them.
    exact : bool
        Whether the values are exact rather than estimated.
    n_evaluations : ndarray of int64, shape (n,), or int for a single row, optional
        Coalitions evaluated, where that is a choice.
    compute_time : float, optional
        Seconds.

    Notes
    -----
    ``explanation[i]`` is one row; a slice, an integer array or a mask gives several.
    """

    values: Values
    base_values: npt.NDArray[np.float64]
    data: Any = None
    feature_names: list[str] | None = None
    output_names: list[str] | None = None
    single_row: bool = False
    standard_errors: Values | None = None
    exact: bool = True
    n_evaluations: npt.NDArray[np.int64] | int | None = None
    compute_time: float | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of `values`."""
        return self.values.shape

    def __len__(self) -> int:
        """Return the number of rows."""
        if self.single_row:
            raise TypeError("an explanation of a single row has no length")
        return len(self.values)

    def __getitem__(self, key: Any) -> Explanation:
        if self.single_row:
            raise TypeError("an explanation of a single row cannot be sliced: use .values")
        rows, single = select_rows(key, len(self))
        errors, spent = self.standard_errors, self.n_evaluations
        return replace(
            self,
            values=self.values[rows],
            base_values=np.asarray(self.base_values[rows]),
            data=None if self.data is None else take_rows(self.data, rows),
            single_row=single,
            standard_errors=None if errors is None else errors[rows],
            n_evaluations=spent[rows] if isinstance(spent, np.ndarray) else spent,
        )

    def __iter__(self) -> Iterator[Explanation]:
        return (self[i] for i in range(len(self)))

    def to_shap(self) -> shap.Explanation:
        """Return the same as a `shap.Explanation`, for shap's plots.

        Raises
        ------
        ImportError
            If shap is not installed.
        """
        import shap

        names = self.output_names
        if names is None and self.base_values.ndim == (1 if self.single_row else 2):
            names = [f"Output {k}" for k in range(self.base_values.shape[-1])]
        data = _displayed(self.data)
        if self.single_row and data is not None and data.ndim == 2:
            data = data[0]  # of a table or a sparse matrix
        return shap.Explanation(
            self.values,
            base_values=self.base_values[()],
            data=data,
            feature_names=self.feature_names,
            output_names=names,
            error_std=self.standard_errors,
            compute_time=self.compute_time,
        )

    def __repr__(self) -> str:
        rows = "1 row" if self.single_row else f"{len(self)} rows"
        n_features = self.values.shape[0 if self.single_row else 1]
        outputs = self.base_values.shape[0 if self.single_row else 1 :]
        several = f", {outputs[0]} outputs" if outputs else ""
        kind = "exact" if self.exact else "estimated"
        return (
            f"<Explanation: {rows}, {n_features} features{several}, {kind}, {self.values.dtype}, "
            f"values of shape {self.shape}>"
        )


def select_rows(key: Any, n_rows: int) -> tuple[Any, bool]:
    """Turn what stands in ``[...]`` into an index of rows, and tell whether it is one row.

    Raises
    ------
    TypeError
        If it does not select rows.
    IndexError
        If it is a mask of another length.
    """
    if isinstance(key, tuple):
        raise TypeError("only rows can be selected: use .values for features and outputs")
    if isinstance(key, slice):
        return key, False
    key = np.asarray(key)
    if key.size == 0:
        key = key.astype(np.intp)
    if key.dtype.kind not in "biu" or key.ndim > 1:
        raise TypeError("rows are selected by an integer, a slice, a mask or integers")
    if key.dtype.kind == "b" and key.shape != (n_rows,):
        raise IndexError(f"a mask needs one entry for each of the {n_rows} rows")
    if key.ndim == 0:
        return int(key), True
    return np.flatnonzero(key) if key.dtype.kind == "b" else key, False


def _displayed(data: Any) -> npt.NDArray[Any] | None:
    """Turn the explained rows into an array of what the user sees (objects if mixed)."""
    if data is None:
        return None
    kind = container_of(data)
    if kind == "sparse":
        dense: npt.NDArray[Any] = data.toarray()
        return dense
    if kind == "pyarrow":
        columns = [data.column(j).to_numpy(zero_copy_only=False) for j in range(data.num_columns)]
        return np.stack(columns, axis=1) if columns else np.empty((data.num_rows, 0))
    return np.asarray(data.to_numpy() if hasattr(data, "to_numpy") else data)
