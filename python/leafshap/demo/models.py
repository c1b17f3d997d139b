"""The demo's two models, trained, and each library's own prediction and SHAP values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from leafshap.demo.flights import Flights

N_ROUNDS = 200


class DemoModel(Protocol):
    """A trained model of the arrival delay."""

    name: str
    version: str
    model: Any  # what is given to TreeExplainer

    def predict(self, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Arrival delay in minutes by the library itself, shape (n,)."""

    def own_shap_values(self, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """SHAP values by the library itself, shape (n, F)."""


class XGBoostModel:
    """Trees of depth 6 with native categories."""

    name = "XGBoost"

    def __init__(self, flights: Flights, n_threads: int) -> None:
        import xgboost

        self.version = xgboost.__version__
        self._types = [
            "c" if column in flights.categories else "q"
            for column in range(len(flights.feature_names))
        ]
        parameters = {
            "objective": "reg:squarederror",
            "max_depth": 6,
            "learning_rate": 0.1,
            "nthread": n_threads,
        }
        data = self._matrix(flights.X, flights.arrival_delay)
        self.model = xgboost.train(parameters, data, N_ROUNDS)

    def _matrix(
        self, X: npt.NDArray[np.float32], label: npt.NDArray[np.float32] | None = None
    ) -> Any:
        import xgboost

        return xgboost.DMatrix(X, label, feature_types=self._types, enable_categorical=True)

    def predict(self, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Arrival delay in minutes by XGBoost, shape (n,)."""
        return np.asarray(self.model.predict(self._matrix(X), output_margin=True), np.float64)

    def own_shap_values(self, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """XGBoost's `pred_contribs` without its last column (the base value), shape (n, F)."""
        values = np.asarray(self.model.predict(self._matrix(X), pred_contribs=True), np.float64)
        return values[:, :-1]


class LightGBMModel:
    """Trees of 31 leaves with native categories."""

    name = "LightGBM"

    def __init__(self, flights: Flights, n_threads: int) -> None:
        import lightgbm

        self.version = lightgbm.__version__
        self._n_threads = n_threads
        data = lightgbm.Dataset(
            flights.X,
            flights.arrival_delay,
            categorical_feature=list(flights.categories),
            params={"verbosity": -1},
        )
        parameters = {
            "objective": "regression",
            "num_leaves": 31,
            "learning_rate": 0.1,
            "num_threads": n_threads,
            "verbosity": -1,
        }
        self.model = lightgbm.train(parameters, data, N_ROUNDS)

    def predict(self, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Arrival delay in minutes by LightGBM, shape (n,)."""
        return np.asarray(self.model.predict(X, raw_score=True, num_threads=self._n_threads))

    def own_shap_values(self, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """LightGBM's `pred_contrib` without its last column (the base value), shape (n, F)."""
        values = self.model.predict(X, pred_contrib=True, num_threads=self._n_threads)
        return np.asarray(values)[:, :-1]
