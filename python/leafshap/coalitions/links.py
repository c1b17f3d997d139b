"""Links: functions of a coalition's value whose differences are explained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError

Floats = npt.NDArray[np.float64]
Link = Callable[[Floats], Floats]


def identity(values: Floats) -> Floats:
    """Leave values as they are."""
    return values


def logit(values: Floats) -> Floats:
    """Log-odds of probabilities, ``log(p / (1 - p))``.

    Raises
    ------
    InvalidInputError
        If a value is not strictly between 0 and 1.
    """
    wrong = ~((values > 0) & (values < 1))
    if wrong.any():
        raise InvalidInputError(
            f'link="logit" needs values between 0 and 1, both excluded: the model\'s mean output '
            f"for some coalition is {values[wrong].flat[0]:.9g}"
        )
    odds: Floats = np.log(values) - np.log1p(-values)
    return odds


def clipped_logit(values: Floats) -> Floats:
    """Log-odds as `shap.KernelExplainer` has them: of probabilities from 1e-15 to 1 - 1e-15."""
    inside = np.clip(values, 1e-15, 1 - 1e-15)
    odds: Floats = np.log(inside / (1 - inside))
    return odds


def choose_link(link: Any) -> Link:
    """Find a link by name; shap's link functions go by theirs, its link objects by their classes'.

    Raises
    ------
    InvalidInputError
    """
    name = link
    found = {"identity": identity, "logit": logit}
    if str(getattr(link, "__module__", "")).startswith("shap."):
        name = getattr(link, "__name__", type(link).__name__)
        found |= {"IdentityLink": identity, "LogitLink": clipped_logit}
    if not isinstance(name, str) or name not in found:
        raise InvalidInputError(f'link must be "identity" or "logit", got {link!r}')
    return found[name]
