"""The games of the accuracy benchmark: coalitions of the features of one row of a tree model.

Nothing about the truth is in doubt: it is the exact interventional SHAP values of the same row and
background. Every estimator is given the same function of coalitions and nothing else, so that
they differ in what they ask and what they make of the answers, not in how models are called.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import datasets
from models import ModelSpec, TrainedModel, train

Floats = npt.NDArray[np.float64]

# All coalitions of so few players are evaluated beforehand, and then looked up.
_TABLE_PLAYERS = 12
# The core's coalition values are held against plain predictions of synthetic rows on so many.
_CHECKED = 64


@dataclass(frozen=True)
class GameSpec:
    """A model and how many background rows stand in for absent features."""

    name: str
    players: int
    model: ModelSpec
    background: int

    def trained(self) -> TrainedModel:
        """The model, from the cache or trained now."""
        return train(f"accuracy-{self.model.data}", self.model)


def _xgboost(data: str, depth: int, rounds: int, eta: float = 0.3, **extra: Any) -> ModelSpec:
    params = {"max_depth": depth, "eta": eta, "tree_method": "hist", **extra}
    return ModelSpec("xgboost", data, rounds, params, depth=depth)


_CANCER = _xgboost("cancer", 4, 150, objective="binary:logistic")
_MIXED = ModelSpec(
    "lightgbm",
    "mixed",
    200,
    {"objective": "regression", "num_leaves": 31, "seed": 0, "deterministic": True,
     "force_row_wise": True, "verbosity": -1},
)  # fmt: skip

GAMES: dict[str, GameSpec] = {
    game.name: game
    for game in (
        GameSpec("diabetes-10", 10, _xgboost("diabetes", 4, 100, eta=0.1), 50),
        GameSpec("mixed-12", 12, _MIXED, 20),
        GameSpec("cancer-30", 30, _CANCER, 20),
        GameSpec("cancer-30-baseline", 30, _CANCER, 1),
        GameSpec("groups-60", 60, _xgboost("groups", 5, 200), 10),
        GameSpec("hundred-100", 100, _xgboost("hundred", 6, 300), 10),
    )
}


class RowGame:
    """The game of one explained row; `truth` are its Shapley values.

    Raises
    ------
    RuntimeError
        If the core gives coalitions other values than predictions of synthetic rows have.
    """

    def __init__(self, spec: GameSpec, row: int) -> None:
        import leafshap
        from leafshap.background import read_background
        from leafshap.coalitions.ensemble_game import EnsembleBackground
        from leafshap.explainers.outputs import Output
        from leafshap.inputs import InputRows

        model = spec.trained().load()
        x = datasets.rows(spec.model.data, row + 1)[row:]
        data = datasets.background(spec.model.data, spec.background)
        explainer = leafshap.TreeExplainer(model, data, n_jobs=1)
        self.truth: Floats = np.asarray(explainer.shap_values(x, check_additivity=False)[0])
        ensemble = leafshap.TreeEnsemble.from_model(model)
        background = EnsembleBackground(
            ensemble,
            read_background(data, None, ensemble.schema),
            Output(),
            [[j] for j in range(spec.players)],
            [str(j) for j in range(spec.players)],
            n_jobs=1,
        )
        self._game = background.game(InputRows(x, ensemble.schema))
        self._players = np.arange(spec.players)
        self._table: Floats | None = None
        self._check(ensemble, x, data)
        if spec.players <= _TABLE_PLAYERS:
            everything = np.arange(2**spec.players)[:, np.newaxis] >> self._players
            self._table = self._evaluate((everything & 1).astype(np.bool_))

    def __call__(self, coalitions: Any) -> Floats:
        """Values (N,) of coalitions (N, M) of zeros and ones."""
        members = np.asarray(coalitions) > 0.5
        if self._table is None:
            return self._evaluate(members)
        return self._table[members @ (1 << self._players)]

    def _evaluate(self, members: npt.NDArray[np.bool_]) -> Floats:
        rows = np.zeros(1, dtype=np.int64)
        return self._game.values(rows, self._players, members)[:, 0, 0]

    def _check(self, ensemble: Any, x: npt.NDArray[Any], data: npt.NDArray[Any]) -> None:
        members = np.random.default_rng(0).random((_CHECKED, len(self._players))) < 0.5
        synthetic = np.where(members[:, np.newaxis], x, data).reshape(-1, x.shape[1])
        expected = ensemble.predict(synthetic, n_jobs=1).reshape(_CHECKED, -1).mean(axis=1)
        found = self._evaluate(members)
        if not np.allclose(found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max()):
            raise RuntimeError("coalition values differ from predictions")
