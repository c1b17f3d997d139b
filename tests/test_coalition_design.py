"""Which coalitions are drawn: pairs without replacement, sizes by their shares."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest

from leafshap import InvalidInputError, _core
from oracle_coalitions import Bools, Floats

# (M, budgets that grow): small ones that end complete, halves, more than 64 players
CASES = [
    (2, [1, 3]),
    (3, [1, 2, 3]),
    (4, [3, 5, 6, 7]),
    (7, [10, 40, 63]),
    (8, [9, 60, 126, 127]),
    (11, [100, 1000, 1020]),
    (15, [30, 31, 500, 4000, 16_383]),
    (20, [10, 60, 1000]),
    (64, [64, 500, 3000]),
    (65, [100, 101, 2500]),
    (200, [100, 2000]),
]


def design(n_players: int, n_pairs: int, seed: int = 0) -> _core.CoalitionDesign:
    made = _core.CoalitionDesign(n_players, seed)
    made.extend(n_pairs)
    return made


def all_pairs(n_players: int) -> int:
    return int(2 ** (n_players - 1) - 1)


def pairs_of_size(n_players: int, size: int) -> int:
    count: int = math.comb(n_players, size)
    return count // 2 if 2 * size == n_players else count


def assert_distinct(coalitions: Bools) -> None:
    """No coalition twice, none beside its complement, neither the empty nor the full one."""
    with_first = np.where(coalitions[:, :1], coalitions, ~coalitions)
    packed = np.packbits(with_first, axis=1)
    assert len(np.unique(packed, axis=0)) == len(coalitions)
    sizes = coalitions.sum(axis=1)
    assert ((sizes > 0) & (2 * sizes <= coalitions.shape[1])).all()


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
@pytest.mark.parametrize(("n_players", "budgets"), CASES)
def test_grows_without_repeating(n_players: int, budgets: list[int], seed: int) -> None:
    made = _core.CoalitionDesign(n_players, seed)
    known = np.empty((0, n_players), dtype=bool)
    for budget in budgets:
        made.extend(budget)
        coalitions = made.coalitions
        assert coalitions.dtype == np.bool_
        assert coalitions.shape == (made.n_pairs, n_players)
        assert made.n_pairs == min(budget, all_pairs(n_players))  # never more, nothing left unused
        np.testing.assert_array_equal(coalitions[: len(known)], known)  # what is there stays
        assert_distinct(coalitions)
        assert made.complete == (made.n_pairs == all_pairs(n_players))
        assert made.weights.shape == made.inclusion.shape == (made.n_pairs,)
        assert ((made.inclusion > 0) & (made.inclusion <= 1)).all()
        known = coalitions


@pytest.mark.parametrize(("n_players", "budgets"), CASES)
def test_weights_are_the_kernel_over_the_chance(n_players: int, budgets: list[int]) -> None:
    made = design(n_players, budgets[len(budgets) // 2])
    sizes = made.coalitions.sum(axis=1)
    kernel = [
        (n_players - 1) / (math.comb(n_players, s) * s * (n_players - s)) for s in sizes.tolist()
    ]
    np.testing.assert_allclose(made.weights * made.inclusion, kernel, rtol=1e-12)


@pytest.mark.parametrize(("n_players", "budgets"), CASES)
def test_chances_add_up_to_the_budget(n_players: int, budgets: list[int]) -> None:
    """Chance times coalitions of a size is what is drawn, to less than one; in all, the budget."""
    budget = min(budgets[len(budgets) // 2], all_pairs(n_players))
    made = design(n_players, budget)
    sizes, inclusion = made.coalitions.sum(axis=1), made.inclusion
    expected = 0.0
    for s in np.unique(sizes).tolist():
        (chance,) = np.unique(inclusion[sizes == s])
        wanted = chance * pairs_of_size(n_players, s)
        assert abs(wanted - (sizes == s).sum()) < 1 + 1e-6
        expected += wanted
    # sizes that wanted less than one coalition and got none are missing from the sum
    assert budget - n_players / 2 < expected < budget + n_players / 2


@pytest.mark.parametrize("n_players", range(2, 11))
def test_complete(n_players: int) -> None:
    made = design(n_players, 10**9)
    assert made.complete
    assert made.n_pairs == all_pairs(n_players)
    assert_distinct(made.coalitions)
    np.testing.assert_array_equal(made.inclusion, 1.0)


def test_outer_sizes_are_whole() -> None:
    """Of 20 players and 500 pairs, sizes 1 and 19 are all there, and certain."""
    made = design(20, 500)
    sizes = made.coalitions.sum(axis=1)
    assert (sizes == 1).sum() == 20
    np.testing.assert_array_equal(made.inclusion[sizes == 1], 1.0)
    assert (made.inclusion[sizes == 10] < 0.01).all()


def test_many_players() -> None:
    made = design(5000, 1000)
    assert made.n_pairs == 1000
    assert_distinct(made.coalitions)
    assert np.isfinite(made.weights).all()
    assert (made.weights > 0).all()


def counts(n_players: int, size: int, budget: int, n_seeds: int) -> npt.NDArray[np.int64]:
    """How often each coalition of a size is drawn; of halves those with player 0."""
    place = {
        frozenset(members): i
        for i, members in enumerate(combinations(range(n_players), size))
        if 2 * size != n_players or 0 in members
    }
    found = np.zeros(len(place), dtype=np.int64)
    for seed in range(n_seeds):
        coalitions = design(n_players, budget, seed).coalitions
        for row in coalitions[coalitions.sum(axis=1) == size]:
            members = frozenset(np.flatnonzero(row).tolist())
            if members not in place:
                members = frozenset(range(n_players)) - members
            found[place[members]] += 1
    return found


# few of many (drawn one by one), most of them (drawn from a list), halves
@pytest.mark.parametrize(
    ("n_players", "size", "budget"), [(8, 3, 20), (8, 3, 100), (8, 4, 30), (8, 4, 110), (9, 4, 120)]
)
def test_coalitions_of_a_size_are_equally_likely(n_players: int, size: int, budget: int) -> None:
    """Pearson's statistic, for draws without replacement, within 5 deviations of its mean."""
    n_seeds = 400
    found = counts(n_players, size, budget, n_seeds)
    chance = found.mean() / n_seeds
    assert 0.02 < chance < 0.98  # neither none nor whole
    cells = len(found)
    variance = n_seeds * chance * (1 - chance) * cells / (cells - 1)
    statistic = ((found - found.mean()) ** 2).sum() / variance
    assert abs(statistic - (cells - 1)) < 5 * math.sqrt(2 * (cells - 1))


