"""install(): libraries that import shap use our explainers, and are left as they were."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys
import textwrap
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compat_cases import background, fitted, quiet, rows
from compat_checks import FLOAT32, assert_alike, assert_same_explanation

shap = pytest.importorskip("shap")

import leafshap.compat.shap as compat  # noqa: E402

pytestmark = quiet

NAMES = ("TreeExplainer", "KernelExplainer", "PermutationExplainer", "Explainer")
THEIRS = {name: getattr(shap, name) for name in NAMES}
OURS = {name: getattr(compat, name) for name in NAMES}

DASHBOARD = '''
"""A dashboard as there are many: picks an explainer for a model, and shows tables of it."""

import shap
import shap.explainers as algorithms
from shap import Explainer as BaseExplainer
from shap import KernelExplainer, TreeExplainer
from shap.explainers import Linear, Tree
from shap.explainers._tree import TreeExplainer as PrivateTree


class ReportExplainer(shap.TreeExplainer):
    """Adds a title."""

    title = "Report"

    def importance(self, X):
        values = self.shap_values(X)
        return abs(values).mean(0)


class Dashboard:
    def __init__(self, model, X, background=None):
        self.model, self.X = model, X
        if hasattr(model, "estimators_") or hasattr(model, "get_booster"):
            self.explainer = TreeExplainer(model, background)
        elif hasattr(model, "coef_"):
            self.explainer = Linear(model, background)
        else:
            self.explainer = KernelExplainer(model.predict, background)

    def kind(self):
        """As dashboards dispatch: by isinstance, and by name."""
        if isinstance(self.explainer, (TreeExplainer, Tree, PrivateTree)):
            kind = "tree"
        elif isinstance(self.explainer, shap.KernelExplainer):
            kind = "kernel"
        elif isinstance(self.explainer, BaseExplainer):
            kind = "other"
        else:
            raise TypeError("no explainer")
        return kind, type(self.explainer).__name__

    def base_value(self):
        value = self.explainer.expected_value
        return value[0] if hasattr(value, "__len__") else value

    def values(self):
        return self.explainer.shap_values(self.X)

    def explanation(self):
        return algorithms.Tree(self.model)(self.X)

    def by_choice(self, background):
        return shap.Explainer(self.model, background)(self.X)
'''

LATE = """
import shap
from shap import TreeExplainer
from shap.explainers import Kernel, Tree


class Late(TreeExplainer):
    pass
