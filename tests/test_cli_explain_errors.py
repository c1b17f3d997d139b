"""``leafshap explain``: errors that say what is wrong, and leave nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import leafshap

pytest.importorskip("click")
pytest.importorskip("rich")
pytest.importorskip("pyarrow")

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from cli_cases import Files, make_files, run, unfinished

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    made = make_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    return made


@pytest.mark.parametrize(
    ("line", "status", "told"),
    [
        ("", 2, "Missing argument 'MODEL'"),
        ("model.npz", 2, "Missing argument 'DATA...'"),
        ("model.npz --aggregate data.parquet", 2, "--aggregate took 'data.parquet'"),
        ("model.npz data.parquet", 2, "--out FILE, or --aggregate"),
        ("model.npz data.parquet -o v.parquet --group-by region", 2, "goes with --aggregate"),
        ("model.npz data.parquet -o v.parquet --histograms", 2, "goes with --aggregate"),
        ("model.npz data.parquet --aggregate m.csv --histograms --group-by region", 2, "one table"),
        ("model.npz data.parquet --aggregate m.csv --interactions --histograms", 2, "one table"),
        ("model.npz data.parquet -o v.parquet --model-output predict", 2, "needs --background"),
        ("model.npz data.parquet -o v.parquet --label label", 2, "go together"),
        ("model.npz data.parquet -o v.parquet --resume --overwrite", 2, "exclude each other"),
        ("model.npz data.parquet -o v.parquet --memory much", 2, "'much' is no size"),
        ("model.npz data.parquet -o v.parquet --memory 12k", 2, "too small"),
        ("model.npz data.parquet -o v.parquet --memory -5", 2, "no size"),
        ("model.npz data.parquet -o v.parquet --sample 0", 2, "no share"),
        ("model.npz data.parquet -o v.parquet --sample 101%", 2, "no share"),
        ("model.npz data.parquet -o v.parquet --sample nan", 2, "no share"),
        ("model.npz data.parquet -o v.parquet --jobs 0", 2, "neither a positive number"),
        ("model.npz data.parquet -o v.parquet --jobs -3", 2, "neither a positive number"),
        ("model.npz data.parquet -o v.parquet --top-k -1", 2, "--top-k"),
        ("model.npz data.parquet -o v.parquet --dtype float16", 2, "--dtype"),
        ("model.npz data.parquet -o v.parquet --features a,,b", 2, "no name"),
        ("model.npz data.parquet -o v.parquet --features a,a", 2, "there twice"),
        ("model.npz data.parquet -o v.parquet --features 'a,\"b'", 2, "no list of names"),
        ("model.npz data.parquet -o v.parquet --features ''", 2, "no name"),
        ("model.npz data.parquet -o -", 2, "not to stdout"),
        ("model.npz data.parquet -o v.parquet --rejects -", 2, "not to stdout"),
        ("model.npz data.parquet -o v.parquet --background-rows 9", 2, "goes with --background"),
        ("model.npz data.parquet --aggregate --values list", 2, "--values goes with --out"),
        ("model.npz data.parquet --aggregate --top-k 2", 2, "--top-k goes with --out"),
        ("model.npz data.parquet --aggregate --prediction", 2, "--prediction goes with --out"),
        ("model.npz data.parquet --aggregate --key id", 2, "--key goes with --out"),
        ("model.npz data.parquet --aggregate --output-format csv", 2, "--output-format goes with"),
        ("data.parquet model.npz -o v.parquet", 2, "MODEL comes first"),
        ("data.parquet train.parquet -o v.parquet", 1, "MODEL comes first"),
        ("absent.json data.parquet -o v.parquet", 1, "absent.json"),
        ("model.npz absent.parquet -o v.parquet", 1, "absent.parquet"),
        ("model.npz 'none/*.parquet' -o v.parquet", 1, "none/*.parquet"),
        ("model.npz data.parquet data.csv -o v.parquet", 1, "data."),
        ("model.npz data.parquet -o v.txt", 1, "v.txt"),
        ("model.npz data.parquet -o absent/v.parquet", 1, "absent"),
        ("model.npz data.parquet -o data.parquet", 1, "data.parquet"),
        ("model.npz data.parquet -o train.parquet", 1, "--overwrite"),
        ("model.npz data.parquet --aggregate train.parquet", 1, "--overwrite"),
        ("model.npz data.parquet --aggregate means.txt", 1, "means.txt"),
        ("model.npz data.parquet -o v.parquet --key nix", 1, "'nix'"),
        ("model.npz data.parquet --aggregate --group-by nix", 1, "'nix'"),
        ("model.npz data.parquet -o v.parquet --background parts/nix.parquet", 1, "nix.parquet"),
        ("model.npz data.parquet -o v.parquet --background model.npz", 2, "looks like a model"),
        ("model.npz data.csv -o v.parquet --input-format parquet", 1, "data.csv"),
    ],
)
def test_what_goes_wrong(line: str, status: int, told: str, files: Files, capsys: Capture) -> None:
    before = sorted(files.folder.rglob("*"))
    run(f"explain {line} --quiet", status)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert told in printed.err
    assert "Traceback" not in printed.err
    if status == 1:
        assert printed.err.startswith("error: ")
        assert printed.err.count("\n") == 1
    assert sorted(files.folder.rglob("*")) == before


@pytest.mark.parametrize(
    "line",
    [
        "-o model.npz --output-format parquet",
        "-o ./parts/../model.npz",
        "-o link/model.npz",
        "-o v.parquet --rejects model.npz",
        "-o train.parquet --background train.parquet",
        "-o link/train.parquet --background train.parquet",
        "-o train.parquet --background 'tr*.parquet'",
        "-o parts --background parts",
        "-o parts/1.parquet --background parts",
        "-o v.parquet --rejects train.parquet --background train.parquet",
        "--aggregate train.parquet --background train.parquet",
        "-o link/data.parquet",
        "-o models",
        "-o link/models/",
        "--aggregate data.parquet",
    ],
)
def test_nothing_that_is_read_is_replaced(line: str, files: Files, capsys: Capture) -> None:
    Path("link").symlink_to(files.folder)
    Path("models").mkdir()
    files.model.save("models/m.npz")
    before = {path: path.read_bytes() for path in files.folder.rglob("*.*") if path.is_file()}
    model = "models/m.npz" if "models" in line else "model.npz"
    run(f"explain {model} data.parquet {line} --overwrite", 1)
    assert "would replace what is read" in capsys.readouterr().err
    assert {p: p.read_bytes() for p in files.folder.rglob("*.*") if p.is_file()} == before


def test_no_good_row_is_an_error(files: Files, capsys: Capture) -> None:
    lines = Path("data.csv").read_text().splitlines()
    cells = [line.split(",") for line in lines]
    bad = [[*row[:1], "x", *row[2:]] for row in cells[1:]]
    Path("bad.csv").write_text("\n".join(map(",".join, [cells[0], *bad])) + "\n")
    run("explain model.npz bad.csv -o v.parquet --rejects rejects.csv", 1)
    error = capsys.readouterr().err
    assert error.endswith(
        "error: no row could be explained: rejects.csv says what is wrong with them\n"
    )
    assert pyarrow.csv.read_csv("rejects.csv").num_rows == 700
    run("explain model.npz bad.csv --aggregate --rejects r.csv --quiet", 1)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: no row could be explained: r.csv")
    run("explain model.npz bad.csv data.csv -o w.parquet --rejects w.csv")
    pyarrow.csv.write_csv(files.table.slice(0, 0), "none.csv")
    run("explain model.npz none.csv -o none.parquet --rejects n.csv")  # no rows, no bad ones


def test_an_index_of_pandas_is_no_column(files: Files, capsys: Capture) -> None:
    pandas = pytest.importorskip("pandas")
    frame = files.table.drop(["id"]).to_pandas()
    frame.index = pandas.RangeIndex(len(frame), name="id")
    frame.to_parquet("indexed.parquet")
    run("explain model.npz indexed.parquet -o v.parquet --key id", 1)
    error = capsys.readouterr().err
    assert "there is no column 'id'" in error
    assert "'id' is the index of a DataFrame" in error
    run("explain model.npz indexed.parquet -o v.parquet --key nix", 1)
    assert "DataFrame" not in capsys.readouterr().err
    frame.reset_index().to_parquet("reset.parquet")
    run("explain model.npz reset.parquet -o v.parquet --key id")


def test_columns_that_are_absent_or_wrong(files: Files, capsys: Capture) -> None:
    pyarrow.parquet.write_table(files.table.drop(["age"]), "less.parquet")
    run("explain model.npz less.parquet -o v.parquet", 1)
    assert "'age'" in capsys.readouterr().err
    text = pa.array(["old"] * 700)
    wrong = files.table.drop(["age"]).append_column("age", text)
    pyarrow.parquet.write_table(wrong, "text.parquet")
    run("explain model.npz text.parquet -o v.parquet", 1)
    assert "age" in capsys.readouterr().err
    assert not unfinished(files.folder)


def test_no_cover(files: Files, capsys: Capture) -> None:
    arrays = files.model.to_arrays()
    arrays.cover = None
    leafshap.TreeEnsemble(arrays).save("bare.npz")
    run("explain bare.npz data.parquet -o v.parquet", 1)
    assert "give --background" in capsys.readouterr().err
    run("explain bare.npz data.parquet -o v.parquet --background train.parquet")


def test_bad_rows(files: Files, capsys: Capture) -> None:
    arrays = files.model.to_arrays()
    arrays.allow_inf = False
    leafshap.TreeEnsemble(arrays).save("strict.npz")
    column = files.table.column("age").to_numpy().copy()
    column[[3, 555]] = np.inf
    table = files.table.set_column(files.table.column_names.index("age"), "age", pa.array(column))
    pyarrow.parquet.write_table(table, "inf.parquet")
    run("explain strict.npz inf.parquet -o v.parquet", 1)
    error = capsys.readouterr().err
    assert "inf.parquet, row 3" in error
    assert not unfinished(files.folder)
    run("explain strict.npz inf.parquet -o v.parquet --rejects bad_rows.csv --key id")
    assert "2 bad rows or files: bad_rows.csv" in capsys.readouterr().err
    kept = pyarrow.parquet.read_table("v.parquet").column("id").to_numpy()
    np.testing.assert_array_equal(kept, np.delete(np.arange(700), [3, 555]))
    assert pyarrow.csv.read_csv("bad_rows.csv").column("row").to_pylist() == [3, 555]


def test_overwrite(files: Files) -> None:
    run("explain model.npz data.parquet -o v.parquet")
    first = Path("v.parquet").read_bytes()
    run("explain model.npz data.parquet -o v.parquet", 1)
    run("explain model.npz data.parquet -o v.parquet --overwrite")
    assert Path("v.parquet").read_bytes() == first


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="may write anywhere")
def test_unwritable_folder(files: Files, capsys: Capture) -> None:
    Path("locked").mkdir(mode=0o500)
    run("explain model.npz data.parquet -o locked/v.parquet", 1)
    assert "Permission denied" in capsys.readouterr().err


def test_a_file_where_the_folder_should_be(files: Files, capsys: Capture) -> None:
    run("explain model.npz data.parquet -o model.npz/v.parquet", 1)
    assert capsys.readouterr().err.count("\n") == 1


def test_without_pyarrow(files: Files) -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from leafshap import cli\n"
        "sys.exit(cli.run(['explain', 'model.npz', 'data.parquet', '-o', 'v.parquet']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1
    assert 'pip install "leafshap[cli]"' in done.stderr
    assert done.stderr.count("\n") == 1
