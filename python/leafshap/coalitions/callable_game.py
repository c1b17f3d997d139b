"""CallableGame: coalition values of any function of rows, by evaluating it on synthetic rows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap import _core
from leafshap.coalitions.batches import Limits, even_spans, spans_of_cells
from leafshap.coalitions.containers import read_rows
from leafshap.coalitions.groups import Groups, read_groups
from leafshap.coalitions.masking import Bools, Cells, Integers, Masker
from leafshap.coalitions.model_calls import ModelCalls, Outputs, check_finite
from leafshap.coalitions.progress import Tick
from leafshap.errors import InvalidInputError

Floats = npt.NDArray[np.float64]


class CallableBackground:
    """A function and the background rows that stand in for absent features; kept over games.

    Several threads may use one background at once, if the function allows it.

    Parameters
    ----------
    f : callable
        f(rows) -> (n,) or (n, K), real numbers: an array, a list, a pandas Series or DataFrame, a
        tensor. It gets rows in the container of `data` and may change them.
    data : array, table or sparse matrix, shape (m, F)
        Background rows; copied. numpy (any dtype, also objects), pandas, polars, pyarrow, scipy
        sparse (f gets CSR), lists, a pair (rows, weights) as a tuple, `shap.kmeans`'s result or a
        `shap.maskers.Independent`. A pandas Series and a 1-D array are one row.
    sample_weight : array-like, shape (m,), optional
        Weights of the background rows; rows of weight 0 are left out.
    groups : dict or sequence, optional
        Columns that join a coalition as one; see `read_groups`.
    feature_names : sequence of str, shape (F,), optional
        Names of the columns, instead of those that `data` has.

    Attributes
    ----------
    n_features : int
    feature_names : list of str or None
    player_names : list of str
    weights : ndarray of float64, shape (m,)
        Sum 1, all above 0.

    Raises
    ------
    InvalidInputError
        If something does not fit.
    """

    def __init__(
        self,
        f: Callable[[Any], Any],
        data: Any,
        sample_weight: Any = None,
        groups: Groups = None,
        feature_names: Sequence[str] | npt.NDArray[np.str_] | None = None,
    ) -> None:
        self.calls = ModelCalls(f)
        names = None if feature_names is None else list(feature_names)
        self.rows, self.weights, self.numbers = read_rows(data, sample_weight, names)
        self.n_features = self.rows.n_columns
        if names is not None and len(names) != self.n_features:
            raise InvalidInputError(
                f"{len(names)} feature_names were given, the background has "
                f"{self.n_features} columns"
            )
        labels = self.rows.names if names is None else names
        self.feature_names = None if labels is None else [str(label) for label in labels]
        self.players = read_groups(groups, labels, self.n_features)
        self.player_names = self.players.names
        self.grouped = groups is not None
        self._null: Floats | None = None
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_lock"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Count the background rows m that have a weight: evaluations of one coalition's value."""
        return len(self.weights)

    @property
    def vector_output(self) -> bool:
        """Whether f returns two dimensions; (n, 1) is two, as in shap. Evaluates `null_values`."""
        self.null_values()
        return self.calls.vector_output

    def null_values(self, memory_limit: int | None = None, batch_rows: int | None = None) -> Floats:
        """Mean output of the background, sum_b w_b f(b), evaluated once. Shape (K,)."""
        limits = Limits.read(memory_limit, batch_rows)
        with self._lock:
            if self._null is None:
                outputs = []
                for start, stop in even_spans(len(self), limits.rows_of(self.rows.row_bytes)):
                    rows = self.rows.copy(start, stop)
                    described = partial(self.describe, start, stop)
                    outputs.append(self.calls(rows, stop - start, described).copy())
                values = np.concatenate(outputs)
                check_finite(values, lambda b: f"background row {self.numbers[b]}")
                self._null = _core.weighted_mean(values[np.newaxis], self.weights)[0][0]
            return self._null.copy()

    def describe(self, start: int, stop: int) -> str:
        """Say which background rows of the user's data these are, for errors."""
        return f"background rows {self.numbers[start]} to {self.numbers[stop - 1]}"

    def game(
        self,
        X: Any,
        *,
        memory_limit: int | None = None,
        batch_rows: int | None = None,
        tick: Tick | None = None,
    ) -> CallableGame:
        """Make the game of some rows to explain.

        Parameters
        ----------
        X : array, table or sparse matrix, shape (n, F), or (F,) for one row
            In the background's container; also an array where the background is a DataFrame, and
            the other way round. It is not changed.
        memory_limit : int, optional
            Most bytes of the rows that f is given in one call, 256 MB by default.
        batch_rows : int, optional
            Most rows of one call, 8,192 by default.
        tick : callable, optional
            Told, after each call of f by `CallableGame.values`, how many rows f was given.

        Raises
        ------
        InvalidInputError
            If `X` does not fit the background.
        """
        return CallableGame(self, X, Limits.read(memory_limit, batch_rows), tick)


