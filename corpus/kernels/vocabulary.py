"""The different words of a document: everything that is the same for equal words is looked at once.

RedPajama-v2's signals (Weber et al. 2024, arXiv:2411.12372) are of its normalised words; ours are the words that hold
more than punctuation, in lower case.
"""

from __future__ import annotations

import numpy as np

from corpus.kernels.jit import inlined, njit
from corpus.kernels.quality_flags import ALPHA, LOWER, MULTIPLIER, SYMBOL, UPPER, span_hash
from corpus.kernels.repetition import equal_spans, slot_of, table_mask

# English function words of at most 8 letters: determiners, pronouns, prepositions, conjunctions, auxiliaries, adverbs.
STOP_WORDS = (
    "a an the this that these those each every either neither some any no none all both half such another other "
    "i me my mine myself you your yours yourself he him his himself she her hers herself it its itself we us our ours "
    "they them their theirs who whom whose which what where when why how "
    "about above across after against along among around as at before behind below beneath beside between beyond by "
    "down during except for from in inside into like near of off on onto out outside over past per since than through "
    "till to toward towards under until up upon via with within without "
    "and but or nor so yet if though although because unless whereas while whether "
    "am is are was were be been being have has had having do does did doing done can could may might must shall should "
    "will would ought not n't 's 're 've 'll 'm 'd also again just only very too then there here now once more most "
    "much many few less least own same"
).split()
_SLOTS = 1024
_JAVASCRIPT = np.array([ord(letter) for letter in "javascript"], np.uint32)


def _code(word: str) -> int:
    """The number whose base-256 digits are the word's letters."""
    return int.from_bytes(word.encode(), "big")


_LOREM, _IPSUM = np.uint64(_code("lorem")), np.uint64(_code("ipsum"))


def _table(words: list[str]) -> np.ndarray:
    table = np.zeros(_SLOTS, np.uint64)
    for word in words:
        slot = _code(word) * int(MULTIPLIER) % 2**64 >> 54
        while table[slot]:
            slot = (slot + 1) % _SLOTS
        table[slot] = _code(word)
    return table


_STOPS = _table(STOP_WORDS)
# Gopher's eight, in the order of their bits.
_GOPHER = np.array([_code(word) for word in ("the", "be", "to", "of", "and", "that", "have", "with")], np.uint64)
_ONE, _EIGHT = np.uint64(1), np.uint64(8)

# What `measure_words` fills, in this order.
WORDS, LETTERS, ALPHABETIC, GOPHER_STOPS, ALL_CAPS, STOPS, UNIQUE, LOREM, JAVASCRIPTS = range(9)
FACTS = 9


@njit
def word_classes(source, hashes, powers, starts, ends, count, classes, counts, keys, slots, base):  # type: ignore[no-untyped-def]
    """The first equal word of each (`classes`), and how often it occurs (`counts` there)."""
    mask = table_mask(count)
    for i in range(count):
        key = span_hash(hashes, powers, starts[i], ends[i])
        length = ends[i] - starts[i]
        slot = slot_of(key, mask)
        while slots[slot] >= base:
            first = slots[slot] - base
            same = keys[first] == key and ends[first] - starts[first] == length
            if same and equal_spans(source, starts[first], starts[i], length):
                counts[first] += 1
                classes[i] = first
                break
            slot = (slot + 1) & mask
        else:
            slots[slot] = base + i
            keys[i], counts[i], classes[i] = key, 1, i


@inlined
def fold(point, lower):  # type: ignore[no-untyped-def]
    """Lower case of a point, by `corpus.kernels.unicode.lower`."""
    if point < 128:
        return np.uint32(point + 32) if 65 <= point <= 90 else np.uint32(point)
    return lower[point]


@njit
def _equal_folded(source, a, b, length, lower):  # type: ignore[no-untyped-def]
    for i in range(length):  # noqa: SIM110
        if fold(source[a + i], lower) != fold(source[b + i], lower):
            return False
    return True


@njit
def _is_stop_word(code):  # type: ignore[no-untyped-def]
    slot = np.int64((code * MULTIPLIER) >> np.uint64(54))
    while _STOPS[slot] != 0:
        if _STOPS[slot] == code:
            return True
        slot = (slot + 1) & (_SLOTS - 1)
    return False


