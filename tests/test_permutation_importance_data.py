"""Containers, categories, weights, samples, random states and groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor

from importance_cases import (
    assert_as_scikit,
    assert_equal,
    by_leafshap,
    by_scikit,
    forbid_calls,
    numbers,
    rows,
    weights,
)


@pytest.fixture(scope="module")
def forest() -> Any:
    X = rows()
    return RandomForestRegressor(8, max_depth=6, random_state=0).fit(X, numbers(X))


@pytest.fixture(scope="module")
def hist() -> Any:
    X = rows(missing=True)
    return HistGradientBoostingRegressor(max_iter=20).fit(X, numbers(X))


# ---------------------------------------------------------------- containers


@pytest.mark.parametrize("kind", ["fortran", "float32", "list", "strided"])
def test_arrays_of_any_kind(forest: Any, kind: str) -> None:
    X = rows()
    made: Any = {
        "fortran": np.asfortranarray(X),
        "float32": X.astype(np.float32),
        "list": X.tolist(),
        "strided": np.repeat(X, 2, axis=0)[::2],
    }[kind]
    assert_as_scikit(forest, made, numbers(X))


def test_rows_are_not_changed(hist: Any) -> None:
    X = rows(missing=True)
    before = X.copy()
    X.flags.writeable = False
    by_leafshap(hist, X, numbers(X), random_state=0, max_samples=0.5)
    by_leafshap(hist, X, numbers(X), method="exact")
    np.testing.assert_array_equal(X, before)


def test_sparse_rows_of_converted_models(forest: Any) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    X = rows()
    found = by_leafshap(forest, sparse.csr_matrix(X), numbers(X), random_state=3, n_repeats=3)
    assert_equal(found, by_scikit(forest, X, numbers(X), random_state=3, n_repeats=3))


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_data_frames_with_categories(library: str, monkeypatch: Any) -> None:
    pd = pytest.importorskip("pandas")
    module = pytest.importorskip(library)
    if library == "xgboost" and int(module.__version__.split(".")[0]) < 2:
        pytest.skip("categories are experimental")
    forbid_calls(monkeypatch)
    X = rows(missing=True)
    rng = np.random.default_rng(0)
    colour = rng.choice(["red", "green", "blue"], len(X))
    frame = pd.DataFrame(X[:, :3], columns=["a", "b", "c"], index=np.arange(len(X)) + 7)
    frame["colour"] = pd.Categorical(colour)
    y = pd.Series(numbers(X) + 2 * (colour == "red"), index=frame.index)
    if library == "lightgbm":
        model = module.LGBMRegressor(n_estimators=10, verbose=-1, n_jobs=1)
    else:
        model = module.XGBRegressor(
            n_estimators=10, enable_categorical=True, tree_method="hist", n_jobs=1
        )
    model.fit(frame, y)
    for options in ({}, {"max_samples": 0.6, "sample_weight": weights()}):
        ours = assert_as_scikit(model, frame, y, atol=1e-6, **options)
        assert ours.names == ["a", "b", "c", "colour"]
        assert ours.importances_mean[3] > 0.05


def test_tables_of_polars_and_pyarrow(forest: Any) -> None:
    pl = pytest.importorskip("polars")
    pa = pytest.importorskip("pyarrow")
    X, names = rows(), list("abcdef")
    expected = by_leafshap(forest, X, numbers(X), random_state=0)
    columns = {name: X[:, j] for j, name in enumerate(names)}
    for table in (pl.DataFrame(columns), pa.table(columns)):
        found = by_leafshap(forest, table, numbers(X), random_state=0)
        np.testing.assert_array_equal(found.importances, expected.importances)
        assert found.names == names


def test_names(forest: Any) -> None:
    X = rows()
    found = by_leafshap(forest, X, numbers(X), random_state=0)
    assert found.names == [f"feature {j}" for j in range(6)]


# ---------------------------------------------------------------- weights, samples, random states


@pytest.mark.parametrize("scoring", [None, "neg_mean_absolute_error", "neg_median_absolute_error"])
def test_weights(hist: Any, scoring: str | None) -> None:
    X = rows(missing=True)
    assert_as_scikit(hist, X, numbers(X), scoring=scoring, sample_weight=weights())
    assert_as_scikit(hist, X, numbers(X), scoring=scoring, sample_weight=weights().tolist())


def test_equal_weights_change_nothing(hist: Any) -> None:
    X = rows(missing=True)
    some = by_leafshap(hist, X, numbers(X), random_state=0, sample_weight=np.full(len(X), 2.0))
    none = by_leafshap(hist, X, numbers(X), random_state=0)
    np.testing.assert_allclose(some.importances, none.importances, rtol=0, atol=1e-13)


@pytest.mark.parametrize("max_samples", [0.3, 17, 300, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_samples(hist: Any, max_samples: float, weighted: bool) -> None:
    X = rows(missing=True)
    given = weights() if weighted else None
    assert_as_scikit(hist, X, numbers(X), max_samples=max_samples, sample_weight=given)


@pytest.mark.parametrize("n_repeats", [1, 7])
def test_repeats_and_seeds(hist: Any, n_repeats: int) -> None:
    X = rows(missing=True)
    for seed in (0, np.int64(11), 2**32 - 1):
        assert_as_scikit(hist, X, numbers(X), n_repeats=n_repeats, random_state=seed)


def test_a_generator_is_used_as_scikit_learn_does(hist: Any) -> None:
    X = rows(missing=True)
    ours, theirs = np.random.RandomState(5), np.random.RandomState(5)
    for _ in range(2):
        assert_equal(
            by_leafshap(hist, X, numbers(X), random_state=ours),
            by_scikit(hist, X, numbers(X), random_state=theirs),
        )
    assert ours.randint(1 << 30) == theirs.randint(1 << 30)


def test_numpys_own_state(hist: Any) -> None:
    X = rows(missing=True)
    before = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(4)  # noqa: NPY002
        ours = by_leafshap(hist, X, numbers(X))
        np.random.seed(4)  # noqa: NPY002
        theirs = by_scikit(hist, X, numbers(X))
    finally:
        np.random.set_state(before)  # noqa: NPY002
    assert_equal(ours, theirs)


# ---------------------------------------------------------------- groups


def shuffled_together(
    model: Any, X: Any, y: Any, columns: list[int], seed: int, n_repeats: int
) -> list[float]:
    """Importances of a group by the definition, with scikit-learn's shuffles."""
    generator = np.random.RandomState(
        np.random.RandomState(seed).randint(np.iinfo(np.int32).max + 1)
    )
    order, changed = np.arange(len(X)), np.array(X)
    found = []
    for _ in range(n_repeats):
        generator.shuffle(order)
        changed[:, columns] = changed[order][:, columns]
        found.append(model.score(X, y) - model.score(changed, y))
    return found


