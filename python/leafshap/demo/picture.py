"""The demo's picture: importance of both models as bars, and a beeswarm of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

    from leafshap.demo.explained import Explained
    from leafshap.demo.flights import Flights

TOP = 12
POINTS = 2500

_INK = "#22303c"
_MUTED = "#6b7a88"
_GRID = "#dfe5ea"
_NO_ORDER = "#8f9aa5"
_MODEL_COLORS = ("#2a6fb0", "#e08a2e")
_VALUE_COLORS = ("#1f77d0", "#8e4fb3", "#e8274b")
_BINS = 110
_ROW_HEIGHT = 0.42


def save_picture(path: Path, results: Sequence[Explained], flights: Flights) -> None:
    """Draw the most important features and write the picture as PNG.

    Parameters
    ----------
    path : Path
        The file to write.
    results : sequence of Explained
        One per model; the features are ordered by the mean of their importances.
    flights : Flights
        The rows that were explained.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    mean = np.mean([result.importance for result in results], axis=0)
    order = np.argsort(-mean)[:TOP]
    rows = np.random.default_rng(0).permutation(len(flights.X))[:POINTS]
    colormap = LinearSegmentedColormap.from_list("value", _VALUE_COLORS)

    style: dict[Any, Any] = {
        "font.size": 10,
        "text.color": _INK,
        "axes.labelcolor": _INK,
        "xtick.color": _MUTED,
        "ytick.color": _INK,
    }
    with mpl.rc_context(style):
        # no pyplot: neither a display nor global state is needed
        figure = Figure(figsize=(15, 7.2), dpi=130, facecolor="white")
        FigureCanvasAgg(figure)
        axes = figure.subplots(
            1,
            1 + len(results),
            sharey=True,
            gridspec_kw={"width_ratios": [0.8] + [1.0] * len(results), "wspace": 0.05},
        )
        figure.subplots_adjust(left=0.105, right=0.925, top=0.845, bottom=0.095)

        _draw_bars(axes[0], results, order)
        axes[0].set_yticks(range(len(order)), [flights.feature_names[j] for j in order])
        axes[0].set_ylim(len(order) - 0.4, -0.6)
        # 0.1% of the points at either end would squeeze the rest into the middle
        drawn = np.concatenate([result.values[np.ix_(rows, order)].ravel() for result in results])
        low, high = np.quantile(drawn, [0.001, 0.999])
        for axis, result in zip(axes[1:], results, strict=True):
            for position, column in enumerate(order):
                _draw_swarm(
                    axis,
                    result.values[rows, column],
                    None if column in flights.categories else flights.X[rows, column],
                    position,
                    (low, high),
                    colormap,
                )
            axis.set_xlim(low - 0.03 * (high - low), high + 0.03 * (high - low))
            axis.axvline(0, color=_MUTED, linewidth=0.8, zorder=1)
            axis.set_title(f"{result.model.name}: {len(rows):,} of the flights", loc="left")
            axis.set_xlabel("SHAP value (minutes)")
        for axis in axes:
            _clean(axis)

        bar = figure.colorbar(
            ScalarMappable(cmap=colormap),
            ax=list(axes),
            cax=figure.add_axes((0.94, 0.3, 0.008, 0.35)),
        )
        bar.set_ticks([0, 1], labels=["low", "high"])
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=0)
        bar.set_label("feature value (by rank)", labelpad=-12)
        figure.text(
            0.935, 0.2, "● category\n    or missing", color=_NO_ORDER, fontsize=9, ha="left"
        )
        figure.text(
            0.012,
            0.945,
            "What makes a flight out of New York late",
            fontsize=18,
            weight="bold",
        )
        figure.text(
            0.012,
            0.908,
            f"Exact SHAP values of {len(flights.X):,} flights of 2013, from what is known before "
            "departure: minutes that each feature adds to the predicted arrival delay",
            color=_MUTED,
            fontsize=11,
        )
        figure.text(
            0.925,
            0.015,
            "outermost 0.2% of the points not drawn",
            color=_MUTED,
            fontsize=8,
            ha="right",
        )
        figure.savefig(path)


def _draw_bars(axis: Axes, results: Sequence[Explained], order: npt.NDArray[np.intp]) -> None:
    """Draw one bar per model and feature, labelled with its length."""
    height = 0.76 / len(results)
    for k, (result, color) in enumerate(zip(results, _MODEL_COLORS, strict=False)):
        lengths = result.importance[order]
        positions = np.arange(len(order)) + (k - (len(results) - 1) / 2) * height
        bars = axis.barh(
            positions, lengths, height * 0.92, color=color, label=result.model.name, zorder=2
        )
        axis.bar_label(bars, fmt="%.1f", padding=3, fontsize=8, color=_MUTED)
    axis.margins(x=0.12)
    axis.set_title("Importance", loc="left")
    axis.set_xlabel("mean |SHAP value| (minutes)")
    axis.legend(loc="lower right", frameon=False)


def _draw_swarm(
    axis: Axes,
    values: npt.NDArray[np.float64],
    features: npt.NDArray[np.float32] | None,
    position: int,
    limits: tuple[float, float],
    colormap: Colormap,
) -> None:
    """Draw one point per row at its value; its colour is the rank of the feature's value."""
    kept = (values >= limits[0]) & (values <= limits[1])
    values = values[kept]
    heights = position + _swarm_offsets(values, limits) * _ROW_HEIGHT
    ranks = np.full(len(values), np.nan) if features is None else _ranks(features[kept])
    plain = np.isnan(ranks)
    axis.scatter(
        values[plain], heights[plain], s=5, color=_NO_ORDER, linewidths=0, alpha=0.8, zorder=2
    )
    axis.scatter(
        values[~plain],
        heights[~plain],
        s=5,
        c=ranks[~plain],
        cmap=colormap,
        vmin=0,
        vmax=1,
        linewidths=0,
        alpha=0.8,
        zorder=2,
    )


def _swarm_offsets(
    values: npt.NDArray[np.float64], limits: tuple[float, float]
) -> npt.NDArray[np.float64]:
    """Spread points of like value around the middle, in [-1, 1]; the widest place reaches 1."""
    bins = ((values - limits[0]) / (limits[1] - limits[0]) * _BINS).astype(np.intp)
    order = np.argsort(bins, kind="stable")
    _, starts, counts = np.unique(bins[order], return_index=True, return_counts=True)
    within = np.arange(len(values)) - np.repeat(starts, counts)
    # 0, 1, -1, 2, -2, ...
    steps = np.where(within % 2 == 1, (within + 1) // 2, -(within // 2)).astype(np.float64)
    offsets = np.empty(len(values))
    offsets[order] = steps / max(1.0, np.abs(steps).max(initial=0.0))
    return offsets


def _ranks(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Share of smaller values, scaled to [0, 1], equal values alike; NaN stays NaN."""
    _, inverse, counts = np.unique(features, return_inverse=True, return_counts=True)
    smaller = (np.cumsum(counts) - counts)[inverse].astype(np.float64)
    smaller[np.isnan(features)] = np.nan
    return smaller / max(1.0, np.nanmax(smaller, initial=0.0))


def _clean(axis: Axes) -> None:
    """Keep a light vertical grid and nothing of the frame."""
    for spine in axis.spines.values():
        spine.set_visible(False)
    axis.grid(axis="x", color=_GRID, linewidth=0.8, zorder=0)
    axis.set_axisbelow(True)
    axis.tick_params(length=0)
