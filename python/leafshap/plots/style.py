"""What our pictures share: colours that colour-blind readers tell apart, light axes, labels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from leafshap.errors import InvalidInputError
from leafshap.plots.libraries import load_pyplot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#22303c"
MUTED = "#6b7a88"
GRID = "#dfe5ea"
BLUE = "#2a6fb0"
ORANGE = "#e08a2e"

LONGEST_LABEL = 36
_PAD = 0.1  # inches around everything


@contextmanager
def new_figures(show: bool) -> Iterator[Any]:
    """Give pyplot to what draws; close the figures it has opened if it fails, else show them."""
    pyplot = load_pyplot()
    before = set(pyplot.get_fignums())
    try:
        yield pyplot
    except BaseException:
        for number in set(pyplot.get_fignums()) - before:
            pyplot.close(number)
        raise
    if show:
        pyplot.show()


def figure_of(axis: Axes) -> Figure:
    """Return the figure that an axes is part of, also inside a subfigure."""
    figure: Any = axis.figure
    while getattr(figure, "figure", figure) is not figure:
        figure = figure.figure
    return figure  # type: ignore[no-any-return]


def read_axes(ax: Any, n: int, each: str) -> list[Axes]:
    """Read n Axes of the user, one for `each` of something."""
    axes = list(np.ravel(ax)) if isinstance(ax, (list, tuple, np.ndarray)) else [ax]
    if len(axes) != n:
        raise InvalidInputError(f"ax must be {n} Axes, one for each {each}; got {len(axes)}")
    return axes


def enclose(figure: Figure) -> None:
    """Resize a figure to what is drawn; the axes keep their size in inches."""
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    left, bottom = box.x0 - _PAD, box.y0 - _PAD
    new_width, new_height = box.x1 + _PAD - left, box.y1 + _PAD - bottom
    places = [(axis, axis.get_position(original=True)) for axis in figure.axes]
    figure.set_size_inches(new_width, new_height)
    for axis, place in places:
        axis.set_position(
            (
                (place.x0 * width - left) / new_width,
                (place.y0 * height - bottom) / new_height,
                place.width * width / new_width,
                place.height * height / new_height,
            )
        )


def literal(text: Any) -> str:
    """Text as it is: matplotlib would set what is between two dollar signs as a formula."""
    return str(text).replace("$", r"\$")


def short(text: Any, longest: int = LONGEST_LABEL) -> str:
    """Text as it is, its middle left out if it is long."""
    text = str(text)
    if len(text) > longest:
        head = (longest - 1) // 2
        text = f"{text[:head]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - (longest - 1 - head) :]}"
    return literal(text)


def number_text(value: float) -> str:
    """Write a number of the data in a label: three decimals, or three digits if it is small."""
    if not np.isfinite(value):
        return str(value)
    size = abs(value)
    if size != 0 and (size < 1e-3 or size >= 1e9):
        text = f"{value:.3g}"
    else:
        text = f"{value:.3f}".rstrip("0").rstrip(".")
    return text.replace("-", "\N{MINUS SIGN}")


def clean(axis: Axes, grid: str | None = "y") -> None:
    """Keep a light grid and nothing of the frame."""
    for spine in axis.spines.values():
        spine.set_visible(False)
    axis.set_axisbelow(True)
    if grid is None:
        axis.grid(False)
    else:
        axis.grid(axis=grid, color=GRID, linewidth=0.8)  # type: ignore[arg-type]
    axis.tick_params(which="both", length=0, labelsize=9, labelcolor=INK)
    for label in (axis.xaxis.label, axis.yaxis.label):
        label.set_color(INK)
        label.set_fontsize(10)
    axis.title.set_color(INK)
