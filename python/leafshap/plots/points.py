"""The points of `shap.plots.scatter`, coloured by another feature.

shap's own colouring takes a feature that is asked for only where it finds an interaction, so it
never does for fewer than 20 rows, and draws nothing where the value to colour by is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.plots.drawable import DrawableColumn
from leafshap.plots.style import number_text, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]

_GREY = "#9a9a9a"
_RANGE = (5, 95)  # percentiles between which colours change, as in shap
_MOST_NAMES = 30
_FEW = 8


def color_points(
    axis: Axes, x: Floats, y: npt.NDArray[Any], by: DrawableColumn, name: str, cmap: Any
) -> None:
    """Colour what shap has drawn in one colour, and add a colour bar.

    Parameters
    ----------
    axis : Axes
        Its first two collections are the points, in any order and perhaps moved a little along x,
        and marks at the y axis for rows without x.
    x, y : ndarray, shape (n,)
        NaN in x is missing.
    by : DrawableColumn
        Missing numbers are grey.
    name : str
        For the colour bar.
    cmap : str, Colormap or None
        By default shap's from blue to red.
    """
    import matplotlib as mpl
    from matplotlib.colors import BoundaryNorm, Normalize
    from shap.plots import colors

    base = colors.red_blue if cmap is None else mpl.colormaps.get_cmap(cmap)
    by = _few_numbers_as_categories(by)
    shades = by.numbers
    norm: Normalize
    if by.categories is not None:
        base = base.resampled(max(2, len(by.categories)))
        norm = BoundaryNorm(np.arange(len(by.categories) + 1) - 0.5, len(by.categories))
        if len(by.categories) == 1:
            norm = Normalize(-0.5, 0.5)
    else:
        known = shades[~np.isnan(shades)]
        low, high = np.percentile(known, _RANGE) if len(known) else (0.0, 1.0)
        if low == high and len(known):
            low, high = known.min(), known.max()
        norm = Normalize(low, high)
    base = base.with_extremes(bad=_GREY)
    points, marks = axis.collections[:2]
    at = np.ma.getdata(points.get_offsets())
    rows, drawn = _order(y, _nearest(x, x)), _order(at[:, 1], _nearest(at[:, 0], x))
    hues = np.empty(len(x))
    hues[drawn] = shades[rows]
    without = np.isnan(x)
    at_axis = np.ma.getdata(marks.get_offsets())
    marked = np.empty(len(at_axis))
    marked[np.argsort(at_axis[:, 1], kind="stable")] = shades[without][
        np.argsort(y[without], kind="stable")
    ]
    for collection, values in ((points, hues), (marks, marked)):
        collection.set_cmap(base)
        collection.set_norm(norm)
        collection.set_array(np.ma.masked_invalid(values))
    missing = bool(np.isnan(shades).any())
    _add_bar(axis, points, by, name + (" (grey: missing)" if missing else ""))


def _few_numbers_as_categories(column: DrawableColumn) -> DrawableColumn:
    """Give a few whole numbers a colour each; NaN stays."""
    known = np.unique(column.numbers[~np.isnan(column.numbers)])
    if column.categories is not None or not 0 < len(known) <= _FEW or (known % 1 != 0).any():
        return column
    codes = np.searchsorted(known, column.numbers).astype(np.float64)
    codes[np.isnan(column.numbers)] = np.nan
    return DrawableColumn(codes, [number_text(value) for value in known])


def _add_bar(axis: Axes, points: Any, by: DrawableColumn, label: str) -> None:
    bar = points.figure.colorbar(points, ax=axis, aspect=80)
    bar.set_label(label, size=13)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=11)
    if by.categories is not None:
        step = -(-len(by.categories) // _MOST_NAMES)
        bar.set_ticks(
            range(0, len(by.categories), step),
            labels=[short(name) for name in by.categories[::step]],
        )
        bar.ax.minorticks_off()
        bar.ax.tick_params(length=0)


def name_categories(axis: Axes, column: DrawableColumn) -> None:
    """Write the categories' names at the x axis; every second, third, ... if they are many."""
    if column.categories is None:
        return
    step = -(-len(column.categories) // _MOST_NAMES)
    labels = [short(name) for name in column.categories[::step]]
    upright = sum(map(len, labels)) > 40
    axis.set_xticks(
        range(0, len(column.categories), step), labels, rotation="vertical" if upright else 0
    )
    axis.set_xlim(-0.6, len(column.categories) - 0.4)


def _order(y: npt.NDArray[Any], x: Floats) -> npt.NDArray[np.intp]:
    return np.lexsort((x, y))


def _nearest(x: Floats, known: Floats) -> Floats:
    """Undo shap's jitter, which is less than half the way to the next value; NaN stays."""
    levels = np.unique(known[~np.isnan(known)])
    if len(levels) < 2:
        return np.where(np.isnan(x), np.nan, 0.0)
    middles = (levels[1:] + levels[:-1]) / 2
    return np.where(np.isnan(x), np.nan, np.searchsorted(middles, x))
