"""`corpus sweep FOLDER`: what thresholds and rules would keep, from what is stored."""

from __future__ import annotations

import json as jsonlib
import math
from dataclasses import replace
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape

from corpus.cli.app import app
from corpus.cli.options import Folder, Json
from corpus.errors import CorpusError
from corpus.report.export import jsonable
from corpus.report.outputs import Outputs
from corpus.report.sweep import LANGUAGE, LANGUAGE_SCORE, QUALITY, Amount, Population
from corpus.report.sweep_names import understand
from corpus.report.sweep_rules import RuleSweep, sweep_rules
from corpus.report.sweep_signal import Neighbour, SignalSweep, sweep_signal
from corpus.report.text import line, size

_PAIRS = 8
_NAMED = 5
_OTHERS = "are not judged by this signal (source files have signals of their own)"
_DROPPED = "are not judged by their score (dropped for their language, or source files)"


@app.command("sweep")
def sweep_verb(
    folder: Folder,
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SIGNAL|RULE|PRESET|RULE=THRESHOLD]...", help="Nothing: the recipe's rules."),
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="A,B,C", help="Thresholds to try; else quantiles and those in force.")
    ] = None,
    side: Annotated[
        Literal["min", "max"] | None,
        typer.Option(help="Keep what is at least (min) or at most (max) a threshold; else as the rule nearest --at."),
    ] = None,
    language: Annotated[str | None, typer.Option(help="Only documents in this language.")] = None,
    source: Annotated[str | None, typer.Option(help="Only documents of this source.")] = None,
    samples: Annotated[int, typer.Option(min=0, help="Documents to show on each side of a threshold.")] = 3,
    seed: Annotated[int, typer.Option(help="Another seed, other documents.")] = 1,
    json: Json = False,
) -> None:
    """Show what other thresholds would keep, and how rules overlap.

    From stored signals, over the documents that reach the quality decision; nothing is run or changed. A signal
    (`words`) gets a table of thresholds and the documents at the margin; rules, presets and changed thresholds
    (`c4 min_words=80`) are weighed as one set against the recipe's.
    """
    outputs = Outputs.open(folder)
    thresholds = _numbers(at)
    words = list(what or ())
    only_language = bool(words) and all(word == LANGUAGE_SCORE for word in words)
    population = Population(outputs, LANGUAGE if only_language else QUALITY, language, source)
    signals, rules = understand(population, words)
    if (thresholds or side) and not signals:
        raise CorpusError("sweep: --at and --side need a signal, for example `corpus sweep FOLDER words --at 50,80`")
    swept = []
    for signal in signals:
        among = replace(population, before=LANGUAGE if signal == LANGUAGE_SCORE else QUALITY)
        swept += [(among, one) for one in sweep_signal(among, signal, thresholds, side, samples, seed)]
    weighed = sweep_rules(population, rules) if rules is not None else None
    reached = [*(one.population for _, one in swept), *([weighed.population] if weighed else [])]
    if not any(amount.documents for amount in reached):
        raise CorpusError(f"{folder}: no such document reaches the {population.before.partition('/')[0]} decision")
    if json:
        found = {
            "language": language,
            "source": source,
            "signals": [{"before": among.before, **one.to_json()} for among, one in swept],
            "rules": weighed.to_json() if weighed else None,
        }
        print(jsonlib.dumps(jsonable(found)))
        return
    for among, one in swept:
        _show_signal(one, among)
    if weighed:
        _show_rules(weighed, population)


def _numbers(at: str | None) -> list[float]:
    try:
        found = [float(part) for part in (at or "").split(",") if part.strip()]
    except ValueError:
        found = [math.nan]
    if not all(map(math.isfinite, found)):
        raise CorpusError(f"--at {at}: give numbers with commas between them, for example --at 50,80,100")
    return found


def _show_signal(found: SignalSweep, population: Population) -> None:
    from corpus.cli import console

    op = ">=" if found.side == "min" else "<="
    print(f"{_reach(found.population, population)}; the recipe keeps {found.now.documents:,} of them.")
    if others := found.population.documents - found.judged.documents:
        why = _DROPPED if population.before == LANGUAGE else _OTHERS
        print(f"{others:,} of them {why}: left out of the table; the recipe keeps {found.rest.documents:,} of these.")
    if found.valueless:
        print(f"{found.valueless:,} have no value, and fail at every threshold.")
    made = console.table(f"{found.signal} {op}", title=f"Kept by {found.signal} {op} a threshold")
    made.add_column("", justify="left")
    made.add_column("this alone keeps", justify="right")
    for head in ("share", "text", *(["tokens"] if found.judged.tokens is not None else [])):
        made.add_column(head, justify="right")
    made.add_column("with the other rules", justify="right")
    made.add_column("change", justify="right")
    for row in found.rows:
        change = row.all_rules.documents + found.rest.documents - found.now.documents
        cells = [f"{row.threshold:.9g}", ", ".join(row.marks), f"{row.kept.documents:,}"]
        cells += [_share(row.kept, found.judged), *_sizes(row.kept), f"{row.all_rules.documents:,}"]
        made.add_row(*map(escape, [*cells, f"{change:+,}" if change else "same"]))
    console.show(made)
    print()
    _show_neighbours(found.neighbours, found.signal)


