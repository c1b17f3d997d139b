"""Shuffled features of tree models: all repeats in one pass, rows never copied."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from leafshap import _core
from leafshap.ensemble import TreeEnsemble
from leafshap.importance.plans import make_plan
from leafshap.importance.shuffles import Shuffles
from leafshap.inputs import FloatArray
from leafshap.workers import workers

Floats = npt.NDArray[np.float64]

_MEMORY = 256 << 20  # of margins at once
_SCRATCH_BYTES = 64 * 64  # of the core, for each player, output and thread at least


class ShuffledTrees:
    """Margins of rows, as they are and with one player after the other shuffled.

    Parameters
    ----------
    ensemble : TreeEnsemble
    matrix : ndarray, shape (n, F)
    players : ndarray of int, shape (F,)
        Player of each feature.
    shuffles : Shuffles
    n_threads : int

    Attributes
    ----------
    margins : ndarray, shape (n, K)
        Of the rows as they are.
    unshuffled : ndarray, shape (s, K)
        Those of the rows that are shuffled.
    """

    def __init__(
        self,
        ensemble: TreeEnsemble,
        matrix: FloatArray,
        players: npt.NDArray[np.int64],
        shuffles: Shuffles,
        n_threads: int,
    ) -> None:
        self._ensemble, self._n_threads = ensemble, n_threads
        self._players, self._n_players = players, int(players.max()) + 1
        self._rows = matrix if shuffles.rows is None else matrix[shuffles.rows]
        self._sources = shuffles.sources
        n_repeats, n = self._sources.shape
        one = max(1, n * ensemble.n_outputs * 8)
        scratch = ensemble.n_outputs * _SCRATCH_BYTES * n_threads
        self._players_at_once = max(1, _MEMORY // max(one * n_repeats, scratch))
        self._repeats_at_once = max(1, min(n_repeats, _MEMORY // one))
        self._first = self._plan(0)
        self._memory = np.empty(0)  # one block's margins, for all of them
        self.margins = np.empty((len(matrix), ensemble.n_outputs))
        # where one block is all, its walk finds the unshuffled margins as well
        self._done: tuple[Floats, npt.NDArray[np.int64]] | None = None
        if shuffles.rows is None and self._one_block:
            self._done = self._respond(self._first, self._sources, self.margins)
        else:
            self._first.predict(matrix, self.margins, n_threads)
        self.unshuffled = self.margins if shuffles.rows is None else self.margins[shuffles.rows]

    def scores(
        self, evaluate: Callable[[Floats], list[float]], tick: Callable[[int], None]
    ) -> Floats:
        """Score the margins (s, K) of every player and repeat, shape (players, R, scores).

        A player that no tree tests has the unshuffled rows' scores. `tick` is told the rows scored.
        """
        n_repeats, n = self._sources.shape
        same = evaluate(self.unshuffled)
        scores = np.empty((self._n_players, n_repeats, len(same)))
        with workers(self._n_threads) as run:

            def score(job: tuple[int, int, Floats | None]) -> tuple[int, int, list[float]]:
                player, repeat, margins = job
                return player, repeat, same if margins is None else evaluate(margins)

            for jobs in self._blocks():
                for player, repeat, found in run(score, jobs):
                    scores[player, repeat] = found
                    tick(n)
        return scores

    def _blocks(self) -> Iterator[list[tuple[int, int, Floats | None]]]:
        """Yield (player, repeat, margins or None where nothing changes) within the memory limit.

        The margins are overwritten by the next block.
        """
        n_repeats = len(self._sources)
        for begin in range(0, self._n_players, self._players_at_once):
            plan = self._first if begin == 0 else self._plan(begin)
            for first in range(0, n_repeats, self._repeats_at_once):
                sources = self._sources[first : first + self._repeats_at_once]
                margins, visits = self._done or self._respond(plan, sources, None)
                yield [
                    (begin + p, first + r, margins[p, r] if visits[p] else None)
                    for p in range(plan.n_players)
                    for r in range(len(sources))
                ]

    @property
    def _one_block(self) -> bool:
        n_repeats = len(self._sources)
        return bool(self._players_at_once >= self._n_players and self._repeats_at_once >= n_repeats)

    def _respond(
        self, plan: _core.ResponsePlan, sources: npt.NDArray[np.int64], unchanged: Floats | None
    ) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Margins (players, R, n, K) of a block, and how often each player's values change ways."""
        n_repeats, n = sources.shape
        shape = (plan.n_players, n_repeats, n, self._ensemble.n_outputs)
        if self._memory.size < math.prod(shape):
            self._memory = np.empty(math.prod(shape))
        margins = self._memory[: math.prod(shape)].reshape(shape)
        visits = plan.respond(self._rows, sources, 0, n, margins, unchanged, self._n_threads)
        return margins, visits

    def _plan(self, begin: int) -> _core.ResponsePlan:
        """Plan for the block of players from `begin` on."""
        members = range(begin, min(begin + self._players_at_once, self._n_players))
        return make_plan(self._ensemble, self._players, members, self._rows, all_values=False)
