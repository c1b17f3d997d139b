"""leafshap: exact SHAP values of tree ensembles, compiled.

>>> import leafshap
>>> explainer = leafshap.TreeExplainer(model)      # doctest: +SKIP
>>> values = explainer.shap_values(X)              # doctest: +SKIP
"""

from __future__ import annotations

import typing as _typing

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

if _typing.TYPE_CHECKING:
    from leafshap import batch as batch
    from leafshap import plots as plots
    from leafshap.effects.h_statistic import h_statistic
    from leafshap.effects.partial_dependence import partial_dependence
    from leafshap.importance.compare import ImportanceTable, compare_importances
    from leafshap.importance.permutation import permutation_importance

__all__ = [
    "AdditivityError",
    "Explanation",
    "ImportanceTable",
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
    "compare_importances",
    "h_statistic",
    "partial_dependence",
    "permutation_importance",
]

# Imported when first used: importing leafshap stays quick.
_LAZY = {
    "ImportanceTable": "leafshap.importance.compare",
    "compare_importances": "leafshap.importance.compare",
    "h_statistic": "leafshap.effects.h_statistic",
    "partial_dependence": "leafshap.effects.partial_dependence",
    "permutation_importance": "leafshap.importance.permutation",
}

if not _typing.TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        import importlib

        if name in ("batch", "plots"):
            return importlib.import_module(f"leafshap.{name}")
        if name not in _LAZY:
            raise AttributeError(f"module 'leafshap' has no attribute {name!r}")
        value = globals()[name] = getattr(importlib.import_module(_LAZY[name]), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *_LAZY})
