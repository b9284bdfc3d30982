"""The extractors: name -> module with `extract(html, url) -> Page`, distribution, settings (both for the label)."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable

from corpus.extract.config import ExtractConfig
from corpus.extract.page import Page

EXTRACTORS = {
    "resiliparse": ("corpus.extract.resiliparse_extractor", "resiliparse", "main_content"),
    "trafilatura": ("corpus.extract.trafilatura_extractor", "trafilatura", "fast"),
}


def load(name: str) -> Callable[[str, str | None], Page]:
    """The function of an extractor by its name, or of any other as `module:function`."""
    module, _, function = name.partition(":")
    if not function:
        module, function = EXTRACTORS[name][0], "extract"
    loaded: Callable[[str, str | None], Page] = getattr(importlib.import_module(module), function)
    return loaded


def extractor_label(config: ExtractConfig) -> str:
    """Name, version and settings, as documents carry it: `resiliparse 2.0.1 main_content`."""
    _, distribution, settings = EXTRACTORS[config.extractor]
    return f"{config.extractor} {importlib.metadata.version(distribution)} {settings}"
