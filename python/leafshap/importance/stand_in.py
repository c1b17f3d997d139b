"""A stand-in for an estimator whose predictions are there already.

A scorer of scikit-learn made by name or by `make_scorer` asks its estimator for predictions of X
and nothing else, so it can be given this object, and any X.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

METHODS = ("predict", "predict_proba", "decision_function")

# what scorers read beside predictions: which kind of estimator it is, and its classes
_ATTRIBUTES = frozenset({"classes_", "n_classes_", "n_outputs_", "_estimator_type"})


def methods_of(estimator: Any) -> tuple[str, ...]:
    """Prediction methods that an estimator has."""
    return tuple(name for name in METHODS if hasattr(estimator, name))


class StandIn:
    """Answers with ready predictions, whatever rows it is given.

    Parameters
    ----------
    estimator : object
        The real one: tells which methods there are, of which kind it is, and its classes.
    answer : callable
        Given the name of a method, returns what it predicts; asked once for each name.
    """

    def __init__(self, estimator: Any, answer: Callable[[str], Any]) -> None:
        self._estimator = estimator
        self._answer = answer
        self._given: dict[str, Any] = {}
        for name in methods_of(estimator):
            setattr(self, name, self._method(name))

    def _method(self, name: str) -> Callable[[Any], Any]:
        def method(X: Any) -> Any:
            if name not in self._given:
                self._given[name] = self._answer(name)
            return self._given[name]

        method.__name__ = name  # scikit-learn chooses by it
        return method

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        if name in _ATTRIBUTES or name == "__sklearn_tags__":  # tags: since scikit-learn 1.6
            return getattr(self._estimator, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def stand_in_for(estimator: Any, answer: Callable[[str], Any]) -> StandIn:
    """Make a `StandIn` whose class is called as the estimator's, for errors of scorers."""
    return _class_called(type(estimator).__name__)(estimator, answer)


@lru_cache(maxsize=64)
def _class_called(name: str) -> type[StandIn]:
    return type(name, (StandIn,), {})


def estimator_of_kind(kind: str, classes: Any) -> Any:
    """Make an estimator that scorers take for a "regressor" or "classifier"; it predicts nothing.

    None without scikit-learn.
    """
    try:
        from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    except ImportError:
        return None

    class Regressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
        def predict(self, X: Any) -> Any:
            raise NotImplementedError

    class Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        def predict(self, X: Any) -> Any:
            raise NotImplementedError

        predict_proba = decision_function = predict

    if kind != "classifier":
        return Regressor()
    made = Classifier()
    made.classes_ = classes
    return made
