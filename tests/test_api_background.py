"""The API with background data: what is read, what is refused, and the shapes of what comes out.

The numbers themselves are compared with independent truths elsewhere; here only with each other.
"""

from __future__ import annotations

import copy
import importlib
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from leafshap import (
    AdditivityError,
    InvalidInputError,
    TreeEnsemble,
    TreeExplainer,
    UnsupportedModelError,
    _core,
    converters,
)
from leafshap.converters.arrays import EnsembleArrays
from strategies import Recipe, random_ensemble, random_rows

NUMERIC = Recipe(seed=1, n_trees=4, n_features=5, categorical=0.0, n_leaves=8)
Floats = npt.NDArray[np.float64]


def case(link: str = "identity", **changes: Any) -> tuple[EnsembleArrays, Floats, Floats]:
    """An ensemble, 8 rows to explain and 12 background rows."""
    arrays = random_ensemble(NUMERIC.but(**changes))
    rows = random_rows(arrays, 20)
    return replace(arrays, link=link), rows[:8], rows[8:]


def sigmoid(margin: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-margin)))


class TestBackground:
    def test_every_container_gives_the_same_bits(self) -> None:
        arrays, X, data = case(precision="float64")
        names = list("abcde")
        arrays = replace(arrays, feature_names=names)
        finite = np.where(np.isfinite(data), data, 0.5)
        data = np.asarray(np.round(finite, 3), dtype=np.float64)
        expected = TreeExplainer(arrays, data).shap_values(X)
        assert float(np.ptp(expected)) > 0
        forms: dict[str, Any] = {"list": data.tolist(), "fortran": np.asfortranarray(data)}
        forms |= {"object": data.astype(object), "weights": (data, np.full(12, 3.0))}
        makers: dict[str, Callable[[Any], Any]] = {
            "pandas": lambda m: m.DataFrame(data, columns=names),
            "polars": lambda m: m.DataFrame(data, schema=names),
            "pyarrow": lambda m: m.table(list(data.T), names=names),
            "scipy.sparse": lambda m: m.csr_matrix(data),
        }
        for package, make in makers.items():
            try:
                forms[package] = make(importlib.import_module(package))
            except ImportError:
                continue
        for name, form in forms.items():
            explainer = TreeExplainer(arrays, form)
            assert explainer.data is not None
            np.testing.assert_array_equal(explainer.data, data, err_msg=name)
            # weights that are all the same may round differently from none
            np.testing.assert_allclose(
                explainer.shap_values(X), expected, rtol=1e-12, atol=1e-14, err_msg=name
            )

    def test_is_a_read_only_copy(self) -> None:
        arrays, X, data = case()
        explainer = TreeExplainer(arrays, data)
        expected = explainer.shap_values(X)
        data[:] = 0
        explainer = pickle.loads(pickle.dumps(explainer))
        np.testing.assert_array_equal(explainer.shap_values(X), expected)
        assert explainer.data is not None
        with pytest.raises(ValueError, match="read-only"):
            explainer.data[0] = 0

    @pytest.mark.parametrize("given", ["float32", "float64", "int8", "int64"])
    def test_precision_of_the_copy(self, given: str) -> None:
        arrays, X, _ = case()
        data = np.arange(15).reshape(3, 5).astype(given)
        explainer = TreeExplainer(arrays, data)
        assert explainer.data is not None
        assert explainer.data.dtype == ("float32" if given in ("float32", "int8") else "float64")
        explainer.shap_values(X)

    def test_a_single_row(self) -> None:
        arrays, X, data = case()
        one, same = TreeExplainer(arrays, data[3]), TreeExplainer(arrays, data[3:4])
        np.testing.assert_array_equal(one.shap_values(X), same.shap_values(X))
        assert one.expected_value == pytest.approx(same.model.predict(data[3]), rel=1e-12)
        np.testing.assert_allclose(one.shap_values(data[3]), np.zeros(5), atol=1e-12)

    def test_is_used_in_full(self) -> None:
        arrays, X, _ = case()
        data = random_rows(arrays, 1200)
        explainer = TreeExplainer(arrays, data)
        assert explainer.expected_value == pytest.approx(explainer.model.predict(data).mean())
        explainer.shap_values(X)

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            (np.zeros((0, 5)), "no rows"),
            (np.zeros((3, 4)), "4 columns were given, the model has 5"),
            (np.zeros(4), "4 columns were given"),
            (np.zeros((2, 2, 2)), "2 dimensions"),
            ([["a"] * 5], "dtype"),
            ((np.zeros((2, 5)),), "1 parts"),
            ((np.zeros((2, 5)), None), "None"),
            (np.array([[1, 2, 3, "x", 5]], object), "column 3.*row 0 holds 'x'"),
        ],
        ids=str,
    )
    def test_what_does_not_fit(self, data: Any, words: str) -> None:
        with pytest.raises(InvalidInputError, match=f"^background data: .*{words}"):
            TreeExplainer(case()[0], data)

    def test_wrong_columns_are_named(self) -> None:
        pandas = pytest.importorskip("pandas")
        arrays, _, data = case()
        arrays = replace(arrays, feature_names=list("abcde"))
        with pytest.raises(InvalidInputError, match=r"background data.*column 2 is 'z'.*is 'c'"):
            TreeExplainer(arrays, pandas.DataFrame(data, columns=list("abzde")))

    def test_values_that_the_model_refuses(self) -> None:
        arrays, _, data = case()
        data = np.where(np.isfinite(data), data, 0.0)
        data[4, 2] = np.nan
        with pytest.raises(InvalidInputError, match="background data: row 4, column 2"):
            TreeExplainer(replace(arrays, allow_nan=False), data)

    def test_categories_of_a_table(self) -> None:
        pandas = pytest.importorskip("pandas")
        arrays = random_ensemble(NUMERIC.but(categorical=0.4))
        by_category = arrays.split_feature[arrays.categorical != 0]
        f = int(by_category[0])
        known = [f"c{i}" for i in range(12)]
        arrays = replace(arrays, feature_categories={f: known})
        codes = random_rows(arrays, 10)
        codes[:, f] = np.arange(10)
        table = pandas.DataFrame(codes)
        table.columns = [f"f{j}" for j in range(5)]
        table[f"f{f}"] = pandas.Categorical([known[i] for i in range(10)], categories=known[::-1])
        explainer = TreeExplainer(arrays, table)
        assert explainer.data is not None
        np.testing.assert_array_equal(explainer.data, codes)
        expected = TreeExplainer(arrays, codes).shap_values(codes)
        np.testing.assert_array_equal(explainer.shap_values(table), expected)

    def test_names_come_from_it_last(self) -> None:
        pandas = pytest.importorskip("pandas")
        arrays, X, data = case()
        table = pandas.DataFrame(data, columns=list("vwxyz"))
        assert TreeExplainer(arrays, table)(X).feature_names == list("vwxyz")
        named = replace(arrays, feature_names=[f"f{i}" for i in range(5)])
        assert TreeExplainer(named, data)(X).feature_names == [f"f{i}" for i in range(5)]


