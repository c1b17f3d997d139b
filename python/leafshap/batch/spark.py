"""SHAP values of Spark DataFrames by `mapInArrow`: a thread for each task."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from leafshap.batch.aggregates import Aggregates
from leafshap.batch.engines import aggregate_part, load_engine, merge_parts, names_only
from leafshap.batch.layout import OutputOptions
from leafshap.batch.scoring import Explainer, Scorer
from leafshap.batch.shipment import ShippedScorer
from leafshap.batch.stream import explain_stream
from leafshap.errors import InvalidInputError
from leafshap.explainers.additivity import CheckAdditivity

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

    ArrowMap = Callable[[Iterator[pyarrow.RecordBatch]], Iterator[pyarrow.RecordBatch]]


def explain(df: DataFrame, explainer: Explainer, **options: Unpack[OutputOptions]) -> DataFrame:
    """SHAP values of every row of a Spark DataFrame; nothing is computed before an action asks.

    Parameters
    ----------
    df : pyspark.sql.DataFrame
        Its columns are matched with the model's features by name; no others are read. Null is a
        missing value.
    explainer : TreeExplainer or KernelExplainer
        It travels without the user's model, and is unpacked once by each Python worker.
    **options
        As of `leafshap.batch.explain_batches`. Lists are arrays.

    Returns
    -------
    pyspark.sql.DataFrame
        With the partitions of `df`. Keys keep their type.

    Raises
    ------
    MissingDependencyError
        If pyspark or pyarrow is not installed.
    InvalidInputError
        If a column is absent, or an option does not hold. A row that does not fit the model ends
        the action with Spark's `PythonException`; rows are counted within their partition.
    """
    scorer = Scorer(explainer, **options)
    names = scorer.input_columns(_names_only(df))
    schema = output_schema(df, explainer, **options)
    return _unnamed(df, names).mapInArrow(_explain_named(scorer, names), schema)


def map_in_arrow(explainer: Explainer, **options: Unpack[OutputOptions]) -> ArrowMap:
    """Make a function for `DataFrame.mapInArrow`; it gives the columns of `output_schema`.

    Parameters
    ----------
    explainer, **options
        As of `explain`.

    Returns
    -------
    callable
        From an iterator of `pyarrow.RecordBatch` to another one.

    Raises
    ------
    MissingDependencyError, InvalidInputError
        As `explain`.
    """
    return _explain_named(Scorer(explainer, **options))


def output_schema(
    df: DataFrame, explainer: Explainer, **options: Unpack[OutputOptions]
) -> StructType:
    """Tell the schema of `explain`'s result.

    Parameters
    ----------
    df, explainer, **options
        As of `explain`.

    Returns
    -------
    pyspark.sql.types.StructType

    Raises
    ------
    MissingDependencyError, InvalidInputError
        As `explain`.
    """
    types = load_engine("pyspark.sql.types", "spark")
    arrow = load_engine("pyspark.sql.pandas.types", "spark")
    scorer = Scorer(explainer, **options)
    fields = list(scorer.output_schema(_names_only(df)))
    keys = [df.schema[name] for name in scorer.output.keys]
    made = [
        types.StructField(field.name, arrow.from_arrow_type(_plain(field.type)), nullable=False)
        for field in fields[len(keys) :]
    ]
    return types.StructType(keys + made)


def aggregate(
    df: DataFrame,
    explainer: Explainer,
    *,
    group: str | None = None,
    interactions: bool = False,
    histograms: bool = False,
    label: str | None = None,
    check_additivity: CheckAdditivity = "few",
) -> Aggregates:
    """Aggregate the SHAP values of all rows, now; the values themselves never leave their task.

    Parameters
    ----------
    df, explainer
        As of `explain`.
    group, interactions, histograms
        As of `leafshap.batch.Aggregates`.
    label, check_additivity
        As of `leafshap.batch.explain_batches`.

    Returns
    -------
    Aggregates
        Those of the partitions, merged in their order by the driver.

    Raises
    ------
    MissingDependencyError, InvalidInputError
        As `explain`.
    """
    empty = Aggregates(group=group, interactions=interactions, histograms=histograms)
    scorer = Scorer(
        explainer, values="none", base_value=False, label=label, check_additivity=check_additivity
    )
    names = scorer.input_columns(_names_only(df), empty)
    shipped = _ship(scorer)

    def aggregate_partition(
        batches: Iterator[pyarrow.RecordBatch],
    ) -> Iterator[pyarrow.RecordBatch]:
        import pyarrow
        from pyspark import TaskContext

        part = aggregate_part(shipped.unpack(), _named(batches, names), empty)
        context = TaskContext.get()
        row = {"partition": context.partitionId(), "aggregates": pickle.dumps(part)}
        yield pyarrow.RecordBatch.from_pylist([row])

    schema = "partition bigint, aggregates binary"
    rows = _unnamed(df, names).mapInArrow(aggregate_partition, schema).collect()
    parts = [pickle.loads(row["aggregates"]) for row in sorted(rows, key=lambda r: r["partition"])]
    return merge_parts(parts, empty)


def _explain_named(scorer: Scorer, names: list[str] | None = None) -> ArrowMap:
    """Make the function that explains batches, once their columns have been given names."""
    shipped = _ship(scorer)

    def explain_partition(batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        named = batches if names is None else _named(batches, names)
        for batch in explain_stream(shipped.unpack(), named):
            yield _with_plain_lists(batch)

    return explain_partition


def _names_only(df: Any) -> pyarrow.Schema:
    load_engine("pyspark", "spark")
    if not hasattr(df, "mapInArrow"):  # Connect's class is one of its own before Spark 4
        raise InvalidInputError(f"expected a pyspark.sql.DataFrame, got {type(df).__name__}")
    return names_only(df.columns)


def _unnamed(df: DataFrame, names: list[str]) -> DataFrame:
    """Select columns under names that `mapInArrow` can read: it takes a dot for a path."""
    quoted = ["`" + name.replace("`", "``") + "`" for name in names]
    return df.select([df[name].alias(f"c{i}") for i, name in enumerate(quoted)])


def _named(
    batches: Iterator[pyarrow.RecordBatch], names: list[str]
) -> Iterator[pyarrow.RecordBatch]:
    import pyarrow

    for batch in batches:
        yield pyarrow.RecordBatch.from_arrays(batch.columns, names=names)


def _ship(scorer: Scorer) -> ShippedScorer:
    return ShippedScorer(scorer, load_engine("pyspark.cloudpickle", "spark").dumps)


def _plain(dtype: pyarrow.DataType) -> pyarrow.DataType:
    """Give the list type of any length for one of a fixed length, which Spark does not have."""
    import pyarrow

    if pyarrow.types.is_fixed_size_list(dtype):
        return pyarrow.list_(dtype.value_type)
    return dtype


def _with_plain_lists(batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
    import pyarrow

    columns = []
    for column in batch.columns:
        if pyarrow.types.is_fixed_size_list(column.type):
            size = column.type.list_size
            offsets = np.arange(0, (len(column) + 1) * size, size, dtype=np.int32)
            column = pyarrow.ListArray.from_arrays(offsets, column.flatten())
        columns.append(column)
    return pyarrow.RecordBatch.from_arrays(columns, names=batch.schema.names)
