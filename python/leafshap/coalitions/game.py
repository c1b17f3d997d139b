"""What the estimators ask of a game: the values of coalitions."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]


class Game(Protocol):
    """v_x(S) = sum_b w_b f(x on S, b elsewhere) for n rows x, K outputs, and a background b.

    A player is a column, or a group of columns that joins a coalition as one.
    """

    n_rows: int
    n_players: int
    player_names: list[str]

    @property
    def n_outputs(self) -> int:
        """K."""
        ...

    def null_values(self) -> Floats:
        """Value of the empty coalition, shape (K,)."""
        ...

    def full_values(self) -> Floats:
        """Values of the coalition of all players, shape (n, K)."""
        ...

    def varying(self) -> Bools:
        """Which players may change the output of a row, shape (n, players)."""
        ...

    def values(self, rows: Integers, players: Integers, coalitions: Bools) -> Floats:
        """Evaluate coalitions, all of them for each of some rows.

        Parameters
        ----------
        rows : ndarray of int64, shape (r,)
        players : ndarray of int64, shape (M,)
        coalitions : ndarray of bool, shape (N, M)
            Whether ``players[i]`` is in it. Players that are not listed are in none.

        Returns
        -------
        ndarray of float64, shape (N, r, K)
        """
        ...
