"""Masking of scipy's sparse matrices; the function gets CSR, matrix or array as the background."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.coalitions.arrays import as_matrix
from leafshap.coalitions.masking import Bools, Cells, check_n_columns
from leafshap.errors import InvalidInputError
from leafshap.inputs import container_of


class SparseBackground:
    """Background rows of a sparse matrix; an absent entry is 0."""

    names: list[Any] | None = None

    def __init__(self, X: Any) -> None:
        self._csr = _canonical(X)
        self.n_rows, self.n_columns = (int(n) for n in self._csr.shape)
        self.row_bytes = _bytes_of_rows(self._csr, self._csr.nnz / max(1, self.n_rows))

    def copy(self, start: int, stop: int) -> Any:
        """Copy background rows."""
        return self._csr[start:stop].copy()

    def select(self, rows: npt.NDArray[np.intp]) -> SparseBackground:
        """Keep only some rows."""
        return SparseBackground(self._csr[rows])

    def masker(self, X: Any) -> tuple[SparseMasker, bool]:
        """Read rows to explain, which may be dense."""
        kind = container_of(X)
        if kind == "sparse":
            single = X.ndim == 1
            rows = X.reshape((1, -1)) if single else X
        elif kind == "array":
            values, single = as_matrix(X)
            rows = type(self._csr)(values)
        else:
            raise InvalidInputError(
                f"the background is a sparse matrix, X is a {kind} {type(X).__name__}: convert it"
            )
        check_n_columns(rows.shape[1], self.n_columns)
        explained = type(self._csr)(_canonical(rows))
        dtype = np.result_type(self._csr.dtype, explained.dtype)
        return SparseMasker(self._csr.astype(dtype), explained.astype(dtype)), single


def _canonical(X: Any) -> Any:
    """Copy to CSR with sorted entries that occur once."""
    csr = X.tocsr(copy=True)
    csr.sum_duplicates()
    return csr


def _bytes_of_rows(csr: Any, entries: float) -> float:
    return float(entries * (csr.data.itemsize + csr.indices.itemsize) + csr.indptr.itemsize)


class SparseMasker:
    """Synthetic rows as CSR: entries of the background outside, of x inside a coalition."""

    def __init__(self, background: Any, explained: Any) -> None:
        self._background = background
        self._explained = explained
        self.n_rows = int(explained.shape[0])
        most = int(np.diff(explained.indptr).max(initial=0))
        entries = background.nnz / max(1, background.shape[0]) + most
        self.row_bytes = _bytes_of_rows(background, entries)

    def explained(self, start: int, stop: int) -> Any:
        """Copy rows to explain."""
        return self._explained[start:stop].copy()

    def mixed(self, cells: Cells) -> Any:
        """Make the synthetic rows of some cells."""
        from scipy.sparse import coo_array

        m = cells.n_background
        outside = self._background[cells.start : cells.stop]
        inside = self._explained[cells.rows]
        # background entries: the same for all cells of a coalition
        kept = ~cells.holds(outside.indices)[cells.coalition]
        cell, entry = np.nonzero(kept)
        rows = [cell * m + _row_of_entries(outside)[entry]]
        columns = [outside.indices[entry]]
        values = [outside.data[entry]]
        # entries of x: once for each background row
        cell = _row_of_entries(inside)
        coalition = cells.coalition[cell]
        member = np.hstack([cells.members, np.zeros((len(cells.members), 1), dtype=np.bool_)])
        kept = member[coalition, cells.player[inside.indices]]
        rows.append((cell[kept, np.newaxis] * m + np.arange(m)).reshape(-1))
        columns.append(np.repeat(inside.indices[kept], m))
        values.append(np.repeat(inside.data[kept], m))
        data = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
        made = coo_array(data, shape=(len(cells) * m, outside.shape[1])).tocsr()
        return type(self._background)(made)

    def differs(self) -> Bools:
        """Tell whether values differ from the background's, shape (n, F)."""
        background, explained = self._background, self._explained
        m, n_columns = background.shape
        entries = np.bincount(background.indices, minlength=n_columns)
        value = np.zeros(n_columns, dtype=background.dtype)
        value[background.indices] = background.data  # any of a column's entries
        unequal = background.data != value[background.indices]
        n_unequal = np.bincount(background.indices[unequal], minlength=n_columns)
        # constant: no entry but 0, or an entry of the same value in each row
        constant = ((entries == m) | (value == 0)) & (n_unequal == 0)
        out = np.empty((self.n_rows, n_columns), dtype=np.bool_)
        out[:] = ~constant | (value != 0)
        row, column = _row_of_entries(explained), explained.indices
        out[row, column] = ~constant[column] | (explained.data != value[column])
        return out


def _row_of_entries(csr: Any) -> npt.NDArray[np.int64]:
    return np.repeat(np.arange(csr.shape[0]), np.diff(csr.indptr))
