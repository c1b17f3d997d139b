"""The oracle for background data, interactions and other outputs, in plain numpy.

As in oracle.py each number comes in two ways that share next to nothing:

* ``*_brute_force``: all coalitions of the features that the model uses; the interventional game
  ``v(S) = sum_b w_b f(x_S, b_{not S})`` by predicting the hybrid rows themselves;
* ``*_by_leaves``: for one leaf, row and background row only two sets matter: A, the features
  whose conditions the row satisfies and the background row fails, and B, the reverse (a leaf with a
  feature that both fail is out of reach). The leaf's game is then 1 if the coalition
  contains A and nothing of B, else 0, whose Shapley values are ratios of factorials.

The interaction values are the Shapley interaction index (Grabisch and Roubens 1999) in shap's
convention: half of a pair's index to each of phi_ij and phi_ji, phi_ii is what is left of phi_i.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import oracle
from oracle import Bools, Floats

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leafshap.converters.arrays import EnsembleArrays
    from oracle import OracleTree

Rows = npt.NDArray[Any]


def normalised(weights: Floats | None, m: int) -> Floats:
    """Weights of the background rows that sum to 1."""
    w = np.ones(m) if weights is None else np.asarray(weights, dtype=np.float64)
    return np.asarray(w / w.sum(), dtype=np.float64)


def expected_values(
    arrays: EnsembleArrays, background: Rows, weights: Floats | None = None, n_trees: int = -1
) -> Floats:
    """Weighted mean prediction of the background: (K,)."""
    return normalised(weights, len(background)) @ oracle.predict(arrays, background, n_trees)


# ---------------------------------------------------------------- brute force


def coalitions_of(arrays: EnsembleArrays) -> tuple[npt.NDArray[np.int64], Bools]:
    """Used features (M,), and every coalition of them: bool (2^M, F), feature k by bit k."""
    used = oracle.used_features(arrays)
    masks = np.arange(2 ** len(used))
    coalitions = np.zeros((len(masks), arrays.n_features), dtype=bool)
    for bit, f in enumerate(used):
        coalitions[:, f] = (masks >> bit) & 1 == 1
    return used, coalitions


def interventional_game(
    arrays: EnsembleArrays,
    X: Rows,
    background: Rows,
    coalitions: Bools,
    weights: Floats | None = None,
    n_trees: int = -1,
) -> Floats:
    """Mean prediction over the background with the coalition's features taken from x: (n, C, K)."""
    n, m, k = len(X), len(background), arrays.n_outputs
    w = normalised(weights, m)
    x, b = oracle.rounded(arrays, X), oracle.rounded(arrays, background)
    v = np.empty((n, len(coalitions), k))
    at_once = max(1, 4_000_000 // max(1, x.size * m))
    for start in range(0, len(coalitions), at_once):
        known = coalitions[start : start + at_once, None, None]
        hybrid = np.where(known, x[:, None], b).reshape(-1, arrays.n_features)
        raw = oracle.predict(arrays, hybrid, n_trees).reshape(-1, n, m, k)
        v[:, start : start + at_once] = np.einsum("m,cnmk->nck", w, raw)
    return v


def shapley_values(v: Floats) -> Floats:
    """Shapley values (n, M, K) of games (n, 2^M, K)."""
    n_players = v.shape[1].bit_length() - 1
    masks, size = _masks(n_players)
    phi = np.zeros((v.shape[0], n_players, v.shape[2]))
    for i in range(n_players):
        rest = masks[(masks >> i) & 1 == 0]
        weight = np.array([_share(int(s), n_players) for s in size[rest]])
        phi[:, i] = np.einsum("c,nck->nk", weight, v[:, rest | (1 << i)] - v[:, rest])
    return phi


def interaction_index(v: Floats) -> Floats:
    """Interaction values (n, M, M, K) of games (n, 2^M, K), in shap's convention."""
    n_players = v.shape[1].bit_length() - 1
    masks, size = _masks(n_players)
    index = np.zeros((v.shape[0], n_players, n_players, v.shape[2]))
    for i in range(n_players):
        for j in range(i):
            rest = masks[((masks >> i) | (masks >> j)) & 1 == 0]
            weight = np.array([_share(int(s), n_players - 1) for s in size[rest]])
            both, one, other = rest | (1 << i) | (1 << j), rest | (1 << i), rest | (1 << j)
            change = v[:, both] - v[:, one] - v[:, other] + v[:, rest]
            index[:, i, j] = index[:, j, i] = np.einsum("c,nck->nk", weight, change)
    return _in_shap_convention(index, shapley_values(v))


def _masks(n_players: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    masks = np.arange(2**n_players)
    return masks, sum(((masks >> i) & 1 for i in range(n_players)), np.zeros_like(masks))


def _share(size: int, n_players: int) -> float:
    """Share of the orders in which exactly `size` players come before a given one."""
    return 1.0 / (n_players * math.comb(n_players - 1, size))


def _in_shap_convention(index: Floats, phi: Floats) -> Floats:
    """Index of the pairs (n, F, F, K), 0 on the diagonal, and SHAP values -> interaction values."""
    values = index / 2.0
    diagonal = np.arange(phi.shape[1])
    values[:, diagonal, diagonal] = phi - values.sum(axis=2)
    return values


def _spread(values: Floats, used: npt.NDArray[np.int64], n_features: int, axes: int) -> Floats:
    """Values of the used features at their places among all."""
    if axes == 1:
        phi = np.zeros((values.shape[0], n_features, values.shape[-1]))
        phi[:, used] = values
        return phi
    pairs = np.zeros((values.shape[0], n_features, n_features, values.shape[-1]))
    pairs[:, used[:, None], used] = values
    return pairs


def shap_brute_force(
    arrays: EnsembleArrays,
    X: Rows,
    background: Rows,
    weights: Floats | None = None,
    n_trees: int = -1,
) -> Floats:
    """Interventional SHAP values (n, F, K) over all coalitions of the used features."""
    used, coalitions = coalitions_of(arrays)
    v = interventional_game(arrays, X, background, coalitions, weights, n_trees)
    return _spread(shapley_values(v), used, arrays.n_features, 1)


def interactions_brute_force(
    arrays: EnsembleArrays, X: Rows, background: Rows, weights: Floats | None = None
) -> Floats:
    """Interventional interaction values (n, F, F, K) over all coalitions."""
    used, coalitions = coalitions_of(arrays)
    v = interventional_game(arrays, X, background, coalitions, weights)
    return _spread(interaction_index(v), used, arrays.n_features, 2)


def path_interactions_brute_force(arrays: EnsembleArrays, X: Rows) -> Floats:
    """Path-dependent interaction values (n, F, F, K) over all coalitions."""
    used, coalitions = coalitions_of(arrays)
    v = oracle.conditional_expectation(arrays, X, coalitions)
    return _spread(interaction_index(v), used, arrays.n_features, 2)


# ---------------------------------------------------------------- leaf by leaf


def leaf_patterns(
    arrays: EnsembleArrays, tree: OracleTree, x: Floats
) -> Iterator[tuple[Floats, list[int], Bools]]:
    """Yield each leaf as (values (K,), features, which rows satisfy all conditions of each (n, d)).

    The features come in the order of their first split on the path.
    """
    stack: list[tuple[int, dict[int, Bools]]] = [(0, {})]
    while stack:
        node, path = stack.pop()
        if tree.is_leaf(node):
            satisfied = np.array(list(path.values()), dtype=bool).reshape(len(path), len(x)).T
            yield tree.values[node], list(path), satisfied
            continue
        f = int(tree.feature[node])
        left = oracle.goes_left(arrays, tree.first + node, x[:, f])
        above = path.get(f, np.ones(len(x), dtype=bool))
        stack.append((int(tree.right[node]), {**path, f: above & ~left}))
        stack.append((int(tree.left[node]), {**path, f: above & left}))


@cache
def _ratio_table(d: int, order: int) -> tuple[Floats, ...]:
    """Ratios of factorials by (|A|, |B|), each (d + 1, d + 1).

    Order 1: of a member of A, of B. Order 2: of two of A, of two of B, of one of each.
    """
    n_tables = 2 if order == 1 else 3
    tables = tuple(np.zeros((d + 1, d + 1)) for _ in range(n_tables))
    for a in range(d + 1):
        for b in range(d + 1 - a):
            if order == 1:
                if a >= 1:  # (a-1)! b! / (a+b)!
                    tables[0][a, b] = 1.0 / (a * math.comb(a + b, a))
                if b >= 1:  # a! (b-1)! / (a+b)!
                    tables[1][a, b] = 1.0 / (b * math.comb(a + b, b))
            else:
                if a >= 2:  # (a-2)! b! / (a+b-1)!
                    tables[0][a, b] = 1.0 / ((a - 1) * math.comb(a + b - 1, b))
                if b >= 2:  # a! (b-2)! / (a+b-1)!
                    tables[1][a, b] = 1.0 / ((b - 1) * math.comb(a + b - 1, a))
                if a >= 1 and b >= 1:  # (a-1)! (b-1)! / (a+b-1)!
                    tables[2][a, b] = 1.0 / (a * math.comb(a + b - 1, a))
    return tables


def _sets(p: Floats, q: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Bools]:
    """|A|, |B| and whether the leaf is in reach, of every row (by p) and background row (by q)."""
    a, b = p @ (1.0 - q).T, (1.0 - p) @ q.T
    return a.astype(int), b.astype(int), (1.0 - p) @ (1.0 - q).T == 0.0


def _grouped(patterns: Bools, weights: Floats) -> tuple[Floats, Floats]:
    """Distinct patterns, and the weight of the rows that have them."""
    keys = np.packbits(patterns, axis=1)
    if keys.shape[1] == 0:
        return patterns[:1].astype(float), np.atleast_1d(weights.sum())
    keys = keys.view(f"V{keys.shape[1]}").ravel() if keys.shape[1] > 1 else keys.ravel()
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    sums = np.asarray(np.bincount(group, weights), dtype=np.float64)
    return patterns[first].astype(np.float64), sums


def shap_by_leaves(
    arrays: EnsembleArrays,
    X: Rows,
    background: Rows,
    weights: Floats | None = None,
    n_trees: int = -1,
) -> Floats:
    """Interventional SHAP values leaf by leaf: (n, F, K)."""
    n, w = len(X), normalised(weights, len(background))
    both = np.concatenate([oracle.rounded(arrays, X), oracle.rounded(arrays, background)])
    phi = np.zeros((n, arrays.n_features, arrays.n_outputs))
    for tree in oracle.trees_of(arrays, n_trees):
        for value, features, satisfied in leaf_patterns(arrays, tree, both):
            p = satisfied[:n].astype(float)
            q, share = _grouped(satisfied[n:], w)
            a, b, reached = _sets(p, q)
            of_a, of_b = (t[a, b] * reached * share for t in _ratio_table(len(features), 1))
            gain = p * (of_a @ (1.0 - q)) - (1.0 - p) * (of_b @ q)
            phi[:, features] += gain[:, :, None] * value
    return phi


def interactions_by_leaves(
    arrays: EnsembleArrays,
    X: Rows,
    background: Rows,
    weights: Floats | None = None,
    n_trees: int = -1,
) -> Floats:
    """Interventional interaction values leaf by leaf: (n, F, F, K)."""
    n, w = len(X), normalised(weights, len(background))
    both = np.concatenate([oracle.rounded(arrays, X), oracle.rounded(arrays, background)])
    index = np.zeros((n, arrays.n_features, arrays.n_features, arrays.n_outputs))
    for tree in oracle.trees_of(arrays, n_trees):
        for value, features, satisfied in leaf_patterns(arrays, tree, both):
            d = len(features)
            p = satisfied[:n].astype(float)
            q, share = _grouped(satisfied[n:], w)
            a, b, reached = _sets(p, q)
            of_aa, of_bb, of_ab = (t[a, b] * reached * share for t in _ratio_table(d, 2))

            def pairs(ratio: Floats, first: Floats, second: Floats) -> Floats:
                products = (first[:, :, None] * second[:, None, :]).reshape(len(first), -1)
                return (ratio @ products).reshape(n, first.shape[1], first.shape[1])

            r = 1.0 - p
            gain = p[:, :, None] * p[:, None] * pairs(of_aa, 1.0 - q, 1.0 - q)
            gain += r[:, :, None] * r[:, None] * pairs(of_bb, q, q)
            gain -= p[:, :, None] * r[:, None] * pairs(of_ab, 1.0 - q, q)
            gain -= r[:, :, None] * p[:, None] * pairs(of_ab, q, 1.0 - q)
            gain[:, np.arange(d), np.arange(d)] = 0.0
            at = np.array(features, dtype=int)
            index[:, at[:, None], at] += gain[..., None] * value
    return _in_shap_convention(index, shap_by_leaves(arrays, X, background, weights, n_trees))


def path_interactions_by_leaves(arrays: EnsembleArrays, X: Rows) -> Floats:
    """Path-dependent interaction values leaf by leaf by polynomial arithmetic: (n, F, F, K)."""
    x = oracle.rounded(arrays, X)
    index = np.zeros((len(x), arrays.n_features, arrays.n_features, arrays.n_outputs))
    for tree in oracle.trees_of(arrays):
        for value, features, z, o in oracle.leaf_games(arrays, tree, x):
            for i, f in enumerate(features):
                if len(features) < 2 or not value.any():
                    continue
                rest = [j for j in range(len(features)) if j != i]
                others = oracle.all_but_one(z[rest], o[:, rest])
                gain = (o[:, [i]] - z[i]) * (o[:, rest] - z[rest]) * others
                index[:, f, [features[j] for j in rest]] += gain[:, :, None] * value
    return _in_shap_convention(index, oracle.shap_by_leaves(arrays, X)[0])


def pairs_of(arrays: EnsembleArrays, n_trees: int = -1) -> npt.NDArray[np.int32]:
    """Pairs i < j that are tested on a common path of some tree, sorted: (P, 2)."""
    found = set()
    for tree in oracle.trees_of(arrays, n_trees):
        for _, features, _ in leaf_patterns(arrays, tree, np.zeros((0, arrays.n_features))):
            found |= {(i, j) for i in features for j in features if i < j}
    return np.array(sorted(found), dtype=np.int32).reshape(-1, 2)


# ---------------------------------------------------------------- outputs other than the margin


def pairwise_values(arrays: EnsembleArrays, X: Rows, background: Rows, n_trees: int = -1) -> Floats:
    """Raw SHAP values of each row against each background row alone: (n, m, F, K)."""
    n, m = len(X), len(background)
    both = np.concatenate([oracle.rounded(arrays, X), oracle.rounded(arrays, background)])
    phi = np.zeros((n, m, arrays.n_features, arrays.n_outputs))
    for tree in oracle.trees_of(arrays, n_trees):
        for value, features, satisfied in leaf_patterns(arrays, tree, both):
            p, q = satisfied[:n].astype(float), satisfied[n:].astype(float)
            a, b, reached = _sets(p, q)
            of_a, of_b = (t[a, b] * reached for t in _ratio_table(len(features), 1))
            gain = of_a[:, :, None] * (p[:, None] * (1.0 - q))
            gain -= of_b[:, :, None] * ((1.0 - p)[:, None] * q)
            phi[:, :, features] += gain[..., None] * value
    return phi


def _logistic(margin: Floats) -> Floats:
    return 0.5 * (1.0 + np.tanh(0.5 * margin))


Output = Callable[[Floats, Floats], Floats]

# name -> T(margin, y) and its derivative by the margin
OUTPUTS: dict[str, tuple[Output, Output]] = {
    "raw": (lambda m, y: m, lambda m, y: np.ones_like(m)),
    "logistic": (lambda m, y: _logistic(m), lambda m, y: _logistic(m) * _logistic(-m)),
    "exp": (lambda m, y: np.exp(m), lambda m, y: np.exp(m)),
    "logistic_loss": (lambda m, y: np.logaddexp(0.0, m) - y * m, lambda m, y: _logistic(m) - y),
    "squared_loss": (lambda m, y: (y - m) ** 2, lambda m, y: 2.0 * (m - y)),
}


def transformed(
    arrays: EnsembleArrays,
    X: Rows,
    background: Rows,
    output: str,
    y: Floats | None = None,
    weights: Floats | None = None,
    n_trees: int = -1,
) -> tuple[Floats, Floats]:
    """SHAP values (n, F, K) of T(margin) by Lundberg's rescaling, and what they add up from (n, K).

    Each background row's raw values are scaled by ``(T(m_x) - T(m_b)) / (m_x - m_b)``, and
    averaged. A slope between margins closer than 1e-2 is the mean of T' between them, which 8
    Gauss-Legendre points give without the cancellation.
    """
    w = normalised(weights, len(background))
    t, derivative = OUTPUTS[output]
    labels = np.zeros((len(X), 1, 1)) if y is None else np.asarray(y, float)[:, None, None]
    m_x = oracle.predict(arrays, X, n_trees)[:, None]
    m_b = oracle.predict(arrays, background, n_trees)[None]
    gap = m_x - m_b
    near = np.abs(gap) < 1e-2
    far_slope = (t(m_x, labels) - t(m_b, labels)) / np.where(near, 1.0, gap)
    points, point_weights = np.polynomial.legendre.leggauss(8)
    near_slope = sum(
        0.5 * weight * derivative(m_b + 0.5 * (point + 1.0) * gap, labels)
        for point, weight in zip(points, point_weights, strict=True)
    )
    slope = np.where(near, near_slope, far_slope)
    raw = pairwise_values(arrays, X, background, n_trees)
    phi = np.einsum("m,nmk,nmfk->nfk", w, slope, raw)
    return phi, np.einsum("m,nmk->nk", w, t(m_b, labels) + np.zeros_like(gap))
