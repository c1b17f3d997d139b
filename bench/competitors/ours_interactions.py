"""leafshap's path-dependent interaction values, in float64 and in float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from competitors import Side
from competitors.ours import OURS, OURS_FLOAT32, Leafshap
from models import TrainedModel


class LeafshapInteractions(Leafshap):
    """`shap_interaction_values(X)` with a ready explainer: dense (n, F, F)."""

    def prepare(self, model: TrainedModel, n_threads: int) -> Side:
        import leafshap

        explainer = leafshap.TreeExplainer(model.load(), dtype=self.dtype, n_jobs=n_threads)

        def explain(X: npt.NDArray[np.float32]) -> Any:
            return explainer.shap_interaction_values(X)

        return Side(explain)


COMPETITORS = (
    LeafshapInteractions(OURS, "float64", 0.0),
    LeafshapInteractions(OURS_FLOAT32, "float32", 1e-5),
)
