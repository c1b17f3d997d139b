"""Partial dependence and ICE curves, drawn as the step functions that trees are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from leafshap.errors import InvalidInputError
from leafshap.explanation.data import objects
from leafshap.explanation.selection import made_up_names
from leafshap.integers import at_least, whole_number
from leafshap.plots.choices import choose_output
from leafshap.plots.curves import draw_categories, draw_numbers
from leafshap.plots.style import INK, clean, literal, new_figures, read_axes, short
from leafshap.plots.surface import draw_surface

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes

KINDS = ("average", "individual", "both")
_MOST_COLUMNS = 3


def partial_dependence(
    result: Any,
    features: Any = None,
    *,
    kind: str | None = None,
    output: Any = None,
    max_curves: int = 200,
    centered: bool = False,
    deciles: bool = True,
    ax: Any = None,
    show: bool = False,
) -> Any:
    """Draw what `leafshap.partial_dependence` returned.

    Parameters
    ----------
    result : Bunch, or list of Bunch
        Of one feature, or of two together.
    features : str, int, tuple, or list of them, optional
        Which of a list of results to draw; by default all.
    kind : "average", "individual" or "both", optional
        By default all that `result` has. Of two features together only the average is drawn.
    output : int or str, optional
        Which output, needed if there are several.
    max_curves : int, default 200
        Curves of single rows to draw at most; drawn are rows spread evenly over the data.
    centered : bool, default False
        Draw differences from the first point of each curve, so that curves of rows are compared by
        shape.
    deciles : bool, default True
        Mark the deciles of the data at the axis.
    ax : Axes, or sequence of Axes, optional
        Where to draw: one for each result. Without it a figure is made, whose curves share the y
        axis.
    show : bool, default False
        Whether to call `matplotlib.pyplot.show`.

    Returns
    -------
    Axes, or ndarray of Axes
        One for each result, in an array if `result` is a list.

    Raises
    ------
    InvalidInputError
        If the result is of another kind, or has not what is asked for.
    MissingDependencyError
        If matplotlib is not installed.

    Notes
    -----
    Where the grid has a value in every bin between two thresholds (``grid="cuts"``), the curve is
    drawn in steps, each where it is in the model, and goes on a little at either end, as the model
    is constant there. Values of other grids are joined by lines. Missing values
    and categories are points of their own, spread sideways if they are of single rows.
    """
    results, single = _read_results(result)
    chosen = _choose(results, features)
    single = single or (features is not None and not isinstance(features, list))
    if kind is not None and kind not in KINDS:
        raise InvalidInputError(f"unknown kind {kind!r}: expected one of {', '.join(KINDS)}")
    most = at_least(1, max_curves, "max_curves")
    plots = [_read(r, kind, output, most, centered) for r in chosen]
    with new_figures(show) as pyplot:
        axes = _make_axes(pyplot, chosen) if ax is None else read_axes(ax, len(plots), "result")
        for axis, r, (average, curves) in zip(axes, chosen, plots, strict=True):
            _draw(axis, r, average, curves, centered, deciles, output)
        if ax is None:
            _share_y(axes, chosen)
    return axes[0] if single else objects(axes)


def _draw(
    axis: Axes,
    result: Mapping[str, Any],
    average: Any,
    curves: Any,
    centered: bool,
    deciles: bool,
    output: Any,
) -> None:
    names = [short(result["feature_names"][j]) for j in result["features"]]
    grids = [np.asarray(values) for values in result["grid_values"]]
    what = "model output" if average is None else "mean model output"
    if centered:
        what = f"change of {what}"
    name = _output_name(result, output)
    label = what if name is None else f"{what}, {name}"
    if len(grids) == 2:
        draw_surface(axis, grids, result["is_categorical"], _is_cut(result), average, label)
        axis.set_xlabel(names[0])
        axis.set_ylabel(names[1])
        clean(axis, None)
        return
    clean(axis)
    if result["is_categorical"][0] or grids[0].dtype.kind == "O":
        draw_categories(axis, grids[0], average, curves)
    else:
        marks = result.get("deciles", {}).get(result["features"][0]) if deciles else None
        draw_numbers(axis, grids[0], average, curves, _is_cut(result)[0], marks)
    axis.set_xlabel(names[0], color=INK)
    axis.set_ylabel(label, color=INK)


def _read_results(result: Any) -> tuple[list[Mapping[str, Any]], bool]:
    single = isinstance(result, Mapping)
    results = [result] if single else result
    if not isinstance(results, (list, tuple)) or not results:
        raise InvalidInputError(
            f"expected what leafshap.partial_dependence returns, got {type(result).__name__}"
        )
    for r in results:
        if not isinstance(r, Mapping) or not {"grid_values", "features", "feature_names"} <= set(r):
            raise InvalidInputError(
                "expected results of leafshap.partial_dependence, with grid_values, features and "
                f"feature_names; got {sorted(r) if isinstance(r, Mapping) else r!r}"
            )
        if len(r["features"]) > 2:
            raise InvalidInputError(
                f"one or two features together can be drawn, not {len(r['features'])}"
            )
    return list(results), single


def _choose(results: list[Mapping[str, Any]], features: Any) -> list[Mapping[str, Any]]:
    """Results of some features, by name or number."""
    if features is None:
        return results
    chosen = []
    for target in features if isinstance(features, list) else [features]:
        parts = target if isinstance(target, tuple) else (target,)
        found = [r for r in results if _matches(r, parts)]
        if not found:
            there = ", ".join(repr(_target_name(r)) for r in results)
            raise InvalidInputError(f"there is no result of {target!r}: there are {there}")
        chosen.append(found[0])
    if not chosen:
        raise InvalidInputError("features is empty: name at least one")
    return chosen


def _matches(result: Mapping[str, Any], parts: Sequence[Any]) -> bool:
    own = result["features"]
    if len(own) != len(parts):
        return False
    names = [result["feature_names"][j] for j in own]
    return all(
        part == name or whole_number(part) == j
        for part, name, j in zip(parts, names, own, strict=True)
    )


def _target_name(result: Mapping[str, Any]) -> Any:
    names = tuple(str(result["feature_names"][j]) for j in result["features"])
    return names[0] if len(names) == 1 else names


def _read(
    result: Mapping[str, Any], kind: str | None, output: Any, max_curves: int, centered: bool
) -> tuple[npt.NDArray[Any] | None, npt.NDArray[Any] | None]:
    """Take the average (points) and some curves (curves, points) of one output."""
    two = len(result["features"]) == 2
    kind = "average" if two and kind is None and "average" in result else kind
    wanted = {"both": ("average", "individual"), None: ("average", "individual")}.get(kind, (kind,))
    if two and "individual" in wanted:
        raise InvalidInputError("of two features together only the average can be drawn")
    found: dict[str, Any] = {}
    for name in wanted:
        assert name is not None
        if name in result:
            values = np.asarray(result[name])
            k = choose_output(
                output, result.get("output_names"), len(values), "a partial dependence plot"
            )
            found[name] = values[k]
        elif kind is not None:
            raise InvalidInputError(
                f'the result has no {name} curves: compute it with kind="both" or kind="{name}"'
            )
    average, curves = found.get("average"), found.get("individual")
    if curves is not None and len(curves) > max_curves:
        curves = curves[np.linspace(0, len(curves) - 1, max_curves).astype(np.intp)]
    if centered:
        first = (0, 0) if two else (0,)
        average = None if average is None else average - average[first]
        curves = None if curves is None else curves - curves[:, :1]
    return average, curves


def _output_name(result: Mapping[str, Any], output: Any) -> str | None:
    """Name of the chosen output, if there are several."""
    values = result["average"] if "average" in result else result["individual"]
    if len(values) == 1:
        return None
    names = result.get("output_names")
    k = choose_output(output, names, len(values), "")
    return made_up_names("output", len(values))[k] if names is None else literal(names[k])


def _is_cut(result: Mapping[str, Any]) -> Sequence[bool]:
    """Whether steps begin at the grid's values, by feature."""
    known: Sequence[bool] = result.get("at_cuts", (False,) * len(result["features"]))
    return known


def _make_axes(pyplot: Any, results: Sequence[Mapping[str, Any]]) -> list[Axes]:
    columns = min(_MOST_COLUMNS, len(results))
    rows = -(-len(results) // columns)
    figure = pyplot.figure(figsize=(1.0 + 4.4 * columns, 3.7 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in grid[len(results) :]:
        axis.remove()
    return list(grid[: len(results)])


def _share_y(axes: Sequence[Axes], results: Sequence[Mapping[str, Any]]) -> None:
    curves = [a for a, r in zip(axes, results, strict=True) if len(r["features"]) == 1]
    limits = [axis.get_ylim() for axis in curves]
    for axis in curves:
        axis.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