class TestWeights:
    def test_forms(self) -> None:
        arrays, X, data = case(n_outputs=2)
        counts = np.arange(12) % 4
        repeated = np.repeat(data, counts, axis=0)
        expected = TreeExplainer(arrays, repeated).shap_values(X)
        for form in ("sample_weight", "pair", "attributes", "scaled"):
            explainer = {
                "sample_weight": lambda: TreeExplainer(arrays, data, sample_weight=counts),
                "pair": lambda: TreeExplainer(arrays, (data, counts.tolist())),
                "attributes": lambda: TreeExplainer(arrays, Summary(data, counts)),
                "scaled": lambda: TreeExplainer(arrays, data, sample_weight=counts * 1e307),
            }[form]()
            np.testing.assert_allclose(
                explainer.shap_values(X), expected, rtol=1e-10, atol=1e-12, err_msg=form
            )

    def test_of_shap(self) -> None:
        shap = pytest.importorskip("shap")
        pytest.importorskip("sklearn")
        arrays, X, data = case()
        data = np.where(np.isfinite(data), data, 0.5)
        summary = shap.kmeans(data, 3)
        ours = TreeExplainer(arrays, summary)
        mean = np.average(ours.model.predict(summary.data), weights=summary.weights)
        assert ours.expected_value == pytest.approx(mean, rel=1e-12)
        masker = shap.maskers.Independent(data, max_samples=1000)
        np.testing.assert_array_equal(
            TreeExplainer(arrays, masker).shap_values(X), TreeExplainer(arrays, data).shap_values(X)
        )
        with pytest.raises(InvalidInputError, match="only Independent"):
            TreeExplainer(arrays, shap.maskers.Partition(data))

    @pytest.mark.parametrize(
        ("weights", "words"),
        [
            (np.ones(11), r"shape \(11,\), expected \(12,\)"),
            (np.ones((12, 1)), r"shape \(12, 1\)"),
            (2.0, r"shape \(\)"),
            (np.zeros(12), "all zero"),
            (np.r_[np.ones(7), -1, np.ones(4)], "row 7 is -1"),
            (np.r_[np.ones(2), np.nan, np.ones(9)], "row 2 is nan"),
            (np.r_[np.inf, np.ones(11)], "row 0 is inf"),
            (["a"] * 12, "weights"),
        ],
        ids=str,
    )
    def test_refusals(self, weights: Any, words: str) -> None:
        arrays, _, data = case()
        with pytest.raises(InvalidInputError, match=words):
            TreeExplainer(arrays, data, sample_weight=weights)
        with pytest.raises(InvalidInputError, match=words):
            TreeExplainer(arrays, (data, weights))

    def test_twice(self) -> None:
        arrays, _, data = case()
        with pytest.raises(InvalidInputError, match="twice"):
            TreeExplainer(arrays, (data, np.ones(12)), sample_weight=np.ones(12))


