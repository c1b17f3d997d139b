"""Explanation: SHAP values together with what is needed to read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.explanation.fields import read_fields
from leafshap.explanation.reductions import Axis, absolute, ascending_order, reduce
from leafshap.explanation.selection import select

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import shap

    from leafshap.explanation.drift import Drift
    from leafshap.explanation.groups import GroupMeans
    from leafshap.explanation.tables import Table

Values = npt.NDArray[np.float32] | npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Explanation:
    """SHAP values of n rows, F features and K outputs.

    Attributes
    ----------
    values : ndarray of float32 or float64
        phi, of shape (n, F), or (n, F, K) with several outputs; interaction values have the F axis
        twice. Without the axes that a selection or a mean has dropped. (Of `argsort`: int64.)
    base_values : ndarray of float64
        What the values of a row add up from, shape (n,) or (n, K); () or (K,) without the rows. NaN
        where values do not add up to an output any more, as after `abs`.
    data : array, table or sparse matrix, optional
        The explained rows in the container they were given in, with the features that are left.
    feature_names, output_names : list of str, or str, optional
        A str where one feature or one output was selected, and the axis dropped.
    single_row : bool
        Whether this explains one row, without the row axis.
    standard_errors : ndarray, optional
        Of every value, in the shape of `values`; only estimates have them.
    exact : bool
        Whether the values are exact rather than estimated.
    n_evaluations : ndarray of int64, shape (n,), or int for a single row, optional
        Coalitions evaluated, where that is a choice.
    compute_time : float, optional
        Seconds.
    partner_names : list of str, or str, optional
        Of interaction values, where other features were selected on one of the two axes: the names
        there; `feature_names` and `data` are those of the other.
    axes : tuple of str
        What the axes of `values` are: of "rows", "features" (twice in interaction values) and
        "outputs" those that are left. Found out if not given.
    operations : tuple of (str, str or None)
        What was done to the values, such as ("abs", None), ("mean", "rows").

    Raises
    ------
    InvalidInputError
        If the fields do not fit each other.

    Notes
    -----
    ``e[rows]``, ``e[rows, features]`` and ``e[rows, features, outputs]`` select along the axes that
    are left, each by a number, a slice, a mask or a list; features and outputs also by name.
    ``...`` stands for the axes in between. A single number or name drops its axis.

    Examples
    --------
    >>> import numpy as np
    >>> e = Explanation(
    ...     values=np.array([[1.0, -2.0], [3.0, 0.0]]), base_values=np.array([0.5, 0.5]),
    ...     feature_names=["age", "income"],
    ... )
    >>> e[:, "age"].values
    array([1., 3.])
    >>> e.abs.mean(0)["income"].values
    array(1.)
    """

    values: Values
    base_values: npt.NDArray[np.float64]
    data: Any = None
    feature_names: list[str] | str | None = None
    output_names: list[str] | str | None = None
    single_row: bool = False
    standard_errors: Values | None = None
    exact: bool = True
    n_evaluations: npt.NDArray[np.int64] | int | None = None
    compute_time: float | None = None
    partner_names: list[str] | str | None = None
    axes: tuple[str, ...] = ()
    operations: tuple[tuple[str, str | None], ...] = ()

    def __post_init__(self) -> None:
        if self.axes or getattr(self.values, "ndim", 1) == 0:
            return  # made from another one
        for name, value in read_fields(self).items():
            object.__setattr__(self, name, value)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of `values`."""
        return self.values.shape

    def __len__(self) -> int:
        """Return the length of the first axis: the number of rows where there are several."""
        if not self.axes:
            raise TypeError("an explanation of one number has no length")
        return len(self.values)

    def __getitem__(self, key: Any) -> Explanation:
        return select(self, key)

    def __iter__(self) -> Iterator[Explanation]:
        return (self[i] for i in range(len(self)))

    @property
    def abs(self) -> Explanation:
        """Absolute values, without base values (NaN) and standard errors."""
        return absolute(self)

    def mean(self, axis: Axis) -> Explanation:
        """Mean along an axis, in float64; over rows or outputs also of the base values.

        Parameters
        ----------
        axis : int, str, tuple of these, or None
            Number or name ("rows", "features", "outputs") of the axes to drop; None: all.

        Raises
        ------
        InvalidInputError
            If there is no such axis, or nothing along it.

        Examples
        --------
        >>> import numpy as np
        >>> e = Explanation(values=np.array([[1.0, -2.0], [3.0, 0.0]]), base_values=np.zeros(2))
        >>> e.abs.mean(0).values
        array([2., 1.])
        """
        return reduce(self, "mean", axis)

    def sum(self, axis: Axis = None) -> Explanation:
        """Sum along an axis (see `mean`), in float64; None: all axes.

        Over features, ``base_values`` stay: together they are the output.
        """
        return reduce(self, "sum", axis)

    def max(self, axis: Axis) -> Explanation:
        """Largest value along an axis (see `mean`)."""
        return reduce(self, "max", axis)

    def min(self, axis: Axis) -> Explanation:
        """Smallest value along an axis (see `mean`)."""
        return reduce(self, "min", axis)

    @property
    def argsort(self) -> Explanation:
        """Numbers that would sort the values along the last axis, ascending, ties in their order.

        Selects, too: ``m[m.argsort[::-1]]`` is sorted from the largest. Of one axis, its
        `feature_names` are in that order.

        Examples
        --------
        >>> import numpy as np
        >>> e = Explanation(
        ...     values=np.array([[1.0, -5.0]]), base_values=np.zeros(1), feature_names=["a", "b"]
        ... )
        >>> e.abs.mean(0).argsort[::-1].feature_names
        ['b', 'a']
        """
        return ascending_order(self)

    def top(self, k: int = 5) -> Table:
        """For every row (and output), the k features with the largest ``|phi|``, as a tidy table.

        Parameters
        ----------
        k : int, default 5
            All features if there are no more.

        Returns
        -------
        Table
            Columns "row", "output" (where these axes are left), "rank" from 1, "feature",
            "feature_value" (if there are data) and "phi"; sorted by row, output and falling
            ``|phi|``, ties in the order of the features, NaN last.

        Raises
        ------
        InvalidInputError
            If k is not a positive whole number, or values have not one feature axis.

        Examples
        --------
        >>> import numpy as np
        >>> e = Explanation(
        ...     values=np.array([[1.0, -5.0, 2.0]]),
        ...     base_values=np.zeros(1),
        ...     feature_names=["a", "b", "c"],
        ... )
        >>> list(e.top(2)["feature"])
        ['b', 'c']
        """
        from leafshap.explanation.top import top_features

        return top_features(self, k)

    def by(self, groups: Any, *, sample_weight: Any = None) -> GroupMeans:
        """Mean contributions, base values and outputs of groups of rows.

        Parameters
        ----------
        groups : array-like, shape (n,), or str
            Label of every row (numpy, pandas, polars, pyarrow, a list), or the name of a feature in
            `data`. Rows with a missing label (None, NaN, NaT, NA) are in no group, and in nothing
            they are compared with.
        sample_weight : array-like, shape (n,), optional

        Returns
        -------
        GroupMeans
            With ``.differences()``, which add up to the difference in mean output.

        Raises
        ------
        InvalidInputError
            If the labels or weights do not fit.

        Examples
        --------
        >>> import numpy as np
        >>> e = Explanation(
        ...     values=np.array([[1.0, 0.0], [3.0, 2.0], [5.0, 1.0]]), base_values=np.zeros(3)
        ... )
        >>> e.by(["x", "y", "y"]).values
        array([[1. , 0. ],
               [4. , 1.5]])
        """
        from leafshap.explanation.groups import group_means

        return group_means(self, groups, sample_weight)

    def drift(
        self, reference: Explanation, *, threshold: float = 0.9, top: int | None = None
    ) -> Drift:
        """Compare with an earlier explanation: whether the ranking of the features has changed.

        Parameters
        ----------
        reference : Explanation
            Of the same features (in any order) and outputs, such as of the training data.
        threshold : float, default 0.9
            Drift is an nDCG below it.
        top : int, optional
            Only the first so many ranks count in the nDCG.

        Returns
        -------
        Drift

        Raises
        ------
        InvalidInputError
            If the two do not have the same features and outputs, or one has no rows.

        Examples
        --------
        >>> import numpy as np
        >>> then = Explanation(values=np.array([[3.0, 1.0]]), base_values=np.zeros(1))
        >>> now = Explanation(values=np.array([[1.0, 3.0]]), base_values=np.zeros(1))
        >>> now.drift(then).drifted
        True
        """
        from leafshap.explanation.drift import compare

        return compare(self, reference, threshold, top)

    def to_pandas(self, *, base_values: bool = False) -> pd.DataFrame | pd.Series[Any]:
        """Return the values as a DataFrame, or as a Series if there is one axis.

        The index is the first axis: rows (those of the data, if these are a DataFrame), else
        features. Columns are the others: features, or (output, feature), so that ``frame["class
        1"]`` is the frame of one output; (feature, partner) for interaction values.

        Parameters
        ----------
        base_values : bool, default False
            Add them, as one more feature "base_value".

        Raises
        ------
        MissingDependencyError
            If pandas is not installed.
        InvalidInputError
            If there is no axis left, or base values are asked for without a single feature axis.

        Examples
        --------
        >>> import numpy as np
        >>> e = Explanation(
        ...     values=np.array([[1.0, -2.0]]), base_values=np.ones(1) / 2, feature_names=["a", "b"]
        ... )
        >>> e.to_pandas(base_values=True).sum(axis=1).tolist()
        [-0.5]
        """
        from leafshap.explanation.frames import to_pandas

        return to_pandas(self, base_values)

    def to_arrow(self, *, base_values: bool = True) -> pa.Table:
        """Return the values as a pyarrow Table with one column for each feature.

        Several outputs are a fixed-size list in every cell, partners of interaction values as well;
        the names are in the fields' metadata ("outputs", "partners", as JSON). Without rows it is
        a table of one row.

        Parameters
        ----------
        base_values : bool, default True
            Add a column "base_value", unless they are NaN.

        Raises
        ------
        MissingDependencyError
            If pyarrow is not installed.
        InvalidInputError
            If a feature is itself called "base_value".

        Examples
        --------
        >>> import numpy as np
        >>> e = Explanation(
        ...     values=np.array([[1.0, -2.0]]), base_values=np.ones(1) / 2, feature_names=["a", "b"]
        ... )
        >>> e.to_arrow().column_names
        ['a', 'b', 'base_value']
        """
        from leafshap.explanation.frames import to_arrow

        return to_arrow(self, base_values)

    def to_shap(self) -> shap.Explanation:
        """Return the same as a `shap.Explanation`, for shap's plots.

        Means and orders are known to shap as such, so that they label axes and serve as ``order=``.

        Raises
        ------
        MissingDependencyError
            If shap is not installed.
        """
        from leafshap.explanation.shap_explanation import to_shap

        return to_shap(self)

    @property
    def plot(self) -> Any:
        """The plots of shap (a `leafshap.plots.explanation.ExplanationPlots`)."""
        from leafshap.plots.explanation import ExplanationPlots

        return ExplanationPlots(self)

    def __repr__(self) -> str:
        sizes = [
            f"{size} {axis if size != 1 else axis[:-1]}"
            for axis, size in zip(self.axes, self.shape, strict=True)
        ]
        parts = (["1 row"] if self.single_row else []) + sizes
        parts += [f"{a} = {n!r}" for a, n in self._dropped()]
        parts += [name if axis is None else f"{name} over {axis}" for name, axis in self.operations]
        parts += ["exact" if self.exact else "estimated", str(self.values.dtype)]
        return f"<Explanation: {', '.join(parts)}, values of shape {self.shape}>"

    def _dropped(self) -> list[tuple[str, str]]:
        """Names of features and outputs that were selected, with what they are."""
        names = (
            ("feature", self.feature_names),
            ("partner", self.partner_names),
            ("output", self.output_names),
        )
        return [(what, name) for what, name in names if isinstance(name, str)]

    def _repr_html_(self) -> str:
        from leafshap.explanation.html import explanation_html

        return explanation_html(self)
