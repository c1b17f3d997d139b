"""LightGBM's model text as arrays, read without LightGBM.

The text is a header of ``key=value`` lines, one block of lines per tree, ``end of trees``, and a
tail (importances, training parameters, pandas categories). A tree's block holds one line of
numbers per key. Lines of the same key are collected over many trees and parsed in one go, so
the cost per tree is small, and in batches, so that memory stays near the file's size.

Source: LightGBM's ``src/io/tree.cpp`` (``Tree::ToString``) and
``src/boosting/gbdt_model_text.cpp``; versions v2 to v4 of the format (LightGBM 2.x to 4.x) are
alike in what is read here.
"""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidModelError, LinearTreeError, UnsupportedModelError

_VERSIONS = ("v2", "v3", "v4")
_BATCH_BYTES = 16 << 20  # text collected before its numbers are parsed

# key -> dtype, for one number per inner node and one per leaf
_INNER_KEYS: dict[str, type[np.generic]] = {
    "split_feature": np.int32,
    "threshold": np.float64,
    "decision_type": np.int32,
    "left_child": np.int32,
    "right_child": np.int32,
    "internal_count": np.int64,
    "split_gain": np.float64,
}
_LEAF_KEYS: dict[str, type[np.generic]] = {"leaf_value": np.float64, "leaf_count": np.int64}
_SET_KEYS: dict[str, type[np.generic]] = {"cat_boundaries": np.int64, "cat_threshold": np.int64}
_COUNT_KEYS = ("internal_count", "leaf_count")
_OPTIONAL_KEYS = ("decision_type", "split_gain", *_COUNT_KEYS)
_LINEAR_KEYS = ("num_features", "leaf_const")
_KEPT = (*_INNER_KEYS, *_LEAF_KEYS, *_SET_KEYS, *_LINEAR_KEYS)
_KEPT_BYTES = {key.encode(): key for key in (*_KEPT, "num_leaves", "num_cat", "is_linear")}


@dataclass(kw_only=True)
class TextModel:
    """A model text as arrays; those per inner node, leaf or set are concatenated over T trees."""

    header: dict[str, str]
    n_leaves: npt.NDArray[np.int64]  # (T,)
    n_sets: npt.NDArray[np.int64]  # (T,), category sets ("num_cat")
    n_words: npt.NDArray[np.int64]  # (T,), words of all its sets
    split_feature: npt.NDArray[np.int32]  # inner nodes
    threshold: npt.NDArray[np.float64]  # inner nodes; the set's number at a categorical split
    decision_type: npt.NDArray[np.int32]  # inner nodes
    left_child: npt.NDArray[np.int32]  # inner nodes; ~leaf for a leaf
    right_child: npt.NDArray[np.int32]  # inner nodes; ~leaf for a leaf
    leaf_value: npt.NDArray[np.float64]  # leaves
    internal_count: npt.NDArray[np.int64] | None  # inner nodes; None if any tree has no counts
    leaf_count: npt.NDArray[np.int64] | None  # leaves; None likewise
    split_gain: npt.NDArray[np.float64] | None  # inner nodes, six digits; None likewise
    cat_boundaries: npt.NDArray[np.int64]  # n_sets + 1 per tree with sets
    cat_threshold: npt.NDArray[np.int64]  # 32-bit words of all sets' bits
    boosting: str = "gbdt"
    categorical_features: list[int] = field(default_factory=list)  # training parameter
    pandas_categorical: list[list[Any]] = field(default_factory=list)


class _Column:
    """The lines of one key over the trees of a batch, and the arrays of the batches before."""

    def __init__(self, key: str, dtype: type[np.generic]) -> None:
        self.key = key
        self.dtype = dtype
        self.lines: list[bytes] = []
        self.trees: list[int] = []
        self.sizes: list[int] = []
        self.parts: list[npt.NDArray[Any]] = [np.zeros(0, dtype)]

    def add(self, tree: int, line: bytes, size: int | None) -> int:
        """Keep a line and return how many numbers it holds; ``size`` is how many it must hold."""
        found = line.count(b" ") + 1 if line else 0
        if found != size:
            # LightGBM's reader takes any run of spaces for one
            found = len(line.split())
        if size is not None and found != size:
            broken(tree, self.key, f"holds {found} numbers where {size} belong")
        if found:
            self.lines.append(line)
            self.trees.append(tree)
            self.sizes.append(found)
        return found

    def flush(self) -> None:
        """Parse the lines kept so far."""
        if not self.lines:
            return
        values = _numbers(b" ".join(self.lines), self.dtype, sum(self.sizes))
        if values is None:
            for tree, line, size in zip(self.trees, self.lines, self.sizes, strict=True):
                if _numbers(line, self.dtype, size) is None:
                    broken(tree, self.key, "holds something that is no number of its kind")
            broken(self.trees[0], self.key, "cannot be read")
        self.parts.append(values)
        self.lines, self.trees, self.sizes = [], [], []

    def values(self) -> npt.NDArray[Any]:
        return np.concatenate(self.parts)


