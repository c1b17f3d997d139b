"""shap itself, as user code imports it."""

from __future__ import annotations

from competitors import not_installed, version_of

SHAP = "shap"


class ShapCompat:
    """`import shap`."""

    name = SHAP
    module = "shap"
    tolerance = 0.0  # the job says it
    by_default = True

    def absent(self) -> str | None:
        return not_installed("shap")

    def version(self) -> str:
        return f"shap {version_of('shap')}"


COMPETITORS = (ShapCompat(),)
