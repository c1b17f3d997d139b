"""Explainer: shap's choice of an algorithm for a model and a masker, among leafshap's classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import shap
from shap import links, maskers

from leafshap.compat.shap.drop_in import DropIn, warn_fallback
from leafshap.compat.shap.permutation import PermutationExplainer
from leafshap.compat.shap.tree import TreeExplainer
from leafshap.errors import LinearTreeError, UnsupportedModelError

_MOST_EXACT = 10  # columns that shap enumerates


class Explainer(shap.Explainer, metaclass=DropIn):
    """`shap.Explainer`: becomes the explainer of the algorithm that suits model and masker.

    The same choice as shap's: trees by `TreeExplainer`, functions of more than ten columns by
    `PermutationExplainer`, everything else by shap's own classes.
    """

    replaces = shap.Explainer

    def __init__(
        self,
        model: Any,
        masker: Any = None,
        link: Any = links.identity,
        algorithm: str = "auto",
        output_names: Any = None,
        feature_names: Any = None,
        linearize_link: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        options = {
            "link": link, "feature_names": feature_names, "linearize_link": linearize_link, **kwargs
        }  # fmt: skip
        named = {"output_names": output_names}
        if type(self) is not Explainer:  # a base class of the user's own
            super().__init__(model, masker, algorithm=algorithm, seed=seed, **named, **options)
            return
        made: Any = None
        why = ""
        if algorithm == "auto" and _is_plain(masker, none=True):
            try:
                made = TreeExplainer.without_fallback(model, masker, **options)
            except LinearTreeError:
                raise
            except UnsupportedModelError as error:
                why = str(error)
        if algorithm == "tree":
            made = TreeExplainer(model, masker, **options)
        elif made is None and _is_by_permutations(algorithm, model, masker):
            made = PermutationExplainer(model, masker, seed=seed, **options)
        elif made is None:
            masker = _as_floats(masker)
            made = shap_explainer(model, masker, algorithm=algorithm, seed=seed, **named, **options)
            if type(made) is TreeExplainer.replaces:
                warn_fallback("Explainer", why)
        self.__class__, self.__dict__ = type(made), made.__dict__


def shap_explainer(*args: Any, **kwargs: Any) -> Any:
    """Make shap's own `Explainer`, also where ours is installed in its place."""
    return Explainer.replaces(*args, **kwargs)


def _is_by_permutations(algorithm: str, model: Any, masker: Any) -> bool:
    if algorithm == "permutation":
        return True
    if algorithm != "auto" or not callable(model) or not _is_plain(masker, none=False):
        return False
    return bool(masker.shape[1] > _MOST_EXACT)


def _is_plain(masker: Any, *, none: bool) -> bool:
    """Whether a masker is, or will become, an independent one."""
    if masker is None:
        return none
    if isinstance(masker, maskers.Masker):
        return isinstance(masker, maskers.Independent)
    return len(getattr(masker, "shape", ())) == 2


def _as_floats(masker: Any) -> Any:
    """Make a background of integers one of floats: shap would round the explained rows to it."""
    known = isinstance(masker, (np.ndarray, pd.DataFrame))
    return masker.astype(np.float64) if known and np.asarray(masker).dtype.kind in "iu" else masker
