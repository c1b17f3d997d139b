"""Importances as expectations over all permutations, without drawing any.

Under a random permutation of the n values of a column, fixed points included, a row takes each of
them with probability 1/n. The expectation of a score ``sum_i c_i t_i + offset`` needs for each row
the mean of its term over the n values, which are as many as the column has cells: values that no
tree tells apart.

    importance = sum_i c_i (t_i(x_i) - sum_c q_c t_i(x_i with cell c)),   q_c = n_c / n
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from leafshap import _core
from leafshap.ensemble import TreeEnsemble
from leafshap.importance.losses import RowScore
from leafshap.importance.plans import make_plan
from leafshap.importance.predictions import Predictor, Responses
from leafshap.inputs import FloatArray
from leafshap.responses import CURVE_BYTES, curve_blocks
from leafshap.workers import Mapper, workers

Floats = npt.NDArray[np.float64]

_FEWEST_ROWS = 64  # of a block; more cells than leave room for them are shared out over plans


class ExactTrees:
    """Expected scores of one data set.

    Parameters
    ----------
    ensemble : TreeEnsemble
    matrix : ndarray, shape (n, F)
    players : ndarray of int, shape (F,)
        Player of each feature.
    n_threads : int

    Attributes
    ----------
    margins : ndarray, shape (n, K)
        Of the rows as they are.
    """

    def __init__(
        self,
        ensemble: TreeEnsemble,
        matrix: FloatArray,
        players: npt.NDArray[np.int64],
        n_threads: int,
    ) -> None:
        self._ensemble, self._matrix, self._n_threads = ensemble, matrix, n_threads
        self._players = players
        self._plan = self._plan_of(range(int(players.max()) + 1))
        self.margins = np.empty((len(matrix), ensemble.n_outputs))
        self._plan.predict(matrix, self.margins, n_threads)

    def importances(
        self, predictor: Predictor, scores: Sequence[RowScore], tick: Callable[[int], None]
    ) -> Floats:
        """Compute what each score is expected to lose, shape (players, scores).

        The same for any number of threads: sums have a fixed order.
        """
        out = np.empty((self._plan.n_players, len(scores)))
        with workers(self._n_threads) as run:
            for members, plan in self._plans():
                sums = self._sums(plan, predictor, scores, run, tick)
                for i, player in enumerate(members):
                    out[player] = [math.fsum(parts) for parts in sums[i]]
        return out

    def _sums(
        self,
        plan: _core.ResponsePlan,
        predictor: Predictor,
        scores: Sequence[RowScore],
        run: Mapper,
        tick: Callable[[int], None],
    ) -> list[list[list[float]]]:
        """Losses of each player and score, by blocks of rows."""
        n, offsets = len(self._matrix), plan.cell_offsets
        shares = [np.bincount(plan.cells(p)) / n for p in range(plan.n_players)]
        sums: list[list[list[float]]] = [[[] for _ in scores] for _ in shares]
        for begin, block in curve_blocks(plan, self._ensemble, self._matrix, self._n_threads):
            rows = slice(begin, begin + len(block))
            same = Responses(predictor, self.margins[rows])
            terms = [score.terms(same, rows) for score in scores]

            def losses(
                p: int, block: Floats = block, rows: slice = rows, terms: list[Floats] = terms
            ) -> list[float]:
                responses = Responses(predictor, block[:, offsets[p] : offsets[p + 1]])
                found = []
                for score, before in zip(scores, terms, strict=True):
                    after = np.einsum("ic,c->i", score.terms(responses, rows), shares[p])
                    found.append(float(np.sum(score.coefficients[rows] * (before - after))))
                return found

            for p, found in enumerate(run(losses, range(plan.n_players))):
                for s, value in enumerate(found):
                    sums[p][s].append(value)
                tick(len(block))
        return sums

    def _plans(self) -> Iterator[tuple[range | list[int], _core.ResponsePlan]]:
        """Yield players and their plan, so that a block of rows has room for their cells."""
        most = max(1, CURVE_BYTES // (_FEWEST_ROWS * self._ensemble.n_outputs * 8))
        sizes = np.diff(self._plan.cell_offsets).tolist()
        if sum(sizes) <= most:
            yield range(len(sizes)), self._plan
            return
        members: list[int] = []
        total = 0
        for p, size in enumerate(sizes):
            if members and total + size > most:
                yield members, self._plan_of(members)
                members, total = [], 0
            members.append(p)
            total += size
        yield members, self._plan_of(members)

    def _plan_of(self, members: range | list[int]) -> _core.ResponsePlan:
        return make_plan(self._ensemble, self._players, members, self._matrix, all_values=True)
