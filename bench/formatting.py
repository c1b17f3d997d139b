"""Numbers and tables as Markdown."""

from __future__ import annotations

from typing import Any


def count(value: float) -> str:
    """Three significant digits: 54.1, 1,450, 429K."""
    if value >= 10_000:
        return f"{value / 1000:,.3g}K" if value < 999_500 else f"{value / 1e6:.3g}M"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def seconds(value: float) -> str:
    """Three significant digits with the unit: 134 s, 0.215 s, 12.3 ms."""
    if value >= 0.1:
        return f"{value:,.0f} s" if value >= 100 else f"{value:.3g} s"
    return f"{value * 1000:.3g} ms"


def times(ratio: dict[str, float]) -> str:
    """Median, least and greatest of a ratio."""
    digits = 0 if ratio["median"] >= 20 else 1 if ratio["median"] >= 2 else 2
    low, high = (f"{ratio[key]:.{digits}f}" for key in ("min", "max"))
    return f"{ratio['median']:.{digits}f}x ({low}-{high})"


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    """The lines of a table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def verdict(met: bool) -> str:
    """On a target."""
    return "met" if met else "missed"


def describe_machine(found: dict[str, Any]) -> str:
    """The processor, its cores, and the commit, of what `machine.describe` found."""
    cpu = found["cpu"]
    commit = (found["commit"] or "no commit")[:12] + (" (dirty)" if found["dirty"] else "")
    number = f", family {cpu['family']} model {cpu['model_number']}" if "family" in cpu else ""
    return f"{cpu['model']}{number}; {found['cores']} cores; commit {commit}"
