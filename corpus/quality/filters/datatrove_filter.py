"""A filter of datatrove on our documents: its verdicts and reasons as failures, its changes of the text as edits."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np
import pyarrow as pa

from corpus.errors import CorpusError
from corpus.quality.filters.config import FilterConfig
from corpus.quality.filters.function import FAILURES, rule_name
from corpus.quality.filters.source import describe, load

SPANS = pa.schema(
    [
        ("row", pa.int64()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("replacement", pa.string()),
        ("rule", pa.string()),
    ]
)
_FASTTEXT = "fasttext-numpy2-wheel"


class DatatroveFilter:
    """One filter, which keeps what state it has from batch to batch."""

    rows = 512

    def __init__(self, config: FilterConfig) -> None:
        """Raises CorpusError when it is no filter, lacks a package or data, or does not take the options."""
        from datatrove.pipeline.filters.base_filter import BaseFilter

        self._config, kind = config, load(config)
        if not (isinstance(kind, type) and issubclass(kind, BaseFilter)):
            raise CorpusError(f"{config}: is no filter of datatrove; a function is named as module:function")
        if "exclusion_writer" in config.options:
            raise CorpusError(f"{config}: takes no exclusion_writer here; the ledger tells what is dropped")
        if "seed" in inspect.signature(kind).parameters and config.options.get("seed") is None:
            raise CorpusError(f"{config}: needs `options: {{seed: 1}}`, so that the same input gives the same output")
        _let_fasttext_in(kind)
        try:
            self._filter = kind(**config.options)
            _pin_suffixes(self._filter)
        except MemoryError:
            raise
        except (Exception, SystemExit) as error:
            raise CorpusError(f"{config}: {_data_wanted(error) or describe(error)}") from error

    def judge(self, batch: pa.RecordBatch) -> tuple[pa.Table, pa.Table]:
        """(`FAILURES`, `SPANS` of the texts it changed and kept) of a batch with `id`, `text` and the columns.

        Raises CorpusError, naming the document, when the filter raises, exits, or leaves documents without a verdict.
        """
        from datatrove.data import Document

        rows = batch.to_pylist()
        documents = [
            Document(
                row["text"],
                row["id"].hex(),
                metadata={name: row[name] for name in self._metadata if row[name] is not None},
            )
            for row in rows
        ]
        failed: list[tuple[int, str, None, None, str | None]] = []
        spans: list[tuple[int, int, int, str, str]] = []
        size = max(1, self._filter.batch_size)
        for first in range(0, len(documents), size):
            group = documents[first : first + size]
            for row, (keep, reason) in enumerate(self._verdicts(group), first):
                if not keep:
                    rule = rule_name(self._config.name, reason)
                    plain = reason is None or rule in (reason, f"{self._config.name}_{reason}")
                    failed.append((row, rule, None, None, None if plain else reason))
                elif documents[row].text is not rows[row]["text"]:
                    span = self._span(rows[row]["text"], documents[row])
                    if span is not None:
                        spans.append((row, *span, self._config.name))
        return _rows(failed, FAILURES), _rows(spans, SPANS)

    @property
    def _metadata(self) -> list[str]:
        return [name for name in self._config.columns if name not in ("id", "text")]

    def _verdicts(self, group: list[Any]) -> list[tuple[bool, str | None]]:
        """(kept, reason) of each document, by datatrove's own reading of what its filters return."""
        from datatrove.pipeline.filters.base_filter import get_filter_result

        whose = f"document {group[0].id}" + (f" or one of the {len(group) - 1} after it" if len(group) > 1 else "")
        try:
            found = [get_filter_result(result) for result in self._filter.filter_batch(group)]
        except MemoryError:
            raise
        except (Exception, SystemExit) as error:
            raise CorpusError(f"{self._config}: {_data_wanted(error) or f'{describe(error)}, {whose}'}") from error
        if len(found) != len(group):
            raise CorpusError(f"{self._config}: gave {len(found)} verdicts for {len(group)} documents, {whose}")
        return [(bool(keep), None if reason is None else str(reason)) for keep, reason in found]

    def _span(self, before: str, document: Any) -> tuple[int, int, str] | None:
        """(start, end, replacement) that makes the document's text of `before`, in bytes; None when they are equal."""
        try:
            return changed_span(before.encode(), document.text.encode())
        except (AttributeError, UnicodeEncodeError) as error:
            raise CorpusError(f"{self._config}: its text is no Unicode: {error}, document {document.id}") from error


