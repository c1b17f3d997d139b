"""The scripts of docs/examples run as they stand, and what they claim at their ends holds."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[1] / "docs" / "examples").glob("*.py"))


# Warnings that leafshap or the script causes are errors. What other packages warn of while they are
# imported, or of each other, is theirs: shap 0.51 does so with matplotlib 3.11.
RUN = """
import importlib, runpy, sys, warnings

script, *modules = sys.argv[1:]
warnings.simplefilter("ignore")
for name in modules:
    importlib.import_module(name)
warnings.simplefilter("error")
warnings.filterwarnings("ignore", module=r"(?!leafshap|__main__)")
sys.argv = [script, "."]  # where to write
runpy.run_path(script, run_name="__main__")
"""


def imported(script: Path) -> list[str]:
    """Modules that a script imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            found.add(node.module)
    if any(name.startswith("leafshap.compat.shap") for name in found):
        found.add("shap")
    return sorted(found)


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) > 5


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script_runs(script: Path, tmp_path: Path) -> None:
    modules = imported(script)
    packages = sorted({name.partition(".")[0] for name in modules})
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    # models are small: beside other work, threads that wait for each other take many times longer
    env = {**os.environ, "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
    env["PYTHONPATH"] = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(script), *modules],
        cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stdout or any(tmp_path.iterdir()), "an example shows something"