@pytest.mark.parametrize(("n_players", "budget"), [(12, 40), (30, 45), (41, 100)])
def test_sizes_are_drawn_as_often_as_they_want(n_players: int, budget: int) -> None:
    """In the mean over seeds, also sizes that want less than one coalition.

    A size that wants w is drawn floor(w) or ceil(w) times, so a mean over n seeds deviates by at
    most sqrt(1 / (4 n)); five times this is allowed.
    """
    n_seeds = 400
    largest = n_players // 2
    drawn = np.zeros((n_seeds, largest + 1))
    for seed in range(n_seeds):
        sizes = design(n_players, budget, seed).coalitions.sum(axis=1)
        drawn[seed] = np.bincount(sizes, minlength=largest + 1)
    wanted = shares(n_players, budget)
    np.testing.assert_allclose(drawn.mean(axis=0)[1:], wanted, atol=5 * math.sqrt(0.25 / n_seeds))


def shares(n_players: int, budget: int) -> Floats:
    """Pairs by size, in proportion to 1 / sqrt(s (M - s)), but not more than there are."""
    sizes = np.arange(1, n_players // 2 + 1)
    limits = np.array([pairs_of_size(n_players, s) for s in sizes.tolist()], dtype=np.float64)
    share = np.where(2 * sizes == n_players, 0.5, 1.0) / np.sqrt(sizes * (n_players - sizes))
    low, high = 0.0, 1e9
    for _ in range(200):  # the common factor, by bisection
        middle = 0.5 * (low + high)
        low, high = (
            (middle, high) if np.minimum(limits, middle * share).sum() < budget else (low, middle)
        )
    return np.asarray(np.minimum(limits, low * share))


def test_players_are_equally_likely() -> None:
    """Each of 9 players is in as many coalitions (the smaller of a pair) as the others.

    400 seeds of 25 pairs: the standard deviation of a count is at most sqrt(10,000) / 2.
    """
    total = np.zeros(9)
    for seed in range(400):
        total += design(9, 25, seed).coalitions.sum(axis=0)
    assert np.abs(total - total.mean()).max() < 5 * 50


def test_seeds() -> None:
    first, again, other = (design(20, 200, seed).coalitions for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("n_players", [-1, 0, 1])
def test_too_few_players(n_players: int) -> None:
    with pytest.raises(InvalidInputError, match="at least 2 players"):
        _core.CoalitionDesign(n_players, 0)


@pytest.mark.parametrize("n_pairs", [0, -1, -(2**62)])
def test_nothing_to_draw(n_pairs: int) -> None:
    made = design(5, n_pairs)
    assert made.n_pairs == 0
    assert not made.complete
    assert made.coalitions.shape == (0, 5)
