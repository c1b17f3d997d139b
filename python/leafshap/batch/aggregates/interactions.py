"""Sums of absolute SHAP interaction values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.batch.aggregates.tiles import Floats
from leafshap.errors import InvalidInputError
from leafshap.interactions import InteractionSummary, main_effects

_CELLS = 1 << 20

Pairs = npt.NDArray[np.int32]


@dataclass(eq=False)
class InteractionSums:
    """Sums over rows, for P pairs of F features and K outputs.

    Attributes
    ----------
    pairs : ndarray of int32, shape (P, 2)
    sums : ndarray of float64, shape (P, K)
        Of |phi_ij|.
    main_sums : ndarray of float64, shape (F, K)
        Of |phi_ii|.
    """

    pairs: Pairs
    sums: Floats
    main_sums: Floats

    @classmethod
    def of(
        cls, pairs: npt.NDArray[Any], values: npt.NDArray[Any], phi: npt.NDArray[Any]
    ) -> InteractionSums:
        """Add up values (n, P, K) of pairs, beside SHAP values (n, F, K).

        Raises
        ------
        InvalidInputError
            If a shape differs, or a value is not finite.
        """
        if values.shape != (len(phi), len(pairs), phi.shape[2]) or pairs.shape[1:] != (2,):
            raise InvalidInputError(
                f"interaction values of shape {values.shape} for {pairs.shape} pairs do not fit "
                f"SHAP values of shape {phi.shape}"
            )
        sums, main_sums = np.zeros(values.shape[1:]), np.zeros(phi.shape[1:])
        size = max(1, _CELLS // max(1, sums.size + main_sums.size))
        for start in range(0, len(phi), size):
            rows = slice(start, start + size)
            sums += np.abs(values[rows]).sum(axis=0, dtype=np.float64)
            effects = main_effects(pairs, values[rows], phi[rows])
            main_sums += np.abs(effects, out=effects).sum(axis=0, dtype=np.float64)
        if not np.isfinite(sums).all():
            raise InvalidInputError("the interaction values of some row are not finite")
        return cls(np.array(pairs, dtype=np.int32), sums, main_sums)

    def check(self, other: InteractionSums) -> None:
        """Refuse to merge sums of other pairs.

        Raises
        ------
        InvalidInputError
        """
        if not np.array_equal(self.pairs, other.pairs):
            raise InvalidInputError(
                f"interactions of other pairs of features ({len(self.pairs)} before, "
                f"{len(other.pairs)} now): they are of another model"
            )

    def merge(self, other: InteractionSums) -> None:
        """Add the rows of another part that `check` accepts."""
        self.sums = self.sums + other.sums
        self.main_sums = self.main_sums + other.main_sums

    def summary(
        self, n_rows: int, names: list[str] | None, outputs: list[str] | None
    ) -> InteractionSummary:
        """Return means, strongest pair first."""
        strongest = np.argsort(-self.sums.sum(axis=1), kind="stable")
        mean, main = self.sums[strongest] / n_rows, self.main_sums / n_rows
        single = main.shape[1] == 1
        return InteractionSummary(
            pairs=self.pairs[strongest],
            mean_abs=mean[:, 0] if single else mean,
            mean_abs_main_effects=main[:, 0] if single else main,
            n_rows=n_rows,
            feature_names=names,
            output_names=outputs,
        )
