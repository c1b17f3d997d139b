"""XGBoost's own `pred_interactions`, 3.3 or newer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from competitors.xgboost_native import XGBoostNative


def drop_biases(interactions: Any) -> npt.NDArray[Any]:
    """(n, F + 1, F + 1) to (n, F, F)."""
    return np.asarray(interactions)[..., :-1, :-1]


class XGBoostInteractions(XGBoostNative):
    """`Booster.predict(DMatrix, pred_interactions=True)`, the DMatrix being built beforehand."""

    asked = "pred_interactions"
    values = staticmethod(drop_biases)


COMPETITORS = (XGBoostInteractions(),)
