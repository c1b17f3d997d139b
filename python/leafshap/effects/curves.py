"""What the model answers at the points of grids: means over the rows, and curves of each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap import _core
from leafshap.effects.responses import Response
from leafshap.ensemble import TreeEnsemble
from leafshap.inputs import FloatArray
from leafshap.responses import curve_blocks, response_plan
from leafshap.workers import workers

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Of the part of some curves that one thread transforms: it does not depend on the number of
# threads, so neither does the order of any sum.
_PART_BYTES = 1 << 20
_PROBE_BYTES = 256 << 20


@dataclass(eq=False)
class Target:
    """Features that are set together, and what came out.

    Attributes
    ----------
    features : tuple of int
    points : ndarray of float64, shape (G, d)
        As the core reads them.
    average : ndarray, shape (K, G), or None
    individual : ndarray, shape (K, n, G), or None
    """

    features: tuple[int, ...]
    points: Floats
    average: Floats | None = None
    individual: Floats | None = None


@dataclass(frozen=True, eq=False)
class _Piece:
    """Some points of a target, which one plan evaluates."""

    target: Target
    start: int
    stop: int

    @property
    def points(self) -> Floats:
        return self.target.points[self.start : self.stop]


def evaluate(
    ensemble: TreeEnsemble,
    response: Response,
    rows: FloatArray,
    weights: Floats | None,
    targets: Sequence[Target],
    average: bool,
    individual: bool,
    n_threads: int,
) -> None:
    """Fill in the average and the curves of targets.

    Parameters
    ----------
    weights : ndarray of float64, shape (n,), or None
        With sum 1.
    """
    n_outputs = len(range(ensemble.n_outputs)[response.kept])
    for target in targets:
        if average:
            target.average = np.empty((n_outputs, len(target.points)))
        if individual:
            target.individual = np.empty((n_outputs, len(rows), len(target.points)))
    by_means = average and response.linear
    with workers(n_threads) as each:
        for pieces in _rounds(targets, ensemble.n_features):
            plan = _plan_of(ensemble, pieces)
            offsets = plan.cell_offsets
            cells = [offsets[p] + plan.cells(p)[: len(x.points)] for p, x in enumerate(pieces)]
            mean: Any = plan.means(rows, weights, n_threads) if by_means else 0.0
            if individual or not by_means:
                for start, values in curve_blocks(plan, ensemble, rows, n_threads):
                    w = None if weights is None else weights[start : start + len(values)]
                    for term in each(_Answer(response, values, w), _parts(values)):
                        mean = mean if by_means else mean + term
                    if individual:
                        _keep_individual(pieces, cells, start, values[:, :, response.kept])
                if weights is None and not by_means:
                    mean = mean / len(rows)
            if average:
                _keep_average(pieces, cells, mean[:, response.kept])


def _rounds(targets: Sequence[Target], n_features: int) -> list[list[_Piece]]:
    """Put targets that share no feature into one plan; a huge grid into several."""
    most = max(1, _PROBE_BYTES // (8 * max(1, n_features)))
    rounds: list[tuple[set[int], list[_Piece]]] = []
    for target in targets:
        for start in range(0, len(target.points), most):
            piece = _Piece(target, start, min(start + most, len(target.points)))
            free = (r for r in rounds if r[0].isdisjoint(target.features))
            found = next(free, None)
            if found is None:
                found = (set(), [])
                rounds.append(found)
            found[0].update(target.features)
            found[1].append(piece)
    return [pieces for _, pieces in rounds]


def _plan_of(ensemble: TreeEnsemble, pieces: Sequence[_Piece]) -> _core.ResponsePlan:
    """One player for each piece; shorter grids are padded with their first point."""
    players = np.full(ensemble.n_features, -1, dtype=np.int32)
    probes = np.zeros((max(len(piece.points) for piece in pieces), ensemble.n_features))
    for p, piece in enumerate(pieces):
        features = list(piece.target.features)
        players[features] = p
        probes[:, features] = piece.points[0]
        probes[: len(piece.points), features] = piece.points
    return response_plan(ensemble, players, probes)


def _parts(values: Floats) -> list[slice]:
    size = max(1, _PART_BYTES // max(1, 8 * values[0].size))
    return [slice(a, min(a + size, len(values))) for a in range(0, len(values), size)]


@dataclass(frozen=True, eq=False)
class _Answer:
    """Turns margins (rows, cells, K) into outputs, in place, a part of the rows at a time."""

    response: Response
    values: Floats
    weights: Floats | None

    def __call__(self, part: slice) -> Floats:
        """Return the (weighted) sum of the part's outputs, shape (cells, K)."""
        values = self.values[part]
        if not self.response.linear:
            flat = values.reshape(-1, values.shape[2])
            values[:] = self.response.output.of(flat).reshape(values.shape)
        if self.weights is None:
            return np.asarray(values.sum(axis=0))
        w = self.weights[part]
        if not w.all():  # an output that weighs nothing may be infinite
            values, w = values[w > 0], w[w > 0]
        return np.asarray((values * w[:, np.newaxis, np.newaxis]).sum(axis=0))


def _keep_average(pieces: Sequence[_Piece], cells: Sequence[Integers], means: Floats) -> None:
    for piece, at in zip(pieces, cells, strict=True):
        assert piece.target.average is not None
        piece.target.average[:, piece.start : piece.stop] = means[at].T


def _keep_individual(
    pieces: Sequence[_Piece], cells: Sequence[Integers], start: int, values: Floats
) -> None:
    stop = start + len(values)
    for piece, at in zip(pieces, cells, strict=True):
        assert piece.target.individual is not None
        out = piece.target.individual[:, start:stop, piece.start : piece.stop]
        out[:] = np.moveaxis(values[:, at], 2, 0)
