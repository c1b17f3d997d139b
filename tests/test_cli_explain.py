"""``leafshap explain``: what is in its files is what the explainer gives in memory."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import leafshap

pytest.importorskip("click")
pytest.importorskip("rich")
pytest.importorskip("pyarrow")

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from cli_cases import NAMES, Files, lists, make_files, run, unfinished

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    made = make_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    return made


def test_parquet_to_parquet(files: Files, capsys: Capture) -> None:
    run("explain model.npz data.parquet -o values.parquet --key id --key region --prediction")
    table = pyarrow.parquet.read_table("values.parquet")
    assert table.column_names == ["id", "region", "shap_values", "base_value", "prediction"]
    explainer = leafshap.TreeExplainer(files.model, dtype="float32")
    values = lists(table)
    assert table.schema.field("shap_values").type.value_type == pa.float32()
    np.testing.assert_array_equal(values, explainer.shap_values(files.X.astype(np.float32)))
    assert table.column("id").equals(files.table.column("id"))
    assert table.column("region").equals(files.table.column("region"))
    np.testing.assert_allclose(
        table.column("prediction").to_numpy(), files.model.predict(files.X), rtol=1e-4, atol=1e-4
    )
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "700 rows" in printed.err
    assert "written: values.parquet" in printed.err
    assert not unfinished(files.folder)


@pytest.mark.parametrize("source", ["data.csv", "parts", "parts/", "'parts/*.parquet'",
                                    "parts/0.parquet parts/1.parquet parts/2.parquet"])  # fmt: skip
def test_every_source(source: str, files: Files) -> None:
    run(f"explain model.npz {source} -o values.parquet --key id --dtype float64 --quiet")
    table = pyarrow.parquet.read_table("values.parquet")
    values = leafshap.TreeExplainer(files.model).shap_values(files.X)
    np.testing.assert_array_equal(table.column("id").to_numpy(), np.arange(700))
    np.testing.assert_allclose(lists(table), values, rtol=1e-12, atol=1e-12)


def test_every_target(files: Files) -> None:
    values = leafshap.TreeExplainer(files.model).shap_values(files.X)
    common = "explain model.npz data.parquet --dtype float64 --key id"
    run(f"{common} -o values.csv")
    table = pyarrow.csv.read_csv("values.csv")
    assert table.column_names == ["id", *(f"shap_{name}" for name in NAMES), "base_value"]
    columns = [table.column(f"shap_{name}").to_numpy() for name in NAMES]
    np.testing.assert_array_equal(np.column_stack(columns), values)
    run(f"{common} -o values.npz")
    with np.load("values.npz", allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["shap_values"], values)
        np.testing.assert_array_equal(archive["id"], np.arange(700))
    run(f"{common} -o values.arrow")
    with pa.ipc.open_file("values.arrow") as reader:
        np.testing.assert_array_equal(lists(reader.read_all()), values)
    run(f"{common} -o values/ --values columns")
    table = pyarrow.parquet.read_table("values")
    columns = [table.column(f"shap_{name}").to_numpy() for name in NAMES]
    np.testing.assert_array_equal(np.column_stack(columns), values)
    run(f"{common} -o strange.name --output-format csv")
    assert Path("strange.name").read_bytes() == Path("values.csv").read_bytes()


def test_background_and_outputs(files: Files) -> None:
    background = files.matrix(files.train).astype(np.float32)
    X = files.X.astype(np.float32)
    for output in ("raw", "probability"):
        explainer = leafshap.TreeExplainer(
            files.model, background, model_output=output, dtype="float64"
        )
        run(
            f"explain model.npz data.parquet -o {output}.parquet --background train.parquet "
            f"--model-output {output} --dtype float64 --prediction"
        )
        table = pyarrow.parquet.read_table(f"{output}.parquet")
        np.testing.assert_allclose(lists(table), explainer.shap_values(X), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(
            table.column("base_value").to_numpy(), explainer.expected_value, rtol=1e-12
        )
    run(
        "explain model.npz data.parquet -o loss.parquet --background train.parquet "
        "--model-output log_loss --label label --dtype float64"
    )
    explainer = leafshap.TreeExplainer(files.model, background, model_output="log_loss")
    found = lists(pyarrow.parquet.read_table("loss.parquet"))
    labels = files.table.column("label").to_numpy()
    np.testing.assert_allclose(found, explainer.shap_values(X, labels), rtol=1e-9, atol=1e-12)


def test_background_rows_are_drawn(files: Files) -> None:
    line = (
        "explain model.npz data.parquet --background train.parquet --background-rows 40 "
        "--dtype float64 -o"
    )
    run(f"{line} a.parquet")
    run(f"{line} b.parquet")
    run(f"{line} c.parquet --seed 1")
    a, b, c = (lists(pyarrow.parquet.read_table(f"{name}.parquet")) for name in "abc")
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)
    run(f"{line} d.parquet --background-rows 150")
    whole = leafshap.TreeExplainer(files.model, files.matrix(files.train).astype(np.float32))
    np.testing.assert_allclose(
        lists(pyarrow.parquet.read_table("d.parquet")), whole.shap_values(files.X), atol=1e-9
    )


def test_interactions_and_top(files: Files) -> None:
    explainer = leafshap.TreeExplainer(files.model)
    run("explain model.npz data.parquet -o i.parquet --interactions --dtype float64")
    found = lists(pyarrow.parquet.read_table("i.parquet"), "shap_interaction_values")
    wanted = explainer.shap_interaction_values(files.X)
    np.testing.assert_allclose(found.reshape(wanted.shape), wanted, rtol=1e-12, atol=1e-12)
    run("explain model.npz data.parquet -o t.parquet --values none --top-k 2 --dtype float64")
    table = pyarrow.parquet.read_table("t.parquet")
    values: Any = explainer.shap_values(files.X)
    order = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :2]
    np.testing.assert_array_equal(lists(table, "top_features"), np.array(NAMES)[order])
    np.testing.assert_allclose(
        lists(table, "top_values"), values[np.arange(len(values))[:, np.newaxis], order], rtol=1e-12
    )


def test_aggregates_to_a_file(files: Files, capsys: Capture) -> None:
    values: Any = leafshap.TreeExplainer(files.model).shap_values(files.X)
    run("explain model.npz data.parquet --aggregate means.csv --dtype float64")
    table = pyarrow.csv.read_csv("means.csv")
    by_name = dict(zip(table.column("feature").to_pylist(), range(len(NAMES)), strict=True))
    mean_abs = table.column("mean_abs").to_numpy()[[by_name[name] for name in NAMES]]
    np.testing.assert_allclose(mean_abs, np.abs(values).mean(axis=0), rtol=1e-9)
    assert capsys.readouterr().out == ""
    run("explain model.npz data.parquet --aggregate more.parquet --dtype float64 --histograms")
    table = pyarrow.parquet.read_table("more.parquet")
    np.testing.assert_allclose(
        table.column("median").to_numpy(),
        np.quantile(values, 0.5, axis=0, method="inverted_cdf"),
        rtol=1 / 64,
    )
    run(
        "explain model.npz data.parquet --aggregate means.parquet -o values.parquet "
        "--group-by region"
    )
    assert pyarrow.parquet.read_table("values.parquet").num_rows == 700
    by_group = pyarrow.parquet.read_table("means.parquet")
    assert by_group.num_rows == 2 * len(NAMES)
    run("explain model.npz data.parquet --aggregate pairs.parquet --interactions --dtype float64")
    pairs = pyarrow.parquet.read_table("pairs.parquet")
    wanted = leafshap.TreeExplainer(files.model).mean_abs_interactions(files.X)
    assert pairs.column_names == ["feature", "partner", "n_rows", "mean_abs"]
    named = zip(pairs["feature"].to_pylist(), pairs["partner"].to_pylist(), strict=True)
    assert list(named) == wanted.names
    np.testing.assert_allclose(pairs["mean_abs"].to_numpy(), wanted.mean_abs, rtol=1e-12)
    assert set(pairs["n_rows"].to_pylist()) == {700}
    assert not unfinished(files.folder)


def test_aggregates_on_the_terminal(files: Files, capsys: Capture) -> None:
    run(
        "explain model.npz data.parquet --aggregate --group-by region --histograms --interactions "
        "--dtype float64 --quiet"
    )
    printed = capsys.readouterr()
    assert printed.err == ""
    assert sorted(path.name for path in files.folder.iterdir()) == [
        "data.csv", "data.parquet", "model.npz", "parts", "train.parquet"
    ]  # fmt: skip
    lines = [re.split(r"\s{2,}", line.strip()) for line in printed.out.splitlines()]
    values = leafshap.TreeExplainer(files.model).shap_values(files.X)
    mean_abs = np.abs(values).mean(axis=0)
    order = np.argsort(-mean_abs)
    assert lines[0][:3] == ["feature", "mean |phi|", "mean phi"]
    assert [line[0] for line in lines[1:6]] == [NAMES[j] for j in order]
    assert [line[1] for line in lines[1:6]] == [f"{mean_abs[j]:.4g}" for j in order]
    assert [line[2] for line in lines[1:6]] == [f"{values.mean(axis=0)[j]:.4g}" for j in order]
    region = np.array(files.table.column("region").to_pylist())
    (north,) = [line for line in lines if line[0] == "north"]
    assert north[1] == f"{(region == 'north').sum():,}"
    assert north[2] == f"{np.abs(values[region == 'north', order[0]]).mean():.4g}"
    strongest = leafshap.TreeExplainer(files.model).mean_abs_interactions(files.X)
    assert " x ".join(strongest.names[0]) in printed.out


def test_a_sample(files: Files) -> None:
    run("explain model.npz data.parquet -o half.parquet --sample 50% --key id --dtype float64")
    table = pyarrow.parquet.read_table("half.parquet")
    ids = table.column("id").to_numpy()
    assert 250 < len(ids) < 450
    values = leafshap.TreeExplainer(files.model).shap_values(files.X)
    np.testing.assert_allclose(lists(table), values[ids], rtol=1e-12, atol=1e-12)


def test_a_model_without_names(files: Files, capsys: Capture) -> None:
    arrays = files.model.to_arrays()
    arrays.feature_names = None
    leafshap.TreeEnsemble(arrays).save("nameless.npz")
    run("explain nameless.npz data.parquet -o v.parquet", 1)
    assert "--features" in capsys.readouterr().err
    names = shlex.quote(",".join(NAMES))
    run(
        f"explain nameless.npz data.parquet -o v.parquet --features {names} "
        "--background train.parquet"
    )
    explainer = leafshap.TreeExplainer(
        files.model, files.matrix(files.train).astype(np.float32), dtype="float32"
    )
    np.testing.assert_allclose(
        lists(pyarrow.parquet.read_table("v.parquet")),
        explainer.shap_values(files.X.astype(np.float32)),
        rtol=1e-5,
        atol=1e-6,
    )
    few = pyarrow.parquet.read_table("data.parquet", columns=["id", *NAMES])
    pyarrow.parquet.write_table(few, "few.parquet")
    run("explain nameless.npz few.parquet --aggregate means.csv --key id")  # it is no feature
    run(f"explain model.npz data.parquet -o w.parquet --features {names}", 1)
    assert "knows the names" in capsys.readouterr().err
    run("explain nameless.npz data.parquet -o w.parquet --features a,b", 1)
    assert "2 names, but the model has 5" in capsys.readouterr().err


def test_features_with_commas_are_quoted(files: Files) -> None:
    arrays = files.model.to_arrays()
    arrays.feature_names = None
    leafshap.TreeEnsemble(arrays).save("nameless.npz")
    names = ["x,y", 'say "z"', *NAMES[2:]]
    renamed = dict(zip(NAMES, names, strict=True))
    table = files.table.rename_columns([renamed.get(n, n) for n in files.table.column_names])
    pyarrow.parquet.write_table(table, "commas.parquet")
    given = shlex.quote(f'"x,y", say "z",{",".join(NAMES[2:])}')
    run(f"explain nameless.npz commas.parquet -o v.parquet --features {given}")
    run("explain model.npz data.parquet -o w.parquet")
    assert lists(pyarrow.parquet.read_table("v.parquet")).tolist() == (
        lists(pyarrow.parquet.read_table("w.parquet")).tolist()
    )


def test_xgboost_and_lightgbm_files(files: Files) -> None:
    labels = files.table.column("label").to_numpy()
    plain = ["age", "income", "b", "c", "d"]
    table = files.table.rename_columns(
        [plain[NAMES.index(n)] if n in NAMES else n for n in files.table.column_names]
    )
    pyarrow.parquet.write_table(table, "plain.parquet")
    X = files.X.astype(np.float32)
    for library in ("xgboost", "lightgbm"):
        module = pytest.importorskip(library)
        if library == "xgboost":
            data = module.DMatrix(X, labels, feature_names=plain)
            model = module.train({"objective": "binary:logistic", "nthread": 1}, data, 10)
            name = "model.json"
            own = model.predict(data, pred_contribs=True)
        else:
            data = module.Dataset(X, labels, feature_name=plain)
            model = module.train(
                {"objective": "binary", "verbosity": -1, "num_threads": 1}, data, 10
            )
            name = "model.txt"
            own = model.predict(X, pred_contrib=True)
        model.save_model(name)
        run(f"explain {name} plain.parquet -o {library}.parquet")
        found = pyarrow.parquet.read_table(f"{library}.parquet")
        np.testing.assert_allclose(lists(found), own[:, :-1], rtol=1e-3, atol=1e-4)
        explainer = leafshap.TreeExplainer(model, dtype="float32")
        np.testing.assert_array_equal(lists(found), explainer.shap_values(X))
