"""Record small models of the installed XGBoost with its own margins: record_xgboost.py DIRECTORY.

test_converter_xgboost.py reads the files, so that formats of versions that nobody installs any
more stay tested.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import xgboost as xgb


def main(directory: str) -> None:
    version = tuple(int(part) for part in xgb.__version__.split(".")[:2])
    rng = np.random.default_rng(6)
    X = rng.normal(size=(200, 3)).round(1)
    X[:, 2] = rng.integers(0, 40, 200)
    X[rng.random(X.shape) < 0.1] = np.nan
    z = np.nan_to_num(X)
    y = z[:, 0] * 2 + z[:, 1] + (z[:, 2] % 7 < 3) * 2 + 1
    labels: dict[str, tuple[dict[str, Any], Any]] = {
        "regression": ({}, y),
        "logistic": ({"objective": "binary:logistic", "base_score": 0.3}, y > 1),
        "logitraw": ({"objective": "binary:logitraw", "base_score": 0.3}, y > 1),
        "poisson": ({"objective": "count:poisson", "base_score": 2.5}, np.exp(y / 4)),
        "classes": (
            {"objective": "multi:softprob", "num_class": 3, "num_parallel_tree": 2}
            | {"subsample": 0.7},
            np.digitize(y, [0, 2.5]),
        ),
        "dart": ({"booster": "dart", "rate_drop": 0.7, "one_drop": 1}, y),
        "pruned": ({"tree_method": "exact", "gamma": 20.0, "max_depth": 4}, y),
        "targets": ({"tree_method": "hist"}, np.column_stack([y, -2 * z[:, 1]])),
    }
    if version >= (1, 7):
        labels["partition"] = ({"tree_method": "hist", "max_cat_to_onehot": 1}, y)
        labels["onehot"] = ({"tree_method": "hist", "max_cat_to_onehot": 100}, y)
    if version >= (2, 0):
        vector = {"tree_method": "hist", "multi_strategy": "multi_output_tree"}
        labels["vector"] = (vector, np.column_stack([y, -2 * z[:, 1]]))
    cases = {}
    for name, (params, label) in labels.items():
        types = ["q", "q", "c" if name in ("partition", "onehot") else "q"]
        given = {"max_depth": 2, "nthread": 1, "eta": 0.5, **params}
        booster = xgb.train(given, xgb.DMatrix(X, label, feature_types=types), 3)
        rows = X[:16]
        margin = booster.predict(xgb.DMatrix(rows, feature_types=types), output_margin=True)
        cases[name] = {
            "document": json.loads(booster.save_raw("json")),
            "rows": rows.tolist(),
            "margin": margin.astype(float).tolist(),
        }
    path = Path(directory) / f"xgboost-{xgb.__version__}.json"
    path.write_text(json.dumps({"version": xgb.__version__, "cases": cases}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
