"""Threads: the same bits for any number of them, many callers at once, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Timer
from typing import TYPE_CHECKING

import numpy as np
import pytest

from leafshap import _core
from strategies import Recipe, random_ensemble, random_rows

if TYPE_CHECKING:
    from conftest import Explain

RECIPE = Recipe(n_trees=12, n_features=7, n_outputs=2, n_leaves=20, depth=7)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("approximate", [False, True])
def test_same_bits_for_any_number_of_threads(
    isa: str, dtype: str, approximate: bool, explain: Explain
) -> None:
    arrays = random_ensemble(RECIPE)
    for n in (1, 5, 64, 1001, 5003):
        X = random_rows(arrays, n)
        one, _ = explain(arrays, X, dtype, approximate=approximate)  # type: ignore[arg-type]
        for n_threads in (2, 3, 7):
            more, _ = explain(
                arrays,
                X,
                dtype,  # type: ignore[arg-type]
                n_threads=n_threads,
                approximate=approximate,
            )
            np.testing.assert_array_equal(more, one)


def test_same_predictions_for_any_number_of_threads(isa: str) -> None:
    ensemble = _core.Ensemble((arrays := random_ensemble(RECIPE)).as_dict())
    X = random_rows(arrays, 5003)
    one = ensemble.predict(X, n_threads=1)
    for n_threads in (2, 3, 7):
        np.testing.assert_array_equal(ensemble.predict(X, n_threads=n_threads), one)
    split = [ensemble.predict(np.ascontiguousarray(part)) for part in np.array_split(X, 13)]
    np.testing.assert_array_equal(np.concatenate(split), one)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_same_bits_for_any_grouping_of_rows(isa: str, dtype: str, explain: Explain) -> None:
    arrays = random_ensemble(RECIPE)
    X = random_rows(arrays, 700)
    whole, _ = explain(arrays, X, dtype)  # type: ignore[arg-type]
    for parts in (3, 11, 50):
        split = [
            explain(arrays, np.ascontiguousarray(part), dtype, n_threads=2)[0]  # type: ignore[arg-type]
            for part in np.array_split(X, parts)
        ]
        np.testing.assert_array_equal(np.concatenate(split), whole)
    order = np.random.default_rng(0).permutation(len(X))
    shuffled, _ = explain(arrays, np.ascontiguousarray(X[order]), dtype)  # type: ignore[arg-type]
    np.testing.assert_array_equal(shuffled, whole[order])


def test_one_plan_in_many_python_threads(isa: str) -> None:
    arrays = random_ensemble(RECIPE)
    ensemble = _core.Ensemble(arrays.as_dict())
    plan = _core.PathPlan(ensemble, "float64")
    blocks = [random_rows(arrays, 200 + 37 * seed, seed) for seed in range(16)]

    def call(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        out = np.full((len(X), arrays.n_features, arrays.n_outputs), np.nan)
        plan.shap_values(X, out, 2)
        return out, ensemble.predict(X, n_threads=2)

    expected = [call(X) for X in blocks]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            for (phi, raw), (phi0, raw0) in zip(pool.map(call, blocks), expected, strict=True):
                np.testing.assert_array_equal(phi, phi0)
                np.testing.assert_array_equal(raw, raw0)


def test_the_interpreter_runs_during_a_call() -> None:
    """The GIL is released: Python code makes progress while the core works."""
    arrays = random_ensemble(RECIPE.but(n_trees=60, n_leaves=60, depth=10))
    plan = _core.PathPlan(_core.Ensemble(arrays.as_dict()), "float64")
    X = random_rows(arrays, 40_000)
    out = np.empty((len(X), arrays.n_features, arrays.n_outputs))
    ticks = []
    with ThreadPoolExecutor(1) as pool:
        started = time.perf_counter()
        call = pool.submit(plan.shap_values, X, out, 1)
        while not call.done():
            ticks.append(time.perf_counter())
            time.sleep(0.005)
        call.result()
        lasted = time.perf_counter() - started
    assert len(ticks) > 0.2 * lasted / 0.005 or lasted < 0.05


LONG_CALL = """
import signal, sys
# whoever runs the tests in the background may have SIGINT ignored, and children inherit that
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path[:0] = {path!r}
import numpy as np
from strategies import Recipe, random_ensemble
from leafshap import _core

arrays = random_ensemble(Recipe(n_trees=4, n_features=20, shape="balanced", depth=9, categorical=0))
for name in ("split_feature", "left", "right", "threshold", "default_left", "missing",
             "categorical", "cover", "leaf_value"):
    setattr(arrays, name, np.tile(getattr(arrays, name), 250))
sizes = np.tile(np.diff(arrays.tree_offsets), 250)
arrays.tree_offsets = np.concatenate([[0], np.cumsum(sizes)])
arrays.tree_output, arrays.tree_weight = np.zeros(1000, np.int32), np.ones(1000)
ensemble = _core.Ensemble(arrays.as_dict())
plan = _core.PathPlan(ensemble, "float64")
X = np.random.default_rng(0).normal(size=(3_000_000, 20)).astype(np.float32)
out = np.empty((len(X), 20, 1))
{before}
print("running", flush=True)
try:
    {call}
