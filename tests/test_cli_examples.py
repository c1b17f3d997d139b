"""The examples of the help texts and of docs/command_line.md, run one after another."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

pytest.importorskip("click")
pytest.importorskip("rich")
pytest.importorskip("pyarrow")

import click
import pyarrow.csv
import pyarrow.parquet

from cli_cases import NAMES, Files, make_files
from leafshap import cli

PAGE = Path(__file__).resolve().parent.parent / "docs" / "command_line.md"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    """What the examples name: model.json (XGBoost), data.parquet, data/, parts/, train.parquet."""
    xgboost = pytest.importorskip("xgboost")
    made = make_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    plain = list("abcde")
    data = xgboost.DMatrix(made.X, made.table.column("label").to_numpy(), feature_names=plain)
    model = xgboost.train({"objective": "binary:logistic", "nthread": 1}, data, 3)
    model.save_model("model.json")
    names = [dict(zip(NAMES, plain, strict=True)).get(n, n) for n in made.table.column_names]
    for path in ["data.parquet", "train.parquet", *map(str, Path("parts").iterdir())]:
        table = pyarrow.parquet.read_table(path).rename_columns(names)
        pyarrow.parquet.write_table(table, path)
    pyarrow.csv.write_csv(made.table.rename_columns(names), "data.csv")
    Path("data").mkdir()
    for path in map(str, Path("parts").iterdir()):
        pyarrow.parquet.write_table(pyarrow.parquet.read_table(path), f"data/{Path(path).name}")
    return made


def run_all(lines: list[str]) -> None:
    for line in lines:
        _, name, *arguments = shlex.split(line)
        again = [] if name == "info" else ["--overwrite"]  # two examples may write one file
        assert cli.run([name, *arguments, *again]) == 0, line


@pytest.mark.parametrize(
    ("name", "least"), [("", 3), ("explain", 4), ("importance", 4), ("info", 2)]
)
def test_examples_of_the_help(name: str, least: int, files: Files) -> None:
    command = cli.app.commands[name] if name else cli.app
    text = command.get_help(click.Context(command))
    lines = re.findall(r"^ +(leafshap .*)$", text, flags=re.MULTILINE)
    assert len(lines) >= least
    if any(".png" in line for line in lines):
        pytest.importorskip("matplotlib")
    run_all(lines)


def test_examples_of_the_page(files: Files) -> None:
    pytest.importorskip("matplotlib")
    blocks = re.findall(r"^```\n(leafshap .*?)^```$", PAGE.read_text(), flags=re.M | re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) >= 10
    run_all(lines)
