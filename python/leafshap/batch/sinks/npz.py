"""Output as a .npz archive of numpy arrays."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.batch.sinks.arrow import ArrowSink
from leafshap.batch.sinks.parts import Parts
from leafshap.errors import InvalidInputError

if TYPE_CHECKING:
    import pyarrow as pa

_EPOCH = (1980, 1, 1, 0, 0, 0)  # zip's first day: the same rows give the same bytes


class NpzSink:
    """Collects rows in an Arrow file beside the output, and writes that column by column.

    Parameters
    ----------
    path : Path
    schema : pyarrow.Schema
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._rows = path.with_name(f"{path.name}.rows")
        self._sink = ArrowSink(self._rows, schema)

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        self._sink.write(batch)

    def close(self) -> None:
        """Write the archive."""
        self._sink.close()
        write_npz(Parts([self._rows]), self._path)
        self._rows.unlink()


def write_npz(rows: Parts, path: Path) -> None:
    """Write an array for every column, in constant memory.

    Lists of fixed size are matrices. Missing numbers are NaN (integers with missing ones become
    float64), missing times NaT, missing text "". Text has the width of the longest one. Other types
    are written as Arrow spells them.

    Raises
    ------
    InvalidInputError
        If a column cannot be written; naming it.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for field in rows.schema:
            column = _Column(rows, field)
            member = zipfile.ZipInfo(f"{field.name}.npy", _EPOCH)
            with archive.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array_header_1_0(
                    file,
                    {
                        "descr": np.lib.format.dtype_to_descr(column.dtype),
                        "fortran_order": False,
                        "shape": (rows.n_rows, *column.row_shape),
                    },
                )
                for array in rows.column(field.name):
                    file.write(column.block(array).tobytes())


class _Column:
    """How a column's values become those of an array.

    Attributes
    ----------
    dtype : dtype
    row_shape : tuple of int
        (), or (size of the lists,).
    """

    def __init__(self, rows: Parts, field: pa.Field) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        self._name = field.name
        self.row_shape: tuple[int, ...] = ()
        kind = field.type
        if pa.types.is_fixed_size_list(kind):
            self.row_shape = (kind.list_size,)
            kind = kind.value_type
        self._cast = self._type_to_write(kind)
        if self._cast == pa.string():
            longest = (pc.max(pc.utf8_length(self._elements(a))) for a in rows.column(field.name))
            self.dtype = np.dtype(f"<U{max([length.as_py() or 1 for length in longest] or [1])}")
        else:
            nothing = pa.array([], self._cast).to_numpy(zero_copy_only=False)
            self.dtype = nothing.dtype
            if self.dtype.kind in "biu" and any(
                self._elements(array).null_count for array in rows.column(field.name)
            ):
                self.dtype = np.dtype(np.float64)

    def block(self, array: pa.Array) -> npt.NDArray[Any]:
        """Convert some rows."""
        elements = self._elements(array)
        if self.dtype.kind == "U":
            values = np.array(elements.fill_null("").to_pylist(), dtype=self.dtype)
        elif self.dtype == np.float64:
            values = self._as_floats(elements)
        else:
            values = elements.to_numpy(zero_copy_only=False)
        return np.ascontiguousarray(values.reshape(len(array), *self.row_shape))

    def _as_floats(self, elements: pa.Array) -> npt.NDArray[np.float64]:
        """Convert numbers or booleans, maybe with missing ones, which become NaN."""
        import pyarrow as pa

        try:
            kind = pa.int8() if pa.types.is_boolean(elements.type) else elements.type
            floats = elements.cast(kind).cast(pa.float64())
        except pa.ArrowInvalid as error:
            raise InvalidInputError(
                f"column {self._name!r} has missing values and integers beyond 2**53, which no "
                f"array can hold together: {error}"
            ) from error
        return np.asarray(floats.to_numpy(zero_copy_only=False), dtype=np.float64)

    def _elements(self, array: pa.Array) -> pa.Array:
        """Values of all rows one after the other."""
        if self.row_shape:
            size = self.row_shape[0]
            if array.null_count:
                raise InvalidInputError(f"column {self._name!r} has missing lists")
            array = array.values.slice(array.offset * size, len(array) * size)
        return array if array.type == self._cast else array.cast(self._cast)

    def _type_to_write(self, kind: pa.DataType) -> pa.DataType:
        import pyarrow as pa

        if pa.types.is_decimal(kind):
            return pa.float64()
        plain = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating,
                 pa.types.is_timestamp, pa.types.is_date, pa.types.is_duration)  # fmt: skip
        if any(is_kind(kind) for is_kind in plain):
            return kind
        try:
            pa.array([], kind).cast(pa.string())
        except pa.ArrowException:
            raise InvalidInputError(
                f"column {self._name!r} of type {kind} cannot be written as npz"
            ) from None
        return pa.string()
