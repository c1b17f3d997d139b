"""leafshap.compat.shap.KernelExplainer against shap's own: results, attributes, errors, trees."""

from __future__ import annotations

import io
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

from leafshap import InvalidInputError
from oracle_coalitions import shap_values as brute_force

shap = pytest.importorskip("shap", minversion="0.47", exc_type=ImportError)
pd = pytest.importorskip("pandas")

from shap.utils._exceptions import DimensionError  # noqa: E402
from shap.utils._legacy import DenseData, LogitLink  # noqa: E402

import leafshap.compat.shap as compat  # noqa: E402
from leafshap.compat.shap.drop_in import FallbackWarning  # noqa: E402
from leafshap.compat.shap.kernel import KernelExplainer  # noqa: E402

Array = Any
NAMES = ["age", "height", "income", "debt", "rooms", "age of car"]


def two(X: Array) -> Array:
    """Two probabilities of six features, of all orders; any container of numbers."""
    X = X.toarray() if hasattr(X, "toarray") else np.asarray(X, dtype=float)
    first = np.sin(X).sum(axis=1) + X[:, 0] * X[:, 1] * X[:, 2] + np.prod(np.cos(X), axis=1)
    return 1 / (1 + np.exp(-np.column_stack([first, np.tanh(first) - X[:, 3] * X[:, 4]])))


def one(X: Array) -> Array:
    return two(X)[:, 0]


def column(X: Array) -> Array:
    return two(X)[:, [0]]


def data(n: int = 5, m: int = 7, n_features: int = 6) -> tuple[Array, Array]:
    rng = np.random.default_rng(3)
    return rng.normal(size=(n, n_features)), rng.normal(size=(m, n_features))


def frame(X: Array) -> Any:
    return pd.DataFrame(X, columns=NAMES)


def both(f: Any, background: Any, **kwargs: Any) -> tuple[Any, Any]:
    return KernelExplainer(f, background, **kwargs), shap.KernelExplainer(f, background, **kwargs)


def assert_same_values(ours: Any, theirs: Any, X: Any, rtol: float = 1e-9) -> None:
    found = ours.shap_values(X, silent=True)
    wanted = theirs.shap_values(X, silent=True, l1_reg=False)
    assert type(found) is np.ndarray
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=1e-9)


class Counting:
    def __init__(self, f: Any) -> None:
        self.f = f
        self.rows: list[int] = []

    def __call__(self, X: Any) -> Any:
        self.rows.append(X.shape[0])
        return self.f(X)


# ---------------------------------------------------------------- values


@pytest.mark.parametrize("f", [one, column, two])
@pytest.mark.parametrize("link", ["identity", "logit"])
@pytest.mark.parametrize("kind", ["array", "frame", "kmeans", "sparse", "one row", "series"])
def test_values_are_shaps(kind: str, link: str, f: Any) -> None:
    X, background = data()
    rows: Any = X
    if kind == "frame":
        rows, background = frame(X), frame(background)
    elif kind == "kmeans":
        background = shap.kmeans(background, 3)
    elif kind == "sparse":
        scipy_sparse = pytest.importorskip("scipy.sparse")
        X[X < 0], background[background < 0.3] = 0, 0
        rows, background = scipy_sparse.csr_matrix(X), scipy_sparse.csr_matrix(background)
    elif kind == "one row":
        rows = X[0]
    elif kind == "series":
        rows, background = frame(X).iloc[0], frame(background).iloc[0]
    assert_same_values(*both(f, background, link=link), rows)


def test_the_function_gets_what_shap_gives_it() -> None:
    X, background = data()
    seen: list[Any] = []

    def f(rows: Any) -> Any:
        seen.append((type(rows), rows.dtype, rows.shape[1]))
        return one(rows)

    KernelExplainer(f, frame(background)).shap_values(frame(X))
    assert set(seen) == {(np.ndarray, np.dtype(float), 6)}


def test_objects() -> None:
    X, background = data()
    rows, behind = frame(X), frame(background)
    for part in (rows, behind):
        part["rooms"] = np.where(part["rooms"] > 0, "many", "few")

    def f(values: Any) -> Any:
        assert values.dtype == object
        known = values.copy()
        known[:, 4] = values[:, 4] == "many"
        return one(known.astype(float))

    assert_same_values(*both(f, behind), rows)


