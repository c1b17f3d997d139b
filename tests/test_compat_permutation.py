"""leafshap.compat.shap.PermutationExplainer against shap's own: results, budget, seeds, errors."""

from __future__ import annotations

import io
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

from leafshap import KernelExplainer as Sampled
from oracle_coalitions import shap_values as brute_force

shap = pytest.importorskip("shap", minversion="0.47", exc_type=ImportError)
pd = pytest.importorskip("pandas")

from shap.utils._exceptions import DimensionError  # noqa: E402

from leafshap.compat.shap.drop_in import FallbackWarning  # noqa: E402
from leafshap.compat.shap.permutation import PermutationExplainer  # noqa: E402

Array = Any
MANY = 10  # features of which 500 evaluations do not see all coalitions
NAMES = [f"sensor {j}" for j in range(MANY)]


def square(X: Array) -> Array:
    """Of second order, so that one pair of permutations is exact. (n, 2)."""
    X = np.asarray(X, dtype=float)
    first = X @ np.arange(X.shape[1]) + X[:, 0] * X[:, 1] + np.sin(X[:, 2]) * X[:, 3]
    return np.column_stack([first, first**0 * X[:, 1] ** 2 - X[:, 0] * X[:, -1]])


def one(X: Array) -> Array:
    return square(X)[:, 0]


def column(X: Array) -> Array:
    return square(X)[:, [0]]


def cubic(X: Array) -> Array:
    X = np.asarray(X, dtype=float)
    return np.tanh(square(X)[:, 0] / 3) + X[:, 0] * X[:, 1] * X[:, 2]


def data(n: int = 4, m: int = 7, n_features: int = MANY) -> tuple[Array, Array]:
    rng = np.random.default_rng(3)
    return rng.normal(size=(n, n_features)), rng.normal(size=(m, n_features))


def frame(X: Array) -> Any:
    return pd.DataFrame(X, columns=NAMES[: X.shape[1]])


def theirs_of(f: Any, background: Any, **kwargs: Any) -> Any:
    """shap's own; the global generator is left as it was."""
    before = np.random.get_state()  # noqa: NPY002
    made = shap.PermutationExplainer(f, background, **kwargs)
    np.random.set_state(before)  # noqa: NPY002
    return made


class Counting:
    def __init__(self, f: Any) -> None:
        self.f = f
        self.rows: list[int] = []

    def __call__(self, X: Any) -> Any:
        self.rows.append(len(X))
        return self.f(X)


# ---------------------------------------------------------------- values


@pytest.mark.parametrize("f", [one, column, square])
@pytest.mark.parametrize("of", [np.asarray, frame])
def test_explanations_are_shaps(of: Any, f: Any) -> None:
    X, background = data()
    found = PermutationExplainer(f, of(background))(of(X), silent=True)
    wanted = theirs_of(f, of(background))(of(X), silent=True)
    assert type(found) is shap.Explanation
    for name in ("values", "base_values", "data"):
        a, b = getattr(found, name), getattr(wanted, name)
        assert type(a) is type(b)
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, atol=1e-9)
    for name in ("feature_names", "output_names", "clustering", "main_effects", "error_std"):
        assert getattr(found, name) == getattr(wanted, name), name
    assert found.compute_time > 0
    assert not hasattr(PermutationExplainer(f, of(background)), "expected_value")


def test_exact_where_all_coalitions_fit() -> None:
    X, background = data(n_features=8)
    found = PermutationExplainer(cubic, background)(X, error_bounds=True)
    np.testing.assert_allclose(found.values, brute_force(cubic, X, background)[:, :, 0], atol=1e-9)
    np.testing.assert_array_equal(found.error_std, 0)
    shorter = PermutationExplainer(cubic, background)(X, max_evals=100, error_bounds=True)
    assert (shorter.error_std > 0).any()


def test_samples_are_as_good_as_shaps() -> None:
    X, background = data(n=20)
    exact = brute_force(cubic, X, background)[:, :, 0]
    found = PermutationExplainer(cubic, background, seed=1)(X, error_bounds=True)
    wanted = theirs_of(cubic, background, seed=1)(X)
    off = np.abs(found.values - exact)
    assert 0 < np.linalg.norm(off) < 1.5 * np.linalg.norm(wanted.values - exact)
    assert (off <= 2 * found.error_std).mean() > 0.85
    more = PermutationExplainer(cubic, background, seed=1)(X, max_evals=900, error_bounds=True)
    assert more.error_std.mean() < 0.9 * found.error_std.mean()
    part = found[2:4, 1]
    np.testing.assert_array_equal(part.error_std, found.error_std[2:4, 1])


