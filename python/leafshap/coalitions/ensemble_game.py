"""EnsembleGame: coalition values of a tree ensemble, by the compiled core.

No synthetic row is built: the core mixes an explained row and the background at the splits
(`_core.CoalitionGame`), where most rows of the background go the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap import _core
from leafshap.background import Background
from leafshap.coalitions.progress import Tick
from leafshap.ensemble import TreeEnsemble
from leafshap.explainers.outputs import Output
from leafshap.inputs import FloatArray, InputRows
from leafshap.threads import count_threads

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]


class EnsembleBackground:
    """An ensemble and the background rows that stand in for absent features; kept over games.

    Several threads may use one at once.

    Parameters
    ----------
    ensemble : TreeEnsemble
    background : Background
        Rows of weight 0 are left out.
    output : Output
        What coalitions are worth: its transform is "raw", "logistic", "exp", or "softmax" over the
        K > 1 outputs of the ensemble.
    columns : sequence of sequences of int
        The columns of each player.
    player_names : sequence of str
    tree_limit : int, optional
        See `TreeEnsemble.count_trees`.
    n_jobs : int, default -1
        Threads; values do not depend on it.

    Raises
    ------
    InvalidInputError
        If the transform is another, or softmax of one output.
    """

    def __init__(
        self,
        ensemble: TreeEnsemble,
        background: Background,
        output: Output,
        columns: Sequence[Sequence[int] | Integers],
        player_names: Sequence[str],
        tree_limit: int | None = None,
        n_jobs: int = -1,
    ) -> None:
        self.ensemble = ensemble
        self.columns = [np.asarray(c, dtype=np.int64) for c in columns]
        self.player_names = list(player_names)
        self.n_threads = count_threads(n_jobs)
        self._background = _with_weight(background)
        self._n_trees = ensemble.count_trees(tree_limit)
        self._output = output
        self._compile()
        self._null: Floats | None = None

    def _compile(self) -> None:
        self._scaled = self._output.scaled(self.ensemble).core
        self.core = _core.CoalitionGame(
            self._scaled,
            self._background.rows,
            self._background.weights,
            self._n_trees,
            self._output.transform,
            self.n_threads,
        )

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_scaled"], state["core"]  # quick to make again
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._compile()

    def __len__(self) -> int:
        """Count the background rows m that have a weight."""
        return len(self._background)

    def predict(self, rows: FloatArray) -> Floats:
        """T of the margins of rows, shape (n, K)."""
        margins = self._scaled.predict(rows, self._n_trees, self.n_threads)
        return Output(self._output.transform).of(margins)

    def null_values(self) -> Floats:
        """Mean output of the background, sum_b w_b T(f(b)). Shape (K,)."""
        if self._null is None:
            self._null = self._background.mean(self.predict)
        return self._null.copy()

    def game(self, rows: InputRows, tick: Tick | None = None) -> EnsembleGame:
        """Make the game of some rows; `tick` is told of evaluations as a function would get."""
        return EnsembleGame(self, rows, tick)


class EnsembleGame:
    """Coalition values of some rows: v_x(S) = sum_b w_b T(f(x on S, b elsewhere)).

    They are the same, bit for bit, for any number of threads and however rows and coalitions are
    cut into calls of `values`.
    """

    def __init__(
        self, background: EnsembleBackground, rows: InputRows, tick: Tick | None = None
    ) -> None:
        self._background = background
        self._tick = tick
        self._full: Floats | None = None
        self._rows = rows.matrix()
        self.n_rows = len(self._rows)
        self.n_players = len(background.columns)
        self.n_outputs = background.ensemble.n_outputs
        self.player_names = background.player_names

    def null_values(self) -> Floats:
        """Mean output of the background, shape (K,)."""
        return self._background.null_values()

    def full_values(self) -> Floats:
        """Output of the rows to explain, shape (n, K); computed once."""
        if self._full is None:
            self._full = self._background.predict(self._rows)
        return self._full.copy()

    def varying(self) -> Bools:
        """Whether a player may change the output of a row, shape (n, players).

        It cannot where every split that tests one of its columns sends the row and all of the
        background the same way.
        """
        found = self._background.core.varying(self._rows, self._background.n_threads)
        if not self.n_players:
            return np.empty((self.n_rows, 0), dtype=np.bool_)
        return np.column_stack([found[:, c].any(axis=1) for c in self._background.columns])

    def values(self, rows: Integers, players: Integers, coalitions: Bools) -> Floats:
        """Evaluate coalitions, see `Game.values`."""
        player = np.full(self._background.ensemble.n_features, -1, dtype=np.int32)
        for i, p in enumerate(players):
            player[self._background.columns[p]] = i
        members: npt.NDArray[Any] = np.ascontiguousarray(coalitions, dtype=np.bool_)
        out = np.empty((len(members), len(rows), self.n_outputs))
        self._background.core.values(
            self._rows[rows], player, members, out, self._background.n_threads
        )
        if self._tick is not None:
            self._tick(len(members) * len(rows) * len(self._background))
        return out


def _with_weight(background: Background) -> Background:
    """Leave out rows of weight 0, whose output may be infinite."""
    weights = background.weights
    if weights is None or weights.all():
        return background
    kept = weights > 0
    return Background(background.rows[kept], weights[kept], background.names)