class CallableGame:
    """Coalition values of some rows: v_x(S) = sum_b w_b f(x on S, b elsewhere).

    The mean is the same, bit for bit, however the evaluations are cut into calls, as far as the
    function itself returns the same for a row whatever rows are beside it.

    Attributes
    ----------
    single : bool
        Whether X was one row without a row axis.
    """

    def __init__(
        self, background: CallableBackground, X: Any, limits: Limits, tick: Tick | None
    ) -> None:
        self._background = background
        masker, self.single = background.rows.masker(X)
        self._masker: Masker = masker
        self._limits = limits
        self._tick = tick
        self._full: Floats | None = None
        self._lock = threading.Lock()
        self.n_rows = masker.n_rows
        self.n_players = len(background.players)
        self.player_names = background.player_names

    @property
    def n_outputs(self) -> int:
        """K; evaluates the background if nothing has been evaluated before."""
        return len(self.null_values())

    def null_values(self) -> Floats:
        """Mean output of the background, shape (K,)."""
        return self._background.null_values(self._limits.memory, self._limits.rows)

    def full_values(self) -> Floats:
        """Evaluate the rows to explain, shape (n, K); evaluated once."""
        n_outputs = self.n_outputs
        with self._lock:
            if self._full is None:
                full = np.empty((self.n_rows, n_outputs))
                most = self._limits.rows_of(self._masker.row_bytes)
                for start, stop in even_spans(self.n_rows, most):
                    full[start:stop] = self._background.calls(
                        self._masker.explained(start, stop),
                        stop - start,
                        partial("rows {} to {} of X".format, start, stop - 1),
                    )
                check_finite(full, lambda row: f"row {row} of X")
                self._full = full
            return self._full.copy()

    def varying(self) -> Bools:
        """Whether a player's columns differ from any background row, shape (n, players).

        Compared exactly (shap: by `np.allclose`), NaN being equal to NaN.
        """
        return self._background.players.any_column(self._masker.differs())

    def values(self, rows: Integers, players: Integers, coalitions: Bools) -> Floats:
        """Evaluate coalitions, see `Game.values`."""
        rows = np.asarray(rows, dtype=np.int64)
        coalitions = np.ascontiguousarray(coalitions, dtype=np.bool_)
        listed = np.full(self.n_players, len(players), dtype=np.int64)
        listed[players] = np.arange(len(players))
        player = listed[self._background.players.of_column]
        out = np.empty((len(coalitions) * len(rows), self.n_outputs))
        most = self._limits.rows_of(self._masker.row_bytes)
        for first, end, spans in spans_of_cells(len(out), len(self._background), most):
            out[first:end] = self._means(
                [Cells(rows, coalitions, player, first, end, *span) for span in spans]
            )
        return out.reshape(len(coalitions), len(rows), out.shape[1])

    def _means(self, batch: list[Cells]) -> Floats:
        """Values of some cells, from calls for one part of the background after the other."""
        background, outputs = self._background, []
        for cells in batch:
            n_rows = len(cells) * cells.n_background
            described = partial(self._describe, cells)
            found = background.calls(self._masker.mixed(cells), n_rows, described)
            if len(batch) > 1:  # the function may write its next outputs to the same memory
                found = found.copy()
            outputs.append(found.reshape(len(cells), cells.n_background, -1))
            if self._tick is not None:
                self._tick(n_rows)
        joined = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=1)
        means, finite = _core.weighted_mean(joined, background.weights)
        if not finite:
            self._explain_not_finite(joined, batch[0])
        return means

    def _describe(self, cells: Cells) -> str:
        return (
            f"rows {cells.rows.min()} to {cells.rows.max()} of X, coalitions "
            f"{cells.first_coalition} to {cells.first_coalition + len(cells.members) - 1}, "
            + self._background.describe(cells.start, cells.stop)
        )

    def _explain_not_finite(self, outputs: Outputs, cells: Cells) -> None:
        n_background = outputs.shape[1]

        def said(row: int) -> str:
            cell, b = divmod(row, n_background)
            coalition = cells.first_coalition + int(cells.coalition[cell])
            return (
                f"row {cells.rows[cell]} of X in coalition {coalition} with background row "
                f"{self._background.numbers[b]}"
            )

        check_finite(outputs.reshape(-1, outputs.shape[2]), said)
        raise InvalidInputError("the mean of the model's outputs is beyond the range of a double")
