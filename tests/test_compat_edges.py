"""Edges of the drop-in: modules, metaclasses, foreign globals, what a DMatrix hides."""

from __future__ import annotations

import abc
import importlib
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compat_cases import quiet
from test_compat_fallback import by_hand

shap = pytest.importorskip("shap")

import leafshap.compat.shap as compat  # noqa: E402

pytestmark = quiet

rng = np.random.default_rng(3)
X = rng.normal(size=(200, 5))
y = X[:, 0] * X[:, 1] + X[:, 2]


class Untouchable:
    """A lazy global, as `shap.plots` without matplotlib is."""

    def __getattribute__(self, name: str) -> Any:
        raise ImportError("touched")


class Comparing(type):
    """Of classes that compare, and so have no hash."""

    def __eq__(cls, other: object) -> bool:
        raise TypeError("compared")


class TestModules:
    @pytest.mark.parametrize(
        "name",
        ["plots", "plots.colors", "utils._exceptions", "maskers._tabular", "explainers._tree",
         "explainers.other", "links", "_explanation", "benchmark"],
    )  # fmt: skip
    def test_are_shaps_own(self, name: str) -> None:
        theirs = importlib.import_module(f"shap.{name}")
        before = theirs.__spec__
        assert importlib.import_module(f"leafshap.compat.shap.{name}") is theirs
        assert theirs.__spec__ is before
        assert theirs.__name__ == f"shap.{name}"

    def test_ours_come_first(self) -> None:
        tree = importlib.import_module("leafshap.compat.shap.tree")
        assert tree.TreeExplainer is compat.TreeExplainer
        assert importlib.import_module("leafshap.compat.shap.explainers") is compat.explainers

    def test_others_are_not_found(self) -> None:
        with pytest.raises(ModuleNotFoundError, match="no_such_module"):
            importlib.import_module("leafshap.compat.shap.no_such_module")

    def test_an_exception_is_caught_by_either_name(self) -> None:
        caught = importlib.import_module("leafshap.compat.shap.utils._exceptions").ExplainerError
        forest = pytest.importorskip("sklearn.ensemble").RandomForestRegressor(3).fit(X, y)
        explainer = compat.TreeExplainer(forest, X[:5], model_output="log_loss")
        with pytest.raises(caught, match="labels must be provided"):
            explainer.shap_values(X[:3])

    def test_an_old_shap_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from leafshap.errors import MissingDependencyError

        monkeypatch.setattr(shap, "__version__", "0.46.0")
        monkeypatch.delitem(sys.modules, "leafshap.compat.shap.library")
        with pytest.raises(MissingDependencyError, match=r"0\.47 or newer, there is 0\.46\.0"):
            importlib.import_module("leafshap.compat.shap.library")


