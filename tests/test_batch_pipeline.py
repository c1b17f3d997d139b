"""The threads around the one that computes: order, bounds, and errors on either side."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from leafshap.batch.pipeline import Ahead, Behind


def test_items_come_in_order_and_not_all_at_once() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for i in range(50):
            made.append(i)
            yield i

    with Ahead(items(), depth=2) as ahead:
        for i, item in enumerate(ahead):
            assert item == i
            assert len(made) <= i + 4  # the queue, one in the hand, and the one being put
            time.sleep(0.001)
    assert made == list(range(50))


def test_an_error_of_the_reader_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    seen = []
    with pytest.raises(OSError, match="disk"), Ahead(items()) as ahead:  # noqa: PT012
        for item in ahead:
            seen.append(item)
    assert seen == [1]


def test_the_reader_ends_and_closes_its_files_when_nobody_listens_any_more() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(10**9)
        finally:
            closed.set()

    with pytest.raises(RuntimeError, match="enough"), Ahead(items()) as ahead:  # noqa: PT012
        for item in ahead:
            if item == 3:
                raise RuntimeError("enough")
    assert closed.wait(5)
    assert "leafshap-reader" not in {thread.name for thread in threading.enumerate()}


def test_calls_are_made_in_order_behind() -> None:
    done: list[int] = []
    with Behind() as behind:
        for i in range(100):
            behind(done.append, i)
    assert done == list(range(100))


def test_an_error_of_the_writer_is_raised_and_nothing_follows_it() -> None:
    done: list[int] = []

    def write(i: int) -> None:
        if i == 3:
            raise OSError("no space left")
        done.append(i)

    with pytest.raises(OSError, match="no space"), Behind() as behind:  # noqa: PT012
        for i in range(10**6):
            behind(write, i)
    assert done == [0, 1, 2]
    with pytest.raises(OSError, match="no space"), Behind() as behind:  # noqa: PT012
        for i in range(4):  # the last call fails after all have been asked for
            behind(write, i)


def test_after_an_error_of_the_caller_what_was_asked_for_is_done() -> None:
    gate = threading.Event()
    done: list[int] = []

    def write(i: int) -> None:
        gate.wait(5)
        done.append(i)

    with pytest.raises(KeyboardInterrupt), Behind() as behind:  # noqa: PT012
        behind(write, 0)
        behind(write, 1)
        threading.Timer(0.05, gate.set).start()
        raise KeyboardInterrupt
    assert done == [0, 1]
