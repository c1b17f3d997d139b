"""Models and data files for the command, and how to call it."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import leafshap
from leafshap import cli
from leafshap.converters.arrays import Missing
from strategies import Recipe, random_ensemble

NAMES = ["age", "net income", "b", "[red]c", "déjà vu"]


@dataclass(frozen=True)
class Files:
    """A folder with model.npz, data.parquet, data.csv, train.parquet and parts/.

    Data have the model's columns in another order, with an id, a region and labels among them.
    """

    folder: Path
    model: Any
    table: Any
    train: Any

    @property
    def X(self) -> npt.NDArray[np.float64]:
        return self.matrix(self.table)

    @staticmethod
    def matrix(table: Any) -> npt.NDArray[np.float64]:
        return np.column_stack([table.column(name).to_numpy() for name in NAMES])


def make_table(n: int, seed: int) -> Any:
    import pyarrow as pa

    random = np.random.default_rng(seed)
    X = random.normal(size=(n, len(NAMES))).astype(np.float32)
    X[random.random(X.shape) < 0.05] = np.nan
    label = (np.nan_to_num(X[:, 0]) + np.nan_to_num(X[:, 1] * X[:, 3]) > 0).astype(np.int64)
    features = {name: X[:, j] for j, name in enumerate(NAMES)}
    columns = {
        "id": np.arange(n),
        **{name: features[name] for name in reversed(NAMES)},
        "region": random.choice(["north", "south"], n),
        "label": label,
    }
    return pa.table(columns)


def make_files(folder: Path, n: int = 700) -> Files:
    """Write all that needs no model library."""
    import pyarrow.csv
    import pyarrow.parquet

    recipe = Recipe(
        seed=3, n_trees=8, n_features=len(NAMES), categorical=0.0, policies=(Missing.NAN,)
    )
    arrays = random_ensemble(recipe)
    arrays.feature_names = NAMES
    arrays.link = "logistic"
    model = leafshap.TreeEnsemble(arrays)
    model.save(folder / "model.npz")
    table, train = make_table(n, 0), make_table(150, 1)
    pyarrow.parquet.write_table(table, folder / "data.parquet", row_group_size=200)
    pyarrow.parquet.write_table(train, folder / "train.parquet")
    pyarrow.csv.write_csv(table, folder / "data.csv")
    (folder / "parts").mkdir()
    for i, start in enumerate(range(0, n, 300)):
        pyarrow.parquet.write_table(table.slice(start, 300), folder / "parts" / f"{i}.parquet")
    return Files(folder, model, table, train)


def command(*arguments: str, cwd: Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    line = [sys.executable, "-m", "leafshap", *arguments]
    return subprocess.run(
        line, capture_output=True, text=True, check=False, timeout=timeout, cwd=cwd
    )


def run(line: str, status: int = 0) -> None:
    """Run it here, and compare the exit status."""
    assert cli.run(shlex.split(line)) == status


def lists(table: Any, name: str = "shap_values") -> Any:
    """A column of lists as a matrix."""
    return np.array(table.column(name).to_pylist())


def unfinished(folder: Path) -> list[Path]:
    """What a run should not leave."""
    return [path for path in folder.iterdir() if "unfinished" in path.name or ".tmp" in path.name]