def test_groups() -> None:
    X, background = data()
    groups = [np.array([4]), np.array([0, 2]), np.array([1, 3]), np.array([5])]
    described = DenseData(background, ["rooms", "money", "body", "car"], groups)
    ours, theirs = both(two, described)
    assert ours.shap_values(X, silent=True).shape == (5, 4, 2)
    assert_same_values(ours, theirs, X)


def test_a_row_that_is_the_background() -> None:
    _, background = data(m=1)
    assert_same_values(*both(two, background), background)
    nearly = background.copy()
    nearly[0, 2] += 1
    assert_same_values(*both(two, background), nearly)


def test_logit_of_certain_outcomes() -> None:
    """A forest's probabilities are often 0 or 1, which shap moves by 1e-15."""
    X, background = data()

    def f(rows: Any) -> Any:
        return (rows[:, 0] + rows[:, 1] > 0).astype(float)

    assert_same_values(*both(f, background, link="logit"), X)


def test_x_keeps_its_decimals() -> None:
    """shap writes X into rows of the background's type: integers here, and truncates it."""
    X, background = data()
    background = np.round(background).astype(int)
    found = KernelExplainer(one, background).shap_values(X)
    np.testing.assert_allclose(found, brute_force(one, X, background.astype(float))[:, :, 0])


def test_no_feature_is_dropped_unless_asked() -> None:
    X, background = data(n=2, n_features=12)
    np.random.seed(0)  # noqa: NPY002
    ours, theirs = both(one, background)
    exact = brute_force(one, X, background)[:, :, 0]
    np.testing.assert_allclose(ours.shap_values(X, nsamples=4096, silent=True), exact, atol=1e-9)
    assert ((theirs.shap_values(X, silent=True) != 0).sum(axis=1) <= 10).all()
    few = ours.shap_values(X, l1_reg="num_features(3)", silent=True)
    assert ((few != 0).sum(axis=1) <= 3).all()
    assert ((ours(X, l1_reg="num_features(3)", silent=True).values != 0).sum(axis=1) <= 3).all()


def test_samples_are_near() -> None:
    X, background = data(n=3, n_features=12)
    np.random.seed(1)  # noqa: NPY002
    ours, theirs = both(one, background)
    exact = brute_force(one, X, background)[:, :, 0]
    found = ours.shap_values(X, nsamples=400, silent=True)
    wanted = theirs.shap_values(X, nsamples=400, silent=True, l1_reg=False)
    assert 0 < np.abs(found - exact).max() < 2 * np.abs(wanted - exact).max()


# ---------------------------------------------------------------- arguments


def test_other_arguments() -> None:
    X, background = data()
    explainer = KernelExplainer(one, background)
    found = explainer.shap_values(X, nsamples=64, silent=True, gc_collect=True, unknown=3)
    np.testing.assert_array_equal(found, explainer.shap_values(X))
    assert explainer.shap_values(X[:0]).shape == (0, 6)


def test_global_seed() -> None:
    X, background = data(n_features=12)
    explainer = KernelExplainer(two, background)

    def sampled() -> Array:
        found: Array = explainer.shap_values(X, nsamples=100, silent=True)
        return found

    np.random.seed(0)  # noqa: NPY002
    first, second = sampled(), sampled()
    np.random.seed(0)  # noqa: NPY002
    np.testing.assert_array_equal(first, sampled())
    np.testing.assert_array_equal(second, sampled())
    assert (first != second).any()


def test_columns_go_by_name() -> None:
    X, background = data()
    rows = frame(X)
    mixed = rows[NAMES[::-1]]
    explainer = KernelExplainer(two, frame(background))
    wanted = explainer.shap_values(rows)
    np.testing.assert_array_equal(explainer.shap_values(mixed), wanted[:, ::-1])
    explanation = explainer(mixed)
    np.testing.assert_array_equal(explanation.values, wanted[:, ::-1])
    np.testing.assert_array_equal(explanation.data, X[:, ::-1])
    assert list(explanation.feature_names) == NAMES[::-1]


def test_columns_that_do_not_fit() -> None:
    X, background = data()
    explainer = KernelExplainer(one, frame(background))
    with pytest.raises(ValueError, match=r"missing=\['age'\], unexpected=\['years'\]"):
        explainer.shap_values(frame(X).rename(columns={"age": "years"}))
    double = frame(X).set_axis(["age", *NAMES[:5]], axis=1)
    with pytest.raises(ValueError, match="X must have unique column names"):
        explainer(double)
    with pytest.raises(ValueError, match="Background data must have unique column names"):
        KernelExplainer(one, double)


