"""`shap.explainers`, with leafshap's classes in place."""

from __future__ import annotations

from typing import Any

import shap.explainers as _explainers

from leafshap.compat.shap.explainer import Explainer
from leafshap.compat.shap.kernel import KernelExplainer
from leafshap.compat.shap.permutation import PermutationExplainer
from leafshap.compat.shap.tree import TreeExplainer

__path__: list[str] = []  # so that ``explainers.other`` is looked for, and found in shap

Kernel, Permutation, Tree = KernelExplainer, PermutationExplainer, TreeExplainer

__all__ = [
    "Explainer",
    "Kernel",
    "KernelExplainer",
    "Permutation",
    "PermutationExplainer",
    "Tree",
    "TreeExplainer",
]


def __getattr__(name: str) -> Any:
    return getattr(_explainers, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_explainers)})
