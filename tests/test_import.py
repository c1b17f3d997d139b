"""What importing and installing leafshap brings, and what it does not."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import leafshap

FRAMEWORKS = {
    "catboost",
    "click",
    "joblib",
    "lightgbm",
    "matplotlib",
    "pandas",
    "polars",
    "pyarrow",
    "rich",
    "scipy",
    "shap",
    "sklearn",
    "xgboost",
}
MOST_SECONDS = 0.2


def run(code: str) -> str:
    """Run code in a fresh interpreter, outside the repository's root."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_brings_no_framework() -> None:
    code = """
import json, sys
import numpy
before = set(sys.modules)
import leafshap
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""
    imported = set(json.loads(run(code)))
    assert "leafshap" in imported
    assert not imported & FRAMEWORKS


def test_import_is_quick() -> None:
    # CPU time and the best of some runs: a busy machine is no slow import
    code = """
import time
import numpy
before = time.process_time()
import leafshap
print(time.process_time() - before)
"""
    assert min(float(run(code)) for _ in range(5)) < MOST_SECONDS


def test_public_names_exist_and_are_documented() -> None:
    assert sorted(leafshap.__all__) == sorted(set(leafshap.__all__))
    for name in leafshap.__all__:
        value = getattr(leafshap, name)
        if name != "__version__":
            assert value.__doc__, name
    public = {name for name in vars(leafshap) if not name.startswith("_")}
    modules = {name for name in public if f"leafshap.{name}" in sys.modules}
    assert public - modules - {"annotations"} <= set(leafshap.__all__)


def test_type_information_is_shipped() -> None:
    folder = Path(leafshap.__file__).parent
    assert (folder / "py.typed").is_file()
    assert (folder / "_core.pyi").is_file()


def test_build_info_tells_what_runs() -> None:
    info = leafshap.build_info()
    assert {"version", "compiler", "isa", "available_isas", "openmp"} <= set(info)
    assert info["isa"] in info["available_isas"]
    assert "baseline" in info["available_isas"]


def test_unknown_instruction_set_is_an_error() -> None:
    code = "import leafshap; leafshap.build_info()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**_environment(), "LEAFSHAP_ISA": "avx9000"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode != 0
    assert "unknown instruction set 'avx9000'" in done.stderr.splitlines()[-1]


def test_forced_instruction_set_is_used() -> None:
    for isa in leafshap.build_info()["available_isas"]:
        done = subprocess.run(
            [sys.executable, "-c", "import leafshap; print(leafshap.build_info()['isa'])"],
            env={**_environment(), "LEAFSHAP_ISA": isa},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        assert done.stdout.strip() == isa


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "LEAFSHAP_ISA"}


@pytest.fixture
def distribution() -> importlib.metadata.Distribution:
    try:
        return importlib.metadata.distribution("leafshap")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("leafshap is not installed, only on the path")


def test_version_is_the_installed_one(distribution: importlib.metadata.Distribution) -> None:
    assert leafshap.__version__ == distribution.version


def test_only_numpy_is_required(distribution: importlib.metadata.Distribution) -> None:
    required = [line for line in distribution.requires or [] if "extra ==" not in line]
    assert [re.split(r"[^\w-]", line)[0] for line in required] == ["numpy"]


def test_command_is_installed(distribution: importlib.metadata.Distribution) -> None:
    (script,) = (entry for entry in distribution.entry_points if entry.name == "leafshap")
    assert callable(script.load())


def test_wheel_holds_one_binary_and_no_tools(
    distribution: importlib.metadata.Distribution,
) -> None:
    files = [str(path) for path in distribution.files or []]
    assert sum(path.endswith((".so", ".pyd")) for path in files) == 1
    assert "leafshap/demo/flights.npz" in files
    assert "leafshap/demo/make_flights.py" not in files
    assert not any(path.endswith((".cpp", ".hpp", ".inc", ".a", ".lib")) for path in files)
