"""XGBoost's own `pred_contribs`: quadrature since 3.3, the old recursive algorithm before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from competitors import Side, not_installed, version_of
from models import ModelSpec, TrainedModel

DISTRIBUTIONS = "xgboost xgboost-cpu"


def installed_version() -> tuple[int, int]:
    """Major and minor version of the installed XGBoost, (0, 0) without one."""
    version = version_of(DISTRIBUTIONS)
    if version is None:
        return (0, 0)
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def drop_bias(contribs: Any) -> npt.NDArray[Any]:
    """(n, F + 1) or (n, K, F + 1) to (n, F) or (n, F, K)."""
    values = np.asarray(contribs)[..., :-1]
    return values if values.ndim == 2 else values.transpose(0, 2, 1)


class XGBoostNative:
    """`Booster.predict(DMatrix, pred_contribs=True)`, the DMatrix being built beforehand."""

    name = "xgboost"
    output: Literal["values", "prediction"] = "values"
    tolerance = 1e-4  # its output is float32, and it sums in float32
    by_default = True
    min_rows = 1
    asked = "pred_contribs"
    values: Callable[[Any], npt.NDArray[Any]] = staticmethod(drop_bias)

    def absent(self) -> str | None:
        missing = not_installed("xgboost")
        if missing is None and installed_version() < (3, 3):
            missing = f"xgboost {version_of(DISTRIBUTIONS)} is older than 3.3"
        return missing

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

        def explain(matrix: Any) -> Any:
            return booster.predict(matrix, **{self.asked: True})

        return Side(explain, stage, self.values)


COMPETITORS = (XGBoostNative(),)
