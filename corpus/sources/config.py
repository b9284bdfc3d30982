"""Configuration of one source."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from corpus.config import Config

Kind = Literal["warc", "html", "text", "jsonl", "parquet"]
Column = Literal["text", "url", "date", "title", "author", "declared_language", "id"]


class SourceConfig(Config):
    """A named set of local files of one kind."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$", max_length=64)]
    """Name of the source; it is part of every document's id."""
    kind: Kind
    """What the files hold."""
    path: str | tuple[str, ...]
    """A file, a folder (searched recursively) or a glob, or several of them."""
    columns: dict[Column, str] = Field(default={"text": "text"})
    """Our column -> the input's column (`jsonl` and `parquet` only). `id` is kept in the locator."""
    max_record_mb: Annotated[int, Field(ge=1, le=4096)] = 64
    """A record that is larger, when stored or when decompressed, becomes a `too_large` row."""

    @field_validator("path")
    @classmethod
    def _some_path(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        paths = value if isinstance(value, tuple) else (value,)
        if not paths or "" in paths:
            raise ValueError("is empty: name a file, a folder or a glob")
        # The recipe is written out, in UTF-8; a folder or a glob reaches files of any name.
        if any("\ud800" <= letter <= "\udfff" for path in paths for letter in path):
            raise ValueError("is not valid UTF-8: rename the file, or name its folder")
        return value

    @field_validator("columns")
    @classmethod
    def _default_text(cls, value: dict[Column, str]) -> dict[Column, str]:
        return {"text": "text", **value}

    @property
    def paths(self) -> tuple[str, ...]:
        """`path`, always as a tuple."""
        return (self.path,) if isinstance(self.path, str) else self.path

    @property
    def max_record_bytes(self) -> int:
        """`max_record_mb` in bytes (1 MB = 2**20 bytes)."""
        return self.max_record_mb << 20
