"""ARPA files, the text format of n-gram models that KenLM, SRILM and others share."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.errors import CorpusError, InputError
from corpus.quality.perplexity.model import MAX_ORDER, SPECIALS, NgramModel, Order, most_bytes, unsound

_BLOCK = 16 << 20  # and the longest line
_SHORTEST = 4  # bytes of an n-gram's line: `0 a` and its end
_ROWS = 1 << 16
_SHOWN = 60
_INK = re.compile(rb"\S")
_UNSEEN = -100.0  # what KenLM takes for <unk> where a model lacks it


def lines(model: NgramModel) -> Iterator[bytes]:
    """The model as an ARPA file, a block at a time; float32 values as the shortest decimals that give them back.

    Raises CorpusError when a word holds white space, which the format cannot say.
    """
    if pc.any(pc.match_substring_regex(model.vocabulary, r"\s")).as_py():
        raise CorpusError("a token holds white space, which an ARPA file cannot say; leave --arpa out")
    counts = "".join(f"ngram {n}={count}\n" for n, count in enumerate(model.counts, 1))
    yield f"\\data\\\n{counts}".encode()
    for n, order in enumerate(model.orders, 1):
        yield f"\n\\{n}-grams:\n".encode()
        for start in range(0, len(order), _ROWS):
            part = np.arange(start, min(start + _ROWS, len(order)))
            words = _words(model, n, part)
            columns = [_decimal(order.probability[part]), words]
            if n < len(model.orders):
                columns.append(_decimal(order.backoff[part]))
            text = pc.binary_join_element_wise(*columns, pa.scalar("\t", pa.large_string()))
            yield "".join(f"{line}\n" for line in text.to_pylist()).encode()
    yield b"\n\\end\\\n"


def _decimal(values: np.ndarray) -> pa.Array:
    return pa.array(values + np.float32(0)).cast(pa.large_string())  # -0 becomes 0


def _words(model: NgramModel, n: int, rows: np.ndarray) -> pa.Array:
    found: list[pa.Array] = []
    for order in reversed(model.orders[:n]):
        found.insert(0, model.vocabulary.take(pa.array(order.word[rows])))
        rows = order.prefix[rows] if len(order.prefix) else rows
    return pc.binary_join_element_wise(*found, pa.scalar(" ", pa.large_string()))


def read(path: Path) -> NgramModel:
    """The model in an ARPA file, compressed by gzip where its name ends in `.gz`. Raises InputError.

    Memory and time are linear in the file's size: of a compressed one no more is read than `most_bytes` allows.
    """
    try:
        size = path.stat().st_size
        if path.suffix == ".gz":
            with gzip.open(path) as unpacked:
                return _Reader(unpacked, str(path), most_bytes(size)).model()  # type: ignore[arg-type]
        with path.open("rb") as stream:
            return _Reader(stream, str(path), size).model()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: is a damaged gzip file ({error}); get it again") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); correct the path") from error


class _Reader:
    """`most`: bytes that the stream may give."""

    def __init__(self, stream: BinaryIO, name: str, most: int) -> None:
        self._stream, self._name, self._most = stream, name, most
        self._rest, self._at = b"", 0
        self._read = self._lines = 0  # bytes of the stream, lines before `_rest`

    def _bad(self, why: str) -> InputError:
        return InputError(f"{self._name}: is no ARPA file ({why}); get it again")

    def _number(self, at: int) -> int:
        """Of the line that begins at `_rest[at]`, from 1."""
        return self._lines + self._rest.count(b"\n", 0, at) + 1

    def _fill(self) -> bool:
        """Read on, so that whole lines are at hand; False at the end of the file."""
        if len(self._rest) - self._at >= _BLOCK:
            raise self._bad(f"line {self._number(self._at)} is over {_BLOCK >> 20} MB long")
        more = self._stream.read(_BLOCK)
        self._read += len(more)
        if self._read > self._most:
            raise self._bad(f"it unpacks to over {self._most >> 20:,} MB, which no model of its size does")
        self._lines += self._rest.count(b"\n", 0, self._at)
        self._rest = self._rest[self._at :] + more
        self._at = 0
        return bool(more)

    def _line(self) -> str:
        """The next line that is not blank. Raises InputError at the end of the file."""
        while True:
            # Blank lines are passed over at once, however many they are.
            ink = _INK.search(self._rest, self._at)
            self._at = ink.start() if ink else len(self._rest)
            end = self._rest.find(b"\n", self._at)
            if end < 0 and self._fill():
                continue
            if not ink:
                raise self._bad("it ends too soon")
            end = end if end >= 0 else len(self._rest)
            text = self._rest[self._at : min(end, self._at + _SHOWN)].decode("utf-8", "replace").strip()
            self._at = min(end + 1, len(self._rest))
            return text

    def model(self) -> NgramModel:
        if self._line() != "\\data\\":
            raise self._bad(r"it does not begin with \data\ ")
        counts: list[int] = []
        while found := re.fullmatch(r"ngram (\d+) *= *(\d{1,10})", line := self._line()):
            counts.append(int(found[2]))
            if int(found[1]) != len(counts):
                raise self._bad("its counts are not in order")
            if len(counts) > MAX_ORDER:
                break
        if not 1 <= len(counts) <= MAX_ORDER or sum(counts) >= 0xFFFFFFFF:
            raise self._bad(f"it has {len(counts)} orders; 1 to {MAX_ORDER} can be used")
        if sum(counts) * _SHORTEST > self._most:
            raise self._bad(f"it says that it has {sum(counts):,} n-grams, more than so small a file holds")
        orders: list[Order] = []
        ranks = np.zeros(0, np.int64)
        for n, count in enumerate(counts, 1):
            if line != f"\\{n}-grams:":
                raise self._bad(f"\\{n}-grams: is missing")
            hashes, words, probability, backoff = self._section(n, count)
            if n == 1:
                vocabulary, ranks, orders = self._vocabulary(words, hashes[:, 0], probability, backoff)
                known = np.sort(hashes[:, 0])
                order_of = np.argsort(hashes[:, 0])
            else:
                at = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
                if not np.array_equal(known[at], hashes):
                    raise self._bad(f"a {n}-gram has a word that is no 1-gram")
                orders.append(self._order(ranks[order_of[at]], probability, backoff, orders))
            line = self._line()
        if line != "\\end\\":
            raise self._bad(f"more than {counts[-1]} {len(counts)}-grams")
        return NgramModel(vocabulary, tuple(orders))

    def _section(self, n: int, count: int) -> tuple[np.ndarray, list[bytes], np.ndarray, np.ndarray]:
        from corpus.kernels.ngrams_arpa import parse_lines

        # Grown as the lines come: a count is only what the file says.
        parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        words: list[bytes] = []
        done = 0
        while done < count:
            end = self._rest.rfind(b"\n") + 1
            if end <= self._at:
                if self._fill():
                    continue
                end = len(self._rest)
                if self._at == end:
                    raise self._bad(f"{done} of {count} {n}-grams")
            block = self._rest[self._at : end]
            room = min(count - done, block.count(b"\n") + 1)
            hashes, spans = np.zeros((room, n), np.uint64), np.zeros((room, 2), np.int64)
            probability, backoff = np.zeros(room), np.zeros(room)
            got, end, bad = parse_lines(np.frombuffer(block, np.uint8), n, hashes, spans, probability, backoff)
            if bad or (got < room and end < len(block)):
                shown = block[end : end + _SHOWN].partition(b"\n")[0].decode("utf-8", "replace")
                line = self._number(self._at + end)
                raise self._bad(f"{done + got} of {count} {n}-grams, then `{shown}` on line {line}")
            if len(odd := unsound(probability[:got], backoff[:got])):
                # From its first n-gram to its last a section has no blank line.
                line = self._number(self._at) + int(odd[0])
                raise self._bad(f"line {line} has a probability or a back-off weight that no model has")
            self._at += end
            parts.append((hashes[:got], probability[:got].astype(np.float32), backoff[:got].astype(np.float32)))
            if n == 1:
                words += [block[a:b] for a, b in spans[:got].tolist()]
            done += got
        if not parts:
            return np.zeros((0, n), np.uint64), words, np.zeros(0, np.float32), np.zeros(0, np.float32)
        joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
        return joined[0], words, joined[1], joined[2]

    def _vocabulary(
        self, words: list[bytes], hashes: np.ndarray, probability: np.ndarray, backoff: np.ndarray
    ) -> tuple[pa.Array, np.ndarray, list[Order]]:
        """(vocabulary, int64[unigrams]: each one's id, [the unigrams])"""
        if len(np.unique(hashes)) != len(hashes):
            raise self._bad("a 1-gram is there twice")
        names = {b"<UNK>": b"<unk>"} if b"<unk>" not in words else {}
        rank = {word.encode(): i for i, word in enumerate(SPECIALS)}
        ids = np.empty(len(words), np.int64)
        others = len(SPECIALS)
        for i, word in enumerate(words):
            ids[i] = rank.get(names.get(word, word), others)
            others += ids[i] == others
        if missing := [word for word in SPECIALS[1:] if rank[word.encode()] not in ids[ids < len(SPECIALS)]]:
            raise self._bad(f"it has no {missing[0]}")
        size = int(others)
        made = Order(
            np.zeros(0, np.uint32),
            np.arange(size, dtype=np.uint32),
            np.full(size, _UNSEEN, np.float32),
            np.zeros(size, np.float32),
        )
        made.probability[ids], made.backoff[ids] = probability, backoff
        texts: list[bytes] = [word.encode() for word in SPECIALS] + [b""] * (size - len(SPECIALS))
        for i, word in zip(ids.tolist(), words, strict=True):
            if i >= len(SPECIALS):
                texts[i] = word
        try:
            return pa.array(texts, pa.large_binary()).cast(pa.large_string()), ids, [made]
        except pa.ArrowInvalid:
            raise self._bad("a word is no UTF-8") from None

    def _order(self, ids: np.ndarray, probability: np.ndarray, backoff: np.ndarray, orders: list[Order]) -> Order:
        """n-grams in the model's order; `ids` is int64[n-grams, n]."""
        prefix = ids[:, 0].astype(np.uint64)
        for n in range(2, ids.shape[1]):
            below = orders[n - 1]
            keys = below.prefix.astype(np.uint64) << np.uint64(32) | below.word
            wanted = prefix << np.uint64(32) | ids[:, n - 1].astype(np.uint64)
            found = np.searchsorted(keys, wanted)
            if len(wanted) and (len(keys) == 0 or not np.array_equal(keys[np.minimum(found, len(keys) - 1)], wanted)):
                raise self._bad(f"the first {n} words of a {ids.shape[1]}-gram are no {n}-gram")
            prefix = found.astype(np.uint64)
        keys = prefix << np.uint64(32) | ids[:, -1].astype(np.uint64)
        perm = np.argsort(keys)
        if (np.diff(keys[perm].view(np.int64)) == 0).any():
            raise self._bad(f"a {ids.shape[1]}-gram is there twice")
        return Order(prefix[perm].astype(np.uint32), ids[perm, -1].astype(np.uint32), probability[perm], backoff[perm])
