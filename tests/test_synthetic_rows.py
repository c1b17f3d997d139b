"""The core's synthetic rows and weighted means, against numpy."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from leafshap import InvalidInputError, _core

Array = Any
DTYPES = ["f8", "f4", "f2", "i8", "i4", "i2", "u1", "?", "c16", "U3", "S5", "S6", "M8[ns]"]


def random_bytes(dtype: str, shape: tuple[int, int], seed: int) -> Array:
    """Any bits, so also every kind of NaN; characters and bools that there are."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind in "?bUS":
        return rng.integers(0, 2 if dtype == "?" else 90, shape).astype(dtype)
    size = np.dtype(dtype).itemsize
    return rng.integers(0, 256, (*shape, size), dtype=np.uint8).view(dtype).reshape(shape)


def by_numpy(
    background: Array, explained: Array, rows: Array, coalitions: Array, players: Array
) -> Array:
    """All cells, shape (N, r, m, F)."""
    with_absent = np.column_stack([coalitions, np.zeros(len(coalitions), dtype=bool)])
    inside = with_absent[:, players][:, np.newaxis, np.newaxis]
    return np.where(inside, explained[rows][:, np.newaxis], background)


def mixed(
    background: Array,
    explained: Array,
    rows: Array,
    coalitions: Array,
    players: Array,
    first: int = 0,
    n_cells: int | None = None,
) -> Array:
    n_cells = len(rows) * len(coalitions) - first if n_cells is None else n_cells
    shape = (n_cells * len(background) + 2, background.shape[1])
    memory = random_bytes(background.dtype.str, shape, 99)
    edges = memory[[0, -1]].tobytes()
    out = memory[1:-1]
    _core.mix_rows(background, explained, rows, coalitions, players, first, out)
    assert memory[[0, -1]].tobytes() == edges  # nothing is written outside
    return out


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (37, 15), (100, 15), (101, 30), (3, 700), (1200, 2)])
def test_rows_of_any_type_bit_for_bit(dtype: str, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(shape[0])
    m, n_columns = shape
    background, explained = random_bytes(dtype, shape, 1), random_bytes(dtype, (4, n_columns), 2)
    rows, n_players = np.array([3, 0, 3]), max(1, n_columns // 2)
    players = rng.integers(0, n_players + 1, n_columns)
    coalitions = rng.random((7, n_players)) < 0.5
    coalitions[0], coalitions[1] = False, True
    wanted = by_numpy(background, explained, rows, coalitions, players).reshape(21, m, n_columns)
    for first, n_cells in [(0, 21), (5, 9), (20, 1), (7, 0), (21, 0)]:
        out = mixed(background, explained, rows, coalitions, players, first, n_cells)
        assert out.tobytes() == wanted[first : first + n_cells].tobytes()


def test_members_side_by_side() -> None:
    """Every set of 6 columns: pieces of one and of two words."""
    background, explained = np.zeros((5, 6)), np.arange(1.0, 7.0)[np.newaxis]
    coalitions = (np.arange(64)[:, np.newaxis] >> np.arange(6) & 1).astype(bool)
    for players in (np.arange(6), np.arange(6)[::-1].copy()):
        out = mixed(background, explained, np.array([0]), coalitions, players)
        inside = coalitions[:, players]
        wanted = np.repeat(np.where(inside, explained, 0), 5, axis=0)
        assert (out == wanted).all()


@pytest.mark.parametrize("shape", [(0, 3), (4, 0), (0, 0)])
def test_nothing_to_write(shape: tuple[int, int]) -> None:
    players, coalitions = np.arange(shape[1]), np.zeros((2, shape[1]), dtype=bool)
    out = mixed(np.ones(shape), np.ones((1, shape[1])), np.array([0]), coalitions, players, 0, 0)
    assert out.shape == (0, shape[1])


def test_memory_need_not_be_aligned() -> None:
    memory = np.frombuffer(b"\0" + np.arange(20.0).tobytes(), dtype=np.uint8)[1:]
    background = memory.view(np.float64).reshape(4, 5)
    explained = -background[:2].copy()
    coalitions, rows = np.array([[True, False]]), np.array([1])
    players = np.array([0, 1, 0, 0, 2])
    out = mixed(background, explained, rows, coalitions, players)
    wanted = by_numpy(background, explained, rows, coalitions, players)
    assert (out == wanted.reshape(4, 5)).all()


def arguments() -> dict[str, Any]:
    return {
        "background": np.zeros((3, 2)),
        "explained": np.ones((4, 2)),
        "rows": np.array([0, 3]),
        "coalitions": np.array([[True, False]]),
        "players": np.array([0, 1]),
        "first_cell": 0,
        "out": np.empty((6, 2)),
    }


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("background", np.zeros((2, 3)).T, "background must be a C-contiguous"),
        ("background", np.zeros((3, 3)), "background must be"),
        ("background", np.zeros((0, 2)), "out must have a row"),
        ("explained", np.ones((4, 2), np.float32), "explained must be"),
        ("explained", np.ones(4), "explained must be"),
        ("rows", np.array([0, 4]), r"rows\[1\] is 4, not in \[0, 4\)"),
        ("rows", np.array([-1, 0]), r"rows\[0\] is -1"),
        ("rows", np.array([0.0, 1.0]), "rows must be"),
        ("rows", np.array([0]), "the cells are 1, and out is for 2 from 0"),
        ("rows", np.array([], np.int64), "the cells are 0"),
        ("coalitions", np.array([[1, 0]]), "coalitions must be"),
        ("coalitions", np.array([True, False]), "coalitions must be"),
        ("coalitions", np.zeros((1, 0), dtype=bool), r"players\[1\] is 1"),
        ("players", np.array([0, 3]), r"players\[1\] is 3, not in \[0, 3\)"),
        ("players", np.array([0, -1]), r"players\[1\] is -1"),
        ("players", np.array([0, 1, 1]), "background must be"),
        ("first_cell", 1, "from 1"),
        ("first_cell", -1, "from -1"),
        ("first_cell", 2**63 - 1, "from 9"),
        ("out", np.empty((5, 2)), "out must have a row"),
        ("out", np.empty((9, 2)), "out is for 3"),
        ("out", np.empty((6, 2), np.int64), "out must be"),
        ("out", np.empty((6, 4))[:, ::2], "out must be"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, value: Any, match: str) -> None:
    _core.mix_rows(**arguments())
    with pytest.raises(InvalidInputError, match=match):
        _core.mix_rows(**{**arguments(), name: value})


def test_objects_and_read_only_memory_are_refused() -> None:
    objects = {name: arguments()[name].astype(object) for name in ("background", "explained")}
    with pytest.raises(InvalidInputError, match="without objects"):
        _core.mix_rows(**{**arguments(), **objects, "out": np.empty((6, 2), object)})
    out = np.empty((6, 2))
    out.flags.writeable = False
    with pytest.raises(ValueError, match="writeable"):
        _core.mix_rows(**{**arguments(), "out": out})


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("m", [1, 7, 8, 100, 257, 5000])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_means_against_fractions(dtype: Any, m: int, n_outputs: int) -> None:
    rng = np.random.default_rng(m)
    outputs = (rng.normal(size=(2, m, n_outputs)) * 10.0 ** rng.integers(0, 4, m)[:, None]).astype(
        dtype
    )
    weights = rng.random(m)
    weights /= weights.sum()
    means, finite = _core.weighted_mean(outputs, weights)
    assert finite is True
    assert means.shape == (2, n_outputs)
    scale = np.abs(outputs).max()
    for c in range(2):
        for k in range(n_outputs):
            y = [Fraction(float(v)) for v in outputs[c, :, k]]
            w = [Fraction(v) for v in weights.tolist()]
            exact = y[0] + sum(wi * (yi - y[0]) for wi, yi in zip(w, y, strict=True))
            assert abs(means[c, k] - float(exact)) <= 4e-16 * scale


def strided(outputs: Array) -> list[Array]:
    """The same values in memory of other orders."""
    wide = np.full((2 * outputs.shape[0], outputs.shape[1], 3 * outputs.shape[2]), np.nan)
    wide = wide.astype(outputs.dtype)
    wide[::2, :, 1::3] = outputs
    shifted = np.zeros(outputs.nbytes + 1, dtype=np.uint8)[1:].view(outputs.dtype)
    shifted[:] = outputs.reshape(-1)
    return [
        np.asfortranarray(outputs),
        wide[::2, :, 1::3],
        np.ascontiguousarray(outputs[::-1, ::-1, ::-1])[::-1, ::-1, ::-1],
        np.ascontiguousarray(outputs.transpose(2, 0, 1)).transpose(1, 2, 0),
        shifted.reshape(outputs.shape),
    ]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_strides_and_other_cells_change_no_bit(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    outputs, weights = rng.normal(size=(5, 37, 3)).astype(dtype), rng.random(37)
    means, _ = _core.weighted_mean(outputs, weights)
    for other in strided(outputs):
        assert (other == outputs).all()
        assert _core.weighted_mean(other, weights)[0].tobytes() == means.tobytes()
    for c in range(5):
        alone, _ = _core.weighted_mean(outputs[c : c + 1], weights)
        assert alone.tobytes() == means[c : c + 1].tobytes()
    repeated = np.broadcast_to(outputs[:1, :1], outputs.shape)  # strides of 0
    assert (_core.weighted_mean(repeated, weights)[0] == outputs[0, 0]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("b", [0, 3, 8])
def test_what_is_not_finite_is_noticed(bad: float, b: int) -> None:
    outputs = np.zeros((3, 9, 2))
    outputs[2, b, 1] = bad
    means, finite = _core.weighted_mean(outputs, np.full(9, 1 / 9))
    assert not finite
    assert np.isfinite(means).sum() == 5


def test_means_of_nothing() -> None:
    for shape in [(0, 4, 2), (3, 4, 0)]:
        means, finite = _core.weighted_mean(np.zeros(shape), np.full(4, 0.25))
        assert means.shape == (shape[0], shape[2])
        assert finite


@pytest.mark.parametrize(
    ("outputs", "weights"),
    [
        (np.zeros((2, 3)), np.ones(3)),
        (np.zeros((2, 3, 1), np.int64), np.ones(3)),
        (np.zeros((2, 3, 1), ">f8"), np.ones(3)),
        (np.zeros((2, 3, 1)), np.ones(2)),
        (np.zeros((2, 3, 1)), np.ones(6)[::2]),
        (np.zeros((2, 3, 1)), np.ones(3, np.float32)),
        (np.zeros((2, 0, 1)), np.ones(0)),
    ],
)
def test_means_of_what_does_not_fit(outputs: Array, weights: Array) -> None:
    with pytest.raises(InvalidInputError):
        _core.weighted_mean(outputs, weights)
