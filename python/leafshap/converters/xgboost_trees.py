"""From the tree records of an XGBoost model document to concatenated node arrays.

A record holds one array per field over its nodes. All records are concatenated first, so that
everything after the per-record length checks is one NumPy operation over all nodes.

XGBoost's conventions: a leaf has left child -1 and keeps its value in ``split_conditions``; trees
with vector leaves keep the values in ``base_weights`` (before 3.2) or in ``leaf_weights``, where
the leaf's row number is in ``right_children``. Nodes that pruning deleted stay in the arrays,
linked to nothing; they are dropped here. The categories of a node go right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from leafshap.converters.arrays import Categorical, gains_of_splits
from leafshap.errors import InvalidModelError

# Larger codes cannot be told apart in float32: XGBoost reads such an input as no category.
_CATEGORY_END: Final = 2**24

_NODE_FIELDS: Final = (
    "left_children",
    "right_children",
    "split_indices",
    "split_conditions",
    "default_left",
)
_CATEGORY_FIELDS: Final = (
    "categories_nodes",
    "categories_segments",
    "categories_sizes",
    "categories",
)
# What a JSON reader may turn into an array as soon as it meets it.
ARRAY_FIELDS: Final = frozenset(
    {
        *_NODE_FIELDS,
        *_CATEGORY_FIELDS,
        "split_type",
        "sum_hessian",
        "base_weights",
        "leaf_weights",
        "loss_changes",
        "parents",
    }
)


@dataclass(kw_only=True)
class NodeArrays:
    """Nodes of all trees, named as in ``EnsembleArrays``."""

    tree_offsets: npt.NDArray[np.int64]
    split_feature: npt.NDArray[np.int32]
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    threshold: npt.NDArray[np.float64]
    default_left: npt.NDArray[np.bool_]
    categorical: npt.NDArray[np.uint8]
    category_offsets: npt.NDArray[np.int64]
    category_codes: npt.NDArray[np.int32]
    cover: npt.NDArray[np.float64] | None
    leaf_value: npt.NDArray[np.float64]
    split_gain: npt.NDArray[np.float64] | None


def vector(value: object, kinds: str, where: str) -> npt.NDArray[Any]:
    """Check that a document's value is a list of numbers of the given dtype kinds."""
    if isinstance(value, list):
        try:
            value = np.asarray(value)
        except (ValueError, OverflowError, TypeError):
            raise InvalidModelError(f"{where} is not a list of numbers") from None
    if not isinstance(value, np.ndarray) or value.ndim != 1:
        raise InvalidModelError(f"{where} is missing or is not a list of numbers")
    if value.size and value.dtype.kind not in kinds:
        raise InvalidModelError(f"{where} holds values of the wrong type")
    return value


def integers(parts: list[npt.NDArray[Any]], where: str) -> npt.NDArray[np.int32]:
    """Concatenate to int32; a number that does not fit is an error, not a wrapped value."""
    joined = np.concatenate(parts) if parts else np.empty(0, np.int32)
    if joined.size and (joined.dtype.kind == "u" or joined.dtype.itemsize > 4):
        low, high = joined.min(), joined.max()
        if low < -(2**31) or high >= 2**31:
            raise InvalidModelError(f"{where} holds {high if high >= 2**31 else low}, out of range")
    return joined.astype(np.int32, copy=False)


