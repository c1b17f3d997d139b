"""Plans of responses, their answers, and what the oracle says to the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

import oracle
from leafshap import _core
from oracle_responses import ResponseOracle
from strategies import concatenated, random_ensemble, random_rows, recipes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leafshap.converters.arrays import EnsembleArrays

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
# error allowed, of what the trees can add up to
TOLERANCE = 1e-13


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a plan is asked."""

    arrays: EnsembleArrays
    players: npt.NDArray[np.int32]
    probes: Array
    rows: Array
    sources: npt.NDArray[np.int64]  # (R, n)
    n_trees: int = -1

    @property
    def n_players(self) -> int:
        return int(self.players.max(initial=-1)) + 1

    def but(self, **changes: Any) -> Case:
        return replace(self, **changes)


def players_of(numbers: Sequence[int] | Array) -> npt.NDArray[np.int32]:
    return np.array(numbers, dtype=np.int32)


def random_players(n_features: int, rng: np.random.Generator) -> npt.NDArray[np.int32]:
    """Groups of any size, some features perhaps in none; numbered without gaps."""
    drawn = rng.integers(-1, n_features, size=n_features)
    present = np.unique(drawn[drawn >= 0])
    return players_of(np.where(drawn < 0, -1, np.searchsorted(present, drawn)))


def random_sources(n_repeats: int, n: int, m: int, seed: int = 0) -> npt.NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, max(m, 1), size=(n_repeats if m else 0, n))


