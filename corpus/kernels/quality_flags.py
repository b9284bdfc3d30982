"""Character classes of the quality kernels, one uint32 of bits a code point, and the UTF-8 to code point passes.

`SYMBOLS` and `TERMINAL` are the sets of datatrove 0.10 (`datatrove.utils.text`, Apache-2.0); the affix classes are
those of spaCy 3.8's English tokenizer (`spacy.lang.punctuation`, MIT).
"""

from __future__ import annotations

import functools
import unicodedata

import numpy as np

from corpus.kernels import unicode
from corpus.kernels.jit import inlined, njit
from corpus.kernels.unicode import decode

SPACE, ALPHA, UPPER, DECIMAL = 1, 2, 4, 8
# A word that holds nothing but these is a symbol, not a word (Gopher).
SYMBOL = 16
# Ends a sentence, and a line (FineWeb).
TERMINAL = 32
# Unicode category P.
PUNCTUATION = 64
# Ends a line for `str.splitlines`.
BREAK = 128
# Peeled from the front and from the back of a piece, when alone.
PREFIX, SUFFIX = 256, 512
# Peeled from the back only after an ASCII digit.
CURRENCY = 1024
# A full stop is peeled from the back after one of these (beside lower case letters and digits).
BEFORE_STOP = 2048
QUOTE = 4096
# A word of its own wherever it stands: pictographs.
SINGLE = 8192
# Continues the UNSPACED before it: combining marks.
MARK = 16384
# What keeps `str.isupper` from being true: lower and title case.
LOWER = 1 << 15
# `str.isnumeric`, and `\w`.
NUMERIC, WORD = 1 << 16, 1 << 17
# What the scan over a text stops at: ends of lines, symbols, and a rare letter of each phrase of C4's.
LOOK = 1 << 18

# A letter or mark of a script that is written without spaces: words are found in runs of these with dictionaries.
UNSPACED = 1 << 19

# Of the polynomial hash of points, modulo 2**64.
MULTIPLIER = np.uint64(0x9FB21C651E98DF25)

TERMINAL_CHARACTERS = (
    "!.?։؝؞؟۔܀܁܂߹࠷࠹࠽࠾।॥၊။።፧፨᙮᜵᜶។៕៖៙៚᠃᠉᥄᥅᪨᪩᪪᪫᭚᭛᭞᭟\u1b7d\u1b7e᰻᰼᱾᱿‼‽⁇⁈⁉⸮⸼\u2e53\u2e54。꓿꘎꘏꛳꛷꡶꡷꣎꣏꤯꧈꧉꩝꩞꩟꫰꫱꯫﹒﹖﹗！．？｡"
    "𐩖𐩗𐽕𐽖𐽗𐽘𐽙\U00010f86\U00010f87\U00010f88\U00010f89𑁇𑁈𑂾𑂿𑃀𑃁𑅁𑅂𑅃𑇅𑇆𑇍𑇞𑇟𑈸𑈹𑈻𑈼𑊩𑑋𑑌"
    "𑗂𑗃𑗉𑗊𑗋𑗌𑗍𑗎𑗏𑗐𑗑𑗒𑗓𑗔𑗕𑗖𑗗𑙁𑙂𑜼𑜽𑜾𑥄𑥆𑩂𑩃𑪛𑪜𑱁𑱂𑻷𑻸\U00011f43\U00011f44𖩮𖩯𖫵𖬷𖬸𖭄𖺘𛲟𝪈"
)
SYMBOL_CHARACTERS = (
    "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»"
    + "".join(map(chr, (*range(9), 11, 12, *range(13, 32), *range(127, 160))))
    + TERMINAL_CHARACTERS
)

