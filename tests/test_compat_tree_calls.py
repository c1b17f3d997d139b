"""What TreeExplainer takes under shap's name: tables, outputs, limits; and what it refuses.

Each call is made of ours and of shap's own.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from compat_cases import F, arguments, background, fitted, quiet, rows, table
from compat_checks import (
    EXACT,
    FLOAT32,
    assert_alike,
    assert_close,
    assert_same_explanation,
    assert_same_refusal,
    assert_same_warnings,
    outcome,
)

shap = pytest.importorskip("shap")
pd = pytest.importorskip("pandas")

from shap.utils._exceptions import ExplainerError  # noqa: E402

import leafshap.compat.shap as compat  # noqa: E402

pytestmark = quiet

CORE = ["RandomForestRegressor", "RandomForestClassifier 3", "HistGradientBoostingClassifier"]
NATIVE = ["XGBRegressor", "XGBClassifier 3", "LGBMRegressor", "LGBMClassifier 3"]
NAMES = list("abcde")


def both(name: str, mode: str = "plain", **options: Any) -> tuple[Any, Any]:
    model, options = fitted(name), {**arguments(name, mode), **options}
    return compat.TreeExplainer(model, **options), shap.TreeExplainer(model, **options)


def frame(name: str) -> Any:
    return pd.DataFrame(rows(name), columns=NAMES)


def nullable(X: Any) -> Any:
    """Float64 with missing values, and Int64 where all are integers."""
    return X.astype("Float64").astype({"e": "Int64"})


# ---------------------------------------------------------------- tables

TABLES: dict[str, Callable[[Any], Any]] = {
    "frame": lambda X: X,
    "nullable": nullable,
    "float32 frame": lambda X: X.astype(np.float32),
    "integers": lambda X: X.to_numpy().astype(np.int64),
    "booleans": lambda X: X.to_numpy() > 0,
    "float32": lambda X: X.to_numpy().astype(np.float32),
    "columns first": lambda X: np.asfortranarray(X.to_numpy()),
    "a part": lambda X: np.repeat(X.to_numpy(), 2, axis=1)[:, ::2],
    "one row": lambda X: X.iloc[:1],
    "other index": lambda X: X.set_index(pd.Index(list("tuvwxyz"))),
    "other names": lambda X: X.rename(columns={"a": "Age (years)"}),
    "numbered": lambda X: X.set_axis(range(F), axis=1),
}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("name", [*CORE, *NATIVE])
@pytest.mark.parametrize("mode", ["plain", "background"])
def test_tables(kind: str, name: str, mode: str) -> None:
    X = TABLES[kind](frame(name))
    ours, theirs = both(name, mode)
    assert_alike(ours.shap_values(X), theirs.shap_values(X), FLOAT32)
    assert_same_explanation(ours(X), theirs(X), FLOAT32)


@pytest.mark.parametrize("name", [*CORE, *NATIVE])
@pytest.mark.parametrize("mode", ["plain", "background"])
@pytest.mark.parametrize("kind", ["array", "Series"])
def test_a_row(name: str, mode: str, kind: str) -> None:
    """(F,) or (F, K), also where shap hands the row to a library, which takes tables only."""
    ours, theirs = both(name, mode)
    row = rows(name)[2] if kind == "array" else frame(name).iloc[2]
    if mode == "plain" and name in NATIVE:
        expected = theirs.shap_values(rows(name)[2:3], check_additivity=False)[0].copy()
    else:
        expected = theirs.shap_values(row)
    assert_alike(ours.shap_values(row), expected, FLOAT32)
    assert_alike(ours.expected_value, theirs.expected_value, FLOAT32)
    assert ours.shap_interaction_values(row).shape == (F, *expected.shape)
    explanation = ours(row)
    assert_alike(explanation.values, expected, FLOAT32)
    base = np.broadcast_to(np.squeeze(ours.expected_value), explanation.base_values.shape)
    assert_close(explanation.base_values, base, FLOAT32)
    if mode != "plain" or name not in NATIVE:
        assert_alike(explanation.base_values, theirs(row).base_values, FLOAT32)
    np.testing.assert_array_equal(explanation.data, row)


@pytest.mark.parametrize("name", ["XGBRegressor", "XGBClassifier 3"])
def test_a_matrix_of_xgboost(name: str) -> None:
    xgboost = pytest.importorskip("xgboost")
    ours, theirs = both(name)
    for X in (xgboost.DMatrix(rows(name)), xgboost.DMatrix(frame(name))):
        assert_alike(ours.shap_values(X), theirs.shap_values(X), FLOAT32)
        assert_alike(ours.shap_interaction_values(X), theirs.shap_interaction_values(X), FLOAT32)
        mine, other = ours(X), theirs(X)
        assert_alike(mine.values, other.values, FLOAT32)
        assert_alike(mine.base_values, other.base_values, FLOAT32)
        assert type(mine.data) is type(other.data)
        assert (mine.data != other.data).nnz == 0
        assert mine.feature_names == other.feature_names


@pytest.mark.parametrize("name", ["XGBRegressor", "LGBMRegressor"])
def test_sparse_rows(name: str) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    X = sparse.csr_matrix(np.where(np.abs(rows(name)) < 0.3, 0, rows(name)))
    ours, theirs = both(name)
    expected = theirs.shap_values(X)  # LightGBM's are sparse, too
    expected = expected.toarray() if sparse.issparse(expected) else expected
    assert_alike(ours.shap_values(X), expected, FLOAT32)
    assert ours(X).data is X


@pytest.mark.parametrize("name", ["XGBRegressor frame", "LGBMRegressor frame"])
def test_columns_in_another_order_are_not_mixed_up(name: str) -> None:
    """shap goes by position, and is wrong without a word; ours is right, or refuses by name."""
    ours, X = compat.TreeExplainer(fitted(name)), rows(name)
    expected = ours.shap_values(X)
    swapped, _ = outcome(lambda: ours.shap_values(X[X.columns[[1, 0, 2, 3, 4]]]))
    if isinstance(swapped, Exception):
        assert "column" in str(swapped)
    else:
        assert_close(swapped[:, [1, 0, 2, 3, 4]], expected, FLOAT32)


@pytest.mark.parametrize("name", ["RandomForestRegressor", "XGBClassifier 3", "LGBMClassifier"])
@pytest.mark.parametrize("mode", ["plain", "background"])
def test_another_number_of_columns_is_refused(name: str, mode: str) -> None:
    """shap reads beyond the row, or explains features that the model does not have."""
    ours, X = compat.TreeExplainer(fitted(name), **arguments(name, mode)), rows(name)
    for other in (X[:, :4], np.hstack([X, X])):
        for call in (ours, ours.shap_values, ours.shap_interaction_values):
            error, _ = outcome(lambda call=call, other=other: call(other))  # type: ignore[misc]
            assert isinstance(error, Exception)
            assert str(other.shape[1]) in str(error)


# ---------------------------------------------------------------- background

BACKGROUNDS: dict[str, Callable[[Any], Any]] = {
    "frame": lambda X: X,
    "array": lambda X: X.to_numpy(),
    "Independent": lambda X: shap.maskers.Independent(X),
    "a part": lambda X: shap.maskers.Independent(X.to_numpy(), max_samples=9),
    "sample": lambda X: shap.sample(X, 9),
    "utils.sample": lambda X: shap.utils.sample(X.to_numpy(), 9, random_state=3),
}


@pytest.mark.parametrize("kind", BACKGROUNDS)
@pytest.mark.parametrize("name", ["RandomForestRegressor", "XGBRegressor"])
@pytest.mark.parametrize("perturbation", ["auto", "interventional"])
def test_background(kind: str, name: str, perturbation: str) -> None:
    data = BACKGROUNDS[kind](pd.DataFrame(background(name), columns=NAMES))
    options = {"data": data, "feature_perturbation": perturbation}
    ours, theirs = both(name, **options)
    X = rows(name)
    assert_same_explanation(ours(X), theirs(X), FLOAT32)
    assert_alike(ours.expected_value, theirs.expected_value, FLOAT32)
    assert_alike(ours.data, theirs.data)
    assert_alike(ours.data_missing, theirs.data_missing)
    assert type(ours.masker) is type(theirs.masker)


def test_a_large_background_counts_in_full() -> None:
    """shap takes 100 of the 160 rows; a masker of the user's is taken as it is."""
    name, data = "XGBRegressor", table()
    ours = compat.TreeExplainer(fitted(name), data)
    whole = shap.TreeExplainer(fitted(name), shap.maskers.Independent(data, max_samples=999))
    assert_close(ours.shap_values(rows(name)), whole.shap_values(rows(name)), FLOAT32)
    assert_close(ours.expected_value, whole.expected_value, FLOAT32)
    cut, theirs = both(name, data=shap.maskers.Independent(data))
    assert_alike(cut.shap_values(rows(name)), theirs.shap_values(rows(name)), FLOAT32)
    assert_alike(cut.expected_value, theirs.expected_value, FLOAT32)


