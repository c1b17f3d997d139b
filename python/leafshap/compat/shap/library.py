"""shap itself, if it is there and new enough."""

from __future__ import annotations

from leafshap.errors import MissingDependencyError

_INSTALL = 'pip install "leafshap[compat]"'

try:
    import shap as shap
except ImportError as error:
    raise MissingDependencyError(f"leafshap.compat.shap needs shap: {_INSTALL}") from error

_version = tuple(int(part) for part in shap.__version__.split(".")[:2] if part.isdigit())
if (0, 0) < _version < (0, 47):  # (0, 0): built from a clone without tags
    raise MissingDependencyError(
        f"leafshap.compat.shap needs shap 0.47 or newer, there is {shap.__version__}: {_INSTALL}"
    )
