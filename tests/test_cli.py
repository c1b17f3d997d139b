"""The command: its reports, its files, and errors in one line instead of a traceback."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import leafshap
from leafshap.errors import AdditivityError

pytest.importorskip("click")
pytest.importorskip("rich")

from cli_cases import make_files
from leafshap import cli
from leafshap.demo.flights import load_flights


def fresh(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["info"]) == 0
    printed = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    info = leafshap.build_info()
    assert set(printed) >= {*info, "system", "python", "numpy"}
    assert printed["python"].strip() == platform.python_version()
    assert printed["numpy"].strip() == np.__version__
    assert printed["version"].strip() == leafshap.__version__
    assert printed["available_isas"].strip() == ", ".join(info["available_isas"])


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert leafshap.__version__ in capsys.readouterr().out
    assert cli.run(["--help"]) == 0
    out = capsys.readouterr().out
    assert "demo" in out
    assert "info" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["demmo"],
        ["demo", "--row", "x"],
        ["demo", "--rows", "many"],
        ["demo", "--rows", "10"],
        ["info", "--out", "x"],
    ],
)
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(arguments) == 2
    error = capsys.readouterr().err
    assert "Error" in error
    assert "Traceback" not in error


def test_module_runs_as_a_command() -> None:
    command = [sys.executable, "-m", "leafshap", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert leafshap.__version__ in done.stdout


@pytest.mark.parametrize("absent", ["click", "rich"])
def test_without_its_packages_the_command_says_what_to_install(absent: str) -> None:
    done = fresh(
        f"import sys; sys.modules[{absent!r}] = None\n"
        "from leafshap.__main__ import main; sys.exit(main())"
    )
    assert done.returncode == 1
    assert absent in done.stderr
    assert 'pip install "leafshap[cli]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_demo_without_its_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "_DEMO_PACKAGES", ("matplotlib", "no_such_package"))
    assert cli.run(["demo", "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert "no_such_package" in error
    assert 'pip install ".[demo]"' in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (leafshap.InvalidModelError("tree 3, node 4: bad"), 1),
        (PermissionError(13, "Permission denied"), 1),
        (MemoryError(), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_errors_are_one_line(
    error: BaseException,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> dict[str, Any]:
        raise error

    monkeypatch.setattr(leafshap, "build_info", fail)
    assert cli.run(["info"]) == status
    printed = capsys.readouterr()
    assert len((printed.out + printed.err).strip().splitlines()) == 1


def test_demo(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("lightgbm", "matplotlib", "xgboost"):
        pytest.importorskip(name)
    from leafshap.demo import explained, models

    monkeypatch.setattr(models, "N_ROUNDS", 10)
    monkeypatch.setattr(explained, "CHUNK", 700)  # several chunks, the last one partial
    monkeypatch.setattr(explained, "_OWN_SECONDS", 0.05)
    out = tmp_path / "new" / "folder"
    assert cli.run(["demo", "--rows", "2000", "--out", str(out)]) == 0

    printed = capsys.readouterr().out
    assert "2,000" in printed
    assert "rows/s" in printed
    assert "XGBoost" in printed
    assert "LightGBM" in printed
    assert "departure hour" in printed
    assert (out / "importance.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    with np.load(out / "shap_values.npz", allow_pickle=False) as file:
        assert file["X"].shape == (2000, 15)
        assert file["feature_names"].shape == (15,)
        for name in ("xgboost", "lightgbm"):
            values = file[f"{name}_values"].astype(np.float64)
            total = values.sum(axis=1) + file[f"{name}_expected_value"]
            prediction = file[f"{name}_prediction"]
            assert np.ptp(prediction) > 10
            np.testing.assert_allclose(total, prediction, atol=1e-3)


class WrongModel:
    """A model whose own prediction is not what its trees say."""

    name, version = "wrong", "0"

    def __init__(self, model: Any, shift: npt.NDArray[np.float64]) -> None:
        self.model, self.shift = model, shift

    def predict(self, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        return np.asarray(self.model.predict(X, raw_score=True)) + self.shift

    def own_shap_values(self, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        return np.asarray(self.model.predict(X, pred_contrib=True))[:, :-1]


def test_demo_notices_a_wrong_sum() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    from leafshap.demo.explained import explain

    flights = load_flights(1000)
    data = lightgbm.Dataset(flights.X, flights.arrival_delay)
    model = lightgbm.train({"verbosity": -1, "num_threads": 1}, data, 5)
    shift = np.zeros(1000)
    explain(WrongModel(model, shift), flights.X, 1, lambda done: None)
    shift[637] = 0.5
    with pytest.raises(AdditivityError, match="row 637"):
        explain(WrongModel(model, shift), flights.X, 1, lambda done: None)
    shift[637] = np.nan
    with pytest.raises(AdditivityError, match="row 637"):
        explain(WrongModel(model, shift), flights.X, 1, lambda done: None)


def test_flights_are_the_known_ones() -> None:
    flights = load_flights()
    assert flights.X.shape == (327_346, 15)
    column = {name: flights.X[:, j] for j, name in enumerate(flights.feature_names)}
    # figures of the source: mean delay, and the first record of the year
    assert flights.arrival_delay.mean(dtype=np.float64) == pytest.approx(6.895377, abs=1e-6)
    first = {
        "month": 1,
        "day of month": 1,
        "day of week": 1,  # a Tuesday
        "departure hour": 5.25,
        "carrier": flights.categories[4].index("UA"),
        "origin": flights.categories[5].index("EWR"),
        "destination": flights.categories[6].index("IAH"),
        "distance": 1400,
    }
    (found,) = np.flatnonzero(
        np.all([column[name] == np.float32(value) for name, value in first.items()], axis=0)
    )
    assert flights.arrival_delay[found] == 11
    weather = {"temperature": 39.02, "wind speed": 12.66, "air pressure": 1011.9, "visibility": 10}
    for name, value in weather.items():
        assert column[name][found] == pytest.approx(value)
    missing = {name for name in column if np.isnan(column[name]).any()}
    assert missing == {
        "temperature",
        "humidity",
        "wind direction",
        "wind speed",
        "precipitation",
        "air pressure",
        "visibility",
    }


def test_a_sample_of_flights_is_a_part_of_all() -> None:
    some, more = load_flights(1000), load_flights(1500)
    assert some.X.shape == (1000, 15)
    np.testing.assert_array_equal(some.X, more.X[:1000])
    assert len(np.unique(some.X[:, 0])) == 12


def test_swarm_fills_its_row() -> None:
    from leafshap.demo.picture import _swarm_offsets

    values = np.repeat([0.25, 0.75], [9, 3])
    offsets = _swarm_offsets(values, (0.0, 1.0))
    assert sorted(offsets[:9]) == pytest.approx(np.arange(-4, 5) / 4)
    assert sorted(offsets[9:]) == pytest.approx([-0.25, 0, 0.25])


def test_colours_are_ranks() -> None:
    from leafshap.demo.picture import _ranks

    features = np.array([5, np.nan, 1, 1, 9], np.float32)
    np.testing.assert_allclose(_ranks(features), [2 / 3, np.nan, 0, 0, 1])
    np.testing.assert_array_equal(_ranks(np.ones(3, np.float32)), 0)


@pytest.mark.skipif(sys.platform == "win32", reason="closes a stream by the shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams(closed: str, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    make_files(tmp_path)
    for line, status in (
        ("info", 0),
        ("importance model.npz data.parquet --rows 100", 0),
        ("explain model.npz data.parquet --aggregate", 0),
        ("explain model.npz absent.parquet -o v.parquet", 1),
        ("explain model.npz data.parquet", 2),
    ):
        shell = f"{shlex.quote(sys.executable)} -m leafshap {line} {closed}"
        done = subprocess.run(
            ["sh", "-c", shell], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.returncode == status, (line, done.stderr)
        assert "Traceback" not in done.stderr
        assert "AttributeError" not in done.stderr
