"""Which records may become documents at all: rules of URLs, what pages ask for, payloads seen before.

Decided before any parse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from corpus.extract.config import ExtractConfig

if TYPE_CHECKING:
    from corpus.extract.urls import UrlRules

# Payloads of a partition that are remembered, some 170 MB; later ones are let through, and dedup finds them.
MAX_PAYLOADS = 1 << 20

Refusals = dict[int, list[tuple[str, str | None]]]
"""Row -> the (rule, detail) of every rule that refuses it."""


class Admission:
    """Judges batches of `corpus.documents.RAW`. `inputs` of the task holds the digests of the lists of URLs.

    `opted_out` counts pages by the signal that they carry, honoured or not.
    """

    def __init__(self, config: ExtractConfig, inputs: Mapping[str, str]) -> None:
        self._rules: UrlRules | None = None
        if config.urls is not None:
            from corpus.extract.url_lists import load_lists
            from corpus.extract.urls import UrlRules

            self._rules = UrlRules(config.urls, load_lists(config.urls, inputs))
        self._honour = config.honour_opt_out
        self._payloads: dict[bytes, str] = {}
        self.opted_out: Counter[str] = Counter()

    def judge(self, batch: pa.RecordBatch) -> Refusals:
        """What is refused of the records that have no problem of their own. A refused URL's page is not looked at.

        Only a record that nothing refuses stands for later ones of the same payload.
        """
        from corpus.extract.opt_out import opt_outs

        refused: Refusals = {}
        urls = self._rules.judge(batch.column("url")) if self._rules else {}
        payloads, locators = (batch.column(name).to_pylist() for name in ("payload", "locator"))
        rows = zip(*(batch.column(name) for name in ("problem", "content", "media_type", "opt_out")), strict=True)
        for row, (problem, content, media_type, opt_out) in enumerate(rows):
            if problem.is_valid:
                continue
            if row in urls:
                refused[row] = [urls[row]]
                continue
            page = content.as_py() if media_type.as_py() in (None, "text/html") else None
            if signals := opt_outs(page or b"", opt_out.as_py()):
                self.opted_out.update(signals.keys())
                if self._honour:
                    refused[row] = list(signals.items())
            if row not in refused and (first := self._first(payloads[row], locators[row])) is not None:
                refused[row] = [("payload_duplicate", first)]
        return refused

    def _first(self, payload: bytes | None, locator: str) -> str | None:
        """Where the first record of this payload is; None when this is it."""
        if payload is None:
            return None
        found = self._payloads.get(payload)
        if found is None and len(self._payloads) < MAX_PAYLOADS:
            self._payloads[payload] = locator
        return found

    def marked(self, batch: pa.RecordBatch, refused: Refusals) -> pa.RecordBatch:
        """The batch with the first rule as the problem of each refused record, so that nothing parses it."""
        if not refused:
            return batch
        problems = batch.column("problem").to_pylist()
        for row, rules in refused.items():
            problems[row] = rules[0][0]
        return batch.set_column(
            batch.schema.get_field_index("problem"), batch.schema.field("problem"), pa.array(problems, pa.string())
        )
