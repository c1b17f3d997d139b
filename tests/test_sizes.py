"""Sizes beyond 16 and 32 bits, without the memory they would need.

A matrix of more than 2^32 elements is made of one physical row mapped again and again: the first
and the last row have pages of their own, all rows between share theirs. An index that wraps around
would read the wrong row or write into the first one.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest

import oracle
from leafshap import _core
from strategies import Recipe, random_ensemble, random_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Explain
    from leafshap.converters.arrays import EnsembleArrays

WIDTH = 2**20  # columns; a float32 row is 4 MiB
N_ROWS = 2**12 + 33
MAP_FIXED, MAP_NORESERVE, MAP_POPULATE = 0x10, 0x4000, 0x8000


@contextmanager
def repeated_rows(
    n_rows: int, row_bytes: int, *, populate: bool
) -> Iterator[npt.NDArray[np.float32]]:
    """A float32 matrix (n_rows, row_bytes / 4) whose rows 1 .. n_rows - 2 share their memory."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    size = n_rows * row_bytes
    no_access, both = 0, mmap.PROT_READ | mmap.PROT_WRITE
    start = libc.mmap(
        None, size, no_access, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE, -1, 0
    )
    failed = ctypes.c_void_p(-1).value
    if start == failed:
        pytest.skip("the system gives no address space of that size")
    rows = os.memfd_create("rows")
    try:
        os.ftruncate(rows, 3 * row_bytes)
        for i in range(n_rows):
            which = 0 if i == 0 else 2 if i == n_rows - 1 else 1
            at = start + i * row_bytes
            flags = mmap.MAP_SHARED | MAP_FIXED | MAP_POPULATE * populate
            if libc.mmap(at, row_bytes, both, flags, rows, which * row_bytes) == failed:
                pytest.skip("the system does not allow that many mappings")
        memory = (ctypes.c_char * size).from_address(start)
        yield np.frombuffer(memoryview(memory), dtype=np.float32).reshape(n_rows, row_bytes // 4)
    finally:
        libc.munmap(start, size)
        os.close(rows)


def widened(arrays: EnsembleArrays) -> EnsembleArrays:
    """The same trees over WIDTH columns, the features spread over all of them."""
    place = np.linspace(0, WIDTH - 1, arrays.n_features).astype(np.int32)
    split = arrays.split_feature >= 0
    arrays.split_feature[split] = place[arrays.split_feature[split]]
    arrays.n_features = WIDTH
    return arrays


@pytest.mark.skipif(sys.platform != "linux", reason="maps memory by Linux's calls")
@pytest.mark.parametrize("method", ["shap_values", "approximate"])
def test_more_than_2_32_elements(method: str) -> None:
    recipe = Recipe(n_trees=3, n_features=5, categorical=0.0)
    arrays = widened(random_ensemble(recipe))
    columns = np.unique(arrays.split_feature[arrays.split_feature >= 0])
    three = random_rows(random_ensemble(recipe), 3, dtype=np.float32)
    small = np.zeros((3, WIDTH), dtype=np.float32)
    small[:, np.linspace(0, WIDTH - 1, 5).astype(int)] = three
    expected = {
        "shap_values": lambda: oracle.shap_by_leaves(arrays, small)[0],
        "approximate": lambda: oracle.saabas(arrays, small),
    }[method]()[:, columns, 0]
    raw = oracle.predict(arrays, small)
    assert np.ptp(expected, axis=0).max() > 1e-3  # the rows can be told apart

    ensemble = _core.Ensemble(arrays.as_dict())
    plan = _core.PathPlan(ensemble, "float32")
    row_bytes = WIDTH * 4
    with (
        repeated_rows(N_ROWS, row_bytes, populate=False) as X,
        repeated_rows(N_ROWS, row_bytes, populate=True) as out,  # a page fault each is slow
    ):
        assert X.size > 2**32
        X[0], X[1], X[-1] = small
        predicted = ensemble.predict(X)
        np.testing.assert_allclose(predicted[[0, 1, N_ROWS - 2, -1]], raw[[0, 1, 1, 2]], rtol=1e-12)
        out[0] = out[1] = out[-1] = np.nan
        getattr(plan, method)(X, out.reshape(N_ROWS, WIDTH, 1), 1)
        for row, values in zip((out[0], out[1], out[-1]), expected, strict=True):
            np.testing.assert_allclose(row[columns], values, atol=1e-5)
            assert np.count_nonzero(row) <= len(columns)
        del X, out


def stumps(thresholds: npt.NDArray[np.float64], seed: int = 0) -> EnsembleArrays:
    """One tree ``x0 < threshold`` for each threshold."""
    arrays = random_ensemble(
        Recipe(n_trees=1, n_features=1, shape="balanced", depth=1, categorical=0.0)
    )
    rng = np.random.default_rng(seed)
    n = len(thresholds)
    for name in ("split_feature", "left", "right", "default_left", "missing", "categorical"):
        setattr(arrays, name, np.tile(getattr(arrays, name), n))
    arrays.tree_offsets = np.arange(n + 1, dtype=np.int64) * 3
    arrays.tree_output = np.zeros(n, np.int32)
    arrays.tree_weight = np.ones(n)
    arrays.missing[:] = 0
    arrays.threshold = np.zeros(3 * n)
    arrays.threshold[::3] = thresholds
    arrays.default_left[::3] = rng.random(n) < 0.5
    arrays.cover = np.tile([4.0, 1.0, 3.0], n)
    arrays.leaf_value = rng.normal(size=3 * n)
    arrays.leaf_value[::3] = 0.0
    return arrays


@pytest.mark.parametrize("n_cuts", [65533, 65534, 65535, 65536, 70_000, 140_000])
def test_more_than_2_16_thresholds_of_a_feature(n_cuts: int, explain: Explain) -> None:
    """A model with one feature: phi is the prediction less its expectation, whatever the trees."""
    rng = np.random.default_rng(1)
    arrays = stumps(rng.permutation(np.arange(n_cuts, dtype=np.float64)))
    edges = [0, 1, 65532, 65533, 65534, 65535, 65536, 65537, n_cuts - 2, n_cuts - 1, n_cuts]
    X = np.concatenate(
        [edges, rng.integers(-5, n_cuts + 5, 40) + rng.choice([0.0, 0.5], 40), [np.nan, np.inf]]
    )[:, None]
    # scalar prediction in numpy: how many stumps go left
    first = np.argsort(arrays.threshold[::3])
    left, right = arrays.leaf_value[1::3], arrays.leaf_value[2::3]
    gain = np.concatenate([[0.0], np.cumsum((right - left)[first])])
    n_right = np.searchsorted(np.arange(n_cuts), np.nan_to_num(X[:, 0], posinf=1e9), side="right")
    raw = left.sum() + gain[n_right]
    raw[-2] = np.where(arrays.default_left[::3], left, right).sum()
    mean = float((0.25 * left + 0.75 * right).sum())
    phi, base = explain(arrays, X)
    scale = np.abs(raw - mean).max()
    np.testing.assert_allclose(phi[:, 0, 0], raw - mean, atol=1e-10 * scale)
    np.testing.assert_allclose(base - arrays.base_values, mean, atol=1e-9)


def one_category_each(n_nodes: int, codes_per_node: int, n_codes: int) -> EnsembleArrays:
    rng = np.random.default_rng(2)
    arrays = stumps(np.zeros(n_nodes))
    sets = [np.sort(rng.choice(n_codes, codes_per_node, replace=False)) for _ in range(n_nodes)]
    arrays.categorical[::3] = 1 + np.arange(n_nodes) % 2
    sizes = np.zeros(3 * n_nodes, dtype=np.int64)
    sizes[::3] = codes_per_node
    arrays.category_offsets = np.concatenate([[0], np.cumsum(sizes)])
    arrays.category_codes = np.concatenate(sets).astype(np.int32)
    return arrays


@pytest.mark.parametrize("n_codes", [60_000, 65_534, 65_535, 65_536, 200_000, 2**31 - 2])
def test_more_than_2_16_categories(n_codes: int, explain: Explain) -> None:
    codes_per_node = min(n_codes // 2, 90_000)
    if n_codes > 10**6:  # few, but far apart
        arrays = one_category_each(3, 5, 1000)
        arrays.category_codes[-1] = n_codes
    else:
        arrays = one_category_each(5, codes_per_node, n_codes)
    arrays.input_precision = "float64"
    rng = np.random.default_rng(3)
    some = arrays.category_codes[rng.integers(len(arrays.category_codes), size=60)]
    X = np.concatenate(
        [some, rng.integers(0, n_codes, 60), [-1, n_codes - 1, n_codes, n_codes + 1, 2**31, np.nan]]
    ).astype(np.float64)[:, None]
    expected, _ = oracle.shap_brute_force(arrays, X)
    phi, _ = explain(arrays, X)
    np.testing.assert_allclose(phi, expected, atol=1e-12)
    np.testing.assert_allclose(
        _core.Ensemble(arrays.as_dict()).predict(X), oracle.predict(arrays, X), atol=1e-12
    )


def test_columns_of_one_feature_do_not_mix(explain: Explain) -> None:
    """Many cuts on two features at once, repeated on paths: brute force over both."""
    rng = np.random.default_rng(4)
    n = 70_000
    arrays = stumps(rng.permutation(np.arange(n, dtype=np.float64)))
    arrays.n_features = 2
    arrays.split_feature[::3] = rng.integers(2, size=n)
    X: npt.NDArray[Any] = rng.integers(-5, n + 5, (50, 2)).astype(np.float64)
    left, right = arrays.leaf_value[1::3], arrays.leaf_value[2::3]
    gain, threshold = right - left, arrays.threshold[::3]
    mean = 0.25 * left + 0.75 * right
    phi, _ = explain(arrays, X)
    for f in (0, 1):
        mine = arrays.split_feature[::3] == f
        went_right = X[:, f, None] >= threshold[None, mine]
        expected = (left[mine] + went_right * gain[mine] - mean[mine]).sum(axis=1)
        np.testing.assert_allclose(phi[:, f, 0], expected, atol=1e-9 * np.abs(expected).max())
