"""Configuration of a fetch from Common Crawl."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from corpus.config import Config

BASE_URL = "https://data.commoncrawl.org/"
_RULE = re.compile(r"(domain|host|url)=[^\s/=*]+.*")


class FetchConfig(Config):
    """What `corpus fetch commoncrawl` downloads: whole files of a crawl, or the records that match."""

    crawl: Annotated[str, Field(pattern=r"^CC-[A-Z]+-[0-9]{4}(-[0-9]{2,4})?$")]
    """Name of the crawl, for example CC-MAIN-2024-33."""
    to: Path
    """Folder to write; relative to the working folder."""
    files: Annotated[int, Field(ge=1)] | None = None
    """So many whole files of the crawl's list; or else give `match`."""
    kind: Literal["warc", "wet"] = "warc"
    """WARC files hold pages as they were served, WET files Common Crawl's own plain text of them."""
    first: Annotated[int, Field(ge=0)] = 0
    """Position in the list, from 0, of the first of `files`."""
    sample: int | None = None
    """Seed: draw `files` from the whole list instead. More files with the same seed keep those drawn before."""
    match: tuple[str, ...] = ()
    """Only records of these pages: `domain=example.org` (with subdomains), `host=`, `url=example.org/path/*`."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """At most so many records that match, the first ones in the order of the index."""
    status: tuple[int, ...] = (200,)
    """HTTP status codes of records that match; empty takes all."""
    mime: tuple[str, ...] = ("text/html", "application/xhtml+xml")
    """Media types of records that match, as the server named or as the crawl detected them; empty takes all."""
    base_url: str = BASE_URL
    """Where the paths of the crawl begin, http or https: Common Crawl's own server or a mirror of it."""
    allow_private: bool = False
    """Let `base_url` and redirects lead to hosts that are not public (a private network, this machine)."""
    max_file_mb: Annotated[int, Field(ge=1, le=1 << 20)] = 8192
    """A file that is said to be larger, or does not end there, is refused."""

    @field_validator("match")
    @classmethod
    def _rules(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        for rule in rules:
            if not _RULE.fullmatch(rule):
                raise ValueError(f"{rule}: write domain=example.org, host=www.example.org or url=example.org/path/*")
            if "/" in rule and not rule.startswith("url="):
                raise ValueError(f"{rule}: has a path; write url={rule.partition('=')[2]}")
        return rules

    @field_validator("base_url")
    @classmethod
    def _no_secret(cls, url: str) -> str:
        # It is written into recipes, manifests and messages.
        if re.search("[@?#]", url):
            raise ValueError("has a user, a query or a fragment (`@`, `?`, `#`): give scheme, host and path alone")
        return url

    @model_validator(mode="after")
    def _one_way(self) -> FetchConfig:
        if (self.files is None) == (not self.match):
            raise ValueError("give either `files` (how many whole files) or `match` (which pages)")
        if self.match and self.kind != "warc":
            raise ValueError("`match` finds records of WARC files: the index lists no others")
        if self.match and (self.first or self.sample is not None):
            raise ValueError("`first` and `sample` choose among `files`; bound a match with `limit`")
        if self.first and self.sample is not None:
            raise ValueError("give `first` or `sample`, not both")
        if self.limit is not None and not self.match:
            raise ValueError("`limit` bounds the records of `match`; bound whole files with `files`")
        return self
