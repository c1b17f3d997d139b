"""leafshap.batch.explain_files: from files to files, whole or not at all."""

from __future__ import annotations

import json
import shutil
import sys
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
    named_model,
    rows_of,
    stop_at,
    table_of,
)
from leafshap.errors import AdditivityError, InvalidInputError
from strategies import Recipe, random_ensemble

pytest.importorskip("pyarrow")

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq

from leafshap.batch import Aggregates, explain_batches, explain_files
from leafshap.batch import parts as parts_module

N = 1000
PARTS: dict[str, Any] = {"part_rows": 300}  # chunks of 256 rows: parts of 512, 488


@pytest.fixture
def explainer() -> leafshap.TreeExplainer:
    return leafshap.TreeExplainer(named_model())


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    from leafshap.batch import scoring

    monkeypatch.setattr(scoring, "MOST_ROWS", 256)


def rows() -> Any:
    return rows_of(named_model(), N)


def written(folder: Path, suffix: str) -> Path:
    path = folder / f"data.{suffix}"
    if suffix == "parquet":
        pq.write_table(table_of(rows()), path, row_group_size=170)
    elif suffix == "csv":
        pyarrow.csv.write_csv(table_of(rows()), path)
    elif suffix == "arrow":
        pyarrow.feather.write_feather(table_of(rows()), path, compression="uncompressed")
    else:
        np.save(path, rows())
    return path


def read(path: Path) -> Any:
    if path.is_dir():
        return pa.concat_tables([read(part) for part in sorted(path.iterdir())])
    if path.suffix == ".csv":
        return pyarrow.csv.read_csv(path)
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    return pq.read_table(path) if path.suffix == ".parquet" else pyarrow.feather.read_table(path)


def only(folder: Path, *names: str) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("source", ["parquet", "csv", "arrow", "npy"])
@pytest.mark.parametrize("target", ["out.parquet", "out.arrow", "out.csv", "out.npz", "out"])
def test_every_format_to_every_format(source: str, target: str, tmp_path: Path) -> None:
    model = named_model(feature_names=None) if source == "npy" else named_model()
    explainer = leafshap.TreeExplainer(model)
    path = written(tmp_path, source)
    keys = () if source == "npy" else ("id", "group")
    report = explain_files(
        explainer, path, tmp_path / target, keys=keys, prediction=True, top_k=2, **PARTS
    )
    only(tmp_path, path.name, target)
    assert (report.n_rows, report.n_rejected, report.n_resumed) == (N, 0, 0)
    assert report.output == tmp_path / target
    X = rows()
    wanted, found = explainer.shap_values(X), read(tmp_path / target)
    if target == "out.npz":
        np.testing.assert_array_equal(found["shap_values"], wanted)
        prediction = found["prediction"]
    elif target == "out.csv":
        names = [str(j) for j in range(6)] if source == "npy" else NAMES
        columns = [found[f"shap_{name}"].to_numpy() for name in names]
        np.testing.assert_array_equal(np.stack(columns, axis=1), wanted)
        prediction = found["prediction"].to_numpy()
        strongest = [names[j] for j in np.abs(wanted).argmax(axis=1)]
        assert [str(name) for name in found["top_1_feature"].to_pylist()] == strongest
    else:
        np.testing.assert_array_equal(matrix_of(found["shap_values"]), wanted)
        prediction = found["prediction"].to_numpy()
    np.testing.assert_allclose(prediction, model.predict(X), atol=1e-12)
    if keys:
        ids = found["id"] if target == "out.npz" else found["id"].to_numpy()
        np.testing.assert_array_equal(ids, np.arange(N) * 7)
        assert ids.dtype == np.int64
    if target == "out":
        assert [p.name for p in sorted((tmp_path / "out").iterdir())] == [
            "part-00000.parquet",
            "part-00001.parquet",
        ]


