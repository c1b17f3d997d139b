"""Importances as bars, a panel for each kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from leafshap.atomic import whole_file
from leafshap.errors import MissingDependencyError
from leafshap.plots.style import BLUE, MUTED, ORANGE, clean, short

if TYPE_CHECKING:
    from leafshap.cli.importance_table import Importances

# no time of making, so that the same command makes the same bytes
_METADATA = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def draw_importances(found: Importances, order: npt.NDArray[np.intp], path: Path) -> None:
    """Draw some features' shares of mean |phi|, permutation importance, gain and splits.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    OSError
        If the file cannot be written.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError(
            'pictures need matplotlib: pip install "leafshap[plots]"'
        ) from error
    shown = found.shown()
    size = (2.4 + 2.6 * len(shown), 1.1 + 0.3 * max(3, len(order)))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(shown), squeeze=False, sharey=True).ravel()
    at = np.arange(len(order))
    for panel, (column, heading) in zip(panels, shown.items(), strict=True):
        clean(panel, "x")
        values = found.columns[column]
        share = 100 * values / (np.abs(values).sum() or 1.0)
        panel.barh(at, share[order], 0.66, color=BLUE, zorder=2)
        if column == "permutation":
            spread = 100 * found.columns["permutation_std"] / (np.abs(values).sum() or 1.0)
            ends = share[order] - spread[order], share[order] + spread[order]
            panel.hlines(at, *ends, color=ORANGE, linewidth=1.6, zorder=3)
        panel.axvline(0.0, color=MUTED, linewidth=0.8, zorder=1)
        panel.set_title(heading, loc="left", fontsize=11)
        panel.set_xlabel("% of the sum")
    panels[0].set_yticks(at, [short(found.names[j]) for j in order])
    panels[0].set_ylim(len(order) - 0.4, -0.6)
    kind = path.suffix.lower().removeprefix(".")
    with matplotlib.rc_context({"svg.hashsalt": "leafshap"}), whole_file(path) as partial:
        figure.savefig(partial, format=kind, dpi=150, metadata=_METADATA[kind])
