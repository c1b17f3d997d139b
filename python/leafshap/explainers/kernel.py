"""KernelExplainer: sampled SHAP values of any function, with standard errors."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.coalitions.callable_game import CallableBackground
from leafshap.coalitions.estimation import Budget, Estimates, Estimation
from leafshap.coalitions.estimators import ESTIMATORS, EstimatorChoice
from leafshap.coalitions.groups import Groups
from leafshap.coalitions.links import choose_link
from leafshap.coalitions.progress import Progress, progress_of
from leafshap.coalitions.selection import L1, read_l1
from leafshap.coalitions.sources import CallableSource, EnsembleSource, Task
from leafshap.ensemble import TreeEnsemble
from leafshap.errors import InvalidInputError, UnsupportedModelError
from leafshap.explainers.additivity import CheckAdditivity, validate_which
from leafshap.explainers.arguments import read_nsamples, read_seed, read_tolerance
from leafshap.explanation import Explanation, Values
from leafshap.inputs import InputSchema
from leafshap.threads import count_threads

NSamples = int | str | Callable[[int], int]


class KernelExplainer:
    """SHAP values of any function of rows, estimated from coalitions of features (KernelSHAP).

    A coalition of features is worth what the model predicts in the mean over the background rows,
    the coalition's features being those of the explained row (Lundberg and Lee 2017). If the budget
    allows all coalitions, values are exact; else they are estimates, with standard errors.

    Parameters
    ----------
    model : callable or tree model
        A function ``f(X) -> (n,) or (n, K)``; it gets rows as `data` holds them. Or an XGBoost,
        LightGBM or scikit-learn tree model, a path to a model file or a `TreeEnsemble`: its
        coalitions are evaluated in the compiled core, without synthetic rows. For the margins of
        those, `TreeExplainer` is exact and faster.
    data : array, table or sparse matrix, shape (m, F)
        Background rows; copied. Also a pair (rows, weights) as a tuple, what `shap.kmeans` returns,
        or a `shap.maskers.Independent`.
    feature_names : sequence of str, optional
        Names for explanations; by default those of `data`, else the model's.
    link : str, default "identity"
        "identity", or "logit": the log-odds of a coalition's value are explained.
    model_output : str, default "raw"
        What is explained of a tree model: "raw" (margin), "probability" or "predict_proba" (also
        softmax), or "predict". Not for functions.
    groups : dict or sequence, optional
        Columns that join a coalition as one, by name or number: ``{"where": ["lat", "lon"]}`` or
        ``[[0, 1], [2]]``. Columns in no group stay on their own, after the groups.
    sample_weight : array-like, shape (m,), optional
        Weights of the background rows; their sum does not matter.
    estimator : str, default "auto"
        How values are estimated if not all coalitions are evaluated:

        * "gaussian_process": the game is a Gaussian process over coalitions that learns which
          features matter and interact. The least error for the same evaluations; costs some 30
          to 100 ms for each row and output beside them, more above 100 features.
        * "regression": KernelSHAP's weighted least squares on complement pairs, drawn without
          replacement (Musco and Witter 2025; Chen et al. 2025).
        * "permutation": antithetic permutations, for budgets below some three evaluations per
          feature.
        * "proxy": boosted trees fitted to the coalitions (after Witter et al. 2025) tell the
          Gaussian process which three features interact. Less error yet where the budget is above
          some 16 evaluations per feature; half a second to many seconds a row. Needs lightgbm or
          xgboost.
        * "auto": permutations for the smallest budgets; a Gaussian process for functions up to
          4,096 evaluations; else a regression. "quick": a regression in its place.
    seed : int, default 0
        The same seed gives the same result, for any number of threads.
    memory_limit : int, optional
        Most bytes of the rows that the function is given in one call, 256 MB by default.
    batch_rows : int, optional
        Most rows of one call, 8,192 by default; more for functions that are slow for every call,
        as those of remote models.
    n_jobs : int, default -1
        Threads of the core; -1 uses all the cores this process may use.

    keep_index : bool, default False
        As in shap; True is refused.

    Raises
    ------
    UnsupportedModelError
        If the model is neither a function nor a supported tree model, or has no such output.
    InvalidInputError
        If an argument is unknown or out of range, or the background is unusable.
    ModelCallError
        If the function raises; its exception is the cause.

    Notes
    -----
    Standard errors tell of the sampling of coalitions only, not of the background. Arguments of
    `shap.KernelExplainer` are accepted; see docs/kernel_explainer.md for what differs.
    """

    def __init__(
        self,
        model: object,
        data: Any,
        feature_names: Sequence[str] | npt.NDArray[np.str_] | None = None,
        link: Any = "identity",
        *,
        model_output: str = "raw",
        groups: Groups = None,
        sample_weight: Any = None,
        estimator: str = "auto",
        seed: int = 0,
        memory_limit: int | None = None,
        batch_rows: int | None = None,
        n_jobs: int = -1,
        keep_index: bool = False,
    ) -> None:
        if keep_index:
            raise InvalidInputError(
                "keep_index=True is not supported: synthetic rows have no index of their own"
            )
        self._link = choose_link(link)
        if estimator not in ESTIMATORS:
            raise InvalidInputError(
                f"unknown estimator {estimator!r}: expected one of {', '.join(ESTIMATORS)}"
            )
        self._seed = read_seed(seed)
        self._estimator = estimator
        self._n_jobs = n_jobs
        count_threads(n_jobs)
        self._source: CallableSource | EnsembleSource
        if callable(model):  # Keras and PyTorch models are
            if model_output != "raw":
                raise InvalidInputError(
                    f'model_output="{model_output}" is for tree models: a function is explained as '
                    "it is"
                )
            background = CallableBackground(model, data, sample_weight, groups, feature_names)
            self._source = CallableSource(background, memory_limit, batch_rows)
        else:
            self._source = EnsembleSource(
                _ensemble_of(model), model, data, sample_weight, groups, feature_names,
                model_output, n_jobs,
            )  # fmt: skip
        self._expected = self._link(self._source.null_values())
        self._expected.flags.writeable = False

    @property
    def expected_value(self) -> float | npt.NDArray[np.float64]:
        """Mean output over the background, after the link: a float, or of shape (K,)."""
        return self._expected if self._source.vector_output else float(self._expected[0])

    def with_seed(self, seed: int) -> KernelExplainer:
        """Make the same explainer with another seed; nothing is evaluated again.

        Raises
        ------
        InvalidInputError
            If it is no whole number from 0 to 2**64 - 1.
        """
        other = copy.copy(self)
        other._seed = read_seed(seed)
        return other

    def for_workers(self, n_jobs: int = 1) -> KernelExplainer:
        """Make the same explainer for another process, see `TreeExplainer.for_workers`.

        A function remains: it is what is explained.
        """
        count_threads(n_jobs)
        other = copy.copy(self)
        other._n_jobs = n_jobs
        other._source = self._source.without_model()
        return other

    @property
    def input_schema(self) -> InputSchema:
        """What rows must look like."""
        return self._source.input_schema

    def shap_values(
        self,
        X: Any,
        nsamples: NSamples = "auto",
        l1_reg: L1 = False,
        *,
        tol: float | None = None,
        progress: Progress = "auto",
        partial: bool = False,
        check_additivity: CheckAdditivity = True,
        silent: bool | None = None,
        gc_collect: bool | None = None,
    ) -> Values:
        """Estimate the SHAP values of every row.

        Parameters
        ----------
        X : array, table or sparse matrix, shape (n, F), or (F,) for one row
        nsamples : int, "auto" or callable
            Coalitions to evaluate for each row, each on all background rows; beside the empty and
            the full one. "auto": 2 M + 2048 for M features that vary; a callable is given M. With
            `tol`, the most.
        l1_reg : False, str or float, default False
            "num_features(k)", "aic", "bic" or a lasso's alpha: features are chosen by a lasso
            first, as in shap; needs scikit-learn. Off by default: it biases values, even exact
            ones, and knows no standard errors. "auto" is off, too.
        tol : float, optional
            Evaluate more coalitions until the largest standard error of a row is at most this share
            of the range of its values (Covert and Lee 2021); by default up to 65,536 of them.
        progress : bool, "auto" or callable, default "auto"
            A progress bar (tqdm); "auto" shows one where it is installed and somebody is watching.
            A callable is given the evaluations of the model done, and their number in all; those
            that `tol` saved count as done in the end.
        partial : bool, default False
            On Ctrl-C, give the rows that are done, the others as NaN, and a warning.
        check_additivity : bool or "all", default True
            For tree models: compare what values add up to with the model's own prediction.
        silent, gc_collect : bool, optional
            As in shap; `silent` is the opposite of `progress`, `gc_collect` has no effect.

        Returns
        -------
        ndarray of float64, shape (n, M), or (n, M, K) if the model gives (n, K)
            Of M features or groups. Without the row axis for a single row.

        Raises
        ------
        InvalidInputError
            If X does not fit, an argument is out of range, or the function gives something else
            than real, finite numbers of the right shape.
        ModelCallError
            If the function raises.
        AdditivityError
            If a tree model does not predict what values add up to.
        """
        options = _Options(nsamples, l1_reg, tol, progress, partial, check_additivity, silent)
        found, task = self._explain(X, options)
        return self._shaped(found.values, task.single)

    def __call__(
        self,
        X: Any,
        nsamples: NSamples = "auto",
        l1_reg: L1 = False,
        *,
        tol: float | None = None,
        progress: Progress = "auto",
        partial: bool = False,
        check_additivity: CheckAdditivity = True,
        silent: bool | None = None,
        gc_collect: bool | None = None,
    ) -> Explanation:
        """SHAP values of every row with standard errors, base values, data and names.

        The arguments are those of `shap_values`.

        Returns
        -------
        Explanation
            Its `data` is X; with groups, one column for each player, NaN where it has several.
            With `standard_errors`, `exact` (whether all rows are) and `n_evaluations`, shape (n,).
        """
        began = time.perf_counter()
        options = _Options(nsamples, l1_reg, tol, progress, partial, check_additivity, silent)
        found, task = self._explain(X, options)
        single = task.single
        base = np.repeat(self._expected[np.newaxis], len(found.values), axis=0)
        if not self._source.vector_output:
            base = base[:, 0]
        return Explanation(
            values=self._shaped(found.values, single),
            base_values=np.asarray(base[0]) if single else base,
            data=task.data,
            feature_names=task.names,
            output_names=task.output_names,
            single_row=single,
            standard_errors=self._shaped(found.standard_errors, single),
            exact=bool(found.exact.all()),
            n_evaluations=int(found.n_evaluations[0]) if single else found.n_evaluations,
            compute_time=time.perf_counter() - began,
        )

    def _explain(self, X: Any, options: _Options) -> tuple[Estimates, Task]:
        validate_which(options.check_additivity)
        choice = EstimatorChoice(
            self._estimator, self._source.cheap, self._seed, read_l1(options.l1_reg)
        )
        if choice.selection is not None and self._estimator not in ("auto", "quick", "regression"):
            raise InvalidInputError(f'l1_reg needs estimator="regression", not {self._estimator!r}')
        budget = Budget(read_nsamples(options.nsamples), read_tolerance(options.tol))
        n_threads = count_threads(self._n_jobs)
        progress = _Progress()
        task = self._source.task(X, progress)
        self._source.check(task, options.check_additivity, n_threads)
        try:
            estimation = Estimation(
                task.game, self._link, choice, budget, self._source.rows_at_once, n_threads
            )
        except KeyboardInterrupt:
            if not options.partial:
                raise
            warnings.warn(f"interrupted: 0 of {task.game.n_rows} rows are done", RuntimeWarning, 3)
            return Estimates.none(task.game), task
        total = estimation.n_evaluations * len(self._source)
        with progress_of(options.bar(), total, "SHAP values") as tick:
            progress.tick = tick
            try:
                estimation.run()
                if progress.done < total:  # rows that needed less than the budget
                    tick(total - progress.done)
            except KeyboardInterrupt:
                if not options.partial:
                    raise
                n_done = int(estimation.result.done.sum())
                warnings.warn(
                    f"interrupted: {n_done} of {task.game.n_rows} rows are done, the others NaN",
                    RuntimeWarning,
                    stacklevel=3,
                )
        missed = int((estimation.result.done & ~estimation.result.converged).sum())
        if missed:
            warnings.warn(
                f"{missed} of {task.game.n_rows} rows have larger standard errors than "
                f"tol={options.tol} after all evaluations allowed: raise nsamples",
                RuntimeWarning,
                stacklevel=3,
            )
        return estimation.result, task

    def _shaped(self, values: Values, single: bool) -> Values:
        """Drop the axis of one output, and that of a single row."""
        shaped = values if self._source.vector_output else values[:, :, 0]
        return shaped[0] if single else shaped

    def __repr__(self) -> str:
        n = len(self._source)
        rows = f"{n} background row{'' if n == 1 else 's'}"
        return f"<KernelExplainer: {rows}, estimator {self._estimator!r}, seed {self._seed}>"


class _Progress:
    """Counts evaluations, and passes them on once there is something that shows them."""

    def __init__(self) -> None:
        self.done = 0
        self.tick: Callable[[int], None] = lambda n: None

    def __call__(self, n: int) -> None:
        self.done += n
        self.tick(n)


@dataclass(frozen=True)
class _Options:
    """Arguments of a call that are checked later."""

    nsamples: NSamples
    l1_reg: L1
    tol: float | None
    progress: Progress
    partial: bool
    check_additivity: CheckAdditivity
    silent: bool | None

    def bar(self) -> Progress:
        """Choose what shows progress: `silent` counts where `progress` was left alone."""
        if self.silent is None or self.progress != "auto":
            return self.progress
        return False if self.silent else "auto"


def _ensemble_of(model: object) -> TreeEnsemble:
    try:
        return TreeEnsemble.from_model(model)
    except UnsupportedModelError as error:
        if not hasattr(model, "predict"):
            raise
        raise UnsupportedModelError(
            f"{error}. KernelExplainer explains any function: pass model.predict, or "
            "model.predict_proba"
        ) from error
