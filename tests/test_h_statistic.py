"""The H statistic against its definition, by predictions."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import leafshap
from leafshap import InvalidInputError
from leafshap.effects.pairs import combined_features, disjoint_rounds
from oracle import trees_of
from small_ensembles import no_trees, stump
from strategies import Recipe, random_ensemble

sklearn_models = pytest.importorskip("sklearn_models")

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
X, WEIGHTS = sklearn_models.X[:40], sklearn_models.WEIGHTS[:40]


def partial_dependence(
    predict: Any, rows: Array, features: list[int], weights: Floats | None
) -> Floats:
    """At every row, centred, (n, K)."""
    means = []
    for row in rows:
        changed = rows.copy()
        changed[:, features] = row[features]
        means.append(np.average(predict(changed).reshape(len(rows), -1), axis=0, weights=weights))
    found = np.array(means)
    return np.asarray(found - np.average(found, axis=0, weights=weights))


def h_squared(
    predict: Any, rows: Array, pair: tuple[int, int], weights: Floats | None = None
) -> tuple[Floats, Floats]:
    both = partial_dependence(predict, rows, list(pair), weights)
    alone = sum(partial_dependence(predict, rows, [j], weights) for j in pair)
    numerator = np.average((both - alone) ** 2, axis=0, weights=weights)
    return numerator, np.average(both**2, axis=0, weights=weights)


def overall_squared(
    predict: Any, rows: Array, feature: int, weights: Floats | None = None
) -> Floats:
    others = [j for j in range(rows.shape[1]) if j != feature]
    f = partial_dependence(predict, rows, [*others, feature], weights)
    own = partial_dependence(predict, rows, [feature], weights)
    rest = partial_dependence(predict, rows, others, weights)
    numerator = np.average((f - own - rest) ** 2, axis=0, weights=weights)
    return np.asarray(numerator / np.average(f**2, axis=0, weights=weights))


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("name", ["forest", "boosting", "boosting binary", "boosting classes"])
def test_is_its_definition(name: str, weights: Floats | None) -> None:
    model = sklearn_models.fitted(name)
    predict = getattr(model, "decision_function", model.predict)
    found = leafshap.h_statistic(model, X, sample_weight=weights, max_samples=None)
    used = sorted(leafshap.TreeEnsemble.from_model(model).schema.used_features)
    assert found.pairs.tolist() == [list(pair) for pair in combinations(used, 2)]
    assert found.features.tolist() == used
    assert found.n_rows == len(X)
    for i, pair in enumerate(combinations(used, 2)):
        numerator, denominator = h_squared(predict, X, pair, weights)
        assert found.names[i] == (f"x{pair[0]}", f"x{pair[1]}")
        np.testing.assert_allclose(found.numerator[i], numerator.squeeze(), atol=1e-13)
        np.testing.assert_allclose(found.denominator[i], denominator.squeeze(), rtol=1e-9)
        wanted = np.where(denominator > 0, numerator / denominator, 0.0).squeeze()
        np.testing.assert_allclose(found.h_squared[i], wanted, atol=1e-9)
    for i, j in enumerate(used):
        wanted = overall_squared(predict, X, j, weights).squeeze()
        np.testing.assert_allclose(found.overall_squared[i], wanted, atol=1e-10)
    np.testing.assert_array_equal(found.h, np.sqrt(found.h_squared))
    np.testing.assert_array_equal(found.overall, np.sqrt(found.overall_squared))
    assert found.h.shape == ((len(found.pairs), 3) if "classes" in name else (len(found.pairs),))


def test_missing_values_and_categories() -> None:
    cases = pytest.importorskip("lightgbm_cases")
    model, rows = cases.train({}, "nan"), cases.training_data("nan")[0][:15]
    found = leafshap.h_statistic(model, rows)
    for i, pair in enumerate(found.pairs.tolist()):
        numerator, denominator = h_squared(model.predict, rows, tuple(pair))
        np.testing.assert_allclose(found.h_squared[i], (numerator / denominator)[0], atol=1e-9)


def grown(y: Any, rows: Any, **settings: Any) -> Any:
    boosting = sklearn_models.GR(n_estimators=60, learning_rate=0.3, random_state=0, **settings)
    return boosting.fit(rows, y)


def test_additive_models_have_none() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 4))
    y = rows[:, 0] + np.sin(3 * rows[:, 1]) + rows[:, 2] ** 2
    additive = grown(y, rows, max_depth=1)
    found = leafshap.h_statistic(additive, rows)
    assert (found.h == 0).all()
    assert (found.numerator == 0).all()
    assert (found.denominator > 0).all()
    assert (found.overall < 1e-7).all()


def test_additive_effects_on_common_paths_have_none() -> None:
    """Trees that test both features on each path, yet add up to a sum."""
    n, low, high = 7, 1.0, 3.0
    arrays = stump(
        tree_offsets=np.array([0, n]),
        tree_weight=np.ones(1),
        split_feature=np.array([0, 1, 1, -1, -1, -1, -1], np.int32),
        left=np.array([1, 3, 5, -1, -1, -1, -1], np.int32),
        right=np.array([2, 4, 6, -1, -1, -1, -1], np.int32),
        threshold=np.zeros(n),
        default_left=np.zeros(n, bool),
        missing=np.zeros(n, np.uint8),
        categorical=np.zeros(n, np.uint8),
        cover=np.array([4.0, 2, 2, 1, 1, 1, 1]),
        leaf_value=np.array([0, 0, 0, 0.0, low, high, low + high]),
    )
    rows = np.random.default_rng(0).normal(size=(50, 2))
    found = leafshap.h_statistic(arrays, rows)
    assert found.pairs.tolist() == [[0, 1]]
    assert found.h[0] == 0
    assert (found.overall == 0).all()
    arrays.leaf_value = np.array([0, 0, 0, 0.0, 0.0, 0.0, 1.0])
    assert leafshap.h_statistic(arrays, rows).h[0] > 0.3


def test_a_product_is_all_interaction() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 3))
    model = grown(rows[:, 0] * rows[:, 1] + 0.5 * rows[:, 2], rows, max_depth=4)
    found = leafshap.h_statistic(model, rows, max_samples=200)
    assert found.n_rows == 200
    by_pair = {tuple(p): h for p, h in zip(found.pairs.tolist(), found.h, strict=True)}
    assert by_pair[0, 1] > 0.8
    assert max(by_pair[0, 2], by_pair[1, 2]) < 0.5
    strength = {tuple(p): s for p, s in zip(found.pairs.tolist(), found.numerator, strict=True)}
    assert strength[0, 1] > 5 * max(strength[0, 2], strength[1, 2])
    assert found.overall[:2].min() > 0.6 > 0.3 > found.overall[2]


def test_chosen_features_and_pairs() -> None:
    model = sklearn_models.fitted("forest")
    every = leafshap.h_statistic(model, X)
    at = {tuple(p): i for i, p in enumerate(every.pairs.tolist())}
    names = list("abcde")
    some = leafshap.h_statistic(model, X, ["d", 0, "b"], feature_names=names)
    assert some.names == [("d", "a"), ("d", "b"), ("a", "b")]
    assert some.feature_names == ["d", "a", "b"]
    np.testing.assert_allclose(some.h, [every.h[at[p]] for p in ((0, 3), (1, 3), (0, 1))])
    np.testing.assert_allclose(some.overall, every.overall[[3, 0, 1]], atol=1e-12)
    pairs = leafshap.h_statistic(model, X, pairs=[(2, 1), ("a", 3), (2, 0)], feature_names=names)
    assert pairs.pairs.tolist() == [[2, 1], [0, 3], [2, 0]]
    np.testing.assert_allclose(pairs.h, [every.h[at[p]] for p in ((1, 2), (0, 3), (0, 2))])


def test_constant_models_and_unused_features() -> None:
    found = leafshap.h_statistic(no_trees(), np.zeros((3, 2)))
    assert found.h.shape == found.overall.shape == (0,)
    assert found.pairs.shape == (0, 2)
    found = leafshap.h_statistic(stump(), np.arange(6.0).reshape(3, 2), [0, 1])
    assert found.h.tolist() == [0.0]
    assert found.overall.tolist() == [0.0, 0.0]
    found = leafshap.h_statistic(stump(), np.full((5, 2), 3.0), [0, 1])  # nothing varies
    assert found.h.tolist() == [0.0]
    assert found.denominator.tolist() == [0.0]


def test_same_bits_for_any_threads_and_seeded_samples() -> None:
    model = sklearn_models.fitted("forest")
    rows = sklearn_models.X
    one = leafshap.h_statistic(model, rows, max_samples=50, n_jobs=1)
    two = leafshap.h_statistic(model, rows, max_samples=50, n_jobs=2)
    for key in ("h", "numerator", "denominator", "overall"):
        np.testing.assert_array_equal(one[key], two[key])
    other = leafshap.h_statistic(model, rows, max_samples=50, random_state=1)
    assert (other.h != one.h).any()
    for state in (None, np.random.RandomState(0), np.random.default_rng(0)):
        assert leafshap.h_statistic(model, rows, max_samples=9, random_state=state).n_rows == 9
    whole = leafshap.h_statistic(model, rows, max_samples=10_000)
    np.testing.assert_array_equal(whole.h, leafshap.h_statistic(model, rows, max_samples=None).h)


@pytest.mark.parametrize("seed", range(6))
def test_which_features_share_a_path(seed: int) -> None:
    arrays = random_ensemble(Recipe(seed=seed, n_trees=4, n_outputs=1))
    ensemble = leafshap.TreeEnsemble(arrays)
    for n_trees in (1, 4):
        wanted = np.zeros((arrays.n_features, arrays.n_features), dtype=bool)
        for tree in list(trees_of(arrays))[:n_trees]:
            above: dict[int, set[int]] = {0: set()}
            for node in tree.order:
                if tree.is_leaf(node):
                    continue
                j = int(tree.feature[node])
                for other in above[node] - {j}:
                    wanted[j, other] = wanted[other, j] = True
                above[int(tree.left[node])] = above[int(tree.right[node])] = above[node] | {j}
        np.testing.assert_array_equal(combined_features(ensemble, n_trees), wanted)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 8, 15, 16])
def test_rounds_are_disjoint_and_few(n: int) -> None:
    pairs = list(combinations(range(0, 3 * n, 3), 2))
    rounds = disjoint_rounds(pairs)
    assert sorted(pair for members in rounds for pair in members) == pairs
    assert all(len({j for p in members for j in p}) == 2 * len(members) for members in rounds)
    assert len(rounds) == n - 1 + n % 2
    assert disjoint_rounds([]) == []


@pytest.mark.parametrize(
    ("features", "settings", "message"),
    [
        ([0, 7], {}, "features names column 7"),
        ("ab", {}, "must be a sequence"),
        ([], {}, "features is empty"),
        ([0, 1, 0], {}, "twice"),
        (["q"], {}, "neither the data nor the model has names"),
        ([0, 1], {"pairs": [(0, 1)]}, "not both"),
        (None, {"pairs": []}, "pairs is empty"),
        (None, {"pairs": [(0, 1, 2)]}, "tuples of two features"),
        (None, {"pairs": [(1, 1)]}, "tuples of two features"),
        (None, {"pairs": [3]}, "tuples of two features"),
        ([1], {}, "features must name at least 2"),
        (None, {"pairs": [(0, 1), (2, 1), (1, 0)]}, r"a pair twice: \(1, 0\)"),
        (None, {"max_samples": 0}, "max_samples must be"),
        (None, {"max_samples": 1}, "max_samples must be an integer of at least 2"),
        (None, {"random_state": "x"}, "random_state"),
        (None, {"max_samples": None, "random_state": 0.5}, "random_state"),
        (None, {"max_samples": 0.5}, "max_samples must be"),
        (None, {"max_samples": 5, "random_state": "x"}, "random_state"),
        (None, {"sample_weight": [1.0]}, "sample weights have the shape"),
        (None, {"sample_weight": np.zeros(40)}, "all zero"),
        (None, {"sample_weight": np.eye(40)[0], "max_samples": 2}, "zero for all rows drawn"),
    ],
)
def test_errors(features: Any, settings: dict[str, Any], message: str) -> None:
    model = sklearn_models.fitted("boosting")
    with pytest.raises(InvalidInputError, match=message):
        leafshap.h_statistic(model, X, features, **settings)
    with pytest.raises(InvalidInputError, match="no rows"):
        leafshap.h_statistic(model, X[:0])
