"""A killed run leaves nothing half-written, and resumed it ends as if nothing had happened.

It is killed before each of its changes to the file system in turn, and at random moments.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import leafshap
from dying_runs import DyingRuns
from strategies import Recipe, random_ensemble

pa = pytest.importorskip("pyarrow")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs fork and signals")

BENCH = Path(__file__).resolve().parent.parent / "bench"
N_FEATURES = 12
# In so little memory a batch has 256 rows, and so a part.
FEW_ROWS, FEW_MEMORY = 400, 1
MANY_ROWS, PART_ROWS = 60_000, 5_000
MOST_CHANGES = 200

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = Recipe(n_trees=20, n_features=N_FEATURES, depth=6, categorical=0.0)
    names = [f"feature {j}" for j in range(N_FEATURES)]
    path = tmp_path_factory.mktemp("model") / "model.leafshap"
    leafshap.TreeEnsemble(replace(random_ensemble(recipe), feature_names=names)).save(path)
    return path


def columns(n_rows: int) -> dict[str, Any]:
    X = np.random.default_rng(0).normal(size=(n_rows, N_FEATURES)).astype(np.float32)
    X[::7, 3] = np.nan
    return {f"feature {j}": X[:, j] for j in range(N_FEATURES)}


@pytest.fixture(scope="module")
def few_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two parts of a CSV file, with two lines that are too long."""
    from pyarrow import csv

    path = tmp_path_factory.mktemp("table") / "few.csv"
    csv.write_csv(pa.table(columns(FEW_ROWS)), path)
    lines = path.read_text().splitlines()
    for row in (200, 399):
        lines[row] += ",1"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def many_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from pyarrow import parquet

    path = tmp_path_factory.mktemp("table") / "many.parquet"
    parquet.write_table(pa.table(columns(MANY_ROWS)), path)
    return path


@pytest.fixture(scope="module")
def runs(model: Path, few_rows: Path) -> Iterator[DyingRuns]:
    with DyingRuns(model, few_rows) as started:
        yield started


def files(folder: Path) -> Files:
    """All files below a folder, by their names from there."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def options(folder: Path, names: dict[str, str]) -> dict[str, Any]:
    paths = {name: str(folder / path) for name, path in names.items()}
    return {**paths, "memory": FEW_MEMORY, "part_rows": 1}


CASES: dict[str, dict[str, str]] = {
    "file": {
        "output": "values.parquet",
        "aggregate_output": "means.csv",
        "rejects": "rejected.csv",
    },
    "folder": {
        "output": "values",
        "aggregate_output": "means.parquet",
        "rejects": "rejected.csv",
    },
    "aggregates": {"aggregate_output": "means.csv", "rejects": "rejected.csv"},
}


@pytest.mark.parametrize("names", CASES.values(), ids=CASES)
def test_killed_before_any_change_to_the_file_system(
    runs: DyingRuns, names: dict[str, str], tmp_path: Path
) -> None:
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    assert runs.run(options(undisturbed, names)) == "done"
    expected = files(undisturbed)
    assert {path.split("/")[0] for path in expected} == set(names.values())

    failures = []
    for number in count():
        assert number < MOST_CHANGES
        folder = tmp_path / str(number)
        folder.mkdir()
        end = runs.run(options(folder, names), die_before=number)
        if end == "done":
            break
        assert end == "killed"
        left = files(folder)
        whole = {path: content for path, content in left.items() if path in expected}
        if whole != {path: expected[path] for path in whole}:
            failures.append(f"before change {number}: half-written")
        if left != expected:
            end = runs.run({**options(folder, names), "resume": True})
            # At the very end the run is forgotten, and there is nothing to resume.
            if end != "done" and not (whole == expected and "exists" in end):
                failures.append(f"before change {number}: resumed with {end}")
        found = files(folder)
        if found != expected:
            differing = {p for p in {*found, *expected} if found.get(p) != expected.get(p)}
            failures.append(f"before change {number}: {sorted(differing)} differ")
    assert number > 20
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize(
    ("output", "aggregates", "kills"),
    [
        ("values.parquet", "", 2),
        ("values.csv", "means.csv", 1),
        ("values.npz", "", 1),
        ("folder", "", 2),
        ("", "means.parquet", 1),
    ],
)
def test_killed_at_random_moments(
    model: Path,
    many_rows: Path,
    output: str,
    aggregates: str,
    kills: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(BENCH)
    from kill_resume import trial
    from killable_run import Case, Run

    run = Run(model, many_rows, Case(output, aggregates), tmp_path, PART_ROWS)
    found = trial(run, kills)
    assert not found["failures"]
    assert [attempt["same"] for attempt in found["attempts"]] == ["bytes"] * kills
    assert found["parts"] > 5
