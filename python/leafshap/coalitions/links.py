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


def choose_link(link: Any) -> Link:
    """Find a link by name; shap's link functions go by theirs.

    Raises
    ------
    InvalidInputError
    """
    name = link
    if str(getattr(link, "__module__", "")).startswith("shap."):
        name = getattr(link, "__name__", None)
    found = {"identity": identity, "logit": logit}
    if not isinstance(name, str) or name not in found:
        raise InvalidInputError(f'link must be "identity" or "logit", got {link!r}')
    return found[name]
