"""From an XGBoost model document, as decoded from JSON or UBJSON, to the IR.

The schema is XGBoost's ``doc/model.schema`` since 1.6, with what later versions added: vector
leaves (2.0), intercepts per output and category names (3.1), tree weights inside the tree model
(3.5). Nothing here needs xgboost.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from leafshap.converters.arrays import EnsembleArrays, Missing
from leafshap.converters.xgboost_trees import floats, integers, read_trees, vector
from leafshap.errors import InvalidModelError, UnsupportedModelError

# objective -> (how base_score becomes a margin, how a margin becomes a prediction)
_OBJECTIVES: Final[dict[str, tuple[str, str]]] = {
    "reg:squarederror": ("identity", "identity"),
    "reg:linear": ("identity", "identity"),
    "reg:squaredlogerror": ("identity", "identity"),
    "reg:pseudohubererror": ("identity", "identity"),
    "reg:absoluteerror": ("identity", "identity"),
    "reg:quantileerror": ("identity", "identity"),
    "reg:expectileerror": ("expectile", "expectile"),
    "reg:logistic": ("logit", "logistic"),
    "binary:logistic": ("logit", "logistic"),
    "binary:logitraw": ("identity", "identity"),
    "binary:hinge": ("identity", "hinge"),
    "multi:softmax": ("identity", "softmax"),
    "multi:softprob": ("identity", "softmax"),
    "count:poisson": ("log", "exp"),
    "reg:gamma": ("log", "exp"),
    "reg:tweedie": ("log", "exp"),
    "survival:cox": ("log", "exp"),
    "survival:aft": ("log", "exp"),
    "rank:pairwise": ("identity", "identity"),
    "rank:ndcg": ("identity", "identity"),
    "rank:map": ("identity", "identity"),
}

_EPSILON: Final = np.float32(1e-6)  # XGBoost's kRtEps

# Unsigned category columns by the schema's type id; UBJSON stores them with the signed type.
_UNSIGNED: Final = {10: 2**8, 12: 2**16, 14: 2**32, 16: 2**64}


@dataclass(frozen=True, kw_only=True)
class SavedEstimator:
    """What a file written by a scikit-learn wrapper adds to the Booster's part."""

    missing: float


def member(parent: dict[str, Any], key: str, kind: type, where: str) -> Any:
    """Get a member of a decoded object, which must have the given type."""
    value = parent.get(key)
    if not isinstance(value, kind):
        state = "is missing" if key not in parent else f"is not a {kind.__name__}"
        raise InvalidModelError(f"{where}.{key} {state}")
    return value


def _count(parent: dict[str, Any], key: str, where: str, default: int | None = None) -> int:
    """Read a non-negative integer, which XGBoost writes as a string."""
    value = parent.get(key, default)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 19:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise InvalidModelError(f"{where}.{key} is {str(value)[:40]!r}, expected a count")
    return value


