"""Who estimates Shapley values in the accuracy benchmark: ours, shap's, shapiq's.

Each is given a function of coalitions, the number of players, a seed, and a budget of evaluations
that holds for everything it evaluates, the empty and the full coalition among them.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from competitors import not_installed

Floats = npt.NDArray[np.float64]
Function = Callable[[Any], Floats]  # coalitions (N, M) of 0 and 1 to their values (N,)


@dataclass(frozen=True)
class Estimator:
    """One line of the tables.

    `kind` tells competitors that fit a linear or polynomial model from those that fit trees.
    """

    name: str
    library: Literal["leafshap", "shap", "shapiq"]
    kind: Literal["ours", "regression", "trees"]
    estimate: Callable[[Function, int, int, int], Floats]  # of function, players, budget, seed
    most_players: int | None = None

    def absent(self) -> str | None:
        """Why it cannot run here, or None."""
        if self.name == "leafshap proxy" and not _has_proxy():
            return "not part of this leafshap"
        return not_installed(self.library)


def _has_proxy() -> bool:
    return importlib.util.find_spec("leafshap.coalitions.proxy") is not None


def _ours(name: str, function: Function, players: int, budget: int, seed: int) -> Floats:
    import leafshap

    explainer = leafshap.KernelExplainer(
        function, np.zeros((1, players)), estimator=name, seed=seed, n_jobs=1
    )
    found = explainer.shap_values(np.ones(players), nsamples=budget - 2, progress=False)
    return np.asarray(found)


def _shap(function: Function, players: int, budget: int, seed: int) -> Floats:
    import shap

    np.random.seed(seed)  # noqa: NPY002  it draws from the global state
    explainer = shap.KernelExplainer(function, np.zeros((1, players)))
    found = explainer.shap_values(np.ones(players), nsamples=budget - 2, l1_reg=False, silent=True)
    return np.asarray(found)


def _shapiq(
    make: str, options: dict[str, Any], function: Function, players: int, budget: int, seed: int
) -> Floats:
    from shapiq import approximator

    estimator = getattr(approximator, make)(players, random_state=seed, **options)
    found = estimator.approximate(budget, function)
    values = np.zeros(players)
    for coalition, position in found.interaction_lookup.items():
        if len(coalition) == 1:
            values[coalition[0]] = found.values[position]
    return values


def _make_shapiq(
    name: str,
    kind: Literal["regression", "trees"],
    make: str,
    most_players: int | None = None,
    **options: Any,
) -> Estimator:
    return Estimator(name, "shapiq", kind, partial(_shapiq, make, options), most_players)


OURS = tuple(
    Estimator(f"leafshap {name}", "leafshap", "ours", partial(_ours, name))
    for name in ("regression", "gaussian_process", "auto", "proxy")
)
SHAP = Estimator("shap KernelExplainer", "shap", "regression", _shap)
ESTIMATORS: dict[str, Estimator] = {
    estimator.name: estimator
    for estimator in (
        *OURS,
        SHAP,
        _make_shapiq("shapiq KernelSHAP", "regression", "KernelSHAP"),
        _make_shapiq("shapiq KernelSHAP paired", "regression", "KernelSHAP", pairing_trick=True),
        _make_shapiq("shapiq LeverageSHAP", "regression", "LeverageSHAP"),
        # Minutes an estimate of more players; of order two it equals paired KernelSHAP anyway
        # (Fumagalli, Witter and Musco 2026), as its column shows.
        _make_shapiq(
            "shapiq PolySHAP", "regression", "PolySHAP", 30, max_order=2, pairing_trick=True
        ),
        _make_shapiq("shapiq OddSHAP", "regression", "OddSHAP"),
        _make_shapiq("shapiq RegressionMSR", "trees", "RegressionMSR", index="SV"),
        _make_shapiq("shapiq ProxySHAP", "trees", "ProxySHAP", index="SV", max_order=1),
    )
}
