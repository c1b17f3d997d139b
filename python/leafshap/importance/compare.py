"""Importances of several kinds side by side: what the model does, what training saw, what it costs.

Mean |phi| tells how far a feature moves the predictions of these rows, permutation importance how
much worse they fit the labels without it, splits, gain and cover what training did with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.background import read_weights
from leafshap.errors import InvalidInputError, UnsupportedModelError
from leafshap.explainers.tree import TreeExplainer
from leafshap.explanation.selection import made_up_names
from leafshap.importance.splits import name_of_kind
from leafshap.inputs import InputRows, take_rows

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]

_DEFAULT_KINDS = ("split", "total_cover", "total_gain")
_BLOCK_VALUES = 1 << 24  # SHAP values held at once
_SHOWN = 10


@dataclass(frozen=True, eq=False, repr=False)
class ImportanceTable:
    """Importances of F features of several kinds.

    Attributes
    ----------
    names : list of str
        Of the features ("Feature 3" where there are none).
    table : dict of str to ndarray of float64, shape (F,)
        By kind: "mean_abs_phi", those of `TreeEnsemble.feature_importance`, "permutation".

    Notes
    -----
    ``table["split"]`` is one column, also to be had as ``importances["split"]``.
    """

    names: list[str]
    table: dict[str, Floats]

    def __getitem__(self, kind: str) -> Floats:
        return self.table[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self.table)

    def __len__(self) -> int:
        """Return the number of kinds."""
        return len(self.table)

    def normalized(self) -> ImportanceTable:
        """Divide every column by the sum of its absolute values, so that columns compare.

        Negative importances, which permutation gives to features that do nothing, stay negative.
        """
        sums = {kind: float(np.abs(values).sum()) for kind, values in self.table.items()}
        shares = {k: v / sums[k] if sums[k] > 0 else v.copy() for k, v in self.table.items()}
        return ImportanceTable(list(self.names), shares)

    def ranks(self) -> ImportanceTable:
        """Rank the features of every column: 1 is the most important, ties share the mean rank."""
        ranks: dict[str, Floats] = {}
        for kind, values in self.table.items():
            _, place, ties = np.unique(-values, return_inverse=True, return_counts=True)
            ranks[kind] = (np.cumsum(ties) - (ties - 1) / 2)[place.reshape(-1)]
        return ImportanceTable(list(self.names), ranks)

    def to_pandas(self) -> pd.DataFrame:
        """Return a DataFrame with a row for every feature and a column for every kind.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        import pandas as pd

        return pd.DataFrame(self.table, index=pd.Index(self.names, name="feature"))

    def __repr__(self) -> str:
        first = next(iter(self.table.values()))
        order = np.argsort(-first, kind="stable")[:_SHOWN]
        lines = [["", *self.table]]
        lines += [[self.names[j], *(f"{v[j]:.4g}" for v in self.table.values())] for j in order]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = [
            f"{line[0]:<{widths[0]}}  "
            + "  ".join(f"{cell:>{w}}" for cell, w in zip(line[1:], widths[1:], strict=True))
            for line in lines
        ]
        more = len(self.names) - len(order)
        return "\n".join(text + ([f"... {more} more"] if more else []))


