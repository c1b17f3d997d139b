"""What shap's plots need of an explanation: one output, names, data that can be drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError
from leafshap.explanation.data import as_table
from leafshap.explanation.selection import axis_names, made_up_names
from leafshap.plots.choices import choose, choose_output
from leafshap.plots.drawable import DrawableColumn, read_drawable
from leafshap.plots.libraries import load_shap
from leafshap.plots.style import LONGEST_LABEL, literal, short

if TYPE_CHECKING:
    from leafshap.explanation import Explanation

Floats = npt.NDArray[Any]
_SHOWN = 12
_LARGEST = 1e100  # shap squares values and adds them up


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

    @cached_property
    def feature_names(self) -> list[str]:
        """Names of all features, made up if there are none."""
        return axis_names(self.explanation, self.explanation.axes.index("features")) or []

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
        return [literal(name) for name in self.feature_names]

    @cached_property
    def columns(self) -> list[DrawableColumn] | None:
        """The data by feature, if there are any."""
        return read_drawable(self.explanation.data, self.n_rows, self.n_features)

    def short_name(self, index: int, longest: int = LONGEST_LABEL) -> str:
        """Name of a feature, its middle left out if it is long."""
        return short(self.feature_names[index], longest)

    def feature(self, feature: Any) -> int:
        """Find a feature by name or number."""
        return choose("feature", feature, self.feature_names, self.n_features)

    def only_feature(self, plot: str) -> int:
        """Find the one feature that there is."""
        if self.n_features == 1:
            return 0
        offer = ", ".join(map(repr, self.feature_names[:_SHOWN]))
        more = ", ..." if self.n_features > _SHOWN else ""
        raise InvalidInputError(f"{plot} shows one feature: name it; features are {offer}{more}")

    def of_one_feature(self) -> ExplanationReader:
        """Read one selected feature of several rows as if the others were not there."""
        e = self.explanation
        if e.axes[:1] != ("rows",) or "features" in e.axes or e.partner_names is not None:
            return self
        if not isinstance(e.feature_names, str):
            return self
        data = None if e.data is None else as_table(e.data, e.feature_names)
        axes = ("rows", "features", *e.axes[1:])
        values = e.values[:, np.newaxis]
        return ExplanationReader(
            replace(
                e, values=values, data=data, axes=axes, feature_names=[e.feature_names],
                standard_errors=None,
            )
        )  # fmt: skip

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

    def output(self, plot: str, output: Any, finite: bool = True) -> OutputValues:
        """Take one output; what has no rows axis gets one. Refuse NaN and inf, if it is to."""
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
        if not values.size:
            raise InvalidInputError(
                f"{plot} has nothing to draw: the explanation's shape is {values.shape}"
            )
        if self.single:
            values, base_values = values[np.newaxis], base_values[np.newaxis]
        names = [e.output_names] if isinstance(e.output_names, str) else e.output_names
        several = "outputs" in e.axes
        n_outputs = values.shape[-1] if several else 1
        chosen = choose_output(output, names, n_outputs, plot)
        if not several:
            name = e.output_names if isinstance(e.output_names, str) else None
            if finite:
                self.check_numbers(plot, values)
            return OutputValues(values, base_values, name)
        name = str((names or made_up_names("output", n_outputs))[chosen])
        if finite:
            self.check_numbers(plot, values[..., chosen])
        return OutputValues(values[..., chosen], base_values[:, chosen], name)

    def check_numbers(self, plot: str, values: Floats) -> None:
        """Refuse what shap and matplotlib stop at, or draw nonsense of."""
        wrong = ~np.isfinite(values)
        if wrong.any():
            rows = wrong.reshape(len(values), -1).any(axis=1)
            first = self.feature_names[int(np.argwhere(wrong)[0][1])]
            raise InvalidInputError(
                f"{plot} needs finite values: those of {int(rows.sum())} of {len(values)} rows are "
                f"NaN or infinite, the first of feature {first!r}"
            )
        largest = float(np.abs(values).max())
        if largest > _LARGEST:
            raise InvalidInputError(f"{plot} cannot draw values as large as {largest:.3g}")

    def matrix(self, plot: str, output: Any, finite: bool = True) -> OutputValues:
        """Take one output of values that are not interaction values."""
        part = self.output(plot, output, finite)
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
    if not np.isfinite(base_values).all():
        raise InvalidInputError(f"{plot} needs finite base values")


def common_base(plot: str, part: OutputValues) -> float:
    """Return the one base value of all rows."""
    base = part.base_values
    check_base(plot, base)
    if len(base) == 0 or not np.allclose(base, base[0], rtol=1e-6, atol=1e-12):
        raise InvalidInputError(
            f"{plot} needs rows with the same base value; these differ: draw one row at a time"
        )
    return float(base[0])
