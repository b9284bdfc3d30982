"""The stage: policies, what re-runs, accounts, and that no command ever prints what was found."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from corpus.cli.verbs import app
from corpus.engines.inline import InlineEngine
from corpus.errors import RecipeError
from corpus.pii.config import PiiConfig
from corpus.pii.kinds import KINDS
from corpus.recipe import load
from corpus.report.export import export
from corpus.report.outputs import Outputs
from corpus.report.selfcheck import check
from corpus.run import run

Command = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[..., Path]
EMAIL, TITLE, AUTHOR, DROPPED, SHORT, LINE = (f"canary{n}@mail.example.org" for n in range(6))
PHONE, TOKEN = "(212) 555-0147", "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"
KEY = "MIIEpAIBAAKCAQEA04up8hoqzS1xSlcanary"
CANARIES = (EMAIL, TITLE, AUTHOR, DROPPED, SHORT, LINE, PHONE, TOKEN, KEY, "canary")
POLICY = {"default": "mask", "private_key": "drop", "phone": "count", "placeholders": {"github_token": "[token]"}}


NOUNS = "house garden river winter paper office market teacher village bridge letter island station music voice".split()


def prose(seed: int) -> str:
    """A page of English that passes the quality rules, another one for each seed."""
    rng = random.Random(seed)
    lines = []
    for _ in range(12):
        some = rng.sample(NOUNS, 5)
        lines.append("The {} of the {} was in the {}, and it has been with the {} that we have to {}.".format(*some))
    return "\n".join(lines)


def planted_rows() -> Iterator[dict[str, str]]:
    """Documents with canaries: kept, dropped before `pii` and by it, in title and author."""
    for number in range(8):
        extra = {
            1: f"\nWrite to {EMAIL} or call {PHONE} about the matter of the house and the garden.",
            2: f"\nThe token of the service is {TOKEN} and that of the mail is {EMAIL} as well.",
            3: f"\n-----BEGIN RSA PRIVATE KEY----- {KEY} -----END RSA PRIVATE KEY----- is the key, {DROPPED} has it.",
            4: f"\n{LINE}",  # a line of too few words
        }.get(number, "")
        title = f"Notes by {TITLE}" if number == 1 else "Notes"
        text = prose(number) + extra
        yield {"url": f"http://site.example/{number}", "text": text, "title": title, "author": f"Jane <{AUTHOR}>"}
    short = f"Too short: {SHORT} has said it."
    yield {"url": "http://site.example/short", "text": short, "title": "Short", "author": ""}


@pytest.fixture
def planted(recipe: Write, tmp_path: Path) -> Write:
    source = tmp_path / "planted.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in planted_rows()))

    def write(**sections: object) -> Path:
        raw = yaml.safe_load(
            recipe(
                **(dict.fromkeys(("language", "dedup", "tokenizer", "pack")) | {"pii": POLICY} | sections)
            ).read_text()
        )
        columns = {name: name for name in ("url", "text", "title", "author")}
        raw["sources"] = [{"name": "rows", "kind": "jsonl", "path": str(source), "columns": columns}]
        path = tmp_path / "planted.yaml"
        path.write_text(yaml.safe_dump(raw, sort_keys=False))
        return path

    return write


def ran(path: Path, *sets: str) -> dict[str, int]:
    """Run up to `pii`, in this process; step -> tasks done."""
    return run(load(path, sets), until="pii", engine=lambda limits: InlineEngine()).done


def exported(out: Path, path: Path) -> dict[str, dict[str, Any]]:
    assert export(Outputs.open(out), path, "jsonl", force=True)
    return {row["url"]: row for row in map(json.loads, path.read_text().splitlines())}


def entry(out: Path, step: str) -> dict[str, Any]:
    (path,) = (out / step / "_manifest").glob("*.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_policies_ledger_edits_and_what_runs_again(planted: Write, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert ran(planted()) == dict.fromkeys(
        ("extract", "quality/signals", "quality/decision", "pii/spans", "pii/decision"), 1
    )
    found = entry(out, "pii/decision")
    assert (found["rows_in"], found["rows_out"], found["dropped"]) == (8, 7, {"pii_private_key": 1})
    assert found["facts"]["pii"] == {
        "email": {"documents": 4, "hits": 4, "masked": 3, "dropped": 0},
        "phone": {"documents": 1, "hits": 1, "masked": 0, "dropped": 0},
        "github_token": {"documents": 1, "hits": 1, "masked": 1, "dropped": 0},
        "private_key": {"documents": 1, "hits": 1, "masked": 0, "dropped": 1},
    }
    (ledger,) = (out / "pii/decision/_ledger").iterdir()
    (row,) = pq.read_table(ledger).to_pylist()
    assert (row["rule"], row["value"], row["detail"]) == ("pii_private_key", 1.0, None)
    (side,) = (out / "pii/spans/_spans").iterdir()
    assert pq.read_schema(side).names == ["id", "start", "end", "kind"]
    (edits,) = (out / "pii/decision/_edits").iterdir()
    rules = {(row["rule"], row["replacement"]) for row in pq.read_table(edits).to_pylist()}
    assert rules == {("pii_email", "<EMAIL>"), ("pii_github_token", "[token]")}

    rows = exported(out, tmp_path / "all.jsonl")
    first = rows["http://site.example/1"]
    assert first["text"].endswith(f"Write to <EMAIL> or call {PHONE} about the matter of the house and the garden.")
    assert "service is [token] and that of the mail is <EMAIL> as well" in rows["http://site.example/2"]["text"]
    assert (first["title"], first["author"]) == ("Notes by <EMAIL>", "Jane <<EMAIL>>")
    assert first["pii"] == dict.fromkeys(KINDS, 0) | {"email": 1, "phone": 1}
    assert first["bytes"] == len(first["text"])

    assert ran(out, "pii.phone=mask", "pii.private_key=off") == {"pii/decision": 1}
    assert entry(out, "pii/decision")["dropped"] == {}
    assert "private_key" not in entry(out, "pii/decision")["facts"]["pii"]
    assert ran(out, "pii.allow=[mail.example.org]") == {"pii/spans": 1, "pii/decision": 1}
    assert "email" not in entry(out, "pii/decision")["facts"]["pii"]
    assert ran(out, "pii.default=count") == {"pii/decision": 1}


def test_without_masks_the_text_stays_as_it_is(planted: Write, tmp_path: Path) -> None:
    ran(planted(pii=True))
    rows = str(exported(tmp_path / "out", tmp_path / "all.jsonl"))
    assert all(canary in rows for canary in (EMAIL, PHONE, TOKEN, KEY, TITLE))
    assert not (tmp_path / "out/pii/decision/_edits").exists()


def test_no_command_prints_what_was_found(
    planted: Write, corpus_command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Canaries are in kept and dropped texts, titles, authors and lines that a rule removed."""
    out, other = tmp_path / "out", tmp_path / "other"
    quality = {"presets": ["gopher_quality"], "line_rules": ["c4_short_lines"]}
    first = corpus_command("run", planted(quality=quality))
    shutil.copytree(out, other)
    second = corpus_command("pii", other, "--default", "drop")
    printed = [text for ended in (first, second) for text in (ended.stdout, ended.stderr)]
    account = [line.split() for line in second.stdout.splitlines()]
    assert ["kind", "policy", "documents", "hits", "masked", "dropped"] in account
    assert ["phone", "count", "1", "1", "0", "0"] in account
    assert (first.returncode, second.returncode) == (0, 0), printed
    printed.append((out / "report/index.html").read_text())
    (path,) = (out / "extract").glob("*.parquet")
    table = pq.read_table(path)
    stored = str(table.select(["text", "title", "author"]).to_pylist())
    assert all(canary in stored for canary in CANARIES)
    commands: list[list[object]] = [
        *(["stats", out], ["stats", out, "--json"], ["status", out], ["verify", out], ["report", out]),
        *(["sample", out, "-n", 20, "--full"], ["sample", out, "-n", 20, "--json"], ["sample", out, "-n", 20]),
        *(["sample", out, "--dropped", "pii_private_key", "--full"], ["sample", out, "--stage", "quality", "--json"]),
        ["sample", out, "--stage", "quality", "--full"],
        *(["why", out, id_.hex(), "--all", "--text"] for id_ in table.column("id").to_pylist()),
        *(["why", out, id_.hex(), "--json", "--text"] for id_ in table.column("id").to_pylist()),
        *(
            ["sweep", out, "words", "--samples", 9],
            ["sweep", out, "words", "--json"],
            ["diff", out, other],
        ),
    ]
    for command in commands:
        app([str(word) for word in command], standalone_mode=False)
        captured = capsys.readouterr()
        assert captured.out, command
        printed += [captured.out, captured.err]
    for text in printed:
        for canary in CANARIES:
            assert canary not in text, text[max(0, text.find(canary) - 300) : text.find(canary) + 50]
    shown = "".join(printed)
    assert all(f"<{kind}>" in shown for kind in ("EMAIL", "PHONE", "PRIVATE_KEY"))
    found = json.loads(printed[7])["pii"]  # of `stats --json`
    assert {row["kind"]: (row["policy"], row["hits"]) for row in found}["phone"] == ("count", 1)


