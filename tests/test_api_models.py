"""The API on real models: each library, in each container, with its own prediction as the check.

Warnings are errors in this test suite, so these also show that the additivity check does not make
a library warn about what the user gave it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from leafshap import InvalidInputError, TreeExplainer

N_ROWS = 400


def numeric() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, 3))
    return X, (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(np.int64)


def xgboost_classifier() -> Any:
    xgboost = pytest.importorskip("xgboost")
    return xgboost.XGBClassifier(n_estimators=8, max_depth=3, n_jobs=1)


def lightgbm_classifier() -> Any:
    lightgbm = pytest.importorskip("lightgbm")
    return lightgbm.LGBMClassifier(n_estimators=8, num_leaves=7, n_jobs=1, verbose=-1)


def sklearn_model(name: str, **arguments: Any) -> Callable[[], Any]:
    def make() -> Any:
        return getattr(pytest.importorskip("sklearn.ensemble"), name)(random_state=0, **arguments)

    return make


MODELS = {
    "xgboost": xgboost_classifier,
    "lightgbm": lightgbm_classifier,
    "forest": sklearn_model("RandomForestClassifier", n_estimators=4),
    "boosting": sklearn_model("GradientBoostingRegressor", n_estimators=8),
    "histograms": sklearn_model("HistGradientBoostingClassifier", max_iter=8),
}

CONTAINERS: dict[str, Callable[[npt.NDArray[np.float64]], Any]] = {
    "float32": lambda X: X.astype(np.float32),
    "fortran": np.asfortranarray,
    "integers": lambda X: X.astype(int),
    "list": lambda X: X.tolist(),
    "objects": lambda X: X.astype(object),
    "row": lambda X: X[3],
    "pandas": lambda X: pytest.importorskip("pandas").DataFrame(X, columns=["a", "c", "d"]),
    "series": lambda X: pytest.importorskip("pandas").Series(X[3], index=["a", "c", "d"]),
    "polars": lambda X: pytest.importorskip("polars").DataFrame(X, schema=["a", "c", "d"]),
    "pyarrow": lambda X: pytest.importorskip("pyarrow").table(list(X.T), names=["a", "c", "d"]),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("trained_on", ["array", "table"])
@pytest.mark.parametrize("kind", MODELS)
def test_containers(kind: str, trained_on: str, container: str) -> None:
    X, y = numeric()
    model = MODELS[kind]()
    if trained_on == "table":
        model.fit(CONTAINERS["pandas"](X), y)
    else:
        model.fit(X, y)
    form = CONTAINERS[container](X)
    explainer = TreeExplainer(model, n_jobs=1)
    values = explainer.shap_values(form)
    rounded: dict[str, Any] = {"integers": np.int64, "float32": np.float32}
    expected = explainer.shap_values(
        X.astype(rounded.get(container, np.float64)).astype(np.float64)
    )
    if container in ("row", "series"):
        expected = expected[3]
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("kind", MODELS)
def test_sparse(kind: str) -> None:
    """What a sparse matrix leaves out: missing to XGBoost, zero to the others."""
    sparse = pytest.importorskip("scipy.sparse")
    X, y = numeric()
    X[np.abs(X) < 0.6] = 0
    model = MODELS[kind]().fit(X, y)
    explainer = TreeExplainer(model, n_jobs=1)
    dense = np.where(X == 0, np.nan, X) if kind == "xgboost" else X
    for form in (sparse.csr_matrix(X), sparse.csc_matrix(X)):
        np.testing.assert_array_equal(explainer.shap_values(form), explainer.shap_values(dense))
    if kind == "xgboost":
        assert not np.array_equal(explainer.shap_values(X), explainer.shap_values(dense))


def categorical() -> tuple[Any, npt.NDArray[np.float64]]:
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(1)
    table = pandas.DataFrame(
        {
            "number": rng.normal(size=N_ROWS),
            "city": pandas.Categorical(rng.choice(["oslo", "rome", "lima", "cairo"], N_ROWS)),
            "grade": pandas.Categorical(rng.choice([10, 20, 30], N_ROWS)),
            "flag": rng.random(N_ROWS) < 0.5,
        }
    )
    y = table["number"] + 3.0 * (table["city"] == "rome") + 2.0 * (table["grade"] == 20)
    return table, y.to_numpy()


def categorical_model(kind: str) -> Any:
    if kind == "xgboost":
        xgboost = pytest.importorskip("xgboost")
        return xgboost.XGBRegressor(
            n_estimators=12, max_depth=3, enable_categorical=True, tree_method="hist", n_jobs=1
        )
    if kind == "lightgbm":
        lightgbm = pytest.importorskip("lightgbm")
        return lightgbm.LGBMRegressor(
            n_estimators=12, num_leaves=7, min_data_per_group=5, n_jobs=1, verbose=-1
        )
    ensemble = pytest.importorskip("sklearn.ensemble")
    return ensemble.HistGradientBoostingRegressor(max_iter=12, categorical_features=[1, 2])


@pytest.mark.parametrize("kind", ["xgboost", "lightgbm", "histograms"])
class TestCategories:
    def test_a_table_as_in_training(self, kind: str) -> None:
        table, y = categorical()
        explainer = TreeExplainer(categorical_model(kind).fit(table, y), n_jobs=1)
        values = explainer.shap_values(table)
        # the categories decide: without them all of this would be the same
        assert float(np.ptp(values[:, 1])) > 1
        assert float(np.ptp(values[:, 2])) > 1
        np.testing.assert_array_equal(explainer.shap_values(table.iloc[7:9]), values[7:9])
        assert explainer(table).feature_names == ["number", "city", "grade", "flag"]

    def test_a_row_of_a_table(self, kind: str) -> None:
        table, y = categorical()
        explainer = TreeExplainer(categorical_model(kind).fit(table, y), n_jobs=1)
        if not explainer.model.schema.feature_categories:
            pytest.skip("this version of the library does not store category values")
        values = explainer.shap_values(table)
        np.testing.assert_array_equal(explainer.shap_values(table.iloc[7]), values[7])

    def test_categories_in_another_order(self, kind: str) -> None:
        table, y = categorical()
        explainer = TreeExplainer(categorical_model(kind).fit(table, y), n_jobs=1)
        if not explainer.model.schema.feature_categories:
            pytest.skip("this version of the library does not store category values")
        values = explainer.shap_values(table)
        order = ["rome", "cairo", "oslo", "lima"]
        other = table.assign(city=table["city"].cat.reorder_categories(order))
        np.testing.assert_array_equal(explainer.shap_values(other), values)

    def test_an_arrow_table(self, kind: str) -> None:
        pyarrow = pytest.importorskip("pyarrow")
        table, y = categorical()
        explainer = TreeExplainer(categorical_model(kind).fit(table, y), n_jobs=1)
        arrow = pyarrow.Table.from_pandas(table, preserve_index=False)
        np.testing.assert_array_equal(explainer.shap_values(arrow), explainer.shap_values(table))

    def test_columns_in_another_order(self, kind: str) -> None:
        table, y = categorical()
        explainer = TreeExplainer(categorical_model(kind).fit(table, y), n_jobs=1)
        with pytest.raises(InvalidInputError, match="another order"):
            explainer.shap_values(table[["city", "number", "grade", "flag"]])
