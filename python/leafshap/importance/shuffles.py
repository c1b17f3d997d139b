"""The shuffles of scikit-learn's permutation importance, from the same random state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError, MissingDependencyError
from leafshap.integers import whole_number

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Shuffles:
    """Which row every row takes a player's value from, the same for all players.

    Attributes
    ----------
    rows : ndarray of int64, shape (s,), or None
        The rows that are scored after shuffling; None: all.
    sources : ndarray of int64, shape (R, s)
        By repeat, for each of these the one (counted among them) whose value it takes.
    """

    rows: Rows | None
    sources: Rows


def draw_shuffles(random_state: Any, n_rows: int, n_repeats: int, max_samples: Any) -> Shuffles:
    """Draw as `sklearn.inspection.permutation_importance` (1.9) does.

    It seeds a generator anew for each feature, so all of them see the same shuffles; it shuffles
    the order of the last repeat, and applies it to a column that is shuffled already.

    Raises
    ------
    InvalidInputError
        If `random_state` is no seed or generator, or `max_samples` is out of range.
    """
    seed = _seed_of(random_state)
    n_samples = read_max_samples(max_samples, n_rows)
    generator = np.random.RandomState(seed)
    rows = None
    if n_samples < n_rows:
        rows = _sample(generator, n_rows, n_samples)
    order = np.arange(n_samples)
    sources = np.empty((n_repeats, n_samples), dtype=np.int64)
    last = np.arange(n_samples)
    for r in range(n_repeats):
        generator.shuffle(order)
        last = sources[r] = last[order]
    return Shuffles(rows, sources)


def read_max_samples(max_samples: Any, n_rows: int) -> int:
    """Turn `max_samples` into a number of rows.

    Raises
    ------
    InvalidInputError
    """
    number = whole_number(max_samples)
    if number is None:
        if not isinstance(max_samples, (float, np.floating)) or not 0 < max_samples <= 1:
            raise InvalidInputError(
                "max_samples must be a whole number of rows or a share above 0 and at most 1.0, "
                f"got {max_samples!r}"
            )
        number = int(max_samples * n_rows)
        if number < 1:
            raise InvalidInputError(f"max_samples={max_samples} of {n_rows} rows is not one row")
    if not 1 <= number <= n_rows:
        raise InvalidInputError(f"max_samples must be from 1 to the {n_rows} rows, got {number}")
    return number


def _seed_of(random_state: Any) -> int:
    """Draw the seed of all features, as scikit-learn does."""
    most = int(np.iinfo(np.int32).max) + 1
    if random_state is None or random_state is np.random:
        return int(np.random.randint(most))  # noqa: NPY002 (numpy's global state, as asked for)
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(most))
    number = whole_number(random_state)
    if number is None or not 0 <= number < 2**32:
        raise InvalidInputError(
            "random_state must be None, a whole number from 0 to 2**32 - 1 or a "
            f"numpy.random.RandomState, got {random_state!r}"
        )
    return int(np.random.RandomState(number).randint(most))


def _sample(generator: np.random.RandomState, n_rows: int, n_samples: int) -> Rows:
    try:
        from sklearn.utils.random import sample_without_replacement
    except ImportError as error:
        raise MissingDependencyError(
            "max_samples draws rows as scikit-learn does, and needs it: "
            'pip install "leafshap[sklearn]"'
        ) from error
    rows = sample_without_replacement(n_rows, n_samples, random_state=generator)
    return np.asarray(rows, dtype=np.int64)
