"""What is personal data and what only looks like it; two ways to the same spans; hostile text."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.pii.detect import counts, detect
from corpus.pii.hide import hidden, hidden_parts, hide
from corpus.pii.kinds import KINDS
from corpus.pii.match import scan

NEGATIVES = {
    "order numbers": (
        "Order no. 4532-9921 shipped.",
        "Your order 1009384756 is on its way; invoice #2020-004512.",
        "Tracking number 9400111899223100001234 (USPS).",
        "Item 112-4455667-1234567 was returned.",
        "Case No. 212-555-0123 was closed.",
    ),
    "ISBNs": ("ISBN 978-3-16-148410-0", "ISBN-10: 0-306-40615-2", "ISBN 9780306406157, ISSN 2049-3630"),
    "timestamps": (
        "2020-01-01T12:00:00Z and 20200101120000",
        "At 1700000000000 ms the job ended; at 1699999999 it began.",
        "01.12.2015 17:33, 09/12/2014 at 10:30, 12-31-1999",
    ),
    "versions": (
        "Version 1.2.3.4 fixes it; see section 10.4.2.1 and Chrome/88.0.43.24.",
        "v10.15.7.1 of the firmware, release 52.14.3.9",
        "left-pad@1.3.0-rc.x and logo@2x.png",
    ),
    "hashes": (
        "commit 4a5b6c7d8e9f4111111111111111aabbccddeeff00112233",
        "sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709, md5 d41d8cd98f00b204e9800998ecf8427e",
        "secret_access_key: da39a3ee5e6b4b0d3255bfef95601890afd80709",
    ),
    "coordinates": ("40.7128, -74.0060", "+51.5074 -0.1278", "52.5200066 13.4049540", "+40.7128-074.0060/"),
    "prices": ("$1,234,567.89", "EUR 2125550123", "$2125550123 in all", "1 299,00 kr, 12 345 678 people"),
    "UUIDs": ("123e4567-e89b-12d3-a456-426614174000", "uuid 00000000-0000-4000-8000-123456789012"),
    "dates like phones": (
        "Call 2023-01-15 for details.",
        "He called 1914-1918 the great years.",
        "text of 12.03.2004 1500 copies",
    ),
    "private addresses": (
        "127.0.0.1, 10.1.2.3, 192.168.0.17, 172.20.1.1, 169.254.1.1, 203.0.113.9, 198.51.100.7, 224.0.0.251",
        "::1 fe80::1ff:fe23:4567:890a fd00::1 2001:db8::8a2e:370:7334 std::vector a::b 12:30:45 2:00:00",
    ),
    "not quite": (
        "4111 1111 1111 1112, 1234 5678 9012 3456",
        "DE88 3704 0044 0532 0130 00, XX12 3456 7890 1234 56",
        "000-12-3456, 666-12-3456, 987-65-4321, 123-00-4567, 123-45-0000, 078-05-1120, 123456789",
        "AKIA, AIza, ghp_short, xoxb-your-token-goes-here, eyJ.eyJ.eyJ, user@host, @app.route, git@host.org:a/b",
        "if '-----BEGIN PRIVATE KEY-----' in text: -----BEGIN PUBLIC KEY-----",
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx AIzaXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
        "eyJhYmMiOjF9.eyJhYmMiOjF9.c2lnbmF0dXJl",
    ),
}


@pytest.mark.parametrize("what", NEGATIVES)
def test_look_alikes_are_no_hits(what: str) -> None:
    texts = list(NEGATIVES[what])
    found = [(texts[s["row"]][s["start"] : s["end"]], s["kind"]) for s in detect(pa.array(texts)).to_pylist()]
    assert found == []


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("(mail me: ada..lovelace@mail.example.co.uk.)", "email", "lovelace@mail.example.co.uk"),
        ("Ä: jörg@müller.example", "email", "jörg@müller.example"),
        ("dial 1 (800) 555-0199", "phone", "1 (800) 555-0199"),
        ("Tel. 030/901820-14", "phone", "030/901820-14"),
        ("call +1 212-555-0123 x45 now", "phone", "+1 212-555-0123 x45"),
        ("2019 + (+44) 20 7946 0958", "phone", "(+44) 20 7946 0958"),
        ("[2a00:1450:4001:81b::200e]:443", "ipv6", "2a00:1450:4001:81b::200e"),
        ("ping 1.1.1.1", "ipv4", "1.1.1.1"),
        ("visa 4111111111111111 12/27", "payment_card", "4111111111111111"),
        ("x GB82WEST12345698765432.", "iban", "GB82WEST12345698765432"),
        ("SSN 123456789", "us_ssn", "123456789"),
        ("https://hooks.slack.com/services/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", "slack_token", None),
        (
            "-----BEGIN EC PRIVATE KEY-----\n" + "a1B2" * 16 + "\n" + "c3D4" * 8 + "==\nThe rest is prose.",
            "private_key",
            -19,
        ),
    ],
)
def test_the_span_is_the_value(text: str, kind: str, value: str | int | None) -> None:
    expected = text if value is None else text[:value] if isinstance(value, int) else value
    (span,) = detect(pa.array([text])).to_pylist()
    assert (span["kind"], text.encode()[span["start"] : span["end"]].decode()) == (kind, expected)


def both(texts: list[str]) -> list[tuple[int, int, int, str]]:
    """The spans of the batch, after making sure that each text alone gives the same."""
    found = [tuple(span.values()) for span in detect(pa.array(texts, pa.large_string())).to_pylist()]
    assert found == [(row, *span) for row, text in enumerate(texts) for span in scan(text.encode())]
    for (row, _, end, _), (other, start, _, _) in itertools.pairwise(found):
        assert row < other or end <= start
    return found


PIECES = (
    *(
        "tel ",
        "+",
        "(",
        ")",
        "1",
        "12",
        "030",
        "2015",
        "4111",
        "-",
        ".",
        " ",
        "/",
        ":",
        "::",
        "2a00",
        "@",
        "a",
        "B",
        "\n",
        "€",
        "\xa0",
    ),
    *(
        "x@y.org",
        "212-555-0123",
        "DE",
        "89",
        "AKIA",
        "ghp_",
        "xoxb-",
        "eyJ",
        "-----BEGIN ",
        "PRIVATE KEY-----",
        "secret ",
        "=",
    ),
    *(
        "1.2.3.4",
        "8.8.8.8",
        "123-45-6789",
        "+49 30 901820",
        "01 23 45 67 89",
        "ssn ",
        "_",
        "$",
        ",",
        "A" * 16,
        "0" * 9,
        "é",
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=14).map("".join), min_size=1, max_size=4))
def test_batches_and_single_texts_agree(texts: list[str]) -> None:
    both(texts)


@pytest.mark.parametrize(
    ("unit", "per_unit"),
    [
        *(
            ("@", None),
            ("a@", None),
            ("a@b.cc ", "email"),
            ("1234567890", None),
            ("1 ", None),
            (":", None),
            ("2001:", None),
        ),
        *(("eyJ", None), ("eyJhbGciOiJub25lIn0.e30. ", "jwt"), ("-----BEGIN PRIVATE KEY-----", None), ("-", None)),
        *(
            ("xoxb-", None),
            ("1.2.3.", None),
            ("secret = ", None),
            ("DE12", None),
            ("ghp_", None),
            ("+1", None),
            ("(1", None),
        ),
    ],
)
def test_hostile_text(unit: str, per_unit: str | None) -> None:
    times = 100_000 // len(unit)
    found = both([unit * times])
    assert Counter(kind for *_, kind in found) == ({per_unit: times} if per_unit else {})


def test_counts_allowed_values_and_empty_batches() -> None:
    texts = ["a@b.org, c@mail.example.com", "", "d@example.com from 8.8.8.8"]
    spans = detect(pa.array(texts))
    assert spans.column("row").to_pylist() == [0, 0, 2, 2]
    made = counts(spans, 3).to_pylist()
    assert [row["email"] for row in made] == [2, 0, 1]
    assert [sum(row.values()) for row in made] == [2, 0, 2]
    assert list(made[0]) == list(KINDS)
    allowed = detect(pa.array(texts), ("Example.com", "8.8.8.8"))
    assert [texts[s["row"]][s["start"] : s["end"]] for s in allowed.to_pylist()] == ["a@b.org"]
    assert detect(pa.array([], pa.string())).num_rows == 0
    assert counts(detect(pa.array([], pa.string())), 0).to_pylist() == []


def test_a_slice_of_a_batch_gives_its_own_spans() -> None:
    texts = pa.array(["x@y.org", "é a@b.org", "tel 030 1234567"])
    assert detect(texts.slice(1)).to_pylist() == [
        {"row": 0, "start": 3, "end": 10, "kind": "email"},
        {"row": 1, "start": 4, "end": 15, "kind": "phone"},
    ]


def test_what_is_shown_is_hidden() -> None:
    assert hidden("é: ada@b.org, tel 030 1234567!") == "é: <EMAIL>, tel <PHONE>!"
    assert hidden("ada@b.org, tel 030 1234567", ("phone",)) == "ada@b.org, tel <PHONE>"
    # A part is seen in the whole: a value across its edges is hidden, and the word before it still counts.
    text = "one ada@b.org two tel 030 1234567"
    assert hidden_parts(text, [(0, 6), (6, 9), (9, 17), (22, 25), (14, 17)]) == [
        "one <EMAIL>",
        "<EMAIL>",
        "<EMAIL> two",
        "<PHONE>",
        "two",
    ]
    table = pa.table({"id": ["a@b.org"], "title": ["by a@b.org"], "detail": pa.array([None], pa.string())})
    assert hide(table).to_pylist() == [{"id": "a@b.org", "title": "by <EMAIL>", "detail": None}]


CONTACT = re.compile(
    r"(?i)@|\b(tel|t[eé]l[eé]?ph|phones?|fax|call|contact|mobile|cell|dial|reach|whatsapp|toll|p\.?o\.? box|visit|info|"
    r"street|ave|suite|office|tickets?|reserv|rsvp|inc|llc|hotline)\b|\(\d{3}\)|\b\d{3}[-.]\d{3}[-.]\d{4}\b"
)


def test_clean_paragraphs_of_the_web(kits: Path) -> None:
    """1,000 paragraphs without a word or a shape of contact details: those with the most digits."""
    with (kits / "quality" / "dclm_majority.jsonl").open(encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    clean = {
        part for text in texts for part in text.split("\n") if 60 <= len(part) <= 3000 and not CONTACT.search(part)
    }
    hardest = sorted(clean, key=lambda part: (-sum(c.isdigit() for c in part), part))[:1000]
    assert len(hardest) == 1000
    assert sum(c.isdigit() for c in hardest[-1]) >= 2
    false = {row for row, *_ in both(hardest)}
    assert len(false) <= 10, [hardest[row] for row in sorted(false)]
