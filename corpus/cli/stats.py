"""`corpus stats FOLDER`: tables of every stage."""

from __future__ import annotations

import json as jsonlib
from typing import Any

import typer
from rich.markup import escape

from corpus.cli.app import app
from corpus.cli.options import Folder, Json
from corpus.cli.planted import show_planted
from corpus.planted.result import STEP as PLANTED
from corpus.planted.result import Planted
from corpus.report import columns, results, tables
from corpus.report.duplicates import duplicates, size_name
from corpus.report.outputs import Outputs, lateness
from corpus.report.selfcheck import SelfCheck, check
from corpus.report.text import commonest, size

_LANGUAGES = 15


@app.command("stats")
def stats_verb(folder: Folder, json: Json = False) -> None:
    """Show what each stage took, gave and dropped.

    Exit status 1 when it does not add up.
    """
    outputs = Outputs.open(folder)
    steps = tables.step_tables(outputs)
    faults = tables.reconcile(outputs)
    found: dict[str, Any] = {
        "recipe": outputs.recipe.name,
        "reconciles": not faults,
        "faults": faults,
        "late": outputs.late(),
        "funnel": [vars(row) for row in tables.funnel(outputs)],
        "drops": [vars(row) for row in tables.drops(steps)],
        "steps": [vars(row) for row in steps],
    }
    self_check = None
    if not faults:
        # Columns of steps that do not fit together cannot be read together.
        found["languages"] = columns.languages(outputs)
        found["lengths"] = {
            "extracted": columns.lengths(outputs.view("extract")).summary(),
            "kept": columns.lengths(outputs.view()).summary(),
        }
        found["lines"] = [vars(row) for row in results.lines(outputs)]
        found["passages"] = [vars(row) for row in results.passages(outputs)]
        dedup = duplicates(outputs)
        found["duplicates"] = dedup.to_json() if dedup else None
        found["pii"] = [vars(row) for row in results.pii(outputs)]
        found["decontamination"] = [vars(row) for row in results.decontamination(outputs)]
        found["tokenizer"] = results.facts(outputs, "tokenizer")
        found["shards"] = [{**vars(row), "bytes_per_token": row.bytes_per_token} for row in results.shards(outputs)]
        training = results.training(outputs)
        found["training"] = training.figures() if training else None
        truth = outputs.recipe.truth
        self_check = check(outputs, truth) if truth is not None and truth.is_file() else None
        found["self_check"] = self_check.to_json() if self_check else None
    planted = Planted.read(outputs.root) if outputs.has(PLANTED) else None
    found["planted"] = planted.to_json() if planted else None
    if json:
        print(jsonlib.dumps(found))
    else:
        _show(found, self_check, planted)
    if faults:
        raise typer.Exit(1)


def _show(found: dict[str, Any], self_check: SelfCheck | None, planted: Planted | None) -> None:
    from corpus.cli.console import number

    _table(
        "Funnel",
        ("stage", "in", "out", "dropped", "kept"),
        [
            (r["stage"], *map(number, (r["rows_in"], r["rows_out"], r["dropped"])), _pct(r["share"]))
            for r in found["funnel"]
        ]
        + [(stage, "", state, "", "") for stage, state in found["late"].items()],
    )
    _table(
        "Dropped, by first failed rule",
        ("stage", "rule", "dropped", "share", "failed"),
        [(r["stage"], r["rule"], number(r["dropped"]), _pct(r["share"]), number(r["failed"])) for r in found["drops"]],
        left=2,
    )
    if found["reconciles"]:
        _show_columns(found)
        _show_results(found)
    if self_check:
        show_self_check(self_check)
    if planted:
        show_planted(planted)
        print()
    late = found["late"]
    if late:
        print(f"{lateness(late)}: not in these figures; `corpus run` brings all up to date")
    reconciles = "what is up to date reconciles" if late else "reconciles"
    print(reconciles if found["reconciles"] else "does not reconcile:")
    for fault in found["faults"]:
        print(f"  {fault}")


def _show_columns(found: dict[str, Any]) -> None:
    from corpus.cli.console import number

    rows, kept = found["languages"], "kept so far" if found["late"] else "kept"
    asked = any(r["second_says"] is not None for r in rows)
    checks = ("other script", *(("second agrees", "second says") if asked else ()))
    more = f", first {_LANGUAGES} of {len(rows)}" if len(rows) > _LANGUAGES else ""
    _table(
        f"Languages{more}",
        ("language", "documents", "text", kept, "text", *checks),
        [
            (
                r["language"],
                *(number(r["documents"]), size(r["bytes"]), number(r["kept"]), size(r["kept_bytes"])),
                commonest(r["other_scripts"]),
                *((number(r["second_agrees"]) or "not comparable", commonest(r["second_says"])) if asked else ()),
            )
            for r in rows[:_LANGUAGES]
        ],
    )
    names = ("documents", "mean", "min", "p5", "p25", "p50", "p75", "p95", "max")
    _table(
        "Length in bytes of text",
        ("", *names),
        [
            (kept if which == "kept" else which, *(number(values[name]) for name in names))
            for which, values in found["lengths"].items()
        ],
    )
    left = found["lengths"]["kept"]
    if cut := left["extracted_bytes"] - left["bytes"]:
        was = f"{number(left['extracted_bytes'])} as extracted, {number(cut)} less by cuts and masks"
        print(f"text that is {kept}: {number(left['bytes'])} bytes ({was})\n")


