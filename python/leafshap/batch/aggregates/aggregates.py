"""What is kept of SHAP values where the values themselves are not."""

from __future__ import annotations

import copy
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.batch.aggregates.groups import GroupAggregates
from leafshap.batch.aggregates.histograms import Histograms, round_edges
from leafshap.batch.aggregates.sums import Sums, flattened
from leafshap.batch.aggregates.tiles import Floats
from leafshap.errors import InvalidInputError
from leafshap.explanation.selection import made_up_names, pick
from leafshap.integers import at_least
from leafshap.interactions import InteractionSummary

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_SHOWN = 5  # features in the repr


class Aggregates:
    """Means, spreads and extremes of SHAP values, added up batch by batch.

    Parameters
    ----------
    group : str, optional
        Column by whose values rows are also added up apart: text, whole numbers, booleans or
        dates; null is a value of its own. At most 100,000 of them, fewer with more than 40 SHAP
        values per row.
    interactions : bool, default False
        Add up absolute SHAP interaction values.
    histograms : bool, default False
        Count values in fine bins, for `histogram` and `quantile`. Takes 8 bytes for each bin that
        occurs, feature and output: usually some 3,000 bins, at most 131,000.

    Attributes
    ----------
    group : str or None
    wants_interactions, wants_histograms : bool

    Notes
    -----
    Sums are float64. The same batches in the same order give the same bits; divided or merged in
    another way they differ by rounding, counts not at all. Memory does not grow with the rows.
    Values above 1e150 may have an infinite standard deviation. Picklable; not safe to be
    changed by several threads at once.

    Without any rows there is no mean: all properties and methods that need one raise
    InvalidInputError.
    """

    def __init__(
        self, *, group: str | None = None, interactions: bool = False, histograms: bool = False
    ) -> None:
        if group is not None and not isinstance(group, str):
            raise InvalidInputError(f"group must be the name of a column, got {group!r}")
        self.group = group
        self.wants_interactions = bool(interactions)
        self.wants_histograms = bool(histograms)
        self._sums: Sums | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments it was made with."""
        return {
            "group": self.group,
            "interactions": self.wants_interactions,
            "histograms": self.wants_histograms,
        }

    def empty(self) -> Aggregates:
        """Make one with the same settings and no rows, for another part of the data."""
        return Aggregates(**self.settings)

    def add(
        self,
        values: npt.NDArray[np.floating[Any]],
        base_values: npt.NDArray[np.floating[Any]],
        names: list[str] | None = None,
        output_names: list[str] | None = None,
        *,
        groups: pa.Array | None = None,
        interactions: tuple[npt.NDArray[np.int32], npt.NDArray[np.floating[Any]]] | None = None,
    ) -> None:
        """Add a batch of n rows.

        Parameters
        ----------
        values : ndarray of float32 or float64, shape (n, F, K)
            SHAP values, which must be finite.
        base_values : ndarray, shape (n, K)
        names, output_names : list of str, optional
            Of the F features and K outputs; the same for every batch.
        groups : pyarrow.Array of n values
            The column `group`; ignored where none is wanted.
        interactions : tuple of ndarray, (P, 2) and (n, P, K)
            Pairs of features and their SHAP interaction values; ignored where none are wanted.

        Raises
        ------
        InvalidInputError
            If the batch does not fit those before it, a value is not finite, or rows cannot be
            grouped. Nothing has been added then.
        """
        if self.group is None:
            groups = None
        elif groups is None:
            raise InvalidInputError(f"the values of {self.group!r} are needed to group by")
        if not self.wants_interactions:
            interactions = None
        elif interactions is None:
            raise InvalidInputError("interaction values are needed to add them up")
        batch = Sums.of(values, base_values, names, output_names, groups, interactions)
        if self.wants_histograms:
            batch.histograms = Histograms(batch.shape[0] * batch.shape[1])
        if self._sums is None:
            self._sums = batch
        else:
            self._sums.check(batch)
            self._sums.merge(batch)
        if self._sums.histograms is not None:
            self._sums.histograms.add(flattened(values))

    def merge(self, other: Aggregates) -> None:
        """Add the rows of another part, which stays as it is.

        Raises
        ------
        InvalidInputError
            If it has other settings, or is of another model's values. Nothing has been added then.
        """
        if not isinstance(other, Aggregates):
            raise InvalidInputError(f"expected Aggregates, got {type(other).__name__}")
        if self.settings != other.settings:
            raise InvalidInputError(
                f"only aggregates of the same settings can be merged: {self.settings} here, "
                f"{other.settings} there"
            )
        if self._sums is None or other._sums is None:
            self._sums = self._sums or copy.deepcopy(other._sums)
        else:
            self._sums.check(other._sums)
            self._sums.merge(other._sums)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Aggregates:
        """Read what `save` wrote.

        Raises
        ------
        InvalidInputError
            If the file is damaged, of another kind, or of a newer version.
        """
        from leafshap.batch.aggregates.files import read

        return read(path)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a .npz file without pickles, which takes its name when it is whole."""
        from leafshap.batch.aggregates.files import write

        write(path, self)

    @property
    def n_rows(self) -> int:
        """Rows added so far."""
        return 0 if self._sums is None else self._sums.totals.n_rows

    @property
    def feature_names(self) -> list[str] | None:
        """Of the F features; None without names, or before the first batch."""
        return None if self._sums is None else self._sums.feature_names

    @property
    def output_names(self) -> list[str] | None:
        """Of the K outputs; None without names, or before the first batch."""
        return None if self._sums is None else self._sums.output_names

    @property
    def mean_abs(self) -> Floats:
        """Mean |phi|, shape (F,), or (F, K) with several outputs."""
        return self._shaped(self._filled.totals.sums_abs / self.n_rows)

    @property
    def mean(self) -> Floats:
        """Mean phi, shape (F,), or (F, K)."""
        return self._shaped(self._filled.totals.sums / self.n_rows)

    @property
    def standard_deviation(self) -> Floats:
        """Of the n values themselves (divided by n, as numpy's), shape (F,), or (F, K)."""
        return self._shaped(np.sqrt(self._filled.totals.squares / self.n_rows))

    @property
    def minimum(self) -> Floats:
        """Smallest phi, shape (F,), or (F, K)."""
        return self._shaped(self._filled.totals.minimum.copy())

    @property
    def maximum(self) -> Floats:
        """Largest phi, shape (F,), or (F, K)."""
        return self._shaped(self._filled.totals.maximum.copy())

    @property
    def expected_value(self) -> float | Floats:
        """Mean base value, with several outputs an array of shape (K,)."""
        mean = self._filled.totals.base_sums / self.n_rows
        return float(mean[0]) if len(mean) == 1 else mean

    @property
    def groups(self) -> dict[Any, GroupAggregates]:
        """Means by group, in the order of the groups' values, null (None) last."""
        sums = self._filled.groups
        if sums is None:
            raise InvalidInputError('no groups were added up: make Aggregates(group="column")')
        return {
            value: GroupAggregates(
                int(sums.counts[at]),
                self._shaped(sums.sums_abs[at] / sums.counts[at]),
                self._shaped(sums.sums[at] / sums.counts[at]),
            )
            for value, at in zip(*sums.ordered(), strict=True)
        }

    @property
    def interactions(self) -> InteractionSummary:
        """Mean |phi_ij|, as of `TreeExplainer.mean_abs_interactions`."""
        pairs = self._filled.pairs
        if pairs is None:
            raise InvalidInputError(
                "no interactions were added up: make Aggregates(interactions=True)"
            )
        return pairs.summary(self.n_rows, self.feature_names, self.output_names)

    def quantile(self, q: float) -> Floats:
        """Value that a share q of the rows does not exceed.

        Parameters
        ----------
        q : float
            From 0 (the minimum, exact) to 1 (the maximum, exact).

        Returns
        -------
        ndarray, shape (F,), or (F, K)
            Within 1/64 of the size of the data's own value at that rank
            (``numpy.quantile(..., method="inverted_cdf")``); sizes below 2.3e-308 count as zero.

        Raises
        ------
        InvalidInputError
            If q is out of range, or there are no histograms.
        """
        share = _checked_share(q)
        counts, totals = self._counts, self._filled.totals
        found = counts.quantile(share, totals.n_rows, totals.minimum, totals.maximum)
        return self._shaped(found)

    def histogram(
        self, feature: str | int, bins: int | npt.ArrayLike = 20, output: str | int | None = None
    ) -> tuple[npt.NDArray[np.int64], Floats]:
        """Count the SHAP values of a feature between edges.

        Parameters
        ----------
        feature : str or int
        bins : int or array of rising numbers, default 20
            About how many, with edges at round numbers (at most one more); or the edges.
        output : str or int, optional
            Needed where there are several.

        Returns
        -------
        counts : ndarray of int64, shape (B,)
        edges : ndarray of float64, shape (B + 1,)

        Raises
        ------
        InvalidInputError, IndexError
            If there is no such feature or output, an argument does not hold, or there are no
            histograms.

        Notes
        -----
        As numpy.histogram counts them, but that values no farther from an edge than 1/32 of its
        size may be on its wrong side: they are shared out evenly. Zeros never are.
        """
        counts, totals = self._counts, self._filled.totals
        column = self._column(feature, output)
        low, high = float(totals.minimum[column]), float(totals.maximum[column])
        if np.ndim(bins):
            edges = np.array(bins, dtype=np.float64)
            rising = edges.ndim == 1 and len(edges) > 1 and bool((np.diff(edges) > 0).all())
            if not rising or not np.isfinite(edges).all():
                raise InvalidInputError("edges of bins must be two or more rising finite numbers")
        else:
            edges = round_edges(low, high, at_least(1, bins, "bins"))
        return counts.column(column, edges, low, high), edges

    def to_arrow(self, by_group: bool | None = None) -> pa.Table:
        """Return a pyarrow Table of one row per feature, or feature and output.

        Parameters
        ----------
        by_group : bool, optional
            One row per group and feature, with the columns group, feature, (output,) n_rows,
            mean_abs and mean; False: of all rows together, which also has standard_deviation, min
            and max, and with histograms quantile_05, median and quantile_95. Default: by group
            where there are groups.

        Raises
        ------
        InvalidInputError
            If there are no rows, or no groups.
        MissingDependencyError
            If pyarrow is not installed.
        """
        from leafshap.batch.aggregates.tables import table

        return table(self, by_group).to_arrow()

    def to_pandas(self, by_group: bool | None = None) -> pd.DataFrame:
        """Return the table of `to_arrow` as a DataFrame.

        Raises
        ------
        InvalidInputError
            If there are no rows, or no groups.
        MissingDependencyError
            If pandas is not installed.
        """
        from leafshap.batch.aggregates.tables import table

        return table(self, by_group).to_pandas()

    def __repr__(self) -> str:
        if not self.n_rows:
            return "<Aggregates: no rows>"
        size = self.mean_abs.reshape(self._filled.shape[0], -1).sum(axis=1)
        names = self.feature_names or made_up_names("feature", len(size))
        largest = np.argsort(-size, kind="stable")
        shown = ", ".join(f"{names[j]} {size[j]:.4g}" for j in largest[:_SHOWN])
        more = ", ..." if len(size) > _SHOWN else ""
        rows = f"{self.n_rows:,} row{'s' if self.n_rows > 1 else ''}"
        return f"<Aggregates: {rows}; mean |phi|: {shown}{more}>"

    @property
    def _filled(self) -> Sums:
        if self._sums is None or not self._sums.totals.n_rows:
            raise InvalidInputError("there are no rows: nothing has been added yet")
        return self._sums

    @property
    def _counts(self) -> Histograms:
        counts = self._filled.histograms
        if counts is None:
            raise InvalidInputError("no histograms were made: make Aggregates(histograms=True)")
        return counts

    def _shaped(self, flat: Floats) -> Floats:
        """Give C columns their axis of outputs, if there are several."""
        n_features, n_outputs = self._filled.shape
        return flat.reshape((n_features, n_outputs) if n_outputs > 1 else (n_features,))

    def _column(self, feature: str | int, output: str | int | None) -> int:
        n_features, n_outputs = self._filled.shape
        names = self.feature_names or made_up_names("feature", n_features)
        outputs = self.output_names or made_up_names("output", n_outputs)
        if output is None and n_outputs > 1:
            raise InvalidInputError(f"say of which output: one of {', '.join(outputs)}")
        j = pick(feature, n_features, names, "features")
        k = 0 if output is None else pick(output, n_outputs, outputs, "outputs")
        if not isinstance(j, int) or not isinstance(k, int):
            raise InvalidInputError("one feature and one output at a time")
        return j * n_outputs + k


def _checked_share(q: Any) -> float:
    if isinstance(q, (int, float, np.floating)) and not isinstance(q, bool) and 0 <= q <= 1:
        return float(q)
    raise InvalidInputError(f"q must be a number from 0 to 1, got {q!r}")
