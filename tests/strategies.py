"""Random tree ensembles and rows that hit their corners; everything follows from one seed.

A `Recipe` says what kind of ensemble is wanted; `random_ensemble(recipe)` grows it and
`random_rows` draws rows that lie on thresholds, beside them, in and outside of category sets.
`ensembles()` and `recipes()` wrap both for Hypothesis.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from leafshap.converters.arrays import EnsembleArrays, Missing

Shape = Literal["random", "balanced", "chain", "leaf"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What to grow."""

    seed: int = 0
    n_trees: int = 3
    n_features: int = 6
    n_outputs: int = 1
    vector_leaves: bool = False
    shape: Shape = "random"
    depth: int = 4  # of a balanced tree or chain; most of a random one
    n_leaves: int = 10  # of a random tree
    repeat: bool = True  # may a feature occur twice on a path
    categorical: float = 0.25  # share of the features that are categorical
    n_categories: int = 12
    policies: tuple[int, ...] = (Missing.NAN, Missing.ZERO, Missing.NAN_AS_ZERO)
    zero_cover: float = 0.1  # chance that all of a node's cover goes to one child
    comparison: Literal["<", "<="] = "<"
    precision: Literal["float32", "float64"] = "float32"
    category_rule: Literal["truncate", "nonnegative"] = "nonnegative"
    missing_value: float = float("nan")
    weights: bool = True  # tree weights other than 1

    def but(self, **changes: Any) -> Recipe:
        return replace(self, **changes)


@dataclass
class _Nodes:
    """One tree while it grows."""

    parent: list[int]
    left: list[int]
    right: list[int]
    depth: list[int]

    @classmethod
    def root(cls) -> _Nodes:
        return cls([-1], [-1], [-1], [0])

    def split(self, node: int) -> tuple[int, int]:
        first = len(self.left)
        for _ in range(2):
            self.parent.append(node)
            self.left.append(-1)
            self.right.append(-1)
            self.depth.append(self.depth[node] + 1)
        self.left[node], self.right[node] = first, first + 1
        return first, first + 1

    def path(self, node: int) -> list[int]:
        above = []
        while self.parent[node] >= 0:
            node = self.parent[node]
            above.append(node)
        return above


def _topology(recipe: Recipe, rng: np.random.Generator) -> _Nodes:
    nodes = _Nodes.root()
    if recipe.shape == "balanced":
        level = [0]
        for _ in range(recipe.depth):
            level = [child for node in level for child in nodes.split(node)]
    elif recipe.shape == "chain":
        node = 0
        for _ in range(recipe.depth):
            node = nodes.split(node)[int(rng.integers(2))]
    elif recipe.shape == "random":
        open_leaves = [0]
        for _ in range(recipe.n_leaves - 1):
            if not open_leaves:
                break
            node = open_leaves.pop(int(rng.integers(len(open_leaves))))
            children = nodes.split(node)
            if nodes.depth[children[0]] < recipe.depth:
                open_leaves += children
    return nodes


def _renumbered(nodes: _Nodes, rng: np.random.Generator) -> _Nodes:
    """Shuffle all node numbers but the root's: no library's order may be relied upon."""
    n = len(nodes.left)
    new = np.concatenate([[0], 1 + rng.permutation(n - 1)]).astype(int)
    moved = _Nodes([-1] * n, [-1] * n, [-1] * n, [0] * n)
    for old in range(n):
        at = new[old]
        moved.depth[at] = nodes.depth[old]
        if nodes.parent[old] >= 0:
            moved.parent[at] = int(new[nodes.parent[old]])
        if nodes.left[old] >= 0:
            moved.left[at], moved.right[at] = int(new[nodes.left[old]]), int(new[nodes.right[old]])
    return moved


def threshold_grid(recipe: Recipe) -> npt.NDArray[np.float64]:
    """Few distinct thresholds, zero and the edge of 'zero' among them, so that rows hit them."""
    grid = np.round(np.random.default_rng(recipe.seed + 1).normal(size=7), 1)
    edge = float(np.float32(1e-35))
    grid = np.concatenate([grid, [0.0, -0.0, edge, -edge, 1e-3, 1e30]])
    if recipe.comparison == "<" and recipe.precision == "float32":  # XGBoost stores float32
        grid = grid.astype(np.float32).astype(np.float64)
    return grid


def _features_of(recipe: Recipe, nodes: _Nodes, rng: np.random.Generator) -> list[int]:
    feature = [-1] * len(nodes.left)
    for node in np.argsort(nodes.depth, kind="stable"):
        if nodes.left[node] < 0:
            continue
        choice = int(rng.integers(recipe.n_features))
        if not recipe.repeat:
            above = {feature[p] for p in nodes.path(int(node))}
            free = [f for f in range(recipe.n_features) if f not in above]
            if not free:
                raise ValueError("more levels than features, but repeat=False")
            choice = free[int(rng.integers(len(free)))]
        feature[node] = choice
    return feature


