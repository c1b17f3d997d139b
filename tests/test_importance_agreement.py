"""Predictions of trees beside the estimator's own: by output, and what the estimator refuses."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.ensemble import GradientBoostingClassifier, RandomForestRegressor
from sklearn.metrics import average_precision_score, make_scorer

from importance_cases import VERSION, by_leafshap, classes, numbers, rows
from leafshap import AdditivityError, TreeEnsemble, UnsupportedModelError, partial_dependence
from leafshap.importance.agreement import disagreement
from leafshap.importance.estimators import predictor_of
from leafshap.importance.plans import make_plan
from leafshap.inputs import InputRows

X = rows()


def difference(model: Any, wrong: float) -> str | None:
    """What is found if the margins of the second output are wrong by a factor."""
    ensemble = TreeEnsemble.from_model(model)
    predictor = predictor_of(model, ensemble)
    assert predictor is not None
    margins = np.array(ensemble.predict(X).reshape(len(X), -1))
    margins[:, 1] *= wrong
    return disagreement(model, predictor, InputRows(X, ensemble.schema), margins)


def test_an_output_of_small_numbers_is_compared_too() -> None:
    y = np.stack([1e6 * numbers(X), 1e-3 * numbers(X, 2)], axis=1)
    forest = RandomForestRegressor(5, random_state=0).fit(X, y)
    assert difference(forest, 1.0) is None
    assert difference(forest, 1 + 1e-6) is None
    assert difference(forest, 1.01) == "its predict returns something else"


def test_classes_of_small_probability_are_no_difference() -> None:
    xgboost = pytest.importorskip("xgboost")
    y = classes(X, 2)
    certain = xgboost.XGBClassifier(n_estimators=3, learning_rate=1.0, base_score=1 - 1e-7)
    certain.fit(X, y)
    ensemble = TreeEnsemble.from_model(certain)
    predictor = predictor_of(certain, ensemble)
    assert predictor is not None
    margins = ensemble.predict(X).reshape(len(X), -1)
    assert disagreement(certain, predictor, InputRows(X, ensemble.schema), margins) is None


def test_partial_dependence_compares_what_plans_add_up() -> None:
    X = np.arange(8.0)[:, np.newaxis]
    forest = RandomForestRegressor(1, bootstrap=False, random_state=0).fit(X, X[:, 0])
    partial_dependence(forest, X, 0)
    broken = copy.deepcopy(forest)
    leaves = broken.estimators_[0].tree_
    leaves.value[np.flatnonzero(leaves.feature < 0)[-1]] = 1e30
    # rows of the largest leaf are left out: only those beside it have lost their digits
    with pytest.raises(AdditivityError, match="leafshap predicts 0, the model's own"):
        partial_dependence(broken, X[1:7], 0)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
@pytest.mark.parametrize("column", ["text", "unseen"])
def test_the_users_own_table_is_what_is_refused(library: str, column: str) -> None:
    pd, module = pytest.importorskip("pandas"), pytest.importorskip(library)
    c = np.array(list("abc"))[np.arange(len(X)) % 3]
    table = pd.DataFrame({"c": pd.Categorical(c), "x": X[:, 0]})
    y = X[:, 0] + (c == "a")
    options: dict[str, Any] = {"enable_categorical": True}
    if library == "lightgbm":
        options = {"verbose": -1}
    model = {"xgboost": "XGBRegressor", "lightgbm": "LGBMRegressor"}[library]
    fitted = getattr(module, model)(n_estimators=5, **options).fit(table, y)
    changed = c.astype(object)
    if column == "unseen":
        changed[::2] = "d"
    other = table.assign(c=pd.Categorical(changed) if column == "unseen" else pd.Series(changed))
    try:
        fitted.predict(other)
    except Exception as error:
        with pytest.warns(UserWarning, match="its predict fails"), pytest.raises(type(error)):
            by_leafshap(fitted, other, y, random_state=0)
        with pytest.raises(UnsupportedModelError, match="its predict fails"):
            by_leafshap(fitted, other, y, method="exact")
    else:
        by_leafshap(fitted, other, y, random_state=0)


@pytest.mark.skipif(VERSION < (1, 4), reason="make_scorer has no response_method")
@pytest.mark.parametrize("trees", [True, False])
def test_scorers_with_a_positive_label_give_what_each_gives_alone(trees: bool) -> None:
    y = classes(X, 2)
    model: Any = GradientBoostingClassifier(n_estimators=5, random_state=0).fit(X, y)
    if not trees:
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression().fit(X, y)
    options = {"response_method": "predict_proba"}
    scorers = {
        f"of {label}": make_scorer(average_precision_score, pos_label=label, **options)
        for label in (1, 0)
    }
    together = by_leafshap(model, X, y, scoring=scorers, random_state=0)
    alone = {k: by_leafshap(model, X, y, scoring=s, random_state=0) for k, s in scorers.items()}
    for name in scorers:
        np.testing.assert_array_equal(together[name].importances, alone[name].importances)


def test_features_of_no_player_keep_their_values() -> None:
    forest = RandomForestRegressor(3, random_state=0).fit(X, numbers(X))
    ensemble = TreeEnsemble.from_model(forest)
    of_column = np.array([0, -1, 1, -1, -1, -1])
    plan = make_plan(ensemble, of_column, [1, 0], X, all_values=True)
    same = make_plan(ensemble, np.array([1, -1, 0, -1, -1, -1]), [0, 1], X, all_values=True)
    assert plan.n_players == 2
    assert plan.cell_offsets.tolist() == same.cell_offsets.tolist()


def test_many_threads_take_fewer_players_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from leafshap.importance import sampled

    y = numbers(X)
    forest = RandomForestRegressor(3, random_state=0).fit(X, y)
    plain = by_leafshap(forest, X, y, random_state=0, n_repeats=1)
    made: list[int] = []

    def counted(ensemble: Any, of_column: Any, members: Any, *args: Any, **options: Any) -> Any:
        made.append(len(members))
        return make_plan(ensemble, of_column, members, *args, **options)

    monkeypatch.setattr(sampled, "_MEMORY", 4 * 4096 * 2)
    monkeypatch.setattr(sampled, "make_plan", counted)
    again = by_leafshap(forest, X, y, random_state=0, n_repeats=1, n_jobs=4)
    assert made == [2, 2, 2]
    np.testing.assert_array_equal(again.importances, plain.importances)