# ---------------------------------------------------------------- outputs

OUTPUTS = [
    *((name, "probability") for name in (
        "DecisionTreeClassifier 3", "ExtraTreeClassifier", "RandomForestClassifier",
        "RandomForestClassifier 3", "ExtraTreesClassifier", "GradientBoostingClassifier",
        "HistGradientBoostingClassifier", "XGBClassifier", "xgboost.Booster binary",
        "LGBMClassifier")),
    *((name, "predict_proba") for name in ("XGBClassifier", "HistGradientBoostingClassifier")),
    ("HistGradientBoostingRegressor", "predict"),
    *((name, "log_loss") for name in (
        "XGBRegressor", "XGBClassifier", "xgboost.Booster", "xgboost.Booster binary",
        "XGBRegressor stopped", "LGBMRegressor", "LGBMClassifier", "LGBMRegressor dart")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "output"), OUTPUTS)
def test_outputs(name: str, output: str) -> None:
    ours, theirs = both(name, "background", model_output=output)
    X, y = rows(name), np.arange(len(rows(name))) % 2
    assert ours.model_output == theirs.model_output == output
    if output != "log_loss":
        assert_alike(ours.expected_value, theirs.expected_value, FLOAT32)
        assert_alike(ours.shap_values(X), theirs.shap_values(X), FLOAT32)
        assert_same_explanation(ours(X), theirs(X), FLOAT32)
        assert_alike(ours.expected_value, theirs.expected_value, FLOAT32)
        return
    assert callable(ours.expected_value)
    for label in (0, 1):
        assert_alike(
            np.float64(ours.expected_value(label)),
            np.float64(theirs.expected_value(label)),
            FLOAT32,
        )
    for labels in (y, pd.Series(y)):
        assert_alike(ours.shap_values(X, labels), theirs.shap_values(X, labels), FLOAT32)
    # shap's base values are objects there
    assert_alike(ours(X, y).values, theirs(X, y).values, FLOAT32)


