"""LightGBM's models in the IR take LightGBM's own leaf for every row, and its sums.

The oracles are LightGBM's ``predict`` (raw, leaf indices, transformed) and ``dump_model``; rows sit
on the thresholds, beside them, and on every value that is read in a special way.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from leafshap import TreeEnsemble, TreeExplainer, _core
from leafshap.converters import lightgbm as converter
from leafshap.converters.arrays import Missing
from leafshap.errors import InvalidInputError, InvalidModelError, UnsupportedModelError
from lightgbm_cases import (
    KINDS,
    QUIET,
    SPECIAL,
    assert_same_model,
    edge_rows,
    edited,
    leaves_reached,
    own_raw,
    raw_sums,
    train,
    training_data,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lightgbm_cases import Floats

lgb = pytest.importorskip("lightgbm")
# old LightGBM versions warn of their own keywords, and use old ones of numpy and pandas
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:lightgbm"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:lightgbm"),
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
]


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return {name: train(*kind) for name, kind in KINDS.items()}


@pytest.mark.parametrize("name", KINDS)
def test_same_leaves_and_sums(name: str, models: dict[str, Any], tmp_path: Path) -> None:
    booster = models[name]
    arrays = converter.convert(booster)
    assert 0 in arrays.category_codes, "NaN read as category 0 must make a difference"
    assert_same_model(arrays, booster, edge_rows(arrays, training_data(KINDS[name][1])[0]))

    booster.save_model(str(tmp_path / "model.txt"))
    from_file = converter.convert_file(str(tmp_path / "model.txt"))
    assert from_file.source.startswith("lightgbm text")
    for field, value in arrays.as_dict().items():
        if field != "source":
            np.testing.assert_array_equal(getattr(from_file, field), value, err_msg=field)


def test_kinds_reach_every_missing_policy(models: dict[str, Any]) -> None:
    def policies(name: str) -> set[int]:
        arrays = converter.convert(models[name])
        return set(arrays.missing[(arrays.split_feature >= 0) & (arrays.categorical == 0)].tolist())

    assert policies("missing none") == {Missing.NAN_AS_ZERO}
    assert policies("missing unused") == {Missing.NAN_AS_ZERO}
    assert Missing.NAN in policies("missing nan")
    assert Missing.ZERO in policies("missing zero and nan")


@pytest.mark.parametrize("name", KINDS)
def test_link_turns_raw_into_prediction(name: str, models: dict[str, Any]) -> None:
    X = training_data()[0][:50]
    arrays = converter.convert(models[name])
    raw = raw_sums(arrays, leaves_reached(arrays, X))
    link, _, scale = arrays.link.partition(":")
    transforms: dict[str, Callable[[Floats], Floats]] = {
        "identity": lambda r: r,
        "logistic": lambda r: 1 / (1 + np.exp(-float(scale or 1) * r)),
        "softmax": lambda r: np.exp(r) / np.exp(r).sum(axis=1, keepdims=True),
        "exp": np.exp,
        "softplus": lambda r: np.log1p(np.exp(r)),
        "signed_square": lambda r: np.sign(r) * r**2,
    }
    prediction = transforms[link](raw)
    own = np.asarray(models[name].predict(X)).reshape(prediction.shape)
    np.testing.assert_allclose(prediction, own, rtol=1e-12)
    assert (link == "identity") == np.allclose(raw, own)
    assert arrays.averaged == ("rf" in name)


def test_category_sets_are_those_of_the_json_dump() -> None:
    rng = np.random.default_rng(1)
    code = rng.choice([0, 1, 31, 32, 63, 64, 500, 40_000, 1_000_000], 900).astype(float)
    y = np.isin(code, [1, 31, 64, 1_000_000]) * 3.0 + rng.normal(size=900) / 9
    data = lgb.Dataset(code[:, None], y, categorical_feature=[0])
    booster = lgb.train({**QUIET, "max_cat_to_onehot": 1, "num_leaves": 4}, data, 3)
    arrays = converter.convert(booster)
    for t, info in enumerate(booster.dump_model()["tree_info"]):
        stack = [info["tree_structure"]]
        while stack:
            node = stack.pop()
            if "split_index" not in node:
                continue
            at = arrays.tree_offsets[t] + node["split_index"]
            span = slice(*arrays.category_offsets[at : at + 2])
            codes = [int(c) for c in node["threshold"].split("||")]
            assert arrays.category_codes[span].tolist() == codes
            stack += [node["left_child"], node["right_child"]]
    X = np.append(code[:100], [1_000_000.5, 999_999, 1_000_001, *SPECIAL])[:, None]
    assert_same_model(arrays, booster, X)


@pytest.mark.parametrize("decision", [0, 2, 4, 6, 8, 10])
def test_thresholds_inside_the_zero_range(decision: int) -> None:
    """LightGBM reads every |x| <= 1e-35f as 0.0; its reader is the oracle for edited models."""
    template = lgb.train(
        {**QUIET, "num_leaves": 2, "min_data_in_leaf": 1, "min_data_in_bin": 1},
        lgb.Dataset(np.repeat([1.0, 2.0], 40)[:, None], np.repeat([1.0, 2.0], 40)),
        1,
    ).model_to_string()
    for threshold in SPECIAL:
        if not math.isfinite(threshold):
            continue
        text = edited(template, threshold=repr(float(threshold)), decision_type=str(decision))
        booster = lgb.Booster(model_str=text)
        arrays = converter.convert(booster)
        beside = [math.nextafter(threshold, s * math.inf) for s in (1, -1)]
        assert_same_model(arrays, booster, np.array([*SPECIAL, threshold, *beside])[:, None])


def test_trees_of_one_leaf() -> None:
    """A class without rows, and a label without spread, leave trees of a single leaf."""
    X, y = training_data()
    constant = lgb.train(QUIET, lgb.Dataset(X, np.full(len(y), 2.5)), 4)
    label = (y > 0).astype(float)  # class 2 never occurs
    sparse = lgb.train(
        {**QUIET, "objective": "multiclass", "num_class": 3}, lgb.Dataset(X, label), 3
    )
    for booster in (constant, sparse):
        arrays = converter.convert(booster)
        assert (np.diff(arrays.tree_offsets) == 1).any()
        assert_same_model(arrays, booster, edge_rows(arrays, X))
    raw = converter.predict_raw(constant, X[:3])
    np.testing.assert_allclose(
        raw, raw_sums(converter.convert(constant), np.zeros((3, 1), int))[:, 0]
    )


def test_cover_is_the_count_of_training_rows() -> None:
    X, y = training_data("nan")
    weight = np.random.default_rng(2).random(len(y)) * 5
    booster = lgb.train(QUIET, lgb.Dataset(X, y, weight=weight, categorical_feature=[3, 4]), 4)
    arrays = converter.convert(booster)
    assert arrays.cover is not None
    leaves = leaves_reached(arrays, X)
    for t, first in enumerate(arrays.tree_offsets[:-1]):
        last = arrays.tree_offsets[t + 1]
        is_leaf = arrays.split_feature[first:last] < 0
        counted = np.bincount(leaves[:, t], minlength=last - first)
        np.testing.assert_array_equal(arrays.cover[first:last][is_leaf], counted[is_leaf])
        assert arrays.cover[first] == len(X)


@pytest.mark.parametrize("objective", ["regression", "multiclass"])
def test_best_iteration_is_the_tree_limit(objective: str, tmp_path: Path) -> None:
    booster = train({"objective": objective}, rounds=9)
    per_iteration = 3 if objective == "multiclass" else 1
    X = training_data()[0][:40]
    assert converter.convert(booster).tree_limit is None
    booster.best_iteration = 4
    arrays = converter.convert(booster)
    assert arrays.tree_output.size == 9 * per_iteration
    assert arrays.tree_limit == 4 * per_iteration
    default = booster.predict(X, raw_score=True)
    np.testing.assert_array_equal(converter.predict_raw(booster, X), default)
    limited = _core.Ensemble(arrays.as_dict()).predict(X, arrays.tree_limit, 1)
    np.testing.assert_allclose(limited.reshape(default.shape), default, rtol=1e-13)
    booster.save_model(str(tmp_path / "best.txt"))
    assert converter.convert_file(tmp_path / "best.txt").tree_output.size == 4 * per_iteration
    for iterations in (0, 1, 6, 9, 50):
        own = booster.predict(X, raw_score=True, num_iteration=min(iterations, 9))
        if iterations == 0:
            own = np.zeros_like(own)
        found = converter.predict_raw(booster, X, iterations * per_iteration)
        np.testing.assert_array_equal(found, own)
    for wrong in (-1, *([4] if per_iteration > 1 else [])):
        with pytest.raises(InvalidInputError, match="multiple"):
            converter.predict_raw(booster, X, wrong)


def test_early_stopping_sets_the_limit() -> None:
    X, y = training_data()
    held = np.random.default_rng(0).permutation(y[400:])
    train_set = lgb.Dataset(X[:400], y[:400])
    booster = lgb.train(
        {**QUIET, "metric": "l2", "learning_rate": 0.3},
        train_set,
        60,
        valid_sets=[train_set.create_valid(X[400:], held)],
        callbacks=[lgb.early_stopping(3, verbose=False)],
    )
    arrays = converter.convert(booster)
    assert 0 < booster.best_iteration < 60
    assert arrays.tree_limit == booster.best_iteration


@pytest.mark.parametrize("name", ["rf", "rf multiclass"])
def test_forest_raw_prediction_is_the_mean(name: str, models: dict[str, Any]) -> None:
    booster = models[name]
    X = training_data()[0][:30]
    per_iteration = booster.num_model_per_iteration()
    for iterations in (1, 4, None):
        n_trees = None if iterations is None else iterations * per_iteration
        raw = converter.predict_raw(booster, X, n_trees)
        own = booster.predict(X, num_iteration=iterations)
        if per_iteration > 1:
            raw = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(raw, own, rtol=1e-12)


def test_sklearn_classes() -> None:
    pytest.importorskip("sklearn")
    X, y = training_data("nan")
    settings = {"n_estimators": 5, "num_leaves": 7, "n_jobs": 1, "verbose": -1}
    names = np.array(["low", "mid", "high"])[np.digitize(y, [-1.0, 1.0])]
    regressor = lgb.LGBMRegressor(**settings).fit(X, y)
    binary = lgb.LGBMClassifier(**settings).fit(X, names == "low")
    classifier = lgb.LGBMClassifier(**settings).fit(X, names)
    ranker = lgb.LGBMRanker(**settings).fit(X, np.digitize(y, [0.0]), group=[60] * 10)
    forest = lgb.LGBMRegressor(boosting_type="rf", subsample=0.5, subsample_freq=1, **settings).fit(
        X, y
    )
    for model in (regressor, binary, classifier, ranker, forest):
        arrays = converter.convert(model)
        assert_same_model(arrays, model.booster_, edge_rows(arrays, X))
        raw = converter.predict_raw(model, X[:20]).reshape(20, -1)
        np.testing.assert_allclose(raw, own_raw(model.booster_, X[:20]), rtol=1e-13)
    assert converter.convert(classifier).output_names == ["high", "low", "mid"]
    assert converter.convert(binary).output_names is None
    assert converter.convert(forest).averaged
    with pytest.raises(InvalidModelError, match="not fitted"):
        converter.convert(lgb.LGBMRegressor())


def test_other_objects_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedModelError, match=r"CVBooster.*\.boosters"):
        converter.convert(lgb.CVBooster())
    with pytest.raises(UnsupportedModelError, match="Dataset"):
        converter.convert(lgb.Dataset(np.zeros((2, 1))))
    for rounds in (1, 3):
        linear = train({"linear_tree": True, "max_cat_to_onehot": 1}, rounds=rounds + 1)
        with pytest.raises(UnsupportedModelError, match="linear_tree=False"):
            converter.convert(linear)


def test_linear_tree_of_constant_leaves() -> None:
    """Leaves without coefficients predict leaf_const, not leaf_value."""
    text = train({}, rounds=1).model_to_string()
    constants = [str(i / 8) for i in range(9)]
    lines = {"is_linear": "1\nleaf_const=" + " ".join(constants) + "\nnum_features=" + "0 " * 9}
    lines["is_linear"] += "\nleaf_features=" + " " * 9 + "\nleaf_coeff=" + " " * 9
    booster = lgb.Booster(model_str=edited(text, **lines))
    arrays = converter.convert(booster)
    assert sorted(set(arrays.leaf_value[arrays.left < 0])) == [float(c) for c in constants]
    assert_same_model(arrays, booster, training_data()[0])


def test_model_without_trees() -> None:
    X, y = training_data()
    booster = lgb.Booster(QUIET, lgb.Dataset(X, y))
    arrays = converter.convert(booster)
    assert arrays.tree_output.size == 0
    np.testing.assert_array_equal(converter.predict_raw(booster, X[:4]), np.zeros(4))


def test_splits_on_being_missing() -> None:
    """LightGBM writes threshold=inf for the split "is it missing?"."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(2000, 3))
    X[rng.random(X.shape) < 0.3] = np.nan
    y = np.isnan(X[:, 0]) * 3.0 + np.isnan(X[:, 1]) * np.nan_to_num(X[:, 2])
    booster = lgb.train(
        {"objective": "regression", "verbose": -1, "num_leaves": 15, "num_threads": 1},
        lgb.Dataset(X, y),
        20,
    )
    assert "inf" in booster.model_to_string().split("threshold=", 1)[1]
    X[0], X[1] = np.inf, -np.inf
    ensemble = TreeEnsemble.from_model(booster)
    np.testing.assert_allclose(ensemble.predict(X), booster.predict(X), rtol=1e-12)
    explainer = TreeExplainer(booster)
    np.testing.assert_allclose(
        explainer.shap_values(X), booster.predict(X, pred_contrib=True)[:, :-1], atol=1e-10
    )