def changed_span(before: bytes, after: bytes) -> tuple[int, int, str] | None:
    """(start, end, replacement): what of `before` to replace for `after`, without their common beginning and end.

    Both are UTF-8; no character is cut. None when they are equal.
    """
    if before == after:
        return None
    old, new = np.frombuffer(before, np.uint8), np.frombuffer(after, np.uint8)
    start = _common(old, new)
    while start and any(start < len(text) and text[start] & 0xC0 == 0x80 for text in (old, new)):
        start -= 1
    tail = _common(old[start:][::-1], new[start:][::-1])
    while tail and old[len(old) - tail] & 0xC0 == 0x80:
        tail -= 1
    return start, len(old) - tail, after[start : len(new) - tail].decode()


def _common(left: np.ndarray, right: np.ndarray) -> int:
    """How many elements are equal from the beginning on."""
    size = min(len(left), len(right))
    differ = left[:size] != right[:size]
    return int(differ.argmax()) if differ.any() else size


def _rows(rows: list[Any], schema: pa.Schema) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema)


def _data_wanted(error: BaseException) -> str | None:
    """One line when datatrove could not download what it needs, with the place where it looks for it."""
    trace = error.__traceback__
    while trace is not None:
        name, found = trace.tb_frame.f_code.co_name, trace.tb_frame.f_locals
        place = None
        if name == "cached_asset_path_or_download" and "local_path" in found:
            place = f"{found['remote_path']} as {found['local_path']}, with an empty file of that name + .completed"
        elif name == "get_frequencies" and "unigram_freq_file" in found:
            place = f"it as {found['unigram_freq_file']}"
        if place:
            return f"cannot download what it needs ({describe(error)}); put {place}"
        trace = trace.tb_next
    return None


def _pin_suffixes(made: Any) -> None:
    """URLFilter's tldextract would download today's list of public suffixes; the one that it brings stays the same."""
    if hasattr(made, "tldextractor"):
        from tldextract import TLDExtract

        made.tldextractor = TLDExtract(cache_dir=None, suffix_list_urls=())


@functools.cache
def _let_fasttext_in(kind: type) -> None:
    """Let a filter that asks for `fasttext-numpy2-wheel` run on fasttext proper.

    Both are installed as `fasttext`, so that only one can be. They differ in how `predict` makes its array of scores:
    fasttext's way fails on numpy 2.
    """
    from datatrove.utils import _import_utils

    wanted = [item for part in kind.__mro__ for item in getattr(part, "_requires_dependencies", ())]
    if ("fasttext", _FASTTEXT) not in wanted or _import_utils._is_distribution_available(_FASTTEXT):
        return
    from fasttext.FastText import _FastText

    there = _import_utils._is_distribution_available
    _import_utils._is_distribution_available = lambda name: name == _FASTTEXT or there(name)
    original = _FastText.predict

    def predict(model: Any, text: Any, k: int = 1, threshold: float = 0.0, on_unicode_error: str = "strict") -> Any:
        if not isinstance(text, str):
            return original(model, text, k, threshold, on_unicode_error)
        if "\n" in text:
            raise ValueError("predict processes one line at a time (remove '\\n')")
        found = model.f.predict(f"{text}\n", k, threshold, on_unicode_error)
        return tuple(label for _, label in found), np.array([score for score, _ in found])

    _FastText.predict = predict
