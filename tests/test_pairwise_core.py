"""The pairwise kernel: interventional Shapley values by definition, and T of the margin."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pytest

import oracle
from leafshap import _core
from leafshap.errors import InvalidInputError
from strategies import Recipe, random_ensemble, random_recipe, random_rows
from trees import AND_ROWS, and_tree, long_chain, long_chain_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from leafshap.converters.arrays import EnsembleArrays

Floats = npt.NDArray[np.float64]
Dtype = Literal["float64", "float32"]
DTYPES: tuple[Dtype, ...] = ("float64", "float32")
TOLERANCE = {"float64": 1e-12, "float32": 2e-6}  # of the largest |phi|

# T(m) by its definition, and its derivative for equal margins
TRANSFORMS: dict[str, tuple[Callable[..., Floats], Callable[..., Floats]]] = {
    "raw": (lambda m, _: m, lambda m, _: np.ones_like(m)),
    "logistic": (
        lambda m, _: 1 / (1 + np.exp(-m)),
        lambda m, _: np.exp(-m) / (1 + np.exp(-m)) ** 2,
    ),
    "exp": (lambda m, _: np.exp(m), lambda m, _: np.exp(m)),
    "logistic_loss": (
        lambda m, y: np.log(1 + np.exp(m)) - y * m,
        lambda m, y: 1 / (1 + np.exp(-m)) - y,
    ),
    "squared_loss": (lambda m, y: (y - m) ** 2, lambda m, y: 2 * (m - y)),
}
LOSSES = ("logistic_loss", "squared_loss")


def pair_values(arrays: EnsembleArrays, X: npt.NDArray[Any], B: npt.NDArray[Any]) -> Floats:
    """Shapley values of the game v(S) = f(x_S, b_rest), all coalitions: (n, m, F, K)."""
    used = oracle.used_features(arrays)
    d = len(used)
    v = np.empty((2**d, len(X), len(B), arrays.n_outputs))
    for s in range(2**d):
        known = np.zeros(arrays.n_features, dtype=bool)
        known[used] = (s >> np.arange(d)) & 1 == 1
        hybrid = np.where(known, X[:, None, :], B[None, :, :]).astype(X.dtype)
        raw = oracle.predict(arrays, hybrid.reshape(-1, arrays.n_features))
        v[s] = raw.reshape(len(X), len(B), -1)
    phi = np.zeros((len(X), len(B), arrays.n_features, arrays.n_outputs))
    for s in range(2**d):
        size = s.bit_count()
        for i, f in enumerate(used):
            if not s >> i & 1:
                weight = math.factorial(size) * math.factorial(d - size - 1) / math.factorial(d)
                phi[:, :, f] += weight * (v[s | 1 << i] - v[s])
    return phi


def scaled_mean(
    arrays: EnsembleArrays,
    X: npt.NDArray[Any],
    B: npt.NDArray[Any],
    pairs: Floats,
    weights: Floats | None = None,
    output: str = "raw",
    y: Floats | None = None,
) -> Floats:
    """``sum_b w_b (T(m_x) - T(m_b)) / (m_x - m_b) phi(x, b)``, (n, F, K)."""
    transform, slope = TRANSFORMS[output]
    label = np.zeros((len(X), 1, 1)) if y is None else y[:, None, None]
    m_x = oracle.predict(arrays, X)[:, None, :] + np.zeros((1, len(B), 1))
    m_b = oracle.predict(arrays, B)[None, :, :] + np.zeros((len(X), 1, 1))
    difference = m_x - m_b
    equal = np.abs(difference) < 1e-9
    quotient = np.where(
        equal,
        slope((m_x + m_b) / 2, label),
        (transform(m_x, label) - transform(m_b, label)) / np.where(equal, 1.0, difference),
    )
    w = np.ones(len(B)) if weights is None else weights
    w = w / w.sum()
    result: Floats = np.einsum("b,xbk,xbfk->xfk", w, quotient, pairs)
    return result


def explain(
    arrays: EnsembleArrays,
    X: npt.NDArray[Any],
    B: npt.NDArray[Any],
    dtype: Dtype = "float64",
    *,
    weights: Floats | None = None,
    output: str = "raw",
    y: Floats | None = None,
    n_threads: int = 1,
    n_trees: int = -1,
    leaves: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[Any]:
    plan = _core.PairwisePlan(
        _core.Ensemble(arrays.as_dict()), dtype, B, weights, n_trees, leaves=leaves
    )
    out = np.full((len(X), arrays.n_features, arrays.n_outputs), np.nan, dtype=dtype)
    plan.shap_values(X, out, n_threads, output, y)
    return out


def assert_close(
    actual: npt.NDArray[Any], expected: Floats, dtype: str, what: str = "", scale: float = 0.0
) -> None:
    assert actual.shape == expected.shape
    assert np.isfinite(actual).all(), what
    scale = max(scale, float(np.abs(expected).max(initial=0.0)))
    error = float(np.abs(actual - expected).max(initial=0.0))
    allowed = TOLERANCE[dtype] * scale + (1e-15 if dtype == "float64" else 1e-7)
    assert error <= allowed, f"{what} off by {error:.3g} at a largest |phi| of {scale:.3g}"


Case = tuple["EnsembleArrays", npt.NDArray[Any], npt.NDArray[Any], Floats]


@cache
def random_case(seed: int) -> Case:
    rng = np.random.default_rng(seed)
    arrays = random_ensemble(random_recipe(seed))
    dtype = (np.float64, np.float32)[seed % 2]
    X = random_rows(arrays, int(rng.integers(1, 9)), seed, dtype=dtype)
    B = random_rows(arrays, int(rng.choice([1, 2, 7, 16, 17, 40])), seed + 7, dtype=dtype)
    return arrays, X, B, pair_values(arrays, X, B)


@cache
def balanced_case(seed: int) -> Case:
    """Full trees of depth 5 on 6 features, and more background rows than one tile holds."""
    recipe = Recipe(seed=seed, n_trees=3, n_features=6, shape="balanced", depth=5, n_outputs=2)
    arrays = random_ensemble(recipe)
    X, B = random_rows(arrays, 3, seed), random_rows(arrays, 530, seed + 1)
    return arrays, X, B, pair_values(arrays, X, B)


def random_weights(n: int, seed: int) -> Floats | None:
    rng = np.random.default_rng(seed)
    if seed % 3 == 0:
        return None
    weights = rng.uniform(size=n) * 10.0 ** rng.integers(-3, 4)
    if n > 1 and seed % 3 == 1:
        weights[0] = 0.0
    return weights


def test_and_tree_by_hand(isa: str) -> None:
    # x = (0, 0) against b = (1, 1): both are needed, so each is worth one half
    phi = explain(and_tree(), AND_ROWS[:1], AND_ROWS[3:])
    np.testing.assert_allclose(phi[0, :, 0], [0.5, 0.5], atol=1e-15)
    # against (0, 1) only the second differs
    phi = explain(and_tree(), AND_ROWS[:1], AND_ROWS[1:2])
    np.testing.assert_allclose(phi[0, :, 0], [0.0, 1.0], atol=1e-15)
    # the other way round, and a row against itself
    phi = explain(and_tree(), AND_ROWS, AND_ROWS[:1])
    expected = np.array([[0, 0], [0, -1], [-1, 0], [-0.5, -0.5]])
    np.testing.assert_allclose(phi[:, :, 0], expected, atol=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("chunk", range(4))
def test_random_ensembles_by_brute_force(isa: str, chunk: int, dtype: Dtype) -> None:
    for seed in range(chunk, 160, 4):
        arrays, X, B, pairs = random_case(seed)
        weights = random_weights(len(B), seed)
        expected = scaled_mean(arrays, X, B, pairs, weights)
        actual = explain(arrays, X, B, dtype, weights=weights)
        assert_close(actual, expected, dtype, f"seed {seed}:", float(np.abs(pairs).max(initial=0)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(4))
def test_more_background_than_a_tile(isa: str, seed: int, dtype: Dtype) -> None:
    arrays, X, B, pairs = balanced_case(seed)
    for m in (1, 15, 16, 64, 127, 511, 512, 513, 530):
        weights = random_weights(m, seed + m)
        expected = scaled_mean(arrays, X, B[:m], pairs[:, :m], weights)
        actual = explain(arrays, X, np.ascontiguousarray(B[:m]), dtype, weights=weights)
        assert_close(actual, expected, dtype, f"m = {m}:")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output", TRANSFORMS)
def test_outputs_by_definition(isa: str, output: str, dtype: Dtype) -> None:
    for seed in range(40):
        arrays, X, B, pairs = random_case(seed)
        weights = random_weights(len(B), seed + 1)
        y = np.random.default_rng(seed).normal(size=len(X)) if output in LOSSES else None
        expected = scaled_mean(arrays, X, B, pairs, weights, output, y)
        actual = explain(arrays, X, B, dtype, weights=weights, output=output, y=y)
        # the plain quotient of the definition loses digits where margins are close
        scale = max(float(np.abs(expected).max(initial=0)), float(np.abs(pairs).max(initial=0)))
        tolerance = 1e-8 if dtype == "float64" else 2e-6
        np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale + 1e-7)


@pytest.mark.parametrize("output", TRANSFORMS)
def test_values_add_up_to_the_output(output: str) -> None:
    """T(m_x) minus the mean of T(m_b), also for large and close margins."""
    transform, _ = TRANSFORMS[output]
    for size in (1e-9, 1e-3, 1.0, 30.0):
        arrays = random_ensemble(Recipe(n_trees=5, n_outputs=2, weights=False))
        arrays.leaf_value *= size
        X, B = random_rows(arrays, 20, 1), random_rows(arrays, 50, 2)
        y = np.linspace(-1, 2, len(X)) if output in LOSSES else None
        label = 0.0 if y is None else y[:, None]
        phi = explain(arrays, X, B, output=output, y=y)
        t_x = transform(oracle.predict(arrays, X), label)
        m_b = oracle.predict(arrays, B)
        t_b = np.stack([transform(m, label) for m in m_b]).mean(axis=0)
        scale = float(np.abs(phi).max())
        # the difference itself is known to the rounding of T only
        known = 1e-15 * float(max(np.abs(t_x).max(), np.abs(t_b).max()))
        np.testing.assert_allclose(phi.sum(axis=1), t_x - t_b, atol=1e-12 * scale + 10 * known)


def test_extreme_margins_are_finite() -> None:
    arrays = and_tree()
    for margin in (800.0, 5e4, 1e300):
        arrays.leaf_value[2] = -margin  # -margin or 0
        for output in ("logistic", "exp", "logistic_loss"):
            y = np.ones(4) if output in LOSSES else None
            phi = explain(arrays, AND_ROWS, AND_ROWS, output=output, y=y)
            assert np.isfinite(phi).all()
        arrays.leaf_value[2] = margin
        for output in ("logistic", "logistic_loss"):
            y = np.ones(4) if output in LOSSES else None
            phi = explain(arrays, AND_ROWS, AND_ROWS, output=output, y=y)
            assert np.isfinite(phi).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("vector_leaves", [False, True])
def test_same_bits_for_any_number_of_threads(isa: str, dtype: Dtype, vector_leaves: bool) -> None:
    arrays = random_ensemble(
        Recipe(n_trees=9, n_features=7, n_outputs=2, n_leaves=30, vector_leaves=vector_leaves)
    )
    B = random_rows(arrays, 600, 5)
    for n in (1, 5, 64, 301):
        X = random_rows(arrays, n)
        for output in ("raw", "logistic"):
            one = explain(arrays, X, B, dtype, output=output)
            for n_threads in (2, 3, 7):
                more = explain(arrays, X, B, dtype, output=output, n_threads=n_threads)
                np.testing.assert_array_equal(more, one)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_subset_of_the_leaves(isa: str, dtype: Dtype) -> None:
    for seed in range(30):
        arrays, X, B, _ = random_case(seed)
        chosen = np.random.default_rng(seed).random(len(arrays.left)) < 0.4
        only = random_ensemble(random_recipe(seed))
        only.leaf_value = np.where(
            chosen.reshape(-1, *[1] * (only.leaf_value.ndim - 1)), only.leaf_value, 0.0
        )
        expected = scaled_mean(only, X, B, pair_values(only, X, B))
        scale = float(np.abs(arrays.leaf_value).max())
        assert_close(explain(arrays, X, B, dtype, leaves=chosen), expected, dtype, "", scale)


def test_leaves_and_the_rest_add_up() -> None:
    arrays, X, B, _ = balanced_case(0)
    chosen = np.random.default_rng(0).random(len(arrays.left)) < 0.3
    ensemble = _core.Ensemble(arrays.as_dict())
    whole = explain(arrays, X, B)
    for dtype in DTYPES:
        out = np.zeros(whole.shape)
        for part in (chosen, ~chosen):
            plan = _core.PairwisePlan(ensemble, dtype, B, None, leaves=part)
            plan.shap_values(X, out, 2, add=True)
        assert_close(out, whole, dtype)


def test_fewer_trees() -> None:
    arrays = random_ensemble(Recipe(n_trees=6, n_outputs=2))
    arrays.averaged = True
    X, B = random_rows(arrays, 4, 1), random_rows(arrays, 9, 2)
    for n_trees in (0, 1, 4):
        phi = explain(arrays, X, B, n_trees=n_trees)
        raw = oracle.predict(arrays, X, n_trees)
        mean = oracle.predict(arrays, B, n_trees).mean(axis=0)
        np.testing.assert_allclose(phi.sum(axis=1), raw - mean, atol=1e-12)


def test_expected_values() -> None:
    for seed in range(20):
        arrays, _, B, _ = random_case(seed)
        weights = random_weights(len(B), seed)
        plan = _core.PairwisePlan(_core.Ensemble(arrays.as_dict()), "float32", B, weights)
        expected = np.average(oracle.predict(arrays, B), axis=0, weights=weights)
        np.testing.assert_allclose(plan.expected_values, expected, rtol=1e-12, atol=1e-13)


@cache
def chain_case(depth: int) -> Case:
    """A chain's leaf needs all features above it: by Owen's integral over t."""
    arrays = long_chain(depth, 0.5)
    X = long_chain_rows(depth)
    often_below = np.random.default_rng(3).random((9, depth)) < 0.9
    B = np.concatenate([-X, X, np.where(often_below, -1.0, 1.0)])
    # leaf k: features before k are below 0, feature k is not; the last one: all below 0
    values = [*arrays.leaf_value[arrays.right[:depth]], arrays.leaf_value[arrays.left[depth - 1]]]
    t, w = np.polynomial.legendre.leggauss(depth // 2 + 2)
    t, w = (t + 1) / 2, w / 2
    pairs = np.zeros((len(X), len(B), depth, 1))
    for x, b in np.ndindex(len(X), len(B)):
        phi, x_in, b_in = pairs[x, b, :, 0], (X[x] < 0) * 1.0, (B[b] < 0) * 1.0
        product = w  # of the factors t o_x + (1 - t) o_b before k
        slopes = np.zeros((depth, len(t)))  # (o_x - o_b) over the factor
        for k in range(depth + 1):
            if k == depth:
                phi += slopes @ (product * values[k])
                break
            out_x, out_b = 1 - x_in[k], 1 - b_in[k]
            if out_x or out_b:
                phi[:k] += slopes[:k] @ (product * (t * out_x + (1 - t) * out_b) * values[k])
                phi[k] += (out_x - out_b) * (product * values[k]).sum()
            if not x_in[k] and not b_in[k]:
                break
            inside = t * x_in[k] + (1 - t) * b_in[k]
            product = product * inside
            slopes[k] = (x_in[k] - b_in[k]) / inside
    return arrays, X, B, pairs


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("depth", [12, 15, 16, 17, 40, 400])
def test_chains(isa: str, depth: int, dtype: Dtype) -> None:
    arrays, X, B, pairs = chain_case(depth)
    expected = scaled_mean(arrays, X, B, pairs)
    assert_close(explain(arrays, X, B, dtype), expected, dtype, f"depth {depth}:")


@cache
def longest_chain() -> EnsembleArrays:
    return long_chain(10_000, 0.5)


def test_a_chain_of_ten_thousand_levels(isa: str) -> None:
    arrays = longest_chain()
    X = long_chain_rows(10_000)
    B = np.ascontiguousarray(-X)
    phi = explain(arrays, X, B, n_threads=2)
    raw = oracle.predict(arrays, X) - oracle.predict(arrays, B).mean(axis=0)
    np.testing.assert_allclose(phi.sum(axis=1), raw, atol=1e-11)


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_degenerate_backgrounds(value: float) -> None:
    arrays = random_ensemble(Recipe(n_trees=4, n_features=5))
    X = random_rows(arrays, 6)
    B = np.full((20, 5), value)
    one = explain(arrays, X, B[:1])
    np.testing.assert_allclose(explain(arrays, X, B), one, atol=1e-13)
    assert explain(arrays, X[:0], B).shape == (0, 5, 1)
    assert not explain(arrays, B, B).any()


def test_bad_input_is_refused() -> None:
    arrays = random_ensemble(Recipe(n_features=3))
    ensemble = _core.Ensemble(arrays.as_dict())
    B = random_rows(arrays, 5)

    def plan(background: Any = B, weights: Any = None, **more: Any) -> Any:
        return _core.PairwisePlan(ensemble, "float64", background, weights, **more)

    with pytest.raises(InvalidInputError, match="no rows"):
        plan(B[:0])
    with pytest.raises(InvalidInputError, match="2 columns"):
        plan(np.ascontiguousarray(B[:, :2]))
    with pytest.raises(InvalidInputError, match="contiguous"):
        plan(np.asfortranarray(B))
    with pytest.raises(InvalidInputError, match="background must be float32"):
        plan(np.zeros((5, 3), np.int64))
    with pytest.raises(InvalidInputError, match="dtype"):
        _core.PairwisePlan(ensemble, "float16", B, None)
    wrong: list[tuple[Any, str]] = [
        (np.ones(4), "4 entries"),
        (np.ones((5, 1)), "1-D"),
        (np.ones(5, np.float32), "float64"),
        (np.array([1, 1, 1, 1, np.nan]), "finite"),
        (np.array([1, 1, 1, 1, np.inf]), "finite"),
        (np.array([1, 1, 1, 1, -1.0]), "negative"),
        (np.zeros(5), "all 0"),
    ]
    for weights, message in wrong:
        with pytest.raises(InvalidInputError, match=message):
            plan(weights=weights)
        with pytest.raises(InvalidInputError, match=message):
            ensemble.recount_cover(B, weights, 1)
    for leaves in (np.ones(3, np.bool_), np.ones(len(arrays.left))):
        with pytest.raises(InvalidInputError, match="leaves"):
            plan(leaves=leaves)
    good, out = plan(), np.empty((5, 3, 1))
    for y, output, message in (
        (None, "logistic_loss", "needs y"),
        (np.ones(5), "logistic", "no meaning"),
        (np.ones(4), "squared_loss", "y has 4"),
        (np.full(5, np.nan), "squared_loss", "finite"),
        (None, "softmax", "expected one of"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            good.shap_values(B, out, 1, output, y)
    with pytest.raises(InvalidInputError, match="out must be"):
        good.shap_values(B, np.empty((5, 3, 1), np.float32), 1)
    with pytest.raises(InvalidInputError, match="n_threads"):
        good.shap_values(B, out, 0)
    with pytest.raises(InvalidInputError, match="no rows"):
        ensemble.recount_cover(B[:0], None, 1)


def counted(arrays: EnsembleArrays, X: npt.NDArray[Any], weights: Floats) -> Floats:
    cover = np.zeros(len(arrays.left))
    x = oracle.rounded(arrays, X)
    for tree in oracle.trees_of(arrays):
        rows_at = {0: np.arange(len(x))}
        for node in tree.order:
            rows = rows_at.pop(node)
            cover[tree.first + node] = weights[rows].sum()
            if not tree.is_leaf(node):
                left = oracle.goes_left(arrays, tree.first + node, x[rows, tree.feature[node]])
                rows_at[int(tree.left[node])] = rows[left]
                rows_at[int(tree.right[node])] = rows[~left]
    return cover


def test_recount_cover() -> None:
    for seed in range(60):
        arrays = random_ensemble(random_recipe(seed))
        X = random_rows(arrays, 1 + 40 * seed, seed, dtype=(np.float64, np.float32)[seed % 2])
        if seed % 4 == 0:
            arrays.cover = None
        ensemble = _core.Ensemble(arrays.as_dict())
        plain = ensemble.recount_cover(X, None, 1).to_arrays()
        np.testing.assert_array_equal(plain["cover"], counted(arrays, X, np.ones(len(X))))
        weights = np.random.default_rng(seed).uniform(size=len(X))
        one = ensemble.recount_cover(X, weights, 1).to_arrays()
        np.testing.assert_allclose(one["cover"], counted(arrays, X, weights), rtol=1e-12)
        for n_threads in (2, 5):
            more = ensemble.recount_cover(X, weights, n_threads).to_arrays()
            np.testing.assert_array_equal(more["cover"], one["cover"])
        for name, value in ensemble.to_arrays().items():
            if name != "cover":
                np.testing.assert_array_equal(one[name], value)


def test_shap_agrees() -> None:
    shap = pytest.importorskip("shap")
    xgboost = pytest.importorskip("xgboost")
    from leafshap.converters import xgboost as converter

    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 6)).astype(np.float32)
    label = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(float)
    model = xgboost.XGBClassifier(n_estimators=12, max_depth=4, base_score=0.5).fit(X, label)
    arrays = converter.convert(model)
    B, rows, y = X[:50].astype(float), X[50:70].astype(float), label[50:70]
    for output, name in (
        ("raw", "raw"),
        ("logistic", "probability"),
        ("logistic_loss", "log_loss"),
    ):
        explainer = shap.TreeExplainer(
            model, B, feature_perturbation="interventional", model_output=name
        )
        loss: dict[str, Any] = {"y": y} if output in LOSSES else {}
        expected = explainer.shap_values(rows, check_additivity=False, **loss)
        actual = explain(arrays, rows, B, output=output, **loss)
        # shap works on float32 thresholds and leaves, and adds up in float32 in places
        np.testing.assert_allclose(actual[:, :, 0], expected, atol=2e-5)