def test_names() -> None:
    X, background = data()
    for names in (NAMES, [NAMES], None):
        found = PermutationExplainer(one, background, feature_names=names)(X)
        wanted = theirs_of(one, background, feature_names=names)(X)
        assert found.feature_names == wanted.feature_names
    model = shap.models.Model(square)
    model.output_names = ["left", "right"]
    found, wanted = (made(X) for made in (PermutationExplainer(model, background),
                                          theirs_of(model, background)))  # fmt: skip
    assert list(found.output_names) == list(wanted.output_names) == ["left", "right"]


def test_the_function_gets_what_shap_gives_it() -> None:
    X, background = data()
    seen: list[Any] = []

    def f(rows: Any) -> Any:
        kind = type(rows), *([list(rows.columns)] if hasattr(rows, "columns") else [])
        if kind not in seen:
            seen.append(kind)
        assert set(np.asarray(rows).dtype.descr[0]) >= {"<f8"}
        return one(rows)

    background = np.round(background * 3).astype(int)
    PermutationExplainer(f, background)(X)
    PermutationExplainer(f, frame(background))(frame(X))
    PermutationExplainer(f, frame(background))(X)
    assert seen == [(np.ndarray,), (pd.DataFrame, NAMES)]


def test_pipelines_of_tables() -> None:
    pipeline = pytest.importorskip("sklearn.pipeline")
    compose = pytest.importorskip("sklearn.compose")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    linear = pytest.importorskip("sklearn.linear_model")
    X, background = data()
    scaled = compose.make_column_transformer((preprocessing.StandardScaler(), NAMES[:4]))
    model = pipeline.make_pipeline(scaled, linear.LinearRegression())
    model.fit(frame(background), background[:, 0] + background[:, 3])
    found = PermutationExplainer(model.predict, frame(background))(frame(X))
    wanted = theirs_of(model.predict, frame(background))(frame(X))
    np.testing.assert_allclose(found.values, wanted.values, atol=1e-9)


def test_tables_with_text() -> None:
    """shap cannot compare text with the background."""
    X, background = data()
    rows, behind = frame(X), frame(background)
    for part in (rows, behind):
        part[NAMES[1]] = np.where(part[NAMES[1]] > 0, "high", "low")
        part[NAMES[2]] = part[NAMES[2]] > 0

    def f(table: Any) -> Any:
        assert table[NAMES[2]].dtype == bool
        return table[NAMES[0]] * (table[NAMES[1]] == "high") + table[NAMES[2]]

    explanation = PermutationExplainer(f, behind)(rows)
    sums = explanation.values.sum(axis=1) + explanation.base_values
    np.testing.assert_allclose(sums, f(rows).astype(float), atol=1e-12)
    np.testing.assert_array_equal(explanation.values[:, 3:], 0)


def test_columns_in_another_order() -> None:
    """shap takes them by position."""
    X, background = data()
    explainer = PermutationExplainer(square, frame(background), seed=0)
    wanted = explainer(frame(X))
    found = explainer(frame(X)[NAMES[::-1]])
    np.testing.assert_array_equal(found.values, wanted.values[:, ::-1])
    np.testing.assert_array_equal(found.data, X[:, ::-1])
    assert found.feature_names == NAMES[::-1]
    renamed = explainer(frame(X).rename(columns=str.upper))
    np.testing.assert_array_equal(renamed.values, wanted.values)


def test_a_background_of_100_rows() -> None:
    X, background = data(n=2, m=150)
    found = PermutationExplainer(one, background)(X)
    wanted = PermutationExplainer(one, shap.sample(background, 100))(X)
    np.testing.assert_allclose(found.values, wanted.values, atol=1e-9)
    all_rows = shap.maskers.Independent(background, max_samples=200)
    assert (PermutationExplainer(one, all_rows)(X).values != found.values).any()


# ---------------------------------------------------------------- budget