def _show_neighbours(found: tuple[Neighbour, ...], signal: str) -> None:
    for threshold in dict.fromkeys(one.threshold for one in found):
        for kept, word in ((False, "dropped"), (True, "kept")):
            some = [one for one in found if one.threshold == threshold and one.kept == kept]
            if some:
                print(f"Near {signal} {threshold:.9g}, {word}:")
            for one in some:
                print(f"  {one.id.hex()}  {one.value:.6g}  {line(one.url)}")
                print(f"    {one.excerpt}")
    if found:
        print()


def _show_rules(found: RuleSweep, population: Population) -> None:
    from corpus.cli import console

    print(f"{_reach(found.population, population)}.")
    made = console.table("rule", title="Rules, in their order")
    made.add_column("keeps", justify="left")
    heads = ("fail it", "share", "fail only it", "text", *(["tokens"] if found.population.tokens is not None else []))
    for head in (*heads, "kept so far"):
        made.add_column(head, justify="right")
    for row in found.rows:
        cells = [row.rule.name, f"{row.rule.signal} {row.rule.op} {row.rule.threshold:g}"]
        cells += [f"{row.failed.documents:,}", _share(row.failed, found.population), f"{row.only.documents:,}"]
        made.add_row(*map(escape, [*cells, *_sizes(row.only), f"{row.left.documents:,}"]))
    if found.rows:
        console.show(made)
        print()
    _show_overlap(found)
    if found.idle:
        which = ", ".join(found.idle) if len(found.idle) <= _NAMED else f"{len(found.idle)} rules (--json names them)"
        print(f"left out, as no document here is of the kind that they judge: {which}")
    if found.unmeasured:
        print(f"left out, as nothing here measures their signals: {', '.join(found.unmeasured)}")
    made = console.table("", "documents", "share", "text", *(["tokens"] if found.population.tokens is not None else []))
    for name, amount in (
        ("these rules keep", found.kept),
        ("the recipe keeps", found.now),
        ("these keep and the recipe drops", found.gained),
        ("these drop and the recipe keeps", found.lost),
    ):
        if amount.documents or amount in (found.kept, found.now):
            made.add_row(name, f"{amount.documents:,}", _share(amount, found.population), *_sizes(amount))
    console.show(made)


def _show_overlap(found: RuleSweep) -> None:
    from corpus.cli import console

    order = sorted(range(len(found.rows)), key=lambda k: (-found.rows[k].failed.documents, k))
    most = [k for k in order if found.rows[k].failed.documents][:_PAIRS]
    if len(most) < 2:
        return
    heads = [str(number) for number in range(1, len(most) + 1)]
    print("Overlap: of the documents that fail the row's rule, the share that fails the column's too")
    made = console.table("rule", *heads)
    for number, k in enumerate(most, 1):
        shares = [f"{100 * found.both[k, j] / found.both[k, k]:.0f}%" if j != k else "" for j in most]
        made.add_row(escape(f"{number} {found.rows[k].rule.name}"), *shares)
    console.show(made)
    print()


def _reach(amount: Amount, population: Population) -> str:
    chosen = [f"{name} {value}" for name in ("language", "source") if (value := getattr(population, name))]
    of = f" ({', '.join(chosen)})" if chosen else ""
    stage = population.before.partition("/")[0]
    return f"{amount.documents:,} documents{of}, {size(amount.bytes)}, reach the {stage} decision"


def _share(part: Amount, whole: Amount) -> str:
    return f"{100 * part.documents / whole.documents:.1f}%" if whole.documents else ""


def _sizes(amount: Amount) -> list[Any]:
    """Text, and tokens where they are known; `~` marks an estimate from the tokenizer's bytes a token."""
    if amount.tokens is None:
        return [size(amount.bytes)]
    return [size(amount.bytes), f"{'~' if amount.estimated else ''}{round(amount.tokens):,}"]
