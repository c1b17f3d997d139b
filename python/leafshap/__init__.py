"""leafshap: exact SHAP values of tree ensembles, compiled.

>>> import leafshap
>>> explainer = leafshap.TreeExplainer(model)      # doctest: +SKIP
>>> values = explainer.shap_values(X)              # doctest: +SKIP
"""

from __future__ import annotations

from leafshap._core import __version__, build_info
from leafshap.ensemble import TreeEnsemble
from leafshap.errors import (
    AdditivityError,
    InvalidInputError,
    InvalidModelError,
    LeafshapError,
    MissingDependencyError,
    ModelCallError,
    UnsupportedModelError,
)
from leafshap.explainers.kernel import KernelExplainer
from leafshap.explainers.tree import TreeExplainer
from leafshap.explanation import Explanation
from leafshap.interactions import InteractionPairs, InteractionSummary

__all__ = [
    "AdditivityError",
    "Explanation",
    "InteractionPairs",
    "InteractionSummary",
    "InvalidInputError",
    "InvalidModelError",
    "KernelExplainer",
    "LeafshapError",
    "MissingDependencyError",
    "ModelCallError",
    "TreeEnsemble",
    "TreeExplainer",
    "UnsupportedModelError",
    "__version__",
    "build_info",
]
