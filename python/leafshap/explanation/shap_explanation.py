"""From ours to `shap.Explanation`, with the history that shap's plots read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from leafshap.errors import InvalidInputError, MissingDependencyError
from leafshap.explanation.data import displayed
from leafshap.explanation.selection import axis_names

if TYPE_CHECKING:
    import shap

    from leafshap.explanation.explanation import Explanation


def to_shap(explanation: Explanation) -> shap.Explanation:
    """See `Explanation.to_shap`."""
    try:
        import shap
    except ImportError as error:
        raise MissingDependencyError("to_shap needs shap: pip install shap") from error
    values, base = explanation.values, explanation.base_values
    if any(n == 0 for n, a in zip(values.shape, explanation.axes, strict=True) if a == "features"):
        raise InvalidInputError("there are no features: shap's Explanation cannot hold that")
    outputs = explanation.output_names
    if outputs is None and "outputs" in explanation.axes:
        outputs = axis_names(explanation, len(explanation.axes) - 1)
    if isinstance(outputs, str) and values.ndim < 2:
        outputs = None  # shap's constructor fails on the name of one output beside one axis
    data: Any = displayed(explanation.data)
    if data is not None and data.ndim == 2 and "rows" not in explanation.axes:
        data = data[0]  # of a table or a sparse matrix
    if data is not None and data.ndim == 2 and "features" not in explanation.axes:
        data = data[:, 0]
    history = _history(explanation)
    lost = bool(base.size) and bool(np.isnan(base).all())
    # each mean over rows is one over a single row here, which leaves a history and nothing else
    lead = (None,) * sum(name not in ("abs", "argsort") for name in history)
    theirs = shap.Explanation(
        values[(*lead, ...)] if lead else values[()],
        base_values=None if lost else base[(*lead, ...)] if lead else base[()],
        data=None if data is None else data[()],
        feature_names=explanation.feature_names,
        output_names=outputs,
        error_std=explanation.standard_errors,
        compute_time=explanation.compute_time,
    )
    for name in history:
        operation = getattr(theirs, name)
        theirs = operation if name in ("abs", "argsort") else operation(axis=0)
    if history:
        theirs.values = values[()]
        if data is not None:  # shap has changed them, too
            theirs.data = data[()]
    return theirs


def _history(explanation: Explanation) -> list[str]:
    """Operations that shap's plots know: means and the like over rows, absolute values, orders."""
    return [name for name, axis in explanation.operations if axis in (None, "rows")]
