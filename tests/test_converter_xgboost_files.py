"""XGBoost files: both formats, older versions, without xgboost, damaged in every key."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leafshap import _core
from leafshap.converters import convert as convert_any
from leafshap.converters.xgboost import convert, convert_file
from leafshap.errors import (
    InvalidModelError,
    LeafshapError,
    UnsupportedModelError,
)
from xgboost_cases import (
    QUIET,
    assert_close,
    assert_equal_arrays,
    margin_of,
    train,
    zoo,
)

pytestmark = QUIET


def test_json_and_ubjson_give_the_same_arrays(tmp_path: Path) -> None:
    for name, booster in zoo():
        for suffix in ("json", "ubj"):
            booster.save_model(tmp_path / f"{name}.{suffix}")
            a = convert_any(str(tmp_path / f"{name}.{suffix}"))
            assert_equal_arrays(a, convert(booster))
            assert a.tree_offsets.dtype == a.category_offsets.dtype == np.int64
            for key in ("left", "right", "split_feature", "tree_output", "category_codes"):
                assert getattr(a, key).dtype == np.int32
            for key in ("threshold", "leaf_value", "cover", "base_values", "tree_weight"):
                assert getattr(a, key) is None or getattr(a, key).dtype == np.float64
            assert a.default_left.dtype == np.bool_
            assert a.missing.dtype == a.categorical.dtype == np.uint8


def test_a_file_needs_no_xgboost(tmp_path: Path) -> None:
    booster = train()
    booster.save_model(tmp_path / "m.json")
    booster.save_model(tmp_path / "m.ubj")
    script = """
        import sys
        for name in ("xgboost", "sklearn", "pandas"):
            sys.modules[name] = None
        from leafshap.converters import convert
        for path in sys.argv[1:]:
            print(convert(path).leaf_value.sum().hex())
    """
    paths = [str(tmp_path / "m.json"), str(tmp_path / "m.ubj")]
    run = [sys.executable, "-c", textwrap.dedent(script), *paths]
    out = subprocess.run(run, check=True, capture_output=True, text=True, timeout=60)
    assert out.stdout.split() == [convert(booster).leaf_value.sum().hex()] * 2


OLD_FILES = sorted((Path(__file__).parent / "data").glob("xgboost-*.json"))


@pytest.mark.parametrize("path", OLD_FILES, ids=lambda path: path.stem)
def test_files_of_older_versions(path: Path, tmp_path: Path) -> None:
    """Documents and margins recorded with that version by data/record_xgboost.py."""
    recorded = json.loads(path.read_text())
    assert recorded["cases"]
    for name, case in recorded["cases"].items():
        (tmp_path / f"{name}.json").write_text(json.dumps(case["document"]))
        a = convert_file(tmp_path / f"{name}.json")
        assert recorded["version"] in a.source
        X = np.array(case["rows"], dtype=float)
        assert_close(margin_of(a, X), np.array(case["margin"]))


def test_files_of_older_versions_are_there() -> None:
    assert len(OLD_FILES) >= 4


def test_every_place_of_the_tree_weights(tmp_path: Path) -> None:
    """Dropout weights were in a booster of their own, then beside the trees' model, then in it."""
    booster = dict(zoo())["dart"]
    expected = convert(booster)
    document = json.loads(booster.save_raw("json"))
    outer = document["learner"].pop("gradient_booster")
    forest = outer.get("gbtree", outer)
    weights = next(p.pop("weight_drop") for p in (outer, forest["model"]) if "weight_drop" in p)
    model = forest["model"]
    for layout in (
        {"name": "dart", "gbtree": {"name": "gbtree", "model": model}, "weight_drop": weights},
        {"name": "gbtree", "model": model, "weight_drop": weights},
        {"name": "gbtree", "model": {**model, "weight_drop": weights}},
    ):
        document["learner"]["gradient_booster"] = layout
        (tmp_path / "m.json").write_text(json.dumps(document))
        assert_equal_arrays(convert_file(tmp_path / "m.json"), expected)


def test_parameters_that_wrappers_saved_until_1_7(tmp_path: Path) -> None:
    document = json.loads(train().save_raw("json"))
    meta = {"missing": -999.1, "_estimator_type": "regressor"}
    document["learner"]["attributes"] = {"scikit_learn": json.dumps(meta), "best_iteration": "1"}
    (tmp_path / "m.json").write_text(json.dumps(document))
    a = convert_file(tmp_path / "m.json")
    assert a.missing_value == np.float32(-999.1)
    assert a.tree_limit == 2
    for broken in ({"scikit_learn": "{"}, {"scikit_learn": "{}", "best_iteration": "x"}):
        document["learner"]["attributes"] = broken
        (tmp_path / "m.json").write_text(json.dumps(document))
        assert not survives(tmp_path / "m.json")


def test_wrong_suffix(tmp_path: Path) -> None:
    booster = train()
    (tmp_path / "m.json").write_bytes(booster.save_raw("ubj"))
    (tmp_path / "m.ubj").write_bytes(booster.save_raw("json"))
    with pytest.raises(InvalidModelError, match=r"name it \.ubj"):
        convert_file(tmp_path / "m.json")
    with pytest.raises(InvalidModelError, match=r"name it \.json"):
        convert_file(tmp_path / "m.ubj")
    with pytest.raises(FileNotFoundError):
        convert_file(tmp_path / "absent.ubj")


def survives(path: Path) -> bool:
    """Convert and validate; anything but a LeafshapError is a failure of the test."""
    try:
        a = convert_file(path)
    except LeafshapError as error:
        if str(path) not in str(error):
            raise AssertionError("the error does not name the file") from error
        return False
    try:
        _core.Ensemble(a.as_dict())
    except LeafshapError:
        return False
    return True


