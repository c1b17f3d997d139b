"""matplotlib and shap, imported when something is drawn."""

from __future__ import annotations

import importlib
from typing import Any

from leafshap.errors import MissingDependencyError


def load_pyplot() -> Any:
    """Import `matplotlib.pyplot`.

    Raises
    ------
    MissingDependencyError
        If it is not installed.
    """
    return _load("matplotlib.pyplot")


def load_shap() -> Any:
    """Import `shap`.

    Raises
    ------
    MissingDependencyError
        If it, or matplotlib, is not installed.
    """
    _load("matplotlib")
    return _load("shap")


def _load(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            f'plots need {name.partition(".")[0]}: pip install "leafshap[plots]"'
        ) from error