def to_arrays(document: object) -> EnsembleArrays:
    """Convert a decoded document as the Booster in it predicts: all trees, NaN is missing.

    Parameters
    ----------
    document : object
        The decoded file or ``Booster.save_raw``.

    Returns
    -------
    EnsembleArrays

    Raises
    ------
    InvalidModelError
        If the document contradicts the schema or itself; the message names the key, or the tree
        and the node.
    UnsupportedModelError
        For a linear booster, an objective that is not known, or categorical splits of XGBoost 1.6.
    """
    if not isinstance(document, dict) or not isinstance(document.get("learner"), dict):
        raise InvalidModelError("this is no XGBoost model: the key learner is missing")
    learner = document["learner"]
    version = _version(document)
    booster = member(learner, "gradient_booster", dict, "learner")
    name = member(booster, "name", str, "learner.gradient_booster")
    if name == "gblinear":
        raise UnsupportedModelError(
            "the XGBoost booster gblinear is a linear model without trees: its SHAP values are "
            "coefficient * (x - mean(x)), or train with booster='gbtree'"
        )
    if name not in ("gbtree", "dart"):
        raise UnsupportedModelError(f"the XGBoost booster {name[:40]!r} is not supported")
    forest = member(booster, "gbtree", dict, "gradient_booster") if name == "dart" else booster
    model = member(forest, "model", dict, "gradient_booster")
    trees = member(model, "trees", list, "gradient_booster.model")
    parameters = member(learner, "learner_model_param", dict, "learner")
    objective = member(member(learner, "objective", dict, "learner"), "name", str, "objective")

    n_features = _count(parameters, "num_feature", "learner_model_param")
    n_outputs = max(
        1,
        _count(parameters, "num_class", "learner_model_param", 0),
        _count(parameters, "num_target", "learner_model_param", 1),
    )
    vector_leaves = _has_vector_leaves(trees, n_outputs)
    if not vector_leaves and n_outputs > max(len(trees), 2**16):
        # A bound before anything of that size is allocated.
        raise InvalidModelError(f"{n_outputs} outputs, but only {len(trees)} trees")
    nodes = read_trees(trees, n_outputs, vector_leaves)
    base_values = _base_values(parameters.get("base_score"), objective, n_outputs, version)
    if version < (1, 7) and nodes.categorical.any():
        raise UnsupportedModelError(
            "categorical splits written by XGBoost before 1.7 send unknown categories another way "
            "than all later versions: load the model with a newer XGBoost and save it again"
        )
    tree_output = integers(
        [vector(model.get("tree_info"), "iu", "gradient_booster.model.tree_info")], "tree_info"
    )
    if tree_output.size != len(trees):
        raise InvalidModelError(f"tree_info has {tree_output.size} entries for {len(trees)} trees")
    tree_weight = _tree_weight(booster, forest, model, len(trees))
    kind = "gbtree" if tree_weight is None else "dart"
    return EnsembleArrays(
        n_features=n_features,
        n_outputs=n_outputs,
        tree_offsets=nodes.tree_offsets,
        tree_output=np.full(len(trees), -1, np.int32) if vector_leaves else tree_output,
        tree_weight=np.ones(len(trees)) if tree_weight is None else tree_weight,
        split_feature=nodes.split_feature,
        left=nodes.left,
        right=nodes.right,
        threshold=nodes.threshold,
        default_left=nodes.default_left,
        missing=np.full(len(nodes.left), Missing.NAN, np.uint8),
        categorical=nodes.categorical,
        category_offsets=nodes.category_offsets,
        category_codes=nodes.category_codes,
        cover=nodes.cover,
        leaf_value=nodes.leaf_value,
        split_gain=nodes.split_gain,
        base_values=base_values,
        comparison="<",
        input_precision="float32",
        category_rule="nonnegative",
        # DMatrix refuses infinity (unless it is the missing value).
        allow_inf=False,
        link=_link(objective, n_outputs, version),
        trees_per_iteration=_trees_per_iteration(model, len(trees), n_outputs, vector_leaves),
        feature_names=_feature_names(learner, n_features),
        feature_categories=_feature_categories(model, n_features),
        source=f"xgboost {'.'.join(map(str, version))} {kind} {objective}",
    )


def best_iteration(document: dict[str, Any]) -> int | None:
    """Best iteration of early stopping, from the attributes of a document that was converted."""
    attributes = document["learner"].get("attributes", {})
    value = attributes.get("best_iteration") if isinstance(attributes, dict) else None
    if value is None:
        return None
    return _count(attributes, "best_iteration", "learner.attributes")


def saved_estimator(document: dict[str, Any]) -> SavedEstimator | None:
    """Tell whether a scikit-learn wrapper wrote the file.

    Up to 1.7 the wrappers saved their parameters too, and loading restores ``missing``.
    """
    attributes = document["learner"].get("attributes", {})
    text = attributes.get("scikit_learn") if isinstance(attributes, dict) else None
    if not isinstance(text, str):
        return None
    try:
        meta = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidModelError("learner.attributes.scikit_learn is not JSON") from None
    missing = meta.get("missing") if isinstance(meta, dict) else None
    if isinstance(missing, bool) or not isinstance(missing, (int, float)):
        return SavedEstimator(missing=float("nan"))
    try:
        return SavedEstimator(missing=float(missing))
    except OverflowError:
        raise InvalidModelError("learner.attributes.scikit_learn.missing is too large") from None


