"""Reading ahead: all items in order, errors in their place, no thread left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import islice

import pytest

from corpus.ahead import ahead


def alive() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ahead"]


def counted(upto: int, made: list[int]) -> Iterator[int]:
    for number in range(upto):
        made.append(number)
        yield number


@pytest.mark.parametrize("depth", [1, 2, 50])
def test_every_item_comes_in_order(depth: int) -> None:
    assert list(ahead(range(1000), depth)) == list(range(1000))
    assert list(ahead([None, None], depth)) == [None, None]
    assert list(ahead([], depth)) == []
    assert not alive()


def test_an_error_comes_after_what_was_made_before_it() -> None:
    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise KeyError("three")

    items = ahead(failing(), 8)
    assert list(islice(items, 2)) == [1, 2]
    with pytest.raises(KeyError, match="three"):
        next(items)
    assert not alive()


def test_it_makes_no_more_than_it_may_and_ends_when_it_is_left() -> None:
    made: list[int] = []
    items = ahead(counted(10**9, made), 3)
    assert list(islice(items, 5)) == [0, 1, 2, 3, 4]
    items.close()  # type: ignore[attr-defined]
    assert len(made) <= 5 + 3 + 1
    assert not alive()
