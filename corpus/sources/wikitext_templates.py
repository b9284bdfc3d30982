"""The templates whose text is kept. Their names are those of most Wikipedias; any other template is dropped."""

from __future__ import annotations

from corpus.sources.wikitext_lines import GONE

_FORMS = {
    "{1}": """nowrap|nobr|nobreak|j|nowr|small|smaller|large|larger|big|bigger|math|mvar|var|abbr|tooltip|sic|smallcaps
        |sc|em|strong|unicode|ill|interlanguage link|link-en|nombre|quote|blockquote|cquote|quotation|citation bloc|sup
        |sub|nihongo core|not a typo|visible anchor|as written|nobold|noitalic""",
    "{2}": "lang|langue|color|colour|fs",
    "{last}": "transl|transliteration|translit|script|langx",
    "{1} {2}": "unité|val",
    "c. {1}": "circa|c.|ca.",
    "As of {1}": "as of",
    "{1} ({2}, {3})": "nihongo",
    "{1}/{2}": "frac|sfrac|fraction",
    "–": "ndash|en dash|–",
    " – ": "snd|spnd|spaced ndash|spaced en dash|dash",
    "—": "mdash|em dash|—",
    " ": "nbsp|space|thinsp|pad|spaces",
    "'": "'",
    "|": "!",
}
SHOWN = {name.strip(): form for form, names in _FORMS.items() for name in names.split("|") if name.strip()}
"""Name in lower case -> its text; `{1}` is the first positional argument."""
_RANGES = ("-", "–", "to", "and", "or", "x", "by", "×", "±", "to about")


def shown(pieces: list[str]) -> str:
    """The text of a template, given as what its bars separate; `GONE` where it is dropped."""
    name = " ".join(pieces[0].replace("_", " ").split()).lower()
    form = SHOWN.get(name)
    if form is None and name.startswith("lang-"):
        form = "{1}"
    if form is None and name not in ("convert", "cvt"):
        return GONE
    arguments = _positional(pieces[1:])
    if form is None:
        wanted = 4 if arguments.get("2") in _RANGES else 2
        return " ".join(arguments.get(str(i), "") for i in range(1, wanted + 1)).strip() or GONE
    if form in ("–", " – ", "—", " ", "'", "|"):
        return form
    if not arguments:
        return GONE
    text = form
    for key in ("1", "2", "3", "last"):
        text = text.replace(f"{{{key}}}", arguments.get(key, GONE))
    return text


def _positional(pieces: list[str]) -> dict[str, str]:
    """Arguments without a name, and those whose name is a number; `last` is the last of them."""
    found: dict[str, str] = {}
    number = 0
    for piece in pieces:
        key, equals, value = piece.partition("=")
        if not equals:
            number += 1
            key, value = str(number), piece
        if key.strip().isdecimal():
            found[key.strip()] = found["last"] = value.strip()
    return found
