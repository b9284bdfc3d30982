"""Pages of manuals, whose text is known exactly: the generators of their sites mark it.

trafilatura loses sentences on pages full of code, so it is no teacher there. The packages are Debian's.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lxml import html as lxml_html

from corpus.errors import InputError

PAGES_EACH = 40
_SMALLEST, _LARGEST = 2 << 10, 300 << 10
_LEAST_TEXT = 200


class Manual(NamedTuple):
    """A package by version and sha256, and XPaths: of the text, and of what inside it is none."""

    version: str
    sha256: str
    text: str
    besides: str


MANUALS = {
    "apache2-doc": Manual(
        "2.4.71-1~deb12u1",
        "a7b3d1131c1c63dbf9999b28e75f9a133d30f70492b419936bd51759ac77a01f",
        '//div[@id="page-content"]',
        '//div[@id="quickview"]',
    ),
    "cmake-doc": Manual(
        "3.25.1-1",
        "6e805a758ffed87cc7ea234cf0a7a1bb8ae78b93d8b5783e7fb989a6320f8133",
        '//div[@role="main"]',
        "",
    ),
    "developers-reference-de": Manual(
        "12.18",
        "281f0c2b24139e0ac83117c3e95b60458a6644fe14c82cf9ea78e87ea8c175d7",
        '//div[@role="main"]',
        "",
    ),
    "erlang-doc": Manual(
        "1:25.2.3+dfsg-1+deb12u4",
        "7d172cecfdd9c2930b27c776ad226ffcc84670375cf830c79ee41c6944e8a1c8",
        '//div[@class="innertube"]',
        '//div[@class="title-anchors"]',
    ),
    "gimp-help-ru": Manual(
        "2.10.34-2",
        "6cc1afc044beda47a616cd2627ac5941bcca7ef7beb5edde7aa3b41cc61c3edd",
        "//body",
        '//div[@class="navheader" or @class="navfooter"]',
    ),
    "libreoffice-help-fr": Manual(
        "4:7.4.7-1+deb12u14",
        "c796530d3e95af1ea4d054076682efc8aad2b569ae9513f3d4a776b2df3fd206",
        '//div[@id="DisplayArea"]',
        "",
    ),
    "nodejs-doc": Manual(
        "18.20.4+dfsg-1~deb12u3",
        "d2fbd4f3aecccea9d901a03842ef8380379e0d33010a48af5e797ed68ae874ce",
        '//div[@id="apicontent"]',
        "",
    ),
    "octave-doc": Manual(
        "7.3.0-2",
        "b27897cc7e3d688daa5cb8f8d1ea47077f3fbd205ce32e22522200ff0c1eadd5",
        "//body",
        '//div[@class="header"]',
    ),
    "postgresql-doc-15": Manual(
        "15.20-0+deb12u1",
        "4c44bf2c599f208b3f46454a6cf7a72e25ec46ff74d37b59dd31ad76b00eebb7",
        "//body",
        '//div[@class="navheader" or @class="navfooter"]',
    ),
    "python-django-doc": Manual(
        "3:3.2.25-0+deb12u7",
        "87307f067916df72e17180d35b7cde5c7ea6080336cda518efd7f6e66988a7ca",
        '//div[@id="yui-main"]',
        "",
    ),
    "python-sqlalchemy-doc": Manual(
        "1.4.46+ds1-1",
        "8805c3167ef75278ac6fd58ed9856321c2b2e3a7e441edba84b2eb955216d0fd",
        '//div[@role="main"]',
        "",
    ),
    "sqlite3-doc": Manual(
        "3.40.1-2+deb12u2",
        "466e30d7066e2641fa13e56bc662a2ad521b8cc9c17dde9c9dac3d4f105e32f2",
        "//body",
        '//div[@class="nosearch"]',
    ),
}


def manuals(folder: Path) -> Iterator[tuple[str, str, str]]:
    """(URL, page, its text) of PAGES_EACH pages of each package, chosen by hash of their names.

    `folder` holds the packages as `apt-get download` brings them. Raises InputError for one that is not there.
    """
    for name, manual in MANUALS.items():
        found = [path for path in folder.glob(f"{name}_*.deb") if _sha256(path) == manual.sha256]
        if not found:
            raise InputError(
                f"{folder}: no {name} {manual.version}; there, run: apt-get download {name}={manual.version}"
            )
        archive = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(found[0])], capture_output=True, check=True).stdout
        taken = 0
        for path, content in _pages(archive):
            text = _text(content, manual)
            if len(text) >= _LEAST_TEXT:
                yield f"https://{name}.example/{path}", content.decode("utf-8", "replace"), text
                taken += 1
            if taken == PAGES_EACH:
                break


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pages(archive: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = [
            member
            for member in tar
            if member.isfile() and member.name.endswith((".html", ".html.fr", ".html.en", ".html.de"))
            and _SMALLEST <= member.size <= _LARGEST
        ]  # fmt: skip
        for member in sorted(files, key=lambda file: hashlib.sha256(file.name.encode()).digest()):
            stream = tar.extractfile(member)
            assert stream is not None
            yield member.name.removeprefix("./"), stream.read()


def _text(content: bytes, manual: Manual) -> str:
    tree = lxml_html.fromstring(
        content.decode("utf-8", "replace").encode(), parser=lxml_html.HTMLParser(encoding="utf-8")
    )
    unwanted = "//script|//style" + (f"|{manual.besides}" if manual.besides else "")
    for element in tree.xpath(unwanted):
        element.drop_tree()
    roots = tree.xpath(manual.text)
    return "\n".join(" ".join(part.split()) for part in roots[0].itertext() if part.strip()) if roots else ""
