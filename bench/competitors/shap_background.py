"""shap's TreeExplainer with background data: C code, one thread, every row with every other."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from competitors import BackgroundSide, not_installed, version_of
from models import TrainedModel
from workloads import Job


class ShapBackground:
    """`shap.TreeExplainer(model, data).shap_values(X, check_additivity=False)`.

    It keeps 100 rows of a larger array, so it is given no larger one.
    """

    name = "shap"
    tolerance = 1e-6  # float64; XGBoost models have float32 leaves, summed in another order
    by_default = True
    row_by_row = True

    def absent(self) -> str | None:
        return not_installed("shap")

    def version(self) -> str:
        return f"shap {version_of('shap')}"

    def prepare(self, model: TrainedModel, job: Job, n_threads: int) -> BackgroundSide:
        import shap

        trained = model.load()

        def build(background: npt.NDArray[np.float32]) -> Any:
            return shap.TreeExplainer(
                trained,
                background,
                model_output=job.model_output,
                feature_perturbation="interventional",
            )

        def explain(explainer: Any, X: npt.NDArray[np.float32]) -> Any:
            return explainer.shap_values(X, check_additivity=False)

        return BackgroundSide(build, explain)


COMPETITORS = (ShapBackground(),)
