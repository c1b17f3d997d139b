"""The same function with shap and with leafshap.compat.shap: only the import differs."""

from __future__ import annotations

from typing import Any

import numpy as np
import shap
import xgboost
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import RandomForestClassifier

import leafshap.compat.shap

diabetes = load_diabetes(as_frame=True)
cancer = load_breast_cancer()
regressor = xgboost.XGBRegressor(n_estimators=40, max_depth=3).fit(diabetes.data, diabetes.target)
# as a forest reads them; shap's interventional code does not round
cells = cancer.data.astype(np.float32)
forest = RandomForestClassifier(20, max_depth=5, random_state=0).fit(cells, cancer.target)


def report(shap: Any) -> dict[str, np.ndarray]:
    """Explain two models; written for shap."""
    explainer = shap.TreeExplainer(regressor)
    explanation = explainer(diabetes.data)
    importance = explanation.abs.mean(0)

    background = shap.sample(cells, 50, random_state=0)
    against = shap.TreeExplainer(forest, background)
    of_malign = against.shap_values(cells[:20])[:, :, 0]

    return {
        "values": explanation.values,
        "importance": importance.values,
        "interactions": explainer.shap_interaction_values(diabetes.data[:20]),
        "of malign": of_malign,
        "expected": np.asarray(against.expected_value),
    }


theirs, ours = report(shap), report(leafshap.compat.shap)
for name, expected in theirs.items():
    difference = np.abs(ours[name] - expected).max() / np.abs(expected).max()
    print(f"{name}: shape {ours[name].shape}, {ours[name].dtype}, difference {difference:.0e}")
    assert ours[name].shape == expected.shape
    assert ours[name].dtype == expected.dtype
    assert difference < 1e-4

# results are shap's own objects
explanation = leafshap.compat.shap.TreeExplainer(regressor)(diabetes.data[:3])
assert isinstance(explanation, shap.Explanation)

# in other people's code, which imports shap itself
with leafshap.compat.shap.install():
    assert shap.TreeExplainer is leafshap.compat.shap.TreeExplainer
assert shap.TreeExplainer is not leafshap.compat.shap.TreeExplainer
