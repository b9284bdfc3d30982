"""Forms in which values are written in the wild, one a line: what is found in each, and what is not."""

from __future__ import annotations

import string

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.pii.detect import detect
from corpus.pii.match import scan

TOKEN, AWS = "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", "AKIAXHUTSNX7YC3X2KGJ"
GOOGLE, SLACK = "AIzaSifT8FTedZU6huccgRrZMWUFnMXCcNPe892", "xoxb-865852836092-0260123371783-pTugTUeLo13IR1KTOnCcxnyb"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhYmMifQ.c2lnbmF0dXJlc2lnbmF0dXJl"
SECRET = "R4u1awY+X0/j0xU8tkwObiq7ZHuWRiwtuSgZs6XE"


def found(text: str) -> list[tuple[str, str]]:
    """(kind, value) of each hit; batches and single texts agree."""
    spans = detect(pa.array([text], pa.large_string())).to_pylist()
    data = text.encode()
    assert [(span["start"], span["end"], span["kind"]) for span in spans] == scan(data)
    return [(span["kind"], data[span["start"] : span["end"]].decode()) for span in spans]


NOTHING: list[str] = []
PHONES: list[tuple[str, list[str]]] = [
    # A single 0 in front of other groups.
    ("scores 0 10 20 30 40", NOTHING),
    ("The scale runs 0 100 200 300", NOTHING),
    ("Temperature 0 20 40 60 80 100 120", NOTHING),
    ("lat 0 12.345678", NOTHING),
    ("call 0 123 45678", ["0 123 45678"]),
    ("Tel: 0 30 / 12 34 56 78", ["0 30 / 12 34 56 78"]),
    # Digits and a space before.
    ("New York, NY 10001 (212) 555-0199", ["(212) 555-0199"]),
    ("Suite 300 (212) 555-0199", ["(212) 555-0199"]),
    ("June 5 212-555-0199", ["212-555-0199"]),
    ("75001 01 42 68 53 00", ["01 42 68 53 00"]),
    # Side by side.
    ("212-555-0143 212-555-0144", ["212-555-0143", "212-555-0144"]),
    ("Tel. (212) 555-0143 (212) 555-0144", ["(212) 555-0143", "(212) 555-0144"]),
    ("01 42 68 53 00 06 12 34 56 78", ["01 42 68 53 00", "06 12 34 56 78"]),
    ("CALL : 09312687253 or 08595350504", ["09312687253", "08595350504"]),
    ("Tel. 22 123 45 67, 22 123 45 68", ["22 123 45 67", "22 123 45 68"]),
    ("fax 12345678; 0.23456789", ["12345678"]),
    # Brackets around the whole; what comes after.
    ("(719-440-1050)", ["719-440-1050"]),
    ("(212 555 0143)", ["212 555 0143"]),
    ("(+1 212-555-0143)", ["+1 212-555-0143"]),
    ("713 798 1626 (phone)", ["713 798 1626"]),
    ("+1 (617) 573-5591/3747", ["+1 (617) 573-5591/3747"]),
    ("212 - 555 - 0143", ["212 - 555 - 0143"]),
    # Words of other languages.
    ("Телефон: 8 (495) 123-45-67", ["8 (495) 123-45-67"]),
    ("Звоните 8 495 1234567", ["8 495 1234567"]),
    ("Fon 22 123 45 67", ["22 123 45 67"]),
    ("Telefonnummer 22 123 45 67", ["22 123 45 67"]),
    ("Puh. 40 123 4567", ["40 123 4567"]),
    ("Tlf. 22 12 34 56", ["22 12 34 56"]),
    ("Cellulare 333 1234567", ["333 1234567"]),
    ("Mobiel 612345678", ["612345678"]),
    ("kom. 601 234 567", ["601 234 567"]),
    ("Telemóvel 912 345 678", ["912 345 678"]),
    ("Τηλ.: 210 123 4567", ["210 123 4567"]),
    ("전화: 10-1234-5678", ["10-1234-5678"]),
    ("联系电话:13812345678", ["13812345678"]),
    ("手机 13812345678", ["13812345678"]),
    ("Gsm 532 123 45 67", ["532 123 45 67"]),
    ("هاتف: 50 123 4567", ["50 123 4567"]),
    ("טלפון: 50-123-4567", ["50-123-4567"]),
    ("โทร. 81-234-5678", ["81-234-5678"]),
    ("Điện thoại: 912 345 678", ["912 345 678"]),
    # Pages, constants, dumps, decimal numbers.
    ("Num. Math. 11, p. 181-195 (1968)", NOTHING),
    ("PNAS, 103 (23), p. 8577-8582, 2006", NOTHING),
    ("The number 299792458 is", NOTHING),
    ("the text of number 1011000101011", NOTHING),
    ("call 100000000 times", NOTHING),
    ("<Buffer 01 02 03 04 05 06 07>", NOTHING),
    ("<Buffer 01 42 68 53 00 11 22>", NOTHING),
    ("01 02 03 04 05", NOTHING),
    ("1.648 777 2536 e-41", NOTHING),
    ("2013-01-01 00:00:00 2013-01-01 00:00", NOTHING),
    ('check_call(["truncate", "-s", "5368709120"])', NOTHING),
    ("13,178,002.113936031", NOTHING),
    ("political entity (800/962\u20131806)", NOTHING),
    ("0(0)52696-7 4611 719", NOTHING),
    ("电话0(212)2001:1", ["0(212)2001"]),
    ("t.simplify() == Rational(49865956897, 5995849160)", NOTHING),
]
OTHERS: list[tuple[str, list[tuple[str, str]]]] = [
    ("Visa 4111 1111 1111 1111 (212) 555-0199",
     [("payment_card", "4111 1111 1111 1111"), ("phone", "(212) 555-0199")]),
    ("Visa 4111 1111 1111 1111 123", [("payment_card", "4111 1111 1111 1111")]),
    ("6270 5482 6941 9693 0", [("payment_card", "6270 5482 6941 9693 0")]),
    ("Maestro 6304 1706 3207", [("payment_card", "6304 1706 3207")]),
    ("карта 4865736893704", [("payment_card", "4865736893704")]),
    ("4828147466240000*t**12", []),
    ("rng = default_rng(348932549825235)", []),
    ("SSN of user 2: 519846124", [("us_ssn", "519846124")]),
    ("Social security no. (field 4): 519846124", [("us_ssn", "519846124")]),
    ("SSN 519846124, 519846125", [("us_ssn", "519846124"), ("us_ssn", "519846125")]),
    ("SSN 519\u201384\u20136124", [("us_ssn", "519\u201384\u20136124")]),
    ("519\u201184\u20116124", [("us_ssn", "519\u201184\u20116124")]),
    ("social_security_number: 499 29 5550", [("us_ssn", "499 29 5550")]),
    ("DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000",
     [("iban", "DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000")]),
    ("IBAN MN17 8546 8087 7292 2492", [("iban", "MN17 8546 8087 7292 2492")]),
    ("IBAN FK09KN081226288405", [("iban", "FK09KN081226288405")]),
    ("ssh root@23.1.2.3", [("ipv4", "23.1.2.3")]),
    ("host-8.8.4.4", [("ipv4", "8.8.4.4")]),
    ("[IPv6:2607:f8b0:4005:80a::200e]", [("ipv6", "2607:f8b0:4005:80a::200e")]),
    ("addr:2607:f8b0:4005:80a:1:2:3:4, node:2607:f8b0::1",
     [("ipv6", "2607:f8b0:4005:80a:1:2:3:4"), ("ipv6", "2607:f8b0::1")]),
    ('ObjectIdentifier("2.5.29.32"), 1.3.101.112, 11.8.3.1 SIP-Proxy', []),
    ("v8: '12.4.254.14', __version__ = \"3.5.0.1\", deps: upgrade V8 to 4.5.103.24", []),
    ("2a00:1450::10, 12345678", [("ipv6", "2a00:1450::10")]),
    ("2001:1:2:3:4:5:6:724:72b94597b979a83f8aa4c81f08964f083519245b8a1c994a591a6929", []),
    ("M1.52-.87 2.83-2.12 3.51.98.32 2.03", []),
    ("info@firma.xn--p1ai", [("email", "info@firma.xn--p1ai")]),
    ("_john.smith@gmail.com_", [("email", "john.smith@gmail.com")]),
    ("_x9@mail.co.uk_", [("email", "x9@mail.co.uk")]),
    ("an jürgen@web.de", [("email", "jürgen@web.de")]),
    ("an info@müller.de, max@münchen.example.de", [("email", "info@müller.de"), ("email", "max@münchen.example.de")]),
    ("„info@web.de“, 邮箱info@web.de", [("email", "info@web.de"), ("email", "info@web.de")]),
    ("пишите info@почта.рф", [("email", "info@почта.рф")]),
    ("bounce+jane=example.com@lists.org", [("email", "bounce+jane=example.com@lists.org")]),
    ("mail=jane@example.org&x=1", [("email", "jane@example.org")]),
    ("<sales&co@gmail.com>, a/b@gmail.com", [("email", "sales&co@gmail.com"), ("email", "a/b@gmail.com")]),
    ("{alice, bob}@cs.example.edu", [("email", "{alice, bob}@cs.example.edu")]),
    (r"\njane@example.org\n", [("email", "jane@example.org")]),
    ("to=%20jane@example.org%20", [("email", "jane@example.org")]),
    (f"xoxc-1{SLACK[5:]}", [("slack_token", f"xoxc-1{SLACK[5:]}")]),
    ("xoxd-zgU8xcanz82fptc2PhpHmCWauo%2B3KHz%3D", [("slack_token", "xoxd-zgU8xcanz82fptc2PhpHmCWauo%2B3KHz%3D")]),
    (f"{AWS},{SECRET}", [("aws_key", f"{AWS},{SECRET}")]),
    (f"os.environ['AWS_SECRET_ACCESS_KEY'] = '{SECRET}'", [("aws_key", SECRET)]),
    (f"secret_key => '{SECRET}', # aws", [("aws_key", SECRET)]),
    (f"secret_key => '{SECRET}', # another's", []),
    (f"aws secret of the thing: see the page {SECRET}", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "values"), PHONES)
