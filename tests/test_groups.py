"""Groups of columns as players."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from leafshap import InvalidInputError
from leafshap.coalitions.groups import read_groups

NAMES = ["age", "lat", "lon", "hour", "day"]


def read(groups: Any, labels: Any = NAMES, n: int = 5) -> dict[str, list[int]]:
    players = read_groups(groups, labels, n)
    return dict(zip(players.names, [columns.tolist() for columns in players.columns], strict=True))


@pytest.mark.parametrize(
    ("groups", "players"),
    [
        (None, {"age": [0], "lat": [1], "lon": [2], "hour": [3], "day": [4]}),
        ({}, {"age": [0], "lat": [1], "lon": [2], "hour": [3], "day": [4]}),
        (
            {"time": ["day", "hour"], "place": ["lat", 2]},
            {"time": [4, 3], "place": [1, 2], "age": [0]},
        ),
        (
            [["lat", "lon"], [np.int64(3)]],
            {"lat + lon": [1, 2], "hour": [3], "age": [0], "day": [4]},
        ),
        ([np.array([0, 1, 2, 3, 4])], {"age + lat + lon + 2 more": [0, 1, 2, 3, 4]}),
        ({"x": "age", "y": 1}, {"x": [0], "y": [1], "lon": [2], "hour": [3], "day": [4]}),
        (["age", ("lat", "lon")], {"age": [0], "lat + lon": [1, 2], "hour": [3], "day": [4]}),
    ],
)
def test_groups(groups: Any, players: dict[str, list[int]]) -> None:
    found = read(groups)
    assert found == players
    assert list(found) == list(players)  # the order of players


def test_labels_that_are_numbers_go_before_positions() -> None:
    assert read({"a": [10, 20]}, [20, 10, 30], 3) == {"a": [1, 0], "30": [2]}
    assert read({"a": [1]}, [1, 0], 2) == {"a": [0], "0": [1]}
    assert read([[0, 2]], None, 3) == {"feature 0 + feature 2": [0, 2], "feature 1": [1]}


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"a": ["lat"], "b": ["lon", "lat"]}, "'lat' is in group 'a' and in group 'b'"),
        ([["lat", 1]], r"group 0 names column 1 \('lat'\) twice"),
        ({"a": ["height"]}, "group 'a' names the column 'height'"),
        ([[5]], "group 0 names the column 5"),
        ([[-1]], "-1"),
        ([[True]], "True"),
        ([[1.0]], "1.0"),
        ([[["lat"]]], r"\['lat'\]"),
        ({"a": []}, "group 'a' is empty"),
        ([["lat"], []], "group 1 is empty"),
        ({"age": ["lat", "lon"]}, "two groups or columns are called 'age'"),
        ({"a": 1.5}, "group 'a' must be a list"),
        ("lat", "must be a dict or a sequence"),
        (3, "must be a dict or a sequence"),
    ],
)
def test_mistakes(groups: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        read(groups)


def test_labels_of_several_columns_and_none() -> None:
    labels = ["a", "b", "a"]
    with pytest.raises(InvalidInputError, match="'a', as several columns are called"):
        read({"g": ["a", "b"]}, labels, 3)
    assert read({"g": [0, 2]}, labels, 3) == {"g": [0, 2], "b": [1]}
    with pytest.raises(InvalidInputError, match="none of the 3 columns, which have no names"):
        read([["a"]], None, 3)


def test_players_of_columns() -> None:
    players = read_groups({"time": ["day", "hour"]}, NAMES, 5)
    assert players.of_column.tolist() == [1, 2, 3, 0, 0]
    values = np.array([[False, True, False, False, True], [True, False, False, False, False]])
    assert players.any_column(values).tolist() == [
        [True, False, True, False],
        [False, True, False, False],
    ]