def random_ensemble(recipe: Recipe) -> EnsembleArrays:
    """Grow the ensemble of a recipe; its cover adds up exactly, zero in places."""
    rng = np.random.default_rng(recipe.seed)
    n_categorical = round(recipe.categorical * recipe.n_features)
    kind_of = np.zeros(recipe.n_features, dtype=bool)
    kind_of[rng.permutation(recipe.n_features)[:n_categorical]] = True
    grid = threshold_grid(recipe)
    columns: dict[str, list[Any]] = {name: [] for name in (
        "split_feature", "left", "right", "threshold", "default_left", "missing", "categorical",
        "cover", "leaf_value",
    )}  # fmt: skip
    codes: list[npt.NDArray[np.int32]] = []
    tree_offsets = [0]
    for _ in range(recipe.n_trees):
        nodes = _renumbered(_topology(recipe, rng), rng)
        feature = _features_of(recipe, nodes, rng)
        n = len(feature)
        cover = np.zeros(n)
        cover[0] = float(rng.integers(1, 2**20))
        for node in np.argsort(nodes.depth, kind="stable"):
            if nodes.left[node] < 0:
                continue
            # long chains would starve with whole numbers: halves down to 2^-500 stay exact
            share = float(rng.integers(1, 16)) / 16.0
            if rng.random() < recipe.zero_cover:
                share = float(rng.integers(2))
            cover[nodes.left[node]] = cover[node] * share
            cover[nodes.right[node]] = cover[node] - cover[node] * share
        for node in range(n):
            is_leaf = feature[node] < 0
            is_categorical = not is_leaf and kind_of[feature[node]]
            policies = recipe.policies
            if is_categorical:  # 'zero is missing' has no meaning for a category
                policies = tuple(p for p in policies if p != Missing.ZERO) or (Missing.NAN,)
            columns["threshold"].append(
                0.0 if is_leaf or is_categorical else grid[rng.integers(len(grid))]
            )
            columns["default_left"].append(not is_leaf and bool(rng.integers(2)))
            columns["missing"].append(0 if is_leaf else policies[rng.integers(len(policies))])
            columns["categorical"].append(int(rng.integers(1, 3)) if is_categorical else 0)
            size = int(rng.integers(1, recipe.n_categories)) if is_categorical else 0
            codes.append(np.sort(rng.permutation(recipe.n_categories)[:size]).astype(np.int32))
            shape = recipe.n_outputs if recipe.vector_leaves else ()
            columns["leaf_value"].append(rng.normal(size=shape) if is_leaf else np.zeros(shape))
        columns["split_feature"] += feature
        columns["left"] += nodes.left
        columns["right"] += nodes.right
        columns["cover"] += list(cover)
        tree_offsets.append(tree_offsets[-1] + n)
    sizes = [len(c) for c in codes]
    has_categories = any(kind != 0 for kind in columns["categorical"])
    output = rng.integers(recipe.n_outputs, size=recipe.n_trees)
    weight = rng.uniform(0.1, 2.0, size=recipe.n_trees) if recipe.weights else None
    return EnsembleArrays(
        n_features=recipe.n_features,
        n_outputs=recipe.n_outputs,
        tree_offsets=np.array(tree_offsets, dtype=np.int64),
        tree_output=np.where(recipe.vector_leaves, -1, output).astype(np.int32),
        tree_weight=np.ones(recipe.n_trees) if weight is None else weight,
        split_feature=np.array(columns["split_feature"], dtype=np.int32),
        left=np.array(columns["left"], dtype=np.int32),
        right=np.array(columns["right"], dtype=np.int32),
        threshold=np.array(columns["threshold"], dtype=np.float64),
        default_left=np.array(columns["default_left"], dtype=np.bool_),
        missing=np.array(columns["missing"], dtype=np.uint8),
        categorical=np.array(columns["categorical"], dtype=np.uint8),
        category_offsets=np.cumsum([0, *sizes] if has_categories else [], dtype=np.int64),
        category_codes=np.concatenate(codes) if has_categories else np.zeros(0, np.int32),
        cover=np.array(columns["cover"], dtype=np.float64),
        leaf_value=np.array(columns["leaf_value"], dtype=np.float64),
        base_values=rng.normal(size=recipe.n_outputs),
        comparison=recipe.comparison,
        input_precision=recipe.precision,
        category_rule=recipe.category_rule,
        missing_value=recipe.missing_value,
        source=f"random {recipe.seed}",
    )


def random_rows(
    arrays: EnsembleArrays,
    n: int,
    seed: int = 0,
    *,
    dtype: type[np.float32 | np.float64] = np.float64,
) -> npt.NDArray[Any]:
    """Rows (n, F) on and around what the splits test, C-contiguous."""
    rng = np.random.default_rng(seed + 99)
    X = np.empty((n, arrays.n_features))
    always = [np.nan, 0.0, -0.0, 1e-36, -1e-36, 1e-34, 1e300, -1e300, np.inf, -np.inf]
    if not np.isnan(arrays.missing_value):
        always += [arrays.missing_value] * 4
    is_category = arrays.categorical > 0
    for f in range(arrays.n_features):
        at = arrays.split_feature == f
        if (at & is_category).any():
            sizes = np.diff(arrays.category_offsets)
            members = arrays.category_codes[np.repeat(at, sizes)]
            top = int(members.max(initial=0))
            pool = np.concatenate(
                [
                    np.arange(min(top + 3, 3000)),
                    members + 0.0,
                    rng.choice(members + 0.5, 3) if len(members) else [],
                    [-1.0, -0.5, -7.0, top + 1e6, 2.0**31, 2.0**32, 1e10, np.nan, np.inf, -np.inf],
                ]
            )
        else:
            on = arrays.threshold[at]
            near = [np.nextafter(on, np.inf), np.nextafter(on, -np.inf)]
            single = on.astype(np.float32)
            near += [np.nextafter(single, np.float32(s)).astype(float) for s in (np.inf, -np.inf)]
            pool = np.concatenate([on, on, *near, rng.normal(size=2 * len(on) + 10), always])
        X[:, f] = rng.choice(pool, size=n)
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(X.astype(dtype))