def case_of(
    arrays: EnsembleArrays,
    players: Sequence[int] | Array,
    n: int,
    m: int,
    n_repeats: int = 3,
    seed: int = 0,
) -> Case:
    """Rows and probes on and around the splits."""
    return Case(
        arrays=arrays,
        players=players_of(players),
        probes=random_rows(arrays, m, seed + 1),
        rows=random_rows(arrays, n, seed),
        sources=random_sources(n_repeats, n, m, seed),
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Small cases of every kind of ensemble, players and sizes."""
    recipe = draw(recipes())
    arrays = random_ensemble(recipe)
    rng = np.random.default_rng(recipe.seed)
    extra = draw(st.sampled_from(["nothing", "leaf", "zeros"]))
    if extra != "nothing":
        changes = {"shape": "leaf"} if extra == "leaf" else {}
        more = random_ensemble(recipe.but(seed=recipe.seed + 1, n_trees=1, **changes))
        if extra == "zeros":
            more.leaf_value[:] = 0.0
        arrays = concatenated(arrays, more)
    arrays = replace(arrays, averaged=draw(st.booleans()))
    kind = draw(st.sampled_from(["single", "groups", "all", "none"]))
    players = {
        "single": players_of(range(recipe.n_features)),
        "groups": random_players(recipe.n_features, rng),
        "all": players_of([0] * recipe.n_features),
        "none": players_of([-1] * recipe.n_features),
    }[kind]
    total = len(arrays.tree_offsets) - 1
    n = draw(st.sampled_from([4, 0, 1, 9, 65]))
    m = draw(st.sampled_from([3, 0, 1, 40]))
    dtypes: st.SearchStrategy[type[np.float32 | np.float64]]
    dtypes = st.sampled_from([np.float64, np.float32])
    return Case(
        arrays=arrays,
        players=players,
        probes=random_rows(arrays, m, recipe.seed + 1, dtype=draw(dtypes)),
        rows=random_rows(arrays, n, recipe.seed, dtype=draw(dtypes)),
        sources=random_sources(draw(st.sampled_from([1, 0, 3, 9])), n, m, recipe.seed),
        n_trees=draw(st.sampled_from([-1, total, total - 1, 0])),
    )


# ---- the core


def plan_of(case: Case, *, all_values: bool) -> _core.ResponsePlan:
    ensemble = _core.Ensemble(case.arrays.as_dict())
    return _core.ResponsePlan(ensemble, case.n_trees, case.players, case.probes, all_values)


def predictions(case: Case, *, all_values: bool = False, n_threads: int = 1) -> Floats:
    # the core must write every value, not add to what is there
    out = np.full((len(case.rows), case.arrays.n_outputs), np.nan)
    plan_of(case, all_values=all_values).predict(case.rows, out, n_threads)
    return out


def responses(case: Case, *, n_threads: int = 1) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Margins (P, R, n, K), and how often values parted from their rows."""
    n_repeats, n = case.sources.shape
    out = np.full((case.n_players, n_repeats, n, case.arrays.n_outputs), np.nan)
    plan = plan_of(case, all_values=False)
    return out, plan.respond(case.rows, case.sources, 0, n, out, None, n_threads)


def responses_and_unchanged(case: Case, *, n_threads: int = 1) -> tuple[Floats, Floats]:
    """Margins (P, R, n, K), and those of the rows as they are by the same call."""
    n_repeats, n = case.sources.shape
    out = np.full((case.n_players, n_repeats, n, case.arrays.n_outputs), np.nan)
    unchanged = np.full((n, case.arrays.n_outputs), np.nan)
    plan = plan_of(case, all_values=False)
    plan.respond(case.rows, case.sources, 0, n, out, unchanged, n_threads)
    return out, unchanged


def curves(case: Case, *, n_threads: int = 1) -> Floats:
    """Margins (n, cells, K)."""
    plan = plan_of(case, all_values=True)
    out = np.full((len(case.rows), int(plan.cell_offsets[-1]), case.arrays.n_outputs), np.nan)
    plan.curves(case.rows, out, n_threads)
    return out


def means(case: Case, weights: Floats | None = None, *, n_threads: int = 1) -> Floats:
    """Means of the curves (cells, K)."""
    return plan_of(case, all_values=True).means(case.rows, weights, n_threads)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """All that plans answer to a case."""

    raw: Floats
    responses: Floats
    n_parted: npt.NDArray[np.int64]
    curves: Floats
    means: Floats  # of no rows: NaN


def answers(case: Case) -> Answers:
    """The same bits by every instruction set of the machine."""
    before = _core.build_info()["isa"]
    found = []
    try:
        for isa in _core.build_info()["available_isas"]:
            _core.set_isa(isa)
            out, n_parted = responses(case)
            found_curves = curves(case)
            average = means(case) if len(case.rows) else np.full(found_curves.shape[1:], np.nan)
            found.append(
                Answers(
                    raw=predictions(case),
                    responses=out,
                    n_parted=n_parted,
                    curves=found_curves,
                    means=average,
                )
            )
            np.testing.assert_array_equal(predictions(case, all_values=True), found[-1].raw)
            if len(case.sources) > 0:
                with_unchanged, unchanged = responses_and_unchanged(case)
                np.testing.assert_array_equal(with_unchanged, out)
                np.testing.assert_array_equal(unchanged, found[-1].raw)
    finally:
        _core.set_isa(before)
    for other in found[1:]:
        for name, values in vars(found[0]).items():
            np.testing.assert_array_equal(getattr(other, name), values)
    return found[0]


def places(plan: _core.ResponsePlan, player: int) -> npt.NDArray[np.int64]:
    """Where the cell of each probe is among the cells of all players."""
    return np.asarray(plan.cell_offsets[player] + plan.cells(player))


# ---- the oracle


def oracle_of(case: Case) -> ResponseOracle:
    return ResponseOracle(
        lambda rows: oracle.predict(case.arrays, rows, case.n_trees),
        case.players,
        case.probes.astype(np.float64),
    )


def expected_predictions(case: Case) -> Floats:
    return oracle.predict(case.arrays, case.rows, case.n_trees)


def expected_responses(case: Case) -> Floats:
    n_repeats, n = case.sources.shape
    out = np.empty((case.n_players, n_repeats, n, case.arrays.n_outputs))
    oracle_of(case).respond(case.rows.astype(np.float64), case.sources, 0, n, out, None, 1)
    return out


def expected_at_probes(case: Case) -> Floats:
    """Margins (P, n, m, K) of every row at every probe."""
    truth = oracle_of(case)
    out = np.empty((len(case.rows), int(truth.cell_offsets[-1]), case.arrays.n_outputs))
    truth.curves(case.rows.astype(np.float64), out, 1)
    at_probes = [out[:, truth.cell_offsets[p] + truth.cells(p)] for p in range(case.n_players)]
    shape = (case.n_players, len(case.rows), len(case.probes), case.arrays.n_outputs)
    return np.array(at_probes).reshape(shape)


def allowed_error(case: Case) -> Floats:
    """By output, of what the trees can add up to."""
    trees = oracle.trees_of(case.arrays, case.n_trees)
    reach = sum((np.abs(tree.values).max(axis=0) for tree in trees), np.zeros(()))
    return np.asarray(TOLERANCE * (reach + np.abs(case.arrays.base_values)))


def assert_near(actual: Floats, expected: Floats, case: Case) -> None:
    assert actual.shape == expected.shape
    assert np.isfinite(actual).all()
    error, allowed = np.abs(actual - expected), allowed_error(case)
    assert (error <= allowed).all(), f"off by {error.max():.3g}, allowed are {allowed}"
