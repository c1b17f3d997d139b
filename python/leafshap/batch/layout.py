"""What a batch of explained rows looks like: the columns of the output and their types."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError
from leafshap.explainers.additivity import CheckAdditivity, validate_which
from leafshap.integers import at_least

if TYPE_CHECKING:
    import pyarrow as pa

_VALUES = ("list", "columns", "none")
_MOST_COLUMNS = 20_000
# one pass over the values for each of the few strongest is quicker than sorting them all
_FEW = 8

# field metadata: the names of a list's elements, for formats that have no lists
ELEMENT_NAMES = b"leafshap.columns"


class OutputOptions(TypedDict, total=False):
    """What is written of every row; see `leafshap.batch.explain_batches`."""

    keys: Sequence[str]
    values: str
    base_value: bool
    prediction: bool
    top_k: int
    interactions: bool
    label: str | None
    check_additivity: CheckAdditivity


@dataclass(frozen=True)
class Output:
    """Checked `OutputOptions`."""

    keys: tuple[str, ...] = ()
    values: str = "list"
    base_value: bool = True
    prediction: bool = False
    top_k: int = 0
    interactions: bool = False
    label: str | None = None
    check_additivity: CheckAdditivity = "few"

    @classmethod
    def read(cls, options: OutputOptions) -> Output:
        """Check the options.

        Raises
        ------
        InvalidInputError
            If one is unknown, of the wrong kind or out of range.
        """
        unknown = sorted(set(options) - set(cls.__dataclass_fields__))
        if unknown:
            known = ", ".join(cls.__dataclass_fields__)
            raise InvalidInputError(
                f"unknown option {unknown[0]!r}: what is written of a row is told by {known}"
            )
        given: dict[str, Any] = dict(options)
        given["keys"] = _names(options.get("keys", ()), "keys")
        given["top_k"] = at_least(0, options.get("top_k", 0), "top_k")
        for name in ("base_value", "prediction", "interactions"):
            if name in given:
                given[name] = yes_or_no(given[name], name)
        if given.get("label") is not None and not isinstance(given["label"], str):
            raise InvalidInputError(f"label must be the name of a column, got {given['label']!r}")
        found = cls(**given)
        if found.values not in _VALUES:
            raise InvalidInputError(
                f"values must be one of {', '.join(map(repr, _VALUES))}, got {found.values!r}"
            )
        validate_which(found.check_additivity)
        return found


def _names(names: Any, what: str) -> tuple[str, ...]:
    found = (names,) if isinstance(names, str) else names
    if not isinstance(found, Iterable) or not all(isinstance(name, str) for name in found):
        raise InvalidInputError(f"{what} must be names of columns, got {names!r}")
    listed = tuple(found)
    if len(set(listed)) < len(listed):
        raise InvalidInputError(f"{what} names a column twice: {list(listed)}")
    return listed


def yes_or_no(value: Any, what: str) -> bool:
    """Check a flag.

    Raises
    ------
    InvalidInputError
        Naming `what` it is.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidInputError(f"{what} must be True or False, got {value!r}")
    return bool(value)


