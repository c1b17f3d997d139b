"""Estimating the Shapley values of all rows of a game: sets of rows, budgets, stopping."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from leafshap.coalitions.estimators import (
    Estimator,
    EstimatorChoice,
    Values,
    all_coalitions,
)
from leafshap.coalitions.game import Bools, Floats, Game, Integers
from leafshap.coalitions.links import Link
from leafshap.errors import LeafshapError

# Values of coalitions that are held at once: a block of rows of one design.
_BLOCK_BYTES = 64 << 20
# Rows of such a block where estimators take their time: what Ctrl-C may lose.
_SLOW_ROWS = 64
# With a tolerance, this many evaluations per player come first, and are then doubled.
_FIRST_PER_PLAYER, _FIRST_LEAST = 8, 64


@dataclass(frozen=True)
class Budget:
    """How many coalitions a row may take.

    Attributes
    ----------
    n_evaluations : int, callable or None
        A callable is given the number M of varying players. None: ``2 M + 2048``, or with a
        tolerance all of up to 2**16.
    tolerance : float or None
        If given, go on until the largest standard error of a row is at most this share of the range
        of its values.
    """

    n_evaluations: int | Callable[[int], int] | None = None
    tolerance: float | None = None

    def most(self, n_players: int) -> int:
        """Most evaluations for M varying players."""
        if callable(self.n_evaluations):
            return self.n_evaluations(n_players)
        if self.n_evaluations is not None:
            return self.n_evaluations
        return 2 * n_players + 2048 if self.tolerance is None else max(1 << 16, 4 * n_players)

    def rounds(self, n_players: int) -> Iterator[int]:
        """Yield the evaluations in all after each round."""
        most = self.most(n_players)
        if self.tolerance is not None:
            n = max(_FIRST_PER_PLAYER * n_players, _FIRST_LEAST)
            while n < most:
                yield n
                n *= 2
        yield most


@dataclass(frozen=True)
class Estimates:
    """Of n rows; rows that were not reached are NaN.

    Attributes
    ----------
    values, standard_errors : ndarray of float64, shape (n, players, K)
    n_evaluations : ndarray of int64, shape (n,)
        Coalitions evaluated, with the empty and the full one.
    exact, done, converged : ndarray of bool, shape (n,)
        `converged` tells whether the tolerance, if there is one, was met.
    """

    values: Floats
    standard_errors: Floats
    n_evaluations: Integers
    exact: Bools
    done: Bools
    converged: Bools

    @staticmethod
    def none(game: Game) -> Estimates:
        """Make room for the rows of a game, none of them done."""
        shape = (game.n_rows, game.n_players, game.n_outputs)
        return Estimates(
            np.full(shape, np.nan),
            np.full(shape, np.nan),
            np.zeros(game.n_rows, dtype=np.int64),
            *(np.zeros(game.n_rows, dtype=np.bool_) for _ in range(3)),
        )


class Estimation:
    """One call of an explainer.

    Parameters
    ----------
    game : Game
    link : callable
        Applied to the values of coalitions.
    choice : EstimatorChoice
    budget : Budget
    rows_at_once : callable
        Rows whose coalitions are evaluated in one call of the game, by the number of coalitions.
    n_threads : int
    """

    def __init__(
        self,
        game: Game,
        link: Link,
        choice: EstimatorChoice,
        budget: Budget,
        rows_at_once: Callable[[int], int],
        n_threads: int,
    ) -> None:
        self._game = game
        self._link = link
        self._choice = choice
        self._budget = budget
        self._rows_at_once = rows_at_once
        self._n_threads = n_threads
        self._null = link(game.null_values())
        self._full = link(game.full_values())
        self._sets = list(_rows_by_players(game.varying()))
        self.result = Estimates.none(game)

    @property
    def n_evaluations(self) -> int:
        """Coalitions that will be evaluated, at most, over all rows."""
        return sum(len(rows) * self._most(len(players)) for rows, players in self._sets)

    def _most(self, n_players: int) -> int:
        """Most evaluations of a row with M varying players."""
        return min(self._budget.most(n_players), all_coalitions(n_players))

    def run(self) -> None:
        """Estimate all rows into `result`; what is done stays there whatever is raised."""
        n_outputs = len(self._null)
        for rows, players in self._sets:
            if len(players) < 2:
                self._write_single(rows, players)
                continue
            most = self._most(len(players))
            size = max(1, _BLOCK_BYTES // (most * n_outputs * 8))
            if self._choice.kind(len(players), most) != "regression":
                size = min(size, _SLOW_ROWS)
            for start in range(0, len(rows), size):
                self._run_block(rows[start : start + size], players)

    def _rounds(self, n_players: int) -> Iterator[int]:
        """Yield the evaluations in all after each round, as many as there are and can be taken."""
        limit = all_coalitions(n_players)
        if self._budget.tolerance is not None and self._choice.most_evaluations is not None:
            limit = min(limit, self._choice.most_evaluations)
        for n in self._budget.rounds(n_players):
            yield min(n, limit)
            if n >= limit:
                return

    def _run_block(self, rows: Integers, players: Integers) -> None:
        """All rounds of some rows with the same varying players."""
        estimator: Estimator | None = None
        held: Values | None = None
        for n_evaluations in self._rounds(len(players)):
            kind = self._choice.kind(len(players), n_evaluations)
            if estimator is None:
                estimator = self._choice.estimator(len(players), n_evaluations)
            elif estimator.can_be(kind):  # else what is spent would be spent again
                estimator.kind = kind
            known = 0 if held is None else len(held.odd)
            estimator.extend(n_evaluations)
            try:
                held = self._evaluate(rows, players, estimator.coalitions[known:], held)
            except _Interrupted as stopped:
                if held is None:
                    with suppress(LeafshapError):  # Ctrl-C comes first
                        self._fit(estimator, rows[: stopped.n_rows], players, stopped.values)
                raise stopped.cause from None
            open_rows = self._fit(estimator, rows, players, held)
            if not open_rows.any():
                return
            rows, held = rows[open_rows], self._narrowed(held, open_rows)

    def _evaluate(
        self, rows: Integers, players: Integers, coalitions: Bools, held: Values | None
    ) -> Values:
        """Evaluate more pairs of all rows, after those that are held.

        Raises
        ------
        _Interrupted
            On Ctrl-C, with the rows that were complete.
        """
        n_pairs, n_outputs = len(coalitions), len(self._null)
        both = np.concatenate([coalitions, ~coalitions])
        odd = np.empty((n_pairs, len(rows), n_outputs))
        even = np.empty_like(odd)
        size = self._rows_at_once(len(both))
        for start in range(0, len(rows), size):
            stop = min(start + size, len(rows))
            try:
                found = self._link(self._game.values(rows[start:stop], players, both))
            except KeyboardInterrupt as cause:
                done = self._joined(rows[:start], odd[:, :start], even[:, :start], None)
                raise _Interrupted(start, done, cause) from None
            inside, outside = found[:n_pairs], found[n_pairs:]
            np.subtract(inside, outside, out=odd[:, start:stop])
            np.add(inside, outside, out=even[:, start:stop])
        return self._joined(rows, odd, even, held)

    def _joined(self, rows: Integers, odd: Floats, even: Floats, held: Values | None) -> Values:
        """Values as the estimators want them; odd and even are twice the parts."""
        n_games = len(rows) * len(self._null)
        parts = [0.5 * part.reshape(len(part), n_games) for part in (odd, even)]
        if held is not None:
            parts = [np.concatenate(p) for p in zip((held.odd, held.even), parts, strict=True)]
        full = self._full[rows]
        return Values(
            parts[0],
            parts[1],
            (0.5 * (full - self._null)).reshape(n_games),
            (0.5 * (full + self._null)).reshape(n_games),
        )

    def _narrowed(self, held: Values, chosen: Bools) -> Values:
        """Values of the chosen rows."""
        games = np.repeat(chosen, len(self._null))
        return Values(
            np.ascontiguousarray(held.odd[:, games]),
            np.ascontiguousarray(held.even[:, games]),
            held.odd_full[games],
            held.even_full[games],
        )

    def _fit(
        self, estimator: Estimator, rows: Integers, players: Integers, values: Values
    ) -> Bools:
        """Write the estimates of rows; tell which of them need more evaluations."""
        if not len(rows):
            return np.zeros(0, dtype=np.bool_)
        phi, errors = estimator.fit(values, self._n_threads)
        shape = (len(players), len(rows), len(self._null))
        phi, errors = (a.reshape(shape).transpose(1, 0, 2) for a in (phi, errors))
        result, at = self.result, (rows[:, np.newaxis], players[np.newaxis, :])
        result.values[rows] = 0.0
        result.standard_errors[rows] = 0.0
        result.values[at] = phi
        result.standard_errors[at] = errors
        result.n_evaluations[rows] = 2 * len(estimator.coalitions) + 2
        result.exact[rows] = estimator.exact
        result.done[rows] = True
        tolerance = self._budget.tolerance
        if tolerance is None or estimator.complete:
            result.converged[rows] = True
            return np.zeros(len(rows), dtype=np.bool_)
        span = phi.max(axis=1) - phi.min(axis=1)
        # NaN: of a player that was not selected, or of no estimate at all
        known = np.where(np.isnan(errors) & (phi == 0), 0.0, errors)
        needed: Bools = ~(known.max(axis=1) <= tolerance * span).all(axis=1)
        result.converged[rows] = ~needed
        return needed

    def _write_single(self, rows: Integers, players: Integers) -> None:
        """Rows with at most one varying player: it has all of the difference."""
        result = self.result
        result.values[rows] = 0.0
        result.standard_errors[rows] = 0.0
        if len(players):
            result.values[rows, players[0]] = self._full[rows] - self._null
        result.n_evaluations[rows] = 2
        result.exact[rows] = result.converged[rows] = True
        result.done[rows] = True


class _Interrupted(Exception):
    """Ctrl-C, after the first rows of a block were evaluated."""

    def __init__(self, n_rows: int, values: Values, cause: KeyboardInterrupt) -> None:
        self.n_rows = n_rows
        self.values = values
        self.cause = cause


def _rows_by_players(varying: Bools) -> Iterator[tuple[Integers, Integers]]:
    """Yield rows that have the same varying players, and these; sets in order of first rows."""
    if not varying.shape[0]:
        return
    packed = np.packbits(varying, axis=1)
    _, first, inverse = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(inverse.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(inverse.reshape(-1), minlength=len(first)))
    sets = np.split(order, ends[:-1])
    for k in np.argsort(first):
        rows = sets[k].astype(np.int64)
        yield rows, np.flatnonzero(varying[rows[0]]).astype(np.int64)
