"""Swapping the classes inside an imported shap, for libraries that import it themselves."""

from __future__ import annotations

import sys
import threading
from types import ModuleType, TracebackType
from typing import Any, Self

from leafshap.compat.shap.explainer import Explainer
from leafshap.compat.shap.kernel import KernelExplainer
from leafshap.compat.shap.permutation import PermutationExplainer
from leafshap.compat.shap.tree import TreeExplainer

_OURS = (TreeExplainer, KernelExplainer, PermutationExplainer, Explainer)
_DEFINED_IN = {cls.replaces.__module__ for cls in _OURS}

_Pairs = list[tuple[Any, Any]]

_lock = threading.RLock()
_swapped: list[tuple[ModuleType, str]] = []
_loaded_before: set[str] = set()


class Installation:
    """What `install` returns: ``with install(): ...`` puts shap's classes back at the end."""

    def __init__(self, *, first: bool) -> None:
        self._first = first

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._first:
            uninstall()

    def __repr__(self) -> str:
        return f"<leafshap in place of shap's explainers: {'on' if is_installed() else 'off'}>"


def install() -> Installation:
    """Put leafshap's explainers in the place of shap's.

    In every loaded module that holds them under some name (``shap``, ``shap.explainers``, and what
    has done ``from shap import TreeExplainer``), except in the modules of shap that define them:
    pickles find their classes there. Modules loaded later take what they find in shap. Doing it
    again only swaps what has come in between.

    Returns
    -------
    Installation
        A context manager; of nested ones, the outermost undoes it.
    """
    with _lock:
        first = not _swapped
        if first:
            _loaded_before.update(sys.modules)
        _swapped.extend(_swap([(cls.replaces, cls) for cls in _OURS], set(sys.modules)))
        return Installation(first=first)


def uninstall() -> None:
    """Put shap's classes back, also in modules that were loaded meanwhile."""
    with _lock:
        back: _Pairs = [(cls, cls.replaces) for cls in _OURS]
        for module, name in _swapped:
            _swap_one(module, name, back)
        if _swapped:
            _swap(back, set(sys.modules) - _loaded_before)
        _swapped.clear()
        _loaded_before.clear()


def is_installed() -> bool:
    """Tell whether leafshap's explainers are in the place of shap's."""
    return bool(_swapped)


def _swap(pairs: _Pairs, names: set[str]) -> list[tuple[ModuleType, str]]:
    """Exchange classes in the globals of modules; return where."""
    found = []
    for module_name in names - _DEFINED_IN:
        module = sys.modules.get(module_name)
        if module_name.partition(".")[0] == "leafshap" or type(module) is not ModuleType:
            continue
        # not dir() and getattr(): they may load what is lazy
        found += [(module, name) for name in list(vars(module)) if _swap_one(module, name, pairs)]
    return found


def _swap_one(module: ModuleType, name: str, pairs: _Pairs) -> bool:
    # compared by identity alone: anything may be a global, also what raises when it is touched
    value = vars(module).get(name)
    for old, new in pairs:
        if value is old:
            vars(module)[name] = new
            return True
    return False