@njit
def measure_words(source, starts, ends, count, classes, counts, table, lower, keys, normal, often, slots, base, facts):  # type: ignore[no-untyped-def]
    """Fill `facts` (int64[FACTS]) from the classes of words; `normal` becomes the normalised words' classes.

    For the first of each class, `normal` is the first word that is the same in lower case, or -1 for a symbol, and
    `often` says there how many of the text are the same. Javascript and "lorem ipsum" are counted in lower case.
    """
    facts[:] = 0
    mask = table_mask(count)
    lorem = ipsum = -1
    seen = 0
    for i in range(count):
        if classes[i] != i:
            continue
        length = ends[i] - starts[i]
        bits_all = np.uint32(0)
        word = False
        code = np.uint64(0)
        key = np.uint64(0)
        as_is = ascii_only = True
        for j in range(starts[i], ends[i]):
            bits = table[source[j]]
            bits_all |= bits
            word = word or not bits & SYMBOL
            small = fold(source[j], lower)
            as_is = as_is and small == source[j]
            ascii_only = ascii_only and small < 128
            code = (code << _EIGHT) + np.uint64(small)
            key = key * MULTIPLIER + np.uint64(small) + _ONE
        times = counts[i]
        if bits_all & ALPHA:
            facts[ALPHABETIC] += times
        if bits_all & UPPER and not bits_all & LOWER:
            facts[ALL_CAPS] += times
        if not ascii_only or length > 8:
            code = np.uint64(0)
        if code != 0:
            facts[STOPS] += times if _is_stop_word(code) else 0
            if as_is and length <= 4:
                for j in range(len(_GOPHER)):
                    if code == _GOPHER[j]:
                        seen |= 1 << j
        if not word:
            normal[i] = -1
            continue
        facts[WORDS] += times
        facts[LETTERS] += times * length
        slot = slot_of(key, mask)
        while slots[slot] >= base:
            first = slots[slot] - base
            same = keys[first] == key and ends[first] - starts[first] == length
            if same and _equal_folded(source, starts[first], starts[i], length, lower):
                often[first] += times
                normal[i] = first
                break
            slot = (slot + 1) & mask
        else:
            slots[slot] = base + i
            keys[i], often[i], normal[i] = key, times, i
            facts[UNIQUE] += 1
            if code == _LOREM:
                lorem = i
            elif code == _IPSUM:
                ipsum = i
        if length == len(_JAVASCRIPT):
            j = 0
            while j < length and fold(source[starts[i] + j], lower) == _JAVASCRIPT[j]:
                j += 1
            facts[JAVASCRIPTS] += times if j == length else 0
    for j in range(len(_GOPHER)):
        facts[GOPHER_STOPS] += (seen >> j) & 1
    if lorem >= 0 and ipsum >= 0:
        before = -1
        for i in range(count):
            now = normal[classes[i]]
            if now >= 0:
                facts[LOREM] += 1 if before == lorem and now == ipsum else 0
                before = now


@njit
def entropy(classes, normal, often, count, total):  # type: ignore[no-untyped-def]
    """Of the distribution of the normalised words, in nats; `total` of them, more than 0."""
    weighted = 0.0
    for i in range(count):
        if classes[i] == i and normal[i] == i and often[i] > 1:
            weighted += often[i] * np.log(often[i])
    return max(0.0, np.log(total) - weighted / total)


@njit
def normalise(starts, ends, count, classes, normal, often, at, counts):  # type: ignore[no-untyped-def]
    """The normalised words alone, in place of all: their number.

    `classes` and `counts` become theirs, renumbered, `at` where each begins when they are run together.
    """
    words = total = 0
    for i in range(count):
        first = normal[classes[i]]
        if first < 0:
            continue
        if often[first] > 0:  # not met before: its place is the class of all of them
            counts[words] = often[first]
            often[first] = -words
        classes[words] = -often[first]
        at[words] = total
        total += ends[i] - starts[i]
        words += 1
    at[words] = total
    return words
