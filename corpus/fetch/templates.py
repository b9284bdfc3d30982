"""Six page templates that look like the web: the article's text stands in different markup and company.

Each page says in a comment that it was generated. Text around the article (navigation, cookie notice, related
links, footer) is in the page's language; `labels.py` holds it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from corpus.fetch.articles import Article, Section
from corpus.fetch.labels import LABELS

GENERATED = (
    "<!-- Generated page of the corpusmill default input: the text comes from Wikipedia (CC BY-SA 4.0), the page "
    "around it is made up. -->"
)


@dataclass(frozen=True)
class Page:
    """An article on a site. `links`: titles of other articles; `date`: ISO 8601; `number`: unique in the input."""

    article: Article
    template: str
    host: str
    number: int
    date: str
    author: str
    links: tuple[str, ...]

    @property
    def url(self) -> str:
        """Unique, in the style of the template."""
        return f"https://{self.host}{PATHS[self.template](self)}"

    def render(self) -> bytes:
        """The page's HTML, UTF-8."""
        labels = {key: escape(label) for key, label in LABELS[self.article.language].items()}
        return TEMPLATES[self.template](self, labels).encode()


def slug(title: str) -> str:
    """`title` in lower-case ASCII with hyphens."""
    ascii_only = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")[:60] or "page"


def anchors(titles: tuple[str, ...], before: str, after: str) -> str:
    """Links to other articles of the site, each between `before` and `after`."""
    return "\n".join(f'{before}<a href="/{slug(title)}">{escape(title)}</a>{after}' for title in titles)


def body(sections: tuple[Section, ...], heading: str, paragraph: str) -> str:
    """The article's sections; `heading` and `paragraph` are formats with a `{}` for the text."""
    out = []
    for section in sections:
        if section.heading:
            out.append(heading.replace("{}", escape(section.heading)))
        out += [paragraph.replace("{}", escape(text)) for text in section.paragraphs]
    return "\n".join(out)


def head(page: Page, extra: str = "") -> str:
    """The HTML head and the comment that says what this is."""
    article = page.article
    return (
        f'<!DOCTYPE html>\n{GENERATED}\n<html lang="{article.language}">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(article.title)} | {page.host}</title>\n"
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n{extra}</head>\n'
    )


def portal(page: Page, label: dict[str, str]) -> str:
    """Semantic HTML5: header, nav, main, article, aside, footer."""
    style = "<style>body{font:16px/1.6 sans-serif;margin:0}aside{float:right;width:18rem}</style>\n"
    return f"""{head(page, style)}<body>
<header><a class="logo" href="/">{page.host}</a>
<nav><ul><li><a href="/">{label["home"]}</a></li><li><a href="/topics">{label["topics"]}</a></li>
<li><a href="/about">{label["about"]}</a></li><li><a href="/contact">{label["contact"]}</a></li></ul></nav>
<form role="search" action="/search"><input name="q" placeholder="{label["search"]}">
<button>{label["search"]}</button></form></header>
<aside class="sidebar"><h3>{label["popular"]}</h3><ul>
{anchors(page.links, "<li>", "</li>")}
</ul><p>{label["newsletter"]}</p></aside>
<main>
<article>
<h1>{escape(page.article.title)}</h1>
{body(page.article.sections, "<h2>{}</h2>", "<p>{}</p>")}
</article>
</main>
<footer><p>© {page.host} {page.date[:4]}. {label["rights"]}</p>
<a href="/privacy">{label["privacy"]}</a> <a href="/terms">{label["terms"]}</a></footer>
<div class="cookie-banner" role="dialog"><p>{label["cookies"]}</p><button>{label["accept"]}</button>
<button>{label["settings"]}</button></div>
<script>document.querySelector('.cookie-banner button').onclick = e => e.target.parentNode.remove();</script>
</body>
</html>
"""


