"""How Sphinx builds the documentation: sphinx-build -W --keep-going -n docs build/docs.

leafshap is imported for the reference, so it must be installed, with the extras "plots" and
"compat". Nothing is fetched from the network: no inventories of other projects.
"""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING

from sphinx.domains.python import PyXRefRole

if TYPE_CHECKING:
    from docutils.nodes import Element
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "leafshap"
copyright = "leafshap developers"
try:
    release = version_of("leafshap")
except PackageNotFoundError:  # found by PYTHONPATH
    release = "of the source"
version = release

extensions = ["sphinx.ext.autodoc", "numpydoc", "myst_parser"]
html_theme = "furo"
html_title = f"leafshap {release}"
html_copy_source = False
html_show_sphinx = False

# Formulas are indented text with the letters of the code: no language, nothing to be loaded
highlight_language = "none"
smartquotes = False
myst_heading_anchors = 4  # the anchors a code host makes

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88
default_role = "name"  # `TreeEnsemble` in a docstring is a link
# autodoc lists members, with their docstrings
numpydoc_show_class_members = False

nitpick_ignore_regex = [
    # of the standard library, and of other projects, whose inventories are not fetched
    (r"py:.*", r"(builtins|collections|os|types|typing)\..*"),
    (r"py:.*", r"(matplotlib|np|npt|numpy|pa|pandas|pd|pyarrow|shap)\..*"),
    # the same without their modules; kinds of argument that docstrings spell out
    (r"py:class", r"AnyPath|ArrayLike|Axes|DTypeLike|NDArray|Groups|OutputOptions|Path|Progress"),
    (r"py:class", r"leafshap\.inputs\.InputSchema"),  # what converters tell of a model
    (r"py:class", r"leafshap\.explanation\.moments\.Moments"),  # of a private field
    (r"py:obj", r"PartialDependenceDisplay"),  # scikit-learn's
    # `argument`, `other_library.function`: single backticks need not be names of this reference
    (r"py:obj", r"(?!leafshap)[a-z_].*"),
]


def _name_files_of_the_repository(app: Sphinx, docname: str, source: list[str]) -> None:
    """Turn links out of docs/, which a code host follows, into names of files."""
    if "/" not in docname:  # directly in docs/
        link = r"\[([^\]]+)\]\(\.\./([^)\s]+)\)"
        source[0] = re.sub(link, r"\1 (`\2` in the repository)", source[0])


def _keep_bars(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Show |phi| in a docstring as it is: to reStructuredText it would be a substitution."""
    lines[:] = [re.sub(r"(?<![`\w])\|(\w+)\|(?![`\w])", r"``|\1|``", line) for line in lines]


class _Name(PyXRefRole):
    """A name in single backticks: of the same class or module, or a class of any module."""

    def process_link(
        self, env: BuildEnvironment, refnode: Element, explicit: bool, title: str, target: str
    ) -> tuple[str, str]:
        refnode["refdomain"], refnode["reftype"] = "py", "obj"
        if title[0].isupper():
            refnode["refspecific"] = True
        return super().process_link(env, refnode, explicit, title, target)


def setup(app: Sphinx) -> None:
    """Connect what is above."""
    app.add_role("name", _Name())
    app.connect("autodoc-process-docstring", _keep_bars)
    app.connect("source-read", _name_files_of_the_repository)
