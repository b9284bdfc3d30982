"""Make `words.npz` from ICU's data: `python -m corpus.kernels.dictionaries.build icudt78l.dat`.

ICU's source release has the file under `source/data/in/` (Debian: `apt-get source icu`). It is an archive whose
dictionaries are tries of bytes or of 16-bit units, as `bytestrie.h` and `ucharstrie.h` of ICU describe them.
"""

from __future__ import annotations

import argparse
import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from corpus.kernels.dictionaries import DIGEST, PATH, dump

_NAMES = ("cjdict", "thaidict", "laodict", "khmerdict", "burmesedict")
_LINEAR = 5  # branches of at most so many edges are lists, others are split in two


def archived(data: bytes, name: str) -> bytes:
    """The item `brkitr/NAME.dict` of a little-endian ICU archive (.dat). Raises ValueError when it has none."""
    base = struct.unpack_from("<H", data)[0]
    for i in range(struct.unpack_from("<I", data, base)[0]):
        title, start = struct.unpack_from("<II", data, base + 4 + 8 * i)
        path = data[base + title : data.index(b"\0", base + title)]
        if path.endswith(f"/brkitr/{name}.dict".encode()):
            return data[base + start :]
    raise ValueError(f"no brkitr/{name}.dict in this archive")


class _Bytes:
    """A trie of bytes: single units, and numbers led by a unit."""

    first_match, first_value = 0x10, 0x20

    def __init__(self, data: bytes, transform: int) -> None:
        self.units: list[int] = list(data)
        self.transform = transform

    def text(self, units: list[int]) -> str:
        joiners = {0xFF: 0x200D, 0xFE: 0x200C}
        return "".join(chr(joiners.get(unit, unit + (self.transform & 0x1FFFFF))) for unit in units)

    def value(self, at: int, node: bool) -> tuple[int, bool, int, int]:
        """Of the value whose lead unit is at `at`: the number, if it is final, its end, what is left of the unit."""
        lead = self.units[at]
        start, wide = (0x10, 0x51, 0x6C, 0x7E), lead >> 1
        number, end = self._number(wide, start, at + 1)
        return number, bool(lead & 1), end, -1

    def delta(self, at: int) -> tuple[int, int]:
        return self._number(self.units[at], (0, 0xC0, 0xF0, 0xFE), at + 1)

    def _number(self, lead: int, start: tuple[int, int, int, int], at: int) -> tuple[int, int]:
        one, two, three, four = start
        high, width = 0, 3 if lead == four else 4
        if lead < two:
            high, width = lead - one, 0
        elif lead < three:
            high, width = lead - two, 1
        elif lead < four:
            high, width = lead - three, 2
        for unit in self.units[at : at + width]:
            high = high << 8 | unit
        return high, at + width


class _Units:
    """A trie of UTF-16 units; a node's value shares its lead unit with the node."""

    first_match, first_value = 0x30, 0x40

    def __init__(self, data: bytes, transform: int) -> None:
        self.units: list[int] = np.frombuffer(data[: len(data) // 2 * 2], "<u2").tolist()

    def text(self, units: list[int]) -> str:
        return np.array(units, "<u2").tobytes().decode("utf-16-le")

    def value(self, at: int, node: bool) -> tuple[int, bool, int, int]:
        lead = self.units[at]
        if lead & 0x8000 or not node:
            number, end = self._number(lead & 0x7FFF, 0x4000, 0x7FFF, at + 1)
            return number, bool(lead & 0x8000), end, -1
        if lead < 0x4040:
            return (lead >> 6) - 1, False, at + 1, lead & 0x3F
        number, end = self._number((lead & 0x7FC0) >> 6, 0x4040 >> 6, 0x7FC0 >> 6, at + 1)
        return number, False, end, lead & 0x3F

    def delta(self, at: int) -> tuple[int, int]:
        return self._number(self.units[at], 0xFC00, 0xFFFF, at + 1)

    def _number(self, lead: int, two: int, three: int, at: int) -> tuple[int, int]:
        if lead < two:
            return lead, at
        if lead < three:
            return (lead - two) << 16 | self.units[at], at + 1
        return self.units[at] << 16 | self.units[at + 1], at + 2


def words(dictionary: bytes) -> Iterator[tuple[str, int]]:
    """Each word of a `.dict` file with its value, in no particular order."""
    base = struct.unpack_from("<H", dictionary)[0]
    indexes = struct.unpack_from("<8i", dictionary, base)
    data = dictionary[base + indexes[0] : base + indexes[3]]
    trie = _Units(data, 0) if indexes[4] & 7 else _Bytes(data, indexes[5])
    units = trie.units
    todo: list[tuple[int, list[int], int]] = [(0, [], 0)]  # a node, or (with a length) a branch
    while todo:
        at, prefix, length = todo.pop()
        if length > _LINEAR:
            jump, behind = trie.delta(at + 1)
            todo += [(behind, prefix, length - (length >> 1)), (behind + jump, prefix, length >> 1)]
            continue
        while length > 1:
            number, final, end, _ = trie.value(at + 1, False)
            if final:
                yield trie.text([*prefix, units[at]]), number
            else:
                todo.append((end + number, [*prefix, units[at]], 0))
            at, length = end, length - 1
        if length == 1:
            todo.append((at + 1, [*prefix, units[at]], 0))
            continue
        node = units[at]
        end = at + 1
        if node >= trie.first_value:
            number, final, end, node = trie.value(at, True)
            yield trie.text(prefix), number
            if final:
                continue
            if node < 0:
                todo.append((end, prefix, 0))
                continue
        if node >= trie.first_match:
            stop = end + node - trie.first_match + 1
            todo.append((stop, prefix + units[end:stop], 0))
        else:
            length = units[end] if node == 0 else node
            todo.append((end + (node == 0), prefix, length + 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path, help="ICU's data, icudtNNl.dat")
    data = parser.parse_args().archive.read_bytes()
    found: dict[str, int] = {}
    for name in _NAMES:
        entries = dict(words(archived(data, name)))
        print(f"{name}: {len(entries):,} words, values {min(entries.values())} to {max(entries.values())}")
        found |= entries
    packed = dump(found)
    PATH.write_bytes(packed)
    DIGEST.write_text(hashlib.sha256(packed).hexdigest() + "\n")
    print(f"{PATH}: {len(packed):,} bytes")


if __name__ == "__main__":
    main()
