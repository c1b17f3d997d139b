"""Partial dependence and ICE: what the model itself predicts on changed rows, and scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import leafshap
from leafshap.effects import curves
from strategies import Recipe, random_ensemble

sklearn_models = pytest.importorskip("sklearn_models")
inspection = pytest.importorskip("sklearn.inspection")

Array = npt.NDArray[Any]
X, X_MISSING, WEIGHTS = sklearn_models.X, sklearn_models.X_MISSING, sklearn_models.WEIGHTS
KINDS = [
    *("tree", "tree binary", "tree classes", "tree targets", "tree missing", "extra trees"),
    *("forest", "forest binary", "forest classes", "forest targets", "forest missing"),
    *("boosting", "boosting binary", "boosting exponential", "boosting classes"),
    *("hist", "hist poisson", "hist missing", "hist binary", "hist classes"),
]


def rows_of(name: str) -> Array:
    rows = X_MISSING if "missing" in name or name == "hist classes" else X
    return np.asarray(rows[:40])


def assert_as_sklearn(ours: Any, theirs: Any) -> None:
    for a, b in zip(ours.grid_values, theirs["grid_values"], strict=True):
        np.testing.assert_array_equal(a, b)
    for key in ("average", "individual"):
        assert (key in ours) == (key in theirs)
        if key in ours:
            assert ours[key].shape == theirs[key].shape
            scale = max(1.0, np.abs(theirs[key]).max())
            np.testing.assert_allclose(ours[key], theirs[key], rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize("name", KINDS)
def test_equals_brute_force_of_sklearn(name: str) -> None:
    model, rows = sklearn_models.fitted(name), rows_of(name)
    values = {1: [0.25, 2.0, np.nan]} if np.isnan(rows).any() else {}  # its grid would be NaN
    for features, custom in ((1, values), ((2, 0), {0: [-1.0, 0.5], 2: [-0.5, 0.0, 1.0]})):
        settings: dict[str, Any] = {"grid_resolution": 12, "custom_values": custom, "kind": "both"}
        ours = leafshap.partial_dependence(model, rows, features, grid="sklearn", **settings)
        own = [features] if isinstance(features, int) else list(features)
        theirs = inspection.partial_dependence(model, rows, own, method="brute", **settings)
        assert_as_sklearn(ours, theirs)


@pytest.mark.parametrize("name", ["forest", "boosting binary", "boosting classes", "hist poisson"])
def test_weights(name: str) -> None:
    model, rows, weights = sklearn_models.fitted(name), X[:40], WEIGHTS[:40]
    ours = leafshap.partial_dependence(
        model, rows, 0, grid="sklearn", grid_resolution=5, sample_weight=weights
    )
    theirs = inspection.partial_dependence(
        model, rows, [0], grid_resolution=5, sample_weight=weights, method="brute"
    )
    assert_as_sklearn(ours, theirs)
    scaled = leafshap.partial_dependence(
        model, rows, 0, grid="sklearn", grid_resolution=5, sample_weight=weights * 7
    )
    np.testing.assert_allclose(scaled.average, ours.average, rtol=1e-14)


def predicted(model: Any, rows: Array, features: tuple[int, ...], point: Any) -> Array:
    changed = rows.copy()
    changed[:, features] = point
    return np.asarray(model(changed))


@pytest.mark.parametrize("name", ["tree", "forest missing", "boosting", "hist missing"])
def test_curves_are_predictions_at_every_cut_and_beside_it(name: str) -> None:
    model, rows = sklearn_models.fitted(name), rows_of(name)[:15]
    values = leafshap.partial_dependence(model, rows, 2).grid_values[0]
    beside = np.concatenate([np.nextafter(values, np.inf), np.nextafter(values, -np.inf)])
    narrow = [np.nextafter(np.float32(values), np.float32(s * np.inf)) for s in (1, -1)]
    points = np.concatenate([values, beside, *narrow])
    classifier = hasattr(model, "predict_proba")
    found = leafshap.partial_dependence(model, rows, 2, grid=points, kind="both")
    np.testing.assert_array_equal(found.grid_values[0], points)
    assert found.individual.shape == (found.average.shape[0], len(rows), len(points))
    changed = np.tile(rows, (len(points), 1))
    changed[:, 2] = np.repeat(points, len(rows))
    own = model.predict_proba(changed) if classifier else model.predict(changed)
    own = own.reshape(len(points), len(rows), -1).T
    np.testing.assert_allclose(found.individual, own, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.average, own.mean(axis=1), rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_random_ensembles(seed: int) -> None:
    """Missing values of every policy, categories, several outputs, tables of vectors."""
    arrays = random_ensemble(
        Recipe(seed=seed, n_outputs=1 + seed % 3, vector_leaves=seed % 2 == 0, categorical=0.5)
    )
    model = leafshap.TreeEnsemble(arrays)
    rng = np.random.default_rng(seed)
    rows = rng.integers(-2, 12, (12, arrays.n_features)).astype(float)
    rows[:, ::2] += rng.normal(size=rows[:, ::2].shape)
    rows[rng.random(rows.shape) < 0.2] = np.nan
    weights = rng.random(12)
    targets = [*range(arrays.n_features), (1, 0)]
    results = leafshap.partial_dependence(model, rows, targets, kind="both", sample_weight=weights)
    for found in results:
        grids = np.meshgrid(*found.grid_values, indexing="ij")
        for i in np.ndindex(grids[0].shape):
            point = [grid[i] for grid in grids]
            own = predicted(model.predict, rows, found.features, point).reshape(12, -1)
            at = (slice(None), slice(None), *i)
            np.testing.assert_allclose(found.individual[at].T, own, rtol=0, atol=1e-11)
            mean = np.average(own, axis=0, weights=weights)
            np.testing.assert_allclose(found.average[at[1:]], mean, rtol=0, atol=1e-11)


def test_three_features_together() -> None:
    model, rows = sklearn_models.fitted("boosting"), X[:20]
    grid = {4: [0.0, 1e-30], 0: [1.0], 1: [0.2, 1.0, 3.0]}
    found = leafshap.partial_dependence(model, rows, (1, 4, 0), grid=grid, kind="both")
    assert found.average.shape == (1, 3, 2, 1)
    assert found.individual.shape == (1, 20, 3, 2, 1)
    for a, v in enumerate(grid[1]):
        for b, w in enumerate(grid[4]):
            own = predicted(model.predict, rows, (1, 4, 0), [v, w, 1.0])
            np.testing.assert_allclose(found.individual[0, :, a, b, 0], own, rtol=0, atol=1e-12)


def test_outputs_of_a_classifier() -> None:
    model, rows = sklearn_models.fitted("boosting classes"), X[:30]
    grid = {1: [0.5, 1.5, 2.5]}
    for output, own in (
        ("auto", model.predict_proba),
        ("probability", model.predict_proba),
        ("predict_proba", model.predict_proba),
        ("raw", model.decision_function),
    ):
        found = leafshap.partial_dependence(model, rows, 1, grid=grid, model_output=output)
        wanted = [predicted(own, rows, (1,), v).mean(axis=0) for v in grid[1]]
        np.testing.assert_allclose(found.average.T, wanted, rtol=0, atol=1e-12)
        assert found.output_names == ["0", "10", "20"]


def test_two_classes_show_the_second() -> None:
    for name in ("forest binary", "boosting binary", "tree binary"):
        model = sklearn_models.fitted(name)
        found = leafshap.partial_dependence(model, X[:20], 0)
        assert found.average.shape[0] == 1
        assert found.output_names == ["yes"]
    raw = leafshap.partial_dependence(model, X[:20], 0, model_output="raw")
    assert raw.average.shape[0] == 2  # what its trees give


def test_several_targets_of_a_class() -> None:
    model = sklearn_models.fitted("forest class targets")
    found = leafshap.partial_dependence(model, X[:20], 2, grid=[0.0, 1.0])
    own = [np.hstack(predict(model, v)).mean(axis=0) for v in (0.0, 1.0)]
    np.testing.assert_allclose(found.average.T, own, rtol=0, atol=1e-12)


def predict(model: Any, value: float) -> Any:
    changed = X[:20].copy()
    changed[:, 2] = value
    return model.predict_proba(changed)


def test_ensembles_and_isolation_forests_show_the_margin() -> None:
    model = sklearn_models.fitted("boosting binary")
    ensemble = leafshap.TreeEnsemble.from_model(model)
    found = leafshap.partial_dependence(ensemble, X[:20], 0, grid=[0.0])
    own = predicted(model.decision_function, X[:20], (0,), 0.0)
    np.testing.assert_allclose(found.average[0], own.mean(), rtol=1e-12)
    probability = leafshap.partial_dependence(
        ensemble, X[:20], 0, grid=[0.0], model_output="probability"
    )
    wanted = leafshap.partial_dependence(model, X[:20], 0, grid=[0.0])
    np.testing.assert_array_equal(probability.average, wanted.average)
    forest = sklearn_models.fitted("isolation")
    found = leafshap.partial_dependence(forest, X[:20], 0, grid=[0.0])
    raw = leafshap.TreeEnsemble.from_model(forest).predict
    np.testing.assert_allclose(found.average[0], predicted(raw, X[:20], (0,), 0.0).mean())


def test_a_list_of_targets_gives_what_each_gives_alone() -> None:
    model = sklearn_models.fitted("boosting classes")
    targets = [1, (1, 2), 0, (0, 3), 1]
    custom = {2: [0.0, 1.0], 3: [1e7]}
    settings: dict[str, Any] = {"custom_values": custom, "kind": "both"}
    found = leafshap.partial_dependence(model, X[:25], targets, **settings)
    assert [r.features for r in found] == [(1,), (1, 2), (0,), (0, 3), (1,)]
    for target, result in zip(targets, found, strict=True):
        alone = leafshap.partial_dependence(model, X[:25], target, **settings)
        np.testing.assert_array_equal(result.average, alone.average)
        np.testing.assert_array_equal(result.individual, alone.individual)


def test_same_bits_for_any_threads_and_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("boosting classes", "forest", "boosting binary"):
        model = sklearn_models.fitted(name)
        settings: dict[str, Any] = {"kind": "both", "sample_weight": WEIGHTS}
        one = leafshap.partial_dependence(model, X, [2, (0, 1)], n_jobs=1, **settings)
        two = leafshap.partial_dependence(model, X, [2, (0, 1)], n_jobs=2, **settings)
        with monkeypatch.context() as patch:
            patch.setattr("leafshap.responses.CURVE_BYTES", 1 << 14)
            patch.setattr(curves, "_PART_BYTES", 1 << 12)
            patch.setattr(curves, "_PROBE_BYTES", 1 << 9)
            small = leafshap.partial_dependence(model, X, [2, (0, 1)], n_jobs=2, **settings)
        for a, b, c in zip(one, two, small, strict=True):
            np.testing.assert_array_equal(a.average, b.average)
            np.testing.assert_array_equal(a.individual, b.individual)
            np.testing.assert_array_equal(a.individual, c.individual)
            np.testing.assert_allclose(a.average, c.average, rtol=0, atol=1e-13)


def test_a_feature_without_splits_has_a_constant_curve() -> None:
    model = sklearn_models.fitted("tree stump")
    (used,) = leafshap.TreeEnsemble.from_model(model).schema.used_features
    other = (used + 1) % 5
    found = leafshap.partial_dependence(model, X, other, kind="both")
    np.testing.assert_array_equal(found.grid_values[0], [X[:, other].min(), X[:, other].max()])
    assert np.ptp(found.average) == 0
    np.testing.assert_array_equal(found.individual[0, :, 0], found.individual[0, :, 1])
    leaf = sklearn_models.fitted("tree single leaf")
    found = leafshap.partial_dependence(leaf, X, (0, 1))
    assert (found.average == 2.5).all()


def test_a_single_row_and_containers() -> None:
    model = sklearn_models.fitted("boosting")
    one = leafshap.partial_dependence(model, X[3], 1, grid=[0.5], kind="individual")
    assert "average" not in one
    assert one.individual.shape == (1, 1, 1)
    own = predicted(model.predict, X[3:4], (1,), 0.5)
    np.testing.assert_allclose(one.individual.ravel(), own, rtol=1e-12)
    whole = leafshap.partial_dependence(model, X, 1)
    for other in (np.asfortranarray(X), X.tolist(), X[::-1][::-1]):
        found = leafshap.partial_dependence(model, other, 1)
        np.testing.assert_array_equal(found.average, whole.average)


def test_sparse_rows() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    model = sklearn_models.fitted("forest")
    found = leafshap.partial_dependence(model, sparse.csr_matrix(X[:30]), 0)
    wanted = leafshap.partial_dependence(model, X[:30], 0)
    np.testing.assert_array_equal(found.average, wanted.average)
    np.testing.assert_array_equal(found.grid_values[0], wanted.grid_values[0])
