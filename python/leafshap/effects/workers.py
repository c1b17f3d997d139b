"""Threads for what numpy does, and for plans, which the core makes on one thread each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any


@contextmanager
def workers(n_threads: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """Give a map that uses some threads; results come in the order of the arguments."""
    if n_threads == 1:
        yield map
        return
    with ThreadPoolExecutor(n_threads) as pool:
        yield pool.map
