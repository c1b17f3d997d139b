"""XGBoost's own `pred_interactions`, 3.3 or newer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from competitors import Side
from competitors.xgboost_native import XGBoostNative
from workloads import TrainedModel


class XGBoostInteractions(XGBoostNative):
    """`Booster.predict(DMatrix, pred_interactions=True)`, the DMatrix being built beforehand."""

    def prepare(self, model: TrainedModel, n_threads: int) -> Side:
        import xgboost

        booster = model.load()
        booster.set_param({"nthread": n_threads})

        def stage(X: npt.NDArray[np.float32]) -> Any:
            return xgboost.DMatrix(X, nthread=n_threads)

        def explain(matrix: Any) -> Any:
            return booster.predict(matrix, pred_interactions=True)

        def values(interactions: Any) -> npt.NDArray[Any]:
            return np.asarray(interactions)[..., :-1, :-1]  # without the bias

        return Side(explain, stage, values)


COMPETITORS = (XGBoostInteractions(),)