class Summary:
    """As shap.kmeans returns it."""

    def __init__(self, data: Floats, weights: npt.NDArray[Any]) -> None:
        self.data, self.weights = data, weights / weights.sum()


class TestPerturbation:
    def test_auto(self) -> None:
        arrays, X, data = case()
        path, background = TreeExplainer(arrays), TreeExplainer(arrays, data)
        assert path.feature_perturbation == "tree_path_dependent"
        assert path.data is None
        assert background.feature_perturbation == "interventional"
        explicit = TreeExplainer(arrays, data, feature_perturbation="interventional")
        np.testing.assert_array_equal(explicit.shap_values(X), background.shap_values(X))
        assert not np.array_equal(path.shap_values(X), background.shap_values(X))

    def test_data_recounts_cover(self) -> None:
        arrays, X, _ = case()
        data = random_rows(arrays, 300)
        explainer = TreeExplainer(arrays, data, feature_perturbation="tree_path_dependent")
        other = TreeExplainer(TreeEnsemble(arrays).recount_cover(data))
        np.testing.assert_array_equal(explainer.shap_values(X), other.shap_values(X))
        assert explainer.expected_value == other.expected_value
        assert explainer.expected_value != TreeExplainer(arrays).expected_value
        assert explainer.data is None
        # cover counted from all the rows that a tree was grown on gives their mean
        assert explainer.expected_value == pytest.approx(explainer.model.predict(data).mean())
        explainer.shap_values(X, approximate=True)
        copied = pickle.loads(pickle.dumps(explainer))
        np.testing.assert_array_equal(copied.shap_values(X), explainer.shap_values(X))

    def test_recounted_cover(self) -> None:
        arrays, _, data = case()
        ensemble = TreeEnsemble(arrays)
        once = ensemble.recount_cover(data).to_arrays().cover
        twice = ensemble.recount_cover((data, np.full(12, 2.0))).to_arrays().cover
        assert once is not None
        assert twice is not None
        roots = arrays.tree_offsets[:-1]
        assert len(set(once[roots])) == 1
        np.testing.assert_allclose(twice / twice[0], once / once[0], rtol=1e-12)
        np.testing.assert_array_equal(ensemble.to_arrays().cover, arrays.cover)
        with pytest.raises(InvalidInputError, match="columns"):
            ensemble.recount_cover(data[:, :3])

    def test_a_model_without_cover(self) -> None:
        arrays, X, data = case()
        bare = replace(arrays, cover=None)
        for perturbation in ("auto", "tree_path_dependent"):
            np.testing.assert_array_equal(
                TreeExplainer(bare, data, feature_perturbation=perturbation).shap_values(X),
                TreeExplainer(arrays, data, feature_perturbation=perturbation).shap_values(X),
            )

    def test_approximate_needs_cover(self) -> None:
        arrays, X, data = case()
        with pytest.raises(InvalidInputError, match="Saabas"):
            TreeExplainer(arrays, data).shap_values(X, approximate=True)
        with pytest.raises(InvalidInputError, match="Saabas"):
            TreeExplainer(arrays, data)(X, approximate=True)

    def test_repr(self) -> None:
        arrays, _, data = case("logistic")
        assert "interventional, 12 background rows, float64" in repr(TreeExplainer(arrays, data))
        assert "1 background row," in repr(TreeExplainer(arrays, data[0], dtype="float32"))
        text = repr(TreeExplainer(arrays, data, model_output="probability"))
        assert "12 background rows, probability" in text
        text = repr(TreeExplainer(arrays, data, feature_perturbation="tree_path_dependent"))
        assert "tree_path_dependent, cover of 12 background rows" in text


