"""What a KernelExplainer explains: a function, or a tree ensemble in the core."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.background import read_background
from leafshap.coalitions.batches import Limits
from leafshap.coalitions.callable_game import CallableBackground
from leafshap.coalitions.ensemble_game import EnsembleBackground
from leafshap.coalitions.game import Floats, Game
from leafshap.coalitions.groups import Groups, read_groups
from leafshap.coalitions.progress import Tick
from leafshap.ensemble import TreeEnsemble
from leafshap.explainers.additivity import AdditivityCheck, CheckAdditivity
from leafshap.explainers.arguments import check_names
from leafshap.explainers.outputs import choose_game_output
from leafshap.inputs import InputRows, InputSchema

# Rows of an ensemble whose coalitions are evaluated in one call of the core.
_RAW_ROWS, _PAIR_ROWS = 512, 32


@dataclass(frozen=True)
class Task:
    """The game of one call, and how its results are named."""

    game: Game
    single: bool
    names: list[str] | None
    output_names: list[str] | None
    data: Any  # what explanations show: a column for each player
    rows: InputRows | None = None  # of an ensemble


class CallableSource:
    """A function, called on synthetic rows."""

    cheap = False

    def __init__(
        self, background: CallableBackground, memory_limit: int | None, batch_rows: int | None
    ) -> None:
        self._background = background
        self._limits = Limits.read(memory_limit, batch_rows)

    def __len__(self) -> int:
        return len(self._background)

    @property
    def vector_output(self) -> bool:
        """Whether the function gives two dimensions."""
        return self._background.vector_output

    def null_values(self) -> Floats:
        """Mean output of the background, shape (K,)."""
        return self._background.null_values(self._limits.memory, self._limits.rows)

    def rows_at_once(self, n_coalitions: int) -> int:
        """Rows to explain that fill a call of the function."""
        return max(1, self._limits.rows // max(1, n_coalitions * len(self)))

    def task(self, X: Any, tick: Tick) -> Task:
        """Make the game of some rows."""
        limits = self._limits
        game = self._background.game(
            X, memory_limit=limits.memory, batch_rows=limits.rows, tick=tick
        )
        named = self._background.feature_names is not None or self._background.grouped
        names = list(game.player_names) if named else None
        data = X
        if self._background.grouped:
            data = columns_of_players(X, self._background.players.columns, game.single)
        return Task(game, game.single, names, None, data)

    def check(self, task: Task, which: CheckAdditivity, n_threads: int) -> None:
        """Nothing to check: values add up to the function's own output."""

    @property
    def input_schema(self) -> InputSchema:
        """The background's columns."""
        background = self._background
        return InputSchema(n_features=background.n_features, feature_names=background.feature_names)

    def without_model(self) -> CallableSource:
        """Return it as it is: the function is what is explained."""
        return self


class EnsembleSource:
    """A tree ensemble, whose coalitions the core evaluates."""

    cheap = True

    def __init__(
        self,
        ensemble: TreeEnsemble,
        model: object,
        data: Any,
        sample_weight: Any,
        groups: Groups,
        feature_names: Any,
        model_output: str,
        n_jobs: int,
    ) -> None:
        output = choose_game_output(model_output, ensemble, model)
        background = read_background(data, sample_weight, ensemble.schema)
        names = check_names(feature_names, ensemble) or ensemble.feature_names or background.names
        self.grouped = groups is not None
        self._names = names
        players = self._players = read_groups(groups, names, ensemble.n_features)
        self._background = EnsembleBackground(
            ensemble, background, output, players.columns, players.names, n_jobs=n_jobs
        )
        self._raw = output.transform == "raw"
        self.output_names = ensemble.output_names
        self.vector_output = ensemble.n_outputs > 1
        self._check = AdditivityCheck(model, ensemble, output)

    def __len__(self) -> int:
        return len(self._background)

    def null_values(self) -> Floats:
        """Mean output of the background, shape (K,)."""
        return self._background.null_values()

    def rows_at_once(self, n_coalitions: int) -> int:
        """Rows to explain for one call of the core."""
        return _RAW_ROWS if self._raw else _PAIR_ROWS

    def task(self, X: Any, tick: Tick) -> Task:
        """Make the game of some rows."""
        rows = InputRows(X, self._background.ensemble.schema)
        game = self._background.game(rows, tick)
        names = list(game.player_names) if self._names or self.grouped else None
        data = columns_of_players(X, self._players.columns, rows.single) if self.grouped else X
        return Task(game, rows.single, names or rows.names, self.output_names, data, rows)

    def check(self, task: Task, which: CheckAdditivity, n_threads: int) -> None:
        """Compare what values add up to with the model's own prediction.

        Raises
        ------
        AdditivityError
        """
        null, full = self.null_values(), task.game.full_values()
        base = np.broadcast_to(null, full.shape)
        assert task.rows is not None
        self._check.run(which, task.rows, (full - null)[:, np.newaxis], base, None, n_threads)

    @property
    def input_schema(self) -> InputSchema:
        """What the ensemble expects, with the names that the user or the background gave."""
        schema = self._background.ensemble.schema
        return schema.named(self._names)

    def without_model(self) -> EnsembleSource:
        """Make the same source, which checks against the ensemble's reference predictor."""
        other = copy.copy(self)
        other._check = self._check.without_model()
        return other


def columns_of_players(X: Any, columns: Sequence[npt.NDArray[np.int64]], single: bool) -> Any:
    """Show the values of players that are one column; NaN for others. (n, players), or 1-D."""
    if hasattr(X, "toarray"):
        X = X.toarray()
    values = np.asarray(X.to_numpy() if hasattr(X, "to_numpy") else X)
    values = np.atleast_2d(values)
    kind = np.float64 if values.dtype.kind in "biuf" else object
    shown = np.full((len(values), len(columns)), np.nan, dtype=kind)
    for i, c in enumerate(columns):
        if len(c) == 1:
            shown[:, i] = values[:, c[0]]
    return shown[0] if single else shown