def _show_results(found: dict[str, Any]) -> None:
    from corpus.cli.console import number

    for step in found["steps"]:
        if "against" in step["facts"]:
            print(f"dropped because an earlier delivery has them: {number(step['facts']['against'])}\n")
    if found["duplicates"]:
        _show_duplicates(found["duplicates"])
    _table(
        "Cut by line rules",
        ("rule", "lines", "text"),
        [(r["rule"], number(r["lines"]), size(r["bytes"])) for r in found["lines"]],
    )
    _table(
        "Repeated passages",
        ("rule", "documents", "spans", "text"),
        [(r["rule"], *(number(r[k]) for k in ("documents", "spans")), size(r["bytes"])) for r in found["passages"]],
    )
    names: tuple[str, ...] = ("documents", "hits", "masked", "dropped")
    _table(
        "Personal data and secrets",
        ("kind", "policy", *names),
        [(r["kind"], r["policy"], *(number(r[name]) for name in names)) for r in found["pii"]],
        left=2,
    )
    show_tasks(found["decontamination"])
    if t := found["tokenizer"]:
        figures = [("vocabulary", t["vocab_size"]), ("documents sampled", t["sample_documents"])]
        figures += [("bytes a token", t["bytes_per_token"]), ("tokens a word", t["tokens_per_word"])]
        _table("Tokenizer", ("", "value"), [(name, number(value)) for name, value in figures])
    names = ("tokens", "documents", "bytes", "bytes_per_token")
    _table(
        "Shards",
        ("shard", "split", "tokens", "documents", "bytes of text", "bytes a token"),
        [(r["shard"], r["split"], *(number(r[name]) for name in names)) for r in found["shards"]],
        left=2,
    )
    if t := found["training"]:
        figures = [("steps", t["steps"]), ("tokens", t["tokens"]), ("parameters", t["parameters"])]
        figures += [("held-out loss, nats a token", t["held_out_loss"]), ("unigram entropy", t["unigram_entropy"])]
        figures += [("bits a byte", t["bits_per_byte"]), ("bits a byte of unigrams", t["unigram_bits_per_byte"])]
        _table("Training", ("", "value"), [(name, number(value)) for name, value in figures])


def show_tasks(rows: list[dict[str, Any]]) -> None:
    """A table of the benchmarks."""
    from corpus.cli.console import number

    _table(
        "Benchmarks",
        ("task", "action", "items", "looked for", "found", "documents", "common n-grams"),
        [
            (
                r["task"],
                r["action"],
                *(number(r[name]) for name in ("items", "searched", "found", "documents", "common")),
            )
            for r in rows
        ],
        left=2,
    )


def _show_duplicates(found: dict[str, Any]) -> None:
    from corpus.cli.console import number
    from corpus.dedup.curve import headline

    if found["banding"]:
        print(f"Bands: {headline(found['banding'])}")
        curve: list[tuple[str, ...]] = [
            (f"{point['jaccard']:.4g}", f"{point['probability']:.4f}") for point in found["banding"]["curve"]
        ]
        _table("", ("J", "compared"), curve)
    _table(
        "Clusters of duplicates",
        ("size", "clusters", "documents"),
        [(size_name(r["first"], r["last"]), number(r["clusters"]), number(r["documents"])) for r in found["sizes"]],
    )


def show_self_check(found: SelfCheck) -> None:
    """A table of the planted kinds."""
    from corpus.cli.console import number

    rows = []
    for kind in (*found.kinds, found.duplicates):
        low, high = kind.interval
        interval = f"{_pct(low)} to {_pct(high)}" if kind.judged else ""
        counts = map(number, (kind.planted, kind.judged, kind.right))
        rows.append((kind.kind, *counts, _pct(kind.share), interval, number(kind.apart), number(kind.unasked)))
    heads = ("planted", "judged", "as expected", "share", "95% interval", "dropped before", "not asked")
    _table("Self-check", ("kind", *heads), rows)
    if found.late:
        print(f"the self-check asked nothing of stages that are not up to date ({lateness(found.late)})\n")


def _table(title: str, heads: tuple[str, ...], rows: list[tuple[str, ...]], left: int = 1) -> None:
    from corpus.cli import console

    if not rows:
        return
    made = console.table(*heads, title=title)
    for column in made.columns[:left]:
        column.justify = "left"
    for row in rows:
        made.add_row(*(escape(cell) for cell in row))
    console.show(made)
    print()


def _pct(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}%"