def broken(tree: int, key: str, what: str) -> NoReturn:
    """Raise the error for a damaged tree; the message names the tree and the key."""
    raise InvalidModelError(f"damaged LightGBM model text: tree {tree}: {key} {what}")


def _numbers(text: bytes, dtype: type[np.generic], size: int) -> npt.NDArray[Any] | None:
    """Parse ``size`` numbers parted by spaces; None if that is not what the text holds."""
    read_as: type[np.generic] = np.float64 if dtype is np.float64 else np.int64
    with warnings.catch_warnings():
        # numpy warns (old) or raises (new) where it stops at something that is no number
        warnings.simplefilter("error", DeprecationWarning)
        try:
            values: npt.NDArray[Any] = np.fromstring(text, dtype=read_as, sep=" ")
        except (ValueError, DeprecationWarning):
            return None
    if values.size != size:
        return None
    if dtype is np.int32:
        bounds = np.iinfo(np.int32)
        if values.min() < bounds.min or values.max() > bounds.max:
            return None
    return values.astype(dtype, copy=False)


def offsets_of(sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Give the start of every part of that size, and the total: (n + 1,)."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])


def positions_of(
    starts: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Concatenate the ranges [start, start + size)."""
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if ends.size else 0
    positions: npt.NDArray[np.int64] = np.arange(total, dtype=np.int64)
    positions += np.repeat(starts - (ends - sizes), sizes)
    return positions


def check_range(
    values: npt.NDArray[Any], low: Any, high: Any, tree_of: npt.NDArray[np.int64], key: str
) -> None:
    """Refuse values outside [low, high] (numbers or arrays), naming the first one's tree."""
    bad = ~((values >= low) & (values <= high))
    if bad.any():
        at = int(bad.argmax())
        broken(int(tree_of[at]), key, f"holds {values[at]}, which is out of range")


def read_text(data: bytes) -> TextModel:
    """Read a model text.

    Parameters
    ----------
    data : bytes
        What ``Booster.save_model`` writes and ``Booster.model_to_string`` returns (as UTF-8).

    Raises
    ------
    InvalidModelError
        If the text is no LightGBM model, is cut off, or a number is missing or unreadable; the
        message names the tree and the key.
    UnsupportedModelError
        If a tree has linear models in its leaves, or the text's format is unknown.
    """
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    if data.split(b"\n", 1)[0].strip() != b"tree":
        raise InvalidModelError(
            "not a LightGBM model text: its first line must be 'tree' (models are written by "
            "Booster.save_model; the JSON of dump_model is not read)"
        )
    end = data.find(b"\nend of trees")
    if end < 0:
        raise InvalidModelError(
            "damaged LightGBM model text: the line 'end of trees' is missing, the text is cut off"
        )
    first = data.find(b"\nTree=", 0, end)
    header = _header(data[: end if first < 0 else first])
    blocks = _Blocks()
    blocks.read(data, first, end)
    n_trees = len(blocks.n_leaves)
    if "tree_sizes" in header and len(header["tree_sizes"].split()) != n_trees:
        raise InvalidModelError(
            f"damaged LightGBM model text: it holds {n_trees} trees where the header's "
            f"tree_sizes announces {len(header['tree_sizes'].split())}"
        )
    values: dict[str, Any] = {key: c.values() for key, c in blocks.columns.items()}
    if not blocks.has_counts:
        values |= dict.fromkeys(_COUNT_KEYS)
    if not blocks.has_gains:
        values["split_gain"] = None
    return TextModel(
        header=header,
        n_leaves=np.array(blocks.n_leaves, np.int64),
        n_sets=np.array(blocks.n_sets, np.int64),
        n_words=np.array(blocks.n_words, np.int64),
        **values,
        **_tail(data[end:]),
    )


def _header(text: bytes) -> dict[str, str]:
    try:
        lines = text.decode().split("\n")
    except UnicodeDecodeError as error:
        raise InvalidModelError(
            f"damaged LightGBM model text: the header is not UTF-8: {error}"
        ) from None
    header: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition("=")
        header[key] = value
    version = header.get("version", "")
    if version not in _VERSIONS:
        raise UnsupportedModelError(
            f"LightGBM model text of version {version!r}: known are {', '.join(_VERSIONS)} "
            "(LightGBM 2.x to 4.x)"
        )
    return header


class _Blocks:
    """The trees' blocks, read one after the other into columns."""

    def __init__(self) -> None:
        keys = {**_INNER_KEYS, **_LEAF_KEYS, **_SET_KEYS}
        self.columns = {key: _Column(key, dtype) for key, dtype in keys.items()}
        self.n_leaves: list[int] = []
        self.n_sets: list[int] = []
        self.n_words: list[int] = []
        self.has_counts = True
        self.has_gains = True

    def read(self, data: bytes, first: int, end: int) -> None:
        """Read from ``first`` (the newline before "Tree=", -1 for none) to ``end``."""
        start, held = first, 0
        while start >= 0:
            stop = data.find(b"\nTree=", start + 1, end)
            block_end = end if stop < 0 else stop
            self._add(_block(data[start + 1 : block_end], len(self.n_leaves)))
            held += block_end - start
            if held > _BATCH_BYTES:
                self._flush()
                held = 0
            start = stop
        self._flush()

    def _flush(self) -> None:
        for column in self.columns.values():
            column.flush()

    def _add(self, lines: dict[str, bytes]) -> None:
        tree = len(self.n_leaves)
        leaves = _integer(lines, "num_leaves", tree, 1)
        sets = _integer(lines, "num_cat", tree, 0) if leaves > 1 else 0
        if lines.get("is_linear", b"0").strip() != b"0":
            lines["leaf_value"] = _linear_constants(lines, tree, leaves)
        if leaves > 1 and not all(lines.get(key) for key in _COUNT_KEYS):
            self.has_counts = False
        if leaves > 1 and not lines.get("split_gain"):
            self.has_gains = False
        for keys, size in ((_INNER_KEYS, leaves - 1), (_LEAF_KEYS, leaves)):
            for key in keys if size else ():
                line = lines.get(key)
                if not line and key in _OPTIONAL_KEYS:
                    # zeros, as LightGBM's own reader takes it; 3.3 writes no count for one leaf
                    line = b" ".join([b"0"] * size)
                if line is None:
                    broken(tree, key, "is missing")
                self.columns[key].add(tree, line, size)
        n_words = 0
        if sets:
            for key in _SET_KEYS:
                if key not in lines:
                    broken(tree, key, "is missing")
            self.columns["cat_boundaries"].add(tree, lines["cat_boundaries"], sets + 1)
            n_words = self.columns["cat_threshold"].add(tree, lines["cat_threshold"], None)
        self.n_leaves.append(leaves)
        self.n_sets.append(sets)
        self.n_words.append(n_words)


def _block(text: bytes, tree: int) -> dict[str, bytes]:
    """Lines of a tree's block by key, only the keys that are read."""
    lines: dict[str, bytes] = {}
    for line in text.split(b"\n"):
        raw_key, _, value = line.partition(b"=")
        key = _KEPT_BYTES.get(raw_key)
        if key is None:
            continue
        if key in lines:
            # two blocks run into each other where a "Tree=" line got lost
            broken(tree, key, "appears twice")
        lines[key] = value
    return lines


def _integer(lines: dict[str, bytes], key: str, tree: int, least: int) -> int:
    if key not in lines:
        broken(tree, key, "is missing")
    try:
        value = int(lines[key])
    except ValueError:
        broken(tree, key, f"is {lines[key][:40]!r}, not an integer")
    if not least <= value < 2**31:
        broken(tree, key, f"is {value}, out of range")
    return value


def _linear_constants(lines: dict[str, bytes], tree: int, leaves: int) -> bytes:
    """Leaf values of a tree of the linear kind whose leaves are all constant."""
    n_features = lines.get("num_features", b"").split()
    if any(n.strip(b"0") for n in n_features):
        raise LinearTreeError(
            f"LightGBM linear tree: tree {tree} has linear models in its leaves, which are not "
            "constant leaf values; train with linear_tree=False"
        )
    if "leaf_const" not in lines or len(lines["leaf_const"].split()) != leaves:
        broken(tree, "leaf_const", f"must hold {leaves} numbers")
    return lines["leaf_const"]


def _tail(text: bytes) -> dict[str, Any]:
    """Read what follows the trees: boosting kind, categorical features, pandas categories."""
    tail = text.decode(errors="replace")
    boosting = re.search(r"^\[boosting: (\w+)\]$", tail, re.MULTILINE)
    features = re.search(r"^\[categorical_feature: ([0-9,]+)\]$", tail, re.MULTILINE)
    found: dict[str, Any] = {}
    if boosting:
        found["boosting"] = boosting[1]
    if features:
        # digits only by the expression above; empty where a comma leads or trails
        found["categorical_features"] = [int(i) for i in features[1].split(",") if i]
    if "\nparameters:" in tail and "\nend of parameters" not in tail:
        # the categories follow the parameters: without this they would be lost in silence
        raise InvalidModelError(
            "damaged LightGBM model text: 'end of parameters' is missing, the text is cut off"
        )
    start = tail.rfind("\npandas_categorical:")
    if start >= 0:
        line = tail[start + 1 :].split("\n", 1)[0].partition(":")[2]
        try:
            categories = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InvalidModelError(
                f"damaged LightGBM model text: pandas_categorical cannot be read: {error}"
            ) from None
        if categories is not None and not (
            isinstance(categories, list) and all(isinstance(c, list) for c in categories)
        ):
            raise InvalidModelError(
                "damaged LightGBM model text: pandas_categorical is not a list of lists"
            )
        found["pandas_categorical"] = categories or []
    return found