def flavours() -> list[dict[str, Any]]:
    """The rules of the libraries, and mixtures that no library has (yet)."""
    nan = (Missing.NAN,)
    return [
        {"comparison": "<", "precision": "float32", "policies": nan},  # XGBoost
        {"comparison": "<", "precision": "float32", "policies": nan, "missing_value": -999.0},
        {"comparison": "<=", "precision": "float64", "category_rule": "truncate"},  # LightGBM
        {"comparison": "<=", "precision": "float32", "policies": nan, "categorical": 0.0},
        {"comparison": "<=", "precision": "float64", "policies": nan},  # HistGradientBoosting
        {"comparison": "<", "precision": "float64"},
        {"comparison": "<=", "precision": "float32", "category_rule": "truncate"},
    ]


def random_recipe(seed: int) -> Recipe:
    """A small recipe for brute force, all knobs turned by the seed."""
    rng = np.random.default_rng(seed)
    n_outputs = int(rng.choice([1, 1, 1, 2, 3, 5]))
    shapes: tuple[Shape, ...] = ("random", "random", "balanced", "chain", "leaf")
    shape = shapes[rng.integers(len(shapes))]
    n_features = int(rng.integers(1, 8))
    recipe = Recipe(
        seed=seed,
        n_trees=int(rng.integers(1, 7)),
        n_features=n_features,
        n_outputs=n_outputs,
        vector_leaves=bool(rng.integers(2)),
        shape=shape,
        depth=int(rng.integers(1, 6)) if shape != "chain" else int(rng.integers(1, 12)),
        n_leaves=int(rng.integers(2, 16)),
        categorical=float(rng.choice([0.0, 0.3, 1.0])),
        n_categories=int(rng.choice([2, 12, 70, 1300])),
        zero_cover=float(rng.choice([0.0, 0.1, 0.5])),
        weights=bool(rng.integers(2)),
    )
    return recipe.but(**flavours()[int(rng.integers(len(flavours())))])


@st.composite
def recipes(draw: st.DrawFn, *, max_features: int = 6) -> Recipe:
    """Recipes that shrink towards one small numeric tree."""
    flavour = draw(st.sampled_from(flavours()))
    n_outputs = draw(st.integers(1, 3))
    recipe = Recipe(
        seed=draw(st.integers(0, 2**16)),
        n_trees=draw(st.integers(1, 4)),
        n_features=draw(st.integers(1, max_features)),
        n_outputs=n_outputs,
        vector_leaves=draw(st.booleans()),
        shape=draw(st.sampled_from(["random", "balanced", "chain", "leaf"])),
        depth=draw(st.integers(1, 5)),
        n_leaves=draw(st.integers(2, 14)),
        categorical=draw(st.sampled_from([0.0, 0.4, 1.0])),
        n_categories=draw(st.sampled_from([3, 80])),
        zero_cover=draw(st.sampled_from([0.0, 0.3])),
        weights=draw(st.booleans()),
    )
    return recipe.but(**flavour)


def ensembles(*, max_features: int = 6) -> st.SearchStrategy[EnsembleArrays]:
    """Ensembles grown from `recipes`."""
    return recipes(max_features=max_features).map(random_ensemble)


def concatenated(a: EnsembleArrays, b: EnsembleArrays) -> EnsembleArrays:
    """The sum of two ensembles that read their input alike."""

    def offsets(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.concatenate([first, second[1:] + first[-1]])

    def category_offsets(arrays: EnsembleArrays) -> npt.NDArray[np.int64]:
        n_nodes = len(arrays.split_feature)
        return (
            arrays.category_offsets
            if len(arrays.category_offsets)
            else np.zeros(n_nodes + 1, np.int64)
        )

    joined: dict[str, Any] = {
        name: np.concatenate([getattr(a, name), getattr(b, name)])
        for name in ("tree_output", "tree_weight", "split_feature", "left", "right", "threshold",
                     "default_left", "missing", "categorical", "category_codes", "cover",
                     "leaf_value")
    }  # fmt: skip
    joined["tree_offsets"] = offsets(a.tree_offsets, b.tree_offsets)
    joined["category_offsets"] = offsets(category_offsets(a), category_offsets(b))
    joined["base_values"] = a.base_values + b.base_values
    return replace(a, **joined)
