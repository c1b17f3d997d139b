"""The public API: shapes, arguments, names, errors, threads, and the additivity check."""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import leafshap
import oracle
from leafshap import (
    AdditivityError,
    Explanation,
    InvalidInputError,
    LeafshapError,
    TreeExplainer,
    UnsupportedModelError,
)
from leafshap.converters.arrays import EnsembleArrays
from strategies import Recipe, random_ensemble, random_rows

NUMERIC = Recipe(seed=1, n_trees=4, n_features=5, categorical=0.0, n_leaves=8)


def case(**changes: Any) -> tuple[EnsembleArrays, npt.NDArray[np.float64]]:
    arrays = random_ensemble(NUMERIC.but(**changes))
    return arrays, random_rows(arrays, 60)


def assert_close(values: npt.NDArray[Any], expected: npt.NDArray[Any], tol: float = 1e-10) -> None:
    assert values.shape == expected.shape
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    assert np.abs(values - expected).max(initial=0) <= tol * scale


class TestImport:
    def test_is_quick_and_brings_no_framework(self) -> None:
        code = """
import sys, time, json
import numpy
began = time.perf_counter()
import leafshap
took = time.perf_counter() - began
print(json.dumps([took, sorted({name.partition(".")[0] for name in sys.modules})]))
"""
        runs = [
            json.loads(
                subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
            )
            for _ in range(3)
        ]
        loaded = set(runs[0][1])
        assert "leafshap" in loaded
        frameworks = {"xgboost", "lightgbm", "sklearn", "catboost", "shap", "scipy", "joblib"}
        tables = {"pandas", "polars", "pyarrow", "matplotlib", "rich"}
        assert not loaded & (frameworks | tables)
        assert min(run[0] for run in runs) < 0.2

    def test_public_names(self) -> None:
        for name in leafshap.__all__:
            assert hasattr(leafshap, name)
        assert leafshap.__version__ == leafshap.build_info()["version"]
        assert {"compiler", "isa", "available_isas"} <= leafshap.build_info().keys()

    def test_public_docstrings(self) -> None:
        for name in leafshap.__all__:
            item = getattr(leafshap, name)
            if not inspect.isclass(item):
                continue
            assert item.__doc__
            for member, value in vars(item).items():
                if not member.startswith("_") and (callable(value) or isinstance(value, property)):
                    assert value.__doc__, f"{name}.{member}"

    def test_signatures_of_shap(self) -> None:
        names = list(inspect.signature(TreeExplainer.shap_values).parameters)
        assert names == ["self", "X", "y", "tree_limit", "approximate", "check_additivity"]
        names = list(inspect.signature(TreeExplainer).parameters)
        assert names[:4] == ["model", "data", "model_output", "feature_perturbation"]


