"""What stands in ``explanation[...]``: rows, features and outputs, by number, name or mask.

Every axis is selected by itself (unlike numpy, where several lists are paired): ``e[[0, 1], ["a",
"b"]]`` is two rows of two features. An axis selected by one number or name is dropped.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.columns import is_missing
from leafshap.errors import InvalidInputError
from leafshap.explanation.data import objects, select_data
from leafshap.integers import whole_number

if TYPE_CHECKING:
    from leafshap.explanation.explanation import Explanation

Names = list[str] | str | None
Pick = int | slice | npt.NDArray[np.integer[Any]]

ALL = slice(None)
_SINGULAR = {"rows": "row", "features": "feature", "outputs": "output"}
_SHOWN = 8  # names listed where none is close


def select_rows(key: Any, n_rows: int) -> tuple[Any, bool]:
    """Turn what stands in ``[...]`` into an index of rows, and tell whether it is one row.

    Raises
    ------
    TypeError
        If it does not select rows.
    IndexError
        If it is a mask of another length, or a number out of range.
    InvalidInputError
        If it is a mask with missing values.
    """
    if isinstance(key, tuple):
        raise TypeError("only rows can be selected: use .values for features and outputs")
    rows = pick(key, n_rows, None, "rows")
    return rows, isinstance(rows, int)


def select(explanation: Explanation, key: Any) -> Explanation:
    """Select along the axes that are left, with all that belongs to them.

    Raises
    ------
    TypeError, IndexError
        If a key cannot select along its axis, or is out of range.
    InvalidInputError
        If a name is unknown, or there are several of it, or a mask has missing values.
    """
    axes = explanation.axes
    keys = _expand(key, axes)
    picks: list[Pick] = []
    for k, (axis, size) in enumerate(zip(axes, explanation.shape, strict=True)):
        picks.append(pick(keys[k], size, axis_names(explanation, k), axis))
    rows = next((p for p, axis in zip(picks, axes, strict=True) if axis == "rows"), ALL)
    based = [p for p, axis in zip(picks, axes, strict=True) if axis != "features"]
    errors, spent = explanation.standard_errors, explanation.n_evaluations
    if isinstance(spent, np.ndarray):
        spent = int(spent[rows]) if isinstance(rows, int) else spent[rows]
    features, names, partners = _select_features(explanation, picks)
    data = explanation.data
    if data is not None:
        aligned = features is not None
        data = select_data(data, rows, features, axes) if aligned else None
    outputs = explanation.output_names
    if "outputs" in axes:
        outputs = _chosen(outputs, axis_names(explanation, len(axes) - 1), picks[-1])
    return replace(
        explanation,
        values=take(explanation.values, picks),
        base_values=take(explanation.base_values, based),
        data=data,
        feature_names=names,
        partner_names=partners,
        output_names=outputs,
        single_row=explanation.single_row or isinstance(rows, int),
        standard_errors=None if errors is None else take(errors, picks),
        n_evaluations=spent,
        axes=tuple(a for p, a in zip(picks, axes, strict=True) if not isinstance(p, int)),
    )


def axis_names(explanation: Explanation, k: int) -> list[str] | None:
    """Names along an axis, made up where there are none ("Feature 3"); None for rows."""
    axis, size = explanation.axes[k], explanation.shape[k]
    if axis == "rows":
        return None
    names: Names = explanation.output_names
    if axis == "features":
        names = explanation.feature_names
        if explanation.axes[:k].count("features") and explanation.partner_names is not None:
            names = explanation.partner_names
    if isinstance(names, list):
        return names
    return made_up_names(_SINGULAR[axis], size)


def made_up_names(what: str, n: int) -> list[str]:
    """Names of features or outputs that have none: "Feature 0", "Feature 1", ..."""
    return [f"{what.capitalize()} {i}" for i in range(n)]


def pick(key: Any, size: int, names: list[str] | None, axis: str) -> Pick:
    """Turn the key of one axis into a number, a slice, or an array of numbers (none negative)."""
    if isinstance(key, slice):
        return key
    if hasattr(key, "axes") and hasattr(key, "values"):  # an Explanation: .argsort
        key = key.values if np.ndim(key.values) else int(key.values)
    if hasattr(key, "toarray"):  # a mask made of a sparse column
        key = key.toarray().reshape(-1)
    if isinstance(key, (list, tuple)) and any(isinstance(one, str) for one in key):
        found: npt.NDArray[Any] = objects(key)  # numpy would make text of numbers beside names
    else:
        found = np.asarray(key)
    if found.size == 0 and found.dtype.kind != "b":
        found = found.astype(np.intp)
    if found.dtype.kind in "UTO" and found.ndim < 2:
        if _is_mask(found, axis):
            found = found.astype(bool)
        elif names is not None:
            at = [_position(one, size, names, axis) for one in np.atleast_1d(found).tolist()]
            return np.array(at, dtype=np.intp) if found.ndim else at[0]
    if found.dtype.kind not in "biu" or found.ndim > 1 or (found.ndim == 0 and found.dtype == bool):
        raise TypeError(_refusal(axis, names is not None))
    if found.dtype.kind == "b":
        if found.shape != (size,):
            raise IndexError(f"a mask needs one entry for each of the {size} {axis}")
        return np.flatnonzero(found)
    outside = (found < -size) | (found >= size)
    if outside.any():
        raise _out_of_range(np.atleast_1d(found)[np.atleast_1d(outside)][0], size, axis)
    found = np.where(found < 0, found + size, found)
    return found if found.ndim else int(found)


def _is_mask(found: npt.NDArray[Any], axis: str) -> bool:
    """Whether objects are truth values; of those of tables some may be missing.

    Raises
    ------
    InvalidInputError
        If some are missing: whether these are meant cannot be known.
    """
    known = [one for one in np.atleast_1d(found) if not is_missing(one)]
    if not (found.ndim and known and all(isinstance(one, (bool, np.bool_)) for one in known)):
        return False
    if len(known) < len(found):
        raise InvalidInputError(
            f"the mask of {axis} has missing values at {len(found) - len(known)} of {len(found)} "
            f"places: say what they mean, such as mask.fill_null(False) or mask.fillna(False)"
        )
    return True


def _position(one: Any, size: int, names: Sequence[str], axis: str) -> int:
    """Position of one feature or output in a list that may mix names and numbers."""
    number = whole_number(one)
    if number is not None:
        if not -size <= number < size:
            raise _out_of_range(number, size, axis)
        return number % size
    if not isinstance(one, str):
        raise TypeError(_refusal(axis, True))
    return int(positions([one], names, _SINGULAR[axis])[0])


def _out_of_range(number: int, size: int, axis: str) -> IndexError:
    return IndexError(f"{_SINGULAR[axis]} {number} is out of range: there are {size} {axis}")


def positions(
    wanted: Sequence[Any], names: Sequence[str], what: str = "feature"
) -> npt.NDArray[np.integer[Any]]:
    """Find names among names.

    Raises
    ------
    InvalidInputError
        If one is not there (with close ones), or there several times.
    """
    at: dict[str, int] = {}
    repeated = set()
    for i, name in enumerate(names):
        if at.setdefault(name, i) != i:
            repeated.add(name)
    for name in wanted:
        if name in repeated:
            raise InvalidInputError(f"there are several {what}s {name!r}: select by number")
        if name not in at:
            raise InvalidInputError(f"there is no {what} {name!r}{_hint(str(name), names)}")
    return np.array([at[name] for name in wanted], dtype=np.intp)


def take(values: npt.NDArray[Any], picks: Sequence[Pick]) -> npt.NDArray[Any]:
    """Select along every axis by itself; a view where only numbers and slices select."""
    out = values[tuple(ALL if isinstance(p, np.ndarray) else p for p in picks)]
    for axis, p in enumerate(p for p in picks if not isinstance(p, int)):
        if isinstance(p, np.ndarray):
            out = np.take(out, p, axis=axis)
    return np.asarray(out)


def _expand(key: Any, axes: tuple[str, ...]) -> list[Any]:
    """One key for every axis."""
    keys = list(key) if isinstance(key, tuple) else [key]
    ellipses = [i for i, k in enumerate(keys) if k is Ellipsis]
    if len(ellipses) > 1:
        raise IndexError("an index can have only one ellipsis (...)")
    missing = len(axes) - (len(keys) - len(ellipses))
    if missing < 0:
        left = ", ".join(axes) if axes else "none: it is one number"
        raise IndexError(f"{len(keys) - len(ellipses)} keys for {len(axes)} axes ({left})")
    at = ellipses[0] if ellipses else len(keys)
    return keys[:at] + [ALL] * missing + keys[at + len(ellipses) :]


def _select_features(
    explanation: Explanation, picks: list[Pick]
) -> tuple[Pick | None, Names, Names]:
    """Choose what to take of the data, `feature_names` and `partner_names`.

    Interaction values are symmetric, so it does not matter which of the two axes is dropped: the
    one that is left is that of `feature_names`.
    """
    names, partners = explanation.feature_names, explanation.partner_names
    at = [k for k, axis in enumerate(explanation.axes) if axis == "features"]
    if not at:
        return ALL, names, partners
    known = [axis_names(explanation, k) for k in at]
    first = _chosen(names, known[0], picks[at[0]])
    if len(at) == 1:
        return picks[at[0]], first, partners
    one, two = picks[at[0]], picks[at[1]]
    second = _chosen(names if partners is None else partners, known[1], two)
    if isinstance(one, int) and not isinstance(two, int):
        return (two if partners is None else None), second, first
    both = np.arange(explanation.shape[at[0]])
    if partners is None and not isinstance(one, int) and not isinstance(two, int):
        if np.array_equal(both[one], both[two]):
            return one, first, None
        second = [str(name) for name in np.array(known[1], dtype=object)[two]]
        first = [str(name) for name in np.array(known[0], dtype=object)[one]]
    return one, first, second


def _chosen(names: Names, known: list[str] | None, p: Pick) -> Names:
    """Names of what is left; those made up are written down, as their numbers change."""
    if known is None or (isinstance(p, slice) and p == ALL):
        return names
    if isinstance(p, int):
        return known[p]
    return known[p] if isinstance(p, slice) else [known[i] for i in p]


def _refusal(axis: str, named: bool) -> str:
    if not named:
        return (
            "rows are selected by an integer, a slice, a mask or integers "
            '(features come second: [:, "name"])'
        )
    return f"{axis} are selected by an integer, a name, a slice, a mask or a list of these"


def _hint(name: str, names: Sequence[str]) -> str:
    folded = {n.casefold(): n for n in reversed(names)}
    close = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)
    if close:
        return f"; close ones: {', '.join(repr(folded[c]) for c in close)}"
    more = ", ..." if len(names) > _SHOWN else ""
    return f"; there are: {', '.join(repr(n) for n in names[:_SHOWN])}{more}"
