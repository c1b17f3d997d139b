"""scikit-learn models: the same leaves and the same raw output as scikit-learn itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from conftest import Explain
from leafshap import InvalidInputError, InvalidModelError, TreeEnsemble, UnsupportedModelError
from leafshap.converters import convert, predict_raw
from leafshap.converters.sklearn import _probabilities
from oracle import shap_by_leaves
from sklearn_models import (
    BINARY,
    CLASSES,
    ER,
    FC,
    FR,
    GC,
    GR,
    HC,
    HR,
    IF,
    MODELS,
    N_FEATURES,
    NUMBER,
    VERSION,
    WEIGHTS,
    X_MISSING,
    XR,
    Array,
    C,
    R,
    X,
    fitted,
    forest,
    library_leaves,
    nasty_rows,
    sklearn,
    walk,
)

# the same settings warn in some versions of scikit-learn only
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """HistGradientBoosting's threads cost more than they bring on so few rows."""
    with pytest.importorskip("threadpoolctl").threadpool_limits(1):
        yield


all_models = pytest.mark.parametrize("name", MODELS)


def public_prediction(model: Any, rows: Any) -> Array:
    """What scikit-learn's public methods predict, in one matrix (n, ...)."""
    if isinstance(model, IF):
        return np.asarray(model.score_samples(rows))
    if not hasattr(model, "classes_"):
        return np.asarray(model.predict(rows))
    probabilities = model.predict_proba(rows)
    if isinstance(probabilities, list):
        return np.concatenate(probabilities, axis=1)
    return np.asarray(probabilities)


def predicted_from_raw(model: Any, link: str, raw: Array) -> Array:
    """Raw output to scikit-learn's public prediction, by the meaning of the link's name."""
    if link in ("logistic", "logistic_2x"):
        positive = 1 / (1 + np.exp(-raw * (2 if link == "logistic_2x" else 1)))
        return np.column_stack([1 - positive, positive])
    if link == "softmax":
        odds = np.exp(raw - raw.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))
    if link == "path_length":
        n = model.max_samples_
        if n == 1:
            return np.full(raw.shape, -0.5)
        c = 2 * (np.log(n - 1) + np.euler_gamma) - 2 * (n - 1) / n
        return np.asarray(-(2 ** (-raw / c)))
    if link == "probability" and raw.ndim == 1:
        return raw[:, None]  # of the only class
    if link == "exp":
        return np.asarray(np.exp(raw))
    assert link in ("identity", "probability")
    return raw


@all_models
def test_same_leaves(name: str) -> None:
    model = fitted(name)
    arrays = convert(model)
    rows = nasty_rows(arrays)
    np.testing.assert_array_equal(walk(arrays, rows), library_leaves(model, rows))


@all_models
def test_raw_prediction(name: str) -> None:
    model = fitted(name)
    compiled = TreeEnsemble.from_model(model)
    rows = nasty_rows(convert(model))
    raw = predict_raw(model, rows)
    found = compiled.predict(rows)
    assert found.shape == raw.shape
    np.testing.assert_allclose(found, raw, rtol=1e-11, atol=1e-12 * np.abs(raw).max())
    # a float32 matrix is read as it is, by both
    narrow = rows.astype(np.float32)
    np.testing.assert_allclose(
        compiled.predict(narrow), predict_raw(model, narrow), rtol=1e-11, atol=1e-12
    )


@all_models
def test_link_leads_to_the_public_prediction(name: str) -> None:
    model = fitted(name)
    arrays = convert(model)
    rows = nasty_rows(arrays)
    raw = TreeEnsemble(arrays).predict(rows)
    np.testing.assert_allclose(
        predicted_from_raw(model, arrays.link, raw), public_prediction(model, rows), rtol=1e-9
    )


