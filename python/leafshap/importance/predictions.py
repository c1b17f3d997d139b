"""What an estimator's own methods return, from the raw margins of its trees.

Raw margins have the shape (n, K) for the library's own shapes, which `predict`, `predict_proba` and
`decision_function` give; ``values``, ``shares``, ``positive`` and ``labels`` take any leading axes.
How each library turns margins into predictions is read in its code (xgboost 3.4 sklearn.py,
lightgbm 4.7 sklearn.py, scikit-learn 1.9), and `leafshap.importance.agreement` compares what comes
out with the estimator itself before it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.explainers.outputs import Output, logistic_scale

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Transform = Callable[[Floats], Array]  # margins (..., K) to predictions (..., K)


class Predictor:
    """Predictions of one estimator; a method that it does not have raises NotImplementedError.

    Attributes
    ----------
    methods : tuple of str
        Those of predict, predict_proba and decision_function that are known.
    classes : ndarray, shape (C,), or None
        Of a classifier with one target.
    kind : str
        "regressor", "classifier" or "other": which scores can be computed from ``values``
        (a regressor), or ``labels``, ``shares`` and ``positive`` (a classifier).
    """

    methods: tuple[str, ...] = ("predict",)
    classes: Array | None = None
    kind = "other"

    def predict(self, margins: Floats) -> Any:
        """Return what `estimator.predict` does."""
        raise NotImplementedError

    def predict_proba(self, margins: Floats) -> Any:
        """Return what `estimator.predict_proba` does."""
        raise NotImplementedError

    def decision_function(self, margins: Floats) -> Any:
        """Return what `estimator.decision_function` does."""
        raise NotImplementedError

    def values(self, margins: Floats) -> Array:
        """Predictions of a regressor with one target, (..., K) to (...)."""
        raise NotImplementedError

    def shares(self, margins: Floats) -> Array:
        """Probabilities of the classes, (..., K) to (..., C)."""
        raise NotImplementedError

    def positive(self, margins: Floats) -> Array:
        """Probability of the second of two classes, (..., 1) to (...)."""
        raise NotImplementedError

    def labels(self, margins: Floats) -> Array:
        """Predicted class as its index in `classes`, (..., K) to (...)."""
        raise NotImplementedError

    def undecided(self, margins: Floats, within: float) -> Array | None:
        """Whether rounding may change what `predict` returns, (n, K) to (n,); None: never a label.

        That is where the best two classes are at most `within` apart.
        """
        return None


class Regression(Predictor):
    """Numbers: one target, or several."""

    def __init__(self, transform: Transform, n_outputs: int, dtype: str = "float64") -> None:
        self._transform = transform
        self._dtype = np.dtype(dtype)
        self.kind = "regressor" if n_outputs == 1 else "other"

    def predict(self, margins: Floats) -> Any:
        """Shape (n,), or (n, K) of several targets."""
        return self.values(margins) if margins.shape[-1] == 1 else self._predict(margins)

    def values(self, margins: Floats) -> Array:
        """Predictions, (..., 1) to (...)."""
        return self._predict(margins)[..., 0]

    def _predict(self, margins: Floats) -> Array:
        return self._transform(margins).astype(self._dtype, copy=False)


class Classification(Predictor):
    """Classes of one target.

    Parameters
    ----------
    classes : array, shape (C,)
    transform : callable
        Margins to probabilities: of all classes, or of the second if there is one margin.
    dtype : str
        Of the probabilities.
    decide : str
        How predict chooses: "shares", the first of the most probable classes; "margins", the first
        of the largest margins, or the second class where the only margin is above 0; "at zero",
        also where it is 0.
    raw_scale : float
        Factor from margins to what decision_function returns.
    """

    methods = ("predict", "predict_proba", "decision_function")
    kind = "classifier"

    def __init__(
        self,
        classes: Any,
        transform: Transform,
        *,
        dtype: str = "float64",
        decide: str = "shares",
        raw_scale: float = 1.0,
    ) -> None:
        self.classes: Array = np.asarray(classes)
        self._transform = transform
        self._dtype = np.dtype(dtype)
        self._decide = decide
        self._raw_scale = raw_scale

    def positive(self, margins: Floats) -> Array:
        """Probability of the second of two classes."""
        if margins.shape[-1] == 1:
            return self._transform(margins)[..., 0].astype(self._dtype, copy=False)
        return self.shares(margins)[..., 1]

    def shares(self, margins: Floats) -> Array:
        """Probabilities of the classes."""
        if margins.shape[-1] == 1 and len(self.classes) == 2:
            p = self.positive(margins)
            return np.stack([1 - p, p], axis=-1)
        return self._transform(margins).astype(self._dtype, copy=False)

    def labels(self, margins: Floats) -> Array:
        """Index of the predicted class."""
        if margins.shape[-1] == 1 and len(self.classes) == 2:
            if self._decide == "shares":
                p = self.positive(margins)
                return (p > 1 - p).astype(np.intp)
            m = margins[..., 0]
            return (m >= 0 if self._decide == "at zero" else m > 0).astype(np.intp)
        scores = self.shares(margins) if self._decide == "shares" else margins
        if scores.shape[-1] == 2:  # as argmax, but quicker
            return (scores[..., 1] > scores[..., 0]).astype(np.intp)
        return np.asarray(np.argmax(scores, axis=-1))

    def predict(self, margins: Floats) -> Any:
        """Labels, shape (n,)."""
        return self.classes[self.labels(margins)]

    def predict_proba(self, margins: Floats) -> Any:
        """Probabilities, shape (n, C)."""
        return self.shares(margins)

    def decision_function(self, margins: Floats) -> Any:
        """Margins, without the axis of a single one."""
        raw = margins * self._raw_scale
        return raw[:, 0] if raw.shape[-1] == 1 else raw

    def undecided(self, margins: Floats, within: float) -> Array:
        """Whether the best two classes are as good as each other."""
        if len(self.classes) < 2:
            return np.zeros(len(margins), dtype=bool)
        best = np.sort(self.shares(margins).astype(np.float64), axis=-1)
        near: Array = best[:, -1] - best[:, -2] <= within
        return near


class TargetsClassification(Predictor):
    """Classes of several targets (scikit-learn's trees and forests): one block of shares each."""

    methods = ("predict", "predict_proba")

    def __init__(self, classes: list[Array]) -> None:
        ends = np.cumsum([len(c) for c in classes])
        self._targets = [
            (Classification(c, _fractions), slice(end - len(c), end))
            for c, end in zip(classes, ends.tolist(), strict=True)
        ]
        self._dtype = classes[0].dtype

    def predict(self, margins: Floats) -> Any:
        """Labels, shape (n, targets)."""
        out = np.empty((len(margins), len(self._targets)), dtype=self._dtype)
        for k, (target, at) in enumerate(self._targets):
            out[:, k] = target.predict(margins[:, at])
        return out

    def predict_proba(self, margins: Floats) -> Any:
        """Probabilities of each target, a list of arrays (n, C)."""
        return [target.shares(margins[:, at]) for target, at in self._targets]

    def undecided(self, margins: Floats, within: float) -> Array:
        """Whether that is so for any target."""
        near = [target.undecided(margins[:, at], within) for target, at in self._targets]
        return np.asarray(np.any(near, axis=0))


class Isolation(Predictor):
    """scikit-learn's IsolationForest: the margin is the mean path length."""

    methods = ("predict", "decision_function")

    def __init__(self, expected_depth: float, offset: float) -> None:
        self._depth, self._offset = expected_depth, offset

    def decision_function(self, margins: Floats) -> Any:
        """Above 0 for inliers, shape (n,)."""
        return -(2.0 ** (-margins[:, 0] / self._depth)) - self._offset

    def predict(self, margins: Floats) -> Any:
        """1 for inliers, -1 for outliers, shape (n,)."""
        return np.where(self.decision_function(margins) < 0, -1, 1)

    def undecided(self, margins: Floats, within: float) -> Array:
        """Whether a row is on the edge."""
        near: Array = np.abs(self.decision_function(margins)) <= within
        return near


def transform_of(link: str) -> Transform | None:
    """Find what a link (`TreeEnsemble.link`) makes of margins; None for one that is not known."""
    scale = logistic_scale(link)
    if scale is not None:
        return Output("logistic", scale).of
    if link in ("exp", "softmax"):
        return Output(link).of
    return _TRANSFORMS.get(link)


def _same(margins: Floats) -> Floats:
    return margins


def _fractions(margins: Floats) -> Floats:
    return np.clip(margins, 0.0, 1.0)  # their sum may be 1 + 2e-16


def _signed_square(margins: Floats) -> Floats:
    return np.copysign(margins * margins, margins)


def _softplus(margins: Floats) -> Floats:
    return np.logaddexp(0.0, margins)


def _hinge(margins: Floats) -> Floats:
    return (margins > 0).astype(np.float64)


def _sorted(margins: Floats) -> Floats:
    return np.sort(margins, axis=-1)


_TRANSFORMS: dict[str, Transform] = {
    "identity": _same,
    "probability": _fractions,
    "signed_square": _signed_square,
    "softplus": _softplus,
    "hinge": _hinge,
    "sorted": _sorted,
}


class Responses:
    """Predictions from some margins, each computed once, when it is asked for."""

    def __init__(self, predictor: Predictor, margins: Floats) -> None:
        self.predictor = predictor
        self.margins = margins

    @cached_property
    def values(self) -> Array:
        """Numbers of a regressor."""
        return self.predictor.values(self.margins)

    @cached_property
    def positive(self) -> Array:
        """Probability of the second of two classes."""
        return self.predictor.positive(self.margins)

    @cached_property
    def shares(self) -> Array:
        """Probabilities of all classes."""
        return self.predictor.shares(self.margins)

    @cached_property
    def labels(self) -> Array:
        """Indices of the predicted classes."""
        return self.predictor.labels(self.margins)

    def of(self, method: str) -> Any:
        """Return what a method of the estimator does; margins of shape (n, K)."""
        return getattr(self.predictor, method)(self.margins)
