"""What stands beside the trees and the compiled core does not need: checked against them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.converters.arrays import EnsembleArrays
from leafshap.errors import InvalidModelError


def check_metadata(arrays: EnsembleArrays) -> None:
    """Refuse metadata that contradict the trees; the trees themselves are the core's to check."""
    choices = {
        "comparison": ("<", "<="),
        "input_precision": ("float32", "float64"),
        "category_rule": ("truncate", "nonnegative"),
    }
    for name, allowed in choices.items():
        if getattr(arrays, name) not in allowed:
            raise InvalidModelError(f"{name} is {getattr(arrays, name)!r}, not one of {allowed}")
    sizes = {"feature_names": arrays.n_features, "output_names": arrays.n_outputs}
    for name, size in sizes.items():
        names = getattr(arrays, name)
        if names is not None and len(names) != size:
            raise InvalidModelError(f"{name} has {len(names)} names, expected {size}")
    if any(not 0 <= feature < arrays.n_features for feature in arrays.feature_categories):
        raise InvalidModelError("feature_categories has a feature that is out of range")
    n_trees = len(arrays.tree_weight)
    if arrays.tree_limit is not None and not 1 <= arrays.tree_limit <= n_trees:
        raise InvalidModelError(
            f"tree_limit is {arrays.tree_limit}, out of range for {n_trees} trees"
        )
    if arrays.trees_per_iteration < 1:
        raise InvalidModelError("trees_per_iteration must be at least 1")


def read_gain(gain: Any, n_nodes: int) -> npt.NDArray[np.float64] | None:
    """Copy the splits' gains, read-only."""
    if gain is None:
        return None
    values = np.array(gain, dtype=np.float64)
    if values.shape != (n_nodes,):
        raise InvalidModelError(f"split_gain has shape {values.shape}, expected ({n_nodes},)")
    if not np.isfinite(values).all():
        raise InvalidModelError(f"split_gain holds {values[~np.isfinite(values)][0]}")
    values.flags.writeable = False
    return values
