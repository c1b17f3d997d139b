"""Fixtures: every instruction set of this machine, and one call from arrays to values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, settings

from leafshap import _core

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leafshap.converters.arrays import EnsembleArrays

# one core, deterministic: a failing example is found again by the next run
settings.register_profile(
    "leafshap",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("leafshap")


@pytest.fixture(params=_core.build_info()["available_isas"])
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test once with every instruction set that this machine has."""
    before = _core.build_info()["isa"]
    _core.set_isa(request.param)
    yield request.param
    _core.set_isa(before)


class Explain(Protocol):
    def __call__(
        self,
        arrays: EnsembleArrays,
        X: npt.NDArray[Any],
        dtype: Literal["float64", "float32"] = "float64",
        *,
        n_trees: int = -1,
        n_threads: int = 1,
        approximate: bool = False,
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]: ...


@pytest.fixture(scope="session")
def explain() -> Explain:
    """Values (n, F, K) and expected values (K,) by the core alone, without the Python API."""

    def run(
        arrays: EnsembleArrays,
        X: npt.NDArray[Any],
        dtype: Literal["float64", "float32"] = "float64",
        *,
        n_trees: int = -1,
        n_threads: int = 1,
        approximate: bool = False,
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
        plan = _core.PathPlan(_core.Ensemble(arrays.as_dict()), dtype, n_trees)
        # the kernel must write every value, not add to what is there
        out = np.full((len(X), arrays.n_features, arrays.n_outputs), np.nan, dtype=dtype)
        call = plan.approximate if approximate else plan.shap_values
        call(X, out, n_threads)
        return out, np.asarray(plan.expected_values)

    return run
