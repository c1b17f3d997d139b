"""What is explained: the model's raw output, or a function T of it.

Values of ``T(margin)`` in interventional mode come from the SHAP values of the margin, one
background row ``b`` at a time, by the rescale rule, as in shap (Chen, Lundberg and Lee 2022):

    phi(x) = sum_b w_b * raw_phi(x, b) * (T(m_x) - T(m_b)) / (m_x - m_b)

They add up to ``T(m_x) - sum_b w_b T(m_b)``, but each pair's difference is shared out as in the
margin; the Shapley values of the game ``T(margin)`` itself would share it otherwise. This module
knows each T in numpy; the core knows them by the same names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.background import Background
from leafshap.ensemble import TreeEnsemble
from leafshap.errors import InvalidInputError, UnsupportedModelError
from leafshap.inputs import FloatArray

Floats = npt.NDArray[np.float64]

MODEL_OUTPUTS = ("raw", "probability", "log_loss", "predict", "predict_proba")
_LOSSES = ("logistic_loss", "squared_loss")


@dataclass(frozen=True)
class Output:
    """A transform T of the margin.

    Attributes
    ----------
    transform : str
        The core's name for T: "raw" (the margin itself), "logistic" (``1 / (1 + exp(-m))``), "exp",
        "logistic_loss" (``log(1 + exp(m)) - y m``) or "squared_loss" (``(y - m)**2``); also
        "softmax" over the outputs, which coalitions can have.
    scale : float
        By what the margin is multiplied first: LightGBM's `sigmoid`, or 2 for scikit-learn's
        exponential loss, which fits half the log-odds.
    """

    transform: str = "raw"
    scale: float = 1.0

    @property
    def needs_labels(self) -> bool:
        """Whether T is a loss."""
        return self.transform in _LOSSES

    def of(self, margins: Floats, labels: Floats | None = None) -> Floats:
        """T of margins of shape (..., K); of (n, K) with `labels` of shape (n,) for a loss."""
        m = margins * self.scale
        y = None if labels is None else labels[:, np.newaxis]
        if self.transform == "logistic":
            with np.errstate(over="ignore"):  # a probability below 1e-308 becomes 0
                return np.asarray(1.0 / (1.0 + np.exp(-m)))
        if self.transform == "exp":
            with np.errstate(over="ignore"):
                return np.exp(m)
        if self.transform == "softmax":
            e = np.exp(m - m.max(axis=-1, keepdims=True))
            shares: Floats = e / e.sum(axis=-1, keepdims=True)
            return shares
        if y is not None and self.transform == "logistic_loss":
            loss: Floats = np.logaddexp(0.0, m) - y * m
            return loss
        if y is not None and self.transform == "squared_loss":
            squared: Floats = (y - m) ** 2
            return squared
        return m

    def slope(self, margins: Floats, labels: Floats | None = None) -> Floats:
        """Bound of the derivative ``|T'|`` at margins of shape (n, K): how T passes errors on."""
        m = margins * self.scale
        if self.transform == "exp":
            return self.of(margins) * self.scale
        if labels is not None and self.transform == "squared_loss":
            return np.abs(2 * (labels[:, np.newaxis] - m)) * self.scale
        return np.full_like(m, (0.25 if self.transform == "logistic" else 1.0) * self.scale)

    def expected(
        self, background: Background, predict: Callable[[FloatArray], Floats]
    ) -> Floats | ExpectedLoss:
        """Mean of T over the background, given the raw predictor of rows (rows, K)."""
        if not self.needs_labels:
            return background.mean(lambda rows: self.of(predict(rows)))
        mean = background.mean(lambda rows: self.scale * predict(rows))
        if self.transform == "squared_loss":
            other = background.mean(lambda rows: (predict(rows) - mean) ** 2)
        else:
            other = background.mean(lambda rows: np.logaddexp(0.0, self.scale * predict(rows)))
        return ExpectedLoss(self.transform, float(mean[0]), float(other[0]))

    def read_labels(self, y: Any, n_rows: int) -> Floats | None:
        """Check the labels of the explained rows; None if T needs none. Shape (n_rows,).

        Raises
        ------
        InvalidInputError
            If they are missing, not numbers, of another number than the rows, or (logistic loss)
            not between 0 and 1.
        """
        if not self.needs_labels:
            return None
        if y is None:
            raise InvalidInputError(
                'model_output="log_loss" needs the labels of the rows: shap_values(X, y)'
            )
        labels = _numbers(y)
        if labels.size != n_rows or labels.shape not in ((), (n_rows,), (n_rows, 1)):
            raise InvalidInputError(f"y has the shape {labels.shape} for {n_rows} rows")
        labels = labels.reshape(-1)
        _check_labels(self.transform, labels)
        return labels

    def scaled(self, ensemble: TreeEnsemble) -> TreeEnsemble:
        """Multiply the margins of an ensemble by `scale`."""
        if self.scale == 1.0:
            return ensemble
        arrays = ensemble.to_arrays()
        arrays.tree_weight = arrays.tree_weight * self.scale
        arrays.base_values = arrays.base_values * self.scale
        return TreeEnsemble(arrays)


