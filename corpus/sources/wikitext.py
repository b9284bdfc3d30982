"""Wikitext (MediaWiki markup) to plain text, in time linear in the page.

Templates, tables, references, files, categories and interlanguage links are dropped. What stays: prose, headings,
lists, the labels of links, formulas as TeX between `$`, what `<nowiki>`, `<pre>` and `<syntaxhighlight>` hold, and the
text of the few templates in `SHOWN`. Nothing is expanded: what a template would write is not in a dump's page.
"""

from __future__ import annotations

import html
import re
from collections.abc import Set
from typing import NamedTuple

from corpus.sources.wikitext_lines import GONE, layout
from corpus.sources.wikitext_templates import shown

MAX_CHARS = 16 << 20
"""Characters of a page; MediaWiki itself refuses to save more than 2 MiB (`$wgMaxArticleSize`)."""
MAX_DEPTH = 100
"""Templates, links and tables inside each other. MediaWiki expands templates to depth 100."""
MAX_MARKUP = 1_000_000
"""Pieces of markup in a page; MediaWiki's own limit of the preprocessor's nodes (`$wgMaxPPNodeCount`)."""

_DROPPED = """ref references gallery timeline score imagemap templatedata templatestyles graph mapframe maplink hiero
indicator includeonly inputbox categorytree table""".split()
_VERBATIM = "nowiki pre syntaxhighlight source math chem ce".split()
_OPEN = re.compile(rf"<!--|<({'|'.join(_DROPPED + _VERBATIM)})\b([^<>]*+)>", re.IGNORECASE)
_CLOSE = {name: re.compile(rf"</{name}\s*+>", re.IGNORECASE) for name in _DROPPED + _VERBATIM} | {
    "!--": re.compile("-->")
}
_TOKEN = re.compile(
    r"\[\[(?P<target>[^\[\]{}|\n]*+)(?:\|(?P<label>[^\[\]{}|]*+))?\]\]"
    r"|\{\{(?P<call>[^{}\[\]]*+)\}\}(?!\})"
    r"|\{\{++|\}\}++|\[\[|\]\]"
    r"|^[ \t:]*+\{\|(?!\})|^[ \t]*+\|\}(?=\}\}(?!\})|(?!\}))|^=(?==)|\|",
    re.MULTILINE,
)
_BREAKS = frozenset(
    "br p div center blockquote ul ol li dl dt dd tr td th caption tbody thead table hr poem h1 h2 h3 h4 h5 h6".split()
)
_INLINE = frozenset(
    """b i u s small big sub sup span font code tt kbd var samp em strong cite abbr del ins q dfn mark bdi bdo ruby rb
    rt rp time data wbr strike noinclude onlyinclude nobr section ref references nowiki""".split()
)
_TAG = re.compile(r"</?([a-z][a-z0-9]*+)(?=[\s/>])[^<>]*+>", re.IGNORECASE)
_EXTERNAL = re.compile(r"\[(?:(?:[a-z]{2,6}:)?//|mailto:)[^\s\[\]]*+[ \t]*+([^\[\]\n]*+)\]", re.IGNORECASE)
_VARIANT = re.compile(r"-\{([^{}]*+)\}-")
_SWITCH = re.compile(
    r"__(?:NO)?(?:TOC|FORCETOC|EDITSECTION|GALLERY|INDEX|NEWSECTIONLINK|CONTENTCONVERT|TITLECONVERT|CC|TC)__"
    r"|__(?:FORCETOC|HIDDENCAT|DISAMBIG|STATICREDIRECT)__"
)
_MEDIA = tuple(".jpg .jpeg .png .svg .gif .tif .tiff .webp .pdf .djvu .ogg .oga .ogv .webm".split())
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z]{2,10}){0,2}|simple")
# `html.unescape` fails on numbers of more than 4,300 digits.
_NO_CHARACTER = re.compile("&#[0-9]{9,};?")
_KEPT = re.compile("\x01([0-9]+)\x02")
_CONTROL = re.compile("[\x00-\x02]")


