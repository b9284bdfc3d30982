"""Which blocks of a page are its text: by people where they said it, by two extractors elsewhere.

trafilatura is the teacher. Where its fast and its full setting disagree, or resiliparse disagrees with it, a block
weighs less; where people marked a block or gave the whole text, it weighs more.
"""

from __future__ import annotations

import logging
import re

import numpy as np

from corpus.extract.cascade.training.pages import TrainingPage
from corpus.kernels import html as h

_WORDS = re.compile(r"\w+")
_SENTENCE = re.compile(r"[\n.!?。]")
_LINE = re.compile(r"[\n|]")
# Shorter blocks are found by chance: they count only where their neighbours were found.
_LONG = 20
_NEAR = 400
_MARKED, _WHOLE_TEXT, _MANUAL, _UNSURE, _DISPUTED = 4.0, 2.0, 0.2, 0.4, 0.6
# Pages of forms and lists, and pages where the teacher found next to nothing.
_OTHER_KINDS, _NO_TEXT, _NO_TEXT_CHARS = 0.5, 0.2, 200


def teachers(html: str) -> tuple[str, str, str]:
    """What trafilatura (fast, full) and resiliparse make of a page; empty where one fails."""
    import trafilatura
    from resiliparse.extract.html2text import extract_plain_text

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    texts = []
    for fast in (True, False):
        try:
            text = trafilatura.extract(
                html, fast=fast, include_comments=False, include_tables=True, deduplicate=False, with_metadata=False
            )
        except Exception:  # what fails teaches nothing
            text = None
        texts.append(text or "")
    plain = extract_plain_text(html, main_content=True, alt_texts=False, comments=False)
    return texts[0], texts[1], plain


def labelled(page: TrainingPage, taught: tuple[str, str, str]) -> tuple[np.ndarray, np.ndarray]:
    """(float32[blocks] 1 for text and 0 for boilerplate, float32[blocks] weights)."""
    texts = page.texts
    fast, full, plain = (_found(texts, text) for text in taught)
    label, weight = fast.copy(), np.ones(len(texts))
    weight[(fast > 0.5) != (full > 0.5)] = _UNSURE
    weight[(fast > 0.5) != (plain > 0.5)] *= _DISPUTED
    chars = page.blocks[:, h.CHARS].astype(float)
    if page.collection == "formasaurus":
        weight *= _OTHER_KINDS
    if chars[label > 0.5].sum() < _NO_TEXT_CHARS:
        weight *= _NO_TEXT
    if page.gold and "text" in page.gold:
        weight = np.full(len(texts), _MANUAL if page.collection == "manuals" else _WHOLE_TEXT)
        label = _found(texts, page.gold["text"])
    elif page.gold:
        squeezed = [_squeeze(text) for text in texts]
        for key, value in (("without", 0.0), ("with", 1.0)):
            for mark in filter(None, map(_squeeze, page.gold[key])):
                for i, text in enumerate(squeezed):
                    if mark in text:
                        label[i], weight[i] = value, _MARKED
    weight *= np.clip(np.log2(1 + chars) / 4, 0.3, 3) / np.sqrt(max(len(texts), 10) / 100)
    return (label > 0.5).astype(np.float32), weight.astype(np.float32)


def _found(texts: list[str], gold: str) -> np.ndarray:
    """float[blocks]: the share of each block that is in `gold`, in the order of both."""
    whole = _squeeze(gold)
    lines = {_squeeze(line) for line in _LINE.split(gold)}
    squeezed = [_squeeze(text) for text in texts]
    share = np.zeros(len(texts))
    places: list[tuple[int, int] | None] = [None] * len(texts)
    cursor = 0
    for i, text in enumerate(squeezed):
        if len(text) < _LONG:
            continue
        at = whole.find(text, max(0, cursor - 200))
        at = whole.find(text) if at < 0 else at
        if at >= 0:
            share[i], places[i], cursor = 1, (at, at + len(text)), at + len(text)
            continue
        sentences = [part for part in map(_squeeze, _SENTENCE.split(texts[i])) if part]
        there = [part for part in sentences if len(part) >= _LONG // 2 and part in whole]
        share[i] = sum(map(len, there)) / max(sum(map(len, sentences)), 1)
        if share[i] > 0.5:
            at = whole.find(there[0])
            places[i] = (at, at + len(text))
    following = [len(whole)] * (len(texts) + 1)
    for i in range(len(texts) - 1, -1, -1):
        place = places[i]
        following[i] = place[0] if place else following[i + 1]
    before = 0
    for i, text in enumerate(squeezed):
        place = places[i]
        if place:
            before = place[1]
        elif text and len(text) < _LONG:
            end = following[i] if following[i] >= before else len(whole)
            at = whole.find(text, before, end)
            if 0 <= at < before + _NEAR:
                share[i], before = 1, at + len(text)
            elif len(text) >= 4 and text in lines:
                share[i] = 1
    return share


def _squeeze(text: str) -> str:
    """Letters and digits alone: extractors write white space and marks in their own ways."""
    return "".join(_WORDS.findall(text.casefold()))
