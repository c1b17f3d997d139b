"""TreeExplainer under shap's name as an object: what others read of it, and how it is stored."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compat_cases import KINDS, arguments, background, fitted, is_comparable, quiet, rows
from compat_checks import EXACT, FLOAT32, assert_alike, assert_close, assert_same_explanation

shap = pytest.importorskip("shap")
pd = pytest.importorskip("pandas")

import leafshap.compat.shap as compat  # noqa: E402

pytestmark = quiet

SOME = [
    (name, mode)
    for name in ("RandomForestClassifier 3", "GradientBoostingRegressor", "IsolationForest",
                 "HistGradientBoostingClassifier 3", "XGBRegressor", "XGBClassifier 3",
                 "xgboost.Booster binary", "XGBRegressor stopped", "LGBMClassifier",
                 "LGBMClassifier 3", "lightgbm.Booster")
    for mode in ("plain", "background", "counted")
]  # fmt: skip


def both(name: str, mode: str, **options: Any) -> tuple[Any, Any]:
    model, options = fitted(name), {**arguments(name, mode), **options}
    return compat.TreeExplainer(model, **options), shap.TreeExplainer(model, **options)


# ---------------------------------------------------------------- classes


def test_classes() -> None:
    """Ours are subclasses of shap's; shap's count as ours, too."""
    for name in ("TreeExplainer", "KernelExplainer", "PermutationExplainer", "Explainer"):
        ours, theirs = getattr(compat, name), getattr(shap, name)
        assert ours is not theirs
        assert issubclass(ours, theirs)
        assert issubclass(theirs, ours)
        assert ours.__name__ == theirs.__name__
    ours_made, theirs_made = both("RandomForestRegressor", "plain")
    for explainer in (ours_made, theirs_made):
        for module in (compat, shap):
            assert isinstance(explainer, module.TreeExplainer)
            assert isinstance(explainer, module.Explainer)
            assert not isinstance(explainer, module.KernelExplainer)
            assert not isinstance(explainer, module.PermutationExplainer)
    assert type(ours_made).__name__ == "TreeExplainer"
    linear = shap.LinearExplainer((np.ones(3), 0.0), np.zeros((4, 3)))
    assert isinstance(linear, compat.Explainer)
    assert not isinstance(linear, compat.TreeExplainer)
    assert not issubclass(shap.LinearExplainer, compat.TreeExplainer)
    assert not isinstance(1, compat.Explainer)


def test_a_subclass_of_the_users_own() -> None:
    class Rounded(compat.TreeExplainer):
        def shap_values(self, X: Any, *args: Any, **options: Any) -> Any:
            return np.round(super().shap_values(X, *args, **options), 1)

    name = "XGBRegressor"
    explainer = Rounded(fitted(name), background(name))
    plain = compat.TreeExplainer(fitted(name), background(name))
    expected = np.round(plain.shap_values(rows(name)), 1)
    np.testing.assert_array_equal(explainer.shap_values(rows(name)), expected)
    np.testing.assert_array_equal(explainer(rows(name)).values, expected)
    assert isinstance(explainer, shap.TreeExplainer)
    assert not isinstance(plain, Rounded)
    assert not isinstance(shap.TreeExplainer(fitted(name)), Rounded)


# ---------------------------------------------------------------- attributes


@pytest.mark.parametrize(("name", "mode"), SOME)
def test_attributes(name: str, mode: str) -> None:
    ours, theirs = both(name, mode)
    for attribute in ("feature_perturbation", "model_output", "feature_names", "output_names"):
        assert_alike(getattr(ours, attribute), getattr(theirs, attribute))
    for attribute in ("data", "data_missing"):
        assert_alike(getattr(ours, attribute), getattr(theirs, attribute))
    assert ours.link is theirs.link
    assert ours.linearize_link == theirs.linearize_link
    assert type(ours.masker) is type(theirs.masker)
    if mode != "plain":
        assert_alike(ours.masker.data, theirs.masker.data)
        assert ours.masker.shape == theirs.masker.shape
    missing = {a for a in vars(theirs) if not hasattr(ours, a)}
    assert not missing
    assert hasattr(ours, "data_feature_names") == hasattr(theirs, "data_feature_names")


@pytest.mark.parametrize(("name", "mode"), SOME)
def test_attributes_of_the_model(name: str, mode: str) -> None:
    ours, theirs = (explainer.model for explainer in both(name, mode))
    assert type(ours) is type(theirs)
    for attribute in ("num_outputs", "tree_limit", "model_type", "model_output", "objective",
                      "tree_output", "num_stacked_models", "max_depth", "input_dtype",
                      "fully_defined_weighting"):  # fmt: skip
        assert getattr(ours, attribute) == getattr(theirs, attribute), attribute
    for attribute in ("base_offset", "values", "children_left", "thresholds", "features",
                      "node_sample_weight"):  # fmt: skip
        np.testing.assert_array_equal(getattr(ours, attribute), getattr(theirs, attribute))
    assert len(ours.trees) == len(theirs.trees)
    assert_alike(ours.predict(rows(name)), theirs.predict(rows(name)))
    if hasattr(theirs, "original_model"):
        assert type(ours.original_model) is type(theirs.original_model)


@pytest.mark.parametrize("name", ["RandomForestRegressor", "XGBClassifier 3"])
def test_names(name: str) -> None:
    names = [f"column {j}" for j in range(5)]
    frame = pd.DataFrame(background(name), columns=list("vwxyz"))
    X = rows(name)
    for options in ({"data": frame}, {"feature_names": names},
                    {"data": frame, "feature_names": names}):  # fmt: skip
        ours, theirs = both(name, "plain", **options)
        for attribute in ("feature_names", "data_feature_names", "output_names"):
            assert_alike(getattr(ours, attribute, 0), getattr(theirs, attribute, 0))
        assert_same_explanation(ours(X), theirs(X), FLOAT32)
        table = pd.DataFrame(X, columns=list("abcde"))
        assert_same_explanation(ours(table), theirs(table), FLOAT32)


@pytest.mark.parametrize("name", KINDS)
def test_supports_model_with_masker(name: str) -> None:
    """What shap supports; and more, where shap refuses a model."""
    data = shap.maskers.Independent(np.zeros((4, 5)))
    for masker in (None, data):
        answer = compat.TreeExplainer.supports_model_with_masker(fitted(name), masker)
        assert type(answer) is bool
        assert answer
    partition = shap.maskers.Partition(np.random.default_rng(0).normal(size=(9, 5)))
    for masker in (partition, 3):
        assert compat.TreeExplainer.supports_model_with_masker(fitted(name), masker) is False
    assert not compat.TreeExplainer.supports_model_with_masker(len, data)


# ---------------------------------------------------------------- storing


def by_cloudpickle(explainer: Any) -> Any:
    cloudpickle = pytest.importorskip("cloudpickle")
    return pickle.loads(cloudpickle.dumps(explainer))


def by_joblib(explainer: Any) -> Any:
    joblib = pytest.importorskip("joblib")
    stream = io.BytesIO()
    joblib.dump(explainer, stream)
    stream.seek(0)
    return joblib.load(stream)


def by_save(explainer: Any) -> Any:
    stream = io.BytesIO()
    explainer.save(stream)
    stream.seek(0)
    return compat.TreeExplainer.load(stream)


def by_save_of_any_explainer(explainer: Any) -> Any:
    stream = io.BytesIO()
    explainer.save(stream)
    stream.seek(0)
    return compat.Explainer.load(stream)


STORES: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda explainer: pickle.loads(pickle.dumps(explainer)),
    "old pickle": lambda explainer: pickle.loads(pickle.dumps(explainer, protocol=2)),
    "cloudpickle": by_cloudpickle,
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "joblib": by_joblib,
    "save": by_save,
    "save, Explainer.load": by_save_of_any_explainer,
}


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("name", ["RandomForestClassifier 3", "XGBRegressor", "LGBMClassifier"])
@pytest.mark.parametrize("mode", ["plain", "background", "counted"])
def test_storing(store: str, name: str, mode: str) -> None:
    explainer = compat.TreeExplainer(fitted(name), **arguments(name, mode))
    X = rows(name)
    before = explainer.shap_values(X)
    other = STORES[store](explainer)
    assert type(other) is compat.TreeExplainer
    assert other is not explainer
    assert_alike(other.shap_values(X), before)
    assert_same_explanation(other(X), explainer(X))
    assert_alike(other.expected_value, explainer.expected_value)
    assert_alike(other.data, explainer.data)
    assert other.feature_perturbation == explainer.feature_perturbation
    pairs = explainer.shap_interaction_values(X[:2])
    assert_alike(other.shap_interaction_values(X[:2]), pairs)


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("output", ["probability", "predict_proba", "log_loss"])
def test_storing_of_other_outputs(store: str, output: str) -> None:
    name = "XGBClassifier"
    frame = pd.DataFrame(background(name), columns=list("abcde"))
    explainer = compat.TreeExplainer(fitted(name), frame, output)
    X, y = rows(name), [0, 1, 0, 1, 0, 1, 1]
    before = explainer.shap_values(X, y)
    other = STORES[store](explainer)
    assert_alike(other.shap_values(X, y), before)
    assert other(X, y).feature_names == list("abcde")
    assert other.model_output == output


def test_a_copy_is_its_own() -> None:
    """Values of the copy's calls change the copy's expected value only."""
    explainer = compat.TreeExplainer(fitted("XGBRegressor"))
    before = explainer.expected_value
    other = copy.deepcopy(explainer)
    other.shap_values(rows("XGBRegressor"))
    assert explainer.expected_value is before


def test_a_pickle_is_read_by_a_new_process(tmp_path: Path) -> None:
    name = "XGBRegressor"
    explainer = compat.TreeExplainer(fitted(name), background(name))
    (tmp_path / "explainer.pkl").write_bytes(pickle.dumps(explainer))
    np.save(tmp_path / "rows.npy", rows(name))
    code = (
        "import pickle, sys, numpy as np\n"
        "explainer = pickle.load(open(sys.argv[1] + '/explainer.pkl', 'rb'))\n"
        "values = explainer.shap_values(np.load(sys.argv[1] + '/rows.npy'))\n"
        "np.save(sys.argv[1] + '/values.npy', values)\n"
        "import shap\n"
        "assert isinstance(explainer, shap.TreeExplainer)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    values = np.load(tmp_path / "values.npy")
    assert_close(values, explainer.shap_values(rows(name)), EXACT)


def test_every_kind_is_stored() -> None:
    for name in KINDS:
        explainer = compat.TreeExplainer(fitted(name))
        other = pickle.loads(pickle.dumps(explainer))
        assert_close(other.shap_values(rows(name)), explainer.shap_values(rows(name)), EXACT)
        assert is_comparable(name, "plain") or other.expected_value is not None