class TestInstall:
    @pytest.mark.parametrize("make", [Untouchable, lambda: Comparing("C", (), {})])
    def test_does_not_touch_foreign_globals(
        self, make: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        module, value = types.ModuleType("foreign_module"), make()
        vars(module).update(thing=value, Tree=shap.TreeExplainer)
        monkeypatch.setitem(sys.modules, "foreign_module", module)
        before = shap.TreeExplainer
        with compat.install():
            assert vars(module)["Tree"] is compat.TreeExplainer
        assert vars(module)["Tree"] is before
        assert vars(module)["thing"] is value
        assert shap.TreeExplainer is before

    def test_abstract_classes_derive(self) -> None:
        with compat.install():
            Report = types.new_class("Report", (shap.TreeExplainer, abc.ABC))
        assert issubclass(Report, shap.TreeExplainer)
        assert not isinstance(compat.TreeExplainer.__new__(compat.TreeExplainer), Report)

    def test_again_after_a_reload(self) -> None:
        before = shap.explainers.TreeExplainer
        with compat.install():
            importlib.reload(shap.explainers)  # finds shap's again
            assert shap.explainers.TreeExplainer is before
            with compat.install():
                assert shap.explainers.TreeExplainer is compat.TreeExplainer
            assert shap.explainers.TreeExplainer is compat.TreeExplainer
        assert shap.explainers.TreeExplainer is before

    @pytest.mark.parametrize("data", [(), (X[:10],)], ids=["plain", "background"])
    def test_explainer_falls_back(self, data: tuple[Any, ...]) -> None:
        expected = shap.Explainer(by_hand(), *data).shap_values(X[:4])
        with compat.install(), pytest.warns(compat.FallbackWarning) as caught:
            found = shap.Explainer(by_hand(), *data).shap_values(X[:4])
        np.testing.assert_array_equal(found, expected)
        assert len(caught) == 1
        assert Path(caught[0].filename) == Path(__file__)


class TestDMatrix:
    def test_bins_are_left_to_xgboost(self) -> None:
        xgboost = pytest.importorskip("xgboost")
        model = xgboost.XGBRegressor(n_estimators=8, max_depth=3, n_jobs=1).fit(X, y)
        binned = xgboost.QuantileDMatrix(X[:20])
        explainer = compat.TreeExplainer(model)
        with pytest.warns(compat.FallbackWarning, match="QuantileDMatrix"):
            values = explainer.shap_values(binned)
        margin = model.get_booster().predict(binned)
        np.testing.assert_allclose(values.sum(1) + explainer.expected_value, margin, atol=1e-4)
        with pytest.warns(compat.FallbackWarning, match="QuantileDMatrix"):
            pairs = explainer.shap_interaction_values(binned)
        np.testing.assert_allclose(pairs.sum(2), values, atol=1e-4)

    def test_categories_are_left_to_xgboost(self) -> None:
        xgboost, pd = pytest.importorskip("xgboost"), pytest.importorskip("pandas")
        if int(xgboost.__version__.split(".")[0]) < 3:
            pytest.skip("codes are recoded since 3.0")
        kinds = ["lo", "mid", "hi"]
        table = pd.DataFrame({"a": pd.Categorical(rng.choice(kinds, 200), kinds), "b": X[:, 0]})
        model = xgboost.XGBRegressor(
            enable_categorical=True, max_cat_to_onehot=1, n_estimators=5, n_jobs=1
        ).fit(table, table.a.cat.codes * X[:, 0])
        turned = table[:8].assign(a=table.a[:8].cat.reorder_categories(["hi", "lo", "mid"]))
        explainer = compat.TreeExplainer(model)
        with pytest.warns(compat.FallbackWarning, match="categories"):
            values = explainer.shap_values(xgboost.DMatrix(turned, enable_categorical=True))
        np.testing.assert_allclose(values, shap.TreeExplainer(model).shap_values(turned), atol=1e-5)


@pytest.mark.parametrize("kind", ["array", "frame"])
@pytest.mark.parametrize("n_columns", [6, 12])
def test_integer_backgrounds_do_not_round_rows(kind: str, n_columns: int) -> None:
    weights = np.arange(1.0, n_columns + 1)
    background: Any = rng.integers(0, 5, size=(40, n_columns))
    rows = rng.normal(size=(3, n_columns))
    expected = (rows - background.mean(0)) * weights
    if kind == "frame":
        background = pytest.importorskip("pandas").DataFrame(background)
    explainer = compat.Explainer(lambda Z: np.asarray(Z, dtype=float) @ weights, background)
    np.testing.assert_allclose(explainer(rows).values, expected, atol=1e-10)


def test_masks_are_not_seen() -> None:
    """As in the libraries themselves."""
    forest = pytest.importorskip("sklearn.ensemble").RandomForestRegressor(3).fit(X, y)
    masked = np.ma.masked_less(X[:6], 0.0)
    explainer = compat.TreeExplainer(forest)
    np.testing.assert_array_equal(explainer.shap_values(masked), explainer.shap_values(X[:6]))
    np.testing.assert_array_equal(
        compat.TreeExplainer(forest, masked).shap_values(X[:4]),
        compat.TreeExplainer(forest, X[:6]).shap_values(X[:4]),
    )


def test_explainer_hands_arguments_on() -> None:
    model = pytest.importorskip("sklearn.ensemble").GradientBoostingClassifier(n_estimators=5)
    model.fit(X, y > 0)
    explainer = compat.Explainer(model, X[:20], feature_perturbation="tree_path_dependent")
    assert explainer.feature_perturbation == "tree_path_dependent"
    explainer = compat.Explainer(model, X[:20], model_output="probability")
    total = explainer.shap_values(X[:5]).sum(1) + explainer.expected_value
    np.testing.assert_allclose(total, model.predict_proba(X[:5])[:, 1], rtol=1e-9)
    with pytest.warns(DeprecationWarning, match="approximate argument"):
        compat.Explainer(model, approximate=True)
    with pytest.raises(TypeError, match="no_such_argument"):
        compat.Explainer(model, X[:20], no_such_argument=1)


def test_sparse_background_is_shown_dense() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    forest = pytest.importorskip("sklearn.ensemble").RandomForestRegressor(3).fit(X, y)
    explainer = compat.TreeExplainer(forest, sparse.csr_matrix(X[:20]))
    np.testing.assert_array_equal(explainer.data, X[:20])
    np.testing.assert_array_equal(explainer.masker.data, X[:20])
