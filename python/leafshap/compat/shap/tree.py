"""TreeExplainer with shap's contract."""

from __future__ import annotations

import shap

from leafshap.compat.shap.drop_in import DropIn


class TreeExplainer(shap.TreeExplainer, metaclass=DropIn):
    """shap's `TreeExplainer`."""

    replaces = shap.TreeExplainer
