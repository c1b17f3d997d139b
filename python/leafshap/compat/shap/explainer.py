"""Explainer with shap's contract."""

from __future__ import annotations

import shap

from leafshap.compat.shap.drop_in import DropIn


class Explainer(shap.Explainer, metaclass=DropIn):
    """shap's `Explainer`."""

    replaces = shap.Explainer
