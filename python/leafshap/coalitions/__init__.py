"""Coalition games: what a model predicts if only the features of a coalition are known."""

from __future__ import annotations
