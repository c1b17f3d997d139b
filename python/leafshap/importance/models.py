"""What permutation_importance is given as a model, and what it can do with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from leafshap.ensemble import TreeEnsemble
from leafshap.errors import InvalidInputError, UnsupportedModelError
from leafshap.importance.estimators import predictor_of, predictor_of_link
from leafshap.importance.predictions import Predictor
from leafshap.importance.scorers import Scoring, read_scoring
from leafshap.importance.stand_in import estimator_of_kind


@dataclass(frozen=True)
class Model:
    """A model to be scored.

    Attributes
    ----------
    estimator : object
        What scorers are given, or what a stand-in imitates.
    ensemble : TreeEnsemble or None
        Its trees.
    predictor : Predictor or None
        From the trees' margins to its predictions; None where that is not known.
    callable : bool
        Whether the estimator itself predicts; not so for Boosters and files.
    why : str
        Why there is no predictor.
    """

    estimator: Any
    ensemble: TreeEnsemble | None
    predictor: Predictor | None
    callable: bool
    why: str = ""

    def scoring(self, scoring: Any) -> Scoring:
        """Read `scoring` for this model.

        Raises
        ------
        InvalidInputError
            If it means nothing, or what only an estimator can do.
        """
        if self.callable:
            return read_scoring(self.estimator, scoring)
        if scoring is None:
            raise InvalidInputError(
                "this model has no score of its own: say which one is meant, for example "
                'scoring="r2" or scoring="roc_auc"'
            )
        found = read_scoring(self.estimator, scoring)
        for scorer in found.scorers:
            if not scorer.plain:
                raise InvalidInputError(
                    f"the scorer {scorer.call!r} needs an estimator to call: name a scorer, or "
                    "pass the model's scikit-learn wrapper"
                )
        return found


def read_model(model: Any) -> Model:
    """Convert a model, or find out that it must be called.

    Raises
    ------
    InvalidInputError
        If it is a class.
    UnsupportedModelError
        If it is neither a supported tree model nor has a `predict`.
    InvalidModelError
        If it is damaged or not fitted.
    """
    if isinstance(model, type):
        raise InvalidInputError(
            f"estimator is the class {model.__name__}: pass a fitted instance, "
            f"{model.__name__}(...).fit(X, y)"
        )
    try:
        ensemble = TreeEnsemble.from_model(model)
    except UnsupportedModelError as error:
        if not hasattr(model, "predict"):
            raise
        return Model(model, None, None, True, str(error))
    if hasattr(model, "fit"):
        predictor = predictor_of(model, ensemble)
        why = "" if predictor else f"its predictions ({_described(ensemble)}) are not known"
        return Model(model, ensemble, predictor, True, why)
    predictor = predictor_of_link(ensemble)
    if predictor is None:
        raise UnsupportedModelError(
            f"cannot tell what a model with {_described(ensemble)} predicts: pass its scikit-learn "
            "wrapper"
        )
    estimator = estimator_of_kind(predictor.kind, predictor.classes)
    return Model(estimator, ensemble, predictor, False)


def _described(ensemble: TreeEnsemble) -> str:
    return f"the link {ensemble.link!r} and {ensemble.n_outputs} outputs"
