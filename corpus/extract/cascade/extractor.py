"""`cascade`: a parser without a tree, a classifier of blocks, and a second one that sees what the first believed.

After Kohlschütter et al. 2010 (boilerplate detection by shallow text features, WSDM) and Web2Text (Vogels et al.
2018, arXiv:1801.02607): blocks are judged in the context of their neighbours.
"""

from __future__ import annotations

import numpy as np

from corpus.extract.cascade import model as models
from corpus.extract.cascade.choice import kept
from corpus.extract.cascade.structure import write
from corpus.extract.metadata import metadata
from corpus.extract.page import LimitError, Page
from corpus.kernels import html as h


def extract(html: str, url: str | None, markdown: bool = False) -> Page:
    """The main text of a page. Raises LimitError for one with more blocks or elements than the parser takes."""
    return Page(text_of(html, markdown), *metadata(html, url))


def text_of(html: str, markdown: bool = False) -> str:
    """The main text alone; see `extract`."""
    text, blocks, nodes, tokens, whole = h.parse(np.frombuffer(html.encode("utf-8", "replace"), np.uint8), markdown)
    if not whole:
        raise LimitError(f"more than {h.MAX_BLOCKS} blocks of text or {h.MAX_NODES} elements")
    if not len(blocks):
        return ""
    model = models.load()
    chosen = kept(model.beliefs(text, blocks, nodes, tokens), model.threshold, blocks, nodes)
    return write(text, blocks, nodes, chosen, markdown)


def warm() -> None:
    """Compile or load every kernel, so that no page's time holds it."""
    text_of("<p>A first page, so that all is compiled.<ul><li>x</ul>", True)
