"""Calling shap's plots so that a script can use what they draw.

shap's plots draw into whatever figure is the current one, turn interactive mode off for good, take
numbers from numpy's global generator, and leave long labels outside the figure. Here each gets
a figure of its own, large enough for all of it, and everything else is as it was.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from leafshap.integers import at_least
from leafshap.plots.libraries import load_shap
from leafshap.plots.style import enclose, figure_of, new_figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(
    name: str,
    what: Any,
    *,
    ax: Axes | None,
    show: bool,
    options: dict[str, Any],
    finish: Callable[[Axes], None] = lambda axis: None,
    size: tuple[float, float] | None = None,
) -> tuple[Axes, Any]:
    """Call one of shap's plots.

    Parameters
    ----------
    name : str
        As in `shap.plots`.
    what : shap.Explanation or tuple
        Its first arguments.
    ax : Axes or None
        Where to draw; None makes a figure.
    show : bool
        Whether to call `matplotlib.pyplot.show` in the end.
    options : dict
        More arguments, which are the user's.
    finish : callable
        Called with the axes after shap.
    size : tuple of float, optional
        Of the new figure in inches, where shap does not choose it.

    Returns
    -------
    axis : Axes
        The main one.
    result : object
        What shap's function returned.
    """
    function = getattr(load_shap().plots, name)
    if options.get("max_display") is not None:
        options = options | {"max_display": at_least(1, options["max_display"], "max_display")}
    arguments = what if isinstance(what, tuple) else (what,)
    with new_figures(show) as pyplot, undisturbed():
        before = None
        if ax is None:
            figure: Figure = pyplot.figure(figsize=size)
            if size is not None:
                options = options | {"ax": figure.add_subplot()}
        else:
            figure = figure_of(ax)
            before = tuple(figure.get_size_inches())
            if "ax" in inspect.signature(function).parameters:
                options = options | {"ax": ax}
            else:
                pyplot.sca(ax)
        result = function(*arguments, show=False, **options)
        axis: Axes = ax if ax is not None else figure.axes[0]
        finish(axis)
        if before is None:
            enclose(figure)
        else:
            figure.set_size_inches(*before)
    return axis, result


def draw_force(
    arguments: tuple[Any, ...], options: dict[str, Any], matplotlib: bool, show: bool
) -> Any:
    """Call `shap.plots.force`; return Axes, or shap's object if not drawn by matplotlib."""
    function = load_shap().plots.force
    if not matplotlib:
        return function(*arguments, **options)
    with new_figures(show), undisturbed():
        figure = function(*arguments, matplotlib=True, show=False, **options)
        enclose(figure)
    return figure.axes[0]


@contextmanager
def undisturbed() -> Iterator[None]:
    """Restore matplotlib's interactive mode and numpy's global generator, seeded meanwhile."""
    import matplotlib as mpl

    interactive, state = mpl.is_interactive(), np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    try:
        with warnings.catch_warnings():
            # a column without any value that could be coloured
            warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
            # force of one feature, whose label's share is x / 0
            warnings.filterwarnings(
                "ignore", "(divide by zero|invalid value) encountered in scalar", RuntimeWarning
            )
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
        mpl.interactive(interactive)
