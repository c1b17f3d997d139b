"""Every instruction set of the machine can be asked for, and gives the same values."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from leafshap import _core
from strategies import Recipe, random_ensemble, random_rows

if TYPE_CHECKING:
    from conftest import Explain

KNOWN = ["baseline", "avx2", "avx512"]
AVAILABLE = list(_core.build_info()["available_isas"])


def in_subprocess(isa: str) -> subprocess.CompletedProcess[str]:
    code = "from leafshap import _core; print(_core.build_info()['isa'])"
    env = {**os.environ, "LEAFSHAP_ISA": isa, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)


def test_baseline_is_always_there() -> None:
    assert "baseline" in AVAILABLE
    assert set(AVAILABLE) <= set(KNOWN)


@pytest.mark.parametrize("isa", AVAILABLE)
def test_environment_forces_an_instruction_set(isa: str) -> None:
    result = in_subprocess(isa)
    assert result.stdout.split() == [isa], result.stderr


@pytest.mark.parametrize("name", ["sse9", "AVX2 ", *(set(KNOWN) - set(AVAILABLE))])
def test_unknown_name_in_the_environment_is_an_error(name: str) -> None:
    result = in_subprocess(name)
    assert result.returncode == 1  # an exception, not a signal
    assert name.strip() in result.stderr
    assert "baseline" in result.stderr  # says what there is


@pytest.mark.parametrize("name", ["sse9", "", *(set(KNOWN) - set(AVAILABLE))])
def test_unknown_name_is_an_error(name: str) -> None:
    before = _core.build_info()["isa"]
    with pytest.raises(ValueError, match="baseline"):
        _core.set_isa(name)
    assert _core.build_info()["isa"] == before


def test_set_isa_is_reported(isa: str) -> None:
    assert _core.build_info()["isa"] == isa


def test_instruction_sets_differ_by_rounding_only(explain: Explain) -> None:
    arrays = random_ensemble(Recipe(n_trees=20, n_outputs=2, n_leaves=30, depth=8))
    X = random_rows(arrays, 50)
    before = _core.build_info()["isa"]
    values, approximate, raw = [], [], []
    try:
        for isa in AVAILABLE:
            _core.set_isa(isa)
            values.append(explain(arrays, X)[0])
            approximate.append(explain(arrays, X, approximate=True)[0])
            raw.append(_core.Ensemble(arrays.as_dict()).predict(X))
    finally:
        _core.set_isa(before)
    for i in range(1, len(AVAILABLE)):
        np.testing.assert_allclose(values[i], values[0], rtol=0, atol=1e-12)
        np.testing.assert_allclose(approximate[i], approximate[0], rtol=0, atol=1e-12)
        np.testing.assert_allclose(raw[i], raw[0], rtol=1e-14, atol=1e-14)


def test_plan_outlives_a_change_of_instruction_set() -> None:
    """A plan made under one instruction set stays usable under every other."""
    arrays = random_ensemble(Recipe(n_trees=5))
    X = random_rows(arrays, 33)
    plans = []
    before = _core.build_info()["isa"]
    try:
        for isa in AVAILABLE:
            _core.set_isa(isa)
            plans.append(_core.PathPlan(_core.Ensemble(arrays.as_dict()), "float64"))
        results = []
        for isa in AVAILABLE:
            _core.set_isa(isa)
            for plan in plans:
                out = np.empty((33, arrays.n_features, 1))
                plan.shap_values(X, out, 1)
                results.append(out)
    finally:
        _core.set_isa(before)
    for result in results:
        np.testing.assert_allclose(result, results[0], rtol=0, atol=1e-12)
