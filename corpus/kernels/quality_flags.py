"""Character classes of the quality kernels, one uint16 of bits a code point, and the UTF-8 to code point pass.

`SYMBOLS` and `TERMINAL` are the sets of datatrove 0.10 (`datatrove.utils.text`, Apache-2.0); the affix classes are
those of spaCy 3.8's English tokenizer (`spacy.lang.punctuation`, MIT).
"""

from __future__ import annotations

import functools
import unicodedata

import numba
import numpy as np

from corpus.kernels import unicode
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
# A word of its own wherever it stands: pictographs, and the letters of scripts that are written without spaces.
SINGLE = 8192
# Continues the SINGLE before it: combining marks.
MARK = 16384

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
# Han, kana, Thai, Lao, Myanmar and Khmer, between which no spaces stand.
_UNSPACED = (
    (0x0E00, 0x0F00), (0x1000, 0x10A0), (0x1780, 0x1800), (0x3005, 0x3008), (0x3040, 0x3100), (0x31F0, 0x3200),
    (0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00), (0x20000, 0x323B0),
)  # fmt: skip


@functools.cache
def flags() -> np.ndarray:
    """uint16[0x110000]: the bits above for each code point."""
    base = unicode.classes()
    table = np.zeros(len(base), np.uint16)
    for bit, source in ((SPACE, unicode.SPACE), (ALPHA, unicode.ALPHA), (UPPER, unicode.UPPER)):
        table[(base & source) != 0] |= bit
    for point in np.flatnonzero(base & unicode.DIGIT).tolist():
        if chr(point).isdecimal():
            table[point] |= DECIMAL
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
    ):
        table[[ord(character) for character in characters]] |= bits
    for first, end in _UNSPACED:
        letters = table[first:end]
        letters[(letters & ALPHA) != 0] |= SINGLE
        letters[(base[first:end] == 0)] |= MARK
    return table


@numba.njit(cache=True, nogil=True)
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