def limit_trees(arrays: EnsembleArrays, best: int | None) -> int | None:
    """Trees up to and including the best iteration, as the scikit-learn wrappers predict."""
    if best is None:
        return None
    return min((best + 1) * arrays.trees_per_iteration, len(arrays.tree_weight))


def _version(document: dict[str, Any]) -> tuple[int, ...]:
    version = document.get("version")
    if isinstance(version, np.ndarray):
        version = version.tolist()
    if (
        not isinstance(version, list)
        or len(version) < 2
        or not all(isinstance(part, int) and 0 <= part < 2**31 for part in version)
    ):
        raise InvalidModelError("the key version is missing or is not a list of numbers")
    return tuple(version[:3])


def _has_vector_leaves(trees: list[Any], n_outputs: int) -> bool:
    widths = set()
    for t, tree in enumerate(trees):
        if not isinstance(tree, dict):
            raise InvalidModelError(f"trees[{t}] is not an object")
        parameters = member(tree, "tree_param", dict, f"trees[{t}]")
        widths.add(_count(parameters, "size_leaf_vector", f"trees[{t}].tree_param", 1))
    wide = {width for width in widths if width > 1}
    if not wide:
        return False
    if widths != {n_outputs}:
        raise InvalidModelError(f"leaf vectors of size {sorted(widths)} for {n_outputs} outputs")
    return True


