"""shapiq's TreeExplainer, first order (Quadrature-TreeSHAP in C++, one row per call)."""

from __future__ import annotations

import importlib
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from competitors import Side, not_installed, version_of
from models import ModelSpec, TrainedModel


class ShapiqTree:
    """`TreeExplainer(model, index="SV", max_order=1, min_order=1).explain_X(X)`.

    On one thread: the rows are a Python loop, and its joblib workers cost more than they bring
    unless the trees are deep.
    """

    name = "shapiq"
    output: Literal["values", "prediction"] = "values"
    tolerance = 1e-4  # leaves of XGBoost models summed in another order
    by_default = True
    min_rows = 1

    def absent(self) -> str | None:
        return not_installed("shapiq")

    def version(self) -> str:
        return f"shapiq {version_of('shapiq')}"

    def unsupported(self, spec: ModelSpec) -> str | None:
        return "explains one class at a time" if spec.n_classes else None

    def row_block(self, spec: ModelSpec) -> int:
        return 1

    def prepare(self, model: TrainedModel, n_threads: int) -> Side:
        # Its __init__ types the class as an object where an optional import fails.
        shapiq: Any = importlib.import_module("shapiq")
        explainer = shapiq.TreeExplainer(model.load(), index="SV", max_order=1, min_order=1)
        n_features = model.info["features"]

        def explain(X: npt.NDArray[np.float32]) -> Any:
            return explainer.explain_X(X)

        def values(batch: Any) -> npt.NDArray[Any]:
            phi = np.zeros((batch.n_instances, n_features))
            for interaction, column in batch.values.items():
                if len(interaction) == 1:
                    phi[:, interaction[0]] = column
            return phi

        return Side(explain, values=values)


COMPETITORS = (ShapiqTree(),)
