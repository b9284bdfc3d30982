"""What a trained classifier says of itself: `card.md` for people, `model.json` for programs, a snippet for recipes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from corpus.quality.classifier.evaluate import GOOD_KEPT
from corpus.quality.snippet import FEWEST, place
from corpus.quality.snippet import snippet as of_recipe


def shown_json(report: dict[str, Any]) -> str:
    return json.dumps(report, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def snippet(report: dict[str, Any], folder: Path) -> str:
    """The recipe section that makes this model a signal, and a rule of it, as YAML."""
    preparation = {key: value for key, value in report["preparation"].items() if key != "always"}
    classifier = {
        "name": report["name"],
        "model_path": place(folder / report["model"]),
        "model_sha256": report["sha256"],
        "label": report["label"],
        **preparation,
    }
    bound, why = proposal(report)
    return of_recipe({"classifiers": [classifier]}, f"score_{report['name']}", bound, why)


def proposal(report: dict[str, Any]) -> tuple[dict[str, float] | None, str]:
    """The bound that the better evidence gives (`--test`, else what was held out) and where it is from; None for none.

    The highest one that keeps `GOOD_KEPT` of the good texts.
    """
    found = report["test"] or report["held_out"]
    where = "of --test" if report["test"] else "held out"
    good, bound = found["positive"], found["bound"]
    if good < FEWEST:
        return None, f"{good:,} good texts {where} are too few, {FEWEST} are needed; choose one with `corpus sample`"
    why = (
        f"the highest that keeps {GOOD_KEPT:.0%} of the {good:,} good texts {where}; "
        f"it keeps {bound['kept_bad']:.0%} of the {found['negative']:,} bad ones"
    )
    return {"min": bound["threshold"]}, why


def card(report: dict[str, Any]) -> str:
    """Markdown."""
    settings, preparation, trained = report["settings"], report["preparation"], report["trained_on"]
    bound, why = proposal(report)
    shown = f"{bound['min']:g}" if bound else "none"
    lines = [
        f"# Quality classifier `{report['name']}`",
        "",
        f"- **Model**: fastText supervised, `{report['model']}`, {report['bytes']:,} bytes, "
        f"sha256 `{report['sha256']}`.",
        f"- **Score**: probability of `{report['label']}` against `{report['labels'][1]}`.",
        f"- **Text**: the first {preparation['max_chars']:,} characters, "
        f"{'in lower case' if preparation['lower'] else 'case as it is'}; {preparation['always']}.",
        f"- **Trained on** {trained['positive']:,} positive and {trained['negative']:,} negative texts, "
        f"{trained['vocabulary']:,} words.",
        f"- **Settings**: {', '.join(f'{key} {_value(value)}' for key, value in settings.items())}.",
        f"- **Versions**: {', '.join(f'{name} {number}' for name, number in report['versions'].items())}; one thread, "
        "memory that begins as zeros: the same texts and settings give the same bytes on one kind of machine.",
        "",
        "## Data",
        "",
        "| class | input | sha256 | texts | without a text |",
        "|---|---|---|--:|--:|",
    ]
    data = report["data"]
    for what in ("positive", "negative"):
        lines += [
            f"| {what} | {_cell(given['path'])} | `{given['sha256'][:16]}…` | {given['documents']:,} "
            f"| {sum(given['problems'].values()):,} |"
            for given in data[what]
        ]
    lines += [
        "",
        f"Left out: {data['repeated']:,} repeated texts (equal but for case and white space), "
        f"{data['contradictory']:,} that are in both classes, {data['empty']:,} without a word. So no text is both in "
        "training and held out; near duplicates may be.",
        "",
        "## Held out",
        "",
        *_figures(report["held_out"]),
    ]
    if report["test"]:
        test = report["test"]
        lines += [
            "",
            "## Independent test",
            "",
            f"`{_cell(test['path'])}`, sha256 `{test['sha256'][:16]}…`; {test['in_training']:,} of its texts were in "
            "training and do not count.",
            "",
            *_figures(test),
        ]
    lines += [
        "",
        f"**Proposed bound** on `score_{report['name']}`: {shown}; {why}.",
        "",
        "Held-out figures say how well the model tells these two sets apart, not how good a text is: sets that differ "
        "in source, length or language are told apart by that.",
    ]
    return "\n".join(lines) + "\n"


def _figures(found: dict[str, Any]) -> list[str]:
    low, high = found["auc_interval"]
    accuracy_low, accuracy_high = found["accuracy_interval"]
    return [
        f"{found['positive']:,} positive and {found['negative']:,} negative texts.",
        "",
        "| figure | value |",
        "|---|--:|",
        f"| AUC (95% interval) | {found['auc']:.3f} ({low:.3f} to {high:.3f}) |",
        f"| AUC of the number of words alone (longer is better) | {found['auc_of_words']:.3f} |",
        f"| accuracy at 0.5 (95% interval) | {found['accuracy']:.3f} ({accuracy_low:.3f} to {accuracy_high:.3f}) |",
        f"| accuracy of the majority's label | {found['majority']:.3f} |",
        *(
            [f"| lowest and highest score | {found['scores'][0]:.6f}, {found['scores'][1]:.6f} |"]
            if found["scores"]
            else []
        ),
        "",
        "0.5, and the thresholds that keep 95, 90, 75, 50, 25, 10 and 5% of these texts:",
        "",
        "| threshold | kept | precision | recall |",
        "|--:|--:|--:|--:|",
        *(
            f"| {row['threshold']:.6f} | {row['kept']:.3f} | "
            f"{'' if row['precision'] is None else format(row['precision'], '.3f')} | {row['recall']:.3f} |"
            for row in found["thresholds"]
        ),
    ]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "all" if value is None else f"{value:g}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
