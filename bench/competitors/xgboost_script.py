"""XGBoost's `pred_contribs` from file to file, as a script does it that reads with pandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt

from competitors import BatchSide, not_installed, version_of
from competitors.xgboost_native import XGBoostNative, drop_bias

XGBOOST_SCRIPT = "xgboost-script"


def explain(booster: Any, source: Path, output: Path) -> None:
    """The script, after its imports and the loading of the model."""
    import pandas as pd
    import xgboost as xgb

    data = pd.read_parquet(source)
    contribs = booster.predict(xgb.DMatrix(data), pred_contribs=True)
    pd.DataFrame(contribs, columns=[*data.columns, "bias"]).to_parquet(output)


class XGBoostScript:
    """`explain` with a booster on all threads."""

    name = XGBOOST_SCRIPT
    output: Literal["values", "mean |phi|"] = "values"
    tolerance = XGBoostNative.tolerance
    by_default = True
    in_part = True

    def absent(self) -> str | None:
        return XGBoostNative().absent() or not_installed("pandas") or not_installed("pyarrow")

    def version(self) -> str:
        return f"{XGBoostNative().version()} with pandas {version_of('pandas')}"

    def prepare(self, model: Path, n_threads: int) -> BatchSide:
        import xgboost

        booster = xgboost.Booster(model_file=model)
        booster.set_param({"nthread": n_threads})
        return BatchSide(run=lambda table, output: explain(booster, table, output))

    def values(self, output: Path) -> npt.NDArray[Any]:
        import pandas as pd

        return drop_bias(pd.read_parquet(output))


COMPETITORS = (XGBoostScript(),)
