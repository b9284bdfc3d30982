"""Text from documents on a terminal."""

from __future__ import annotations

import unicodedata


def plain(text: str) -> str:
    """Without control and format characters (escape sequences, direction marks), but with line ends and tabs."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
