"""What stands behind KernelExplainer and PermutationExplainer: leafshap's own, by seed and call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

import leafshap
from leafshap.compat.shap.functions import (
    TreeFunction,
    innermost,
    matrix_of,
    tree_function,
)
from leafshap.errors import LeafshapError, ModelCallError
from leafshap.explanation import Explanation

Floats = npt.NDArray[np.float64]

# Rows of one call of the function. Shap gives it some 200,000; with 8,192, leafshap's own default,
# XGBoost's threads took 2.2 times as long on a busy machine, and nothing measured was slower.
_BATCH_ROWS = 32_768


@dataclass(frozen=True)
class Found:
    """Of n rows, in the shape of the function's output.

    Attributes
    ----------
    values, standard_errors : ndarray of float64, shape (n, M) or (n, M, K)
    base_values : ndarray of float64, shape (n,) or (n, K)
    """

    values: Floats
    standard_errors: Floats
    base_values: Floats


class SampledValues:
    """Sampled SHAP values of one function, by calling it or, where it is a tree model's, the core.

    Parameters
    ----------
    model : callable or tree model
        Of a tree model, the margin is explained.
    rows : array, sparse matrix or DataFrame, shape (m, F)
        Background; the function gets rows of this kind.
    weights : ndarray, shape (m,), optional
    groups : dict, optional
    link : str or shap's link
    estimator : str

    Raises
    ------
    LeafshapError
        If leafshap cannot explain it.
    """

    def __init__(
        self,
        model: Any,
        rows: Any,
        *,
        weights: Any = None,
        groups: Mapping[str, Any] | None = None,
        link: Any = "identity",
        estimator: str = "quick",
    ) -> None:
        self._model = model
        self._rows, self._weights = rows, weights
        self._options = {"groups": groups, "link": link, "estimator": estimator}
        self._trees: TreeFunction | None = None
        self._core: leafshap.KernelExplainer | None = None
        self._called: leafshap.KernelExplainer | None = None
        if callable(innermost(model)):
            self._trees = tree_function(model, rows)
            if self._trees is not None:
                self._core = self._core_of(self._trees)
            if self._core is None:
                self._called = self._explainer(model, rows)
        else:
            self._core = self._explainer(innermost(model), rows)

    @property
    def in_core(self) -> bool:
        """Whether the core evaluates coalitions, of rows for which it agrees with the function."""
        return self._core is not None

    def _core_of(self, trees: TreeFunction) -> leafshap.KernelExplainer | None:
        try:
            return self._explainer(
                trees.ensemble, matrix_of(self._rows), model_output=trees.model_output
            )
        except LeafshapError:
            return None

    def _explainer(self, model: Any, rows: Any, **options: Any) -> leafshap.KernelExplainer:
        data = rows if self._weights is None else (rows, self._weights)
        return leafshap.KernelExplainer(
            model, data, batch_rows=_BATCH_ROWS, **self._options, **options
        )

    def explain(
        self,
        X: Any,
        seed: int,
        *,
        nsamples: int | str | Callable[[int], int] = "auto",
        l1_reg: Any = False,
        silent: bool = False,
    ) -> Found:
        """Explain rows of the background's kind, shape (n, F).

        Raises
        ------
        InvalidInputError
            If X does not fit, an argument is out of range, or the function does not return real,
            finite numbers.
        Exception
            Whatever the function raises.
        """
        options: dict[str, Any] = {"nsamples": nsamples, "l1_reg": l1_reg, "silent": bool(silent)}
        trees = self._trees
        if self._core is not None and trees is None:  # a model, compared with its own prediction
            return _found(self._core.with_seed(seed)(X, **options))
        if self._core is not None and trees is not None and trees.agrees(self._model, X):
            core = self._core.with_seed(seed)
            found = _found(core(matrix_of(X), check_additivity=False, **options))
            return Found(
                trees.of_values(found.values),
                trees.of_errors(found.standard_errors),
                trees.of_probability(found.base_values),
            )
        try:
            if self._called is None:
                self._called = self._explainer(self._model, self._rows)
            return _found(self._called.with_seed(seed)(X, **options))
        except ModelCallError as error:
            _raise_cause(error)


def draw_seed() -> int:
    """Draw a seed from numpy's global generator, which shap's users seed."""
    return int(np.random.randint(2**31 - 1))  # noqa: NPY002


def _found(explanation: Explanation) -> Found:
    values, errors = (
        np.asarray(part, dtype=np.float64)
        for part in (explanation.values, explanation.standard_errors)
    )
    return Found(values, errors, explanation.base_values)


def _raise_cause(error: ModelCallError) -> NoReturn:
    """Raise what the user's function raised, as shap does, with a note of where."""
    cause = error.__cause__
    assert cause is not None
    cause.add_note(f"leafshap: {error}")
    raise cause
