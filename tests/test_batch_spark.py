"""leafshap.batch.spark on a real local Spark, which needs Java.

README's command for the tests leaves it out; `.ci/run` has a stage for it.
"""

from __future__ import annotations

import datetime
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from leafshap.errors import InvalidInputError

pytest.importorskip("pandas")
pytest.importorskip("pyarrow")
pytest.importorskip("pyspark")

import pandas as pd
import pyarrow as pa
from pyspark.sql import SparkSession

from batch_cases import NAMES, named_model
from engine_cases import (
    COLORS,
    check_aggregates,
    color_explainer,
    color_frame,
    explainer_of,
    frame_of,
    killer,
    one_pass,
    plain_call,
)
from leafshap.batch.spark import aggregate, explain, map_in_arrow, output_schema

pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java"),
    # of Spark and its dependencies, which pandas and Python change under
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master("local[2, 4]")  # two threads; a task may fail three times
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.memory", "1g")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "64")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


def rows_of_frame(spark: Any, frame: pd.DataFrame, n: int) -> Any:
    """A Spark DataFrame of n partitions; NaN is null."""
    rows = pa.Table.from_pandas(frame, preserve_index=False).to_pylist()
    schema = {"int64": "bigint", "float32": "float", "float64": "double"}
    columns = [f"`{name}` {schema.get(str(t), 'string')}" for name, t in frame.dtypes.items()]
    return spark.createDataFrame(
        spark.sparkContext.parallelize([tuple(row.values()) for row in rows], n),
        ", ".join(columns),
    )


def collected(df: Any) -> pd.DataFrame:
    return pd.DataFrame([row.asDict() for row in df.collect()], columns=df.columns)


def matrix(column: Any) -> npt.NDArray[Any]:
    return np.array(list(column))


def test_partitions_give_the_values_of_one_process(spark: Any) -> None:
    frame, explainer = frame_of(), explainer_of(dtype="float32")
    assert frame[NAMES].isna().to_numpy().any()
    df = rows_of_frame(spark, frame, 5)
    out = explain(df, explainer, keys=["id", "group"], prediction=True)
    assert out.schema.simpleString() == (
        "struct<id:bigint,group:string,shap_values:array<float>,"
        "base_value:double,prediction:double>"
    )
    assert out.rdd.getNumPartitions() == 5
    found = collected(out)
    np.testing.assert_array_equal(
        matrix(found["shap_values"]).astype(np.float32), plain_call(explainer, frame)
    )
    assert list(found["id"]) == list(frame["id"])
    assert list(found["group"]) == list(frame["group"])
    np.testing.assert_array_equal(found["base_value"], explainer.expected_value)


