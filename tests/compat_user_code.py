"""Code as users of shap write it: each function is given the module `shap`, and returns numbers.

The examples of shap's README and notebooks on small tables, and older code that they led to.
Everything drawn goes to matplotlib's current figure.
"""

from __future__ import annotations

import functools
import io
import pickle
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

NAMES = ["MedInc", "HouseAge", "AveRooms", "AveOccup", "Latitude", "Longitude"]


@functools.cache
def houses() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(np.round(rng.normal(size=(120, 6)) * 16) / 16, columns=NAMES)
    X["HouseAge"] = rng.integers(1, 50, len(X)).astype(float)
    y = 2 * X["MedInc"] + X["AveRooms"] * X["Latitude"] + 0.05 * X["HouseAge"]
    return X, y


@functools.cache
def regressor() -> Any:
    xgboost = pytest.importorskip("xgboost")
    return xgboost.XGBRegressor(n_estimators=20, max_depth=3, n_jobs=1).fit(*houses())


@functools.cache
def classifier() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    X, y = houses()
    return RandomForestClassifier(10, max_depth=4, random_state=0).fit(X, pd.qcut(y, 3).cat.codes)


@functools.cache
def binary() -> Any:
    lightgbm = pytest.importorskip("lightgbm")
    X, y = houses()
    settings = {"n_estimators": 15, "num_leaves": 7, "verbose": -1, "n_jobs": 1}
    return lightgbm.LGBMClassifier(**settings).fit(X, y > y.median())


# ---------------------------------------------------------------- shap's README


def readme_trees(shap: Any) -> Any:
    X, model = houses()[0], regressor()
    explainer = shap.Explainer(model)
    shap_values = explainer(X)
    shap.plots.waterfall(shap_values[0], show=False)
    shap.plots.force(shap_values[0])
    shap.plots.force(shap_values[:50])
    shap.plots.scatter(shap_values[:, "Latitude"], color=shap_values, show=False)
    shap.plots.beeswarm(shap_values, show=False)
    shap.plots.bar(shap_values, show=False)
    return shap_values.values, shap_values.base_values, explainer.expected_value


def readme_kernel(shap: Any) -> Any:
    from sklearn.datasets import load_iris
    from sklearn.svm import SVC

    X, y = load_iris(return_X_y=True, as_frame=True)
    X_train, X_test = X.iloc[::6], X.iloc[1::30]
    svm = SVC(kernel="rbf").fit(X_train, y[::6])
    scale = np.array([1.0, 2.0, 4.0])

    def predict_proba(rows: Any) -> Any:  # SVC's own is deprecated
        scores = np.exp(svm.decision_function(pd.DataFrame(rows, columns=X.columns)) / scale)
        return scores / scores.sum(axis=1, keepdims=True)

    explainer = shap.KernelExplainer(predict_proba, X_train, link="logit")
    shap_values = explainer.shap_values(X_test, nsamples=100)
    shap.force_plot(
        explainer.expected_value[0], shap_values[0][:, 0], X_test.iloc[0, :], link="logit"
    )
    shap.force_plot(explainer.expected_value[0], shap_values[..., 0], X_test, link="logit")
    return shap_values, explainer.expected_value


def readme_interactions(shap: Any) -> Any:
    X, model = houses()[0], regressor()
    shap_interaction_values = shap.TreeExplainer(model).shap_interaction_values(X)
    shap.summary_plot(shap_interaction_values[:20], X[:20], show=False)
    shap.dependence_plot(("MedInc", "Latitude"), shap_interaction_values, X, show=False)
    return shap_interaction_values


# ---------------------------------------------------------------- notebooks


def legacy_plots(shap: Any) -> Any:
    X, model = houses()[0], regressor()
    shap.initjs() if shap.plots._force.have_ipython else None
    explainer = shap.TreeExplainer(model)
    shap_values = explainer.shap_values(X)
    shap.summary_plot(shap_values, X, show=False)
    shap.summary_plot(shap_values, X, plot_type="bar", show=False)
    shap.dependence_plot("Latitude", shap_values, X, show=False)
    shap.dependence_plot("rank(0)", shap_values, X, interaction_index="AveRooms", show=False)
    shap.force_plot(
        explainer.expected_value, shap_values[0, :], X.iloc[0, :], matplotlib=True, show=False
    )
    shap.decision_plot(explainer.expected_value, shap_values[:10], X[:10], show=False)
    shap.bar_plot(shap_values[0], feature_names=NAMES, show=False)
    return shap_values, shap.approximate_interactions("MedInc", shap_values, X)


