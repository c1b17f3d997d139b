"""Partial dependence and single rows' curves, at every threshold of the model."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor

import leafshap

data = load_diabetes(as_frame=True)
X, y = data.data, data.target
model = HistGradientBoostingRegressor(max_iter=40, random_state=0).fit(X, y)

result = leafshap.partial_dependence(model, X, "bmi", kind="both")
grid, curve, rows = result.grid_values[0], result.average[0], result.individual[0]
np.testing.assert_allclose(curve, rows.mean(axis=0))

# what it means: set the column, predict, take the mean
set_to = X.assign(bmi=grid[len(grid) // 2])
np.testing.assert_allclose(curve[len(grid) // 2], model.predict(set_to).mean())

figure, axes = plt.subplots()
axes.step(grid, rows[:40].T, where="post", color="0.8", linewidth=0.5)
axes.step(grid, curve, where="post")
axes.set(xlabel="bmi", ylabel="predicted progression")
figure.savefig("bmi.png")
plt.close(figure)

# which features interact
h = leafshap.h_statistic(model, X, ["bmi", "s5", "bp"], max_samples=200)
for pair, share, strength in zip(h.names, h.h, np.sqrt(h.numerator), strict=True):
    print(f"{pair[0]} x {pair[1]}: H {share:.2f}, {strength:.1f} units")
assert ((h.h >= 0) & (h.h <= 1)).all()
