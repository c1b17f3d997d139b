"""Three kinds of SHAP values of the same row, by a table of ten rows.

Two yes/no features agree in eight rows of ten. The numbers are those of the guide "Reading SHAP
values".
"""

from __future__ import annotations

from math import exp

import numpy as np
import numpy.typing as npt
from sklearn.tree import DecisionTreeRegressor

import leafshap

X = np.array([[1, 1]] * 4 + [[0, 0]] * 4 + [[1, 0], [0, 1]], dtype=float)
ROW = np.array([1.0, 1.0])


def conditional(f: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Values of ROW where an unknown feature follows its distribution given the known one."""
    v_none, v_first = f.mean(), f[X[:, 0] == ROW[0]].mean()
    v_second, v_both = f[X[:, 1] == ROW[1]].mean(), f[(X == ROW).all(axis=1)].mean()
    first = ((v_first - v_none) + (v_both - v_second)) / 2
    second = ((v_second - v_none) + (v_both - v_first)) / 2
    return np.array([first, second])


def three_kinds(y: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
    """Explain ROW of a tree that has learned y by heart."""
    model = DecisionTreeRegressor(random_state=0).fit(X, y)
    return {
        "interventional": leafshap.TreeExplainer(model, X).shap_values(ROW),
        "conditional": conditional(model.predict(X)),
        "path-dependent": leafshap.TreeExplainer(model).shap_values(ROW),
        "at the root": np.array([model.tree_.feature[0]]),
    }


# the model reads the first feature only
only_first = three_kinds(10 * X[:, 0])
# both must be there
both = three_kinds(10 * X[:, 0] * X[:, 1])
for name, found in (("10 a", only_first), ("10 a b", both)):
    for kind in ("interventional", "conditional", "path-dependent"):
        print(f"{name:8s} {kind:15s} a {found[kind][0]:+.1f}  b {found[kind][1]:+.1f}")

# a feature that the model does not read: nothing, unless values are conditional
np.testing.assert_allclose(only_first["interventional"], [5, 0])
np.testing.assert_allclose(only_first["path-dependent"], [5, 0])
np.testing.assert_allclose(only_first["conditional"], [3.5, 1.5])

# a symmetric function: path-dependent values know which feature the tree asks first
np.testing.assert_allclose(both["interventional"], [3, 3])
np.testing.assert_allclose(both["conditional"], [3, 3])
root = int(both["at the root"][0])
np.testing.assert_allclose(both["path-dependent"][[root, 1 - root]], [4.5, 1.5])

# log-odds of two features, +1 each: the second moves the probability further
probabilities = [1 / (1 + exp(-m)) for m in (-2, -1, 0)]
print("probabilities on the way:", np.round(probabilities, 2))
np.testing.assert_allclose(probabilities, [0.12, 0.27, 0.5], atol=0.005)

# a group's value is not the mean of |values|: effects that cancel
rng = np.random.default_rng(0)
Z = rng.normal(size=(400, 1)) + 0.05 * rng.normal(size=(400, 2))
apart = leafshap.KernelExplainer(lambda z: z[:, 0] - z[:, 1], Z[:50])(Z[:100]).values
print(
    f"mean |values| {np.abs(apart).mean(axis=0).sum():.2f}, of their sum "
    f"{np.abs(apart.sum(axis=1)).mean():.2f}"
)
assert np.abs(apart.sum(axis=1)).mean() < 0.1 * np.abs(apart).mean(axis=0).sum()
