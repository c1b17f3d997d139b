"""TreeExplainer: exact SHAP values of tree ensembles."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from leafshap.background import Background, read_background
from leafshap.converted import Converted
from leafshap.ensemble import TreeEnsemble
from leafshap.errors import InvalidInputError, UnsupportedModelError
from leafshap.explainers.additivity import AdditivityCheck, CheckAdditivity, validate_which
from leafshap.explainers.arguments import check_dtype, check_names, choose_perturbation
from leafshap.explainers.game import TreeGame
from leafshap.explainers.interactions import InteractionMethods
from leafshap.explainers.outputs import ExpectedLoss, choose_output
from leafshap.explanation import Explanation, Values
from leafshap.inputs import InputRows, InputSchema
from leafshap.threads import count_threads


class TreeExplainer(InteractionMethods):
    """Exact SHAP values and SHAP interaction values of a tree ensemble.

    With background data, a feature outside the coalition takes its values (interventional; Lundberg
    et al. 2020): all rows count, whatever their number, and raw outputs cost n + m, not n times m
    (pattern tables; Nadel and Wettenstein 2026). Without, it follows both branches of a split,
    weighted by the training rows that went there (tree path dependent), by a Gauss-Legendre
    quadrature over Owen's multilinear extension.

    Parameters
    ----------
    model : object
        An XGBoost, LightGBM or scikit-learn tree model, a path to a model file, or a
        `TreeEnsemble` (see `TreeEnsemble.from_model`).
    data : array, table or sparse matrix, shape (m, F), optional
        Background data, in anything that X may be; used in full, and copied. Also a pair
        (rows, weights) as a tuple, what `shap.kmeans` returns, or a `shap.maskers.Independent`
        (which has cut its data to 100 rows, unless it was told otherwise).
    model_output : str, default "raw"
        What to explain:

        * "raw": the margin; probabilities of scikit-learn forests and single trees.
        * "probability", "predict_proba": of the positive class where the model has one output
          (logistic link), so that values are (n, F); of each output by itself in one-vs-rest and
          multi-label models. Softmax probabilities are refused.
        * "predict": what the model predicts, by its link (identity, exp, logistic).
        * "log_loss": with labels `y`, the logistic loss of a model with logistic link (y from 0 to
          1), or the squared error of a regressor with identity link, whatever it was trained for.

        What is a function of the margin needs `data`. For each pair of an explained and a
        background row, the difference of the outputs is shared out as that of the margins (the
        rescale rule, as in shap): it adds up, but is not the Shapley value of the transformed game,
        and time grows with n times m.
    feature_perturbation : str, default "auto"
        "interventional", "tree_path_dependent" (with `data`: the cover is recounted from it), or
        "auto": interventional if there is data.
    feature_names : sequence of str, optional
        Names for explanations; by default those of X, else the model's, else those of `data`.
    sample_weight : array-like, shape (m,), optional
        Weights of the background rows; their sum does not matter.
    dtype : str, default "float64"
        Precision of computation and result: "float64", or "float32", twice as fast and within
        2e-6 of float64 relative to the largest value.
    n_jobs : int, default -1
        Threads; -1 uses all the cores this process may use (OMP_NUM_THREADS is respected). The
        result does not depend on it.

    Raises
    ------
    UnsupportedModelError
        If the model or the request is of a kind not supported, or if the model carries no
        cover, which path-dependent values need, and there is no data to count it from.
    InvalidModelError
        If the model is damaged.
    InvalidInputError
        If an argument is unknown or out of range, or the background data do not fit the model.

    Notes
    -----
    An explainer may be used by several threads at once, and is picklable, with the tables it has
    built. It keeps the user's model, for the additivity check.
    """

    def __init__(
        self,
        model: object,
        data: Any = None,
        model_output: str = "raw",
        feature_perturbation: str = "auto",
        feature_names: Sequence[str] | npt.NDArray[np.str_] | None = None,
        *,
        sample_weight: Any = None,
        dtype: npt.DTypeLike = "float64",
        n_jobs: int = -1,
    ) -> None:
        self._perturbation = choose_perturbation(feature_perturbation, data is not None)
        if data is None and sample_weight is not None:
            raise InvalidInputError("sample_weight weighs background data: there is no data=")
        self._dtype = check_dtype(dtype)
        count_threads(n_jobs)
        self._n_jobs = n_jobs
        converted = Converted.of(model)
        model, ensemble = converted.model, converted.ensemble
        output = choose_output(model_output, ensemble, model)
        self._model_output = model_output
        interventional = self._perturbation == "interventional"
        if output.transform != "raw" and not interventional:
            raise InvalidInputError(
                f'model_output="{model_output}" needs background data (data=) and '
                'feature_perturbation="interventional"'
            )
        background = None
        if data is not None:
            background = read_background(data, sample_weight, ensemble.schema)
        if not interventional:
            ensemble = _with_cover(ensemble, background, n_jobs)
        self._n_background = 0 if background is None else len(background)
        self._ensemble = ensemble
        named = background.names if background is not None else None
        self._feature_names = check_names(feature_names, ensemble)
        self._default_names = ensemble.feature_names or named
        self._check = AdditivityCheck(model, ensemble, output)
        self._game = TreeGame(ensemble, background if interventional else None, output, self._dtype)
        self._expected: npt.NDArray[np.float64] | ExpectedLoss | None = None

    def for_workers(self, n_jobs: int = 1) -> TreeExplainer:
        """Make the same explainer for another process: it pickles without the user's model.

        Workers then need no XGBoost, LightGBM or scikit-learn. Additivity is checked against the
        reference predictor of the converted trees instead of the user's model. With background
        data, what was computed of it goes along.

        Parameters
        ----------
        n_jobs : int, default 1
            Threads of the copy: engines start one worker for each core.
        """
        count_threads(n_jobs)
        other = copy.copy(self)
        other._n_jobs = n_jobs
        other._check = self._check.without_model()
        return other

    def check_input(self, X: Any, y: Any = None) -> None:
        """Refuse rows, or labels, that could not be explained; explains none.

        Parameters
        ----------
        X, y
            As in `shap_values`.

        Raises
        ------
        InvalidInputError
        """
        rows = InputRows(X, self._ensemble.schema)
        for _ in rows.blocks():
            pass
        self._game.output.read_labels(y, rows.n_rows)

    @property
    def input_schema(self) -> InputSchema:
        """What rows must look like, with the names that the user or the background gave."""
        return self._ensemble.schema.named(self._feature_names or self._default_names)

    @property
    def model(self) -> TreeEnsemble:
        """The converted model, with its cover recounted if it was."""
        return self._ensemble

    @property
    def feature_perturbation(self) -> str:
        """Either "interventional" or "tree_path_dependent"."""
        return self._perturbation

    @property
    def model_output(self) -> str:
        """What is explained, as it was asked for."""
        return self._model_output

    @property
    def data(self) -> npt.NDArray[np.float32] | npt.NDArray[np.float64] | None:
        """Background rows of interventional values, categories as codes, shape (m, F); read-only.

        None in path-dependent mode.
        """
        background = self._game.background
        return None if background is None else background.rows

    @property
    def expected_value(self) -> float | npt.NDArray[np.float64]:
        """What SHAP values add up from, with the model's default number of trees.

        A float, or a read-only array of shape (K,) with several outputs: the (weighted) mean of the
        explained output over the background, or over the training rows as cover tells it. For a
        loss it is, as in shap, a function of the label, ``expected_value(y)`` (an `ExpectedLoss`,
        which the annotation leaves out for the sake of all other callers). It never changes; for
        another `tree_limit` see `expected_values`.
        """
        if self._expected is None:
            self._expected = self.expected_values()
        expected = self._expected
        if isinstance(expected, ExpectedLoss):
            return cast("float", expected)
        return float(expected[0]) if len(expected) == 1 else expected

    def expected_values(
        self, tree_limit: int | None = None
    ) -> npt.NDArray[np.float64] | ExpectedLoss:
        """Give what SHAP values of so many trees add up from.

        Parameters
        ----------
        tree_limit : int, optional
            As in `shap_values`.

        Returns
        -------
        ndarray of float64, shape (K,); read-only
            Also with one output; for a loss, a function of the label.
        """
        n_trees = self._ensemble.count_trees(tree_limit)
        found = self._game.expected(n_trees, count_threads(self._n_jobs))
        if isinstance(found, np.ndarray):
            found.flags.writeable = False
        return found

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
        y : array-like, shape (n,), optional
            Labels of the rows, for `model_output="log_loss"`; else ignored.
        tree_limit : int, optional
            Use the first `tree_limit` trees (trees, not iterations); None: as many as the model's
            own predict does (XGBoost's best iteration), -1 or more than there are: all.
        approximate : bool, default False
            Saabas' method: credits each split with the change of the mean it makes on the row's
            path. Fast, but not SHAP values (not consistent); path-dependent only.
        check_additivity : bool, "all" or "few", default True
            Compare expected value + SHAP values with the model's own prediction: on every row
            of up to 256; of more rows on one in 16, evenly spaced, at least about 256 and at most
            16,384. "all" compares every row, which can take longer than explaining; "few" one in
            16, at most 256.

        Returns
        -------
        ndarray of the explainer's dtype, shape (n, F), or (n, F, K) with several outputs
            Without the row axis for a single row.

        Raises
        ------
        InvalidInputError
            If X or y does not fit the model, or an argument is out of range.
        AdditivityError
            If the check fails; the message names the worst row.
        """
        rows = InputRows(X, self._ensemble.schema)
        values, _ = self._explain(rows, y, tree_limit, approximate, check_additivity)
        return self._shaped(values, rows)

    def __call__(
        self,
        X: Any,
        y: Any = None,
        interactions: bool = False,
        check_additivity: CheckAdditivity = True,
        approximate: bool = False,
    ) -> Explanation:
        """SHAP values of every row with base values, data and names.

        Parameters
        ----------
        X, y, check_additivity, approximate
            As in `shap_values`.
        interactions : bool, default False
            Give SHAP interaction values instead, see `shap_interaction_values`.

        Returns
        -------
        Explanation

        Raises
        ------
        UnsupportedModelError
            If interactions are asked for of another output than the raw one.
        InvalidInputError, AdditivityError
            As `shap_values`; also if interactions are to be approximate.
        """
        began = time.perf_counter()
        rows = InputRows(X, self._ensemble.schema)
        if interactions:
            if approximate:
                raise InvalidInputError("approximate=True has no interactions")
            values, base = self._explain_interactions(rows, None, check_additivity)
        else:
            values, base = self._explain(rows, y, None, approximate, check_additivity)
        return Explanation(
            values=self._shaped(values, rows),
            base_values=self._shaped_base(base, rows),
            data=X,
            feature_names=self._names(rows),
            output_names=self._ensemble.output_names,
            single_row=rows.single,
            compute_time=time.perf_counter() - began,
        )

    def _explain(
        self,
        rows: InputRows,
        y: Any,
        tree_limit: int | None,
        approximate: bool,
        check_additivity: CheckAdditivity,
    ) -> tuple[Values, npt.NDArray[np.float64]]:
        """Values of shape (n, F, K) and what they add up from, shape (n, K)."""
        validate_which(check_additivity)
        labels = self._game.output.read_labels(y, rows.n_rows)
        n_trees, n_threads = self._ensemble.count_trees(tree_limit), count_threads(self._n_jobs)
        values, base = self._game.shap_values(rows, labels, n_trees, n_threads, approximate)
        self._check.run(check_additivity, rows, values, base, tree_limit, n_threads, labels)
        return values, base

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if isinstance(self._expected, np.ndarray):
            self._expected.flags.writeable = False

    def __repr__(self) -> str:
        rows = f"{self._n_background} background row{'' if self._n_background == 1 else 's'}"
        parts = [self._perturbation]
        if self._perturbation == "interventional":
            parts.append(rows)
        elif self._n_background:
            parts.append(f"cover of {rows}")
        if self._model_output != "raw":
            parts.append(self._model_output)
        return f"<TreeExplainer: {', '.join(parts)}, {self._dtype}, {self._ensemble!r}>"


def _with_cover(ensemble: TreeEnsemble, background: Background | None, n_jobs: int) -> TreeEnsemble:
    """Count the cover from the background if there is one, else insist on the model's own."""
    if background is not None:
        return ensemble.recount_cover(background, n_jobs=n_jobs)
    if ensemble.has_cover:
        return ensemble
    raise UnsupportedModelError(
        "the model does not store how many training rows went through its nodes (cover), which "
        "path-dependent SHAP values are defined by: train or export it with node statistics, or "
        "give background data (data=), which needs none"
    )
