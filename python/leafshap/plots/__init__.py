"""Plots: shap's of explanations, and ours of what shap has no plot for.

`Explanation.plot` calls shap's plots. The functions here draw partial dependence, interactions and
permutation importance. They return matplotlib's Axes, and open a window only with ``show=True``.
Needs the extra `plots`: pip install "leafshap[plots]".
"""

from __future__ import annotations

from leafshap.plots.dependence import partial_dependence
from leafshap.plots.importance import permutation_importance
from leafshap.plots.interactions import interaction_matrix

__all__ = ["interaction_matrix", "partial_dependence", "permutation_importance"]
