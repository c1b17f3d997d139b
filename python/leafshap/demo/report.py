"""The demo's result on the terminal: the top features and the throughput."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from leafshap.demo.explained import Explained

_BAR_WIDTH = 24
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def _bar(fraction: float) -> str:
    eighths = round(fraction * _BAR_WIDTH * 8)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def feature_table(
    results: Sequence[Explained], feature_names: Sequence[str], top: int = 10
) -> RenderableType:
    """List the `top` features by mean absolute SHAP value, averaged over the models."""
    table = Table(title=f"Top {top} features: mean |SHAP value| in minutes of arrival delay")
    table.add_column("#", justify="right")
    table.add_column("feature")
    for result in results:
        table.add_column(result.model.name, justify="right")
    table.add_column("mean of both", min_width=_BAR_WIDTH)
    importances = np.array([result.importance for result in results])
    mean = importances.mean(axis=0)
    for rank, column in enumerate(np.argsort(-mean)[:top], start=1):
        table.add_row(
            str(rank),
            feature_names[column],
            *(f"{value:.2f}" for value in importances[:, column]),
            f"[cyan]{_bar(mean[column] / mean.max())}[/cyan]",
        )
    return table


def speed_table(results: Sequence[Explained], n_threads: int) -> RenderableType:
    """Throughput beside the library's own SHAP, and how well the values agree."""
    threads = f"{n_threads} thread" + ("s" if n_threads > 1 else "")
    table = Table(
        title=f"Throughput, both sides on {threads}",
        caption="the library's own SHAP: timed on the first rows only\n"
        "error and difference: the largest over these rows",
    )
    table.add_column("")
    for result in results:
        table.add_column(f"{result.model.name} {result.model.version}", justify="right")
    rows: list[tuple[str, list[str]]] = [
        ("rows explained", [f"{len(r.values):,}" for r in results]),
        ("seconds", [f"{r.seconds:.2f}" for r in results]),
        ("leafshap, rows/s", [f"[bold]{r.rows_per_second:,.0f}[/bold]" for r in results]),
        (
            "the library's own, rows/s",
            [f"{r.own_rows_per_second:,.0f} (on {r.own_rows:,})" for r in results],
        ),
        (
            "times faster",
            [
                f"[bold green]{r.rows_per_second / r.own_rows_per_second:.0f}x[/bold green]"
                for r in results
            ],
        ),
        (
            "error of sums to predict, minutes",
            [f"{r.additivity_error:.1e}" for r in results],
        ),
        ("difference to its SHAP, minutes", [f"{r.own_difference:.1e}" for r in results]),
    ]
    for name, cells in rows:
        table.add_row(name, *cells)
    return table
