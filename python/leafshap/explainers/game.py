"""TreeGame: the expectation that is explained, and the compiled plans that explain it.

A SHAP value belongs to a game: what does the model predict if only the features of a coalition are
known? Without background data the unknown features follow both branches of a split, weighted by
cover (path-dependent); with it they take the values of the background rows (interventional). A
plan is a game compiled for one precision and number of trees. Functions of the margin (`Output`)
have plans of their own, which take every pair of an explained and a background row.
"""

from __future__ import annotations

import math
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap import _core
from leafshap.background import Background, frozen_background
from leafshap.ensemble import TreeEnsemble
from leafshap.errors import InvalidInputError
from leafshap.explainers.outputs import ExpectedLoss, Output
from leafshap.explanation import Values
from leafshap.inputs import FloatArray, InputRows

Floats = npt.NDArray[np.float64]
Pairs = npt.NDArray[np.int32]
_Key = tuple[str, int]  # "shap" or "interactions", number of trees
_Tables = tuple[
    npt.NDArray[np.floating[Any]], Floats
]  # of a BackgroundPlan, with their expectation

# A path plan is a few times the size of the model, and more than a few tree limits at once are
# rare; a background plan holds tables of up to a gigabyte.
_MOST_PATH_PLANS = 4
_MOST_BACKGROUND_PLANS = 2

_BLOCK_BYTES = 64 << 20  # of the interaction values that a summary holds at once
_STREAMED_BLOCKS = 8  # as much at once where every block costs new tables


@dataclass(frozen=True)
class _Plan:
    """A compiled plan, and what the core does not tell of it, or not quickly."""

    core: _core.PathPlan | _core.BackgroundPlan | _core.PairwisePlan
    n_trees: int
    known: dict[int, Floats]  # background expectations by number of trees: one for all plans
    transformed: Floats | ExpectedLoss | None = None  # expectation of an output that is not raw
    streams: bool = False  # each call makes its tables anew, because they are too large to keep

    def expected(self, n_threads: int) -> Floats | ExpectedLoss:
        """Tell what values add up from, shape (K,); quick once there are values."""
        if self.transformed is not None:
            return self.transformed
        if isinstance(self.core, _core.BackgroundPlan):
            found = self.known.get(self.n_trees)
            if found is None:
                found = self.known.setdefault(self.n_trees, self.core.expected_values(n_threads))
            return found
        return self.core.expected_values

    def base_values(self, labels: Floats | None, n_rows: int, n_threads: int) -> Floats:
        """Give for each row what its values add up from, shape (n_rows, K); a read-only view."""
        expected = self.expected(n_threads)
        if isinstance(expected, ExpectedLoss):
            loss: Floats = expected(labels)
            return loss[:, np.newaxis]
        return np.broadcast_to(expected, (n_rows, len(expected)))

    def blocks(self, rows: InputRows) -> Iterator[tuple[int, int, FloatArray]]:
        """Cut rows into the blocks of one call each."""
        return iter([(0, rows.n_rows, rows.matrix())]) if self.streams else rows.blocks()