def test_errors_are_shaps() -> None:
    X, background = data()
    explainer = KernelExplainer(one, background)
    with pytest.raises(DimensionError, match="Instance must have 1 or 2 dimensions"):
        explainer.shap_values(X[np.newaxis])
    with pytest.raises(AssertionError, match="Unknown instance type"):
        explainer.shap_values(X.tolist())
    with pytest.raises(TypeError, match="Unknown type passed as data"):
        KernelExplainer(one, background.tolist())
    with pytest.raises(TypeError, match="link"):
        KernelExplainer(one, background, link="probit")
    with pytest.raises(TypeError, match="callable"):
        KernelExplainer(object(), background)
    with pytest.raises(InvalidInputError, match="5 columns"):
        explainer.shap_values(X[:, :5])


def test_what_the_function_raises(capsys: pytest.CaptureFixture[str]) -> None:
    X, background = data()

    def f(rows: Any) -> Any:
        if len(rows) > 7:
            raise ZeroDivisionError("too many")
        return one(rows)

    with pytest.raises(ZeroDivisionError, match="too many") as caught:
        KernelExplainer(f, background).shap_values(X)
    assert any("leafshap" in note for note in caught.value.__notes__)
    with pytest.raises(ZeroDivisionError):
        KernelExplainer(f, np.concatenate([background, X]))
    assert "Provided model function fails" in capsys.readouterr().out


def test_outputs_that_are_not_finite() -> None:
    X, background = data()
    explainer = KernelExplainer(
        lambda rows: np.where(rows[:, 0] == X[2, 0], np.nan, 1.0), background
    )
    with pytest.raises(InvalidInputError, match="row 2 of X"):
        explainer.shap_values(X)


# ---------------------------------------------------------------- attributes and explanations


@pytest.mark.parametrize("f", [one, column, two])
@pytest.mark.parametrize("of", [np.asarray, frame])
def test_attributes(of: Any, f: Any) -> None:
    _, background = data()
    ours, theirs = both(f, of(background), link="logit")
    for name in ("N", "P", "D", "vector_out", "keep_index", "nsamplesAdded", "nsamplesRun"):
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("data", "link", "model", "linkfv"):
        assert type(getattr(ours, name)) is type(getattr(theirs, name)), name
    assert type(ours.expected_value) is type(theirs.expected_value)
    np.testing.assert_array_equal(ours.expected_value, theirs.expected_value)
    np.testing.assert_array_equal(ours.fnull, theirs.fnull)
    np.testing.assert_array_equal(ours.data.data, theirs.data.data)
    names = getattr(theirs, "data_feature_names", None)
    assert getattr(ours, "data_feature_names", None) == names
    # what shap's code does one row at a time still works
    assert ours.explain(background[:1], l1_reg=False).shape == theirs.explain(background[:1]).shape


def test_feature_names() -> None:
    X, background = data()
    for names in (NAMES, None):
        ours, theirs = both(one, background, feature_names=names)
        found, wanted = ours(X, silent=True), theirs(X, silent=True)
        assert found.feature_names == wanted.feature_names == names


@pytest.mark.parametrize("f", [one, column, two])
@pytest.mark.parametrize("of", [np.asarray, frame])
def test_explanations(of: Any, f: Any) -> None:
    X, background = data()
    ours, theirs = both(f, of(background))
    found, wanted = ours(of(X), silent=True), theirs(of(X), l1_reg=False, silent=True)
    assert type(found) is shap.Explanation
    for name in ("values", "base_values", "data"):
        a, b = getattr(found, name), getattr(wanted, name)
        assert type(a) is type(b)
        np.testing.assert_allclose(a, b, atol=1e-9)
    for name in ("feature_names", "output_names", "clustering", "main_effects", "shape"):
        assert getattr(found, name) == getattr(wanted, name), name
    assert found.compute_time > 0
    np.testing.assert_array_equal(found.error_std, np.zeros_like(found.values))


def test_explanation_of_one_row() -> None:
    X, background = data()
    explainer = KernelExplainer(two, background)
    found = explainer(X[0], silent=True)
    assert found.values.shape == found.error_std.shape == (6, 2)
    np.testing.assert_array_equal(found.base_values, explainer.expected_value)
    assert found[..., 1].base_values == explainer.expected_value[1]
    assert KernelExplainer(one, background)(X[0], silent=True).base_values.ndim == 0