class TestShapes:
    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    @pytest.mark.parametrize("n_outputs", [1, 3])
    def test_values(self, n_outputs: int, dtype: str) -> None:
        arrays, X, data = case(n_outputs=n_outputs)
        explainer = TreeExplainer(arrays, data, dtype=dtype)
        values = explainer.shap_values(X, check_additivity="all")
        assert values.dtype == dtype
        assert values.shape == ((8, 5) if n_outputs == 1 else (8, 5, 3))
        np.testing.assert_array_equal(explainer.shap_values(X[2]), values[2])
        assert explainer.shap_values(X[:0]).shape == (0, *values.shape[1:])
        mean = explainer.model.predict(data).mean(axis=0)
        if n_outputs == 1:
            assert type(explainer.expected_value) is float
        else:
            assert isinstance(explainer.expected_value, np.ndarray)
            with pytest.raises(ValueError, match="read-only"):
                explainer.expected_value[0] = 0
        np.testing.assert_allclose(explainer.expected_value, mean, rtol=1e-12)
        explanation = explainer(X)
        np.testing.assert_array_equal(explanation.values, values)
        assert (explanation.base_values == explainer.expected_value).all()
        assert explanation.base_values.shape == ((8,) if n_outputs == 1 else (8, 3))

    def test_tree_limit(self) -> None:
        arrays, X, data = case()
        explainer = TreeExplainer(replace(arrays, tree_limit=3), data)
        default = explainer.shap_values(X)
        for limit in (1, 2, 3, 4, -1, 2, 3):
            values = explainer.shap_values(X, tree_limit=limit, check_additivity="all")
            mean = explainer.model.predict(data, tree_limit=limit).mean()
            total = values.sum(axis=1) + mean
            np.testing.assert_allclose(total, explainer.model.predict(X, limit), rtol=1e-9)
        np.testing.assert_array_equal(explainer.shap_values(X, tree_limit=3), default)
        assert explainer.expected_value == pytest.approx(explainer.model.predict(data, 3).mean())

    @pytest.mark.parametrize(("memory_limit", "calls"), [(1 << 30, [3, 3, 2]), (1, [8])])
    def test_tables_that_are_not_kept_are_made_once_a_call(
        self, memory_limit: int, calls: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        arrays, X, data = case()
        expected = TreeExplainer(arrays, data).shap_values(X)
        rows = []

        class Limited(_core.BackgroundPlan):  # type: ignore[misc]
            def __init__(self, *arguments: Any, **options: Any) -> None:
                options["memory_limit"] = memory_limit
                super().__init__(*arguments, **options)

            def shap_values(self, X: Any, out: Any, n_threads: int) -> None:
                rows.append(len(X))
                super().shap_values(X, out, n_threads)

        monkeypatch.setattr(_core, "BackgroundPlan", Limited)
        monkeypatch.setattr("leafshap.inputs._BLOCK_BYTES", 1)
        monkeypatch.setattr("leafshap.inputs._MIN_BLOCK_ROWS", 3)
        explainer = TreeExplainer(arrays, data)
        values = explainer.shap_values(np.asfortranarray(X))
        np.testing.assert_allclose(values, expected, atol=1e-12)
        assert rows == calls

    def test_many_threads(self) -> None:
        arrays, X, data = case()
        explainer = TreeExplainer(arrays, data, n_jobs=1)
        expected = {k: TreeExplainer(arrays, data).shap_values(X, tree_limit=k) for k in (1, 2, 3)}

        def work(limit: int) -> None:
            values = explainer.shap_values(X, tree_limit=limit)
            np.testing.assert_array_equal(values, expected[limit])

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, [1, 2, 3] * 8))