def test_a_killed_process_is_replaced(spark: Any, tmp_path: Path) -> None:
    frame, explainer = frame_of(), explainer_of()
    marker = tmp_path / "died"
    die = killer(marker)

    def kill(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if 7 * 600 in batch["id"].to_pylist():
                die()
            yield batch

    df = rows_of_frame(spark, frame, 10)
    dying = df.mapInArrow(kill, df.schema)
    found = collected(explain(dying, explainer))
    assert marker.exists()
    np.testing.assert_array_equal(matrix(found["shap_values"]), plain_call(explainer, frame))
    marker.unlink()
    check_aggregates(
        aggregate(dying, explainer, group="group"), one_pass(explainer, frame, group="group")
    )
    assert marker.exists()


def test_nothing_is_computed_before_it_is_asked_for(spark: Any, tmp_path: Path) -> None:
    seen = tmp_path / "seen"

    def note(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        seen.touch()
        yield from batches

    df = rows_of_frame(spark, frame_of(60), 2)
    out = explain(df.mapInArrow(note, df.schema), explainer_of())
    assert not seen.exists()
    assert out.count() == 60
    assert seen.exists()


def test_columns_and_the_strongest_features(spark: Any) -> None:
    frame, explainer = frame_of(90), explainer_of()
    wanted = plain_call(explainer, frame)
    df = rows_of_frame(spark, frame, 3)
    found = collected(explain(df, explainer, values="columns", top_k=2))
    np.testing.assert_array_equal(found[[f"shap_{name}" for name in NAMES]].to_numpy(), wanted)
    order = np.argsort(-np.abs(wanted), axis=1, kind="stable")[:, :2]
    np.testing.assert_array_equal(
        matrix(found["top_values"]), np.take_along_axis(wanted, order, axis=1)
    )
    assert list(found["top_features"]) == np.array(NAMES)[order].tolist()


def test_several_outputs(spark: Any) -> None:
    frame, explainer = frame_of(90), explainer_of(3)
    found = collected(explain(rows_of_frame(spark, frame, 3), explainer))
    wanted = plain_call(explainer, frame)
    for k in range(3):
        np.testing.assert_array_equal(matrix(found[f"shap_values_class {k}"]), wanted[:, :, k])


def test_categories_by_name(spark: Any) -> None:
    frame, explainer = color_frame(), color_explainer()
    wanted = plain_call(explainer, frame.assign(c=pd.Categorical(frame["c"], COLORS)))
    found = collected(explain(rows_of_frame(spark, frame, 4), explainer, keys=["c"]))
    np.testing.assert_array_equal(matrix(found["shap_values"]), wanted)
    pd.testing.assert_series_equal(found["c"], frame["c"])


def test_partitions_without_rows(spark: Any) -> None:
    frame, explainer = frame_of(), explainer_of()
    df = rows_of_frame(spark, frame, 4)
    some = df.where("id < 1400")
    found = collected(explain(some, explainer))
    np.testing.assert_array_equal(matrix(found["shap_values"]), plain_call(explainer, frame[:200]))
    check_aggregates(aggregate(some, explainer), one_pass(explainer, frame[:200]))
    none = df.where("id < 0")
    assert explain(none, explainer).count() == 0
    assert aggregate(none, explainer).n_rows == 0


@pytest.mark.parametrize("n_partitions", [1, 7])
def test_aggregates_are_those_of_one_pass(spark: Any, n_partitions: int) -> None:
    frame, explainer = frame_of(), explainer_of()
    kind: dict[str, Any] = {"group": "group", "histograms": True, "interactions": True}
    df = rows_of_frame(spark, frame, n_partitions)
    found, wanted = aggregate(df, explainer, **kind), one_pass(explainer, frame, **kind)
    check_aggregates(found, wanted)
    np.testing.assert_array_equal(found.quantile(0.5), wanted.quantile(0.5))
    np.testing.assert_array_equal(aggregate(df, explainer, **kind).mean_abs, found.mean_abs)


def test_names_with_dots_and_keys_of_other_types(spark: Any) -> None:
    names = ["a.b", "a", "c`d", "e f", "g.h.i", "naïve"]
    frame = frame_of(40)[NAMES].set_axis(names, axis=1)
    explainer = type(explainer_of())(named_model(feature_names=names))
    df = rows_of_frame(spark, frame.rename(columns={"c`d": "x"}), 2)
    df = df.withColumnRenamed("x", "c`d").selectExpr(
        "*",
        "timestamp'2024-02-03 04:05:06' as `when.utc`",
        "cast(1.50 as decimal(5, 2)) as price",
        "map('k', 1) as odd",
    )
    found = collected(explain(df, explainer, keys=["when.utc", "price", "a.b"]))
    np.testing.assert_array_equal(matrix(found["shap_values"]), explainer.shap_values(frame))
    assert found["when.utc"][0] == datetime.datetime(2024, 2, 3, 4, 5, 6)
    assert str(found["price"][0]) == "1.50"
    np.testing.assert_array_equal(found["a.b"].astype(np.float32), frame["a.b"])


def test_the_function_for_map_in_arrow(spark: Any) -> None:
    frame, explainer = frame_of(90), explainer_of()
    df = rows_of_frame(spark, frame, 3)
    options: Any = {"keys": ["id"], "top_k": 1}
    out = df.mapInArrow(map_in_arrow(explainer, **options), output_schema(df, explainer, **options))
    pd.testing.assert_frame_equal(collected(out), collected(explain(df, explainer, **options)))


def test_what_is_wrong_is_said(spark: Any) -> None:
    frame, explainer = frame_of(60), explainer_of()
    df = rows_of_frame(spark, frame, 2)
    with pytest.raises(InvalidInputError, match=r"'age'.*\(is it 'Age'\?\)"):
        explain(df.withColumnRenamed("age", "Age"), explainer)
    with pytest.raises(InvalidInputError, match="no column 'nr' for a key"):
        explain(df, explainer, keys=["nr"])
    with pytest.raises(InvalidInputError, match="no column 'nr' for the groups"):
        aggregate(df, explainer, group="nr")
    with pytest.raises(InvalidInputError, match=r"pyspark\.sql\.DataFrame, got DataFrame"):
        explain(frame, explainer)
    text = df.selectExpr("*").withColumn("age", df["age"].cast("string"))
    with pytest.raises(Exception, match=r"InvalidInputError.*'age'"):
        explain(text, explainer).collect()
