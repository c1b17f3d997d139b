"""Values as pandas and pyarrow tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError
from leafshap.explanation.data import row_labels
from leafshap.explanation.selection import axis_names
from leafshap.explanation.tables import import_pandas, import_pyarrow

if TYPE_CHECKING:
    from leafshap.explanation.explanation import Explanation

BASE = "base_value"


def to_pandas(explanation: Explanation, base_values: bool) -> Any:
    """See `Explanation.to_pandas`."""
    pd = import_pandas()
    axes, values = explanation.axes, explanation.values
    if not axes:
        raise InvalidInputError("one number is no table: use .values")
    names = [axis_names(explanation, k) for k in range(len(axes))]
    levels = _level_names(axes)
    if base_values:
        where, values = _with_base(explanation)
        names[where] = [*(names[where] or []), BASE]
    if axes[0] == "rows":
        index = row_labels(explanation.data)
        index = pd.RangeIndex(len(values)) if index is None else index
    else:
        index = pd.Index(names[0], name=levels[0])
    if len(axes) == 1:
        return pd.Series(values, index=index, name=_name_of_one(explanation))
    labels, titles = names[1:], levels[1:]
    if axes[-1] == "outputs" and len(axes) > 2:  # outputs first: frame["class 1"] is a frame
        values = np.moveaxis(values, -1, 1)
        labels, titles = [labels[-1], *labels[:-1]], [titles[-1], *titles[:-1]]
    columns = values.reshape(len(values), int(np.prod(values.shape[1:])))
    if len(labels) == 1:
        return pd.DataFrame(columns, index=index, columns=pd.Index(labels[0], name=titles[0]))
    header = pd.MultiIndex.from_product([label or [] for label in labels], names=titles)
    return pd.DataFrame(columns, index=index, columns=header)


def to_arrow(explanation: Explanation, base_values: bool) -> Any:
    """See `Explanation.to_arrow`."""
    pa = import_pyarrow()
    axes, values, base = explanation.axes, explanation.values, explanation.base_values
    if "rows" not in axes:
        axes, values, base = ("rows", *axes), values[np.newaxis], base[np.newaxis]
    skip = len(axes) - len(explanation.axes)
    metadata = {}
    names = [_name_of_one(explanation) or "value"]
    if "features" in axes:
        names = axis_names(explanation, axes.index("features") - skip) or []
        if axes.count("features") == 2:
            metadata["partners"] = json.dumps(axis_names(explanation, 2 - skip))
    else:
        values = values[:, np.newaxis]
    outputs = {}
    if axes[-1] == "outputs":
        outputs["outputs"] = json.dumps(axis_names(explanation, len(explanation.axes) - 1))
    arrays = [_nested(pa, values[:, j]) for j in range(values.shape[1])]
    fields = [
        pa.field(name, array.type, metadata={**metadata, **outputs} or None)
        for name, array in zip(names, arrays, strict=True)
    ]
    if base_values and not (base.size and np.isnan(base).all()):
        if BASE in names:
            raise InvalidInputError(
                f'a feature is called "{BASE}": rename it, or leave base values out '
                "(base_values=False)"
            )
        arrays.append(_nested(pa, base))
        fields.append(pa.field(BASE, arrays[-1].type, metadata=outputs or None))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _with_base(explanation: Explanation) -> tuple[int, npt.NDArray[Any]]:
    """Values with base values as the last feature."""
    axes, values = explanation.axes, explanation.values
    if axes.count("features") != 1:
        raise InvalidInputError("base values are added where there is a single feature axis")
    where = axes.index("features")
    base = np.expand_dims(explanation.base_values, where).astype(values.dtype)
    return where, np.concatenate([values, base], axis=where)


def _level_names(axes: tuple[str, ...]) -> list[str]:
    names = [axis[:-1] for axis in axes]
    if axes.count("features") == 2:
        names[axes.index("features") + 1] = "partner"
    return names


def _name_of_one(explanation: Explanation) -> str | None:
    """Of the feature or output that was selected, if there is just one."""
    for name in (explanation.feature_names, explanation.output_names):
        if isinstance(name, str):
            return name
    return None


def _nested(pa: Any, values: npt.NDArray[Any]) -> Any:
    """Array of n cells: numbers, or lists of fixed size (of lists, ...)."""
    flat = pa.array(np.ascontiguousarray(values).reshape(-1))
    for size in reversed(values.shape[1:]):
        flat = pa.FixedSizeListArray.from_arrays(flat, size)
    return flat
