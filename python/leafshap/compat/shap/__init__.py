"""shap, with leafshap's engines in place.

>>> import leafshap.compat.shap as shap                # instead of: import shap
>>> explainer = shap.TreeExplainer(model)              # doctest: +SKIP
>>> shap.plots.beeswarm(explainer(X))                  # doctest: +SKIP

`TreeExplainer`, `KernelExplainer`, `PermutationExplainer` and `Explainer` are subclasses of shap's,
with shap's arguments, attributes and results; every other name is shap's own. `install` swaps these
classes inside shap itself, for libraries that import it. docs/coming_from_shap.md lists what
differs.
"""

from __future__ import annotations

from typing import Any

from leafshap.compat.shap.library import shap as _shap  # isort: skip: looks whether there is one
from leafshap.compat.shap import explainers
from leafshap.compat.shap.drop_in import FallbackWarning
from leafshap.compat.shap.explainer import Explainer
from leafshap.compat.shap.installation import install, is_installed, uninstall
from leafshap.compat.shap.kernel import KernelExplainer
from leafshap.compat.shap.permutation import PermutationExplainer
from leafshap.compat.shap.submodules import find_submodules
from leafshap.compat.shap.tree import TreeExplainer

__version__: str = _shap.__version__
__all__ = [
    "Explainer",
    "FallbackWarning",
    "KernelExplainer",
    "PermutationExplainer",
    "TreeExplainer",
    "explainers",
    "install",
    "is_installed",
    "uninstall",
]
# shap's own; GPUTreeExplainer would look for an accelerator's package
__all__ += [name for name in _shap.__all__ if name not in {*__all__, "GPUTreeExplainer"}]

find_submodules()


def __getattr__(name: str) -> Any:
    return getattr(_shap, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_shap)})
