"""Tree-based importances: sums over the splits of what training left in the trees.

They say what a feature did for the loss on the training rows, by whatever the library calls gain,
and nothing about rows the model has not seen.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from leafshap.converters.arrays import EnsembleArrays
from leafshap.errors import InvalidInputError, UnsupportedModelError

KINDS = ("split", "gain", "total_gain", "cover", "total_cover", "impurity")
_ALIASES = {"weight": "split"}  # XGBoost

Floats = npt.NDArray[np.float64]


def name_of_kind(kind: str) -> str:
    """Our name of a kind.

    Raises
    ------
    InvalidInputError
        If it is unknown.
    """
    name = _ALIASES.get(str(kind), str(kind))
    if name not in KINDS:
        raise InvalidInputError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    return name


def split_importance(arrays: EnsembleArrays, kind: str, n_trees: int) -> Floats:
    """Sum up the importance of every feature over the first `n_trees` trees, shape (n_features,).

    See `TreeEnsemble.feature_importance` for the kinds.
    """
    kind = name_of_kind(kind)
    n_nodes = int(arrays.tree_offsets[n_trees])
    feature = arrays.split_feature[:n_nodes]
    splits = np.flatnonzero(feature >= 0)
    if arrays.source.startswith("lightgbm") and arrays.split_gain is not None:
        # as LightGBM counts: a split that was forced may have gained nothing
        splits = splits[arrays.split_gain[splits] > 0]
    feature = feature[splits]

    def by_feature(values: Floats) -> Floats:
        sums = np.bincount(feature, weights=values, minlength=arrays.n_features)
        return np.asarray(sums, dtype=np.float64)

    count = by_feature(np.ones(len(splits)))
    if kind == "split":
        return count
    if kind in ("cover", "total_cover"):
        if arrays.cover is None:
            raise UnsupportedModelError(
                f"the model carries no cover, which kind={kind!r} adds up: give data to "
                "TreeEnsemble.recount_cover, or use kind='split'"
            )
        total = by_feature(arrays.cover[splits])
        return total / np.maximum(count, 1.0) if kind == "cover" else total
    if arrays.split_gain is None:
        raise UnsupportedModelError(
            f"the model carries no (finite) gain of its splits, which kind={kind!r} adds up: "
            "convert it again if it comes from a file of an older leafshap, or use kind='split' "
            "or 'cover'"
        )
    gain = arrays.split_gain[splits]
    if kind == "impurity":
        if arrays.averaged:
            tree = np.searchsorted(arrays.tree_offsets, splits, side="right") - 1
            of_tree = np.bincount(tree, weights=gain, minlength=1)
            gain = gain / np.where(of_tree > 0, of_tree, 1.0)[tree]
        shares = by_feature(gain)
        return shares / shares.sum() if shares.sum() > 0 else shares
    total = by_feature(gain)
    return total / np.maximum(count, 1.0) if kind == "gain" else total
