"""Coalitions of tree ensembles in the core, against rows built and predicted one by one."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest

import oracle
from leafshap import _core
from leafshap.background import read_background
from leafshap.coalitions.ensemble_game import EnsembleBackground
from leafshap.ensemble import TreeEnsemble
from leafshap.errors import InvalidInputError
from leafshap.explainers.outputs import Output
from leafshap.inputs import InputRows
from small_ensembles import no_trees, stump
from strategies import Recipe, random_ensemble, random_recipe, random_rows
from trees import long_chain, long_chain_rows

if TYPE_CHECKING:
    from leafshap.converters.arrays import EnsembleArrays

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Players = npt.NDArray[np.int32]
OUTPUTS = ("raw", "logistic", "exp", "softmax")


def transformed(margins: Floats, output: str) -> Floats:
    """T of margins (..., K)."""
    if output == "logistic":
        return 1 / (1 + np.exp(-margins))
    if output == "exp":
        return np.exp(margins)
    if output == "softmax":
        e = np.exp(margins - margins.max(axis=-1, keepdims=True))
        result: Floats = e / e.sum(axis=-1, keepdims=True)
        return result
    return margins


def brute_force(
    arrays: EnsembleArrays,
    X: npt.NDArray[Any],
    B: npt.NDArray[Any],
    weights: Floats | None,
    players: Players,
    coalitions: Bools,
    output: str,
    n_trees: int = -1,
) -> Floats:
    """Build every mixed row and predict it with the scalar predictor: (N, r, K)."""
    w = np.ones(len(B)) if weights is None else weights
    w = w / w.sum()
    core = _core.Ensemble(arrays.as_dict())
    out = np.empty((len(coalitions), len(X), arrays.n_outputs))
    for c, coalition in enumerate(coalitions):
        known = np.array([p >= 0 and coalition[p] for p in players], dtype=bool)
        mixed = np.where(known, X[:, None, :], B[None, :, :]).astype(X.dtype)
        margins = core.predict(
            np.ascontiguousarray(mixed.reshape(-1, arrays.n_features)), n_trees
        ).reshape(len(X), len(B), -1)
        values = transformed(margins, output)
        out[c] = np.einsum("b,xbk->xk", w[w > 0], values[:, w > 0])
    return out


def evaluate(
    arrays: EnsembleArrays,
    X: npt.NDArray[Any],
    B: npt.NDArray[Any],
    weights: Floats | None,
    players: Players,
    coalitions: npt.NDArray[Any],
    output: str = "raw",
    n_trees: int = -1,
    n_threads: int = 1,
) -> Floats:
    game = _core.CoalitionGame(
        _core.Ensemble(arrays.as_dict()), B, weights, n_trees, output, n_threads
    )
    out = np.full((len(coalitions), len(X), arrays.n_outputs), np.nan)
    game.values(X, players, coalitions, out, n_threads)
    return out


def random_game(seed: int, n_features: int) -> tuple[Players, Bools]:
    """Groups, features in no coalition, players without features; few or many coalitions."""
    rng = np.random.default_rng(seed)
    kind = seed % 3
    if kind == 0:
        players, n_players = np.arange(n_features), n_features
    else:
        n_players = int(rng.integers(1, n_features + 2))
        players = rng.integers(-1 if kind == 2 else 0, n_players, size=n_features)
    n = int(rng.choice([1, 2, 7, 8, 63, 64, 65, 255, 256, 257, 300]))
    return players.astype(np.int32), rng.random((n, n_players)) < rng.random((n, 1))


def random_weights(n: int, seed: int) -> Floats | None:
    rng = np.random.default_rng(seed)
    if seed % 3 == 0:
        return None
    weights = rng.uniform(size=n) * 10.0 ** rng.integers(-3, 4)
    if n > 1 and seed % 3 == 1:
        weights[rng.random(n) < 0.3] = 0.0
        weights[-1] = 1.0
    return weights


def assert_close(actual: Floats, expected: Floats, what: str = "") -> None:
    assert actual.shape == expected.shape
    scale = np.abs(expected).max(initial=1e-3)
    error = np.abs(actual - expected).max(initial=0.0)
    assert np.isfinite(actual).all(), what
    assert error <= 1e-12 * scale, f"{what} off by {error:.3g} of {scale:.3g}"


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("chunk", range(4))
def test_random_ensembles_by_brute_force(isa: str, chunk: int, output: str) -> None:
    for seed in range(chunk, 100, 4):
        rng = np.random.default_rng(seed)
        arrays = random_ensemble(random_recipe(seed))
        if output == "softmax" and arrays.n_outputs == 1:
            continue
        dtype = (np.float64, np.float32)[seed % 2]
        X = random_rows(arrays, int(rng.choice([1, 3, 7, 8, 9, 17])), seed, dtype=dtype)
        B = random_rows(arrays, int(rng.choice([1, 2, 7, 8, 9, 40])), seed + 7, dtype=dtype)
        weights = random_weights(len(B), seed)
        players, coalitions = random_game(seed, arrays.n_features)
        expected = brute_force(arrays, X, B, weights, players, coalitions, output)
        actual = evaluate(arrays, X, B, weights, players, coalitions, output)
        assert_close(actual, expected, f"seed {seed}:")


def inputs(arrays: EnsembleArrays, X: npt.NDArray[Any]) -> tuple[TreeEnsemble, InputRows]:
    ensemble = TreeEnsemble(arrays)
    return ensemble, InputRows(X, ensemble.schema)


@pytest.mark.parametrize("output", OUTPUTS)
def test_the_python_game_follows_the_contract(output: str) -> None:
    arrays = random_ensemble(Recipe(n_trees=5, n_features=6, n_outputs=3, seed=1))
    X, B = random_rows(arrays, 9), random_rows(arrays, 12, 1)
    weights = np.random.default_rng(0).uniform(size=12)
    weights[3] = 0
    ensemble, rows = inputs(arrays, X)
    scale = 2.0 if output == "logistic" else 1.0
    columns = [[4], [0, 2], [1], [5], [3]]
    background = EnsembleBackground(
        ensemble,
        read_background(B, weights, ensemble.schema),
        Output(output, scale),
        columns,
        list("abcde"),
        n_jobs=2,
    )
    game = background.game(rows)
    assert (game.n_rows, game.n_players, game.n_outputs) == (9, 5, 3)
    assert len(background) == 11
    raw = ensemble.predict(X) * scale
    np.testing.assert_allclose(game.full_values(), transformed(raw, output), rtol=1e-14)
    of_background = transformed(ensemble.predict(B) * scale, output)
    null = (weights / weights.sum()) @ of_background
    np.testing.assert_allclose(game.null_values(), null, rtol=1e-13)

    everyone = np.arange(5)
    both = np.array([[False] * 5, [True] * 5])
    empty, full = game.values(np.arange(9), everyone, both)
    np.testing.assert_allclose(empty, np.broadcast_to(null, (9, 3)), rtol=1e-13)
    np.testing.assert_allclose(full, game.full_values(), rtol=1e-13)

    at, listed = np.array([7, 2]), np.array([3, 1])
    coalitions = np.array([[True, False], [False, True], [True, True]])
    values = game.values(at, listed, coalitions)
    scaled = replace(
        arrays, tree_weight=arrays.tree_weight * scale, base_values=arrays.base_values * scale
    )
    player_of = np.array([1, -1, 1, -1, -1, 0], np.int32)
    expected = brute_force(scaled, X[at], B, weights, player_of, coalitions, output)
    assert_close(values, expected)


def test_players_that_no_split_can_tell_do_not_vary() -> None:
    for seed in range(60):
        arrays = random_ensemble(random_recipe(seed))
        X, B = random_rows(arrays, 5, seed), random_rows(arrays, 1 + seed % 3, seed + 1)
        game = _core.CoalitionGame(_core.Ensemble(arrays.as_dict()), B, None)
        varying = game.varying(X, 2)
        assert varying.shape == X.shape
        # the row with the background's values of one column reaches the same leaves if it cannot
        x, b = oracle.rounded(arrays, X), oracle.rounded(arrays, B)
        for f in range(arrays.n_features):
            tested = [
                tree.first + node
                for tree in oracle.trees_of(arrays)
                for node in tree.order
                if not tree.is_leaf(node) and tree.feature[node] == f
            ]
            told = [
                oracle.goes_left(arrays, node, x[:, f])[:, None]
                != oracle.goes_left(arrays, node, b[:, f])[None]
                for node in tested
            ]
            some = np.any(told, axis=(0, 2)) if told else np.zeros(len(X), bool)
            # ranks of other nodes' missing rules may differ where no answer does
            assert (varying[:, f] >= some).all()
            if not tested:
                assert not varying[:, f].any()
        assert not game.varying(B[:1], 1).any() or len(B) > 1


def big_game(n: int, m: int, output: str = "raw") -> tuple[Any, npt.NDArray[Any], Bools, int]:
    arrays = random_ensemble(
        Recipe(n_trees=12, n_features=7, n_outputs=3, n_leaves=20, depth=7, seed=3)
    )
    game = _core.CoalitionGame(
        _core.Ensemble(arrays.as_dict()), random_rows(arrays, m, 1), None, -1, output, 2
    )
    rng = np.random.default_rng(0)
    return game, random_rows(arrays, n), rng.random((2100, 7)) < 0.5, arrays.n_outputs


def call(game: Any, X: npt.NDArray[Any], C: Bools, K: int, n_threads: int = 1) -> Floats:
    out = np.full((len(C), len(X), K), np.nan)
    game.values(X, np.arange(X.shape[1], dtype=np.int32), C, out, n_threads)
    return out


@pytest.mark.parametrize("output", OUTPUTS)
def test_same_bits_for_any_threads_and_any_parts(isa: str, output: str) -> None:
    game, X, C, K = big_game(21, 70, output)
    whole = call(game, X, C, K)
    for n_threads in (2, 3, 7):
        np.testing.assert_array_equal(call(game, X, C, K, n_threads), whole)
    for rows in (1, 5, 8):
        part = call(game, np.ascontiguousarray(X[3 : 3 + rows]), C, K, 2)
        np.testing.assert_array_equal(part, whole[:, 3 : 3 + rows])
    for start, stop in ((0, 1), (5, 69), (100, 357), (2000, 2100)):
        part = call(game, X, np.ascontiguousarray(C[start:stop]), K, 2)
        np.testing.assert_array_equal(part, whole[start:stop])
    order = np.random.default_rng(1).permutation(len(C))
    np.testing.assert_array_equal(call(game, X, C[order], K), whole[order])


@pytest.mark.parametrize("output", ["raw", "softmax"])
@pytest.mark.parametrize("m", [63, 64, 65, 130])
def test_tiles(isa: str, m: int, output: str) -> None:
    for n in (63, 64, 65):
        arrays = random_ensemble(Recipe(n_trees=4, n_features=5, n_outputs=2, seed=n))
        X, B = random_rows(arrays, n), random_rows(arrays, m, 1)
        weights = random_weights(m, n)
        C = np.random.default_rng(m).random((9, 5)) < 0.5
        players = np.arange(5, dtype=np.int32)
        expected = brute_force(arrays, X, B, weights, players, C, output)
        assert_close(evaluate(arrays, X, B, weights, players, C, output), expected)


@pytest.mark.parametrize("output", ["raw", "logistic"])
@pytest.mark.parametrize("depth", [11, 12, 13, 70, 300])
def test_chains(isa: str, depth: int, output: str) -> None:
    """More features on a path than tables of shares have bits, or words have."""
    arrays = long_chain(depth, 0.5)
    X, B = long_chain_rows(depth), -long_chain_rows(depth)[:3]
    rng = np.random.default_rng(0)
    C = rng.random((70, depth)) < rng.choice([0.02, 0.5, 0.98], size=(70, 1))
    players = rng.permutation(depth).astype(np.int32)
    expected = brute_force(arrays, X, B, None, players, C, output)
    assert_close(evaluate(arrays, X, B, None, players, C, output), expected)


@cache
def longest_chain() -> EnsembleArrays:
    return long_chain(2000, 0.5)


def test_a_chain_of_two_thousand_levels(isa: str) -> None:
    arrays, X = longest_chain(), long_chain_rows(2000)
    C = np.array([[False] * 2, [True, False], [True] * 2])
    players = (np.arange(2000) % 2).astype(np.int32)
    expected = brute_force(arrays, X, -X, None, players, C, "raw")
    assert_close(evaluate(arrays, X, -X, None, players, C), expected)


def test_bushy_trees_beyond_the_memory_of_tables(isa: str) -> None:
    """Full trees, some of whose leaves have more distinct features than tables have bits."""
    recipe = Recipe(n_trees=2, n_features=40, shape="random", depth=30, n_leaves=400, seed=2)
    arrays = random_ensemble(recipe)
    X, B = random_rows(arrays, 5), random_rows(arrays, 20, 1)
    C = np.random.default_rng(0).random((100, 40)) < 0.5
    players = np.arange(40, dtype=np.int32)
    for output in ("raw", "exp"):
        expected = brute_force(arrays, X, B, None, players, C, output)
        assert_close(evaluate(arrays, X, B, None, players, C, output), expected)


def test_the_number_of_trees_and_averaged_forests() -> None:
    for averaged in (False, True):
        arrays = replace(random_ensemble(Recipe(n_trees=6, n_features=4)), averaged=averaged)
        X, B = random_rows(arrays, 4), random_rows(arrays, 6, 1)
        C = np.random.default_rng(0).random((16, 4)) < 0.5
        players = np.arange(4, dtype=np.int32)
        for n_trees in (0, 1, 5, 6, -1):
            for output in ("raw", "logistic"):
                expected = brute_force(arrays, X, B, None, players, C, output, n_trees)
                actual = evaluate(arrays, X, B, None, players, C, output, n_trees)
                assert_close(actual, expected)


def test_nothing_to_evaluate() -> None:
    arrays = random_ensemble(Recipe(n_features=3))
    X = random_rows(arrays, 4)
    players = np.full(3, -1, np.int32)
    for output in ("raw", "logistic"):
        none = evaluate(arrays, X, X, None, players, np.empty((0, 2), bool), output)
        assert none.shape == (0, 4, 1)
        assert evaluate(arrays, X[:0], X, None, players, np.ones((5, 2), bool), output).size == 0
        nobody = evaluate(arrays, X, X, None, players, np.empty((2, 0), bool), output)
        expected = brute_force(arrays, X, X, None, players, np.empty((2, 0), bool), output)
        assert_close(nobody, expected)
        empty = no_trees()
        of_base = evaluate(empty, X[:, :2].copy(), X[:, :2].copy(), None, players[:2],
                           np.ones((3, 1), bool), output)  # fmt: skip
        np.testing.assert_allclose(of_base, transformed(np.ones((3, 4, 1)), output), rtol=1e-15)


def test_margins_that_overflow() -> None:
    arrays = stump(leaf_value=np.array([0.0, 2000.0, -2000.0]))
    X = np.array([[0.0, 0.0], [5.0, 0.0]])
    C = np.array([[True, False], [False, False]])
    for output, expected in (("logistic", [1.0, 0.0]), ("exp", [np.inf, 0.0])):
        values = evaluate(arrays, X, X[1:], None, np.array([0, 1], np.int32), C, output)
        np.testing.assert_allclose(values[0, :, 0], expected, atol=1e-300)
        np.testing.assert_allclose(values[1, :, 0], expected[1], atol=1e-300)


def test_bad_input_is_refused() -> None:
    arrays = random_ensemble(Recipe(n_features=3))
    ensemble = _core.Ensemble(arrays.as_dict())
    B = random_rows(arrays, 5)

    def game(background: Any = B, weights: Any = None, *more: Any) -> Any:
        return _core.CoalitionGame(ensemble, background, weights, *more)

    for arguments, message in (
        ((B[:0],), "no rows"),
        ((np.ascontiguousarray(B[:, :2]),), "2 columns"),
        ((np.asfortranarray(B),), "contiguous"),
        ((B, np.ones(4)), "4 entries"),
        ((B, np.zeros(5)), "all 0"),
        ((B, None, 9), "n_trees is 9"),
        ((B, None, -1, "log"), "expected one of"),
        ((B, None, -1, "softmax"), "several outputs"),
        ((B, None, -1, "raw", 0), "n_threads"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            game(*arguments)
    good = game()
    players, C, out = np.arange(3, dtype=np.int32), np.ones((4, 3), bool), np.empty((4, 5, 1))
    good.values(B, players, C, out, 1)
    good.values(B, players, C.astype(np.uint8), out, 1)
    wrong: list[tuple[tuple[Any, ...], str]] = [
        ((B[:, :2].copy(), players, C, out, 1), "2 columns"),
        ((B, players.astype(np.int64), C, out, 1), "players must be"),
        ((B, players[:2], C, out, 1), "each of the 3"),
        ((B, players + 1, C, out, 1), "feature 2 has the player 3"),
        ((B, players - 2, C, out, 1), "feature 0 has the player -2"),
        ((B, players, C.astype(float), out, 1), "coalitions must be"),
        ((B, players, np.asfortranarray(C), out, 1), "coalitions must be"),
        ((B, players, C[0], out, 1), "coalitions must be"),
        ((B, players, C, out[:3], 1), "out must be"),
        ((B, players, C, out.astype(np.float32), 1), "out must be"),
        ((B, players, C, out, 0), "n_threads"),
    ]
    for arguments, message in wrong:
        with pytest.raises(InvalidInputError, match=message):
            good.values(*arguments)
    with pytest.raises(InvalidInputError, match="2-D"):
        good.varying(B[0], 1)
