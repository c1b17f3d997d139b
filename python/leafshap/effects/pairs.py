"""Pairs of features: which of them any tree combines, and in which order to evaluate them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from leafshap.ensemble import TreeEnsemble

Pair = tuple[int, int]


def combined_features(ensemble: TreeEnsemble, n_trees: int) -> npt.NDArray[np.bool_]:
    """Whether two features are tested on one path of some tree, shape (F, F).

    The output is a sum over leaves, each a function of the features on its path; so the joint
    partial dependence of two features that share no path is the sum of their own.
    """
    a = ensemble.to_arrays()
    n_features = a.n_features
    words = max(1, -(-n_features // 64))
    above = np.zeros((n_features, words), dtype=np.uint64)  # bits: features above a split of each
    tree = a.tree_offsets[:n_trees]
    node, mask = tree, np.zeros((n_trees, words), dtype=np.uint64)
    while len(node):  # one level of all trees after the other
        inner = a.split_feature[node] >= 0
        node, tree, mask = node[inner], tree[inner], mask[inner]
        feature = a.split_feature[node]
        np.bitwise_or.at(above, feature, mask)
        bit = np.uint64(1) << (feature % 64).astype(np.uint64)
        mask[np.arange(len(node)), feature // 64] |= bit
        node = np.concatenate([tree + a.left[node], tree + a.right[node]])
        tree, mask = np.concatenate([tree, tree]), np.concatenate([mask, mask])
    bits = above.astype("<u8").view(np.uint8)
    found = np.unpackbits(bits, axis=1, bitorder="little")[:, :n_features].astype(np.bool_)
    found |= found.T
    np.fill_diagonal(found, False)
    return found


def disjoint_rounds(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Put pairs into few rounds in which no feature occurs twice.

    In the order of a round-robin tournament each goes into the first round that is free for it, so
    all pairs of V features need at most V rounds.
    """
    features = sorted({j for pair in pairs for j in pair})
    number = {j: i for i, j in enumerate(features)}
    n = len(features) + len(features) % 2

    def day(pair: Pair) -> int:
        i, j = sorted((number[pair[0]], number[pair[1]]))
        return (2 * i if j == n - 1 else i + j) % max(1, n - 1)

    rounds: list[tuple[set[int], list[Pair]]] = []
    for pair in sorted(pairs, key=lambda p: (day(p), p)):
        found = next((r for r in rounds if r[0].isdisjoint(pair)), None)
        if found is None:
            found = (set(), [])
            rounds.append(found)
        found[0].update(pair)
        found[1].append(pair)
    return [members for _, members in rounds]
