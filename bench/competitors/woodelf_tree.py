"""woodelf: whole columns in NumPy; made for very many rows, one thread."""

from __future__ import annotations

from typing import Any, Literal

from competitors import Side, not_installed, version_of
from models import ModelSpec, TrainedModel


class WoodelfLibrary:
    """What its competitors share."""

    name = "woodelf"
    tolerance = 1e-4  # float32 tables
    by_default = False  # half a minute a call, and minutes for deep trees

    def absent(self) -> str | None:
        return not_installed("woodelf") or not_installed("pandas")

    def version(self) -> str:
        return f"woodelf {version_of('woodelf-explainer')}"


class WoodelfTree(WoodelfLibrary):
    """`WoodelfExplainer(model).shap_values(DataFrame)`."""

    output: Literal["values", "prediction"] = "values"
    min_rows = 50_000

    def unsupported(self, spec: ModelSpec) -> str | None:
        if spec.n_classes:
            return "explains one class at a time"
        if spec.library == "sklearn" or spec.depth > 10:
            return "its tables grow with 2^depth: minutes a call beyond depth 10"
        return None

    def row_block(self, spec: ModelSpec) -> int:
        return 1

    def prepare(self, model: TrainedModel, n_threads: int) -> Side:
        import pandas as pd
        from woodelf import WoodelfExplainer

        explainer = WoodelfExplainer(model.load(), feature_perturbation="tree_path_dependent")

        def explain(frame: Any) -> Any:
            return explainer.shap_values(frame, verbose=False)

        return Side(explain, pd.DataFrame)


COMPETITORS = (WoodelfTree(),)
