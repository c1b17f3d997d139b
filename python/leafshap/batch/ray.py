"""SHAP values of Ray Data sets by `map_batches`: a thread for each task."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Unpack

from leafshap.batch.aggregates import Aggregates
from leafshap.batch.categories import refuse_lost_values, refuse_values
from leafshap.batch.engines import aggregate_part, load_engine, merge_parts, names_only
from leafshap.batch.layout import OutputOptions
from leafshap.batch.scoring import Explainer, Scorer
from leafshap.batch.shipment import ShippedScorer
from leafshap.batch.stream import explain_stream
from leafshap.errors import InvalidInputError
from leafshap.explainers.additivity import CheckAdditivity

if TYPE_CHECKING:
    import pyarrow
    from ray.data import Dataset


def explain(dataset: Dataset, explainer: Explainer, **options: Unpack[OutputOptions]) -> Dataset:
    """SHAP values of every row of a Ray Dataset; nothing is computed before the result is used.

    Parameters
    ----------
    dataset : ray.data.Dataset
        Its columns are matched with the model's features by name; no others are read.
    explainer : TreeExplainer or KernelExplainer
        It travels without the user's model, once to each node, and is unpacked once by each worker
        process.
    **options
        As of `leafshap.batch.explain_batches`.

    Returns
    -------
    ray.data.Dataset
        Of Arrow blocks with fixed-size lists. A task is given one block and gives its rows in
        pieces.

    Raises
    ------
    MissingDependencyError
        If Ray Data or pyarrow is not installed.
    InvalidInputError
        If `dataset` is something else, a column is absent, or an option does not hold. Columns that
        Ray does not know yet, and rows that do not fit the model, raise Ray's `RayTaskError` when
        they are computed; it is an `InvalidInputError`, too.
    """
    scorer = Scorer(explainer, **options)
    shipped = _ship(dataset, scorer)

    def explain_block(block: pyarrow.Table) -> Iterator[pyarrow.Table]:
        import pyarrow

        scorer = shipped.unpack()
        for batch in explain_stream(scorer, _batches(block, scorer)):
            yield pyarrow.Table.from_batches([batch])

    return _map_blocks(_selected(dataset, scorer), explain_block)


def aggregate(
    dataset: Dataset,
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
    dataset, explainer
        As of `explain`.
    group, interactions, histograms
        As of `leafshap.batch.Aggregates`.
    label, check_additivity
        As of `leafshap.batch.explain_batches`.

    Returns
    -------
    Aggregates
        Those of the blocks, merged by the driver.

    Raises
    ------
    MissingDependencyError, InvalidInputError
        As `explain`.
    """
    empty = Aggregates(group=group, interactions=interactions, histograms=histograms)
    scorer = Scorer(
        explainer, values="none", base_value=False, label=label, check_additivity=check_additivity
    )
    shipped = _ship(dataset, scorer)

    def aggregate_block(block: pyarrow.Table) -> pyarrow.Table:
        import pyarrow

        scorer = shipped.unpack()
        part = aggregate_part(scorer, _batches(block, scorer, empty), empty)
        return pyarrow.table({"aggregates": [pickle.dumps(part)]})

    rows = _map_blocks(_selected(dataset, scorer, empty), aggregate_block).take_all()
    # blocks arrive in any order; merged in one of their own, they give the same bits again
    parts = sorted(row["aggregates"] for row in rows)
    return merge_parts(map(pickle.loads, parts), empty)


def _ship(dataset: Any, scorer: Scorer) -> ShippedScorer:
    data = load_engine("ray.data", "ray")
    if not isinstance(dataset, data.Dataset):
        raise InvalidInputError(f"expected a ray.data.Dataset, got {type(dataset).__name__}")
    return ShippedScorer(scorer, load_engine("ray.cloudpickle", "ray").dumps)


def _selected(dataset: Dataset, scorer: Scorer, aggregates: Aggregates | None = None) -> Dataset:
    """Select the columns that are read, if it is known without computing which there are."""
    import pyarrow

    schema = dataset.schema(fetch_if_missing=False)
    if schema is None:
        return dataset
    names = names_only(schema.names)
    if isinstance(schema.base_schema, pyarrow.Schema):  # blocks lose what files tell of pandas
        coded = scorer.coded_categories(names, aggregates)
        refuse_lost_values(coded, schema.base_schema)
        scorer.check_types(schema.base_schema, aggregates)
    return dataset.select_columns(scorer.input_columns(names, aggregates))


def _batches(
    block: pyarrow.Table, scorer: Scorer, aggregates: Aggregates | None = None
) -> list[pyarrow.RecordBatch]:
    """Give the batches of a block, which numbers categories in its own way."""
    refuse_values(scorer.coded_categories(block.schema, aggregates), block.schema)
    batches: list[pyarrow.RecordBatch] = block.to_batches()
    return batches


def _map_blocks(dataset: Dataset, function: Any) -> Dataset:
    return dataset.map_batches(
        function, batch_size=None, batch_format="pyarrow", zero_copy_batch=True
    )
