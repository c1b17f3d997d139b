"""Scores of many predictions of the same rows: checked once, then quick."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError
from leafshap.importance.losses import Score, make_score
from leafshap.importance.predictions import Predictor, Responses
from leafshap.importance.scorers import Scorer
from leafshap.importance.stand_in import StandIn, stand_in_for

Floats = npt.NDArray[np.float64]

# scikit-learn computes in float32 where labels and predictions are
_RELATIVE, _ABSOLUTE = 1e-5, 1e-8


class Evaluation:
    """Scores by predictions alone, for fixed labels and weights.

    Parameters
    ----------
    scorers : sequence of Scorer
        Plain ones.
    estimator : object
        Whose predictions `predictor` makes.
    predictor : Predictor
    y : array-like, shape (n,)
    weights : ndarray, shape (n,), or None
    margins : ndarray, shape (n, K)
        Of the rows as they are. Each scorer is called once with their predictions: what it refuses
        is refused here, and a score that it computes otherwise than `losses` is left to it.
    several : bool
        Whether scorers that take no weights do without, as in scikit-learn.
    """

    def __init__(
        self,
        scorers: Sequence[Scorer],
        estimator: Any,
        predictor: Predictor,
        y: Any,
        weights: Floats | None,
        margins: Floats,
        several: bool,
    ) -> None:
        self._estimator, self._predictor, self._y = estimator, predictor, y
        responses = Responses(predictor, margins)
        stand_in = stand_in_for(estimator, responses.of)
        self._scores: list[Callable[[Responses, StandIn], float]] = []
        self.names = [scorer.name for scorer in scorers]
        self.quick: list[Score | None] = []
        for scorer in scorers:
            score = make_score(scorer.metric, predictor, y, weights)
            drop = several and weights is not None and not scorer.accepts_weights()
            called = self._calling(scorer, None if drop else weights)
            if scorer.call is None:
                if score is None:
                    raise InvalidInputError(
                        f'scoring="{scorer.metric}" does not fit the labels or the model '
                        f"({predictor.kind})"
                    )
            else:
                reference = called(responses, stand_in)
                if score is not None and not _same(score, responses, reference):
                    score = None
            self.quick.append(score)
            self._scores.append(called if score is None else self._quick(score, called, scorer))

    def __call__(self, margins: Floats) -> list[float]:
        """Score by margins of the same rows, shape (n, K)."""
        responses = Responses(self._predictor, margins)
        stand_in = stand_in_for(self._estimator, responses.of)
        return [score(responses, stand_in) for score in self._scores]

    def _calling(
        self, scorer: Scorer, weights: Floats | None
    ) -> Callable[[Responses, StandIn], float]:
        def call(responses: Responses, stand_in: StandIn) -> float:
            return float(scorer.score(stand_in, None, self._y, weights))

        return call

    @staticmethod
    def _quick(
        score: Score, called: Callable[[Responses, StandIn], float], scorer: Scorer
    ) -> Callable[[Responses, StandIn], float]:
        def compute(responses: Responses, stand_in: StandIn) -> float:
            value = score(responses)
            if math.isfinite(value) or scorer.call is None:
                return value
            return called(responses, stand_in)  # it knows what to say about infinite predictions

        return compute


def _same(score: Score, responses: Responses, reference: float) -> bool:
    with np.errstate(all="ignore"):
        value = score(responses)
    return bool(np.isclose(value, reference, rtol=_RELATIVE, atol=_ABSOLUTE))
