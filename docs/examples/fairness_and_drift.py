"""What a difference between groups is made of, and whether explanations have drifted.

Three airports: why does the model expect longer delays from one than from the others? And do
features count in the rain as they do on dry days?
"""

from __future__ import annotations

import lightgbm
import numpy as np

import leafshap
from leafshap.demo.flights import load_flights

flights = load_flights(rows=12_000)
X, names = flights.X, flights.feature_names
model = lightgbm.LGBMRegressor(n_estimators=60, num_leaves=15, n_jobs=1, verbose=-1)
model.fit(X[:6_000], flights.arrival_delay[:6_000])
rows = X[6_000:]

# the same background for all, so that base values are equal
explanation = leafshap.TreeExplainer(model, X[:2_000], feature_names=names)(rows)

origin = names.index("origin")
airports = np.array(flights.categories[origin])[rows[:, origin].astype(int)]
means = explanation.by(airports)
differences = means.differences(reference="LGA")
print(differences.table(top=4).to_pandas().to_string(index=False))

# they add up to the difference in mean prediction, which the model itself confirms
predicted = np.asarray(model.predict(rows))
apart = [predicted[airports == a].mean() - predicted[airports == "LGA"].mean()
         for a in differences.groups]  # fmt: skip
np.testing.assert_allclose(differences.outputs, apart, atol=1e-9)
np.testing.assert_allclose(differences.values.sum(axis=1), apart, atol=1e-9)

# drift: two halves of the same rows, then flights in the rain after those on dry days
rain = rows[:, names.index("precipitation")] > 0
same = explanation[:3_000].drift(explanation[3_000:])
weather = explanation[rain].drift(explanation[~rain], threshold=0.95)
print(f"two halves: nDCG {same.ndcg:.3f}; in the rain: {weather.ndcg:.3f}")
print(weather.table.head(4).to_pandas().to_string(index=False))
assert not same.drifted
assert weather.drifted
assert weather.table["feature"][0] == "precipitation"