def compare_importances(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    data: Any = None,
    kinds: str | Sequence[str] = _DEFAULT_KINDS,
    scoring: Any = None,
    n_repeats: int = 5,
    random_state: Any = None,
    sample_weight: Any = None,
    feature_names: Sequence[str] | None = None,
    n_jobs: int = -1,
) -> ImportanceTable:
    """Mean |phi|, the trees' own importances and permutation importance in one table.

    Parameters
    ----------
    model : object
        An XGBoost, LightGBM or scikit-learn tree model; with `y` an estimator, for its score.
    X : array, table or sparse matrix, shape (n, F)
        Rows that are explained, and permuted if there is `y`.
    y : array-like, shape (n,), optional
        Labels; adds the column "permutation", the mean of `permutation_importance`'s repeats.
    data : array, table or sparse matrix, optional
        Background of the SHAP values, see `TreeExplainer`; path-dependent values without.
    kinds : str or sequence of str, default ("split", "total_cover", "total_gain")
        One or more, each once, of `TreeEnsemble.feature_importance`. A kind that is there by
        default is left out if the model does not carry it.
    scoring, n_repeats, random_state
        See `permutation_importance`. With several scorers, the columns are "permutation_<scorer>".
    sample_weight : array-like, shape (n,), optional
        Weights of the rows, in mean |phi| and in the scores.
    feature_names : sequence of str, optional
        By default those of X, else the model's.
    n_jobs : int, default -1
        Threads; -1 uses all the cores this process may use.

    Returns
    -------
    ImportanceTable
        Its first column is "mean_abs_phi": the mean over the rows of |phi|, summed over the outputs
        if there are several.

    Raises
    ------
    InvalidInputError
        If X, y or an argument does not fit.
    UnsupportedModelError
        If the model is of a kind not supported; or has no cover, and no `data` is given; or does
        not carry a kind that was asked for.

    Notes
    -----
    All columns are over the same trees, those that the model's own predict uses.
    """
    if y is None and scoring is not None:
        raise InvalidInputError("scoring= is of permutation importance, which needs labels (y=)")
    wanted = _read_kinds(kinds)
    explainer = TreeExplainer(model, data, feature_names=feature_names, n_jobs=n_jobs)
    ensemble = explainer.model
    rows = InputRows(X, ensemble.schema)
    if not rows.n_rows:
        raise InvalidInputError("there are no rows to explain")
    table = {"mean_abs_phi": _mean_abs_phi(explainer, X, rows, ensemble.n_outputs, sample_weight)}
    for kind in wanted:
        try:
            found = ensemble.feature_importance(kind, ensemble.count_trees())
        except UnsupportedModelError:
            if kinds is not _DEFAULT_KINDS:
                raise
        else:
            table[name_of_kind(kind)] = found
    if y is not None:
        from leafshap import permutation_importance

        result = permutation_importance(
            model,
            X,
            y,
            scoring=scoring,
            n_repeats=n_repeats,
            random_state=random_state,
            sample_weight=sample_weight,
            n_jobs=n_jobs,
        )
        table.update(_permutation_columns(result))
    names = feature_names if feature_names is not None else rows.names or ensemble.feature_names
    if names is None:
        names = made_up_names("feature", ensemble.n_features)
    return ImportanceTable([str(name) for name in names], table)


def _read_kinds(kinds: str | Sequence[str]) -> list[str]:
    """List kinds; refuse one that is there twice, also by another name."""
    wanted = [kinds] if isinstance(kinds, str) else list(kinds)
    names = [name_of_kind(kind) for kind in wanted]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise InvalidInputError(f"kinds names {wanted[i]!r} twice: {kinds!r}")
    return wanted


def _mean_abs_phi(
    explainer: TreeExplainer, X: Any, rows: InputRows, n_outputs: int, sample_weight: Any
) -> Floats:
    """Weighted mean over the rows of the sum over the outputs of |phi|, shape (F,)."""
    n, n_features = rows.n_rows, explainer.model.n_features
    weights = np.full(n, 1.0 / n)
    if sample_weight is not None:
        weights = read_weights(sample_weight, n, "sample weights")
    total = np.zeros(n_features)
    size = max(256, _BLOCK_VALUES // (n_features * n_outputs))
    for start in range(0, n, size):
        stop = min(start + size, n)
        block = X if stop - start == n else take_rows(X, slice(start, stop))
        phi = np.abs(explainer.shap_values(block)).reshape(stop - start, n_features, n_outputs)
        total += weights[start:stop] @ phi.sum(axis=2)
    return total


def _permutation_columns(result: Mapping[str, Any]) -> dict[str, Floats]:
    if "importances_mean" in result:  # one scorer
        return {"permutation": np.asarray(result["importances_mean"], np.float64)}
    return {
        f"permutation_{scorer}": np.asarray(found["importances_mean"], np.float64)
        for scorer, found in result.items()
    }
