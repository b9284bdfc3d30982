"""Reading ahead: a thread makes the next items while the last one is worked on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
_WAIT_SECONDS = 0.1


def ahead(items: Iterable[T], depth: int = 2) -> Iterator[T]:
    """The same items in the same order, up to `depth` + 1 of them made before they are asked for.

    It pays where both sides leave the interpreter's lock: decoding by Arrow, work in a kernel. What making an item
    raises is raised in its place; a reader that stops early ends the thread.
    """
    made: queue.Queue[tuple[T | None, BaseException | None, bool]] = queue.Queue(depth)
    left = threading.Event()

    def put(item: T | None, error: BaseException | None = None, last: bool = False) -> None:
        while not left.is_set():
            try:
                made.put((item, error, last), timeout=_WAIT_SECONDS)
                return
            except queue.Full:
                pass

    def make() -> None:
        try:
            for item in items:
                put(item)
                if left.is_set():
                    return
            put(None, last=True)
        except BaseException as error:
            put(None, error)

    thread = threading.Thread(target=make, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error, last = made.get()
            if error is not None:
                raise error
            if last:
                return
            yield item  # type: ignore[misc]
    finally:
        left.set()
        thread.join()