def test_telephone_numbers(text: str, values: list[str]) -> None:
    assert found(text) == [("phone", value) for value in values]
    mail = [("email", "a.secret@leakmail.org")]
    assert found(f"{text} and mail a.secret@leakmail.org") == [("phone", value) for value in values] + mail


@pytest.mark.parametrize(("text", "hits"), OTHERS)
def test_other_kinds(text: str, hits: list[tuple[str, str]]) -> None:
    assert found(text) == hits


@pytest.mark.parametrize("ahead", [r'"\n', r"\t", r"\r", "=3D", "key%3D", r"\u003d", "\\x3d", "(", "é"])
@pytest.mark.parametrize(
    ("kind", "value"),
    [("aws_key", AWS), ("github_token", TOKEN), ("google_api_key", GOOGLE), ("slack_token", SLACK), ("jwt", JWT)],
)
def test_keys_after_escapes(ahead: str, kind: str, value: str) -> None:
    assert found(f"conf x {ahead}{value} rest") == [(kind, value)]
    assert found(f"conf x token{value} rest") == []


@pytest.mark.parametrize(("kind", "value"), [("aws_key", AWS), ("github_token", TOKEN), ("google_api_key", GOOGLE)])
def test_keys_in_names(kind: str, value: str) -> None:
    assert found(f"KEY_{value} and {value}_old") == [(kind, value), (kind, value)]


