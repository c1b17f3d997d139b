"""Where a model's output can change as one feature does: the bins between its thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.converters.arrays import EnsembleArrays, Missing
from leafshap.effects.user_columns import UserColumn
from leafshap.ensemble import TreeEnsemble

Floats = npt.NDArray[np.float64]

# LightGBM's zero_as_missing takes |x| up to this for zero
_ZERO = float(np.float32(1e-35))


class ModelCuts:
    """The splits of an ensemble by feature.

    Parameters
    ----------
    ensemble : TreeEnsemble
    n_trees : int
        Trees that count.
    """

    def __init__(self, ensemble: TreeEnsemble, n_trees: int) -> None:
        self._arrays = arrays = ensemble.to_arrays()
        split = arrays.split_feature[: arrays.tree_offsets[n_trees]]
        self._order = np.argsort(split, kind="stable")
        self._first = np.searchsorted(split[self._order], np.arange(arrays.n_features + 1))

    def is_missing(self, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Which numbers the model takes for missing."""
        return np.asarray(np.isnan(values) | (values == self._arrays.missing_value))

    def _nodes(self, feature: int) -> npt.NDArray[np.int64]:
        return self._order[self._first[feature] : self._first[feature + 1]]

    def grid(self, column: UserColumn) -> npt.NDArray[Any]:
        """Values of a feature that stand for all others, as the user would write them.

        Of numbers: the smallest value of every bin between two thresholds, so that a step begins
        at each (matplotlib's ``drawstyle="steps-post"``). The first bin, which has no smallest
        value, is stood for by the data's smallest if that is in it, and by the next number below
        its end otherwise. The data's largest value comes last if it is above all these. Of
        categories: every one that the model or the data's type knows, and of codes each that a
        split names or the data has. Missing comes last, if the data has missing values there and
        the model tells them from numbers.
        """
        a, nodes = self._arrays, self._nodes(column.index)
        codes = column.codes.astype(np.float64)
        missing = self.is_missing(codes)
        if column.categories is not None:
            known: list[object] = list(column.categories)
            if missing.any():
                known.append(np.nan)
            if all(isinstance(v, (int, float)) for v in known):
                return np.asarray(known, dtype=np.float64)
            out = np.empty(len(known), dtype=object)
            out[:] = known
            return out
        present = codes[~missing]
        values = self._numbers(nodes, present[np.isfinite(present)])
        named = self._named_codes(nodes)
        if named is not None:
            values = np.unique(np.concatenate([values[:0], named, present]))
            if (a.categorical[nodes] == 0).any():  # split as a number elsewhere
                values = np.unique(np.concatenate([values, self._numbers(nodes, present)]))
        told_apart = (a.missing[nodes] != Missing.NAN_AS_ZERO).any()
        if missing.any() and (told_apart or not len(values)):
            values = np.concatenate([values, np.unique(codes[missing])])
        return values if len(values) else np.zeros(1)

    def _named_codes(self, nodes: npt.NDArray[np.int64]) -> Floats | None:
        """Codes in any set of categories; None if no split is by categories."""
        a = self._arrays
        if not len(a.category_offsets):
            return None
        by_category = nodes[a.categorical[nodes] != 0]
        spans = [
            a.category_codes[a.category_offsets[i] : a.category_offsets[i + 1]] for i in by_category
        ]
        spans = [span for span in spans if len(span)]  # an empty set asks for missing values
        return np.unique(np.concatenate(spans)).astype(np.float64) if spans else None

    def _numbers(self, nodes: npt.NDArray[np.int64], present: Floats) -> Floats:
        a = self._arrays
        numeric = nodes[a.categorical[nodes] == 0]
        starts = _bin_starts(a, a.threshold[numeric])
        zero = a.missing[numeric] == Missing.ZERO
        if zero.any():
            starts = np.union1d(starts, [-_ZERO, _above(a, _ZERO)])
            if zero.all():  # what counts as zero is one bin
                starts = starts[(starts <= -_ZERO) | (starts > _ZERO)]
        if not len(starts):
            return np.unique([present.min(), present.max()]) if len(present) else starts
        low = float(present.min()) if len(present) else np.inf
        if not _rounded(a, low) < starts[0]:
            low = _below(a, starts[0])
        ends = [low, *starts]
        if len(present) and present.max() > ends[-1]:
            ends.append(float(present.max()))
        values = np.array(ends)
        clash = values == a.missing_value  # would be read as missing: the next number up
        values[clash] = [_above(a, v) for v in values[clash]]
        return np.unique(values)


def _bin_starts(a: EnsembleArrays, thresholds: Floats) -> Floats:
    """Smallest number that goes right at each threshold; in float32 where inputs are rounded."""
    t = np.unique(thresholds[np.isfinite(thresholds)])
    if a.input_precision == "float32":
        with np.errstate(over="ignore"):
            narrow = t.astype(np.float32)
        left = narrow < t if a.comparison == "<" else narrow <= t
        starts = np.where(left, np.nextafter(narrow, np.float32(np.inf)), narrow).astype(np.float64)
    else:
        starts = t if a.comparison == "<" else np.nextafter(t, np.inf)
    return np.unique(starts[np.isfinite(starts)])


def _rounded(a: EnsembleArrays, value: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(value)) if a.input_precision == "float32" else value


def _below(a: EnsembleArrays, value: float) -> float:
    if a.input_precision == "float32":
        return float(np.nextafter(np.float32(value), np.float32(-np.inf)))
    return float(np.nextafter(value, -np.inf))


def _above(a: EnsembleArrays, value: float) -> float:
    if a.input_precision == "float32":
        return float(np.nextafter(np.float32(value), np.float32(np.inf)))
    return float(np.nextafter(value, np.inf))
