"""Tree-based importances are the libraries' own numbers, and stand beside others in one call."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import leafshap
from leafshap import InvalidInputError, InvalidModelError, TreeEnsemble, UnsupportedModelError
from small_ensembles import no_trees, stump
from strategies import Recipe, random_ensemble, random_rows

Floats = npt.NDArray[np.float64]
KINDS = ("split", "gain", "total_gain", "cover", "total_cover", "impurity")


def two_trees(**changes: Any) -> TreeEnsemble:
    """x0 at the first root, x1 below it; x1 at the second root; x2 nowhere."""
    arrays = stump(
        n_features=3,
        tree_offsets=np.array([0, 5, 8]),
        tree_output=np.zeros(2, np.int32),
        tree_weight=np.array([1.0, 0.25]),
        split_feature=np.array([0, 1, -1, -1, -1, 1, -1, -1], np.int32),
        left=np.array([1, 3, -1, -1, -1, 1, -1, -1], np.int32),
        right=np.array([2, 4, -1, -1, -1, 2, -1, -1], np.int32),
        threshold=np.zeros(8),
        default_left=np.zeros(8, bool),
        missing=np.zeros(8, np.uint8),
        categorical=np.zeros(8, np.uint8),
        cover=np.array([40.0, 30.0, 10.0, 20.0, 10.0, 8.0, 4.0, 4.0]),
        leaf_value=np.arange(8.0) * [0, 0, 1, 1, 1, 0, 1, 1],
        split_gain=np.array([6.0, 2.0, 0, 0, 0, 4.0, 0, 0]),
    )
    return TreeEnsemble(replace(arrays, **changes))


class TestByHand:
    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            ("split", [1, 2, 0]),
            ("weight", [1, 2, 0]),
            ("total_gain", [6, 6, 0]),
            ("gain", [6, 3, 0]),
            ("total_cover", [40, 38, 0]),
            ("cover", [40, 19, 0]),
            ("impurity", [0.5, 0.5, 0]),
        ],
    )
    def test_kinds(self, kind: str, expected: list[float]) -> None:
        found = two_trees().feature_importance(kind)
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, expected)

    def test_a_mean_of_trees_shares_by_tree(self) -> None:
        found = two_trees(averaged=True).feature_importance("impurity")
        np.testing.assert_allclose(found, [0.75 / 2, (0.25 + 1) / 2, 0], rtol=1e-15)

    def test_default_is_the_total_gain(self) -> None:
        np.testing.assert_array_equal(two_trees().feature_importance(), [6, 6, 0])

    def test_tree_limit(self) -> None:
        ensemble = two_trees(tree_limit=1)
        for limit in (None, 1):
            np.testing.assert_array_equal(ensemble.feature_importance("split", limit), [1, 1, 0])
        for limit in (-1, 2, 100):
            np.testing.assert_array_equal(ensemble.feature_importance("split", limit), [1, 2, 0])
        with pytest.raises(InvalidInputError, match="tree_limit"):
            ensemble.feature_importance("split", 0)

    @pytest.mark.parametrize("kind", ["gini", "", None, "Gain"])
    def test_unknown_kinds(self, kind: Any) -> None:
        with pytest.raises(InvalidInputError, match="kind must be one of split, gain"):
            two_trees().feature_importance(kind)

    def test_what_is_not_there(self) -> None:
        bare = TreeEnsemble(stump(cover=None))
        np.testing.assert_array_equal(bare.feature_importance("split"), [1, 0])
        for kind in ("cover", "total_cover"):
            with pytest.raises(UnsupportedModelError, match=f"no cover.*'{kind}'"):
                bare.feature_importance(kind)
        for kind in ("gain", "total_gain", "impurity"):
            with pytest.raises(UnsupportedModelError, match=f"no .*gain.*'{kind}'"):
                bare.feature_importance(kind)

    @pytest.mark.parametrize("kind", KINDS)
    def test_without_trees(self, kind: str) -> None:
        np.testing.assert_array_equal(TreeEnsemble(no_trees()).feature_importance(kind), [0, 0])

    def test_gains_that_cancel(self) -> None:
        ensemble = TreeEnsemble(stump(split_gain=np.array([-1.0, 0, 0])))
        np.testing.assert_array_equal(ensemble.feature_importance("impurity"), [-1, 0])


class TestGainsOfTheEnsemble:
    @pytest.mark.parametrize(
        ("gain", "words"),
        [
            (np.zeros(2), "shape"),
            (np.zeros((3, 1)), "shape"),
            (np.array([np.nan, 0, 0]), "holds nan"),
            (np.array([np.inf, 0, 0]), "holds inf"),
        ],
    )
    def test_refused(self, gain: Floats, words: str) -> None:
        with pytest.raises(InvalidModelError, match=f"split_gain {words}|split_gain has {words}"):
            TreeEnsemble(stump(split_gain=gain))

    def test_kept(self, tmp_path: Path) -> None:
        ensemble = two_trees()
        ensemble.save(tmp_path / "m")
        loaded = TreeEnsemble.load(tmp_path / "m")
        for other in (loaded, pickle.loads(pickle.dumps(ensemble))):
            gain = other.to_arrays().split_gain
            assert gain is not None
            np.testing.assert_array_equal(gain, ensemble.to_arrays().split_gain)

    def test_copied(self) -> None:
        given = np.array([1.0, 0, 0])
        ensemble = TreeEnsemble(stump(split_gain=given))
        given[0] = 7.0
        returned = ensemble.to_arrays().split_gain
        assert returned is not None
        returned[0] = 8.0
        assert ensemble.feature_importance()[0] == 1.0

    def test_files_without_gains_load(self, tmp_path: Path) -> None:
        """Files of an older leafshap have no such member, and are of the same version."""
        TreeEnsemble(stump()).save(tmp_path / "m")
        with np.load(tmp_path / "m", allow_pickle=False) as file:
            assert "split_gain" not in file.files
        assert TreeEnsemble.load(tmp_path / "m").to_arrays().split_gain is None

    def test_cover_is_recounted_and_gain_stays(self) -> None:
        ensemble = two_trees()
        other = ensemble.recount_cover(np.array([[-1.0, -1, 0], [-1, 1, 0], [1, 1, 0]]))
        for kind in ("total_gain", "impurity", "split"):
            np.testing.assert_array_equal(
                other.feature_importance(kind), ensemble.feature_importance(kind)
            )
        np.testing.assert_array_equal(other.feature_importance("total_cover"), [3, 2 + 3, 0])


class TestXGBoost:
    """Booster.get_score, whose sums are float32."""

    @staticmethod
    def check(ensemble: TreeEnsemble, booster: Any) -> None:
        for kind in ("weight", "gain", "total_gain", "cover", "total_cover"):
            score = booster.get_score(importance_type=kind)
            names = booster.feature_names or [f"f{j}" for j in range(ensemble.n_features)]
            expected = [score.get(name, 0.0) for name in names]
            found = ensemble.feature_importance(kind)
            np.testing.assert_allclose(found, expected, rtol=2e-6, err_msg=kind)
            assert found.any()

    @pytest.mark.parametrize(
        "name", ["regression", "pruned", "dart", "multiclass", "onehot", "partition", "vector"]
    )
    def test_boosters_and_files(self, name: str, tmp_path: Path) -> None:
        cases = pytest.importorskip("xgboost_cases")
        booster = dict(cases.zoo()).get(name)
        if booster is None or (name == "vector" and cases.VERSION < (3, 2)):
            pytest.skip(f"XGBoost {cases.VERSION} has no such model, or its file no gains")
        self.check(TreeEnsemble.from_model(booster), booster)
        for suffix in ("json", "ubj"):
            path = tmp_path / f"model.{suffix}"
            booster.save_model(path)
            self.check(TreeEnsemble.from_model(path), booster)

    def test_vector_leaves_without_gains(self) -> None:
        cases = pytest.importorskip("xgboost_cases")
        if not (2, 0) <= cases.VERSION < (3, 2):
            pytest.skip("trees with vector leaves have gains since 3.2")
        ensemble = TreeEnsemble.from_model(dict(cases.zoo())["vector"])
        with pytest.raises(UnsupportedModelError, match="gain"):
            ensemble.feature_importance("gain")
        assert ensemble.feature_importance("split").any()

    def test_wrappers_and_their_best_iteration(self) -> None:
        cases = pytest.importorskip("xgboost_cases")
        X, y = cases.classes()
        settings = {"n_estimators": 40, "max_depth": 3, "n_jobs": 1, "learning_rate": 0.7}
        model = cases.xgb.XGBClassifier(**settings, early_stopping_rounds=3)
        model.fit(X[:200], y[:200], eval_set=[(X[200:], y[200:])], verbose=False)
        ensemble = TreeEnsemble.from_model(model)
        assert ensemble.tree_limit is not None
        assert ensemble.tree_limit < ensemble.n_trees
        # XGBoost counts all trees, though predict does not use them
        self.check(ensemble, model.get_booster())
        gain = ensemble.feature_importance("gain")
        np.testing.assert_allclose(gain / gain.sum(), model.feature_importances_, rtol=1e-5)
        fewer = ensemble.feature_importance("split", ensemble.tree_limit)
        assert fewer.sum() < ensemble.feature_importance("split").sum()

    def test_gains_that_are_not_finite(self) -> None:
        """They are dropped, and the model is not refused for them."""
        cases = pytest.importorskip("xgboost_cases")
        from leafshap.converters import ubjson
        from leafshap.converters.xgboost_document import to_arrays

        document = ubjson.decode(cases.train().save_raw("ubj"))
        trees = document["learner"]["gradient_booster"]["model"]["trees"]
        assert to_arrays(document).split_gain is not None
        gains = np.array(trees[0]["loss_changes"])
        gains[0] = np.inf
        trees[0]["loss_changes"] = gains
        assert to_arrays(document).split_gain is None
        trees[0]["loss_changes"] = gains[:-1]
        with pytest.raises(InvalidModelError, match="loss_changes"):
            to_arrays(document)
        for tree in trees:
            del tree["loss_changes"]
        assert to_arrays(document).split_gain is None


class TestLightGBM:
    """Booster.feature_importance, exactly."""

    @staticmethod
    def check(ensemble: TreeEnsemble, booster: Any, iteration: int | None = None) -> None:
        for kind, theirs in (("split", "split"), ("total_gain", "gain")):
            expected = booster.feature_importance(theirs, iteration=iteration)
            np.testing.assert_array_equal(ensemble.feature_importance(kind), expected)
            assert expected.any()

    @pytest.mark.parametrize(
        "name",
        ["missing nan", "one-hot categories", "many-category sets", "rf", "dart", "multiclass"],
    )
    def test_boosters_and_files(self, name: str, tmp_path: Path) -> None:
        cases = pytest.importorskip("lightgbm_cases")
        booster = cases.train(*cases.KINDS[name])
        self.check(TreeEnsemble.from_model(booster), booster)
        booster.save_model(tmp_path / "model.txt")
        self.check(TreeEnsemble.from_model(tmp_path / "model.txt"), booster)

    def test_best_iteration(self) -> None:
        cases = pytest.importorskip("lightgbm_cases")
        booster = cases.train({"objective": "multiclass"}, rounds=9)
        booster.best_iteration = 4
        ensemble = TreeEnsemble.from_model(booster)
        self.check(ensemble, booster)
        expected = booster.feature_importance("gain", iteration=-1)
        np.testing.assert_array_equal(ensemble.feature_importance("total_gain", -1), expected)

    def test_splits_without_gain_do_not_count(self) -> None:
        cases = pytest.importorskip("lightgbm_cases")
        booster = cases.train({})
        text = booster.model_to_string()
        gains = text.partition("split_gain=")[2].partition("\n")[0].split()
        edited = cases.edited(text, split_gain=" ".join(["0", *gains[1:]]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = cases.lgb.Booster(model_str=edited)
        ensemble = TreeEnsemble.from_model(theirs)
        assert ensemble.feature_importance("split").sum() == (
            TreeEnsemble.from_model(booster).feature_importance("split").sum() - 1
        )
        self.check(ensemble, theirs)

    def test_texts_without_gains(self) -> None:
        cases = pytest.importorskip("lightgbm_cases")
        from leafshap.converters.lightgbm import convert_text

        text = cases.train({}).model_to_string()
        for gain in (None, ""):
            arrays = convert_text(cases.edited(text, split_gain=gain).encode())
            assert arrays.split_gain is None
            assert TreeEnsemble(arrays).feature_importance("split").sum() > 0
        with pytest.raises(InvalidModelError, match="tree 0: split_gain"):
            convert_text(cases.edited(text, split_gain="1 2").encode())
        n = text.partition("split_gain=")[2].partition("\n")[0].count(" ") + 1
        huge = " ".join(["1e39"] * n)
        assert convert_text(cases.edited(text, split_gain=huge).encode()).split_gain is None

    def test_sklearn_wrapper(self) -> None:
        cases = pytest.importorskip("lightgbm_cases")
        X, y = cases.training_data()
        for kind, theirs in (("split", "split"), ("total_gain", "gain")):
            model = cases.lgb.LGBMRegressor(n_estimators=5, verbose=-1, importance_type=theirs)
            model.fit(X, y)
            found = TreeEnsemble.from_model(model).feature_importance(kind)
            np.testing.assert_array_equal(found, model.feature_importances_)


class TestSklearn:
    @pytest.mark.parametrize(
        "name",
        [
            *("tree binary", "tree balanced", "tree single leaf", "tree absolute", "tree pruned"),
            *("tree targets", "tree class targets", "tree missing", "extra tree"),
            *("forest binary", "forest classes", "forest targets", "forest class targets"),
            *("forest missing", "extra trees", "extra trees classes"),
            *("boosting", "boosting huber", "boosting absolute", "boosting pruned"),
            *("boosting stopped", "boosting binary", "boosting classes", "boosting classes zero"),
        ],
    )
    def test_feature_importances(self, name: str) -> None:
        models = pytest.importorskip("sklearn_models")
        model = models.fitted(name)
        found = TreeEnsemble.from_model(model).feature_importance("impurity")
        np.testing.assert_allclose(found, model.feature_importances_, rtol=1e-12, atol=1e-15)

    def test_a_forest_with_single_leaves(self) -> None:
        """Trees of one node count for nothing, not for zeros."""
        models = pytest.importorskip("sklearn_models")
        for leaf in (70, 75, 78):
            model = models.forest(models.FR, models.NUMBER, n_estimators=30, min_samples_leaf=leaf)
            found = TreeEnsemble.from_model(model).feature_importance("impurity")
            np.testing.assert_allclose(found, model.feature_importances_, rtol=1e-12, atol=1e-15)

    def test_gain_of_a_tree_is_its_own_sum(self) -> None:
        models = pytest.importorskip("sklearn_models")
        model = models.fitted("tree balanced")
        expected = model.tree_.compute_feature_importances(normalize=False)
        found = TreeEnsemble.from_model(model).feature_importance("total_gain")
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)

    @pytest.mark.parametrize("name", ["hist", "hist classes", "hist single leaf"])
    def test_hist(self, name: str) -> None:
        models = pytest.importorskip("sklearn_models")
        model = models.fitted(name)
        gain, count = np.zeros(models.N_FEATURES), np.zeros(models.N_FEATURES)
        for nodes in (p.nodes for iteration in model._predictors for p in iteration):
            inner = nodes[nodes["is_leaf"] == 0]
            np.add.at(gain, inner["feature_idx"], inner["gain"])
            np.add.at(count, inner["feature_idx"], 1)
        ensemble = TreeEnsemble.from_model(model)
        np.testing.assert_allclose(ensemble.feature_importance("total_gain"), gain, rtol=1e-12)
        np.testing.assert_array_equal(ensemble.feature_importance("split"), count)

    def test_isolation_forests_gain_nothing(self) -> None:
        models = pytest.importorskip("sklearn_models")
        ensemble = TreeEnsemble.from_model(models.fitted("isolation"))
        with pytest.raises(UnsupportedModelError, match="gain"):
            ensemble.feature_importance()
        assert ensemble.feature_importance("split").any()


class TestCompare:
    @pytest.fixture
    def model(self) -> TreeEnsemble:
        arrays = random_ensemble(Recipe(seed=3, n_trees=6, n_features=4, n_outputs=2))
        gain = np.where(arrays.split_feature >= 0, 1.0 + np.arange(len(arrays.left)), 0.0)
        return TreeEnsemble(replace(arrays, split_gain=gain))

    @pytest.fixture
    def X(self, model: TreeEnsemble) -> npt.NDArray[Any]:
        return random_rows(model.to_arrays(), 30)

    def test_table(self, model: TreeEnsemble, X: npt.NDArray[Any]) -> None:
        found = leafshap.compare_importances(model, X)
        assert list(found) == ["mean_abs_phi", "split", "total_cover", "total_gain"]
        assert len(found) == 4
        phi = leafshap.TreeExplainer(model).shap_values(X)
        expected = np.abs(phi).mean(axis=0).sum(axis=1)
        np.testing.assert_allclose(found["mean_abs_phi"], expected, rtol=1e-12)
        np.testing.assert_array_equal(found["split"], model.feature_importance("split"))
        assert found.names == ["Feature 0", "Feature 1", "Feature 2", "Feature 3"]
        assert repr(found).splitlines()[0].split() == list(found)

    def test_blocks_and_weights(
        self, model: TreeEnsemble, X: npt.NDArray[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rows = np.tile(X, (20, 1))
        weights = np.random.default_rng(0).random(len(rows))
        phi = np.abs(leafshap.TreeExplainer(model).shap_values(rows)).sum(axis=2)
        monkeypatch.setattr("leafshap.importance.compare._BLOCK_VALUES", 1)
        found = leafshap.compare_importances(model, rows, sample_weight=weights)
        expected = np.average(phi, axis=0, weights=weights)
        np.testing.assert_allclose(found["mean_abs_phi"], expected, rtol=1e-12)
        with pytest.raises(InvalidInputError, match="sample weights have the shape"):
            leafshap.compare_importances(model, rows, sample_weight=weights[1:])

    def test_background(self, model: TreeEnsemble, X: npt.NDArray[Any]) -> None:
        found = leafshap.compare_importances(model, X, data=X[:10], kinds=["weight"])
        assert list(found) == ["mean_abs_phi", "split"]
        phi = leafshap.TreeExplainer(model, X[:10]).shap_values(X)
        expected = np.abs(phi).sum(axis=2).mean(axis=0)
        np.testing.assert_allclose(found["mean_abs_phi"], expected, rtol=1e-12)

    def test_what_the_model_does_not_carry(self) -> None:
        bare = TreeEnsemble(stump(cover=None))
        X = np.array([[1.0, 2.0], [3.0, 4.0]])
        assert list(leafshap.compare_importances(bare, X, data=X)) == ["mean_abs_phi", "split"]
        with pytest.raises(UnsupportedModelError, match="gain"):
            leafshap.compare_importances(bare, X, data=X, kinds=["gain"])
        with pytest.raises(UnsupportedModelError, match="cover"):
            leafshap.compare_importances(bare, X)

    def test_the_same_trees_in_all_columns(self) -> None:
        ensemble = two_trees(tree_limit=1, source="xgboost")
        X = np.array([[-1.0, 1, 0], [1, 1, 0], [-1, -1, 0]])
        found = leafshap.compare_importances(ensemble, X, kinds=["split"])
        np.testing.assert_array_equal(found["split"], [1, 1, 0])

    def test_normalized_and_ranks(self) -> None:
        table = leafshap.ImportanceTable(
            ["a", "b", "c"],
            {"x": np.array([1.0, 3.0, 0.0]), "y": np.array([2.0, -1.0, 2.0]), "z": np.zeros(3)},
        )
        shares = table.normalized()
        np.testing.assert_allclose(shares["x"], [0.25, 0.75, 0])
        np.testing.assert_allclose(shares["y"], [0.4, -0.2, 0.4])
        np.testing.assert_array_equal(shares["z"], np.zeros(3))
        ranks = table.ranks()
        np.testing.assert_array_equal(ranks["x"], [2, 1, 3])
        np.testing.assert_array_equal(ranks["y"], [1.5, 3, 1.5])
        np.testing.assert_array_equal(ranks["z"], [2, 2, 2])
        assert "b" in repr(table).splitlines()[1]

    def test_long_tables_are_cut(self) -> None:
        names = [f"f{j}" for j in range(14)]
        table = leafshap.ImportanceTable(names, {"x": np.arange(14.0)})
        lines = repr(table).splitlines()
        assert len(lines) == 12
        assert lines[-1] == "... 4 more"
        assert lines[1].split() == ["f13", "13"]

    def test_names_and_pandas(self, model: TreeEnsemble, X: npt.NDArray[Any]) -> None:
        pd = pytest.importorskip("pandas")
        frame = pd.DataFrame(X, columns=list("abcd"))
        table = leafshap.compare_importances(model, frame).to_pandas()
        assert list(table.index) == list("abcd")
        assert list(table.columns) == ["mean_abs_phi", "split", "total_cover", "total_gain"]
        named = leafshap.compare_importances(model, X, feature_names=["p", "q", "r", "s"])
        assert named.names == ["p", "q", "r", "s"]

    def test_permutation_columns(
        self, model: TreeEnsemble, X: npt.NDArray[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: dict[str, Any] = {}
        mean = np.array([1.0, 2, 3, 4])

        def permutation_importance(estimator: Any, X: Any, y: Any, **options: Any) -> Any:
            asked.update(options, estimator=estimator)
            one = {"importances_mean": mean}
            return {"r2": one, "mse": one} if isinstance(options["scoring"], list) else one

        stub = permutation_importance
        monkeypatch.setattr(leafshap, "permutation_importance", stub, raising=False)
        y = np.arange(len(X))
        found = leafshap.compare_importances(model, X, y, random_state=7, n_repeats=2)
        np.testing.assert_array_equal(found["permutation"], mean)
        assert asked["estimator"] is model
        assert (asked["random_state"], asked["n_repeats"]) == (7, 2)
        found = leafshap.compare_importances(model, X, y, scoring=["r2", "mse"])
        assert list(found)[-2:] == ["permutation_r2", "permutation_mse"]

    def test_arguments(self, model: TreeEnsemble, X: npt.NDArray[Any]) -> None:
        with pytest.raises(InvalidInputError, match="needs labels"):
            leafshap.compare_importances(model, X, scoring="r2")
        with pytest.raises(InvalidInputError, match="no rows"):
            leafshap.compare_importances(model, X[:0])
        with pytest.raises(InvalidInputError, match="kind must be one of"):
            leafshap.compare_importances(model, X, kinds=["gini"])
        with pytest.raises(InvalidInputError, match="kinds names 'weight' twice"):
            leafshap.compare_importances(model, X, kinds=["split", "weight"])
        assert list(leafshap.compare_importances(model, X, kinds="split")) == [
            "mean_abs_phi",
            "split",
        ]
        with pytest.raises(InvalidInputError, match="columns"):
            leafshap.compare_importances(model, X[:, :2])

    def test_a_real_model(self) -> None:
        if not hasattr(leafshap, "permutation_importance"):
            pytest.skip("no permutation importance here")
        models = pytest.importorskip("sklearn_models")
        model = models.fitted("forest")
        found = leafshap.compare_importances(model, models.X, models.NUMBER, random_state=0)
        assert found["permutation"].argmax() == found["mean_abs_phi"].argmax()


def test_one_row_of_one_output() -> None:
    found = leafshap.compare_importances(TreeEnsemble(stump()), np.array([1.0, 5.0]))
    np.testing.assert_allclose(found["mean_abs_phi"], [1.25, 0.0])
    assert SimpleNamespace(**found.table).split.tolist() == [1.0, 0.0]
