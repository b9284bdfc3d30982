"""What an extractor makes of a page."""

from __future__ import annotations

from typing import NamedTuple


class Page(NamedTuple):
    """Text and what the page says of itself; what it does not say is None."""

    text: str
    title: str | None = None
    author: str | None = None
    date: str | None = None
    declared_language: str | None = None
    canonical_url: str | None = None


class LimitError(Exception):
    """An extractor knows that it lost text of this page; the message says which limit."""


class RefusedError(Exception):
    """(outcome, detail) of a file that gives no document: `encrypted`, `damaged`, `empty`."""

    def __init__(self, outcome: str, detail: str) -> None:
        super().__init__(outcome, detail)
        self.outcome, self.detail = outcome, detail
