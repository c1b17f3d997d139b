"""Which predictor an estimator needs, by its library and kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from leafshap.ensemble import TreeEnsemble
from leafshap.importance.predictions import (
    Classification,
    Isolation,
    Predictor,
    Regression,
    TargetsClassification,
    transform_of,
)
from leafshap.importance.stand_in import methods_of


def predictor_of(estimator: Any, ensemble: TreeEnsemble) -> Predictor | None:
    """Choose how margins become the predictions of an estimator; None where that is not known."""
    names = {cls.__name__ for cls in type(estimator).__mro__}
    packages = {cls.__module__.partition(".")[0] for cls in type(estimator).__mro__}
    choose: Callable[[Any, TreeEnsemble, set[str]], Predictor | None]
    if "xgboost" in packages:
        choose = _xgboost
    elif "lightgbm" in packages:
        choose = _lightgbm
    else:
        choose = _sklearn
    predictor = choose(estimator, ensemble, names)
    methods = methods_of(estimator)
    if predictor is None or not set(methods) <= set(predictor.methods):
        return None
    predictor.methods = methods
    return predictor


def predictor_of_link(ensemble: TreeEnsemble) -> Predictor | None:
    """Choose for a Booster or a model file, which say no more than the link.

    Numbers for the links of regression; classes 0, 1, ... for those of probabilities.
    """
    link, n_outputs = ensemble.link, ensemble.n_outputs
    transform = transform_of(link)
    if transform is None:
        return None
    if link in ("identity", "exp", "signed_square", "softplus", "sorted"):
        return Regression(transform, n_outputs)
    if n_outputs == 1 and link != "hinge":
        return Classification(np.arange(2), transform)
    if link in ("softmax", "probability"):
        return Classification(np.arange(n_outputs), transform)
    return None


def _xgboost(estimator: Any, ensemble: TreeEnsemble, names: set[str]) -> Predictor | None:
    transform = transform_of(ensemble.link)
    if transform is None:
        return None
    if "XGBClassifier" not in names:
        if ensemble.link == "softmax":
            return None  # multi:softmax gives labels, multi:softprob probabilities
        return Regression(transform, ensemble.n_outputs, "float32")
    classes = estimator.classes_
    if ensemble.n_outputs != (1 if len(classes) == 2 else len(classes)):
        return None  # several labels a row
    return Classification(classes, transform, dtype="float32")


def _lightgbm(estimator: Any, ensemble: TreeEnsemble, names: set[str]) -> Predictor | None:
    transform = transform_of(ensemble.link)
    if transform is None:
        return None
    if "LGBMClassifier" not in names:
        return Regression(transform, ensemble.n_outputs)
    classes = estimator.classes_
    if ensemble.n_outputs != (1 if len(classes) <= 2 else len(classes)) or len(classes) < 2:
        return None
    if callable(getattr(estimator, "objective", None)):
        return None  # its predict returns margins
    # the raw score of a random forest is the sum over its trees
    n_iterations = ensemble.count_trees(None) // ensemble.trees_per_iteration
    scale = float(n_iterations) if ensemble.averaged else 1.0
    return Classification(classes, transform, raw_scale=scale)


def _sklearn(estimator: Any, ensemble: TreeEnsemble, names: set[str]) -> Predictor | None:
    transform = transform_of(ensemble.link)
    if "IsolationForest" in names:
        from leafshap.converters.sklearn import expected_depth

        depth = float(expected_depth(estimator.max_samples_))
        return Isolation(depth, float(estimator.offset_)) if depth > 0 else None
    if transform is None:
        return None
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        return Regression(transform, ensemble.n_outputs)
    if isinstance(classes, list):
        return TargetsClassification([np.asarray(c) for c in classes])
    if ensemble.link == "probability":
        return Classification(classes, transform)
    at_zero = "GradientBoostingClassifier" in names
    return Classification(classes, transform, decide="at zero" if at_zero else "margins")
