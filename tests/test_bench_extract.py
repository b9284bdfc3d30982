"""The sides of `bench/extract.py` do what they are said to do."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCH = Path(__file__).parent.parent / "bench"
PARAGRAPH = (
    "<p>The river runs past the old mill and under the bridge, where the market stood for two hundred years.</p>"
)
ARTICLE = (
    f"<html><head><title>A mill</title></head><body><nav><a href=/>Home</a></nav><article>{PARAGRAPH * 3}</article>"
)


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"corpusmill_{name}", BENCH / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


sides, extract = _module("extract_sides"), _module("extract")


@pytest.mark.parametrize(
    ("side", "extractor"), [("ours", "cascade"), ("trafilatura_fast", "trafilatura"), ("resiliparse", "resiliparse")]
)
def test_sides_give_the_text_of_our_extractors(side: str, extractor: str) -> None:
    from corpus.extract.registry import load

    pages = [sides.Page("http://a.example/", html) for html in (ARTICLE, "<html></html>", "<table><tr><td>1<td>2")]
    expected = [load(extractor)(page.html, page.url, False).text for page in pages]
    assert sides.SIDES[side]()(pages) == expected
    assert "the old mill" in expected[0]


def test_a_page_that_datatrove_loses_is_told_from_an_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import trafilatura

    real = trafilatura.extract

    def fail(html: str, **settings: Any) -> Any:
        if "bad" in html:
            raise ValueError(html)
        return real(html, **settings)

    monkeypatch.setattr(trafilatura, "extract", fail)
    pages = [sides.Page(f"http://a.example/{html}", html) for html in (ARTICLE, "<p>bad", "<html></html>", ARTICLE)]
    first, bad, empty, last = sides.datatrove()(pages)
    assert "the old mill" in first
    assert (bad, empty) == (None, "")
    assert last == first


def test_batches_hold_the_html_pages_up_to_the_limit(small_input: Path) -> None:
    archive = small_input / "pages-0.warc.gz"
    pages = [page for page in sides.decoded(sides.batches(archive, 1000))]
    # 80 pages, 8 copies with another title and 8 near copies, short, French and empty; not the missing one, not the PDF.
    assert len(pages) == 80 + 16 + 3
    assert sides.decoded(sides.batches(archive, 7)) == pages[:7]


def test_the_pages_kept_out_are_those_that_training_keeps_out() -> None:
    import numpy as np

    from corpus.extract.cascade.training.pages import TrainingPage

    none = np.zeros(0)
    urls = [f"http://a.example/{number}" for number in range(60)]
    theirs = [TrainingPage("adbar", url, "", None, none, none, none, none).kept_out for url in urls]
    assert [extract.kept_out(url) for url in urls] == theirs
    assert 0 < sum(theirs) < len(urls)
