"""Ensembles with rows and background, and one call from them to the core's values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import oracle_background
from leafshap import _core
from strategies import Recipe, random_ensemble, random_recipe, random_rows
from tolerance import Dtype

if TYPE_CHECKING:
    from leafshap.converters.arrays import EnsembleArrays

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

# how a plan can be told to explain its leaves; a leaf that the way does not suit takes another
METHODS: list[str] = list(_core.BackgroundPlan.methods)


@dataclass(frozen=True)
class Case:
    """What to explain, and the oracle's answers."""

    arrays: EnsembleArrays
    X: Array
    background: Array
    weights: Floats | None = None

    @property
    def base(self) -> Floats:
        return oracle_background.expected_values(self.arrays, self.background, self.weights)


def plan_of(
    arrays: EnsembleArrays,
    background: Array,
    weights: Floats | None = None,
    dtype: str = "float64",
    **options: Any,
) -> _core.BackgroundPlan:
    ensemble = _core.Ensemble(arrays.as_dict())
    return _core.BackgroundPlan(ensemble, dtype, background, weights, **options)


def values_of(
    plan: _core.BackgroundPlan, X: Array, dtype: str, n_outputs: int, n_threads: int = 1
) -> Array:
    """SHAP values (n, F, K); the kernel must write every value, not add to what is there."""
    out = np.full((len(X), X.shape[1], n_outputs), np.nan, dtype=dtype)
    plan.shap_values(X, out, n_threads)
    return out


def expected_of(plan: _core.BackgroundPlan) -> Floats:
    return plan.expected_values(1)


def interactions_of(plan: Any, X: Array, dtype: str, n_outputs: int, n_threads: int = 1) -> Array:
    """Interaction values (n, F, F, K) of a BackgroundPlan or a PathPlan."""
    out = np.full((len(X), X.shape[1], X.shape[1], n_outputs), np.nan, dtype=dtype)
    plan.interaction_values(X, out, n_threads)
    return out


def pairs_of(
    plan: Any, X: Array, dtype: str, n_outputs: int, n_threads: int = 1
) -> tuple[Array, Array]:
    """Interaction values of the pairs (n, P, K), and SHAP values (n, F, K)."""
    pairs = np.full((len(X), len(plan.pairs), n_outputs), np.nan, dtype=dtype)
    phi = np.full((len(X), X.shape[1], n_outputs), np.nan, dtype=dtype)
    plan.interaction_pairs(X, pairs, phi, n_threads)
    return pairs, phi


def explain(case: Case, dtype: Dtype = "float64", *, n_threads: int = 1, **options: Any) -> Array:
    plan = plan_of(case.arrays, case.background, case.weights, dtype, **options)
    return values_of(plan, case.X, dtype, case.arrays.n_outputs, n_threads)


def explain_interactions(
    case: Case, dtype: Dtype = "float64", *, n_threads: int = 1, **options: Any
) -> Array:
    plan = plan_of(case.arrays, case.background, case.weights, dtype, interactions=True, **options)
    return interactions_of(plan, case.X, dtype, case.arrays.n_outputs, n_threads)


def random_weights(m: int, seed: int) -> Floats | None:
    """None for a third of the seeds; else positive, some of them 0 for another third."""
    if seed % 3 == 0:
        return None
    rng = np.random.default_rng(seed)
    w = rng.uniform(0.1, 5.0, m)
    if seed % 3 == 1:
        w[rng.random(m) < 0.3] = 0.0
        w[rng.integers(m)] = 1.0
    return w


@cache
def random_case(seed: int) -> Case:
    """Small enough for brute force, all knobs turned by the seed."""
    arrays = random_ensemble(random_recipe(seed))
    kinds = (np.float64, np.float32)
    X = random_rows(arrays, 1 + seed % 7, seed, dtype=kinds[seed % 2])
    m = 1 + seed % 13
    background = random_rows(arrays, m, seed + 1000, dtype=kinds[seed // 2 % 2])
    if seed % 5 == 0:  # a background row that is also explained
        with np.errstate(over="ignore"):
            background[0] = X[0]
    return Case(arrays, X, background, random_weights(m, seed))


@cache
def random_case_values(seed: int) -> Floats:
    case = random_case(seed)
    return oracle_background.shap_brute_force(case.arrays, case.X, case.background, case.weights)


@cache
def random_case_interactions(seed: int) -> Floats:
    case = random_case(seed)
    return oracle_background.interactions_brute_force(
        case.arrays, case.X, case.background, case.weights
    )


def case_of(
    arrays: EnsembleArrays, n: int, m: int, seed: int = 0, *, weighted: bool = False
) -> Case:
    X, background = random_rows(arrays, n, seed), random_rows(arrays, m, seed + 1000)
    return Case(arrays, X, background, random_weights(m, 2) if weighted else None)


@cache
def leaf_case(
    recipe: Recipe, n: int = 9, m: int = 40, *, weighted: bool = False
) -> tuple[Case, Floats]:
    """A case of any size, and its values leaf by leaf."""
    case = case_of(random_ensemble(recipe), n, m, recipe.seed, weighted=weighted)
    phi = oracle_background.shap_by_leaves(case.arrays, case.X, case.background, case.weights)
    return case, phi


@cache
def leaf_case_interactions(
    recipe: Recipe, n: int = 9, m: int = 40, *, weighted: bool = False
) -> tuple[Case, Floats]:
    case, _ = leaf_case(recipe, n, m, weighted=weighted)
    return case, oracle_background.interactions_by_leaves(
        case.arrays, case.X, case.background, case.weights
    )