except KeyboardInterrupt:
    print("interrupted", flush=True)
else:
    print("finished", flush=True)
"""


def check_ctrl_c(call: str, before: str = "") -> None:
    """The call is interrupted 0.7 s after its start; what is done before it is not."""
    code = LONG_CALL.format(path=sys.path, before=before, call=call)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        time.sleep(0.7)
        assert process.poll() is None
        watchdog = Timer(20.0, process.kill)
        watchdog.start()
        sent = time.perf_counter()
        process.send_signal(signal.SIGINT)
        said = process.stdout.readline()
        took = time.perf_counter() - sent
        process.kill()
        watchdog.cancel()
    assert said == "interrupted\n"
    assert took < 2.0


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for a single process")
@pytest.mark.parametrize(
    "call",
    [
        "plan.shap_values(X, out, {n})",
        "plan.approximate(X, out, {n})",
        "plan.interaction_values(X[:100_000], np.empty((100_000, 20, 20, 1)), {n})",
        "ensemble.predict(X, n_threads={n})",
    ],
    ids=["shap_values", "approximate", "interactions", "predict"],
)
@pytest.mark.parametrize("n_threads", [1, 2])
def test_ctrl_c_ends_a_long_call(call: str, n_threads: int) -> None:
    """A call of minutes (1,000 trees of depth 9, 3 million rows) ends soon after SIGINT."""
    check_ctrl_c(call.format(n=n_threads))


BACKGROUND = "_core.BackgroundPlan(ensemble, 'float64', X[:{m}], None, {options})"


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for a single process")
@pytest.mark.parametrize(
    ("m", "options", "call"),
    [
        (100, "", "shap_values(X, out, 2)"),
        (1_000_000, "memory_limit=0", "shap_values(X, out, 2)"),
        (1000, "method='pairwise'", "shap_values(X, out, 2)"),
        (1000, "interactions=True", "interaction_values(X[:9999], np.empty((9999, 20, 20, 1)), 2)"),
    ],
    ids=["look-ups", "tables", "pairwise", "interactions"],
)
def test_ctrl_c_ends_a_long_call_with_background(m: int, options: str, call: str) -> None:
    check_ctrl_c(f"plan.{call}", "plan = " + BACKGROUND.format(m=m, options=options))


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for a single process")
def test_ctrl_c_ends_a_long_call_with_pairs_of_rows() -> None:
    check_ctrl_c(
        "plan.shap_values(X, out, 2)",
        "plan = _core.PairwisePlan(ensemble, 'float64', X[:1000], None)",
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for a single process")
@pytest.mark.parametrize("output", ["raw", "logistic"])
def test_ctrl_c_ends_a_long_call_with_coalitions(output: str) -> None:
    check_ctrl_c(
        "game.values(X[:50_000], players, coalitions, np.empty((500, 50_000, 1)), 2)",
        f"game = _core.CoalitionGame(ensemble, X[:1000], None, -1, {output!r})\n"
        "players = np.arange(20, dtype=np.int32)\n"
        "coalitions = np.random.default_rng(0).random((500, 20)) < 0.5",
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for a single process")
@pytest.mark.parametrize(
    ("all_values", "call"),
    [
        (False, "respond(X, sources, 0, len(X), np.empty((20, 1, len(X), 1)), None, 2)"),
        (False, "respond(X, sources, 0, len(X), np.empty((20, 1, len(X), 1)), None, 1)"),
        (False, "predict(X, np.empty((len(X), 1)), 2)"),
        (True, "curves(X[:100_000], np.empty((100_000, plan.cell_offsets[-1], 1)), 2)"),
        (True, "means(X, None, 2)"),
    ],
    ids=["respond", "one thread", "predict", "curves", "means"],
)
def test_ctrl_c_ends_a_long_call_with_responses(all_values: bool, call: str) -> None:
    check_ctrl_c(
        f"plan.{call}",
        "players = np.arange(20, dtype=np.int32)\n"
        f"plan = _core.ResponsePlan(ensemble, -1, players, X[:50], {all_values})\n"
        "sources = np.zeros((1, len(X)), dtype=np.int64)",
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_child_does_not_wait_for_its_parents_threads() -> None:
    code = """
import multiprocessing, sys
import numpy as np
import leafshap
from small_ensembles import stump

explainer = leafshap.TreeExplainer(stump(), n_jobs=2)
X = np.zeros((3000, explainer.model.n_features))
explainer.shap_values(X)
child = multiprocessing.get_context("fork").Process(target=explainer.shap_values, args=(X,))
child.start()
child.join(30)
sys.exit(child.exitcode if child.exitcode is not None else 99)
"""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
