"""Words: the rules that docs/quality.md states, and spaCy's own where it is installed."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.kernels.english import contractions
from corpus.kernels.words import exceptions
from corpus.quality.signals import compute, split_words

# As spaCy 3.8.18's blank English pipeline splits them (tokens of white space left out).
SPACY = {
    "Hello, world!": "Hello|,|world|!",
    "It's a U.S. co-op (e.g. this).": "It|'s|a|U.S.|co|-|op|(|e.g.|this|)|.",
    "Don't go—now... 10km http://x.com/a?b=c": "Do|n't|go|—|now|...|10|km|http://x.com/a?b=c",
    "foo/bar :) can’t gonna": "foo|/|bar|:)|ca|n’t|gon|na",
    '"Quoted," she said; \'twas 1990-1995.': '"|Quoted|,|"|she|said|;|\'|twas|1990|-|1995|.',
    "$5 US$500 50% +1 C+ 7pm 3.5 [see *this*]": "$|5|US$|500|50|%|+1|C+|7|pm|3.5|[|see|*|this|*|]",
    "NASA. x. pH. wait....what end.Next": "NASA|.|x.|pH.|wait|....|what|end|.|Next",
    "a@b.org some-site.com/a-b self-made/own": "a@b.org|some-site.com/a-b|self|-|made|/|own",
    "dog's dogs' o'clock shouldn't've": "dog|'s|dogs|'|o'clock|should|n't|'ve",
    "x--y a,b 1,000 a:b <b>tag</b>": "x|--|y|a|,|b|1,000|a|:|b|<|b|>|tag</b|>",
    "nice😀day ☃ … x…y": "nice|😀|day|☃|…|x|…|y",
}


@pytest.mark.parametrize("text", SPACY)
def test_spacy_s_words(text: str) -> None:
    assert "|".join(split_words(text)) == SPACY[text]


def test_every_contraction_is_found() -> None:
    keys, _ = exceptions()
    assert np.count_nonzero(keys) > 1300
    for text, parts in contractions().items():
        assert split_words(text) == list(parts)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("ab.A1 \n\t'’\"-—,:/()$%+…#@世ท\u0e31é😀s\u2028n"), max_size=40))
def test_words_are_the_text_without_its_white_space(text: str) -> None:
    words = split_words(text)
    assert all(words)
    assert "".join(words) == "".join(text.split())


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sampled_from(["Yes.", "No!", "what?", "one two", "a.m.", '"', ")", "...", "\n", "3.5"]), max_size=20)
)
def test_spacy_agrees(pieces: list[str]) -> None:
    spacy = pytest.importorskip("spacy", reason="spaCy is not installed; the table of examples stands for it")
    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    text = " ".join(pieces)
    assert split_words(text) == [token.text for token in pipeline(text) if not token.is_space]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 0),
        (" \n ", 0),
        ("One. Two! Three", 3),
        ("Wait... what?! (Yes.) No", 3),
        ("no stop\nno stop\n\nno stop", 3),
        ("At 7 a.m. e.g. here, Mr. X", 1),
        ("。你好。", 2),
    ],
)
def test_sentences(text: str, number: int) -> None:
    assert compute(pa.array([text]))[0]["sentences"].as_py() == number
