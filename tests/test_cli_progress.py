"""What the command tells while it works, and how it behaves among other commands."""

from __future__ import annotations

import io
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

import leafshap

pytest.importorskip("click")
pytest.importorskip("rich")

import click
from rich.console import Console

from cli_cases import command
from leafshap import cli
from leafshap.cli.arguments import fraction, size
from leafshap.cli.progress import Bar, Lines, RowProgress, row_progress, time_text

Capture = pytest.CaptureFixture[str]


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


def test_lines(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    clock = Clock(monkeypatch)
    with Lines("explaining") as progress:
        progress(0, 10_000)
        for done in range(500, 10_001, 500):
            clock.now += 1.0
            progress(done, 10_000)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[0] == "explaining: 1,000 of 10,000 rows (10%), 500 rows/s, 18.0 s left"
    assert lines[-1] == "explaining: 10,000 of 10,000 rows (100%), 500 rows/s"


def test_lines_are_not_many(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    clock = Clock(monkeypatch)
    quick = Lines("reading")
    for done in range(0, 10_001, 100):  # all in half a second
        clock.now += 0.005
        quick(done, 10_000)
    assert capsys.readouterr().err == ""
    slow = Lines("reading")
    for done in range(0, 100, 1):  # 1% takes 4 seconds
        clock.now += 4.0
        slow(done, 1000)
    lines = capsys.readouterr().err.splitlines()
    assert 30 <= len(lines) <= 40


def test_lines_without_a_total_and_after_resuming(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    clock = Clock(monkeypatch)
    progress = Lines("explaining")
    progress(900_000, None)
    clock.now += 10.0
    progress(1_000_000, None)
    # what was done before is not of this rate
    assert capsys.readouterr().err == "explaining: 1,000,000 rows, 10,000 rows/s\n"


def test_bar() -> None:
    file = io.StringIO()
    with Bar("explaining", Console(file=file, force_terminal=True, width=120)) as progress:
        progress(100, 1000)
        time.sleep(0.01)
        progress(700, 1000)
    assert "explaining" in file.getvalue()
    assert "700/1000" in file.getvalue()
    assert (progress.done, progress.total) == (700, 1000)


def test_choice_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(row_progress("x")) is Lines
    assert type(row_progress("x", quiet=True)) is RowProgress
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert type(row_progress("x")) is Bar
    assert type(row_progress("x", quiet=True)) is RowProgress


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (61, "1:01"), (36_061, "10:01:01")]
)
def test_times(seconds: float, text: str) -> None:
    assert time_text(seconds) == text


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [
        ("500MB", 500_000_000),
        ("2GiB", 2 << 30),
        ("2 gib", 2 << 30),
        ("1.5k", 1500),
        ("16KiB", 16 << 10),
        ("12345", 12_345),
        ("3 B", 3),
        ("1T", 10**12),
    ],
)
def test_sizes(text: str, n_bytes: int) -> None:
    assert size(text) == n_bytes


@pytest.mark.parametrize("text", ["", "MB", "-1", "1e9", "5XB", "1.GB", "0", "nan", "1,000"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(click.BadParameter):
        size(text)


def test_fractions() -> None:
    assert fraction("0.25") == 0.25
    assert fraction("25%") == 0.25
    assert fraction("1") == 1.0


@pytest.mark.skipif(sys.platform == "win32", reason="pipes close otherwise")
@pytest.mark.parametrize("arguments", [["info"], ["--help"], ["explain", "--help"]])
def test_a_closed_pipe_is_quiet(arguments: list[str]) -> None:
    line = [sys.executable, "-m", "leafshap", *arguments]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(120) in (0, 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_an_error() -> None:
    with open("/dev/full", "w") as full:
        line = [sys.executable, "-m", "leafshap", "info"]
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def failing(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> dict[str, Any]:
        raise error

    monkeypatch.setattr(leafshap, "build_info", fail)


def test_errors_of_arrow_are_one_line(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    pa = pytest.importorskip("pyarrow")
    for error in (pa.ArrowInvalid("bad\nbytes"), pa.ArrowKeyError("bad bytes")):
        failing(error, monkeypatch)
        assert cli.run(["info"]) == 1
        printed = capsys.readouterr().err
        assert printed.count("\n") == 1
        assert "bad bytes" in printed
        assert "--traceback" not in printed


def test_an_unexpected_error_names_its_kind(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    failing(ZeroDivisionError("oh"), monkeypatch)
    assert cli.run(["info"]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: ZeroDivisionError: oh")
    assert "--traceback" in printed
    with pytest.raises(ZeroDivisionError):
        cli.run(["--traceback", "info"])


def test_a_file_error_names_the_file(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    failing(PermissionError(13, "Permission denied", "some/file"), monkeypatch)
    assert cli.run(["info"]) == 1
    assert capsys.readouterr().err == "error: some/file: Permission denied\n"


def test_notes_of_an_error_are_shown(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    for error, first in ((OSError("full"), "error: full"), (KeyboardInterrupt(), "interrupted")):
        error.add_note("go on so")
        failing(error, monkeypatch)
        cli.run(["info"])
        assert capsys.readouterr().err.strip().splitlines() == [first, "go on so"]


def test_warnings_are_one_line(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def warn() -> dict[str, Any]:
        warnings.simplefilter("always")
        warnings.warn("mind\nthis", stacklevel=1)
        return {"version": 1}

    monkeypatch.setattr(leafshap, "build_info", warn)
    shown = warnings.showwarning
    assert cli.run(["info"]) == 0
    assert capsys.readouterr().err == "warning: mind this\n"
    assert warnings.showwarning is shown


def test_importing_the_command_imports_no_framework(tmp_path: Path) -> None:
    code = (
        "import sys, leafshap.cli\n"
        "names = {'pyarrow', 'pandas', 'xgboost', 'lightgbm', 'sklearn', 'matplotlib', 'joblib'}\n"
        "sys.exit(', '.join(names & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")
    assert command("--version", cwd=tmp_path).returncode == 0