def blog(page: Page, label: dict[str, str]) -> str:
    """A blog engine's page: divs with the usual ids and classes, widgets at the side."""
    date = f'<time class="entry-date" datetime="{page.date}">{page.date}</time>'
    return f"""{head(page, '<link rel="stylesheet" href="/style.css">' + chr(10))}<body class="single post">
<div id="page" class="site">
<div id="masthead" class="site-header"><p class="site-title"><a href="/">{page.host}</a></p>
<div id="site-navigation" class="main-navigation menu"><ul class="menu"><li><a href="/">{label["home"]}</a></li>
<li><a href="/archive">{label["archive"]}</a></li><li><a href="/contact">{label["contact"]}</a></li></ul></div>
</div>
<div id="content" class="site-content">
<div id="post-{page.number}" class="post hentry">
<h1 class="entry-title">{escape(page.article.title)}</h1>
<div class="entry-content">
{body(page.article.sections, "<h3>{}</h3>", "<p>{}</p>")}
</div>
<footer class="entry-footer entry-meta">{label["published"]} {date} {label["by"]}
<a rel="author" href="/author">{page.author}</a></footer>
<div class="sharedaddy social-share"><span>{label["share"]}</span> <a href="#">Facebook</a> <a href="#">X</a></div>
</div>
<div id="secondary" class="widget-area sidebar">
<div class="widget widget_recent_entries"><h2 class="widget-title">{label["latest"]}</h2><ul>
{anchors(page.links, "<li>", "</li>")}
</ul></div>
<div class="widget widget_subscribe"><p>{label["newsletter"]}</p>
<form><input type="email"><input type="submit" value="{label["subscribe"]}"></form></div>
</div>
<div id="comments" class="comments-area"><p class="must-log-in">{label["comments"]}</p></div>
</div>
<div id="colophon" class="site-footer"><div class="site-info"><a href="/privacy">{label["privacy"]}</a>
{label["rights"]}</div></div>
</div>
</body>
</html>
"""


def magazine(page: Page, label: dict[str, str]) -> str:
    """Component markup of a news site: BEM classes, teaser cards, a consent layer, text in divs of an article."""
    cards = anchors(page.links, '<div class="teaser-card"><h4>', f"</h4><span>{label['more']}</span></div>")
    meta = (
        f'<meta property="og:type" content="article">\n<meta property="og:title" '
        f'content="{escape(page.article.title)}">\n<meta name="author" content="{page.author}">\n'
        f'<meta property="article:published_time" content="{page.date}">\n'
    )
    return f"""{head(page, meta)}<body>
<div id="consent-overlay" class="cookie-consent modal"><div class="cookie-consent__text">{label["cookies"]}</div>
<button class="btn">{label["accept"]}</button></div>
<header class="page-header">
<ul class="navbar nav header__menu"><li><a class="logo" href="/">{page.host}</a></li>
<li><a href="/">{label["home"]}</a></li><li><a href="/latest">{label["latest"]}</a></li>
<li><a href="/login">{label["login"]}</a></li><li><a href="/subscribe">{label["subscribe"]}</a></li></ul></header>
<ol class="breadcrumb breadcrumbs"><li><a href="/">{label["home"]}</a></li>
<li><a href="/t/{slug(page.article.topic)}">{escape(page.article.topic)}</a></li></ol>
<div class="layout"><article class="article">
<h1 class="article__headline">{escape(page.article.title)}</h1>
<div class="article__body">
{body(page.article.sections, '<h2 class="article__crosshead">{}</h2>', '<p class="article__paragraph">{}</p>')}
</div>
</article>
<div class="related related-articles"><h3>{label["related"]}</h3>
{cards}
</div></div>
<footer class="page-footer"><ul class="footer__links"><li><a href="/about">{label["about"]}</a></li>
<li><a href="/privacy">{label["privacy"]}</a></li><li><a href="/imprint">{label["imprint"]}</a></li></ul>
<p>© {page.host}</p></footer>
<script type="application/ld+json">{{"@type": "WebPage", "url": "{page.url}"}}</script>
</body>
</html>
"""


def retro(page: Page, label: dict[str, str]) -> str:
    """A page of the nineties: upper-case tags, FONT, a menu in brackets, line breaks for paragraphs."""
    return f"""<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN">
{GENERATED}
<HTML LANG="{page.article.language}">
<HEAD><META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=utf-8">
<TITLE>{escape(page.article.title)}</TITLE></HEAD>
<BODY BGCOLOR="#FFFFEE" TEXT="#000000">
<DIV ALIGN="center" CLASS="navigation menu"><FONT SIZE="2">[ <A HREF="index.html">{label["home"]}</A> ]
{anchors(page.links, "[ ", " ]")}
[ <A HREF="guestbook.html">{label["contact"]}</A> ]</FONT></DIV>
<HR>
<CENTER><H1>{escape(page.article.title)}</H1></CENTER>
<BLOCKQUOTE CLASS="content">
{body(page.article.sections, "<H3>{}</H3>", '<FONT FACE="Times">{}</FONT><BR><BR>')}
</BLOCKQUOTE>
<HR>
<DIV CLASS="footer" ALIGN="center"><FONT SIZE="1">{label["visitors"]}: {page.number * 37} -
{label["updated"]} {page.date}</FONT></DIV>
</BODY>
</HTML>
"""


