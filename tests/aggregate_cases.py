"""Made-up batches of SHAP values, and aggregates of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.batch.aggregates import Aggregates

NAMES = ["departure delay", "b", "c", "d"]


def make_values(
    n: int, n_features: int = 4, n_outputs: int = 1, dtype: str = "float64", seed: int = 0
) -> npt.NDArray[Any]:
    """Of many sizes and both signs, some of them zero. Shape (n, F, K)."""
    rng = np.random.default_rng(seed)
    shape = (n, n_features, n_outputs)
    values = rng.normal(size=shape) * 10.0 ** rng.integers(-3, 2, size=shape)
    values[rng.random(shape) < 0.1] = 0
    return values.astype(dtype)


def make_base(n: int, n_outputs: int = 1) -> npt.NDArray[np.float64]:
    return np.random.default_rng(1).normal(size=(n, n_outputs))


def output_names(n_outputs: int) -> list[str] | None:
    return None if n_outputs == 1 else [f"class {k}" for k in range(n_outputs)]


def added(
    aggregates: Aggregates,
    values: npt.NDArray[Any],
    sizes: Sequence[int] | None = None,
    groups: Any = None,
    names: list[str] | None = NAMES,
) -> Aggregates:
    """Add values in batches of given sizes (None: at once)."""
    base = make_base(len(values), values.shape[2])
    start = 0
    for size in [len(values)] if sizes is None else sizes:
        rows = slice(start, start + size)
        aggregates.add(
            values[rows],
            base[rows],
            names,
            output_names(values.shape[2]),
            groups=None if groups is None else groups[rows],
        )
        start += size
    assert start == len(values)
    return aggregates


def state(aggregates: Aggregates) -> dict[str, Any]:
    """Everything that a user can read, for comparison."""
    found: dict[str, Any] = {
        name: getattr(aggregates, name)
        for name in (
            "n_rows", "feature_names", "output_names", "mean_abs", "mean", "standard_deviation",
            "minimum", "maximum", "expected_value",
        )
    }  # fmt: skip
    if aggregates.group is not None:
        for value, part in aggregates.groups.items():
            found[f"group {value!r}"] = (part.n_rows, part.mean_abs, part.mean)
    if aggregates.wants_interactions:
        pairs = aggregates.interactions
        found["pairs"] = (pairs.pairs, pairs.mean_abs, pairs.mean_abs_main_effects, pairs.n_rows)
    if aggregates.wants_histograms:
        found["quantiles"] = [aggregates.quantile(q) for q in (0, 0.1, 0.5, 0.97, 1)]
    return found


def assert_same(a: Aggregates, b: Aggregates) -> None:
    """Of the same bits."""
    np.testing.assert_equal(state(a), state(b))
