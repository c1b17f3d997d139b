"""What `scoring` means: scorers by name, and whether they need more than predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leafshap.errors import InvalidInputError, MissingDependencyError
from leafshap.importance.losses import METRICS


@dataclass(frozen=True)
class Scorer:
    """One score.

    Attributes
    ----------
    name : str
        Key of the result; empty for an only scorer.
    metric : str or None
        Name of the score as scikit-learn calls it, where it is known.
    call : callable or None
        ``scorer(estimator, X, y, [sample_weight=])``; None without scikit-learn.
    plain : bool
        Whether it asks the estimator for predictions of X only, and X for nothing.
    """

    name: str
    metric: str | None
    call: Any
    plain: bool

    def score(self, estimator: Any, X: Any, y: Any, weights: Any) -> Any:
        """Score as scikit-learn does: a float, or a dict of them from a callable.

        Raises
        ------
        InvalidInputError
            If the scorer returns anything else.
        """
        options = {} if weights is None else {"sample_weight": weights}
        found = self.call(estimator, X, y, **options)
        if isinstance(found, dict):
            return {name: self._number(value) for name, value in found.items()}
        return self._number(found)

    def _number(self, found: Any) -> float:
        try:
            if isinstance(found, (str, bytes)):
                raise TypeError
            return float(found)
        except (TypeError, ValueError):
            name = self.name or self.metric or getattr(self.call, "__name__", repr(self.call))
            raise InvalidInputError(
                f"the scorer {name!r} returned {found!r}, which is not a number"
            ) from None

    def accepts_weights(self) -> bool:
        """Whether it takes sample weights, where it can tell."""
        accepts = getattr(self.call, "_accept_sample_weight", None)
        return True if accepts is None else bool(accepts())


@dataclass(frozen=True)
class Scoring:
    """Scorers, and whether the result is a dict of their names."""

    scorers: list[Scorer]
    several: bool

    @property
    def plain(self) -> bool:
        """Whether none needs more than predictions."""
        return all(scorer.plain for scorer in self.scorers)

    @property
    def any_plain(self) -> bool:
        """Whether some need no more."""
        return any(scorer.plain for scorer in self.scorers)


def read_scoring(estimator: Any, scoring: Any) -> Scoring:
    """Read `scoring` as `sklearn.inspection.permutation_importance` does.

    Raises
    ------
    InvalidInputError
        If it names no scorer, or is None and the estimator has no `score`.
    MissingDependencyError
        If it needs scikit-learn.
    """
    if isinstance(scoring, (list, tuple)):
        names = list(scoring)
        if not names or not all(isinstance(name, str) for name in names):
            raise InvalidInputError(
                "a list of scorers must be of names of scikit-learn's scorers, got "
                f"{scoring!r}; give others as a dict from names to scorers"
            )
        if len(set(names)) < len(names):
            raise InvalidInputError(f"a scorer is listed twice: {scoring!r}")
        return Scoring([_scorer(estimator, name, name) for name in names], True)
    if isinstance(scoring, Mapping):
        if not scoring or not all(isinstance(name, str) for name in scoring):
            raise InvalidInputError(f"scorers must be a dict from names to scorers, got {scoring}")
        return Scoring([_scorer(estimator, n, s) for n, s in scoring.items()], True)
    return Scoring([_scorer(estimator, "", scoring)], False)


def _scorer(estimator: Any, name: str, scoring: Any) -> Scorer:
    if scoring is None:
        return _own_score(estimator, name)
    if isinstance(scoring, str):
        return Scorer(name, scoring, _named(scoring), True)
    if not callable(scoring):
        raise InvalidInputError(
            "scoring must be None, the name of a scorer, a callable, or a list or dict of them, "
            f"got {scoring!r}"
        )
    plain = _is_plain(scoring)
    if not plain:
        _refuse_metric(scoring)
    return Scorer(name, None, scoring, plain)


def _named(name: str) -> Any:
    try:
        from sklearn.metrics import get_scorer, get_scorer_names
    except ImportError as error:
        if name in METRICS:
            return None
        raise MissingDependencyError(
            f'scoring="{name}" needs scikit-learn: pip install "leafshap[sklearn]"; without it '
            f"there are {', '.join(METRICS)}"
        ) from error
    try:
        return get_scorer(name)
    except (ValueError, KeyError) as error:
        raise InvalidInputError(
            f"unknown scoring {name!r}: expected one of {', '.join(sorted(get_scorer_names()))}"
        ) from error


def _own_score(estimator: Any, name: str) -> Scorer:
    """Find what `estimator.score` computes: scikit-learn's scores are known, any other is called.

    Raises
    ------
    InvalidInputError
        If there is none.
    """
    method = getattr(estimator, "score", None)
    if method is None:
        raise InvalidInputError(
            f"{type(estimator).__name__} has no score of its own: say by scoring= which one is "
            "meant, by its name in scikit-learn or as a callable scorer(estimator, X, y)"
        )
    try:
        from sklearn.base import ClassifierMixin, RegressorMixin
        from sklearn.pipeline import Pipeline
    except ImportError:
        pass
    else:
        if type(estimator) is Pipeline:  # its score is that of its last step
            method = estimator.steps[-1][1].score
        function = getattr(method, "__func__", None)
        if function is RegressorMixin.score:
            return Scorer(name, "r2", _named("r2"), True)
        if function is ClassifierMixin.score:
            return Scorer(name, "accuracy", _named("accuracy"), True)
    return Scorer(name, None, _OwnScore(), False)


class _OwnScore:
    """Calls the estimator's own score."""

    def __call__(self, estimator: Any, X: Any, y: Any, **weights: Any) -> Any:
        return estimator.score(X, y, **weights)


def _is_plain(scorer: Any) -> bool:
    """Whether a scorer is made by scikit-learn itself of a function of (y, predictions)."""
    return type(scorer).__module__.startswith("sklearn.metrics.") and hasattr(scorer, "_score_func")


def _refuse_metric(scoring: Any) -> None:
    """Refuse a function of (y, predictions) where one of (estimator, X, y) is meant."""
    module = getattr(scoring, "__module__", None) or ""
    wrapped = type(scoring).__module__.startswith("sklearn.metrics.")
    if module.startswith("sklearn.metrics.") and not wrapped and "_scorer" not in module:
        name = getattr(scoring, "__name__", repr(scoring))
        raise InvalidInputError(
            f"{name} is a metric, not a scorer: pass sklearn.metrics.make_scorer({name}), or a "
            "scorer's name"
        )