def test_pairs_of_permutations() -> None:
    """`max_evals // (2 V + 1)` of them, the empty and the full coalition being evaluated once."""
    X, background = data()
    X[1, 3:] = background[0, 3:]
    background[:, 3:] = background[0, 3:]
    for asked, max_evals in ((21, 21), (500, 500), ("auto", 200)):
        f = Counting(cubic)
        PermutationExplainer(f, background, max_evals=asked)(X)
        of_ten = max_evals // (2 * MANY + 1) * 2 * (MANY - 1) * 7
        of_three = min(max_evals // 7 * 4, 6) * 7
        assert sum(f.rows) == 7 + 4 + 3 * of_ten + of_three


def test_shap_values() -> None:
    X, background = data()
    f = Counting(cubic)
    explainer = PermutationExplainer(f, background)
    assert type(explainer.shap_values(X)) is np.ndarray
    assert sum(f.rows) == 7 + 4 + 4 * 7 * 10 * 2 * (MANY - 1)
    assert explainer.shap_values(X, npermutations=1, error_bounds=True, silent=True).shape == (
        4,
        MANY,
    )
    exact = PermutationExplainer(square, background).shap_values(X, 1)
    assert exact.shape == (4, MANY, 2)
    np.testing.assert_allclose(exact, brute_force(square, X, background), atol=1e-9)


def test_too_few_evaluations() -> None:
    X, background = data()
    messages = []
    for explainer in (PermutationExplainer(one, background), theirs_of(one, background)):
        with pytest.raises(ValueError, match="max_evals=20 is too low") as caught:
            explainer(X, max_evals=20)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_defaults_of_calls() -> None:
    X, background = data()
    f = Counting(cubic)
    explainer = PermutationExplainer(f, background, max_evals=21, error_bounds=True)
    assert explainer(X).error_std.shape == (4, MANY)
    once = sum(f.rows)
    assert explainer(X, max_evals=42, error_bounds=False).error_std is None
    assert sum(f.rows) - once > 1.5 * once
    assert type(explainer) is PermutationExplainer


# ---------------------------------------------------------------- seeds


def test_seeds() -> None:
    X, background = data()
    before: Any = np.random.get_state()  # noqa: NPY002
    first, again, other = (
        PermutationExplainer(cubic, background, seed=seed)(X).values for seed in (1, 1, 2)
    )
    after: Any = np.random.get_state()  # noqa: NPY002
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2] == after[2]
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_global_seed() -> None:
    X, background = data()
    results = []
    for _ in range(2):
        np.random.seed(4)  # noqa: NPY002
        explainer = PermutationExplainer(cubic, background)
        results.append((explainer(X).values, explainer(X).values))
    np.testing.assert_array_equal(results[0], results[1])
    assert (results[0][0] != results[0][1]).any()


