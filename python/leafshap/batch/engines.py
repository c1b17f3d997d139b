"""What the adapters of Dask, Spark and Ray share."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from leafshap.batch.aggregates import Aggregates
from leafshap.batch.scoring import Scorer
from leafshap.batch.stream import explain_stream
from leafshap.errors import MissingDependencyError

if TYPE_CHECKING:
    import pyarrow


def load_engine(module: str, extra: str) -> Any:
    """Import a module of an engine.

    Raises
    ------
    MissingDependencyError
        If it, or something it needs, is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            f'leafshap.batch.{extra} needs {module}: pip install "leafshap[{extra}]" ({error})'
        ) from error


def names_only(names: Iterable[str]) -> pyarrow.Schema:
    """Give a schema of any types: Arrow may not know those of columns that are not read."""
    import pyarrow

    return pyarrow.schema([(name, pyarrow.null()) for name in names])


def aggregate_part(
    scorer: Scorer, batches: Iterable[pyarrow.RecordBatch], empty: Aggregates
) -> Aggregates:
    """Aggregate the rows of one part of the data."""
    aggregates = empty.empty()
    for _ in explain_stream(scorer, batches, aggregates):
        pass
    return aggregates


def merge_parts(parts: Iterable[Aggregates], empty: Aggregates) -> Aggregates:
    """Merge in order into new aggregates: an engine may hand out the same part again."""
    merged = empty.empty()
    for part in parts:
        merged.merge(part)
    return merged