def wiki(page: Page, label: dict[str, str]) -> str:
    """A wiki's page: table of contents, edit links at the headings, tool boxes."""
    edit = f'<a class="mw-editsection icon" href="?action=edit" title="{label["edit"]}"></a>'
    toc = "\n".join(f'<li><a href="#s">{escape(s.heading)}</a></li>' for s in page.article.sections if s.heading)
    contents = f'<div id="toc" class="toc nav"><h2>{label["contents"]}</h2><ul>{toc}</ul></div>' if toc else ""
    return f"""{head(page)}<body class="mediawiki ltr">
<div id="mw-navigation" class="navigation" role="navigation"><h2>{label["topics"]}</h2>
<ul><li><a href="/">{label["home"]}</a></li>
{anchors(page.links, "<li>", "</li>")}
<li><a href="/help">{label["help"]}</a></li><li><a href="?print">{label["print"]}</a></li></ul></div>
<div id="content" class="mw-body" role="main">
<h1 id="firstHeading" class="firstHeading">{escape(page.article.title)}</h1>
<div id="mw-content-text" class="mw-parser-output">
{contents}
{body(page.article.sections, f'<h2><span class="mw-headline">{{}}</span>{edit}</h2>', "<p>{}</p>")}
</div>
</div>
<div id="footer" role="contentinfo" class="footer"><ul><li>{label["updated"]} {page.date}</li>
<li><a href="/privacy">{label["privacy"]}</a></li><li><a href="/about">{label["about"]}</a></li></ul></div>
</body>
</html>
"""


def manual(page: Page, label: dict[str, str]) -> str:
    """A documentation generator's page: a side navigation, previous and next, sections in sections."""
    sections = "\n".join(
        f'<section class="level2">\n{body((section,), "<h2>{}</h2>", "<p>{}</p>")}\n</section>'
        for section in page.article.sections
    )
    return f"""{head(page, '<meta name="generator" content="doc-tool 2.3">' + chr(10))}<body>
<div class="wrapper">
<nav class="toctree sidebar" aria-label="{label["contents"]}"><p class="caption">{label["contents"]}</p><ul>
{anchors(page.links, '<li class="toctree-l1">', "</li>")}
</ul></nav>
<div class="document"><div class="documentwrapper"><div class="body" role="main">
<h1>{escape(page.article.title)}</h1>
{sections}
</div></div></div>
<nav class="pagination prev-next-nav" role="navigation"><a rel="prev" href="/p">« {label["previous"]}</a>
<a rel="next" href="/n">{label["next"]} »</a></nav>
<footer class="footer"><p>© {page.date[:4]}, {page.author}. {label["updated"]} {page.date}</p>
<a href="#top">{label["top"]}</a></footer>
</div>
</body>
</html>
"""


TEMPLATES: dict[str, Callable[[Page, dict[str, str]], str]] = {
    "portal": portal,
    "blog": blog,
    "magazine": magazine,
    "retro": retro,
    "wiki": wiki,
    "manual": manual,
}
PATHS: dict[str, Callable[[Page], str]] = {
    "portal": lambda page: f"/{slug(page.article.topic)}/{slug(page.article.title)}-{page.number}",
    "blog": lambda page: f"/{page.date[:4]}/{page.date[5:7]}/{slug(page.article.title)}/?p={page.number}",
    "magazine": lambda page: f"/{slug(page.article.topic)}/article{page.number}.html",
    "retro": lambda page: f"/~pages/{page.number}.htm",
    "wiki": lambda page: f"/index.php?title={slug(page.article.title)}&oldid={page.number}",
    "manual": lambda page: f"/docs/{slug(page.article.title)}/{page.number}/",
}
