"""The intercept and the link of every XGBoost objective, against XGBoost's own predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from leafshap.converters.xgboost import convert, predict_raw
from xgboost_cases import (
    QUIET,
    VERSION,
    Floats,
    assert_close,
    check,
    classes,
    margin_of,
    matrix,
    numeric_data,
    targets,
    train,
    xgb,
)

pytestmark = QUIET


# ---------------------------------------------------------------- objectives


LINKS: dict[str, Callable[[Floats], Floats]] = {
    "identity": lambda m: m,
    "logistic": lambda m: 1 / (1 + np.exp(-m)),
    "exp": np.exp,
    "softmax": lambda m: np.exp(m) / np.exp(m).sum(axis=1, keepdims=True),
    "sorted": lambda m: np.sort(m, axis=1),
    "hinge": lambda m: (m > 0).astype(float),
    "expectile": lambda m: np.cumsum(
        np.column_stack([m[:, :1], np.logaddexp(0, m[:, 1:]) + 1e-6]), axis=1
    ),
}

OBJECTIVES = {
    "reg:squarederror": "real",
    "reg:squaredlogerror": "positive",
    "reg:pseudohubererror": "real",
    "reg:logistic": "share",
    "binary:logistic": "binary",
    "binary:logitraw": "binary",
    "binary:hinge": "binary",
    "count:poisson": "count",
    "reg:gamma": "positive",
    "reg:tweedie": "positive",
    "survival:cox": "real",
    "survival:aft": "interval",
    "multi:softprob": "class",
    "rank:pairwise": "rank",
    "rank:ndcg": "rank",
    "rank:map": "rank",
}
if VERSION >= (1, 7):
    OBJECTIVES["reg:absoluteerror"] = "real"
if VERSION >= (2, 0):
    OBJECTIVES["reg:quantileerror"] = "real"
if VERSION >= (3, 4):
    OBJECTIVES["reg:expectileerror"] = "real"


@pytest.mark.parametrize("base_score", [None, 0.3, 0.75], ids=["estimated", "0.3", "0.75"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_objective(objective: str, base_score: float | None) -> None:
    X, y = numeric_data()
    kind = OBJECTIVES[objective]
    label = {
        "real": y,
        "interval": None,
        "positive": np.exp(y / 4) + 0.1,
        "share": 1 / (1 + np.exp(-y)),
        "binary": y > 1,
        "rank": y > 1,
        "count": np.floor(np.exp(y / 4)),
        "class": classes()[1],
    }[kind]
    data = xgb.DMatrix(X, label)
    params = {"objective": objective, "max_depth": 3, "nthread": 1, "eta": 0.5}
    if base_score is not None:
        params["base_score"] = base_score
    if kind == "class":
        params["num_class"] = 3
    if kind == "rank":
        data.set_group([40] * 10)
    if kind == "interval":
        data.set_float_info("label_lower_bound", np.exp(y / 4))
        data.set_float_info("label_upper_bound", np.exp(y / 4) * 1.5)
    if objective == "reg:quantileerror":
        params |= {"quantile_alpha": [0.2, 0.8], "tree_method": "hist"}
    if objective == "reg:expectileerror":
        params |= {"expectile_alpha": [0.2, 0.5, 0.8], "tree_method": "hist"}
        if base_score is not None:  # must not decrease
            params["base_score"] = [base_score, base_score + 0.1, base_score + 1.5]
    booster = xgb.train(params, data, 4)
    a = check(booster)
    predicted = booster.predict(matrix(booster, X))
    np.testing.assert_allclose(LINKS[a.link](margin_of(a, X)), predicted, rtol=2e-5, atol=2e-6)


@pytest.mark.skipif(VERSION < (3, 1), reason="one intercept per output came with 3.1")
def test_intercept_per_output() -> None:
    X, y = targets()
    a = check(train({"tree_method": "hist"}, X, y))
    assert len(np.unique(a.base_values)) == 3
    a = check(train({"tree_method": "hist", "base_score": [1.0, -2.0, 30.0]}, X, y))
    np.testing.assert_array_equal(a.base_values, [1, -2, 30])
    X, y = numeric_data()
    y = np.digitize(y, np.quantile(y, [0.2, 0.5])).astype(float)
    params = {"objective": "multi:softprob", "num_class": 3}
    assert len(np.unique(check(train(params, X, y)).base_values)) == 3


@pytest.mark.parametrize("share", [1e-7, 1 - 1e-6])
def test_intercept_near_the_ends_of_logistic(share: float) -> None:
    X, y = numeric_data()
    params = {"objective": "binary:logistic", "base_score": share, "min_child_weight": 0}
    check(train(params, X, y > 0, rounds=2))


@pytest.mark.skipif(VERSION < (3, 2), reason="before, an intercept of 0 was refused")
def test_intercept_of_a_single_class() -> None:
    X, _ = numeric_data()
    booster = train({"objective": "binary:logistic"}, X, np.zeros(len(X)), rounds=1)
    a = convert(booster)
    assert_close(margin_of(a, X), predict_raw(booster, X))


def test_custom_objective() -> None:
    X, y = numeric_data()

    def squared(margin: Floats, data: Any) -> tuple[Floats, Floats]:
        return margin - data.get_label(), np.ones_like(margin)

    params = {"max_depth": 3, "nthread": 1, "base_score": 0.5}
    check(xgb.train(params, xgb.DMatrix(X, y), 4, obj=squared))
