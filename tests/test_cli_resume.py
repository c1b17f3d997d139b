"""``leafshap explain``, stopped and resumed; and as a process."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import leafshap

pytest.importorskip("click")
pytest.importorskip("rich")
pytest.importorskip("pyarrow")

import pyarrow.csv
import pyarrow.parquet

from cli_cases import Files, command, lists, make_files, run, unfinished
from leafshap import cli

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    made = make_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    return made


def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    from leafshap.batch import Scorer, files

    monkeypatch.setattr(files, "_PART_ROWS", 200)
    monkeypatch.setattr(Scorer, "block_rows", lambda *arguments: 100)


def wait_for_a_part() -> None:
    """Wait until the writer, who is some batches behind, has finished a part."""
    until = time.monotonic() + 60
    while not list(Path().glob("*.unfinished/part-00000.json")):
        assert time.monotonic() < until
        time.sleep(0.01)


def stop_after(rows: int, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let progress raise an error, as Ctrl-C or a full disk would somewhere."""
    from leafshap.cli.progress import RowProgress

    class Stopping(RowProgress):
        def __call__(self, done: int, total: int | None) -> None:
            super().__call__(done, total)
            if done >= rows:
                wait_for_a_part()
                raise error

    module = sys.modules["leafshap.cli.explain"]
    monkeypatch.setattr(module, "row_progress", lambda *args, **kinds: Stopping())


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(28, "No space left on device"), 1, "error: [Errno 28] No space left on device"),
        (MemoryError(), 1, "error: out of memory"),
    ],
)
def test_stopped_and_resumed(
    error: BaseException, status: int, told: str, files: Files, capsys: Capture
) -> None:
    line = "explain model.npz data.parquet -o 'my values.parquet' --key id"
    with pytest.MonkeyPatch.context() as patch:
        in_parts(patch)
        run(f"{line} --quiet")
        undisturbed = Path("my values.parquet").read_bytes()
        Path("my values.parquet").unlink()
        with pytest.MonkeyPatch.context() as stop:
            stop_after(500, error, stop)
            run(f"{line} --overwrite", status)
        printed = capsys.readouterr().err.strip().splitlines()
        assert printed[0] == told
        notes = ["while writing my values.parquet.unfinished"] * isinstance(error, OSError)
        assert printed[1 : 1 + len(notes)] == notes
        assert "rows are done" in printed[1 + len(notes)]
        assert not Path("my values.parquet").exists()
        assert unfinished(files.folder)
        run(line, 1)  # not begun anew unasked
        assert "--resume" in capsys.readouterr().err
        name, *arguments = shlex.split(printed[-1])  # the command that the message names
        assert name == "leafshap"
        assert arguments == [*shlex.split(line), "--resume"]
        assert cli.run(arguments) == 0
        assert "were done before" in capsys.readouterr().err
    assert Path("my values.parquet").read_bytes() == undisturbed
    assert not unfinished(files.folder)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to send")
def test_ctrl_c_in_a_process(files: Files) -> None:
    code = (
        "import os, pathlib, signal, sys, time\n"
        "from leafshap import cli\n"
        "from leafshap.batch import Scorer, files\n"
        "from leafshap.cli.progress import Lines\n"
        "files._PART_ROWS = 200\n"
        "Scorer.block_rows = lambda *arguments: 100\n"
        "tell = Lines.__call__\n"
        "def call(self, done, total):\n"
        "    tell(self, done, total)\n"
        "    if done == 500:\n"
        "        while not list(pathlib.Path().glob('*.unfinished/part-00000.json')):\n"
        "            time.sleep(0.01)\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "Lines.__call__ = call\n"
        "sys.exit(cli.run(['explain', 'model.npz', 'data.parquet', '-o', 'v.parquet']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 130, done.stderr
    lines = done.stderr.strip().splitlines()
    assert "interrupted" in lines
    assert lines[-1].strip() == "leafshap explain model.npz data.parquet -o v.parquet --resume"
    done = command(*shlex.split(lines[-1])[1:], cwd=files.folder)
    assert done.returncode == 0, done.stderr
    table = pyarrow.parquet.read_table("v.parquet")
    values = leafshap.TreeExplainer(files.model, dtype="float32").shap_values(
        files.X.astype(np.float32)
    )
    np.testing.assert_array_equal(lists(table), values)


def test_in_a_process(files: Files) -> None:
    done = command("explain", "model.npz", "data.csv", "-o", "v.parquet", cwd=files.folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "700 rows" in done.stderr
    assert pyarrow.parquet.read_table("v.parquet").num_rows == 700
    done = command("explain", "model.npz", "data.csv", "-o", "v.parquet", cwd=files.folder)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    done = command("explain", "model.npz", "data.csv", cwd=files.folder)
    assert done.returncode == 2
    done = command("explain", "model.npz", "data.csv", "-qo", "w.parquet", cwd=files.folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
