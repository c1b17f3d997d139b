"""The stateless core: Arrow record batches in, explained record batches out.

A `Scorer` holds an explainer and what is to be written; it changes nothing in itself, so that any
number of processes can have a copy. Files, Dask, Spark and Ray are loops around it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.batch.categories import (
    ambiguous_categories,
    as_categories,
    coded_categories,
    refuse_lost_values,
    unknown_numbers,
)
from leafshap.batch.layout import Layout, Output, OutputOptions
from leafshap.batch.matching import InputColumns, match_columns
from leafshap.columns import is_text
from leafshap.errors import InvalidInputError, MissingDependencyError
from leafshap.explainers.kernel import KernelExplainer
from leafshap.explainers.tree import TreeExplainer
from leafshap.explanation.selection import made_up_names
from leafshap.inputs import InputRows, InputSchema
from leafshap.tables import reads_as_number

if TYPE_CHECKING:
    from typing import Unpack

    import pyarrow as pa

    from leafshap.batch.aggregates import Aggregates

Explainer = TreeExplainer | KernelExplainer

# What is held at once of rows, values and output; and enough rows to keep all threads busy.
_BLOCK_BYTES = 128 << 20
MOST_ROWS = 65_536
# fewer would be slow, whatever memory is asked for; unless they are so wide
_LEAST_ROWS, _LEAST_BYTES = 256, 1 << 23


@dataclass(frozen=True)
class _Bound:
    """A scorer's answer to one schema of input."""

    columns: InputColumns
    layout: Layout
    schema: pa.Schema


