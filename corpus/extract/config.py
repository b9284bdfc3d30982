"""Configuration of extraction."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from corpus.config import Config


class ExtractConfig(Config):
    """How HTML becomes text, and what a page may cost."""

    extractor: Literal["resiliparse", "trafilatura"] = "resiliparse"
    """`resiliparse` is ten times faster, `trafilatura` is more precise."""
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
    """A page that takes longer, in wall-clock time, is dropped as `timeout`."""
    max_memory_mb: Annotated[int, Field(ge=128)] = 1024
    """A page with which the extracting process grows past this is dropped as `memory`."""
