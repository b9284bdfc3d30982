"""Text of documents, made fit to be shown."""

from __future__ import annotations

import unicodedata


def plain(text: str) -> str:
    """Without control and format characters (escape sequences, direction marks), but with line ends and tabs."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


def line(text: str | None) -> str:
    """`plain`, on one line."""
    return " ".join(plain(text or "").split())


def excerpt(text: str, chars: int) -> str:
    """The first `chars` characters of `line`, with an ellipsis where something was cut."""
    # A little more than is shown, because white space and controls go.
    short = line(text[: 4 * chars])
    return short if len(short) <= chars and len(text) <= 4 * chars else short[:chars].rstrip() + "…"


def size(number: float) -> str:
    """Bytes with a unit of 1,000: `1.2 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.5:
            break
        number /= 1000
    else:
        unit = "TB"
    return f"{number:,.0f} {unit}" if unit == "B" or number >= 100 else f"{number:,.1f} {unit}"
