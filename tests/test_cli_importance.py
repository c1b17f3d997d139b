"""``leafshap importance``: the table is that of `compare_importances`."""

from __future__ import annotations

import csv
import json
import pickle
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import leafshap

pytest.importorskip("click")
pytest.importorskip("rich")
pytest.importorskip("pyarrow")

import pyarrow as pa
import pyarrow.parquet

from cli_cases import NAMES, Files, command, make_files, run
from leafshap.cli.data_files import Draw

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    made = make_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    return made


def printed_table(out: str) -> dict[str, list[str]]:
    """Cells by the row's first one."""
    lines = [re.split(r"\s{2,}", line.strip()) for line in out.split("\n\n")[0].splitlines()]
    return {line[0]: line[1:] for line in lines}


def read_csv(path: str) -> dict[str, dict[str, float]]:
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row.pop("feature"): {k: float(v) for k, v in row.items()} for row in rows}


def test_the_table(files: Files, capsys: Capture) -> None:
    run("importance model.npz data.parquet --target label --scoring roc_auc")
    printed = capsys.readouterr()
    table = printed_table(printed.out)
    labels = files.table.column("label").to_numpy()
    wanted = leafshap.compare_importances(
        files.model, files.X, labels, scoring="roc_auc", random_state=0
    )
    order = np.argsort(-wanted["mean_abs_phi"], kind="stable")
    assert list(table) == ["feature", *(NAMES[j] for j in order)]
    assert table["feature"][:4] == ["mean |phi|", "%", "permutation", "%"]
    shares = 100 * wanted["mean_abs_phi"] / wanted["mean_abs_phi"].sum()
    for j, name in enumerate(NAMES):
        cells = table[name]
        assert cells[0] == f"{wanted['mean_abs_phi'][j]:.4g}"
        assert cells[1] == f"{shares[j]:.1f}"
        assert cells[2].startswith(f"{wanted['permutation'][j]:.4g} ±")
        assert cells[-1] == f"{wanted['split'][j]:,.0f}"
    assert "measured on 700 rows\n" in printed.out
    assert "what roc_auc loses" in printed.out


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_table_files(suffix: str, files: Files, capsys: Capture) -> None:
    run(f"importance model.npz data.csv --target label --repeats 3 --seed 5 -o table.{suffix}")
    assert capsys.readouterr().out == ""
    found: dict[str, dict[str, float]]
    if suffix == "csv":
        found = read_csv("table.csv")
    else:
        records: list[dict[str, Any]] = (
            json.loads(Path("table.json").read_text(encoding="utf-8"))
            if suffix == "json"
            else pyarrow.parquet.read_table("table.parquet").to_pylist()
        )
        found = {record.pop("feature"): record for record in records}
    labels = files.table.column("label").to_numpy()
    wanted = leafshap.compare_importances(
        files.model, files.X, labels, scoring="neg_log_loss", n_repeats=3, random_state=5
    )
    assert sorted(found) == sorted(NAMES)
    for column in wanted:
        np.testing.assert_allclose(
            [found[name][column] for name in NAMES], wanted[column], rtol=1e-9, atol=1e-12
        )
    result = leafshap.permutation_importance(
        files.model, files.X, labels, scoring="neg_log_loss", n_repeats=3, random_state=5
    )
    np.testing.assert_allclose(
        [found[name]["permutation_std"] for name in NAMES], result.importances_std, rtol=1e-6
    )


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_pictures(suffix: str, files: Files) -> None:
    pytest.importorskip("matplotlib")
    run(f"importance model.npz data.parquet --target label -o picture.{suffix}")
    first = Path(f"picture.{suffix}").read_bytes()
    assert first.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix])
    run(f"importance model.npz data.parquet --target label -o picture.{suffix} --overwrite")
    assert Path(f"picture.{suffix}").read_bytes() == first
    run(f"importance model.npz data.parquet -o bare.{suffix} --top 2 --quiet")


