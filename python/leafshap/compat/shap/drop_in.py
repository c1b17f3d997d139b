"""What all classes that stand in for shap's share: subclass relations, and how they fall back."""

from __future__ import annotations

import sys
import warnings
from abc import ABCMeta
from typing import Any


class FallbackWarning(UserWarning):
    """shap's own, slower code is used: leafshap does not do what was asked for."""


class DropIn(ABCMeta):
    """Metaclass of a class that takes the place of the one named by its `replaces`.

    Whatever is an instance or a subclass of the replaced class counts as one of the new class, too:
    `isinstance(shap.LinearExplainer(...), Explainer)` stays true. That does not go on to classes
    that users derive from the new one. It is an ABCMeta, so that those may be abstract, too.
    """

    def __instancecheck__(cls, instance: Any) -> bool:
        replaced = cls.__dict__.get("replaces")
        if replaced is not None and isinstance(instance, replaced):
            return True
        return super().__instancecheck__(instance)

    def __subclasscheck__(cls, subclass: type) -> bool:
        replaced = cls.__dict__.get("replaces")
        if replaced is not None and issubclass(subclass, replaced):
            return True
        return super().__subclasscheck__(subclass)


def warn_fallback(what: str, why: str) -> None:
    """Warn that shap's own code is used.

    Parameters
    ----------
    what : str
        The class or call that falls back, as "TreeExplainer".
    why : str
        What leafshap does not do.
    """
    warn_caller(f"{what} falls back to shap's own, slower code: {why}", FallbackWarning)


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn at the line outside leafshap and shap that led here."""
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and _is_inside(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)


def _is_inside(module: str) -> bool:
    return module.partition(".")[0] in {"leafshap", "shap"}
