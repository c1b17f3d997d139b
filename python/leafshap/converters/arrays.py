"""The tree IR as plain arrays: what every converter returns and what the compiled core validates.

The same names and dtypes are the file format of ``TreeEnsemble.save``. Nodes of all trees are
concatenated; children are indices within their tree, node 0 is a tree's root, and every node is
reachable from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, Literal

import numpy as np
import numpy.typing as npt


class Missing(IntEnum):
    """What counts as missing at a node."""

    NAN = 0  # NaN goes to the default side
    ZERO = 1  # NaN and |x| <= 1e-35 go to the default side (LightGBM's zero_as_missing)
    NAN_AS_ZERO = 2  # NaN is read as 0.0 and compared; nothing is missing


class Categorical(IntEnum):
    """Kind of a split."""

    NUMERIC = 0
    MEMBERS_LEFT = 1  # categories in the set go left, all others right
    MEMBERS_RIGHT = 2  # categories in the set go right, all others left


@dataclass(kw_only=True)
class EnsembleArrays:
    """A tree ensemble as a structure of arrays (T trees, N nodes in all, K outputs).

    Raw output ``k`` of a row is ``base_values[k]`` plus the sum over trees of
    ``tree_weight * leaf_value``.
    """

    n_features: int
    n_outputs: int
    tree_offsets: npt.NDArray[np.int64]  # (T + 1,)
    tree_output: npt.NDArray[np.int32]  # (T,), -1 for all trees with vector leaves
    tree_weight: npt.NDArray[np.float64]  # (T,)
    split_feature: npt.NDArray[np.int32]  # (N,), -1 at a leaf
    left: npt.NDArray[np.int32]  # (N,), -1 at a leaf
    right: npt.NDArray[np.int32]  # (N,), -1 at a leaf
    threshold: npt.NDArray[np.float64]  # (N,)
    default_left: npt.NDArray[np.bool_]  # (N,)
    missing: npt.NDArray[np.uint8]  # (N,), Missing
    categorical: npt.NDArray[np.uint8]  # (N,), Categorical
    category_offsets: npt.NDArray[np.int64]  # (N + 1,), or empty without categorical splits
    category_codes: npt.NDArray[np.int32]
    cover: npt.NDArray[np.float64] | None  # (N,), None if the model carries no cover
    leaf_value: npt.NDArray[np.float64]  # (N,) or (N, K)
    base_values: npt.NDArray[np.float64]  # (K,)
    comparison: Literal["<", "<="]
    input_precision: Literal["float32", "float64"]
    category_rule: Literal["truncate", "nonnegative"] = "nonnegative"
    missing_value: float = float("nan")
    allow_nan: bool = True
    allow_inf: bool = True
    link: str = "identity"
    averaged: bool = False
    tree_limit: int | None = None
    trees_per_iteration: int = 1
    feature_names: list[str] | None = None
    output_names: list[str] | None = None
    feature_categories: dict[int, list[Any]] = field(default_factory=dict)
    encode_numeric: bool = False
    source: str = ""
    # What the library says each split gained in training: (N,), 0 at a leaf; None: not carried.
    split_gain: npt.NDArray[np.float64] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Fields by name, without copies."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def gains_of_splits(
    gains: npt.NDArray[Any], leaf: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64] | None:
    """Give `EnsembleArrays.split_gain` from a library's gains (N,), whatever it left at leaves.

    None if one is not finite (it overflowed in training): no sum of such gains tells anything, and
    the model is none the worse for it.
    """
    values = np.where(leaf, 0.0, gains.astype(np.float64))
    return values if np.isfinite(values).all() else None
