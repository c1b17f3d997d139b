"""How Shapley values are estimated from the values of some coalitions.

All estimators see the same kind of data: pairs of a coalition and its complement, of which the odd
part ``(v(S) - v(complement)) / 2`` holds all that Shapley values depend on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from leafshap import _core
from leafshap.coalitions.permutations import Permutations, fit_permutations
from leafshap.coalitions.selection import Choice, fit_selected
from leafshap.errors import InvalidInputError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ESTIMATORS = ("auto", "quick", "regression", "gaussian_process", "permutation", "proxy")

# "auto" takes Gaussian processes for functions up to so many evaluations, by then some 80 ms a row;
# what is evaluated more often is cheap, and better served by a regression on more coalitions.
MOST_PROCESS_EVALUATIONS = 4096
# of a Gaussian process that is asked for: memory grows with the square, to 134 MB a thread
_MOST_EVALUATIONS = 8192
# below so many evaluations per player, antithetic permutations are better than anything else, and
# below the second number regressions may be ill-determined
_LEAST_PER_PLAYER = 3
_LEAST_OF_REGRESSION = 8


def all_coalitions(n_players: int) -> int:
    """Count coalitions, without the empty and the full one."""
    return 0 if n_players < 2 else 2**n_players - 2


@dataclass(frozen=True)
class Values:
    """Values of P pairs for C games: odd and even parts (P, C), and those of all players (C,)."""

    odd: Floats
    even: Floats
    odd_full: Floats
    even_full: Floats


class Estimator(Protocol):
    """A growing design of M >= 2 players, and what it makes of the values."""

    kind: str  # name of the fit; regressions and Gaussian processes share their designs
    complete: bool  # whether no coalition is missing
    coalitions: Bools  # (P, M): one of each pair

    @property
    def exact(self) -> bool:
        """Whether the fit has no error: all coalitions, all players."""
        ...

    def can_be(self, kind: str) -> bool:
        """Tell whether the values of this design are those of another kind's."""
        ...

    def extend(self, n_evaluations: int) -> None:
        """Grow to at most so many coalitions; those there are stay the first ones."""
        ...

    def fit(self, values: Values, n_threads: int) -> tuple[Floats, Floats]:
        """Estimate phi and its standard errors, both (M, C)."""
        ...


class _Sampled:
    """Complement pairs drawn without replacement, and a fit."""

    def __init__(self, kind: str, n_players: int, seed: int, selection: Choice) -> None:
        self.kind = kind
        self._seed = seed
        self._selection = selection
        self._design = _core.CoalitionDesign(n_players, seed)
        self.complete = False
        self.coalitions = self._design.coalitions

    @property
    def exact(self) -> bool:
        return self.complete and self._selection is None

    def can_be(self, kind: str) -> bool:
        return kind != "permutation"

    def extend(self, n_evaluations: int) -> None:
        self._design.extend(n_evaluations // 2)
        self.complete = self._design.complete
        self.coalitions = self._design.coalitions
        too_many = 2 * len(self.coalitions) > _MOST_EVALUATIONS
        if self.kind == "gaussian_process" and too_many and not self.complete:
            raise InvalidInputError(
                f'estimator="gaussian_process" takes at most {_MOST_EVALUATIONS} coalitions: '
                'use "regression"'
            )

    def fit(self, values: Values, n_threads: int) -> tuple[Floats, Floats]:
        design, v = self._design, values
        if self._selection is not None:
            return fit_selected(
                self._selection, self.coalitions, design.weights, design.inclusion,
                v.odd, v.odd_full, v.even, v.even_full, n_threads,
            )  # fmt: skip
        if self.complete or self.kind == "regression":
            return self._regression(v, n_threads)
        if self.kind == "proxy":
            from leafshap.coalitions.proxy import proxy_values

            return proxy_values(
                self.coalitions, design.weights, v.odd, v.odd_full, v.even, self._seed, n_threads
            )
        return _core.fit_process(self.coalitions, v.odd, v.odd_full, v.even, v.even_full, n_threads)

    def _regression(self, v: Values, n_threads: int) -> tuple[Floats, Floats]:
        design, n_players = self._design, self.coalitions.shape[1]
        try:
            return _core.fit_regression(
                self.coalitions, design.weights, design.inclusion, v.odd, v.odd_full, n_threads
            )
        except InvalidInputError as error:
            raise InvalidInputError(
                f"a regression on {2 * len(self.coalitions)} coalitions does not determine the "
                f"values of {n_players} varying features: use nsamples={8 * n_players} or more, or "
                "another estimator"
            ) from error


class _Permuted:
    """Antithetic permutations."""

    exact = complete = False

    def __init__(self, n_players: int, seed: int) -> None:
        self.kind = "permutation"
        self._n_players = n_players
        self._permutations = Permutations(n_players, seed)
        self.coalitions = self._permutations.coalitions

    def can_be(self, kind: str) -> bool:
        return kind == "permutation"

    def extend(self, n_evaluations: int) -> None:
        per_pair = 2 * (self._n_players - 1)
        if n_evaluations < per_pair:
            raise InvalidInputError(
                f"a permutation of {self._n_players} varying features and its reverse take "
                f"nsamples={per_pair}, got {n_evaluations}"
            )
        self._permutations.extend(n_evaluations // per_pair)
        self.coalitions = self._permutations.coalitions

    def fit(self, values: Values, n_threads: int) -> tuple[Floats, Floats]:
        orders = self._permutations.orders
        return fit_permutations(orders, values.odd, values.odd_full, values.even, values.even_full)


@dataclass(frozen=True)
class EstimatorChoice:
    """What the user asked for.

    Attributes
    ----------
    name : str
        One of `ESTIMATORS`.
    cheap : bool
        Whether coalitions cost little, so that "auto" takes a regression, as "quick" always does.
    seed : int
    selection : tuple, optional
        Of players, see `read_l1`.
    """

    name: str
    cheap: bool
    seed: int
    selection: Choice = None

    def estimator(self, n_players: int, n_evaluations: int) -> Estimator:
        """Make the estimator for M >= 2 players and a budget; nothing is drawn yet."""
        kind = self.kind(n_players, n_evaluations)
        if kind == "permutation":
            return _Permuted(n_players, self.seed)
        return _Sampled(kind, n_players, self.seed, self.selection)

    def kind(self, n_players: int, n_evaluations: int) -> str:
        """Name the estimator for M players and a budget."""
        everything = n_evaluations >= all_coalitions(n_players)
        if self.name not in ("auto", "quick"):
            return "regression" if everything else self.name
        if everything or self.selection is not None:
            return "regression"
        determined = n_evaluations >= _LEAST_OF_REGRESSION * n_players
        cheap = self.cheap or self.name == "quick"
        if determined and (cheap or n_evaluations > MOST_PROCESS_EVALUATIONS):
            return "regression"
        few = n_evaluations < _LEAST_PER_PLAYER * n_players
        if few or n_evaluations > _MOST_EVALUATIONS:
            enough = n_evaluations >= 2 * (n_players - 1)
            return "permutation" if enough else "gaussian_process"
        return "gaussian_process"

    @property
    def most_evaluations(self) -> int | None:
        """Most evaluations that the estimator can take, if there is a limit."""
        return _MOST_EVALUATIONS if self.name == "gaussian_process" else None
