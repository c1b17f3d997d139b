"""scikit-learn's HistGradientBoosting models to the tree IR.

Nodes are structured arrays (``_hist_gradient_boosting/common.pyx``), walked on float64 rows as in
``_predictor.pyx``: missing values and unknown categories take ``missing_go_to_left``, categories
in the node's bit set go left, known others right, and a number goes left if ``x <= threshold``.

Columns and categories are given back to the user's own terms. Since scikit-learn 1.4 a
ColumnTransformer encodes the categorical columns and moves them to the front; before, a category's
value was its code. Either way the IR's code is the rank of the value among the values known from
training, `feature_categories` lists those, and any other value is encoded as missing.

Two inputs differ from scikit-learn's treatment: before 1.4 it cut an unknown category value to an
integer below 256 (2.7 became 2, here it is unknown), and since 1.4 it refuses an infinite value in
a categorical column (here it is unknown as well).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.converters.arrays import Categorical, EnsembleArrays, Missing, gains_of_splits
from leafshap.errors import UnsupportedModelError

# inverse of the loss's link, by the name of sklearn._loss.link's class
_LINKS = {
    "IdentityLink": "identity",
    "LogLink": "exp",
    "LogitLink": "logistic",
    "MultinomialLogit": "softmax",
}

_FEW_ROWS = 4096


def convert_hist(model: Any) -> EnsembleArrays:
    """Convert a fitted HistGradientBoostingClassifier or -Regressor.

    Cover is each node's ``count`` of training rows: sample weights do not enter it, since
    scikit-learn keeps no weighted count. Raw output is the decision function (classifiers) or the
    prediction before the inverse link (regressors).

    Raises
    ------
    UnsupportedModelError
        For a loss with an unknown link, or None among the categories.
    """
    predictors = [tree for iteration in model._predictors for tree in iteration]
    n_outputs = int(model.n_trees_per_iteration_)
    n_features = int(model.n_features_in_)
    sizes = [len(tree.nodes) for tree in predictors]
    nodes = np.concatenate([tree.nodes for tree in predictors])

    leaf = nodes["is_leaf"] != 0
    feature = _user_columns(model, n_features)[np.where(leaf, 0, nodes["feature_idx"])]
    members = ~leaf & (nodes["is_categorical"] != 0)
    # everything present goes left, NaN right: the split "is it missing?"
    any_present = ~leaf & ~members & (nodes["num_threshold"] == np.inf)
    kind = np.zeros(len(nodes), np.uint8)
    kind[members] = Categorical.MEMBERS_LEFT
    # the empty set sends all values left, +inf included, which no finite threshold does
    kind[any_present] = Categorical.MEMBERS_RIGHT
    categories = _known_categories(model)
    offsets, codes = _category_sets(model, predictors, nodes, members)
    classes = getattr(model, "classes_", None)
    return EnsembleArrays(
        n_features=n_features,
        n_outputs=n_outputs,
        tree_offsets=np.cumsum([0, *sizes], dtype=np.int64),
        tree_output=np.tile(np.arange(n_outputs, dtype=np.int32), len(model._predictors)),
        tree_weight=np.ones(len(predictors)),
        split_feature=np.where(leaf, -1, feature).astype(np.int32),
        left=np.where(leaf, -1, nodes["left"].astype(np.int64)).astype(np.int32),
        right=np.where(leaf, -1, nodes["right"].astype(np.int64)).astype(np.int32),
        threshold=np.where(leaf | (kind != Categorical.NUMERIC), 0.0, nodes["num_threshold"]),
        default_left=~leaf & (nodes["missing_go_to_left"] != 0),
        missing=np.full(len(nodes), Missing.NAN, np.uint8),
        categorical=kind,
        category_offsets=offsets if kind.any() else np.empty(0, np.int64),
        category_codes=codes,
        cover=nodes["count"].astype(np.float64),
        leaf_value=np.where(leaf, nodes["value"], 0.0),
        split_gain=gains_of_splits(nodes["gain"], leaf),
        base_values=base_of_hist(model),
        comparison="<=",
        input_precision="float64",
        link=_link(model),
        trees_per_iteration=n_outputs,
        output_names=None if classes is None else [str(c) for c in classes[-n_outputs:]],
        feature_categories=categories,
        encode_numeric=bool(categories),
    )


def predict_raw_hist(model: Any, X: Any) -> npt.NDArray[np.float64]:
    """Decision function or, of a regressor, prediction in link space; shape (n,) or (n, K)."""
    # no public method gives a regressor's raw prediction if its link is not the identity, and none
    # lets a few rows do without threads, which are started and joined once for every tree
    threads = 1 if len(X) <= _FEW_ROWS else None
    raw = np.asarray(model._raw_predict(X, n_threads=threads), np.float64)
    return raw.ravel() if raw.shape[1] == 1 else raw


def base_of_hist(model: Any) -> npt.NDArray[np.float64]:
    """Raw prediction before the first tree. Shape (K,)."""
    base = np.empty(int(model.n_trees_per_iteration_))
    base[:] = np.ravel(model._baseline_prediction)
    return base


def _link(model: Any) -> str:
    name = type(model._loss.link).__name__
    if name not in _LINKS:
        raise UnsupportedModelError(
            f"cannot convert a {type(model).__name__} whose loss {model.loss!r} has the link {name}"
        )
    return _LINKS[name]


def _is_categorical(model: Any) -> npt.NDArray[np.bool_] | None:
    mask = getattr(model, "is_categorical_", None)
    return None if mask is None else np.asarray(mask, bool)


def _user_columns(model: Any, n_features: int) -> npt.NDArray[np.int64]:
    """Map the columns that the trees see to the user's columns. Shape (F,)."""
    mask = _is_categorical(model)
    if getattr(model, "_preprocessor", None) is None or mask is None:
        return np.arange(n_features)
    return np.concatenate([np.flatnonzero(mask), np.flatnonzero(~mask)])


