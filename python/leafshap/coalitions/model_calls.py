"""Calls of the user's function: what it may return, and errors that say which call failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError, ModelCallError

Outputs = npt.NDArray[np.floating[Any]]  # float32 or float64


class ModelCalls:
    """A function f(rows) -> (n,) or (n, K), called with one batch after the other.

    Attributes
    ----------
    n_outputs : int or None
        K; None before the first call.
    vector_output : bool
        Whether f returns two dimensions. As in `shap.KernelExplainer` (0.54.1), a function that
        returns (n, 1) has a vector output of length 1, and keeps that axis in the values.
    """

    def __init__(self, f: Callable[[Any], Any]) -> None:
        if not callable(f):
            raise InvalidInputError(
                f"the model must be a function of rows, got {type(f).__name__}; pass for example "
                "model.predict or model.predict_proba"
            )
        self._f = f
        self._n_calls = 0  # for errors only: threads may number two calls alike
        self.n_outputs: int | None = None
        self.vector_output = False

    def __call__(self, rows: Any, n_rows: int, describe: Callable[[], str]) -> Outputs:
        """Evaluate f, shape (n_rows, K); values may be NaN or infinite (see `check_finite`).

        `describe()` says what the rows are, for errors.

        Raises
        ------
        ModelCallError
            If f raises; from its exception.
        InvalidInputError
            If what f returns does not fit the rows.
        """
        self._n_calls += 1
        number = self._n_calls

        def where() -> str:
            return f"call {number} of the model ({describe()}; {n_rows} rows in all)"

        try:
            result = self._f(rows)
        except Exception as error:
            raise ModelCallError(
                f"{where()} failed: {type(error).__name__}: {error}"
                + ("; a smaller memory_limit makes smaller calls" * isinstance(error, MemoryError))
            ) from error
        outputs = _as_numbers(result, where)
        if outputs.ndim == 0 and n_rows == 1:  # squeezed
            outputs = outputs.reshape(1)
        if outputs.ndim not in (1, 2) or len(outputs) != n_rows or not outputs.size:
            raise InvalidInputError(
                f"{where()} returned the shape {outputs.shape}, expected ({n_rows},) or "
                f"({n_rows}, outputs)"
            )
        vector = outputs.ndim == 2
        outputs = outputs.reshape(n_rows, -1)
        if self.n_outputs is None:
            self.vector_output = vector
            self.n_outputs = outputs.shape[1]
        elif self.n_outputs != outputs.shape[1]:
            raise InvalidInputError(
                f"{where()} returned {outputs.shape[1]} outputs for each row, earlier calls "
                f"returned {self.n_outputs}"
            )
        return outputs


def _as_numbers(result: Any, where: Callable[[], str]) -> Outputs:
    """Read what the function returned; it may be a view of the function's memory."""
    if result is None:
        raise InvalidInputError(f"{where()} returned None")
    for method in ("detach", "cpu"):  # a tensor of PyTorch
        if hasattr(result, method):
            result = getattr(result, method)()
    try:
        array = np.asarray(result)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidInputError(f"{where()} returned no array: {error}") from error
    if array.dtype in (np.float64, np.float32):
        return array
    if array.dtype.kind in "biuf":
        return array.astype(np.float64, copy=False)
    if array.dtype.kind == "O" and not any(isinstance(v, (str, bytes)) for v in array.flat):
        try:
            return array.astype(np.float64)
        except (TypeError, ValueError):
            pass
    found = f"values such as {array.flat[0]!r}" if array.size else f"dtype {array.dtype}"
    text = array.dtype.kind in "SUT" or isinstance(next(iter(array.flat), None), (str, bytes))
    raise InvalidInputError(
        f"{where()} returned {found}, expected numbers"
        + ("; for a classifier, pass model.predict_proba instead of model.predict" * text)
    )


def check_finite(outputs: Outputs, describe: Callable[[int], str]) -> None:
    """Refuse NaN and infinite outputs, shape (rows, K).

    Raises
    ------
    InvalidInputError
        Naming the first by `describe(row)`.
    """
    wrong = np.argwhere(~np.isfinite(outputs))
    if len(wrong):
        row, output = wrong[0].tolist()
        which = f" as output {output}" if outputs.shape[1] > 1 else ""
        raise InvalidInputError(
            f"the model returned {outputs[row, output]}{which} for {describe(row)}; values of the "
            "model must be finite"
        )
