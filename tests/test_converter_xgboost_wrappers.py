"""scikit-learn wrappers of XGBoost: what they do otherwise than their Booster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leafshap.converters.xgboost import convert, convert_file
from xgboost_cases import (
    QUIET,
    VERSION,
    F,
    check,
    classes,
    hard_rows,
    leaf_indices,
    margin_of,
    numeric_data,
    targets,
    xgb,
)

pytestmark = QUIET


def test_sklearn_wrappers() -> None:
    pytest.importorskip("sklearn")
    X, y = numeric_data()
    given = {"n_estimators": 5, "max_depth": 3, "n_jobs": 1}
    regressor = check(xgb.XGBRegressor(**given).fit(X, y))
    assert regressor.allow_inf  # inplace_predict does not look for infinities
    assert check(xgb.XGBClassifier(**given).fit(X, y > 0)).link == "logistic"
    assert check(xgb.XGBClassifier(**given).fit(*classes())).n_outputs == 3
    group = np.repeat(np.arange(10), 40)
    check(xgb.XGBRanker(**given).fit(X, y > 1, qid=group))
    forest = check(xgb.XGBRFRegressor(n_estimators=7, max_depth=3, n_jobs=1).fit(X, y))
    assert forest.trees_per_iteration == 7
    forest = check(xgb.XGBRFClassifier(n_estimators=4, max_depth=3, n_jobs=1).fit(*classes()))
    assert forest.trees_per_iteration == 12
    multi = xgb.XGBRegressor(**given, tree_method="hist").fit(*targets())
    assert check(multi).n_outputs == 3
    X, labels = targets()
    multilabel = xgb.XGBClassifier(**given, tree_method="hist").fit(X, labels > 0)
    assert check(multilabel).link == "logistic"


@pytest.mark.parametrize("missing", [-999.0, 0.0, 0.1, np.inf])
def test_other_missing_values(missing: float) -> None:
    pytest.importorskip("sklearn")
    X, y = numeric_data()
    X = np.where(np.isnan(X), missing, X)
    X[::50, 1] = np.nan  # still missing
    model = xgb.XGBRegressor(n_estimators=5, max_depth=4, missing=missing, n_jobs=1).fit(X, y)
    a = convert(model)
    assert a.missing_value == np.float32(missing)
    hard = hard_rows(a, infinity=True)
    hard[::7] = missing
    hard[::11] = -0.0
    hard[::13, 0] = np.float32(missing)
    check(model, X=hard)
    marked = np.full((1, F), missing)
    absent = np.full((1, F), np.nan)
    np.testing.assert_array_equal(leaf_indices(a, marked), leaf_indices(a, absent))


def early_stopped(**params: Any) -> Any:
    X, y = numeric_data()
    V, v = numeric_data(seed=9)
    v = v + np.random.default_rng(0).normal(size=len(v)) * 3
    if VERSION >= (1, 6):
        params["early_stopping_rounds"] = 4
    model = xgb.XGBRegressor(n_estimators=60, max_depth=5, learning_rate=0.8, n_jobs=1, **params)
    return model.fit(X, y, eval_set=[(V, v)], verbose=False)


def test_best_iteration(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    model = early_stopped(num_parallel_tree=2, subsample=0.7)
    a = check(model)
    assert a.trees_per_iteration == 2
    assert a.tree_limit == 2 * (model.best_iteration + 1) < len(a.tree_weight)

    # The Booster's own predict uses all trees.
    booster = model.get_booster()
    all_trees = check(booster)
    assert all_trees.tree_limit is None
    X = hard_rows(a)
    assert np.abs(margin_of(a, X) - margin_of(all_trees, X)).max() > 1e-3

    # A file is whose wrote it.
    model.save_model(tmp_path / "wrapper.ubj")
    assert convert_file(tmp_path / "wrapper.ubj").tree_limit == a.tree_limit
    assert convert_file(tmp_path / "wrapper.ubj").allow_inf
    booster.save_model(tmp_path / "booster.ubj")
    assert convert_file(tmp_path / "booster.ubj").tree_limit is None
    assert not convert_file(tmp_path / "booster.ubj").allow_inf

    # and the wrapper that loads it agrees
    loaded = xgb.XGBRegressor()
    loaded.load_model(tmp_path / "wrapper.ubj")
    check(loaded)
