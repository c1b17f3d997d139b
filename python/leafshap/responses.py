"""What trees answer when features take other values: the core's plans, and curves by blocks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from leafshap import _core
from leafshap.ensemble import TreeEnsemble
from leafshap.inputs import FloatArray

Floats = npt.NDArray[np.float64]

# Of curves held at once: it does not depend on the number of threads, so neither does the order of
# sums over them.
CURVE_BYTES = 64 << 20


def response_plan(
    ensemble: TreeEnsemble,
    players: npt.NDArray[np.int32],
    probes: FloatArray,
    *,
    all_values: bool = True,
) -> _core.ResponsePlan:
    """Plan for players, sets of features that take their values from the rows of `probes`.

    It has as many trees as the library's own predict uses.

    Parameters
    ----------
    players : ndarray of int32, shape (F,)
        Player of each feature; -1: it keeps its value.
    probes : ndarray of float32 or float64, shape (m, F)
    all_values : bool
        Whether answers to all values are wanted; else to those that are named later.
    """
    return _core.ResponsePlan(ensemble.core, ensemble.count_trees(), players, probes, all_values)


def curve_blocks(
    plan: _core.ResponsePlan, ensemble: TreeEnsemble, rows: FloatArray, n_threads: int
) -> Iterator[tuple[int, Floats]]:
    """Margins of blocks of rows at all cells: (first row, (rows, cells, K)); memory is reused."""
    shape = int(plan.cell_offsets[-1]), ensemble.n_outputs
    size = max(1, min(len(rows), CURVE_BYTES // max(1, 8 * shape[0] * shape[1])))
    buffer = np.empty((size, *shape))
    for start in range(0, len(rows), size):
        block = rows[start : start + size]
        out = buffer[: len(block)]
        plan.curves(block, out, n_threads)
        yield start, out
