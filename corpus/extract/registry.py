"""The extractors by name, each a module with `extract(html, url, markdown) -> Page`, and how documents name them."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable

from corpus.extract.config import ExtractConfig
from corpus.extract.page import Page

# Name -> module, distribution that makes the text ("" for ours), settings.
EXTRACTORS = {
    "cascade": ("corpus.extract.cascade.extractor", "", ""),
    "resiliparse": ("corpus.extract.resiliparse_extractor", "resiliparse", "main_content"),
    "trafilatura": ("corpus.extract.trafilatura_extractor", "trafilatura", "fast"),
}


def load(name: str) -> Callable[[str, str | None, bool], Page]:
    """The function of an extractor by its name, or of any other as `module:function`."""
    module, _, function = name.partition(":")
    if not function:
        module, function = EXTRACTORS[name][0], "extract"
    loaded: Callable[[str, str | None, bool], Page] = getattr(importlib.import_module(module), function)
    return loaded


def extractor_label(config: ExtractConfig) -> str:
    """Name, version and settings, as documents carry it: `resiliparse 2.0.1 main_content`."""
    _, distribution, settings = EXTRACTORS[config.extractor]
    version = importlib.metadata.version(distribution) if distribution else _own_version()
    return " ".join(filter(None, [config.extractor, version, settings, "markdown" * (config.format == "markdown")]))


def _own_version() -> str:
    from corpus.extract.cascade import VERSION
    from corpus.extract.cascade.digest import digest

    return f"{VERSION} model {digest()[:8]}"
