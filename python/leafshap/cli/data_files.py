"""Rows of data files that are wanted in memory: background, and rows to measure importance on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.batch.categories import (
    ambiguous_categories,
    as_categories,
    coded_categories,
    refuse_values,
)
from leafshap.batch.matching import match_columns
from leafshap.batch.sources.listing import list_files
from leafshap.cli.progress import RowProgress, row_progress
from leafshap.columns import is_text
from leafshap.errors import InvalidInputError
from leafshap.inputs import are_made_up

if TYPE_CHECKING:
    import pyarrow as pa

    from leafshap.ensemble import TreeEnsemble
    from leafshap.inputs import InputSchema

_BATCH_ROWS = 1 << 16


@dataclass(frozen=True)
class Rows:
    """Rows of some files, all or some at random, in the order of the files.

    Attributes
    ----------
    features : pyarrow.Table
        The model's columns in its order.
    others : pyarrow.Table
        Further columns that were asked for.
    n_total : int
        Rows in the files.
    """

    features: pa.Table
    others: pa.Table
    n_total: int

    def __len__(self) -> int:
        return int(self.features.num_rows)


def knows_names(schema: InputSchema) -> bool:
    """Whether the model finds its features by name, not by the order of columns."""
    return schema.feature_names is not None and not are_made_up(schema.feature_names)


def named_schema(ensemble: TreeEnsemble, features: list[str] | None) -> InputSchema:
    """Say what a model expects, with names for the features of one that knows none.

    Raises
    ------
    InvalidInputError
        If it does know them, or has another number of features.
    """
    if features is None:
        return ensemble.schema
    if knows_names(ensemble.schema):
        raise InvalidInputError("--features: the model knows the names of its features")
    if len(features) != ensemble.n_features:
        raise InvalidInputError(
            f"--features: {len(features)} names, but the model has {ensemble.n_features} features"
        )
    return ensemble.schema.named(features)


def read_rows(
    paths: Sequence[str],
    schema: InputSchema,
    *,
    others: Sequence[str] = (),
    set_apart: Sequence[str] = (),
    most: int | None = None,
    seed: int = 0,
    input_format: str | None = None,
    progress: RowProgress | None = None,
) -> Rows:
    """Read a model's columns, and `others`.

    Parameters
    ----------
    paths : sequence of str
        What `leafshap.batch.sources.open_source` opens.
    schema : InputSchema
        What the model expects.
    others : sequence of str
        Names of further columns to read; no features of a model without names.
    set_apart : sequence of str
        Names of columns that are no features either, whether they are there or not.
    most : int, optional
        At most so many rows, drawn without replacement; memory does not grow with all of them.
        The same rows for the same seed.
    seed : int, default 0
    input_format : str, optional
        By default by the suffix.
    progress : RowProgress, optional

    Raises
    ------
    InvalidInputError
        If a column is absent, a file is no data, or there are no rows.
    OSError
        If a file cannot be read.
    """
    import pyarrow as pa

    from leafshap.batch.sources import open_source

    source = open_source(list(paths), input_format)
    absent = [name for name in others if name not in source.schema.names]
    if absent:
        raise InvalidInputError(
            f"{_listed(paths)}: there is no column {absent[0]!r}; columns are "
            f"{', '.join(map(repr, source.schema.names[:20]))}"
        )
    names = source.schema.names
    apart = [*others, *(name for name in set_apart if name in names)]
    matched = match_columns(names, schema, apart, None)
    features = matched.features
    refuse_values(coded_categories(features, schema), source.schema)
    known = schema.feature_categories
    source.expect(
        numbers=[name for j, name in enumerate(features) if j not in known],
        text=[features[j] for j, values in known.items() if any(map(is_text, values))],
    )
    columns = [*features, *(name for name in others if name not in features)]
    draw = Draw(most, seed)
    n = 0
    for chunk in source.chunks(columns, _BATCH_ROWS, exact=others):
        draw.add(chunk.batch)
        n += chunk.batch.num_rows
        if progress is not None:
            progress(n, source.n_rows)
    if not n:
        raise InvalidInputError(f"{_listed(paths)}: there are no rows")
    # integers of a CSV file may become decimals on the way
    tables = [pa.Table.from_batches([batch]) for batch in draw.batches()]
    table = pa.concat_tables(tables, promote_options="permissive")
    found = table.select(features)
    for j, categories in ambiguous_categories(schema).items():
        column = as_categories(found.column(j).combine_chunks(), categories, features[j])
        found = found.set_column(j, features[j], column)
    return Rows(found.rename_columns(matched.shown), table.select(list(others)), n)


def read_background(
    paths: Sequence[str],
    schema: InputSchema,
    set_apart: Sequence[str | None],
    most: int | None,
    seed: int,
    quiet: bool,
) -> pa.Table:
    """Read background rows, and tell how far it is.

    Raises
    ------
    InvalidInputError, OSError
        See `read_rows`.
    """
    apart = [name for name in set_apart if name is not None]
    with row_progress("reading background", quiet=quiet) as progress:
        rows = read_rows(paths, schema, set_apart=apart, most=most, seed=seed, progress=progress)
    return rows.features


def index_of_pandas(paths: Sequence[str], input_format: str | None) -> str | None:
    """Name the index that pandas has put into a Parquet file's metadata, not among its columns."""
    import pyarrow.parquet as pq

    format, files = list_files(paths, input_format)
    if format != "parquet":
        return None
    try:
        metadata = pq.read_schema(files[0].path).pandas_metadata or {}
    except (OSError, ValueError):  # damaged
        return None
    for index in metadata.get("index_columns", ()):
        if isinstance(index, dict) and index.get("kind") == "range":
            return index.get("name")
    return None


class Draw:
    """Rows drawn from a stream of batches: those with the smallest of random keys, one for each.

    Parameters
    ----------
    most : int or None
        How many; None: all.
    seed : int
    """

    def __init__(self, most: int | None, seed: int) -> None:
        self._most = most
        self._random = np.random.default_rng(seed)
        self._batches: list[pa.RecordBatch] = []
        self._keys: list[npt.NDArray[np.float64]] = []
        self._held = 0
        self._bound = 1.0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take from a batch what may be among the rows drawn."""
        if self._most is None:
            self._batches.append(batch)
            return
        keys = self._random.random(batch.num_rows)
        self._keep(batch, keys, np.flatnonzero(keys < self._bound))
        if self._held > 2 * self._most:
            self._tighten()

    def batches(self) -> list[pa.RecordBatch]:
        """Give the rows, in the order of the stream; at least one batch, if empty."""
        if self._most is not None and self._held > self._most:
            self._tighten()
        return self._batches

    def _keep(
        self, batch: pa.RecordBatch, keys: npt.NDArray[np.float64], rows: npt.NDArray[Any]
    ) -> None:
        # an empty batch carries the schema
        if len(rows) or not self._batches:
            self._batches.append(batch.take(rows))
            self._keys.append(keys[rows])
            self._held += len(rows)

    def _tighten(self) -> None:
        """Drop all but the smallest keys."""
        assert self._most is not None
        batches, all_keys = self._batches, self._keys
        self._bound = float(np.partition(np.concatenate(all_keys), self._most)[self._most])
        self._batches, self._keys, self._held = [], [], 0
        for batch, keys in zip(batches, all_keys, strict=True):
            self._keep(batch, keys, np.flatnonzero(keys < self._bound))


def _listed(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