class WikitextError(Exception):
    """A page past `MAX_CHARS`, `MAX_DEPTH` or `MAX_MARKUP`; the message says which."""


def to_text(wikitext: str, hidden: Set[str]) -> str:
    """The text of a page. `hidden`: lower-case prefixes of links that show nothing (files, categories).

    Headings and paragraphs are separated by blank lines, list items begin with `- ` or their number. Raises
    WikitextError.
    """
    if len(wikitext) > MAX_CHARS:
        raise WikitextError(f"more than {MAX_CHARS} characters")
    kept: list[str] = []
    text = _structure(_opaque(_CONTROL.sub("", wikitext), kept), hidden)
    text = _VARIANT.sub(_first_variant, text)
    text = _EXTERNAL.sub(lambda match: match[1].strip() or GONE, text)
    text = _TAG.sub(_tag, text)
    text = layout(_SWITCH.sub(GONE, text))
    text = html.unescape(_NO_CHARACTER.sub("\ufffd", text))
    return _KEPT.sub(lambda match: kept[int(match[1])], text).strip()


def _opaque(text: str, kept: list[str]) -> str:
    """Without comments and tags whose content is no wikitext; `\\x01N\\x02` stands for `kept[N]`."""
    parts: list[str] = []
    unclosed: set[str] = set()
    at = 0
    while (opening := _OPEN.search(text, at)) is not None:
        begin, name = opening.start(), (opening[1] or "!--").lower()
        parts.append(text[at:begin])
        at = opening.end()
        if opening[2] and opening[2].endswith("/"):
            parts.append("" if name == "nowiki" else GONE)
            continue
        # A name that is not closed behind here is not closed behind any later place either.
        closing = None if name in unclosed else _CLOSE[name].search(text, at)
        if closing is None:
            unclosed.add(name)
            continue
        body, at = text[at : closing.start()], closing.end()
        if name in _VERBATIM:
            parts.append(f"\x01{len(kept)}\x02")
            kept.append(_verbatim(name, opening[2], body))
        elif name != "!--":
            parts.append(GONE)
        elif text[begin - 1 : begin] in ("", "\n") and text[at : at + 1] == "\n":
            at += 1
        if len(parts) > 2 * MAX_MARKUP:
            raise WikitextError(f"more than {MAX_MARKUP} pieces of markup")
    parts.append(text[at:])
    return "".join(parts)


def _verbatim(name: str, attributes: str, body: str) -> str:
    body = html.unescape(_NO_CHARACTER.sub("\ufffd", body))
    if name in ("math", "chem", "ce"):
        tex = " ".join(body.split())
        return f"${tex}$" if name == "math" else f"$\\ce{{{tex}}}$"
    if name == "nowiki" or "inline" in attributes.lower():
        return body
    return "\n" + body.strip("\n") + "\n"


def _tag(match: re.Match[str]) -> str:
    name = match[1].lower()
    return "\n" if name in _BREAKS else "" if name in _INLINE else match[0]


class _Frame:
    """What is open: `{` braces (their number in `count`), `[` a link, `|` a table, or nothing, the page itself."""

    __slots__ = ("arguments", "count", "kind", "parts")

    def __init__(self, kind: str, count: int = 0) -> None:
        self.kind, self.count = kind, count
        self.parts: list[str] = []
        self.arguments: list[str] = []

    def add(self, text: str) -> None:
        if self.kind != "|":
            self.parts.append(text)

    def split(self) -> None:
        if self.kind in ("{", "["):
            self.arguments.append("".join(self.parts))
            self.parts = []
        else:
            self.add("|")

    def take(self) -> list[str]:
        """What the bars separate."""
        return [*self.arguments, "".join(self.parts)]

    def literal(self) -> str:
        """As MediaWiki shows what is never closed; a table ends with the page."""
        return {"{": "{" * self.count, "[": "[[", "|": "", "": ""}[self.kind] + "|".join(self.take())


