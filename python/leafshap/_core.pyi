"""The compiled core (cpp/bindings)."""

from typing import Any, ClassVar, TypeAlias, final

import numpy as np
import numpy.typing as npt

# (n, n_features), C-contiguous
_Rows: TypeAlias = npt.NDArray[np.float32] | npt.NDArray[np.float64]
# of a plan's dtype, C-contiguous
_Values: TypeAlias = npt.NDArray[np.floating[Any]]
_Weights: TypeAlias = npt.NDArray[np.float64]  # (m,)
# of kept tables: their values, and what these add up from
_Tables: TypeAlias = tuple[npt.NDArray[np.floating[Any]], npt.NDArray[np.float64]]

@final
class Ensemble:
    """The immutable tree IR; built from the fields of converters.arrays.EnsembleArrays."""

    def __init__(self, arrays: dict[str, Any]) -> None: ...
    def to_arrays(self) -> dict[str, Any]: ...
    def predict(
        self, X: _Rows, n_trees: int = -1, n_threads: int = 1
    ) -> npt.NDArray[np.float64]: ...  # (n, n_outputs)
    def expected_values(self, n_trees: int = -1) -> npt.NDArray[np.float64]: ...  # (n_outputs,)
    def recount_cover(self, X: _Rows, weights: _Weights | None, n_threads: int) -> Ensemble: ...
    @property
    def n_trees(self) -> int: ...
    @property
    def n_features(self) -> int: ...
    @property
    def n_outputs(self) -> int: ...
    @property
    def n_nodes(self) -> int: ...
    @property
    def n_leaves(self) -> int: ...
    @property
    def max_depth(self) -> int: ...
    @property
    def has_cover(self) -> bool: ...
    @property
    def has_categories(self) -> bool: ...

@final
class PathPlan:
    """What the path-dependent kernel needs of an ensemble, for one dtype."""

    def __init__(self, ensemble: Ensemble, dtype: str, n_trees: int = -1) -> None: ...
    def shap_values(self, X: _Rows, out: _Values, n_threads: int) -> None: ...
    def approximate(self, X: _Rows, out: _Values, n_threads: int) -> None: ...
    def interaction_values(self, X: _Rows, out: _Values, n_threads: int) -> None: ...
    def interaction_pairs(
        self, X: _Rows, pairs_out: _Values, phi_out: _Values, n_threads: int
    ) -> None: ...
    @property
    def expected_values(self) -> npt.NDArray[np.float64]: ...  # (n_outputs,)
    @property
    def max_points(self) -> int: ...
    @property
    def pairs(self) -> npt.NDArray[np.int32]: ...  # (P, 2), i < j, sorted

@final
class BackgroundPlan:
    """What the interventional kernels need of an ensemble and its background, for one dtype."""

    methods: ClassVar[list[str]]
    def __init__(
        self,
        ensemble: Ensemble,
        dtype: str,
        background: _Rows,
        weights: _Weights | None,
        n_trees: int = -1,
        interactions: bool = False,
        method: str = "auto",
        memory_limit: int = 1073741824,
    ) -> None: ...
    def build(self, n_threads: int) -> None: ...
    def shap_values(self, X: _Rows, out: _Values, n_threads: int) -> None: ...
    def interaction_values(self, X: _Rows, out: _Values, n_threads: int) -> None: ...
    def interaction_pairs(
        self, X: _Rows, pairs_out: _Values, phi_out: _Values, n_threads: int
    ) -> None: ...
    def get_tables(self) -> _Tables | None: ...
    def set_tables(self, state: _Tables) -> None: ...
    def expected_values(self, n_threads: int) -> npt.NDArray[np.float64]: ...  # (n_outputs,)
    @property
    def pairs(self) -> npt.NDArray[np.int32]: ...  # (P, 2), i < j, sorted
    @property
    def summary(self) -> dict[str, Any]: ...

@final
class PairwisePlan:
    """Interventional values of a function of the margin: every row with every background row."""

    def __init__(
        self,
        ensemble: Ensemble,
        dtype: str,
        background: _Rows,
        weights: _Weights | None,
        n_trees: int = -1,
        leaves: npt.NDArray[np.bool_] | None = None,
    ) -> None: ...
    def shap_values(
        self,
        X: _Rows,
        out: _Values,
        n_threads: int,
        output: str = "raw",
        y: npt.NDArray[np.float64] | None = None,
        add: bool = False,
    ) -> None: ...
    @property
    def expected_values(self) -> npt.NDArray[np.float64]: ...  # (n_outputs,), of the margin

