"""The documentation's links, Python blocks and names, without building it.

Sphinx checks more (`.ci/run`, stage "docs"), but not what a code host makes of the same files.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
from pathlib import Path

import pytest

import leafshap

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md",
         ROOT / "bench" / "README.md", *PAGES]  # fmt: skip
each_text = pytest.mark.parametrize(
    "path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix()
)

FENCE = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NAME = re.compile(r"(?<![\w/.\"])leafshap((?:\.[A-Za-z_]\w*)+)")


def prose(path: Path) -> str:
    """A page without its blocks of code, fenced or indented, and code within lines."""
    text = FENCE.sub("", path.read_text())
    text = re.sub(r"^    .*$", "", text, flags=re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "code", text)


def anchors(path: Path) -> set[str]:
    """What a code host makes of the headings."""
    text = FENCE.sub("", path.read_text())
    headings = re.findall(r"^#+ +(.*?) *$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def toctree(path: Path) -> list[Path]:
    """Pages in the tables of contents of a page."""
    return [
        path.parent / f"{line.strip()}.md"
        for language, body in FENCE.findall(path.read_text())
        if language == "{toctree}"
        for line in body.splitlines()
        if line.strip() and not line.startswith(":")
    ]


def test_there_is_something_to_check() -> None:
    assert len(PAGES) > 15
    assert sum(len(LINK.findall(prose(path))) for path in TEXTS) > 50


@each_text
def test_links_lead_somewhere(path: Path) -> None:
    for link in LINK.findall(prose(path)):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), f"{link}: no such file"
        if anchor:
            assert anchor in anchors(target), f"{link}: no such heading"


@each_text
def test_python_blocks_are_python(path: Path) -> None:
    for language, body in FENCE.findall(path.read_text()):
        if language == "python":
            ast.parse(body)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of matplotlib, for older shap
@each_text
def test_names_exist(path: Path) -> None:
    """`leafshap.X` anywhere in the text, but for files of such a name."""
    for found in NAME.findall(path.read_text()):
        value: object = leafshap
        full = "leafshap"
        for name in found[1:].split("."):
            full += f".{name}"
            if full == "leafshap.compat.shap" and importlib.util.find_spec("shap") is None:
                break
            if hasattr(value, name):
                value = getattr(value, name)
            else:
                assert hasattr(value, "__path__"), f"there is no {full}"
                value = importlib.import_module(full)


def test_every_page_is_in_one_table_of_contents() -> None:
    listed = [page for path in PAGES for page in toctree(path)]
    assert sorted(listed) == sorted(set(PAGES) - {DOCS / "index.md"})


def test_the_readme_leads_to_every_guide() -> None:
    text = (ROOT / "README.md").read_text()
    for path in set(DOCS.glob("*.md")) - {DOCS / "index.md"}:
        assert f"](docs/{path.name}" in text, f"README.md has no link to docs/{path.name}"


def test_every_example_is_shown() -> None:
    text = (DOCS / "examples.md").read_text()
    for path in (DOCS / "examples").glob("*.py"):
        assert f"{{literalinclude}} examples/{path.name}" in text, path.name


def documented() -> set[str]:
    """Full names in the reference."""
    names = set()
    for path in (DOCS / "api").glob("*.md"):
        module = ""
        for line in path.read_text().splitlines():
            directive = re.match(r"\.\. (\w+):: (\S+)", line)
            if directive is None:
                continue
            kind, name = directive.groups()
            if kind in ("currentmodule", "automodule"):
                module = name
            elif kind.startswith("auto"):
                names.add(name if name.startswith("leafshap.") else f"{module}.{name}")
    return names


def test_the_reference_has_every_public_name() -> None:
    public = {f"leafshap.{name}" for name in leafshap.__all__ if not name.startswith("_")}
    assert public - documented() == set()


def test_the_reference_has_every_plot() -> None:
    plots = importlib.import_module("leafshap.plots")
    assert {f"leafshap.plots.{name}" for name in plots.__all__} - documented() == set()


def test_the_reference_has_what_takes_the_place_of_shap() -> None:
    pytest.importorskip("shap")
    compat = importlib.import_module("leafshap.compat.shap")
    own = {
        f"{compat.__name__}.{name}"
        for name in compat.__all__
        if getattr(getattr(compat, name), "__module__", "").startswith("leafshap")
    }
    assert own
    assert own - documented() == set()
