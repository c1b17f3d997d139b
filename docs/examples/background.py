"""Background data: the same prediction, explained against two reference groups.

A value answers "compared with whom?". Here flights in the evening are explained against all
flights, and against other evening flights.
"""

from __future__ import annotations

import numpy as np
import xgboost

import leafshap
from leafshap.demo.flights import load_flights

flights = load_flights(rows=6_000)
X, names = flights.X, flights.feature_names
hour = names.index("departure hour")
model = xgboost.XGBClassifier(n_estimators=50, max_depth=4).fit(X, flights.arrival_delay > 15)

evening = X[X[:, hour] >= 18]
rows, others = evening[:200], evening[200:]

against_all = leafshap.TreeExplainer(model, X)
against_evening = leafshap.TreeExplainer(model, others)

# log-odds; both add up to the same prediction, from different expected values
margin = model.predict(rows, output_margin=True)
for explainer in (against_all, against_evening):
    values = explainer.shap_values(rows)
    np.testing.assert_allclose(explainer.expected_value + values.sum(axis=1), margin, atol=1e-4)
    effect = values[:, hour].mean()
    print(f"expected log-odds {explainer.expected_value:+.2f}, departure hour {effect:+.2f}")

# that it is evening explains a delay against all flights, hardly against other evening flights
assert against_evening.expected_value > against_all.expected_value
far = against_all.shap_values(rows)[:, hour].mean()
near = against_evening.shap_values(rows)[:, hour].mean()
assert far > 5 * abs(near)

# in probabilities; takes time in proportion to rows times background rows
probability = leafshap.TreeExplainer(model, X[:200], model_output="probability")
values = probability.shap_values(rows)
predicted = model.predict_proba(rows)[:, 1]
np.testing.assert_allclose(probability.expected_value + values.sum(axis=1), predicted, atol=1e-5)
print(f"expected probability {probability.expected_value:.2f}, of these {predicted.mean():.2f}")