@final
class CoalitionGame:
    """What coalitions of features are worth for explained rows, against a background."""

    def __init__(
        self,
        ensemble: Ensemble,
        background: _Rows,
        weights: _Weights | None,
        n_trees: int = -1,
        output: str = "raw",
        n_threads: int = 1,
    ) -> None: ...
    def values(
        self,
        X: _Rows,
        players: npt.NDArray[np.int32],  # (n_features,), -1: in no coalition
        coalitions: npt.NDArray[np.bool_] | npt.NDArray[np.uint8],  # (N, players)
        out: npt.NDArray[np.float64],  # (N, n, n_outputs)
        n_threads: int,
    ) -> None: ...
    def varying(self, X: _Rows, n_threads: int) -> npt.NDArray[np.bool_]: ...  # (n, n_features)

@final
class ResponsePlan:
    """What trees answer when players (features, or groups of them) take the values of probes."""

    def __init__(
        self,
        ensemble: Ensemble,
        n_trees: int,
        players: npt.NDArray[np.int32],  # (n_features,), -1: none
        probes: _Rows,  # (m, n_features)
        all_values: bool,
    ) -> None: ...
    @property
    def n_players(self) -> int: ...
    @property
    def cell_offsets(self) -> npt.NDArray[np.int64]: ...  # (players + 1,)
    def cells(self, player: int) -> npt.NDArray[np.int64]: ...  # (m,)
    def predict(self, rows: _Rows, out: npt.NDArray[np.float64], n_threads: int) -> None: ...
    def respond(
        self,
        rows: _Rows,
        sources: npt.NDArray[np.int64],  # (repeats, n)
        begin: int,
        end: int,
        out: npt.NDArray[np.float64],  # (players, repeats, n, n_outputs)
        unchanged: npt.NDArray[np.float64] | None,  # (n, n_outputs)
        n_threads: int,
    ) -> npt.NDArray[np.int64]: ...  # (players,)
    def curves(
        self,
        rows: _Rows,
        out: npt.NDArray[np.float64],  # (n, cells, n_outputs)
        n_threads: int,
    ) -> None: ...
    def means(
        self, rows: _Rows, weights: _Weights | None, n_threads: int
    ) -> npt.NDArray[np.float64]: ...  # (cells, n_outputs)

@final
class CoalitionDesign:
    """Pairs of a coalition and its complement, drawn without replacement."""

    def __init__(self, n_players: int, seed: int) -> None: ...
    def extend(self, n_pairs: int) -> None: ...
    @property
    def complete(self) -> bool: ...
    @property
    def n_pairs(self) -> int: ...
    @property
    def coalitions(self) -> npt.NDArray[np.bool_]: ...  # (P, M)
    @property
    def weights(self) -> npt.NDArray[np.float64]: ...  # (P,)
    @property
    def inclusion(self) -> npt.NDArray[np.float64]: ...  # (P,)

def fit_regression(
    coalitions: npt.NDArray[np.bool_],  # (P, M)
    weights: npt.NDArray[np.float64],  # (P,)
    inclusion: npt.NDArray[np.float64],  # (P,)
    odd: npt.NDArray[np.float64],  # (P, C)
    odd_full: npt.NDArray[np.float64],  # (C,)
    n_threads: int,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]: ...  # phi, errors: (M, C)
def fit_process(
    coalitions: npt.NDArray[np.bool_],
    odd: npt.NDArray[np.float64],
    odd_full: npt.NDArray[np.float64],
    even: npt.NDArray[np.float64],
    even_full: npt.NDArray[np.float64],
    n_threads: int,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]: ...
def mix_rows(
    background: npt.NDArray[Any],  # (m, F), C-contiguous, no objects
    explained: npt.NDArray[Any],  # (n, F), as the background
    rows: npt.NDArray[np.int64],  # (r,) of explained
    coalitions: npt.NDArray[np.bool_],  # (N, M)
    players: npt.NDArray[np.int64],  # (F,) column of coalitions; M for always background
    first_cell: int,  # of N * r, coalition by coalition
    out: npt.NDArray[Any],  # (cells * m, F), as the background
) -> None: ...
def weighted_mean(
    outputs: npt.NDArray[np.floating[Any]],  # (cells, m, K), float32 or float64, any strides
    weights: npt.NDArray[np.float64],  # (m,), sum 1
) -> tuple[npt.NDArray[np.float64], bool]: ...  # (cells, K), whether all are finite

__version__: str

def build_info() -> dict[str, Any]: ...
def set_isa(name: str) -> None: ...
