"""Which addresses a download may go to."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import InputError
from corpus.fetch.addresses import is_public, require_public, resolve


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.255.0.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *("0.0.0.0", "0.1.2.3", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"),
        *("198.51.100.1", "203.0.113.1", "192.0.0.8", "192.88.99.1"),
        *("[::]", "[::1]", "[fe80::1]", "[fc00::1]", "[fd12::1]", "[fec0::1]", "[ff02::1]", "[2001:db8::1]"),
        *("[::ffff:127.0.0.1]", "[::ffff:8.8.8.8]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::1]"),
        *("[2002:7f00:1::]", "[2001::1]", "[3fff::1]", "[100::1]", "[4000::1]"),
        *("[fe80::1%25lo]", "[2606:4700::1%25lo]"),
        *("2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "134744072", "8.8.8.010", "127.0.0.1."),
        *("localhost", "LOCALHOST", "user@127.0.0.1", "user:word@localhost", "１２７.0.0.1", "127。0。0。1"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https", "HTTP"])
def test_what_is_not_public_is_refused(scheme: str, host: str) -> None:
    with pytest.raises(InputError) as caught:
        require_public(f"{scheme}://{host}/x", allow_private=False)
    assert str(caught.value).startswith(f"{scheme}://{host.rpartition('@')[2]}/x: ")
    assert "\n" not in str(caught.value)
    if "%" not in host:
        require_public(f"{scheme}://{host}/x", allow_private=True)


@pytest.mark.parametrize("host", ["8.8.8.8", "1.1.1.1:8080", "[2606:4700::1]", "[64:ff9b::8.8.8.8]", "user@8.8.8.8"])
def test_public_addresses_pass(host: str) -> None:
    require_public(f"https://{host}/x", allow_private=False)


@pytest.mark.parametrize("url", ["s3://127.0.0.1/x", "hf://datasets/x", "data/pages.warc.gz", "file:///etc/passwd"])
def test_other_schemes_are_not_looked_at(url: str) -> None:
    require_public(url, allow_private=False)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://", "has no clear host"),
        ("http:///x", "has no clear host"),
        ("http://8.8.8.8\\@example.org/", "has no clear host"),
        (" http://8.8.8.8/", "has no clear host"),
        ("http://8.8.8.8/a b", "has no clear host"),
        ("http://8.8.8.8/a\nb", "has no clear host"),
        ("http://8.8.8.8:99999/", "is no valid URL"),
        ("http://[::1/", "is no valid URL"),
        ("http://nobody.invalid/", "cannot be resolved"),
    ],
)
def test_what_parsers_could_read_differently_is_refused(url: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        require_public(url, allow_private=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://ann:hunter2@127.0.0.1/a@b", "http://hunter2@[::1/", "http://x:hunter2@h:y/"])
def test_no_message_shows_a_user_or_password(url: str) -> None:
    with pytest.raises(InputError, match=r"^http://") as caught:
        require_public(url, allow_private=False)
    assert "hunter2" not in str(caught.value)


def test_every_address_of_a_name_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(host: str, port: int, **_: Any) -> list[Any]:
        found = ["8.8.8.8", "10.0.0.1"] if host == "mixed.example" else ["8.8.8.8", "8.8.8.8", "2606:4700::1"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with pytest.raises(InputError, match=r"mixed\.example is 10\.0\.0\.1, which is not a public address"):
        require_public("http://mixed.example/", allow_private=False)
    assert resolve("http://public.example/", allow_private=False) == ("8.8.8.8", "2606:4700::1")


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_is_never_more_public(address: ipaddress.IPv4Address) -> None:
    assert not is_public(f"::ffff:{address}")
    assert is_public(f"64:ff9b::{address}") == is_public(str(address))
    assert is_public(str(address)) <= address.is_global


@given(st.ip_addresses(v=6))
def test_only_global_unicast_is_public(address: ipaddress.IPv6Address) -> None:
    nat64 = address in ipaddress.IPv6Network("64:ff9b::/96")
    assert not is_public(str(address)) or nat64 or (address.is_global and str(address)[0] in "23")


@given(st.text())
def test_any_text_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InputError) as caught:
        require_public(f"http://127.0.0.1/{text}", allow_private=False)
    assert len(str(caught.value).splitlines()) == 1
