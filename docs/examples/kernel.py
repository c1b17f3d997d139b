"""KernelExplainer: a pipeline and a neural network, with standard errors."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import leafshap

data = load_diabetes()
X, y = data.data, data.target
background, rows = X[:60], X[60:64]

# a linear model: its values are known, coefficient times distance from the mean
linear = make_pipeline(StandardScaler(), Ridge()).fit(X, y)
explanation = leafshap.KernelExplainer(linear.predict, background)(rows)
coefficients = linear[-1].coef_ / linear[0].scale_
np.testing.assert_allclose(explanation.values, coefficients * (rows - background.mean(axis=0)))
assert explanation.exact  # ten features: all 1,024 coalitions

# a neural network on a smaller budget: estimates
network = MLPRegressor(hidden_layer_sizes=(20,), solver="lbfgs", tol=1e-2, random_state=0)
network.fit(X, y / 100)
explainer = leafshap.KernelExplainer(network.predict, background)
exact = explainer(rows)
estimate = explainer(rows, nsamples=100)
error = np.abs(estimate.values - exact.values)
inside = (error <= 2 * estimate.standard_errors).mean()
print(f"largest error {error.max():.1e} of values up to {np.abs(exact.values).max():.2f}")
print(f"within two standard errors: {inside:.0%}")
assert not estimate.exact
assert inside > 0.8

# columns that belong together join as one player
groups = {"blood": ["s1", "s2", "s3", "s4", "s5", "s6"]}
joined = leafshap.KernelExplainer(linear.predict, background, data.feature_names, groups=groups)
grouped = joined(rows)
print(grouped.feature_names)
blood = [data.feature_names.index(name) for name in groups["blood"]]
np.testing.assert_allclose(grouped.values[:, 0], explanation.values[:, blood].sum(axis=1))