def test_sorted_and_shortened(files: Files, capsys: Capture) -> None:
    run("importance model.npz data.parquet --sort name --top 3")
    printed = capsys.readouterr().out
    assert list(printed_table(printed))[1:] == sorted(NAMES)[:3]
    assert "2 more features" in printed
    run("importance model.npz data.parquet --sort split")
    splits = files.model.feature_importance("split")
    order = np.argsort(-splits, kind="stable")
    assert list(printed_table(capsys.readouterr().out))[1:] == [NAMES[j] for j in order]


def test_background(files: Files) -> None:
    run("importance model.npz data.parquet --background train.parquet -o table.csv")
    explainer = leafshap.TreeExplainer(files.model, files.matrix(files.train))
    wanted = np.abs(explainer.shap_values(files.X)).mean(axis=0)
    found = read_csv("table.csv")
    np.testing.assert_allclose([found[n]["mean_abs_phi"] for n in NAMES], wanted, rtol=1e-5)


def test_rows_are_drawn(files: Files, capsys: Capture) -> None:
    line = "importance model.npz data.parquet --rows 100 --overwrite -o"
    run(f"{line} a.csv")
    assert "100 of 700 rows, drawn at random (--rows, --seed 0)" in capsys.readouterr().err
    run(f"{line} b.csv")
    run(f"{line} c.csv --seed 1")
    run("importance model.npz parts --rows 100 -o d.csv")
    a, b, c, d = (Path(f"{name}.csv").read_bytes() for name in "abcd")
    assert a == b == d  # the same rows, however they are cut into files
    assert a != c


def test_a_draw_is_of_so_many_rows_each_as_likely_as_any_other() -> None:
    batch = pa.record_batch([np.arange(1000)], names=["x"])
    counts = np.zeros(1000)
    for seed in range(400):
        draw = Draw(50, seed)
        for start in range(0, 1000, 130):
            draw.add(batch.slice(start, 130))
        found = pa.Table.from_batches(draw.batches()).column("x").to_numpy()
        assert len(found) == 50
        assert (np.diff(found) > 0).all()
        counts[found] += 1
    assert abs(counts.mean() - 20) < 1e-9
    # binomial(400, 0.05): deviation 4.4; the halves of the stream are drawn alike
    assert counts.max() < 20 + 6 * 4.4
    assert abs(counts[:500].sum() - 10_000) < 6 * np.sqrt(400 * 50 * 0.25)


def test_an_estimator_has_its_own_score(files: Files, capsys: Capture) -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(np.nan_to_num(files.X), columns=NAMES)
    labels = np.where(files.table.column("label").to_numpy(), "yes", "no")
    forest = ensemble.RandomForestClassifier(10, random_state=0, n_jobs=1).fit(X, labels)
    Path("model.pkl").write_bytes(pickle.dumps(forest))
    table = pa.table({**{n: X[n].to_numpy() for n in NAMES}, "answer": labels})
    pyarrow.parquet.write_table(table, "answers.parquet")
    run("importance model.pkl answers.parquet --target answer -o t.csv", 1)
    assert "--trust-pickle" in capsys.readouterr().err
    run("importance model.pkl answers.parquet --target answer -o t.csv --trust-pickle")
    assert "what the estimator's own score loses" in capsys.readouterr().err
    result = leafshap.permutation_importance(forest, X, labels, random_state=0)
    found = read_csv("t.csv")
    np.testing.assert_allclose([found[n]["permutation"] for n in NAMES], result.importances_mean)
    run("importance model.pkl data.parquet --target label --trust-pickle", 1)
    assert "0 is no class of the model" in capsys.readouterr().err