class TreeGame:
    """The game of one ensemble; safe to use from several threads, and picklable.

    Parameters
    ----------
    ensemble : TreeEnsemble
    background : Background or None
        None: path-dependent.
    output : Output
        Other than raw needs a background.
    dtype : str
        Of computation and values.
    """

    def __init__(
        self, ensemble: TreeEnsemble, background: Background | None, output: Output, dtype: str
    ) -> None:
        self.background = background
        self.output = output
        self._ensemble = ensemble
        self._scaled = output.scaled(ensemble).core
        self._dtype = dtype
        self._expected: dict[int, Floats] = {}
        self._tables: dict[_Key, _Tables] = {}  # unpickled, for plans not made yet
        self._plans: OrderedDict[_Key, _Plan] = OrderedDict()
        self._lock = threading.Lock()

    def expected(self, n_trees: int, n_threads: int) -> Floats | ExpectedLoss:
        """Tell what SHAP values add up from: shape (K,), or for a loss a function of the label."""
        if self.background is None:
            return self._ensemble.core.expected_values(n_trees)
        found = self._expected.get(n_trees)
        return (
            self._plan("shap", n_trees, n_threads).expected(n_threads) if found is None else found
        )

    def shap_values(
        self,
        rows: InputRows,
        labels: Floats | None,
        n_trees: int,
        n_threads: int,
        approximate: bool = False,
    ) -> tuple[Values, Floats]:
        """SHAP values of shape (n, F, K) and base values of shape (n, K)."""
        if approximate and self.background is not None:
            raise InvalidInputError(
                "approximate=True (Saabas' method) follows the trees' cover and knows no "
                'background data: use feature_perturbation="tree_path_dependent"'
            )
        plan = self._plan("shap", n_trees, n_threads)
        core = plan.core
        values = self._empty(rows.n_rows)
        for start, stop, block in plan.blocks(rows):
            out = values[start:stop]
            if isinstance(core, _core.PairwisePlan):
                y = None if labels is None else labels[start:stop]
                core.shap_values(block, out, n_threads, self.output.transform, y)
            elif approximate and isinstance(core, _core.PathPlan):
                core.approximate(block, out, n_threads)
            else:
                core.shap_values(block, out, n_threads)
        return values, plan.base_values(labels, rows.n_rows, n_threads)

    def interaction_values(
        self, rows: InputRows, n_trees: int, n_threads: int
    ) -> tuple[Values, Floats]:
        """Interaction values of shape (n, F, F, K) and base values of shape (n, K).

        Raises
        ------
        MemoryError
            If the values do not fit into the machine's memory.
        """
        n_features, n_outputs = self._ensemble.n_features, self._ensemble.n_outputs
        values = self._empty_interactions(
            (rows.n_rows, n_features, n_features, n_outputs),
            "interaction_pairs(X) gives only those that are not always zero",
        )
        plan, core = self._interaction_plan(n_trees, n_threads)
        for start, stop, block in plan.blocks(rows):
            core.interaction_values(block, values[start:stop], n_threads)
        return values, plan.base_values(None, rows.n_rows, n_threads)

    def interaction_pairs(
        self, rows: InputRows, n_trees: int, n_threads: int
    ) -> tuple[Pairs, Values, Values, Floats]:
        """Pairs (P, 2), their values (n, P, K), SHAP values (n, F, K), and base values (n, K).

        Raises
        ------
        MemoryError
            As `interaction_values`.
        """
        plan, core = self._interaction_plan(n_trees, n_threads)
        pairs = np.array(core.pairs)
        shape = (rows.n_rows, len(pairs), self._ensemble.n_outputs)
        values = self._empty_interactions(shape, "explain fewer rows at once")
        phi = self._empty(rows.n_rows)
        for start, stop, block in plan.blocks(rows):
            core.interaction_pairs(block, values[start:stop], phi[start:stop], n_threads)
        return pairs, values, phi, plan.base_values(None, rows.n_rows, n_threads)

    def interaction_blocks(
        self, rows: InputRows, n_trees: int, n_threads: int
    ) -> tuple[Pairs, Iterator[tuple[Values, Values, Floats]]]:
        """Pairs (P, 2), and the other results of `interaction_pairs` for one block after another.

        The arrays of a block are overwritten by the next one.
        """
        plan, core = self._interaction_plan(n_trees, n_threads)
        pairs = np.array(core.pairs)
        n_outputs = self._ensemble.n_outputs
        row_bytes = max(1, len(pairs)) * n_outputs * np.dtype(self._dtype).itemsize
        most = _BLOCK_BYTES * (_STREAMED_BLOCKS if plan.streams else 1)
        size = max(1, min(rows.n_rows, most // row_bytes))

        def run() -> Iterator[tuple[Values, Values, Floats]]:
            values = np.empty((size, len(pairs), n_outputs), dtype=self._dtype)
            phi = self._empty(size)
            for start, stop, block in plan.blocks(rows):
                for a in range(0, stop - start, size):
                    n = min(size, stop - start - a)
                    core.interaction_pairs(block[a : a + n], values[:n], phi[:n], n_threads)
                    yield values[:n], phi[:n], plan.base_values(None, n, n_threads)

        return pairs, run()

    def _empty(self, n_rows: int) -> Values:
        shape = (n_rows, self._ensemble.n_features, self._ensemble.n_outputs)
        values: Values = np.empty(shape, dtype=self._dtype)
        return values

    def _empty_interactions(self, shape: tuple[int, ...], instead: str) -> Values:
        n_bytes = math.prod(shape) * np.dtype(self._dtype).itemsize
        try:
            # a system that promises more memory than it has ends the process instead of refusing
            if n_bytes > _physical_memory():
                raise MemoryError
            values: Values = np.empty(shape, dtype=self._dtype)
        except (MemoryError, ValueError) as error:
            raise MemoryError(
                f"interaction values of shape {shape} need {n_bytes / 2**30:.1f} GiB: {instead}, "
                "mean_abs_interactions(X) takes their means in bounded memory, and "
                'dtype="float32" halves them'
            ) from error
        return values

    def _interaction_plan(
        self, n_trees: int, n_threads: int
    ) -> tuple[_Plan, _core.PathPlan | _core.BackgroundPlan]:
        plan = self._plan("interactions", n_trees, n_threads)
        assert not isinstance(plan.core, _core.PairwisePlan)  # only raw outputs come here
        return plan, plan.core

    def _plan(self, use: str, n_trees: int, n_threads: int) -> _Plan:
        """Return the compiled plan for the first `n_trees` trees; the last few are kept."""
        if self.background is None:
            use = "shap"  # a path plan has both kinds of values
        key = (use, n_trees)
        with self._lock:
            plan = self._plans.get(key)
            if plan is None:
                plan = self._make_plan(key, n_threads)
                self._plans[key] = plan
            self._plans.move_to_end(key)
            most = _MOST_PATH_PLANS if self.background is None else _MOST_BACKGROUND_PLANS
            while len(self._plans) > most:
                self._plans.popitem(last=False)
        return plan

    def _make_plan(self, key: _Key, n_threads: int) -> _Plan:
        use, n_trees = key
        core, background = self._ensemble.core, self.background
        if background is None:
            return _Plan(_core.PathPlan(core, self._dtype, n_trees), n_trees, self._expected)
        rows, weights = background.rows, background.weights
        if self.output.transform == "raw":
            interactions = use == "interactions"
            plan = _core.BackgroundPlan(
                core, self._dtype, rows, weights, n_trees, interactions=interactions
            )
            tables = self._tables.pop(key, None)
            if tables is not None:
                plan.set_tables(tables)
            streams = not plan.summary["tables_kept"]
            return _Plan(plan, n_trees, self._expected, streams=streams)

        def predict(rows: FloatArray) -> Floats:
            return core.predict(rows, n_trees, n_threads)

        return _Plan(
            _core.PairwisePlan(self._scaled, self._dtype, rows, weights, n_trees),
            n_trees,
            self._expected,
            self.output.expected(background, predict),
        )

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_lock"], state["_plans"], state["_scaled"]  # quick to make again
        with self._lock:
            tables = dict(self._tables)
            for key, plan in self._plans.items():
                if isinstance(plan.core, _core.BackgroundPlan):
                    found = plan.core.get_tables()
                    if found is not None:
                        tables[key] = found
        state["_tables"] = tables
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.background is not None:
            frozen_background(self.background)
        self._scaled = self.output.scaled(self._ensemble).core
        self._plans = OrderedDict()
        self._lock = threading.Lock()


def _physical_memory() -> float:
    """Bytes of memory of this machine; infinite where the system does not tell."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return math.inf