def _structure(text: str, hidden: Set[str]) -> str:
    """Without templates, tables and link brackets."""
    stack = [_Frame("")]
    at = 0
    for number, token in enumerate(_TOKEN.finditer(text)):
        top = stack[-1]
        if token.start() > at:
            top.add(text[at : token.start()])
        at = token.end()
        if number >= MAX_MARKUP:
            raise WikitextError(f"more than {MAX_MARKUP} pieces of markup")
        mark = token[0]
        if token["target"] is not None:
            top.add(_link(token["target"], token["label"], hidden))
        elif token["call"] is not None:
            top.add(shown(token["call"].split("|")))
        elif mark == "|":
            top.split()
        elif mark == "[[":
            stack.append(_Frame("["))
        elif mark == "]]":
            if top.kind == "[":
                stack.pop()
                target, *labels = top.take()
                stack[-1].add(_link(target, "|".join(labels) if labels else None, hidden))
            else:
                top.add(mark)
        elif mark.endswith("{|"):
            stack.append(_Frame("|"))
        elif mark[0] == "{":
            stack.append(_Frame("{", len(mark)))
        elif mark[0] == "}":
            _close_braces(stack, len(mark))
        elif mark.endswith("|}"):
            if top.kind == "|":
                stack.pop()
                stack[-1].add(GONE)
            else:
                top.split()
                top.add("}")
        else:  # a heading: an unclosed table ends here
            while stack[-1].kind == "|":
                stack.pop()
            stack[-1].add(mark)
        if len(stack) > MAX_DEPTH:
            raise WikitextError(f"templates, links and tables nested deeper than {MAX_DEPTH}")
    stack[-1].add(text[at:])
    while len(stack) > 1:
        _spill(stack)
    return "".join(stack[0].parts)


def _spill(stack: list[_Frame]) -> None:
    frame = stack.pop()
    stack[-1].add(frame.literal())


def _close_braces(stack: list[_Frame], count: int) -> None:
    """As MediaWiki's preprocessor pairs them: three are a parameter, two a template, the rest is text."""
    while count >= 2:
        depth = len(stack) - 1
        while stack[depth].kind == "[":
            depth -= 1
        if stack[depth].kind != "{":
            break
        while len(stack) - 1 > depth:
            _spill(stack)
        frame = stack.pop()
        width = min(frame.count, count, 3)
        pieces = frame.take()
        result = shown(pieces) if width == 2 else (pieces[1] if len(pieces) > 1 else GONE)
        count -= width
        if frame.count - width >= 2:
            stack.append(_Frame("{", frame.count - width))
        else:
            stack[-1].add("{" * (frame.count - width))
        stack[-1].add(result)
    stack[-1].add("}" * count)


def _link(target: str, label: str | None, hidden: Set[str]) -> str:
    if "\n" in target:
        return f"[[{target}]]" if label is None else f"[[{target}|{label}]]"
    name = target.strip()
    prefix, colon, _ = name.partition(":")
    if colon and prefix:
        prefix = prefix.strip().replace("_", " ")
        if prefix.lower() in hidden or (label is None and _LANGUAGE.fullmatch(prefix)):
            return GONE
        # A dump does not list the other names of its namespaces (German `Bild` for `Datei`).
        if name.lower().endswith(_MEDIA):
            return GONE
    return label if label and label.strip() else name.removeprefix(":")


class _Variant(NamedTuple):
    language: str
    text: str


def _first_variant(match: re.Match[str]) -> str:
    """LanguageConverter's `-{zh-hans:A; zh-hant:B}-` is its first text, `-{flags|A}-` is A."""
    text = match[1].rpartition("|")[2]
    variants = [_Variant(*part.split(":", 1)) for part in text.split(";") if ":" in part]
    if variants and _LANGUAGE.fullmatch(variants[0].language.strip()):
        return variants[0].text.strip()
    return text