def test_regression_is_scored_by_r2(files: Files, capsys: Capture) -> None:
    xgboost = pytest.importorskip("xgboost")
    y = np.nan_to_num(files.X[:, 0]).astype(np.float64)
    data = xgboost.DMatrix(files.X, y)
    booster = xgboost.train({"nthread": 1}, data, 10)
    booster.save_model("model.json")
    table = pa.table({**{f"x{j}": files.X[:, j] for j in range(5)}, "y": y})
    pyarrow.parquet.write_table(table, "numbers.parquet")
    run("importance model.json numbers.parquet --target y")
    printed = capsys.readouterr().out
    assert "what r2 loses" in printed
    result = leafshap.permutation_importance(
        booster, files.X.astype(np.float32), y, scoring="r2", random_state=0
    )
    cells = printed_table(printed)["x0"]
    assert cells[2].startswith(f"{result.importances_mean[0]:.4g} ±")
    gain = booster.get_score(importance_type="total_gain")["f0"]
    assert cells[4] == f"{gain:.4g}"


@pytest.mark.parametrize(
    ("line", "status", "told"),
    [
        ("model.npz", 2, "Missing argument 'DATA...'"),
        ("model.npz model.npz", 2, "MODEL comes first"),
        ("data.parquet train.parquet", 1, "MODEL comes first"),
        ("model.npz data.parquet --scoring r2", 2, "--scoring needs --target"),
        ("model.npz data.parquet --sort permutation", 2, "--sort permutation needs --target"),
        ("model.npz data.parquet --sort size", 2, "--sort"),
        ("model.npz data.parquet --rows 0", 2, "--rows"),
        ("model.npz data.parquet --repeats 0 --target label", 2, "--repeats"),
        ("model.npz data.parquet --target nix", 1, "no column 'nix'"),
        ("model.npz data.parquet --target region", 1, "no numbers"),
        ("model.npz data.parquet --target id", 1, "2 is no class of the model"),
        ("model.npz data.parquet --target label --scoring beauty", 1, "beauty"),
        ("model.npz data.parquet -o t.txt", 1, "suffix"),
        ("model.npz data.parquet -o absent/t.csv", 1, "no folder absent"),
        ("model.npz data.parquet -o data.csv", 1, "--overwrite replaces it"),
        ("model.npz absent.parquet", 1, "absent.parquet"),
        ("absent.npz data.parquet", 1, "absent.npz"),
    ],
)
def test_what_goes_wrong(line: str, status: int, told: str, files: Files, capsys: Capture) -> None:
    before = sorted(files.folder.rglob("*"))
    run(f"importance {line} --quiet", status)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert told in printed.err
    assert "Traceback" not in printed.err
    if status == 1:
        assert printed.err.startswith("error: ")
        assert printed.err.count("\n") == 1
    assert sorted(files.folder.rglob("*")) == before


def test_missing_labels_and_no_rows(files: Files, capsys: Capture) -> None:
    at = files.table.column_names.index("label")
    labels = pa.array([None, 1, *[0] * 698], pa.int64())
    pyarrow.parquet.write_table(files.table.set_column(at, "label", labels), "gaps.parquet")
    run("importance model.npz gaps.parquet --target label", 1)
    assert "1 labels are missing" in capsys.readouterr().err
    pyarrow.parquet.write_table(files.table.slice(0, 0), "empty.parquet")
    run("importance model.npz empty.parquet", 1)
    assert "no rows" in capsys.readouterr().err


