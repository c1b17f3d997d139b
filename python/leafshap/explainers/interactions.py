"""The methods of TreeExplainer for SHAP interaction values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.ensemble import TreeEnsemble
from leafshap.errors import InvalidInputError, UnsupportedModelError
from leafshap.explainers.additivity import AdditivityCheck, CheckAdditivity, validate_which
from leafshap.explainers.arguments import check_top
from leafshap.explainers.game import TreeGame
from leafshap.explanation import Values
from leafshap.inputs import InputRows
from leafshap.interactions import InteractionPairs, InteractionSummary, main_effects
from leafshap.threads import count_threads


class InteractionMethods:
    """What TreeExplainer says about pairs of features, and the shapes of all its results."""

    _ensemble: TreeEnsemble
    _game: TreeGame
    _check: AdditivityCheck
    _model_output: str
    _feature_names: list[str] | None  # the user's
    _default_names: list[str] | None
    _n_jobs: int

    def shap_interaction_values(
        self,
        X: Any,
        y: Any = None,
        tree_limit: int | None = None,
        check_additivity: CheckAdditivity = True,
    ) -> Values:
        """SHAP interaction values of every row and pair of features, as a dense array.

        ``values[:, i, j]`` is half of the interaction of i and j (the Shapley interaction index,
        as in Lundberg et al. 2020), the other half stands at ``[:, j, i]``; the diagonal holds what
        remains of the SHAP value, the main effect. Each row of the matrix so adds up to a SHAP
        value, and all of it to the raw output less the expected value.

        Parameters
        ----------
        X, tree_limit, check_additivity
            As in `shap_values`.
        y : ignored

        Returns
        -------
        ndarray of the explainer's dtype, shape (n, F, F), or (n, F, F, K) with several outputs
            Without the row axis for a single row.

        Raises
        ------
        UnsupportedModelError
            If the model output is not the raw one.
        InvalidInputError, AdditivityError
            As `shap_values`.
        MemoryError
            If the array is larger than the machine's memory: see `interaction_pairs` and
            `mean_abs_interactions`.
        """
        rows = InputRows(X, self._ensemble.schema)
        values, _ = self._explain_interactions(rows, tree_limit, check_additivity)
        return self._shaped(values, rows)

    def interaction_pairs(
        self, X: Any, tree_limit: int | None = None, check_additivity: CheckAdditivity = True
    ) -> InteractionPairs:
        """SHAP interaction values of those pairs of features that meet on a path of some tree.

        All other pairs do not interact; with many features they are most.

        Parameters
        ----------
        X, tree_limit, check_additivity
            As in `shap_values`.

        Returns
        -------
        InteractionPairs
            Values of shape (n, P) or (n, P, K), SHAP values, and the way to the dense array.

        Raises
        ------
        UnsupportedModelError, InvalidInputError, AdditivityError
            As `shap_interaction_values`.
        """
        n_trees, n_threads = self._raw_trees(tree_limit), count_threads(self._n_jobs)
        validate_which(check_additivity)
        rows = InputRows(X, self._ensemble.schema)
        pairs, values, phi, base = self._game.interaction_pairs(rows, n_trees, n_threads)
        self._check.run(check_additivity, rows, phi, base, tree_limit, n_threads)
        return InteractionPairs(
            pairs=pairs,
            values=self._shaped(values, rows),
            shap_values=self._shaped(phi, rows),
            base_values=self._shaped_base(base, rows),
            feature_names=self._names(rows),
            output_names=self._ensemble.output_names,
            single_row=rows.single,
        )

    def mean_abs_interactions(
        self,
        X: Any,
        top: int | None = None,
        tree_limit: int | None = None,
        check_additivity: bool = True,
    ) -> InteractionSummary:
        """Mean absolute SHAP interaction values over all rows, in bounded memory.

        Parameters
        ----------
        X, tree_limit
            As in `shap_values`.
        top : int, optional
            Keep only so many of the strongest pairs; None: all that can interact.
        check_additivity : bool, default True
            Compare with the model's own prediction on the first rows.

        Returns
        -------
        InteractionSummary
            Pairs by falling mean |phi_ij|, and the mean |phi_ii| of all features.

        Raises
        ------
        UnsupportedModelError, InvalidInputError, AdditivityError
            As `shap_interaction_values`; also if X has no rows.
        """
        n_trees, n_threads = self._raw_trees(tree_limit), count_threads(self._n_jobs)
        if not isinstance(check_additivity, (bool, np.bool_)):
            raise InvalidInputError(
                f"check_additivity must be True (the first rows) or False, got {check_additivity!r}"
            )
        top = check_top(top)
        rows = InputRows(X, self._ensemble.schema)
        if not rows.n_rows:
            raise InvalidInputError("there are no rows to take the mean of")
        pairs, blocks = self._game.interaction_blocks(rows, n_trees, n_threads)
        n_features, n_outputs = self._ensemble.n_features, self._ensemble.n_outputs
        sums, main_sums = np.zeros((len(pairs), n_outputs)), np.zeros((n_features, n_outputs))
        which: CheckAdditivity = check_additivity
        for values, phi, base in blocks:
            self._check.run(which, rows, phi, base, tree_limit, n_threads)
            which = False
            main_sums += np.abs(main_effects(pairs, values, phi)).sum(axis=0, dtype=np.float64)
            sums += np.abs(values, out=values).sum(axis=0, dtype=np.float64)
        strongest = np.argsort(-sums.sum(axis=1), kind="stable")[:top]
        mean, main = sums[strongest] / rows.n_rows, main_sums / rows.n_rows
        return InteractionSummary(
            pairs=pairs[strongest],
            mean_abs=mean[:, 0] if n_outputs == 1 else mean,
            mean_abs_main_effects=main[:, 0] if n_outputs == 1 else main,
            n_rows=rows.n_rows,
            feature_names=self._names(rows),
            output_names=self._ensemble.output_names,
        )

    def _explain_interactions(
        self, rows: InputRows, tree_limit: int | None, check_additivity: CheckAdditivity
    ) -> tuple[Values, npt.NDArray[np.float64]]:
        """Values of shape (n, F, F, K) and what they add up from, shape (n, K)."""
        validate_which(check_additivity)
        n_trees, n_threads = self._raw_trees(tree_limit), count_threads(self._n_jobs)
        values, base = self._game.interaction_values(rows, n_trees, n_threads)
        self._check.run(check_additivity, rows, values, base, tree_limit, n_threads)
        return values, base

    def _raw_trees(self, tree_limit: int | None) -> int:
        """Resolve the number of trees, after refusing the interactions of a transformed output."""
        if self._game.output.transform != "raw":
            raise UnsupportedModelError(
                "interaction values are those of the raw output: make an explainer without "
                f'model_output="{self._model_output}"'
            )
        return self._ensemble.count_trees(tree_limit)

    def _shaped(self, values: Values, rows: InputRows) -> Values:
        """Drop the output axis of a single output and the row axis of a single row."""
        if self._ensemble.n_outputs == 1:
            values = values.reshape(values.shape[:-1])
        return values[0] if rows.single else values

    def _shaped_base(
        self, base: npt.NDArray[np.float64], rows: InputRows
    ) -> npt.NDArray[np.float64]:
        base = base[:, 0] if self._ensemble.n_outputs == 1 else base
        return np.array(base[0] if rows.single else base)

    def _names(self, rows: InputRows) -> list[str] | None:
        return self._feature_names or rows.names or self._default_names
