"""Functions that are tree models' own methods: the core instead of calls, where both agree."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import pytest

shap = pytest.importorskip("shap", minversion="0.47", exc_type=ImportError)
pd = pytest.importorskip("pandas")

from leafshap.coalitions.model_calls import ModelCalls  # noqa: E402
from leafshap.compat.shap.functions import innermost, tree_function  # noqa: E402
from leafshap.compat.shap.kernel import KernelExplainer  # noqa: E402
from leafshap.compat.shap.permutation import PermutationExplainer  # noqa: E402

NAMES = list("abcde")


def data() -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(200, 5))
    y = X[:, 0] * X[:, 1] + np.sin(X[:, 2]) * X[:, 3] + 0.3 * X[:, 4]
    return X, y, np.digitize(y, [-0.3, 0.4])


def model_of(name: str, X: Any = None) -> Any:
    """A small fitted model; its name is library, kind and number of classes."""
    rows, y, labels = data()
    rows = rows if X is None else X
    library, kind = name.split()
    ensemble: Any
    if library == "xgboost":
        ensemble = pytest.importorskip("xgboost")
        made = {"regressor": ensemble.XGBRegressor, "poisson": ensemble.XGBRegressor}.get(
            kind, ensemble.XGBClassifier
        )
        options = {"objective": "count:poisson"} if kind == "poisson" else {}
        model = made(n_estimators=8, max_depth=3, n_jobs=1, **options)
    elif library == "lightgbm":
        ensemble = pytest.importorskip("lightgbm")
        made = ensemble.LGBMRegressor if kind == "regressor" else ensemble.LGBMClassifier
        model = made(n_estimators=8, num_leaves=7, n_jobs=1, verbose=-1)
    else:
        ensemble = pytest.importorskip("sklearn.ensemble")
        model = {
            "forest": ensemble.RandomForestRegressor(6, max_depth=4, random_state=0),
            "forest2": ensemble.RandomForestClassifier(6, max_depth=4, random_state=0),
            "forest3": ensemble.RandomForestClassifier(6, max_depth=4, random_state=0),
            "targets": ensemble.RandomForestRegressor(6, max_depth=4, random_state=0),
            "boosting2": ensemble.GradientBoostingClassifier(n_estimators=8, random_state=0),
            "boosting3": ensemble.GradientBoostingClassifier(n_estimators=8, random_state=0),
            "histogram2": ensemble.HistGradientBoostingClassifier(max_iter=8),
            "isolation": ensemble.IsolationForest(n_estimators=6, random_state=0),
        }[kind]
    if kind == "poisson":
        return model.fit(rows, np.abs(y))
    if kind == "targets":
        return model.fit(rows, np.column_stack([y, rows[:, 0]]))
    if kind[-1] == "2":
        return model.fit(rows, labels > 0)
    return model.fit(rows, labels if kind[-1] == "3" else y)


IN_THE_CORE = [
    ("xgboost regressor", "predict", 1),
    ("xgboost poisson", "predict", 1),
    ("xgboost classifier2", "predict_proba", 2),
    ("xgboost classifier3", "predict_proba", 3),
    ("lightgbm regressor", "predict", 1),
    ("lightgbm classifier2", "predict_proba", 2),
    ("lightgbm classifier3", "predict_proba", 3),
    ("sklearn forest", "predict", 1),
    ("sklearn forest2", "predict_proba", 2),
    ("sklearn forest3", "predict_proba", 3),
    ("sklearn targets", "predict", 2),
    ("sklearn boosting2", "predict_proba", 2),
    ("sklearn boosting3", "predict_proba", 3),
    ("sklearn boosting2", "decision_function", 1),
    ("sklearn boosting3", "decision_function", 3),
    ("sklearn histogram2", "predict_proba", 2),
]
CALLED = [
    ("xgboost classifier2", "predict"),
    ("lightgbm classifier3", "predict"),
    ("sklearn forest2", "predict"),
    ("sklearn boosting3", "predict"),
    ("sklearn isolation", "predict"),
    ("sklearn isolation", "decision_function"),
]


def in_core(explainer: Any) -> bool:
    found: bool = explainer._sampled.in_core
    return found


class Calls:
    """Counts what explainers ask of functions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.n = 0
        asked = ModelCalls.__call__

        def counted(calls: Any, *args: Any) -> Any:
            self.n += 1
            return asked(calls, *args)

        monkeypatch.setattr(ModelCalls, "__call__", counted)


