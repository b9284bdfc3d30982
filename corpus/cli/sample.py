"""`corpus sample FOLDER`: random documents, kept or dropped."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated

import typer

from corpus.cli.app import app
from corpus.cli.console import warn
from corpus.cli.options import Folder, Json
from corpus.errors import CorpusError
from corpus.report import samples
from corpus.report.export import jsonable
from corpus.report.outputs import Outputs, lateness
from corpus.report.samples import Sample
from corpus.report.text import beginning, excerpt, indented, line

_CHARS = 400


@app.command("sample")
def sample_verb(
    folder: Folder,
    stage: Annotated[
        str | None, typer.Option(help="Documents that this stage dropped or, with --kept, left alive.")
    ] = None,
    dropped: Annotated[str | None, typer.Option(metavar="RULE", help="Documents that failed this rule.")] = None,
    kept: Annotated[
        bool, typer.Option("--kept", help="Documents that were kept (unless --stage: to the end).")
    ] = False,
    count: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 5,
    seed: Annotated[int, typer.Option(help="Another seed, other documents.")] = 1,
    full: Annotated[bool, typer.Option("--full", help="The whole text, not only a part.")] = False,
    json: Json = False,
) -> None:
    """Show random documents, kept or dropped.

    The same ones for the same seed. Personal data and keys are shown hidden (<EMAIL>), whatever the recipe does with
    them.
    """
    if kept and dropped:
        raise CorpusError("sample: --kept and --dropped exclude each other; give one of them")
    outputs = Outputs.open(folder)
    if stage is None and (late := outputs.late(only_changes=True)):
        warn(f"{'what these stages drop is left out' if dropped else 'kept so far'}; {lateness(late)}")
    asks_dropped = not kept and (stage is not None or dropped is not None)
    if asks_dropped:
        found = samples.dropped(outputs, count, seed, stage, dropped)
    else:
        found = samples.kept(outputs, count, seed, stage)
    if json:
        print(jsonlib.dumps([jsonable(vars(sample)) for sample in found]))
        return
    for sample in found:
        _show(sample, full)
    if not found:
        what = f"failed {dropped}" if dropped else "was dropped"
        where = f" by stage {stage}" if stage and not dropped else f" in stage {stage}" if stage else ""
        print("no document is left" if not asks_dropped else f"no document {what}{where}")


def _show(sample: Sample, full: bool) -> None:
    print(f"{sample.id.hex()}  {line(sample.url or sample.locator)}")
    if sample.title:
        print(f"  title: {line(sample.title)}")
    for row in sample.failed:
        print(f"  {sample.step}: {reason(row)}" + (f" {delivery(row)}" if "duplicate_folder" in row else ""))
    if sample.text is None:
        print(f"  at {line(sample.locator)}; extraction gave no text")
    else:
        print(indented(sample.text if full else sample.around or beginning(sample.text, _CHARS)))
    print()


def delivery(row: dict[str, object]) -> str:
    """Whose the document is that a ledger row names."""
    return f"of an earlier delivery, {line(str(row['duplicate_folder'] or 'not found any more'))}"


def reason(row: dict[str, object]) -> str:
    """`min_words 12, threshold 50 (detail)`, of a ledger row."""
    words = line(str(row["rule"]))
    if row["value"] is not None:
        # What went for its address was not judged by how similar it is.
        words += f"{', similarity' if row['rule'] == 'url_duplicate' else ''} {row['value']:.4g}"
    if row["threshold"] is not None:
        words += f", threshold {row['threshold']:.4g}"
    return words + (f" ({excerpt(str(row['detail']), 200)})" if row["detail"] else "")