class Layout:
    """Columns of the output for a model's features and outputs.

    Parameters
    ----------
    output : Output
    names : list of str
        Of the F features (players).
    outputs : list of str or None
        Names of K > 1 outputs; None for a single one.
    dtype : str
        Of values, "float32" or "float64".

    Raises
    ------
    InvalidInputError
        If there would be too many columns.
    """

    def __init__(
        self, output: Output, names: Sequence[str], outputs: Sequence[str] | None, dtype: str
    ) -> None:
        self._output = output
        self.names = list(names)
        self.outputs = None if outputs is None else list(outputs)
        self._suffixes = [""] if outputs is None else [f"_{name}" for name in outputs]
        self._dtype = dtype
        elements = self._elements
        if output.values == "columns" and len(elements) * len(self._suffixes) > _MOST_COLUMNS:
            raise InvalidInputError(
                f'values="columns" would make {len(elements) * len(self._suffixes):,} columns: '
                'use values="list"'
            )

    @property
    def _elements(self) -> list[str]:
        """Name the numbers that are written of a row and output."""
        if not self._output.interactions:
            return [f"shap_{name}" for name in self.names]
        return [f"shap_{a}_{b}" for a in self.names for b in self.names]

    @property
    def top_k(self) -> int:
        """How many features a row tells: not more than there are."""
        return min(self._output.top_k, len(self.names))

    def fields(self) -> list[pa.Field]:
        """Fields of all columns but the keys."""
        import pyarrow as pa

        number = pa.type_for_alias(self._dtype)
        fields = []
        values = "shap_interaction_values" if self._output.interactions else "shap_values"
        elements = self._elements
        for suffix in self._suffixes:
            columns = [f"{element}{suffix}" for element in elements]
            if self._output.values == "list":
                list_type = pa.list_(number, len(elements))
                fields.append(_list_field(f"{values}{suffix}", list_type, columns))
            elif self._output.values == "columns":
                fields += [pa.field(column, number, nullable=False) for column in columns]
        for suffix in self._suffixes:
            if self._output.base_value:
                fields.append(pa.field(f"base_value{suffix}", pa.float64(), nullable=False))
            if self._output.prediction:
                fields.append(pa.field(f"prediction{suffix}", pa.float64(), nullable=False))
        for suffix in self._suffixes if self.top_k else ():
            for what, kind in (("feature", pa.string()), ("value", number)):
                columns = [f"top_{i + 1}_{what}{suffix}" for i in range(self.top_k)]
                list_type = pa.list_(kind, self.top_k)
                fields.append(_list_field(f"top_{what}s{suffix}", list_type, columns))
        return fields

    def arrays(
        self,
        values: npt.NDArray[Any],
        base_values: npt.NDArray[np.float64],
        interactions: npt.NDArray[Any] | None = None,
    ) -> list[pa.Array]:
        """Columns of some rows, in the order of `fields`.

        Parameters
        ----------
        values : ndarray, shape (n, F, K)
            SHAP values.
        base_values : ndarray, shape (n, K)
        interactions : ndarray, shape (n, F, F, K), optional
            What is written instead of the values, if the options say so.
        """
        import pyarrow as pa

        arrays = []
        written = values if interactions is None else interactions
        for k in range(values.shape[2]):
            numbers = written[..., k].reshape(len(values), math.prod(written.shape[1:-1]))
            if self._output.values == "list":
                arrays.append(_lists(pa.array(numbers.reshape(-1)), numbers.shape[1]))
            elif self._output.values == "columns":
                arrays += [pa.array(column) for column in np.ascontiguousarray(numbers.T)]
        for k in range(values.shape[2]):
            base = np.ascontiguousarray(base_values[:, k])
            if self._output.base_value:
                arrays.append(pa.array(base))
            if self._output.prediction:
                arrays.append(pa.array(base + values[:, :, k].sum(axis=1, dtype=np.float64)))
        for k in range(values.shape[2]) if self.top_k else ():
            arrays += self._top(values[:, :, k])
        return arrays

    def _top(self, values: npt.NDArray[Any]) -> list[pa.Array]:
        import pyarrow as pa

        at = strongest(values, self.top_k)
        found = np.take_along_axis(values, at, axis=1)
        names = pa.array(self.names, pa.string()).take(pa.array(at.reshape(-1)))
        return [_lists(names, self.top_k), _lists(pa.array(found.reshape(-1)), self.top_k)]


def strongest(values: npt.NDArray[Any], k: int) -> npt.NDArray[np.int64]:
    """Features of the k largest |values| (n, F) of every row, falling; of equals the first. (n, k).

    `k` is at most F.
    """
    sizes = np.abs(values)
    if k > _FEW:
        return np.argsort(-sizes, axis=1, kind="stable")[:, :k]
    at = np.empty((len(values), k), dtype=np.int64)
    rows = np.arange(len(values))
    for i in range(k):
        at[:, i] = sizes.argmax(axis=1)
        sizes[rows, at[:, i]] = -1.0
    return at


def _lists(flat: pa.Array, size: int) -> pa.Array:
    import pyarrow as pa

    return pa.FixedSizeListArray.from_arrays(flat, size)


def _list_field(name: str, list_type: pa.DataType, columns: list[str]) -> pa.Field:
    import pyarrow as pa

    metadata = {ELEMENT_NAMES: json.dumps(columns).encode()}
    return pa.field(name, list_type, nullable=False, metadata=metadata)
