"""What permutation_importance refuses, and what it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import accuracy_score, make_scorer

from importance_cases import VERSION, by_leafshap, classes, numbers, rows
from leafshap import InvalidInputError, InvalidModelError, UnsupportedModelError

X = rows(60)
Y = numbers(X)


def _nothing(*args: Any) -> None: ...


NAN = np.where(np.arange(60) == 7, np.nan, Y)


@pytest.fixture(scope="module", params=["trees", "called"])
def model(request: pytest.FixtureRequest) -> Any:
    if request.param == "trees":
        return RandomForestRegressor(3, random_state=0).fit(X, Y)
    return LinearRegression().fit(X, Y)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no such scorer": ({"scoring": "r3"}, "unknown scoring 'r3'.*neg_mean_squared_error"),
    "metric": ({"scoring": accuracy_score}, "accuracy_score is a metric.*make_scorer"),
    "number": ({"scoring": 3}, "scoring must be None, the name"),
    "empty list": ({"scoring": []}, "list of scorers"),
    "callables listed": ({"scoring": [make_scorer(accuracy_score)]}, "as a dict"),
    "listed twice": ({"scoring": ["r2", "r2"]}, "listed twice"),
    "empty dict": ({"scoring": {}}, "dict from names to scorers"),
    "numbers as names": ({"scoring": {1: "r2"}}, "dict from names to scorers"),
    "no repeats": ({"n_repeats": 0}, "n_repeats must be.*got 0"),
    "half a repeat": ({"n_repeats": 1.5}, "n_repeats must be.*got 1.5"),
    "no jobs": ({"n_jobs": 0}, "n_jobs"),
    "jobs": ({"n_jobs": "two"}, "n_jobs"),
    "set": ({"scoring": {"r2"}}, "scoring must be None, the name"),
    "no number": ({"scoring": _nothing}, "scorer '_nothing' returned None, which is not a number"),
    "text": ({"scoring": {"own": lambda *args: "1.0"}}, "scorer 'own' returned '1.0'"),
    "no numbers": ({"scoring": lambda *args: {"a": [1, 2]}}, "which is not a number"),
    "no samples": ({"max_samples": 0}, "max_samples must be from 1 to the 60 rows, got 0"),
    "share 0": ({"max_samples": 0.0}, "share above 0"),
    "share above 1": ({"max_samples": 1.5}, "share above 0 and at most 1.0, got 1.5"),
    "too few": ({"max_samples": 0.01}, "is not one row"),
    "too many": ({"max_samples": 61}, "from 1 to the 60 rows, got 61"),
    "state": ({"random_state": "x"}, "random_state must be"),
    "generator": ({"random_state": np.random.default_rng()}, "random_state must be"),
    "negative seed": ({"random_state": -1}, "random_state must be"),
    "method": ({"method": "quick"}, 'method must be "sampled" or "exact"'),
    "weights": ({"sample_weight": np.ones(59)}, r"shape \(59,\), expected \(60,\)"),
    "NaN weight": ({"sample_weight": NAN}, r"sample_weight\[7\] is nan"),
    "text weights": ({"sample_weight": ["a"] * 60}, "cannot read sample_weight"),
    "group": ({"groups": [["z"]]}, "names the column 'z'"),
    "column twice": ({"groups": [[0], [0]]}, "is in group 0 and in group 1"),
    "progress": ({"progress": "yes"}, "progress must be"),
}


@pytest.mark.parametrize("what", WRONG)
def test_arguments(model: Any, what: str) -> None:
    options, message = WRONG[what]
    with pytest.raises(InvalidInputError, match=message):
        by_leafshap(model, X, Y, **options)


DATA: dict[str, tuple[Any, Any, str]] = {
    "short y": (X, Y[:-1], "y has 59 values for 60 rows"),
    "one y": (X, 3.0, "y has a single value"),
    "no y": (X, None, "y is None"),
    "NaN in y": (X, NAN, r"y\[7\] is missing"),
    "None in y": (X, [None, *Y[1:]], r"y\[0\] is missing"),
    "one row": (X[:1], Y[:1], "X has 1 row: there is nothing to shuffle"),
    "no rows": (X[:0], Y[:0], "X has 0 rows"),
    "one dimension": (X[0], Y[:1], "2 dimensions"),
}


@pytest.mark.parametrize("what", DATA)
def test_data(model: Any, what: str) -> None:
    given, y, message = DATA[what]
    with pytest.raises(InvalidInputError, match=message):
        by_leafshap(model, given, y)


def test_columns() -> None:
    forest = RandomForestRegressor(3, random_state=0).fit(X, Y)
    with pytest.raises(InvalidInputError, match="5 columns were given, the model has 6"):
        by_leafshap(forest, X[:, :5], Y)
    with pytest.raises(InvalidInputError, match="X has no columns"):
        by_leafshap(LinearRegression().fit(X, Y), X[:, :0], Y)


def test_sparse_rows_of_other_models() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(InvalidInputError, match="X is sparse"):
        by_leafshap(LinearRegression().fit(X, Y), sparse.csr_matrix(X), Y)


def test_models() -> None:
    with pytest.raises(InvalidModelError, match="not fitted"):
        by_leafshap(RandomForestRegressor(), X, Y)
    with pytest.raises(UnsupportedModelError, match="cannot convert a model of type"):
        by_leafshap(object(), X, Y)

    with pytest.raises(InvalidInputError, match="is the class RandomForestRegressor: pass a fit"):
        by_leafshap(RandomForestRegressor, X, Y)

    class NoScore:
        def fit(self, X: Any, y: Any) -> None: ...

        def predict(self, X: Any) -> Any:
            return X[:, 0]

    with pytest.raises(InvalidInputError, match="NoScore has no score of its own: say by"):
        by_leafshap(NoScore(), X, Y)


# ---------------------------------------------------------------- the exact method


@pytest.mark.parametrize(
    ("scoring", "message"),
    [
        ("roc_auc", "'roc_auc': it is not known to be a sum over rows"),
        ("f1_macro", "'f1_macro': it is not known to be a sum"),
        ("neg_root_mean_squared_error", "root of a sum over rows; neg_mean_squared_error"),
        (make_scorer(accuracy_score), r"make_scorer\(accuracy_score.*is not known"),
        (lambda model, X, y: 0.0, "is not known to be a sum"),
        (["accuracy", "f1_macro"], "'f1_macro'"),
    ],
)
def test_scores_without_expectation(scoring: Any, message: str) -> None:
    y = classes(X)
    model = RandomForestClassifier(3, random_state=0).fit(X, y)
    with pytest.raises(UnsupportedModelError, match=message):
        by_leafshap(model, X, y, method="exact", scoring=scoring)


def test_exact_needs_trees() -> None:
    with pytest.raises(UnsupportedModelError, match='"exact" needs a converted tree model'):
        by_leafshap(LinearRegression().fit(X, Y), X, Y, method="exact")

    class Changed(RandomForestRegressor):  # type: ignore[misc]
        def predict(self, X: Any) -> Any:
            return super().predict(X) + 1.0

    with pytest.raises(UnsupportedModelError, match="its predict returns something else"):
        by_leafshap(Changed(3).fit(X, Y), X, Y, method="exact")


def test_exact_uses_all_rows() -> None:
    model = RandomForestRegressor(3, random_state=0).fit(X, Y)
    with pytest.raises(InvalidInputError, match=r"max_samples must be 1\.0"):
        by_leafshap(model, X, Y, method="exact", max_samples=0.5)
    by_leafshap(model, X, Y, method="exact", max_samples=60)


@pytest.mark.parametrize(
    ("y", "scoring"),
    [
        (np.ones(60), "r2"),
        (np.column_stack([Y, Y]), "r2"),
        (Y, "neg_mean_gamma_deviance"),
    ],
)
def test_targets_without_expectation(y: Any, scoring: str) -> None:
    model = RandomForestRegressor(3, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match=r"for this y|can only be used"):
        by_leafshap(model, X, y, method="exact", scoring=scoring)


def test_negative_weights() -> None:
    model = RandomForestRegressor(3, random_state=0).fit(X, Y)
    weights = np.where(np.arange(60) < 3, -1.0, 1.0)
    with pytest.raises(InvalidInputError, match="weights that are not negative"):
        by_leafshap(model, X, Y, method="exact", sample_weight=weights)


@pytest.mark.skipif(VERSION < (1, 4), reason="make_scorer has no response_method")
def test_scorers_that_want_another_method_name_the_estimator(model: Any) -> None:
    scorer = make_scorer(accuracy_score, response_method="predict_proba")
    with pytest.raises(AttributeError, match=type(model).__name__) as caught:
        by_leafshap(model, X, Y, scoring=scorer)
    assert "StandIn" not in str(caught.value)