@all_models
def test_first_trees(name: str) -> None:
    """Any number of trees, also in the middle of a boosting iteration."""
    model = fitted(name)
    arrays = convert(model)
    compiled = TreeEnsemble(arrays)
    rows = nasty_rows(arrays, 50)
    total = compiled.n_trees
    for n_trees in sorted({1, 2, total // 2, total - 1, total} & set(range(1, total + 1))):
        np.testing.assert_allclose(
            compiled.predict(rows, n_trees),
            predict_raw(model, rows, n_trees),
            rtol=1e-10,
            atol=1e-10,
        )
    for bad in (0, total + 1, -1):
        with pytest.raises(InvalidInputError, match=f"the model has {total} trees"):
            predict_raw(model, rows, bad)


@pytest.mark.parametrize("name", ["forest", "boosting", "boosting classes", "hist classes"])
def test_first_trees_are_what_the_library_calls_so(name: str) -> None:
    model = fitted(name)
    k = convert(model).trees_per_iteration
    stages: Any
    if name == "forest":
        stages = np.cumsum([member.predict(X) for member in model.estimators_], axis=0)
        stages /= np.arange(1, len(stages) + 1)[:, None]
    elif hasattr(model, "classes_"):
        stages = list(model.staged_decision_function(X))
    else:
        stages = list(model.staged_predict(X))
    for i, stage in enumerate(stages):
        np.testing.assert_allclose(predict_raw(model, X, (i + 1) * k), stage, rtol=1e-12)


@all_models
def test_values_the_library_refuses(name: str) -> None:
    """`allow_nan` and `allow_inf` say what the model's own predict does."""
    model = fitted(name)
    arrays = convert(model)
    for value, allowed in [(np.nan, arrays.allow_nan), (np.inf, arrays.allow_inf)]:
        for j in range(N_FEATURES):
            rows = X[:2].copy()
            rows[1, j] = value
            if allowed:
                model.predict(rows)
                continue
            with pytest.raises(ValueError, match=r"NaN|infinity"):
                model.predict(rows)
            with pytest.raises(InvalidInputError):
                TreeEnsemble(arrays).predict(rows)


@all_models
def test_arrays_are_tidy(name: str) -> None:
    model = fitted(name)
    arrays = convert(model)
    leaf = arrays.left < 0
    first = np.repeat(arrays.tree_offsets[:-1], np.diff(arrays.tree_offsets))
    np.testing.assert_array_equal(arrays.split_feature < 0, leaf)
    assert not arrays.leaf_value[~leaf].any()
    assert not arrays.threshold[leaf].any()
    assert not arrays.default_left[leaf].any()
    assert arrays.cover is not None
    inner = np.flatnonzero(~leaf)
    children = (
        arrays.cover[(first + arrays.left)[inner]] + arrays.cover[(first + arrays.right)[inner]]
    )
    np.testing.assert_allclose(arrays.cover[inner], children, rtol=1e-12)
    assert arrays.source.startswith(f"scikit-learn {sklearn.__version__} {type(model).__name__}")
    assert len(arrays.tree_weight) % arrays.trees_per_iteration == 0


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("tree", None),
        ("tree balanced", WEIGHTS),
        ("tree pruned", WEIGHTS),
        # 1.3 and 1.5 (not 1.9) train some rows on the other side than they predict them
        *([("tree missing", None)] if VERSION >= (1, 9) else []),
        ("forest whole", None),
        ("boosting", WEIGHTS),
        ("boosting classes", None),
        ("hist", None),
        ("hist missing", None),
        # a plain count, whatever the sample weights
        ("hist poisson", None),
    ],
)
def test_cover_is_the_weight_of_the_training_rows(name: str, weights: Array | None) -> None:
    model = fitted(name)
    arrays = convert(model)
    rows = X_MISSING if "missing" in name else X
    weights = np.ones(len(rows)) if weights is None else weights
    if name == "tree balanced":
        counts = np.array([weights[c == CLASSES].sum() for c in model.classes_])
        share = np.array([(c == CLASSES).sum() for c in model.classes_])
        assert counts.all()
        factor = len(rows) / (len(share) * share)
        weights = weights * factor[np.searchsorted(model.classes_, CLASSES)]
    assert arrays.cover is not None
    for t, leaves in enumerate(walk(arrays, rows).T):
        a, b = arrays.tree_offsets[t : t + 2]
        counted = np.bincount(leaves, weights, b - a)
        leaf = arrays.left[a:b] < 0
        np.testing.assert_allclose(arrays.cover[a:b][leaf], counted[leaf], rtol=1e-9)


def test_class_counts_become_fractions() -> None:
    """Nodes held counts before scikit-learn 1.4; a node without any keeps its zeros."""
    counts = np.array([[[3.0, 1.0]], [[0.0, 0.0]], [[0.5, 0.0]]])
    wanted = [[[0.75, 0.25]], [[0.0, 0.0]], [[1.0, 0.0]]]
    np.testing.assert_array_equal(_probabilities(counts), wanted)
    thirds = np.full((2, 1, 3), 1 / 3)
    np.testing.assert_array_equal(_probabilities(thirds), thirds)


def test_infinite_leaf_is_refused() -> None:
    """Rows of weight 1 and -1 in one leaf: its mean is a number divided by zero."""
    weights = np.where(np.arange(len(X)) % 7 == 0, -1.0, 1.0)
    model = R(max_leaf_nodes=30).fit(X, NUMBER, weights)
    assert np.isinf(model.predict(X)).any()
    with pytest.raises(InvalidModelError, match=r"tree 0, node \d+: leaf value"):
        TreeEnsemble.from_model(model)


