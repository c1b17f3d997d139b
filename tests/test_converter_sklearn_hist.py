"""Categories of HistGradientBoosting: any values, in the user's own columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from leafshap import TreeEnsemble, UnsupportedModelError
from leafshap.converters import convert, predict_raw
from leafshap.converters.arrays import EnsembleArrays
from sklearn_models import HC, HR, VERSION, Array, hist, hist_leaves, walk

# the same settings warn in some versions of scikit-learn only
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """HistGradientBoosting's threads cost more than they bring on so few rows."""
    with pytest.importorskip("threadpoolctl").threadpool_limits(1):
        yield


def categorical_rows(n: int = 700, seed: int = 3) -> Array:
    """Columns 1 and 3 hold category values with gaps; 1 has missing and negative ones."""
    rng = np.random.default_rng(seed)
    negative = -2.0 if VERSION >= (1, 3) else np.nan  # 1.2 cannot predict after training on one
    rows = rng.normal(size=(n, 4))
    rows[:, 1] = rng.choice([3.0, 7.0, 11.0, 40.0, 200.0, np.nan, negative], n)
    rows[:, 3] = rng.permutation(np.arange(n)) % 40 * 6.0
    return rows


def category_target(rows: Array) -> Array:
    value = np.nan_to_num(rows[:, 1], nan=5.0) * 7 % 5 + rows[:, 3] * 11 % 13 / 4 + rows[:, 0]
    return np.asarray(value)


def coded(arrays: EnsembleArrays, rows: Array) -> Array:
    """Category values to codes one by one."""
    out = np.full(rows.shape, np.nan)
    for j in range(rows.shape[1]):
        if j not in arrays.feature_categories:
            out[:, j] = rows[:, j]
            continue
        code = {value: i for i, value in enumerate(arrays.feature_categories[j])}
        out[:, j] = [code.get(value, np.nan) for value in rows[:, j]]
    return out


@pytest.mark.parametrize("missing", [True, False])
@pytest.mark.parametrize("settings", [{}, {"max_iter": 25, "early_stopping": True}])
@pytest.mark.parametrize("target", ["number", "classes"])
def test_numeric_category_values(target: str, settings: dict[str, Any], missing: bool) -> None:
    rows = categorical_rows()
    if not missing:
        rows[np.isnan(rows[:, 1]) | (rows[:, 1] < 0), 1] = 3.0
    y = category_target(rows)
    cls = HR if target == "number" else HC
    y = y if target == "number" else np.digitize(y, np.quantile(y, [0.4, 0.7]))
    model = hist(cls, y, rows, categorical_features=[1, 3], **settings)
    arrays = convert(model)
    assert set(arrays.feature_categories) == {1, 3}
    assert (arrays.categorical[arrays.split_feature == 3] == 1).any()
    assert set(arrays.split_feature[arrays.split_feature >= 0]) >= {0, 1, 3}

    for j, known in arrays.feature_categories.items():
        at = np.repeat(arrays.split_feature == j, np.diff(arrays.category_offsets))
        assert set(arrays.category_codes[at]) <= set(range(len(known)))

    new = categorical_rows(400, seed=4)
    rng = np.random.default_rng(5)
    unseen = [5.0, 0.0, -0.0, 199.0, 255.0, -2.0, -1.0, -0.5, np.nan]
    if VERSION >= (1, 4):
        unseen += [2.999, 7.5, 256.0, 259.0, 1e9, -1e300, np.nextafter(7.0, 8.0)]
    for j in (1, 3):
        at = rng.random(len(new)) < 0.4
        new[at, j] = rng.choice(unseen, at.sum())
    new[:5, 0] = np.inf
    np.testing.assert_array_equal(walk(arrays, coded(arrays, new)), hist_leaves(model, new))
    found = TreeEnsemble(arrays).predict(new)
    np.testing.assert_allclose(found, predict_raw(model, new), rtol=1e-12, atol=1e-12)


needs_encoder = pytest.mark.skipif(VERSION < (1, 4), reason="categories are codes before 1.4")


@needs_encoder
def test_table_with_categories() -> None:
    """Text, decimal and boolean categories among numbers; unseen ones; another dtype later."""
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(6)

    def table(n: int, colours: list[str], sizes: list[float]) -> Any:
        pick = rng.choice(colours, n).astype(object)
        pick[rng.random(n) < 0.15] = None
        return pandas.DataFrame(
            {
                "a": rng.normal(size=n),
                "colour": pandas.Categorical(pick, categories=colours),
                "b": rng.normal(size=n),
                "size": pandas.Categorical(rng.choice(sizes, n)),
                "flag": pandas.Categorical(rng.random(n) < 0.5),
            }
        )

    colours = ["red", "green", "blue", "Blue", "10", "9"]
    frame = table(400, colours, [10.5, -3.0, 7.0])
    y = frame["a"].to_numpy() + 2 * frame["colour"].isin(["red", "10"]).to_numpy()
    y = y + frame["size"].isin([-3.0]).to_numpy() * frame["flag"].to_numpy(bool)
    model = hist(HR, y, frame, categorical_features="from_dtype")
    arrays = convert(model)
    assert arrays.feature_categories[1] == sorted(colours)
    assert arrays.feature_categories[3] == [-3.0, 7.0, 10.5]
    assert arrays.feature_names == ["a", "colour", "b", "size", "flag"]
    assert {1, 3} <= set(arrays.split_feature[arrays.categorical == 1])

    new = table(300, ["violet", "9", "blue", "red", "10"], [10.5, 8.0, -3.0, 0.25])
    found = TreeEnsemble.from_model(model).predict(new)
    np.testing.assert_allclose(found, predict_raw(model, new), rtol=1e-12, atol=1e-12)
    values = new.astype(object).to_numpy()
    np.testing.assert_array_equal(walk(arrays, coded(arrays, values)), hist_leaves(model, new))


@needs_encoder
def test_text_categories_in_an_object_array() -> None:
    rng = np.random.default_rng(8)
    rows = np.empty((200, 2), object)
    rows[:, 0] = rng.choice(["x", "y", "z"], 200)
    rows[:, 1] = rng.normal(size=200)
    model = hist(HC, (rows[:, 0] == "y") ^ (rows[:, 1] > 0), rows, categorical_features=[0])
    rows[:40, 0] = "unseen"
    found = TreeEnsemble.from_model(model).predict(rows)
    np.testing.assert_allclose(found, predict_raw(model, rows), rtol=1e-12, atol=1e-12)


@needs_encoder
def test_none_as_a_category_is_refused() -> None:
    rng = np.random.default_rng(9)
    rows = np.empty((100, 2), object)
    rows[:, 0] = rng.choice(np.array(["x", "y", None], object), 100)
    rows[:, 1] = rng.normal(size=100)
    model = hist(HR, rng.normal(size=100), rows, categorical_features=[0])
    with pytest.raises(UnsupportedModelError, match=r"feature 0 .* None"):
        convert(model)
