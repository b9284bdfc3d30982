"""The pages of the default input whose fate is known beforehand, and the record of it."""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from corpus.fetch.articles import SENTENCE, WORD, Article, Section, near_duplicate
from corpus.fetch.publish import Publisher
from corpus.fetch.templates import Page
from corpus.fetch.warc import Response

TOKEN = re.compile(r"\w+|[^\w\s]")
NEAR_TARGETS = (0.95, 0.9, 0.85, 0.825)
SIMILAR_TARGETS = (0.5, 0.6, 0.7)
STATUSES = ("404 Not Found", "404 Not Found", "404 Not Found", "410 Gone", "503 Service Unavailable")
LOREM = (
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et "
    "dolore magna aliqua."
)
CONTACTS = (
    "Corrections and additions are welcome at {}.",
    "For the full list of sources, write to {} and name the article.",
    "The author can be reached at {} on working days.",
)
# Sentences with a few of these are surely English, however short.
COMMON = frozenset(["a", "and", "in", "is", "it", "of", "that", "the", "to", "was", "with"])
TITLES = ("Notes of the day", "From the reading room", "What we found", "A page for later")
NAMES = ("Aiko", "Boris", "Chidi", "Dunja", "Emre", "Freya", "Goran", "Hanna", "Ivo", "Jamila")
GOODS = ("apples", "bricks", "candles", "drums", "envelopes", "feathers", "gloves", "hinges", "jars", "kites")


@dataclass(frozen=True)
class Counts:
    """How many pages of each kind are planted."""

    exact: int = 150
    near: int = 300
    similar: int = 100
    short: int = 100
    repetitive: int = 100
    lorem: int = 20
    symbols: int = 40
    status: int = 50
    content_type: int = 30
    empty: int = 20
    email: int = 50
    benchmark: int = 50
    kept: int = 300
    benchmark_items: int = 200


@dataclass(frozen=True)
class Planted:
    """All generated responses, in order of their making; what is known of them; the made-up benchmark."""

    responses: list[Response]
    truth: list[dict[str, Any]]
    benchmark: list[dict[str, str]]


def plant(articles: dict[str, list[Article]], counts: Counts, rng: random.Random) -> Planted:
    """A page for each article, with the planted ones among and beside them.

    Raises ValueError when there are too few good English articles for `counts`.
    """
    return _Planter(articles, counts, rng).planted


def clean(article: Article) -> bool:
    """Whether no quality rule that is known to us should object to the article."""
    text = article.text()
    tokens = TOKEN.findall(text)
    return (
        250 <= len(WORD.findall(text)) <= 1200
        and not any(character in text for character in "{}\\|•…")
        and sum(token[0].isalpha() for token in tokens) >= 0.825 * len(tokens)
        and all(part[-1] in ".!?\"'”" for section in article.sections for part in section.paragraphs)
    )


