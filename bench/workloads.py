"""The registry of workloads: a named, seeded model and the data it explains.

A model is trained once, kept under bench/.cache/models and loaded from there, so that every
competitor and every run explains the same trees. The file's name holds a hash of everything the
training depends on but the library's version, which is recorded beside it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

import datasets

MODELS = datasets.CACHE / "models"

Library = Literal["xgboost", "lightgbm", "sklearn", "sklearn-mlp"]
Measure = Literal[
    "throughput", "latency", "memory", "interactions", "background", "kernel", "permutation"
]


@dataclass(frozen=True)
class ModelSpec:
    """How a model is trained."""

    library: Library
    data: str
    rounds: int
    params: dict[str, Any]
    n_classes: int = 0  # > 0: the target is cut into this many equally large classes
    n_rows: int = 0  # > 0: trained on the first rows of the shuffled data only
    depth: int = 0  # the greatest depth allowed; 0 is no limit


@dataclass(frozen=True)
class Job:
    """A whole explanation against background data, from the trained model to the values."""

    rows: int
    background: int
    against: tuple[str, ...] = ()  # the competitors it is a job for; ours always
    interactions: bool = False
    model_output: str = "raw"
    coalitions: int = 0  # > 0: values are estimated from so many


@dataclass(frozen=True)
class PermutationJob:
    """Scores with permuted features, or curves over a grid: from the trained model to the numbers.

    `points` > 0 asks for the partial dependence of every feature at so many points, with
    `individual` for the curves of all rows as well.
    """

    rows: int
    repeats: int = 5
    scoring: str = "r2"
    exact: bool = False  # ours has no repeats then; the others have
    points: int = 0
    individual: bool = False


@dataclass(frozen=True)
class Workload:
    """One line of the benchmark."""

    name: str
    spec: ModelSpec
    group: str
    measure: Measure = "throughput"
    job: Job | PermutationJob | None = None


@dataclass(frozen=True)
class TrainedModel:
    """A model from the cache.

    `path` is a file every library can be asked to read: .ubj, .txt, or a pickle (scikit-learn).
    """

    spec: ModelSpec
    path: Path
    info: dict[str, Any] = field(default_factory=dict)

    def load(self) -> Any:
        """A fresh xgboost.Booster, lightgbm.Booster or scikit-learn estimator."""
        if self.spec.library == "xgboost":
            import xgboost

            booster = xgboost.Booster()
            booster.load_model(self.path)
            return booster
        if self.spec.library == "lightgbm":
            import lightgbm

            return lightgbm.Booster(model_file=self.path)
        import joblib

        return joblib.load(self.path)


def _xgboost(data: str, depth: int, rounds: int, **extra: Any) -> ModelSpec:
    n_classes = extra.pop("n_classes", 0)
    params = {"max_depth": depth, "eta": 0.1, "tree_method": "hist", **extra}
    return ModelSpec("xgboost", data, rounds, params, n_classes, depth=depth)


def _lightgbm(leaves: int, rounds: int) -> ModelSpec:
    params = {
        "objective": "regression",
        "num_leaves": leaves,
        "learning_rate": 0.1,
        "seed": 0,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    return ModelSpec("lightgbm", "flights", rounds, params)


def _job(name: str, spec: ModelSpec, rows: int, background: int, **options: Any) -> Workload:
    group = options.pop("group", BACKGROUND)
    job = Job(rows, background, **options)
    return Workload(f"{group}-{name}", spec, group, "background", job)


def _kernel(name: str, spec: ModelSpec, rows: int, model_output: str = "raw") -> Workload:
    job = Job(rows, 100, ("shap",), model_output=model_output, coalitions=2048)
    return Workload(f"{KERNEL}-{name}", spec, KERNEL, "kernel", job)


def _permutation(name: str, spec: ModelSpec, rows: int, **options: Any) -> Workload:
    job = PermutationJob(rows, **options)
    return Workload(f"{PERMUTATION}-{name}", spec, PERMUTATION, "permutation", job)


SIX = "six"
KERNEL = "kernel"
PERMUTATION = "permutation"
INTERACTIONS = "interactions"
BACKGROUND = "background"
SHAPES = "shapes"

_FLIGHTS_D6 = _xgboost("flights", 6, 500)
_FLIGHTS_D8 = _xgboost("flights", 8, 100)
_FLIGHTS_D16 = _xgboost("flights", 16, 100)
_SYN_D3 = _xgboost("syn", 3, 1000)
_SYN_D10 = _xgboost("syn", 10, 200)
_LATE_D6 = _xgboost("late", 6, 100, objective="binary:logistic")
_WIDE_D6 = _xgboost("wide", 6, 200, colsample_bytree=0.2, seed=0)
_LIGHTGBM_31 = _lightgbm(31, 500)
_LIGHTGBM_255 = _lightgbm(255, 100)
_MLP = ModelSpec("sklearn-mlp", "flights", 20, {"random_state": 0}, n_rows=30_000)
_FOREST = ModelSpec("sklearn", "flights", 50, {"random_state": 0}, n_rows=30_000)

_SIX = (
    Workload("syn-d3-1000", _SYN_D3, SIX),
    Workload("flights-d6-500", _FLIGHTS_D6, SIX),
    Workload("syn-d6-500", _xgboost("syn", 6, 500), SIX),
    Workload("flights-d8-100", _FLIGHTS_D8, SIX),
    Workload("syn-d10-200", _SYN_D10, SIX),
    Workload("flights-d16-100", _FLIGHTS_D16, SIX),
)

_ALL = (
    *_SIX,
    Workload("lightgbm-31-500", _LIGHTGBM_31, "lightgbm"),
    Workload("lightgbm-255-100", _LIGHTGBM_255, "lightgbm"),
    Workload("forest-50", _FOREST, "sklearn"),
    Workload(
        "multiclass-d6-50",
        _xgboost("flights", 6, 50, n_classes=5, objective="multi:softprob", num_class=5),
        "other",
    ),
    Workload("wide-d6-200", _WIDE_D6, "other"),
    Workload("single-row-syn-d3-1000", _SYN_D3, "single-row", "latency"),
    Workload("single-row-flights-d6-500", _FLIGHTS_D6, "single-row", "latency"),
    Workload("single-row-flights-d16-100", _FLIGHTS_D16, "single-row", "latency"),
    Workload("single-row-lightgbm-31-500", _LIGHTGBM_31, "single-row", "latency"),
    Workload("memory-flights-d6-500", _FLIGHTS_D6, "memory", "memory"),
    *(Workload(f"{INTERACTIONS}-{w.name}", w.spec, INTERACTIONS, "interactions") for w in _SIX),
    _job(
        "flights-d6-500-m100",
        _FLIGHTS_D6,
        10_000,
        100,
        against=("shap", "shapiq", "shapiq-auto", "woodelf"),
    ),
    _job("flights-d6-500-m300000", _FLIGHTS_D6, 300_000, 300_000, against=("woodelf",)),
    _job("flights-d8-100-m50000", _FLIGHTS_D8, 50_000, 50_000, against=("woodelf",)),
    _job("syn-d10-200-m50000", _SYN_D10, 50_000, 50_000, against=("woodelf",)),
    _job(
        "pairs-flights-d6-500-m100000",
        _FLIGHTS_D6,
        10_000,
        100_000,
        against=("woodelf",),
        interactions=True,
    ),
    _job(
        "probability-late-d6-100-m100",
        _LATE_D6,
        10_000,
        100,
        against=("shap",),
        model_output="probability",
    ),
    # Shapes of model, rows and background that could be far slower than their neighbours; others
    # take part where they can, as a check of our values.
    _job("forest-50-m100", _FOREST, 1_000, 100, group=SHAPES, against=("shap",)),
    _job("lightgbm-255-100-m1000", _LIGHTGBM_255, 10_000, 1_000, group=SHAPES, against=("shapiq",)),
    _job("wide-d6-200-m100", _WIDE_D6, 5_000, 100, group=SHAPES, against=("shap",)),
    _job("flights-d16-100-m100", _FLIGHTS_D16, 2_000, 100, group=SHAPES, against=("shap",)),
    _job("syn-d3-1000-m100000", _SYN_D3, 100_000, 100_000, group=SHAPES, against=("woodelf",)),
    _job("flights-d6-500-one-row", _FLIGHTS_D6, 1, 100_000, group=SHAPES),
    _kernel("raw", _FLIGHTS_D6, 2_000),
    _kernel(
        "probability", _xgboost("late", 6, 500, objective="binary:logistic"), 100, "probability"
    ),
    _kernel(
        "softmax",
        _xgboost("flights", 6, 50, n_classes=3, objective="multi:softprob", num_class=3),
        100,
        "probability",
    ),
    _kernel("black-box", _MLP, 16),
    _permutation("flights-d6-500", _FLIGHTS_D6, 50_000),
    _permutation("noisy-d6-500", _xgboost("noisy", 6, 500), 50_000),
    _permutation("forest-50", _FOREST, 30_000),
    _permutation("exact-flights-d6-500", _FLIGHTS_D6, 50_000, exact=True),
    _permutation("dependence-flights-d6-500", _FLIGHTS_D6, 50_000, points=100),
    _permutation("curves-flights-d6-500", _FLIGHTS_D6, 5_000, points=100, individual=True),
)

WORKLOADS: dict[str, Workload] = {workload.name: workload for workload in _ALL}


def select(names: list[str]) -> list[Workload]:
    """Workloads by name or group, in the registry's order; an empty list means all.

    Raises
    ------
    ValueError
        If a name is neither a workload nor a group.
    """
    known = set(WORKLOADS) | {workload.group for workload in _ALL}
    unknown = sorted(set(names) - known)
    if unknown:
        raise ValueError(f"unknown workloads {unknown}; known: {sorted(known)}")
    return [w for w in _ALL if not names or w.name in names or w.group in names]


def model_of(workload: Workload) -> TrainedModel:
    """The workload's model: see `train`."""
    return train(next(w.name for w in _ALL if w.spec == workload.spec), workload.spec)