"""


def snapshot() -> dict[tuple[str, str], Any]:
    """Every class that a loaded module holds, but for the standard library's and numpy's."""
    found = {}
    for module_name, module in list(sys.modules.items()):
        if module_name.partition(".")[0] in {"shap", "dashboard", "late"}:
            for name, value in list(vars(module).items()):
                found[module_name, name] = value
    return found


def assert_as_before(before: dict[tuple[str, str], Any]) -> None:
    after = snapshot()
    for place, value in before.items():
        assert after[place] is value, place
    for place, value in after.items():
        assert not any(value is cls for cls in OURS.values()), place


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """A test that fails leaves nothing installed for the next one."""
    before = snapshot()
    yield
    compat.uninstall()
    for name, cls in THEIRS.items():
        setattr(shap, name, cls)
    assert_as_before(before)


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folder of the two modules, which are unloaded afterwards."""
    (tmp_path / "dashboard.py").write_text(DASHBOARD)
    (tmp_path / "late.py").write_text(LATE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("dashboard", "late"):
        sys.modules.pop(name, None)


@pytest.fixture
def dashboard(modules: Path) -> Any:
    return importlib.import_module("dashboard")


def assert_installed(*held: types.ModuleType) -> None:
    assert compat.is_installed()
    for name, cls in OURS.items():
        assert getattr(shap, name) is cls
        if name != "Explainer":
            assert getattr(shap.explainers, name) is cls
    assert shap.explainers.Tree is OURS["TreeExplainer"]
    assert shap.explainers.Kernel is OURS["KernelExplainer"]
    assert shap.explainers.Permutation is OURS["PermutationExplainer"]
    for module in held:
        assert module.TreeExplainer is module.Tree is OURS["TreeExplainer"]


def test_a_dashboard(dashboard: Any) -> None:
    """Unchanged, and loaded before: the numbers stay, the classes are ours."""
    name = "XGBRegressor"
    model, X, data = fitted(name), rows(name), background(name)
    before = snapshot()

    def numbers() -> list[Any]:
        found: list[Any] = []
        for board in (dashboard.Dashboard(model, X), dashboard.Dashboard(model, X, data)):
            found += [board.values(), board.base_value(), board.kind()]
        return [*found, board.explanation(), board.by_choice(data)]

    theirs = numbers()
    with compat.install() as installation:
        assert "on" in repr(installation)
        assert_installed(dashboard)
        assert dashboard.BaseExplainer is OURS["Explainer"]
        assert dashboard.KernelExplainer is OURS["KernelExplainer"]
        assert dashboard.PrivateTree is OURS["TreeExplainer"]
        assert dashboard.Linear is shap.LinearExplainer
        ours = numbers()
        assert type(dashboard.Dashboard(model, X).explainer) is compat.TreeExplainer
        assert type(shap.Explainer(model)) is compat.TreeExplainer
    assert "off" in repr(installation)
    assert_as_before(before)
    for mine, other in zip(ours, theirs, strict=True):
        if isinstance(other, shap.Explanation):
            assert_same_explanation(mine, other, FLOAT32)
        else:
            assert_alike(mine, other, FLOAT32)
    assert ours[2] == ours[5] == ("tree", "TreeExplainer")


def test_other_explainers_of_a_dashboard(dashboard: Any) -> None:
    from sklearn.linear_model import LinearRegression
    from sklearn.neighbors import KNeighborsRegressor

    X, data = rows("XGBRegressor"), background("XGBRegressor")
    for model, kind in (
        (LinearRegression(), ("other", "LinearExplainer")),
        (KNeighborsRegressor(), ("kernel", "KernelExplainer")),
    ):
        model.fit(data, data[:, 0] + data[:, 1])
        theirs = dashboard.Dashboard(model, X[:2], data)
        with compat.install():
            ours = dashboard.Dashboard(model, X[:2], data)
            assert ours.kind() == theirs.kind() == kind
            assert_alike(ours.values(), theirs.values(), 2 * FLOAT32)


def test_a_subclass_from_before(dashboard: Any) -> None:
    """It stays shap's, and works; isinstance takes it for ours."""
    name = "RandomForestRegressor"
    expected = dashboard.ReportExplainer(fitted(name)).importance(rows(name))
    with compat.install():
        report = dashboard.ReportExplainer(fitted(name), background(name))
        assert isinstance(report, shap.TreeExplainer)
        assert issubclass(dashboard.ReportExplainer, shap.TreeExplainer)
        assert issubclass(dashboard.ReportExplainer, shap.Explainer)
        report = dashboard.ReportExplainer(fitted(name))
        assert_alike(report.importance(rows(name)), expected, FLOAT32)
        assert not isinstance(shap.TreeExplainer(fitted(name)), dashboard.ReportExplainer)


def test_objects_outlive_the_swap(dashboard: Any) -> None:
    """Explainers made on one side are used, recognised and stored on the other."""
    name = "XGBClassifier 3"
    model, X = fitted(name), rows(name)
    before = shap.TreeExplainer(model)
    values = before.shap_values(X)
    stored = pickle.dumps(before)
    with compat.install():
        assert isinstance(before, shap.TreeExplainer)
        assert_alike(before.shap_values(X), values)
        assert type(pickle.loads(stored)) is THEIRS["TreeExplainer"]
        assert pickle.dumps(before)
        during = shap.TreeExplainer(model)
        stored_during = pickle.dumps(during)
    for explainer in (during, pickle.loads(stored_during)):
        assert type(explainer) is compat.TreeExplainer
        assert isinstance(explainer, shap.TreeExplainer)
        assert isinstance(explainer, shap.Explainer)
        assert_alike(explainer.shap_values(X), values, FLOAT32)
        assert_same_explanation(explainer(X), before(X), FLOAT32)


def test_a_module_loaded_meanwhile(modules: Path) -> None:
    before = snapshot()
    with compat.install():
        late = importlib.import_module("late")
        assert_installed(late)
        assert issubclass(late.Late, compat.TreeExplainer)
        explainer = late.Late(fitted("XGBRegressor"))
    assert late.TreeExplainer is late.Tree is THEIRS["TreeExplainer"]
    assert late.Kernel is THEIRS["KernelExplainer"]
    assert_as_before(before)
    X = rows("XGBRegressor")
    expected = shap.TreeExplainer(fitted("XGBRegressor")).shap_values(X)
    assert_alike(explainer.shap_values(X), expected, FLOAT32)
    assert_alike(late.Late(fitted("XGBRegressor")).shap_values(X), expected, FLOAT32)


def test_nested_and_repeated(dashboard: Any) -> None:
    before = snapshot()
    with compat.install():
        with compat.install():
            assert_installed(dashboard)
        assert_installed(dashboard)
        compat.install()
        assert_installed(dashboard)
    assert_as_before(before)
    assert not compat.is_installed()
    for _ in range(2):
        compat.install()
        compat.install()
        assert_installed(dashboard)
        compat.uninstall()
        assert_as_before(before)
        compat.uninstall()
        assert_as_before(before)
        assert not compat.is_installed()
    compat.install()
    with compat.install():
        pass
    assert_installed(dashboard)
    compat.uninstall()
    assert_as_before(before)
    with compat.install():
        compat.uninstall()
        assert_as_before(before)
    assert_as_before(before)


def test_an_exception_inside(dashboard: Any) -> None:
    before = snapshot()

    def fail() -> None:
        assert_installed(dashboard)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), compat.install():
        fail()
    assert_as_before(before)
    with pytest.raises(shap.utils._exceptions.InvalidFeaturePerturbationError), compat.install():
        shap.TreeExplainer(fitted("XGBRegressor"), feature_perturbation="none")
    assert_as_before(before)


