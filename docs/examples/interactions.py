"""Interactions: which features act together, and what is left as a main effect."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import make_friedman1
from sklearn.ensemble import GradientBoostingRegressor

import leafshap

# y = 10 sin(pi x0 x1) + 20 (x2 - 0.5)^2 + 10 x3 + 5 x4 + noise; x5 and x6 count for nothing
X, y = make_friedman1(n_samples=1_500, n_features=7, noise=0.5, random_state=0)
model = GradientBoostingRegressor(n_estimators=150, max_depth=3, random_state=0).fit(X, y)

explainer = leafshap.TreeExplainer(model, X[:300])

# strongest pairs of a data set, in bounded memory
summary = explainer.mean_abs_interactions(X, top=3)
for pair, strength in zip(summary.names, summary.mean_abs, strict=True):
    print(f"{pair[0]} x {pair[1]}: {2 * strength:.2f}")  # phi_ij and phi_ji
assert tuple(summary.pairs[0]) == (0, 1)
assert summary.mean_abs[0] > 4 * summary.mean_abs[1]

# of single rows: only pairs that can interact, or the full matrix
rows = X[:50]
pairs = explainer.interaction_pairs(rows)
dense = explainer.shap_interaction_values(rows)
np.testing.assert_allclose(pairs.to_dense(), dense)

# rows of the matrix add up to SHAP values, SHAP values to the prediction
values = explainer.shap_values(rows)
np.testing.assert_allclose(dense.sum(axis=2), values, atol=1e-9)
np.testing.assert_allclose(explainer.expected_value + values.sum(axis=1), model.predict(rows))

# a feature's value, split into what it does alone and with others
main = np.abs(pairs.main_effects).mean(axis=0)
print("main effects:", np.round(main, 2))
assert main[3] > main[5:].max()