_AFFIXES = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪"
_QUOTES = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉〈〉⟦⟧"
_CURRENCIES = "$£€¥฿₽﷼" + "".join(map(chr, range(0x20A0, 0x20C0)))
# Thai, Lao, Myanmar, Khmer (those of line break class SA), Han and kana, and marks that only these take.
_UNSPACED = (
    (0x0E01, 0x0E3B), (0x0E40, 0x0E4F), (0x0E81, 0x0EBE), (0x0EC0, 0x0ECF), (0x0EDC, 0x0EE0), (0x1000, 0x1040),
    (0x1050, 0x1090), (0x109A, 0x109E), (0x1780, 0x17D4), (0x17D7, 0x17D8), (0x17DC, 0x17DE), (0x2E80, 0x2FD6),
    (0x3005, 0x3008), (0x3021, 0x302E), (0x3038, 0x303C), (0x3041, 0x309B), (0x309D, 0x30A0), (0x30A1, 0x30FB),
    (0x30FC, 0x3100), (0x31F0, 0x3200), (0x3400, 0x4DC0), (0x4E00, 0xA000), (0xA9E0, 0xA9F0), (0xA9FA, 0xA9FF),
    (0xAA60, 0xAA77), (0xAA7A, 0xAA80), (0xF900, 0xFADA), (0xFF66, 0xFFA0), (0x1B000, 0x1B170), (0x20000, 0x323B0),
    (0xE0100, 0xE01F0),
)  # fmt: skip


@functools.cache
def flags() -> np.ndarray:
    """uint32[0x110000]: the bits above for each code point."""
    base = unicode.classes()
    table = np.zeros(len(base), np.uint32)
    for bit, source in ((SPACE, unicode.SPACE), (ALPHA, unicode.ALPHA), (UPPER, unicode.UPPER), (WORD, unicode.WORD)):
        table[(base & source) != 0] |= bit
    for point in np.flatnonzero(base & unicode.WORD).tolist():
        character = chr(point)
        if character.isdecimal():
            table[point] |= DECIMAL
        if character.isnumeric():
            table[point] |= NUMERIC
    cased = np.flatnonzero(base & (unicode.WORD | unicode.PUNCTUATION))
    for point in (*cased.tolist(), 0x345):  # a combining mark in lower case, the only one
        if chr(point).islower() or (chr(point).istitle() and not chr(point).isupper()):
            table[point] |= LOWER
    for point in np.flatnonzero(base & unicode.PUNCTUATION).tolist():
        category = unicodedata.category(chr(point))
        if category[0] == "P":
            table[point] |= PUNCTUATION
        elif category == "So":
            table[point] |= PREFIX | SUFFIX | SINGLE
    for bits, characters in (
        (SYMBOL, SYMBOL_CHARACTERS),
        (TERMINAL, TERMINAL_CHARACTERS),
        (BREAK, "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"),
        (PREFIX | SUFFIX | BEFORE_STOP, _AFFIXES),
        (PREFIX | SUFFIX | BEFORE_STOP | QUOTE, _QUOTES),
        (PREFIX | SUFFIX, "—–"),
        (PREFIX, "§%="),
        (PREFIX | CURRENCY, _CURRENCIES),
        (BEFORE_STOP, "%²-+|"),
        (SINGLE, "…"),
        (LOOK, "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029.!?…#{}jJkK\u212avVmM"),
    ):
        table[[ord(character) for character in characters]] |= bits
    for first, end in _UNSPACED:
        for point in range(first, end):
            category = unicodedata.category(chr(point))
            if category != "Cn":
                table[point] |= UNSPACED | (MARK if category[0] == "M" or point in (0xFF9E, 0xFF9F) else 0)
    return table


@njit
def to_points(data, start, end, points, at):  # type: ignore[no-untyped-def]
    """Decode `data[start:end]` into `points` (uint32) and the byte each begins at (`at`, with the end); how many."""
    n = 0
    i = start
    while i < end:
        point, width = decode(data, i, end)
        points[n] = point
        at[n] = i
        i += width
        n += 1
    at[n] = end
    return n


@njit
def to_hashed_points(data, start, end, points, hashes):  # type: ignore[no-untyped-def]
    """Decode `data[start:end]` into `points` (uint32); how many.

    `hashes[i]` (uint64) becomes the hash of `points[:i]`, from which `span_hash` has that of any span.
    """
    n = 0
    i = start
    key = np.uint64(0)
    while i < end:
        point = np.uint32(data[i])
        width = 1
        if point >= 0x80:
            point, width = decode(data, i, end)
        points[n] = point
        hashes[n] = key
        key = key * MULTIPLIER + np.uint64(point) + np.uint64(1)
        i += width
        n += 1
    hashes[n] = key
    return n


@inlined
def span_hash(hashes, powers, start, end):  # type: ignore[no-untyped-def]
    """Hash of a span of points; that of two spans run together is `first * powers[length of second] + second`."""
    return hashes[end] - hashes[start] * powers[end - start]
