"""XGBoost models against XGBoost itself: same leaves for every row, same raw margin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leafshap import _core
from leafshap.converters import convert as convert_any
from leafshap.converters.arrays import EnsembleArrays
from leafshap.converters.xgboost import convert, convert_file, predict_raw
from leafshap.errors import (
    InvalidInputError,
    InvalidModelError,
    UnsupportedModelError,
)
from xgboost_cases import (
    QUIET,
    SEED,
    VERSION,
    F,
    Floats,
    assert_close,
    categorical_booster,
    categorical_data,
    check,
    classes,
    kept_nodes,
    leaf_indices,
    margin_of,
    matrix,
    numeric_data,
    targets,
    train,
    xgb,
)

pytestmark = QUIET


@pytest.mark.parametrize("method", ["hist", "exact", "approx"])
def test_regression(method: str) -> None:
    a = check(train({"tree_method": method}))
    assert a.n_outputs == 1
    assert a.link == "identity"
    assert a.trees_per_iteration == 1
    assert a.tree_limit is None
    assert not a.allow_inf
    assert np.isnan(a.missing_value)
    assert a.source == f"xgboost {xgb.__version__} gbtree reg:squarederror"


def test_cover_is_the_sum_of_hessians() -> None:
    X, y = numeric_data()
    weight = np.random.default_rng(0).uniform(0.5, 3, len(y)).astype(np.float32)
    a = convert(train({"subsample": 1}, weight=weight))  # squared error: hessian is the weight
    assert a.cover is not None
    leaves = leaf_indices(a, X)
    for t, start in enumerate(a.tree_offsets[:-1]):
        expected = np.bincount(leaves[:, t], weight, minlength=a.tree_offsets[t + 1] - start)
        got = a.cover[start : a.tree_offsets[t + 1]]
        leaf = a.left[start : a.tree_offsets[t + 1]] == -1
        np.testing.assert_allclose(got[leaf], expected[leaf], rtol=1e-5)
        np.testing.assert_allclose(got[0], weight.sum(), rtol=1e-5)


def test_pruned_nodes_are_dropped() -> None:
    booster = train({"tree_method": "exact", "gamma": 2.0, "max_depth": 6, "eta": 0.1})
    records = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"]
    assert sum(int(tree["tree_param"]["num_deleted"]) for tree in records) > 0
    a = check(booster)
    assert len(a.left) == sum(len(ids) for ids in kept_nodes(booster))
    assert len(a.left) < sum(len(tree["left_children"]) for tree in records)


def test_refreshed_model() -> None:
    booster = train()
    X, y = numeric_data(seed=5)
    params = {"process_type": "update", "updater": "refresh", "refresh_leaf": True, "eta": 0.4}
    check(xgb.train({**params, "nthread": 1}, xgb.DMatrix(X, y), 6, xgb_model=booster))


@pytest.mark.parametrize("normalize", ["tree", "forest"])
def test_dart(normalize: str) -> None:
    params = {"booster": "dart", "rate_drop": 0.6, "one_drop": 1, "normalize_type": normalize}
    a = check(train(params, rounds=10))
    assert len(np.unique(a.tree_weight)) > 2
    assert " dart " in a.source


def test_dart_multiclass_forest() -> None:
    X, y = classes()
    params = {"booster": "dart", "rate_drop": 0.6, "one_drop": 1, "num_parallel_tree": 2}
    params |= {"objective": "multi:softprob", "num_class": 3, "subsample": 0.7}
    a = check(train(params, X, y))
    assert a.trees_per_iteration == 6
    assert len(np.unique(a.tree_weight)) > 2


def test_parallel_trees() -> None:
    booster = train({"num_parallel_tree": 4, "subsample": 0.6, "colsample_bynode": 0.6})
    a = check(booster)
    assert a.trees_per_iteration == 4
    assert len(a.tree_weight) == 24


@pytest.mark.parametrize("objective", ["multi:softprob", "multi:softmax"])
def test_multiclass(objective: str) -> None:
    X, y = classes(4)
    a = check(train({"objective": objective, "num_class": 4, "num_parallel_tree": 2}, X, y))
    assert a.n_outputs == 4
    assert a.trees_per_iteration == 8
    assert a.tree_output[:8].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_multi_target_one_tree_each() -> None:
    X, y = targets()
    a = check(train({"tree_method": "hist"}, X, y))
    assert a.n_outputs == 3
    assert a.leaf_value.ndim == 1


@pytest.mark.skipif(VERSION < (2, 0), reason="vector leaves came with 2.0")
@pytest.mark.parametrize("rounds", [1, 5])
def test_vector_leaves(rounds: int) -> None:
    X, y = targets()
    params = {"tree_method": "hist", "multi_strategy": "multi_output_tree", "num_parallel_tree": 2}
    booster = train({**params, "subsample": 0.8}, X, y, rounds)
    a = check(booster, leaves=VERSION >= (3, 2))
    assert a.leaf_value.shape == (len(a.left), 3)
    assert (a.tree_output == -1).all()
    assert a.trees_per_iteration == 2
    assert (a.cover is not None) == (VERSION >= (3, 2))
    if a.cover is not None:
        inner = np.flatnonzero(a.left[: a.tree_offsets[1]] != -1)
        below = a.cover[a.left[inner]] + a.cover[a.right[inner]]
        np.testing.assert_allclose(a.cover[inner], below, rtol=1e-5)


@pytest.mark.skipif(VERSION < (2, 0), reason="vector leaves came with 2.0")
def test_vector_leaves_multiclass() -> None:
    X, y = classes()
    params = {"tree_method": "hist", "multi_strategy": "multi_output_tree", "num_class": 3}
    a = check(train({**params, "objective": "multi:softprob"}, X, y), leaves=VERSION >= (3, 2))
    assert a.leaf_value.ndim == 2
    assert a.link == "softmax"


@pytest.mark.skipif(VERSION < (3, 2), reason="reduced gradients came with 3.2")
def test_vector_leaves_with_a_reduced_gradient() -> None:
    objective = pytest.importorskip("xgboost.objective")

    class Reduced(objective.TreeObjective):  # type: ignore[misc,name-defined]
        """Squared error; splits look at the mean of the targets only."""

        def __call__(self, iteration: int, y_pred: Floats, dtrain: Any) -> tuple[Floats, Floats]:
            y = dtrain.get_label().reshape(y_pred.shape)
            return y_pred - y, np.ones_like(y)

        def split_grad(self, iteration: int, grad: Floats, hess: Floats) -> tuple[Floats, Floats]:
            return grad.mean(axis=1, keepdims=True), hess.mean(axis=1, keepdims=True)

    X, y = targets()
    params = {"tree_method": "hist", "multi_strategy": "multi_output_tree", "num_target": 3}
    params |= {"max_depth": 3, "nthread": 1, "base_score": 0.25}
    booster = xgb.train(params, xgb.DMatrix(X, y), 4, obj=Reduced())
    tree = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"][0]
    assert len(tree["base_weights"]) == len(tree["left_children"])  # one value, not three
    assert check(booster).leaf_value.shape[1] == 3


# ---------------------------------------------------------------- categories


@pytest.mark.skipif(VERSION < (1, 7), reason="refused, see below")
@pytest.mark.parametrize("onehot", [1, 100])
def test_categorical(onehot: int) -> None:
    booster = categorical_booster(onehot)
    a = check(booster)
    sizes = np.diff(a.category_offsets)[a.categorical == 2]
    assert sizes.size > 5
    assert (sizes.max() == 1) == (onehot == 100)
    assert a.category_rule == "nonnegative"
    assert a.feature_categories == {}
    assert not a.encode_numeric


@pytest.mark.skipif(VERSION < (1, 7), reason="refused, see below")
def test_categorical_multiclass_pruned() -> None:
    X, y = categorical_data()
    y = np.digitize(y, np.quantile(y, [0.3, 0.7])).astype(float)
    params = {"tree_method": "approx", "max_cat_to_onehot": 1, "objective": "multi:softprob"}
    params |= {"num_class": 3, "gamma": 1.0}
    booster = train(params, X, y, feature_types=["c", "c", "q"], enable_categorical=True)
    assert (check(booster).categorical == 2).any()


@pytest.mark.skipif(VERSION >= (1, 7), reason="only 1.6 differs")
def test_categories_of_1_6_are_refused() -> None:
    with pytest.raises(UnsupportedModelError, match=r"before 1\.7"):
        convert(categorical_booster(1))


@pytest.mark.skipif(VERSION < (3, 1), reason="category names are saved since 3.1")
@pytest.mark.parametrize("suffix", ["json", "ubj"])
def test_category_names(tmp_path: Path, suffix: str) -> None:
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(SEED)
    names, numbers = ["red", "green", "", "long name"], [7, -30, 70_000]
    if VERSION >= (3, 4):  # 3.2 cannot train on these
        names[2] = "blå"
    frame = pd.DataFrame(
        {
            "color": pd.Categorical(rng.choice(names, 300), categories=names),
            "x": rng.normal(size=300),
            "number": pd.Categorical(rng.choice(numbers, 300), categories=numbers),
        }
    )
    if VERSION >= (3, 4):
        big = np.array([4_000_000_000, 5], dtype=np.uint32)
        frame["big"] = pd.Categorical(rng.choice(big, 300), categories=big)
        small = np.array([200, 5], dtype=np.uint8)
        frame["small"] = pd.Categorical(rng.choice(small, 300), categories=small)
    y = (frame.color == "red") * 3.0 + (frame.number == 7) * 2 + frame.x
    booster = train({"tree_method": "hist"}, frame, y, enable_categorical=True)
    booster.save_model(tmp_path / f"model.{suffix}")
    a = convert_file(tmp_path / f"model.{suffix}")
    expected = {
        i: list(frame[name].cat.categories)
        for i, name in enumerate(frame)
        if isinstance(frame[name].dtype, pd.CategoricalDtype)
    }
    assert a.feature_categories == expected
    assert a.feature_names == list(frame)

    shuffled = frame.copy()  # other codes for the same values: XGBoost codes them anew
    shuffled["color"] = shuffled["color"].cat.set_categories(names[::-1])
    columns = [
        [expected[i].index(v) for v in shuffled[name]] if i in expected else shuffled[name]
        for i, name in enumerate(frame)
    ]
    codes = np.column_stack(columns).astype(float)
    assert_close(margin_of(a, codes), predict_raw(booster, shuffled))
    assert_close(margin_of(a, codes), predict_raw(booster, codes))
    assert_close(margin_of(a, codes), booster.predict(matrix(booster, codes), output_margin=True))


@pytest.mark.skipif(VERSION < (1, 7), reason="1.6 categories are refused")
def test_predict_raw_of_a_data_frame() -> None:
    pd = pytest.importorskip("pandas")
    X, y = categorical_data()
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).astype({"a": "category", "b": "category"})
    codes = np.column_stack([frame.a.cat.codes, frame.b.cat.codes, X[:, 2]]).astype(float)
    codes[codes[:, 0] < 0, 0] = np.nan
    codes[codes[:, 1] < 0, 1] = np.nan
    frame["a"] = frame["a"].cat.rename_categories(lambda v: f"a{v}")
    frame["b"] = frame["b"].cat.rename_categories(lambda v: f"b{v}")
    booster = train({"tree_method": "hist"}, frame, y, enable_categorical=True)
    estimator = xgb.XGBRegressor(
        n_estimators=4, tree_method="hist", enable_categorical=True, n_jobs=1
    ).fit(frame, y)
    for model in (booster, estimator):
        a = convert(model)
        assert a.feature_names == ["a", "b", "c"]
        assert (a.categorical == 2).any()
        assert_close(margin_of(a, codes), predict_raw(model, frame))
        assert_close(margin_of(a, codes), predict_raw(model, codes))
    # Codes in a data frame without categories: the wrapper refuses them since 3.1.
    plain = pd.DataFrame(codes, columns=["a", "b", "c"])
    assert_close(margin_of(convert(booster), codes), predict_raw(booster, plain))


# ---------------------------------------------------------------- the whole model


def test_n_trees() -> None:
    pytest.importorskip("sklearn")
    X, y = classes()
    for model in (
        train({"objective": "multi:softprob", "num_class": 3, "num_parallel_tree": 2}, X, y),
        xgb.XGBClassifier(n_estimators=4, num_parallel_tree=2, n_jobs=1).fit(X, y),
        train(
            {"booster": "dart", "rate_drop": 0.5, "objective": "multi:softprob", "num_class": 3}
            | {"num_parallel_tree": 2},
            X,
            y,
        ),
    ):
        a = convert(model)
        for n_trees in (6, 12):
            assert_close(margin_of(a, X, n_trees), predict_raw(model, X, n_trees))
        for n_trees in (0, -6, 3, 7, len(a.tree_weight) + 6):
            with pytest.raises(InvalidInputError, match="n_trees"):
                predict_raw(model, X, n_trees)


def test_feature_names() -> None:
    X, y = numeric_data()
    names = [f"f {i}é" for i in range(F)]
    booster = train(X=X, y=y, feature_names=names)
    assert check(booster).feature_names == names
    assert convert(train()).feature_names is None


def test_slice_and_continued_training() -> None:
    booster = train(rounds=8)
    check(booster[2:6])
    X, y = numeric_data()
    more = xgb.train({"max_depth": 2, "nthread": 1}, xgb.DMatrix(X, y), 3, xgb_model=booster)
    assert len(check(more).tree_weight) == 11


def test_no_trees() -> None:
    X, _ = numeric_data()
    booster = train({"base_score": 0.25}, rounds=0)
    a = convert(booster)
    assert len(a.tree_weight) == 0
    assert_close(margin_of(a, X), predict_raw(booster, X))


def test_what_is_refused() -> None:
    pytest.importorskip("sklearn")
    X, y = numeric_data()
    X = np.nan_to_num(X)
    with pytest.raises(UnsupportedModelError, match="gblinear"):
        convert(train({"booster": "gblinear"}, X, y))
    with pytest.raises(UnsupportedModelError, match="gblinear"):
        convert(xgb.XGBRegressor(booster="gblinear", n_estimators=2).fit(X, y))
    with pytest.raises(InvalidModelError, match="not fitted"):
        convert(xgb.XGBRegressor())
    with pytest.raises(InvalidModelError):
        convert(xgb.Booster())
    with pytest.raises(UnsupportedModelError, match=r"xgboost\.Booster"):
        convert(xgb.DMatrix(X))
    assert isinstance(convert_any(train()), EnsembleArrays)


def test_monotone_constraints_split_on_being_missing() -> None:
    """With constraints XGBoost writes splits at -inf, which only missing values pass."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 5)).astype(np.float32)
    X[rng.random(X.shape) < 0.2] = np.nan
    y = np.nansum(X, axis=1) + rng.normal(size=500)
    booster = xgb.train(
        {"monotone_constraints": "(1,1,1,1,1)", "nthread": 1}, xgb.DMatrix(X, y), 100
    )
    predicted = _core.Ensemble(convert(booster).as_dict()).predict(X)[:, 0]
    np.testing.assert_allclose(predicted, booster.predict(xgb.DMatrix(X)), rtol=1e-5, atol=1e-5)