def test_names_and_outputs() -> None:
    def outputs(name: str) -> tuple[int, list[str] | None]:
        arrays = convert(fitted(name))
        return arrays.n_outputs, arrays.output_names

    assert outputs("tree binary") == (2, ["no", "yes"])
    assert outputs("tree one class") == (1, ["0.0"])
    assert outputs("forest class targets") == (5, ["0:0", "0:10", "0:20", "1:0", "1:1"])
    assert outputs("forest targets") == (3, None)
    assert outputs("boosting binary") == (1, ["yes"])
    assert outputs("hist binary") == (1, ["yes"])
    assert outputs("hist classes") == (3, ["0", "10", "20"])
    assert outputs("isolation") == (1, None)
    assert convert(fitted("forest")).averaged
    assert not convert(fitted("boosting")).averaged
    assert convert(fitted("tree")).feature_names is None


@pytest.mark.parametrize("cls", [C, FR, GC, HR, IF])
def test_feature_names(cls: Any) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("vwxyz"))
    model = cls(random_state=0).fit(frame, CLASSES)
    assert convert(model).feature_names == list("vwxyz")
    compiled = TreeEnsemble.from_model(model)
    raw = predict_raw(model, frame)
    # the same rows without names, and without scikit-learn's warning (an error in this run)
    np.testing.assert_array_equal(raw, predict_raw(model, X))
    np.testing.assert_allclose(compiled.predict(frame), raw, rtol=1e-12, atol=1e-12)


def test_classes_derived_from_a_supported_one() -> None:
    from sklearn import base, ensemble

    class Own(base.TransformerMixin, ensemble.RandomForestRegressor):  # type: ignore[misc]
        """Its first scikit-learn base is a mixin."""

    model = Own(n_estimators=3, random_state=0).fit(X, NUMBER)
    compiled = TreeEnsemble.from_model(model)
    np.testing.assert_allclose(compiled.predict(X), model.predict(X), rtol=1e-12, atol=1e-12)


def test_values_agree_with_the_definition(explain: Explain) -> None:
    """Splits on "is it missing?" together with numeric ones of the same feature, and infinities."""
    arrays = convert(fitted("hist missing"))
    both = set(arrays.split_feature[arrays.categorical != 0])
    assert both & set(arrays.split_feature[(arrays.left >= 0) & (arrays.categorical == 0)])
    rows = nasty_rows(arrays, 60)
    values, expected = explain(arrays, rows)
    wanted, base_values = shap_by_leaves(arrays, rows)
    np.testing.assert_allclose(values, wanted, atol=1e-10)
    np.testing.assert_allclose(expected, base_values, atol=1e-10)


# what is refused


def unsupported() -> list[tuple[Any, str]]:
    from sklearn import ensemble
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.linear_model import LinearRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.multioutput import ClassifierChain, MultiOutputRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.semi_supervised import SelfTrainingClassifier

    members = [("a", R()), ("b", R())]
    return [
        (make_pipeline(R()), r"model\[-1\]"),
        (GridSearchCV(R(), {"max_depth": [1]}), "best_estimator_"),
        (TransformedTargetRegressor(R()), "regressor_"),
        (CalibratedClassifierCV(C()), "calibrated_classifiers_"),
        (SelfTrainingClassifier(C()), "estimator_"),
        (ensemble.VotingRegressor(members), "estimators_"),
        (ensemble.StackingRegressor(members), "estimators_"),
        (ensemble.BaggingRegressor(), "estimators_features_"),
        (ensemble.AdaBoostClassifier(), "estimators_"),
        (MultiOutputRegressor(R()), "estimators_"),
        (ClassifierChain(C()), "estimators_"),
        (OneVsRestClassifier(C()), "estimators_"),
        (ensemble.RandomTreesEmbedding(), "predicts nothing"),
        (LinearRegression(), "supported are"),
    ]


@pytest.mark.parametrize(
    ("model", "hint"), [pytest.param(m, h, id=type(m).__name__) for m, h in unsupported()]
)
def test_other_estimators_are_refused_by_name(model: Any, hint: str) -> None:
    with pytest.raises(UnsupportedModelError, match=f"{type(model).__name__}: .*{hint}"):
        convert(model)


@pytest.mark.parametrize("cls", [C, ER, FC, XR, GC, GR, HC, HR, IF])
def test_unfitted_models_are_refused(cls: Any) -> None:
    with pytest.raises(InvalidModelError, match=f"{cls.__name__} is not fitted"):
        convert(cls())


def test_boosting_on_another_model_is_refused() -> None:
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LinearRegression

    model = forest(GR, NUMBER, init=LinearRegression())
    with pytest.raises(UnsupportedModelError, match=r"init=LinearRegression\(\)"):
        convert(model)
    model = forest(GC, BINARY, init=DummyClassifier(strategy="stratified"))
    with pytest.raises(UnsupportedModelError, match="init=DummyClassifier"):
        convert(model)
