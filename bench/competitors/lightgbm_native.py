"""LightGBM's own `pred_contrib`."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from competitors import Side, not_installed, version_of
from models import ModelSpec, TrainedModel


class LightGBMNative:
    """`Booster.predict(X, pred_contrib=True)`."""

    name = "lightgbm"
    output: Literal["values", "prediction"] = "values"
    # float64, but its recursion divides: at 255 leaves 1e-9 is what is left of 1e-16.
    tolerance = 1e-8
    by_default = True
    min_rows = 1

    def absent(self) -> str | None:
        return not_installed("lightgbm")

    def version(self) -> str:
        return f"lightgbm {version_of('lightgbm')}"

    def unsupported(self, spec: ModelSpec) -> str | None:
        return None if spec.library == "lightgbm" else "not a LightGBM model"

    def row_block(self, spec: ModelSpec) -> int:
        return 16

    def prepare(self, model: TrainedModel, n_threads: int) -> Side:
        booster = model.load()
        n_features = booster.num_feature()

        def explain(X: npt.NDArray[np.float32]) -> Any:
            return booster.predict(X, pred_contrib=True, num_threads=n_threads)

        def values(contribs: Any) -> npt.NDArray[Any]:
            by_output = np.asarray(contribs).reshape(len(contribs), -1, n_features + 1)[..., :-1]
            return by_output[:, 0] if by_output.shape[1] == 1 else by_output.transpose(0, 2, 1)

        return Side(explain, values=values)


COMPETITORS = (LightGBMNative(),)
