"""The core's plan for features that take other values."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from leafshap import _core
from leafshap.ensemble import TreeEnsemble
from leafshap.inputs import FloatArray
from leafshap.responses import response_plan


def make_plan(
    ensemble: TreeEnsemble,
    of_column: npt.NDArray[np.int64],
    members: range | list[int],
    probes: FloatArray,
    *,
    all_values: bool,
) -> _core.ResponsePlan:
    """Prepare answers of as many trees as the library's own predict uses.

    Parameters
    ----------
    ensemble : TreeEnsemble
    of_column : ndarray of int, shape (F,)
        Player of each feature; -1: none, it keeps its value.
    members : range or list of int
        The players that this plan is for, in its own order.
    probes : ndarray, shape (m, F)
        Rows that players take their values from.
    all_values : bool
        Whether the cells of whole players are wanted.
    """
    number = np.full(int(of_column.max()) + 2, -1, dtype=np.int32)  # the last: of no player
    number[list(members)] = np.arange(len(members))
    return response_plan(ensemble, number[of_column], probes, all_values=all_values)