def saved_force_plot(shap: Any) -> Any:
    X, explainer = houses()[0], shap.TreeExplainer(regressor())
    shap_values = explainer.shap_values(X)
    plot = shap.force_plot(explainer.expected_value, shap_values, X)
    with tempfile.TemporaryDirectory() as folder:
        shap.save_html(str(Path(folder) / "force.html"), plot)
        assert "AveRooms" in (Path(folder) / "force.html").read_text()
    return shap_values


def interventional(shap: Any) -> Any:
    X, model = houses()[0], binary()
    background = shap.sample(X, 30, random_state=1)
    explainer = shap.TreeExplainer(
        model, background, feature_perturbation="interventional", model_output="probability"
    )
    shap_values = explainer(X)
    shap.plots.heatmap(shap_values, show=False)
    shap.plots.violin(shap_values, show=False)
    shap.plots.decision(
        shap_values.base_values[0], shap_values.values[:5], X[:5], link="identity", show=False
    )
    top = np.argsort(-np.abs(shap_values.values).mean(0))
    return shap_values.values, explainer.expected_value, list(X.columns[top])


def loss(shap: Any) -> Any:
    X, y = houses()
    explainer = shap.TreeExplainer(regressor(), shap.utils.sample(X, 40), model_output="log_loss")
    shap_values = explainer.shap_values(X, y)
    shap.monitoring_plot(0, shap_values, X, feature_names=NAMES, show=False)
    return shap_values


def several_classes(shap: Any) -> Any:
    X, model = houses()[0], classifier()
    explainer = shap.TreeExplainer(model)
    shap_values = explainer(X)
    for i, _ in enumerate(model.classes_):
        shap.plots.beeswarm(shap_values[:, :, i], show=False)
    shap.plots.waterfall(shap_values[0, :, 1], show=False)
    values = explainer.shap_values(X)
    shap.summary_plot([values[:, :, i] for i in range(3)], X, show=False)
    shap.multioutput_decision_plot(
        list(explainer.expected_value), [values[:, :, i] for i in range(3)], row_index=0, show=False
    )
    return values, shap_values[..., 2].values, explainer.expected_value[1]


def list_style(shap: Any) -> Any:
    """Code from before shap 0.45, with the branches it has grown since."""
    X, found = houses()[0], []
    for model in (classifier(), binary(), regressor()):
        explainer = shap.TreeExplainer(model)
        shap_values = explainer.shap_values(X)
        expected_value = explainer.expected_value
        if isinstance(shap_values, list):
            shap_values = shap_values[1]
        elif np.ndim(shap_values) == 3:
            shap_values = shap_values[:, :, 1]
        if isinstance(expected_value, (list, np.ndarray)):
            expected_value = expected_value[1] if len(expected_value) > 1 else expected_value[0]
        importance = pd.DataFrame(
            {"feature": X.columns, "importance": np.abs(shap_values).mean(axis=0)}
        ).sort_values("importance", ascending=False)
        found += [shap_values, float(expected_value), importance["feature"].tolist()]
    return found


def built_by_hand(shap: Any) -> Any:
    X, explainer = houses()[0], shap.TreeExplainer(binary())
    explanation = shap.Explanation(
        values=explainer.shap_values(X),
        base_values=np.full(len(X), explainer.expected_value),
        data=X.values,
        feature_names=X.columns.tolist(),
    )
    shap.plots.bar(explanation.abs.max(0), show=False)
    shap.plots.waterfall(explanation[3], show=False)
    return explanation.mean(0).values, explanation.abs.mean(0).values, explanation.base_values


def cohorts(shap: Any) -> Any:
    X, explainer = houses()[0], shap.Explainer(regressor(), houses()[0][:50])
    shap_values = explainer(X)
    age = ["old" if age > 25 else "new" for age in shap_values[:, "HouseAge"].data]
    shap.plots.bar(shap_values.cohorts(age).abs.mean(0), show=False)
    shap.plots.bar(shap_values.cohorts(2).abs.mean(0), show=False)
    return {k: v.values for k, v in shap_values.cohorts(age).abs.mean(0).cohorts.items()}


