"""leafshap with background data, in float64 and in float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from competitors import BackgroundSide
from competitors.ours import OURS, OURS_FLOAT32, LeafshapLibrary
from models import TrainedModel
from workloads import Job


class LeafshapBackground(LeafshapLibrary):
    """`TreeExplainer(model, data).shap_values(X, check_additivity=False)`, or its interactions."""

    row_by_row = False

    def prepare(self, model: TrainedModel, job: Job, n_threads: int) -> BackgroundSide:
        import leafshap

        trained = model.load()

        def build(background: npt.NDArray[np.float32]) -> Any:
            return leafshap.TreeExplainer(
                trained,
                background,
                model_output=job.model_output,
                dtype=self.dtype,
                n_jobs=n_threads,
            )

        def explain(explainer: Any, X: npt.NDArray[np.float32]) -> Any:
            if job.interactions:
                return explainer.shap_interaction_values(X)
            return explainer.shap_values(X, check_additivity=False)

        return BackgroundSide(build, explain, summary=_summary)


def _summary(explainer: Any) -> Any:
    """How the leaves are explained; None where the output needs no tables."""
    plans = explainer._game._plans.values()
    return next((plan.core.summary for plan in plans if hasattr(plan.core, "summary")), None)


COMPETITORS = (
    LeafshapBackground(OURS, "float64", 0.0),
    LeafshapBackground(OURS_FLOAT32, "float32", 1e-5),
)