def train(name: str, spec: ModelSpec) -> TrainedModel:
    """The model of a specification, from the cache (where it has that name) or trained now.

    Raises
    ------
    ImportError
        If the library is not installed.
    datasets.DataMissingError
        If the data is neither cached nor installed.
    """
    suffix, fit = _TRAINERS[spec.library]
    text = json.dumps(asdict(spec), sort_keys=True)
    if spec.library.startswith("sklearn"):
        # A pickle belongs to one version of the library; the other formats are stable.
        import sklearn

        text += sklearn.__version__
    path = MODELS / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}{suffix}"
    info_path = path.with_suffix(".json")
    if not info_path.exists():
        MODELS.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        partial = path.with_name("part-" + path.name)
        info = fit(spec, partial)
        info["training_seconds"] = round(time.perf_counter() - start, 1)
        info["sha256"] = hashlib.sha256(partial.read_bytes()).hexdigest()
        partial.replace(path)
        info_path.write_text(json.dumps(info, indent=1) + "\n")
    return TrainedModel(spec, path, json.loads(info_path.read_text()))


def _training_data(spec: ModelSpec) -> tuple[Any, Any]:
    X, y = datasets.load(spec.data)
    if spec.n_rows:
        chosen = np.random.default_rng(3).permutation(len(X))[: spec.n_rows]
        X, y = X[chosen], y[chosen]
    if spec.n_classes:
        edges = np.quantile(y, np.linspace(0, 1, spec.n_classes + 1)[1:-1])
        y = np.searchsorted(edges, y).astype(np.float32)
    return X, y


