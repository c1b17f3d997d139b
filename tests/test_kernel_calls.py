"""KernelExplainer's calls: budgets, seeds, limits, progress, interruptions, errors, threads."""

from __future__ import annotations

import functools
import pickle
import threading
import warnings
from typing import Any

import numpy as np
import pytest

from leafshap import Explanation, InvalidInputError, KernelExplainer, ModelCallError
from oracle_coalitions import RandomGame

Array = Any
SAMPLED = ["regression", "gaussian_process", "permutation"]
GAME = RandomGame(16, 4, seed=1)
ZEROS = np.zeros((1, 16))


def wavy(X: Array, n_outputs: int = 1) -> Array:
    """High orders; the background matters. Each row's value by itself, whatever is beside it."""
    steps = np.arange(1.0, X.shape[1] + 1)
    total = np.sum(X * np.sin(steps), axis=1) + np.prod(np.cos(X[:, :4]), axis=1)
    outputs = [np.tanh(total * (k + 1) / 3) for k in range(n_outputs)]
    return outputs[0] if n_outputs == 1 else np.column_stack(outputs)


def data(n: int = 5, m: int = 3, n_players: int = 12) -> tuple[Array, Array]:
    rng = np.random.default_rng(7)
    return rng.normal(size=(n, n_players)), rng.normal(size=(m, n_players))


class Counting:
    """A function that knows how many rows and calls it has had."""

    def __init__(self, f: Any = wavy) -> None:
        self.f = f
        self.rows: list[int] = []

    def __call__(self, X: Array) -> Array:
        self.rows.append(len(X))
        return self.f(X)


def assert_same(first: Explanation, second: Explanation) -> None:
    np.testing.assert_array_equal(first.values, second.values)
    np.testing.assert_array_equal(first.standard_errors, second.standard_errors)
    np.testing.assert_array_equal(first.n_evaluations, second.n_evaluations)


# ---------------------------------------------------------------- seeds


@pytest.mark.parametrize("estimator", SAMPLED)
def test_seeds(estimator: str) -> None:
    X, background = data()
    first, again, other = (
        KernelExplainer(wavy, background, estimator=estimator, seed=seed)(X, nsamples=100)
        for seed in (3, 3, 4)
    )
    assert_same(first, again)
    assert (first.values != other.values).any(axis=1).all()
    assert not first.exact


def test_global_random_state_is_left_alone() -> None:
    X, background = data()
    before: Any = np.random.get_state()  # noqa: NPY002
    KernelExplainer(wavy, background).shap_values(X, nsamples=100)
    after: Any = np.random.get_state()  # noqa: NPY002
    np.testing.assert_array_equal(before[1], after[1])


@pytest.mark.parametrize("estimator", SAMPLED)
def test_threads_do_not_matter(estimator: str) -> None:
    X, background = data(n=70)
    f = functools.partial(wavy, n_outputs=2)
    one, many = (
        KernelExplainer(f, background, estimator=estimator, n_jobs=n_jobs)(X, nsamples=60)
        for n_jobs in (1, 2)
    )
    assert_same(one, many)


@pytest.mark.parametrize("estimator", SAMPLED)
def test_rows_do_not_matter_to_each_other(estimator: str) -> None:
    """The same bits alone, together, in another order, and with other sets between them."""
    X, background = data(n=9)
    background[:, :3] = X[[2, 5], :3] = 0.5
    explainer = KernelExplainer(wavy, background, estimator=estimator)
    together = explainer(X, nsamples=60)
    for i in range(len(X)):
        assert_same(together[[i]], explainer(X[[i]], nsamples=60))
    order = np.array([5, 0, 8, 2, 1, 3, 7, 4, 6])
    assert_same(together[order], explainer(X[order], nsamples=60))


