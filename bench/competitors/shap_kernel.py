"""shap's KernelExplainer: row by row, one large call of the function for each."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from competitors import KernelSide, not_installed, predict_function, version_of
from models import TrainedModel
from workloads import Job


class ShapKernel:
    """`shap.KernelExplainer(f, data).shap_values(X, nsamples, l1_reg=False)`.

    f is XGBoost's `inplace_predict`, which its `predict` and `predict_proba` call, or
    scikit-learn's `predict`. By default shap keeps ten features of a lasso: `l1_reg=False`
    computes what is asked for, and in less time.
    """

    name = "shap"
    tolerance = 1e-5  # XGBoost predicts float32
    by_default = True

    def absent(self) -> str | None:
        return not_installed("shap")

    def version(self) -> str:
        return f"shap {version_of('shap')}"

    def prepare(self, model: TrainedModel, job: Job, n_threads: int) -> KernelSide:
        import shap

        function = predict_function(model, job, n_threads)

        def build(background: npt.NDArray[Any]) -> Any:
            return shap.KernelExplainer(function, background)

        def explain(explainer: Any, X: npt.NDArray[Any], coalitions: int) -> npt.NDArray[Any]:
            np.random.seed(0)  # noqa: NPY002  it draws from the global state
            found = explainer.shap_values(X, nsamples=coalitions, l1_reg=False, silent=True)
            return np.asarray(found)

        return KernelSide(build, explain, function)


COMPETITORS = (ShapKernel(),)