def test_details_and_errors_are_hidden() -> None:
    from corpus.engines.worker import describe
    from corpus.ledger import judge

    failures = pa.table({"row": [0], "rule": ["own"], "detail": [f"found {EMAIL} here"]})
    verdict = judge(pa.array([bytes(16)], pa.binary(16)), failures)
    assert verdict.ledger.column("detail").to_pylist() == ["found <EMAIL> here"]
    assert describe(ValueError(f"bad line: {EMAIL}")) == "ValueError: bad line: <EMAIL>"


def test_planted_addresses_are_checked(planted: Write, tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    row = {"url": "http://site.example/1", "kind": "email", "expected": {"stage": "kept"}, "planted": EMAIL}
    truth.write_text(json.dumps(row) + "\n")
    out = tmp_path / "out"
    for policy in ("mask", "drop", "count"):
        ran(planted(truth=str(truth), pii={"email": policy}))
        found = check(Outputs.open(out), truth)
        assert (found.judged, found.right) == (1, 1)
    ran(planted(truth=str(truth), pii={"email": "mask", "allow": [EMAIL]}))
    found = check(Outputs.open(out), truth)
    assert (found.judged, found.right) == (1, 0)
    (miss,) = found.misses
    assert miss.expected == "kept, with the planted address masked"
    assert miss.found == "kept, with the planted address in its text"


def test_configuration(recipe: Write) -> None:
    config = PiiConfig.model_validate({"default": "mask", "email": False, "placeholder": "[{KIND}]", "jwt": None})
    assert config.policy("email") == "off"  # YAML reads `off` so
    assert config.policy("jwt") == "mask"
    assert config.kinds("off") == ("email",)
    assert (config.text("jwt"), config.text("us_ssn")) == ("[JWT]", "[US_SSN]")
    assert PiiConfig.model_validate_json(config.model_dump_json()) == config
    for wrong, words in (
        ({"email": "hide"}, "'count', 'mask', 'drop' or 'off'"),
        ({"emial": "mask"}, "did you mean email"),
        ({"placeholders": {"mail": "x"}}, "mail is none of email, phone"),
        ({"allow": ["@example.com"]}, "hold domains"),
    ):
        with pytest.raises(RecipeError, match=words):
            load(recipe(pii=wrong))
