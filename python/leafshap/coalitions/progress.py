"""Progress bars, by tqdm where the user has it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from leafshap.errors import InvalidInputError, MissingDependencyError

Tick = Callable[[int], None]  # told how many more evaluations of the model are done
Progress = bool | str | Callable[[int, int], Any]

_DELAY = 1.0  # seconds; "auto" shows no bar for what is done sooner


@contextmanager
def progress_of(progress: Progress, total: int, description: str) -> Iterator[Tick]:
    """Show progress while the context is open.

    Parameters
    ----------
    progress : bool, "auto" or callable
        A bar (True), none (False), or a bar if it takes longer than a second, tqdm is installed and
        stderr is a terminal or a notebook ("auto"). A callable is given (done, total).
    total : int
        Evaluations of the model.
    description : str
        Shown before the bar.

    Yields
    ------
    callable
        To be given the number of evaluations done since the last time.

    Raises
    ------
    MissingDependencyError
        For True without tqdm.
    """
    if callable(progress):
        done = 0

        def tick(n: int) -> None:
            nonlocal done
            done += n
            progress(done, total)

        yield tick
        return
    if progress not in (True, False, "auto"):
        raise InvalidInputError(
            f'progress must be True, False, "auto" or a function, got {progress!r}'
        )
    if progress is False or (progress == "auto" and not _is_watched()):
        yield lambda n: None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        if progress == "auto":
            yield lambda n: None
            return
        raise MissingDependencyError(
            "a progress bar needs tqdm: pip install leafshap[progress]"
        ) from error
    delay = _DELAY if progress == "auto" else 0.0
    with tqdm(total=total, desc=description, delay=delay, unit="rows", unit_scale=True) as bar:

        def update(n: int) -> None:
            bar.update(n)

        yield update


def _is_watched() -> bool:
    return "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty())
