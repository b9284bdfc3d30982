"""Names of HTML as tables for `corpus.kernels.html`: elements with what they do, and character references.

Names are hashed as `name_hash` does; the tables are open addressing, so a look-up costs one or two steps.
"""

from __future__ import annotations

import html.entities

import numpy as np

MASK = 0xFFFFFFFF
# What an element does to the tree.
INLINE, BLOCK, VOID, SKIP, RAW, BREAK = 0, 1, 2, 3, 4, 5

_BLOCKS = """address article aside blockquote body button caption center dd details dialog dir div dl dt fieldset
figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup legend li listing main menu nav ol p plaintext pre search
section summary table tbody td tfoot th thead tr ul xmp""".split()
# Their content is no text of the page.
_SKIPPED = "applet audio canvas datalist noscript select svg template video".split()
_RAW = "iframe noembed noframes script style textarea title".split()
_VOID = (
    "area base basefont bgsound col colgroup embed frame hr img input keygen link meta param source track wbr".split()
)
_INLINE = """a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark math nobr object output q
rb rp rt rtc ruby s samp small span strike strong sub sup time tt u var""".split()
# Their start ends a run of text, and they hold none.
_BREAKS = "head html frameset option optgroup".split()

# 0 stands for an element of no known name, CUSTOM for one with a hyphen: web components are blocks.
NAMES = ["", "custom-element", "br", *_BLOCKS, *_SKIPPED, *_RAW, *_VOID, *_INLINE, *_BREAKS]
TAG = {name: number for number, name in enumerate(NAMES)}
CUSTOM = 1
_KINDS = {
    **dict.fromkeys([*_BLOCKS, "custom-element"], BLOCK),
    **dict.fromkeys(_SKIPPED, SKIP),
    **dict.fromkeys(_RAW, RAW),
    **dict.fromkeys(_VOID, VOID),
    **dict.fromkeys(_BREAKS, BREAK),
    "br": VOID,
}
KIND = np.array([_KINDS.get(name, INLINE) for name in NAMES], np.uint8)


def name_hash(name: str) -> int:
    """32 bits of a name in lower case."""
    value = 0
    for byte in name.lower().encode():
        value = (value * 131 + byte) & MASK
    return value


def _open_table(hashes: list[int], bits: int) -> tuple[np.ndarray, np.ndarray]:
    """(int64[2**bits] hashes or -1, int32[2**bits] their numbers); equal hashes are an error."""
    keys, values = np.full(1 << bits, -1, np.int64), np.zeros(1 << bits, np.int32)
    for number, value in enumerate(hashes):
        at = value & ((1 << bits) - 1)
        while keys[at] >= 0:
            if keys[at] == value:
                raise AssertionError("two names with one hash")
            at = (at + 1) & ((1 << bits) - 1)
        keys[at], values[at] = value, number
    return keys, values


TAG_KEYS, TAG_VALUES = _open_table([name_hash(name) for name in NAMES[2:]], 9)
TAG_VALUES += 2  # the two without a name of their own


def _cased_hash(name: str) -> int:
    value = 0
    for byte in name.encode():
        value = (value * 16777619 + byte) & MASK
    return value


# Named character references; those without `;` are the legacy ones that may stand without it.
_REFERENCES = sorted(html.entities.html5.items())
REFERENCE_KEYS, REFERENCE_VALUES = _open_table([_cased_hash(name) for name, _ in _REFERENCES], 13)
REFERENCE_BYTES = np.frombuffer("".join(text for _, text in _REFERENCES).encode(), np.uint8).copy()
REFERENCE_ENDS = np.concatenate([[0], np.cumsum([len(text.encode()) for _, text in _REFERENCES])]).astype(np.int32)
LONGEST_REFERENCE = max(map(len, html.entities.html5))
LONGEST_LEGACY = max(len(name) for name in html.entities.html5 if not name.endswith(";"))

# HTML: numeric references 128 to 159 mean windows-1252.
WINDOWS_1252 = np.array([ord(bytes([n]).decode("cp1252", "replace")) for n in range(128, 160)], np.int64)

ATTRIBUTES = {
    name: name_hash(name)
    for name in "class id role itemprop hidden style aria-hidden href alttext type encoding rel".split()
}