@dataclass(frozen=True)
class ExpectedLoss:
    """Mean loss over the background as a function of the explained row's label.

    Calling it with a label gives a float, with labels of any shape an array of that shape.
    """

    transform: str
    mean: float  # of the margin
    other: float  # variance of the margin (squared loss) or mean of log(1 + exp(margin))

    def __call__(self, y: Any) -> Any:
        """Return the mean loss for label(s) `y`, as float64.

        Raises
        ------
        InvalidInputError
            If the labels are not numbers, or (logistic loss) not between 0 and 1.
        """
        labels = _numbers(y)
        _check_labels(self.transform, labels)
        if self.transform == "squared_loss":
            loss = (labels - self.mean) ** 2 + self.other
        else:
            loss = self.other - labels * self.mean
        return float(loss) if loss.ndim == 0 else loss


def choose_output(model_output: str, ensemble: TreeEnsemble, model: object) -> Output:
    """Find the transform that `model_output` means for a model.

    Parameters
    ----------
    model_output : str
        One of `MODEL_OUTPUTS`.
    ensemble : TreeEnsemble
        Its link tells what the library makes of the margin.
    model : object
        The user's model: of a classifier, `predict` returns labels.

    Raises
    ------
    InvalidInputError
        If `model_output` is unknown.
    UnsupportedModelError
        If the model has no such output, or it is not a function of one margin.
    """
    if model_output not in MODEL_OUTPUTS:
        raise InvalidInputError(
            f"unknown model_output {model_output!r}: expected one of {', '.join(MODEL_OUTPUTS)}"
        )
    if model_output == "raw":
        return Output()
    asked, link = f'model_output="{model_output}"', ensemble.link
    if link == "softmax":
        raise UnsupportedModelError(
            f"{asked}: softmax makes each probability a function of all margins, which the exact "
            "interventional method cannot represent. KernelExplainer can, with the same arguments; "
            'or explain the margins (model_output="raw")'
        )
    classifier = hasattr(model, "predict_proba")
    if model_output == "predict" and classifier:
        raise UnsupportedModelError(
            f"{asked}: predict of a {type(model).__name__} returns labels; explain "
            '"probability" or "raw"'
        )
    scale = logistic_scale(link)
    if model_output == "log_loss":
        return _choose_loss(asked, ensemble, scale, classifier)
    if link == "probability":
        return Output()
    if scale is not None:
        return Output("logistic", scale)
    if model_output == "predict" and link in ("identity", "exp"):
        return Output("raw" if link == "identity" else "exp")
    what = "prediction" if model_output == "predict" else "probability"
    raise UnsupportedModelError(
        f"{asked}: the model ({ensemble.source or 'arrays'}, link {link!r}) has no {what} that is "
        "a smooth function of its margin"
        + (', use "predict" or "raw"' if link in ("identity", "exp") else ', use "raw"')
    )


def choose_game_output(model_output: str, ensemble: TreeEnsemble, model: object) -> Output:
    """As `choose_output`, for games of the output itself: softmax too, but no losses.

    Raises
    ------
    InvalidInputError
        If `model_output` is unknown.
    UnsupportedModelError
        If the model has no such output.
    """
    if model_output == "log_loss":
        raise UnsupportedModelError(
            'model_output="log_loss" is not supported here: TreeExplainer explains losses, and a '
            "KernelExplainer of a function any"
        )
    if ensemble.link == "softmax" and model_output in ("probability", "predict_proba"):
        return Output("softmax")
    if ensemble.link == "softmax" and model_output == "predict":
        raise UnsupportedModelError(
            'model_output="predict" of a multiclass model is a label: explain "probability"'
        )
    return choose_output(model_output, ensemble, model)


def _choose_loss(
    asked: str, ensemble: TreeEnsemble, scale: float | None, classifier: bool
) -> Output:
    if ensemble.n_outputs > 1:
        raise UnsupportedModelError(
            f"{asked}: the loss of a model with {ensemble.n_outputs} outputs is not supported"
        )
    if scale is not None:
        return Output("logistic_loss", scale)
    if ensemble.link == "identity" and not classifier:
        return Output("squared_loss")
    raise UnsupportedModelError(
        f"{asked} is the logistic loss of models with logistic link, and the squared loss of "
        f"regressors with identity link; this model's link is {ensemble.link!r}"
    )


def logistic_scale(link: str) -> float | None:
    """Factor of the margin in ``1 / (1 + exp(-factor * margin))``; None for other links."""
    if link == "logistic":
        return 1.0
    if link == "logistic_2x":
        return 2.0
    name, _, factor = link.partition(":")
    try:
        return float(factor) if name == "logistic" else None
    except ValueError:
        return None


def _numbers(y: Any) -> Floats:
    try:
        return np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"labels y must be numbers: {error}") from error


def _check_labels(transform: str, labels: Floats) -> None:
    wrong = ~np.isfinite(labels)
    if transform == "logistic_loss":
        wrong = ~((labels >= 0) & (labels <= 1))
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        kind = "between 0 and 1" if transform == "logistic_loss" else "finite numbers"
        raise InvalidInputError(f"labels y must be {kind}: y[{at}] is {labels.flat[at]}")
