"""TreeEnsemble: predictions by hand and by the oracle, and what it refuses."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import oracle
from leafshap import InvalidInputError, InvalidModelError, TreeEnsemble, UnsupportedModelError
from small_ensembles import assert_same, no_trees, stump
from strategies import Recipe, random_ensemble, random_rows


class TestPredict:
    def test_by_hand(self) -> None:
        ensemble = TreeEnsemble.from_model(stump())
        X = np.array([[1.0, 0], [2.0, 0], [np.nan, 0]])
        np.testing.assert_array_equal(ensemble.predict(X), [6.0, 11.0, 11.0])
        assert ensemble.predict(X[0]) == 6.0
        np.testing.assert_array_equal(ensemble.expected_values(), [1 + 0.5 * (30 * 10 + 200) / 40])

    @pytest.mark.parametrize("vector_leaves", [True, False])
    @pytest.mark.parametrize("n_outputs", [1, 3])
    def test_by_the_oracle(self, n_outputs: int, vector_leaves: bool) -> None:
        arrays = random_ensemble(Recipe(seed=2, n_outputs=n_outputs, vector_leaves=vector_leaves))
        X = random_rows(arrays, 200)
        expected = oracle.predict(arrays, X)
        ensemble = TreeEnsemble(arrays)
        result = ensemble.predict(X)
        assert result.dtype == np.float64
        assert result.shape == ((200,) if n_outputs == 1 else (200, n_outputs))
        np.testing.assert_allclose(result.reshape(200, -1), expected, rtol=1e-13, atol=1e-13)
        one = ensemble.predict(X[7])
        assert np.shape(one) == (() if n_outputs == 1 else (n_outputs,))
        np.testing.assert_array_equal(one, result[7])
        assert ensemble.predict(X[:0]).shape == ((0,) if n_outputs == 1 else (0, n_outputs))

    def test_blocks_and_threads_change_nothing(self) -> None:
        arrays = random_ensemble(Recipe(seed=3, n_features=3))
        X = random_rows(arrays, 900_000)  # more than one block when converted
        ensemble = TreeEnsemble(arrays)
        expected = ensemble.predict(X, n_jobs=1)
        np.testing.assert_array_equal(ensemble.predict(np.asfortranarray(X), n_jobs=2), expected)
        few = slice(899_950, None)
        np.testing.assert_allclose(
            expected[few], oracle.predict(arrays, X[few])[:, 0], rtol=1e-13, atol=1e-13
        )

    def test_tree_limit(self) -> None:
        arrays = replace(random_ensemble(Recipe(seed=4, n_trees=5)), tree_limit=2)
        X = random_rows(arrays, 50)
        ensemble = TreeEnsemble(arrays)
        for limit, used in [(None, 2), (1, 1), (4, 4), (-1, 5), (5, 5), (99, 5)]:
            assert ensemble.count_trees(limit) == used
            np.testing.assert_allclose(
                ensemble.predict(X, tree_limit=limit),
                oracle.predict(arrays, X, used)[:, 0],
                rtol=1e-13,
                atol=1e-13,
            )
            np.testing.assert_allclose(
                ensemble.expected_values(limit), oracle.expected_values(arrays, used), rtol=1e-13
            )
        wrong: list[Any] = [0, -2, True, 1.0, "3"]
        for value in wrong:
            with pytest.raises(InvalidInputError, match="tree_limit"):
                ensemble.predict(X, tree_limit=value)

    def test_no_trees(self) -> None:
        ensemble = TreeEnsemble(no_trees())
        np.testing.assert_array_equal(ensemble.predict(np.ones((4, 2))), [1.0] * 4)

    @pytest.mark.parametrize("n_jobs", [0, -2, 1.5, True, None])
    def test_n_jobs(self, n_jobs: Any) -> None:
        with pytest.raises(InvalidInputError, match="n_jobs"):
            TreeEnsemble(stump()).predict(np.ones((1, 2)), n_jobs=n_jobs)


class TestThreads:
    def test_all_cores_and_omp_num_threads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from leafshap.threads import count_threads

        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        if hasattr(os, "sched_getaffinity"):
            monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(7)))
            assert count_threads(-1) == 7
        monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
        assert count_threads(-1) == 3
        assert count_threads(5) == 5  # asked for by name
        for ignored in ("", "0", "many", "-1"):
            monkeypatch.setenv("OMP_NUM_THREADS", ignored)
            assert count_threads(-1) >= 1


class TestProperties:
    def test_sizes_and_metadata(self) -> None:
        ensemble = TreeEnsemble(stump(feature_names=["a", "b"], link="exp"))
        assert (ensemble.n_trees, ensemble.n_features, ensemble.n_outputs) == (1, 2, 1)
        assert (ensemble.n_nodes, ensemble.n_leaves, ensemble.max_depth) == (3, 2, 1)
        assert (ensemble.link, ensemble.source, ensemble.tree_limit) == ("exp", "a stump", None)
        assert ensemble.feature_names == ["a", "b"]
        assert ensemble.output_names is None
        np.testing.assert_array_equal(ensemble.base_values, [1.0])
        for word in ("1 tree", "2 leaves", "2 features", "a stump"):
            assert word in repr(ensemble)

    def test_nothing_can_be_changed_from_outside(self) -> None:
        arrays = stump(feature_names=["a", "b"])
        ensemble = TreeEnsemble(arrays)
        arrays.leaf_value[:] = 99
        arrays.base_values[:] = 99
        names = ensemble.feature_names
        assert names is not None
        names[0] = "changed"
        assert ensemble.feature_names == ["a", "b"]
        with pytest.raises(ValueError, match="read-only"):
            ensemble.base_values[0] = 99
        assert ensemble.predict(np.array([1.0, 0])) == 6.0

    def test_from_model_takes_itself_and_arrays(self) -> None:
        ensemble = TreeEnsemble.from_model(stump())
        assert TreeEnsemble.from_model(ensemble) is ensemble
        assert_same(ensemble.to_arrays(), stump())

    def test_from_model_refuses_by_name(self) -> None:
        with pytest.raises(UnsupportedModelError, match=r"builtins\.dict"):
            TreeEnsemble.from_model({})
        with pytest.raises(UnsupportedModelError, match=r"model\.pkl"):
            TreeEnsemble.from_model(Path("model.pkl"))

    def test_invalid_arrays(self) -> None:
        with pytest.raises(InvalidModelError, match="tree 0, node 0"):
            TreeEnsemble(stump(split_feature=np.array([7, -1, -1], np.int32)))
