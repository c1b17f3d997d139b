"""The compiled core (cpp/bindings)."""

from typing import Any, final

import numpy as np
import numpy.typing as npt

_Rows = npt.NDArray[np.float32] | npt.NDArray[np.float64]  # (n, n_features), C-contiguous

@final
class Ensemble:
    """The immutable tree IR; built from the fields of converters.arrays.EnsembleArrays."""

    def __init__(self, arrays: dict[str, Any]) -> None: ...
    def to_arrays(self) -> dict[str, Any]: ...
    def predict(
        self, X: _Rows, n_trees: int = -1, n_threads: int = 1
    ) -> npt.NDArray[np.float64]: ...  # (n, n_outputs)
    def expected_values(self, n_trees: int = -1) -> npt.NDArray[np.float64]: ...  # (n_outputs,)
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
    def shap_values(
        self, X: _Rows, out: npt.NDArray[np.floating[Any]], n_threads: int
    ) -> None: ...
    def approximate(
        self, X: _Rows, out: npt.NDArray[np.floating[Any]], n_threads: int
    ) -> None: ...
    @property
    def expected_values(self) -> npt.NDArray[np.float64]: ...  # (n_outputs,)
    @property
    def max_points(self) -> int: ...

def build_info() -> dict[str, Any]: ...
def set_isa(name: str) -> None: ...
