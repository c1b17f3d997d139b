"""All sums of one part of the data, checked against those of the part before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.batch.aggregates.groups import GroupSums
from leafshap.batch.aggregates.histograms import Histograms
from leafshap.batch.aggregates.interactions import InteractionSums
from leafshap.batch.aggregates.totals import Totals
from leafshap.errors import InvalidInputError
from leafshap.explanation.selection import made_up_names

if TYPE_CHECKING:
    import pyarrow as pa

Interactions = tuple[npt.NDArray[Any], npt.NDArray[Any]]


@dataclass(eq=False)
class Sums:
    """Sums over the rows of a part, for F features and K outputs; columns are feature by feature.

    Attributes
    ----------
    shape : (int, int)
        F and K.
    feature_names, output_names : list of str or None
    totals : Totals of C = F * K columns
    groups, pairs, histograms : optional
    """

    shape: tuple[int, int]
    feature_names: list[str] | None
    output_names: list[str] | None
    totals: Totals
    groups: GroupSums | None
    pairs: InteractionSums | None
    histograms: Histograms | None

    @classmethod
    def of(
        cls,
        values: npt.NDArray[Any],
        base_values: npt.NDArray[Any],
        feature_names: list[str] | None,
        output_names: list[str] | None,
        groups: pa.Array | None,
        interactions: Interactions | None,
    ) -> Sums:
        """Add up a batch: values (n, F, K), base values (n, K).

        Raises
        ------
        InvalidInputError
            If a shape differs, a value is not finite, or rows cannot be grouped.
        """
        if values.ndim != 3 or base_values.shape != (len(values), values.shape[2]):
            raise InvalidInputError(
                "expected values of shape (n, F, K) and base values of shape (n, K), got "
                f"{values.shape} and {base_values.shape}"
            )
        n, n_features, n_outputs = values.shape
        for what, names, number in (
            ("feature", feature_names, n_features),
            ("output", output_names, n_outputs),
        ):
            if names is not None and len(names) != number:
                raise InvalidInputError(f"{len(names)} {what} names for {number} {what}s")
        if groups is not None and len(groups) != n:
            raise InvalidInputError(f"{len(groups)} values to group {n} rows by")
        flat = flattened(values)
        sums = cls(
            (n_features, n_outputs),
            None if feature_names is None else list(feature_names),
            None if output_names is None else list(output_names),
            Totals.of(flat, base_values),
            None,
            None,
            None,
        )
        sums._check_finite(flat)
        if groups is not None:
            sums.groups = GroupSums.of(groups, flat)
        if interactions is not None:
            sums.pairs = InteractionSums.of(*interactions, values)
        return sums

    def check(self, other: Sums) -> None:
        """Refuse to merge sums of another model's values, or of other groups.

        Raises
        ------
        InvalidInputError
        """
        if self.shape != other.shape:
            raise InvalidInputError(
                "SHAP values of {} features and {} outputs cannot be added to those of {} and "
                "{}".format(*other.shape, *self.shape)
            )
        for what in ("feature_names", "output_names"):
            mine, others = getattr(self, what), getattr(other, what)
            if mine != others:
                raise InvalidInputError(f"{what} differ: {_difference(mine, others)}")
        if self.groups is not None and other.groups is not None:
            self.groups.check(other.groups)
        if self.pairs is not None and other.pairs is not None:
            self.pairs.check(other.pairs)

    def merge(self, other: Sums) -> None:
        """Add the rows of another part that `check` accepts."""
        self.totals.merge(other.totals)
        if self.groups is not None and other.groups is not None:
            self.groups.merge(other.groups)
        if self.pairs is not None and other.pairs is not None:
            self.pairs.merge(other.pairs)
        if self.histograms is not None and other.histograms is not None:
            self.histograms.merge(other.histograms)

    def _check_finite(self, flat: npt.NDArray[Any]) -> None:
        totals = self.totals
        if not totals.n_rows:
            return
        finite = np.isfinite(totals.minimum) & np.isfinite(totals.maximum)
        if not finite.all():
            column = int(np.flatnonzero(~finite)[0])
            row = int(np.flatnonzero(~np.isfinite(flat[:, column]))[0])
            names = self.feature_names or made_up_names("feature", self.shape[0])
            raise InvalidInputError(
                f"SHAP values must be finite: row {row} of the batch has {flat[row, column]} for "
                f"{names[column // self.shape[1]]!r}"
            )
        if not np.isfinite(totals.base_sums).all():
            raise InvalidInputError("base values must be finite")


def flattened(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Values (n, F, K) with one axis of features and outputs."""
    return values.reshape(len(values), values.shape[1] * values.shape[2])


def _difference(mine: list[str] | None, others: list[str] | None) -> str:
    if mine is None or others is None:
        return f"{mine} before, {others} now"
    i = next(i for i, (a, b) in enumerate(zip(mine, others, strict=True)) if a != b)
    return f"number {i} was {mine[i]!r}, and now is {others[i]!r}"