def ordering(shap: Any) -> Any:
    X = houses()[0]
    shap_values = shap.TreeExplainer(regressor())(X)
    clustering = shap.utils.hclust(X)
    shap.plots.bar(shap_values, clustering=clustering, show=False)
    shap.plots.heatmap(shap_values, instance_order=shap_values.sum(1), show=False)
    shap.plots.beeswarm(shap_values, order=shap_values.abs.max(0), show=False)
    return shap_values.hclust(), shap_values.hclust(axis=1), shap_values.abs.mean(0).argsort.values


def dependence(shap: Any) -> Any:
    X, model = houses()[0], regressor()
    X100 = shap.utils.sample(X, 60)
    explainer = shap.Explainer(model.predict, X100)
    shap_values = explainer(X[:5])
    shap.plots.partial_dependence(
        "MedInc", model.predict, X100, ice=False, model_expected_value=True,
        feature_expected_value=True, show=False,
    )  # fmt: skip
    shap.partial_dependence_plot(
        "MedInc", model.predict, X100, ice=False, model_expected_value=True, show=False,
        feature_expected_value=True, shap_values=shap_values[:1, :],
    )  # fmt: skip
    shap.plots.scatter(shap_values[:, "MedInc"], show=False)
    return shap_values.values, shap_values.base_values


def background_by_kmeans(shap: Any) -> Any:
    X, y = houses()
    from sklearn.neighbors import KNeighborsRegressor

    model = KNeighborsRegressor().fit(X.to_numpy(), y)
    background = shap.kmeans(X.to_numpy(), 5)
    explainer = shap.KernelExplainer(model.predict, background)
    return explainer.shap_values(X.to_numpy()[:4], silent=True), explainer.expected_value


def groups_and_embedding(shap: Any) -> Any:
    X, explainer = houses()[0], shap.TreeExplainer(binary(), houses()[0][:40])
    shap_values = explainer.shap_values(X)
    shap.group_difference_plot(shap_values, X["HouseAge"].to_numpy() > 25, NAMES, show=False)
    shap.embedding_plot("rank(0)", shap_values, feature_names=NAMES, show=False)
    return shap_values


def in_a_pipeline(shap: Any) -> Any:
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    X, y = houses()
    # shap rounds thresholds to float32, next to which there must be no row, for it to be right
    pipeline = make_pipeline(
        StandardScaler(),
        FunctionTransformer(lambda X: np.round(X * 64) / 64),
        GradientBoostingRegressor(n_estimators=10, random_state=0),
    ).fit(X, y)
    transformed = pipeline[:-1].transform(X)
    explainer = shap.TreeExplainer(pipeline[-1], transformed[:30], feature_names=NAMES)
    shap_values = explainer(transformed)
    shap.plots.scatter(shap_values[:, 0], show=False)
    assert shap_values.feature_names == NAMES
    return shap_values.values, explainer.expected_value


def stored(shap: Any) -> Any:
    X, stream = houses()[0], io.BytesIO()
    pickle.dump(shap.TreeExplainer(regressor(), X[:20]), stream)
    stream.seek(0)
    explainer = pickle.load(stream)
    assert isinstance(explainer, shap.TreeExplainer)
    assert isinstance(explainer, shap.Explainer)
    return explainer.shap_values(X), explainer.expected_value, explainer.data


def submodules(shap: Any) -> Any:
    X, model = houses()[0], regressor()
    explainer = shap.explainers.Tree(model, shap.maskers.Independent(X, max_samples=25))
    other = shap.explainers.TreeExplainer(model)
    assert type(other) is type(explainer) is shap.TreeExplainer
    linear = shap.explainers.Linear((np.ones(6), 0.5), X.to_numpy())
    assert isinstance(linear, shap.Explainer)
    assert not isinstance(linear, shap.TreeExplainer)
    exact = shap.explainers.Exact(model.predict, X[:10])
    return explainer(X).values, other(X).values, linear(X.to_numpy()).values, exact(X[:2]).values


EXAMPLES = [
    readme_trees, readme_kernel, readme_interactions, legacy_plots, saved_force_plot,
    interventional, loss, several_classes, list_style, built_by_hand, cohorts, ordering,
    dependence, background_by_kmeans, groups_and_embedding, in_a_pipeline, stored, submodules,
]  # fmt: skip
