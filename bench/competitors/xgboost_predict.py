"""XGBoost's plain prediction: what the cost of an explanation is held against."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from competitors import Side, not_installed, version_of
from competitors.xgboost_native import DISTRIBUTIONS
from models import ModelSpec, TrainedModel


class XGBoostPredict:
    """`Booster.predict(DMatrix, output_margin=True)`.

    XGBoost remembers the predictions of a DMatrix, so that a second call with the same one costs
    nothing: the runner stages a new one before every call.
    """

    name = "xgboost-predict"
    output: Literal["values", "prediction"] = "prediction"
    tolerance = 1e-4
    by_default = True
    min_rows = 1

    def absent(self) -> str | None:
        return not_installed("xgboost")

    def version(self) -> str:
        return f"xgboost {version_of(DISTRIBUTIONS)}"

    def unsupported(self, spec: ModelSpec) -> str | None:
        return None if spec.library == "xgboost" else "not an XGBoost model"

    def row_block(self, spec: ModelSpec) -> int:
        return 64

    def prepare(self, model: TrainedModel, n_threads: int) -> Side:
        import xgboost

        booster = model.load()
        booster.set_param({"nthread": n_threads})

        def stage(X: npt.NDArray[np.float32]) -> Any:
            return xgboost.DMatrix(X, nthread=n_threads)

        def predict(matrix: Any) -> Any:
            return booster.predict(matrix, output_margin=True)

        return Side(predict, stage)


COMPETITORS = (XGBoostPredict(),)
