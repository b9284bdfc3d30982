"""Model files that lie: told in one line, before memory is taken for what they say."""

from __future__ import annotations

import gzip
import json
import struct
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpus.errors import InputError
from corpus.language.fasttext_model import read_labels, read_model
from corpus.quality.perplexity import arpa, file
from corpus.quality.perplexity.score import of_documents

MB = 1 << 20


def peak(work: Callable[[], object]) -> int:
    """The most bytes that Python and numpy held at once."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def fasttext_file(path: Path, labels: list[bytes], matrix: bytes, quantised: bool = False, dim: int = 4) -> Path:
    """A softmax model without words; `matrix`: its input matrix and all that follows."""
    arguments = struct.pack("<2i12id", 793712314, 12, dim, 5, 5, 1, 5, 1, 3, 3, 0, 0, 0, 100, 1e-4)
    dictionary = struct.pack("<3i2q", len(labels), 0, len(labels), 10, -1)
    entries = b"".join(label + b"\0" + struct.pack("<qb", 1, 1) for label in labels)
    path.write_bytes(arguments + dictionary + entries + struct.pack("<?", quantised) + matrix)
    return path


def dense(rows: int, dim: int = 4) -> bytes:
    return struct.pack("<2q", rows, dim) + np.ones((rows, dim), "<f4").tobytes()


def two_matrices(labels: int) -> bytes:
    return dense(0) + struct.pack("<?", False) + dense(labels)


def test_a_small_model_is_read(tmp_path: Path) -> None:
    path = fasttext_file(tmp_path / "m.bin", [b"__label__de", b"__label__zh-Hant"], two_matrices(2))
    assert read_model(path).labels == read_labels(path) == ("de", "zh-Hant")


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ([b"__label__de", b"__label__de"], "has the label de twice"),
        ([b"__label__de", b"de"], "has the label de twice"),
        ([b"__label__de", b"__label__"], "a label that is none: b'__label__'"),
        ([b"__label__de", b""], "a label that is none: b''"),
        ([b"__label__a b"], "a label that is none"),
        ([b"__label__a\nb"], "a label that is none"),
        ([b"__label__\xff"], "a label that is none"),
        ([b"__label__" + b"a" * 257], "a label of over 256 bytes"),
    ],
)
def test_labels_that_are_none_are_refused(labels: list[bytes], why: str, tmp_path: Path) -> None:
    path = fasttext_file(tmp_path / "m.bin", labels, two_matrices(len(labels)))
    for read in (read_model, read_labels):
        with pytest.raises(InputError, match=why) as told:
            read(path)
        assert "\n" not in str(told.value)


def test_a_quantised_matrix_takes_no_memory_for_a_lie(tmp_path: Path) -> None:
    """One code of 4,096 values a row: 5 MB that would unpack to 16 GB."""
    dim, rows = 4096, MB
    codes = struct.pack("<?2qi", False, rows, dim, rows) + bytes(rows)
    centroids = struct.pack("<4i", dim, 1, dim, dim) + bytes(4 * dim * 256)
    path = fasttext_file(tmp_path / "m.ftz", [b"__label__de"], codes + centroids, quantised=True, dim=dim)

    def read() -> None:
        with pytest.raises(InputError, match=r"a matrix of 1,048,576 rows, more than so small a file holds"):
            read_model(path)

    assert peak(read) < 4 * MB


ARPA = (
    "\\data\\\nngram 1=4\nngram 2=2\n\n\\1-grams:\n-0.5\tb\t-0.25\n-99\t<s>\t-0.5\n-1\ta\t-0.125\n-2\t</s>\n\n"
    "\\2-grams:\n-0.0625\ta b\n-0.1\t<s> a\n\n\\end\\\n"
)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("-0.0625\t", "-1000.1\t", 12),
        ("-0.1\t", "-1e38\t", 13),
        ("-1\ta\t-0.125", "-1\ta\t-1e300", 8),
        ("-0.5\tb\t-0.25", "-0.5\tb\t1000.01", 6),
    ],
)
def test_absurd_numbers_are_told_with_their_line(old: str, new: str, line: int, tmp_path: Path) -> None:
    path = tmp_path / "m.arpa"
    path.write_text(ARPA.replace(old, new))
    with pytest.raises(InputError, match=rf"line {line} has a probability or a back-off weight that no model has"):
        arpa.read(path)


def test_the_bounds_themselves_are_read(tmp_path: Path) -> None:
    path = tmp_path / "m.arpa"
    path.write_text(ARPA.replace("-0.0625", "-1000").replace("-0.25", "1000"))
    assert arpa.read(path).orders[0].backoff.max() == 1000


def test_the_lines_of_later_blocks_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arpa, "_BLOCK", 32)
    path = tmp_path / "m.arpa"
    path.write_text(ARPA.replace("-0.1\t", "-1e9\t"))
    with pytest.raises(InputError, match="line 13 has"):
        arpa.read(path)


def test_a_giant_line_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arpa, "_BLOCK", MB)
    path = tmp_path / "m.arpa"
    for text, line in (("x" * 40 * MB, 1), (ARPA.replace("a b", "a" * 40 * MB), 12)):
        path.write_text(text)
        assert peak(lambda line=line: _refused(path, f"line {line} is over 1 MB long")) < 8 * MB


def test_a_gzip_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.arpa.gz"
    head = b"\\data\\\nngram 1=20000000\n\n\\1-grams:\n"
    path.write_bytes(gzip.compress(b"\\data\\\n" + b"\n" * 70 * MB))
    assert peak(lambda: _refused(path, "it unpacks to over 64 MB, which no model of its size does")) < 80 * MB
    path.write_bytes(gzip.compress(head + b"-1\ta\n"))
    assert peak(lambda: _refused(path, "it says that it has 20,000,000 n-grams, more than so small")) < 40 * MB


def _refused(path: Path, why: str) -> None:
    with pytest.raises(InputError, match=why) as told:
        arpa.read(path)
    assert "\n" not in str(told.value)


def changed(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """A .ngram file with another header."""
    at = len(file.MAGIC) + 8
    end = at + int.from_bytes(data[len(file.MAGIC) : at], "little")
    header = json.loads(data[at:end])
    change(header)
    text = json.dumps(header).encode()
    return file.MAGIC + len(text).to_bytes(8, "little") + text + data[end:]


@pytest.fixture
def ngram(tmp_path: Path) -> bytes:
    path = tmp_path / "sound.arpa"
    path.write_text(ARPA)
    return file.dump(arpa.read(path))


@pytest.mark.parametrize(
    "reading",
    [
        {"normalise": "other"},
        {"unit": ["words"]},
        {"unit": "pieces"},
        {"sentence": None},
        {"tokenizer_sha256": "x"},
        {"tokenizer_sha256": "0" * 64},
        {"tokenizer_sha256": 5, "unit": "pieces"},
    ],
)
def test_a_reading_that_is_none_is_refused(reading: dict[str, Any], ngram: bytes) -> None:
    with pytest.raises(InputError, match="its header cannot be read"):
        file.parse(changed(ngram, lambda header: header.update(reading=reading)), "m")
    assert file.parse(changed(ngram, lambda header: header.update(reading={"unit": "spaces"})), "m").reading is not None


def test_counts_are_judged_before_memory_is_taken(ngram: bytes) -> None:
    data = changed(ngram, lambda header: header.update(counts=[4, 4_000_000_000]))

    def read() -> None:
        with pytest.raises(InputError, match=r"is damaged \(its counts\)"):
            file.parse(data, "m")

    assert peak(read) < MB


def test_an_absurd_number_in_our_own_format_is_refused(ngram: bytes) -> None:
    model = file.parse(ngram, "m")
    first = replace(model.orders[0], backoff=np.full(len(model.orders[0]), 1001, np.float32))
    with pytest.raises(InputError, match="probability_1 or backoff_1"):
        file.parse(file.dump(replace(model, orders=(first, *model.orders[1:]))), "m")


def test_a_perplexity_is_never_zero_or_infinite() -> None:
    found = of_documents(np.array([-7000.0, -1e300, 7000.0, 0.0]), np.array([0, 1, 2, 2, 3, 4]))
    assert found.tolist()[:2] == [1e300, 1e300]
    assert np.isnan(found[2])
    assert found.tolist()[3:] == [1e-300, 1.0]
