"""resiliparse (lexbor): `main_content` heuristics, the settings of DCLM (Li et al. 2024, arXiv:2406.11794)."""

from __future__ import annotations

from resiliparse.extract.html2text import extract_plain_text

from corpus.extract.metadata import metadata
from corpus.extract.page import Page


def extract(html: str, url: str | None, markdown: bool = False) -> Page:
    """The main text of a page, without readers' comments and alternative texts of images."""
    return Page(extract_plain_text(html, main_content=True, alt_texts=False, comments=False), *metadata(html, url))
