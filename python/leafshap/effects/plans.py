"""The core's plan behind all effects: what trees answer when features take other values."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from leafshap import _core
from leafshap.ensemble import TreeEnsemble
from leafshap.inputs import FloatArray


def response_plan(
    ensemble: TreeEnsemble, players: npt.NDArray[np.int32], probes: FloatArray
) -> _core.ResponsePlan:
    """Plan for players, sets of features that take their values from the rows of `probes`.

    Parameters
    ----------
    players : ndarray of int32, shape (F,)
        Player of each feature; -1: it keeps its value.
    probes : ndarray of float32 or float64, shape (m, F)
    """
    return _core.ResponsePlan(ensemble.core, ensemble.count_trees(), players, probes, True)