def floats(parts: list[npt.NDArray[Any]]) -> npt.NDArray[np.float64]:
    """Concatenate numbers that XGBoost keeps as float32 (JSON text carries them in decimal)."""
    joined = np.concatenate(parts) if parts else np.empty(0, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        return joined.astype(np.float32, copy=False).astype(np.float64)


class _Records:
    """The document's tree records, checked for shape while their arrays are collected."""

    def __init__(self, trees: list[Any]) -> None:
        self.trees = trees
        sizes = []
        for t, tree in enumerate(trees):
            if not isinstance(tree, dict):
                raise InvalidModelError(f"trees[{t}] is not an object")
            sizes.append(self.part(t, "left_children", "iub").size)
            if not sizes[-1]:
                raise InvalidModelError(f"trees[{t}] has no node")
        self.sizes = np.array(sizes, np.int64)

    def part(self, t: int, key: str, kinds: str, size: int | None = None) -> npt.NDArray[Any]:
        part = vector(self.trees[t].get(key), kinds, f"trees[{t}].{key}")
        if size is not None and part.size != size:
            raise InvalidModelError(f"trees[{t}].{key} has {part.size} entries, expected {size}")
        return part

    def parts(self, key: str, kinds: str, width: int = 1) -> list[npt.NDArray[Any]]:
        sizes = (self.sizes * width).tolist()
        return [self.part(t, key, kinds, size) for t, size in enumerate(sizes)]

    def integers(self, key: str) -> npt.NDArray[np.int32]:
        return integers(self.parts(key, "iub"), f"trees[].{key}")

    def floats(self, key: str, width: int = 1) -> npt.NDArray[np.float64]:
        return floats(self.parts(key, "fiu", width))

    def all_have(self, key: str) -> bool:
        """Whether the trees have this field; some with and some without is an error."""
        have = [key in tree for tree in self.trees]
        if any(have) and not all(have):
            raise InvalidModelError(f"trees[{have.index(False)}].{key} is missing")
        return bool(have) and have[0]


def read_trees(trees: list[Any], n_outputs: int, vector_leaves: bool) -> NodeArrays:
    """Read the records of ``gradient_booster.model.trees``.

    Parameters
    ----------
    trees : list of dict
        T records as decoded from JSON or UBJSON.
    n_outputs : int
        Width of vector leaves.
    vector_leaves : bool
        Whether leaves hold one value per output.

    Returns
    -------
    NodeArrays
        Reachable nodes only; ``leaf_value`` is (N,), or (N, n_outputs) with vector leaves.

    Raises
    ------
    InvalidModelError
        If an array is missing, has a wrong type or length, or the links are not trees.
    """
    records = _Records(trees)
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(records.sizes)))
    left = records.integers("left_children")
    right = records.integers("right_children")
    is_leaf = left == -1
    conditions = records.floats("split_conditions")
    categorical, category_counts, codes = _categories(records, is_leaf, offsets)
    # Constraints can make splits at -inf, "is it missing?": everything present goes right, as at a
    # node with an empty set. And at +inf every finite float32 goes left, as below a double.
    numeric = ~is_leaf & (categorical == Categorical.NUMERIC)
    categorical[numeric & (conditions == -np.inf)] = Categorical.MEMBERS_LEFT
    thresholds = np.where(conditions == np.inf, 2.0 * float(np.finfo(np.float32).max), conditions)
    if vector_leaves:
        leaf_value = _vector_leaf_values(records, is_leaf, right, offsets, n_outputs)
    else:
        leaf_value = np.where(is_leaf, conditions, 0.0)
    nodes = NodeArrays(
        tree_offsets=offsets,
        split_feature=np.where(is_leaf, np.int32(-1), records.integers("split_indices")),
        left=left,
        right=np.where(is_leaf, np.int32(-1), right),
        threshold=np.where(is_leaf | (categorical != Categorical.NUMERIC), 0.0, thresholds),
        default_left=records.integers("default_left").astype(np.bool_) & ~is_leaf,
        categorical=categorical,
        category_offsets=np.empty(0, np.int64),
        category_codes=codes,
        # Trees with vector leaves carry neither cover nor gain before 3.2.
        cover=(
            records.floats("sum_hessian") if not trees or records.all_have("sum_hessian") else None
        ),
        leaf_value=leaf_value,
        split_gain=(
            gains_of_splits(records.floats("loss_changes"), is_leaf)
            if not trees or records.all_have("loss_changes")
            else None
        ),
    )
    reached = _reached(nodes)
    if not reached.all():
        nodes, category_counts = _keep(nodes, reached, category_counts)
    if nodes.category_codes.size or nodes.categorical.any():
        start = np.zeros(1, np.int64)
        nodes.category_offsets = np.concatenate((start, np.cumsum(category_counts)))
    return nodes