def test_seeds_of_what_falls_back() -> None:
    X, background = data(n=2)
    with pytest.warns(FallbackWarning):
        ours = PermutationExplainer(cubic, background, link=shap.links.logit, seed=5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, again = (ours(np.abs(X), max_evals=21).values for _ in range(2))
    np.testing.assert_array_equal(found, again)


# ---------------------------------------------------------------- falling back


def test_other_maskers_fall_back() -> None:
    X, background = data(n=2)
    masker = shap.maskers.Partition(background)
    with pytest.warns(FallbackWarning, match="PermutationExplainer .* Partition"):
        ours = PermutationExplainer(one, masker)
    found = ours(X, silent=True)  # no second warning
    wanted = theirs_of(one, masker)(X, silent=True)
    np.testing.assert_allclose(found.values, wanted.values, atol=1e-9)
    assert found.clustering is not None


def test_links_fall_back() -> None:
    X, background = data(n=2)

    def p(rows: Any) -> Any:
        return 1 / (1 + np.exp(-rows[:, 0]))

    with pytest.warns(FallbackWarning, match="link is logit"):
        ours = PermutationExplainer(p, background, link=shap.links.logit)
    wanted = theirs_of(p, background, link=shap.links.logit)(X)
    np.testing.assert_allclose(ours(X).values, wanted.values, atol=1e-9)


def test_main_effects_fall_back() -> None:
    X, background = data(n=2)
    explainer = PermutationExplainer(one, background)
    with pytest.warns(FallbackWarning, match="main_effects"):
        found = explainer(X, main_effects=True)
    wanted = theirs_of(one, background)(X, main_effects=True)
    np.testing.assert_allclose(found.values, wanted.values, atol=1e-9)
    with pytest.warns(FallbackWarning, match="outputs"):
        explainer(X, outputs=[0])
    explainer(X)  # no warning


class Own(PermutationExplainer):
    """A class of a user's that explains rows in its own way."""

    def explain_row(self, *row_args: Any, **kwargs: Any) -> Any:
        return {
            "values": np.full(MANY, 2.0),
            "expected_values": 1.0,
            "mask_shapes": [row_args[0].shape],
        }


def test_derived_classes() -> None:
    X, background = data()
    np.testing.assert_array_equal(Own(one, background)(X).values, np.full((4, MANY), 2.0))
    assert isinstance(theirs_of(one, background), PermutationExplainer)
    assert isinstance(PermutationExplainer(one, background), shap.Explainer)


# ---------------------------------------------------------------- errors


def test_errors_are_shaps() -> None:
    X, background = data()
    with pytest.raises(ValueError, match="masker cannot be None"):
        PermutationExplainer(one, None)
    explainer = PermutationExplainer(one, background)
    for wrong in (X[:, :5], X[np.newaxis], X[0]):
        with pytest.raises(DimensionError, match="does not match the background shape"):
            explainer(wrong)
    with pytest.raises(TypeError):
        PermutationExplainer(one, background, link="identity")


def test_what_the_function_raises() -> None:
    X, background = data()

    def f(rows: Any) -> Any:
        if len(rows) > 7:
            raise ZeroDivisionError("too many")
        return one(rows)

    with pytest.raises(ZeroDivisionError, match="too many"):
        PermutationExplainer(f, background)(X)
    with pytest.raises(ZeroDivisionError, match="too many"):
        PermutationExplainer(f, np.concatenate([background, X]))(X)


def test_outputs_that_leafshap_refuses_fall_back() -> None:
    X, background = data(n=2)
    explainer = PermutationExplainer(lambda rows: np.full(len(rows), np.nan), background)
    with pytest.warns(FallbackWarning, match="finite"):
        assert np.isnan(explainer(X).values).all()
    assert np.isnan(explainer(X).values).all()


def test_tree_models() -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    X, background = data(m=60)
    model = ensemble.GradientBoostingClassifier(n_estimators=5, random_state=0)
    model.fit(background, background[:, 0] > 0)
    found = PermutationExplainer(model, background)(X)
    wanted = PermutationExplainer(model.decision_function, background)(X)
    np.testing.assert_allclose(found.values, wanted.values, atol=1e-9)
    sums = found.values.sum(axis=1) + found.base_values
    np.testing.assert_allclose(sums, model.decision_function(X), rtol=1e-9)
    with pytest.warns(FallbackWarning), pytest.raises(TypeError, match="callable"):
        PermutationExplainer(object(), background)(X)


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("of", [np.asarray, frame])
def test_pickle_and_load(of: Any) -> None:
    X, background = data()
    explainer = PermutationExplainer(square, of(background), seed=3, max_evals=42)
    before = pickle.loads(pickle.dumps(explainer))
    wanted = explainer(of(X)).values
    for again in (before, pickle.loads(pickle.dumps(explainer))):
        np.testing.assert_array_equal(again(of(X)).values, wanted)
    try:
        theirs_of(square, of(background)).save(io.BytesIO())
    except Exception as error:
        pytest.skip(f"shap {shap.__version__} cannot: {error}")
    file = io.BytesIO()
    explainer.save(file)
    for cls in (PermutationExplainer, shap.PermutationExplainer, shap.Explainer):
        file.seek(0)
        again = cls.load(file)
        assert type(again) is PermutationExplainer
        np.testing.assert_allclose(again(of(X)).values, wanted, atol=1e-9)  # of second order


def test_pickle_of_a_lambda() -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    X, background = data()
    explainer = PermutationExplainer(lambda rows: cubic(rows) + 1, background, seed=1)
    again = cloudpickle.loads(cloudpickle.dumps(explainer))
    np.testing.assert_array_equal(again(X).values, explainer(X).values)


# ---------------------------------------------------------------- leafshap's own


def test_a_budget_by_varying_features() -> None:
    X, background = data()
    background[:, 5:] = X[0, 5:]
    found = Sampled(cubic, background)(X, nsamples=lambda n_varying: 10 * n_varying)
    np.testing.assert_array_equal(found.n_evaluations, [32, 102, 102, 102])


def test_other_seeds_of_one_explainer() -> None:
    X, background = data()
    f = Counting(cubic)
    explainer = Sampled(f, background, seed=1)
    first = explainer.shap_values(X, nsamples=60)
    calls = len(f.rows)
    again = explainer.with_seed(2).shap_values(X, nsamples=60)
    assert len(f.rows) == 2 * calls - 1  # the background is not evaluated again
    np.testing.assert_array_equal(
        again, Sampled(cubic, background, seed=2).shap_values(X, nsamples=60)
    )
    np.testing.assert_array_equal(first, explainer.shap_values(X, nsamples=60))
    with pytest.raises(ValueError, match="seed must be"):
        explainer.with_seed(-1)
