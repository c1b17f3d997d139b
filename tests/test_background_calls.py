"""Calls of a background plan: threads, blocks of rows, memory, tables to keep, bad arguments."""

from __future__ import annotations

import itertools
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import oracle_background
from background_cases import (
    METHODS,
    Array,
    Case,
    case_of,
    expected_of,
    explain,
    explain_interactions,
    interactions_of,
    leaf_case,
    plan_of,
    values_of,
)
from leafshap import _core
from leafshap.errors import InvalidInputError
from small_ensembles import no_trees
from strategies import Recipe, random_ensemble, random_rows
from tolerance import DTYPES, Dtype, assert_close

if TYPE_CHECKING:
    from collections.abc import Callable

# leaves of few and of many features, so that a plan mixes its ways
RECIPE = Recipe(n_trees=6, n_features=12, n_outputs=2, n_leaves=40, depth=12)


# methods that make tables
TABLES = [name for name in METHODS if name != "pairwise"]


def large_case(n: int, m: int = 120, n_trees: int = 6) -> Case:
    return case_of(random_ensemble(RECIPE.but(n_trees=n_trees)), n, m, weighted=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", METHODS)
def test_same_bits_for_any_number_of_threads(method: str, dtype: Dtype) -> None:
    for n in (1, 65, 1001):
        case = large_case(n)
        one = explain(case, dtype, method=method)
        for n_threads in (2, 3):
            more = explain(case, dtype, method=method, n_threads=n_threads)
            np.testing.assert_array_equal(more, one)


@pytest.mark.parametrize("method", TABLES)
def test_same_tables_for_any_number_of_threads(method: str) -> None:
    """Also of a background so large that several threads count it."""
    arrays = random_ensemble(RECIPE)
    background = random_rows(arrays, 20_011, 3)
    weights = np.random.default_rng(0).uniform(0.0, 1.0, len(background))
    built = []
    for n_threads in (1, 2, 3):
        plan = plan_of(arrays, background, weights, method=method)
        plan.build(n_threads)
        state = plan.get_tables()
        assert state is not None
        built.append(state)
    for tables, base in built:
        np.testing.assert_array_equal(tables, built[0][0])
        np.testing.assert_array_equal(base, built[0][1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", METHODS)
def test_same_bits_for_any_grouping_of_rows(isa: str, method: str, dtype: Dtype) -> None:
    """A row's values depend on the row alone: not on how many come with it, nor on their order."""
    case = large_case(400, 40)
    plan = plan_of(case.arrays, case.background, case.weights, dtype, method=method)
    X = case.X
    whole = values_of(plan, X, dtype, 2)
    for n in (0, 1, 2, 3, 8, 15, 17, 33, 64, 127, 129, 257, 399):
        first = values_of(plan, np.ascontiguousarray(X[:n]), dtype, 2)
        np.testing.assert_array_equal(first, whole[:n])
        last = values_of(plan, np.ascontiguousarray(X[400 - n :]), dtype, 2, n_threads=2)
        np.testing.assert_array_equal(last, whole[400 - n :])
    order = np.random.default_rng(0).permutation(len(X))
    shuffled = values_of(plan, np.ascontiguousarray(X[order]), dtype, 2)
    np.testing.assert_array_equal(shuffled, whole[order])


@pytest.mark.parametrize("interactions", [False, True])
def test_same_bits_for_few_and_very_many_rows(interactions: bool) -> None:
    """No way of explaining is chosen by the number of rows."""
    case = case_of(random_ensemble(RECIPE.but(n_outputs=1, n_features=8)), 12_000, 20)
    plan = plan_of(case.arrays, case.background, interactions=interactions)
    whole = values_of(plan, case.X, "float64", 1, n_threads=2)
    for a, b in itertools.pairwise((0, 1, 5, 400, 7000, 12_000)):
        part = values_of(plan, np.ascontiguousarray(case.X[a:b]), "float64", 1)
        np.testing.assert_array_equal(part, whole[a:b])


def test_values_do_not_depend_on_whether_interactions_were_asked_for(isa: str) -> None:
    case = large_case(50)
    plain = explain(case)
    np.testing.assert_allclose(explain(case, interactions=True), plain, rtol=0, atol=1e-12)


def assert_equal_to_rounding(a: Array, b: Array) -> None:
    """Sums in another order: a few units in the last place of the largest value."""
    scale = np.abs(b).max(initial=0.0)
    np.testing.assert_allclose(a, b, rtol=0, atol=8 * np.finfo(b.dtype).eps * scale)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", METHODS)
def test_streamed_tables_give_the_same_values(method: str, dtype: Dtype) -> None:
    """Tables that are not kept are made anew for every call, a few trees at a time."""
    case = large_case(70, n_trees=2)
    kept = explain(case, dtype, method=method)
    for memory_limit in (0, 100_000):
        streamed = plan_of(
            case.arrays, case.background, case.weights, dtype, method=method,
            memory_limit=memory_limit,
        )  # fmt: skip
        phi = values_of(streamed, case.X, dtype, 2)
        assert_equal_to_rounding(phi, kept)
        np.testing.assert_array_equal(values_of(streamed, case.X, dtype, 2, 2), phi)
        some = np.ascontiguousarray(case.X[3:20])
        np.testing.assert_array_equal(values_of(streamed, some, dtype, 2), phi[3:20])
        np.testing.assert_allclose(expected_of(streamed), case.base, rtol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_streamed_interactions_give_the_same_values(dtype: Dtype) -> None:
    case = case_of(random_ensemble(RECIPE.but(n_features=6)), 40, 50, weighted=True)
    kept = explain_interactions(case, dtype)
    streamed = explain_interactions(case, dtype, memory_limit=0)
    assert_equal_to_rounding(streamed, kept)
    again = explain_interactions(case, dtype, memory_limit=0, n_threads=2)
    np.testing.assert_array_equal(again, streamed)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", TABLES)
def test_tables_move_to_another_plan(method: str, dtype: Dtype) -> None:
    """What pickling does: the second plan is given the tables and does not count again."""
    case = large_case(50)

    def fresh() -> _core.BackgroundPlan:
        return plan_of(case.arrays, case.background, case.weights, dtype, method=method)

    first = fresh()
    assert first.get_tables() is None  # nothing is built before it is needed
    expected = values_of(first, case.X, dtype, 2)
    state = first.get_tables()
    assert state is not None
    tables, base = state
    assert tables.dtype == dtype
    np.testing.assert_array_equal(base, expected_of(first))
    second = fresh()
    second.set_tables(state)
    again = second.get_tables()
    assert again is not None
    np.testing.assert_array_equal(again[0], tables)
    np.testing.assert_array_equal(values_of(second, case.X, dtype, 2), expected)
    np.testing.assert_array_equal(expected_of(second), base)
    third = fresh()  # what was set is what is used
    third.set_tables((np.zeros_like(tables), base + 1.0))
    assert not np.array_equal(values_of(third, case.X, dtype, 2), expected)
    np.testing.assert_array_equal(expected_of(third), base + 1.0)


def test_tables_with_interactions_move_to_another_plan() -> None:
    case = large_case(5, n_trees=2)
    first = plan_of(case.arrays, case.background, case.weights, interactions=True)
    expected = interactions_of(first, case.X, "float64", 2)
    state = first.get_tables()
    assert state is not None
    second = plan_of(case.arrays, case.background, case.weights, interactions=True)
    second.set_tables(state)
    np.testing.assert_array_equal(interactions_of(second, case.X, "float64", 2), expected)
    plain = plan_of(case.arrays, case.background, case.weights)
    with pytest.raises(InvalidInputError):
        plain.set_tables(state)


@pytest.mark.parametrize("options", [{"memory_limit": 0}, {"method": "pairwise"}], ids=str)
def test_what_is_not_kept_cannot_be_moved(options: dict[str, Any]) -> None:
    case = large_case(3)
    plan = plan_of(case.arrays, case.background, case.weights, **options)
    plan.build(1)
    values_of(plan, case.X, "float64", 2)
    assert plan.get_tables() is None


def test_wrong_tables_are_refused() -> None:
    case = large_case(3)
    plan = plan_of(case.arrays, case.background, case.weights)
    plan.build(1)
    state = plan.get_tables()
    assert state is not None
    tables, base = state
    other = plan_of(case.arrays, case.background, case.weights)
    wrong: list[Any] = [
        (tables[:-1], base),
        (np.append(tables, 0.0), base),
        (tables[:0], base),
        (tables.astype(np.float32), base),
        (None, base),
        (tables, base[:1]),
        (tables, np.append(base, 0.0)),
        (tables, base.reshape(1, -1)),
        (tables, None),
        (tables, np.full_like(base, np.nan)),
        (tables,),
        (),
        tables,
        None,
        "tables",
    ]
    for value in wrong:
        with pytest.raises((InvalidInputError, TypeError)):
            other.set_tables(value)
    assert other.get_tables() is None  # a refusal leaves the plan as it was
    np.testing.assert_array_equal(
        values_of(other, case.X, "float64", 2), values_of(plan, case.X, "float64", 2)
    )


@pytest.mark.parametrize("memory_limit", [0, 1 << 30])
def test_one_plan_in_many_python_threads(memory_limit: int) -> None:
    """Several first calls at once, too: the tables are built by one of them."""
    case = large_case(10)
    blocks = [random_rows(case.arrays, 50 + 37 * seed, seed) for seed in range(8)]

    def fresh() -> _core.BackgroundPlan:
        return plan_of(case.arrays, case.background, case.weights, memory_limit=memory_limit)

    alone = fresh()
    expected = [values_of(alone, X, "float64", 2) for X in blocks]
    with ThreadPoolExecutor(8) as pool:
        for n_threads in (1, 2):
            plan = fresh()
            calls = [pool.submit(values_of, plan, X, "float64", 2, n_threads) for X in blocks]
            bases = [pool.submit(expected_of, plan) for _ in range(4)]
            for call, phi in zip(calls, expected, strict=True):
                np.testing.assert_array_equal(call.result(), phi)
            for base in bases:
                np.testing.assert_allclose(base.result(), case.base, rtol=1e-12)


def test_repeated_calls_give_the_same_bits(isa: str) -> None:
    case, _ = leaf_case(RECIPE, 30, 50)
    plan = plan_of(case.arrays, case.background)
    before = values_of(plan, case.X, "float64", 2)
    plan.build(1)
    values_of(plan, random_rows(case.arrays, 77, 4), "float64", 2)
    np.testing.assert_array_equal(values_of(plan, case.X, "float64", 2), before)


def test_plan_outlives_a_change_of_instruction_set() -> None:
    case, expected = leaf_case(RECIPE, 30, 50)
    isas = list(_core.build_info()["available_isas"])
    before = _core.build_info()["isa"]
    plans = []
    try:
        for name in isas:
            _core.set_isa(name)
            plans.append(plan_of(case.arrays, case.background))
            plans[-1].build(1)
        for name in isas:
            _core.set_isa(name)
            for plan in plans:
                assert_close(values_of(plan, case.X, "float64", 2), expected, "float64")
    finally:
        _core.set_isa(before)


@pytest.mark.parametrize("method", METHODS)
def test_no_rows(isa: str, method: str) -> None:
    case = large_case(0, 20)
    for memory_limit in (0, 1 << 30):
        phi = explain(case, method=method, memory_limit=memory_limit)
        assert phi.shape == (0, case.arrays.n_features, 2)


def test_no_trees() -> None:
    arrays = no_trees()
    case = Case(arrays, np.ones((3, arrays.n_features)), np.zeros((4, arrays.n_features)))
    assert (explain(case) == 0.0).all()
    assert (explain_interactions(case) == 0.0).all()
    base = expected_of(plan_of(arrays, case.background))
    np.testing.assert_array_equal(base, arrays.base_values)


def test_no_features() -> None:
    arrays = replace(no_trees(), n_features=0, feature_names=None)
    plan = plan_of(arrays, np.empty((3, 0)))
    assert values_of(plan, np.empty((2, 0)), "float64", arrays.n_outputs).shape[:2] == (2, 0)
    np.testing.assert_allclose(expected_of(plan), arrays.base_values)


@pytest.mark.parametrize("dtype", DTYPES)
def test_long_runs_of_slots_are_the_same_in_both_dtypes(dtype: Dtype) -> None:
    """Entries of a few slots among thousands are added one by one, in double."""
    recipe = RECIPE.but(n_features=300, n_outputs=5, n_trees=40)
    case = case_of(random_ensemble(recipe), 70, 40)
    plan = plan_of(case.arrays, case.background, dtype=dtype)
    assert plan.summary["scattered"]
    truth = oracle_background.shap_by_leaves(case.arrays, case.X, case.background)
    assert_close(values_of(plan, case.X, dtype, 5), truth, dtype)


def test_tables_can_be_asked_for_while_they_are_built() -> None:
    """Pickling an explainer whose first call runs in another thread must not wait for ever."""
    case = large_case(10, m=60_000, n_trees=30)
    plan = plan_of(case.arrays, case.background, case.weights)
    with ThreadPoolExecutor(3) as pool:
        calls: list[Future[Any]] = [pool.submit(plan.build, 1)]
        calls += [pool.submit(plan.get_tables) for _ in range(2)]
        for call in calls:
            call.result(timeout=60)
    assert plan.get_tables() is not None


def test_summary_tells_what_was_chosen() -> None:
    case = large_case(1)
    summary = plan_of(case.arrays, case.background).summary
    assert summary["table_bytes"] >= 0
    plan = plan_of(case.arrays, case.background, method="pairwise")
    assert plan.summary["table_bytes"] == 0


# ---------------------------------------------------------------- bad arguments

N_FEATURES = 3


def small_case() -> Case:
    return case_of(random_ensemble(Recipe(n_features=N_FEATURES, n_trees=2)), 5, 4)


def bad_backgrounds() -> dict[str, Any]:
    good = np.zeros((5, N_FEATURES))
    return {
        "no rows": np.zeros((0, N_FEATURES)),
        "too few columns": np.zeros((5, N_FEATURES - 1)),
        "too many columns": np.zeros((5, N_FEATURES + 1)),
        "one dimension": good[0],
        "three dimensions": good[:, :, None],
        "Fortran order": np.asfortranarray(good),
        "every second row": np.zeros((10, N_FEATURES))[::2],
        "integers": good.astype(np.int64),
        "objects": good.astype(object),
        "big-endian": good.astype(">f8"),
        "float16": good.astype(np.float16),
        "nothing": None,
    }


@pytest.mark.parametrize("what", bad_backgrounds())
def test_bad_background_is_refused(what: str) -> None:
    with pytest.raises((InvalidInputError, TypeError)):
        plan_of(small_case().arrays, bad_backgrounds()[what])


@pytest.mark.parametrize("what", sorted(set(bad_backgrounds()) - {"no rows", "nothing"}))
def test_bad_rows_are_refused(what: str) -> None:
    case = small_case()
    plan = plan_of(case.arrays, case.background, interactions=True)
    X = bad_backgrounds()[what]
    out, dense = np.empty((5, N_FEATURES, 1)), np.empty((5, N_FEATURES, N_FEATURES, 1))
    pairs = np.empty((5, len(plan.pairs), 1))
    calls: list[Callable[[], None]] = [
        lambda: plan.shap_values(X, out, 1),
        lambda: plan.interaction_values(X, dense, 1),
        lambda: plan.interaction_pairs(X, pairs, out, 1),
    ]
    for call in calls:
        with pytest.raises((InvalidInputError, TypeError)):
            call()


@pytest.mark.parametrize(
    "weights",
    [[], [1.0] * 3, [1.0] * 5, [0.0] * 4, [1, 1, 1, -1.0], [1, 1, 1, np.nan], [1, 1, 1, np.inf],
     [[1.0] * 4], 1.0, "weights"],
)  # fmt: skip
def test_bad_weights_are_refused(weights: Any) -> None:
    case = small_case()
    with pytest.raises((InvalidInputError, TypeError)):
        plan_of(case.arrays, case.background, np.array(weights))


def bad_outputs(shape: tuple[int, ...]) -> dict[str, Any]:
    read_only = np.empty(shape)
    read_only.flags.writeable = False
    return {
        "too few rows": np.empty((shape[0] - 1, *shape[1:])),
        "too many rows": np.empty((shape[0] + 1, *shape[1:])),
        "too few features": np.empty((shape[0], shape[1] - 1, *shape[2:])),
        "too many outputs": np.empty((*shape[:-1], 2)),
        "a dimension less": np.empty(shape[:-1]),
        "other precision": np.empty(shape, dtype=np.float32),
        "other order": np.empty(shape[::-1]).T,
        "not contiguous": np.empty((2 * shape[0], *shape[1:]))[::2],
        "read-only": read_only,
        "no array": None,
    }


@pytest.mark.parametrize("what", bad_outputs((5, 3, 1)))
def test_bad_output_is_refused(what: str) -> None:
    case = small_case()
    plan = plan_of(case.arrays, case.background, interactions=True)
    p = len(plan.pairs)
    phi, pairs = np.empty((5, N_FEATURES, 1)), np.empty((5, p, 1))
    bad_phi = bad_outputs((5, N_FEATURES, 1))[what]
    calls: list[Callable[[], None]] = [
        lambda: plan.shap_values(case.X, bad_phi, 1),
        lambda: plan.interaction_values(
            case.X, bad_outputs((5, N_FEATURES, N_FEATURES, 1))[what], 1
        ),
        lambda: plan.interaction_pairs(case.X, bad_outputs((5, p, 1))[what], phi, 1),
        lambda: plan.interaction_pairs(case.X, pairs, bad_phi, 1),
    ]
    for call in calls:
        with pytest.raises((InvalidInputError, TypeError, ValueError)):
            call()


@pytest.mark.parametrize(
    "options",
    [{"dtype": "float16"}, {"n_trees": 3}, {"n_trees": -2}, {"method": "guess"}, {"method": ""},
     {"memory_limit": -1}],
    ids=str,
)  # fmt: skip
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    case = small_case()
    with pytest.raises((InvalidInputError, ValueError, TypeError)):
        plan_of(case.arrays, case.background, **options)


def test_bad_numbers_of_threads_are_refused() -> None:
    case = small_case()
    plan = plan_of(case.arrays, case.background)
    for n_threads in (0, -1):
        with pytest.raises(InvalidInputError, match="n_threads"):
            values_of(plan, case.X, "float64", 1, n_threads)
        with pytest.raises(InvalidInputError, match="n_threads"):
            plan.build(n_threads)
        with pytest.raises(InvalidInputError, match="n_threads"):
            plan.expected_values(n_threads)


def test_interactions_must_be_asked_for_at_the_start() -> None:
    case = small_case()
    plan = plan_of(case.arrays, case.background)
    with pytest.raises(InvalidInputError, match="interactions"):
        plan.interaction_values(case.X, np.empty((5, N_FEATURES, N_FEATURES, 1)), 1)
    with pytest.raises(InvalidInputError, match="interactions"):
        plan.interaction_pairs(case.X, np.empty((5, 0, 1)), np.empty((5, N_FEATURES, 1)), 1)
