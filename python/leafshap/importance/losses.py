"""The usual scores in numpy, validated once, equal to scikit-learn's.

Most are sums over rows: ``score = sum_i c_i t_i + offset`` with a term ``t_i`` of each row's label
and prediction (its squared error, say) and coefficients ``c_i`` that do not depend on predictions.
`RowScore` is such a score, or the root of one. The area under the ROC curve is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError
from leafshap.importance.predictions import Predictor, Responses

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Term = Callable[[Responses, Array], Array]


@dataclass(frozen=True)
class RowScore:
    """A score that is a sum over rows.

    Attributes
    ----------
    term : callable
        Terms of rows given their responses and labels; margins of shape (n, K) give (n,), those of
        (n, C, K) give (n, C).
    labels, coefficients : ndarray, shape (n,)
    offset : float
    root : bool
        Minus the root of minus the sum: no sum over rows itself.
    """

    term: Term
    labels: Array
    coefficients: Floats
    offset: float = 0.0
    root: bool = False

    def terms(self, responses: Responses, rows: slice = slice(None)) -> Array:
        """Terms of some rows, one for each margin."""
        labels = self.labels[rows]
        extra = responses.margins.ndim - 2
        return self.term(responses, labels.reshape(labels.shape + (1,) * extra))

    def __call__(self, responses: Responses) -> float:
        """Score predictions of all rows."""
        total = float(np.sum(self.coefficients * self.terms(responses)))
        return self.offset + total if not self.root else -math.sqrt(-total)


class AucScore:
    """Area under the ROC curve of two classes; equal scores count half (Mann and Whitney 1947)."""

    def __init__(self, positive: Bools, weights: Floats | None, by_margin: bool) -> None:
        self._positive, self._negative = positive, ~positive
        self._weights = weights
        self._by_margin = by_margin

    def __call__(self, responses: Responses) -> float:
        """Score predictions of all rows."""
        scores = responses.margins[:, 0] if self._by_margin else responses.positive
        if self._weights is not None:
            return self._weighted(scores, self._weights)
        above, below = np.sort(scores[self._positive]), np.sort(scores[self._negative])
        lower = np.searchsorted(below, above, side="left").sum()
        not_higher = np.searchsorted(below, above, side="right").sum()
        return float(lower + not_higher) / (2.0 * len(above) * len(below))

    def _weighted(self, scores: Array, weights: Floats) -> float:
        order = np.argsort(scores, kind="stable")
        ordered = scores[order]
        first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        above = np.add.reduceat(np.where(self._positive, weights, 0.0)[order], first)
        below = np.add.reduceat(np.where(self._negative, weights, 0.0)[order], first)
        rank = np.cumsum(below) - below / 2
        return float(np.sum(above * rank) / (above.sum() * below.sum()))


Score = RowScore | AucScore


def make_score(
    metric: str | None, predictor: Predictor, y: Any, weights: Floats | None
) -> Score | None:
    """Make a score by scikit-learn's name; None where it or these labels are not for this module.

    Parameters
    ----------
    metric : str or None
        One of `METRICS`, or anything else.
    predictor : Predictor
    y : array-like, shape (n,)
    weights : ndarray, shape (n,), or None
    """
    labels = np.asarray(y)
    if metric not in METRICS or labels.ndim != 1 or not len(labels):
        return None
    share = _shares_of_weight(len(labels), weights)
    if share is None:
        return None
    if metric in _ERRORS:
        return _error_score(metric, predictor, labels, share)
    if predictor.kind != "classifier" or predictor.classes is None:
        return None
    index = _indices(labels, predictor.classes)
    if metric == "accuracy":
        return RowScore(_hits, index, share)
    if metric == "balanced_accuracy":
        return _balanced(labels, index, share)
    known = len(predictor.classes)
    if known < 2 or set(np.unique(index)) != set(range(known)):
        return None
    if metric == "roc_auc":
        if known > 2:
            return None
        positive = index == 1
        if weights is not None and not (weights[positive].sum() > 0 < weights[~positive].sum()):
            return None
        return AucScore(positive, weights, "decision_function" in predictor.methods)
    terms = {"neg_log_loss": (_log_loss, _log_losses), "neg_brier_score": (_brier, _briers)}[metric]
    return RowScore(terms[known > 2], index, -share)


def why_not_exact(metric: str | None) -> str:
    """Why a score has no exact expectation, for errors."""
    if metric == "neg_root_mean_squared_error":
        return (
            "it is the root of a sum over rows; neg_mean_squared_error is the sum, and orders "
            "features alike"
        )
    return "it is not known to be a sum over rows, whose expectation needs each row only once"


def _shares_of_weight(n: int, weights: Floats | None) -> Floats | None:
    """Weights that add up to 1, shape (n,); None if they cannot."""
    if weights is None:
        return np.full(n, 1.0 / n)
    total = weights.sum()
    return weights / total if total > 0 and (weights >= 0).all() else None


def _indices(labels: Array, classes: Array) -> npt.NDArray[np.intp]:
    """Index of each label in the classes, -1 for an unknown one. Shape (n,)."""
    if labels.dtype.kind not in "biufOUS":
        return np.full(len(labels), -1)
    index = {label: i for i, label in enumerate(classes.tolist())}
    if labels.dtype.kind == "O":
        return np.array([index.get(label, -1) for label in labels.tolist()], dtype=np.intp)
    known, where = np.unique(labels, return_inverse=True)
    found = np.array([index.get(label, -1) for label in known.tolist()], dtype=np.intp)
    return found[where.reshape(-1)]


# ---------------------------------------------------------------- numbers


def _squared(r: Responses, y: Array) -> Array:
    difference = y - r.values
    difference *= difference
    return difference


def _absolute(r: Responses, y: Array) -> Array:
    difference = y - r.values
    np.abs(difference, out=difference)
    return difference


def _percentage(r: Responses, y: Array) -> Array:
    return _absolute(r, y) / np.maximum(np.abs(y), np.finfo(np.float64).eps)


def _squared_log(r: Responses, y: Array) -> Array:
    values = _above(r.values, -1.0, "neg_mean_squared_log_error")
    difference = np.log1p(y) - np.log1p(values)
    difference *= difference
    return difference


def _poisson(r: Responses, y: Array) -> Array:
    values = _above(r.values, 0.0, "neg_mean_poisson_deviance")
    ratio = np.where(y > 0, y, 1.0) / np.where(y > 0, values, 1.0)  # y log(y / f) is 0 for y = 0
    return 2.0 * (y * np.log(ratio) - y + values)


def _gamma(r: Responses, y: Array) -> Array:
    values = _above(r.values, 0.0, "neg_mean_gamma_deviance")
    return 2.0 * (np.log(values / y) + y / values - 1.0)


def _above(values: Array, limit: float, metric: str) -> Floats:
    lowest = values.min(initial=np.inf)
    if not lowest > limit:
        raise InvalidInputError(
            f"{metric} needs predictions above {limit:g}, but the model predicts {lowest:g} for "
            "some row"
        )
    return values.astype(np.float64, copy=False)


# term, and what labels must be above: from which value on, whether it is allowed itself
_ERRORS: dict[str, tuple[Term, float, bool]] = {
    "r2": (_squared, -math.inf, False),
    "neg_mean_squared_error": (_squared, -math.inf, False),
    "neg_root_mean_squared_error": (_squared, -math.inf, False),
    "neg_mean_absolute_error": (_absolute, -math.inf, False),
    "neg_mean_absolute_percentage_error": (_percentage, -math.inf, False),
    "neg_mean_squared_log_error": (_squared_log, -1.0, False),
    "neg_mean_poisson_deviance": (_poisson, 0.0, True),
    "neg_mean_gamma_deviance": (_gamma, 0.0, False),
}


def _error_score(
    metric: str, predictor: Predictor, labels: Array, share: Floats
) -> RowScore | None:
    if predictor.kind != "regressor" or labels.dtype.kind not in "biuf":
        return None
    y = labels.astype(np.float64)
    term, limit, allowed = _ERRORS[metric]
    if not np.isfinite(y).all() or y.min() < limit or (y.min() == limit and not allowed):
        return None
    if metric != "r2":
        return RowScore(term, y, -share, root=metric == "neg_root_mean_squared_error")
    around = y - np.sum(share * y)
    variance = float(np.sum(share * around * around))
    if len(y) < 2 or not variance > 0:
        return None
    return RowScore(term, y, -share / variance, offset=1.0)


# ---------------------------------------------------------------- classes


def _hits(r: Responses, index: Array) -> Array:
    hits: Bools = r.labels == index
    return hits


def _balanced(labels: Array, index: Array, share: Floats) -> RowScore | None:
    """Mean over the labels' classes of the share of hits among their rows."""
    known, where = np.unique(labels, return_inverse=True)
    where = where.reshape(-1)
    weight = np.bincount(where, share, len(known))
    if not (weight > 0).all():
        return None
    return RowScore(_hits, index, share / weight[where] / len(known))


