"""PermutationExplainer with shap's contract."""

from __future__ import annotations

import shap

from leafshap.compat.shap.drop_in import DropIn


class PermutationExplainer(shap.PermutationExplainer, metaclass=DropIn):
    """shap's `PermutationExplainer`."""

    replaces = shap.PermutationExplainer
