"""What benchmarks' texts look like: the labels around them (`Question: ... Answer:`), a template's words, which no
document has; and whether they are sentences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

_WORD = re.compile(r"\w+")
_COLONS = (":", "：")
_AROUND = " \t\r\n#*-"  # marks of layout beside a label
_MOST = 4  # words of a label
_QUOTES = " \t\r\n\"'`“”„‘’«»()[]¿¡"
_ENDS = (".", "!", "?", "…", "。", "！", "？", "؟", "।")
_REACH = 100  # characters in which a label is looked for
_LEAST = 10  # texts that tell a label from a text's own words


def likeness(text: str, several: bool) -> int:
    """How little a text is like a sentence of its own, 0 to 2: `several` stand beside it, and it does not end like one;
    2 where it does not begin like one."""
    bare = text.strip(_QUOTES)
    if not bare or bare[0].islower():
        return 2
    return several + (not (bare[0].isalpha() and bare.endswith(_ENDS)))


def bare(texts: Sequence[str]) -> list[str]:
    """The texts of one field of a task without the label that nine of ten of them begin with, and that which nine of
    ten end with, a line or sentence of its own or not: up to four words and a colon, in any case of letters."""
    for cuts in (_heads, _tails):
        found = Counter(words for text in texts for words in cuts(text))
        common = [words for words, count in found.items() if len(texts) >= _LEAST and 10 * count >= 9 * len(texts)]
        if common:
            label = max(common, key=len)
            texts = [cuts(text).get(label, text) for text in texts]
    return list(texts)


_Cuts = dict[tuple[str, ...], str]


def _heads(text: str) -> _Cuts:
    """The label's words, and the text without it; nothing where no label is."""
    colon = min((at for at in (text.find(mark, 0, _REACH) for mark in _COLONS) if at >= 0), default=0)
    words = _words(_WORD.findall(text[:colon]))
    return {words: text[colon + 1 :].lstrip(_AROUND)} if 0 < len(words) <= _MOST else {}


def _tails(text: str) -> _Cuts:
    """The same at the end, where the text's own words may stand right before the label: one to four words of the last
    line or sentence."""
    trimmed = text.rstrip(_AROUND)
    if not trimmed.endswith(_COLONS):
        return {}
    begin = max(0, len(trimmed) - _REACH)
    begin = 1 + max(trimmed.rfind(mark, begin) for mark in ("\n", *_ENDS)) or begin
    spans = list(_WORD.finditer(trimmed, begin))[-_MOST:]
    return {
        _words(span.group() for span in spans[at:]): trimmed[: spans[at].start()].rstrip(_AROUND)
        for at in range(len(spans))
    }


def _words(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(word.lower() for word in found)
