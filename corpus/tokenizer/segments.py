"""Where a text can be cut so that its pieces, encoded alone, give the tokens of the whole.

No token of our models crosses the start of a word (a space after something else): sentencepiece splits words
at white space when it trains, so a piece holds spaces only at its beginning. And a newline is always a token
of its own. A test holds this against sentencepiece's own result on the uncut text.
"""

from __future__ import annotations

import re

BOUNDARY = re.compile(r"(?<=[^ ])(?= )|(?<=\n)")


def segments(text: str, size: int) -> list[str]:
    """Cut `text` at the first boundary after every `size` characters; joined they are the text again.

    A stretch without a boundary (no space, no newline) stays whole, however long it is.
    """
    parts, start = [], 0
    while len(text) - start > size:
        found = BOUNDARY.search(text, start + size)
        if found is None or found.start() >= len(text):
            break
        parts.append(text[start : found.start()])
        start = found.start()
    parts.append(text[start:])
    return parts
