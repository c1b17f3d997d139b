"""Code written for shap, through leafshap.compat.shap and under install(): shap's own results.

The code is in compat_user_code.py. Nothing is compared by pixels: each plot is drawn, from the
numbers that are compared.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

shap = pytest.importorskip("shap", minversion="0.47", exc_type=ImportError)
matplotlib = pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")
pytest.importorskip("pandas")

import leafshap.compat.shap as compat  # noqa: E402
from compat_checks import FLOAT32, assert_alike  # noqa: E402
from compat_user_code import EXAMPLES  # noqa: E402

pytestmark = [
    # of shap's plots; but nothing may fall back to shap's explainers
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::leafshap.compat.shap.drop_in.FallbackWarning"),
]


@pytest.fixture(autouse=True)
def figures() -> Iterator[Any]:
    """Draw without a screen; every figure is rendered, and closed."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.close("all")
    yield pyplot
    pyplot.close("all")


@functools.cache
def by_shap(example: Callable[[Any], Any]) -> Any:
    return example(shap)


def assert_same(ours: Any, theirs: Any) -> None:
    """Types, shapes and values; of values computed by enumeration 1e-6 of the largest."""
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for key in theirs:
            assert_same(ours[key], theirs[key])
    elif isinstance(theirs, (list, tuple)) and not isinstance(theirs[0], str):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other)
    else:
        assert_alike(ours, theirs, 2 * FLOAT32)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.__name__)
def test_through_the_module(example: Callable[[Any], Any], figures: Any) -> None:
    theirs = by_shap(example)
    figures.close("all")
    ours = example(compat)
    assert_same(ours, theirs)
    for number in figures.get_fignums():
        canvas = figures.figure(number).canvas
        canvas.draw()
        assert np.ptp(np.asarray(canvas.buffer_rgba())) > 0


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.__name__)
def test_installed(example: Callable[[Any], Any]) -> None:
    theirs = by_shap(example)
    with compat.install():
        ours = example(shap)
    assert_same(ours, theirs)
    assert shap.TreeExplainer is compat.TreeExplainer.replaces


def test_the_module_is_shap() -> None:
    """Every public name of shap is there, and shap's own, but for the explainers."""
    ours = {"TreeExplainer", "KernelExplainer", "PermutationExplainer", "Explainer", "explainers"}
    for name in {*shap.__all__, *dir(shap)} - {"GPUTreeExplainer"}:
        if not name.startswith("_"):
            assert (getattr(compat, name) is getattr(shap, name)) == (name not in ours), name
    assert set(shap.__all__) - {"GPUTreeExplainer"} <= set(dir(compat))
    assert compat.__version__ == shap.__version__
    with pytest.raises(AttributeError, match="no attribute 'explain_everything'"):
        _ = compat.explain_everything
    namespace: dict[str, Any] = {}
    exec("from leafshap.compat.shap import *", namespace)
    assert namespace["TreeExplainer"] is compat.TreeExplainer
    assert namespace["summary_plot"] is shap.summary_plot
    exec(
        "import leafshap.compat.shap as shap\n"
        "from leafshap.compat.shap import TreeExplainer, Explanation, plots\n"
        "from leafshap.compat.shap.plots import bar\n"
        "from leafshap.compat.shap.maskers import Independent\n"
        "from leafshap.compat.shap.utils import sample\n"
        "from leafshap.compat.shap.explainers import Tree, Linear\n",
        namespace,
    )
    assert namespace["bar"] is shap.plots.bar
    assert namespace["Tree"] is namespace["TreeExplainer"]
    assert namespace["Linear"] is shap.explainers.Linear
