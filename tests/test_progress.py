"""Progress while coalitions are evaluated."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from leafshap import InvalidInputError, MissingDependencyError
from leafshap.coalitions.progress import progress_of


def run(progress: Any) -> None:
    with progress_of(progress, 10, "explaining") as tick:
        tick(4)
        tick(6)


def test_callable_is_told_done_and_total() -> None:
    told: list[tuple[int, int]] = []
    run(lambda done, total: told.append((done, total)))
    assert told == [(4, 10), (10, 10)]


@pytest.mark.parametrize("progress", [False, "auto"])
def test_silent(progress: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run(progress)
    assert capsys.readouterr() == ("", "")


@pytest.mark.filterwarnings("ignore:IProgress not found")
def test_bar(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    run(True)
    shown = capsys.readouterr().err
    assert "explaining" in shown
    assert "10.0/10.0" in shown


def test_without_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("tqdm"):
            raise ImportError(name)
        return original(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr("leafshap.coalitions.progress._is_watched", lambda: True)
    run("auto")
    with pytest.raises(MissingDependencyError, match=r"pip install leafshap\[progress\]"):
        run(True)


@pytest.mark.parametrize("progress", ["yes", None, 2])
def test_wrong(progress: Any) -> None:
    with pytest.raises(InvalidInputError, match="progress must be"):
        run(progress)
