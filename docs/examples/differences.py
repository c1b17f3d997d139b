"""Where shap's sums do not reach the model's own prediction, and leafshap's do.

For each case: the largest difference between expected value + SHAP values and what the model
itself predicts, over 200 rows, by shap and by leafshap. Figures depend on versions; they are
printed. Only leafshap's are asserted.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import shap
import sklearn
import xgboost
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)

import leafshap

logging.getLogger("shap").setLevel(logging.ERROR)
rng = np.random.default_rng(0)
category = rng.integers(0, 12, size=1_000)
X = rng.normal(size=(1_000, 5))
y = 2 * rng.normal(size=12)[category] + X[:, 1] * (X[:, 2] > 0) + 0.1 * rng.normal(size=1_000)
labels = np.where(X[:, 1] > 0, 2, rng.integers(0, 3, size=1_000))
coded = np.column_stack([category, X[:, 1:]])
table = pd.DataFrame(coded, columns=list("abcde")).assign(a=pd.Categorical(category))
rows = slice(200)


def error_of(library: Any, model: Any, X: Any, data: Any, predicted: Any) -> str:
    """Largest difference of the sums from the prediction, or what there is instead."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            explainer = library.TreeExplainer(model, data)
            values = np.asarray(explainer.shap_values(X))
    except Exception as error:
        if library is leafshap and not isinstance(error, leafshap.UnsupportedModelError):
            raise
        return type(error).__name__
    if values.ndim != 1 + np.ndim(predicted):
        return f"shape {values.shape}"
    total = np.asarray(explainer.expected_value) + values.sum(axis=1)
    return f"{np.abs(total - predicted).max():.2g}"


def compare(
    name: str, model: Any, X: Any, data: Any = None, predict: Callable[..., Any] | None = None
) -> None:
    """Print one line of the table."""
    predicted = (predict or model.predict)(X)
    theirs, ours = (error_of(lib, model, X, data, predicted) for lib in (shap, leafshap))
    print(f"{name:52s} {theirs:>20s} {ours:>22s} {np.ptp(predicted):8.3g}")
    if not ours.endswith("Error"):
        assert float(ours) < 1e-5 * np.ptp(predicted), name


def gbm(**parameters: Any) -> Any:
    """Make a small LightGBM regressor."""
    return lightgbm.LGBMRegressor(n_estimators=30, n_jobs=1, verbose=-1, **parameters)


print(
    f"shap {shap.__version__}, XGBoost {xgboost.__version__}, LightGBM {lightgbm.__version__}, "
    f"scikit-learn {sklearn.__version__}"
)
print(f"{'case':52s} {'shap':>20s} {'leafshap':>22s} {'range':>8s}")

hist = HistGradientBoostingRegressor(categorical_features=[0], max_iter=30, random_state=0)
hist.fit(coded, y)
compare("HistGradientBoosting, categories", hist, coded[rows])
compare("the same, background", hist, coded[rows], coded[:100])

holes = X[rows].copy()
holes[rng.random(holes.shape) < 0.3] = np.nan
compare("LightGBM, NaN only in prediction, background", gbm().fit(X, 10 * y), holes, X[:100])

rf = gbm(boosting_type="rf", bagging_freq=1, bagging_fraction=0.7).fit(X, 10 * y)
compare("LightGBM rf", rf, X[rows])
compare("LightGBM rf, background", rf, X[rows], X[:100])

categories = gbm().fit(coded, y, categorical_feature=[0])
compare("LightGBM, categories, background", categories, coded[rows], coded[:100])

linear = gbm(linear_tree=True).fit(X, 10 * y)
compare("LightGBM linear trees, background", linear, X[rows], X[:100])

booster = lightgbm.train(
    {"objective": "multiclass", "num_class": 3, "num_threads": 1, "verbose": -1},
    lightgbm.Dataset(X, labels),
    20,
)
compare("LightGBM Booster, 3 classes, background", booster, X[rows], X[:100],
        lambda Z: booster.predict(Z, raw_score=True))  # fmt: skip

dart = xgboost.XGBRegressor(booster="dart", rate_drop=0.3, max_depth=4, n_estimators=30)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # booster="dart" is deprecated since XGBoost 3.4
    dart.fit(X, 10 * y)
compare("XGBoost dart, background", dart, X[rows], X[:100])

parallel = xgboost.XGBRegressor(num_parallel_tree=3, n_estimators=10).fit(X, y)
compare("XGBoost, num_parallel_tree=3, background", parallel, X[rows], X[:100])

native = xgboost.XGBRegressor(enable_categorical=True, n_estimators=30).fit(table, y)
compare("XGBoost, categories, background", native, table[rows], table[:100])

vectors = xgboost.XGBRegressor(multi_strategy="multi_output_tree", n_estimators=10)
compare("XGBoost, leaves of several values", vectors.fit(X, np.column_stack([y, -y])), X[rows])

classes = GradientBoostingClassifier(n_estimators=10).fit(X, labels)
compare("GradientBoosting, 3 classes", classes, X[rows], None, classes.decision_function)

targets = np.column_stack([y > 0, X[:, 1] > 0])
forest = RandomForestClassifier(20, max_depth=6, random_state=0).fit(X, targets)
compare("forest of classifiers, 2 targets", forest, X[rows], None,
        lambda Z: np.hstack(forest.predict_proba(Z)))  # fmt: skip

# interactions: their sums over both axes
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for name, model, Z, data in (
        ("LightGBM, categories, interactions", categories, coded[rows], None),
        ("interactions against background data", gbm().fit(X, y), X[rows], X[:100]),
    ):
        found = []
        for library in (shap, leafshap):
            explainer = library.TreeExplainer(model, data)
            total = explainer.expected_value + explainer.shap_interaction_values(Z).sum((1, 2))
            found.append(np.abs(total - model.predict(Z)).max())
        print(f"{name:52s} {found[0]:20.2g} {found[1]:22.2g} {np.ptp(model.predict(Z)):8.3g}")
        assert found[1] < 1e-9

# an exact call: the values of a linear function are known
weights = np.arange(1.0, 13.0)
background, row = rng.normal(size=(10, 12)), rng.normal(size=(1, 12))
exact = weights * (row - background.mean(axis=0))
for library, options in ((shap, {"silent": True}), (leafshap, {})):
    explainer = library.KernelExplainer(lambda Z: Z @ weights, background)
    values = explainer.shap_values(row, nsamples=4_096, **options)
    error = np.linalg.norm(values - exact) / np.linalg.norm(exact)
    print(
        f"KernelExplainer of {library.__name__}, 12 features, all coalitions: "
        f"{(values == 0).sum()} values 0, relative error {error:.1e}"
    )
assert error < 1e-10

# background rows that count
explainer = shap.TreeExplainer(dart, X)
print(
    f"background of {len(X)} rows: shap keeps {len(explainer.data)}, "
    f"leafshap {len(leafshap.TreeExplainer(dart, X).data)}"
)
