"""Permutation importance with the spread of its repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError
from leafshap.explanation.data import objects
from leafshap.explanation.selection import made_up_names
from leafshap.integers import at_least
from leafshap.plots.style import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    clean,
    literal,
    new_figures,
    read_axes,
    short,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]


def permutation_importance(
    result: Any,
    *,
    feature_names: Sequence[str] | None = None,
    top: int = 20,
    ax: Any = None,
    show: bool = False,
) -> Any:
    """Draw permutation importances: every repeat, their mean and standard deviation.

    Parameters
    ----------
    result : Bunch, or dict of Bunch by scorer
        What `leafshap.permutation_importance` returned, or scikit-learn's. Of several scorers each
        gets an axes, all in the order of the first.
    feature_names : sequence of str, optional
        Of the features (or groups of them); by default the result's ``names``.
    top : int, default 20
        Features to draw at most: those with the largest means.
    ax : Axes, or sequence of Axes, optional
        Where to draw: one for each scorer. Without it a figure is made.
    show : bool, default False
        Whether to call `matplotlib.pyplot.show`.

    Returns
    -------
    Axes, or ndarray of Axes
        An array if there are several scorers.

    Raises
    ------
    InvalidInputError
        If the result is of another kind, or an argument does not fit.
    MissingDependencyError
        If matplotlib is not installed.

    Notes
    -----
    A point is a repeat, the diamond their mean, the line one standard deviation to either side (of
    the repeats, as in ``importances_std``). Without repeats, as of ``method="exact"``, the means
    are bars.
    """
    tables, single = _read(result)
    first = next(iter(tables.values()))
    names = _read_names(result if single else next(iter(result.values())), feature_names, first)
    most = at_least(1, top, "top")
    order = np.argsort(-first.mean(axis=1), kind="stable")[:most]
    with new_figures(show) as pyplot:
        if ax is None:
            axes = _make_axes(pyplot, len(tables), len(order))
        else:
            axes = read_axes(ax, len(tables), "scorer")
        for axis, (scorer, values) in zip(axes, tables.items(), strict=True):
            _draw(axis, values[order], [names[j] for j in order])
            if not single:
                axis.set_title(literal(scorer), loc="left", fontsize=11)
        if len(order) < len(first):
            text = f"{len(order)} of {len(first)} features"
            axes[0].set_ylabel(text, color=MUTED, fontsize=9)
    return axes[0] if single else objects(axes)


def _draw(axis: Axes, values: Floats, names: Sequence[str]) -> None:
    """Draw importances of shape (features, repeats), the first on top."""
    clean(axis, "x")
    n, n_repeats = values.shape
    mean, spread = values.mean(axis=1), values.std(axis=1)
    at = np.arange(n)
    if n_repeats == 1:
        axis.barh(at, mean, 0.62, color=BLUE, zorder=2)
    else:
        axis.hlines(at, mean - spread, mean + spread, color=ORANGE, linewidth=2.4, zorder=3)
        # below each other, so that equal repeats are seen
        rows = (np.arange(n_repeats) - (n_repeats - 1) / 2) / max(1, n_repeats - 1) * 0.5
        alpha = float(np.clip(12.0 / n_repeats, 0.25, 0.75))
        axis.scatter(
            values.ravel(), (at[:, np.newaxis] + rows).ravel(), s=14, color=BLUE, alpha=alpha,
            linewidths=0, zorder=2,
        )  # fmt: skip
        axis.scatter(
            mean, at, s=46, marker="D", color=ORANGE, edgecolors="white", linewidths=1.0, zorder=4
        )
    axis.axvline(0.0, color=MUTED, linewidth=0.8, zorder=1)
    axis.set_yticks(at, [short(name) for name in names])
    axis.set_ylim(n - 0.4, -0.6)
    axis.set_xlabel("decrease of the score", color=INK)


def _make_axes(pyplot: Any, n_scorers: int, n_features: int) -> list[Axes]:
    size = (2.4 + 4.2 * n_scorers, 1.2 + 0.34 * max(3, n_features))
    figure = pyplot.figure(figsize=size, layout="constrained")
    return list(figure.subplots(1, n_scorers, squeeze=False, sharey=True).ravel())


def _read(result: Any) -> tuple[dict[str, Floats], bool]:
    """Read importances, (features, repeats) by scorer, and whether there is one scorer only."""
    wrong = InvalidInputError(
        "expected what leafshap.permutation_importance or scikit-learn's returns, with importances "
        f"of shape (features, repeats), or a dict of them; got {type(result).__name__}"
    )
    if not isinstance(result, Mapping) or not result:
        raise wrong
    single = "importances" in result
    bunches = {"": result} if single else result
    tables = {}
    for scorer, bunch in bunches.items():
        if not isinstance(bunch, Mapping) or "importances" not in bunch:
            raise wrong
        values = np.asarray(bunch["importances"], dtype=np.float64)
        if values.ndim != 2 or not values.size:
            raise wrong
        tables[str(scorer)] = values
    if len({len(values) for values in tables.values()}) > 1:
        raise InvalidInputError("the scorers' importances are of different numbers of features")
    return tables, single


def _read_names(bunch: Mapping[str, Any], given: Any, values: Floats) -> list[str]:
    names = bunch.get("names") if given is None else given
    if names is None:
        return made_up_names("feature", len(values))
    if isinstance(names, str) or len(names) != len(values):
        raise InvalidInputError(
            f"feature_names must be {len(values)} names, got {names!r}"
            if isinstance(names, str)
            else f"{len(names)} feature_names were given for {len(values)} features"
        )
    return [str(name) for name in names]
