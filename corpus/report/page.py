"""The report: figures gathered, then rendered into one self-contained page."""

from __future__ import annotations

import importlib.resources
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from corpus.planted.result import STEP as PLANTED
from corpus.planted.result import Planted
from corpus.report import charts, columns, results, samples, tables
from corpus.report.columns import Lengths
from corpus.report.config import ReportConfig
from corpus.report.duplicates import Duplicates, duplicates
from corpus.report.outputs import Outputs, lateness
from corpus.report.results import LineRow, PassageRow, PiiRow, ShardRow, TaskRow, Training
from corpus.report.samples import Sample
from corpus.report.selfcheck import SelfCheck, check
from corpus.report.tables import DropRow, StageRow, StepTable
from corpus.report.text import commonest, excerpt, line, plain, size

_KEPT, _DROPPED, _RULES = 4, 2, 8
_LANGUAGES = 15
_MISSES = 30


@dataclass(frozen=True)
class Page:
    """Everything that the template shows."""

    title: str
    recipe: dict[str, Any]
    faults: list[str]
    late: dict[str, str]
    steps: list[StepTable]
    funnel: list[StageRow]
    drops: list[DropRow]
    languages: list[dict[str, Any]]
    extracted: Lengths
    kept: Lengths
    lines: list[LineRow]
    passages: list[PassageRow]
    duplicates: Duplicates | None
    pii: list[PiiRow]
    tasks: list[TaskRow]
    tokenizer: dict[str, Any]
    shards: list[ShardRow]
    training: Training | None
    self_check: SelfCheck | None
    truth_missing: bool
    planted: Planted | None
    kept_samples: list[Sample]
    dropped_samples: list[tuple[DropRow, list[Sample]]]


def gather(outputs: Outputs, config: ReportConfig, beat: Callable[[], None] = lambda: None) -> Page:
    """Read all that the page shows; `beat` is called between the parts. Raises CorpusError for damaged outputs."""
    steps = tables.step_tables(outputs)
    drops = tables.drops(steps)
    faults = tables.reconcile(outputs)
    truth = outputs.recipe.truth
    there = truth is not None and truth.is_file()
    page = Page(
        title=config.title,
        recipe=config.recipe,
        faults=faults,
        late=outputs.late(),
        steps=steps,
        funnel=tables.funnel(outputs),
        drops=drops,
        languages=[],
        extracted=columns.lengths(outputs.view("extract")),
        kept=Lengths(),
        lines=results.lines(outputs),
        passages=results.passages(outputs),
        duplicates=None,
        pii=results.pii(outputs),
        tasks=results.decontamination(outputs),
        tokenizer=results.facts(outputs, "tokenizer"),
        shards=results.shards(outputs),
        training=results.training(outputs),
        self_check=None,
        truth_missing=truth is not None and not there,
        planted=Planted.read(outputs.root) if outputs.has(PLANTED) else None,
        kept_samples=[],
        dropped_samples=[],
    )
    if faults:
        # Columns of steps that do not fit together cannot be read together.
        return page
    beat()
    return replace(
        page,
        languages=columns.languages(outputs),
        duplicates=duplicates(outputs),
        kept=columns.lengths(outputs.view()),
        self_check=check(outputs, truth) if truth is not None and there else None,
        kept_samples=samples.kept(outputs, _KEPT),
        dropped_samples=list(_dropped(outputs, drops, beat)),
    )


def _dropped(
    outputs: Outputs, drops: list[DropRow], beat: Callable[[], None]
) -> Iterator[tuple[DropRow, list[Sample]]]:
    """Samples of the rules that dropped most, in the order of the stages."""
    most = sorted((row for row in drops if row.dropped), key=lambda row: -row.dropped)[:_RULES]
    for row in sorted(most, key=drops.index):
        beat()
        yield row, samples.dropped(outputs, _DROPPED, stage=row.stage, rule=row.rule)


def render(page: Page) -> str:
    """The page as HTML. Every text is escaped by the template engine; the CSP allows nothing but inline styles."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "n": number,
        "pct": percent,
        "size": size,
        "excerpt": lambda text, chars=420: excerpt(text, chars),
        "line": line,
        "figure": figure,
        "breakable": breakable,
        "commonest": commonest,
        "plain": plain,
        "lateness": lateness,
        "yaml": lambda value: yaml.safe_dump(value, sort_keys=False, allow_unicode=True),
    }
    source = importlib.resources.files("corpus.report").joinpath("template.html").read_text(encoding="utf-8")
    top = page.languages[:_LANGUAGES]
    return environment.from_string(source).render(
        page=page,
        bar=charts.bar,
        languages=top,
        other_languages=page.languages[len(top) :],
        length_chart=_length_chart(page),
        training_chart=_training_chart(page.training),
        quantiles=[(name, page.extracted.quantile(q), page.kept.quantile(q)) for name, q in _QUANTILES],
        misses=_MISSES,
        drops_by_stage=_by_stage(page.drops),
    )


_QUANTILES = [(f"{100 * share:.0f}%", share) for share in columns.QUANTILES]


def _by_stage(rows: list[DropRow]) -> dict[str, list[DropRow]]:
    found: dict[str, list[DropRow]] = {}
    for row in rows:
        found.setdefault(row.stage, []).append(row)
    return found


def _length_chart(page: Page) -> str:
    labels = {2 * k: size(2**k, 1024) for k in range(0, 48, 2)}
    series = [("extracted", page.extracted.octaves()), ("kept", page.kept.octaves())]
    return charts.histogram(series, labels, "Documents by length, before and after the filters")


def _training_chart(training: Training | None) -> str:
    if training is None:
        return ""
    level = ("unigram entropy", training.unigram_entropy)
    series = [("training loss", training.curve), ("held-out loss", training.held_out)]
    return charts.curves(series, level, "Loss in nats a token over training steps", "step")


def number(value: float | None, places: int = 3) -> str:
    """`1,234`, `1.235`, or a dash for None."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{places}f}"


def breakable(name: str) -> Markup:
    """A name that may break after an underscore."""
    return escape(line(name)).replace("_", Markup("_<wbr>"))


def figure(value: float) -> str:
    """Four significant digits, as in a ledger."""
    return f"{value:,.4g}"


def percent(share: float | None) -> str:
    """`99.7%`, `<0.1%`, or a dash for None."""
    if share is None:
        return "–"
    if 0 < share < 0.001:
        return "<0.1%"
    if 0.999 < share < 1:
        return ">99.9%"
    return f"{100 * share:.1f}%".replace(".0%", "%")
