"""SHAP values of Dask DataFrames: a task for each partition, a thread for each task."""

from __future__ import annotations

import json
import uuid
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from leafshap.batch.aggregates import Aggregates
from leafshap.batch.engines import aggregate_part, load_engine, merge_parts, names_only
from leafshap.batch.layout import ELEMENT_NAMES, OutputOptions
from leafshap.batch.scoring import Explainer, Scorer
from leafshap.batch.stream import explain_stream
from leafshap.errors import InvalidInputError
from leafshap.explainers.additivity import CheckAdditivity

if TYPE_CHECKING:
    import pandas
    import pyarrow
    from dask.dataframe import DataFrame
    from dask.delayed import Delayed

_FAN_IN = 16  # aggregates that one task merges


def explain(ddf: DataFrame, explainer: Explainer, **options: Unpack[OutputOptions]) -> DataFrame:
    """SHAP values of every row of a Dask DataFrame; nothing is computed before the result is.

    Each task explains one partition with one thread. The explainer, without the user's model, is a
    node of the graph of its own: a worker receives it once, and what a lost worker held is computed
    again elsewhere.

    Parameters
    ----------
    ddf : dask.dataframe.DataFrame
        Its columns are matched with the model's features by name; no others are read.
    explainer : TreeExplainer or KernelExplainer
    **options
        As of `leafshap.batch.explain_batches`, but there are no lists unless `values="list"` asks
        for them, which pandas holds as objects (write them by ``to_parquet(schema=None)``):
        `values` is "columns" by default, and `top_k` gives "top_1_feature", "top_2_feature", ...,
        "top_1_value", "top_2_value", ...

    Returns
    -------
    dask.dataframe.DataFrame
        With the index, partitions and divisions of `ddf`. Keys keep their dtype, values have the
        explainer's.

    Raises
    ------
    MissingDependencyError
        If Dask or pyarrow is not installed.
    InvalidInputError
        If `ddf` is something else, a column is absent, or an option does not hold. A row that does
        not fit the model raises it when it is computed; rows are counted within their partition.
    """
    columns = _Columns(ddf)
    options.setdefault("values", "columns")
    scorer = Scorer(explainer, **options)
    inputs = columns.of(scorer)
    keys = columns.labels(scorer.output.keys)
    frame = ddf[inputs]
    return frame.map_partitions(
        _explain_partition,
        _one_node(scorer),
        keys,
        meta=_explain_partition(frame._meta, scorer, keys),
        align_dataframes=False,
    )


def aggregate(
    ddf: DataFrame,
    explainer: Explainer,
    *,
    group: str | None = None,
    interactions: bool = False,
    histograms: bool = False,
    label: str | None = None,
    check_additivity: CheckAdditivity = "few",
) -> Delayed:
    """Aggregate the SHAP values of all rows; the values themselves never leave their task.

    Parameters
    ----------
    ddf, explainer
        As of `explain`.
    group, interactions, histograms
        As of `leafshap.batch.Aggregates`.
    label, check_additivity
        As of `leafshap.batch.explain_batches`.

    Returns
    -------
    dask.delayed.Delayed
        Of `Aggregates`. Partitions are merged in their order.

    Raises
    ------
    MissingDependencyError, InvalidInputError
        As `explain`.
    """
    delayed = load_engine("dask", "dask").delayed
    columns = _Columns(ddf)
    empty = Aggregates(group=group, interactions=interactions, histograms=histograms)
    scorer = Scorer(
        explainer, values="none", base_value=False, label=label, check_additivity=check_additivity
    )
    shared = _one_node(scorer)
    run, merge = delayed(_aggregate_partition), delayed(merge_parts)
    parts = [run(part, shared, empty) for part in ddf[columns.of(scorer, empty)].to_delayed()]
    while len(parts) > 1:
        parts = [merge(parts[i : i + _FAN_IN], empty) for i in range(0, len(parts), _FAN_IN)]
    return parts[0]


class _Columns:
    """The columns of a Dask DataFrame, whose labels may be other than text, by their names."""

    def __init__(self, ddf: Any) -> None:
        frames = load_engine("dask.dataframe", "dask")
        if not isinstance(ddf, frames.DataFrame):
            raise InvalidInputError(
                f"expected a dask.dataframe.DataFrame, got {type(ddf).__name__}"
            )
        self._ddf = ddf
        self._by_name = {str(label): label for label in ddf.columns}

    def labels(self, names: Sequence[str]) -> list[Hashable]:
        """Give the labels of some columns."""
        return [self._by_name[name] for name in names]

    def of(self, scorer: Scorer, aggregates: Aggregates | None = None) -> list[Hashable]:
        """Give the labels of the columns that are read."""
        names = [str(label) for label in self._ddf.columns]
        inputs = scorer.input_columns(names_only(names), aggregates)
        self._refuse_open_categories(names, scorer, aggregates)
        return self.labels(inputs)

    def _refuse_open_categories(
        self, names: list[str], scorer: Scorer, aggregates: Aggregates | None
    ) -> None:
        """Refuse codes that may mean one category in one partition and another in the next."""
        from dask.dataframe.utils import UNKNOWN_CATEGORIES

        for name in scorer.coded_categories(names_only(names), aggregates):
            dtype = self._ddf._meta[self._by_name[name]].dtype
            if UNKNOWN_CATEGORIES in getattr(dtype, "categories", ()):
                raise InvalidInputError(
                    f"the partitions of column {name!r} may number their categories differently, "
                    "and the model does not store its own: give them all those of training, "
                    f"ddf[{name!r}].cat.set_categories([...])"
                )


def _one_node(scorer: Scorer) -> Delayed:
    """Wrap a scorer so that the graph holds it once, not once for each partition."""
    delayed = load_engine("dask", "dask").delayed
    name = f"leafshap-scorer-{uuid.uuid4().hex}"
    return delayed(scorer.for_workers(n_jobs=1), name=name, traverse=False)


def _explain_partition(
    frame: pandas.DataFrame, scorer: Scorer, keys: Sequence[Hashable]
) -> pandas.DataFrame:
    import pandas
    import pyarrow

    table = _arrow(frame)
    batches = explain_stream(scorer, table.to_batches())
    explained = pyarrow.Table.from_batches(batches, scorer.output_schema(table.schema))
    explained = explained.select(range(len(keys), explained.num_columns))  # the frame has the keys
    if scorer.output.values != "list":
        explained = _without_lists(explained)
    values = explained.to_pandas()
    values.index = frame.index
    return pandas.concat([frame[list(keys)], values], axis=1)


def _aggregate_partition(frame: pandas.DataFrame, scorer: Scorer, empty: Aggregates) -> Aggregates:
    return aggregate_part(scorer, _arrow(frame).to_batches(), empty)


def _without_lists(table: pyarrow.Table) -> pyarrow.Table:
    """Give every element of fixed-size lists a column of its own."""
    import pyarrow

    columns = {}
    for field, column in zip(table.schema, table.columns, strict=True):
        if not pyarrow.types.is_fixed_size_list(field.type):
            columns[field.name] = column
            continue
        names, flat = json.loads(field.metadata[ELEMENT_NAMES]), column.combine_chunks().flatten()
        for i, name in enumerate(names):
            columns[name] = flat.take(np.arange(i, len(flat), len(names)))
    return pyarrow.table(columns)


def _arrow(frame: pandas.DataFrame) -> pyarrow.Table:
    import pyarrow

    return pyarrow.Table.from_pandas(frame, preserve_index=False)