class TestShapes:
    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    @pytest.mark.parametrize("n_outputs", [1, 3])
    def test_values_and_expected_value(self, n_outputs: int, dtype: str) -> None:
        arrays, X = case(n_outputs=n_outputs)
        expected, base = oracle.shap_brute_force(arrays, X)
        explainer = TreeExplainer(arrays, dtype=dtype)
        tol = 1e-10 if dtype == "float64" else 2e-6
        values = explainer.shap_values(X)
        assert values.dtype == dtype
        if n_outputs == 1:
            assert_close(values, expected[..., 0], tol)
            assert type(explainer.expected_value) is float
            assert explainer.expected_value == pytest.approx(base[0], rel=1e-12)
        else:
            assert_close(values, expected, tol)
            assert isinstance(explainer.expected_value, np.ndarray)
            assert_close(explainer.expected_value, base, 1e-12)
            with pytest.raises(ValueError, match="read-only"):
                explainer.expected_value[0] = 0
        np.testing.assert_array_equal(explainer.shap_values(X[3]), values[3])
        np.testing.assert_array_equal(explainer.shap_values(X[3:4]), values[3:4])
        assert explainer.shap_values(X[:0]).shape == (0, *values.shape[1:])

    def test_expected_value_never_changes(self) -> None:
        arrays, X = case(n_outputs=3)
        explainer = TreeExplainer(arrays)
        before = np.copy(explainer.expected_value)
        explainer.shap_values(X, tree_limit=2)
        explainer.shap_values(X, approximate=True)
        explainer(X)
        assert isinstance(explainer.expected_value, np.ndarray)
        np.testing.assert_array_equal(explainer.expected_value, before)

    @pytest.mark.parametrize("n_outputs", [1, 3])
    def test_explanation(self, n_outputs: int) -> None:
        arrays, X = case(n_outputs=n_outputs)
        arrays = replace(arrays, output_names=["a", "b", "c"][:n_outputs])
        explainer = TreeExplainer(arrays)
        explanation = explainer(X)
        assert isinstance(explanation, Explanation)
        np.testing.assert_array_equal(explanation.values, explainer.shap_values(X))
        assert explanation.base_values.shape == ((60,) if n_outputs == 1 else (60, 3))
        assert (explanation.base_values == explainer.expected_value).all()
        assert explanation.data is X
        assert explanation.output_names == arrays.output_names
        assert explanation.compute_time is not None
        assert explanation.compute_time > 0
        one = explainer(X[5])
        assert one.values.shape == explanation.values.shape[1:]
        assert one.base_values.shape == (() if n_outputs == 1 else (3,))
        np.testing.assert_array_equal(one.values, explanation[5].values)

    def test_approximate_is_saabas(self) -> None:
        arrays, X = case(n_outputs=2)
        explainer = TreeExplainer(arrays)
        assert_close(explainer.shap_values(X, approximate=True), oracle.saabas(arrays, X))
        assert_close(explainer(X, approximate=True).values, oracle.saabas(arrays, X))

    @pytest.mark.parametrize("averaged", [False, True])
    def test_tree_limit(self, averaged: bool) -> None:
        arrays, X = case()
        arrays = replace(arrays, tree_limit=3, averaged=averaged)
        explainer = TreeExplainer(arrays)
        for limit, used in [(None, 3), (1, 1), (2, 2), (-1, 4), (4, 4), (1000, 4)]:
            expected, base = oracle.shap_brute_force(arrays, X, used)
            values = explainer.shap_values(X, tree_limit=limit)
            assert_close(values, expected[..., 0])
            assert_close(explainer.model.expected_values(limit), base, 1e-12)
        assert explainer.expected_value == pytest.approx(
            oracle.expected_values(arrays, 3)[0], rel=1e-12
        )

    def test_converted_blocks_and_threads_give_the_same_bits(self) -> None:
        arrays, _ = case(n_outputs=2)
        X = random_rows(arrays, 900_000)[:, :]
        assert X.nbytes > 2 * (16 << 20)  # several blocks when it is converted
        expected = TreeExplainer(arrays, n_jobs=1).shap_values(X)
        explainer = TreeExplainer(arrays, n_jobs=2)
        np.testing.assert_array_equal(explainer.shap_values(np.asfortranarray(X)), expected)
        rows = np.arange(0, len(X), 45_001)
        assert_close(expected[rows], oracle.shap_brute_force(arrays, X[rows])[0])


class TestContainers:
    def test_all_give_the_same_bits(self) -> None:
        arrays, _ = case(precision="float64")
        names = ["a", "b", "c", "d", "e"]
        arrays = replace(arrays, feature_names=names)
        X = np.round(random_rows(arrays, 40), 3)
        X[~np.isfinite(X)] = 0.5
        explainer = TreeExplainer(arrays)
        expected = explainer.shap_values(X)
        assert float(np.ptp(expected)) > 0
        forms: dict[str, Any] = {"list": X.tolist(), "object": X.astype(object)}
        forms["fortran"] = np.asfortranarray(X)
        pandas = pytest.importorskip("pandas")
        forms["pandas"] = pandas.DataFrame(X, columns=names)
        makers: dict[str, Callable[[Any], Any]] = {
            "polars": lambda m: m.DataFrame(X, schema=names),
            "pyarrow": lambda m: m.table(list(X.T), names=names),
            "scipy.sparse": lambda m: m.coo_matrix(X),
        }
        for name, make in makers.items():
            if importlib.util.find_spec(name) is not None:
                forms[name] = make(importlib.import_module(name))
        for name, form in forms.items():
            np.testing.assert_array_equal(explainer.shap_values(form), expected, err_msg=name)
        np.testing.assert_array_equal(
            explainer.shap_values(forms["pandas"].iloc[2]), expected[2], err_msg="a pandas row"
        )

    def test_float32_is_not_widened_differently(self) -> None:
        arrays, _ = case(precision="float64")
        X = random_rows(arrays, 50, dtype=np.float32)
        values = TreeExplainer(arrays).shap_values(X)
        assert_close(values, oracle.shap_brute_force(arrays, X.astype(np.float64))[0][..., 0])

    def test_wrong_columns(self) -> None:
        arrays, X = case()
        explainer = TreeExplainer(arrays)
        for wrong in (X[:, :4], np.hstack([X, X]), X[0, :3]):
            with pytest.raises(InvalidInputError, match="columns"):
                explainer.shap_values(wrong)

    def test_names(self) -> None:
        pandas = pytest.importorskip("pandas")
        arrays, X = case()
        table = pandas.DataFrame(X, columns=list("vwxyz"))
        assert TreeExplainer(arrays)(X).feature_names is None
        assert TreeExplainer(arrays)(table).feature_names == list("vwxyz")
        named = replace(arrays, feature_names=list("vwxyz"))
        assert TreeExplainer(named)(X).feature_names == list("vwxyz")
        mine = TreeExplainer(named, feature_names=np.array(list("VWXYZ")))
        assert mine(table).feature_names == list("VWXYZ")
        with pytest.raises(InvalidInputError, match="another order"):
            TreeExplainer(named).shap_values(table[list("zyxwv")])


