"""Models with named features, and tables of rows for them that hold more than the features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest

import leafshap
from strategies import Recipe, random_ensemble, random_rows

if TYPE_CHECKING:
    import pyarrow as pa

NAMES = ["age", "income before tax", "c", "d", "naïve", "f"]


def named_model(n_outputs: int = 1, seed: int = 3, **changes: Any) -> leafshap.TreeEnsemble:
    """Random trees over `NAMES`, without categories."""
    recipe = Recipe(seed=seed, n_trees=5, n_outputs=n_outputs, categorical=0.0)
    names = [f"class {k}" for k in range(n_outputs)] if n_outputs > 1 else None
    arrays = random_ensemble(recipe)
    return leafshap.TreeEnsemble(
        replace(arrays, **{"feature_names": NAMES, "output_names": names, **changes})
    )


def model_with_unnamed_categories() -> leafshap.TreeEnsemble:
    """A model that splits its feature "c" by codes 0, 1, 2 of which it knows no names."""
    arrays = named_model().to_arrays()
    at = np.flatnonzero((arrays.split_feature == 2) & (arrays.left >= 0))
    categorical = arrays.categorical.copy()
    categorical[at] = 1
    sizes = np.zeros(len(arrays.left), dtype=np.int64)
    sizes[at] = 1
    return named_model(
        categorical=categorical,
        category_offsets=np.concatenate([[0], np.cumsum(sizes)]),
        category_codes=(np.arange(len(at)) % 3).astype(np.int32),
    )


def explainer_of_a_model_that_changed(X: npt.NDArray[np.float32]) -> leafshap.TreeExplainer:
    """What it explains is no longer what the model predicts."""
    xgboost = pytest.importorskip("xgboost")
    booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(X, X[:, 0]), 3)
    explainer = leafshap.TreeExplainer(booster)
    more = xgboost.train({"nthread": 1}, xgboost.DMatrix(X, X[:, 1]), 3, xgb_model=booster)
    booster.load_model(more.save_raw("ubj"))
    return explainer


def rows_of(model: leafshap.TreeEnsemble, n: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """Rows on and beside thresholds, some values missing."""
    rows = random_rows(model.to_arrays(), n, seed=seed)
    return np.where(np.abs(rows) < 1e30, rows, np.nan).astype(np.float32)


def table_of(X: npt.NDArray[Any], names: list[str] | None = None) -> pa.Table:
    """A table with the features in another order, an id, a group and a column of text."""
    import pyarrow as pa

    n = len(X)
    columns: dict[str, Any] = {"id": pa.array(np.arange(n) * 7)}
    for j in reversed(range(X.shape[1])):
        columns[(names or NAMES)[j]] = pa.array(X[:, j], from_pandas=True)  # NaN as null
    columns["group"] = pa.array([("a", "b", None)[i % 3] for i in range(n)], pa.string())
    columns["y"] = pa.array(np.linspace(0, 1, n))
    return pa.table(columns)


def matrix_of(column: Any) -> npt.NDArray[Any]:
    """A column of fixed-size lists as (n, length)."""
    array = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    size = array.type.list_size
    return np.asarray(array.flatten().to_numpy(False)).reshape(len(array), size)


class Stop(Exception):
    """Raised to stop a run."""


def stop_at(rows: int) -> Callable[[int, int | None], None]:
    """A `progress` that stops the run once so many rows are done."""

    def stop(done: int, total: int | None) -> None:
        if done >= rows:
            raise Stop

    return stop
