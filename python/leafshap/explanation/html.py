"""What notebooks show: small tables with bars, without scripts and outside resources.

Everything that comes from the user (names, values, labels) is escaped. Colours are those of the
page; bars are translucent, so that they are seen on light and on dark ground.
"""

from __future__ import annotations

from collections.abc import Collection
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from leafshap.explanation.data import displayed, objects
from leafshap.explanation.reductions import mean_abs
from leafshap.explanation.selection import axis_names
from leafshap.explanation.tables import Columns, format_cell

if TYPE_CHECKING:
    from leafshap.explanation.explanation import Explanation

_ROWS = 10  # lines of features
_TABLE_ROWS = 15
_OUTPUTS = 4  # columns
_COLUMNS = 14
_POSITIVE, _NEGATIVE = "rgba(255,0,81,.55)", "rgba(0,139,251,.55)"  # the colours of shap's plots
_WIDTH = 9.0  # em
_NUMBER = "display:inline-block;width:5.5em;margin-right:.6em;text-align:right"
_CELL = "padding:.15em .7em;text-align:{};white-space:nowrap"


def explanation_html(explanation: Explanation) -> str:
    """One line about the shape, and the features with the largest (mean) ``|phi|``."""
    caption = escape(repr(explanation).strip("<>"))
    if explanation.axes.count("features") != 1 or not explanation.values.size:
        return f"<div>{caption}</div>"
    values, where = explanation.values, explanation.axes.index("features")
    names = axis_names(explanation, where) or []
    outputs = [_name_of_value(explanation)]
    if explanation.axes[-1] == "outputs":
        outputs = axis_names(explanation, values.ndim - 1) or []
    if explanation.axes[0] == "rows":
        shown = mean_abs(values)
        outputs = [f"mean |phi|{', ' if name else ''}{name}" for name in outputs]
        data = None
    else:
        shown = values.astype(np.float64)
        what = "value" if explanation.operations else "phi"
        outputs = [f"{what}{', ' if name else ''}{name}" for name in outputs]
        data = displayed(explanation.data)
    shown = shown.reshape(len(names), -1)
    order = np.argsort(-np.abs(shown).sum(axis=1), kind="stable")
    kept, rest = order[:_ROWS], order[_ROWS:]
    columns: list[tuple[str, npt.NDArray[Any]]] = [
        ("feature", objects([names[j] for j in kept] + _more(len(rest))))
    ]
    if data is not None:
        line = np.asarray(data).reshape(-1)
        texts = [format_cell(line[j]) for j in kept] + [""] * bool(len(rest))
        columns.append(("feature value", objects(texts)))
    bars = range(len(columns), len(columns) + min(len(outputs), _OUTPUTS))
    for k, name in enumerate(outputs[:_OUTPUTS]):
        others = [shown[rest, k].sum()] if len(rest) else []
        columns.append((name, np.array([*shown[kept, k], *others])))
    title = caption
    if len(outputs) > _OUTPUTS:
        title += f"<br>the first {_OUTPUTS} of {len(outputs)} outputs"
    if explanation.single_row and not explanation.operations:
        base = explanation.base_values.reshape(-1)[:_OUTPUTS]
        totals = base + values.reshape(len(names), -1).sum(axis=0)[:_OUTPUTS]
        if not np.isnan(base).any():
            parts = ", ".join(f"{b:.4g} to {t:.4g}" for b, t in zip(base, totals, strict=True))
            title += f"<br>from base value to output: {parts}"
    return _table(columns, bars, title, plain={len(kept)})


def table_html(
    columns: Columns,
    bars: Collection[int] = (),
    title: str = "",
    plain: Collection[int] = (),
    most: int = _TABLE_ROWS,
) -> str:
    """Columns as an HTML table, some of them (by number) with bars, but on `plain` lines."""
    n = len(columns[0][1])
    notes = [title] if title else []
    if n > most:
        notes.append(f"the first {most} of {n} lines")
    if len(columns) > _COLUMNS:
        notes.append(f"the first {_COLUMNS} of {len(columns)} columns")
    shown = [(name, column[:most]) for name, column in columns[:_COLUMNS]]
    return _table(shown, bars, "<br>".join(map(escape, notes)), plain)


def _table(columns: Columns, bars: Collection[int], title: str, plain: Collection[int]) -> str:
    """Table of escaped cells; `title` is HTML."""
    n = len(columns[0][1])
    barred = [i for i in range(n) if i not in plain]
    sizes = (_largest(column[barred]) for c, (_, column) in enumerate(columns) if c in bars)
    largest = max(sizes, default=0.0)
    sides = [
        "right" if column.dtype.kind in "biuf" and c not in bars else "left"
        for c, (_, column) in enumerate(columns)
    ]
    head = "".join(
        f'<th style="{_CELL.format(side)}">{escape(name)}</th>'
        for side, (name, _) in zip(sides, columns, strict=True)
    )
    lines = []
    for i in range(n):
        cells = "".join(
            _bar_cell(float(column[i]), 0.0 if i in plain else largest)
            if c in bars
            else f'<td style="{_CELL.format(sides[c])}">{escape(format_cell(column[i]))}</td>'
            for c, (_, column) in enumerate(columns)
        )
        lines.append(f"<tr>{cells}</tr>")
    caption = (
        f'<caption style="text-align:left;padding:.3em .7em;white-space:nowrap">{title}</caption>'
    )
    return (
        '<table style="border-collapse:collapse;font-size:.9em;color:inherit;'
        f'background:transparent">{caption}<thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table>"
    )


def _bar_cell(value: float, largest: float) -> str:
    """Write a number beside a bar, as long as the number is large."""
    if not np.isfinite(value):
        value_only = f'<span style="{_NUMBER}">{escape(format_cell(value))}</span>'
        return f'<td style="{_CELL.format("left")}">{value_only}</td>'
    share = abs(value) / largest if largest > 0 else 0.0
    colour = _POSITIVE if value >= 0 else _NEGATIVE
    return (
        f'<td style="{_CELL.format("left")}"><span style="{_NUMBER}">{format_cell(value)}</span>'
        f'<span style="display:inline-block;height:.8em;width:{share * _WIDTH:.2f}em;'
        f'background:{colour};vertical-align:middle"></span></td>'
    )


def _largest(column: npt.NDArray[Any]) -> float:
    sizes = np.abs(column.astype(np.float64))
    return float(sizes[np.isfinite(sizes)].max(initial=0.0))


def _name_of_value(explanation: Explanation) -> str:
    name = explanation.output_names
    return name if isinstance(name, str) else ""


def _more(n: int) -> list[str]:
    return [f"{n} other feature{'s' if n > 1 else ''} together"] if n else []
