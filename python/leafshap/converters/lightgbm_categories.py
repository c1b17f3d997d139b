"""LightGBM's category sets, and which column the stored pandas categories belong to."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.converters.lightgbm_text import (
    TextModel,
    broken,
    check_range,
    offsets_of,
    positions_of,
)

_WORD_BLOCK = 1 << 18  # words of bits unpacked at a time: bounds the memory beyond the result


def category_sets(
    text: TextModel,
    at: npt.NDArray[np.int64],
    tree_of_inner: npt.NDArray[np.int64],
    node_of_inner: npt.NDArray[np.int64],
    n_nodes: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Unpack the bit sets of the categorical inner nodes ``at`` into CSR offsets and codes.

    Bit ``b`` of the set's word ``w`` stands for category ``32 * w + b``.
    """
    if at.size == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int32)
    tree_of_set = np.repeat(np.arange(text.n_sets.size), text.n_sets)
    # a categorical node's threshold is the number of its set within the tree
    tree = tree_of_inner[at]
    check_range(text.threshold[at], 0, text.n_sets[tree] - 1, tree, "threshold (category set)")
    set_of_node = offsets_of(text.n_sets)[tree] + text.threshold[at].astype(np.int64)
    used, uses = np.unique(set_of_node, return_counts=True)
    if (uses > 1).any():
        # LightGBM never shares a set; a damaged file that does could ask for any amount of memory
        shared = int(tree_of_set[used[uses > 1][0]])
        broken(shared, "threshold (category set)", "names one set at two nodes")

    set_begin = _set_begins(text, tree_of_set)
    n_codes = np.zeros(tree_of_set.size, np.int64)
    parts = [np.zeros(0, np.int32)]
    occupied = np.flatnonzero(text.cat_threshold)
    for start in range(0, occupied.size, _WORD_BLOCK):
        block = occupied[start : start + _WORD_BLOCK]
        # of sets that begin at the same word the last one holds it, the others are empty
        owner = np.searchsorted(set_begin, block, side="right") - 1
        words = text.cat_threshold[block].astype("<u4")
        word, bit = np.nonzero(
            np.unpackbits(words.view(np.uint8), bitorder="little").reshape(-1, 32)
        )
        parts.append(((block - set_begin[owner])[word] * 32 + bit).astype(np.int32))
        n_codes += np.bincount(owner[word], minlength=n_codes.size)
    codes = np.concatenate(parts)

    sizes = np.zeros(n_nodes, np.int64)
    sizes[node_of_inner[at]] = n_codes[set_of_node]
    by_node = positions_of(offsets_of(n_codes)[set_of_node], n_codes[set_of_node])
    return offsets_of(sizes), codes[by_node]


def _set_begins(text: TextModel, tree_of_set: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """First word of every set among the words of all trees, after checking the boundaries."""
    set_offsets = offsets_of(text.n_sets)
    with_sets = np.flatnonzero(text.n_sets)
    # a tree with sets has one boundary more than sets
    first = set_offsets[with_sets] + np.arange(with_sets.size)
    last = first + text.n_sets[with_sets]
    boundaries = text.cat_boundaries
    check_range(boundaries[first], 0, 0, with_sets, "cat_boundaries")
    n_words = text.n_words[with_sets]
    check_range(boundaries[last], n_words, n_words, with_sets, "cat_boundaries")
    begin_at = positions_of(first, text.n_sets[with_sets])
    begin, end = boundaries[begin_at], boundaries[begin_at + 1]
    # at most 2^26 words: the largest category is 2^31 - 1
    check_range(end - begin, 0, 1 << 26, tree_of_set, "cat_boundaries")
    tree_of_word = np.repeat(np.arange(text.n_words.size), text.n_words)
    check_range(text.cat_threshold, 0, 2**32 - 1, tree_of_word, "cat_threshold")
    return begin + offsets_of(text.n_words)[tree_of_set]


def feature_categories(text: TextModel, n_features: int) -> dict[int, list[Any]]:
    """Category values of the features that were pandas categorical columns, by feature.

    The text holds the categories of those columns in column order, but not which columns they
    were. Usually they are LightGBM's categorical features, one for one. Ordered pandas columns,
    though, are trained as numbers, and features can be categorical without being pandas columns;
    then the columns are taken only if a single assignment fits the values seen in training
    (``feature_infos``): one where each column's last category was seen, or else one where all
    values are within the categories. Otherwise the result is empty.
    """
    sizes = [len(categories) for categories in text.pandas_categorical]
    infos = text.header.get("feature_infos", "").split()
    if not sizes or len(infos) != n_features:
        return {}
    marked = {j for j in text.categorical_features if j < n_features}
    marked |= {j for j, info in enumerate(infos) if info[:1] not in ("[", "n")}
    # fewer marked than columns: the rest are ordered ones; more: some are plain integer codes
    candidates = sorted(marked) if len(marked) >= len(sizes) else list(range(n_features))
    forced = marked if len(marked) <= len(sizes) else set()
    for exactly in (True, False):
        fits = {j: {n for n in set(sizes) if _fits(infos[j], n, exactly)} for j in candidates}
        chosen = _single_assignment(fits, sizes, forced)
        if chosen is not None:
            return dict(zip(chosen, text.pandas_categorical, strict=True))
    return {}


def _single_assignment(
    fits: dict[int, set[int]], sizes: list[int], forced: set[int]
) -> tuple[int, ...] | None:
    """Features for the columns of these sizes, in order and with all forced ones; None if not one.

    ``ways[i]`` is the number of ways (2 means several) to give the first i columns to the features
    so far, and one of them.
    """
    ways: list[tuple[int, tuple[int, ...]]] = [(1, ()), *((0, ()) for _ in sizes)]
    for j, fitting in fits.items():
        for i in range(len(sizes), -1, -1):
            count, chosen = (0, ()) if j in forced else ways[i]
            if i and ways[i - 1][0] and sizes[i - 1] in fitting:
                count, chosen = min(2, count + ways[i - 1][0]), (*ways[i - 1][1], j)
            ways[i] = (count, chosen)
    count, chosen = ways[-1]
    return chosen if count == 1 else None


def _fits(info: str, n_categories: int, exactly: bool) -> bool:
    """Whether the values seen in training can be codes of that many categories (-1: missing).

    ``info`` is "[min:max]" for a number, "3:0:-1" for categories, "none" for a constant.
    """
    try:
        values = [float(v) for v in info.strip("[]").split(":")]
    except ValueError:
        return n_categories == 1 or not exactly
    if not all(v.is_integer() and -1 <= v < n_categories for v in values):
        return False
    return not exactly or max(values) == n_categories - 1
