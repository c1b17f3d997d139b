"""KernelExplainer's values of functions, against brute force over all coalitions."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from leafshap import Explanation, InvalidInputError, KernelExplainer
from oracle_coalitions import RandomGame, logit, shap_values
from tolerance import assert_close

Array = Any


def curved(X: Array) -> Array:
    """Interactions of all orders of the first columns; (n,)."""
    return np.exp(0.3 * X[:, 0] * X[:, 1]) + np.sin(X[:, 2:].sum(axis=1)) * X[:, 0]


def probability(X: Array) -> Array:
    return 1 / (1 + np.exp(-curved(X) + 1))


def two(X: Array) -> Array:
    return np.column_stack([curved(X), probability(X)])


def column(X: Array) -> Array:
    return curved(X)[:, np.newaxis]


def both(X: Array) -> Array:
    return np.column_stack([probability(X), 1 - probability(X)])


def data(n_players: int, n: int = 3, m: int = 4, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng([n_players, seed])
    return rng.normal(size=(n, n_players)), rng.normal(size=(m, n_players))


def check_sum(explanation: Explanation, output: Array) -> None:
    axis = 0 if explanation.single_row else 1
    total = explanation.values.sum(axis=axis) + explanation.base_values
    np.testing.assert_allclose(total, output, rtol=1e-11, atol=1e-11)


# ---------------------------------------------------------------- exact values


@pytest.mark.parametrize("n_players", [2, 3, 4, 5, 8, 9, 12])
@pytest.mark.parametrize("f", [curved, column, two])
def test_all_coalitions(f: Callable[[Array], Array], n_players: int) -> None:
    X, background = data(n_players, n=2 if n_players > 9 else 3)
    expected = shap_values(f, X, background)
    found = KernelExplainer(f, background)(X, nsamples=2**n_players - 2)
    assert found.exact
    assert_close(found.values.reshape(expected.shape), expected, "float64")
    assert found.values.ndim == (2 if f is curved else 3)
    assert found.n_evaluations is not None
    np.testing.assert_array_equal(found.n_evaluations, 2**n_players)
    np.testing.assert_array_equal(found.standard_errors, 0.0)
    check_sum(found, f(X))


@pytest.mark.parametrize("estimator", ["auto", "regression", "gaussian_process", "permutation"])
def test_exact_by_any_name(estimator: str) -> None:
    """Whatever estimator is asked for, it is not needed if there are all coalitions."""
    X, background = data(6)
    found = KernelExplainer(curved, background, estimator=estimator)(X)
    assert found.exact
    assert_close(found.values[:, :, np.newaxis], shap_values(curved, X, background), "float64")
    fewer = KernelExplainer(curved, background, estimator=estimator)(X, nsamples=60)
    assert not fewer.exact


@pytest.mark.parametrize("weights", [[1, 2, 3, 4], [0, 1, 0, 1], [1e-9, 5, 5, 1e9], [0, 0, 7, 0]])
def test_weights(weights: list[float]) -> None:
    X, background = data(5)
    w = np.array(weights, dtype=np.float64)
    found = KernelExplainer(two, background, sample_weight=w)(X)
    assert_close(found.values, shap_values(two, X, background, w), "float64")
    np.testing.assert_allclose(found.base_values[0], w @ two(background) / w.sum(), rtol=1e-12)
    pair = KernelExplainer(two, (background, w)).shap_values(X)
    np.testing.assert_array_equal(pair, found.values)


@pytest.mark.parametrize(
    ("groups", "players", "names"),
    [
        ({"a": [0, 3], "b": ["x1"]}, [[0, 3], [1], [2], [4]], ["a", "b", "x2", "x4"]),
        ([[4, 1], ["x0", "x2"]], [[4, 1], [0, 2], [3]], ["x4 + x1", "x0 + x2", "x3"]),
        ([[0, 1, 2, 3, 4]], [[0, 1, 2, 3, 4]], ["x0 + x1 + x2 + 2 more"]),
        (None, [[0], [1], [2], [3], [4]], ["x0", "x1", "x2", "x3", "x4"]),
    ],
)
def test_groups(groups: Any, players: list[list[int]], names: list[str]) -> None:
    X, background = data(5)
    explainer = KernelExplainer(two, background, [f"x{j}" for j in range(5)], groups=groups)
    found = explainer(X)
    assert found.feature_names == names
    assert_close(found.values, shap_values(two, X, background, players=players), "float64")
    check_sum(found, two(X))


def test_group_varies_if_one_column_does() -> None:
    """A group of which only one column differs from the background is a player; one of none not."""
    X, background = data(6)
    background[:, [0, 2, 3, 5]] = X[0, [0, 2, 3, 5]]
    groups = [[0, 1], [2, 3]]
    players = [[0, 1], [2, 3], [4], [5]]
    found = KernelExplainer(curved, background, groups=groups)(X)
    expected = shap_values(curved, X, background, players=players)
    assert_close(found.values[:, :, np.newaxis], expected, "float64")
    assert isinstance(found.n_evaluations, np.ndarray)
    assert found.n_evaluations.tolist() == [4, 16, 16]
    np.testing.assert_array_equal(found.values[0, [1, 3]], 0.0)


def test_logit() -> None:
    X, background = data(6)
    found = KernelExplainer(both, background, link="logit")(X)
    assert_close(found.values, shap_values(both, X, background, link=logit), "float64")
    np.testing.assert_allclose(found.values[:, :, 0], -found.values[:, :, 1], atol=1e-12)
    base = logit(both(background).mean(axis=0))
    np.testing.assert_allclose(found.base_values[0], base, rtol=1e-12)
    check_sum(found, logit(both(X)))


@pytest.mark.parametrize("output", [0.0, 1.0, 1.5, -0.25])
def test_logit_of_what_is_no_probability(output: float) -> None:
    with pytest.raises(InvalidInputError, match=f"between 0 and 1.* {output:g}$"):
        KernelExplainer(lambda X: np.full(len(X), output), np.zeros((2, 3)), link="logit")
    # in the rows to explain, and in one coalition alone
    zeros, ones = np.zeros((2, 3)), np.ones((1, 3))
    for case in (lambda X: X.all(axis=1), lambda X: X[:, 0] * (1 - X[:, 1]) == 1):
        explainer = KernelExplainer(
            lambda X, case=case: np.where(case(X), output, 0.5), zeros, link="logit"
        )
        with pytest.raises(InvalidInputError, match="between 0 and 1"):
            explainer.shap_values(ones)


def test_unknown_link() -> None:
    with pytest.raises(InvalidInputError, match='link must be "identity" or "logit"'):
        KernelExplainer(curved, np.zeros((2, 3)), link="probit")


# ---------------------------------------------------------------- who varies


def test_none_and_one_and_two_vary() -> None:
    X, background = data(5)
    background[:] = background[0]
    X[:] = background[0]
    X[1, 2] += 1
    X[2, [0, 4]] += 1
    found = KernelExplainer(two, background)(X)
    assert_close(found.values, shap_values(two, X, background), "float64")
    assert isinstance(found.n_evaluations, np.ndarray)
    assert found.n_evaluations.tolist() == [2, 2, 4]
    np.testing.assert_array_equal(found.values[0], 0.0)
    np.testing.assert_array_equal(found.values[1, [0, 1, 3, 4]], 0.0)
    np.testing.assert_allclose(found.values[1, 2], two(X)[1] - two(background)[0], rtol=1e-12)


def test_rows_with_different_varying_features() -> None:
    """Each row has its own set; sets are estimated apart, and written where they belong."""
    rng = np.random.default_rng(0)
    X, background = rng.integers(0, 2, (40, 8)).astype(float), np.zeros((1, 8))
    found = KernelExplainer(curved, background)(X)
    assert_close(found.values[:, :, np.newaxis], shap_values(curved, X, background), "float64")
    np.testing.assert_array_equal(found.values[X == 0], 0.0)
    np.testing.assert_array_equal(found.n_evaluations, np.maximum(2 ** X.sum(axis=1), 2))


def test_sixty_features_of_which_five_vary() -> None:
    X, background = data(60, n=2)
    background[:] = X[0]
    rng = np.random.default_rng(1)
    background[:, :5] = rng.normal(size=(4, 5))
    f = lambda X: curved(X[:, :6])  # noqa: E731
    found = KernelExplainer(f, background)(X[:1])
    assert found.exact
    expected = shap_values(curved, X[:1, :6], background[:, :6])
    assert_close(found.values[:, :6, np.newaxis], expected, "float64")


def test_missing_values_vary_like_others() -> None:
    X, background = data(4)
    X[0, 0] = X[1, 1] = background[:, 1] = np.nan
    f = lambda X: curved(np.nan_to_num(X, nan=0.5))  # noqa: E731
    found = KernelExplainer(f, background)(X)
    assert_close(found.values[:, :, np.newaxis], shap_values(f, X, background), "float64")
    assert found.values[1, 1] == 0


@pytest.mark.parametrize("value", [0.0, -3.5, 1e300, 1e-300])
def test_constant_model(value: float) -> None:
    X, background = data(5)
    found = KernelExplainer(lambda X: np.full((len(X), 2), value), background)(X)
    np.testing.assert_array_equal(found.values, np.zeros((3, 5, 2)))
    np.testing.assert_array_equal(found.base_values, np.full((3, 2), value))


# ---------------------------------------------------------------- rows, one row, none


def test_single_row() -> None:
    X, background = data(5)
    explainer = KernelExplainer(curved, background)
    many, one = explainer(X), explainer(X[1])
    assert one.single_row
    assert one.values.shape == (5,)
    np.testing.assert_array_equal(one.values, many.values[1])
    np.testing.assert_array_equal(explainer.shap_values(X[1]), many.values[1])
    assert one.n_evaluations == 32
    assert np.shape(one.base_values) == ()
    assert float(one.base_values) == explainer.expected_value
    both = KernelExplainer(two, background)
    assert both(X[1]).values.shape == (5, 2)
    assert both(X[1]).base_values.shape == (2,)


@pytest.mark.parametrize("f", [curved, two])
def test_zero_rows(f: Callable[[Array], Array]) -> None:
    X, background = data(5)
    found = KernelExplainer(f, background)(X[:0])
    assert found.values.shape == ((0, 5) if f is curved else (0, 5, 2))
    assert found.base_values.shape == ((0,) if f is curved else (0, 2))
    assert len(found) == 0
    assert found.standard_errors is not None
    assert found.standard_errors.shape == found.values.shape


def test_no_rows_in_the_background() -> None:
    with pytest.raises(InvalidInputError, match="background"):
        KernelExplainer(curved, np.empty((0, 5)))


# ---------------------------------------------------------------- tables


def frame(n: int, seed: int) -> Any:
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "city": pd.Categorical.from_codes(rng.integers(0, 3, n), ["Bonn", "Ulm", "Jena"]),
            "kind": rng.choice(["red", "green"], n),
            "size": rng.normal(size=n),
            "rooms": rng.integers(1, 6, n),
            "new": rng.random(n) < 0.5,
        }
    )


def test_frame_through_a_pipeline() -> None:
    pytest.importorskip("sklearn")
    from sklearn.compose import make_column_transformer
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    train = frame(80, 0)
    target = ((train["city"] == "Ulm") & (train["size"] > 0) | (train["kind"] == "red")).to_numpy()
    encode = make_column_transformer(
        (OneHotEncoder(), ["city", "kind"]),
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    model = make_pipeline(encode, MLPClassifier((8,), max_iter=30, random_state=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # training has not converged
        model.fit(train, target)
    background, X = train.iloc[:7], frame(4, 1)
    dtypes = []

    def f(rows: Any) -> Any:
        dtypes.append(tuple(rows.dtypes))
        return model.predict_proba(rows)

    found = KernelExplainer(f, background, groups={"house": ["size", "rooms"]}, link="logit")(X)
    expected = shap_values(
        model.predict_proba, X, background, players=[[2, 3], [0], [1], [4]], link=logit
    )
    assert_close(found.values, expected, "float64")
    assert found.feature_names == ["house", "city", "kind", "new"]
    assert set(dtypes) == {tuple(train.dtypes)}
    assert found.data.shape == (len(X), 4)  # a column for each player
    assert found.data[:, 1].tolist() == X["city"].tolist()


def test_categories_in_another_order() -> None:
    """pandas calls such dtypes equal; a function of codes must not see those of X."""
    pd = pytest.importorskip("pandas")
    background = pd.DataFrame(
        {"c": pd.Categorical(list("abca"), categories=list("abcd")), "n": [1.0, 2.0, 3.0, 4.0]}
    )

    def f(rows: Any) -> Any:
        return 10.0 * rows["c"].cat.codes.to_numpy() + rows["n"].to_numpy()

    explainer = KernelExplainer(f, background)
    first, second = (
        explainer.shap_values(
            pd.DataFrame({"c": pd.Categorical(list("db"), categories=list(c)), "n": [9.0, 8.0]})
        )
        for c in ("abcd", "dcba")
    )
    np.testing.assert_allclose(first, [[22.5, 6.5], [2.5, 5.5]], rtol=1e-12)
    np.testing.assert_array_equal(second, first)


def test_series_is_one_row() -> None:
    pd = pytest.importorskip("pandas")
    X, background = data(4)
    names = list("abcd")
    explainer = KernelExplainer(
        lambda rows: curved(rows.to_numpy()), pd.DataFrame(background, columns=names)
    )
    row = explainer(pd.Series(X[0], index=names))
    assert row.values.shape == (4,)
    assert row.feature_names == names
    assert_close(row.values[None, :, None], shap_values(curved, X[:1], background), "float64")


# ---------------------------------------------------------------- peers


@pytest.mark.parametrize("f", [curved, two])
@pytest.mark.parametrize("link", ["identity", "logit"])
def test_shap_finds_the_same(f: Callable[[Array], Array], link: str) -> None:
    shap = pytest.importorskip("shap")
    if link == "logit":
        f = probability if f is curved else lambda X: probability(X)[:, np.newaxis] * [0.5, 0.9]
    X, background = data(7)
    ours = KernelExplainer(f, background, link=link).shap_values(X, nsamples=126)
    theirs = shap.KernelExplainer(f, background, link=link)
    values = theirs.shap_values(X, nsamples=126, l1_reg=False, silent=True)
    np.testing.assert_allclose(ours, values, rtol=0, atol=1e-8)  # shap solves normal equations


def test_a_game_with_known_values() -> None:
    """Without any oracle of coalitions: terms shared out among their players."""
    game = RandomGame(11, 11, seed=3)
    found = KernelExplainer(game, np.zeros((1, 11)))(np.ones((1, 11)), nsamples=2046)
    assert_close(found.values[0], game.shapley_values, "float64")