def _train_xgboost(spec: ModelSpec, path: Path) -> dict[str, Any]:
    import xgboost

    X, y = _training_data(spec)
    booster = xgboost.train(spec.params, xgboost.DMatrix(X, y), spec.rounds)
    booster.save_model(path)
    dump = booster.get_dump()
    return {
        "library": f"xgboost {xgboost.__version__}",
        "trees": len(dump),
        "leaves": sum(tree.count("leaf=") for tree in dump),
        "depth": max(line.count("\t") for tree in dump for line in tree.split("\n")),
        "features": X.shape[1],
        "outputs": max(spec.n_classes, 1),
    }


def _train_lightgbm(spec: ModelSpec, path: Path) -> dict[str, Any]:
    import lightgbm

    X, y = _training_data(spec)
    booster = lightgbm.train(spec.params, lightgbm.Dataset(X, y), spec.rounds)
    booster.save_model(path)
    trees = booster.dump_model()["tree_info"]

    def depth(node: dict[str, Any]) -> int:
        if "left_child" not in node:
            return 0
        return 1 + max(depth(node["left_child"]), depth(node["right_child"]))

    return {
        "library": f"lightgbm {lightgbm.__version__}",
        "trees": len(trees),
        "leaves": sum(tree["num_leaves"] for tree in trees),
        "depth": max(depth(tree["tree_structure"]) for tree in trees),
        "features": X.shape[1],
        "outputs": 1,
    }


def _train_sklearn(spec: ModelSpec, path: Path) -> dict[str, Any]:
    import joblib
    import sklearn
    from sklearn.ensemble import RandomForestRegressor

    X, y = _training_data(spec)
    forest = RandomForestRegressor(n_estimators=spec.rounds, n_jobs=-1, **spec.params).fit(X, y)
    joblib.dump(forest, path)
    return {
        "library": f"scikit-learn {sklearn.__version__}",
        "trees": len(forest.estimators_),
        "leaves": int(sum(tree.get_n_leaves() for tree in forest.estimators_)),
        "depth": int(max(tree.get_depth() for tree in forest.estimators_)),
        "features": X.shape[1],
        "outputs": 1,
    }


def _train_mlp(spec: ModelSpec, path: Path) -> dict[str, Any]:
    """One hidden layer of 100 on standardised features, for as many rounds as the spec says."""
    import warnings

    import joblib
    import sklearn
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = _training_data(spec)
    network = MLPRegressor(hidden_layer_sizes=(100,), max_iter=spec.rounds, **spec.params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rounds are too few for it to converge; no matter
        model = make_pipeline(StandardScaler(), network).fit(X.astype(np.float64), y)
    joblib.dump(model, path)
    return {
        "library": f"scikit-learn {sklearn.__version__}",
        "rounds": network.n_iter_,
        "features": X.shape[1],
        "outputs": 1,
    }


_TRAINERS: dict[Library, tuple[str, Callable[[ModelSpec, Path], dict[str, Any]]]] = {
    "xgboost": (".ubj", _train_xgboost),
    "lightgbm": (".txt", _train_lightgbm),
    "sklearn": (".joblib", _train_sklearn),
    "sklearn-mlp": (".joblib", _train_mlp),
}
