"""Aggregates as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.explanation.data import objects
from leafshap.explanation.selection import made_up_names
from leafshap.explanation.tables import Table

if TYPE_CHECKING:
    from leafshap.batch.aggregates.aggregates import Aggregates

# columns of the table, where there are histograms
QUANTILES = {"quantile_05": 0.05, "median": 0.5, "quantile_95": 0.95}


def table(aggregates: Aggregates, by_group: bool | None) -> Table:
    """See `Aggregates.to_arrow`."""
    if by_group is None:
        by_group = aggregates.group is not None
    mean = aggregates.mean
    names = aggregates.feature_names or made_up_names("feature", len(mean))
    columns: dict[str, npt.NDArray[Any]] = {"feature": objects(names)}
    if mean.ndim == 2:
        outputs = aggregates.output_names or made_up_names("output", mean.shape[1])
        columns = {
            "feature": np.repeat(objects(names), len(outputs)),
            "output": np.tile(objects(outputs), len(names)),
        }
    if not by_group:
        columns["n_rows"] = np.full(mean.size, aggregates.n_rows)
        for name, values in (
            ("mean_abs", aggregates.mean_abs),
            ("mean", mean),
            ("standard_deviation", aggregates.standard_deviation),
            ("min", aggregates.minimum),
            ("max", aggregates.maximum),
        ):
            columns[name] = values.reshape(-1)
        for name, q in QUANTILES.items() if aggregates.wants_histograms else ():
            columns[name] = aggregates.quantile(q).reshape(-1)
        return Table(columns)
    groups = aggregates.groups
    parts = list(groups.values())
    columns = {
        "group": np.repeat(_column_of(list(groups)), mean.size),
        **{name: np.tile(column, len(groups)) for name, column in columns.items()},
        "n_rows": np.repeat([part.n_rows for part in parts], mean.size),
        "mean_abs": np.concatenate([part.mean_abs.reshape(-1) for part in parts]),
        "mean": np.concatenate([part.mean.reshape(-1) for part in parts]),
    }
    return Table(columns)


def _column_of(values: list[Any]) -> npt.NDArray[Any]:
    """Numbers as numbers if none is null, anything else as objects."""
    plain = all(isinstance(value, int) for value in values)
    return np.array(values) if plain else objects(values)
