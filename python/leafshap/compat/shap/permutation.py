"""PermutationExplainer with shap's contract."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shap
from shap import links, maskers
from shap.utils._exceptions import DimensionError

from leafshap.compat.shap.drop_in import DropIn, warn_fallback
from leafshap.compat.shap.functions import innermost
from leafshap.compat.shap.sampled import SampledValues, draw_seed
from leafshap.errors import LeafshapError, ModelCallError, UnsupportedModelError
from leafshap.explanation.selection import made_up_names

_DEFAULTS = {
    "max_evals": 500,
    "main_effects": False,
    "error_bounds": False,
    "batch_size": "auto",
    "outputs": None,
    "silent": False,
}


class PermutationExplainer(shap.PermutationExplainer, metaclass=DropIn):
    """shap's `PermutationExplainer` by leafshap's: all rows at once, in the core for tree models.

    Arguments, budget, shapes and errors are shap's, and so is what the function is given:
    DataFrames of floats if the background is a DataFrame, else arrays. What differs:

    * where the budget allows all coalitions of a row, its values are exact;
    * `error_bounds=True` gives standard errors of the values as `error_std` (shap: the standard
      deviation of a feature's contribution over single permutations, which does not get smaller
      with more of them);
    * a tree model itself may be passed, its margin is explained; its `predict`, `predict_proba` or
      `decision_function` is not called for permutations if the core agrees with it;
    * columns of X are taken by name where they are the background's in another order;
    * the global random state is not seeded: a `seed` is the explainer's own and fixes each call;
      without one, each call draws its seed from numpy's generator.

    Parameters
    ----------
    model : callable or tree model
    masker : array, DataFrame or shap.maskers.Independent, shape (m, F)
        Background, of which shap's masker takes 100 rows. Other maskers: shap's own code is used,
        with a `FallbackWarning`.
    link : callable, default shap.links.identity
        With others shap's own code is used.
    feature_names : list of str, optional
    linearize_link : bool
    seed : int, optional
    **call_args
        Defaults of `__call__`.

    Raises
    ------
    ValueError
        If `masker` is None.
    """

    replaces = shap.PermutationExplainer

    def __init__(
        self,
        model: Any,
        masker: Any,
        link: Any = links.identity,
        feature_names: Any = None,
        linearize_link: bool = True,
        seed: Any = None,
        **call_args: Any,
    ) -> None:
        with _kept_random_state():
            super().__init__(
                model,
                masker,
                link=link,
                feature_names=feature_names,
                linearize_link=linearize_link,
                seed=seed,
            )
        self._call_args = call_args
        self._seed = seed
        self._sampled: SampledValues | None = None
        why = self._unsupported()
        self._falls_back = why is not None
        if why:
            warn_fallback("PermutationExplainer", why)

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Explain every row.

        Parameters
        ----------
        X : array or DataFrame, shape (n, F)
        max_evals : int or "auto", default 500
            ``max_evals // (2 V + 1)`` pairs of permutations for the V features that vary in a row;
            "auto": 20 F.
        main_effects : bool, default False
            Shap's own code is used; so it is with `outputs`.
        error_bounds : bool, default False
            Whether to give the standard errors of the values as `error_std`.
        batch_size
            Without effect.
        silent : bool, default False
            Whether to show no progress bar.

        Returns
        -------
        shap.Explanation

        Raises
        ------
        ValueError
            If `max_evals` does not allow one pair of permutations.
        DimensionError
            If X does not have the background's number of columns.
        """
        chosen = {**_DEFAULTS, **self._call_args, **options}
        X = args[0] if len(args) == 1 else None
        if not self._falls_back:
            if chosen["main_effects"] or chosen["outputs"] is not None:
                asked = "main_effects" if chosen["main_effects"] else "outputs"
                warn_fallback("PermutationExplainer", f"{asked} was asked for")
            elif isinstance(X, (np.ndarray, pd.DataFrame)) and self._is_ready():
                return self._explained(X, **chosen)
        if self._seed is None:
            return super().__call__(*args, **chosen)
        with _kept_random_state():
            np.random.seed(self._seed)  # noqa: NPY002
            return super().__call__(*args, **chosen)

    def shap_values(
        self,
        X: Any,
        npermutations: int = 10,
        main_effects: bool = False,
        error_bounds: bool = False,
        batch_evals: bool = True,
        silent: bool = False,
    ) -> Any:
        """SHAP values of every row, from `npermutations` pairs of permutations.

        Parameters
        ----------
        X : array or DataFrame, shape (n, F)
        npermutations : int, default 10
        main_effects, error_bounds, batch_evals
            As in shap; without effect on the values.
        silent : bool, default False

        Returns
        -------
        ndarray of float64, shape (n, F) or (n, F, K)
        """
        max_evals = npermutations * (2 * X.shape[1] + 1)
        return self(X, max_evals=max_evals, main_effects=main_effects, silent=silent).values

    def _unsupported(self) -> str | None:
        """Say what leafshap does not do; "" if a class derived from this one has its own way."""
        masker = self.masker
        if type(self).explain_row is not PermutationExplainer.explain_row:
            return ""
        if type(masker) is not maskers.Independent:
            return f"the masker is of type {type(masker).__name__}, not Independent"
        if any(getattr(masker, name, None) is not None for name in ("clustering", "partition")):
            return "the masker has a clustering"
        if not isinstance(masker.data, np.ndarray) or masker.data.ndim != 2:
            return f"the background is a {type(masker.data).__name__}"
        if self.link is not links.identity:
            return f"the link is {getattr(self.link, '__name__', self.link)}"
        if callable(getattr(self.model, "output_names", None)):
            return "the names of the model's outputs depend on the row"
        return None

    def _is_ready(self) -> bool:
        """Evaluate the background at the first call, as shap does."""
        if self._sampled is None:
            rows = self._rows(self.masker.data)
            try:
                self._sampled = SampledValues(self.model, rows, estimator="permutation")
            except ModelCallError:
                self._falls_back = True  # shap shows what the function raises
            except LeafshapError as error:
                callable_model = callable(innermost(self.model))
                if not callable_model and not isinstance(error, UnsupportedModelError):
                    raise
                warn_fallback("PermutationExplainer", str(error))
                self._falls_back = True
        return not self._falls_back

    def _explained(
        self, X: Any, *, max_evals: Any, error_bounds: bool, silent: bool, **_: Any
    ) -> shap.Explanation:
        began = time.time()
        names, order = self.feature_names, None
        if names is not None and isinstance(names[0], (list, tuple)):
            names = names[0]
        values_of_x = X
        if isinstance(X, pd.DataFrame):
            names, order = list(X.columns), self._order_of(X.columns)
            X = X.to_numpy()
            values_of_x = X if order is None else X[:, order]
        width = self.masker.data.shape[1]
        if X.shape[1:] != (width,):
            raise DimensionError(
                "The passed data does not match the background shape expected by the masker! The "
                f"data of shape {X.shape[1:]} was passed while the masker expected data of shape "
                f"{(width,)}."
            )
        assert self._sampled is not None
        seed = draw_seed() if self._seed is None else _as_number(self._seed)
        found = self._sampled.explain(
            self._rows(values_of_x), seed, nsamples=_pairs(max_evals, width), silent=silent
        )
        values, errors = found.values, found.standard_errors
        if order is not None:
            back = np.argsort(order)
            values, errors = values[:, back], errors[:, back]
        if values.ndim == 3 and values.shape[2] == 1:  # as shap
            values, errors = values[:, :, 0], errors[:, :, 0]
        output_names = getattr(self.model, "output_names", None)
        return shap.Explanation(
            values,
            found.base_values,
            X,
            feature_names=names or made_up_names("feature", width),
            output_names=None if output_names is None else np.array(output_names),
            error_std=errors if error_bounds else None,
            compute_time=time.time() - began,
        )

    def _order_of(self, columns: pd.Index) -> npt.NDArray[np.intp] | None:
        """Where the background's columns are in X, if these are the same in another order."""
        if not self.masker.output_dataframe:
            return None
        own = pd.Index(self.masker.feature_names)
        if own.equals(columns) or not own.is_unique or not columns.is_unique:
            return None
        if set(own) != set(columns):
            return None
        order: npt.NDArray[np.intp] = columns.get_indexer(own)
        return order

    def _rows(self, values: npt.NDArray[Any]) -> Any:
        """Rows as shap's masker hands them to the model."""
        if values.dtype.kind in "biuf":
            values = values.astype(np.float64, copy=False)
        if not self.masker.output_dataframe:
            return values
        return pd.DataFrame(values, columns=self.masker.feature_names).infer_objects()


def _pairs(max_evals: Any, n_features: int) -> Callable[[int], int]:
    """Coalitions that shap's number of pairs of permutations evaluates, by the varying features."""
    if isinstance(max_evals, str) and max_evals == "auto":
        max_evals = 10 * 2 * n_features

    def n_evaluations(n_varying: int) -> int:
        n_pairs = int(max_evals // (2 * n_varying + 1))
        if n_varying and not n_pairs:
            raise ValueError(
                f"max_evals={max_evals} is too low for the Permutation explainer, it must be at "
                f"least 2 * num_features + 1 = {2 * n_varying + 1}!"
            )
        return n_pairs * 2 * (n_varying - 1)

    return n_evaluations


def _as_number(seed: Any) -> int:
    """One number of whatever numpy takes as a seed."""
    return int(np.random.RandomState(seed).randint(2**31 - 1))


@contextmanager
def _kept_random_state() -> Iterator[None]:
    """Leave numpy's global generator as it was."""
    before = np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002