def _known_categories(model: Any) -> dict[int, list[Any]]:
    """Category values of each of the user's categorical columns, in the order of their codes."""
    mask = _is_categorical(model)
    if mask is None:
        return {}
    columns = [int(j) for j in np.flatnonzero(mask)]
    preprocessor = getattr(model, "_preprocessor", None)
    if preprocessor is None:
        return {j: _bin_values(model, j).tolist() for j in columns}
    known = {}
    encoders = preprocessor.named_transformers_["encoder"].categories_
    for j, values in zip(columns, encoders, strict=True):
        # the encoder lists NaN last if it was met in training
        listed = [v for v in _as_list(values) if not (isinstance(v, float) and v != v)]
        if any(v is None or type(v).__name__ == "NAType" for v in listed):
            raise UnsupportedModelError(
                f"feature {j} was fitted with None or pandas.NA as a category, which scikit-learn "
                "tells apart from a missing value and leafshap does not: fit with NaN instead, or "
                "with a category value such as 'missing'"
            )
        known[j] = listed
    return known


def _as_list(values: npt.NDArray[Any]) -> list[Any]:
    # tolist makes plain integers of datetimes, which would no longer equal the user's values
    return list(values) if values.dtype.kind in "mM" else list(values.tolist())


def _bin_values(model: Any, column: int) -> npt.NDArray[np.float64]:
    """Values that the trees know of a categorical column of theirs, sorted (negative: missing)."""
    values = np.asarray(model._bin_mapper.bin_thresholds_[column], np.float64)
    return values[values >= 0]


def _category_sets(
    model: Any, predictors: list[Any], nodes: npt.NDArray[Any], members: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """CSR offsets (N + 1,) and codes of the categories that go left at the nodes in `members`.

    A predictor holds one row of 256 bits for each categorical split; bit v stands for the value v,
    which since scikit-learn 1.4 is the code.
    """
    counts = np.zeros(len(nodes), np.int64)
    codes = np.empty(0, np.int64)
    if members.any():
        bitsets = np.concatenate([tree.raw_left_cat_bitsets for tree in predictors])
        bits = np.unpackbits(bitsets.astype("<u4").view(np.uint8), axis=1, bitorder="little")
        first_row = np.cumsum([0, *(len(tree.raw_left_cat_bitsets) for tree in predictors)])[:-1]
        tree_of_node = np.repeat(np.arange(len(predictors)), [len(t.nodes) for t in predictors])
        row = first_row[tree_of_node] + nodes["bitset_idx"]
        column = nodes["feature_idx"]
        bit_of_code = np.zeros((int(column.max()) + 1, 256), np.int64)
        is_code = np.zeros(bit_of_code.shape, bool)
        for j in np.unique(column[members]):
            values = _bin_values(model, j).astype(np.int64)
            bit_of_code[j, : values.size] = values
            is_code[j, : values.size] = True
        row, column = row[members], column[members]
        goes_left = is_code[column] & (bits[row[:, None], bit_of_code[column]] != 0)
        counts[members] = goes_left.sum(axis=1)
        codes = np.nonzero(goes_left)[1]
    return np.concatenate([[0], np.cumsum(counts)]), codes.astype(np.int32)
