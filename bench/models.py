"""Models: a specification of how one is trained, and what that gave.

A model is trained once, kept under bench/.cache/models and loaded from there, so that every
competitor and every run explains the same trees. The file's name holds a hash of everything the
training depends on but the library's version, which is recorded beside it.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np

import datasets

MODELS = datasets.CACHE / "models"

Library = Literal["xgboost", "lightgbm", "sklearn", "sklearn-mlp", "estimator"]


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
class TrainedModel:
    """A model from the cache.

    `path` is a file every library can be asked to read: .ubj, .txt, or a pickle (estimators).
    """

    spec: ModelSpec
    path: Path
    info: dict[str, Any] = field(default_factory=dict)

    def load(self) -> Any:
        """A fresh xgboost.Booster, lightgbm.Booster, or an estimator of scikit-learn's kind."""
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
    elif spec.library == "estimator":
        text += _estimator_library(spec).__version__
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


def _estimator_library(spec: ModelSpec) -> ModuleType:
    return importlib.import_module(spec.params["estimator"].partition(".")[0])


def _train_estimator(spec: ModelSpec, path: Path) -> dict[str, Any]:
    """The class named by the parameter `estimator`, with the others, fitted as users fit it.

    Of the others, two are of the data: the rows of a query of a ranker, and how many targets, of
    which the second is a delay that counts no early arrival.
    """
    import joblib

    params = dict(spec.params)
    module, _, name = params.pop("estimator").rpartition(".")
    query_rows, n_targets = params.pop("query_rows", 0), params.pop("n_targets", 1)
    X, y = _training_data(spec)
    options = {"qid": np.arange(len(X)) // query_rows} if query_rows else {}
    if n_targets == 2:
        y = np.column_stack([y, np.maximum(y, 0)])
    estimator = getattr(importlib.import_module(module), name)(**params).fit(X, y, **options)
    joblib.dump(estimator, path)
    library = _estimator_library(spec)
    return {
        "library": f"{library.__name__} {library.__version__}",
        "estimator": name,
        "features": X.shape[1],
        "outputs": max(spec.n_classes, n_targets),
    }


_TRAINERS: dict[Library, tuple[str, Callable[[ModelSpec, Path], dict[str, Any]]]] = {
    "xgboost": (".ubj", _train_xgboost),
    "lightgbm": (".txt", _train_lightgbm),
    "sklearn": (".joblib", _train_sklearn),
    "sklearn-mlp": (".joblib", _train_mlp),
    "estimator": (".joblib", _train_estimator),
}