@pytest.mark.parametrize("name", [*CORE, "XGBRegressor", "XGBClassifier 3"])
def test_approximate(name: str) -> None:
    ours, theirs = both(name)
    X = rows(name)
    values = ours.shap_values(X, approximate=True)
    assert_alike(values, theirs.shap_values(X, approximate=True), FLOAT32)
    assert_alike(ours.expected_value, theirs.expected_value, FLOAT32)
    assert_same_explanation(ours(X, approximate=True), theirs(X, approximate=True), FLOAT32)


LIMITS = [
    ("GradientBoostingRegressor", "plain"),
    ("GradientBoostingRegressor", "background"),
    ("HistGradientBoostingClassifier 3", "plain"),
    ("XGBRegressor", "plain"),
    ("XGBRegressor", "background"),
    ("XGBClassifier 3", "plain"),
    ("XGBClassifier 3", "background"),
    ("XGBRegressor stopped", "plain"),
    ("LGBMRegressor", "background"),
]


@pytest.mark.parametrize(
    ("name", "mode", "limit"),
    # XGBoost itself refuses more rounds than there are
    [(*case, limit) for case in LIMITS for limit in (None, -1, 3, 999)
     if not (limit == 999 and case[0].startswith("XGB") and case[1] == "plain")],
)  # fmt: skip
def test_tree_limit(name: str, mode: str, limit: int | None) -> None:
    ours, theirs = both(name, mode)
    X = rows(name)
    # shap's expected value stays that of all trees, unless XGBoost gave it
    options = {"tree_limit": limit, "check_additivity": False}
    tolerance = FLOAT32 if mode == "background" or name.startswith("XGB") else EXACT
    assert_alike(ours.shap_values(X, **options), theirs.shap_values(X, **options), tolerance)
    if mode == "plain":
        pairs = ours.shap_interaction_values(X, tree_limit=limit)
        assert_alike(pairs, theirs.shap_interaction_values(X, tree_limit=limit), tolerance)


def test_the_first_trees_of_a_forest_are_averaged() -> None:
    """shap divides their sum by the number of all trees, which is no forest's prediction."""
    model, X = fitted("RandomForestRegressor"), rows("RandomForestRegressor")
    small = copy.copy(model)
    small.estimators_ = model.estimators_[:3]
    values = compat.TreeExplainer(model).shap_values(X, tree_limit=3)
    assert_alike(values, shap.TreeExplainer(small).shap_values(X))


