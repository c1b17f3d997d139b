"""Reading ahead and writing behind: two threads around the one that computes.

The core and pyarrow let go of the interpreter's lock, so that reading, explaining and writing
overlap. Both queues are short: memory stays bounded whichever of the three is slowest.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")

_DEPTH = 2
_TICK = 0.1  # seconds between two looks at whether the other side has given up


class Ahead(Generic[T]):
    """Iterates in a thread of its own, a few items ahead of the one who asks.

    An exception of the iteration is raised where its item would have come.
    """

    def __init__(self, items: Iterable[T], depth: int = _DEPTH) -> None:
        self._items = items
        self._queue: queue.Queue[tuple[str, Any]] = queue.Queue(depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leafshap-reader", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def __iter__(self) -> Iterator[T]:
        while True:
            what, item = self._queue.get()
            if what == "end":
                return
            if what == "error":
                raise item
            yield item

    def _run(self) -> None:
        iterator = iter(self._items)
        try:
            for item in iterator:
                if not self._put("item", item):
                    break
            else:
                self._put("end", None)
        except BaseException as error:
            self._put("error", error)
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:  # a generator has files open
                close()

    def _put(self, what: str, item: Any) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put((what, item), timeout=_TICK)
                return True
            except queue.Full:
                continue
        return False


class Behind:
    """Calls functions in a thread of its own, in order, a few calls behind the one who asks.

    After an exception of such a call nothing more is called; it is raised at the next call or at
    the end. If the one who asks fails, what has been asked for is done all the same.
    """

    def __init__(self, depth: int = _DEPTH) -> None:
        self._queue: queue.Queue[tuple[Callable[..., Any], tuple[Any, ...]] | None]
        self._queue = queue.Queue(depth)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="leafshap-writer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._queue.put(None)
        self._thread.join()
        if kind is None:
            self._raise()

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call it, later.

        Raises
        ------
        BaseException
            That of an earlier call.
        """
        self._raise()
        self._queue.put((function, arguments))

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (call := self._queue.get()) is not None:
            if self._error is None:
                function, arguments = call
                try:
                    function(*arguments)
                except BaseException as error:
                    self._error = error
