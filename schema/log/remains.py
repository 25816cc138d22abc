"""What may remain of removed rows in an SQLite file: pieces of them, and a search for these in all its bytes.

SQLite leaves what it deletes, and copies of what it moved, until it needs the room. So a row's bytes are
sought wherever they could lie, without its trees: in free pages, in the gaps of pages, and in the write-ahead
log. Of each entry that is its digest, which no other row has, and which lies beside the text; of a long text,
and of bytes, which are spread over several pages, a piece of each page.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from sqlalchemy import select, text
from sqlalchemy.engine import Connection

from .additions import ADDITIONS, has_addition
from .tables import ENTRIES, SEGMENTS

PIECE = 32
"""Bytes that are sought: as many as a digest has."""
_VARIED = 6
"""So many different bytes a piece has at least: silence is nobody's."""
_BEGIN = 256
"""How much of a payload lies beside its digest, in any page of 2 KB or more."""
_AHEAD = 8
_CHUNK = 1 << 18


class Remains:
    """Pieces of removed sessions, to be sought in a file."""

    def __init__(self) -> None:
        self._pieces: dict[int, set[bytes]] = {}
        """By their first eight bytes, as a number of this machine."""

    def take(self, pieces: Iterable[bytes]) -> None:
        """Seek these, too: each of PIECE bytes."""
        for piece in pieces:
            self._pieces.setdefault(_ahead(piece), set()).add(piece)

    def gather(self, connection: Connection, key: int) -> None:
        """Seek what a session says that is about to be removed, in that transaction; but for its digests."""
        page: int = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
        for (payload,) in connection.execute(select(ENTRIES.c.payload).where(ENTRIES.c.session == key)):
            self.take(_pieces(_bytes(payload)[_BEGIN:], page))
        for (data,) in connection.execute(select(SEGMENTS.c.data).where(SEGMENTS.c.session == key)):
            self.take(_pieces(_bytes(data), page))
        for addition in ADDITIONS:
            if addition.session is not None and has_addition(connection, addition):
                rows = text(f'SELECT * FROM "{addition.name}" WHERE "{addition.session}" = :key')
                for row in connection.execute(rows, {"key": key}):
                    self.take(piece for value in row for piece in _pieces(_bytes(value), page))

    def found_in(self, path: Path) -> set[bytes]:
        """The pieces that lie somewhere in a file; none where there is no such file.

        No connection of this process may have it open: closing it here would drop that one's locks
        (https://www.sqlite.org/howtocorrupt.html, section 2.2).
        """
        found: set[bytes] = set()
        left = {ahead: set(pieces) for ahead, pieces in self._pieces.items()}
        try:
            with open(path, "rb") as file:
                kept = b""
                while chunk := file.read(_CHUNK):
                    data = kept + chunk
                    aheads = [
                        left.keys() & set(one) for one in _numbers(data) if not left.keys().isdisjoint(one)
                    ]
                    for ahead in set[int]().union(*aheads):
                        here = left[ahead].intersection(_from(data, ahead))
                        found |= here
                        left[ahead] -= here  # what many say is found once
                        if not left[ahead]:
                            del left[ahead]
                    kept = data[-PIECE + 1 :]
        except FileNotFoundError:
            return set()
        return found


def held_by_others(connection: Connection, pieces: Iterable[bytes]) -> set[bytes]:
    """Those that stand in a row that is left: what a system prompt says, it says in every session."""
    sought, held = set(pieces), set[bytes]()
    for one in (ENTRIES.c.payload, SEGMENTS.c.data):
        for (value,) in connection.execute(select(one).execution_options(yield_per=256)):
            if not sought - held:
                return held
            data = _bytes(value)
            held.update(piece for piece in sought - held if piece in data)
    return held


def _numbers(data: bytes) -> Iterator[memoryview[int]]:
    """The numbers of eight bytes that begin at each byte: eight times those that lie beside one another."""
    view = memoryview(data)
    for shift in range(_AHEAD):
        yield view[shift : shift + (len(data) - shift) // _AHEAD * _AHEAD].cast("Q")


def _from(data: bytes, ahead: int) -> Iterator[bytes]:
    """What begins so."""
    beginning = ahead.to_bytes(_AHEAD, sys.byteorder)
    at = data.find(beginning)
    while at >= 0:
        yield data[at : at + PIECE]
        at = data.find(beginning, at + 1)


def _ahead(piece: bytes) -> int:
    return int.from_bytes(piece[:_AHEAD], sys.byteorder)


def _pieces(data: bytes, page: int) -> Iterator[bytes]:
    """Of bytes, a piece of each page on which they may lie."""
    last = len(data) - PIECE
    for begin in (*range(0, last, page // 2 - PIECE), last) if last >= 0 else ():
        piece = data[begin : begin + PIECE]
        if len(set(piece)) >= _VARIED:
            yield piece


def _bytes(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    return value if isinstance(value, bytes) else b""
