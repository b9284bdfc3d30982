"""Extraction: bytes of pages to text, behind a guard (`corpus.extract.guard.Guard`)."""

from corpus.extract.registry import extractor_label

__all__ = ["extractor_label"]