@pytest.mark.usefixtures("small_chunks")
def test_aggregates_to_memory_and_to_a_file(
    explainer: leafshap.TreeExplainer, tmp_path: Path
) -> None:
    path, values = written(tmp_path, "parquet"), explainer.shap_values(rows())
    totals = Aggregates(group="group", interactions=True)
    report = explain_files(explainer, path, aggregates=totals, **PARTS)
    assert report.aggregates is totals
    assert report.output is None
    np.testing.assert_allclose(totals.mean_abs, np.abs(values).mean(axis=0))
    summary = explainer.mean_abs_interactions(rows())
    np.testing.assert_allclose(totals.interactions.mean_abs, summary.mean_abs)
    only(tmp_path, "data.parquet")

    both = explain_files(
        explainer, path, tmp_path / "out.parquet", aggregate_output=tmp_path / "sums.csv", **PARTS
    )
    only(tmp_path, "data.parquet", "out.parquet", "sums.csv")
    table = read(tmp_path / "sums.csv")
    assert table["feature"].to_pylist() == NAMES
    np.testing.assert_allclose(table["mean_abs"].to_numpy(), np.abs(values).mean(axis=0))
    assert both.aggregates is not None
    assert both.aggregates.n_rows == N
    with pytest.raises(InvalidInputError, match="empty"):
        explain_files(explainer, path, aggregates=totals)
    with pytest.raises(InvalidInputError, match="nothing is asked for"):
        explain_files(explainer, path)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("target", ["out.parquet", "out.csv", "out.npz", "out"])
