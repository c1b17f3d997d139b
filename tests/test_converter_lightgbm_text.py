"""LightGBM's model text: columns, files without LightGBM, damage that is named."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from leafshap import _core
from leafshap.converters import lightgbm as converter
from leafshap.converters import lightgbm_text
from leafshap.errors import InvalidModelError, LeafshapError, UnsupportedModelError
from lightgbm_cases import QUIET, edited, leaves_reached, own_raw, raw_sums, train, training_data

if TYPE_CHECKING:
    from pathlib import Path

    from leafshap.converters.arrays import EnsembleArrays

lgb = pytest.importorskip("lightgbm")
# old LightGBM versions warn of their own keywords, and use old ones of numpy and pandas
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:lightgbm"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:lightgbm"),
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
]


def test_cover_is_absent_when_the_model_carries_no_counts() -> None:
    text = train({}, rounds=1).model_to_string()
    for key in ("internal_count", "leaf_count"):
        assert convert_text(edited(text, **{key: None})).cover is None
    zeros = {"internal_count": " ".join("0" * 8), "leaf_count": " ".join("0" * 9)}
    assert convert_text(edited(text, **zeros)).cover is None
    empty = {"internal_count": "", "leaf_count": ""}
    assert convert_text(edited(text, **empty)).cover is None
    assert convert_text(edited(text)).cover is not None


def test_tree_of_one_leaf_as_old_versions_write_it() -> None:
    X, y = training_data()
    text = lgb.train(QUIET, lgb.Dataset(X, np.full(len(y), 2.5)), 1).model_to_string()
    old = edited(text, leaf_weight="", leaf_count="")  # 3.3 leaves both empty
    assert convert_text(old).leaf_value.tolist() == [2.5]


def convert_text(text: str) -> EnsembleArrays:
    return converter.convert_text(text.encode())


def test_names_of_columns() -> None:
    X, y = training_data()
    assert converter.convert(train({}, rounds=1)).feature_names is None  # made up by LightGBM
    names = ["a", "b=c", "größe", "two_words", "e"]
    booster = lgb.train(QUIET, lgb.Dataset(X, y, feature_name=names), 1)
    assert converter.convert(booster).feature_names == names


def test_pandas_categories() -> None:
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(4)
    n = 500
    city, size = rng.integers(0, 6, n), rng.integers(0, 3, n)
    frame = pd.DataFrame(
        {
            "amount": rng.normal(size=n),
            "flag": rng.integers(0, 2, n),
            "city": pd.Categorical(np.array(list("fedcba"))[city]),
            "year": pd.Categorical(np.array([2020, 2010, 2015])[size]),
            "size": pd.Categorical(np.array(["s", "m", "l"])[size], ["s", "m", "l"], ordered=True),
        }
    )
    frame.loc[::9, "city"] = None
    y = frame["amount"] + city % 3 + size
    cities, years, sizes = list("abcdef"), [2010, 2015, 2020], ["s", "m", "l"]

    def categories(columns: list[str], **settings: Any) -> tuple[Any, EnsembleArrays]:
        booster = lgb.train(QUIET, lgb.Dataset(frame[columns], y, **settings), 5)
        return booster, converter.convert(booster)

    booster, arrays = categories(["amount", "flag", "city", "year"])
    assert arrays.feature_categories == {2: cities, 3: years}
    assert arrays.feature_names == ["amount", "flag", "city", "year"]
    assert not arrays.encode_numeric
    # LightGBM encodes a frame with other category order, and unseen ones, by the stored values
    other = frame[["amount", "flag", "city", "year"]].copy()
    other["city"] = pd.Categorical(other["city"].astype(object).fillna("new"), [*"fedcba", "new"])
    codes = np.column_stack(
        [
            other["amount"],
            other["flag"],
            [cities.index(c) if c in cities else math.nan for c in other["city"]],
            [years.index(v) for v in other["year"]],
        ]
    ).astype(float)
    raw = converter.predict_raw(booster, other)
    np.testing.assert_array_equal(raw, converter.predict_raw(booster, codes))
    np.testing.assert_allclose(
        raw_sums(arrays, leaves_reached(arrays, codes))[:, 0], raw, rtol=1e-13
    )

    # an ordered column is trained as a number: it is found where only one column can be it
    assert categories(["amount", "city", "size"])[1].feature_categories == {1: cities, 2: sizes}
    assert categories(["flag", "size", "city"])[1].feature_categories == {1: sizes, 2: cities}
    # two columns of integers could be the ordered one: nothing is guessed
    frame["count"] = size
    assert categories(["city", "count", "size"])[1].feature_categories == {}
    # a categorical column of plain integers has no stored categories
    both = categories(["amount", "flag", "city"], categorical_feature=["flag", "city"])[1]
    assert both.feature_categories == {2: cities}


def test_file_needs_no_lightgbm(tmp_path: Path) -> None:
    booster = train({}, "nan")
    booster.save_model(str(tmp_path / "model.txt"))
    X = np.nan_to_num(training_data()[0][:5])
    code = (
        "import json, sys; sys.modules['lightgbm'] = None\n"
        "import numpy as np\n"
        "from leafshap import _core\n"
        "from leafshap.converters import convert\n"
        "e = _core.Ensemble(convert(sys.argv[1]).as_dict())\n"
        "print(json.dumps(e.predict(np.array(json.loads(sys.argv[2])), -1, 1).tolist()))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model.txt"), json.dumps(X.tolist())]
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=_environment())
    np.testing.assert_allclose(json.loads(out.stdout), own_raw(booster, X), rtol=1e-13)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


def test_batches_and_line_ends_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    text = train({"objective": "multiclass"}, "nan").model_to_string()
    whole = convert_text(text).as_dict()
    dos = convert_text(text.replace("\n", "\r\n")).as_dict()
    monkeypatch.setattr(lightgbm_text, "_BATCH_BYTES", 1)
    monkeypatch.setattr("leafshap.converters.lightgbm_categories._WORD_BLOCK", 1)
    pieces = convert_text(text).as_dict()
    for key, value in whole.items():
        np.testing.assert_array_equal(dos[key], value, err_msg=key)
        np.testing.assert_array_equal(pieces[key], value, err_msg=key)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("num_leaves", None, "tree 0: num_leaves is missing"),
        ("num_leaves", "9000000000000", "tree 0: num_leaves is 9000000000000"),
        ("num_leaves", "-1", "tree 0: num_leaves is -1"),
        ("num_leaves", "8", "tree 0: split_feature holds 8 numbers where 7 belong"),
        ("threshold", "1 2 3", "tree 0: threshold holds 3 numbers where 8 belong"),
        ("threshold", "1 2 x 4 5 6 7 8", "tree 0: threshold holds something"),
        ("threshold", "1-2 2 3 4 5 6 7 8", "tree 0: threshold holds something"),
        ("leaf_value", None, "tree 0: leaf_value is missing"),
        ("left_child", "1 2 3 4 5 6 7 99999", "tree 0: left_child holds 99999"),
        ("left_child", "1 2 3 4 5 6 7 -10", "tree 0: left_child holds -10"),
        ("right_child", "1 2 3 4 5 6 7 99999999999", "tree 0: right_child holds something"),
        ("split_feature", "0 0 0 0 0 0 0 1.5", "tree 0: split_feature holds something"),
        ("decision_type", "0 0 0 0 0 0 0 12", "tree 0: decision_type holds 12"),
        ("decision_type", "1 1 1 1 1 1 1 1", "tree 0: threshold .category set. "),
        ("num_cat", "many", "tree 0: num_cat is b'many'"),
        ("cat_boundaries", None, "tree 0: cat_boundaries is missing"),
        ("cat_threshold", None, "tree 0: cat_threshold is missing"),
        ("cat_threshold", "1 2 3", "tree 0: cat_boundaries holds"),
        ("cat_threshold", "-1 " * 6, "tree 0: cat_"),
    ],
)
def test_damage_is_named(key: str, value: str | None, message: str) -> None:
    text = train({"min_data_in_leaf": 20}, "plain", rounds=2).model_to_string()
    with pytest.raises(InvalidModelError, match=message):
        convert_text(edited(text, **{key: value}))


def test_texts_that_are_no_model() -> None:
    for data in (b"", b"\x00" * 100, b"{}", b"tree", b"tree\nversion=v4\n"):
        with pytest.raises(InvalidModelError):
            converter.convert_text(data)
    text = train({}, rounds=2).model_to_string()
    with pytest.raises(UnsupportedModelError, match=r"v9[34]"):
        convert_text(text.replace("version=v", "version=v9", 1))
    with pytest.raises(InvalidModelError, match="2 trees where the header's"):
        convert_text(text.replace("tree_sizes=", "tree_sizes=1 2 "))
    with pytest.raises(InvalidModelError, match="appears twice"):
        convert_text(text.replace("\nTree=1\n", "\n"))
    with pytest.raises(InvalidModelError, match="max_feature_idx"):
        convert_text(text.replace("max_feature_idx=4", "max_feature_idx=-4"))


def test_cut_text_is_refused() -> None:
    data = train({"objective": "multiclass"}, "nan", rounds=2).model_to_string().encode()
    trees_end, parameters = data.index(b"end of trees"), data.index(b"\nparameters:")
    parameters_end, last = data.index(b"end of parameters"), data.index(b"pandas_categorical:")
    cuts = [*range(0, trees_end, 97), *range(parameters + 12, parameters_end, 97), last + 19]
    for cut in cuts:
        with pytest.raises(LeafshapError):
            converter.convert_text(data[:cut])


@pytest.mark.parametrize("seed", range(6))
def test_fuzzed_text_gives_an_error_or_a_model(seed: int) -> None:
    """Only LeafshapError may come out, of the converter and of the core's validation."""
    rng = np.random.default_rng(seed)
    data = train({"num_leaves": 5}, "nan", rounds=2).model_to_string().encode()
    end = data.index(b"\nparameters:")
    tokens = [
        b"-",
        b" ",
        b"\n",
        b"=",
        b"9",
        b"99999999999999999999",
        b"nan",
        b"1e999",
        b"\xff",
        b"",
    ]
    refused = 0
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            at = int(rng.integers(0, end))
            width = int(rng.choice([1, 1, 1, 2, 40]))
            damaged[at : at + width] = tokens[rng.integers(len(tokens))]
        try:
            arrays = converter.convert_text(bytes(damaged))
            _core.Ensemble(arrays.as_dict()).predict(np.zeros((1, arrays.n_features)), -1, 1)
        except LeafshapError:
            refused += 1
    assert 0 < refused < 150
