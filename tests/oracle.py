"""The oracle: SHAP values by their definition, in plain numpy, sharing nothing with the core.

Three ways to the same number, from slow and obvious to quick enough for deep trees:

* ``shap_brute_force``: all 2^M coalitions of the M features that the model uses, Shapley (1953);
* ``shap_by_leaves``: one leaf's game is ``v * prod_j (o_j if j in S else z_j)``, whose Shapley
  value needs only the coefficients of ``prod_{j != i} (o_j x + z_j)``; they are non-negative, so
  multiplying them out loses nothing, whatever the depth (no quadrature, no division);
* ``shap_by_quadrature``: the same game by Owen's (1972) integral with as many Gauss-Legendre
  points as make it exact.

The game is the path-dependent one of Lundberg et al. (2018): at a split on a feature outside the
coalition both children count, weighted by cover; two children without any cover count one half.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leafshap.converters.arrays import EnsembleArrays

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# LightGBM's kZeroThreshold is a float constant that is compared in double
_ZERO = float(np.float32(1e-35))
_CODE_LIMIT = 2.0**31


@dataclass
class OracleTree:
    """One tree cut out of the ensemble: node arrays, children first when walked by `order`."""

    first: int  # of the tree's nodes in the ensemble's arrays
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    feature: npt.NDArray[np.int32]
    values: Floats  # (nodes, K), weighted, spread over all outputs
    order: list[int]  # parents before children

    def is_leaf(self, node: int) -> bool:
        return bool(self.left[node] < 0)


def trees_of(arrays: EnsembleArrays, n_trees: int = -1) -> Iterator[OracleTree]:
    """Yield the first `n_trees` trees (-1: all)."""
    total = len(arrays.tree_offsets) - 1
    used = total if n_trees < 0 else n_trees
    # a mean over fewer trees divides by fewer
    scale = total / used if arrays.averaged and used else 1.0
    for t in range(used):
        a, b = int(arrays.tree_offsets[t]), int(arrays.tree_offsets[t + 1])
        leaf = np.asarray(arrays.leaf_value[a:b], dtype=np.float64)
        values = np.zeros((b - a, arrays.n_outputs))
        if leaf.ndim == 2:
            values[:] = leaf
        else:
            values[:, arrays.tree_output[t]] = leaf
        left, right = arrays.left[a:b], arrays.right[a:b]
        order = [0]
        for node in order:
            if left[node] >= 0:
                order += [int(left[node]), int(right[node])]
        yield OracleTree(
            first=a,
            left=left,
            right=right,
            feature=arrays.split_feature[a:b],
            values=values * (float(arrays.tree_weight[t]) * scale),
            order=order,
        )


def rounded(arrays: EnsembleArrays, X: npt.NDArray[Any]) -> Floats:
    """Rows as the model's library sees them, in double."""
    with np.errstate(over="ignore"):
        return X.astype(arrays.input_precision).astype(np.float64)


def goes_left(arrays: EnsembleArrays, node: int, x: Floats) -> Bools:
    """Which of the values `x` (already `rounded`) go left at `node` of the whole ensemble."""
    policy = int(arrays.missing[node])
    kind = int(arrays.categorical[node])
    missing = np.isnan(x) | (x == float(arrays.missing_value))
    if policy == 2:
        x, missing = np.where(missing, 0.0, x), np.zeros(len(x), dtype=bool)
    elif policy == 1:
        missing = missing | (np.abs(x) <= _ZERO)
    if kind == 0:
        threshold = float(arrays.threshold[node])
        left = x < threshold if arrays.comparison == "<" else x <= threshold
    else:
        a, b = int(arrays.category_offsets[node]), int(arrays.category_offsets[node + 1])
        is_category = (x > -1.0) if arrays.category_rule == "truncate" else (x >= 0.0)
        is_category &= x < _CODE_LIMIT
        codes = np.where(is_category, x, 0.0).astype(np.int64)
        member = is_category & np.isin(codes, arrays.category_codes[a:b])
        left = member if kind == 1 else ~member
    return np.where(missing, bool(arrays.default_left[node]), left)


def _left_ratio(arrays: EnsembleArrays, tree: OracleTree, node: int) -> float:
    assert arrays.cover is not None
    left = float(arrays.cover[tree.first + tree.left[node]])
    right = float(arrays.cover[tree.first + tree.right[node]])
    return left / (left + right) if left + right > 0 else 0.5


