"""The exact method: expectations over all permutations."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("sklearn")

import sklearn
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.metrics import get_scorer

from importance_cases import by_leafshap, classes, numbers, rows, weights
from leafshap.importance import exact
from leafshap.importance.losses import EXACT_METRICS

Floats = npt.NDArray[np.float64]
X = rows()
POSITIVE = np.exp(numbers(X) / 2)
CLASSES = classes(X)
NUMBERS = EXACT_METRICS[: EXACT_METRICS.index("accuracy")]
LABELS = EXACT_METRICS[EXACT_METRICS.index("accuracy") :]
VERSION = tuple(int(part) for part in sklearn.__version__.split(".")[:2])


@pytest.fixture(scope="module")
def regressor() -> Any:
    return HistGradientBoostingRegressor(loss="poisson", max_iter=15).fit(X, POSITIVE)


@pytest.fixture(scope="module")
def forest() -> Any:
    return RandomForestRegressor(5, random_state=0).fit(X, POSITIVE)


@pytest.fixture(scope="module")
def binary() -> Any:
    return GradientBoostingClassifier(n_estimators=8, random_state=0).fit(X, classes(X, 2))


@pytest.fixture(scope="module")
def several() -> Any:
    return RandomForestClassifier(7, max_depth=6, random_state=0).fit(X, CLASSES)


def over_all_permutations(
    model: Any, X: Floats, y: Any, scoring: str, columns: list[int], weights: Any
) -> float:
    """Importance by the definition."""
    scorer = get_scorer(scoring)
    given = {} if weights is None else {"sample_weight": weights}
    changed, scores = np.array(X), []
    for order in itertools.permutations(range(len(X))):
        changed[:, columns] = X[list(order)][:, columns]
        scores.append(scorer(model, changed, y, **given))
    return float(scorer(model, X, y, **given) - np.mean(scores))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scoring", EXACT_METRICS)
def test_equals_the_mean_over_all_permutations(
    scoring: str, weighted: bool, regressor: Any, binary: Any, several: Any
) -> None:
    few = np.array([3, 50, 111, 204, 290])
    cases: list[tuple[Any, Any]] = [(regressor, POSITIVE)]
    if scoring in LABELS:
        cases = [(binary, classes(X, 2)), (several, CLASSES)]
        few = np.concatenate([np.flatnonzero(k == CLASSES)[:2] for k in range(3)])[:5]
        if scoring == "neg_brier_score" and VERSION < (1, 7):
            cases.pop()
    given = weights()[few] if weighted else None
    for model, y in cases:
        found = by_leafshap(
            model, X[few], y[few], scoring=scoring, method="exact", sample_weight=given
        )
        assert found.importances.shape == (6, 1)
        assert (found.importances_std == 0).all()
        for j in range(4):
            expected = over_all_permutations(model, X[few], y[few], scoring, [j], given)
            assert found.importances_mean[j] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_groups_equal_the_mean_over_all_permutations(regressor: Any) -> None:
    few = slice(10, 16)
    found = by_leafshap(
        regressor, X[few], POSITIVE[few], method="exact", groups={"ab": [1, 0], "cd": [2, 3]}
    )
    assert found.names == ["ab", "cd", "feature 4", "feature 5"]
    for i, columns in enumerate([[1, 0], [2, 3], [4], [5]]):
        expected = over_all_permutations(regressor, X[few], POSITIVE[few], "r2", columns, None)
        assert found.importances_mean[i] == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("scoring", [None, "neg_mean_absolute_error"])
def test_is_what_many_repeats_come_to(forest: Any, scoring: str | None) -> None:
    options: dict[str, Any] = {"scoring": scoring, "groups": [[1, 2]]}
    found = by_leafshap(forest, X, POSITIVE, method="exact", **options)
    many = by_leafshap(forest, X, POSITIVE, n_repeats=400, random_state=0, **options)
    error = many.importances_std / np.sqrt(400)
    assert (np.abs(found.importances_mean - many.importances_mean) < 4 * error + 1e-12).all()
    assert (error > 0).any()


def test_probabilities_come_to_it_too(several: Any) -> None:
    scoring = ["accuracy", "neg_log_loss", "balanced_accuracy"]
    found = by_leafshap(several, X, CLASSES, method="exact", scoring=scoring)
    many = by_leafshap(several, X, CLASSES, n_repeats=200, random_state=0, scoring=scoring)
    assert list(found) == scoring
    for name in scoring:
        error = many[name].importances_std / np.sqrt(200)
        off = np.abs(found[name].importances_mean - many[name].importances_mean)
        assert (off < 4 * error + 1e-12).all(), name


def test_no_seed_no_noise(forest: Any) -> None:
    one = by_leafshap(forest, X, POSITIVE, method="exact", random_state=0, n_repeats=1)
    two = by_leafshap(forest, X, POSITIVE, method="exact", random_state=7)
    np.testing.assert_array_equal(one.importances, two.importances)


@pytest.mark.parametrize("scoring", ["r2", "neg_mean_absolute_error", "neg_mean_poisson_deviance"])
def test_an_unused_feature_has_importance_zero(scoring: str) -> None:
    X = rows(1000)
    model = RandomForestRegressor(4, random_state=0)
    model.fit(np.where(np.arange(6) == 4, 0.0, X), np.exp(numbers(X) / 2))
    found = by_leafshap(model, X, np.exp(numbers(X) / 2), method="exact", scoring=scoring)
    assert found.importances_mean[4] == 0.0
    assert (found.importances_mean[:4] > 0).all()


def test_a_constant_column_has_importance_zero(forest: Any) -> None:
    same = X.copy()
    same[:, 0] = 0.3
    assert by_leafshap(forest, same, POSITIVE, method="exact").importances_mean[0] == 0.0


@pytest.mark.parametrize("scoring", ["r2", "neg_mean_absolute_error"])
def test_the_same_bits_for_any_number_of_threads(forest: Any, scoring: str) -> None:
    one, two, more = (
        by_leafshap(forest, X, POSITIVE, method="exact", scoring=scoring, n_jobs=n).importances
        for n in (1, 2, 5)
    )
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one, more)


@pytest.mark.parametrize("fewest_rows", [64, 1])
def test_blocks_change_rounding_only(
    several: Any, fewest_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = by_leafshap(several, X, CLASSES, method="exact", scoring="neg_log_loss")
    monkeypatch.setattr(exact, "CURVE_BYTES", 64 * 3 * 8 * 30)
    monkeypatch.setattr("leafshap.responses.CURVE_BYTES", 64 * 3 * 8 * 30)
    monkeypatch.setattr(exact, "_FEWEST_ROWS", fewest_rows)
    parts = by_leafshap(several, X, CLASSES, method="exact", scoring="neg_log_loss")
    np.testing.assert_allclose(parts.importances, whole.importances, rtol=0, atol=1e-13)


def test_missing_values_and_categories() -> None:
    pd = pytest.importorskip("pandas")
    lgb = pytest.importorskip("lightgbm")
    given = rows(missing=True)
    frame = pd.DataFrame(given[:, :3], columns=list("abc"))
    frame["d"] = pd.Categorical(np.random.default_rng(0).choice(["x", "y", "z"], len(given)))
    y = numbers(given) + (frame["d"] == "x")
    model = lgb.LGBMRegressor(n_estimators=10, verbose=-1, n_jobs=1).fit(frame, y)
    found = by_leafshap(model, frame, y, method="exact")
    many = by_leafshap(model, frame, y, n_repeats=300, random_state=0)
    error = many.importances_std / np.sqrt(300)
    assert (np.abs(found.importances_mean - many.importances_mean) < 4 * error).all()


def test_squared_errors_far_from_zero_keep_their_digits() -> None:
    model = HistGradientBoostingRegressor(max_iter=15).fit(X, POSITIVE)
    far = HistGradientBoostingRegressor(max_iter=15).fit(X, POSITIVE + 1e6)
    near = by_leafshap(model, X, POSITIVE, method="exact", scoring="neg_mean_squared_error")
    moved = by_leafshap(far, X, POSITIVE + 1e6, method="exact", scoring="neg_mean_squared_error")
    np.testing.assert_allclose(moved.importances, near.importances, rtol=1e-4, atol=1e-6)