@pytest.mark.parametrize("suffix", ["json", "ubj"])
def test_truncated_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"m.{suffix}"
    for _, booster in zoo():
        raw = bytes(booster.save_raw(suffix))
        rng = np.random.default_rng(0)
        for end in (0, 1, 2, *rng.integers(3, len(raw), 40), len(raw) - 1):
            path.write_bytes(raw[: int(end)])
            assert not survives(path)


@pytest.mark.parametrize("suffix", ["json", "ubj"])
def test_damaged_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"m.{suffix}"
    rng = np.random.default_rng(1)
    rejected = 0
    for _, booster in zoo():
        raw = np.frombuffer(bytes(booster.save_raw(suffix)), np.uint8)
        for _ in range(60):
            broken = raw.copy()
            at = rng.integers(0, len(raw), rng.integers(1, 6))
            # keep some damage printable, so that JSON stays JSON
            broken[at] = rng.choice([rng.integers(0, 256), rng.integers(45, 58)])
            path.write_bytes(broken.tobytes())
            rejected += not survives(path)
    assert rejected > 50


def damage(value: Any) -> Iterator[Any]:
    """Yield a changed value for a document's value."""
    yield from (None, [], {}, "x", -1, 3, 2**31, 2**70, 1.5, float("nan"), [[1], [2, 3]], ["a"])
    if isinstance(value, list):
        yield value[:-1]
        yield value + value
        yield [2**40 if isinstance(v, int) else v for v in value]
        yield [-7 if isinstance(v, int) else v for v in value]
        yield [0 if isinstance(v, (int, float)) else v for v in value]
        yield [1e300 if isinstance(v, float) else v for v in value]
        yield value[::-1]
    if isinstance(value, str):
        yield from ("-1", "1e9", "2147483648", "9" * 30, "[", "[]", "[1,2", "nan", "1E400", "٣")


def spots(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of all members of objects, and of the first element of every list."""
    items = node.items() if isinstance(node, dict) else enumerate(node[:1])
    for key, value in items:
        yield (*path, key)
        if isinstance(value, (dict, list)):
            yield from spots(value, (*path, key))


@pytest.mark.parametrize("case", ["dart", "partition", "vector"])
def test_damaged_documents(tmp_path: Path, case: str) -> None:
    """Every key in turn is dropped, or gets a value of another type, length or size."""
    boosters = dict(zoo(max_depth=2))
    if case not in boosters:
        pytest.skip("not in this version of XGBoost")
    path = tmp_path / "m.json"
    text = boosters[case][:2].save_raw("json")
    where = list(spots(json.loads(text)))
    rejected = 0
    for spot in where:
        document = json.loads(text)
        parent = document
        for key in spot[:-1]:
            parent = parent[key]
        key = spot[-1]
        values = list(damage(parent[key]))
        if isinstance(parent, dict):
            del parent[key]
            path.write_text(json.dumps(document))
            rejected += not survives(path)
        for value in values:
            parent[key] = value
            path.write_text(json.dumps(document))
            rejected += not survives(path)
    assert rejected > 3 * len(where)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t["left_children"].__setitem__(0, 99), r"tree 1, node 0: child 99"),
        (lambda t: t["left_children"].__setitem__(0, -5), r"tree 1, node 0: child -5"),
        (lambda t: t["right_children"].__setitem__(0, 0), r"tree 1, node 0: is reached twice"),
        (
            lambda t: t["right_children"].__setitem__(0, t["left_children"][0]),
            r"tree 1, node 1: is reached twice",
        ),
        (lambda t: t["sum_hessian"].pop(), r"trees\[1\]\.sum_hessian has \d+ entries"),
        (lambda t: t.pop("split_indices"), r"trees\[1\]\.split_indices is missing"),
        (lambda t: t["split_indices"].__setitem__(0, "a"), r"trees\[1\]\.split_indices"),
        (lambda t: t["split_indices"].__setitem__(0, 2**31), r"split_indices holds 2147483648"),
        (lambda t: t["tree_param"].update(size_leaf_vector="3"), r"leaf vectors of size"),
    ],
)
def test_the_error_names_the_place(
    tmp_path: Path, change: Callable[[Any], object], message: str
) -> None:
    document = json.loads(train().save_raw("json"))
    change(document["learner"]["gradient_booster"]["model"]["trees"][1])
    path = tmp_path / "m.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InvalidModelError, match=message) as caught:
        convert_file(path)
    assert str(path) in str(caught.value)


def test_unknown_objective_and_booster(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    document = json.loads(train().save_raw("json"))
    document["learner"]["objective"]["name"] = "reg:new"
    path.write_text(json.dumps(document))
    with pytest.raises(UnsupportedModelError, match="reg:new"):
        convert_file(path)
    document["learner"]["gradient_booster"]["name"] = "gbforest"
    path.write_text(json.dumps(document))
    with pytest.raises(UnsupportedModelError, match="gbforest"):
        convert_file(path)


def test_deep_and_wide_json(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text("[" * 200_000)
    with pytest.raises(InvalidModelError):
        convert_file(path)
    document = json.loads(train().save_raw("json"))
    document["learner"]["learner_model_param"]["num_class"] = "2000000000"
    path.write_text(json.dumps(document))
    with pytest.raises(InvalidModelError, match="2000000000 outputs"):
        convert_file(path)
    for tree in document["learner"]["gradient_booster"]["model"]["trees"]:
        tree["tree_param"]["size_leaf_vector"] = "2000000000"
    path.write_text(json.dumps(document))
    with pytest.raises(InvalidModelError, match="weights"):
        convert_file(path)
