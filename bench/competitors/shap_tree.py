"""shap's TreeExplainer on scikit-learn models.

For XGBoost and LightGBM models it hands a path-dependent call to the library's own code (shap
0.54.1, `explainers/_tree.py`), which is timed as that library's; its own recursive C code, on one
thread, answers for scikit-learn.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from competitors import Side, not_installed, version_of
from models import ModelSpec, TrainedModel


class ShapTree:
    """`shap.TreeExplainer(model).shap_values(X, check_additivity=False)`."""

    name = "shap"
    output: Literal["values", "prediction"] = "values"
    tolerance = 1e-8  # float64, but its recursion divides
    by_default = True
    min_rows = 1

    def absent(self) -> str | None:
        return not_installed("shap")

    def version(self) -> str:
        return f"shap {version_of('shap')}"

    def unsupported(self, spec: ModelSpec) -> str | None:
        if spec.library == "sklearn":
            return None
        return f"hands such a model to {spec.library}'s own code"

    def row_block(self, spec: ModelSpec) -> int:
        return 1

    def prepare(self, model: TrainedModel, n_threads: int) -> Side:
        import shap

        explainer = shap.TreeExplainer(model.load())

        def explain(X: npt.NDArray[np.float32]) -> Any:
            return explainer.shap_values(X, check_additivity=False)

        return Side(explain)


COMPETITORS = (ShapTree(),)
