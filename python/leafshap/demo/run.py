"""The demo from training to files."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

import leafshap
from leafshap.cli.progress import rows_bar
from leafshap.demo.explained import explain
from leafshap.demo.flights import load_flights
from leafshap.demo.models import N_ROUNDS, LightGBMModel, XGBoostModel
from leafshap.demo.picture import save_picture
from leafshap.demo.report import feature_table, speed_table
from leafshap.threads import count_threads

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console
    from rich.progress import TaskID

    from leafshap.demo.explained import Explained
    from leafshap.demo.flights import Flights
    from leafshap.demo.models import DemoModel


def run_demo(out: Path, rows: int | None, console: Console) -> None:
    """Train, explain every row, check, report, and write the files.

    Parameters
    ----------
    out : Path
        Folder for the files; made if it does not exist.
    rows : int or None
        How many flights to use; None for all.
    console : Console
        Where the report goes.

    Raises
    ------
    AdditivityError
        If SHAP values do not add up to a model's own prediction.
    OSError
        If the files cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)  # before the work, not after it
    n_threads = count_threads(-1)
    flights = load_flights(rows)
    n, n_features = flights.X.shape
    console.print(
        f"leafshap {leafshap.__version__}: {n:,} flights of 2013, {n_features} features known "
        "before departure"
    )
    models = [_train(kind, flights, n_threads, console) for kind in (XGBoostModel, LightGBMModel)]
    results = _explain_all(models, flights, n_threads, console)
    console.print(feature_table(results, flights.feature_names))
    console.print(speed_table(results, n_threads))

    picture, values = out / "importance.png", out / "shap_values.npz"
    with console.status("drawing the picture and writing the values"):
        save_picture(picture, results, flights)
        _save_values(values, results, flights)
    console.print(f"picture  {picture}", f"values   {values}", sep="\n", soft_wrap=True)


def _train(
    kind: type[XGBoostModel | LightGBMModel],
    flights: Flights,
    n_threads: int,
    console: Console,
) -> DemoModel:
    before = time.perf_counter()
    with console.status(f"training {kind.name}"):
        model: DemoModel = kind(flights, n_threads)
        error = model.predict(flights.X) - flights.arrival_delay
    seconds = time.perf_counter() - before
    r_squared = 1 - np.var(error) / np.var(flights.arrival_delay)
    console.print(
        f"trained {model.name} {model.version}: {N_ROUNDS} trees in {seconds:.1f} s, "
        f"R² {r_squared:.2f} on these flights",
        highlight=False,
    )
    return model


def _explain_all(
    models: Sequence[DemoModel], flights: Flights, n_threads: int, console: Console
) -> list[Explained]:
    results = []
    with rows_bar(console) as progress:
        for model in models:
            task = progress.add_task(f"explaining {model.name}", total=len(flights.X))

            def advance(done: int, task: TaskID = task) -> None:
                progress.advance(task, done)

            results.append(explain(model, flights.X, n_threads, advance))
    return results


def _save_values(path: Path, results: Sequence[Explained], flights: Flights) -> None:
    arrays: dict[str, Any] = {
        "X": flights.X,
        "arrival_delay": flights.arrival_delay,
        "feature_names": np.array(flights.feature_names),
    }
    for result in results:
        name = result.model.name.lower()
        # float32 halves the file; the values were computed and checked in float64
        arrays[f"{name}_values"] = result.values.astype(np.float32)
        arrays[f"{name}_expected_value"] = np.array(result.expected_value)
        arrays[f"{name}_prediction"] = result.prediction
    np.savez(path, **arrays)
