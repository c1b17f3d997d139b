"""Groups of columns that join a coalition as one player."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leafshap.errors import InvalidInputError
from leafshap.integers import whole_number

Groups = Mapping[str, Any] | Sequence[Any] | None


@dataclass(frozen=True, eq=False)
class Players:
    """Who joins coalitions: columns, or groups of columns.

    Attributes
    ----------
    names : list of str
    columns : list of ndarray of int64
        Columns of each player; each column belongs to one player.
    """

    names: list[str]
    columns: list[npt.NDArray[np.int64]]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def of_column(self) -> npt.NDArray[np.int64]:
        """Player of each column, shape (F,)."""
        player = np.empty(sum(map(len, self.columns)), dtype=np.int64)
        for i, columns in enumerate(self.columns):
            player[columns] = i
        return player

    def any_column(self, values: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Whether any of a player's columns is true, shape (n, F) -> (n, players)."""
        if all(len(columns) == 1 for columns in self.columns):
            return values[:, np.concatenate(self.columns)]
        return np.column_stack([values[:, columns].any(axis=1) for columns in self.columns])


def read_groups(groups: Groups, labels: Sequence[Any] | None, n_columns: int) -> Players:
    """Read groups as users give them.

    Parameters
    ----------
    groups : dict, sequence or None
        A dict from names to columns, or a sequence of columns of each group; a column is given by
        its label or its number. Players are the groups in the order given, then the columns in no
        group, each a player of its own, in their own order. A group of a sequence is named after
        its columns, "a + b". None: every column is a player.
    labels : sequence or None
        Labels of the columns.
    n_columns : int

    Raises
    ------
    InvalidInputError
        Naming an unknown column, a label of several columns, a column in two groups or twice in
        one, an empty group, or two players of the same name.
    """
    names = [f"feature {j}" for j in range(n_columns)] if labels is None else list(map(str, labels))
    given: list[tuple[str | None, Any]] = []
    if isinstance(groups, Mapping):
        given = [(str(name), columns) for name, columns in groups.items()]
    elif isinstance(groups, (str, bytes)):
        raise InvalidInputError(f"groups must be a dict or a sequence of lists, got {groups!r}")
    elif groups is not None:
        try:
            given = [(None, columns) for columns in groups]
        except TypeError:
            raise InvalidInputError(
                f"groups must be a dict or a sequence of lists, got {type(groups).__name__}"
            ) from None
    number = {label: j for j, label in reversed(list(enumerate(labels or [])))}
    number |= {name: j for j, name in enumerate(names) if labels is not None and name not in number}
    twice = {label for label, times in Counter(labels or []).items() if times > 1}
    owner: dict[int, str] = {}
    players: list[tuple[str, list[int]]] = []
    for i, (name, columns) in enumerate(given):
        said = f"group {i}" if name is None else f"group {name!r}"
        members = [_column(c, number, twice, n_columns, said) for c in _columns(columns, said)]
        if not members:
            raise InvalidInputError(f"{said} is empty")
        for j in members:
            if owner.get(j) == said:
                raise InvalidInputError(f"{said} names column {j} ({names[j]!r}) twice")
            if j in owner:
                raise InvalidInputError(f"column {names[j]!r} is in {owner[j]} and in {said}")
            owner[j] = said
        players.append((_name_of(members, names) if name is None else name, members))
    players += [(names[j], [j]) for j in range(n_columns) if j not in owner]
    if groups is not None:
        known: set[str] = set()
        for name, _ in players:
            if name in known:
                raise InvalidInputError(f"two groups or columns are called {name!r}")
            known.add(name)
    return Players(
        [name for name, _ in players],
        [np.array(members, dtype=np.int64) for _, members in players],
    )


def _columns(columns: Any, said: str) -> list[Any]:
    """List a group's columns; a single label or number is a group of one."""
    if isinstance(columns, (str, bytes)) or whole_number(columns) is not None:
        return [columns]
    try:
        return list(columns)
    except TypeError:
        raise InvalidInputError(f"{said} must be a list of columns, got {columns!r}") from None


def _column(column: Any, number: dict[Any, int], twice: set[Any], n_columns: int, said: str) -> int:
    """Find the number of a column; a label goes before a number."""
    try:
        if not isinstance(column, (bool, np.bool_)) and column in number:
            if column in twice:
                raise InvalidInputError(
                    f"{said} names the column {column!r}, as several columns are called: rename "
                    "them"
                )
            return number[column]
    except TypeError:
        pass  # a list, which cannot be a label
    index = whole_number(column)
    if index is not None and 0 <= index < n_columns:
        return index
    raise InvalidInputError(
        f"{said} names the column {column!r}, which is none of the {n_columns} columns"
        + ("" if number or not isinstance(column, str) else ", which have no names")
    )


def _name_of(members: list[int], names: list[str], most: int = 3) -> str:
    named = " + ".join(names[j] for j in members[:most])
    return named + (f" + {len(members) - most} more" if len(members) > most else "")
