"""Types as a user's checker sees them, and the stub of the compiled module against the module."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

USER_CODE = """
import numpy as np
import leafshap

ensemble = leafshap.TreeEnsemble.from_model("model.json")
explainer = leafshap.TreeExplainer(ensemble, dtype="float32", n_jobs=2)
explanation = explainer(np.zeros((2, 3)))
reveal_type(ensemble.n_trees)
reveal_type(explainer.shap_values(np.zeros((2, 3))))
reveal_type(explanation)
reveal_type(explainer.expected_value)
try:
    leafshap.TreeExplainer(ensemble, njobs=2)
except leafshap.LeafshapError as error:
    reveal_type(error)
"""


def run_module(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300
    )


def test_user_code_is_typed(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(USER_CODE)
    done = run_module("mypy", "--strict", "user.py", cwd=tmp_path)
    lines = done.stdout.splitlines()
    errors = [line for line in lines if ": error:" in line]
    revealed = [line.split("Revealed type is ")[1] for line in lines if "Revealed type" in line]
    # the misspelt argument, and nothing else
    assert len(errors) == 1, done.stdout + done.stderr
    assert '"njobs"' in errors[0]
    assert "int" in revealed[0]
    assert "ndarray" in revealed[1]
    assert "leafshap.explanation.explanation.Explanation" in revealed[2]
    assert "float" in revealed[3]
    assert "leafshap.errors.LeafshapError" in revealed[4]
    assert not any('"Any"' in kind for kind in revealed)


def test_stub_fits_the_compiled_module(tmp_path: Path) -> None:
    if importlib.util.find_spec("leafshap._core") is None:
        pytest.fail("the compiled module is missing")
    # the metaclass of pybind11's classes, which no stub can name; their members are checked
    names = (
        "Ensemble",
        "PathPlan",
        "BackgroundPlan",
        "PairwisePlan",
        "CoalitionDesign",
        "CoalitionGame",
        "ResponsePlan",
    )
    (tmp_path / "allowed.txt").write_text("".join(f"leafshap._core.{name}\n" for name in names))
    done = run_module(
        "mypy.stubtest",
        "leafshap._core",
        "--concise",
        "--allowlist=allowed.txt",
        "--ignore-unused-allowlist",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
