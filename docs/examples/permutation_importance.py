"""Permutation importance: scikit-learn's numbers, without a seed, and of correlated columns."""

from __future__ import annotations

import numpy as np
import sklearn.inspection
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import train_test_split

import leafshap

data = load_diabetes()
X, X_test, y, y_test = train_test_split(data.data, data.target, random_state=0)
model = RandomForestRegressor(n_estimators=60, random_state=0).fit(X, y)

# the same numbers as scikit-learn for the same random_state
result = leafshap.permutation_importance(model, X_test, y_test, random_state=0)
theirs = sklearn.inspection.permutation_importance(model, X_test, y_test, random_state=0)
np.testing.assert_allclose(result.importances, theirs.importances, atol=1e-10)

# the mean over all permutations, without a seed
exact = leafshap.permutation_importance(model, X_test, y_test, method="exact")
for j in np.argsort(-exact.importances_mean)[:4]:
    spread = result.importances_std[j]
    print(f"{data.feature_names[j]}: {exact.importances_mean[j]:.3f} (5 repeats: +- {spread:.3f})")

# a copy of the most important column: each alone looks less important, together they do not
best = int(exact.importances_mean.argmax())
twice = RandomForestRegressor(n_estimators=60, max_features=0.5, random_state=0)
twice.fit(np.column_stack([X, X[:, best]]), y)
both = np.column_stack([X_test, X_test[:, best]])
alone = leafshap.permutation_importance(twice, both, y_test, method="exact")
together = leafshap.permutation_importance(
    twice, both, y_test, method="exact", groups=[[best, X.shape[1]]]
)
copies, group = alone.importances_mean[[best, X.shape[1]]], together.importances_mean[0]
print(f"two copies: {copies[0]:.3f} and {copies[1]:.3f}, as a group {group:.3f}")
assert group > copies.sum()
