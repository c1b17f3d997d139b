"""Small models of every kind that shap explains, each fitted once, and where shap goes wrong.

`MODES` are the three ways to ask for values; a kind's `unlike` names the calls in which shap 0.54
gives wrong values or refuses. There, leafshap's own explainer and the model's prediction decide.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

shap = pytest.importorskip("shap", minversion="0.47", exc_type=ImportError)
pd = pytest.importorskip("pandas")
pytest.importorskip("sklearn")

from sklearn import ensemble, tree  # noqa: E402

Array = npt.NDArray[Any]

N, F = 160, 5
# with 100 rows to count cover by, no node stays empty, about which shap and leafshap differ
ROWS, BACKGROUND, COUNTED = slice(0, 7), slice(20, 50), slice(50, 150)

# what the libraries, and shap itself, warn of while they do what they are asked for
quiet = pytest.mark.filterwarnings(
    "ignore::UserWarning:xgboost", "ignore::UserWarning:lightgbm", "ignore::FutureWarning:sklearn",
    "ignore:LightGBM binary classifier with TreeExplainer:UserWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)  # fmt: skip


def table(content: str = "") -> Any:
    """Rows that float32 holds exactly; column 0 holds codes of categories, if it is to."""
    rng = np.random.default_rng(0)
    X = np.round(rng.normal(size=(N, F)) * 16) / 16
    X[:, 4] = rng.integers(0, 5, N)
    if content in {"categories", "frame"}:
        X[:, 0] = rng.integers(0, 6, N)
    if content == "missing":
        X[rng.random(X.shape) < 0.2] = np.nan
    if content != "frame":
        return X
    frame = pd.DataFrame(X, columns=["color", "b", "c", "d", "e"])
    frame["color"] = pd.Categorical.from_codes(
        frame["color"].astype(int), ["black", "blue", "gold", "green", "red", "white"]
    )
    return frame


def target(X: Any) -> Array:
    if not isinstance(X, np.ndarray):
        X = X.assign(color=X["color"].cat.codes).to_numpy(float)
    x = np.nan_to_num(X, nan=0.6)
    return np.asarray(np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + (x[:, 3] > 0) * x[:, 4])


def classes(X: Any, n: int) -> Array:
    y = target(X)
    return np.searchsorted(np.quantile(y, np.arange(1, n) / n), y)


def targets(X: Any) -> Array:
    return np.column_stack([target(X), -(target(X) ** 2), X[:, 1]])


def class_targets(X: Any) -> Array:
    return np.column_stack([classes(X, 3), classes(X[:, ::-1], 3)])


@dataclass(frozen=True)
class Kind:
    """How to fit a kind of model, what it predicts raw, and the calls that shap gets wrong."""

    fit: Callable[[Any], Any]
    predict: Callable[[Any, Any], Any]
    content: str = ""
    unlike: frozenset[str] = field(default_factory=frozenset)
    library: str = "sklearn"


def _predicted(model: Any, X: Any) -> Any:
    return model.predict(X)


def _decided(model: Any, X: Any) -> Any:
    return model.decision_function(X)


def _probable(model: Any, X: Any) -> Any:
    p = model.predict_proba(X)
    return np.hstack(p) if isinstance(p, list) else p


def _margin(model: Any, X: Any) -> Any:
    return model.predict(X, output_margin=True)


def _booster_margin(model: Any, X: Any) -> Any:
    import xgboost

    return model.predict(xgboost.DMatrix(X, enable_categorical=True), output_margin=True)


def _score(model: Any, X: Any) -> Any:
    return model.predict(X, raw_score=True)


def _sklearn(
    estimator: Any, y: Callable[[Any], Array], predict: Any, unlike: str = "", content: str = ""
) -> Kind:
    # interactions with background are zeros in shap, for every model
    calls = frozenset({"background interactions", *filter(None, unlike.split(", "))})
    return Kind(lambda X: estimator.fit(X, y(X)), predict, content, calls)


def _xgboost(
    name: str,
    y: Callable[[Any], Array],
    unlike: str = "",
    content: str = "",
    **settings: Any,
) -> Kind:
    options = {"n_estimators": 8, "max_depth": 3, "min_child_weight": 8, **settings}
    options = {"n_jobs": 1, "random_state": 0, **options}

    def fit(X: Any) -> Any:
        xgboost = pytest.importorskip("xgboost")
        xgboost.set_config(verbosity=0)
        fitting: dict[str, Any] = {}
        if name == "XGBRanker":
            fitting["qid"] = np.arange(len(X)) // 20
        if "early_stopping_rounds" in options:
            fitting.update(eval_set=[(-X, y(X))], verbose=False)
        if name != "Booster":
            return getattr(xgboost, name)(**options).fit(X, y(X), **fitting)
        parameters = {"max_depth": 3, "min_child_weight": 8, "nthread": 1, "seed": 0, **settings}
        return xgboost.train(parameters, xgboost.DMatrix(X, y(X)), num_boost_round=8)

    # path-dependent interactions with data: shap asks XGBoost, which does not know of the data
    calls = {"background interactions", "counted interactions", *filter(None, unlike.split(", "))}
    predict = _booster_margin if name == "Booster" else _margin
    return Kind(fit, predict, content, frozenset(calls), "xgboost")


def _lightgbm(
    name: str, y: Callable[[Any], Array], unlike: str = "", content: str = "", **settings: Any
) -> Kind:
    options = {"num_leaves": 7, "min_child_samples": 12, "verbose": -1, "n_jobs": 1, **settings}

    def fit(X: Any) -> Any:
        lightgbm = pytest.importorskip("lightgbm")
        categories: Any = [0] if content == "categories" else "auto"
        if name == "Booster":
            data = lightgbm.Dataset(X, y(X), categorical_feature=categories)
            return lightgbm.train({"num_threads": 1, **options}, data, num_boost_round=8)
        fitting: dict[str, Any] = {"categorical_feature": categories}
        if name == "LGBMRanker":
            fitting["group"] = [20] * (len(X) // 20)
        return getattr(lightgbm, name)(n_estimators=8, **options).fit(X, y(X), **fitting)

    calls = frozenset({"background interactions", *filter(None, unlike.split(", "))})
    predict = _predicted if settings.get("boosting_type") == "rf" else _score
    return Kind(fit, predict, content, calls, "lightgbm")


def two(X: Any) -> Array:
    return classes(X, 2)


def three(X: Any) -> Array:
    return classes(X, 3)


def grades(X: Any) -> Array:
    return classes(X, 4)


TREE: dict[str, Any] = {"max_depth": 4, "min_samples_leaf": 8, "random_state": 0}
SMALL: dict[str, Any] = {"n_estimators": 6, **TREE}
HIST: dict[str, Any] = {"max_iter": 6, "max_leaf_nodes": 7, "min_samples_leaf": 12}
# shap: the categories' bit sets are read as thresholds
HIST_CATEGORIES = "plain, background, counted, plain interactions, counted interactions"
ALL = HIST_CATEGORIES
CATEGORIES = "background, counted, plain interactions, counted interactions"

KINDS: dict[str, Kind] = {
    "DecisionTreeRegressor": _sklearn(tree.DecisionTreeRegressor(**TREE), target, _predicted),
    "DecisionTreeClassifier": _sklearn(tree.DecisionTreeClassifier(**TREE), two, _probable),
    "DecisionTreeClassifier 3": _sklearn(tree.DecisionTreeClassifier(**TREE), three, _probable),
    "ExtraTreeRegressor": _sklearn(tree.ExtraTreeRegressor(**TREE), target, _predicted),
    "ExtraTreeClassifier": _sklearn(tree.ExtraTreeClassifier(**TREE), two, _probable),
    "ExtraTreeClassifier 3": _sklearn(tree.ExtraTreeClassifier(**TREE), three, _probable),
    "RandomForestRegressor": _sklearn(
        ensemble.RandomForestRegressor(**SMALL), target, _predicted),
    "RandomForestRegressor targets": _sklearn(
        ensemble.RandomForestRegressor(**SMALL), targets, _predicted),
    "RandomForestClassifier": _sklearn(ensemble.RandomForestClassifier(**SMALL), two, _probable),
    "RandomForestClassifier 3": _sklearn(
        ensemble.RandomForestClassifier(**SMALL), three, _probable),
    # shap divides the probabilities by the number of targets
    "RandomForestClassifier targets": _sklearn(
        ensemble.RandomForestClassifier(**SMALL), class_targets, _probable, ALL),
    "ExtraTreesRegressor": _sklearn(ensemble.ExtraTreesRegressor(**SMALL), target, _predicted),
    "ExtraTreesClassifier": _sklearn(ensemble.ExtraTreesClassifier(**SMALL), two, _probable),
    "ExtraTreesClassifier 3": _sklearn(ensemble.ExtraTreesClassifier(**SMALL), three, _probable),
    "GradientBoostingRegressor": _sklearn(
        ensemble.GradientBoostingRegressor(**SMALL), target, _predicted),
    "GradientBoostingClassifier": _sklearn(
        ensemble.GradientBoostingClassifier(**SMALL), two, _decided),
    "GradientBoostingClassifier 3": _sklearn(
        ensemble.GradientBoostingClassifier(**SMALL), three, _decided, ALL),
    "HistGradientBoostingRegressor": _sklearn(
        ensemble.HistGradientBoostingRegressor(**HIST), target, _predicted, content="missing"),
    "HistGradientBoostingClassifier": _sklearn(
        ensemble.HistGradientBoostingClassifier(**HIST), two, _decided),
    "HistGradientBoostingClassifier 3": _sklearn(
        ensemble.HistGradientBoostingClassifier(**HIST), three, _decided),
    "HistGradientBoostingRegressor categories": _sklearn(
        ensemble.HistGradientBoostingRegressor(categorical_features=[0], **HIST),
        target, _predicted, HIST_CATEGORIES, "categories"),
    "IsolationForest": _sklearn(
        ensemble.IsolationForest(n_estimators=6, max_samples=8, random_state=0), target, None),
    "XGBRegressor": _xgboost("XGBRegressor", target),
    "XGBRegressor missing": _xgboost("XGBRegressor", target, content="missing"),
    "XGBClassifier": _xgboost("XGBClassifier", two, min_child_weight=2),
    "XGBClassifier 3": _xgboost("XGBClassifier", three, min_child_weight=2, base_score=0.5),
    "xgboost.Booster": _xgboost("Booster", target),
    "xgboost.Booster binary": _xgboost(
        "Booster", two, objective="binary:logistic", min_child_weight=2),
    "xgboost.Booster 3": _xgboost(
        "Booster", three, objective="multi:softprob", num_class=3, min_child_weight=2),
    "XGBRanker": _xgboost("XGBRanker", grades),
    # shap refuses several trees per round with data
    "XGBRFRegressor": _xgboost("XGBRFRegressor", target, "background, counted"),
    # shap forgets the weights of dropped trees
    "XGBRegressor dart": _xgboost(
        "XGBRegressor", target, "background, counted", booster="dart", rate_drop=0.4, one_drop=1),
    "XGBRegressor targets": _xgboost("XGBRegressor", targets),
    "XGBRegressor stopped": _xgboost(
        "XGBRegressor", target, n_estimators=20, early_stopping_rounds=2),
    "XGBRegressor categories": _xgboost(
        "XGBRegressor", target, CATEGORIES, "categories",
        enable_categorical=True, feature_types=["c", *"qqqq"]),
    "XGBRegressor frame": _xgboost(
        "XGBRegressor", target, CATEGORIES, "frame", enable_categorical=True),
    "LGBMRegressor": _lightgbm("LGBMRegressor", target),
    "LGBMRegressor missing": _lightgbm("LGBMRegressor", target, content="missing"),
    "LGBMClassifier": _lightgbm("LGBMClassifier", two),
    "LGBMClassifier 3": _lightgbm("LGBMClassifier", three),
    "lightgbm.Booster": _lightgbm("Booster", target),
    # shap adds up the classes
    "lightgbm.Booster 3": _lightgbm(
        "Booster", three, "background, counted, plain interactions, counted interactions",
        objective="multiclass", num_class=3),
    "LGBMRanker": _lightgbm("LGBMRanker", grades),
    "LGBMRegressor dart": _lightgbm("LGBMRegressor", target, boosting_type="dart", drop_rate=0.5),
    # shap, and LightGBM's own contributions, add up what should be averaged
    "LGBMRegressor rf": _lightgbm(
        "LGBMRegressor", target, ALL, boosting_type="rf", bagging_freq=1, bagging_fraction=0.6),
    "LGBMRegressor categories": _lightgbm("LGBMRegressor", target, CATEGORIES, "categories"),
    "LGBMRegressor frame": _lightgbm("LGBMRegressor", target, CATEGORIES, "frame"),
}  # fmt: skip

# before 0.52, shap reads the first output's base score for all of them
SHAP = tuple(int(part) for part in shap.__version__.split(".")[:2])
SEVERAL_BASE_SCORES = {"xgboost.Booster 3", "XGBRegressor targets"}

MODES = ("plain", "background", "counted")


@functools.cache
def fitted(name: str) -> Any:
    kind = KINDS[name]
    pytest.importorskip(kind.library)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nothing here is about fitting
        return kind.fit(table(kind.content))


def rows(name: str) -> Any:
    """The rows that tests explain."""
    return table(KINDS[name].content)[ROWS]


def background(name: str, mode: str = "background") -> Any:
    return table(KINDS[name].content)[COUNTED if mode == "counted" else BACKGROUND]


def arguments(name: str, mode: str) -> dict[str, Any]:
    """What the constructors take besides the model."""
    if mode == "plain":
        return {}
    data = background(name, mode)
    if mode == "background":
        return {"data": data}
    return {"data": data, "feature_perturbation": "tree_path_dependent"}


def is_comparable(name: str, mode: str, interactions: bool = False) -> bool:
    """Whether shap is right there."""
    call = f"{mode} interactions" if interactions else mode
    if SHAP < (0, 52) and name in SEVERAL_BASE_SCORES and mode != "plain":
        return False
    return call not in KINDS[name].unlike
