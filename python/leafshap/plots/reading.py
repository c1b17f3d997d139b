"""What shap's plots need of an explanation: one output, names, data that can be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError
from leafshap.plots.choices import choose, choose_output
from leafshap.plots.drawable import DrawableColumn, read_drawable
from leafshap.plots.libraries import load_shap
from leafshap.plots.style import LONGEST_LABEL, literal, short

if TYPE_CHECKING:
    from leafshap.explanation import Explanation

Floats = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class OutputValues:
    """Values of one output: (n, F), or (n, F, F), and what they add up from: (n,)."""

    values: Floats
    base_values: Floats
    name: str | None


class ExplanationReader:
    """Reads an explanation for plots; everything that can be wrong is an `InvalidInputError`."""

    def __init__(self, explanation: Explanation) -> None:
        self.explanation = explanation

    @property
    def single(self) -> bool:
        """Whether there is no rows axis: one row, or a mean over rows."""
        return "rows" not in self.explanation.axes

    @property
    def operations(self) -> list[str]:
        """What was done to the values, in words."""
        return [operation for operation, _ in self.explanation.operations]

    @property
    def own_names(self) -> Sequence[str]:
        """Names of features without those that are made up."""
        names = self.explanation.feature_names
        return [] if names is None or isinstance(names, str) else names

    @cached_property
    def n_rows(self) -> int:
        """Number of rows."""
        return 1 if self.single else len(self.explanation.values)

    @cached_property
    def n_features(self) -> int:
        """Number of features."""
        return int(self.explanation.values.shape[self.explanation.axes.index("features")])

    @cached_property
    def names(self) -> list[str]:
        """Names of all features, so that matplotlib sets them as they are."""
        if not self.own_names:
            return [f"Feature {j}" for j in range(self.n_features)]
        return [literal(name) for name in self.own_names]

    @cached_property
    def columns(self) -> list[DrawableColumn] | None:
        """The data by feature, if there are any."""
        return read_drawable(self.explanation.data, self.n_rows, self.n_features)

    def short_name(self, index: int, longest: int = LONGEST_LABEL) -> str:
        """Name of a feature, its middle left out if it is long."""
        return short(self.own_names[index], longest) if self.own_names else self.names[index]

    def feature(self, feature: Any) -> int:
        """Find a feature by name or number."""
        return choose("feature", feature, self.own_names or None, self.n_features)

    def row(self, plot: str, row: Any) -> int:
        """Find a row; without a number there must be one only."""
        n = self.n_rows
        if row is None:
            if n == 1:
                return 0
            raise InvalidInputError(f"{plot} shows one row: pass row=; rows are 0 to {n - 1}")
        return choose("row", row, None, n)

    def need_rows(self, plot: str, least: int) -> None:
        """Refuse a single row, and fewer rows than `least`."""
        n = self.n_rows
        if self.single or n < least:
            raise InvalidInputError(
                f"{plot} compares rows, and the explanation has {n}: waterfall, force, bar and "
                "decision show a single one"
            )

    def output(self, plot: str, output: Any) -> OutputValues:
        """Take one output; what has no rows axis gets one."""
        e = self.explanation
        features = e.axes.count("features")
        if features == 0:
            raise InvalidInputError(
                f"{plot} needs an explanation of features; this one's axes are "
                f"{', '.join(e.axes) or 'none'}"
            )
        if features == 2 and e.partner_names is not None:
            raise InvalidInputError(
                f"{plot} needs the interactions of all features: of these some were selected"
            )
        values, base_values = e.values, np.asarray(e.base_values)
        if self.single:
            values, base_values = values[np.newaxis], base_values[np.newaxis]
        names = [e.output_names] if isinstance(e.output_names, str) else e.output_names
        several = "outputs" in e.axes
        n_outputs = values.shape[-1] if several else 1
        chosen = choose_output(output, names, n_outputs, plot)
        if not several:
            name = e.output_names if isinstance(e.output_names, str) else None
            return OutputValues(values, base_values, name)
        name = f"output {chosen}" if names is None else str(names[chosen])
        return OutputValues(values[..., chosen], base_values[:, chosen], name)

    def matrix(self, plot: str, output: Any) -> OutputValues:
        """Take one output of values that are not interaction values."""
        part = self.output(plot, output)
        if part.values.ndim == 3:
            raise InvalidInputError(
                f"{plot} draws no interaction values: take leafshap.plots.interaction_matrix, or "
                "scatter and decision of these plots"
            )
        return part

    def to_shap(
        self, part: OutputValues, row: int | None = None, names: list[str] | None = None
    ) -> Any:
        """Make a `shap.Explanation`; data are texts of the one `row`, or not there."""
        names = self.names if names is None else names
        if row is None:
            return load_shap().Explanation(np.array(part.values), feature_names=names)
        data = None
        if self.columns is not None:
            data = np.array([literal(c.texts[row]) for c in self.columns], dtype=object)
        return load_shap().Explanation(
            np.array(part.values[row]),
            base_values=float(part.base_values[row]),
            data=data,
            feature_names=names,
        )


def check_any(plot: str, values: Floats) -> None:
    """Refuse values that are all 0, at which shap's plot divides by 0 or hangs."""
    if not values.any():
        raise InvalidInputError(f"{plot} has nothing to draw: all values are 0")


def check_base(plot: str, base_values: Floats) -> None:
    """Refuse values that do not add up from anything, such as absolute ones."""
    if np.isnan(base_values).any():
        raise InvalidInputError(f"{plot} adds values up, and these have no base values")


def common_base(plot: str, part: OutputValues) -> float:
    """Return the one base value of all rows."""
    base = part.base_values
    check_base(plot, base)
    if len(base) == 0 or not np.allclose(base, base[0], rtol=1e-6, atol=1e-12):
        raise InvalidInputError(
            f"{plot} needs rows with the same base value; these differ: draw one row at a time"
        )
    return float(base[0])
