"""Swapping the classes inside an imported shap, and back."""

from __future__ import annotations


def install() -> None: ...
def uninstall() -> None: ...
def is_installed() -> bool: return False