def _log_loss(r: Responses, index: Array) -> Array:
    p = r.positive
    return _minus_log(np.where(index == 1, p, 1 - p), p.dtype)


def _log_losses(r: Responses, index: Array) -> Array:
    return _minus_log(_share_of(r, index), r.shares.dtype)


def _minus_log(p: Array, dtype: np.dtype[Any]) -> Floats:
    """Minus the logarithm of probabilities, kept from 0 as far as scikit-learn does."""
    eps = float(np.finfo(dtype).eps)
    kept = np.clip(p.astype(np.float64), eps, 1 - eps)
    np.log(kept, out=kept)
    np.negative(kept, out=kept)
    return kept


def _share_of(r: Responses, index: Array) -> Array:
    """Probability of each row's own class."""
    at = np.broadcast_to(index, r.shares.shape[:-1])[..., np.newaxis]
    own: Array = np.take_along_axis(r.shares, at, axis=-1)[..., 0]
    return own


def _brier(r: Responses, index: Array) -> Array:
    difference: Floats = r.positive - (index == 1).astype(np.float64)
    difference *= difference
    return difference


def _briers(r: Responses, index: Array) -> Array:
    shares = r.shares.astype(np.float64, copy=False)
    losses: Floats = np.einsum("...k,...k->...", shares, shares)
    losses -= 2.0 * _share_of(r, index)
    losses += 1.0
    return losses


METRICS = (
    *_ERRORS,
    "accuracy",
    "balanced_accuracy",
    "neg_log_loss",
    "neg_brier_score",
    "roc_auc",
)

EXACT_METRICS = tuple(m for m in METRICS if m not in ("neg_root_mean_squared_error", "roc_auc"))
