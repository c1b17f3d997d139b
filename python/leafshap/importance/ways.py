"""The ways to importances: shuffled trees, exact expectations, the estimator itself."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.coalitions.groups import Groups, Players, read_groups
from leafshap.coalitions.progress import Progress, progress_of
from leafshap.ensemble import TreeEnsemble
from leafshap.errors import InvalidInputError, UnsupportedModelError
from leafshap.importance import generic
from leafshap.importance.agreement import disagreement
from leafshap.importance.arguments import (
    check_method,
    check_rows,
    check_targets,
    read_jobs,
    read_repeats,
    read_sample_weight,
)
from leafshap.importance.evaluation import Evaluation
from leafshap.importance.exact import ExactTrees
from leafshap.importance.losses import EXACT_METRICS, RowScore, why_not_exact
from leafshap.importance.models import Model, read_model
from leafshap.importance.predictions import Predictor
from leafshap.importance.results import result_of
from leafshap.importance.sampled import ShuffledTrees
from leafshap.importance.scorers import Scorer, Scoring
from leafshap.importance.shuffles import Shuffles, draw_shuffles, read_max_samples
from leafshap.inputs import InputRows, container_of, take_rows

Floats = npt.NDArray[np.float64]
Importances = dict[str, Floats]
Tick = Callable[[int], None]


@dataclass(frozen=True)
class Data:
    """Rows and what belongs to them.

    Attributes
    ----------
    X : array, table or sparse matrix
        As the user gave it.
    rows : InputRows or None
        As the core reads it; None where only the estimator is called.
    n_rows : int
    y : array-like or None
    weights : ndarray, shape (n_rows,), or None
    players : Players
        Who is shuffled.
    """

    X: Any
    rows: InputRows | None
    n_rows: int
    y: Any
    weights: Floats | None
    players: Players

    @staticmethod
    def read(
        X: Any,
        y: Any,
        sample_weight: Any,
        groups: Groups,
        ensemble: TreeEnsemble | None,
        plain: bool,
    ) -> Data:
        """Read and check it, for the core if there is an ensemble.

        Raises
        ------
        InvalidInputError
        """
        labels = _labels(X)
        rows = None
        if ensemble is not None:
            rows = InputRows(X, ensemble.schema)
            if rows.single:
                raise InvalidInputError("X must have 2 dimensions (rows, features), it has 1")
            n_rows, n_columns = rows.n_rows, ensemble.n_features
            labels = labels or ensemble.feature_names
        else:
            n_rows, n_columns = generic.EstimatorRows(X).shape
        check_rows(n_rows, n_columns)
        check_targets(y, n_rows, plain)
        weights = read_sample_weight(sample_weight, n_rows)
        return Data(X, rows, n_rows, y, weights, read_groups(groups, labels, n_columns))

    def sample(self, shuffles: Shuffles) -> tuple[Any, Floats | None]:
        """Targets and weights of the rows that are shuffled."""
        if shuffles.rows is None:
            return self.y, self.weights
        weights = None if self.weights is None else self.weights[shuffles.rows]
        y = self.y if hasattr(self.y, "iloc") else np.asarray(self.y)
        return take_rows(y, shuffles.rows), weights


def importances(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    scoring: Any,
    n_repeats: int,
    n_jobs: int | None,
    random_state: Any,
    sample_weight: Any,
    max_samples: Any,
    groups: Groups,
    method: str,
    progress: Progress,
) -> Any:
    """Compute what `permutation_importance` returns; its arguments."""
    check_method(method)
    n_threads = read_jobs(n_jobs)
    model = read_model(estimator)
    scorers = model.scoring(scoring)
    if method == "exact":
        trees = _trees_of(model)
        data = Data.read(X, y, sample_weight, groups, trees.ensemble, plain=True)
        if read_max_samples(max_samples, data.n_rows) != data.n_rows:
            raise InvalidInputError('max_samples must be 1.0 with method="exact", which uses all')
        found = _exact(trees, scorers, data, n_threads, progress)
        return result_of(found, scorers.several, data.players.names)
    repeats = read_repeats(n_repeats)
    walked = _trees_of(model) if model.predictor is not None and scorers.any_plain else None
    ensemble = None if walked is None else walked.ensemble
    data = Data.read(X, y, sample_weight, groups, ensemble, scorers.plain)
    shuffles = draw_shuffles(random_state, data.n_rows, repeats, max_samples)
    found = _sampled(model, walked, scorers, data, shuffles, n_jobs, n_threads, progress)
    # a callable may have returned a dict
    return result_of(found, scorers.several or list(found) != [""], data.players.names)


def _labels(X: Any) -> list[Any] | None:
    """Labels of a table's columns."""
    kind = container_of(X)
    if kind not in ("pandas", "polars", "pyarrow") or not hasattr(X, "columns"):
        return None
    return list(X.column_names if kind == "pyarrow" else X.columns)


