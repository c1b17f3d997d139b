"""The registry of workloads: a named, seeded model and the data it explains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import compat_code
from compat_code import UserCode
from models import ModelSpec, TrainedModel, train

Measure = Literal[
    "throughput",
    "latency",
    "memory",
    "interactions",
    "background",
    "kernel",
    "permutation",
    "compat",
    "batch",
    "batch-memory",
    "batch-kill",
]


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
class CompatJob:
    """User code, run with shap and with the module that takes its place.

    Values are compared with the greatest of them; estimates of the model's method `sampled` with
    the norm of all, and they must add up to its outputs.
    """

    code: UserCode
    rows: int
    tolerance: float
    sampled: str = ""


@dataclass(frozen=True)
class BatchJob:
    """Flights in Parquet files, explained from file to file; of a killed run, how often."""

    rows: int
    sides: tuple[str, ...] = ()
    files: int = 1
    kills: int = 0


@dataclass(frozen=True)
class Workload:
    """One line of the benchmark."""

    name: str
    spec: ModelSpec
    group: str
    measure: Measure = "throughput"
    job: Job | PermutationJob | CompatJob | BatchJob | None = None


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


def _batch(name: str, rows: int, *sides: str, measure: Measure = "batch", **job: int) -> Workload:
    return Workload(f"{BATCH}-{name}", _FLIGHTS_D6, BATCH, measure, BatchJob(rows, sides, **job))


def _estimator(estimator: str, data: str = "flights", **params: Any) -> ModelSpec:
    n_rows, n_classes = params.pop("n_rows", 30_000), params.pop("n_classes", 0)
    trees = params.get("n_estimators", params.get("max_iter", 1))
    params = {"estimator": estimator, **params}
    return ModelSpec("estimator", data, trees, params, n_classes, n_rows)


def _forest(estimator: str, data: str = "flights", **params: Any) -> ModelSpec:
    """As many trees as by default, of full depth."""
    return _estimator(
        f"sklearn.ensemble.{estimator}",
        data,
        n_estimators=100,
        n_rows=10_000,
        n_jobs=-1,
        random_state=0,
        **params,
    )


def _compat(
    kind: str, spec: ModelSpec, code: UserCode, tolerance: float = 1e-6, **options: Any
) -> Workload:
    job = CompatJob(code, options.pop("rows", 10_000), tolerance, **options)
    return Workload(f"{COMPAT}-{kind}", spec, COMPAT, "compat", job)


SIX = "six"
BATCH = "batch"
COMPAT = "compat"
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

_XGB_REGRESSOR = _estimator("xgboost.XGBRegressor", n_estimators=500, max_depth=6)
_XGB_CLASSIFIER = _estimator("xgboost.XGBClassifier", "late", n_estimators=500, max_depth=6)
_LGBM_REGRESSOR = _estimator(
    "lightgbm.LGBMRegressor", n_estimators=500, num_leaves=31, verbosity=-1
)
_FOREST_REGRESSOR = _forest("RandomForestRegressor")
# XGBoost's own values, which shap hands through, are float32.
_FLOAT32 = 1e-4
# Estimates by two samples differ; shap's of KernelExplainer are also those of a lasso.
_SAMPLED = 0.1

_SIX = (
    Workload("syn-d3-1000", _SYN_D3, SIX),
    Workload("flights-d6-500", _FLIGHTS_D6, SIX),
    Workload("syn-d6-500", _xgboost("syn", 6, 500), SIX),
    Workload("flights-d8-100", _FLIGHTS_D8, SIX),
    Workload("syn-d10-200", _SYN_D10, SIX),
    Workload("flights-d16-100", _FLIGHTS_D16, SIX),
)

_COMPAT = (
    _compat("xgb-regressor", _XGB_REGRESSOR, compat_code.explanation, _FLOAT32),
    _compat("xgb-classifier", _XGB_CLASSIFIER, compat_code.shap_values, _FLOAT32),
    _compat(
        "xgb-multiclass",
        _estimator("xgboost.XGBClassifier", n_estimators=100, max_depth=6, n_classes=5),
        compat_code.explanation,
        _FLOAT32,
    ),
    _compat("xgb-booster", _FLIGHTS_D6, compat_code.shap_values, _FLOAT32),
    _compat(
        "xgb-ranker",
        _estimator("xgboost.XGBRanker", n_estimators=200, n_classes=5, query_rows=100),
        compat_code.explanation,
        _FLOAT32,
    ),
    _compat(
        "xgb-dart",
        _estimator("xgboost.XGBRegressor", n_estimators=100, booster="dart", rate_drop=0.1),
        compat_code.explanation,
        _FLOAT32,
    ),
    _compat("xgb-background", _XGB_REGRESSOR, compat_code.background, _FLOAT32),
    _compat("xgb-probability", _XGB_CLASSIFIER, compat_code.probability, _FLOAT32),
    _compat("xgb-interactions", _XGB_REGRESSOR, compat_code.interactions, _FLOAT32),
    _compat("lgbm-regressor", _LGBM_REGRESSOR, compat_code.explanation),
    _compat(
        "lgbm-classifier",
        _estimator("lightgbm.LGBMClassifier", "late", n_estimators=500, verbosity=-1),
        compat_code.shap_values,
    ),
    _compat(
        "lgbm-multiclass",
        _estimator("lightgbm.LGBMClassifier", n_estimators=100, verbosity=-1, n_classes=5),
        compat_code.explanation,
    ),
    _compat("lgbm-background", _LGBM_REGRESSOR, compat_code.background),
    _compat(
        "decision-tree",
        _estimator("sklearn.tree.DecisionTreeRegressor", random_state=0),
        compat_code.shap_values,
    ),
    _compat("forest-regressor", _FOREST_REGRESSOR, compat_code.explanation),
    _compat(
        "forest-classifier",
        _forest("RandomForestClassifier", "late"),
        compat_code.shap_values,
    ),
    _compat(
        "forest-two-targets", _forest("RandomForestRegressor", n_targets=2), compat_code.explanation
    ),
    _compat("extra-trees", _forest("ExtraTreesRegressor"), compat_code.explanation),
    _compat(
        "gradient-boosting-regressor",
        _estimator("sklearn.ensemble.GradientBoostingRegressor", n_estimators=100, random_state=0),
        compat_code.explanation,
    ),
    _compat(
        "gradient-boosting-classifier",
        _estimator(
            "sklearn.ensemble.GradientBoostingClassifier", "late", n_estimators=100, random_state=0
        ),
        compat_code.shap_values,
    ),
    _compat(
        "hist-gradient-boosting-regressor",
        _estimator("sklearn.ensemble.HistGradientBoostingRegressor", max_iter=100, random_state=0),
        compat_code.explanation,
    ),
    _compat(
        "hist-gradient-boosting-classifier",
        _estimator(
            "sklearn.ensemble.HistGradientBoostingClassifier", "late", max_iter=100, random_state=0
        ),
        compat_code.explanation,
    ),
    _compat("isolation-forest", _forest("IsolationForest"), compat_code.shap_values),
    _compat("explainer", _XGB_REGRESSOR, compat_code.auto, _FLOAT32),
    _compat(
        "kernel-xgb-classifier",
        _XGB_CLASSIFIER,
        compat_code.kernel_probability,
        _SAMPLED,
        rows=200,
        sampled="predict_proba",
    ),
    _compat(
        "kernel-network", _MLP, compat_code.kernel_means, _SAMPLED, rows=200, sampled="predict"
    ),
    _compat(
        "permutation-forest",
        _FOREST_REGRESSOR,
        compat_code.permutation,
        _SAMPLED,
        rows=200,
        sampled="predict",
    ),
    _compat(
        "permutation-network", _MLP, compat_code.permutation, _SAMPLED, rows=200, sampled="predict"
    ),
)

_BATCH_SIDES = ("leafshap-memory", "leafshap-files", "leafshap-aggregates", "xgboost-script")

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
    *_COMPAT,
    _batch("parquet", 5_000_000, *_BATCH_SIDES),
    _batch("dask", 5_000_000, "leafshap-columns", "leafshap-dask", files=20),
    _batch("memory", 5_000_000, "leafshap-files", "leafshap-aggregates", measure="batch-memory"),
    _batch("kill", 300_000, measure="batch-kill", kills=10),
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
