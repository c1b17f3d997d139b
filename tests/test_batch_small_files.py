"""Rows of many small files are explained together, and told apart where it matters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import leafshap
from batch_cases import (
    NAMES,
    Stop,
    explainer_of_a_model_that_changed,
    matrix_of,
    model_with_unnamed_categories,
    named_model,
    rows_of,
    stop_at,
    table_of,
)
from leafshap import AdditivityError, InvalidInputError

pytest.importorskip("pyarrow")

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq

from leafshap.batch import Aggregates, explain_files, scoring

N_FILES = 40
TOGETHER = 256


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "MOST_ROWS", TOGETHER)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each call of the explainer was given."""
    given: list[int] = []
    original = scoring.Scorer.explain

    def explain(self: Any, batch: Any, aggregates: Any = None) -> Any:
        given.append(batch.num_rows)
        return original(self, batch, aggregates)

    monkeypatch.setattr(scoring.Scorer, "explain", explain)
    return given


@pytest.fixture
def explainer() -> leafshap.TreeExplainer:
    return leafshap.TreeExplainer(named_model())


def sizes() -> list[int]:
    return [int(n) for n in np.random.default_rng(4).integers(0, 60, N_FILES)]


def whole_table() -> Any:
    table = table_of(rows_of(named_model(), sum(sizes())))
    words = pa.array([f"w{i % 7}" for i in range(len(table))])
    return table.append_column("word", words)


def write(table: Any, folder: Path, suffix: str) -> Path:
    """A folder of small files; each has its own dictionary of words."""
    folder.mkdir()
    start = 0
    for i, n in enumerate(sizes()):
        part, path = table.slice(start, n), folder / f"{i:03d}.{suffix}"
        start += n
        if suffix == "csv":
            pyarrow.csv.write_csv(part, path)
            continue
        at = part.schema.get_field_index("word")
        part = part.set_column(at, "word", part["word"].combine_chunks().dictionary_encode())
        if suffix == "parquet":
            pq.write_table(part, path)
        else:
            pyarrow.feather.write_feather(part, path)
    return folder


def explained(explainer: Any, source: Path, **options: Any) -> Any:
    out = source.parent / f"{source.name}.out.parquet"
    explain_files(explainer, source, out, **{"keys": ["id", "word"], **options})
    return pq.read_table(out)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "arrow"])
def test_many_files_are_like_one(
    explainer: leafshap.TreeExplainer, calls: list[int], suffix: str, tmp_path: Path
) -> None:
    table = whole_table()
    found = explained(explainer, write(table, tmp_path / "many", suffix), part_rows=300)
    assert len(calls) < N_FILES / 4
    assert max(calls) <= TOGETHER
    wanted = explainer.shap_values(table.select(NAMES))
    np.testing.assert_array_equal(matrix_of(found["shap_values"]), wanted)
    assert found["id"].to_pylist() == table["id"].to_pylist()
    assert found["word"].to_pylist() == table["word"].to_pylist()


@pytest.mark.parametrize("sample", [None, 0.4])
def test_bits_and_samples(
    explainer: leafshap.TreeExplainer, sample: float | None, tmp_path: Path
) -> None:
    table = whole_table()
    pq.write_table(table, tmp_path / "one.parquet")
    many = write(table, tmp_path / "many", "parquet")
    options: dict[str, Any] = {"sample": sample, "prediction": True, "top_k": 2}
    one = explained(explainer, tmp_path / "one.parquet", **options)
    found = explained(explainer, many, **options)
    assert found.select(one.column_names).to_pylist() == one.to_pylist()
    assert 0 < len(found) <= len(table)


