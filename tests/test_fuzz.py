"""Arrays damaged at random: a clear error or a working ensemble, never a crash or a hang."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from leafshap import _core
from leafshap.errors import InvalidModelError, UnsupportedModelError
from strategies import random_ensemble, random_recipe, random_rows

EXTREMES: dict[str, list[Any]] = {
    "i": [0, 1, -1, 2, -2, 3, 7, 127, -(2**31), 2**31 - 1, -(2**63), 2**63 - 1, 2**40],
    "u": [0, 1, 2, 3, 127, 255],
    "b": [0, 1],
    "f": [0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 5e-324, 1e308, -1e308, 1e-35],
}


def damaged(d: dict[str, Any], rng: np.random.Generator) -> str:
    """Change one field in place; say how."""
    name = str(rng.choice(sorted(d)))
    value = d[name]
    if not isinstance(value, np.ndarray):
        d[name] = [None, -1, 0, 1, 2, 2**31, 2**63, 1.5, "", "<", np.nan, [], {}, "float32"][
            int(rng.integers(14))
        ]
        return f"{name} = {d[name]!r}"
    how = int(rng.integers(6))
    if how == 0:  # another length
        d[name] = np.resize(value, max(0, len(value) + int(rng.integers(-3, 4))))
    elif how == 1:  # another kind
        d[name] = value.astype(rng.choice(["int8", "int64", "float32", "uint16", "U5", "object"]))
    elif how == 2:  # entries change places
        d[name] = rng.permutation(value)
    elif how == 3 and value.ndim == 1:  # another view
        d[name] = [value[::-1], value[:, None], np.repeat(value, 2)[::2], value[0:0]][
            int(rng.integers(4))
        ]
    elif value.size:  # one to three entries, out of range or just another value
        changed = value.copy()
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(value.size))
            pool = EXTREMES[value.dtype.kind]
            new = pool[int(rng.integers(len(pool)))]
            if rng.random() < 0.5:
                new = value.flat[int(rng.integers(value.size))]
            if value.dtype.kind == "i":
                info = np.iinfo(value.dtype)
                new = min(max(int(new), info.min), info.max)
            changed.flat[at] = new
        d[name] = changed
    return f"{name}, way {how}"


@pytest.mark.parametrize("block", range(4))
def test_damaged_arrays(block: int) -> None:
    built = refused = 0
    for seed in range(block * 600, block * 600 + 600):
        rng = np.random.default_rng(seed)
        arrays = random_ensemble(random_recipe(seed % 97))
        d = arrays.as_dict()
        with np.errstate(all="ignore"):
            ways = [damaged(d, rng) for _ in range(1 + seed % 2)]
        try:
            ensemble = _core.Ensemble(d)
        except InvalidModelError:
            refused += 1
            continue
        except (TypeError, KeyError, IndexError, MemoryError, RuntimeError) as error:
            pytest.fail(f"seed {seed}, {ways}: {type(error).__name__}: {error}")
        built += 1
        n_features = ensemble.to_arrays()["n_features"]
        n_outputs = ensemble.to_arrays()["n_outputs"]
        if n_features > 10_000:  # only the number was changed
            continue
        X = np.ascontiguousarray(np.resize(random_rows(arrays, 20, seed), (20, n_features)))
        raw = ensemble.predict(X)
        assert raw.shape == (20, n_outputs)
        try:
            plan = _core.PathPlan(ensemble, "float64")
        except (UnsupportedModelError, InvalidModelError):
            continue  # without cover
        plan.shap_values(X, np.empty((20, n_features, n_outputs)), 1)
        # what was built is consistent: it may be taken apart and built again
        again = _core.Ensemble({**d, **ensemble.to_arrays()})
        np.testing.assert_array_equal(again.predict(X), raw)
    assert built > 60
    assert refused > 60
