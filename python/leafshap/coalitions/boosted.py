"""The boosted trees of the proxy, and the third order of their Fourier spectrum.

A tree on players (+1 in the coalition, -1 out of it) is a polynomial: the leaf at the end of the
splits (i, b_i), (j, b_j), (k, b_k) is `value * (1 + b_i s_i)(1 + b_j s_j)(1 + b_k s_k) / 8`. The
trees have three levels, so `value / 8 * b_i b_j b_k` is all they say about the product
`s_i s_j s_k`. Orders 0 and 2 have no Shapley value, order 1 is estimated without trees, and deeper
trees made the estimate no better in measurements and took three times as long.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.ensemble import TreeEnsemble
from leafshap.errors import InvalidInputError, MissingDependencyError

LIBRARIES = ("lightgbm", "xgboost")  # in order of preference: LightGBM takes half the time
_ROUNDS, _RATE, _LEVELS, _LEAST_IN_LEAF = 500, 0.1, 3, 2

_Floats = npt.NDArray[np.float64]


def choose_library(library: str) -> str:
    """Name the library that fits the trees.

    Raises
    ------
    InvalidInputError
        If `library` is none of "auto", "lightgbm", "xgboost".
    MissingDependencyError
        If it is not installed.
    """
    if library not in ("auto", *LIBRARIES):
        names = ", ".join(map(repr, ("auto", *LIBRARIES)))
        raise InvalidInputError(f"library must be one of {names}, got {library!r}")
    wanted = LIBRARIES if library == "auto" else (library,)
    for name in wanted:
        if find_spec(name) is not None:
            return name
    raise MissingDependencyError(
        f"the proxy estimator needs {' or '.join(wanted)}: pip install leafshap[proxy]"
    )


def fit_boosted(rows: _Floats, values: _Floats, seed: int, library: str) -> TreeEnsemble:
    """Fit boosted trees to the values of 0/1 rows, on one thread."""
    fit = _fit_lightgbm if library == "lightgbm" else _fit_xgboost
    return TreeEnsemble.from_model(fit(rows, values, seed))


def _fit_lightgbm(rows: _Floats, values: _Floats, seed: int) -> Any:
    import lightgbm

    binning = {
        "max_bin": 2,
        "min_data_in_bin": 1,
        "feature_pre_filter": False,
        "verbosity": -1,
        "num_threads": 1,
    }
    parameters = {
        **binning,
        "objective": "regression",
        "learning_rate": _RATE,
        "max_depth": _LEVELS,
        "num_leaves": 2**_LEVELS,
        "min_data_in_leaf": _LEAST_IN_LEAF,
        "min_sum_hessian_in_leaf": 0.0,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed,
    }
    return lightgbm.train(parameters, lightgbm.Dataset(rows, values, params=binning), _ROUNDS)


def _fit_xgboost(rows: _Floats, values: _Floats, seed: int) -> Any:
    import xgboost

    parameters = {
        "objective": "reg:squarederror",
        "tree_method": "hist",
        "max_bin": 2,
        "learning_rate": _RATE,
        "max_depth": _LEVELS,
        "min_child_weight": _LEAST_IN_LEAF,
        "reg_lambda": 0.0,
        "base_score": 0.0,
        "nthread": 1,
        "seed": seed,
        "verbosity": 0,
    }
    return xgboost.train(parameters, xgboost.DMatrix(rows, values, nthread=1), _ROUNDS)


def third_order(ensemble: TreeEnsemble) -> tuple[npt.NDArray[np.int64], _Floats]:
    """Coefficients of the products of three players in boosted trees on 0/1 rows.

    Returns
    -------
    triples : (T, 3) int64
        Players i < j < k, each triple once.
    coefficients : (T,) float64
        Of `s_i s_j s_k`, where `s` is +1 for a player in the coalition and -1 for one out of it.
    """
    arrays = ensemble.to_arrays()
    n_players, split = arrays.n_features, arrays.split_feature
    sizes = np.diff(arrays.tree_offsets)
    first = np.repeat(arrays.tree_offsets[:-1], sizes)
    inner = np.flatnonzero(split >= 0)
    parent, sign = np.full(len(split), -1, np.int64), np.zeros(len(split))
    for child, side in ((arrays.left, -1.0), (arrays.right, 1.0)):  # 0 goes left, 1 goes right
        at = first[inner] + child[inner]
        parent[at], sign[at] = inner, side

    leaves = np.flatnonzero((split < 0) & (parent >= 0))
    above = parent[leaves]
    leaves, above = leaves[parent[above] >= 0], above[parent[above] >= 0]
    top = parent[above]
    leaves, above, top = (nodes[parent[top] >= 0] for nodes in (leaves, above, top))
    # a binary player is split once on a path, so the three are distinct
    players = np.sort(np.stack([split[above], split[top], split[parent[top]]], 1).astype(np.int64))
    weight = np.repeat(arrays.tree_weight, sizes)[leaves]
    part = arrays.leaf_value.reshape(-1)[leaves] * weight / 8
    part *= sign[leaves] * sign[above] * sign[top]
    code = (players[:, 0] * n_players + players[:, 1]) * n_players + players[:, 2]
    _, where, triple_of = np.unique(code, return_index=True, return_inverse=True)
    coefficients: _Floats = np.bincount(triple_of.reshape(-1), part, minlength=len(where)).astype(
        np.float64, copy=False
    )
    return players[where], coefficients