class _Planter:
    def __init__(self, articles: dict[str, list[Article]], counts: Counts, rng: random.Random) -> None:
        self.rng = rng
        self.publisher = Publisher(articles, rng)
        self.planted = Planted([], [], [])
        english = list(articles["en"])
        good = [article for article in english if clean(article)]
        rng.shuffle(good)
        needed = counts.exact + counts.near + counts.similar + counts.email + counts.benchmark + counts.kept
        if len(good) < needed:
            raise ValueError(f"{needed} good English articles are needed, there are {len(good)}")
        used = {id(article) for article in good[:needed]}
        others = [article for article in english if id(article) not in used]
        self.pool = list(plain_sentences(others))
        taken = iter(good[:needed])
        self._kept(itertools.islice(taken, counts.kept))
        self._duplicates(taken, counts)
        self._strings(taken, counts)
        self._failures(counts)
        self._poor(counts)
        for language, found in articles.items():
            for article in found:
                if id(article) not in used:
                    url = self._publish(article).url
                    if language != "en":
                        self._record("language", url, "language", "language", language=language)

    def _publish(self, article: Article, status: str = "200 OK") -> Page:
        page = self.publisher.page(article)
        self.planted.responses.append(Response(page.url, page.render(), status))
        return page

    def _record(self, kind: str, url: str, stage: str, rule: str | None = None, **known: Any) -> None:
        row: dict[str, Any] = dict.fromkeys(("url", "kind", "language", "partner_url", "jaccard", "planted"))
        row |= {"url": url, "kind": kind, **known}
        row["expected"] = {"stage": stage} if rule is None else {"stage": stage, "rule": rule}
        self.planted.truth.append(row)

    def _kept(self, taken: Iterator[Article]) -> None:
        for article in taken:
            self._record("kept", self._publish(article).url, "kept")

    def _duplicates(self, taken: Iterator[Article], counts: Counts) -> None:
        for article in itertools.islice(taken, counts.exact):
            page = self._publish(article)
            copy = self.publisher.page(article)
            self.planted.responses.append(Response(copy.url, page.render()))
            known = {"partner_url": page.url, "jaccard": 1.0}
            self._record("exact_duplicate", copy.url, "dedup", "exact_duplicate", **known)
        near = ("near_duplicate", "dedup", "near_duplicate", NEAR_TARGETS, counts.near)
        similar = ("similar", "kept", None, SIMILAR_TARGETS, counts.similar)
        for kind, stage, rule, targets, count in (near, similar):
            for article, target in zip(itertools.islice(taken, count), itertools.cycle(targets), strict=False):
                page = self._publish(article)
                edited, index = near_duplicate(article, target, self.pool, self.rng)
                known = {"partner_url": page.url, "jaccard": round(index, 6)}
                self._record(kind, self._publish(edited).url, stage, rule, **known)

    def _strings(self, taken: Iterator[Article], counts: Counts) -> None:
        rng = self.rng
        for article in itertools.islice(taken, counts.email):
            address = self.publisher.email()
            page = self._publish(article.with_sentence(rng.choice(CONTACTS).format(address)))
            self._record("email", page.url, "kept", planted=address)
        self.planted.benchmark.extend(benchmark(counts.benchmark_items, rng))
        for article, item in zip(taken, self.planted.benchmark[: counts.benchmark], strict=True):
            line = f"{item['question']} {item['answer']}"
            self._record("benchmark", self._publish(article.with_sentence(line)).url, "kept", planted=line)

    def _failures(self, counts: Counts) -> None:
        """Responses that hold no page."""
        for number in range(counts.status):
            missing = Section("", ("The page that you asked for is not here. Try the search instead.",))
            article = Article("Page not available", "en", "Errors", (missing,))
            page = self._publish(article, STATUSES[number % len(STATUSES)])
            self._record("status", page.url, "extract", "status")
        for _, (path, media_type, content) in zip(range(counts.content_type), itertools.cycle(FILES)):
            url = self.publisher.any_url(path)
            self.planted.responses.append(Response(url, content, media_type=media_type))
            self._record("content_type", url, "extract", "content_type")
        for number in range(counts.empty):
            url = self.publisher.any_url("/empty/{}")
            # Each of other bytes, or it would go for being a copy.
            content = EMPTY[number % len(EMPTY)] + b"\n" * (number // len(EMPTY))
            self.planted.responses.append(Response(url, content))
            self._record("empty", url, "extract", "empty")

    def _poor(self, counts: Counts) -> None:
        """Pages that hold text which nobody should learn from."""
        rng = self.rng
        makers = (
            ("short", counts.short, (short,)),
            ("repetitive", counts.repetitive, (same_paragraph, same_sentence, same_phrase)),
            ("lorem", counts.lorem, (lorem,)),
            ("symbols", counts.symbols, (hashtags, ellipses)),
        )
        for kind, count, kinds in makers:
            for _, make in zip(range(count), itertools.cycle(kinds)):
                sentences = rng.sample(self.pool, 24)
                title = f"{rng.choice(TITLES)} {self.publisher.next_number()}"
                article = Article(title, "en", "Notes", (Section("", tuple(make(sentences, rng))),))
                self._record(kind, self._publish(article).url, "quality")


def plain_sentences(articles: list[Article]) -> Iterator[str]:
    """Sentences of 10 to 30 words that are surely English and hold nothing odd."""
    for article in articles:
        for section in article.sections:
            for sentence in SENTENCE.split(" ".join(section.paragraphs)):
                common = COMMON & set(sentence.lower().split())
                odd = any(character in sentence for character in "{}\\|•…")
                if 10 <= len(WORD.findall(sentence)) <= 30 and len(common) >= 3 and not odd:
                    yield sentence


def short(sentences: list[str], rng: random.Random) -> list[str]:
    """One sentence, the shortest at hand."""
    return [min(sentences, key=len)]


def same_paragraph(sentences: list[str], rng: random.Random) -> list[str]:
    """One paragraph several times; once, it would be too short to keep (trafilatura leaves repetitions out)."""
    return [sentences[0]] * rng.randint(6, 10)


def same_sentence(sentences: list[str], rng: random.Random) -> list[str]:
    """One sentence many times within one paragraph."""
    return [" ".join([sentences[0]] * rng.randint(15, 30))]


def same_phrase(sentences: list[str], rng: random.Random) -> list[str]:
    """A few words over and over in one paragraph."""
    phrase = " ".join(sentences[0].split()[:8]).rstrip(".,;:")
    many = f"{phrase} and " * rng.randint(30, 50) + f"{phrase}."
    return [" ".join(sentences[1:4]), many, " ".join(sentences[4:7])]


def lorem(sentences: list[str], rng: random.Random) -> list[str]:
    """English text with a designer's filler in it, so often that rules of repetition see it too."""
    return [" ".join(sentences[:7]), " ".join([LOREM] * 6), " ".join(sentences[7:14])]


def hashtags(sentences: list[str], rng: random.Random) -> list[str]:
    """Each third word is a hashtag."""
    out = []
    for sentence in sentences[:8]:
        words = sentence.split()
        out.append(" ".join(f"#{word}" if at % 3 == 0 else word for at, word in enumerate(words)))
    return out


def ellipses(sentences: list[str], rng: random.Random) -> list[str]:
    """Teasers: each line breaks off."""
    return [" ".join(sentence.split()[:7]).rstrip(".,;:") + "..." for sentence in sentences[:16]]


FILES = (
    (
        "/files/report-{}.pdf",
        "application/pdf",
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
        b"trailer<</Root 1 0 R>>\n%%EOF\n",
    ),
    ("/api/items/{}.json", "application/json", json.dumps({"items": list(range(200))}).encode()),
    ("/images/{}.png", "image/png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4),
)
EMPTY = (
    b"",
    b" \n\n\t \n",
    b"<!DOCTYPE html><html><head><meta charset=utf-8></head><body></body></html>",
    b"<!DOCTYPE html><html><body><script>window.app = {mount: '#root', text: null};</script></body></html>",
    b'<!DOCTYPE html><html><body><div><img src="/a.png"><img src="/b.png"></div></body></html>',
)


def benchmark(count: int, rng: random.Random) -> list[dict[str, str]]:
    """Made-up questions with answers, all different, for decontamination to look for."""
    items: dict[str, str] = {}
    while len(items) < count:
        who, what, other = rng.choice(NAMES), rng.choice(GOODS), rng.choice(GOODS)
        boxes, each, given = rng.randint(3, 40), rng.randint(5, 60), rng.randint(2, 14)
        question = (
            f"{who} fills {boxes} boxes with {each} {what} each and gives {given} {what} to a neighbour in "
            f"exchange for {other}; how many {what} does {who} have left in all?"
        )
        items[question] = f"{who} has {boxes * each - given} {what} left."
    return [
        {"id": f"arithmetic-{number:04}", "question": question, "answer": answer}
        for number, (question, answer) in enumerate(items.items())
    ]
