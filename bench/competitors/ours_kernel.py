"""leafshap's KernelExplainer: tree models in the core, others as functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from competitors import KernelSide, predict_function
from competitors.ours import LeafshapLibrary
from models import TrainedModel
from workloads import Job

REGRESSION = "leafshap-regression"
AUTO = "leafshap-auto"
OUR_KERNEL_NAMES = (REGRESSION, AUTO)


class LeafshapKernel(LeafshapLibrary):
    """`KernelExplainer(model, data, estimator=...).shap_values(X, nsamples)`.

    The check against the model's own prediction is off: it would time the other library.
    """

    def __init__(self, name: str, estimator: str) -> None:
        super().__init__(name, "float64", 0.0)
        self.estimator = estimator

    def prepare(self, model: TrainedModel, job: Job, n_threads: int) -> KernelSide:
        import leafshap

        trees = model.spec.library == "xgboost"
        function = None if trees else predict_function(model, job, n_threads)
        explained = model.load() if function is None else function

        def build(background: npt.NDArray[Any]) -> Any:
            return leafshap.KernelExplainer(
                explained,
                background,
                model_output=job.model_output,
                estimator=self.estimator,
                n_jobs=n_threads,
            )

        def explain(explainer: Any, X: npt.NDArray[Any], coalitions: int) -> npt.NDArray[Any]:
            found = explainer.shap_values(
                X, nsamples=coalitions, progress=False, check_additivity=False
            )
            return np.asarray(found)

        return KernelSide(build, explain, function)


COMPETITORS = (LeafshapKernel(REGRESSION, "regression"), LeafshapKernel(AUTO, "auto"))
