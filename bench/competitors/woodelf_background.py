"""woodelf with background data: O(n + m) in NumPy, one thread."""

from __future__ import annotations

from typing import Any

from competitors import BackgroundSide
from competitors.woodelf_tree import WoodelfLibrary
from models import TrainedModel
from workloads import Job


class WoodelfBackground(WoodelfLibrary):
    """`WoodelfExplainer(model, DataFrame).shap_values(DataFrame)`, or its interaction values.

    The interaction values are asked for with the diagonal, which all others compute too.
    """

    row_by_row = False  # most of its time is preprocessing

    def prepare(self, model: TrainedModel, job: Job, n_threads: int) -> BackgroundSide:
        import pandas as pd
        from woodelf import WoodelfExplainer

        trained = model.load()

        def build(background: Any) -> Any:
            return WoodelfExplainer(trained, background)

        def explain(explainer: Any, frame: Any) -> Any:
            if job.interactions:
                return explainer.shap_interaction_values(frame, verbose=False)
            return explainer.shap_values(frame, verbose=False)

        return BackgroundSide(build, explain, pd.DataFrame)


COMPETITORS = (WoodelfBackground(),)