class TestArguments:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"model_output": "margin"}, "model_output 'margin'"),
            ({"feature_perturbation": "observational"}, "feature_perturbation 'observational'"),
            ({"feature_names": ["a"]}, "1 names.*5 features"),
            ({"feature_names": "abcde"}, "sequence"),
            ({"dtype": "float16"}, "dtype"),
            ({"dtype": "nonsense"}, "dtype"),
            ({"dtype": int}, "dtype"),
            ({"n_jobs": 0}, "n_jobs"),
            ({"n_jobs": "all"}, "n_jobs"),
            ({"feature_perturbation": "interventional"}, "needs background data"),
            ({"sample_weight": [1.0]}, "no data="),
        ],
    )
    def test_unknown(self, arguments: dict[str, Any], words: str) -> None:
        with pytest.raises(InvalidInputError, match=words):
            TreeExplainer(case()[0], **arguments)

    @pytest.mark.parametrize("dtype", [np.float32, np.dtype("float32"), "f4"])
    def test_dtypes_by_any_name(self, dtype: Any) -> None:
        arrays, X = case()
        assert TreeExplainer(arrays, dtype=dtype).shap_values(X).dtype == np.float32

    def test_a_model_without_cover(self) -> None:
        with pytest.raises(UnsupportedModelError, match=r"cover.*data="):
            TreeExplainer(replace(case()[0], cover=None))

    def test_tree_limit_and_check_additivity(self) -> None:
        arrays, X = case()
        explainer = TreeExplainer(arrays)
        for limit in (0, -3, 1.5):
            with pytest.raises(InvalidInputError, match="tree_limit"):
                explainer.shap_values(X, tree_limit=limit)  # type: ignore[arg-type]
        for which in ("some", 2, None):
            with pytest.raises(InvalidInputError, match="check_additivity"):
                explainer.shap_values(X, check_additivity=which)  # type: ignore[arg-type]

    def test_errors_are_what_callers_expect(self) -> None:
        assert issubclass(InvalidInputError, ValueError)
        assert issubclass(UnsupportedModelError, NotImplementedError)
        assert issubclass(AdditivityError, LeafshapError)


class TestConcurrency:
    def test_one_explainer_in_many_threads(self) -> None:
        arrays, X = case(n_trees=8)
        explainer = TreeExplainer(arrays, n_jobs=1)
        limits = [1, 2, 3, 4, 5, 6, 7, 8]  # more than the plans that are kept
        expected = {limit: oracle.shap_by_leaves(arrays, X, limit)[0] for limit in limits}
        barrier = threading.Barrier(4)

        def work(seed: int) -> None:
            barrier.wait()
            for limit in np.random.default_rng(seed).permutation(limits * 3):
                values = explainer.shap_values(X, tree_limit=int(limit))
                assert_close(values, expected[int(limit)][..., 0])

        with ThreadPoolExecutor(4) as pool:
            for future in [pool.submit(work, seed) for seed in range(4)]:
                future.result()

    def test_pickle(self) -> None:
        arrays, X = case(n_outputs=3)
        explainer = TreeExplainer(arrays, dtype="float32", feature_names=list("abcde"), n_jobs=1)
        expected = explainer.shap_values(X)
        copy = pickle.loads(pickle.dumps(explainer))
        np.testing.assert_array_equal(copy.shap_values(X), expected)
        np.testing.assert_array_equal(copy.expected_value, explainer.expected_value)
        assert copy(X).feature_names == list("abcde")
        with pytest.raises(ValueError, match="read-only"):
            copy.expected_value[0] = 1

    def test_ctrl_c_stops_a_long_call(self) -> None:
        code = """
import _thread, signal, threading, time, sys
import numpy as np
# whoever runs the tests in the background may have SIGINT ignored, and children inherit that
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, sys.argv[1])
from strategies import Recipe, random_ensemble
import leafshap
arrays = random_ensemble(Recipe(n_trees=60, n_features=20, shape="balanced", depth=9))
explainer = leafshap.TreeExplainer(arrays, n_jobs=1)
X = np.random.default_rng(0).normal(size=(200_000, 20))
explainer.shap_values(X[:10])
def interrupt():
    global at
    at = time.perf_counter()
    _thread.interrupt_main()
threading.Timer(0.5, interrupt).start()
try:
    explainer.shap_values(X)
except KeyboardInterrupt:
    print(time.perf_counter() - at)
else:
    print("finished")
"""
        run = subprocess.run(
            [sys.executable, "-c", code, os.path.dirname(__file__)],
            capture_output=True, check=True, text=True, timeout=120,
        )  # fmt: skip
        assert float(run.stdout) < 2.0