def predict(arrays: EnsembleArrays, X: npt.NDArray[Any], n_trees: int = -1) -> Floats:
    """Raw output, shape (n, K)."""
    x = rounded(arrays, X)
    out = np.tile(np.asarray(arrays.base_values, dtype=np.float64), (len(x), 1))
    for tree in trees_of(arrays, n_trees):
        rows_at = {0: np.arange(len(x))}
        for node in tree.order:
            rows = rows_at.pop(node)
            if tree.is_leaf(node):
                out[rows] += tree.values[node]
                continue
            left = goes_left(arrays, tree.first + node, x[rows, tree.feature[node]])
            rows_at[int(tree.left[node])] = rows[left]
            rows_at[int(tree.right[node])] = rows[~left]
    return out


def conditional_expectation(
    arrays: EnsembleArrays, X: npt.NDArray[Any], coalitions: Bools, n_trees: int = -1
) -> Floats:
    """Path-dependent E[f(x) | x_S] of each row and coalition.

    Parameters
    ----------
    X : (n, F)
    coalitions : bool (C, F)
        True where the feature is known.

    Returns
    -------
    float64 (n, C, K)
    """
    x = rounded(arrays, X)
    out = np.zeros((len(x), len(coalitions), arrays.n_outputs))
    out += np.asarray(arrays.base_values, dtype=np.float64)
    for tree in trees_of(arrays, n_trees):
        value: dict[int, Floats] = {}
        for node in reversed(tree.order):
            if tree.is_leaf(node):
                value[node] = tree.values[node][None, None, :]
                continue
            f = int(tree.feature[node])
            share = goes_left(arrays, tree.first + node, x[:, f]).astype(np.float64)
            r = _left_ratio(arrays, tree, node)
            q = np.where(coalitions[None, :, f], share[:, None], r)[:, :, None]
            left, right = value.pop(int(tree.left[node])), value.pop(int(tree.right[node]))
            value[node] = q * left + (1.0 - q) * right
        out += value[0]
    return out


def used_features(arrays: EnsembleArrays) -> npt.NDArray[np.int64]:
    """Features that some split tests, ascending."""
    return np.unique(arrays.split_feature[arrays.split_feature >= 0]).astype(np.int64)


def shap_brute_force(
    arrays: EnsembleArrays, X: npt.NDArray[Any], n_trees: int = -1
) -> tuple[Floats, Floats]:
    """Shapley values over all coalitions of the used features: values (n, F, K), base (K,)."""
    used = used_features(arrays)
    m = len(used)
    masks = np.arange(2**m)
    coalitions = np.zeros((2**m, arrays.n_features), dtype=bool)
    for bit, f in enumerate(used):
        coalitions[:, f] = (masks >> bit) & 1 == 1
    v = conditional_expectation(arrays, X, coalitions, n_trees)
    phi = np.zeros((len(X), arrays.n_features, arrays.n_outputs))
    size = coalitions.sum(axis=1)
    weight_of_size = [
        math.factorial(s) * math.factorial(m - s - 1) / math.factorial(m) for s in range(m)
    ]
    for bit, f in enumerate(used):
        without = masks[(masks >> bit) & 1 == 0]
        weight = np.array([weight_of_size[s] for s in size[without]])
        phi[:, f] = np.einsum("c,nck->nk", weight, v[:, without | (1 << bit)] - v[:, without])
    return phi, v[0, 0].copy() if len(X) else np.asarray(arrays.base_values)


def leaf_games(
    arrays: EnsembleArrays, tree: OracleTree, x: Floats
) -> Iterator[tuple[Floats, list[int], Floats, Floats]]:
    """Yield each leaf as (values (K,), features, z (d,), o (n, d))."""
    stack: list[tuple[int, dict[int, tuple[float, Floats]]]] = [(0, {})]
    while stack:
        node, path = stack.pop()
        if tree.is_leaf(node):
            d = len(path)
            z = np.array([path[f][0] for f in path])
            o = np.array([path[f][1] for f in path]).reshape(d, len(x)).T
            yield tree.values[node], list(path), z, o
            continue
        f = int(tree.feature[node])
        r = _left_ratio(arrays, tree, node)
        left = goes_left(arrays, tree.first + node, x[:, f]).astype(np.float64)
        z_above, o_above = path.get(f, (1.0, np.ones(len(x))))
        stack.append(
            (int(tree.right[node]), {**path, f: (z_above * (1.0 - r), o_above * (1.0 - left))})
        )
        stack.append((int(tree.left[node]), {**path, f: (z_above * r, o_above * left)}))


def _times(poly: Floats, o: Floats, z: float) -> Floats:
    """Multiply the polynomials (n, deg + 1), lowest power first, by ``o x + z``."""
    product = np.zeros((poly.shape[0], poly.shape[1] + 1))
    product[:, :-1] = poly * z
    product[:, 1:] += poly * o[:, None]
    return product


