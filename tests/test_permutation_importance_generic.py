"""Estimators that are no trees: the same numbers by fewer, larger calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from importance_cases import (
    assert_as_scikit,
    assert_equal,
    by_leafshap,
    by_scikit,
    classes,
    numbers,
    rows,
    weights,
)
from leafshap.importance import generic

X = rows()
Y = numbers(X)
CLASSES = classes(X)


class Counting(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Remembers the rows of its calls."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def fit(self, X: Any, y: Any) -> Counting:
        self.fitted_ = True
        return self

    def predict(self, X: Any) -> Any:
        self.calls.append(len(X))
        return X[:, 0] * 2 + X[:, 1]


def pipeline_of(model: Any) -> Any:
    return make_pipeline(StandardScaler(), model)


@pytest.mark.parametrize("n_jobs", [None, 1, 2])
def test_equals_scikit_learn(n_jobs: int | None) -> None:
    linear = pipeline_of(LinearRegression()).fit(X, Y)
    logistic = LogisticRegression().fit(X, CLASSES)
    for model, y, scoring in (
        (linear, Y, None),
        (linear, Y, ["r2", "neg_mean_absolute_error"]),
        (logistic, CLASSES, "neg_log_loss"),
        (logistic, CLASSES, "roc_auc_ovr"),
    ):
        assert_as_scikit(model, X, y, scoring=scoring, n_jobs=n_jobs)


def test_weights_and_samples() -> None:
    model = KNeighborsClassifier(5).fit(X, CLASSES)
    for max_samples in (1.0, 0.4, 100):
        assert_as_scikit(
            model, X, CLASSES, sample_weight=weights(), max_samples=max_samples, scoring="accuracy"
        )
    assert_as_scikit(model, X, CLASSES, sample_weight=weights())


def test_a_wrapped_forest_is_called() -> None:
    model = pipeline_of(RandomForestClassifier(5, random_state=0)).fit(X, CLASSES)
    assert_as_scikit(model, X, CLASSES)
    two = np.column_stack([Y, X[:, 4]])
    several = pipeline_of(RandomForestRegressor(5, random_state=0)).fit(X, two)
    assert_as_scikit(several, X, two)


def test_data_frames_keep_their_dtypes() -> None:
    pd = pytest.importorskip("pandas")
    from sklearn.compose import make_column_transformer
    from sklearn.preprocessing import OneHotEncoder

    colour = np.random.default_rng(0).choice(["red", "green", "blue"], len(X))
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1].astype(np.float32)})
    frame["colour"] = pd.Categorical(colour)
    frame["count"] = pd.array(np.arange(len(X)) % 5, dtype="Int64")
    frame.index = frame.index[::-1] * 3
    seen = []

    class Watching(LinearRegression):  # type: ignore[misc]
        def predict(self, X: Any) -> Any:
            return super().predict(X)

    def watch(given: Any) -> Any:
        seen.append(list(given.dtypes))
        return given

    from sklearn.preprocessing import FunctionTransformer

    encode = make_column_transformer(
        (OneHotEncoder(), ["colour"]), ("passthrough", ["a", "b", "count"])
    )
    model = make_pipeline(FunctionTransformer(watch), encode, Watching())
    y = pd.Series(Y + 2 * (colour == "red"), index=frame.index)
    model.fit(frame, y)
    ours = assert_as_scikit(model, frame, y, max_samples=0.5)
    assert ours.names == ["a", "b", "colour", "count"]
    by_leafshap(model, frame, y, scoring="neg_mean_squared_error", random_state=0)
    assert all(dtypes == list(frame.dtypes) for dtypes in seen)

    def index_kept(model: Any, given: Any, y: Any) -> float:
        assert list(given.index) == list(frame.index)
        return float(model.score(given, y))

    assert_as_scikit(model, frame, y, scoring=index_kept)


def test_copies_are_predicted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Counting()
    expected = by_scikit(model, X, Y, random_state=0)
    assert len(model.calls) == 1 + 6 * 5
    model.calls.clear()
    assert_equal(by_leafshap(model, X, Y, random_state=0), expected)
    assert len(model.calls) == 3
    assert max(model.calls) <= 8192
    # however large one copy is
    monkeypatch.setattr(generic, "_MEMORY", 1)
    model.calls.clear()
    assert_equal(by_leafshap(model, X, Y, random_state=0), expected)
    assert model.calls == [len(X)] * 31


def test_the_score_of_a_pipeline_is_that_of_its_last_step() -> None:
    model = pipeline_of(Counting()).fit(X, Y)
    expected = by_scikit(model, X, Y, random_state=0)
    model[-1].calls.clear()
    assert_equal(by_leafshap(model, X, Y, random_state=0), expected)
    assert len(model[-1].calls) == 3


def test_scorers_share_one_prediction() -> None:
    model = Counting()
    by_leafshap(model, X, Y, scoring=["r2", "neg_mean_squared_error"], random_state=0)
    assert len(model.calls) == 3


def test_no_targets() -> None:
    from sklearn.cluster import KMeans

    model = KMeans(3, n_init=1, random_state=0).fit(X)
    assert_as_scikit(model, X, None, atol=1e-9)


def test_text_columns() -> None:
    from sklearn.preprocessing import OrdinalEncoder

    words = np.array([["one", "two", "three"][i] for i in np.abs(X[:, :2]).astype(int).ravel() % 3])
    words = words.reshape(len(X), 2).astype(object)
    model = make_pipeline(OrdinalEncoder(), LinearRegression()).fit(words, Y)
    assert_as_scikit(model, words, Y)


class Changed(RandomForestRegressor):  # type: ignore[misc]
    """Predicts something else than its trees."""

    def predict(self, X: Any) -> Any:
        return super().predict(X) * 1.5 + X[:, 5]


def test_a_model_that_predicts_otherwise_is_called() -> None:
    model = Changed(5, random_state=0).fit(X, Y)
    with pytest.warns(UserWarning, match="this Changed does not predict"):
        ours = by_leafshap(model, X, Y, random_state=0)
    assert_equal(ours, by_scikit(model, X, Y, random_state=0))
    assert (ours.importances[5] != 0).any()


def test_progress() -> None:
    seen: list[tuple[int, int]] = []

    def note(done: int, total: int) -> None:
        seen.append((done, total))

    model = LinearRegression().fit(X, Y)  # one that other processes can import
    for n_jobs in (1, 2):
        by_leafshap(model, X, Y, n_repeats=9, progress=note, n_jobs=n_jobs)
        assert seen[-1] == (6 * 9 * len(X), 6 * 9 * len(X))
        assert len(seen) == 2
        seen.clear()
