"""What may be asked for, names in a crawl's list, and gzip files that are whole or not."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import InputError, RecipeError
from corpus.fetch.download import ends_whole, file_name, gunzip, whole_member
from corpus.fetch.response import Damaged
from corpus.recipe import parse

FIRST = gzip.compress(random.Random(1).randbytes(90_000), mtime=0)
BODY = FIRST + gzip.compress(random.Random(2).randbytes(20_000), mtime=0)


@pytest.mark.parametrize(
    "path",
    ["", "/", "/etc/passwd", "../x.gz", "a/../../x.gz", "a//b", "a/", ".hidden", "a/.x", "a\\b", "a b", "a\n", "a/..", "ä.gz", "x" * 300, "a?b", "%2e%2e/x", "~x", "C:x", "a..gz"],
)  # fmt: skip
def test_odd_names_are_refused(path: str) -> None:
    with pytest.raises(InputError, match="is no path of a crawl's file") as caught:
        file_name(path)
    assert "\n" not in str(caught.value)


def test_names_of_a_crawl() -> None:
    assert file_name("crawl-data/CC-MAIN-2024-33/segments/1722640353668.0/warc/CC-MAIN-20240802-00000.warc.gz") == (
        "CC-MAIN-20240802-00000.warc.gz"
    )


@given(st.binary(max_size=2000), st.data())
def test_a_member_is_whole_or_not(content: bytes, data: st.DataObject) -> None:
    packed = gzip.compress(content, mtime=0)
    assert whole_member(packed)
    assert gunzip(packed + packed, 4000) == content * 2
    at = data.draw(st.integers(0, len(packed) - 1))
    assert not whole_member(packed[:at])
    assert not whole_member(packed + packed[:at]) or at == 0
    flipped = bytearray(packed)
    flipped[-8 + at % 4] ^= 1 + at % 255
    assert not whole_member(bytes(flipped))
    with pytest.raises(Damaged):
        gunzip(packed[:at] if at else bytes(flipped), 4000)
    if content:
        with pytest.raises(Damaged, match="larger"):
            gunzip(packed, len(content) - 1)


def test_bombs_stay_small() -> None:
    bomb = gzip.compress(bytes(50 << 20))
    assert not whole_member(bomb, 1 << 20)
    with pytest.raises(Damaged):
        gunzip(bomb, 1 << 20)


def test_where_a_file_ends(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for content, whole in ((BODY, True), (BODY[:-1], False), (FIRST, True), (b"", False), (b"x", False), (BODY + b"x", False)):  # fmt: skip
        path.write_bytes(content)
        assert ends_whole(path) is whole


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "give either `files`"),
        ({"files": 1, "match": ("domain=a.b",)}, "give either `files`"),
        ({"match": ("domain=a.b/c",)}, "has a path; write url=a.b/c"),
        ({"match": ("a.b",)}, "write domain=example.org"),
        ({"match": ("domain=",)}, "write domain=example.org"),
        ({"match": ("domain=a.b",), "kind": "wet"}, "finds records of WARC files"),
        ({"match": ("domain=a.b",), "sample": 1}, "`first` and `sample` choose among"),
        ({"files": 1, "first": 1, "sample": 1}, "not both"),
        ({"files": 1, "limit": 1}, "`limit` bounds the records"),
        ({"files": 1, "crawl": "../x"}, "should match pattern"),
    ],
)
def test_requests_that_make_no_sense(given: dict[str, Any], why: str) -> None:
    raw = {
        "name": "x",
        "sources": [{"name": "x", "kind": "warc", "path": "x"}],
        "fetch": {"crawl": "CC-MAIN-2024-33", "to": "x", **given},
    }
    with pytest.raises(RecipeError, match=why) as caught:
        parse(yaml.safe_dump(json.loads(json.dumps(raw))), "r.yaml")
    assert re.match(r"r\.yaml:\d+: fetch", str(caught.value))


def test_options_that_make_no_sense_are_named() -> None:
    environment = os.environ | {"COLUMNS": "200"}
    words = [sys.executable, "-m", "corpus", "fetch", "commoncrawl", "--files", "0"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parent.parent, env=environment)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "corpus: --crawl: Field required",
        "corpus: --to: Field required",
        "corpus: --files: Input should be greater than or equal to 1",
    ]


def test_a_recipe_without_the_section(tmp_path: Path) -> None:
    from corpus.cli.fetch import _config

    (tmp_path / "r.yaml").write_text("name: x\nsources: [{name: x, kind: warc, path: x}]\n")
    with pytest.raises(RecipeError, match="has no `fetch` section; `corpus keys fetch` shows its keys"):
        _config({}, tmp_path / "r.yaml")
    given = {"crawl": "CC-MAIN-2024-33", "to": "a: b", "match": ["domain=a.b", "url=c.d/*"], "allow_private": True}
    assert _config(given, tmp_path / "r.yaml") == _config(given, None)
