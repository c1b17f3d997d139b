"""One file per competitor; this one says what a competitor is and lists them.

A competitor prepares a `Side` for a model: everything that can be done before rows arrive is done
there. What is timed is `explain(staged)` alone; building the input object the library wants
(`stage`) and bringing its output to a common shape (`values`) are not, in the competitor's favour.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from models import ModelSpec, TrainedModel
from workloads import Job, PermutationJob


def _as_is(value: Any) -> Any:
    return value


@dataclass
class Side:
    """A competitor, ready to explain one model.

    Attributes
    ----------
    explain
        What is timed: takes what `stage` returned.
    stage
        float32 (n, F) to what the library is fed with; called anew before every timed call.
    values
        The output as SHAP values (n, F), with K > 1 outputs (n, F, K); or as raw predictions (n,)
        or (n, K).
    expected_value
        Scalar or (K,); only our side has to tell it.
    """

    explain: Callable[[Any], Any]
    stage: Callable[[npt.NDArray[np.float32]], Any] = _as_is
    values: Callable[[Any], npt.NDArray[Any]] = np.asarray
    expected_value: Any = None


@dataclass
class BackgroundSide:
    """A competitor for jobs with background data, of which the whole way to the values is timed.

    Attributes
    ----------
    build
        Timed: the staged background to an explainer, from the trained model.
    explain
        Timed: that explainer and the staged rows to the library's output.
    stage
        float32 (n, F) to what the library is fed with, rows and background alike.
    values
        The output as SHAP values (n, F) or interaction values (n, F, F).
    summary
        What a report should tell about how an explainer works; only ours has to.
    """

    build: Callable[[Any], Any]
    explain: Callable[[Any, Any], Any]
    stage: Callable[[npt.NDArray[np.float32]], Any] = _as_is
    values: Callable[[Any], npt.NDArray[Any]] = np.asarray
    summary: Callable[[Any], Any] = lambda explainer: None


class TimedFunction:
    """A model's predict function that keeps how long it took, and of how many rows."""

    def __init__(self, predict: Callable[[Any], Any]) -> None:
        self.predict = predict
        self.seconds = 0.0
        self.rows = 0

    def __call__(self, X: Any) -> Any:
        start = time.perf_counter()
        found = self.predict(X)
        self.seconds += time.perf_counter() - start
        self.rows += len(X)
        return found

    def reset(self) -> None:
        """Forget what was counted."""
        self.seconds, self.rows = 0.0, 0


@dataclass
class KernelSide:
    """A competitor that estimates values from coalitions; the whole way to them is timed.

    Attributes
    ----------
    build
        Timed: the background to an explainer, from the trained model.
    explain
        Timed: that explainer, rows and a number of coalitions to values (n, F) or (n, F, K). With
        as many coalitions as there are, values are exact.
    function
        The model as the explainer calls it; None if it is evaluated otherwise.
    """

    build: Callable[[npt.NDArray[Any]], Any]
    explain: Callable[[Any, npt.NDArray[Any], int], npt.NDArray[Any]]
    function: TimedFunction | None = None


@dataclass
class PermutationTask:
    """What a call is given: rows with labels, and the curves that are asked for, if any."""

    X: npt.NDArray[np.float32]
    y: npt.NDArray[np.float32]
    grid: dict[int, npt.NDArray[np.float64]]


@dataclass
class PermutationSide:
    """A competitor for scores with permuted features and for curves.

    Attributes
    ----------
    call
        Timed: from the user's model and arrays to importances (F, repeats), or to averages
        (features, points), with individual curves (features, 1 + n, points), the average first.
    processes
        Works in processes of its own, whose time this one's does not have.
    """

    call: Callable[[PermutationTask], npt.NDArray[Any]]
    processes: bool = False


@dataclass
class BatchSide:
    """A competitor for whole files, in a process that does nothing else; the model is loaded.

    Attributes
    ----------
    run
        Timed: what `stage` made of a path to a Parquet file or folder, and a path to write to.
    stage
        What is done before, if anything: only the in-memory kernel gets its rows read.
    rows
        Of what `run` returned, how many rows were explained; None where it does not tell.
    store
        Afterwards: writes what `run` returned, where it has not written its output itself.
    worker_peaks
        Peak memory in bytes of other processes that it works in.
    close
        Ends those.
    """

    run: Callable[[Any, Path], Any]
    stage: Callable[[Path], Any] = _as_is
    rows: Callable[[Any], int | None] = lambda found: None
    store: Callable[[Any, Path], None] = lambda found, output: None
    worker_peaks: Callable[[], list[int]] = list
    close: Callable[[], None] = lambda: None


class Library(Protocol):
    """What every competitor has, whatever it is asked for."""

    name: str
    # Greatest allowed difference to our float64 values, relative to the greatest of them.
    tolerance: float
    # Runs without being asked for by name.
    by_default: bool

    def absent(self) -> str | None:
        """Why it cannot run here, or None."""

    def version(self) -> str:
        """Library and version."""