@dataclass(frozen=True)
class _Trees:
    """A model whose predictions follow from its trees."""

    estimator: Any
    ensemble: TreeEnsemble
    predictor: Predictor
    callable: bool

    def difference(self, rows: InputRows, margins: Floats) -> str | None:
        """Why the estimator's own predictions must be used after all."""
        if not self.callable:
            return None
        return disagreement(self.estimator, self.predictor, rows, margins)


def _trees_of(model: Model) -> _Trees:
    """Raise `UnsupportedModelError` for a model that can only be called."""
    if model.ensemble is None or model.predictor is None:
        raise UnsupportedModelError(f'method="exact" needs a converted tree model: {model.why}')
    return _Trees(model.estimator, model.ensemble, model.predictor, model.callable)


def _sampled(
    model: Model,
    trees: _Trees | None,
    scoring: Scoring,
    data: Data,
    shuffles: Shuffles,
    n_jobs: int | None,
    n_threads: int,
    progress: Progress,
) -> Importances:
    """By trees where scorers need predictions only, else by calling the estimator."""
    shuffled, called = None, scoring.scorers
    if trees is not None and data.rows is not None:
        players = data.players.of_column
        matrix = data.rows.whole()
        shuffled = ShuffledTrees(trees.ensemble, matrix, players, shuffles, n_threads)
        difference = trees.difference(data.rows, shuffled.margins)
        if difference is None:
            called = [scorer for scorer in called if not scorer.plain]
        else:
            shuffled = None
            warnings.warn(
                f"this {type(trees.estimator).__name__} does not predict what follows from its "
                f"trees ({difference}): it is called for every shuffled copy of X, which is slower",
                UserWarning,
                stacklevel=4,
            )
    n_ways = (shuffled is not None) + bool(called)
    total = n_ways * shuffles.sources.size * len(data.players)
    found: Importances = {}
    with progress_of(progress, total, "permutation importance") as tick:
        if trees is not None and shuffled is not None:
            scorers = [scorer for scorer in scoring.scorers if scorer.plain]
            found |= _by_trees(trees, shuffled, scorers, scoring.several, data, shuffles, tick)
        if called:
            found |= generic.importances(
                model.estimator, generic.EstimatorRows(data.X), data.y, data.weights, called,
                data.players.columns, shuffles, n_jobs, scoring.several, tick,
            )  # fmt: skip
    first = [scorer.name for scorer in scoring.scorers if scorer.name in found]
    return {name: found[name] for name in dict.fromkeys([*first, *found])}


def _by_trees(
    trees: _Trees,
    shuffled: ShuffledTrees,
    scorers: Sequence[Scorer],
    several: bool,
    data: Data,
    shuffles: Shuffles,
    tick: Tick,
) -> Importances:
    whole = Evaluation(
        scorers, trees.estimator, trees.predictor, data.y, data.weights, shuffled.margins, several
    )
    part = whole
    if shuffles.rows is not None:
        y, weights = data.sample(shuffles)
        part = Evaluation(
            scorers, trees.estimator, trees.predictor, y, weights, shuffled.unshuffled, several
        )
    baseline = whole(shuffled.margins)
    scores = shuffled.scores(part, tick)
    return {name: baseline[s] - scores[:, :, s] for s, name in enumerate(whole.names)}


def _exact(
    trees: _Trees, scoring: Scoring, data: Data, n_threads: int, progress: Progress
) -> Importances:
    """Compute expectations; refuse scores that have none before the work begins."""
    for scorer in scoring.scorers:
        if scorer.metric not in EXACT_METRICS:
            raise UnsupportedModelError(
                f'method="exact" cannot compute {scorer.metric or scorer.call!r}: '
                f"{why_not_exact(scorer.metric)}"
            )
    assert data.rows is not None
    exact = ExactTrees(trees.ensemble, data.rows.whole(), data.players.of_column, n_threads)
    difference = trees.difference(data.rows, exact.margins)
    if difference is not None:
        raise UnsupportedModelError(
            f'method="exact" needs a model whose predictions follow from its trees, but of this '
            f"{type(trees.estimator).__name__} {difference}"
        )
    evaluation = Evaluation(
        scoring.scorers, trees.estimator, trees.predictor, data.y, data.weights, exact.margins,
        scoring.several,
    )  # fmt: skip
    scores = []
    for scorer, score in zip(scoring.scorers, evaluation.quick, strict=True):
        if not isinstance(score, RowScore):
            raise InvalidInputError(
                f'method="exact" cannot compute {scorer.metric} for this y: it needs one finite '
                "target a row (numbers for a regressor, the model's classes for a classifier) "
                "and weights that are not negative"
            )
        scores.append(score)
    with progress_of(progress, data.n_rows * len(data.players), "permutation importance") as tick:
        found = exact.importances(trees.predictor, scores, tick)
    return {name: found[:, s : s + 1] for s, name in enumerate(evaluation.names)}
