"""Two features together: a heat map whose cells are the bins of the grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.columns import is_missing
from leafshap.plots.drawable import MISSING
from leafshap.plots.style import number_text, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = npt.NDArray[Any]

_BEYOND = 0.03  # of the axis, that the last bin is drawn beyond the grid
_MISSING_WIDTH = 0.08


def draw_surface(
    axis: Axes,
    grids: Sequence[Values],
    categorical: Sequence[bool],
    cuts: Sequence[bool],
    average: Values | None,
    label: str,
) -> None:
    """Draw a heat map with a colour bar.

    Parameters
    ----------
    grids : sequence of two ndarrays
    categorical : sequence of bool
        Whether the values of each are categories.
    cuts : sequence of bool
        Whether a bin begins at each value; else each value is the middle of its cell.
    average : ndarray, shape (points of the first, points of the second)
    """
    assert average is not None
    table = average.T
    edges = []
    for which, (grid, by_name, cut) in enumerate(zip(grids, categorical, cuts, strict=True)):
        x_axis = which == 0
        if by_name or grid.dtype.kind == "O":
            edges.append(np.arange(len(grid) + 1) - 0.5)
            _name_cells(axis, x_axis, grid)
            continue
        order = np.argsort(grid, kind="stable")  # NaN last
        table = table[:, order] if x_axis else table[order]
        edges.append(_edges(axis, x_axis, grid[order].astype(np.float64), cut))
    mesh = axis.pcolormesh(edges[0], edges[1], table, cmap="viridis", shading="flat")
    figure: Any = axis.figure
    bar = figure.colorbar(mesh, ax=axis, aspect=30, pad=0.02)
    bar.outline.set_visible(False)
    bar.set_label(label)
    bar.ax.tick_params(length=0, labelsize=9)


def _edges(axis: Axes, x_axis: bool, grid: Values, cut: bool) -> Values:
    """Edges of cells of numbers; the missing value's cell is the last."""
    numbers = grid[~np.isnan(grid)]
    width = float(np.ptp(numbers)) if len(numbers) and np.ptp(numbers) > 0 else 1.0
    if not len(numbers):
        edges = np.zeros(1)
    elif cut:
        edges = np.append(numbers, numbers[-1] + _BEYOND * width)
    elif len(numbers) == 1:
        edges = numbers[0] + np.array([-0.5, 0.5])
    else:
        middles = (numbers[1:] + numbers[:-1]) / 2
        first, last = 2 * numbers[0] - middles[0], 2 * numbers[-1] - middles[-1]
        edges = np.concatenate([[first], middles, [last]])
    if len(numbers) == len(grid):
        return edges
    end = float(edges[-1])
    place = axis.xaxis if x_axis else axis.yaxis
    (axis.set_xlim if x_axis else axis.set_ylim)(edges[0], end)
    apart = (0.16 if x_axis else 0.06) * width  # of labels
    ticks = [t for t in place.get_majorticklocs() if edges[0] <= t <= end - apart]
    at = end + _MISSING_WIDTH * width / 2
    place.set_ticks([*ticks, at], labels=[*map(number_text, ticks), MISSING])
    (axis.axvline if x_axis else axis.axhline)(end, color="white", linewidth=2.0)
    edges = np.append(edges, end + _MISSING_WIDTH * width)
    (axis.set_xlim if x_axis else axis.set_ylim)(edges[0], edges[-1])
    return edges


def _name_cells(axis: Axes, x_axis: bool, grid: Values) -> None:
    labels = [
        MISSING if is_missing(v) else number_text(v) if isinstance(v, float) else short(v, 24)
        for v in grid.tolist()
    ]
    if x_axis:
        upright = sum(map(len, labels)) > 34
        axis.set_xticks(range(len(labels)), labels, rotation="vertical" if upright else 0)
    else:
        axis.set_yticks(range(len(labels)), labels)