class Competitor(Library, Protocol):
    """What a file of this folder offers as COMPETITORS for explanations by a ready explainer."""

    output: Literal["values", "prediction"]
    # A call gets at least so many rows: for a competitor with a high fixed cost per call.
    min_rows: int

    def unsupported(self, spec: ModelSpec) -> str | None:
        """Why it cannot or need not explain such a model, or None."""

    def row_block(self, spec: ModelSpec) -> int:
        """Rows one thread takes at a time: a call gets whole blocks for every thread."""

    def prepare(self, model: TrainedModel, n_threads: int) -> Side:
        """Load the model and make it ready on `n_threads` threads."""


class BackgroundCompetitor(Library, Protocol):
    """What a file of this folder offers as COMPETITORS for jobs with background data."""

    # Rows are explained one after another, so that few of them tell the time of many. Otherwise
    # the job is run whole.
    row_by_row: bool

    def prepare(self, model: TrainedModel, job: Job, n_threads: int) -> BackgroundSide:
        """Load the model."""


class KernelCompetitor(Library, Protocol):
    """What a file of this folder offers as COMPETITORS for estimates from coalitions."""

    def prepare(self, model: TrainedModel, job: Job, n_threads: int) -> KernelSide:
        """Load the model."""


class PermutationCompetitor(Library, Protocol):
    """What a file of this folder offers as COMPETITORS for permuted features and curves."""

    # The time of curves grows with features and points, so that few of them tell that of all.
    point_by_point: bool

    def unsupported(self, job: PermutationJob) -> str | None:
        """Why it cannot or need not do the job, or None."""

    def prepare(self, model: TrainedModel, job: PermutationJob, n_threads: int) -> PermutationSide:
        """Load the model."""


class CompatCompetitor(Library, Protocol):
    """What a file of this folder offers as COMPETITORS for user code written for shap."""

    # What the code imports as shap.
    module: str


class BatchCompetitor(Library, Protocol):
    """What a file of this folder offers as COMPETITORS for whole files."""

    # SHAP values of every row, or only their means over the rows, (F,).
    output: Literal["values", "mean |phi|"]
    # Takes so long that a part of the rows has to tell the time of all.
    in_part: bool

    def prepare(self, model: Path, n_threads: int) -> BatchSide:
        """Load the model, an XGBoost file with names of features."""

    def values(self, output: Path) -> npt.NDArray[Any]:
        """Read what a run wrote or stored."""


def estimator_of(model: TrainedModel, n_jobs: int) -> Any:
    """The model as an estimator of scikit-learn's kind that predicts on so many threads."""
    if model.spec.library == "xgboost":
        import xgboost

        estimator = xgboost.XGBRegressor(n_jobs=n_jobs)
        estimator.load_model(model.path)
        return estimator
    return model.load().set_params(n_jobs=n_jobs)


def predict_function(model: TrainedModel, job: Job, n_threads: int) -> TimedFunction:
    """What the job explains, as a function of rows; XGBoost's runs on so many threads."""
    loaded = model.load()
    if model.spec.library == "xgboost":
        loaded.set_param({"nthread": n_threads})
        kind = "margin" if job.model_output == "raw" else "value"
        return TimedFunction(lambda X: loaded.inplace_predict(X, predict_type=kind))
    return TimedFunction(loaded.predict)


_VALUES = (
    "ours",
    "xgboost_native",
    "xgboost_old",
    "xgboost_predict",
    "lightgbm_native",
    "shap_tree",
    "shapiq_tree",
    "woodelf_tree",
)
_INTERACTIONS = ("ours_interactions", "xgboost_interactions")
_BACKGROUND = ("ours_background", "shap_background", "shapiq_background", "woodelf_background")
_KERNEL = ("ours_kernel", "shap_kernel")
_PERMUTATION = ("ours_permutation", "sklearn_permutation")
_COMPAT = ("ours_compat", "shap_compat")
_BATCH = ("ours_batch", "xgboost_script")


def version_of(distributions: str) -> str | None:
    """Version of the first of these (space-separated) distributions that is installed."""
    for name in distributions.split():
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def not_installed(module: str) -> str | None:
    """A word for the report if the module cannot be found."""
    return None if importlib.util.find_spec(module) else f"{module} is not installed"


def _competitors(modules: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for module in modules:
        competitors = importlib.import_module(f"competitors.{module}").COMPETITORS
        found.update({competitor.name: competitor for competitor in competitors})
    return found


def for_values() -> dict[str, Competitor]:
    """Every competitor for path-dependent values by name, ours first."""
    return _competitors(_VALUES)


def for_interactions() -> dict[str, Competitor]:
    """Every competitor for path-dependent interaction values, dense."""
    return _competitors(_INTERACTIONS)


def for_background() -> dict[str, BackgroundCompetitor]:
    """Every competitor for jobs with background data."""
    return _competitors(_BACKGROUND)


def for_kernel() -> dict[str, KernelCompetitor]:
    """Every competitor for estimates from coalitions."""
    return _competitors(_KERNEL)


def for_permutation() -> dict[str, PermutationCompetitor]:
    """Every competitor for permuted features and curves."""
    return _competitors(_PERMUTATION)


def for_compat() -> dict[str, CompatCompetitor]:
    """shap, and the module that takes its place."""
    return _competitors(_COMPAT)


def for_batch() -> dict[str, BatchCompetitor]:
    """Every competitor from file to file, and the kernel in memory."""
    return _competitors(_BATCH)