class TestModelOutput:
    @pytest.mark.parametrize("n_outputs", [1, 2])
    @pytest.mark.parametrize("name", ["probability", "predict_proba", "predict"])
    def test_logistic(self, name: str, n_outputs: int) -> None:
        arrays, X, data = case("logistic", n_outputs=n_outputs)
        explainer = TreeExplainer(arrays, data, model_output=name)
        values = explainer.shap_values(X, check_additivity="all")
        assert values.shape == ((8, 5) if n_outputs == 1 else (8, 5, 2))
        mean = sigmoid(explainer.model.predict(data)).mean(axis=0)
        np.testing.assert_allclose(explainer.expected_value, mean, rtol=1e-12)
        total = values.sum(axis=1) + mean
        np.testing.assert_allclose(total, sigmoid(explainer.model.predict(X)), rtol=1e-9)
        assert explainer.model_output == name
        np.testing.assert_array_equal(explainer.shap_values(X[1]), values[1])

    @pytest.mark.parametrize(("link", "factor"), [("logistic_2x", 2.0), ("logistic:0.5", 0.5)])
    def test_scaled_logistic(self, link: str, factor: float) -> None:
        arrays, X, data = case(link)
        explainer = TreeExplainer(arrays, data, model_output="probability")
        total = explainer.shap_values(X).sum(axis=1) + explainer.expected_value
        margin = TreeEnsemble(arrays).predict(X)
        np.testing.assert_allclose(total, sigmoid(factor * margin), rtol=1e-9)
        np.testing.assert_array_equal(explainer.model.predict(X), margin)
        loss = TreeExplainer(arrays, data, model_output="log_loss").shap_values(X, y=np.ones(8))
        assert np.isfinite(loss).all()

    def test_exp(self) -> None:
        arrays, X, data = case("exp")
        explainer = TreeExplainer(arrays, data, model_output="predict", sample_weight=np.arange(12))
        prediction = np.exp(explainer.model.predict(data))
        assert explainer.expected_value == pytest.approx(
            np.average(prediction, weights=np.arange(12))
        )
        total = explainer.shap_values(X).sum(axis=1) + explainer.expected_value
        np.testing.assert_allclose(total, np.exp(explainer.model.predict(X)), rtol=1e-9)

    @pytest.mark.parametrize("link", ["logistic", "identity"])
    def test_log_loss(self, link: str) -> None:
        arrays, X, data = case(link)
        weights = np.arange(1, 13.0)
        explainer = TreeExplainer(arrays, data, model_output="log_loss", sample_weight=weights)
        y = np.arange(8) % 2
        margin, background = explainer.model.predict(X), explainer.model.predict(data)

        def loss(m: Floats, label: npt.NDArray[Any]) -> Floats:
            if link == "identity":
                return np.asarray((label - m) ** 2)
            return np.asarray(-np.log(np.where(label == 1, sigmoid(m), 1 - sigmoid(m))))

        explanation = explainer(X, y, check_additivity="all")
        total = explanation.values.sum(axis=1) + explanation.base_values
        np.testing.assert_allclose(total, loss(margin, y), rtol=1e-9)
        expected = np.array(
            [np.average(loss(background, np.full(12, k)), weights=weights) for k in y]
        )
        assert explanation.base_values.shape == (8,)
        np.testing.assert_allclose(explanation.base_values, expected, rtol=1e-9)
        assert callable(explainer.expected_value)
        np.testing.assert_allclose(explainer.expected_value(y), expected, rtol=1e-9)
        assert type(explainer.expected_value(1)) is float
        pandas = pytest.importorskip("pandas")
        for labels in (y.tolist(), y == 1, y.astype("f4"), pandas.Series(y, index=range(5, 13))):
            np.testing.assert_array_equal(explainer.shap_values(X, labels), explanation.values)
        np.testing.assert_array_equal(explainer.shap_values(X[3], y[3]), explanation.values[3])
        assert explainer(X[3], [y[3]]).base_values.shape == ()
        copied = pickle.loads(pickle.dumps(explainer))
        np.testing.assert_array_equal(copied.expected_value(y), explainer.expected_value(y))

    def test_labels_that_do_not_fit(self) -> None:
        arrays, X, data = case("logistic")
        explainer = TreeExplainer(arrays, data, model_output="log_loss")
        y = np.zeros(8)
        wrong = [(None, "needs the labels"), (y[:7], "for 8 rows"), (["a"] * 8, "numbers")]
        wrong += [(y + 2, r"y\[0\] is 2"), (np.r_[y[:7], np.nan], r"y\[7\] is nan")]
        for labels, words in wrong:
            with pytest.raises(InvalidInputError, match=words):
                explainer.shap_values(X, labels)
            with pytest.raises(InvalidInputError, match=words):
                explainer(X, labels)

    def test_raw_by_another_name(self) -> None:
        arrays, X, data = case()
        raw = TreeExplainer(arrays, data).shap_values(X)
        predict = TreeExplainer(arrays, data, model_output="predict").shap_values(X)
        np.testing.assert_array_equal(predict, raw)
        path = TreeExplainer(arrays, model_output="predict").shap_values(X)
        np.testing.assert_array_equal(path, TreeExplainer(arrays).shap_values(X))
        forest = replace(arrays, link="probability")
        for name in ("probability", "predict_proba", "predict"):
            values = TreeExplainer(forest, data, model_output=name).shap_values(X)
            np.testing.assert_array_equal(values, raw)

    @pytest.mark.parametrize(
        ("link", "name", "words"),
        [
            ("softmax", "probability", "softmax.*KernelExplainer"),
            ("softmax", "log_loss", "softmax"),
            ("identity", "probability", "no probability"),
            ("identity", "predict_proba", "no probability"),
            ("exp", "probability", "no probability.*predict"),
            ("softplus", "predict", "'softplus'.*no prediction"),
            ("path_length", "predict", "no prediction"),
            ("hinge", "probability", "no probability"),
            ("exp", "log_loss", "link is 'exp'"),
            ("probability", "log_loss", "link is 'probability'"),
            ("logistic:wide", "probability", "no probability"),
        ],
    )
    def test_outputs_that_are_not_there(self, link: str, name: str, words: str) -> None:
        arrays, _, data = case(link)
        with pytest.raises(UnsupportedModelError, match=words):
            TreeExplainer(arrays, data, model_output=name)

    def test_the_loss_of_several_outputs(self) -> None:
        arrays, _, data = case("logistic", n_outputs=2)
        with pytest.raises(UnsupportedModelError, match="2 outputs"):
            TreeExplainer(arrays, data, model_output="log_loss")

    def test_a_transformed_output_needs_a_background(self) -> None:
        arrays, _, data = case("logistic")
        for arguments in ({}, {"data": data, "feature_perturbation": "tree_path_dependent"}):
            with pytest.raises(InvalidInputError, match="needs background data"):
                TreeExplainer(arrays, model_output="probability", **arguments)  # type: ignore[arg-type]

    def test_labels_that_predict_returns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Classifier:
            def predict_proba(self) -> None: ...

        arrays, _, data = case("logistic")
        monkeypatch.setattr(converters, "convert", lambda model: arrays)
        with pytest.raises(UnsupportedModelError, match="Classifier returns labels"):
            TreeExplainer(Classifier(), data, model_output="predict")
        TreeExplainer(Classifier(), data, model_output="predict_proba")
        monkeypatch.setattr(converters, "convert", lambda model: replace(arrays, link="identity"))
        with pytest.raises(UnsupportedModelError, match="regressors"):
            TreeExplainer(Classifier(), data, model_output="log_loss")

    @pytest.mark.parametrize("name", ["raw", "probability", "log_loss"])
    def test_additivity_is_checked(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        class Library: ...

        arrays, X, data = case("logistic")
        off = np.zeros(8)
        ensemble = TreeEnsemble(arrays)
        monkeypatch.setattr(converters, "convert", lambda model: arrays)
        monkeypatch.setattr(
            converters, "predict_raw", lambda model, X, n_trees=None: ensemble.predict(X) + off
        )
        explainer = TreeExplainer(Library(), data, model_output=name)
        y = np.ones(8)
        explainer.shap_values(X, y)
        off[5] = 0.5
        with pytest.raises(AdditivityError, match=r"^row 5: .*raw prediction"):
            explainer.shap_values(X, y)
        explainer.shap_values(X, y, check_additivity=False)
        if name == "raw":
            for method in (explainer.shap_interaction_values, explainer.interaction_pairs):
                with pytest.raises(AdditivityError, match=r"^row 5"):
                    method(X)
                method(X, check_additivity=False)
            with pytest.raises(AdditivityError, match=r"^row 5"):
                explainer(X, interactions=True)
            with pytest.raises(AdditivityError, match=r"^row 5"):
                explainer.mean_abs_interactions(X)


@pytest.mark.parametrize("with_data", [False, True], ids=["path", "background"])
class TestInteractions:
    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    @pytest.mark.parametrize("n_outputs", [1, 3])
    def test_shapes(self, with_data: bool, n_outputs: int, dtype: str) -> None:
        arrays, X, data = case(n_outputs=n_outputs)
        arrays = replace(arrays, output_names=list("abc")[:n_outputs])
        explainer = TreeExplainer(arrays, data if with_data else None, dtype=dtype)
        dense = explainer.shap_interaction_values(X)
        outputs = () if n_outputs == 1 else (3,)
        assert dense.shape == (8, 5, 5, *outputs)
        assert dense.dtype == dtype
        tol = 1e-10 if dtype == "float64" else 1e-5
        phi = explainer.shap_values(X)
        np.testing.assert_allclose(dense.sum(axis=2), phi, atol=tol)
        np.testing.assert_array_equal(dense, np.swapaxes(dense, 1, 2))
        np.testing.assert_array_equal(explainer.shap_interaction_values(X[3]), dense[3])
        explanation = explainer(X, interactions=True)
        np.testing.assert_array_equal(explanation.values, dense)
        assert (explanation.base_values == explainer.expected_value).all()
        assert explainer(X[3], interactions=True).values.shape == dense.shape[1:]
        assert repr(explanation)

        sparse = explainer.interaction_pairs(X)
        assert sparse.pairs.dtype == np.int32
        assert (sparse.pairs[:, 0] < sparse.pairs[:, 1]).all()
        assert sparse.values.shape == (8, len(sparse.pairs), *outputs)
        assert sparse.values.dtype == sparse.to_dense().dtype == dtype
        assert sparse.output_names == arrays.output_names
        np.testing.assert_allclose(sparse.to_dense(), dense, atol=tol)
        np.testing.assert_allclose(sparse.shap_values, phi, atol=tol)
        diagonal = np.arange(5)
        np.testing.assert_allclose(sparse.main_effects, dense[:, diagonal, diagonal], atol=tol)
        assert (sparse.base_values == explainer.expected_value).all()
        one = explainer.interaction_pairs(X[3])
        for row in (sparse[3], one):
            assert row.single_row
            np.testing.assert_array_equal(row.to_dense(), sparse.to_dense()[3])
            np.testing.assert_array_equal(row.main_effects, sparse.main_effects[3])
            assert row.base_values.shape == outputs
        assert explainer.shap_interaction_values(X[:0]).shape == (0, 5, 5, *outputs)
        assert len(explainer.interaction_pairs(X[:0])) == 0

    def test_rows_of_pairs(self, with_data: bool) -> None:
        arrays, X, data = case()
        pairs = TreeExplainer(arrays, data if with_data else None).interaction_pairs(X)
        assert len(pairs) == 8
        assert [row.values.shape for row in pairs] == [(len(pairs.pairs),)] * 8
        for key in (slice(1, 6, 2), [4, 1], np.arange(8) % 3 == 0):
            part = pairs[key]
            np.testing.assert_array_equal(part.values, pairs.values[key])
            np.testing.assert_array_equal(part.shap_values, pairs.shap_values[key])
        assert f"8 rows, {len(pairs.pairs)} pairs of 5 features, float64" in repr(pairs)
        assert "1 row," in repr(pairs[0])
        for wrong in ("a", (1, 2)):
            with pytest.raises(TypeError, match="rows"):
                pairs[wrong]
        with pytest.raises(TypeError, match="single row"):
            len(pairs[0])
        with pytest.raises(TypeError, match="single row"):
            pairs[0][0]

    @pytest.mark.parametrize("n_outputs", [1, 2])
    def test_means(self, with_data: bool, n_outputs: int, monkeypatch: pytest.MonkeyPatch) -> None:
        arrays, X, data = case(n_outputs=n_outputs)
        names = list("vwxyz")
        explainer = TreeExplainer(arrays, data if with_data else None, feature_names=names)
        pairs = explainer.interaction_pairs(X)
        means = np.abs(pairs.values).mean(axis=0)
        summary = explainer.mean_abs_interactions(X)
        assert len(summary) == len(pairs.pairs)
        assert summary.n_rows == 8
        order = np.argsort(-means.reshape(len(pairs.pairs), -1).sum(axis=1), kind="stable")
        np.testing.assert_array_equal(summary.pairs, pairs.pairs[order])
        np.testing.assert_allclose(summary.mean_abs, means[order], rtol=1e-12)
        np.testing.assert_allclose(
            summary.mean_abs_main_effects, np.abs(pairs.main_effects).mean(axis=0), rtol=1e-12
        )
        assert summary.names[0] == tuple(names[i] for i in summary.pairs[0])
        assert " x ".join(summary.names[0]) in repr(summary)
        frame = pytest.importorskip("pandas") and summary.to_pandas()
        assert list(zip(frame["feature"], frame["partner"], strict=True))[::n_outputs] == (
            summary.names
        )
        outputs = [f"Output {k}" for k in range(n_outputs)] * len(summary)
        assert n_outputs == 1 or frame["output"].to_list() == outputs
        np.testing.assert_array_equal(frame["mean_abs"], np.ravel(summary.mean_abs))
        assert set(frame["n_rows"]) == {8}
        top = explainer.mean_abs_interactions(X, top=2)
        np.testing.assert_array_equal(top.pairs, summary.pairs[:2])
        np.testing.assert_array_equal(top.mean_abs, summary.mean_abs[:2])
        nameless = TreeExplainer(arrays, data if with_data else None).mean_abs_interactions(X[0])
        assert nameless.names[0][0].startswith("Feature ")
        # the same in blocks of three rows
        row_bytes = pairs.values[0].nbytes
        monkeypatch.setattr("leafshap.explainers.game._BLOCK_BYTES", 3 * row_bytes)
        blocks = explainer.mean_abs_interactions(X)
        np.testing.assert_array_equal(blocks.pairs, summary.pairs)
        np.testing.assert_allclose(blocks.mean_abs, summary.mean_abs, rtol=1e-12)
        with pytest.raises(InvalidInputError, match="no rows"):
            explainer.mean_abs_interactions(X[:0])
        for wrong in (0, -1, 1.5, True):
            with pytest.raises(InvalidInputError, match="top must be"):
                explainer.mean_abs_interactions(X, top=wrong)  # type: ignore[arg-type]

    def test_a_model_without_pairs(self, with_data: bool) -> None:
        arrays, X, data = case(shape="balanced", depth=1, n_outputs=2)
        explainer = TreeExplainer(arrays, data if with_data else None)
        phi = explainer.shap_values(X)
        pairs = explainer.interaction_pairs(X)
        assert pairs.values.shape == (8, 0, 2)
        np.testing.assert_allclose(pairs.main_effects, phi, atol=1e-12)
        np.testing.assert_allclose(
            pairs.to_dense(), explainer.shap_interaction_values(X), atol=1e-12
        )
        summary = explainer.mean_abs_interactions(X)
        assert len(summary) == 0
        np.testing.assert_allclose(summary.mean_abs_main_effects, np.abs(phi).mean(axis=0))
        assert "0 pairs" in repr(summary)

    def test_tree_limit(self, with_data: bool) -> None:
        arrays, X, data = case()
        explainer = TreeExplainer(arrays, data if with_data else None)
        for limit in (1, 3, 2):
            dense = explainer.shap_interaction_values(X, tree_limit=limit)
            phi = explainer.shap_values(X, tree_limit=limit)
            np.testing.assert_allclose(dense.sum(axis=2), phi, atol=1e-10)
            sparse = explainer.interaction_pairs(X, tree_limit=limit)
            np.testing.assert_allclose(sparse.to_dense(), dense, atol=1e-10)
            summary = explainer.mean_abs_interactions(X, tree_limit=limit)
            strongest = tuple(summary.pairs[0])
            assert summary.mean_abs[0] == pytest.approx(np.abs(dense).mean(axis=0)[strongest])

    def test_refusals(self, with_data: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        arrays, X, data = case("logistic")
        explainer = TreeExplainer(arrays, data if with_data else None)
        with pytest.raises(InvalidInputError, match="no interactions"):
            explainer(X, interactions=True, approximate=True)
        for method in (explainer.shap_interaction_values, explainer.interaction_pairs):
            with pytest.raises(InvalidInputError, match="columns"):
                method(X[:, :4])
            with pytest.raises(InvalidInputError, match="check_additivity"):
                method(X, check_additivity="some")  # type: ignore[arg-type]
        monkeypatch.setattr("leafshap.explainers.game._physical_memory", lambda: 100.0)
        with pytest.raises(MemoryError, match=r"\(8, 5, 5, 1\).*interaction_pairs"):
            explainer.shap_interaction_values(X)
        with pytest.raises(MemoryError, match=r"fewer rows.*mean_abs_interactions"):
            explainer.interaction_pairs(X)
        explainer.mean_abs_interactions(X)
        if with_data:
            explainer = TreeExplainer(arrays, data, model_output="probability")
            for name in ("shap_interaction_values", "interaction_pairs", "mean_abs_interactions"):
                with pytest.raises(UnsupportedModelError, match="raw output"):
                    getattr(explainer, name)(X)

    def test_too_large_for_the_memory(self, with_data: bool) -> None:
        arrays = random_ensemble(NUMERIC.but(n_features=6))
        arrays = replace(arrays, n_features=60_000)
        X = np.zeros((200, 60_000), np.float32)
        explainer = TreeExplainer(arrays, X[:1] if with_data else None)
        with pytest.raises(MemoryError, match="mean_abs_interactions"):
            explainer.shap_interaction_values(X)

    def test_to_shap(self, with_data: bool) -> None:
        shap = pytest.importorskip("shap")
        for n_outputs in (1, 2):
            arrays, X, data = case(n_outputs=n_outputs)
            ours = TreeExplainer(arrays, data if with_data else None)(X, interactions=True)
            theirs = ours.to_shap()
            assert isinstance(theirs, shap.Explanation)
            np.testing.assert_array_equal(theirs.values, ours.values)


class TestCopies:
    @pytest.mark.parametrize("make", ["pickle", "copy", "deepcopy"])
    @pytest.mark.parametrize("used", [False, True])
    def test_give_the_same_bits(self, used: bool, make: str) -> None:
        arrays, X, data = case(n_outputs=2)
        explainer = TreeExplainer(arrays, data, sample_weight=np.arange(12), n_jobs=1)
        if used:
            explainer.shap_values(X)
            explainer.shap_interaction_values(X)
        makers: dict[str, Callable[[], TreeExplainer]] = {
            "pickle": lambda: pickle.loads(pickle.dumps(explainer)),
            "copy": lambda: copy.copy(explainer),
            "deepcopy": lambda: copy.deepcopy(explainer),
        }
        other = makers[make]()
        np.testing.assert_array_equal(other.shap_values(X), explainer.shap_values(X))
        np.testing.assert_array_equal(
            other.shap_interaction_values(X), explainer.shap_interaction_values(X)
        )
        np.testing.assert_array_equal(other.expected_value, explainer.expected_value)
        assert repr(other) == repr(explainer)
        again = pickle.loads(pickle.dumps(other))
        np.testing.assert_array_equal(again.shap_values(X), explainer.shap_values(X))
        with pytest.raises(ValueError, match="read-only"):
            again.expected_value[0] = 1

    def test_few_plans_are_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        arrays, X, data = case()
        explainer = TreeExplainer(arrays, data)
        explainer.shap_values(X)
        game = explainer._game
        assert len(game._plans) == 1
        explainer.shap_interaction_values(X)
        explainer.shap_values(X, tree_limit=2)
        explainer.shap_values(X, tree_limit=1)
        assert list(game._plans) == [("shap", 2), ("shap", 1)]
        monkeypatch.setattr(game, "_make_plan", None)  # both are still there
        explainer.shap_values(X, tree_limit=2)
        explainer.shap_values(X, tree_limit=1)
