"""Coalition values of any function, against a loop that builds each row in plain Python."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from leafshap import InvalidInputError, ModelCallError
from leafshap.coalitions.callable_game import CallableBackground, CallableGame

Array = Any
DTYPES = ["f8", "f4", "f2", "i8", "i4", "u1", "?", "c16", "U3", "S5", "O", "M8[ns]"]


def random_data(dtype: str, shape: tuple[int, int], seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind in "fc":
        values = rng.normal(size=shape)
        values[rng.random(shape) < 0.1] = np.nan
        return values.astype(dtype)
    if dtype == "O":
        choices = np.array(["a", None, 2, 3.5, float("nan")], dtype=object)
        return choices[rng.integers(0, 5, shape)]
    if dtype == "?":
        return rng.random(shape) < 0.5
    return rng.integers(0, 90, shape).astype(dtype)


def score(row: Any) -> float:
    """Some number that tells rows apart, from any values; order of columns matters."""
    text = "|".join(str(value) for value in row)
    return sum((i + 1) * ord(c) for i, c in enumerate(text)) / 1000


def naive(
    model: Callable[[list[Any]], float],
    background: Array,
    weights: Array,
    X: Array,
    rows: list[int],
    columns: list[Any],
    coalitions: Array,
) -> Array:
    """v_x(S); `columns[i]`: the columns of player i."""
    out = np.zeros((len(coalitions), len(rows)))
    for c, coalition in enumerate(coalitions):
        inside = {j for i in np.flatnonzero(coalition) for j in np.atleast_1d(columns[i])}
        for k, r in enumerate(rows):
            for w, b in zip(weights, background, strict=True):
                row = [X[r][j] if j in inside else b[j] for j in range(len(b))]
                out[c, k] += w * model(row)
    return out


def coalitions_of(n: int, players: int, seed: int = 1) -> Array:
    coalitions = np.random.default_rng(seed).random((n, players)) < 0.5
    coalitions[0] = False
    coalitions[-1] = True
    return coalitions


def scores(X: Array) -> Array:
    return np.array([score(row) for row in X])


def recording(
    seen: list[Any],
    what: Callable[[Array], Any],
    f: Callable[[Array], Array] = lambda rows: rows[:, 0],
) -> Callable[[Array], Array]:
    """As `f`, which also notes something about the rows it is given."""

    def recorded(rows: Array) -> Array:
        seen.append(what(rows))
        return f(rows)

    return recorded


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("m", [1, 7, 12])
def test_arrays_of_any_type(dtype: str, m: int) -> None:
    data, X = random_data(dtype, (m, 5)), random_data(dtype, (4, 5), 5)
    weights = np.arange(1.0, m + 1)
    seen = []

    def f(rows: Array) -> Array:
        seen.append((rows.dtype, rows.flags.c_contiguous, type(rows)))
        return scores(rows)

    game = CallableBackground(f, data, weights).game(X)
    rows, coalitions = [2, 0, 2, 3], coalitions_of(9, 5)
    values = game.values(np.array(rows), np.arange(5), coalitions)
    wanted = naive(score, data, weights / weights.sum(), X, rows, list(range(5)), coalitions)
    np.testing.assert_allclose(values[:, :, 0], wanted, rtol=1e-12)
    np.testing.assert_allclose(game.full_values()[:, 0], scores(X), rtol=0)
    np.testing.assert_allclose(game.null_values(), [wanted[0, 0]], rtol=1e-12)
    assert set(seen) == {(np.dtype(dtype), True, np.ndarray)}


@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (101, 15), (97, 3), (2, 300), (640, 2)])
@pytest.mark.parametrize("n_rows", [1, 2, 9])
def test_shapes(shape: tuple[int, int], n_rows: int) -> None:
    """Rows folded for long loops, with and without remaining ones; one and two passes."""
    m, width = shape
    rng = np.random.default_rng(m)
    data, X = rng.normal(size=shape), rng.normal(size=(n_rows, width))
    coalitions = coalitions_of(5, width)
    game = CallableBackground(lambda rows: rows, data).game(X)
    values = game.values(np.arange(n_rows), np.arange(width), coalitions)
    wanted = np.where(coalitions[:, np.newaxis], X, data.mean(axis=0))
    np.testing.assert_allclose(values, wanted, rtol=0, atol=1e-14)


def test_values_stay_bit_for_bit() -> None:
    data = np.array([[-0.0, 1.0], [np.frombuffer(b"\x01\0\0\0\0\0\xf8\x7f")[0], 5e-324]])
    seen: list[Array] = []
    game = CallableBackground(
        recording(seen, lambda rows: rows, lambda rows: np.zeros(len(rows))), data
    ).game(np.array([[-0.0, -5e-324]]))
    game.values(np.array([0]), np.array([1]), np.array([[True], [False]]))
    expected = np.vstack([data, data])
    expected[:2, 1] = -5e-324
    assert seen[-1].tobytes() == expected.tobytes()


@pytest.mark.parametrize("batch_rows", [1, 2, 6, 7, 8, 20, 21, 50, 10**6])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_cutting_into_calls_changes_no_bit(batch_rows: int, n_outputs: int) -> None:
    rng = np.random.default_rng(3)
    data, X = rng.normal(size=(7, 4)), rng.normal(size=(5, 4))
    coefficients = rng.normal(size=(4, n_outputs))
    sizes: list[int] = []

    def f(rows: Array) -> Array:
        sizes.append(len(rows))
        return np.exp(sum(rows[:, j, np.newaxis] * coefficients[j] for j in range(4)))

    background = CallableBackground(f, data, rng.random(7))
    rows, coalitions = np.array([4, 1, 0]), coalitions_of(11, 4)
    whole = background.game(X).values(rows, np.arange(4), coalitions)
    ticks: list[int] = []
    game = background.game(X, batch_rows=batch_rows, tick=ticks.append)
    full = game.full_values()
    sizes.clear()
    values = game.values(rows, np.arange(4), coalitions)
    assert values.tobytes() == whole.tobytes()
    assert full.tobytes() == f(X).tobytes()
    assert max(sizes[:-1]) <= batch_rows
    assert sum(ticks) == sum(sizes[:-1]) == 11 * 3 * 7
    if batch_rows >= 7:  # as few calls as whole cells allow
        assert len(ticks) == -(-33 // (batch_rows // 7))
    # a value does not depend on the rows and coalitions beside it
    alone = game.values(rows[1:2], np.arange(4), coalitions[3:4])
    assert alone.tobytes() == whole[3:4, 1:2].tobytes()


def test_memory_limit_counts_bytes_of_rows() -> None:
    sizes: list[int] = []
    data = np.zeros((10, 8), dtype=np.float32)
    f = recording(sizes, lambda rows: rows.nbytes)
    game = CallableBackground(f, data).game(np.ones((3, 8)), memory_limit=2000)
    game.values(np.arange(3), np.arange(8), coalitions_of(9, 8))
    assert 1000 < max(sizes) <= 2000  # X is float64, and so is what f gets


@pytest.mark.parametrize("name", ["memory_limit", "batch_rows"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "10", True])
def test_wrong_limits(name: str, value: Any) -> None:
    background = CallableBackground(lambda rows: rows[:, 0], np.zeros((2, 2)))
    with pytest.raises(InvalidInputError, match=name):
        background.game(np.zeros((1, 2)), **{name: value})


def test_background_is_copied_and_x_is_not_changed() -> None:
    rng = np.random.default_rng(0)
    data, X, weights = rng.normal(size=(6, 3)), rng.normal(size=(4, 3)), np.ones(6)
    kept = X.copy()
    background = CallableBackground(lambda rows: rows.sum(axis=1), data, weights)
    expected = data.sum(axis=1).mean()
    data[:] = 100
    weights[0] = 50
    assert background.null_values() == pytest.approx(expected)
    X.flags.writeable = False
    background.game(X).values(np.arange(4), np.arange(3), coalitions_of(4, 3))
    assert (kept == X).all()


def spoil(rows: Array) -> Array:
    out = rows.sum(axis=1)
    rows[:] = np.nan
    return out


def spoil_and_return_a_view(rows: Array) -> Array:
    rows[:, 0] = rows.sum(axis=1)
    rows[:, 1:] = np.nan
    return rows[:, 0]


def reuse_its_own_output() -> Callable[[Array], Array]:
    own = np.empty(10**5)

    def f(rows: Array) -> Array:
        own[: len(rows)] = rows.sum(axis=1)
        return own[: len(rows)]

    return f


@pytest.mark.parametrize("f", [spoil, spoil_and_return_a_view, reuse_its_own_output()])
@pytest.mark.parametrize("batch_rows", [3, 14, None])
def test_functions_that_write_where_they_should_not(f: Any, batch_rows: int | None) -> None:
    rng = np.random.default_rng(0)
    data, X, coalitions = rng.normal(size=(7, 3)), rng.normal(size=(4, 3)), coalitions_of(9, 3)

    def run(f: Any) -> tuple[Array, ...]:
        background = CallableBackground(f, data)
        null = background.null_values(batch_rows=batch_rows)
        game = background.game(X, batch_rows=batch_rows)
        values = game.values(np.arange(4), np.arange(3), coalitions)
        again = game.values(np.arange(4), np.arange(3), coalitions)
        assert again.tobytes() == values.tobytes()
        return null, values, game.full_values()

    for found, wanted in zip(run(f), run(lambda rows: rows.sum(axis=1)), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-14)


def test_a_function_may_keep_what_it_is_given() -> None:
    kept: list[tuple[Array, Array]] = []

    def f(rows: Array) -> Array:
        kept.append((rows[1:, :2], rows[1:, :2].copy()))  # a view keeps the memory, too
        return rows[:, 0]

    rng = np.random.default_rng(0)
    game = CallableBackground(f, rng.normal(size=(7, 3))).game(
        rng.normal(size=(4, 3)), batch_rows=20
    )
    game.values(np.arange(4), np.arange(3), coalitions_of(9, 3))
    assert len(kept) > 10
    assert all((view == copy).all() for view, copy in kept)


def test_memory_is_used_again() -> None:
    addresses = set()

    def f(rows: Array) -> Array:
        addresses.add(rows.ctypes.data)
        return rows[:, 0] + 1

    rng = np.random.default_rng(0)
    game = CallableBackground(f, rng.normal(size=(7, 3))).game(
        rng.normal(size=(4, 3)), batch_rows=20
    )
    game.full_values()
    addresses.clear()
    game.values(np.arange(4), np.arange(3), coalitions_of(40, 3))
    assert len(addresses) <= 2  # the last calls are smaller


def test_threads_share_a_background() -> None:
    rng = np.random.default_rng(0)
    data, X = rng.normal(size=(20, 5)), rng.normal(size=(8, 5))
    background = CallableBackground(lambda rows: np.sin(rows).prod(axis=1), data)
    coalitions = coalitions_of(31, 5)
    game = background.game(X, batch_rows=100)
    wanted = background.game(X).values(np.arange(8), np.arange(5), coalitions)
    found: list[Array] = []

    def work() -> None:
        found.extend(game.values(np.arange(8), np.arange(5), coalitions) for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert all(values.tobytes() == wanted.tobytes() for values in found)


def test_known_values_are_evaluated_once() -> None:
    rows_given: list[int] = []
    f = recording(rows_given, len)
    background = CallableBackground(f, np.zeros((5, 2)))
    for _ in range(2):
        game = background.game(np.ones((3, 2)))
        assert game.n_outputs == 1
        game.null_values()
        game.full_values()
        game.full_values()
    assert rows_given == [5, 3, 3]


def test_constant_function_is_constant_to_the_bit() -> None:
    rng = np.random.default_rng(0)
    background = CallableBackground(
        lambda rows: np.full(len(rows), 0.1), rng.normal(size=(37, 3)), rng.random(37)
    )
    values = background.game(rng.normal(size=(2, 3))).values(
        np.arange(2), np.arange(3), coalitions_of(9, 3)
    )
    assert (values == 0.1).all()
    assert background.null_values() == [0.1]


def test_weights_and_rows_without_weight() -> None:
    data = np.array([[1.0], [np.inf], [3.0]])  # the second row would be an error
    background = CallableBackground(lambda rows: rows[:, 0], data, [1, 0, 3])
    assert len(background) == 2
    assert background.null_values() == [2.5]
    assert CallableBackground(lambda r: r[:, 0], (data, [2, 0, 6])).null_values() == [2.5]
    with pytest.raises(InvalidInputError, match="twice"):
        CallableBackground(lambda r: r[:, 0], (data, [1, 1, 1]), [1, 1, 1])
    with pytest.raises(InvalidInputError, match=re.escape("shape (2,), expected (3,)")):
        CallableBackground(lambda r: r[:, 0], data, [1, 1])


@pytest.mark.parametrize("groups", [{"pair": [3, 0], "one": [2]}, [[3, 0], [2]]])
def test_groups_and_players_in_any_order(groups: Any) -> None:
    data, X = random_data("i8", (4, 5)), random_data("i8", (3, 5), 7)
    game = CallableBackground(scores, data, groups=groups).game(X)
    columns = [[3, 0], [2], [1], [4]]
    coalitions = coalitions_of(7, 2)
    values = game.values(np.array([1]), np.array([3, 0]), coalitions)  # 2 and 1: background
    wanted = naive(score, data, [0.25] * 4, X, [1], [columns[3], columns[0]], coalitions)
    np.testing.assert_allclose(values[:, :, 0], wanted, rtol=1e-13)
    assert game.n_players == 4
    X[0] = data[0]
    data[:] = data[0]
    X[1, 3] += 1
    game = CallableBackground(scores, data, groups=groups).game(X)
    assert game.varying()[:2].tolist()[0] == [False] * 4
    assert game.varying()[1, 0]


def test_no_coalitions_or_no_rows() -> None:
    game = CallableBackground(lambda rows: rows, np.zeros((2, 3))).game(np.ones((2, 3)))
    nothing = np.zeros((0, 3), dtype=bool)
    assert game.values(np.arange(2), np.arange(3), nothing).shape == (0, 2, 3)
    assert game.values(np.arange(0), np.arange(3), coalitions_of(4, 3)).shape == (4, 0, 3)
    assert game.values(np.arange(2), np.arange(0), np.zeros((1, 0), dtype=bool)).shape == (1, 2, 3)
    empty = CallableBackground(lambda rows: rows, np.zeros((2, 3))).game(np.ones((0, 3)))
    assert empty.full_values().shape == empty.varying().shape == (0, 3)


@pytest.mark.parametrize("dtype", DTYPES)
def test_varying_by_exact_comparison(dtype: str) -> None:
    data, X = random_data(dtype, (3, 40)), random_data(dtype, (50, 40), 2)
    data[:, ::2] = data[0, ::2]
    X[:10] = data[0]

    def same(a: Any, b: Any) -> bool:
        return bool(a is b or a == b or (a != a and b != b))

    wanted = [
        [not all(same(X[i, j], data[b, j]) for b in range(3)) for j in range(40)] for i in range(50)
    ]
    varying = CallableBackground(lambda r: np.zeros(len(r)), data).game(X).varying()
    assert varying.dtype == bool
    assert varying.tolist() == wanted


def test_none_is_not_nan() -> None:
    game = CallableBackground(
        lambda r: np.zeros(len(r)), np.array([[None, "a"]], dtype=object)
    ).game(np.array([[float("nan"), "a"], [None, "b"]], dtype=object))
    assert game.varying().tolist() == [[True, False], [False, True]]


class Tensor:
    """What a tensor of PyTorch on another device allows."""

    def __init__(self, values: Array, steps: int = 2) -> None:
        self.values, self.steps = values, steps

    def detach(self) -> Tensor:
        return Tensor(self.values, self.steps - 1)

    def cpu(self) -> Tensor:
        return Tensor(self.values, self.steps - 1)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        assert self.steps == 0
        return self.values


@pytest.mark.parametrize(
    ("convert", "vector"),
    [
        (lambda y: y, False),
        (lambda y: y.tolist(), False),
        (lambda y: y[:, np.newaxis], True),
        (lambda y: [[v] for v in y.tolist()], True),
        (lambda y: y.astype(np.float32), False),
        (lambda y: y.astype(np.int16), False),
        (lambda y: y.astype(object), False),
        (Tensor, False),
        (lambda y: Tensor(y[:, np.newaxis]), True),
        (lambda y: y > 2, False),
        (lambda y: y[0] if len(y) == 1 else y, False),
    ],
)
def test_kinds_of_output(convert: Any, vector: bool) -> None:
    data, X = np.arange(6.0).reshape(3, 2), np.array([[7.0, 8.0]])
    background = CallableBackground(lambda rows: convert(rows.sum(axis=1)), data)
    assert background.vector_output is vector
    game = background.game(X)
    values = game.values(np.array([0]), np.arange(2), np.array([[True, True], [False, False]]))
    assert values.shape == (2, 1, 1)
    assert values.dtype == game.full_values().dtype == np.float64
    assert values[0, 0, 0] == game.full_values()[0, 0]
    assert values[1, 0, 0] == game.null_values()[0]


def test_pandas_outputs() -> None:
    pandas = pytest.importorskip("pandas")
    data, X = np.arange(6.0).reshape(3, 2), np.array([[7.0, 8.0]])
    for f, shape in (
        (lambda rows: pandas.Series(rows[:, 0], index=np.arange(len(rows))[::-1]), (1, 1)),
        (lambda rows: pandas.DataFrame(rows), (1, 2)),
    ):
        assert CallableBackground(f, data).game(X).full_values().shape == shape


WRONG: list[tuple[Any, str]] = [
    (lambda y: y[:-1], r"shape \(5,\), expected \(6,\) or \(6, outputs\)"),
    (lambda y: y.reshape(2, -1, 1), r"shape \(2, 3, 1\)"),
    (lambda y: 1.0, r"shape \(\)"),
    (lambda y: np.zeros((len(y), 0)), r"shape \(6, 0\)"),
    (lambda y: np.zeros((len(y), 2)), "returned 2 outputs for each row, earlier calls returned 1"),
    (lambda y: np.array(["yes"] * len(y)), "'yes'.*predict_proba"),
    (lambda y: np.array(["yes"] * len(y), dtype=object), "'yes'.*predict_proba"),
    (lambda y: y + 1j, "expected numbers"),
    (lambda y: None, "returned .*None"),
]


@pytest.mark.parametrize(("convert", "message"), WRONG)
def test_wrong_outputs_name_the_batch(convert: Any, message: str) -> None:
    calls = []

    def f(rows: Array) -> Any:
        calls.append(len(rows))
        return convert(rows[:, 0]) if len(calls) == 4 else rows[:, 0]

    rng = np.random.default_rng(0)
    game = CallableBackground(f, rng.normal(size=(3, 2))).game(
        rng.normal(size=(9, 2)), batch_rows=6
    )
    game.null_values()
    with pytest.raises(InvalidInputError, match=message) as caught:
        game.values(np.array([7, 8]), np.arange(2), coalitions_of(6, 2))
    batch = "call 4 of the model (rows 7 to 8 of X, coalitions 2 to 2, background rows 0 to 2"
    assert batch in str(caught.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("batch_rows", [2, None])
def test_not_finite_names_the_first(bad: float, batch_rows: int | None) -> None:
    data = np.array([[0.0, 0.0], [9.0, 9.0], [1.0, 0.0], [2.0, 0.0]])
    weights = [1, 0, 1, 1]  # rows keep the numbers the user knows
    X = np.array([[5.0, 5.0], [6.0, 6.0]])

    def f(rows: Array) -> Array:
        out = np.repeat(rows[:, :1], 2, axis=1)
        out[(rows[:, 0] == 2) & (rows[:, 1] == 6), 1] = bad
        return out

    game = CallableBackground(f, data, weights).game(X, batch_rows=batch_rows)
    coalitions = np.array([[True, False], [False, True]])
    match = f"returned {bad} as output 1 for row 1 of X in coalition 1 with background row 3"
    with pytest.raises(InvalidInputError, match=match):
        game.values(np.arange(2), np.arange(2), coalitions)
    with pytest.raises(InvalidInputError, match="background row 1"):
        CallableBackground(lambda r: np.where(r[:, 0] == 9, bad, 0), data).null_values()
    game = CallableBackground(lambda r: np.where(r[:, 0] == 6, bad, 0), data).game(X)
    with pytest.raises(InvalidInputError, match="for row 1 of X"):
        game.full_values()


def test_exceptions_of_the_function() -> None:
    cause = KeyError("no such column")

    def f(rows: Array) -> Array:
        if (rows[:, 0] == 5).any():
            raise cause
        return rows[:, 0]

    game = CallableBackground(f, np.zeros((3, 1))).game(np.array([[4.0], [5.0]]), batch_rows=3)
    match = r"call 3 of the model \(rows 1 to 1 of X, coalitions 0 to 0, .*KeyError.*no such column"
    with pytest.raises(ModelCallError, match=match) as caught:
        game.values(np.arange(2), np.array([0]), np.array([[True]]))
    assert caught.value.__cause__ is cause


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_interrupts_pass(kind: type[BaseException]) -> None:
    def f(rows: Array) -> Array:
        raise kind

    with pytest.raises(kind):
        CallableBackground(f, np.zeros((3, 1))).null_values()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((0, 3)), "no rows"),
        (np.zeros((3, 0)), "no columns"),
        (np.zeros((2, 2, 2)), "it has 3"),
        ([[1, 2], [3]], "cannot read it as a matrix"),
        (5.0, "it has 0"),
        (({"a": 1}, [1], 2), "3 parts"),
    ],
)
def test_wrong_backgrounds(data: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        CallableBackground(len, data)


def test_other_mistakes() -> None:
    with pytest.raises(InvalidInputError, match=r"got int.*predict"):
        CallableBackground(5, np.zeros((2, 2)))  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="3 feature_names"):
        CallableBackground(len, np.zeros((2, 2)), feature_names=["a", "b", "c"])
    with pytest.raises(InvalidInputError, match="3 columns were given, the background has 2"):
        CallableBackground(len, np.zeros((2, 2))).game(np.zeros((1, 3)))
    with pytest.raises(InvalidInputError, match="dtype"):
        CallableBackground(len, np.zeros((2, 2))).game(np.array([["a", "b"]]))
    with pytest.raises(InvalidInputError, match="'x' in X"):
        CallableBackground(len, np.zeros((2, 2))).game(np.array([["x", 1]], dtype=object))


@pytest.mark.parametrize(
    ("ours", "theirs", "given"),
    [
        ("f4", "f8", "f8"),
        ("f8", "f4", "f8"),
        ("i8", "f8", "f8"),
        ("?", "i4", "i4"),
        ("U1", "U7", "U7"),
        ("f4", "O", "f4"),
        ("i8", "O", "i8"),
        ("O", "f8", "O"),
        (">f8", "f8", "f8"),
    ],
)
def test_types_of_background_and_x(ours: str, theirs: str, given: str) -> None:
    seen: list[Any] = []
    f = recording(seen, lambda rows: rows.dtype, lambda rows: np.zeros(len(rows)))
    data, X = np.ones((2, 2)).astype(ours), np.array([[1, 2]]).astype(theirs)
    game = CallableBackground(f, data).game(X)
    game.full_values()
    seen.clear()
    game.values(np.array([0]), np.arange(2), coalitions_of(3, 2))
    assert set(seen) == {np.dtype(given)}
    assert game.varying().tolist() == [[False, True]]


def test_one_row_and_lists() -> None:
    background = CallableBackground(scores, [1.0, 2.0, 3.0])
    assert len(background) == 1
    game = background.game([4, 5, 6])
    assert game.single
    assert game.n_rows == 1
    assert not background.game([[4, 5, 6]]).single
    mixed = CallableBackground(scores, [["a", 1.5], ["b", 2.5]]).game([["c", 3.5]])
    values = mixed.values(np.array([0]), np.arange(2), np.array([[True, False]]))
    assert values[0, 0, 0] == pytest.approx((score(["c", 1.5]) + score(["c", 2.5])) / 2)


def test_names() -> None:
    background = CallableBackground(len, np.zeros((2, 2)))
    assert background.feature_names is None
    assert background.player_names == ["feature 0", "feature 1"]
    named = CallableBackground(len, np.zeros((2, 2)), feature_names=["a", "b"])
    assert named.feature_names == named.player_names == ["a", "b"]
    assert isinstance(named.game(np.zeros((1, 2))), CallableGame)
