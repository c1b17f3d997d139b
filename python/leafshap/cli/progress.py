"""How far a long command is: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Self

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

# between two lines: so much time, or so much work if it takes some time
_SECONDS, _SHARE, _LEAST_SECONDS = 10.0, 0.1, 1.0


class RateColumn(ProgressColumn):
    """Rows per second so far."""

    def render(self, task: Task) -> Text:
        """Write the rate, once there is one."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} rows/s" if speed else "", style="cyan")


def rows_bar(console: Console) -> Progress:
    """Make a bar of rows with their rate and the time that is left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
        console=console,
    )


class RowProgress:
    """Called with the rows done and their number, if that is known; a context while they run.

    This one tells nothing, but remembers.

    Attributes
    ----------
    done : int
    total : int or None
    """

    def __init__(self) -> None:
        self.done = 0
        self.total: int | None = None

    def __call__(self, done: int, total: int | None) -> None:
        """Take note of how far it is."""
        self.done, self.total = done, total

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass


def row_progress(description: str, *, quiet: bool = False) -> RowProgress:
    """Choose how to tell on stderr: by a bar, by lines, or not at all."""
    if quiet:
        return RowProgress()
    if sys.stderr is not None and sys.stderr.isatty():
        return Bar(description, Console(stderr=True))
    return Lines(description)


class Bar(RowProgress):
    """A bar that lives on the terminal's last line."""

    def __init__(self, description: str, console: Console) -> None:
        super().__init__()
        self._bar = rows_bar(console)
        self._task = self._bar.add_task(description, total=None, start=False)

    def __call__(self, done: int, total: int | None) -> None:
        """Move it."""
        super().__call__(done, total)
        if not self._bar.tasks[0].started:  # the rows that a resumed run found have no rate
            self._bar.reset(self._task, completed=done, total=total)
        self._bar.update(self._task, completed=done, total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()


class Lines(RowProgress):
    """A line every ten seconds or ten percent, what comes first, not more than one a second."""

    def __init__(self, description: str) -> None:
        super().__init__()
        self._description = description
        self._began: tuple[float, int] | None = None
        self._told = (0.0, 0)

    def __call__(self, done: int, total: int | None) -> None:
        """Write a line if it is time."""
        super().__call__(done, total)
        now = time.monotonic()
        if self._began is None:  # what is done already is of a run that was stopped
            self._began = self._told = (now, done)
        when, how_far = self._told
        step = total is not None and done - how_far >= _SHARE * total
        if now - when < (_LEAST_SECONDS if step else _SECONDS):
            return
        self._told = (now, done)
        click.echo(self._line(now), err=True)

    def _line(self, now: float) -> str:
        began, first = self._began or (now, self.done)
        rate = (self.done - first) / (now - began) if now > began else 0.0
        text = f"{self._description}: {self.done:,} rows"
        if self.total:
            text = f"{self._description}: {self.done:,} of {self.total:,} rows"
            text += f" ({self.done / self.total:.0%})"
        if rate:
            text += f", {rate:,.0f} rows/s"
            if self.total and self.done < self.total:
                text += f", {time_text((self.total - self.done) / rate)} left"
        return text


def time_text(seconds: float) -> str:
    """Write a time as seconds, m:ss or h:mm:ss."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
