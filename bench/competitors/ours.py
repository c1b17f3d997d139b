"""leafshap, in float64 and in float32."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from competitors import Side, not_installed
from models import ModelSpec, TrainedModel

OURS = "leafshap-f64"
OURS_FLOAT32 = "leafshap-f32"
OUR_NAMES = (OURS, OURS_FLOAT32)


class LeafshapLibrary:
    """What its competitors share: one for every precision."""

    by_default = True

    def __init__(self, name: str, dtype: str, tolerance: float) -> None:
        self.name = name
        self.dtype = dtype
        self.tolerance = tolerance

    def absent(self) -> str | None:
        missing = not_installed("leafshap")
        if missing:
            return missing
        try:
            import leafshap  # noqa: F401
        except ImportError as error:
            return f"leafshap cannot be imported: {error}"
        return None

    def version(self) -> str:
        import leafshap

        return f"leafshap {leafshap.__version__}"


class Leafshap(LeafshapLibrary):
    """`shap_values(X, check_additivity=False)` with a ready explainer.

    The check against the model's own prediction is off: it would time the other library.
    """

    output: Literal["values", "prediction"] = "values"
    min_rows = 1

    def unsupported(self, spec: ModelSpec) -> str | None:
        return None

    def row_block(self, spec: ModelSpec) -> int:
        return 512  # a multiple of every row block its engine makes

    def prepare(self, model: TrainedModel, n_threads: int) -> Side:
        import leafshap

        explainer = leafshap.TreeExplainer(model.load(), dtype=self.dtype, n_jobs=n_threads)

        def explain(X: npt.NDArray[np.float32]) -> Any:
            return explainer.shap_values(X, check_additivity=False)

        return Side(explain, expected_value=explainer.expected_value)


COMPETITORS = (Leafshap(OURS, "float64", 0.0), Leafshap(OURS_FLOAT32, "float32", 1e-5))
