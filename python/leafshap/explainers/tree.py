"""TreeExplainer: exact SHAP values of tree ensembles."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap import _core
from leafshap.converters.arrays import EnsembleArrays
from leafshap.ensemble import TreeEnsemble
from leafshap.errors import InvalidInputError, UnsupportedModelError
from leafshap.explainers.additivity import AdditivityCheck, CheckAdditivity, validate_which
from leafshap.explanation import Explanation, Values
from leafshap.inputs import InputRows
from leafshap.threads import count_threads

_MODEL_OUTPUTS = ("raw", "probability", "log_loss", "predict", "predict_proba")
_FEATURE_PERTURBATIONS = ("auto", "tree_path_dependent", "interventional")

# A plan is a few times the size of the model; more than a few tree limits at once are rare.
_MOST_PLANS = 4


class TreeExplainer:
    """Exact path-dependent SHAP values of a tree ensemble.

    A feature that is not known to the game follows both branches of a split, weighted by the
    training rows that went there (Lundberg et al. 2020, "tree path dependent"); the values come
    from a Gauss-Legendre quadrature over Owen's multilinear extension, which is exact for the
    polynomial it integrates.

    Parameters
    ----------
    model : object
        An XGBoost, LightGBM or scikit-learn tree model, a path to a model file, or a
        `TreeEnsemble` (see `TreeEnsemble.from_model`).
    data : None
        Background data: not supported yet.
    model_output : str, default "raw"
        What to explain. Only "raw" (the margin; probabilities of scikit-learn forests and single
        trees) is supported yet.
    feature_perturbation : str, default "auto"
        "tree_path_dependent", or "auto", which without `data` means the same.
    feature_names : sequence of str, optional
        Names for explanations; by default those of X, else the model's.
    dtype : str, default "float64"
        Precision of computation and result: "float64", or "float32", twice as fast and within
        2e-6 of float64 relative to the largest value.
    n_jobs : int, default -1
        Threads; -1 uses all the cores this process may use (OMP_NUM_THREADS is respected). The
        result does not depend on it.

    Raises
    ------
    UnsupportedModelError
        If the model or the request is of a kind not supported (yet), or if the model carries no
        cover, which path-dependent values need.
    InvalidModelError
        If the model is damaged.
    InvalidInputError
        If an argument is unknown or out of range.

    Notes
    -----
    An explainer may be used by several threads at once, and is picklable. It keeps the user's
    model, for the additivity check.
    """

    def __init__(
        self,
        model: object,
        data: Any = None,
        *,
        model_output: str = "raw",
        feature_perturbation: str = "auto",
        feature_names: Sequence[str] | npt.NDArray[np.str_] | None = None,
        dtype: npt.DTypeLike = "float64",
        n_jobs: int = -1,
    ) -> None:
        _refuse_not_yet(data, model_output, feature_perturbation)
        self._dtype = _check_dtype(dtype)
        count_threads(n_jobs)
        self._n_jobs = n_jobs
        self._ensemble = TreeEnsemble.from_model(model)
        if not self._ensemble.has_cover:
            raise UnsupportedModelError(
                "the model does not store how many training rows went through its nodes (cover), "
                "which path-dependent SHAP values are defined by: train or export it with node "
                "statistics. Explaining against background data (data=) needs none, but is not "
                "supported yet."
            )
        self._feature_names = _check_names(feature_names, self._ensemble)
        converted = isinstance(model, (str, os.PathLike, EnsembleArrays, TreeEnsemble))
        self._check = AdditivityCheck(None if converted else model, self._ensemble)
        expected = self._ensemble.expected_values()
        expected.flags.writeable = False
        self._expected_values = expected
        self._plans: OrderedDict[int, _core.PathPlan] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def model(self) -> TreeEnsemble:
        """The converted model."""
        return self._ensemble

    @property
    def expected_value(self) -> float | npt.NDArray[np.float64]:
        """What SHAP values add up from, with the model's default number of trees.

        A float, or a read-only array of shape (K,) with several outputs. It never changes; for
        another `tree_limit` see `TreeEnsemble.expected_values`.
        """
        values = self._expected_values
        return float(values[0]) if len(values) == 1 else values

    def shap_values(
        self,
        X: Any,
        y: Any = None,
        tree_limit: int | None = None,
        approximate: bool = False,
        check_additivity: CheckAdditivity = True,
    ) -> Values:
        """SHAP values of every row.

        Parameters
        ----------
        X : array, table or sparse matrix, shape (n, F)
            numpy, pandas, polars, pyarrow or scipy sparse; or one row of shape (F,). Column names
            must be the model's, in its order, if both have them.
        y : ignored
            Labels; only other model outputs will need them.
        tree_limit : int, optional
            Use the first `tree_limit` trees (trees, not iterations); None: as many as the model's
            own predict does (XGBoost's best iteration), -1 or more than there are: all.
        approximate : bool, default False
            Saabas' method: credits each split with the change of the mean it makes on the row's
            path. Fast, but not SHAP values (not consistent).
        check_additivity : bool or "all", default True
            Compare expected value + SHAP values with the model's own raw prediction: on every row
            of up to 256; of more rows on one in 16, evenly spaced, at least about 256 and at most
            16,384. "all" compares every row, which can take longer than explaining.

        Returns
        -------
        ndarray of the explainer's dtype, shape (n, F), or (n, F, K) with several outputs
            Without the row axis for a single row.

        Raises
        ------
        InvalidInputError
            If X does not fit the model, or an argument is out of range.
        AdditivityError
            If the check fails; the message names the worst row.
        """
        rows = InputRows(X, self._ensemble.schema)
        values, _ = self._explain(rows, tree_limit, approximate, check_additivity)
        return self._shaped(values, rows)

    def shap_interaction_values(
        self, X: Any, y: Any = None, tree_limit: int | None = None
    ) -> Values:
        """SHAP interaction values: not supported yet.

        Raises
        ------
        UnsupportedModelError
            Always.
        """
        raise UnsupportedModelError("SHAP interaction values are not supported yet")

    def __call__(
        self,
        X: Any,
        y: Any = None,
        interactions: bool = False,
        check_additivity: CheckAdditivity = True,
        approximate: bool = False,
    ) -> Explanation:
        """SHAP values of every row with base values, data and names.

        Parameters are those of `shap_values`; `interactions` is not supported yet.

        Returns
        -------
        Explanation

        Raises
        ------
        UnsupportedModelError
            If `interactions` are asked for.
        InvalidInputError, AdditivityError
            As `shap_values`.
        """
        if interactions:
            self.shap_interaction_values(X, y)
        began = time.perf_counter()
        rows = InputRows(X, self._ensemble.schema)
        values, expected = self._explain(rows, None, approximate, check_additivity)
        base_values = np.repeat(expected[np.newaxis], rows.n_rows, axis=0)
        if len(expected) == 1:
            base_values = base_values[:, 0]
        return Explanation(
            values=self._shaped(values, rows),
            base_values=np.asarray(base_values[0]) if rows.single else base_values,
            data=X,
            feature_names=self._feature_names or rows.names or self._ensemble.feature_names,
            output_names=self._ensemble.output_names,
            single_row=rows.single,
            compute_time=time.perf_counter() - began,
        )

    def _explain(
        self,
        rows: InputRows,
        tree_limit: int | None,
        approximate: bool,
        check_additivity: CheckAdditivity,
    ) -> tuple[Values, npt.NDArray[np.float64]]:
        """Values of shape (n, F, K) and what they add up from, shape (K,)."""
        validate_which(check_additivity)
        ensemble = self._ensemble
        plan = self._plan(ensemble.count_trees(tree_limit))
        n_threads = count_threads(self._n_jobs)
        values: Values = np.empty(
            (rows.n_rows, ensemble.n_features, ensemble.n_outputs), dtype=self._dtype
        )
        run = plan.approximate if approximate else plan.shap_values
        for start, stop, block in rows.blocks():
            run(block, values[start:stop], n_threads)
        expected = plan.expected_values
        self._check.run(check_additivity, rows, values, expected, tree_limit, n_threads)
        return values, expected

    def _shaped(self, values: Values, rows: InputRows) -> Values:
        """Drop the output axis of a single output and the row axis of a single row."""
        if self._ensemble.n_outputs == 1:
            values = values.reshape(values.shape[:2])
        return values[0] if rows.single else values

    def _plan(self, n_trees: int) -> _core.PathPlan:
        """Return the compiled plan for the first `n_trees` trees; the last few are kept."""
        with self._lock:
            plan = self._plans.get(n_trees)
            if plan is None:
                plan = _core.PathPlan(self._ensemble.core, self._dtype, n_trees)
                self._plans[n_trees] = plan
            self._plans.move_to_end(n_trees)
            if len(self._plans) > _MOST_PLANS:
                self._plans.popitem(last=False)
        return plan

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_plans"], state["_lock"]  # plans are quick to make again
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._expected_values.flags.writeable = False
        self._plans = OrderedDict()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<TreeExplainer: tree_path_dependent, {self._dtype}, {self._ensemble!r}>"


def _refuse_not_yet(data: Any, model_output: str, feature_perturbation: str) -> None:
    """Tell unknown arguments from known ones that a later version will take."""
    if model_output not in _MODEL_OUTPUTS:
        raise InvalidInputError(
            f"unknown model_output {model_output!r}: expected one of {', '.join(_MODEL_OUTPUTS)}"
        )
    if feature_perturbation not in _FEATURE_PERTURBATIONS:
        raise InvalidInputError(
            f"unknown feature_perturbation {feature_perturbation!r}: expected one of "
            f"{', '.join(_FEATURE_PERTURBATIONS)}"
        )
    if data is not None:
        raise UnsupportedModelError("background data (data=) is not supported yet")
    if feature_perturbation == "interventional":
        raise UnsupportedModelError(
            'feature_perturbation="interventional" is not supported yet (it needs data=); '
            '"tree_path_dependent" is'
        )
    if model_output != "raw":
        raise UnsupportedModelError(
            f'model_output="{model_output}" is not supported yet (it needs data=); "raw" is'
        )


def _check_dtype(dtype: npt.DTypeLike) -> str:
    try:
        name = np.dtype(dtype).name
    except TypeError:
        name = ""
    if name not in ("float64", "float32"):
        raise InvalidInputError(f'dtype must be "float64" or "float32", got {dtype!r}')
    return name


def _check_names(
    names: Sequence[str] | npt.NDArray[np.str_] | None, ensemble: TreeEnsemble
) -> list[str] | None:
    if names is None:
        return None
    if isinstance(names, str) or not hasattr(names, "__len__"):
        raise InvalidInputError(f"feature_names must be a sequence of names, got {names!r}")
    if len(names) != ensemble.n_features:
        raise InvalidInputError(
            f"feature_names has {len(names)} names, the model has {ensemble.n_features} features"
        )
    return [str(name) for name in names]
