"""Any estimator: permuted copies of the rows are made, and predicted in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.coalitions.batches import Limits
from leafshap.errors import InvalidInputError, MissingDependencyError
from leafshap.importance.scorers import Scorer
from leafshap.importance.shuffles import Shuffles
from leafshap.importance.stand_in import stand_in_for
from leafshap.inputs import container_of, take_rows

_MEMORY = 64 << 20  # of rows in one call

Columns = npt.NDArray[np.int64]
Scores = list[dict[str, float]]


class EstimatorRows:
    """Rows as an estimator gets them: a DataFrame, or a matrix of anything else.

    Parameters
    ----------
    X : DataFrame or array-like, shape (n, F)

    Raises
    ------
    InvalidInputError
        If it is sparse, has another number of dimensions, or no columns.
    """

    def __init__(self, X: Any) -> None:
        kind = container_of(X)
        if kind == "sparse":
            raise InvalidInputError(
                "X is sparse, whose columns cannot be shuffled for this estimator (nor by "
                "scikit-learn): pass X.toarray()"
            )
        if kind == "pandas" and hasattr(X, "columns"):
            self.rows: Any = X
            row_bytes = X.memory_usage(index=False).sum() / max(1, len(X))
        else:
            self.rows = np.asarray(X)
            row_bytes = self.rows.nbytes / max(1, len(self.rows) if self.rows.ndim else 1)
        if self.rows.ndim != 2:
            raise InvalidInputError(
                f"X must have 2 dimensions (rows, features), it has {self.rows.ndim}"
            )
        self.shape: tuple[int, int] = self.rows.shape
        self._row_bytes = float(row_bytes)

    def copies_at_once(self, n_rows: int) -> int:
        """How many permuted copies of so many rows one call may have."""
        return max(1, Limits(memory=_MEMORY).rows_of(self._row_bytes) // max(1, n_rows))


def importances(
    estimator: Any,
    rows: EstimatorRows,
    y: Any,
    weights: npt.NDArray[np.float64] | None,
    scorers: Sequence[Scorer],
    players: Sequence[Columns],
    shuffles: Shuffles,
    n_jobs: int | None,
    several: bool,
    tick: Callable[[int], None],
) -> dict[str, npt.NDArray[np.float64]]:
    """Compute importances by scorer, shape (players, R).

    Scorers that need predictions only share them, and copies are stacked into calls of bounded size
    (of scikit-learn's estimators, every one predicts row by row); any other scorer gets the
    estimator and one permuted copy after the other.
    """
    baseline = _scores(estimator, rows.rows, y, weights, scorers, several, [None])[0]
    X = rows.rows
    if shuffles.rows is not None:
        X, y = take_rows(X, shuffles.rows), None if y is None else take_rows(y, shuffles.rows)
        weights = None if weights is None else weights[shuffles.rows]
    n_repeats, n = shuffles.sources.shape
    jobs = [(p, r) for p in range(len(players)) for r in range(n_repeats)]
    plain = all(scorer.plain for scorer in scorers)
    size = rows.copies_at_once(n) if plain else 1
    batches = [jobs[i : i + size] for i in range(0, len(jobs), size)]
    calls = [
        (estimator, X, y, weights, scorers, several,
         [(players[p], shuffles.sources[r]) for p, r in batch])
        for batch in batches
    ]  # fmt: skip
    found: Scores = []
    for scores in _in_parallel(calls, n_jobs):
        found += scores
        tick(n * len(scores))
    return {
        name: value - np.array([s[name] for s in found]).reshape(len(players), n_repeats)
        for name, value in baseline.items()
    }


def _in_parallel(calls: Sequence[tuple[Any, ...]], n_jobs: int | None) -> Iterator[Scores]:
    """Run `_scores` by joblib, in order; one by one where that can be."""
    try:
        from sklearn.utils.parallel import Parallel, delayed
    except ImportError:
        try:
            from joblib import Parallel, delayed
        except ImportError as error:
            if n_jobs not in (None, 1):
                raise MissingDependencyError(
                    f"n_jobs={n_jobs} needs joblib, which comes with scikit-learn: pip install "
                    '"leafshap[sklearn]"'
                ) from error
            yield from (_scores(*call) for call in calls)
            return
    if n_jobs == 1:
        yield from (_scores(*call) for call in calls)
        return
    try:
        parallel = Parallel(n_jobs=n_jobs, return_as="generator")
    except TypeError:  # joblib before 1.3
        parallel = Parallel(n_jobs=n_jobs)
    yield from parallel(delayed(_scores)(*call) for call in calls)


def _scores(
    estimator: Any,
    X: Any,
    y: Any,
    weights: npt.NDArray[np.float64] | None,
    scorers: Sequence[Scorer],
    several: bool,
    copies: Sequence[tuple[Columns, npt.NDArray[np.int64]] | None],
) -> Scores:
    """Scores of some copies of X, whose columns take values as the sources say; None: as it is."""
    shuffled = [copy for copy in copies if copy is not None]
    stacked = _stack(X, shuffled) if shuffled else X
    predictions = _Predictions(estimator, stacked)
    n, scores = len(X), []
    for i in range(len(copies)):
        stand_in = stand_in_for(estimator, predictions.of(slice(i * n, (i + 1) * n)))
        found: dict[str, float] = {}
        for scorer in scorers:
            used = weights
            if several and weights is not None and not scorer.accepts_weights():
                used = None
            value = scorer.score(stand_in if scorer.plain else estimator, stacked, y, used)
            if isinstance(value, dict):
                found.update(value)
            else:
                found[scorer.name] = value
        scores.append(found)
    return scores


class _Predictions:
    """An estimator's predictions of stacked copies, made when they are first asked for."""

    def __init__(self, estimator: Any, X: Any) -> None:
        self._estimator, self._X = estimator, X
        self._made: dict[str, Any] = {}

    def of(self, rows: slice) -> Callable[[str], Any]:
        """Answer for one copy."""

        def answer(method: str) -> Any:
            if method not in self._made:
                self._made[method] = getattr(self._estimator, method)(self._X)
            made = self._made[method]
            if isinstance(made, list):  # of several targets
                return [part[rows] for part in made]
            return made.iloc[rows] if hasattr(made, "iloc") else made[rows]

        return answer


def _stack(X: Any, copies: Sequence[tuple[Columns, npt.NDArray[np.int64]]]) -> Any:
    """Put copies of X one below the other, each with its columns shuffled."""
    n = len(X)
    if not hasattr(X, "iloc"):
        out = np.concatenate([X] * len(copies))
        for i, (columns, source) in enumerate(copies):
            out[i * n : (i + 1) * n, columns] = X[source[:, np.newaxis], columns]
        return out
    order = np.tile(np.arange(n), len(copies))
    out = X.copy() if len(copies) == 1 else X.take(order)
    for j in sorted({int(j) for columns, _ in copies for j in columns}):
        rows = order.copy()
        for i, (columns, source) in enumerate(copies):
            if j in columns:
                rows[i * n : (i + 1) * n] = source
        out.isetitem(j, X.iloc[:, j].array.take(rows))
    return out
