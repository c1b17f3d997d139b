"""Large data: a folder of Parquet files explained to Parquet, summed up by group, and resumed.

The same calls take 5,000 rows or 5 billion: memory does not grow with them.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xgboost

import leafshap
from leafshap.batch import Aggregates, explain_batches, explain_files
from leafshap.demo.flights import load_flights

out = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
flights = load_flights(rows=5_000)
X, names = flights.X, flights.feature_names
data = xgboost.DMatrix(X, flights.arrival_delay, feature_names=names)
model = xgboost.train({"max_depth": 4}, data, 50)

# a folder for each origin, and a flight number that the model does not know
origins = flights.categories[names.index("origin")]
table = pa.table({"flight": np.arange(len(X)), **dict(zip(names, X.T, strict=True))})
for code, origin in enumerate(origins):
    folder = out / "flights" / f"airport={origin}"
    folder.mkdir(parents=True)
    rows = table.filter(pa.array(X[:, names.index("origin")] == code))
    pq.write_table(rows, folder / "data.parquet")

# every row: SHAP values, base value, prediction, and the three features that matter most
explainer = leafshap.TreeExplainer(model, dtype="float32")
report = explain_files(
    explainer,
    out / "flights",
    out / "shap.parquet",
    keys=["flight", "airport"],
    prediction=True,
    top_k=3,
)
assert report.n_rows == len(X)
explained = pq.read_table(out / "shap.parquet").sort_by("flight")
in_memory = explainer.shap_values(X)
assert np.array_equal(np.stack(explained["shap_values"].to_numpy()), in_memory)
print(explained.slice(0, 1).to_pylist()[0])

# only summaries: nothing is written, by airport, with quantiles
sums = Aggregates(group="airport", histograms=True)
explain_files(explainer, out / "flights", aggregates=sums)
assert np.allclose(sums.mean_abs, np.abs(in_memory).mean(axis=0), rtol=1e-5)
print(sums)
hour = names.index("departure hour")
print({airport: f"{found.mean[hour]:+.2f}" for airport, found in sums.groups.items()})
print(f"99% of the flights: departure hour adds at most {sums.quantile(0.99)[hour]:.1f} minutes")

# a stream from anywhere: a database, DuckDB, Flight; a hundredth of the rows
stream = table.to_batches(max_chunksize=500)
for batch in explain_batches(explainer, stream, sample=0.01, values="none", top_k=1):
    assert batch.schema.names == ["base_value", "top_features", "top_values"]

shutil.rmtree(out / "flights")
