"""Labels at the ends of a benchmark's texts (`Question: ... Answer:`): found and cut by the documented rule, apart from
the code that is checked."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from functools import cached_property

_HEAD = re.compile(r"[^\w:：]*((?:\w++[^\w:：]*+){1,4})[:：]")
_AROUND = " \t\r\n#*-"
_REACH = 100


def _candidates(text: str) -> Iterator[tuple[str, ...]]:
    """The words of what may be labels, behind `head` or `tail`."""
    if head := _HEAD.match(text[:_REACH]):
        yield "head", *re.findall(r"\w+", head[1].lower())
    end = text.rstrip(_AROUND)[-_REACH:]
    if end.endswith((":", "：")):
        words = re.findall(r"\w+", re.split(r"[\n.!?…。！？؟।]", end)[-1].lower())[-4:]
        yield from (("tail", *words[at:]) for at in range(len(words)))


class Labels:
    """Counts the texts of a field, then cuts what nine of ten share, where there are ten."""

    def __init__(self) -> None:
        self._found: Counter[tuple[str, ...]] = Counter()
        self._count = 0

    def add(self, text: str) -> None:
        self._count += 1
        self._found.update(_candidates(text))

    @cached_property
    def _cuts(self) -> list[re.Pattern[str]]:
        least = 0.9 * self._count if self._count >= 10 else math.inf
        common = [label for label, times in self._found.items() if times >= least]
        cuts = []
        for side, begin, end in (("head", r"\A[^\w:：]*", r"[^\w:：]*[:：]"), ("tail", r"\b", r"\W*\Z")):
            label = max((label for label in common if label[0] == side), key=len, default=())
            if label:
                cuts.append(re.compile(begin + r"\W+".join(map(re.escape, label[1:])) + end, re.IGNORECASE))

        return cuts

    def cut(self, text: str) -> str:
        for cut in self._cuts:
            shorter = cut.sub("", text)
            if shorter != text:
                text = shorter.strip(_AROUND)
        return text
