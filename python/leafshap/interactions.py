"""SHAP interaction values by pair: what they are without the dense (n, F, F) array."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.explanation import Values, select_rows
from leafshap.explanation.data import objects
from leafshap.explanation.selection import made_up_names
from leafshap.explanation.tables import Table

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_SHOWN = 5  # pairs in the summary's repr


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class InteractionPairs:
    """SHAP interaction values of n rows for the P pairs of features that can interact.

    Features interact only if they occur together on a path of some tree; all other values are
    exactly 0, and not kept. A row's values add up to its output:
    ``base_values + shap_values.sum(axis=1)``, and a feature's SHAP value is its main effect plus
    its values of all pairs.

    Attributes
    ----------
    pairs : ndarray of int32, shape (P, 2)
        Features i < j, sorted.
    values : ndarray of float32 or float64, shape (n, P), or (n, P, K) with several outputs
        phi_ij, half of the pair's interaction (shap's convention: the other half is phi_ji).
    shap_values : ndarray, shape (n, F), or (n, F, K)
        phi_i.
    base_values : ndarray of float64, shape (n,), or (n, K)
        What the values of a row add up from.
    feature_names, output_names : list of str, optional
    single_row : bool
        Whether this is one row, without the row axis.

    Notes
    -----
    ``interactions[i]`` is one row; a slice, an integer array or a mask gives several.
    """

    pairs: npt.NDArray[np.int32]
    values: Values
    shap_values: Values
    base_values: npt.NDArray[np.float64]
    feature_names: list[str] | None = None
    output_names: list[str] | None = None
    single_row: bool = False

    def __len__(self) -> int:
        """Return the number of rows."""
        if self.single_row:
            raise TypeError("interactions of a single row have no length")
        return len(self.values)

    def __getitem__(self, key: Any) -> InteractionPairs:
        if self.single_row:
            raise TypeError("interactions of a single row cannot be sliced: use .values")
        rows, single = select_rows(key, len(self))
        return replace(
            self,
            values=self.values[rows],
            shap_values=self.shap_values[rows],
            base_values=np.asarray(self.base_values[rows]),
            single_row=single,
        )

    def __iter__(self) -> Iterator[InteractionPairs]:
        return (self[i] for i in range(len(self)))

    @property
    def main_effects(self) -> Values:
        """phi_ii: SHAP value less half of all its interactions, shape (n, F), or (n, F, K)."""
        values, phi = self._with_row_axis()
        effects = main_effects(self.pairs, values, phi)
        return effects[0] if self.single_row else effects

    def to_dense(self) -> Values:
        """Return the symmetric array of `TreeExplainer.shap_interaction_values`.

        Returns
        -------
        ndarray, shape (n, F, F), or (n, F, F, K)
            Off the diagonal phi_ij, on it the main effects.
        """
        values, phi = self._with_row_axis()
        n, n_features = phi.shape[:2]
        dense: Values = np.zeros((n, n_features, n_features, *phi.shape[2:]), dtype=phi.dtype)
        first, second = self.pairs.T
        dense[:, first, second] = values
        dense[:, second, first] = values
        diagonal = np.arange(n_features)
        dense[:, diagonal, diagonal] = main_effects(self.pairs, values, phi)
        return dense[0] if self.single_row else dense

    def _with_row_axis(self) -> tuple[Values, Values]:
        if self.single_row:
            return self.values[np.newaxis], self.shap_values[np.newaxis]
        return self.values, self.shap_values

    def __repr__(self) -> str:
        rows = "1 row" if self.single_row else f"{len(self)} rows"
        n_features = self.shap_values.shape[0 if self.single_row else 1]
        outputs = self.base_values.shape[0 if self.single_row else 1 :]
        several = f", {outputs[0]} outputs" if outputs else ""
        return (
            f"<InteractionPairs: {rows}, {len(self.pairs)} pairs of {n_features} features"
            f"{several}, {self.values.dtype}>"
        )


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class InteractionSummary:
    """Mean absolute SHAP interaction values over a data set, strongest pair first.

    Attributes
    ----------
    pairs : ndarray of int32, shape (P, 2)
        Features i < j; with several outputs sorted by the sum over the outputs.
    mean_abs : ndarray of float64, shape (P,), or (P, K) with several outputs
        Mean of |phi_ij| over the rows; the pair's interaction in both directions is twice that.
    mean_abs_main_effects : ndarray of float64, shape (F,), or (F, K)
        Mean of |phi_ii| over the rows, by feature, not sorted.
    n_rows : int
    feature_names, output_names : list of str, optional
    """

    pairs: npt.NDArray[np.int32]
    mean_abs: npt.NDArray[np.float64]
    mean_abs_main_effects: npt.NDArray[np.float64]
    n_rows: int
    feature_names: list[str] | None = None
    output_names: list[str] | None = None

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.pairs)

    @property
    def names(self) -> list[tuple[str, str]]:
        """Names of the features of each pair ("Feature 3" where there are none)."""
        names = self.feature_names
        if names is None:
            names = made_up_names("feature", len(self.mean_abs_main_effects))
        return [(names[i], names[j]) for i, j in self.pairs]

    def to_arrow(self) -> pa.Table:
        """Return a pyarrow Table of one row per pair, strongest first, or per pair and output.

        Its columns are feature, partner, (output,) n_rows and mean_abs.

        Raises
        ------
        MissingDependencyError
            If pyarrow is not installed.
        """
        return self._table().to_arrow()

    def to_pandas(self) -> pd.DataFrame:
        """Return the table of `to_arrow` as a DataFrame.

        Raises
        ------
        MissingDependencyError
            If pandas is not installed.
        """
        return self._table().to_pandas()

    def _table(self) -> Table:
        several = self.mean_abs.ndim == 2
        n_outputs = self.mean_abs.shape[1] if several else 1
        first, second = ([pair[side] for pair in self.names] for side in (0, 1))
        columns = {
            "feature": np.repeat(objects(first), n_outputs),
            "partner": np.repeat(objects(second), n_outputs),
        }
        if several:
            outputs = self.output_names or made_up_names("output", n_outputs)
            columns["output"] = np.tile(objects(outputs), len(self))
        return Table(
            {
                **columns,
                "n_rows": np.full(self.mean_abs.size, self.n_rows),
                "mean_abs": self.mean_abs.reshape(-1),
            }
        )

    def __repr__(self) -> str:
        shown = (
            f"{a} x {b}: {np.sum(value):.4g}"
            for (a, b), value in zip(self.names[:_SHOWN], self.mean_abs, strict=False)
        )
        more = ", ..." if len(self) > _SHOWN else ""
        return (
            f"<InteractionSummary: {len(self)} pairs over {self.n_rows} rows; "
            f"{', '.join(shown)}{more}>"
        )


def main_effects(pairs: npt.NDArray[np.int32], values: Values, phi: Values) -> Values:
    """phi_ii = phi_i - sum over j of phi_ij, from values (n, P, ...) and phi (n, F, ...)."""
    effects = phi.astype(np.float64)
    for side in (0, 1) if len(pairs) else ():
        order = np.argsort(pairs[:, side], kind="stable")
        features, starts = np.unique(pairs[order, side], return_index=True)
        for f, at in zip(features, np.split(order, starts[1:]), strict=True):
            effects[:, f] -= values[:, at].sum(axis=1, dtype=np.float64)
    return effects.astype(np.float32) if phi.dtype == np.float32 else effects