@pytest.mark.parametrize("stop_after", [1, 2, 3, 4, 5])
def test_a_stopped_run_goes_on_where_it_was(
    target: str,
    stop_after: int,
    explainer: leafshap.TreeExplainer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stopped at the k-th renaming of a file or folder; the rest must be as if it had not been."""
    (tmp_path / "in").mkdir()
    path = written(tmp_path / "in", "parquet")
    sums: dict[str, Any] = {}
    options: dict[str, Any] = {"keys": ["id"], **PARTS}
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    sums["aggregate_output"] = tmp_path / "whole" / "sums.csv"
    explain_files(explainer, path, tmp_path / "whole" / target, **sums, **options)

    from leafshap import atomic
    from leafshap.batch import targets, unfinished

    moves = 0
    real = atomic.move_into_place

    def move(partial: Path, final: Path) -> None:
        nonlocal moves
        moves += 1
        if moves == stop_after + 1:  # the first one is the description of the run
            raise Stop
        real(partial, final)

    here = tmp_path / "stopped"
    sums["aggregate_output"] = here / "sums.csv"
    with monkeypatch.context() as patch:
        for module in (atomic, parts_module, targets, unfinished):
            patch.setattr(module, "move_into_place", move)
        with pytest.raises(Stop):
            explain_files(explainer, path, here / target, **sums, **options)
    assert not (here / target).exists() or stop_after == 5
    kept = (here / f"{target}.unfinished").exists()
    again: dict[str, Any] = {"resume": True} if kept else {}
    if kept:
        with pytest.raises(InvalidInputError, match="unfinished run"):
            explain_files(explainer, path, here / target, **sums, **options)
    report = explain_files(explainer, path, here / target, **sums, **options, **again)
    assert report.n_rows == N
    assert (report.n_resumed > 0) == kept
    only(here, "sums.csv", target)
    assert (here / "sums.csv").read_bytes() == (tmp_path / "whole" / "sums.csv").read_bytes()
    for left, right in zip(files(here / target), files(tmp_path / "whole" / target), strict=True):
        assert left.name == right.name
        assert left.read_bytes() == right.read_bytes()


def files(path: Path) -> list[Path]:
    return sorted(path.iterdir()) if path.is_dir() else [path]


@pytest.mark.usefixtures("small_chunks")
def test_another_run_is_not_gone_on_with(
    explainer: leafshap.TreeExplainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = written(tmp_path, "parquet"), tmp_path / "out.parquet"
    calls = 0
    real = parts_module.Job._explain

    def explain(self: Any, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise Stop
        return real(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(parts_module.Job, "_explain", explain)
        with pytest.raises(Stop) as stopped:
            explain_files(explainer, path, out, **PARTS)
    assert "resume" in stopped.value.__notes__[0]
    described = json.loads((tmp_path / "out.parquet.unfinished" / "run.json").read_text())
    assert described["content"]["sizes"] == {"batch_rows": 256, "part_rows": 300}

    other = leafshap.TreeExplainer(named_model(seed=4))
    for differs, who, options in [
        ("another explainer", other, {}),
        ("another explainer", leafshap.TreeExplainer(named_model(), dtype="float32"), {}),
        ("other options: keys was", explainer, {"keys": ["id"]}),
        ("another sample", explainer, {"sample": 0.5}),
        ("other aggregates", explainer, {"aggregates": Aggregates()}),
    ]:
        with pytest.raises(InvalidInputError, match=f"begun with {differs}"):
            explain_files(who, path, out, resume=True, **options)  # type: ignore[arg-type]
    pq.write_table(table_of(rows()).slice(1), path)
    with pytest.raises(InvalidInputError, match="other input files"):
        explain_files(explainer, path, out, resume=True)
    with pytest.raises(InvalidInputError, match="discard"):
        explain_files(explainer, path, out)
    assert explain_files(explainer, path, out, overwrite=True).n_rows == N - 1
    with pytest.raises(InvalidInputError, match="exists"):
        explain_files(explainer, path, out)
    with pytest.raises(InvalidInputError, match="exists"):
        explain_files(explainer, path, out, resume=True)
    only(tmp_path, "data.parquet", "out.parquet")


def test_resume_without_anything_to_go_on_with_starts(
    explainer: leafshap.TreeExplainer, tmp_path: Path
) -> None:
    report = explain_files(
        explainer, written(tmp_path, "parquet"), tmp_path / "out.parquet", resume=True
    )
    assert (report.n_rows, report.n_resumed) == (N, 0)


def test_an_error_in_the_first_part_leaves_nothing(
    explainer: leafshap.TreeExplainer, tmp_path: Path
) -> None:
    path = tmp_path / "data.csv"
    path.write_text(",".join(NAMES) + "\n1,2,3,4,5,6\n1,2,oops,4,5,6\n")
    with pytest.raises(InvalidInputError, match=r"data\.csv, row 1, column 'c': not a number"):
        explain_files(explainer, path, tmp_path / "out.parquet")
    only(tmp_path, "data.csv")


def test_a_bad_cell_among_the_first_does_not_make_its_column_text(tmp_path: Path) -> None:
    model = named_model()
    X = rows()
    path, bad = tmp_path / "data.csv", tmp_path / "bad.csv"
    pyarrow.csv.write_csv(table_of(X), path)
    text = path.read_text().splitlines()
    cells = text[3].split(",")  # row 2
    cells[text[0].split(",").index('"age"')] = "unknown"
    path.write_text("\n".join([*text[:3], ",".join(cells), *text[4:]]))
    explainer = leafshap.TreeExplainer(model)
    report = explain_files(explainer, path, tmp_path / "out.parquet", rejects=bad, keys=["id"])
    assert (report.n_rows, report.n_rejected) == (N - 1, 1)
    found = read(tmp_path / "out.parquet")
    wanted = np.delete(explainer.shap_values(X), 2, axis=0)
    np.testing.assert_allclose(matrix_of(found["shap_values"]), wanted, atol=1e-12)
    assert read(bad)["row"].to_pylist() == [2]
    assert read(bad)["column"].to_pylist() == ["age"]


def test_category_values_need_a_model_that_knows_them(tmp_path: Path) -> None:
    arrays = random_ensemble(Recipe(seed=8, n_trees=5, categorical=0.7))
    j = int(arrays.split_feature[np.flatnonzero(arrays.categorical)[0]])
    model = leafshap.TreeEnsemble(replace(arrays, feature_names=NAMES))
    explainer = leafshap.TreeExplainer(model)
    table = table_of(np.zeros((4, 6)))
    one = pa.DictionaryArray.from_arrays(pa.array([0, 1, 1, 0]), ["x", "y"])
    other = pa.DictionaryArray.from_arrays(pa.array([0, 1, 1, 0]), ["y", "x"])
    at = table.schema.get_field_index(NAMES[j])
    first = table.set_column(at, NAMES[j], one)
    second = table.set_column(at, NAMES[j], other)
    found = list(explain_batches(explainer, first.to_batches() * 2))
    assert len(found) == 2
    with pytest.raises(InvalidInputError, match="may number in another way"):
        list(explain_batches(explainer, first.to_batches() + second.to_batches()))
    pq.write_table(first, tmp_path / "data.parquet")
    with pytest.raises(InvalidInputError, match="give it the codes of training"):
        explain_files(explainer, tmp_path / "data.parquet", tmp_path / "out.parquet")


@pytest.mark.usefixtures("small_chunks")
def test_bad_rows_end_the_run_or_go_to_a_file(tmp_path: Path) -> None:
    explainer = leafshap.TreeExplainer(named_model(allow_nan=False))
    X = np.nan_to_num(rows())
    X[700, 3] = np.nan
    path, out = tmp_path / "data.parquet", tmp_path / "out.parquet"
    pq.write_table(table_of(X), path)
    with pytest.raises(InvalidInputError, match=r"data\.parquet, row 700: column 3 \('d'\)") as e:
        explain_files(explainer, path, out, keys=["id"], **PARTS)
    assert "512 rows are done" in e.value.__notes__[0]

    rejects = tmp_path / "bad.csv"
    report = explain_files(explainer, path, out, keys=["id"], rejects=rejects, resume=True, **PARTS)
    assert (report.n_rows, report.n_rejected, report.n_resumed) == (N - 1, 1, 512)
    assert 700 * 7 not in read(out)["id"].to_pylist()
    table = read(rejects)
    assert table["row"].to_pylist() == [700]
    assert "column 3 ('d')" in table["reason"][0].as_py()
    np.testing.assert_array_equal(
        matrix_of(read(out)["shap_values"]),
        np.delete(explainer.shap_values(np.nan_to_num(X)), 700, 0),
    )
    only(tmp_path, "data.parquet", "out.parquet", "bad.csv")


@pytest.mark.usefixtures("small_chunks")
def test_samples_are_the_same_however_files_are_cut(
    explainer: leafshap.TreeExplainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from leafshap.batch import scoring

    path = written(tmp_path, "parquet")
    options: dict[str, Any] = {"sample": 0.25, "seed": 3, "keys": ["id"]}
    explain_files(explainer, path, tmp_path / "a.parquet", **options, **PARTS)
    monkeypatch.setattr(scoring, "MOST_ROWS", 65_536)
    explain_files(explainer, path, tmp_path / "b.parquet", **options)
    stream = pa.Table.from_batches(
        list(explain_batches(explainer, table_of(rows()).to_batches(), **options))
    )
    assert read(tmp_path / "a.parquet").equals(read(tmp_path / "b.parquet"))
    assert read(tmp_path / "a.parquet")["id"].equals(stream["id"])


def test_no_rows(explainer: leafshap.TreeExplainer, tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    pq.write_table(table_of(rows()).slice(0, 0), path)
    for target in ("out.parquet", "out.csv", "out.npz", "out"):
        assert explain_files(explainer, path, tmp_path / target, keys=["id"]).n_rows == 0
        found = read(tmp_path / target)
        assert len(found["id"]) == 0


def test_progress_counts_rows_of_the_input(
    explainer: leafshap.TreeExplainer, tmp_path: Path
) -> None:
    told: list[tuple[int, int | None]] = []
    path = written(tmp_path, "parquet")
    explain_files(
        explainer, path, aggregates=Aggregates(), progress=lambda *found: told.append(found)
    )
    assert told[0] == (0, N)
    assert told[-1] == (N, N)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output": "no/such/out.parquet"}, "there is no folder"),
        ({"output": "out.xlsx"}, r"xlsx"),
        ({"output": "data.parquet", "overwrite": True}, "replace what is read"),
        ({"memory": 1000}, "memory"),
        ({"part_rows": 0}, "part_rows"),
        ({"rejects": "out.parquet"}, "two results"),
        ({"source": "absent.parquet"}, "absent"),
        ({"keys": ["nope"]}, "nope"),
        ({"aggregate_output": "sums.xyz"}, "xyz"),
    ],
)
def test_wrong_arguments(
    changes: Any,
    message: str,
    explainer: leafshap.TreeExplainer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "parquet")
    call = {"source": "data.parquet", "output": "out.parquet", **changes}
    with pytest.raises((InvalidInputError, FileNotFoundError), match=message):
        explain_files(explainer, **call)
    only(tmp_path, "data.parquet")


def test_output_into_the_folder_that_is_read(
    explainer: leafshap.TreeExplainer, tmp_path: Path
) -> None:
    written(tmp_path, "parquet")
    with pytest.raises(InvalidInputError, match="among the files that are read"):
        explain_files(explainer, tmp_path, tmp_path / "out.parquet")
    only(tmp_path, "data.parquet")


def test_a_folder_is_replaced_only_if_it_holds_parts_alone(
    explainer: leafshap.TreeExplainer, tmp_path: Path
) -> None:
    path, out = written(tmp_path, "parquet"), tmp_path / "out"
    out.mkdir()
    assert explain_files(explainer, path, out).n_rows == N  # an empty one
    with pytest.raises(InvalidInputError, match="exists"):
        explain_files(explainer, path, out)
    (out / "mine.txt").write_text("kept")
    with pytest.raises(InvalidInputError, match=r"holds other files than parts \(mine.txt\)"):
        explain_files(explainer, path, out, overwrite=True)
    assert (out / "mine.txt").exists()
    (out / "mine.txt").unlink()
    explain_files(explainer, path, out, overwrite=True)
    only(out, "part-00000.parquet")
    only(tmp_path, "data.parquet", "out")


def test_what_is_read_is_not_replaced_by_another_name(
    explainer: leafshap.TreeExplainer, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    path = written(tmp_path / "in", "parquet")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    before = path.read_bytes()
    for name in ("in/../in/data.parquet", "link/data.parquet"):
        with pytest.raises(InvalidInputError, match="replace what is read"):
            explain_files(explainer, path, tmp_path / name, overwrite=True)
    for name in (".", ".."):
        with pytest.raises(InvalidInputError, match=r"of their own|replace what is read"):
            explain_files(explainer, path, name, overwrite=True)
    assert path.read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")
def test_two_runs_do_not_meet(explainer: leafshap.TreeExplainer, tmp_path: Path) -> None:
    path, out = written(tmp_path, "parquet"), tmp_path / "out.parquet"
    refused = []

    def another(done: int, total: int | None) -> None:
        for options in ({"resume": True}, {"overwrite": True}):
            with pytest.raises(InvalidInputError, match="another run is at work"):
                explain_files(explainer, path, out, **options)  # type: ignore[arg-type]
            refused.append(options)

    assert explain_files(explainer, path, out, progress=another).n_rows == N
    assert refused
    np.testing.assert_array_equal(
        matrix_of(read(out)["shap_values"]), explainer.shap_values(rows())
    )
    only(tmp_path, "data.parquet", "out.parquet")


@pytest.mark.usefixtures("small_chunks")
def test_what_appeared_since_is_not_replaced(
    explainer: leafshap.TreeExplainer, tmp_path: Path
) -> None:
    path = written(tmp_path, "parquet")

    for name in ("out", "out.parquet"):
        out = tmp_path / name
        with pytest.raises(Stop):
            explain_files(explainer, path, out, progress=stop_at(N), part_rows=200)
        kept = out
        if name == "out":
            out.mkdir()
            kept = out / "precious.txt"
        kept.write_text("precious")
        with pytest.raises(InvalidInputError, match=r"holds other files|exists"):
            explain_files(explainer, path, out, resume=True)
        assert kept.read_text() == "precious"
        kept.unlink()
        assert explain_files(explainer, path, out, resume=True).n_resumed > 0


@pytest.mark.usefixtures("small_chunks")
def test_a_damaged_part_is_made_once_more(
    explainer: leafshap.TreeExplainer, tmp_path: Path
) -> None:
    path, out = written(tmp_path, "parquet"), tmp_path / "out.parquet"

    with pytest.raises(Stop):
        explain_files(explainer, path, out, progress=stop_at(N), part_rows=200)
    part = tmp_path / "out.parquet.unfinished" / "parts" / "part-00001.arrow"
    part.write_bytes(part.read_bytes()[:1000])
    report = explain_files(explainer, path, out, resume=True)
    assert (report.n_rows, report.n_resumed) == (N, 256)
    np.testing.assert_array_equal(
        matrix_of(read(out)["shap_values"]), explainer.shap_values(rows())
    )


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("target", ["out.parquet", "out.npz", "out", None])
def test_any_damage_to_a_part_is_found(
    explainer: leafshap.TreeExplainer, tmp_path: Path, target: str | None
) -> None:
    """A flipped bit of any file of any part: the part is made once more."""
    path = written(tmp_path, "csv")
    with open(path, "a") as file:
        file.write("1,no number,2,3,4,5,6,a,0\n")

    def run(folder: Path, **options: Any) -> Any:
        folder.mkdir(exist_ok=True)
        explained = explain_files(
            explainer, path, None if target is None else folder / target, part_rows=200,
            aggregate_output=folder / "sums.csv", rejects=folder / "bad.csv", **options,
        )  # fmt: skip
        return explained, {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    _, whole = run(tmp_path / "whole")
    begun = tmp_path / "begun"
    with pytest.raises(Stop):
        run(begun, progress=stop_at(N + 1))
    (unfinished,) = begun.iterdir()
    damaged = [p for p in unfinished.rglob("part-*") if p.is_file()]
    assert {p.suffix for p in damaged} >= {".npz", ".csv", ".json"}
    assert len(damaged) >= 6
    for victim in damaged:
        here = tmp_path / f"{victim.name}"
        shutil.copytree(begun, here)
        copy = here / victim.relative_to(begun)
        data = bytearray(copy.read_bytes())
        data[len(data) // 2] ^= 0x01
        copy.write_bytes(data)
        number = int(victim.stem.removeprefix("part-"))
        report, files = run(here, resume=True)
        assert report.n_resumed == 256 * number
        assert files == whole


def test_what_a_format_cannot_hold_is_told_before(
    explainer: leafshap.TreeExplainer, tmp_path: Path
) -> None:
    table = table_of(rows()).append_column("pair", pa.array([{"a": 1}] * N))
    pq.write_table(table, tmp_path / "data.parquet")
    told: list[int] = []
    for suffix in ("csv", "npz"):
        with pytest.raises(InvalidInputError, match="pair"):
            explain_files(
                explainer, tmp_path / "data.parquet", tmp_path / f"out.{suffix}", keys=["pair"],
                progress=lambda done, total: told.append(done),
            )  # fmt: skip
    assert not told
    with pytest.raises(InvalidInputError, match="no columns"):
        explain_files(
            explainer, tmp_path / "data.parquet", tmp_path / "out.parquet", values="none",
            base_value=False,
        )  # fmt: skip
    only(tmp_path, "data.parquet")


def test_the_users_aggregates_are_filled_at_the_end(
    explainer: leafshap.TreeExplainer, tmp_path: Path
) -> None:
    path, totals = written(tmp_path, "parquet"), Aggregates()

    for output in (None, tmp_path / "out.parquet"):
        with pytest.raises(Stop):
            explain_files(explainer, path, output, aggregates=totals, progress=stop_at(1))
        assert totals.n_rows == 0
    explain_files(explainer, path, aggregates=totals)
    assert totals.n_rows == N


def test_numbers_of_numpy_are_numbers(explainer: leafshap.TreeExplainer, tmp_path: Path) -> None:
    numbers: Any = {"seed": np.int64(3), "sample": np.float32(0.5), "top_k": np.int64(2)}
    report = explain_files(
        explainer, written(tmp_path, "parquet"), tmp_path / "out.parquet", prediction=True,
        **numbers,
    )  # fmt: skip
    assert 400 < report.n_rows < 600


@pytest.mark.usefixtures("small_chunks")
def test_parts_that_somebody_has_removed_are_made_once_more(
    explainer: leafshap.TreeExplainer, tmp_path: Path
) -> None:
    path = written(tmp_path, "parquet")

    for target in ("folder", "out.parquet"):
        out = tmp_path / target
        with pytest.raises(Stop):
            explain_files(explainer, path, out, progress=stop_at(N), part_rows=200)
        shutil.rmtree(tmp_path / f"{target}.unfinished" / "parts")
        report = explain_files(explainer, path, out, resume=True)
        assert (report.n_rows, report.n_resumed) == (N, 0)
        np.testing.assert_array_equal(
            matrix_of(read(out)["shap_values"]), explainer.shap_values(rows())
        )
    with pytest.raises(Stop):
        explain_files(explainer, path, tmp_path / "x.csv", progress=stop_at(N), part_rows=200)
    (tmp_path / "x.csv.unfinished" / "run.json").write_text("{}")
    with pytest.raises(InvalidInputError, match=r"run\.json: damaged; overwrite starts anew"):
        explain_files(explainer, path, tmp_path / "x.csv", resume=True)


KINDS = [pa.string(), pa.date32(), pa.list_(pa.float64()), pa.dictionary(pa.int8(), pa.string())]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_columns_of_other_types_are_told_before(
    explainer: leafshap.TreeExplainer, kind: Any, tmp_path: Path
) -> None:
    table = table_of(rows())
    at = table.schema.get_field_index("d")
    pq.write_table(table.set_column(at, "d", pa.nulls(N, kind)), tmp_path / "data.parquet")
    with pytest.raises(InvalidInputError, match=r"column 'd' is of type .* takes a number"):
        explain_files(
            explainer, tmp_path / "data.parquet", tmp_path / "out.csv", rejects=tmp_path / "bad.csv"
        )
    only(tmp_path, "data.parquet")


def test_a_matrix_for_a_model_with_names(explainer: leafshap.TreeExplainer, tmp_path: Path) -> None:
    """As in memory: columns without names are taken in their order."""
    X = rows()
    np.save(tmp_path / "data.npy", np.column_stack([X, np.arange(N)]))
    years = {str(2010 + j): X[:, j] for j in range(6)}  # names, if strange ones
    pq.write_table(pa.table(years), tmp_path / "years.parquet")
    with pytest.raises(InvalidInputError, match="6 of the model's 6 columns are not in the data"):
        explain_files(explainer, tmp_path / "years.parquet", tmp_path / "out.parquet")
    with pytest.raises(InvalidInputError, match=r"6 features.* 7 columns.*the data have no names"):
        explain_files(explainer, tmp_path / "data.npy", tmp_path / "out.parquet")
    explain_files(
        explainer, tmp_path / "data.npy", tmp_path / "out.parquet", keys=["6"], values="columns"
    )
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.column_names == ["6", *(f"shap_{name}" for name in NAMES), "base_value"]
    values = np.column_stack([found[f"shap_{name}"] for name in NAMES])
    np.testing.assert_array_equal(values, explainer.shap_values(X))


def test_a_full_disk_is_told_with_its_place(
    explainer: leafshap.TreeExplainer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from leafshap.batch.sinks.arrow import ArrowSink

    def write(self: Any, batch: Any) -> None:
        raise OSError("Error writing bytes to file")

    monkeypatch.setattr(ArrowSink, "write", write)
    with pytest.raises(OSError, match="writing bytes") as caught:
        explain_files(explainer, written(tmp_path, "parquet"), tmp_path / "out.parquet")
    assert caught.value.__notes__ == [f"while writing {tmp_path / 'out.parquet.unfinished'}"]


def test_additivity_errors_name_file_and_rows(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)
    explainer = explainer_of_a_model_that_changed(X)
    np.save(tmp_path / "data.npy", X)
    with pytest.raises(AdditivityError, match=r"data\.npy, rows 0 to 299"):
        explain_files(explainer, tmp_path / "data.npy", tmp_path / "out.parquet")
    only(tmp_path, "data.npy")