@pytest.mark.parametrize("estimator", SAMPLED)
@pytest.mark.parametrize(
    "limits",
    [{"memory_limit": 1}, {"memory_limit": 1000}, {"batch_rows": 7}, {"batch_rows": 10**6}],
)
def test_limits_do_not_matter(limits: dict[str, Any], estimator: str) -> None:
    X, background = data(n=2)
    counting = Counting()
    plain = KernelExplainer(wavy, background, estimator=estimator)(X, nsamples=50)
    limited = KernelExplainer(counting, background, estimator=estimator, **limits)(X, nsamples=50)
    assert_same(plain, limited)
    most = limits.get("batch_rows", max(1, limits.get("memory_limit", 0) // (12 * 8)))
    assert max(counting.rows) <= most


@pytest.mark.parametrize("name", ["memory_limit", "batch_rows"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "1GB"])
def test_wrong_limits(name: str, value: Any) -> None:
    with pytest.raises(InvalidInputError, match=name):
        KernelExplainer(wavy, data()[1], **{name: value})


# ---------------------------------------------------------------- budgets


@pytest.mark.parametrize("estimator", [*SAMPLED, "auto"])
@pytest.mark.parametrize("nsamples", [44, 60, 61, 500])
def test_budget_is_kept(nsamples: int, estimator: str) -> None:
    """At most so many coalitions a row, each once on all background rows; all but an order used."""
    X, background = data(n=4, m=3)
    counting = Counting()
    explainer = KernelExplainer(counting, background, estimator=estimator)
    found = explainer(X, nsamples=nsamples)
    assert isinstance(found.n_evaluations, np.ndarray)
    spent = sum(counting.rows) - len(background) - len(X)
    assert spent == ((found.n_evaluations - 2) * len(background)).sum()
    assert (found.n_evaluations - 2 <= nsamples).all()
    assert (found.n_evaluations - 2 > nsamples - 2 * 11).all()


def test_default_budget() -> None:
    found = KernelExplainer(GAME, ZEROS, estimator="regression")(np.ones(16))
    assert found.n_evaluations == 2 * 16 + 2048 + 2


@pytest.mark.parametrize("nsamples", [2, 3, 4, 16])
def test_tiny_budgets(nsamples: int) -> None:
    """Something by "auto", with errors that say how little is known; else what is missing."""
    found = KernelExplainer(GAME, ZEROS)(np.ones(16), nsamples=nsamples)
    total = GAME(np.ones((1, 16)))[0] - GAME(ZEROS)[0]
    np.testing.assert_allclose(found.values.sum(), total, rtol=1e-10)
    assert found.standard_errors is not None
    assert (found.standard_errors > 0.05).all()
    for estimator, message in (("permutation", "take nsamples=30, got"), ("regression", "more")):
        with pytest.raises(InvalidInputError, match=message):
            KernelExplainer(GAME, ZEROS, estimator=estimator)(np.ones(16), nsamples=nsamples)


@pytest.mark.parametrize("nsamples", [0, 1, -5, 2.5, "many", None, True, float("nan")])
def test_wrong_nsamples(nsamples: Any) -> None:
    with pytest.raises(InvalidInputError, match="nsamples must be"):
        KernelExplainer(GAME, ZEROS).shap_values(np.ones(16), nsamples=nsamples)


def test_too_many_evaluations_for_a_process() -> None:
    with pytest.raises(InvalidInputError, match="at most 8192 coalitions"):
        KernelExplainer(GAME, ZEROS, estimator="gaussian_process")(np.ones(16), nsamples=20_000)


# ---------------------------------------------------------------- tolerance


@pytest.mark.parametrize("estimator", [*SAMPLED, "auto"])
def test_tolerance(estimator: str) -> None:
    """Goes on until errors are small, without evaluating anything twice."""
    counting = Counting(GAME)
    explainer = KernelExplainer(counting, ZEROS, estimator=estimator)
    spent = []
    for tol in (0.1, 0.02):
        counting.rows.clear()
        found = explainer(np.ones((1, 16)), tol=tol, nsamples=16_000)
        assert found.standard_errors is not None
        assert isinstance(found.n_evaluations, np.ndarray)
        assert found.standard_errors.max() <= tol * float(np.ptp(found.values))
        spent.append(int(found.n_evaluations[0]))
        assert sum(counting.rows) <= spent[-1] + 2
    assert spent[0] < spent[1] <= 16_002
    error = np.abs(found.values[0] - GAME.shapley_values).max()
    assert error < 5 * 0.02 * float(np.ptp(found.values))


@pytest.mark.parametrize("estimator", SAMPLED)
def test_tolerance_that_is_not_met(estimator: str) -> None:
    counting = Counting(GAME)
    explainer = KernelExplainer(counting, ZEROS, estimator=estimator)
    with pytest.warns(RuntimeWarning, match=r"1 of 1 rows .* tol=1e-09 .* raise nsamples"):
        found = explainer(np.ones((1, 16)), tol=1e-9, nsamples=600)
    assert isinstance(found.n_evaluations, np.ndarray)
    assert 560 < found.n_evaluations[0] <= 602
    assert sum(counting.rows) <= 602


def test_tolerance_of_permutations_keeps_the_budget() -> None:
    """Also where all coalitions come in reach in the end, which are another design."""
    counting = Counting(RandomGame(8, 5, seed=1))
    told: list[tuple[int, int]] = []
    explainer = KernelExplainer(counting, np.zeros((1, 8)), estimator="permutation")
    with pytest.warns(RuntimeWarning, match="1 of 1 rows"):
        explainer(np.ones((1, 8)), tol=1e-9, nsamples=300, progress=lambda *done: told.append(done))
    assert sum(counting.rows) <= 302
    assert told[-1][0] <= told[-1][1]


def test_tolerance_by_row() -> None:
    """Rows stop one by one: a linear row at once, a rough one later, alone as together."""
    X, background = data(n=3)
    X[1] += 10

    def f(rows: Array) -> Array:
        return np.where(rows.max(axis=1) > 7, wavy(rows), rows[:, :4].sum(axis=1))

    explainer = KernelExplainer(f, background, estimator="regression")
    found = explainer(X, tol=0.02, nsamples=4000)
    assert isinstance(found.n_evaluations, np.ndarray)
    assert found.n_evaluations[[0, 2]].tolist() == [8 * 12 + 2] * 2
    assert found.n_evaluations[1] > 8 * 12 + 2
    for i in range(3):
        assert_same(found[[i]], explainer(X[[i]], tol=0.02, nsamples=4000))


def test_tolerance_of_a_process_ends_at_its_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """As at nsamples: a warning and the estimates so far, rather than an error that loses them."""
    monkeypatch.setattr("leafshap.coalitions.estimators._MOST_EVALUATIONS", 500)
    explainer = KernelExplainer(GAME, ZEROS, estimator="gaussian_process")
    with pytest.warns(RuntimeWarning, match="1 of 1 rows"):
        found = explainer(np.ones((1, 16)), tol=1e-6)
    assert np.isfinite(found.values).all()


@pytest.mark.parametrize("tol", [0, 1, -0.1, 2, "small", True, float("nan")])
def test_wrong_tolerance(tol: Any) -> None:
    with pytest.raises(InvalidInputError, match="tol must be a number between 0 and 1"):
        KernelExplainer(GAME, ZEROS).shap_values(np.ones(16), tol=tol)


# ---------------------------------------------------------------- progress, interruptions


@pytest.mark.parametrize("estimator", ["regression", "gaussian_process"])
def test_progress(estimator: str) -> None:
    X, background = data(n=4, m=3)
    told: list[tuple[int, int]] = []
    explainer = KernelExplainer(wavy, background, estimator=estimator, batch_rows=50)
    explainer(X, nsamples=60, progress=lambda done, total: told.append((done, total)))
    done, totals = zip(*told, strict=True)
    assert set(totals) == {4 * 60 * 3}
    assert list(done) == sorted(set(done))
    assert done[-1] == totals[0]
    assert len(told) >= 4 * 60 * 3 / 50


class Interrupted:
    """As a user who presses Ctrl-C in some call of the function."""

    def __init__(self, last: int) -> None:
        self.left = last

    def __call__(self, X: Array) -> Array:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return wavy(X)


@pytest.mark.parametrize("estimator", SAMPLED)
def test_interruption_keeps_what_is_done(estimator: str) -> None:
    """One call for the background, one for the rows, and one for each row's coalitions."""
    X, background = data(n=6)
    whole = KernelExplainer(wavy, background, estimator=estimator)(X, nsamples=60)
    explainer = KernelExplainer(Interrupted(2 + 4), background, estimator=estimator, batch_rows=180)
    with pytest.warns(RuntimeWarning, match="interrupted: 4 of 6 rows are done"):
        found = explainer(X, nsamples=60, partial=True)
    assert_same(found[:4], whole[:4])
    assert np.isnan(found.values[4:]).all()
    assert np.isnan(found.standard_errors[4:]).all()  # type: ignore[index]
    assert not found.exact
    explainer = KernelExplainer(Interrupted(2 + 4), background, estimator=estimator, batch_rows=180)
    with pytest.raises(KeyboardInterrupt):
        explainer(X, nsamples=60)


def test_interruption_before_anything_is_done() -> None:
    X, background = data(n=3)
    explainer = KernelExplainer(Interrupted(2), background)
    with pytest.warns(RuntimeWarning, match="interrupted: 0 of 3 rows are done"):
        found = explainer(X, nsamples=60, partial=True)
    assert np.isnan(found.values).all()


def test_interruption_with_tolerance_keeps_earlier_rounds() -> None:
    """Rows that have estimates of a round before keep them."""
    X, background = data(n=3)
    explainer = KernelExplainer(Interrupted(2 + 2), background, estimator="regression")
    with (
        pytest.warns(RuntimeWarning, match="3 of 3 rows have larger standard errors than tol"),
        pytest.warns(RuntimeWarning, match="interrupted: 3 of 3 rows are done"),
    ):
        found = explainer(X, tol=1e-9, partial=True)
    assert np.isfinite(found.values).all()


@pytest.mark.parametrize("partial", [False, True])
def test_interruption_of_the_prediction_of_the_rows(partial: bool) -> None:
    X, background = data(n=3)
    explainer = KernelExplainer(Interrupted(2), background)
    if not partial:
        with pytest.raises(KeyboardInterrupt):
            explainer(X)
        return
    with pytest.warns(RuntimeWarning, match="interrupted: 0 of 3 rows are done"):
        found = explainer(X, partial=True)
    assert np.isnan(found.values).all()


# ---------------------------------------------------------------- errors of the function


def failing(after: int, how: Any) -> Any:
    calls = iter(range(10**6))
    return lambda X: wavy(X) if next(calls) < after else how(X)


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        (lambda X: 1 // 0, ModelCallError, "call 4 .*rows 1 to 1 of X, .*failed: ZeroDivision"),
        (lambda X: wavy(X)[:-1], InvalidInputError, r"call 4 .* shape \(179,\), expected \(180,\)"),
        (lambda X: X[:, :2], InvalidInputError, "call 4 .* 2 outputs for each row"),
        (lambda X: wavy(X) * np.nan, InvalidInputError, "nan for row 1 of X in coalition 0 with"),
        (lambda X: None, InvalidInputError, "call 4 .* returned None"),
        (lambda X: ["a"] * len(X), InvalidInputError, "call 4 .* expected numbers"),
    ],
)
def test_errors_name_the_batch(how: Any, error: type[Exception], message: str) -> None:
    X, background = data(n=4)
    explainer = KernelExplainer(failing(3, how), background, batch_rows=180)
    with pytest.raises(error, match=message) as caught:
        explainer.shap_values(X, nsamples=60)
    if error is ModelCallError:
        assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_rows_that_do_not_fit() -> None:
    explainer = KernelExplainer(wavy, data()[1])
    with pytest.raises(InvalidInputError, match="12"):
        explainer.shap_values(np.zeros((2, 11)))


# ---------------------------------------------------------------- pickles, threads


def test_pickle() -> None:
    X, background = data()
    explainer = KernelExplainer(wavy, background, seed=5, groups=[[0, 1]], link="identity")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = pickle.loads(pickle.dumps(explainer))
    assert_same(explainer(X, nsamples=60), again(X, nsamples=60))
    with pytest.raises(Exception, match="lambda"):
        pickle.dumps(KernelExplainer(lambda X: wavy(X), background))


@pytest.mark.parametrize("estimator", SAMPLED)
def test_two_threads_at_once(estimator: str) -> None:
    X, background = data(n=6)
    explainer = KernelExplainer(wavy, background, estimator=estimator, n_jobs=2)
    expected = [explainer(X[i:], nsamples=60) for i in range(2)]
    found: dict[int, Explanation] = {}

    def run(i: int) -> None:
        found[i] = explainer(X[i % 2 :], nsamples=60)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(4):
        assert_same(found[i], expected[i % 2])
