"""Explanation: SHAP values with what is needed to read, slice, summarise and compare them."""

from __future__ import annotations

from leafshap.explanation.explanation import Explanation, Values
from leafshap.explanation.selection import select_rows

__all__ = ["Explanation", "Values", "select_rows"]
