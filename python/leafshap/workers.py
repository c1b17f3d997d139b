"""Threads for what numpy does, and for what the core does on one thread, in a fixed order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

A = TypeVar("A")
B = TypeVar("B")


class Mapper(Protocol):
    """The builtin ``map`` of one argument, or a pool's."""

    def __call__(self, f: Callable[[A], B], over: Iterable[A], /) -> Iterator[B]:
        """Apply f to each, in order."""
        ...


@contextmanager
def workers(n_threads: int) -> Iterator[Mapper]:
    """Open a ``map`` that uses so many threads; results come in the order of the arguments."""
    if n_threads == 1:
        yield map
        return
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(n_threads, initializer=_configure, initargs=(_configuration(),))
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)


def _configuration() -> dict[str, Any]:
    """scikit-learn's configuration, which it keeps for each thread by itself."""
    sklearn = sys.modules.get("sklearn")
    return {} if sklearn is None else dict(sklearn.get_config())


def _configure(configuration: dict[str, Any]) -> None:
    if configuration:
        sys.modules["sklearn"].set_config(**configuration)