def test_what_others_put_there_stays(dashboard: Any) -> None:
    """A class that someone else has put in the place meanwhile is not ours to take away."""
    before, own = snapshot(), type("Own", (THEIRS["TreeExplainer"],), {})
    with compat.install():
        dashboard.TreeExplainer = own
    assert dashboard.TreeExplainer is own
    dashboard.TreeExplainer = THEIRS["TreeExplainer"]
    assert_as_before(before)


def test_what_is_defined_in_shap_stays_there() -> None:
    """Pickles find classes by the module that defines them; subclasses of shap stay subclasses."""
    with compat.install():
        assert sys.modules["shap.explainers._tree"].TreeExplainer is THEIRS["TreeExplainer"]
        assert sys.modules["shap.explainers._kernel"].KernelExplainer is THEIRS["KernelExplainer"]
        assert issubclass(shap.SamplingExplainer, shap.KernelExplainer)
        assert issubclass(shap.LinearExplainer, shap.Explainer)
        assert not issubclass(shap.LinearExplainer, shap.TreeExplainer)
        assert issubclass(shap.TreeExplainer, shap.Explainer)
        assert compat.TreeExplainer.replaces is THEIRS["TreeExplainer"]
        assert compat.explainers.Tree is compat.TreeExplainer


@pytest.mark.parametrize("what", ["few", "many", "trees", "partition", "sampling"])
def test_shap_itself_goes_on(what: str) -> None:
    """Explainers that are not ours, which shap looks up in its own modules."""
    from leafshap.errors import LeafshapError

    X = np.hstack([rows("XGBRegressor")] * 3)
    data = np.hstack([background("XGBRegressor")[:8]] * 3)

    def predict(X: Any) -> Any:
        X = np.asarray(X, float)
        return X[:, 0] * X[:, 1] + X[:, 2]

    masker = shap.maskers.Partition(data)

    def explain() -> Any:
        np.random.seed(0)  # noqa: NPY002  (what shap's own draw from)
        if what == "few":
            return shap.Explainer(predict, data[:, :5])(X[:2, :5])
        if what == "many":
            return shap.Explainer(predict, data, seed=0)(X[:2], silent=True)
        if what == "trees":
            model = fitted("GradientBoostingRegressor")
            return shap.Explainer(model.predict, data[:, :5])(X[:2, :5])
        if what == "partition":
            return shap.PartitionExplainer(predict, masker)(X[:2], silent=True)
        return shap.SamplingExplainer(predict, data[:, :5])(X[:2, :5])

    theirs = explain()
    with compat.install():
        try:
            ours = explain()
        except LeafshapError as error:  # pragma: no cover
            raise AssertionError("not ours to explain") from error
    assert type(ours) is type(theirs)
    assert ours.shape == theirs.shape
    total = ours.values.sum(1) + np.ravel(ours.base_values)
    np.testing.assert_allclose(total, predict(X[:2]) if what != "trees" else total, atol=1e-6)
    if what != "many":
        assert_same_explanation(ours, theirs, FLOAT32)


def test_before_shap_is_imported() -> None:
    """install() as the first line of a program, and a module that imports shap only then."""
    code = """
        import leafshap.compat.shap
        leafshap.compat.shap.install()
        import shap
        from shap import TreeExplainer
        from shap.explainers import Tree
        assert TreeExplainer is Tree is leafshap.compat.shap.TreeExplainer
        assert TreeExplainer is not TreeExplainer.replaces
        leafshap.compat.shap.uninstall()
        assert shap.TreeExplainer is TreeExplainer.replaces
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