LINE, SHORT = "a1B2c3D4e5F6g7H8" * 4, "Zz0Yy1Xx2Ww3Vv4"
BREAKS = (
    "\n",
    "\r\n",
    "\n        ",
    "\n\t",
    "\n> ",
    "\n# ",
    "\n// ",
    "\n * ",
    "<br>\n",
    "&#10;",
    "\\n",
    "\\\\n",
    '\\n" +\n    "',
)


@pytest.mark.parametrize("between", BREAKS)
@pytest.mark.parametrize("last", [LINE, SHORT, SHORT + "="])
def test_a_cut_private_key(between: str, last: str) -> None:
    key = between.join(["-----BEGIN RSA PRIVATE KEY-----", LINE, LINE, last])
    prose = "\n\nThe rest is prose.\n-----END CERTIFICATE-----"
    assert found(f"{key}{prose}") == [("private_key", key)]
    whole = f"{key}{between}-----END RSA PRIVATE KEY-----"
    assert found(f"{whole}{prose}") == [("private_key", whole)]


PIECES = st.one_of(
    st.sampled_from(
        ("tel ", "SSN ", "ss", "social security ", "card ", "ip ", "call", "(phone)", "or", "DE", "GB", "v6", "addr", "e-4")
    ),
    st.sampled_from(("212-555-0143", "519846124", "123-45-6789", "4111 1111 1111 1111", "8.8.8.8", "2a00:1450::1", "x@y.org")),
    st.sampled_from(("01 42 68 53 00", "+49 30", "(0)", "(212)", "00", "0", "1", "2", "2015", "30", "123", "4567")),
    st.sampled_from((" ", "  ", ", ", " / ", "-", " - ", "\u2013", "\u2011", "\u00a0", ".", ":", "::", "/", "(", ")", "+", "\n")),
    st.text(string.digits, max_size=10),
    st.text(string.digits + " .-/:()+@", max_size=8),
    st.text(string.hexdigits + ":", max_size=8),
    st.text("aé电Т€_%\\", max_size=3),
)  # fmt: skip


@settings(max_examples=1500, deadline=None)
@given(st.lists(PIECES, max_size=24).map("".join))
def test_numbers_mixed_with_anything(text: str) -> None:
    found(text)
    scan(text.encode()[1:])  # cut inside a character


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(("SSN", "ssn", "SS#", "Social Security", "social_security_number", "Taxpayer ID", "seguro social")),
    st.text("0123456789 aZ#:,()-é", max_size=40),
    st.sampled_from(("", "-", " ", ".", "\u2011", "\u2013")),
)
def test_social_security_numbers_after_anything(word: str, between: str, gap: str) -> None:
    found(f"{word}{between} 519{gap}84{gap}6124, 519846125")
