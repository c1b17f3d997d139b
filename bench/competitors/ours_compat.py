"""leafshap in shap's place."""

from __future__ import annotations

from competitors import not_installed
from competitors.ours import LeafshapLibrary

OUR_COMPAT = "leafshap.compat.shap"


class LeafshapCompat(LeafshapLibrary):
    """`import leafshap.compat.shap as shap`."""

    module = OUR_COMPAT

    def absent(self) -> str | None:
        return super().absent() or not_installed("shap")


COMPETITORS = (LeafshapCompat(OUR_COMPAT, "float64", 0.0),)
