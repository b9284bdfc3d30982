"""Puts articles on made-up sites: host names, authors, dates and links, all drawn from one seeded generator."""

from __future__ import annotations

import random

from corpus.fetch.articles import SEPARATOR, Article
from corpus.fetch.templates import TEMPLATES, Page

FIRST = [
    "amber",
    "atlas",
    "birch",
    "cedar",
    "cobalt",
    "delta",
    "ember",
    "fjord",
    "harbor",
    "indigo",
    "juniper",
    "lantern",
    "meadow",
    "north",
    "orchid",
]
SECOND = [
    "almanac",
    "archive",
    "courier",
    "digest",
    "herald",
    "index",
    "journal",
    "notes",
    "press",
    "quarterly",
    "review",
    "gazette",
]
GIVEN = [
    "Ada",
    "Amina",
    "Carlos",
    "Elena",
    "Farid",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Karim",
    "Lucie",
    "Mateo",
    "Nora",
    "Oscar",
    "Petra",
    "Rosa",
]
FAMILY = [
    "Alder",
    "Brandt",
    "Costa",
    "Duval",
    "Eriksen",
    "Fontaine",
    "Garcia",
    "Holm",
    "Ibarra",
    "Keller",
    "Laurent",
    "Moreno",
    "Novak",
    "Okafor",
]
HOSTS_EACH = 12
LINKS = 4


class Publisher:
    """Makes pages; each has a number, and so a URL, of its own."""

    def __init__(self, articles: dict[str, list[Article]], rng: random.Random) -> None:
        self.rng = rng
        self.number = 1000
        self.titles = {
            language: [article.title.split(SEPARATOR)[0] for article in found] for language, found in articles.items()
        }
        names = [f"{first}-{second}" for first in FIRST for second in SECOND]
        rng.shuffle(names)
        self.hosts = {template: names[at * HOSTS_EACH : (at + 1) * HOSTS_EACH] for at, template in enumerate(TEMPLATES)}

    def page(self, article: Article) -> Page:
        """The article on a site that uses one of the templates."""
        rng = self.rng
        template = rng.choice(list(TEMPLATES))
        titles = self.titles[article.language]
        return Page(
            article=article,
            template=template,
            host=self.host(template, article.language),
            number=self.next_number(),
            date=f"{rng.randint(2009, 2023)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
            author=f"{rng.choice(GIVEN)} {rng.choice(FAMILY)}",
            links=tuple(rng.sample(titles, min(LINKS, len(titles)))),
        )

    def host(self, template: str, language: str) -> str:
        """A host that uses the template; `.example` is reserved (RFC 2606), nobody can own it."""
        prefix = "www" if language == "en" else language
        return f"{prefix}.{self.rng.choice(self.hosts[template])}.example"

    def any_url(self, path: str) -> str:
        """A URL on any host; `{}` in `path` becomes a number."""
        host = self.host(self.rng.choice(list(TEMPLATES)), "en")
        return f"https://{host}{path.replace('{}', str(self.next_number()))}"

    def next_number(self) -> int:
        """Numbers that no other page has."""
        self.number += 1
        return self.number

    def email(self) -> str:
        """An address at a made-up host."""
        rng = self.rng
        name = f"{rng.choice(GIVEN)}.{rng.choice(FAMILY)}".lower()
        return f"{name}{self.next_number()}@{rng.choice(FIRST)}-{rng.choice(SECOND)}.example"
