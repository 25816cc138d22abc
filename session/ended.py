"""Which entries of a session were ended by another: a bit for each, found before they are read."""

from __future__ import annotations


class EndedEntries:
    """A set of entry numbers: a bit for each, however long the session."""

    def __init__(self, length: int) -> None:
        self._bits = bytearray(length // 8 + 1)

    def add(self, seq: int) -> None:
        """Note that the log holds an entry that ends `seq`."""
        if 0 <= seq < len(self._bits) * 8:
            self._bits[seq >> 3] |= 1 << (seq & 7)

    def any_of(self, first: int, count: int) -> bool:
        """Whether it holds one of so many numbers from the first on."""
        bits = int.from_bytes(self._bits[first >> 3 : (first + count + 7) >> 3], "little")
        return bool(bits >> (first & 7) & (1 << count) - 1)

    def __contains__(self, seq: int) -> bool:
        return 0 <= seq < len(self._bits) * 8 and bool(self._bits[seq >> 3] & 1 << (seq & 7))
