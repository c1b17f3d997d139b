"""Small explanations with names, data in any container, and numbers that are easy to check."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from leafshap import Explanation

NAMES = ["age", "income", "wage", "city"]
OUTPUTS = ["class 0", "class 1", "class 2"]
CONTAINERS = ["numpy", "list", "pandas", "polars", "pyarrow", "sparse"]


def table(X: npt.NDArray[Any], kind: str) -> Any:
    """The same numbers in another container."""
    names = NAMES[: X.shape[1]]
    if kind == "list":
        return X.tolist()
    if kind == "pandas":
        pandas = pytest.importorskip("pandas")
        return pandas.DataFrame(X, columns=names, index=[f"r{i}" for i in range(len(X))])
    if kind == "polars":
        return pytest.importorskip("polars").DataFrame(X, schema=names)
    if kind == "pyarrow":
        return pytest.importorskip("pyarrow").table(list(X.T), names=names)
    if kind == "sparse":
        return pytest.importorskip("scipy.sparse").csr_array(X)
    return X


def plain(data: Any) -> npt.NDArray[Any]:
    """What of a container, a series or a scalar, as numpy."""
    if hasattr(data, "toarray"):
        return np.asarray(data.toarray())
    if type(data).__module__.startswith("pyarrow") and hasattr(data, "columns"):
        return np.stack([column.to_numpy() for column in data.columns], axis=1)
    return np.asarray(data.to_numpy() if hasattr(data, "to_numpy") else data)


def make(
    n: int = 7,
    n_outputs: int = 0,
    *,
    interactions: bool = False,
    kind: str | None = "numpy",
    seed: int = 0,
    dtype: str = "float64",
    names: bool = True,
) -> Explanation:
    rng = np.random.default_rng(seed)
    n_features = len(NAMES)
    tail = (n_outputs,) if n_outputs else ()
    shape = (n, n_features, *((n_features,) if interactions else ()), *tail)
    values: npt.NDArray[Any] = rng.normal(size=shape).astype(dtype)
    if interactions:
        values = values + np.swapaxes(values, 1, 2)
    return Explanation(
        values=values,
        base_values=rng.normal(size=(n, *tail)),
        data=None if kind is None else table(rng.integers(0, 9, (n, n_features)) * 1.0, kind),
        feature_names=NAMES if names else None,
        output_names=OUTPUTS[:n_outputs] if n_outputs and names else None,
        standard_errors=np.abs(values) / 10,
        n_evaluations=np.arange(n) + 10,
        exact=False,
    )