def test_from_call_and_positions() -> None:
    name = "LGBMClassifier"
    ours, theirs = both(name)
    X = rows(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mine = ours.shap_values(X, None, None, False, True, True)
        assert_alike(mine, theirs.shap_values(X, None, None, False, True, True))
        assert_alike(ours(X, None, False, True, False).values, mine)
        assert_alike(ours(X, None, True).values, theirs(X, None, True).values)
    names = compat.TreeExplainer(fitted(name), background(name), "raw", "auto", NAMES)
    assert names(X).feature_names == NAMES


# ---------------------------------------------------------------- additivity


def test_the_check_of_additivity_is_against_the_users_model() -> None:
    """shap compares with its own copy of the trees, and cannot see that they are not the model."""
    from sklearn.ensemble import RandomForestRegressor

    X, y = table(), table()[:, 0]
    model = RandomForestRegressor(n_estimators=3, random_state=0).fit(X, y)
    ours = compat.TreeExplainer(model)
    before = ours.shap_values(X[:5])
    model.fit(X, y + 100)
    for call in (ours, ours.shap_values):
        with pytest.raises(ExplainerError, match="Additivity check failed in TreeExplainer"):
            call(X[:5])
    assert_alike(ours.shap_values(X[:5], check_additivity=False), before)
    assert_alike(ours(X[:5], check_additivity=False).values, before)


@pytest.mark.parametrize("mode", ["plain", "background"])
def test_assert_additivity(mode: str) -> None:
    ours, theirs = both("GradientBoostingRegressor", mode)
    X = rows("GradientBoostingRegressor")
    phi, predicted = theirs.shap_values(X), fitted("GradientBoostingRegressor").predict(X)
    ours.assert_additivity(phi, predicted)
    assert_same_refusal(
        lambda: ours.assert_additivity(phi, predicted + 1.5),
        lambda: theirs.assert_additivity(phi, predicted + 1.5),
    )


# ---------------------------------------------------------------- refusals and warnings


def refusals() -> dict[str, Callable[[Any], Any]]:
    forest, boosted = fitted("RandomForestRegressor"), fitted("XGBClassifier")
    X = rows("XGBClassifier")
    data = background("XGBClassifier")

    def loss(cls: Any) -> Any:
        return cls(boosted, data, model_output="log_loss")

    return {
        "perturbation": lambda cls: cls(forest, feature_perturbation="none"),
        "perturbation with data": lambda cls: cls(forest, data, feature_perturbation="none"),
        "masker": lambda cls: cls(forest, shap.maskers.Partition(data)),
        "data of another kind": lambda cls: cls(forest, "background"),
        "clustered": lambda cls: cls(forest, clustered(data)),
        "path-dependent probability": lambda cls: cls(boosted, model_output="probability"),
        "path-dependent loss": lambda cls: cls(
            boosted, data, model_output="log_loss", feature_perturbation="tree_path_dependent"),
        "no tree model": lambda cls: cls(object()),
        "a function": lambda cls: cls(boosted.predict),
        "unfitted": lambda cls: cls(type(forest)()),
        "no labels": lambda cls: loss(cls).shap_values(X),
        "no labels, called": lambda cls: loss(cls)(X),
        "other labels": lambda cls: loss(cls).shap_values(X, [1.0, 0.0]),
        "interactions of a loss": lambda cls: loss(cls).shap_interaction_values(X),
        "interactions of probability": lambda cls: cls(
            boosted, data, model_output="probability").shap_interaction_values(X),
        "approximate interactions": lambda cls: cls(forest)(
            X, interactions=True, approximate=True),
        "no argument of that name": lambda cls: cls(forest, background=data),
    }  # fmt: skip


def clustered(data: Any) -> Any:
    masker = shap.maskers.Independent(data)
    masker.clustering = np.zeros((F - 1, 4))
    return masker


@pytest.mark.parametrize("what", refusals() if shap else [])
def test_refusals(what: str) -> None:
    call = refusals()[what]
    assert_same_refusal(lambda: call(compat.TreeExplainer), lambda: call(shap.TreeExplainer))


CAUTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "no data": lambda cls, model: cls(model, feature_perturbation="interventional"),
    "approximate": lambda cls, model: cls(model, approximate=True),
    "both": lambda cls, model: cls(
        model, approximate=False, feature_perturbation="interventional"),
}  # fmt: skip


@pytest.mark.parametrize("what", CAUTIONS)
def test_cautions(what: str) -> None:
    model, call = fitted("RandomForestRegressor"), CAUTIONS[what]
    ours, theirs = assert_same_warnings(
        lambda: call(compat.TreeExplainer, model),
        lambda: call(shap.TreeExplainer, model),
        ["approximate argument", "feature_perturbation='interventional'"],
    )
    assert ours.feature_perturbation == theirs.feature_perturbation
