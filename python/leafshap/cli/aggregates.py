"""Aggregates of SHAP values as tables for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import numpy as np
import numpy.typing as npt

from leafshap.batch.aggregates.tables import QUANTILES
from leafshap.cli.console import print_rows

if TYPE_CHECKING:
    from leafshap.batch.aggregates import Aggregates

_MOST_FEATURES, _MOST_PAIRS = 30, 10
_MOST_GROUPS, _MOST_COLUMNS = 50, 5


def print_aggregates(found: Aggregates) -> None:
    """Print the features with the largest mean |phi|, the groups, and the strongest pairs."""
    if not found.n_rows:
        click.echo("no rows")
        return
    size = found.mean_abs.reshape(len(found.mean_abs), -1).sum(axis=1)
    order = np.argsort(-size, kind="stable")
    names = found.feature_names or [f"Feature {j}" for j in range(len(size))]
    _print_features(found, order[:_MOST_FEATURES], names)
    if len(order) > _MOST_FEATURES:
        click.echo(f"{len(order) - _MOST_FEATURES:,} more features: --aggregate FILE has all")
    base = ", ".join(f"{value:.6g}" for value in np.ravel(found.expected_value))
    click.echo(f"\n{found.n_rows:,} rows, mean base value {base}")
    if found.group is not None:
        _print_groups(found, order[:_MOST_COLUMNS], names)
    if found.wants_interactions:
        _print_pairs(found)


def _print_features(found: Aggregates, order: npt.NDArray[np.intp], names: list[str]) -> None:
    columns = {
        "mean |phi|": found.mean_abs,
        "mean phi": found.mean,
        "deviation": found.standard_deviation,
        "min": found.minimum,
        "max": found.maximum,
    }
    if found.wants_histograms:
        columns |= {name.replace("_", " "): found.quantile(q) for name, q in QUANTILES.items()}
    several = found.mean_abs.ndim == 2
    rows = []
    for j in order:
        for k in range(found.mean_abs.shape[1] if several else 1):
            name = [names[j]]
            if several:
                name.append(_output(found, k))
            rows.append([*name, *(_number(v[j, k] if several else v[j]) for v in columns.values())])
    print_rows(["feature", *(["output"] if several else []), *columns], rows)


def _print_groups(found: Aggregates, order: npt.NDArray[np.intp], names: list[str]) -> None:
    groups = found.groups
    rows = []
    for value, means in list(groups.items())[:_MOST_GROUPS]:
        size = means.mean_abs.reshape(len(names), -1).sum(axis=1)
        rows.append([str(value), f"{means.n_rows:,}", *(_number(size[j]) for j in order)])
    click.echo(f"\nmean |phi| by {found.group}")
    print_rows([str(found.group), "rows", *(names[j] for j in order)], rows)
    if len(groups) > _MOST_GROUPS:
        click.echo(f"{len(groups) - _MOST_GROUPS:,} more: --aggregate FILE has all")


def _print_pairs(found: Aggregates) -> None:
    summary = found.interactions
    strength = summary.mean_abs.reshape(len(summary), -1).sum(axis=1)[:_MOST_PAIRS]
    pairs = zip(summary.names, strength, strict=False)
    click.echo("\nstrongest interactions")
    print_rows(["pair", "mean |phi_ij|"], [[f"{a} x {b}", _number(v)] for (a, b), v in pairs])


def _output(found: Aggregates, k: int) -> str:
    return str(k) if found.output_names is None else found.output_names[k]


def _number(value: Any) -> str:
    return f"{float(value):.4g}"
