"""Trees made by hand: one whose values are known, and chains as deep as one likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from strategies import Recipe, random_ensemble

if TYPE_CHECKING:
    from leafshap.converters.arrays import EnsembleArrays


def and_tree() -> EnsembleArrays:
    """``1 if x0 < 0.5 and x1 < 0.5 else 0``, every split half and half."""
    arrays = random_ensemble(Recipe(n_trees=1, shape="chain", depth=2, n_features=2, categorical=0))
    arrays.split_feature = np.array([0, 1, -1, -1, -1], dtype=np.int32)
    arrays.left = np.array([1, 2, -1, -1, -1], dtype=np.int32)
    arrays.right = np.array([4, 3, -1, -1, -1], dtype=np.int32)
    arrays.threshold = np.array([0.5, 0.5, 0.0, 0.0, 0.0])
    arrays.cover = np.array([4.0, 2.0, 1.0, 1.0, 2.0])
    arrays.leaf_value = np.array([0.0, 0.0, 1.0, 0.0, 0.0])
    arrays.missing[:] = 0
    arrays.tree_weight[:] = 1.0
    arrays.base_values[:] = 0.0
    return arrays


AND_ROWS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
# by hand: v({}) = 1/4, v({0}) = x0 in ? 1/2 : 0, v({1}) likewise, v({0, 1}) the tree itself
AND_VALUES = np.array([[3, 3], [1, -3], [-3, 1], [-1, -1]])[:, :, None] / 8.0


def long_chain(depth: int, left_share: float | npt.NDArray[np.float64]) -> EnsembleArrays:
    """``x_k < 0`` at node k goes on, else stops; feature k occurs only there.

    `left_share` is the share of a node's cover that goes on, of all nodes or of each.
    """
    recipe = Recipe(n_trees=1, n_features=depth, shape="chain", depth=depth, repeat=False,
                    categorical=0.0, zero_cover=0.0, weights=False)  # fmt: skip
    arrays = random_ensemble(recipe)
    inner = np.arange(depth)
    n = 2 * depth + 1
    arrays.split_feature = np.concatenate([inner, np.full(depth + 1, -1)]).astype(np.int32)
    arrays.left = np.full(n, -1, dtype=np.int32)
    arrays.right = np.full(n, -1, dtype=np.int32)
    arrays.left[:depth] = np.append(inner[1:], 2 * depth)
    arrays.right[:depth] = inner + depth
    arrays.threshold[:] = 0.0
    arrays.missing[:] = 0
    cover = np.cumprod(np.concatenate([[1.0], np.broadcast_to(left_share, depth)]))
    arrays.cover = np.concatenate([cover[:-1], cover[:-1] - cover[1:], cover[-1:]])
    arrays.leaf_value = np.where(arrays.left < 0, np.random.default_rng(0).normal(size=n), 0.0)
    return arrays


def long_chain_rows(depth: int) -> npt.NDArray[np.float64]:
    rng = np.random.default_rng(1)
    X = np.ones((5, depth))  # row 1 violates all conditions of the deepest leaf
    X[0] = -1.0  # satisfies all of them
    X[2] = rng.choice([-1.0, 1.0], size=depth)
    X[3] = np.where(rng.random(depth) < 0.98, -1.0, 1.0)
    X[4, : depth // 2] = -1.0
    return X
