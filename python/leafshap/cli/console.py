"""Where results are printed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 400  # of a file or pipe, which nobody needs to fold


def result_console() -> Console:
    """Make the console of stdout."""
    console = Console(highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDE)


def print_rows(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table, the first column to the left, numbers to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for j, heading in enumerate(headings):
        table.add_column(Text(heading), justify="right" if j else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))  # a name is no markup
    result_console().print(table)


def print_properties(properties: dict[str, str]) -> None:
    """Print names and what they stand for."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in properties.items():
        table.add_row(name, Text(value))
    result_console().print(table)