def test_bad_rows_are_found_in_their_files(tmp_path: Path) -> None:
    arrays = model_with_unnamed_categories().to_arrays()
    model = leafshap.TreeEnsemble(replace(arrays, feature_categories={2: [7, 30, 400]}))
    explainer = leafshap.TreeExplainer(model)
    table = whole_table()
    codes = np.arange(len(table)) % 3
    table = table.set_column(
        table.schema.get_field_index("c"), "c", pa.array(np.array([7, 30, 400])[codes])
    )
    many = write(table, tmp_path / "many", "parquet")
    bad = [(f"{i:03d}.parquet", n // 2) for i, n in enumerate(sizes()) if i in (7, 8, 30)]
    wrong: list[int] = []
    for name, row in bad:
        part = pq.read_table(many / name)
        column = part["c"].to_numpy().copy()
        column[row] = 8
        wrong.append(part["id"][row].as_py())
        at = part.schema.get_field_index("c")
        pq.write_table(part.set_column(at, "c", pa.array(column)), many / name)
    (many / "020.parquet").write_bytes(b"no Parquet")
    rejects = tmp_path / "bad.csv"
    totals = Aggregates()
    found = explained(explainer, many, rejects=rejects, aggregates=totals)
    listed = pyarrow.csv.read_csv(rejects)
    places = list(zip(listed["file"].to_pylist(), listed["row"].to_pylist(), strict=True))
    assert places == [
        *((str(many / name), row) for name, row in bad[:2]),
        (str(many / "020.parquet"), None),
        (str(many / bad[2][0]), bad[2][1]),
    ]
    start = sum(sizes()[:20])
    lost = {7 * row for row in range(start, start + sizes()[20])}
    kept = [i for i in whole_table()["id"].to_pylist() if i not in lost and i not in wrong]
    assert found["id"].to_pylist() == kept
    X = rows_of(named_model(), sum(sizes()))
    X[:, 2] = codes
    coded = leafshap.TreeExplainer(model_with_unnamed_categories())
    wanted = coded.shap_values(X[np.array(kept) // 7])
    np.testing.assert_array_equal(matrix_of(found["shap_values"]), wanted)
    assert totals.n_rows == len(kept)
    np.testing.assert_allclose(totals.mean_abs, np.abs(wanted).mean(axis=0), rtol=1e-12)
    (many / "020.parquet").unlink()
    with pytest.raises(InvalidInputError, match=rf"007\.parquet, row {bad[0][1]}: .*'c'"):
        explained(explainer, many, overwrite=True)


def test_many_bad_categories_are_found_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    arrays = model_with_unnamed_categories().to_arrays()
    named = {2: [7, 30, 400], 4: [1, 2]}
    explainer = leafshap.TreeExplainer(
        leafshap.TreeEnsemble(replace(arrays, feature_categories=named))
    )
    n = 200
    c = np.where(np.arange(n) % 2, 7.0, 8.0)
    e = np.where(np.arange(n) % 5, 1.0, 3.0)
    table = table_of(rows_of(named_model(), n))
    for name, column in (("c", c), ("naïve", e)):
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(column))
    pq.write_table(table, tmp_path / "rows.parquet")
    checks: list[int] = []
    original = scoring.Scorer.check_rows

    def check(self: Any, batch: Any, aggregates: Any = None) -> None:
        checks.append(batch.num_rows)
        original(self, batch, aggregates)

    monkeypatch.setattr(scoring.Scorer, "check_rows", check)
    found = explained(explainer, tmp_path / "rows.parquet", keys=["id"], rejects=tmp_path / "b.csv")
    assert len(checks) <= 2
    bad = pyarrow.csv.read_csv(tmp_path / "b.csv")
    assert bad["row"].to_pylist() == [i for i in range(n) if c[i] == 8 or e[i] == 3]
    for row, reason in zip(bad["row"].to_pylist(), bad["reason"].to_pylist(), strict=True):
        told = "'c': 8.0" if c[row] == 8 else "'naïve': 3.0"
        assert f"column {told} is none of the categories" in reason
    assert found["id"].to_pylist() == [7 * i for i in range(n) if c[i] == 7 and e[i] == 1]


def test_integers_that_become_decimals(explainer: leafshap.TreeExplainer, tmp_path: Path) -> None:
    """A CSV column of integers has decimals in a later file: chunks of another schema."""
    X = np.round(rows_of(named_model(), 200) * 8)
    X[150:, 3] += 0.25
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(0, 200, 20):
        lines = [",".join("" if np.isnan(x) else f"{x:.10g}" for x in row) for row in X[i : i + 20]]
        text = "\n".join([",".join(f'"{name}"' for name in NAMES), *lines])
        (folder / f"{i:03d}.csv").write_text(f"{text}\n")
    found = explained(explainer, folder, keys=[])
    np.testing.assert_array_equal(matrix_of(found["shap_values"]), explainer.shap_values(X))


def test_dictionaries_that_arrow_cannot_join(
    explainer: leafshap.TreeExplainer, tmp_path: Path
) -> None:
    """Those with a null among their values."""
    table = table_of(rows_of(named_model(), 60))
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(6):
        words = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 5), [f"b{i}", None])
        part = table.slice(10 * i, 10).append_column("word", words)
        pyarrow.feather.write_feather(part, folder / f"{i}.arrow")
    found = explained(explainer, folder)
    assert found["word"].to_pylist() == [
        f"b{i}" if k == 0 else None for i in range(6) for k in [0, 1] * 5
    ]
    wanted = explainer.shap_values(rows_of(named_model(), 60))
    np.testing.assert_array_equal(matrix_of(found["shap_values"]), wanted)


@pytest.mark.parametrize("stopped_at", [1, 300, 700, 1000])
def test_a_stopped_run_goes_on(
    explainer: leafshap.TreeExplainer, stopped_at: int, tmp_path: Path
) -> None:
    many = write(whole_table(), tmp_path / "many", "parquet")
    sums = tmp_path / "sums.csv"
    options: dict[str, Any] = {"part_rows": 200, "sample": 0.7, "aggregate_output": sums}
    explained(explainer, many, **options)
    out = tmp_path / "many.out.parquet"
    whole = out.read_bytes(), sums.read_bytes()
    out.unlink()
    sums.unlink()

    with pytest.raises(Stop):
        explained(explainer, many, progress=stop_at(stopped_at), **options)
    report = explain_files(explainer, many, out, keys=["id", "word"], resume=True, **options)
    assert report.n_resumed > 0 or stopped_at == 1
    assert (out.read_bytes(), sums.read_bytes()) == whole


def test_additivity_errors_name_the_files(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)
    explainer = explainer_of_a_model_that_changed(X)
    for i in range(10):
        np.save(tmp_path / f"{i}.npy", X[30 * i : 30 * i + 30])
    with pytest.raises(AdditivityError, match=r"0\.npy, rows 0 to 29: "):
        explain_files(explainer, sorted(tmp_path.glob("*.npy")), tmp_path / "out.parquet")


def test_an_error_of_rows_that_are_together(
    explainer: leafshap.TreeExplainer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The check of each file alone looks at other rows, and may find nothing."""
    original = scoring.Scorer.explain

    def explain(self: Any, batch: Any, aggregates: Any = None) -> Any:
        if batch.num_rows > 60:
            raise AdditivityError("does not add up")
        return original(self, batch, aggregates)

    monkeypatch.setattr(scoring.Scorer, "explain", explain)
    many = write(whole_table(), tmp_path / "many", "parquet")
    with pytest.raises(AdditivityError, match=r"000\.parquet to .*\.parquet: does not add up"):
        explained(explainer, many)
