"""The walls of the architecture: who may include or import whom, and how long a file may be.

ir <- plan <- kernels <- engine <- bindings          (C++)
converters never import explainers; explainers never import a framework (Python)
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CPP, PACKAGE = ROOT / "cpp", ROOT / "python" / "leafshap"
CPP_SUFFIXES = {".hpp", ".cpp", ".inc"}

# folder -> folders it may include; files directly in cpp/ (types, errors) are open to all, and the
# contract between plans and kernels, which depends on nothing else, is open to plans
CONTRACT = sorted((CPP / "kernels").glob("*.hpp"))
MAY_INCLUDE = {
    "ir": {"ir"},
    "plan": {"ir", "plan"},
    "simd": {"simd"},
    "kernels": {"kernels", "simd"},
    "targets": {"targets", "kernels", "simd"},
    "engine": {"ir", "plan", "simd", "kernels", "targets", "engine"},
    "bindings": {"ir", "plan", "simd", "kernels", "targets", "engine", "bindings"},
}
FRAMEWORKS = {"xgboost", "lightgbm", "sklearn", "catboost", "shap", "pandas", "polars", "pyarrow",
              "scipy", "matplotlib", "dask", "distributed", "pyspark", "ray"}  # fmt: skip


def cpp_files() -> list[Path]:
    return sorted(p for p in CPP.rglob("*") if p.suffix in CPP_SUFFIXES)


def python_files(under: Path = PACKAGE) -> list[Path]:
    return sorted(under.rglob("*.py"))


def own_includes(path: Path) -> list[str]:
    return re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), flags=re.MULTILINE)


def folder_of(path: Path) -> str:
    return path.relative_to(CPP).parts[0] if path.parent != CPP else ""


def resolved(path: Path, include: str) -> Path:
    """An include is written from cpp/ or from the file's own folder."""
    for base in (CPP, path.parent):
        if (base / include).is_file():
            return (base / include).resolve()
    raise AssertionError(f"{path.name} includes {include}, which is not in cpp/")


def imports_of(path: Path, *, at_import_time: bool) -> set[str]:
    """Full names of imported modules; only those that run on import if asked so."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if at_import_time and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return
        if at_import_time and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for other in node.orelse:
                visit(other)
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return found


def test_there_is_something_to_check() -> None:
    folders = {folder_of(path) for path in cpp_files()}
    assert set(MAY_INCLUDE) <= folders
    assert len(python_files()) > 5


def test_no_folder_is_outside_the_rule() -> None:
    assert {folder_of(path) for path in cpp_files()} <= {*MAY_INCLUDE, ""}


@pytest.mark.parametrize("folder", MAY_INCLUDE)
def test_includes_point_only_to_the_left(folder: str) -> None:
    for path in cpp_files():
        if folder_of(path) != folder:
            continue
        for include in own_includes(path):
            if folder == "plan" and resolved(path, include) in CONTRACT:
                continue
            target = folder_of(resolved(path, include))
            assert target in MAY_INCLUDE[folder] | {""}, f"{path.name} includes {include}"


def test_the_contract_of_the_kernels_depends_on_nothing() -> None:
    for path in CONTRACT:
        assert all(resolved(path, include) in CONTRACT for include in own_includes(path))


def test_only_bindings_know_python() -> None:
    for path in cpp_files():
        knows = re.search(r"pybind11|Python\.h|py::", path.read_text())
        assert not knows or folder_of(path) == "bindings", path


def test_only_parallel_knows_openmp() -> None:
    for path in cpp_files():
        if "omp.h" in path.read_text() or "#pragma omp" in path.read_text():
            assert path.relative_to(CPP).as_posix().startswith("engine/parallel"), path


def test_kernels_include_their_arguments_and_the_lanes_only() -> None:
    """And nothing of the standard library inside a target region (an .inc file)."""
    for path in cpp_files():
        if folder_of(path) != "kernels" or path.suffix != ".inc":
            continue
        for include in own_includes(path):
            assert resolved(path, include).parent.name in {"kernels", "simd"}, (path, include)
        assert not re.search(r"^\s*#\s*include\s+<", path.read_text(), flags=re.MULTILINE), path


def test_lanes_are_free_of_the_standard_library() -> None:
    for path in cpp_files():
        if folder_of(path) == "simd" and path.suffix == ".inc":
            system = re.findall(r"#\s*include\s+<([^>]+)>", path.read_text())
            assert not system, f"{path.name} includes {system} inside a target region"


def test_files_stay_short() -> None:
    for path in [*cpp_files(), *python_files()]:
        limit = 300 if path.parent == CPP / "kernels" else 400
        lines = len(path.read_text().splitlines())
        assert lines <= limit, f"{path.relative_to(ROOT)} has {lines} lines"


def test_importing_needs_numpy_only() -> None:
    for path in python_files():
        if path.is_relative_to(PACKAGE / "compat" / "shap"):  # shap's classes are its bases
            continue
        for name in imports_of(path, at_import_time=True):
            assert name.partition(".")[0] not in FRAMEWORKS, f"{path} imports {name}"


def test_converters_know_nothing_of_shap() -> None:
    for path in python_files(PACKAGE / "converters"):
        for name in imports_of(path, at_import_time=False):
            if name.startswith("leafshap"):
                assert name.startswith(("leafshap.converters", "leafshap.errors")), (path, name)


def test_explainers_know_no_framework() -> None:
    for path in python_files(PACKAGE / "explainers"):
        for name in imports_of(path, at_import_time=False):
            assert name.partition(".")[0] not in FRAMEWORKS, f"{path.name} imports {name}"


def test_frameworks_are_named_in_converters_inputs_and_shells_only() -> None:
    """A model library is imported by its converter, nowhere else in the engine's Python."""
    models = {"xgboost", "lightgbm", "sklearn", "catboost"}
    for path in python_files():
        parts = path.relative_to(PACKAGE).parts
        if parts[0] in {"converters", "cli", "demo", "compat", "plots", "batch", "importance"}:
            continue
        # a lasso, trees fitted to coalitions, scikit-learn's kind of result
        if parts[-1] in {"selection.py", "boosted.py", "bunch.py"}:
            continue
        for name in imports_of(path, at_import_time=False):
            assert name.partition(".")[0] not in models, f"{path} imports {name}"


def test_no_file_is_called_utils() -> None:
    for path in [*cpp_files(), *python_files()]:
        assert not re.search(r"util|helper|misc", path.stem), path
