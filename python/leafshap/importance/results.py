"""Results in the shape of scikit-learn's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.bunch import make_bunch

Floats = npt.NDArray[np.float64]


def result_of(importances: dict[str, Floats], several: bool, names: Sequence[str]) -> Any:
    """One Bunch, or a dict of them by the scorers' names if there may be several.

    `importances` are of shape (players, repeats).
    """
    bunches = {
        name: make_bunch(
            importances_mean=values.mean(axis=1),
            importances_std=values.std(axis=1),
            importances=values,
            names=list(names),
        )
        for name, values in importances.items()
    }
    return bunches if several else next(iter(bunches.values()))
