"""Explain a model of flight delays: values, their sum, names, a file.

Output: the features that moved one flight's prediction most.
"""

from __future__ import annotations

import lightgbm
import numpy as np

import leafshap
from leafshap.demo.flights import load_flights

flights = load_flights(rows=5_000)
X, y = flights.X, flights.arrival_delay
model = lightgbm.LGBMRegressor(n_estimators=60, n_jobs=1, verbose=-1).fit(X[:4_000], y[:4_000])
new = X[4_000:]

explainer = leafshap.TreeExplainer(model, feature_names=flights.feature_names)
explanation = explainer(new)

# values are minutes of delay, and add up to the prediction
total = explanation.base_values + explanation.values.sum(axis=1)
np.testing.assert_allclose(total, model.predict(new))

# one flight
flight = explanation[0]
order = np.argsort(-np.abs(flight.values))
print(f"expected {explainer.expected_value:.1f} minutes, predicted {total[0]:.1f}")
for j in order[:5]:
    print(f"  {flights.feature_names[j]:15s} {flight.values[j]:+.1f} minutes")

# all flights
importance = np.abs(explanation.values).mean(axis=0)
most = flights.feature_names[int(importance.argmax())]
print(f"largest mean effect: {most}, {importance.max():.1f} minutes")

# from the model's file, without LightGBM; the file's trees give the same values
model.booster_.save_model("model.txt")
again = leafshap.TreeExplainer("model.txt").shap_values(new)
np.testing.assert_allclose(again, explanation.values)

# float32: half the memory
single = leafshap.TreeExplainer(model, dtype="float32").shap_values(new)
assert single.dtype == np.float32
assert np.abs(single - again).max() <= 2e-6 * np.abs(again).max()