def _base_values(
    score: object, objective: str, n_outputs: int, version: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """Intercept of every output as a margin, computed in float32 as XGBoost does."""
    if objective not in _OBJECTIVES:
        raise UnsupportedModelError(
            f"the XGBoost objective {objective[:40]!r} is not known: its base_score cannot be "
            "turned into a margin"
        )
    if isinstance(score, str):  # "5E-1", and since 3.1 "[5E-1,5E-1]"
        text = score.strip()
        parts = text[1:-1].split(",") if text[:1] == "[" and text[-1:] == "]" else [text]
        try:
            score = [float(part) for part in parts]
        except ValueError:
            what = "empty: the model was not trained" if text == "[]" else f"{text[:40]!r}"
            raise InvalidModelError(f"learner_model_param.base_score is {what}") from None
    elif isinstance(score, (int, float)) and not isinstance(score, bool):
        score = [score]
    base = floats([vector(score, "fiu", "learner_model_param.base_score")]).astype(np.float32)
    if base.size not in (1, n_outputs):
        raise InvalidModelError(
            f"learner_model_param.base_score has {base.size} values for {n_outputs} outputs"
        )
    base = np.broadcast_to(base, (n_outputs,))
    with np.errstate(all="ignore"):
        margin = _margin(base, _OBJECTIVES[objective][0], version)
    wrong = np.flatnonzero(~np.isfinite(margin))
    if wrong.size:
        raise InvalidModelError(
            f"learner_model_param.base_score {base[wrong[0]]} has no finite margin for {objective}"
        )
    return margin.astype(np.float64)


def _margin(
    base: npt.NDArray[np.float32], transform: str, version: tuple[int, ...]
) -> npt.NDArray[np.float32]:
    """ObjFunction::ProbToMargin; whatever it refuses becomes a number that is not finite."""
    one = np.float32(1)
    if transform == "log":
        return np.log(base)
    if transform == "logit":
        if version >= (3, 2):  # since then 0 and 1 are clipped, before they were refused
            base = np.where((base >= 0) & (base <= 1), base, np.float32("nan"))
            base = np.clip(base, _EPSILON, one - _EPSILON)
        margin: npt.NDArray[np.float32] = -np.log(one / base - one)
        return margin
    if transform == "expectile":  # the first value, then the inverse softplus of the steps
        step = np.maximum(np.diff(base) - _EPSILON, _EPSILON)
        return np.concatenate((base[:1], step + np.log(-np.expm1(-step))))
    return base


def _link(objective: str, n_outputs: int, version: tuple[int, ...]) -> str:
    if objective == "reg:quantileerror" and n_outputs > 1 and version >= (3, 4):
        return "sorted"  # so that the quantiles of a row do not cross
    return _OBJECTIVES[objective][1]


def _tree_weight(
    booster: dict[str, Any], forest: dict[str, Any], model: dict[str, Any], n_trees: int
) -> npt.NDArray[np.float64] | None:
    """Weights of dropout trees, or None; the key moved into the model in 3.5."""
    for parent in (booster, forest, model):
        if "weight_drop" in parent:
            weights = floats([vector(parent["weight_drop"], "fiu", "weight_drop")])
            if weights.size == n_trees:
                return weights
            if weights.size:
                raise InvalidModelError(
                    f"weight_drop has {weights.size} entries for {n_trees} trees"
                )
    return None


def _trees_per_iteration(
    model: dict[str, Any], n_trees: int, n_outputs: int, vector_leaves: bool
) -> int:
    where = "gradient_booster.model"
    parameters = member(model, "gbtree_model_param", dict, where)
    if _count(parameters, "num_trees", "gbtree_model_param", n_trees) != n_trees:
        raise InvalidModelError(
            f"gbtree_model_param.num_trees is not the number of trees, {n_trees}"
        )
    parallel = max(1, _count(parameters, "num_parallel_tree", "gbtree_model_param", 1))
    step = parallel * (1 if vector_leaves else n_outputs)
    if "iteration_indptr" in model and n_trees:  # since 2.0
        key = f"{where}.iteration_indptr"
        bounds = integers([vector(model["iteration_indptr"], "iu", key)], key)
        steps = np.diff(bounds)
        if not steps.size or bounds[0] != 0 or bounds[-1] != n_trees or (steps != steps[0]).any():
            raise InvalidModelError(f"{key} does not divide {n_trees} trees into equal iterations")
        step = int(steps[0])
    return step


def _feature_names(learner: dict[str, Any], n_features: int) -> list[str] | None:
    names = learner.get("feature_names", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InvalidModelError("learner.feature_names is not a list of strings")
    if not names:
        return None
    if len(names) != n_features:
        raise InvalidModelError(
            f"learner.feature_names has {len(names)} names for {n_features} features"
        )
    return names


def _feature_categories(model: dict[str, Any], n_features: int) -> dict[int, list[Any]]:
    """Category values in code order, which XGBoost keeps since 3.1 if it got a data frame."""
    if "cats" not in model:
        return {}
    columns = member(member(model, "cats", dict, "model"), "enc", list, "model.cats")
    if len(columns) > n_features:
        raise InvalidModelError(f"model.cats.enc has more columns than the {n_features} features")
    categories = {}
    for feature, column in enumerate(columns):
        where = f"model.cats.enc[{feature}]"
        if not isinstance(column, dict):
            raise InvalidModelError(f"{where} is not an object")
        values = vector(column.get("values"), "iu", f"{where}.values")
        if "offsets" in column:
            offsets = vector(column["offsets"], "iu", f"{where}.offsets")
            names = _category_names(values, offsets, where)
        else:
            span = _UNSIGNED.get(_count(column, "type", where))
            names = [value % span if span else value for value in values.tolist()]
        if names:
            categories[feature] = names
    return categories


def _category_names(values: npt.NDArray[Any], offsets: npt.NDArray[Any], where: str) -> list[Any]:
    """Split the signed bytes of all names, as in an Arrow string array."""
    if not offsets.size:
        return []
    text = values.astype(np.uint8).tobytes()
    if offsets[0] != 0 or offsets[-1] != len(text) or (offsets[1:] < offsets[:-1]).any():
        raise InvalidModelError(f"{where}.offsets contradict {where}.values")
    bounds = offsets.tolist()
    try:
        return [text[a:b].decode() for a, b in pairwise(bounds)]
    except UnicodeDecodeError:
        raise InvalidModelError(f"{where}.values is not UTF-8") from None
