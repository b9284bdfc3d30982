"""trafilatura (Barbaresi 2021, ACL demo 15) in its fast setting: its own rules without the fallback extractors."""

from __future__ import annotations

import logging

import trafilatura
from trafilatura.utils import HTML_PARSER, load_html

from corpus.errors import InputError
from corpus.extract.metadata import metadata
from corpus.extract.page import LimitError, Page

try:
    import lxml_html_clean  # noqa: F401 - trafilatura fails on every page without it, one by one
except ImportError as error:
    raise InputError("extractor trafilatura needs lxml_html_clean; run: pip install lxml-html-clean") from error

logging.getLogger("trafilatura").setLevel(logging.CRITICAL)


def extract(html: str, url: str | None, markdown: bool = False) -> Page:
    """The main text of a page with its tables, without comments. `deduplicate` would make it depend on the order.

    Raises LimitError where libxml2 stopped: at what is nested deeper than 256, or longer than 10 MB.
    """
    tree = load_html(html)
    if any(entry.level_name == "FATAL" for entry in HTML_PARSER.error_log):
        raise LimitError("nested deeper or longer than libxml2 goes, text would be lost")
    if tree is None:
        return Page("", *metadata(html, url))
    text = trafilatura.extract(
        tree,
        output_format="markdown" if markdown else "txt",
        fast=True,
        include_comments=False,
        include_formatting=markdown,
        include_tables=True,
        deduplicate=False,
        with_metadata=False,
    )
    return Page(text or "", *metadata(html, url))
