"""Feature attribution drift: whether the ranking of the features has changed, and which moved.

The measure is the normalised discounted cumulative gain (nDCG) of Jarvelin and Kekalainen (2002),
"Cumulated gain-based evaluation of IR techniques". Features are ranked by their importance a' now,
and gain what they were worth then, a:

    DCG = sum over ranks i = 1, 2, ... of a(f'_i) / log2(i + 1)
    nDCG = DCG / (the same, ranked by a)

as Amazon SageMaker Clarify does it, with its threshold of 0.9. Importance is mean ``|phi|`` over
the rows. Equal importances now share the mean gain of their ranks (McSherry and Najork 2008), so
that the order of the columns does not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError
from leafshap.explanation.explanation import Explanation
from leafshap.explanation.reductions import mean_abs, row_blocks
from leafshap.explanation.selection import axis_names, positions
from leafshap.explanation.tables import Table, import_pandas, text_table
from leafshap.integers import at_least

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
_SHOWN = 10
_ROUNDING = 1e-13
_ROUNDING_FLOAT32 = 2e-7


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Drift:
    """Two explanations of the same features compared.

    Attributes
    ----------
    ndcg : float
        Above 0, at most 1: how well the ranking of the features now orders what they were worth
        then. 0 if there are no importances now or then, where the others have some.
    threshold : float
        Drift is an `ndcg` below it.
    table : Table
        One line for each feature, by falling size of the change of importance:

        * "feature"
        * "importance", "reference_importance": mean ``|phi|`` now and then, with several outputs
          summed over them
        * "change": of importance
        * "mean_shift": change of mean phi, in standard deviations that phi had then; of several
          outputs the one with the largest; infinite if phi did not vary then
        * "rank", "reference_rank": by importance, from 1, equal ones share the mean rank
        * "rank_change": negative if the feature has come up
    """

    ndcg: float
    threshold: float
    table: Table

    @property
    def drifted(self) -> bool:
        """Whether the nDCG is below the threshold."""
        return self.ndcg < self.threshold

    def to_pandas(self) -> pd.DataFrame:
        """Return the table as a DataFrame indexed by feature."""
        import_pandas()
        return self.table.to_pandas().set_index("feature")

    def _title(self) -> str:
        verdict = "drifted" if self.drifted else "no drift"
        return f"{verdict}: nDCG {self.ndcg:.4f}, threshold {self.threshold:g}"

    def __repr__(self) -> str:
        return f"<Drift: {self._title()}>\n{text_table(list(self.table.columns.items()), _SHOWN)}"

    def _repr_html_(self) -> str:
        from leafshap.explanation.html import table_html

        columns = list(self.table.columns.items())
        return table_html(columns, [list(self.table).index("change")], self._title())


def compare(live: Explanation, reference: Explanation, threshold: float, top: int | None) -> Drift:
    """See `Explanation.drift`."""
    cutoff = None if top is None else at_least(1, top, "top")
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float, np.number)):
        raise InvalidInputError(f"threshold must be a number, got {threshold!r}")
    if not 0 <= threshold <= 1:
        raise InvalidInputError(f"threshold must be between 0 and 1, got {threshold!r}")
    if not isinstance(reference, Explanation):
        raise InvalidInputError(
            f"the reference must be a leafshap.Explanation, got {type(reference)}"
        )
    names, own = _numbers(live, "this explanation")
    _, theirs = _numbers(reference, "the reference")
    order = _matching(live, reference)
    if own.means.shape != theirs.means.shape:
        raise InvalidInputError("the two explanations do not have the same outputs")
    now, then = own.importance, theirs.importance[order]
    apart, deviations = own.means - theirs.means[order], theirs.deviations[order]
    single = any(e.values.dtype == np.float32 for e in (live, reference))
    rounding = _ROUNDING_FLOAT32 if single else _ROUNDING
    rounding = rounding * np.maximum(np.abs(own.means), np.abs(theirs.means[order]))
    apart[np.abs(apart) <= rounding] = 0  # of values that do not vary
    deviations[deviations <= rounding] = 0
    with np.errstate(divide="ignore", invalid="ignore"):
        shifts = np.where(apart == 0, 0.0, apart / deviations)
    largest = np.abs(shifts).argmax(axis=1)
    change = now - then
    by_size = np.argsort(-np.abs(change), kind="stable")
    rank, rank_then = mean_ranks(now), mean_ranks(then)
    columns: dict[str, npt.NDArray[Any]] = {
        "feature": np.array(names, dtype=object),
        "importance": now,
        "reference_importance": then,
        "change": change,
        "mean_shift": shifts[np.arange(len(shifts)), largest],
        "rank": rank,
        "reference_rank": rank_then,
        "rank_change": rank - rank_then,
    }
    return Drift(
        ndcg=ndcg(then, now, cutoff),
        threshold=float(threshold),
        table=Table({name: column[by_size] for name, column in columns.items()}),
    )


def ndcg(gains: Floats, scores: Floats, top: int | None = None) -> float:
    """NDCG of the ranking by falling `scores`, both of shape (F,) and not negative.

    Where all are zero, there is no ranking: 1 if that is so of gains and scores, else 0.
    """
    if not gains.any() or not scores.any():
        return float(gains.any() == scores.any())
    discount = 1 / np.log2(np.arange(len(gains)) + 2)
    if top is not None:
        discount[top:] = 0
    order = np.argsort(-scores, kind="stable")
    _, tie, sizes = np.unique(-scores[order], return_inverse=True, return_counts=True)
    tie = tie.reshape(-1)
    mean_gain = np.bincount(tie, weights=gains[order]) / sizes
    best = np.sort(gains)[::-1]
    return min(1.0, float((discount * mean_gain[tie]).sum() / (discount * best).sum()))


def mean_ranks(values: Floats) -> Floats:
    """Rank by falling size, from 1; equal ones share the mean rank."""
    _, place, ties = np.unique(-values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(ties) - (ties - 1) / 2)[place.reshape(-1)])


@dataclass(frozen=True)
class _Numbers:
    importance: Floats  # (F,)
    means: Floats  # (F, K)
    deviations: Floats


def _numbers(explanation: Explanation, what: str) -> tuple[list[str], _Numbers]:
    axes, values = explanation.axes, explanation.values
    if axes not in (("rows", "features"), ("rows", "features", "outputs")):
        raise InvalidInputError(f"{what} needs several rows and one feature axis, it has {axes}")
    if not values.size:
        raise InvalidInputError(f"{what} has no values: its shape is {values.shape}")
    if values.ndim == 2:
        values = values[:, :, np.newaxis]
    n = len(values)
    names = axis_names(explanation, 1) or []
    with np.errstate(over="ignore", invalid="ignore"):  # looked at below
        means: Floats = np.reshape(explanation.mean(0).values, values.shape[1:]).astype(np.float64)
        squares = np.zeros(values.shape[1:])
        for rows in row_blocks(n, means.size):
            squares += np.square(values[rows] - means).sum(axis=0)
        found = _Numbers(mean_abs(values).sum(axis=1), means, np.sqrt(squares / n))
    finite = np.isfinite(found.importance) & np.isfinite(squares).all(axis=1)
    if not finite.all():
        j = int(np.flatnonzero(~finite)[0])
        n_wrong = int((~np.isfinite(values[:, j]).all(axis=1)).sum())
        raise InvalidInputError(
            f"{what} has no importances: values of feature {names[j]!r} are NaN or infinite in "
            f"{n_wrong} of {n} rows"
            if n_wrong
            else f"{what} has no importances: values of feature {names[j]!r} are too large to be "
            "added up"
        )
    return names, found


def _matching(live: Explanation, reference: Explanation) -> npt.NDArray[np.integer[Any]]:
    """For every feature of this explanation, its position in the reference."""
    ours, theirs = axis_names(live, 1) or [], axis_names(reference, 1) or []
    if sorted(ours) != sorted(theirs):
        missing = [repr(n) for n in ours if n not in set(theirs)][:5]
        added = [repr(n) for n in theirs if n not in set(ours)][:5]
        raise InvalidInputError(
            f"the features differ: {len(ours)} here, {len(theirs)} in the reference; only here: "
            f"{', '.join(missing) or 'none'}; only there: {', '.join(added) or 'none'}"
        )
    if live.axes[-1] == "outputs" and reference.axes[-1] == "outputs":
        outputs = axis_names(live, 2), axis_names(reference, 2)
        if outputs[0] != outputs[1]:
            raise InvalidInputError(f"the outputs differ: {outputs[0]} and {outputs[1]}")
    return np.arange(len(ours)) if ours == theirs else positions(ours, theirs)
