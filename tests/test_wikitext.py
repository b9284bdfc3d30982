"""Wikitext to text: what stays, what goes, and that no page takes long."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.sources.wikitext import MAX_CHARS, WikitextError, to_text

HIDDEN = frozenset(["file", "image", "category", "datei", "kategorie"])


def text(wikitext: str) -> str:
    return to_text(wikitext, HIDDEN)


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("'''A''' and ''b'' and '''''c'''''", "A and b and c"),
        ("l'''homme''' et L'''Équipe'' d'ici", "lhomme et L'Équipe d'ici"),
        ("[[a]] [[b|c]] [[:Datei:x.png]] [[bus]]es [[d#e]]", "a c Datei:x.png buses d#e"),
        ("a[[Datei:x.png|mini|See [[b]] {{c}}]] b[[Kategorie:C]][[fr:A]] [[Bild:x.JPG|caption]]c", "a b c"),
        ("[[doi:10.1|a paper]] [[Alien: Covenant]]", "a paper Alien: Covenant"),
        ("[http://a.example A label] [http://b.example] http://c.example", "A label http://c.example"),
        ("a<ref>b</ref>, c<ref name=x/>.<ref name='y'>{{cite|[[d]]}}</ref>", "a, c."),
        ("{{Infobox\n| a = [[b]]\n|}}\nText {{c|{{d|e}}}}here.", "Text here."),
        ("{|\n! a\n|-\n| b\n{| class=x\n| c\n|}\n|}\nAfter.", "After."),
        ("a\n{| unclosed\n| b\n== H ==\nc", "a\n\nH\n\nc"),
        ("A <!-- b --> c\n<!-- d -->\ne <!-- f", "A c\ne f"),
        (
            "Energy <math>E = mc^2 < 3\n</math> and <nowiki>[[x]] '''y'''</nowiki>",
            "Energy $E = mc^2 < 3$ and [[x]] '''y'''",
        ),
        ("<syntaxhighlight lang=c>\nint a[[1]];\n  x\n</syntaxhighlight>", "int a[[1]];\n  x"),
        ("a<br/>b <small>c</small> <sup>2</sup><div class=x>d</div>", "a\nb c 2\nd"),
        ("1 < 2 <b>&amp; &lt;ref> &eacute;</b> <x@y>", "1 < 2 & <ref> é <x@y>"),
        (
            "{{lang|fr|bon ''mot''}} {{Lang-de|Wort}} {{nowrap|1=a b}} {{convert|5|-|6|km|mi}}",
            "bon mot Wort a b 5 - 6 km",
        ),
        ("Paris ({{IPA|x}}) ({{lang|fr|a}}; {{y}}) ({{z}}; b) f() （{{a}}、b）", "Paris (a) (b) f() （b）"),
        ("-{zh-hans:计; zh-hant:計;}- -{A|x}- -{y}-", "计 x y"),
        ("{{{1|default}}} {{{{a}}}} {{unclosed | b", "default {} {{unclosed | b"),
        ("__NOTOC__ __init__ a|b }} ]] [[ c", "__init__ a|b }} ]] [[ c"),
        ("&#" + "9" * 5000 + "; &#x41;", "\ufffd A"),
        ("", ""),
    ],
)
def test_inline(wikitext, expected):
    assert text(wikitext) == expected


def test_headings_lists_and_paragraphs():
    page = """Lead.

== One ==
First paragraph,
second line.

Second  paragraph.
* a
** b
# c
# d
#* e
# f
; term : definition
:: indented
----
=== Empty ===
{{only a template}}
== Also empty ==
<references />
== Last ==
end"""
    assert text(page) == (
        "Lead.\n\nOne\n\nFirst paragraph,\nsecond line.\n\nSecond paragraph.\n- a\n  - b\n1. c\n2. d\n  - e\n3. f\n"
        "term : definition\nindented\n\nLast\n\nend"
    )


@pytest.mark.parametrize(
    "page",
    [
        "{{" * 500_000,
        "{" * 500_000 + "}" * 500_000,
        "<ref>" * 200_000,
        "<!--" * 200_000,
        "[http://" * 100_000,
        "[http://a " * 100_000,
        "''a'''b" * 50_000,
        "({{a}}" * 50_000,
        "(  " * 200_000 + "{{a}}" + ")  " * 200_000,
        "-{a:b;" * 100_000,
        "\n|}" * 100_000,
        "=\n" * 100_000,
        "#" * 300_000 + "a",
        "<" * 300_000,
        "&#" * 200_000,
    ],
    ids=lambda page: page[:8],
)
def test_time_is_linear(page):
    # A quadratic step would take minutes here.
    assert len(text(page)) <= 3 * len(page)


@pytest.mark.parametrize(
    ("page", "why"),
    [
        ("[[" * 500_000, "nested deeper than 100"),
        ("{{a|" * 101, "nested deeper than 100"),
        ("\n{|" * 101, "nested deeper than 100"),
        ("[[a]]" * 1_000_001, "more than 1000000 pieces of markup"),
        ("x" * (MAX_CHARS + 1), "more than 16777216 characters"),
    ],
)
def test_pages_past_a_limit(page, why):
    with pytest.raises(WikitextError, match=why):
        text(page)
    assert text("{{lang|a|" * 90 + "x" + "}}" * 90) == "x"


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [*"{}[]|=*#:;<>'\n -&a", "{{", "}}", "[[", "]]", "{|", "|}", "<ref>", "</ref>", "<nowiki>", "\0\1"]
        ),
        max_size=60,
    )
)
def test_any_wikitext_gives_text_without_marks_of_ours(parts):
    found = text("".join(parts))
    assert not set("\0\1\2") & set(found)
    assert found == found.strip()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("abc é漢,.", min_size=1).map(str.strip).filter(bool), min_size=1, max_size=8))
def test_prose_stays_as_it_is(words):
    prose = " ".join(" ".join(words).split())
    assert text(f"{{{{Infobox|a}}}}{prose}<ref>b</ref>\n[[Category:X]]") == prose
