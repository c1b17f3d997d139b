"""XGBoost before 3.3: the recursive algorithm of Lundberg, where such a version is installed."""

from __future__ import annotations

from competitors import not_installed, version_of
from competitors.xgboost_native import DISTRIBUTIONS, XGBoostNative, installed_version


class XGBoostOld(XGBoostNative):
    """The same call as `XGBoostNative`; another algorithm answers it."""

    name = "xgboost-old"
    tolerance = 1e-3  # float32 with divisions that cancel: worse with depth

    def absent(self) -> str | None:
        missing = not_installed("xgboost")
        if missing is None and installed_version() >= (3, 3):
            missing = f"xgboost {version_of(DISTRIBUTIONS)} has the new algorithm"
        return missing


COMPETITORS = (XGBoostOld(),)
