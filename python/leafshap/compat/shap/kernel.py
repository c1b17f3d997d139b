"""KernelExplainer with shap's contract."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse
import shap
from shap.utils._exceptions import DimensionError

from leafshap.compat.shap.drop_in import DropIn, warn_fallback
from leafshap.compat.shap.functions import without_names
from leafshap.compat.shap.sampled import SampledValues, draw_seed
from leafshap.errors import LeafshapError

Floats = npt.NDArray[np.float64]


class KernelExplainer(shap.KernelExplainer, metaclass=DropIn):
    """shap's `KernelExplainer` by leafshap's: better estimates, and exact values where they fit.

    Arguments, attributes, shapes and errors are shap's, and so is what the function is given:
    arrays, with the weights and groups of `shap.kmeans` or DenseData. What differs:

    * no features are dropped unless `l1_reg` asks for it (shap keeps 10 by default, silently);
    * explanations have standard errors as `error_std`; 0 where all coalitions were evaluated;
    * the function gets rows of many coalitions and explained rows at once, of a dtype that holds
      both X and the background (shap writes X into the background's dtype);
    * it is not called for coalitions at all if it is `predict`, `predict_proba` or
      `decision_function` of a tree model that leafshap reads, and the core agrees with it;
    * methods of XGBoost's and LightGBM's estimators that were fitted to a DataFrame work (shap 0.54
      raises an AttributeError);
    * outputs that are not finite are an error.

    `np.random.seed` fixes results, as in shap: each call draws its seed from numpy's generator.

    Parameters
    ----------
    model : callable
        ``f(X) -> (n,) or (n, K)``.
    data : array, DataFrame, sparse matrix or DenseData, shape (m, F)
    feature_names : list of str, optional
    link : "identity", "logit" or shap's link
    **kwargs
        `keep_index`, `keep_index_ordered`: shap's own code is used, with a `FallbackWarning`; so
        it is for links and outputs that leafshap does not know.

    Raises
    ------
    TypeError, DimensionError, ValueError
        As shap's. Whatever the function raises.
    """

    replaces = shap.KernelExplainer

    def __init__(
        self,
        model: Any,
        data: Any,
        feature_names: Any = None,
        link: Any = "identity",
        **kwargs: Any,
    ) -> None:
        self._background_columns = None
        if isinstance(data, pd.DataFrame):
            if not data.columns.is_unique:
                raise ValueError("Background data must have unique column names.")
            self._background_columns = data.columns.copy()
        if not kwargs.get("keep_index", False):
            model = without_names(model)
        super().__init__(model, data, feature_names=feature_names, link=link, **kwargs)
        self._sampled: SampledValues | None = None
        if type(self).explain is not KernelExplainer.explain:
            return  # a class derived from this one has a way of its own
        if self.keep_index:
            warn_fallback("KernelExplainer", "keep_index=True")
            return
        try:
            self._sampled = SampledValues(
                self.model.f,
                self.data.data,
                weights=self.data.weights,
                groups=_groups_of(self.data),
                link=self.link,
            )
        except LeafshapError as error:
            warn_fallback("KernelExplainer", str(error))

    def shap_values(self, X: Any, **kwargs: Any) -> Floats:
        """SHAP values of every row.

        Parameters
        ----------
        X : array, DataFrame, Series or sparse matrix, shape (n, F), or (F,) for one row
            Columns of a DataFrame are taken by name where the background was one, too.
        nsamples : int or "auto"
            Coalitions to evaluate for each row; "auto": 2 M + 2048 for M features that vary.
        l1_reg : False, str or float, default False
            "num_features(k)", "aic", "bic" or a lasso's alpha.
        silent : bool, default False
            Whether to show no progress bar.
        **kwargs
            Others are ignored, as in shap.

        Returns
        -------
        ndarray of float64, shape (n, F), (n, F, K), or without the first axis for one row
            Of M groups instead of F features, if there are any.

        Raises
        ------
        ValueError
            If columns are missing, unexpected or double; if an argument is out of range, or the
            function returns something else than finite numbers.
        DimensionError
            If X has other than 1 or 2 dimensions.
        """
        if self._sampled is None:
            X, order = self._aligned(X)
            values = super().shap_values(X, **{"l1_reg": False, **kwargs})
            return values if order is None else np.take(values, order, axis=1)
        return self._explained(X, **kwargs)[0]

    def __call__(self, X: Any, l1_reg: Any = False, silent: bool = False) -> shap.Explanation:
        """Explain every row; see `shap_values`.

        Returns
        -------
        shap.Explanation
            With standard errors as `error_std`, of the shape of the values.
        """
        if self._sampled is None:
            return super().__call__(X, l1_reg=l1_reg, silent=silent)
        if isinstance(X, (np.ndarray, pd.Series)) and X.ndim == 1:  # with outputs that slice
            return self(np.asarray(X)[np.newaxis], l1_reg, silent)[0]
        began = time.time()
        is_frame = isinstance(X, pd.DataFrame)
        names = list(X.columns) if is_frame else getattr(self, "data_feature_names", None)
        values, errors = self._explained(X, l1_reg=l1_reg, silent=silent)
        base = np.tile(self.expected_value, (len(values), 1) if self.vector_out else len(values))
        return shap.Explanation(
            values,
            base_values=base,
            data=X.to_numpy() if is_frame else X,
            feature_names=names,
            error_std=errors,
            compute_time=time.time() - began,
        )

    def _explained(
        self, X: Any, nsamples: Any = "auto", l1_reg: Any = False, silent: bool = False, **_: Any
    ) -> tuple[Floats, Floats]:
        """Values and standard errors, with the columns of X as they are."""
        X, order = self._aligned(X)
        if isinstance(X, (pd.DataFrame, pd.Series)):
            X = X.to_numpy()
        if type(X) is not np.ndarray and not scipy.sparse.issparse(X):
            raise AssertionError(f"Unknown instance type: {type(X)}")
        if X.ndim not in (1, 2):
            raise DimensionError("Instance must have 1 or 2 dimensions!")
        rows = X.reshape((1, -1)) if X.ndim == 1 else X
        assert self._sampled is not None
        found = self._sampled.explain(
            rows, draw_seed(), nsamples=nsamples, l1_reg=l1_reg, silent=silent
        )
        values, errors = found.values, found.standard_errors
        if order is not None:
            values, errors = np.take(values, order, axis=1), np.take(errors, order, axis=1)
        return (values[0], errors[0]) if X.ndim == 1 else (values, errors)

    def _aligned(self, X: Any) -> tuple[Any, npt.NDArray[np.intp] | None]:
        """Bring a DataFrame's columns into the background's order; tell how to go back."""
        if not isinstance(X, pd.DataFrame):
            return X, None
        if not X.columns.is_unique:
            raise ValueError(
                "X must have unique column names. Please ensure that the input DataFrame has "
                "unique column names or use a numpy array."
            )
        columns = self._background_columns
        if columns is None or X.columns.equals(columns):
            return X, None
        if set(X.columns) != set(columns):
            missing = list(columns.difference(X.columns))
            unexpected = list(X.columns.difference(columns))
            raise ValueError(
                "X must have the same column names as the background data: "
                f"missing={missing}, unexpected={unexpected}"
            )
        return X.loc[:, columns], columns.get_indexer(X.columns)


def _groups_of(data: Any) -> dict[str, list[int]] | None:
    """Read groups of DenseData; None if they are its columns, one by one."""
    if data.groups is None:
        return None
    groups = [[int(j) for j in group] for group in data.groups]
    if groups == [[j] for j in range(data.data.shape[1])]:
        return None
    return {f"group {i}": columns for i, columns in enumerate(groups)}
