"""Configuration of extraction."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SerializationInfo, field_serializer, field_validator, model_validator

from corpus.config import Config


class UrlConfig(Config):
    """Which URLs may become documents. An entry is a domain (and all below it), a URL (and all that begins with it),
    a glob on the whole URL (`*://*/wp-login*`) or a linear-time regular expression (`/[?&]session=/`)."""

    block: tuple[str, ...] = ()
    """What is dropped as `url_blocked`."""
    allow: tuple[str, ...] = ()
    """When not empty, what matches none is dropped as `url_not_allowed`; `block` and `lists` win over it."""
    lists: tuple[str, ...] = ()
    """Files with a domain or URL to block a line, or `ut1`: 4.6 million of Université Toulouse 1, from datatrove."""

    @field_validator("block", "allow", "lists", mode="before")
    @classmethod
    def _one(cls, entries: object) -> object:
        return (entries,) if isinstance(entries, str) else entries

    @field_validator("block", "allow", "lists")
    @classmethod
    def _not_empty(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        if any(not entry.strip() for entry in entries):
            raise ValueError("has an empty entry: it would match everything")
        return tuple(entry.strip() for entry in entries)

    @field_validator("lists")
    @classmethod
    def _absolute(cls, lists: tuple[str, ...]) -> tuple[str, ...]:
        """A folder's recipe is read again from other working folders."""
        names = [Path(entry).name for entry in lists]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two are called {', '.join(twice)}; the ledger names lists, so give each its own")
        return tuple(entry if entry == "ut1" else str(Path.cwd() / entry) for entry in lists)

    @field_serializer("lists")
    def _names(self, lists: tuple[str, ...], info: SerializationInfo) -> list[str]:
        # Where a list lies decides no byte of the output; its name does, and its digest is an input.
        return [Path(entry).name if info.context else entry for entry in lists]


class ExtractConfig(Config):
    """How HTML becomes text, and what a page may cost."""

    extractor: Literal["cascade", "resiliparse", "trafilatura"] = "cascade"
    """`cascade` is more precise and faster than both others; `resiliparse` keeps more boilerplate."""
    format: Literal["text", "markdown"] = "text"
    """`markdown` keeps headings, lists, tables, code and formulas as Markdown."""
    urls: UrlConfig | None = None
    """Which URLs are dropped before they are parsed: `{block: [..], allow: [..], lists: [..]}`."""
    honour_opt_out: bool = True
    """Drop pages that ask not to be used (`opt_out_noindex`, `opt_out_noai`, `opt_out_noimageai`, `opt_out_tdm`)."""
    min_chars: Annotated[int, Field(ge=1)] = 1
    """A page whose text has fewer characters is dropped as `empty`."""
    max_page_bytes: Annotated[int, Field(ge=1 << 10, le=1 << 30)] = 10 << 20
    """A larger page is dropped as `too_large` before it is parsed."""
    max_depth: Annotated[int, Field(ge=16)] = 2000
    """Nested elements (those that need an end tag). Parsers take time that grows with its square."""
    max_attributes: Annotated[int, Field(ge=16)] = 2000
    """Attributes of one tag. Parsers take time that grows with its square."""
    max_cells: Annotated[int, Field(ge=1000)] = 1_000_000
    """Table rows times the widest row, `colspan` counted. Extractors write the cells out."""
    timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """A page that takes longer is dropped as `timeout`. Waiting for a processor on a busy machine does not count."""
    max_memory_mb: Annotated[int, Field(ge=128)] = 768
    """What the extracting process may take; a page for which this is too little is dropped as `memory`."""

    @model_validator(mode="after")
    def _has_the_format(self) -> ExtractConfig:
        if self.extractor == "resiliparse" and self.format == "markdown":
            raise ValueError("resiliparse writes no Markdown; use cascade or trafilatura")
        return self

    @model_validator(mode="after")
    def _room_for_a_page(self) -> ExtractConfig:
        if self.max_page_bytes > self.max_memory_mb << 17:
            raise ValueError("max_memory_mb must be at least 8 times max_page_bytes")
        return self
