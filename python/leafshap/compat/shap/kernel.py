"""KernelExplainer with shap's contract."""

from __future__ import annotations

import shap

from leafshap.compat.shap.drop_in import DropIn


class KernelExplainer(shap.KernelExplainer, metaclass=DropIn):
    """shap's `KernelExplainer`."""

    replaces = shap.KernelExplainer
