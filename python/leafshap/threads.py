"""How many threads a call may use."""

from __future__ import annotations

import os

from leafshap.errors import InvalidInputError
from leafshap.integers import whole_number

# A forked child has none of its parent's OpenMP threads, and GNU's runtime would wait for them
# forever. One thread needs no runtime, and the values are the same.
_forked = False


def _note_fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)

_MOST_THREADS = 4096  # more is a mistake, or an environment variable gone wrong


def _usable_cores() -> int:
    """Cores that this process may run on (affinity where the system tells it)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _omp_limit() -> int | None:
    """Read the outermost level of OMP_NUM_THREADS; None if it is not a positive number."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else None


def count_threads(n_jobs: int) -> int:
    """Turn `n_jobs` into a number of threads.

    Parameters
    ----------
    n_jobs : int
        -1: all the cores this process may use, or OMP_NUM_THREADS if that is set. A positive
        number is taken as it is. In a forked process always one.

    Raises
    ------
    InvalidInputError
        If `n_jobs` is neither -1 nor a positive integer.
    """
    n = whole_number(n_jobs)
    if n is None:
        raise InvalidInputError(f"n_jobs must be -1 or a positive integer, got {n_jobs!r}")
    if n == -1:
        n = _omp_limit() or _usable_cores()
    if n < 1:
        raise InvalidInputError(f"n_jobs must be -1 (all cores) or a positive integer, got {n}")
    return 1 if _forked else min(n, _MOST_THREADS)
