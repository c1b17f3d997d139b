"""Interactions of features as a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError
from leafshap.explanation import Explanation
from leafshap.explanation.selection import made_up_names
from leafshap.integers import at_least
from leafshap.interactions import InteractionPairs, InteractionSummary
from leafshap.plots.choices import choose_output
from leafshap.plots.style import INK, MUTED, clean, enclose, literal, new_figures, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]

_CELL = 0.56  # inches
_LEAST_CELL = 0.36  # inches, for a number
_MOST = 10.0  # inches of the matrix


def interaction_matrix(
    interactions: Any,
    *,
    output: Any = None,
    feature_names: Sequence[str] | None = None,
    top: int = 15,
    ax: Axes | None = None,
    show: bool = False,
) -> Axes:
    """Draw the mean absolute interaction of every two features, and main effects.

    A cell off the diagonal is the mean over the rows of |phi_ij|, as in shap's arrays: one half of
    the pair's interaction, the other is the cell across the diagonal. On the diagonal is the mean
    of the main effect's |phi_ii|, in grey by its own scale. A pair that never interacts is empty.

    Parameters
    ----------
    interactions : InteractionSummary, Explanation, InteractionPairs or array
        What `TreeExplainer.mean_abs_interactions` returned, an explanation with interaction values,
        pairs, or an array: interaction values of shape (n, F, F) or (n, F, F, K), or the matrix
        itself, (F, F).
    output : int or str, optional
        Which output, needed if there are several.
    feature_names : sequence of str, optional
        By default those that `interactions` has.
    top : int, default 15
        Features to draw at most: those with the largest sums of their rows.
    ax : Axes, optional
        Where to draw; without it a figure is made.
    show : bool, default False
        Whether to call `matplotlib.pyplot.show`.

    Returns
    -------
    Axes
        Its only image has the interactions, masked on the diagonal.

    Raises
    ------
    InvalidInputError
        If there are no interactions in what was given, or an argument does not fit.
    MissingDependencyError
        If matplotlib is not installed.
    """
    table, outputs, own_names = _read(interactions)
    most = at_least(1, top, "top")
    k = choose_output(output, outputs, table.shape[2], "the interaction matrix")
    matrix = table[:, :, k]
    if not np.isfinite(matrix).all():
        n_wrong = int((~np.isfinite(matrix)).sum())
        raise InvalidInputError(
            f"{n_wrong} of {matrix.size} interactions are NaN or infinite: leave those rows out"
        )
    names = own_names if feature_names is None else [str(name) for name in feature_names]
    if names is None:
        names = made_up_names("feature", len(matrix))
    if len(names) != len(matrix):
        raise InvalidInputError(f"{len(names)} feature_names were given for {len(matrix)} features")
    order = np.argsort(-matrix.sum(axis=1), kind="stable")[:most]
    title = None
    if table.shape[2] > 1:
        title = literal((outputs or made_up_names("output", table.shape[2]))[k])
    with new_figures(show) as pyplot:
        figure = None
        if ax is None:
            side = min(_MOST, max(2.2, _CELL * len(order)))
            figure = pyplot.figure(figsize=(side / 0.62, side / 0.77))
            ax = figure.add_subplot()
        _draw(ax, matrix[np.ix_(order, order)], [short(names[j], 28) for j in order])
        if title is not None:
            ax.set_title(title, loc="left")
        if len(order) < len(matrix):
            ax.set_xlabel(f"{len(order)} of {len(matrix)} features", color=MUTED, fontsize=9)
        if figure is not None:
            enclose(figure)
    return ax


def _draw(axis: Axes, matrix: Floats, names: Sequence[str]) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    n = len(matrix)
    diagonal = np.eye(n, dtype=np.bool_)
    main = np.diagonal(matrix)
    highest = float(matrix[~diagonal].max(initial=0.0))
    blues = LinearSegmentedColormap.from_list("interaction", ["#f3f7fb", "#7fb0da", "#123f70"])
    greys = LinearSegmentedColormap.from_list("main", ["#f1f3f5", "#6b7a88"])
    image = axis.imshow(
        np.ma.masked_array(matrix, diagonal | (matrix == 0.0)),
        cmap=blues, vmin=0.0, vmax=highest or 1.0, aspect="equal",
    )  # fmt: skip
    strongest = float(main.max(initial=0.0)) or 1.0
    for i, value in enumerate(main):
        color = greys(float(value) / strongest)
        axis.add_patch(_cell(i, color))
    clean(axis, None)
    axis.set_xticks(range(n), names, rotation=45, ha="left", rotation_mode="anchor")
    axis.set_yticks(range(n), names)
    axis.xaxis.tick_top()
    axis.tick_params(length=0)
    axis.set_xticks(np.arange(n + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(n + 1) - 0.5, minor=True)
    axis.grid(which="minor", color="white", linewidth=1.5)
    axis.tick_params(which="minor", length=0)
    label = "mean |φ$_{ij}$|, half of the pair's interaction\n(grey: main effect)"
    if highest > 0:
        figure: Any = axis.figure
        bar = figure.colorbar(image, ax=axis, aspect=30, shrink=0.8, pad=0.02)
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=0, labelsize=9)
        if _write_numbers(axis, matrix, main / strongest, highest) and _unit(highest):
            label += f", numbers in units of 10$^{{{_unit(highest)}}}$"
        bar.set_label(label, size=9)
    else:
        _write_numbers(axis, matrix, main / strongest, strongest)
        axis.set_xlabel("no features interact", color=MUTED, fontsize=9)


def _cell(i: int, color: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(
        (i - 0.5, i - 0.5), 1.0, 1.0, facecolor=color, edgecolor="white", linewidth=1.5
    )


def _write_numbers(axis: Axes, matrix: Floats, shades: Floats, highest: float) -> bool:
    """Write the values if a cell has room for them."""
    n = len(matrix)
    figure: Any = axis.figure
    figure.draw_without_rendering()
    box = axis.get_window_extent()
    inches = min(box.width, box.height) / figure.dpi / n
    if inches < _LEAST_CELL:
        return False
    scale = 10.0 ** _unit(highest)
    decimals = max(0, 2 - int(np.floor(np.log10(highest / scale))))
    size = min(9.0, 72 * inches / 4.2)
    for i in range(n):
        for j in range(n):
            value = matrix[i, j]
            if value == 0.0 and i != j:
                continue
            dark = shades[i] > 0.65 if i == j else value / highest > 0.62
            axis.text(
                j, i, _number(value / scale, decimals), ha="center", va="center", fontsize=size,
                color="white" if dark else INK,
            )  # fmt: skip
    return True


def _number(value: float, decimals: int) -> str:
    """Write a number in at most five characters, as far as leaving out decimals makes it so."""
    text = f"{value:.{decimals}f}"
    while decimals and len(text) > 5:
        decimals -= 1
        text = f"{value:.{decimals}f}"
    return text


def _unit(highest: float) -> int:
    """Power of ten to count in: 0 unless numbers are tiny or huge."""
    power = int(np.floor(np.log10(highest))) if highest > 0 else 0
    return 0 if -2 <= power <= 3 else 3 * (power // 3)


def _read(given: Any) -> tuple[Floats, Sequence[str] | None, Sequence[str] | None]:
    """Make a matrix for each output, shape (F, F, K); names of outputs and of features."""
    if isinstance(given, InteractionSummary):
        return _of_summary(given), given.output_names, given.feature_names
    if isinstance(given, InteractionPairs):
        values = given.to_dense()
        single, several = given.single_row, given.base_values.ndim == (1 if given.single_row else 2)
        return _of_values(values, single, several), given.output_names, given.feature_names
    if isinstance(given, Explanation):
        if given.axes.count("features") != 2 or given.partner_names is not None:
            raise InvalidInputError(
                "the explanation has no interaction values of all features: compute it by "
                "explainer(X, interactions=True)"
            )
        table = _of_values(given.values, "rows" not in given.axes, "outputs" in given.axes)
        names = given.feature_names
        outputs = (
            [given.output_names] if isinstance(given.output_names, str) else given.output_names
        )
        return table, outputs, None if isinstance(names, str) else names
    if isinstance(given, np.ndarray) and given.dtype.kind in "iuf":
        square = given.shape[-2:] if given.ndim < 4 else given.shape[1:3]
        if given.ndim in (2, 3, 4) and square[0] == square[1] and square[0] > 0:
            return _of_values(given, given.ndim == 2, given.ndim == 4), None, None
        raise InvalidInputError(
            "an array must be interaction values of shape (n, F, F) or (n, F, F, K), or a matrix "
            f"(F, F); it has shape {given.shape}"
        )
    raise InvalidInputError(
        "expected an InteractionSummary (TreeExplainer.mean_abs_interactions), an explanation with "
        f"interaction values, or an array; got {type(given).__name__}"
    )


def _of_values(values: npt.NDArray[Any], single: bool, several: bool) -> Floats:
    if single:
        values = values[np.newaxis]
    if not len(values):
        raise InvalidInputError("there are no rows to draw")
    mean: Floats = np.abs(values).mean(axis=0, dtype=np.float64)
    return mean if several else mean[..., np.newaxis]


def _of_summary(summary: InteractionSummary) -> Floats:
    main = summary.mean_abs_main_effects.reshape(len(summary.mean_abs_main_effects), -1)
    n_features, n_outputs = main.shape
    table = np.zeros((n_features, n_features, n_outputs))
    first, second = summary.pairs.T
    values = summary.mean_abs.reshape(-1, n_outputs)
    table[first, second] = table[second, first] = values
    table[np.arange(n_features), np.arange(n_features)] = main
    return table
