"""shap.Explainer(model, masker): the same choice of an algorithm as shap's, among our classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from compat_cases import KINDS, background, fitted, is_comparable, quiet, rows, table
from compat_checks import (
    EXACT,
    FLOAT32,
    assert_alike,
    assert_close,
    assert_same_explanation,
    assert_same_refusal,
)

shap = pytest.importorskip("shap")
pd = pytest.importorskip("pandas")

import leafshap.compat.shap as compat  # noqa: E402

pytestmark = quiet

Array = npt.NDArray[Any]
NARROW, WIDE = table(), np.hstack([table(), table()[:, ::-1], table()[:, :2]])
OURS = {"TreeExplainer", "KernelExplainer", "PermutationExplainer"}


def weighted(X: Array) -> Array:
    return np.asarray(np.asarray(X, float)[:, 0] * 2 + np.asarray(X, float)[:, 1] * X[:, 2])


def two_outputs(X: Array) -> Array:
    return np.column_stack([weighted(X), -weighted(X)])


def linear_model() -> Any:
    from sklearn.linear_model import LinearRegression

    return LinearRegression().fit(NARROW, NARROW[:, 0] + 2 * NARROW[:, 1])


def logistic_model() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit(NARROW, NARROW[:, 0] > 0)


def neural_network() -> Any:
    from sklearn.neural_network import MLPRegressor

    return MLPRegressor((4,), max_iter=5, random_state=0)


def independent(X: Array) -> Any:
    return shap.maskers.Independent(X[:20])


def partition(X: Array) -> Any:
    return shap.maskers.Partition(X[:20])


# name -> the class that must be chosen, and the arguments
CHOICES: dict[str, tuple[str, Callable[[], tuple[Any, ...]], dict[str, Any]]] = {
    "linear": ("LinearExplainer", lambda: (linear_model(), NARROW), {}),
    "linear, masker": ("LinearExplainer", lambda: (linear_model(), independent(NARROW)), {}),
    "logistic": ("LinearExplainer", lambda: (logistic_model(), NARROW), {}),
    "linear, impute": (
        "LinearExplainer", lambda: (linear_model(), shap.maskers.Impute(NARROW)), {}),
    "coefficients": ("LinearExplainer", lambda: ((np.ones(5), 1.0), NARROW[:20]), {}),
    "trees": ("TreeExplainer", lambda: (fitted("RandomForestRegressor"),), {}),
    "trees, data": ("TreeExplainer", lambda: (fitted("XGBRegressor"), NARROW[:20]), {}),
    "trees, frame": (
        "TreeExplainer", lambda: (fitted("XGBRegressor"), pd.DataFrame(NARROW[:20])), {}),
    "trees, masker": (
        "TreeExplainer", lambda: (fitted("LGBMRegressor"), independent(NARROW)), {}),
    "trees by name": ("TreeExplainer", lambda: (fitted("XGBRegressor"),), {"algorithm": "tree"}),
    "few columns": ("ExactExplainer", lambda: (weighted, NARROW[:20]), {}),
    "few columns, masker": ("ExactExplainer", lambda: (weighted, independent(NARROW)), {}),
    "few columns, two outputs": ("ExactExplainer", lambda: (two_outputs, NARROW[:20]), {}),
    "ten columns": ("ExactExplainer", lambda: (weighted, WIDE[:20, :10]), {}),
    "eleven columns": ("PermutationExplainer", lambda: (weighted, WIDE[:20, :11]), {}),
    "frame of twelve": ("PermutationExplainer", lambda: (weighted, pd.DataFrame(WIDE[:20])), {}),
    "masker of twelve": ("PermutationExplainer", lambda: (weighted, independent(WIDE)), {}),
    "seeded": ("PermutationExplainer", lambda: (weighted, WIDE[:20]), {"seed": 3}),
    "partition": ("ExactExplainer", lambda: (weighted, partition(WIDE)), {}),
    "trees and partition": (
        "ExactExplainer", lambda: (fitted("XGBRegressor").predict, partition(NARROW)), {}),
    "method of trees": (
        "ExactExplainer", lambda: (fitted("XGBRegressor").predict, NARROW[:20]), {}),
    "permutation": (
        "PermutationExplainer", lambda: (weighted, NARROW[:20]), {"algorithm": "permutation"}),
    "exact": ("ExactExplainer", lambda: (weighted, WIDE[:20]), {"algorithm": "exact"}),
    "by partition": (
        "PartitionExplainer", lambda: (weighted, NARROW[:20]), {"algorithm": "partition"}),
    "linear by name": (
        "LinearExplainer", lambda: (linear_model(), NARROW), {"algorithm": "linear"}),
}  # fmt: skip


@pytest.mark.parametrize("what", CHOICES)
def test_choice(what: str) -> None:
    chosen, arguments, options = CHOICES[what]
    theirs = shap.Explainer(*arguments(), **options)
    ours = compat.Explainer(*arguments(), **options)
    assert type(theirs).__name__ == type(ours).__name__ == chosen
    assert type(theirs) is getattr(shap, chosen)
    assert type(ours) is getattr(compat, chosen)
    assert (type(ours) is type(theirs)) == (chosen not in OURS)
    for module in (shap, compat):
        assert isinstance(ours, module.Explainer)
        assert isinstance(ours, getattr(module, chosen))
        assert isinstance(theirs, getattr(module, chosen))
    assert type(ours.masker) is type(theirs.masker)
    assert ours.link is theirs.link


@pytest.mark.parametrize("what", [w for w in CHOICES if CHOICES[w][0] != "PermutationExplainer"])
def test_values_of_the_choice(what: str) -> None:
    _, arguments, options = CHOICES[what]
    X = (WIDE if what in {"partition", "exact", "ten columns"} else NARROW)[:3]
    X = X[:, :10] if what == "ten columns" else X
    explanations = []
    for module in (compat, shap):
        np.random.seed(0)  # noqa: NPY002  (shap draws the samples of imputation by it)
        explanations.append(module.Explainer(*arguments(), **options)(X))
    ours, theirs = explanations
    if what == "trees, frame":  # shap loses the names on the way to the TreeExplainer
        assert theirs.feature_names is None
        assert ours.feature_names == list(range(5))
        assert_alike(ours.values, theirs.values, FLOAT32)
    else:
        assert_same_explanation(ours, theirs, FLOAT32)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("mode", ["plain", "background"])
def test_trees_of_every_kind(name: str, mode: str) -> None:
    """Also those that shap refuses, or takes for a function."""
    masker = () if mode == "plain" else (background(name),)
    ours = compat.Explainer(fitted(name), *masker)
    assert type(ours) is compat.TreeExplainer
    X = rows(name)
    # shap takes a histogram model of several classes by name only
    if is_comparable(name, mode) and name != "HistGradientBoostingClassifier 3":
        theirs = shap.Explainer(fitted(name), *masker)
        assert type(theirs) is shap.TreeExplainer
        assert_same_explanation(ours(X), theirs(X), FLOAT32)
    else:
        direct = compat.TreeExplainer(fitted(name), *masker)
        assert_close(ours(X).values, direct(X).values, EXACT)


def test_options_reach_the_explainer() -> None:
    name, names = "XGBClassifier", list("abcde")
    data = background(name)
    ours, theirs = (
        module.Explainer(fitted(name), data, feature_names=names, model_output="probability")
        for module in (compat, shap)
    )
    X = rows(name)
    assert ours.model_output == "probability"
    assert_alike(ours.feature_names, theirs.feature_names)
    assert_same_explanation(ours(X), theirs(X), FLOAT32)
    assert_alike(ours.expected_value, theirs.expected_value, FLOAT32)
    for module in (compat, shap):
        explainer = module.Explainer(weighted, NARROW[:20], output_names=["out"])
        assert explainer.output_names == ["out"] or explainer.output_names is None
    ours, theirs = (
        module.Explainer(
            lambda X: 1 / (1 + np.exp(-weighted(X))), NARROW[:20], link=shap.links.logit
        )
        for module in (compat, shap)
    )
    assert_same_explanation(ours(X), theirs(X), EXACT)


REFUSALS: dict[str, Callable[[Any], Any]] = {
    "no function": lambda module: module.Explainer({1: 2}, NARROW),
    "no function, no data": lambda module: module.Explainer("model"),
    "link": lambda module: module.Explainer(weighted, NARROW, link="logit"),
    "algorithm": lambda module: module.Explainer(weighted, NARROW, algorithm="best"),
    "unfitted": lambda module: module.Explainer(neural_network(), NARROW),
    "trees, and not": lambda module: module.Explainer(weighted, NARROW, algorithm="tree"),
    "linear, and not": lambda module: module.Explainer(
        fitted("XGBRegressor"), NARROW, algorithm="linear"),
    "clustered trees": lambda module: module.Explainer(
        fitted("XGBRegressor"), partition(NARROW), algorithm="tree"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSALS)
def test_refusals(what: str) -> None:
    assert_same_refusal(lambda: REFUSALS[what](compat), lambda: REFUSALS[what](shap))


def test_subclasses_of_the_users_own() -> None:
    """shap's base class does not choose for a subclass; nor does ours."""

    class Own(compat.Explainer):
        def explain_row(self, *args: Any, **options: Any) -> dict[str, Any]:
            values = np.arange(5.0)
            return {
                "values": values, "expected_values": 0.5, "mask_shapes": [(5,)],
                "main_effects": None, "clustering": None, "output_indices": None,
            }  # fmt: skip

    explainer = Own(weighted, independent(NARROW))
    assert type(explainer) is Own
    assert isinstance(explainer, shap.Explainer)
    np.testing.assert_array_equal(explainer(NARROW[:2]).values, [np.arange(5.0)] * 2)
    assert not isinstance(compat.Explainer(weighted, NARROW), Own)
