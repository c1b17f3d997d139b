"""Brute force for `_core.ResponsePlan`, by its interface: each answer is a prediction."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class ResponseOracle:
    """What a model answers when the features of a player take the values of a probe.

    Parameters
    ----------
    predict : callable
        Rows (n, F) to margins (n, K).
    players : ndarray of int, shape (F,)
        Player of each feature, -1 for none.
    probes : ndarray, shape (m, F)
    """

    def __init__(
        self, predict: Callable[[Floats], Floats], players: npt.NDArray[np.int32], probes: Floats
    ) -> None:
        self._predict = predict
        self._players = np.asarray(players)
        self._probes = np.asarray(probes)
        self.n_players = int(self._players.max(initial=-1)) + 1
        found = [_distinct(self._probes[:, self._players == p]) for p in range(self.n_players)]
        self._values = [values for values, _ in found]
        self._cells = [cells for _, cells in found]
        self.cell_offsets = np.cumsum([0, *(len(v) for v in self._values)]).astype(np.int64)

    def cells(self, player: int) -> npt.NDArray[np.int64]:
        """Which distinct value each probe has."""
        return self._cells[player]

    def predict(self, rows: Floats, out: Floats, n_threads: int) -> None:
        """Margins of rows, unchanged."""
        out[:] = self._predict(rows)

    def respond(
        self,
        rows: Floats,
        sources: npt.NDArray[np.int64],
        begin: int,
        end: int,
        out: Floats,
        unchanged: Floats | None,
        n_threads: int,
    ) -> npt.NDArray[np.int64]:
        """Margins of rows whose player takes a probe's values, and of rows as they are."""
        if unchanged is not None:
            unchanged[begin:end] = self._predict(rows[begin:end])
        for p in range(self.n_players):
            mine = self._players == p
            for r, source in enumerate(sources):
                changed = np.array(rows[begin:end])
                changed[:, mine] = self._probes[source[begin:end]][:, mine]
                out[p, r, begin:end] = self._predict(changed)
        return np.ones(self.n_players, dtype=np.int64)

    def curves(self, rows: Floats, out: Floats, n_threads: int) -> None:
        """Margins of every row at every distinct value of every player."""
        for p, values in enumerate(self._values):
            changed = np.array(rows)
            for c, value in enumerate(values):
                changed[:, self._players == p] = value
                out[:, self.cell_offsets[p] + c] = self._predict(changed)

    def means(self, rows: Floats, weights: Floats | None, n_threads: int) -> Floats:
        """Weighted means of the curves over the rows."""
        first = self._predict(rows[:1])
        out = np.empty((len(rows), int(self.cell_offsets[-1]), first.shape[1]))
        self.curves(rows, out, n_threads)
        return np.asarray(np.average(out, axis=0, weights=weights))


def _distinct(values: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Distinct rows, NaN equal to NaN, and which of them each row is."""
    codes = np.stack([np.unique(column, return_inverse=True)[1] for column in values.T], axis=1)
    _, first, cells = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    return values[first], np.asarray(cells, dtype=np.int64).reshape(-1)
