"""Explaining a stream of Arrow record batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from leafshap.batch.bad_rows import bad_rows
from leafshap.batch.categories import refuse_values
from leafshap.batch.layout import OutputOptions
from leafshap.batch.sampling import check_fraction, check_seed, sample_rows
from leafshap.batch.scoring import Explainer, Scorer
from leafshap.errors import AdditivityError, InvalidInputError

if TYPE_CHECKING:
    from typing import Unpack

    import pyarrow as pa

    from leafshap.batch.aggregates import Aggregates


def explain_batches(
    explainer: Explainer,
    batches: Iterable[pa.RecordBatch],
    *,
    aggregates: Aggregates | None = None,
    sample: float | None = None,
    seed: int = 0,
    **options: Unpack[OutputOptions],
) -> Iterator[pa.RecordBatch]:
    """Explain a stream of Arrow record batches in constant memory.

    Columns are found by the names of the model's features, wherever they stand; others are left
    out, unless they are `keys`. A model without feature names takes all columns but keys and label,
    in their order.

    Parameters
    ----------
    explainer : TreeExplainer or KernelExplainer
    batches : iterable of pyarrow.RecordBatch
        Of any sizes, all of one schema; also a `pyarrow.RecordBatchReader`, or a table. Large ones
        are explained and given back in pieces.
    aggregates : Aggregates, optional
        Every explained row is added to it.
    sample : float, optional
        Explain this share of the rows, above 0 and at most 1, drawn at random; the choice does not
        depend on how rows are cut into batches.
    seed : int, default 0
        Of the sample.
    keys : sequence of str, default ()
        Columns that are carried through, first in the output.
    values : str, default "list"
        "list": a column "shap_values" of fixed-size lists, one number for each feature; "columns":
        a column "shap_<feature>" for each; "none".
    base_value : bool, default True
        Write a float64 column "base_value": what the row's values add up from.
    prediction : bool, default False
        Write a float64 column "prediction": base value plus SHAP values, which is the explained
        output (the margin, unless the explainer has another `model_output`).
    top_k : int, default 0
        Write the k features of largest |value|, falling: "top_features" and "top_values", lists.
    interactions : bool, default False
        Write SHAP interaction values, F x F numbers row by row ("shap_interaction_values", or
        "shap_<feature>_<feature>"), in place of SHAP values.
    label : str, optional
        Column of the labels, for `model_output="log_loss"`.
    check_additivity : bool, "all" or "few", default "few"
        As in `leafshap.TreeExplainer.shap_values`, for every piece: "few" compares one row in 16
        with the model's own prediction, at most 256 of a piece.

    Yields
    ------
    pyarrow.RecordBatch
        Values have the explainer's dtype. With several outputs, every column but the keys is there
        once for each, its name followed by "_<output>" (the class label, or a number).

    Raises
    ------
    InvalidInputError
        If an option does not hold, a column is absent, or a row does not fit the model: the message
        names the row, counted from 0 over the whole stream.
    AdditivityError
        If values do not add up to the model's prediction.
    MissingDependencyError
        If pyarrow is not installed.
    """
    scorer = Scorer(explainer, **options)
    fraction, seed = check_fraction(sample), check_seed(seed)
    return explain_stream(scorer, batches, aggregates, fraction, seed)


def explain_stream(
    scorer: Scorer,
    batches: Iterable[pa.RecordBatch],
    aggregates: Aggregates | None = None,
    fraction: float = 1.0,
    seed: int = 0,
) -> Iterator[pa.RecordBatch]:
    """Explain a stream by a scorer, see `explain_batches`."""
    import pyarrow as pa

    if isinstance(batches, pa.Table):
        batches = batches.to_batches()
    seen = 0
    dictionaries: dict[str, pa.Array] = {}
    for batch in batches:
        if not isinstance(batch, pa.RecordBatch):
            raise InvalidInputError(f"expected pyarrow record batches, got {type(batch).__name__}")
        scorer.output_schema(batch.schema, aggregates)  # what is wrong with all rows
        coded = scorer.coded_categories(batch.schema, aggregates)
        other = [c for c in coded if not _is_numbered_alike(batch.column(c), c, dictionaries)]
        refuse_values(other, batch.schema)
        size = scorer.block_rows(batch.num_columns)
        for start in range(0, max(1, batch.num_rows), size):
            piece = batch.slice(start, size)
            n, rows = piece.num_rows, np.arange(seen, seen + piece.num_rows)
            if fraction < 1:
                kept = sample_rows(seen, n, fraction, seed)
                piece, rows = piece.filter(kept), rows[kept]
            try:
                yield scorer.explain(piece, aggregates)
            except AdditivityError as error:
                raise AdditivityError(f"rows {rows[0]} to {rows[-1]}: {error}") from error
            except InvalidInputError as error:
                raise _named(scorer, piece, aggregates, rows, error) from error
            seen += n


def _is_numbered_alike(column: pa.Array, name: str, dictionaries: dict[str, pa.Array]) -> bool:
    """Whether a column has the dictionary of earlier batches, which is kept."""
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        return False
    return bool(column.dictionary.equals(dictionaries.setdefault(name, column.dictionary)))


def _named(
    scorer: Scorer,
    batch: pa.RecordBatch,
    aggregates: Aggregates | None,
    rows: npt.NDArray[np.int64],
    error: Exception,
) -> Exception:
    """Name the row of the stream that is bad, if one is."""

    def check(some: pa.RecordBatch) -> None:
        scorer.check_rows(some, aggregates)

    found = next(bad_rows(check, batch), None) if batch.num_rows else None
    return error if found is None else InvalidInputError(f"row {rows[found[0]]}: {found[1]}")
