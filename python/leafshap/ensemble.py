"""TreeEnsemble: the friendly face of the tree IR.

The compiled core holds the trees; names, categories, link and source, which it does not need, stay
here beside it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap import _core, converters
from leafshap.background import read_background
from leafshap.converters.arrays import EnsembleArrays
from leafshap.errors import InvalidInputError
from leafshap.inputs import InputRows, InputSchema
from leafshap.integers import whole_number
from leafshap.metadata import check_metadata, read_gain
from leafshap.storage import read_arrays, write_arrays
from leafshap.threads import count_threads

# Per-tree and per-node arrays: they live in the core, and only there.
_CORE_FIELDS = frozenset(
    {"tree_offsets", "tree_output", "tree_weight", "split_feature", "left", "right", "threshold"}
    | {"default_left", "missing", "categorical", "category_offsets", "category_codes"}
    | {"cover", "leaf_value"}
)


class TreeEnsemble:
    """A tree ensemble of any library as one immutable structure of arrays.

    Raw output ``k`` of a row is ``base_values[k]`` plus, over the trees, the weighted value of the
    leaf that the row reaches. Made by `from_model` or `load`; picklable; safe to use from several
    threads.

    Parameters
    ----------
    arrays : EnsembleArrays
        Trees and metadata; validated, and copied into the core.

    Raises
    ------
    InvalidModelError
        If the arrays contradict themselves; the message names tree and node.
    """

    def __init__(self, arrays: EnsembleArrays) -> None:
        check_metadata(arrays)
        values = arrays.as_dict()
        if not len(arrays.split_feature):  # a model without trees lacks nothing
            values["cover"] = np.empty(0)
            values["split_gain"] = np.empty(0)
        self._core = _core.Ensemble(values)
        self._meta = {name: v for name, v in values.items() if name not in _CORE_FIELDS}
        base_values = np.array(arrays.base_values, dtype=np.float64)
        base_values.flags.writeable = False
        self._meta["base_values"] = base_values
        self._meta["split_gain"] = read_gain(values["split_gain"], len(arrays.split_feature))
        split = np.asarray(arrays.split_feature)
        by_category = np.asarray(arrays.categorical) != 0
        if len(arrays.category_offsets):
            # an empty set is the split "is it missing?", whatever the feature is
            by_category = by_category & (np.diff(np.asarray(arrays.category_offsets)) > 0)
        self._schema = InputSchema(
            n_features=arrays.n_features,
            feature_names=arrays.feature_names,
            feature_categories=arrays.feature_categories,
            categorical_features=_features_of(split[by_category], arrays.n_features),
            used_features=_features_of(split, arrays.n_features),
            encode_numeric=arrays.encode_numeric,
            allow_nan=arrays.allow_nan,
            allow_inf=arrays.allow_inf,
            missing_value=arrays.missing_value,
            input_precision=arrays.input_precision,
            # XGBoost reads what a sparse matrix leaves out as missing, the others as zero
            sparse_fill=float("nan") if arrays.source.startswith("xgboost") else 0.0,
        )

    @classmethod
    def from_model(cls, model: object) -> TreeEnsemble:
        """Convert a trained model.

        Parameters
        ----------
        model : object
            An XGBoost, LightGBM or scikit-learn tree model; a path to an XGBoost .json or .ubj file
            or a LightGBM .txt file; `EnsembleArrays`; or a `TreeEnsemble`, returned as it is.

        Raises
        ------
        UnsupportedModelError
            If the kind of model cannot be represented; the message names it and says what to do.
        InvalidModelError
            If the model or file is damaged or contradicts itself.
        """
        if isinstance(model, TreeEnsemble):
            return model
        return cls(model if isinstance(model, EnsembleArrays) else converters.convert(model))

    @property
    def core(self) -> _core.Ensemble:
        """The compiled core's object."""
        return self._core

    @property
    def schema(self) -> InputSchema:
        """What the model expects of its input."""
        return self._schema

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return self._core.n_trees

    @property
    def n_features(self) -> int:
        """Number of columns that X must have."""
        return self._core.n_features

    @property
    def n_outputs(self) -> int:
        """Number of outputs (classes, targets) K."""
        return self._core.n_outputs

    @property
    def n_nodes(self) -> int:
        """Number of nodes of all trees, leaves included."""
        return self._core.n_nodes

    @property
    def n_leaves(self) -> int:
        """Number of leaves of all trees."""
        return self._core.n_leaves

    @property
    def max_depth(self) -> int:
        """Most edges between a root and a leaf."""
        return self._core.max_depth

    @property
    def has_cover(self) -> bool:
        """Whether the nodes know how many training rows went through them."""
        return self._core.has_cover

    @property
    def base_values(self) -> npt.NDArray[np.float64]:
        """What is added to the trees' sum, in raw margin space, shape (K,); read-only."""
        values: npt.NDArray[np.float64] = self._meta["base_values"]
        return values

    @property
    def feature_names(self) -> list[str] | None:
        """Names of the features, if the model has any."""
        return _copied(self._meta["feature_names"])

    @property
    def output_names(self) -> list[str] | None:
        """Names of the outputs (class labels, targets), if the model has any."""
        return _copied(self._meta["output_names"])

    @property
    def link(self) -> str:
        """From the raw margin to the prediction: "identity", "logistic", "softmax", ..."""
        return str(self._meta["link"])

    @property
    def source(self) -> str:
        """Library, version and kind of the model this was made from."""
        return str(self._meta["source"])

    @property
    def tree_limit(self) -> int | None:
        """Trees that the library's own predict uses (XGBoost's best iteration); None: all."""
        limit: int | None = self._meta["tree_limit"]
        return limit

    @property
    def trees_per_iteration(self) -> int:
        """Trees that one boosting iteration adds."""
        return int(self._meta["trees_per_iteration"])

    @property
    def averaged(self) -> bool:
        """Whether the output is the mean over the trees, by their weights."""
        return bool(self._meta["averaged"])

    def count_trees(self, tree_limit: int | None = None) -> int:
        """Resolve a `tree_limit` to a number of trees.

        Parameters
        ----------
        tree_limit : int, optional
            Counts trees, not iterations. None: the model's own default (`tree_limit`); -1: all;
            more than there are: all, as in shap.

        Raises
        ------
        InvalidInputError
            If it is 0, less than -1, or no integer.
        """
        if tree_limit is None:
            tree_limit = -1 if self.tree_limit is None else self.tree_limit
        limit = whole_number(tree_limit)
        if limit is None:
            raise InvalidInputError(f"tree_limit must be an integer or None, got {tree_limit!r}")
        if limit == -1:
            return self.n_trees
        if limit < 1:
            raise InvalidInputError(
                "tree_limit must be positive, -1 (all trees) or None (the model's own), "
                f"got {limit}"
            )
        return min(limit, self.n_trees)

    def predict(
        self, X: Any, tree_limit: int | None = None, n_jobs: int = -1
    ) -> npt.NDArray[np.float64]:
        """Raw margin of every row: equals the library's own raw prediction.

        Parameters
        ----------
        X : array, table or sparse matrix, shape (n, n_features)
            Or one row of shape (n_features,).
        tree_limit : int, optional
            See `count_trees`.
        n_jobs : int, default -1
            Threads; -1 uses all the cores this process may use.

        Returns
        -------
        ndarray of float64, shape (n,), or (n, K) with several outputs
            Without the row axis for a single row.

        Raises
        ------
        InvalidInputError
            If X does not fit the model.
        """
        n_trees, n_threads = self.count_trees(tree_limit), count_threads(n_jobs)
        rows = InputRows(X, self._schema)
        out = np.empty((rows.n_rows, self.n_outputs), dtype=np.float64)
        for start, stop, block in rows.blocks():
            out[start:stop] = self._core.predict(block, n_trees, n_threads)
        result: npt.NDArray[np.float64] = out[:, 0] if self.n_outputs == 1 else out
        return result[0] if rows.single else result

    def expected_values(self, tree_limit: int | None = None) -> npt.NDArray[np.float64]:
        """Mean raw output over the training data as the nodes' cover tells it, shape (K,).

        ``base_values`` plus, over the trees, the cover-weighted mean of the leaf values: what
        path-dependent SHAP values add up from (Lundberg et al. 2020, Algorithm 1 on no features).

        Raises
        ------
        UnsupportedModelError
            If the model carries no cover.
        """
        return self._core.expected_values(self.count_trees(tree_limit))

    def feature_importance(
        self, kind: str = "total_gain", tree_limit: int | None = None
    ) -> npt.NDArray[np.float64]:
        """Give the importance of every feature as the trees tell it, from their training.

        =============== ============================ ================= ============ ===============
        kind            over the splits of a feature XGBoost           LightGBM     scikit-learn
        =============== ============================ ================= ============ ===============
        "split"         their number                 "weight"          "split"
        "gain"          mean gain                    "gain" (1)
        "total_gain"    sum of gains                 "total_gain"      "gain"
        "cover"         mean cover                   "cover"
        "total_cover"   sum of covers                "total_cover"
        "impurity"      share of the gain                                           (2)
        =============== ============================ ================= ============ ===============

        (1) ``XGBModel.feature_importances_`` is this, divided by its sum. (2)
        ``feature_importances_``: the shares of each tree first if the ensemble is a mean of trees
        (forests), then of the sum; they add up to 1.

        Parameters
        ----------
        kind : str, default "total_gain"
            See the table; "weight" is also accepted for "split".
        tree_limit : int, optional
            Count the first `tree_limit` trees, see `count_trees`. None: the trees that the model's
            library counts, which are all, with LightGBM those up to the best iteration.

        Returns
        -------
        ndarray of float64, shape (n_features,)
            Equal to the library's own numbers where the table names one; 0 for a feature that no
            split tests, which XGBoost leaves out. See docs/feature_importance.md.

        Raises
        ------
        InvalidInputError
            If the kind is unknown or `tree_limit` out of range.
        UnsupportedModelError
            If the model carries no gain, or no cover, and the kind is made of it.
        """
        from leafshap.importance.splits import split_importance

        if tree_limit is None and self.source.startswith("xgboost"):
            tree_limit = -1  # get_score knows no best iteration
        return split_importance(self.to_arrays(), kind, self.count_trees(tree_limit))

    def recount_cover(self, data: Any, sample_weight: Any = None, n_jobs: int = -1) -> TreeEnsemble:
        """Make the same ensemble with the cover that `data` gives.

        A node's cover becomes the number of the rows that reach it, or their share of the weight;
        the children of a node that none reaches count alike. Needs no cover in the model. What the
        splits gained in training stays.

        Parameters
        ----------
        data : array, table or sparse matrix, shape (m, n_features)
            Rows to count, or a pair (rows, weights).
        sample_weight : array-like, shape (m,), optional
            Weights of the rows; their sum does not matter.
        n_jobs : int, default -1
            Threads; -1 uses all the cores this process may use.

        Returns
        -------
        TreeEnsemble

        Raises
        ------
        InvalidInputError
            If the rows or weights do not fit.
        """
        background = read_background(data, sample_weight, self._schema)
        other = type(self).__new__(type(self))
        other._core = self._core.recount_cover(
            background.rows, background.weights, count_threads(n_jobs)
        )
        other._meta, other._schema = self._meta, self._schema
        return other

    def to_arrays(self) -> EnsembleArrays:
        """Return the ensemble as plain arrays (copies)."""
        values = {**self._core.to_arrays(), **self._meta}
        values["base_values"] = self.base_values.copy()
        gain = self._meta["split_gain"]
        values["split_gain"] = None if gain is None else gain.copy()
        return EnsembleArrays(**{f.name: values[f.name] for f in fields(EnsembleArrays)})

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a file in leafshap's own format (docs/format.md).

        The file appears under its name only when it is complete.

        Raises
        ------
        UnsupportedModelError
            If a category value is neither text nor a number.
        OSError
            If the file cannot be written.
        """
        write_arrays(path, self.to_arrays())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TreeEnsemble:
        """Read a file written by `save`. Nothing in the file is executed.

        Raises
        ------
        InvalidModelError
            If the file is damaged, of another kind, or written by a newer leafshap.
        OSError
            If the file cannot be opened.
        """
        return cls(read_arrays(path))

    def __reduce__(self) -> tuple[Callable[[EnsembleArrays], TreeEnsemble], tuple[EnsembleArrays]]:
        return type(self), (self.to_arrays(),)

    def __repr__(self) -> str:
        return (
            f"<TreeEnsemble: {self.n_trees} trees, {self.n_leaves} leaves, depth {self.max_depth}, "
            f"{self.n_features} features, {self.n_outputs} "
            f"output{'' if self.n_outputs == 1 else 's'}, from {self.source or 'arrays'}>"
        )


def _features_of(split: npt.NDArray[np.int32], n_features: int) -> frozenset[int]:
    """Collect the distinct features of some nodes, leaves (-1) left out."""
    seen = np.zeros(n_features, dtype=bool)
    seen[split[split >= 0]] = True
    return frozenset(np.flatnonzero(seen).tolist())


def _copied(names: list[str] | None) -> list[str] | None:
    return None if names is None else list(names)
