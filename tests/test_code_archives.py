"""Archives of code repositories: their formats, hostile names, damage and bombs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tarfile
import zipfile

import pytest
import reading
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.sources.config import CodeOptions

PY = b"def f():\n    return 1\n"


def rows(path, **options):
    """({locator: row}, what was skipped); every locator comes once."""
    found, skipped = reading.rows(path, "code", code=CodeOptions(**options))
    by_locator = {row["locator"]: row for row in found}
    assert len(by_locator) == len(found)
    return by_locator, dict(skipped)


def tar_of(files: dict[str, bytes | str], format: int = tarfile.PAX_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=format) as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def summary(found):
    """{path: (problem or language, licence)}"""
    return {row["url"]: (row["problem"] or row["programming_language"], row["license"]) for row in found.values()}


@pytest.mark.parametrize(
    "compress", [bz2.compress, lzma.compress, lambda data: lzma.compress(data) + lzma.compress(b"")]
)
def test_other_compressions(tmp_path, compress):
    name = "p.tar.bz2" if compress is bz2.compress else "p.tar.xz"
    (tmp_path / name).write_bytes(compress(tar_of({"p/a.py": PY, "p/b.rs": "fn main() {}\n"})))
    found, _ = rows(tmp_path / name)
    assert summary(found) == {"a.py": ("Python", None), "b.rs": ("Rust", None)}


def with_member(archive: tarfile.TarFile, name: str, data: bytes = b"", **fields: object) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    archive.addfile(info, io.BytesIO(data))


def test_names_that_lead_elsewhere(tmp_path):
    path = tmp_path / "p.tar"
    with tarfile.open(path, "w") as archive:
        with_member(archive, "/etc/a.py", PY)
        with_member(archive, "../../b.py", PY)
        with_member(archive, "./c.py", b"x = 1\n")
        with_member(archive, "c.py", b"x = 2\n")
        with_member(archive, "link.py", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        with_member(archive, "hard.py", type=tarfile.LNKTYPE, linkname="c.py")
        with_member(archive, "null", type=tarfile.CHRTYPE)
        with_member(archive, "folder.py", type=tarfile.DIRTYPE)
        with_member(archive, "caf\udce9\\d.py", PY)
    before = sorted(tmp_path.rglob("*"))
    found, skipped = rows(path)
    assert sorted(tmp_path.rglob("*")) == before
    assert {key: (row["problem"], row["content"]) for key, row in found.items()} == {
        "p.tar#etc/a.py": (None, PY),
        "p.tar#../../b.py": ("unsafe_path", None),
        "p.tar#c.py": (None, b"x = 2\n"),
        "p.tar#caf\\xe9\\\\d.py": (None, PY),
    }
    assert skipped == {"link": 2, "special": 1, "replaced": 1}


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_and_foreign_names(tmp_path, format):
    long = "p/" + "d" * 90 + "/" + "é" * 40 + ".py" if format == tarfile.USTAR_FORMAT else "p/" + "é/" * 200 + "x.py"
    (tmp_path / "p.tar").write_bytes(tar_of({long: PY}, format))
    found, _ = rows(tmp_path / "p.tar")
    assert list(found) == [f"p.tar#{long}"]


def many(count: int = 20) -> dict[str, bytes | str]:
    return {f"p/{number:02}.py": random.Random(number).randbytes(400).hex() for number in range(count)}


@pytest.mark.parametrize("form", ["tar", "tar.gz", "tar.xz", "tar.bz2", "tar.zst"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.999])
def test_a_cut_tar_keeps_what_came_before(tmp_path, form, share):
    compress = {
        "tar": bytes,
        "tar.gz": gzip.compress,
        "tar.xz": lzma.compress,
        "tar.bz2": bz2.compress,
        "tar.zst": zstandard.compress,
    }
    plain = tar_of(many())
    plain = plain.rstrip(b"\0") + bytes(1024 + -len(plain.rstrip(b"\0")) % 512)
    data = compress[form](plain)
    (tmp_path / f"p.{form}").write_bytes(data[: int(len(data) * share) - (1024 if form == "tar" else 0)])
    found, _ = rows(tmp_path / f"p.{form}")
    *whole, last = found.items()
    assert (last[0], last[1]["problem"], last[1]["url"]) == (f"p.{form}", "damaged", None)
    expected = {f"p.{form}#{name}": text.encode() for name, text in many().items() if isinstance(text, str)}
    assert {key: row["content"] for key, row in whole} == dict(list(expected.items())[: len(whole)])
    # bzip2 and zstd give whole blocks, of 900 and 128 kB.
    assert form in ("tar.bz2", "tar.zst") or share < 0.9 or len(whole) > 15


def test_headers_that_are_corrupt(tmp_path):
    plain = bytearray(tar_of(many(4)))
    size = 512 + 1024
    for name, change in {"bad": b"\xff" * 100, "zero": bytes(512)}.items():
        data = plain.copy()
        data[2 * size : 2 * size + len(change)] = change
        (tmp_path / f"{name}.tar").write_bytes(data)
        found, _ = rows(tmp_path / f"{name}.tar")
        assert [row["problem"] for row in found.values()] == [None, None, "damaged"]
    (tmp_path / "none.tar").write_bytes(b"no archive at all" * 100)
    (tmp_path / "none.zip").write_bytes(b"PK\x03\x04 no archive at all" * 100)
    for name in ("none.tar", "none.zip"):
        found, _ = rows(tmp_path / name)
        assert [(key, row["problem"]) for key, row in found.items()] == [(name, "damaged")]
    for content in (b"", bytes(10240)):
        (tmp_path / "empty.tar").write_bytes(content)
        assert rows(tmp_path / "empty.tar") == ({}, {"empty_file": 1})


def test_zip_members_stand_alone(tmp_path):
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("LICENSE", "All rights reserved.")
        archive.writestr("a.py", PY)
        archive.writestr("b.py", b"y = 2\n" * 50)
        archive.writestr("c.py", b"z = 3\n" * 50, zipfile.ZIP_STORED)
        archive.writestr("d.py", PY)
        link = zipfile.ZipInfo("e.py")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "a.py")
        archive.writestr("f/", b"")
        where = {info.filename: info.header_offset for info in archive.infolist()}
    data = bytearray(path.read_bytes())
    data[where["c.py"] + 40] ^= 1
    at = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1) + 1)
    data[at + 8] |= 1  # the flag "encrypted" of the third entry, b.py
    path.write_bytes(data)
    found, skipped = rows(path)
    assert {row["url"]: (row["problem"], row["license"]) for row in found.values()} == {
        "a.py": (None, "LicenseRef-unknown"),
        "b.py": ("encrypted", None),
        "c.py": ("damaged", None),
        "d.py": (None, "LicenseRef-unknown"),
    }
    assert skipped == {"license": 1, "link": 1}


def test_a_zip_whose_directory_is_shorter_than_it_says(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in many(3).items():
            archive.writestr(name, text)
    data = bytearray(stream.getvalue())
    end = data.index(b"PK\x05\x06")
    first = data.index(b"PK\x01\x02")
    size = data.index(b"PK\x01\x02", first + 1) - first
    data[end + 12 : end + 16] = size.to_bytes(4, "little")
    data[end + 16 : end + 20] = first.to_bytes(4, "little")
    del data[first + size : end]
    (tmp_path / "p.zip").write_bytes(data)
    found, _ = rows(tmp_path / "p.zip")
    assert [(row["problem"], row["detail"]) for row in found.values()] == [
        (None, None),
        ("damaged", "the directory has 1 entries, the archive 3"),
    ]


def test_a_zip_entry_twice(tmp_path):
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.py", b"x = 1\n")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.py", b"x = 2\n")
    found, skipped = rows(path)
    assert [row["content"] for row in found.values()] == [b"x = 2\n"]
    assert skipped == {"replaced": 1}


def test_bombs(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "p.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.py", bytes(50 << 20))
        archive.writestr("b.py", PY)
    found, _ = rows(tmp_path / "p.zip")
    assert {row["url"]: row["problem"] for row in found.values()} == {"a.py": "too_large", "b.py": None}

    monkeypatch.setattr("corpus.sources.code.archive._FLOOR", 1 << 20)
    bomb = tar_of({"p/a.py": PY, "p/b.bin": bytes(64 << 20), "p/c.py": PY})
    (tmp_path / "p.tar.gz").write_bytes(gzip.compress(bomb, 9))
    found, _ = rows(tmp_path / "p.tar.gz")
    assert [(row["url"], row["problem"]) for row in found.values()] == [("a.py", None), (None, "damaged")]
    assert found["p.tar.gz"]["detail"].startswith("decompresses to more than ")


def test_a_header_that_never_ends(tmp_path):
    info = tarfile.TarInfo("x.py")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 64 << 20
    (tmp_path / "p.tar.gz").write_bytes(gzip.compress(info.tobuf() + b"a" * info.size))
    found, _ = rows(tmp_path / "p.tar.gz")
    assert [(row["problem"], row["detail"]) for row in found.values()] == [
        ("damaged", "a header of more than 1048576 bytes")
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["tar", "zip", "tar.gz"]), st.data())
def test_any_damage_ends_in_rows(tmp_path, form, data):
    if form == "zip":
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in many(6).items():
                archive.writestr(name, text)
        whole = stream.getvalue()
    else:
        whole = tar_of(many(6)) if form == "tar" else gzip.compress(tar_of(many(6)), mtime=0)
    changed = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / f"p.{form}").write_bytes(changed)
    found, skipped = rows(tmp_path / f"p.{form}")
    taken = [row["content"] for row in found.values() if row["problem"] is None]
    assert len(taken) <= 6
    if len(taken) < 6:
        assert skipped or any(row["problem"] for row in found.values())


def test_the_licence_of_a_file_two_thousand_folders_deep(tmp_path):
    deep = "p/" + "d/" * 2000 + "deep.py"
    (tmp_path / "a.tar").write_bytes(
        tar_of({"p/setup.py": PY, "p/pyproject.toml": '[project]\nlicense = "MIT"', deep: PY})
    )
    found, _ = rows(tmp_path)
    licenses = {row["url"].rpartition("/")[2]: row["license"] for row in found.values()}
    assert licenses == {"setup.py": "MIT", "deep.py": "MIT"}
