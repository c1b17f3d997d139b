"""shap's submodules under this package's name: ``from leafshap.compat.shap.utils import sample``.

They are shap's own modules, not copies: an exception caught by the one name is that of the other.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

_OURS, _THEIRS = "leafshap.compat.shap.", "shap."
_OWN_FILES = {path.stem for path in Path(__file__).parent.glob("*.py")}


class SubmoduleFinder(MetaPathFinder, Loader):
    """Finds what is not in this package in shap."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Give the spec of a submodule of shap's, None of any other module."""
        name = fullname.removeprefix(_OURS)
        if name == fullname or name in _OWN_FILES or find_spec(_THEIRS + name) is None:
            return None
        return spec_from_loader(fullname, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Import shap's module; the import system then puts our spec on it."""
        module = importlib.import_module(_THEIRS + spec.name.removeprefix(_OURS))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Put shap's spec back: the module is loaded already."""
        ours = module.__spec__
        assert ours is not None
        module.__spec__ = ours.loader_state


def find_submodules() -> None:
    """Register the finder, once: this package may be loaded anew."""
    names = {type(finder).__qualname__ for finder in sys.meta_path}
    if SubmoduleFinder.__qualname__ not in names:
        sys.meta_path.insert(0, SubmoduleFinder())
