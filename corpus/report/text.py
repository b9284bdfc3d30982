"""Text of documents, made fit to be shown."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping


def plain(text: str) -> str:
    """Without control and format characters (escape sequences, direction marks), but with line ends and tabs."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


def line(text: str | None) -> str:
    """`plain`, on one line."""
    return " ".join(plain(text or "").split())


def indented(text: str, indent: str = "    ") -> str:
    """`plain` with its own lines, each behind `indent` and without what is blank at its end; blank lines as one."""
    lines = [words.rstrip() for words in plain(text).split("\n")]
    shown = [words for i, words in enumerate(lines) if words or (0 < i < len(lines) - 1 and lines[i - 1])]
    return "\n".join(f"{indent}{words}" if words else "" for words in shown)


def beginning(text: str, chars: int) -> str:
    """The first `chars` characters of a text with its own lines, up to a word's end; an ellipsis where it was cut."""
    if len(text) <= chars:
        return text
    cut = text[:chars]
    word = max(cut.rfind(" ", chars * 3 // 4), cut.rfind("\n", chars * 3 // 4))
    return cut[: word if word > 0 else chars].rstrip() + "…"


def marked(before: str, found: str, after: str) -> str:
    """A place in a text between the words around it: `… fog >>>when the bell rings<<< at night …`."""
    return line(f"{before}>>>{excerpt(found, 400)}<<<{after}")


def excerpt(text: str, chars: int) -> str:
    """The first `chars` characters of `line`, up to a word's end, with an ellipsis where something was cut."""
    # A little more than is shown, because white space and controls go.
    short = line(text[: 4 * chars])
    if len(short) <= chars and len(text) <= 4 * chars:
        return short
    cut = short[:chars]
    space = cut.rfind(" ", chars * 3 // 4)
    return cut[: space if space > 0 else chars].rstrip() + "…"


_UNITS = {1000: ("B", "kB", "MB", "GB", "TB"), 1024: ("B", "KiB", "MiB", "GiB", "TiB")}


def size(number: float, base: int = 1000) -> str:
    """Bytes with a unit: `1.2 MB`, or of base 1024 `4 KiB`."""
    power = 0
    while number >= base - 0.5 and power < 4:
        number, power = number / base, power + 1
    whole = power == 0 or number >= 100 or number == int(number)
    return f"{number:,.{0 if whole else 1}f} {_UNITS[base][power]}"


def commonest(counts: Mapping[str, int] | None, most: int = 3) -> str:
    """`Latn 12, Cyrl 3`: the commonest few, and how many more there are."""
    ordered = sorted((counts or {}).items(), key=lambda item: (-item[1], item[0]))
    more = sum(count for _, count in ordered[most:])
    return ", ".join([f"{name} {count:,}" for name, count in ordered[:most]] + ([f"others {more:,}"] if more else []))
