"""Aggregates as tables, and as what a loop over batches leaves behind."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pytest

from aggregate_cases import NAMES, added, make_values
from leafshap import InvalidInputError, TreeEnsemble, TreeExplainer
from leafshap.batch import explain_batches
from leafshap.batch.aggregates import Aggregates
from strategies import Recipe, random_ensemble, random_rows

pa = pytest.importorskip("pyarrow")
pd = pytest.importorskip("pandas")

MEANS = ["n_rows", "mean_abs", "mean"]
ALL = [*MEANS, "standard_deviation", "min", "max"]


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_one_row_per_feature_and_output(n_outputs: int) -> None:
    values = make_values(50, n_outputs=n_outputs)
    aggregates = added(Aggregates(), values)
    frame = aggregates.to_pandas()
    output = ["output"] if n_outputs > 1 else []
    assert list(frame) == ["feature", *output, *ALL]
    assert len(frame) == 4 * n_outputs
    line = frame[frame["feature"] == "c"]
    if output:
        line = line[line["output"] == "class 1"]
    (found,) = line[ALL].to_numpy().tolist()
    x = values[:, 2, 1 if output else 0]
    np.testing.assert_allclose(
        found, [50, np.abs(x).mean(), x.mean(), x.std(), x.min(), x.max()], atol=1e-14
    )
    table = aggregates.to_arrow()
    assert table.column_names == list(frame)
    assert table.schema.field("n_rows").type == pa.int64()
    assert all(table.schema.field(name).type == pa.float64() for name in ALL[1:])
    assert table["feature"].to_pylist() == frame["feature"].tolist()
    for name in ALL:
        np.testing.assert_array_equal(table[name].to_numpy(), frame[name].to_numpy())


@pytest.mark.parametrize(
    ("keys", "arrow_type"),
    [
        (["b", None, "a"], pa.string()),
        ([3, None, -1], pa.int64()),
        ([3, 4, -1], pa.int64()),
        ([True, False, None], pa.bool_()),
        ([datetime.date(2024, 1, 1), datetime.date(1990, 5, 5), None], pa.date32()),
    ],
)
def test_one_row_per_group(keys: list[Any], arrow_type: Any) -> None:
    values = make_values(3, n_outputs=2)
    aggregates = added(Aggregates(group="g"), values, groups=pa.array(keys))
    table = aggregates.to_arrow()
    assert table.column_names == ["group", "feature", "output", *MEANS]
    assert table.schema.field("group").type == arrow_type
    order = sorted(k for k in keys if k is not None) + [None] * (None in keys)
    assert table["group"].to_pylist() == [k for k in order for _ in range(8)]
    assert table["feature"].to_pylist() == [f for _ in order for f in NAMES for _ in range(2)]
    assert table["output"].to_pylist() == ["class 0", "class 1"] * 12
    assert table["n_rows"].to_pylist() == [1] * 24
    mean = values[[keys.index(k) for k in order]].reshape(-1)
    np.testing.assert_array_equal(table["mean"].to_numpy(), mean)
    np.testing.assert_array_equal(table["mean_abs"].to_numpy(), np.abs(mean))
    frame = aggregates.to_pandas()
    assert list(frame) == table.column_names
    assert [None if pd.isna(k) else k for k in frame["group"]] == table["group"].to_pylist()
    assert aggregates.to_arrow(by_group=False).column_names == ["feature", "output", *ALL]
    assert len(aggregates.to_pandas(by_group=False)) == 8


def test_names_that_are_not_there() -> None:
    frame = added(Aggregates(), make_values(3), names=None).to_pandas()
    assert frame["feature"].tolist() == [f"Feature {j}" for j in range(4)]


def test_groups_that_are_not_there() -> None:
    with pytest.raises(InvalidInputError, match="no groups were added up"):
        added(Aggregates(), make_values(3)).to_arrow(by_group=True)


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_a_loop_over_batches(n_outputs: int) -> None:
    arrays = random_ensemble(
        Recipe(seed=5, n_outputs=n_outputs, categorical=0.0, n_features=5, zero_cover=0)
    )
    X = random_rows(arrays, 120).astype(np.float64)
    explainer = TreeExplainer(TreeEnsemble(arrays))
    columns = [pa.array(column) for column in X.T]
    keys = pa.array(["abc"[i % 3] for i in range(120)])
    names = [*(explainer.input_schema.feature_names or map(str, range(5))), "key"]
    table = pa.table([*columns, keys], names=names)
    aggregates = Aggregates(group="key", interactions=True, histograms=True)
    batches = table.to_batches(max_chunksize=50)
    for _ in explain_batches(explainer, batches, aggregates=aggregates, keys=["key"]):
        pass
    phi = explainer.shap_values(X)
    assert aggregates.n_rows == 120
    np.testing.assert_allclose(aggregates.mean_abs, np.abs(phi).mean(axis=0), atol=1e-10)
    np.testing.assert_allclose(aggregates.standard_deviation, phi.std(axis=0), atol=1e-10)
    np.testing.assert_allclose(aggregates.expected_value, explainer.expected_value, rtol=1e-10)
    np.testing.assert_allclose(aggregates.groups["b"].mean, phi[1::3].mean(axis=0), atol=1e-10)
    expected = explainer.mean_abs_interactions(X)
    np.testing.assert_allclose(aggregates.interactions.mean_abs, expected.mean_abs, atol=1e-10)