@pytest.mark.parametrize("trees", [True, False])
def test_groups_are_shuffled_together(forest: Any, trees: bool) -> None:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X = rows()
    y = numbers(X)
    model = forest if trees else make_pipeline(StandardScaler(), forest).fit(X, y)
    groups = {"product": [1, 2], "rest": [5, 4]}
    found = by_leafshap(model, X, y, groups=groups, random_state=9, n_repeats=3)
    assert found.names == ["product", "rest", "feature 0", "feature 3"]
    assert found.importances.shape == (4, 3)
    for i, columns in enumerate([[1, 2], [5, 4], [0], [3]]):
        expected = shuffled_together(model, X, y, columns, 9, 3)
        np.testing.assert_allclose(found.importances[i], expected, rtol=0, atol=1e-12)


def test_groups_by_names_and_samples(hist: Any) -> None:
    pd = pytest.importorskip("pandas")
    X = rows(missing=True)
    model = HistGradientBoostingRegressor(max_iter=20)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    y = numbers(X)
    model.fit(frame, y)
    named = by_leafshap(model, frame, y, groups=[["b", "c"]], random_state=0, max_samples=0.5)
    assert named.names == ["b + c", "a", "d", "e", "f"]
    numbered = by_leafshap(model, frame, y, groups=[[1, 2]], random_state=0, max_samples=0.5)
    np.testing.assert_array_equal(named.importances, numbered.importances)
    alone = by_leafshap(model, frame, y, random_state=0, max_samples=0.5)
    np.testing.assert_array_equal(named.importances[1:], alone.importances[[0, 3, 4, 5]])
    assert named.importances_mean[0] > alone.importances_mean[1:3].max()


# ---------------------------------------------------------------- progress


@pytest.mark.parametrize("method", ["sampled", "exact"])
def test_progress(forest: Any, method: str) -> None:
    X = rows()
    seen: list[tuple[int, int]] = []
    by_leafshap(
        forest, X, numbers(X), method=method, n_repeats=2, random_state=0,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    total = 6 * len(X) * (2 if method == "sampled" else 1)
    assert seen[-1] == (total, total)
    assert sorted(done for done, _ in seen) == [done for done, _ in seen]
