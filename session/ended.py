"""Which entries of a session were ended by another: a bit for each, found before they are read."""

from __future__ import annotations

_SHIFT = 12
_CHUNK = 1 << _SHIFT


class EndedEntries:
    """A set of entry numbers: a bit for each, however long the session, in chunks: no number is believed."""

    def __init__(self) -> None:
        self._chunks: dict[int, int] = {}

    def add(self, seq: int) -> None:
        """Note that the log holds an entry that ends `seq`."""
        self._chunks[seq >> _SHIFT] = self._chunks.get(seq >> _SHIFT, 0) | 1 << (seq & _CHUNK - 1)

    def forget_from(self, first: int) -> None:
        """Nothing is known of the entries from this on."""
        self._chunks = {number: bits for number, bits in self._chunks.items() if number <= first >> _SHIFT}
        if first >> _SHIFT in self._chunks:
            self._chunks[first >> _SHIFT] &= (1 << (first & _CHUNK - 1)) - 1

    def any_of(self, first: int, count: int) -> bool:
        """Whether it holds one of so many numbers from the first on."""
        end = first + count
        for chunk in range(first >> _SHIFT, (end - 1 >> _SHIFT) + 1):
            begin = max(first - (chunk << _SHIFT), 0)
            some = min(end - (chunk << _SHIFT), _CHUNK) - begin
            if self._chunks.get(chunk, 0) >> begin & (1 << some) - 1:
                return True
        return False

    def __contains__(self, seq: int) -> bool:
        return bool(self._chunks.get(seq >> _SHIFT, 0) >> (seq & _CHUNK - 1) & 1)
