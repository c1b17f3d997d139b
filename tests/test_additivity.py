"""The additivity check: against the user's own model, with a tolerance that finds real errors."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import oracle
from leafshap import AdditivityError, TreeEnsemble, TreeExplainer, converters
from leafshap.converters.arrays import EnsembleArrays
from leafshap.explainers.additivity import AdditivityCheck
from strategies import Recipe, random_ensemble, random_rows

NUMERIC = Recipe(seed=1, n_trees=4, n_features=5, categorical=0.0, n_leaves=8)


def case(**changes: Any) -> tuple[EnsembleArrays, npt.NDArray[np.float64]]:
    arrays = random_ensemble(NUMERIC.but(**changes))
    return arrays, random_rows(arrays, 60)


class Library:
    """A user's model whose library is this test: raw predictions by the oracle."""

    def __init__(self, arrays: EnsembleArrays) -> None:
        self.arrays = arrays
        self.error = np.zeros(1)  # added to the prediction of the rows it names
        self.seen: list[Any] = []
        self.refuses: type | tuple[type, ...] = ()

    def predict_raw(self, X: Any, n_trees: int | None) -> npt.NDArray[np.float64]:
        self.seen.append((X, n_trees))
        if isinstance(X, self.refuses):
            raise TypeError(f"no {type(X).__name__}, please")
        if n_trees is None:
            n_trees = -1 if self.arrays.tree_limit is None else self.arrays.tree_limit
        dense = X if isinstance(X, np.ndarray) else np.asarray(X.to_numpy(), dtype=np.float64)
        out = oracle.predict(self.arrays, np.ascontiguousarray(dense), n_trees)
        out[: len(self.error)] += self.error[: len(out), np.newaxis]
        return out[:, 0] if out.shape[1] == 1 else out


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> type[Library]:
    monkeypatch.setattr(converters, "convert", lambda model: model.arrays)
    monkeypatch.setattr(
        converters, "predict_raw", lambda model, X, n_trees=None: model.predict_raw(X, n_trees)
    )
    return Library


