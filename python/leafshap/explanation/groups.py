"""Groups of rows compared: mean contributions, and what their differences in output are made of.

The model's output is base value plus contributions, row by row, so the same holds for means, and
for differences of means: the difference in mean output of two groups is the sum of the differences
in the mean contribution of every feature (and in the mean base value, where that varies).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.background import read_weights
from leafshap.errors import InvalidInputError
from leafshap.explanation.data import objects
from leafshap.explanation.labels import read_labels
from leafshap.explanation.moments import Moments, group_moments
from leafshap.explanation.selection import axis_names
from leafshap.explanation.tables import Table, import_pandas, label_text, text_table
from leafshap.integers import at_least

if TYPE_CHECKING:
    import pandas as pd

    from leafshap.explanation.explanation import Explanation

Floats = npt.NDArray[np.float64]
_SHOWN, _SHOWN_GROUPS, _SHOWN_LINES = 8, 8, 40
_ROUNDING = 1e-12  # of a base value that does not vary
_BASE, _OUTPUT, _OTHERS = "base_value", "output", "other features"


@dataclass(frozen=True, eq=False, repr=False)
class GroupMeans:
    """Mean contributions of F features in G groups of rows.

    Attributes
    ----------
    groups : ndarray, shape (G,)
        The labels, sorted; ordered categories in their order.
    sizes : ndarray of int, shape (G,)
        Rows, those of weight zero among them.
    n_unlabelled : int
        Rows whose label is missing; they count nowhere.
    values : ndarray of float64, shape (G, F), or (G, F, K) with several outputs
        Mean phi.
    base_values, outputs : ndarray of float64, shape (G,), or (G, K)
        Mean base value, and mean output: base value plus all contributions. NaN of absolute values.
    feature_names, output_names : list of str
        `output_names` is empty if there is no axis of outputs.
    """

    groups: npt.NDArray[Any]
    sizes: npt.NDArray[np.intp]
    n_unlabelled: int
    values: Floats
    base_values: Floats
    outputs: Floats
    feature_names: list[str]
    output_names: list[str]
    _moments: Moments = field(repr=False)

    def __len__(self) -> int:
        """Return the number of groups."""
        return len(self.groups)

    def differences(self, reference: Any = None) -> GroupDifferences:
        """Every group less the reference, by feature; they add up to the difference in output.

        Parameters
        ----------
        reference : label, optional
            Of the group to compare with. By default each group is compared with all other labelled
            rows together.

        Raises
        ------
        InvalidInputError
            If there is no such group, or no other group.
        """
        if len(self.groups) < 2:
            raise InvalidInputError(f"there is one group only, {label_text(self.groups[0])}")
        if reference is None:
            groups = np.arange(len(self.groups))
            others = self._moments.others()
            against = "all other rows"
        else:
            same = self._number(reference)
            groups = np.delete(np.arange(len(self.groups)), same)
            others = self._moments.take(np.full(len(groups), same))
            against = label_text(self.groups[same])
        own = self._moments.take(groups)
        shape = self.values.shape[2:]
        change = _split(own.means - others.means, shape)
        spread = _split(np.sqrt(own.variances + others.variances), shape)
        return GroupDifferences(
            groups=self.groups[groups],
            reference=against,
            values=change[0],
            base_values=change[1],
            outputs=change[2],
            standard_errors=spread[0],
            output_standard_errors=spread[2],
            feature_names=self.feature_names,
            output_names=self.output_names,
        )

    def _number(self, label: Any) -> int:
        """Position of a group; those of dates also by text or by any date of Python or pandas."""
        wanted = label
        if self.groups.dtype.kind == "M":
            try:
                wanted = np.datetime64(label)
            except (TypeError, ValueError):
                wanted = None
        same = [j for j, own in enumerate(self.groups) if _equal(own, wanted)]
        if not same:
            known = ", ".join(map(label_text, self.groups[:_SHOWN]))
            more = ", ..." if len(self.groups) > _SHOWN else ""
            raise InvalidInputError(f"there is no group {label!r}; there are: {known}{more}")
        return same[0]

    def to_pandas(self) -> pd.DataFrame:
        """Return a DataFrame with a row for each group, or (group, output).

        Columns: "size", then (unless they are NaN) "output" and "base_value", then the features.
        """
        pandas = import_pandas()
        names = ["size"]
        columns: list[npt.NDArray[Any]] = [np.repeat(self.sizes, max(1, len(self.output_names)))]
        if not np.isnan(self.outputs).all():
            names += [_OUTPUT, _BASE]
            columns += [self.outputs.ravel(), self.base_values.ravel()]
        names += self.feature_names
        columns += [self.values[:, j].ravel() for j in range(len(self.feature_names))]
        index = pandas.Index(self.groups, name="group", tupleize_cols=False)
        if self.output_names:
            levels = [index, self.output_names]
            index = pandas.MultiIndex.from_product(levels, names=["group", "output name"])
        # by number first: a feature, too, may be called "size"
        frame = pandas.DataFrame(dict(enumerate(columns)), index=index)
        return frame.set_axis(names, axis=1)

    def _shown(self) -> list[tuple[str, npt.NDArray[Any]]]:
        """Lay out a column for each group, and a line for each of the largest features."""
        head: list[tuple[str, npt.NDArray[Any]]] = []
        lines: list[tuple[str, npt.NDArray[Any]]] = []
        outputs = self.output_names or [""]
        size = (len(self.groups), len(self.feature_names), len(outputs))
        values = self.values.reshape(size)
        for k in range(len(outputs)):
            if not np.isnan(self.outputs).all():
                lines.append((_OUTPUT, self.outputs.reshape(size[0], -1)[:, k]))
                lines.append((_BASE, self.base_values.reshape(size[0], -1)[:, k]))
            largest = np.abs(values[:, :, k]).max(axis=0)
            order = np.argsort(-largest, kind="stable")[:_SHOWN]
            lines += [(self.feature_names[j], values[:, j, k]) for j in order]
        if self.output_names:
            n = len(lines) // len(outputs)
            head.append(("output name", objects(name for name in outputs for _ in range(n))))
        head.append(("feature", objects(name for name, _ in lines)))
        table = np.array([means for _, means in lines])
        for g, group in enumerate(self.groups[:_SHOWN_GROUPS]):
            head.append((f"{label_text(group)} ({self.sizes[g]})", table[:, g]))
        return head

    def _notes(self) -> list[str]:
        more = len(self.feature_names) - _SHOWN, len(self.groups) - _SHOWN_GROUPS
        notes = [f"... {more[0]} more features"] if more[0] > 0 else []
        notes += [f"... {more[1]} more groups"] if more[1] > 0 else []
        return notes + ([f"rows without label: {self.n_unlabelled}"] if self.n_unlabelled else [])

    def __repr__(self) -> str:
        shown = self._shown()
        return "\n".join([text_table(shown, len(shown[0][1])), *self._notes()])

    def _repr_html_(self) -> str:
        from leafshap.explanation.html import table_html

        columns = self._shown()
        bars = [c for c, (_, column) in enumerate(columns) if column.dtype.kind == "f"]
        features = columns[bars[0] - 1][1]
        title = "; ".join(["Mean phi (rows)", *self._notes()])
        return table_html(columns, bars, title, _totals(features), len(features))


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class GroupDifferences:
    """What the difference in mean output between groups is made of.

    Attributes
    ----------
    groups : ndarray, shape (G,)
        Without the reference.
    reference : str
        What they are compared with.
    values : ndarray of float64, shape (G, F), or (G, F, K)
        Mean phi of the group less that of the reference.
    base_values, outputs : ndarray of float64, shape (G,), or (G, K)
        The same for base values and outputs: ``outputs = base_values + values.sum(axis=1)``.
    standard_errors, output_standard_errors : ndarray of float64
        Of `values` and `outputs`, as means of two independent samples of rows; the values
        themselves are taken as they are. NaN beside a group of one row.
    feature_names, output_names : list of str
    """

    groups: npt.NDArray[Any]
    reference: str
    values: Floats
    base_values: Floats
    outputs: Floats
    standard_errors: Floats
    output_standard_errors: Floats
    feature_names: list[str]
    output_names: list[str]

    def table(self, top: int | None = None) -> Table:
        """Return one line for each group (, output) and feature, with the standard error.

        First come "output", the sum of all the others, and "base_value", if it differs; then the
        features by falling size of their difference.

        Parameters
        ----------
        top : int, optional
            Only so many features, and the sum of the rest as "other features".

        Raises
        ------
        InvalidInputError
            If `top` is not a whole number, or negative.
        """
        top = None if top is None else at_least(0, top, "top")
        k, n_features = max(1, len(self.output_names)), len(self.feature_names)
        lines: list[tuple[int, int, str, float, float]] = []
        values, errors = (
            v.reshape(len(v), n_features, k) for v in (self.values, self.standard_errors)
        )
        base, outputs, spread = (
            v.reshape(len(v), k)
            for v in (self.base_values, self.outputs, self.output_standard_errors)
        )
        for g in range(len(self.groups)):
            for c in range(k):
                order = np.argsort(-np.abs(values[g, :, c]), kind="stable")
                part: list[tuple[str, float, float]] = []
                if not np.isnan(outputs[g, c]):
                    part.append((_OUTPUT, outputs[g, c], spread[g, c]))
                if abs(base[g, c]) > _ROUNDING * abs(outputs[g, c]):
                    part.append((_BASE, base[g, c], np.nan))
                kept, rest = order[:top], order[len(order[:top]) :]
                part += [(self.feature_names[j], values[g, j, c], errors[g, j, c]) for j in kept]
                if rest.size:
                    part.append((_OTHERS, values[g, rest, c].sum(), np.nan))
                lines += [(g, c, *line) for line in part]
        group_of, output_of, of, difference, error = zip(*lines, strict=True)
        columns: dict[str, npt.NDArray[Any]] = {"group": self.groups[list(group_of)]}
        if self.output_names:
            columns["output name"] = objects(self.output_names[c] for c in output_of)
        columns["feature"] = objects(of)
        columns["difference"], columns["standard_error"] = np.array(difference), np.array(error)
        return Table(columns)

    def to_pandas(self) -> pd.DataFrame:
        """Return `table` as a DataFrame, indexed by group (, output) and feature."""
        table = self.table()
        return table.to_pandas().set_index(list(table)[:-2])

    def __repr__(self) -> str:
        columns = list(self.table(_SHOWN).columns.items())
        return f"Differences from {self.reference}\n{text_table(columns, _SHOWN_LINES)}"

    def _repr_html_(self) -> str:
        from leafshap.explanation.html import table_html

        title = f"Differences from {self.reference}"
        table = self.table(_SHOWN)
        plain, bars = _totals(table["feature"]), [list(table).index("difference")]
        return table_html(list(table.columns.items()), bars, title, plain, _SHOWN_LINES)


def group_means(explanation: Explanation, groups: Any, sample_weight: Any) -> GroupMeans:
    """See `Explanation.by`."""
    axes, values, base = explanation.axes, explanation.values, explanation.base_values
    if axes[:1] != ("rows",) or axes.count("features") > 1:
        raise InvalidInputError(
            "groups need several rows, and not more than one feature axis (of interaction values "
            'take e.sum(axis=2) or e[:, "feature"])'
        )
    if "features" not in axes:  # one feature
        values = values[:, np.newaxis]
        name = explanation.feature_names
        features = [name if isinstance(name, str) else "value"]
    else:
        features = axis_names(explanation, 1) or []
    outputs = axis_names(explanation, len(axes) - 1) if axes[-1] == "outputs" else None
    codes, labels = read_labels(explanation, groups)
    weights = None
    if sample_weight is not None:
        weights = read_weights(sample_weight, len(values), "sample weights")
        weighed = np.bincount(codes[codes >= 0], weights[codes >= 0], minlength=len(labels))
        if not weighed.all():
            empty = label_text(labels[np.flatnonzero(weighed == 0)[0]])
            raise InvalidInputError(f"all rows of the group {empty!r} have the weight zero")

    def read(rows: npt.NDArray[np.intp]) -> Floats:
        phi = values[rows].astype(np.float64)
        own = base[rows]
        whole = [phi, own[:, np.newaxis], (own + phi.sum(axis=1))[:, np.newaxis]]
        return np.concatenate(whole, axis=1).reshape(len(rows), -1)

    moments = group_moments(read, codes, len(labels), weights)
    means = _split(moments.means, values.shape[2:])
    return GroupMeans(
        groups=labels,
        sizes=np.bincount(codes[codes >= 0], minlength=len(labels)),
        n_unlabelled=int((codes < 0).sum()),
        values=means[0],
        base_values=means[1],
        outputs=means[2],
        feature_names=features,
        output_names=outputs or [],
        _moments=moments,
    )


def _split(flat: Floats, outputs: tuple[int, ...]) -> tuple[Floats, Floats, Floats]:
    """Columns of features, base value and output, in that order, with the axis of outputs."""
    n_outputs = outputs[0] if outputs else 1
    whole = flat.reshape(len(flat), flat.shape[1] // n_outputs, *outputs)
    return whole[:, :-2], whole[:, -2], whole[:, -1]


def _totals(features: npt.NDArray[Any]) -> set[int]:
    """Lines that are no features, in tables to look at."""
    return {i for i, name in enumerate(features) if name in (_OUTPUT, _BASE, _OTHERS)}


def _equal(label: Any, other: Any) -> bool:
    try:
        return bool(label == other)
    except (TypeError, ValueError):  # an array, or NA
        return False