class Scorer:
    """What becomes of a batch of rows: the explainer, and the columns to write.

    Parameters
    ----------
    explainer : TreeExplainer or KernelExplainer
    **options
        See `explain_batches`.

    Raises
    ------
    InvalidInputError
        If an option does not hold.
    MissingDependencyError
        If pyarrow is not installed.

    Notes
    -----
    Picklable; the copy of `for_workers` without the user's model. Several threads may use one.
    """

    def __init__(self, explainer: Explainer, **options: Unpack[OutputOptions]) -> None:
        require_pyarrow()
        if not isinstance(explainer, (TreeExplainer, KernelExplainer)):
            raise InvalidInputError(
                f"expected a TreeExplainer or a KernelExplainer, got {type(explainer).__name__}"
            )
        self.output = Output.read(options)
        if self.output.interactions and not isinstance(explainer, TreeExplainer):
            raise InvalidInputError("interaction values are those of a TreeExplainer")
        self._explainer = explainer
        self._schema: InputSchema = explainer.input_schema
        self._bound: dict[tuple[pa.Schema, str | None], _Bound] = {}

    def for_workers(self, n_jobs: int = 1) -> Scorer:
        """Make the same scorer for another process, without the user's model."""
        other = copy.copy(self)
        other._explainer = self._explainer.for_workers(n_jobs)
        other._bound = {}
        return other

    def input_columns(self, schema: pa.Schema, aggregates: Aggregates | None = None) -> list[str]:
        """Name the columns that are read, each once, in the order of the schema.

        Raises
        ------
        InvalidInputError
            If one is absent.
        """
        columns = self._bind(schema, aggregates).columns
        wanted = {*columns.features, *columns.keys, columns.label, columns.group}
        return [name for name in schema.names if name in wanted]

    def output_schema(self, schema: pa.Schema, aggregates: Aggregates | None = None) -> pa.Schema:
        """Tell the schema of what `explain` gives for batches of a schema.

        Raises
        ------
        InvalidInputError
            If a column is absent, or would be there twice.
        """
        return self._bind(schema, aggregates).schema

    def kinds_of_features(
        self, schema: pa.Schema, aggregates: Aggregates | None = None
    ) -> tuple[list[str], list[str]]:
        """Name the columns that are numbers, labels too, and those that are categories of text."""
        columns, named = self._bind(schema, aggregates).columns, self._schema.feature_categories
        numbers = [] if columns.label is None else [columns.label]
        text = []
        for j, name in enumerate(columns.features):
            if any(is_text(value) for value in named.get(j, ())):
                text.append(name)
            else:
                numbers.append(name)
        return numbers, text

    def kept_columns(self, aggregates: Aggregates | None) -> list[str]:
        """Name the columns that are written, or grouped by, as they are."""
        group = None if aggregates is None else aggregates.group
        return [*self.output.keys, *([] if group is None else [group])]

    def coded_categories(
        self, schema: pa.Schema, aggregates: Aggregates | None = None
    ) -> list[str]:
        """Name the columns of categories that the model knows by their codes only."""
        return coded_categories(self._bind(schema, aggregates).columns.features, self._schema)

    def check_types(self, schema: pa.Schema, aggregates: Aggregates | None = None) -> None:
        """Refuse columns of text, dates and the like where the model takes numbers.

        Raises
        ------
        InvalidInputError
            Naming the first one.
        """
        import pyarrow as pa

        known = self._schema
        by_number = known.used_features - known.categorical_features - set(known.feature_categories)
        for j, name in enumerate(self._bind(schema, aggregates).columns.features):
            kind = schema.field(name).type
            if j in by_number and pa.types.is_dictionary(kind):
                kind = kind.value_type
            if j not in known.feature_categories and not reads_as_number(kind):
                raise InvalidInputError(
                    f"column {name!r} is of type {kind}, but the model takes a number there"
                )

    def unknown_categories(
        self, batch: pa.RecordBatch, aggregates: Aggregates | None = None
    ) -> dict[int, str]:
        """Say of every row with a number that is no category of the model what is wrong."""
        features = self._bind(batch.schema, aggregates).columns.features
        found: dict[int, str] = {}
        for j, categories in ambiguous_categories(self._schema).items():
            found = unknown_numbers(batch.column(features[j]), categories, features[j]) | found
        return found

    def explain(
        self, batch: pa.RecordBatch, aggregates: Aggregates | None = None
    ) -> pa.RecordBatch:
        """Explain the rows of a batch.

        Parameters
        ----------
        batch : pyarrow.RecordBatch
            All rows are explained at once: see `block_rows` for how many that should be.
        aggregates : Aggregates, optional
            Rows are added to it.

        Raises
        ------
        InvalidInputError
            If the batch does not fit the model.
        AdditivityError
            See `leafshap.TreeExplainer.shap_values`.
        """
        import pyarrow as pa

        bound = self._bind(batch.schema, aggregates)
        refuse_lost_values(coded_categories(bound.columns.features, self._schema), batch.schema)
        values, base, pairs, dense = self._explain(
            batch, bound.columns, aggregates is not None and aggregates.wants_interactions
        )
        if aggregates is not None:
            group = bound.columns.group
            groups = None if group is None else batch.column(group)
            aggregates.add(
                values,
                base,
                bound.layout.names,
                bound.layout.outputs,
                groups=groups,
                interactions=pairs,
            )
        arrays = [batch.column(key) for key in bound.columns.keys]
        arrays += bound.layout.arrays(values, base, dense)
        return pa.RecordBatch.from_arrays(arrays, schema=bound.schema)

    def check_rows(self, batch: pa.RecordBatch, aggregates: Aggregates | None = None) -> None:
        """Refuse a batch with a row that the model does not accept, without explaining any.

        Raises
        ------
        InvalidInputError
        """
        bound = self._bind(batch.schema, aggregates)
        rows = self._rows(batch, bound.columns)  # of a function: checked already
        if isinstance(self._explainer, TreeExplainer):
            self._explainer.check_input(rows, self._labels(batch, bound.columns))

    def row_bytes(self, n_columns: int) -> int:
        """Bytes that a row of so many columns takes while it is explained."""
        n_features = self._schema.n_features
        elements = n_features * n_features if self.output.interactions else n_features
        # as it was read, as the core wants it, values and their copies on the way to the output
        return 8 * (2 * n_columns + 3 * elements * self._n_outputs)

    def block_rows(self, n_columns: int, memory: int = _BLOCK_BYTES) -> int:
        """Count the rows that can be explained at once within so many bytes."""
        row_bytes = self.row_bytes(n_columns)
        least = max(1, min(_LEAST_ROWS, _LEAST_BYTES // row_bytes))
        return max(least, min(MOST_ROWS, memory // row_bytes))

    @property
    def _n_outputs(self) -> int:
        expected: Any = self._explainer.expected_value
        return 1 if callable(expected) else int(np.size(expected))  # a loss has one

    def _bind(self, schema: pa.Schema, aggregates: Aggregates | None) -> _Bound:
        """Match a schema with the model; the last answer is kept."""
        group = None if aggregates is None else aggregates.group
        schema = schema.remove_metadata()  # of pandas; older pyarrow cannot hash it
        key = (schema, group)
        found = self._bound.get(key)
        if found is None:
            found = self._make_bound(schema, group)
            self._bound = {key: found}  # a worker sees one schema after another
        return found

    def _make_bound(self, schema: pa.Schema, group: str | None) -> _Bound:
        import pyarrow as pa

        output = self.output
        columns = match_columns(schema.names, self._schema, output.keys, output.label, group)
        # not from_pylist, which lacks some dictionary types in older pyarrow
        nothing = pa.RecordBatch.from_arrays([pa.nulls(0, f.type) for f in schema], schema=schema)
        names, outputs, dtype = self._describe(nothing, columns)
        layout = Layout(output, names, outputs, dtype)
        fields = [schema.field(key) for key in columns.keys] + layout.fields()
        seen: set[str] = set()
        for field in fields:
            if field.name in seen:
                raise InvalidInputError(
                    f"the output would have two columns called {field.name!r}: rename the key"
                )
            seen.add(field.name)
        return _Bound(columns, layout, pa.schema(fields))

    def _describe(
        self, nothing: pa.RecordBatch, columns: InputColumns
    ) -> tuple[list[str], list[str] | None, str]:
        """Names of features and outputs and the dtype of values, from explaining no rows."""
        explanation = self._call(self._rows(nothing, columns), self._labels(nothing, columns))
        n_features = explanation.values.shape[1]
        names = explanation.feature_names or made_up_names("feature", n_features)
        outputs = None
        if explanation.values.ndim == 3:
            outputs = explanation.output_names
            if outputs is None:
                outputs = [str(k) for k in range(explanation.values.shape[2])]
        return names, outputs, explanation.values.dtype.name

    def _explain(
        self, batch: pa.RecordBatch, columns: InputColumns, want_pairs: bool
    ) -> tuple[Any, Any, Any, Any]:
        """SHAP values (n, F, K), base values (n, K), interaction pairs, and dense interactions."""
        rows = self._rows(batch, columns)
        pairs = dense = None
        explainer = self._explainer
        if want_pairs or self.output.interactions:
            if not isinstance(explainer, TreeExplainer):
                raise InvalidInputError("interaction values are those of a TreeExplainer")
            found = explainer.interaction_pairs(rows, check_additivity=self.output.check_additivity)
            values, base = found.shap_values, found.base_values
            if want_pairs:
                pairs = (found.pairs, _with_outputs(found.values, 2))
            if self.output.interactions:
                dense = _with_outputs(found.to_dense(), 3)
        else:
            explanation = self._call(rows, self._labels(batch, columns))
            values, base = explanation.values, explanation.base_values
        return _with_outputs(values, 2), _with_outputs(base, 1), pairs, dense

    def _call(self, rows: Any, labels: Any) -> Any:
        explainer, check = self._explainer, self.output.check_additivity
        if isinstance(explainer, KernelExplainer):
            return explainer(rows, progress=False, check_additivity=check)
        return explainer(rows, labels, check_additivity=check)

    def _rows(self, batch: pa.RecordBatch, columns: InputColumns) -> Any:
        """Give the features as the explainer takes them."""
        import pyarrow as pa

        arrays = [batch.column(name) for name in columns.features]
        for j, categories in ambiguous_categories(self._schema).items():
            arrays[j] = as_categories(arrays[j], categories, columns.features[j])
        rows = pa.RecordBatch.from_arrays(arrays, names=columns.shown)
        if isinstance(self._explainer, KernelExplainer):  # a function knows arrays
            return InputRows(rows, self._schema).matrix()
        return rows

    @staticmethod
    def _labels(batch: pa.RecordBatch, columns: InputColumns) -> Any:
        return None if columns.label is None else batch.column(columns.label).to_numpy(False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_bound": {}}


def require_pyarrow(who: str = "leafshap.batch needs", extra: str = "batch") -> None:
    """Say how to get pyarrow where it is not installed.

    Raises
    ------
    MissingDependencyError
    """
    import importlib.util

    if importlib.util.find_spec("pyarrow") is None:
        raise MissingDependencyError(f'{who} pyarrow: pip install "leafshap[{extra}]"')


def _with_outputs(array: npt.NDArray[Any], n_axes: int) -> npt.NDArray[Any]:
    """Give a single output an axis of its own."""
    return array[..., np.newaxis] if array.ndim == n_axes else array