def test_classes_by_their_names(files: Files, capsys: Capture) -> None:
    """A model file that stores them takes labels of text."""
    ensemble = pytest.importorskip("sklearn.ensemble")
    X = np.nan_to_num(files.X)
    labels = np.arange(len(X)) % 3
    names = np.array(["setosa", "versicolor", "virginica"])
    forest = ensemble.RandomForestClassifier(5, random_state=0, n_jobs=1).fit(X, names[labels])
    leafshap.TreeEnsemble.from_model(forest).save("forest.npz")
    columns = {f"f{j}": X[:, j] for j in range(X.shape[1])}
    for name, told in (("text", names[labels]), ("codes", labels)):
        pyarrow.parquet.write_table(pa.table({**columns, "y": told}), f"{name}.parquet")
        run(f"importance forest.npz {name}.parquet --target y --sort permutation -o {name}.csv")
    assert Path("text.csv").read_bytes() == Path("codes.csv").read_bytes()
    assert max(row["permutation"] for row in read_csv("text.csv").values()) > 0
    # names that are numbers are names
    forest = ensemble.RandomForestClassifier(5, random_state=0, n_jobs=1).fit(X, labels + 1)
    leafshap.TreeEnsemble.from_model(forest).save("forest.npz")
    columns = {f"f{j}": X[:, j] for j in range(X.shape[1])}
    pyarrow.parquet.write_table(pa.table({**columns, "y": labels + 1}), "one.parquet")
    run("importance forest.npz one.parquet --target y --sort permutation -o one.csv")
    assert Path("one.csv").read_bytes() == Path("text.csv").read_bytes()
    decimals = pa.table({**columns, "y": labels + 1.0})
    pyarrow.parquet.write_table(decimals, "decimals.parquet")
    run("importance forest.npz decimals.parquet --target y --sort permutation -o decimals.csv")
    assert Path("decimals.csv").read_bytes() == Path("text.csv").read_bytes()
    run("importance forest.npz codes.parquet --target y", 1)
    assert "'0' is no class of the model, which knows '1', '2', '3'" in capsys.readouterr().err


def test_true_and_false_are_classes(files: Files) -> None:
    at = files.table.column_names.index("label")
    labels = files.table.column("label").cast(pa.bool_())
    pyarrow.parquet.write_table(files.table.set_column(at, "label", labels), "bool.parquet")
    run("importance model.npz bool.parquet --target label -o a.csv")
    run("importance model.npz data.parquet --target label -o b.csv")
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()


def test_without_matplotlib(files: Files, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    run("importance model.npz data.parquet -o picture.png", 1)
    assert 'pip install "leafshap[plots]"' in capsys.readouterr().err
    assert not Path("picture.png").exists()


def test_in_a_process(files: Files) -> None:
    done = command("importance", "model.npz", "data.parquet", "--quiet", cwd=files.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(printed_table(done.stdout)) == {"feature", *NAMES}


@pytest.mark.parametrize(
    "line",
    [
        "data.csv -o data.csv",
        "data.csv -o parts/../data.csv",
        "'parts/*.parquet' -o parts/1.parquet",
        "parts -o link/parts/0.parquet",
        "data.csv --background train.parquet -o train.parquet",
    ],
)
def test_nothing_that_is_read_is_replaced(line: str, files: Files, capsys: Capture) -> None:
    Path("link").symlink_to(files.folder)
    before = {path: path.read_bytes() for path in files.folder.rglob("*.*") if path.is_file()}
    run(f"importance model.npz {line} --overwrite", 1)
    assert "would replace what is read" in capsys.readouterr().err
    assert {p: p.read_bytes() for p in files.folder.rglob("*.*") if p.is_file()} == before


def test_options_that_would_be_ignored(files: Files, capsys: Capture) -> None:
    run("importance model.npz data.csv --background-rows 5", 2)
    assert "--background-rows goes with --background" in capsys.readouterr().err
    run("importance model.npz data.csv -o -", 2)
    assert "not to stdout" in capsys.readouterr().err


def test_categories_of_text_are_read_as_text(tmp_path: Path) -> None:
    from leafshap.cli.data_files import read_rows
    from leafshap.inputs import InputSchema

    path = tmp_path / "a.csv"
    path.write_text("zone,month,x,y\n00,1,5,0\n01,2,6,1\n00,,7,0\n")
    schema = InputSchema(
        n_features=3,
        feature_names=["zone", "x", "month"],
        feature_categories={0: ["00", "01"], 2: [1, 2, 3]},
    )
    rows = read_rows([str(path)], schema, others=["y"])
    assert rows.features.to_pydict() == {
        "zone": ["00", "01", "00"],
        "x": [5, 6, 7],
        "month": [1, 2, None],
    }