def test_standard_errors() -> None:
    X, background = data(n=30, n_features=12)
    np.random.seed(2)  # noqa: NPY002
    explainer = KernelExplainer(one, background)
    exact = explainer.shap_values(X, nsamples=4096)
    # __call__ has no nsamples, as in shap
    assert explainer(X, silent=True).error_std.shape == exact.shape
    explanation = explainer(X)
    off = np.abs(explanation.values - exact)
    assert (off <= 2 * explanation.error_std + 1e-12).mean() > 0.8
    part = explanation[3:5, 2]
    np.testing.assert_array_equal(part.error_std, explanation.error_std[3:5, 2])


def test_plots() -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("Agg")
    X, background = data(n=12)
    explanation = KernelExplainer(one, frame(background))(frame(X), silent=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compat.plots.waterfall(explanation[0], show=False)
        compat.plots.beeswarm(explanation, show=False)
        compat.plots.bar(explanation, show=False)
        compat.plots.scatter(explanation[:, "age"], show=False)
        pyplot.close("all")


# ---------------------------------------------------------------- falling back


def test_keep_index_falls_back() -> None:
    X, background = data()
    seen = []

    def f(rows: Any) -> Any:
        seen.append(type(rows))
        return one(rows)

    with pytest.warns(FallbackWarning, match="KernelExplainer falls back .* keep_index=True"):
        ours = KernelExplainer(f, frame(background), keep_index=True)
    theirs = shap.KernelExplainer(f, frame(background), keep_index=True)
    assert_same_values(ours, theirs, frame(X))  # and no second warning
    assert ours(frame(X), silent=True).values.shape == (5, 6)
    assert pd.DataFrame in seen


class Doubled(LogitLink):  # type: ignore[misc]
    def __str__(self) -> str:
        return "doubled"

    @staticmethod
    def f(x: Any) -> Any:
        return 2 * x


def test_other_links_fall_back() -> None:
    X, background = data()
    with pytest.warns(FallbackWarning, match="link must be"):
        ours = KernelExplainer(two, background, link=Doubled())
    assert_same_values(ours, shap.KernelExplainer(two, background, link=Doubled()), X)


def test_outputs_that_leafshap_refuses_fall_back() -> None:
    X, background = data()

    def f(rows: Any) -> Any:
        return np.where(rows[:, 0] == background[1, 0], np.nan, one(rows))

    with pytest.warns(FallbackWarning, match="finite"):
        ours = KernelExplainer(f, background)
    assert np.isnan(ours.expected_value)
    assert np.isnan(ours.shap_values(X, silent=True)).any()


class Own(KernelExplainer):
    """A class of a user's that explains rows in its own way."""

    def explain(self, incoming_instance: Any, **kwargs: Any) -> Any:
        return np.full(self.P, 2.0)


def test_derived_classes() -> None:
    X, background = data()
    explainer = Own(one, background)
    np.testing.assert_array_equal(explainer.shap_values(X, silent=True), np.full((5, 6), 2.0))
    assert isinstance(explainer, shap.KernelExplainer)
    assert isinstance(shap.KernelExplainer(one, background), KernelExplainer)
    assert issubclass(shap.SamplingExplainer, KernelExplainer)


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("of", [np.asarray, frame])
def test_pickle(of: Any) -> None:
    X, background = data()
    explainer = KernelExplainer(two, of(background), link="logit")
    again = pickle.loads(pickle.dumps(explainer))
    np.testing.assert_array_equal(again.shap_values(of(X)), explainer.shap_values(of(X)))
    np.testing.assert_array_equal(again.expected_value, explainer.expected_value)


def test_pickle_of_a_lambda() -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    X, background = data()
    explainer = KernelExplainer(lambda rows: one(rows) + 1, background)
    again = cloudpickle.loads(cloudpickle.dumps(explainer))
    np.testing.assert_array_equal(again.shap_values(X), explainer.shap_values(X))


@pytest.mark.parametrize("kind", ["array", "kmeans"])
def test_save_and_load(kind: str) -> None:
    X, background = data()
    explainer = KernelExplainer(
        lambda rows: two(rows), background if kind == "array" else shap.kmeans(background, 3),
        link="logit",
    )  # fmt: skip
    file = io.BytesIO()
    try:
        shap.KernelExplainer(lambda rows: two(rows), background).save(io.BytesIO())
    except Exception as error:
        pytest.skip(f"shap {shap.__version__} cannot: {error}")
    explainer.save(file)
    for cls in (KernelExplainer, shap.KernelExplainer, shap.Explainer):
        file.seek(0)
        again = cls.load(file)
        assert type(again) is KernelExplainer
        np.testing.assert_array_equal(again.shap_values(X), explainer.shap_values(X))