def _vector_leaf_values(
    records: _Records,
    is_leaf: npt.NDArray[np.bool_],
    right: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int64],
    n_outputs: int,
) -> npt.NDArray[np.float64]:
    if not records.all_have("leaf_weights"):
        values = records.floats("base_weights", n_outputs).reshape(-1, n_outputs)
        return np.where(is_leaf[:, None], values, 0.0)
    parts = [records.part(t, "leaf_weights", "fiu") for t in range(len(records.trees))]
    for t, part in enumerate(parts):
        if part.size % n_outputs:
            raise InvalidModelError(
                f"trees[{t}].leaf_weights has {part.size} entries, not a multiple of {n_outputs}"
            )
    rows = np.array([part.size // n_outputs for part in parts], np.int64)
    leaves = np.flatnonzero(is_leaf)
    tree = np.searchsorted(offsets, leaves, side="right") - 1
    row = right[leaves]
    wrong = (row < 0) | (row >= rows[tree])
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InvalidModelError(
            f"tree {tree[at]}, node {leaves[at] - offsets[tree[at]]}: leaf weight {row[at]} is out "
            f"of range for {rows[tree[at]]} leaf weights"
        )
    if rows.sum() > len(is_leaf):
        raise InvalidModelError("trees[].leaf_weights has more leaves than there are nodes")
    values = np.zeros((len(is_leaf), n_outputs))
    first_row = np.cumsum(rows) - rows
    values[leaves] = floats(parts).reshape(-1, n_outputs)[first_row[tree] + row]
    return values


def _categories(
    records: _Records, is_leaf: npt.NDArray[np.bool_], offsets: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Kind of split and number of categories of every node, and all categories in node order."""
    counts = np.zeros(len(is_leaf), np.int64)
    kind = np.zeros(len(is_leaf), np.uint8)
    if not records.all_have("split_type"):  # before 1.3, and no categories then
        return kind, counts, np.empty(0, np.int32)
    split_type = records.integers("split_type")
    if not split_type.any():
        return kind, counts, np.empty(0, np.int32)
    used = (split_type == 1) & ~is_leaf
    kind[used] = Categorical.MEMBERS_RIGHT

    code_parts, node_parts, size_parts = [], [], []
    for t, offset in enumerate(offsets[:-1].tolist()):
        nodes, begins, sizes, codes = (records.part(t, key, "iu") for key in _CATEGORY_FIELDS)
        if not nodes.size == begins.size == sizes.size:
            raise InvalidModelError(f"trees[{t}]: the categories_* lists differ in length")
        if not nodes.size:
            continue
        sizes = sizes.astype(np.int64)
        nodes = nodes.astype(np.int64)
        # XGBoost writes the sets one after the other in the order of nodes.
        in_order = nodes[0] >= 0 and nodes[-1] < records.sizes[t] and (np.diff(nodes) > 0).all()
        ends = np.cumsum(sizes)
        bounded = ((sizes >= 0) & (sizes <= codes.size)).all()
        contiguous = np.array_equal(begins, ends - sizes) and ends[-1] == codes.size
        if not (in_order and bounded and contiguous):
            raise InvalidModelError(f"trees[{t}].categories_segments contradict categories")
        code_parts.append(codes)
        node_parts.append(nodes + offset)
        size_parts.append(sizes)
    if not node_parts:
        return kind, counts, np.empty(0, np.int32)
    at = np.concatenate(node_parts)
    counts[at] = np.concatenate(size_parts)
    codes = integers(code_parts, "trees[].categories")
    if codes.size and codes.min() < 0:
        raise InvalidModelError(f"trees[].categories holds the negative category {codes.min()}")
    # A categorical node that pruning turned into a leaf may still list its categories.
    keep = np.repeat(used, counts) & (codes < _CATEGORY_END)
    owner = np.repeat(np.arange(len(is_leaf)), counts)[keep]
    return kind, np.bincount(owner, minlength=len(is_leaf)).astype(np.int64), codes[keep]


def _reached(nodes: NodeArrays) -> npt.NDArray[np.bool_]:
    """Walk all trees from their roots, one level at a time."""
    offsets = nodes.tree_offsets
    reached = np.zeros(len(nodes.left), np.bool_)
    parent = np.empty(len(nodes.left), np.int64)
    level = offsets[:-1]
    tree = np.arange(len(level))
    while level.size:
        reached[level] = True
        inner = nodes.left[level] != -1
        level, tree = level[inner], tree[inner]
        child = np.concatenate((nodes.left[level], nodes.right[level])).astype(np.int64)
        above = np.concatenate((level, level))
        tree = np.concatenate((tree, tree))
        start = offsets[tree]
        wrong = (child < 0) | (child >= offsets[tree + 1] - start)
        if wrong.any():
            at = int(np.argmax(wrong))
            raise InvalidModelError(
                f"tree {tree[at]}, node {above[at] - start[at]}: child {child[at]} is out of range "
                f"for {offsets[tree[at] + 1] - start[at]} nodes"
            )
        level = child + start
        parent[level] = above
        half = len(level) // 2
        twice = reached[level] | (parent[level] != above)
        twice[:half] |= child[:half] == child[half:]
        if twice.any():
            at = int(np.argmax(twice))
            raise InvalidModelError(
                f"tree {tree[at]}, node {child[at]}: is reached twice from the root (a cycle, or "
                "two parents)"
            )
    return reached


def _keep(
    nodes: NodeArrays, kept: npt.NDArray[np.bool_], category_counts: npt.NDArray[np.int64]
) -> tuple[NodeArrays, npt.NDArray[np.int64]]:
    """Drop the nodes that nothing links to, and renumber the children."""
    offsets = nodes.tree_offsets
    # kept nodes before each
    before = np.concatenate((np.zeros(1, np.int64), np.cumsum(kept))).astype(np.int64)
    start = np.repeat(offsets[:-1], np.diff(offsets))
    inner = kept & (nodes.left != -1)

    def renumber(child: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        new = np.full(len(child), -1, np.int32)
        new[inner] = before[start[inner] + child[inner]] - before[start[inner]]
        return new[kept]

    return NodeArrays(
        tree_offsets=before[offsets],
        split_feature=nodes.split_feature[kept],
        left=renumber(nodes.left),
        right=renumber(nodes.right),
        threshold=nodes.threshold[kept],
        default_left=nodes.default_left[kept],
        categorical=nodes.categorical[kept],
        category_offsets=nodes.category_offsets,
        category_codes=nodes.category_codes[np.repeat(kept, category_counts)],
        cover=None if nodes.cover is None else nodes.cover[kept],
        leaf_value=nodes.leaf_value[kept],
        split_gain=None if nodes.split_gain is None else nodes.split_gain[kept],
    ), category_counts[kept]