def all_but_one(z: Floats, o: Floats) -> Floats:
    """``sum_k k! (d-1-k)! / d! [x^k] prod_{j != i} (o_j x + z_j)`` for every i: (n, d)."""
    n, d = o.shape
    weight = np.array([1.0 / (d * math.comb(d - 1, k)) for k in range(d)])
    result = np.zeros((n, d))

    def split(lo: int, hi: int, outside: Floats) -> None:
        # `outside` is the product of all factors outside [lo, hi)
        if hi - lo == 1:
            result[:, lo] = outside @ weight
            return
        mid = (lo + hi) // 2
        for a, b, c, e in ((lo, mid, mid, hi), (mid, hi, lo, mid)):
            product = outside
            for j in range(c, e):
                product = _times(product, o[:, j], z[j])
            split(a, b, product)

    split(0, d, np.ones((n, 1)))
    return result


def shap_by_leaves(
    arrays: EnsembleArrays, X: npt.NDArray[Any], n_trees: int = -1
) -> tuple[Floats, Floats]:
    """Shapley values leaf by leaf by polynomial arithmetic: values (n, F, K), base (K,)."""
    x = rounded(arrays, X)
    phi = np.zeros((len(x), arrays.n_features, arrays.n_outputs))
    for tree in trees_of(arrays, n_trees):
        for value, features, z, o in leaf_games(arrays, tree, x):
            if features and value.any():
                gain = (o - z) * all_but_one(z, o)
                phi[:, features] += gain[:, :, None] * value
    return phi, expected_values(arrays, n_trees)


@cache
def _gauss_legendre(points: int) -> tuple[Floats, Floats]:
    t, w = np.polynomial.legendre.leggauss(points)
    return (t + 1.0) / 2.0, w / 2.0


def shap_by_quadrature(
    arrays: EnsembleArrays, X: npt.NDArray[Any], n_trees: int = -1, points: int | None = None
) -> tuple[Floats, Floats]:
    """Shapley values by Owen's integral; `points` defaults to at least as many as make it exact.

    The integrand has degree d - 1, for which ceil(d / 2) points suffice.
    """
    x = rounded(arrays, X)
    phi = np.zeros((len(x), arrays.n_features, arrays.n_outputs))
    for tree in trees_of(arrays, n_trees):
        for value, features, z, o in leaf_games(arrays, tree, x):
            d = len(features)
            if d == 0 or not value.any():
                continue
            t, w = _gauss_legendre(points or 8 * math.ceil(d / 16))
            factor = t * o[:, :, None] + (1.0 - t) * z[:, None]  # (n, d, points)
            ones = np.ones_like(factor[:, :1])
            before = np.cumprod(np.concatenate([ones, factor[:, :-1]], axis=1), axis=1)
            after = np.cumprod(np.concatenate([ones, factor[:, :0:-1]], axis=1), axis=1)[:, ::-1]
            gain = (o - z) * ((before * after) @ w)
            phi[:, features] += gain[:, :, None] * value
    return phi, expected_values(arrays, n_trees)


def node_means(arrays: EnsembleArrays, tree: OracleTree) -> Floats:
    """Cover-weighted mean of the leaves under each node: (nodes, K)."""
    mean = tree.values.copy()
    for node in reversed(tree.order):
        if not tree.is_leaf(node):
            r = _left_ratio(arrays, tree, node)
            mean[node] = r * mean[tree.left[node]] + (1.0 - r) * mean[tree.right[node]]
    return mean


def expected_values(arrays: EnsembleArrays, n_trees: int = -1) -> Floats:
    """E[f] without any feature known: (K,)."""
    out = np.array(arrays.base_values, dtype=np.float64)
    for tree in trees_of(arrays, n_trees):
        out += node_means(arrays, tree)[0]
    return out


def saabas(arrays: EnsembleArrays, X: npt.NDArray[Any], n_trees: int = -1) -> Floats:
    """Saabas (2014): the change of the node mean along the row's own path, (n, F, K)."""
    x = rounded(arrays, X)
    phi = np.zeros((len(x), arrays.n_features, arrays.n_outputs))
    for tree in trees_of(arrays, n_trees):
        mean = node_means(arrays, tree)
        rows_at = {0: np.arange(len(x))}
        for node in tree.order:
            rows = rows_at.pop(node)
            if tree.is_leaf(node):
                continue
            f = int(tree.feature[node])
            left = goes_left(arrays, tree.first + node, x[rows, f])
            for child, taken in ((tree.left[node], left), (tree.right[node], ~left)):
                rows_at[int(child)] = rows[taken]
                phi[rows[taken], f] += mean[child] - mean[node]
    return phi
