"""One feature's curve: steps or lines over numbers, points over categories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.columns import is_missing
from leafshap.plots.drawable import MISSING
from leafshap.plots.style import BLUE, INK, MUTED, ORANGE, number_text, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = npt.NDArray[Any]

_GAP = 0.07  # of the axis, between the largest number and the missing value
_BEYOND = 0.03  # of the axis, that the first and last steps are drawn beyond the grid
_MOST_NAMES = 40


def draw_numbers(
    axis: Axes,
    grid: Values,
    average: Values | None,
    curves: Values | None,
    steps: bool,
    deciles: Values | None,
) -> None:
    """Draw a curve over numbers; where the grid has NaN, a point beside it.

    Parameters
    ----------
    grid : ndarray of float, shape (points,)
    average : ndarray, shape (points,), or None
    curves : ndarray, shape (curves, points), or None
    steps : bool
        Whether a step begins at each value of the grid.
    deciles : ndarray, or None
        To be marked at the axis.
    """
    grid = grid.astype(np.float64)
    there = np.isfinite(grid)
    missing = np.isnan(grid)
    x = grid[there]
    width = float(np.ptp(x)) if len(x) and np.ptp(x) > 0 else 1.0
    end = (float(x[-1]) if len(x) else 0.0) + _BEYOND * width
    if steps and len(x):
        x = np.concatenate([[x[0] - _BEYOND * width], x, [end]])

    def along(values: Values) -> Values:
        y = values[..., there]
        return np.concatenate([y[..., :1], y, y[..., -1:]], axis=-1) if steps else y

    style = "steps-post" if steps else "default"
    if curves is not None and there.any():
        _draw_lines(axis, x, along(curves), steps)
    if average is not None and there.any():
        alone = len(x) == 1
        axis.plot(
            x, along(average), color=BLUE, linewidth=2.2, drawstyle=style, zorder=4,
            marker="o" if alone else None, solid_joinstyle="miter", label="mean",
        )  # fmt: skip
    if missing.any():
        at = end + _GAP * width
        _draw_points(axis, at, average, curves, np.flatnonzero(missing)[0], 0.4 * _GAP * width)
        # ticks as they would be, but for what is too near, and one more
        low, _ = axis.get_xlim()
        ticks = [t for t in axis.get_xticks() if low <= t < at - 0.14 * width]
        labels = [number_text(t) for t in ticks]
        axis.set_xticks([*ticks, at], [*labels, MISSING])
        axis.axvline(end + 0.4 * _GAP * width, color=MUTED, linewidth=0.8, linestyle=":", zorder=1)
        axis.set_xlim(low, at + 0.8 * _GAP * width)
    if deciles is not None and len(deciles):
        axis.vlines(
            deciles, 0.0, 0.03, color=INK, linewidth=1.0, transform=axis.get_xaxis_transform(),
            zorder=5, label="deciles",
        )  # fmt: skip


def draw_categories(
    axis: Axes, grid: Values, average: Values | None, curves: Values | None
) -> None:
    """Draw a point for every category, with the points of single rows around it."""
    size = float(np.clip(58.0 * 20 / len(grid), 16.0, 58.0))
    for i in range(len(grid)):
        _draw_points(axis, float(i), average, curves, i, 0.22, is_missing(grid[i]), size)
    labels = [_category(value) for value in grid.tolist()]
    step = -(-len(labels) // _MOST_NAMES)
    upright = sum(map(len, labels)) > 34
    axis.set_xticks(
        range(0, len(labels), step), labels[::step], rotation="vertical" if upright else 0
    )
    axis.set_xlim(-0.6, len(grid) - 0.4)


def _category(value: Any) -> str:
    if is_missing(value):
        return MISSING
    return number_text(value) if isinstance(value, float) else short(value, 24)


def _draw_points(
    axis: Axes,
    at: float,
    average: Values | None,
    curves: Values | None,
    index: int,
    spread: float,
    missing: bool = True,
    size: float = 58.0,
) -> None:
    """Draw one point of the grid that has no neighbours."""
    if curves is not None:
        rng = np.random.default_rng(index)
        sideways = at + rng.uniform(-spread, spread, len(curves))
        axis.scatter(
            sideways, curves[:, index], s=7, color=MUTED, alpha=_alpha(len(curves)), linewidths=0,
            zorder=2,
        )  # fmt: skip
    if average is not None:
        axis.scatter(
            [at], [average[index]], s=size, marker="D" if missing else "o", zorder=4,
            color=ORANGE if missing else BLUE, edgecolors="white", linewidths=1.0,
        )  # fmt: skip


def _draw_lines(axis: Axes, x: Values, y: Values, steps: bool) -> None:
    """Draw many curves, shape (curves, points), as one collection."""
    from matplotlib.collections import LineCollection

    if steps:
        x, y = np.repeat(x, 2)[1:], np.repeat(y, 2, axis=1)[:, :-1]
    segments = [np.column_stack([x, row]) for row in y]
    lines = LineCollection(segments, colors=MUTED, linewidths=0.7, alpha=_alpha(len(y)), zorder=2)
    axis.add_collection(lines)
    axis.autoscale_view()


def _alpha(n: int) -> float:
    return float(np.clip(12.0 / max(n, 1), 0.18, 0.6))