class TestAdditivity:
    def test_compares_with_the_users_own_model(self, library: type[Library]) -> None:
        arrays, X = case(n_outputs=2)
        model = library(arrays)
        explainer = TreeExplainer(model)
        values = explainer.shap_values(X)
        assert len(model.seen) == 1
        model.error = np.zeros(60)
        model.error[17], model.error[42] = -0.5, 0.1
        with pytest.raises(AdditivityError, match=r"^row 17, output [01]: .*tolerance") as info:
            explainer.shap_values(X)
        expected = oracle.predict(arrays, X)[17]
        printed = str(info.value)
        assert any(f"{v:.9g}" in printed and f"{v - 0.5:.9g}" in printed for v in expected)
        np.testing.assert_array_equal(explainer.shap_values(X, check_additivity=False), values)
        with pytest.raises(AdditivityError):
            explainer(X)

    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_tolerance(self, dtype: str, library: type[Library]) -> None:
        arrays, X = case()
        model = library(arrays)
        explainer = TreeExplainer(model, dtype=dtype)
        scale = np.abs(explainer.shap_values(X)).sum(axis=1).max()
        model.error = np.full(60, 0.9e-4 * scale)
        explainer.shap_values(X)
        model.error = np.full(60, 1.3e-4 * scale)
        with pytest.raises(AdditivityError):
            explainer.shap_values(X)

    def test_rounding_of_float32_libraries_passes(self, library: type[Library]) -> None:
        arrays, X = case(n_trees=30)
        arrays = replace(arrays, base_values=np.array([3e5]), tree_weight=np.full(30, 1e-2))
        model = library(arrays)

        def float32_sum(X: Any, n_trees: int | None) -> npt.NDArray[np.float64]:
            out = np.full(len(X), np.float32(3e5))
            for t in range(1, 31):
                after, before = oracle.predict(arrays, X, t), oracle.predict(arrays, X, t - 1)
                out += (after - before)[:, 0].astype(np.float32)
            return out.astype(np.float64)

        model.predict_raw = float32_sum  # type: ignore[method-assign]
        exact = oracle.predict(arrays, X)[:, 0]
        explainer = TreeExplainer(model)
        scale = np.abs(explainer.shap_values(X, check_additivity=False)).sum(axis=1).max()
        assert np.abs(float32_sum(X, None) - exact).max() > 1e-3 * scale  # or it tests nothing
        explainer.shap_values(X)

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_a_prediction_that_is_no_number(self, value: float, library: type[Library]) -> None:
        arrays, X = case()
        model = library(arrays)
        model.error = np.array([0.0, value])
        with pytest.raises(AdditivityError, match="row 1:"):
            TreeExplainer(model).shap_values(X)

    def test_large_data_is_sampled_evenly(self, library: type[Library]) -> None:
        arrays, _ = case()
        X = random_rows(arrays, 50_000)
        model = library(arrays)
        explainer = TreeExplainer(model)
        explainer.shap_values(X)
        (seen, _) = model.seen[-1]
        np.testing.assert_array_equal(seen, X[::16])
        model.error = np.zeros(50_000)
        model.error[2_500] = 5.0  # of the rows seen: row 40,000
        with pytest.raises(AdditivityError, match=r"^row 40000:"):
            explainer.shap_values(X)
        model.error[2_500] = 0.0
        model.seen.clear()
        explainer.shap_values(X, check_additivity="all")
        np.testing.assert_array_equal(np.concatenate([rows for rows, _ in model.seen]), X)

    @pytest.mark.parametrize(
        ("n", "least", "most"),
        [(1, 1, 1), (256, 256, 256), (257, 129, 256), (5_000, 129, 312), (10_000, 300, 625),
         (10**6, 8_192, 16_384), (10**10, 8_192, 16_384)],
    )  # fmt: skip
    def test_how_many_rows(self, n: int, least: int, most: int) -> None:
        narrow = np.broadcast_to(np.float64(0), (n, 30, 1))
        ((start, stop, step),) = AdditivityCheck._spans(True, n, narrow)
        assert (start, stop) == (0, n)
        assert least <= len(range(start, stop, step)) <= most
        wide = np.broadcast_to(np.float32(0), (n, 10_000, 100))
        ((start, stop, step),) = AdditivityCheck._spans(True, n, wide)
        assert 1 <= len(range(start, stop, step)) <= 8

    def test_all_names_the_row(self, library: type[Library]) -> None:
        arrays, _ = case()
        X = random_rows(arrays, 40_000)
        model = library(arrays)
        explainer = TreeExplainer(model)
        model.error = np.array([0.0, 0.0, 0.0, 2.0])  # in every part that the library is given
        model.arrays = replace(arrays)
        with pytest.raises(AdditivityError, match=r"^row (3|16387|32771):"):
            explainer.shap_values(X, check_additivity="all")

    def test_tree_limit_reaches_the_library(self, library: type[Library]) -> None:
        arrays, X = case()
        arrays = replace(arrays, tree_limit=2, trees_per_iteration=2)
        model = library(arrays)
        explainer = TreeExplainer(model)
        for limit, passed in [(None, None), (2, 2), (-1, 4), (99, 4)]:
            explainer.shap_values(X, tree_limit=limit)
            assert model.seen.pop()[1] == passed
        explainer.shap_values(X, tree_limit=3)  # a library cannot stop inside an iteration
        assert not model.seen

    def test_the_library_sees_the_users_own_rows(self, library: type[Library]) -> None:
        pandas = pytest.importorskip("pandas")
        arrays, X = case()
        table = pandas.DataFrame(X, columns=list("vwxyz"))
        named = library(replace(arrays, feature_names=list("vwxyz")))
        TreeExplainer(named).shap_values(table)
        assert named.seen[-1][0] is table
        nameless = library(arrays)  # trained on an array: would warn about names, or refuse them
        TreeExplainer(nameless).shap_values(table)
        assert isinstance(nameless.seen[-1][0], np.ndarray)

    def test_the_library_gets_a_matrix_if_it_refuses_the_container(
        self, library: type[Library]
    ) -> None:
        pandas = pytest.importorskip("pandas")
        arrays, X = case()
        model = library(replace(arrays, feature_names=list("vwxyz")))
        model.refuses = pandas.DataFrame
        explainer = TreeExplainer(model)
        explainer.shap_values(pandas.DataFrame(X, columns=list("vwxyz")))
        assert [type(rows) for rows, _ in model.seen] == [pandas.DataFrame, np.ndarray]
        model.refuses = object
        with pytest.raises(AdditivityError, match=r"no ndarray, please.*check_additivity=False"):
            explainer.shap_values(X)

    def test_a_converted_model_checks_against_the_reference(self) -> None:
        arrays, X = case()
        explainer = TreeExplainer(TreeEnsemble(arrays))
        explainer.shap_values(X, check_additivity="all")

    def test_the_models_input_is_not_changed(self) -> None:
        arrays, X = case()
        before = X.copy()
        TreeExplainer(arrays)(X)
        np.testing.assert_array_equal(X, before)

    def test_a_pickled_explainer_has_the_users_model_too(self, library: type[Library]) -> None:
        arrays, X = case()
        copy = pickle.loads(pickle.dumps(TreeExplainer(library(arrays))))
        copy.shap_values(X)
        copy._check._model.error = np.ones(60)
        with pytest.raises(AdditivityError):
            copy.shap_values(X)
