"""A small corpus of real shape, made anew for each test that asks for it."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORDS = """time year people way day man thing woman life child world school state family student group country problem
hand part place case week company system program question work government number night point home water room mother area
money story fact month lot right study book eye job word business issue side kind head house service friend father power
hour game line end member law car city community name president team minute idea body information back parent face others
level office door health person art war history party result change morning reason research girl guy moment air teacher
force education river mountain island station bridge village winter summer garden kitchen window market letter paper music
voice light colour sound""".split()
VERBS = "shows moves makes takes gives finds keeps holds brings follows carries builds opens reaches leaves".split()
SMALL = "the of and in to with for from that by on as at".split()


def article(seed: int, sentences: int = 14) -> str:
    """English-looking prose that passes the quality rules; a seed gives always the same."""
    rng = random.Random(seed)
    paragraphs, paragraph = [], []
    for number in range(sentences):
        words = ["The", rng.choice(WORDS), rng.choice(VERBS)]
        for _ in range(rng.randint(5, 11)):
            words += [rng.choice(SMALL), rng.choice(WORDS)]
        paragraph.append(" ".join(words) + ".")
        if number % 4 == 3:
            paragraphs.append(" ".join(paragraph))
            paragraph = []
    return "\n".join(f"<p>{text}</p>" for text in [*paragraphs, " ".join(paragraph)] if text)


def page(body: str, title: str = "A page") -> bytes:
    return f'<!doctype html><html lang="en"><head><title>{title}</title></head><body><main>{body}</main></body></html>'.encode()


def warc_record(url: str, body: bytes, status: str = "200 OK", content_type: str = "text/html; charset=utf-8") -> bytes:
    """One response record as a gzip member of its own."""
    http = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    name = hashlib.md5(url.encode()).hexdigest()
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:{name}>\r\nWARC-Date: 2024-01-02T03:04:05Z\r\n"
        f"WARC-Target-URI: {url}\r\nContent-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
    )
    return gzip.compress(head.encode() + http + b"\r\n\r\n", mtime=0)


@pytest.fixture(scope="session")
def small_input(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three WARC files: 240 good pages, 20 exact and near-duplicates, short, foreign, broken and empty ones."""
    folder = tmp_path_factory.mktemp("input")
    for number in range(3):
        records = []
        for i in range(80):
            body = article(number * 1000 + i)
            records.append(warc_record(f"http://site{number}.example/{i}", page(body)))
            if i % 10 == 0:
                records.append(warc_record(f"http://copy{number}.example/{i}", page(body, "A copy")))
                near = body.replace(body.split()[40], "nearly", 1)
                records.append(warc_record(f"http://near{number}.example/{i}", page(near)))
        records.append(warc_record(f"http://site{number}.example/short", page("<p>Too short to keep.</p>")))
        french = "<p>" + "Le petit chat est assis sur la table et regarde par la fenêtre de la maison. " * 3 + "</p>"
        records.append(warc_record(f"http://site{number}.example/fr", page(french)))
        records.append(warc_record(f"http://site{number}.example/gone", page("gone"), status="404 Not Found"))
        records.append(warc_record(f"http://site{number}.example/empty", b"<html></html>"))
        records.append(warc_record(f"http://site{number}.example/x.pdf", b"%PDF-1.4", content_type="application/pdf"))
        (folder / f"pages-{number}.warc.gz").write_bytes(b"".join(records))
    return folder


@pytest.fixture
def recipe(small_input: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes a recipe over `small_input` and returns its path; keywords replace sections (None leaves one out)."""

    def write(**sections: object) -> Path:
        raw: dict[str, object] = {
            "name": "small",
            "output": str(tmp_path / "out"),
            "sources": [{"name": "web", "kind": "warc", "path": str(small_input / "*.warc.gz")}],
            "language": {"keep": ["en"], "threshold": 0.3},
            "quality": {"presets": ["gopher_quality"]},
            "dedup": {},
            "tokenizer": {"vocab_size": 600},
            "pack": {"validation_fraction": 0.1},
            "train": None,
        }
        raw |= sections
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump({k: v for k, v in raw.items() if v is not None}, sort_keys=False))
        return path

    return write


@pytest.fixture(scope="session")
def corpus_command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `corpus ARGUMENTS` as a user would and returns what it did."""

    def run(
        *arguments: object, timeout: float = 300, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "corpus", *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, env=os.environ | (env or {}), cwd=ROOT
        )

    return run


@pytest.fixture
def kits() -> Path:
    """The folder of labelled real data, where there is one."""
    path = Path(os.environ.get("CORPUSMILL_KITS", ROOT.parent / "shared" / "kits"))
    if not path.is_dir():
        pytest.skip("no labelled data: set CORPUSMILL_KITS to its folder")
    return path
