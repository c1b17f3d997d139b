"""`Explanation.plot`: shap's plots of an explanation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError
from leafshap.plots.libraries import load_shap
from leafshap.plots.points import color_points, name_categories
from leafshap.plots.reading import (
    ExplanationReader,
    OutputValues,
    check_any,
    check_base,
    common_base,
)
from leafshap.plots.scattering import color_of, scattered
from leafshap.plots.shap_calls import draw, draw_force
from leafshap.plots.style import figure_of, literal
from leafshap.plots.violins import filled, grey_missing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from leafshap.explanation import Explanation

Floats = npt.NDArray[Any]


class ExplanationPlots:
    """shap's plots of an explanation; `Explanation.plot` is one.

    Every method has the keyword arguments of shap's plot of its name, and

    * ``output``: which output, by name or number; needed if there are several;
    * ``ax``: where to draw; without it each plot makes a figure of its own, so large that nothing
      is cut;
    * ``show``: whether to call `matplotlib.pyplot.show`, by default not.

    It returns matplotlib's Axes: ``explanation.plot.bar().figure.savefig("bar.png")``.

    Parameters
    ----------
    explanation : Explanation
        Data of any container can be drawn: docs/plots.md says how text, categories and missing
        values are.

    Raises
    ------
    MissingDependencyError
        On drawing, if shap or matplotlib is not installed.
    InvalidInputError
        On drawing, if the explanation or an argument does not fit the plot.
    """

    def __init__(self, explanation: Explanation) -> None:
        self._given = ExplanationReader(explanation)

    def __repr__(self) -> str:
        return (
            "<plots of an explanation: bar, beeswarm, decision, force, heatmap, scatter, violin, "
            "waterfall>"
        )

    def bar(
        self, *, output: Any = None, ax: Axes | None = None, show: bool = False, **options: Any
    ) -> Axes:
        """Draw the mean of |phi| over the rows; phi itself of a single row."""
        part = self._given.matrix("bar", output)
        names = self._given.names
        if self._given.single:
            if options.get("show_data", "auto") and self._given.columns is not None:
                # in the names: shap would cut zeros off the end of text
                texts = [column.texts[0] for column in self._given.columns]
                names = [f"{literal(t)} = {n}" for t, n in zip(texts, names, strict=True)]
            shown = self._given.to_shap(part, 0, names)
            options["show_data"] = False
        else:
            self._given.need_rows("bar", 1)
            shown = self._given.to_shap(part, names=names)

        def finish(axis: Axes) -> None:
            if self._given.operations:
                label = "SHAP value"
                for operation in self._given.operations:
                    label = f"|{label}|" if operation == "abs" else f"{operation}({label})"
                axis.set_xlabel(label if self._given.single else f"mean(|{label}|)")
            _titled(part)(axis)

        return draw("bar", shown, ax=ax, show=show, options=options, finish=finish)[0]

    def beeswarm(
        self, *, output: Any = None, ax: Axes | None = None, show: bool = False, **options: Any
    ) -> Axes:
        """Draw phi of every row as a point, coloured by the feature's value.

        Categories without an order, and missing values, are grey.
        """
        part = self._given.matrix("beeswarm", output)
        self._given.need_rows("beeswarm", 2)
        if ax is not None:
            options.setdefault("plot_size", None)
        return self._swarm("beeswarm", part, ax, show, options)

    def violin(
        self, *, output: Any = None, ax: Axes | None = None, show: bool = False, **options: Any
    ) -> Axes:
        """Draw the distribution of phi over the rows, coloured as `beeswarm`.

        Where values to colour by are missing, those that are known colour the body; it is grey if
        none is known.
        """
        part = self._given.matrix("violin", output)
        self._given.need_rows("violin", 2)
        try:
            return self._swarm("violin", part, ax, show, options)
        except np.linalg.LinAlgError as error:  # of scipy's kernel density
            raise InvalidInputError(
                "violin needs values that differ between the rows: take beeswarm"
            ) from error

    def waterfall(
        self,
        *,
        row: int | None = None,
        output: Any = None,
        ax: Axes | None = None,
        show: bool = False,
        **options: Any,
    ) -> Axes:
        """Draw how the values of one row lead from the base value to the output.

        Parameters
        ----------
        row : int, optional
            Needed unless there is one row only.
        """
        part = self._given.matrix("waterfall", output, finite=False)
        index = self._given.row("waterfall", row)
        self._given.check_numbers("waterfall", part.values[[index]])
        check_base("waterfall", part.base_values[[index]])
        shown = self._given.to_shap(part, index)
        return draw("waterfall", shown, ax=ax, show=show, options=options, finish=_titled(part))[0]

    def heatmap(
        self, *, output: Any = None, ax: Axes | None = None, show: bool = False, **options: Any
    ) -> Axes:
        """Draw phi of every row and feature as a matrix, like rows beside each other."""
        part = self._given.matrix("heatmap", output)
        self._given.need_rows("heatmap", 2)
        check_any("heatmap", part.values)
        shown = self._given.to_shap(part)

        def finish(axis: Axes) -> None:
            if min(self._given.n_features, options.get("max_display", 10)) < 4:
                # the label is longer than the colour bar: beside its ticks
                figure_of(axis).axes[-1].yaxis.labelpad = 6
            _titled(part)(axis)

        return draw("heatmap", shown, ax=ax, show=show, options=options, finish=finish)[0]

    def decision(
        self,
        *,
        output: Any = None,
        ax: Axes | None = None,
        show: bool = False,
        return_objects: bool = False,
        **options: Any,
    ) -> Any:
        """Draw a line for every row: how its values add up, feature by feature.

        Takes interaction values, too. With ``return_objects=True`` it returns what shap returns
        then instead of the axes.
        """
        part = self._given.output("decision", output)
        features = None
        if len(part.values) == 1 and part.values.ndim == 2 and self._given.columns is not None:
            texts = [literal(column.texts[0]) for column in self._given.columns]
            features = np.array([texts], dtype=object)
        values = np.array(part.values, dtype=np.float64)
        if not values.any() and options.get("link", "identity") == "identity":
            options.setdefault("xlim", (part.base_values[0] - 1.0, part.base_values[0] + 1.0))
        options = {"feature_names": self._given.names, "features": features} | options
        axis, result = draw(
            "decision",
            (common_base("decision", part), values),
            ax=ax,
            show=show,
            options=options | {"return_objects": return_objects},
            finish=_titled(part, options),
        )
        return result if return_objects else axis

    def force(
        self,
        *,
        row: int | None = None,
        output: Any = None,
        matplotlib: bool = False,
        show: bool = False,
        **options: Any,
    ) -> Any:
        """Draw the values of one row, or of all, as forces against each other.

        Parameters
        ----------
        row : int, optional
            Without it all rows are drawn beside each other, which is for notebooks only.
        matplotlib : bool, default False
            True draws one row and returns Axes. False returns shap's object for notebooks, which
            needs ``shap.initjs()`` there; ``shap.save_html(path, object)`` writes it to a file.
        """
        part = self._given.matrix("force", output, finite=False)
        n = len(part.values)
        if matplotlib or row is not None or n == 1:
            rows: Any = [self._given.row("force", row)]
        else:
            rows = slice(None)
        chosen = OutputValues(part.values[rows], part.base_values[rows], part.name)
        self._given.check_numbers("force", chosen.values)
        check_any("force", chosen.values)
        columns = self._given.columns
        data = None
        if columns is not None and len(chosen.values) == 1:
            data = np.array([column.texts[rows[0]] for column in columns], dtype=object)
        elif columns is not None:
            data = np.empty((n, len(columns)), dtype=object)
            for j, column in enumerate(columns):
                data[:, j] = column.numbers if column.categories is None else column.texts
        values = np.array(chosen.values, dtype=np.float64)
        arguments = (
            common_base("force", chosen),
            values[0] if len(values) == 1 else values,
        )
        names = self._given.names
        if matplotlib:
            names = [self._given.short_name(j) for j in range(len(names))]
            sizes = np.abs(chosen.values[0])
            labelled = sizes >= options.get("contribution_threshold", 0.05) * sizes.sum()
            if sum(len(n) for n, there in zip(names, labelled, strict=True) if there) > 90:
                options.setdefault("text_rotation", 25)  # side by side they would overlap
        options = {"features": data, "feature_names": names} | options
        if part.name is not None:
            options.setdefault("out_names", literal(part.name))
        return draw_force(arguments, options, matplotlib, show)

    def scatter(
        self,
        feature: Any = None,
        *,
        color: Any = None,
        output: Any = None,
        ax: Axes | None = None,
        show: bool = False,
        **options: Any,
    ) -> Axes:
        """Draw phi of one feature against its value, a point for every row.

        Parameters
        ----------
        feature : str, int or tuple
            Name or number; not needed where there is one only, as in ``e[:, "age"]``. Of
            interaction values, a feature alone is its main effect, and a pair of features their
            whole interaction, phi_ij + phi_ji, against the first, coloured by the second.
        color : str, int or explanation, optional
            Name or number of a feature to colour by; "auto", or an explanation, for the one that
            seems to interact most; or any colour of matplotlib.
        """
        given = self._given.of_one_feature()
        part = given.output("scatter", output)
        given.need_rows("scatter", 1)
        columns = given.columns
        if columns is None:
            raise InvalidInputError("scatter needs data, and the explanation has none")
        if feature is None:
            feature = given.only_feature("scatter")
        index, partner, values, label = scattered(given, part.values, feature)
        if partner is None:
            partner, plain = color_of(given, color, index, part.values)
            options = options | {"color": plain}
        elif color is not None:
            raise InvalidInputError("a pair is coloured by its second feature: leave color out")
        column, cmap = columns[index], options.pop("cmap", None)

        def finish(axis: Axes) -> None:
            name_categories(axis, column)
            if partner is not None:
                name = given.short_name(partner)
                color_points(axis, column.numbers, values, columns[partner], name, cmap)
            axis.set_xlabel(given.short_name(index))
            axis.set_ylabel(options.get("ylabel", label))
            title(axis)

        title = _titled(part, options)
        shown = load_shap().Explanation(
            values, data=column.numbers, feature_names=given.names[index]
        )
        return draw(
            "scatter", shown, ax=ax, show=show, options=options, finish=finish,
            size=(6.0, 5.0) if partner is None else (7.5, 5.0),
        )[0]  # fmt: skip

    def _swarm(
        self, name: str, part: OutputValues, ax: Axes | None, show: bool, options: dict[str, Any]
    ) -> Axes:
        """Draw a plot that colours by low and high."""
        columns, data = self._given.columns, None
        if columns is not None:
            data = np.stack([column.shades for column in columns], axis=1)
            if np.isnan(data).any():
                grey = "category or missing"
                if not any(column.categories for column in columns):
                    grey = "missing"
                options = {"color_bar_label": f"Feature value\n(grey: {grey})"} | options
        known = data
        if name == "violin" and data is not None and options.get("plot_type") in (None, "violin"):
            data = filled(data)

        def finish(axis: Axes) -> None:
            if known is not None and data is not known:
                grey_missing(axis, part.values, np.isnan(known))
            _titled(part)(axis)

        shown = load_shap().Explanation(part.values, data=data, feature_names=self._given.names)
        return draw(name, shown, ax=ax, show=show, options=options, finish=finish)[0]


def _titled(part: OutputValues, options: Mapping[str, Any] | None = None) -> Callable[[Axes], None]:
    """Name the output in the title, if there are several and the user has set none."""

    def finish(axis: Axes) -> None:
        if part.name is not None and "title" not in (options or {}):
            axis.set_title(literal(part.name), loc="left", fontsize=13)

    return finish