@pytest.mark.parametrize(
    ("name", "method", "n_outputs", "link"),
    [(*case, "identity") for case in IN_THE_CORE]
    + [(*case, "logit") for case in IN_THE_CORE if case[1] == "predict_proba"],
)
def test_values_are_shaps(
    name: str, method: str, n_outputs: int, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, _, _ = data()
    f = getattr(model_of(name), method)
    calls = Calls(monkeypatch)
    ours = KernelExplainer(f, X[:20], link=link)
    theirs = shap.KernelExplainer(f, X[:20], link=link)
    found = ours.shap_values(X[20:23])
    wanted = theirs.shap_values(X[20:23], silent=True, l1_reg=False)
    assert calls.n == 0
    assert found.shape == wanted.shape == ((3, 5) if n_outputs == 1 else (3, 5, n_outputs))
    np.testing.assert_allclose(found, wanted, atol=2e-5 * np.abs(wanted).max())
    assert type(ours.expected_value) is type(theirs.expected_value)
    single = ours.shap_values(X[20])
    np.testing.assert_array_equal(single, found[0])
    explanation = ours(X[20:23])
    np.testing.assert_array_equal(explanation.values, found)
    assert explanation.error_std.shape == found.shape
    sums = found.sum(axis=1) + explanation.base_values
    p = f(X[20:23])
    np.testing.assert_allclose(sums, np.log(p / (1 - p)) if link == "logit" else p, rtol=2e-5)


@pytest.mark.parametrize(("name", "method"), CALLED)
def test_others_are_called(name: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    X, _, _ = data()
    f = getattr(model_of(name), method)
    calls = Calls(monkeypatch)
    found = KernelExplainer(f, X[:10]).shap_values(X[20:22])
    wanted = shap.KernelExplainer(f, X[:10]).shap_values(X[20:22], silent=True, l1_reg=False)
    assert calls.n > 1
    np.testing.assert_allclose(found, wanted, atol=1e-9)


@pytest.mark.parametrize(("name", "method", "n_outputs"), IN_THE_CORE)
def test_permutations(
    name: str, method: str, n_outputs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, _, _ = data()
    f = getattr(model_of(name), method)
    calls = Calls(monkeypatch)
    found = PermutationExplainer(f, X[:20])(X[20:22])
    wanted = KernelExplainer(f, X[:20])(X[20:22])
    assert calls.n == 0
    np.testing.assert_allclose(found.values, wanted.values, atol=1e-12)
    np.testing.assert_allclose(found.base_values, wanted.base_values, rtol=1e-5)
    assert found.values.shape == wanted.values.shape


@pytest.mark.parametrize("name", ["xgboost classifier2", "lightgbm classifier2", "sklearn forest2"])
def test_models_fitted_to_tables(name: str) -> None:
    """shap.KernelExplainer raises for XGBoost's and LightGBM's: it cannot set their names."""
    X, _, _ = data()
    table = pd.DataFrame(X, columns=NAMES)
    f = model_of(name, table).predict_proba
    ours = KernelExplainer(f, table[:20])
    found = ours.shap_values(table[20:23])
    assert in_core(ours)
    other = PermutationExplainer(f, table[:20])
    np.testing.assert_allclose(other(table[20:23]).values, found, atol=1e-12)
    assert in_core(other)

    def plain(rows: Any) -> Any:
        return f(pd.DataFrame(rows, columns=NAMES))

    theirs = shap.KernelExplainer(plain, X[:20])
    wanted = theirs.shap_values(X[20:23], silent=True, l1_reg=False)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_boosters() -> None:
    X, _, _ = data()
    for name, width in (("lightgbm classifier2", ()), ("lightgbm classifier3", (3,))):
        f = model_of(name).booster_.predict
        explainer = KernelExplainer(f, X[:20])
        found = explainer.shap_values(X[20:22])
        assert in_core(explainer)
        assert found.shape == (2, 5, *width)
        wanted = shap.KernelExplainer(f, X[:20]).shap_values(X[20:22], silent=True, l1_reg=False)
        np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_sparse_rows() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    X, y, _ = data()
    X = np.where(X > 0, X, 0.0)
    model = pytest.importorskip("xgboost").XGBRegressor(n_estimators=8, n_jobs=1)
    model.fit(sparse.csr_matrix(X), y)
    rows = sparse.csr_matrix(X)
    explainer = KernelExplainer(model.predict, rows[:20])
    assert in_core(explainer)
    called = KernelExplainer(lambda part: model.predict(part), rows[:20])
    found, wanted = explainer.shap_values(rows[20:23]), called.shap_values(rows[20:23])
    np.testing.assert_allclose(found, wanted, atol=1e-5)


# ---------------------------------------------------------------- doubt


def test_classes_of_users_are_called() -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    X, y, _ = data()

    class Clipped(ensemble.RandomForestRegressor):  # type: ignore[misc, name-defined]
        def predict(self, rows: Any) -> Any:
            return np.minimum(super().predict(rows), 10.0)  # of no row here

    class Quiet(ensemble.RandomForestRegressor):  # type: ignore[misc, name-defined]
        pass

    for cls in (Clipped, Quiet):
        model = cls(5, max_depth=3).fit(X, y)
        assert tree_function(model.predict, X) is None
    plain = ensemble.RandomForestRegressor(5, max_depth=3).fit(X, y)
    assert tree_function(plain.predict, X) is not None
    assert tree_function(lambda rows: plain.predict(rows), X) is None
    assert tree_function(plain.apply, X) is None
    linear = pytest.importorskip("sklearn.linear_model").LinearRegression().fit(X, y)
    assert tree_function(linear.predict, X) is None


def test_a_model_that_has_changed_is_called() -> None:
    X, y, _ = data()
    model = model_of("sklearn forest")
    explainer = KernelExplainer(model.predict, X[:20])
    before = explainer.shap_values(X[20:23])
    model.fit(X, -y)
    after = explainer.shap_values(X[20:23])
    wanted = KernelExplainer(lambda rows: model.predict(rows), X[:20]).shap_values(X[20:23])
    np.testing.assert_allclose(after, wanted, atol=1e-9)
    assert (np.sign(before) != np.sign(after)).any()


def test_few_calls_of_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the background, and once for the rows."""
    forest = model_of("sklearn forest2")
    asked = []
    own = type(forest).predict_proba

    def predict_proba(self: Any, rows: Any) -> Any:
        asked.append(len(rows))
        return own(self, rows)

    predict_proba.__module__ = own.__module__
    monkeypatch.setattr(type(forest), "predict_proba", predict_proba)
    X, _, _ = data()
    explainer = KernelExplainer(forest.predict_proba, X[:20])
    explainer.shap_values(np.tile(X[:100], (6, 1)))
    # shap's own, ours; one row in three (and single rows, that a forest be read)
    assert [n for n in asked if n > 1] == [20, 20, 200]


def test_innermost() -> None:
    model = model_of("sklearn forest2")
    wrapped = shap.models.Model(shap.models.Model(model.predict_proba))
    assert innermost(wrapped) == model.predict_proba
    X, _, _ = data()
    assert in_core(KernelExplainer(wrapped, X[:5]))
    assert PermutationExplainer(wrapped, X[:5])(X[:2]).values.shape == (2, 5, 2)


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("name", ["xgboost classifier2", "sklearn forest3"])
def test_files(name: str) -> None:
    X, _, _ = data()
    f = model_of(name).predict_proba
    rows, background = X[20:23], X[:20]
    kernel, permutation = KernelExplainer(f, background), PermutationExplainer(f, background)
    for explainer in (kernel, permutation):
        wanted = explainer.shap_values(rows)
        again = pickle.loads(pickle.dumps(explainer))
        np.testing.assert_array_equal(again.shap_values(rows), wanted)
        file = io.BytesIO()
        explainer.save(file)
        file.seek(0)
        again = type(explainer).load(file)
        np.testing.assert_array_equal(again.shap_values(rows), wanted)
        assert in_core(again)
