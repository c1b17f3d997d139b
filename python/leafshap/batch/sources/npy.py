"""Matrices in .npy files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.batch.sources.listing import InputFile
from leafshap.batch.sources.mapping import Mapping
from leafshap.batch.sources.row_file import RowFile
from leafshap.errors import InvalidInputError

if TYPE_CHECKING:
    import pyarrow as pa


def open_file(file: InputFile, known: dict[str, Any]) -> MatrixFile:
    """Open a .npy file."""
    return MatrixFile(file)


class MatrixFile(RowFile):
    """A matrix of numbers, mapped into memory; columns are named "0", "1", ..."""

    def __init__(self, file: InputFile) -> None:
        import pyarrow as pa

        self.name = file.name
        self._path = file.path
        matrix, _ = self._matrix()
        self._dtype = matrix.dtype.newbyteorder("=")
        if self._dtype == np.float16:  # half of Arrow's functions do not know it
            self._dtype = np.dtype(np.float32)
        kind = pa.from_numpy_dtype(self._dtype)
        self.schema: pa.Schema = pa.schema([(str(j), kind) for j in range(matrix.shape[1])])
        self.n_rows = len(matrix)

    def batches(
        self, columns: list[str], first_row: int, batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """Copy the columns out of blocks of rows."""
        import pyarrow as pa

        matrix, mapping = self._matrix()
        for start in range(first_row, len(matrix), batch_rows):
            block = matrix[start : start + batch_rows]
            arrays = [
                pa.array(np.ascontiguousarray(block[:, int(name)], dtype=self._dtype))
                for name in columns
            ]
            yield pa.RecordBatch.from_arrays(arrays, names=columns)
            if mapping is not None:
                mapping.done_with(block.nbytes)

    def _matrix(self) -> tuple[npt.NDArray[Any], Mapping | None]:
        """Map the file: its matrix (n, F), and what to tell when rows have been read."""
        with open(self._path, "rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0
            if version != (1, 0):
                read = np.lib.format.read_array_header_2_0
            shape, fortran_order, dtype = read(file)
            offset = file.tell()
        if len(shape) != 2:
            raise InvalidInputError(
                f"{self.name}: expected a matrix (rows, columns), got {len(shape)}-D"
            )
        if dtype.kind not in "biuf" or dtype.itemsize > 8:
            raise InvalidInputError(f"{self.name}: expected numbers, got dtype {dtype}")
        if 0 in shape:
            return np.empty(shape, dtype=dtype), None
        mapping = Mapping(self._path)
        n_there = (len(mapping.bytes) - offset) // dtype.itemsize
        if n_there < shape[0] * shape[1]:
            raise InvalidInputError(
                f"{self.name}: the file ends after {n_there // shape[1]} of its {shape[0]} rows"
            )
        flat = np.frombuffer(mapping.bytes, dtype=dtype, offset=offset, count=shape[0] * shape[1])
        if fortran_order:
            return flat.reshape(shape[::-1]).T, mapping
        return flat.reshape(shape), mapping
