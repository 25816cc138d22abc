"""What a damaged SQLite file still holds: the rows of a log, found in its pages by how their records look.

SQLite finds a row by going down a tree of pages, and one page that is broken hides all that is below it. Here
no tree is believed: a record of ours looks like no other, so it is sought in every page of the file and of
the write-ahead log beside it, also in those that SQLite would not reach. Whether what is found is what was
appended, the digest chain tells. The format of the file: https://www.sqlite.org/fileformat2.html.
"""

from __future__ import annotations

import mmap
import os
import re
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, Self

from ..entries import Entry
from .untyped import ENTRY_TYPES, SESSION_TYPES, misfit

_WAL_HEADER, _FRAME_HEADER = 32, 24
_PAGE_SIZES = [1 << power for power in range(9, 17)]
_DEFAULT_PAGE_SIZE = 4096
_LOOKS = 256
"""Pages that are looked at, to know how large they are."""
_LIKELY = 0.75
"""So many of them at least begin as a page does."""
_PAGE_TYPES = frozenset((0, 1, 2, 3, 4, 5, 10, 13))
"""First bytes of pages of a tree, of those that continue a record or are free, and of those that say what the
others are, in a file that can be shortened."""

# Serial types, which a record's header holds of each of its columns.
_INT, _MAYBE_INT, _MAYBE_REAL = rb"[\x01-\x06\x08\x09]", rb"[\x00-\x06\x08\x09]", rb"[\x00-\x09]"
_ODD = b"".join(b"\\x%02x" % byte for byte in range(1, 128, 2))
_EVEN = b"".join(b"\\x%02x" % byte for byte in range(0, 128, 2))
_SHORT_TEXT = b"[" + _ODD[6 * 4 :] + b"]"
_TEXT = b"(?:" + _SHORT_TEXT + rb"|[\x81-\xff][\x80-\xff]{0,3}[" + _ODD + b"])"
_MAYBE_TEXT = rb"(?:\x00|" + _TEXT + b")"
_BLOB = b"(?:[" + _EVEN[6 * 4 :] + rb"]|[\x81-\xff][\x80-\xff]{0,3}[" + _EVEN + b"])"
_DIGEST = rb"\x4c"

_ENTRY = (rb"[\x12-\x7f]" + _INT * 3 + _MAYBE_INT * 2 + _SHORT_TEXT + _MAYBE_TEXT * 2 + _MAYBE_INT * 3) + (
    _MAYBE_TEXT + _MAYBE_INT + _MAYBE_REAL + _TEXT + _INT + _DIGEST
)
_SESSION = (
    rb"[\x0e-\x7f]\x00" + _TEXT + _MAYBE_TEXT + _INT + _TEXT + _INT + _TEXT * 3 + _INT + _TEXT + _DIGEST * 2
)
_SEGMENT = rb"[\x04-\x08]" + _INT * 2 + _BLOB
_PRUNING = rb"[\x06-\x0f]\x00" + _TEXT + _INT + _TEXT + _DIGEST
_RECORD = re.compile(
    b"(?=(?P<entry>" + _ENTRY + b")|(?P<session>" + _SESSION + b")"
    b"|(?P<segment>" + _SEGMENT + b")|(?P<pruning>" + _PRUNING + b"))",
    re.DOTALL,
)
_LONGEST_HEADER = 128
_COPIES = 64
"""Of one row, so many places are looked at."""
_SIZES = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)
"""Bytes of a column, by its serial type; of larger types half of what is above 12."""


class RecordPlace(NamedTuple):
    """Where a record begins: in which of the files, how far in; and whether it goes on in the pages of the
    write-ahead log, where that has them."""

    file: int
    offset: int
    logged: bool = True


class Pages:
    """The pages of a file, and of the write-ahead log beside it. Nothing is written; a context manager.

    Attributes:
        sessions: by its key, what was found of each row of `sessions`, the latest first.
        pruned: the ids of sessions that were taken out.
    """

    def __init__(self, path: Path) -> None:
        self.sessions: dict[int, list[tuple[Any, ...]]] = {}
        self.pruned: set[str] = set()
        self._stack = ExitStack()
        self._files = [self._mapped(path), self._mapped(path.with_name(f"{path.name}-wal"))]
        self._page_size = self._guessed_page_size()
        self._usable = self._page_size - self._reserved()
        self._latest: dict[int, int] = {}
        """Page → the last place in the write-ahead log where its content is."""
        self._scratch = sqlite3.connect("")  # on the disk, where there is much
        self._stack.callback(self._scratch.close)
        for table in ("entries", "segments"):
            self._scratch.execute(
                f"CREATE TABLE {table} (session, number, rank, file, offset, "
                "PRIMARY KEY (session, number, rank, file, offset)) WITHOUT ROWID"
            )
        self._scan()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def entries(self, session: int, seq: int) -> Iterator[tuple[RecordPlace, Entry]]:
        """What was found under this number: one, or many where a page was copied; or something else."""
        for place in self._places("entries", session, seq):
            entry = self.entry_at(place)
            if entry is not None:
                yield place, entry

    def entry_at(self, place: RecordPlace) -> Entry | None:
        """The entry at a place, or None where it cannot be read."""
        columns = self._columns(place, index=True)
        if columns is None or len(columns) != len(ENTRY_TYPES) + 1:
            return None
        del columns[0]
        elapsed = Entry._fields.index("elapsed_ms")
        if type(columns[elapsed]) is int:  # as SQLite stores a round number
            columns[elapsed] = float(columns[elapsed])
        return Entry._make(columns) if misfit(ENTRY_TYPES, columns) is None else None

    def segments(self, session: int, segment: int) -> Iterator[RecordPlace]:
        """Where the bytes of a segment may be, the likeliest place first."""
        return self._places("segments", session, segment)

    def segment_at(self, place: RecordPlace) -> bytes | None:
        """The bytes of the segment at a place, or None where they cannot be read."""
        columns = self._columns(place, index=False)
        return columns[2] if columns is not None and len(columns) == 3 and type(columns[2]) is bytes else None

    def counts(self) -> dict[int, tuple[int, int]]:
        """By its key, of each session: how many numbers of entries were found, and the highest and one."""
        query = "SELECT session, count(DISTINCT number), max(number) + 1 FROM entries GROUP BY session"
        return {session: (count, length) for session, count, length in self._scratch.execute(query)}

    # --- pages ------------------------------------------------------------------------------------------

    def _mapped(self, path: Path) -> mmap.mmap | bytes:
        try:
            with open(path, "rb") as file:
                if not os.fstat(file.fileno()).st_size:
                    return b""
                return self._stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except FileNotFoundError:
            return b""

    def _guessed_page_size(self) -> int:
        """What the file says, unless its pages look as if they had another."""
        main, wal = self._files
        said = int.from_bytes(main[16:18]) if len(main) > 18 else 0
        sizes = [1 << 16 if said == 1 else said, int.from_bytes(wal[8:12]), _DEFAULT_PAGE_SIZE, *_PAGE_SIZES]
        looks: dict[int, float] = {}
        for size in dict.fromkeys(size for size in sizes if size in _PAGE_SIZES):
            step = max(size, len(main) // _LOOKS // size * size)
            firsts = [main[offset] for offset in range(size, len(main), step)]
            looks[size] = sum(first in _PAGE_TYPES for first in firsts) / len(firsts) if firsts else 1.0
            if looks[size] > _LIKELY:  # of several the one that is said first: free pages look like any
                return size
        return max(looks, key=lambda size: looks[size])

    def _reserved(self) -> int:
        """Bytes at the end of a page that are not used: few SQLite libraries keep any."""
        reserved = self._files[0][20] if len(self._files[0]) > 20 else 0
        return reserved if reserved <= 32 else 0

    def _page(self, page: int, *, logged: bool) -> bytes | None:
        """The content of a page, from the log beside the file if it is there and wanted."""
        size = self._page_size
        offset = self._latest.get(page) if logged else None
        file = self._files[0] if offset is None else self._files[1]
        begin = (page - 1) * size if offset is None else offset
        if page < 1 or begin + size > len(file):
            return None
        return bytes(file[begin : begin + size])

    def _all(self) -> Iterator[tuple[int, int, int]]:
        """Of each page the file, the offset, and a rank: 0 of the log's last ones, 1 of the file's, 2 of what
        was left in the log by an earlier one."""
        main, wal = self._files
        size = self._page_size
        for offset in range(0, len(main), size):
            yield 0, offset, 1
        salts = {bytes(wal[16:24]), bytes(wal[_WAL_HEADER + 8 : _WAL_HEADER + 16])}
        for frame in range(_WAL_HEADER, len(wal), _FRAME_HEADER + size):
            current = bytes(wal[frame + 8 : frame + 16]) in salts
            if current and frame + _FRAME_HEADER + size <= len(wal):
                self._latest[int.from_bytes(wal[frame : frame + 4])] = frame + _FRAME_HEADER
            yield 1, frame + _FRAME_HEADER, 0 if current else 2

    # --- records ----------------------------------------------------------------------------------------

    def _scan(self) -> None:
        sessions: list[tuple[int, RecordPlace]] = []
        for file, page, rank in list(self._all()):  # all first: where the log's last ones are
            image = bytes(self._files[file][page : page + self._page_size])
            for found in _RECORD.finditer(image):
                header = _header(image, found.start())
                if found.lastgroup is None or header is None or found.end(found.lastgroup) != header.end:
                    continue
                place = RecordPlace(file, page + found.start())
                if found.lastgroup == "session":
                    sessions.append((rank, place))
                elif found.lastgroup == "pruning":
                    columns = self._columns(place, index=False)
                    if columns is not None and type(columns[1]) is str:
                        self.pruned.add(columns[1])
                else:
                    likely = found.lastgroup == "entry" or header.is_announced(image, found.start())
                    self._note(found.lastgroup, _values(image, header, 2), rank + (0 if likely else 3), place)
        # The latest first: what is in the log is later than the file, and its end later than its beginning.
        sessions.sort(key=lambda pair: (pair[0], -pair[1].offset))
        for _, place in sessions:
            columns = self._columns(place, index=False, errors="replace")  # its entries may be good
            if columns is None or len(columns) != len(SESSION_TYPES):
                continue
            key = _rowid_before(self._files[place.file], place.offset)
            row = (key, *columns[1:])
            if misfit(SESSION_TYPES, row) is None and row not in self.sessions.setdefault(key, []):
                self.sessions[key].append(row)

    def _note(self, kind: str, key: list[Any] | None, rank: int, place: RecordPlace) -> None:
        if key is not None and len(key) == 2:
            table = {"entry": "entries", "segment": "segments"}[kind]
            self._scratch.execute(
                f"INSERT OR IGNORE INTO {table} VALUES (?, ?, ?, ?, ?)",
                (*key, rank, place.file, place.offset),
            )

    def _places(self, table: str, session: int, number: int) -> Iterator[RecordPlace]:
        query = (
            f"SELECT file, offset FROM {table} WHERE session = ? AND number = ? ORDER BY rank LIMIT {_COPIES}"
        )
        for file, offset in self._scratch.execute(query, (session, number)).fetchall():
            yield RecordPlace(file, offset)
            yield RecordPlace(file, offset, logged=False)

    def _columns(self, place: RecordPlace, *, index: bool, errors: str = "strict") -> list[Any] | None:
        """The columns of a record; None where it cannot be read.

        Args:
            place: where it begins.
            index: its tree has it in the form of an index, as tables without rowid are.
            errors: what becomes of a text that is none.
        """
        data, size = self._files[place.file], self._page_size
        begin, step = (0, size) if place.file == 0 else (_WAL_HEADER + _FRAME_HEADER, size + _FRAME_HEADER)
        end = begin + (place.offset - begin) // step * step + self._usable
        image = bytes(data[place.offset : end])
        header = _header(image, 0)
        if header is None:
            return None
        record = self._whole(image, header.length, index=index, logged=place.logged)
        return None if record is None else _values(record, header, errors=errors)

    def _whole(self, image: bytes, length: int, *, index: bool, logged: bool) -> bytes | None:
        """A record of this length: what the page has of it, and the pages on which it goes on."""
        usable = self._usable
        most = (usable - 12) * 64 // 255 - 23 if index else usable - 35
        local = length
        if length > most:
            least = (usable - 12) * 32 // 255 - 23
            local = least + (length - least) % (usable - 4)
            local = local if local <= most else least
        if len(image) < local or length > sum(map(len, self._files)):
            return None
        parts, missing = [image[:local]], length - local
        following = image[local : local + 4]
        while missing:
            page = self._page(int.from_bytes(following), logged=logged) if len(following) == 4 else None
            if page is None:
                return None
            following = page[:4]
            parts.append(page[4 : 4 + min(missing, usable - 4)])
            missing -= len(parts[-1])
        return b"".join(parts)


class _Header(NamedTuple):
    """The header of a record.

    Attributes:
        types: the serial types of its columns.
        end: where the header ends in what it was read of.
        length: of the whole record, itself included.
    """

    types: list[int]
    end: int
    length: int

    def is_announced(self, image: bytes, start: int) -> bool:
        """Whether the length of the record, and a row's number, stand before it."""
        before = start - 1
        while before > 0 and image[before - 1] & 0x80 and start - before < 9:
            before -= 1
        for begin in range(max(before - 5, 0), before):
            if _varint(image, begin) == (self.length, before):
                return True
        return False


def _header(image: bytes, start: int) -> _Header | None:
    """The header that begins there, or None where none does."""
    size, at = _varint(image, start)
    end = start + size
    if end > len(image) or size > _LONGEST_HEADER:
        return None
    types: list[int] = []
    while at < end:
        serial, at = _varint(image, at)
        types.append(serial)
    return _Header(types, end, size + sum(map(_size, types))) if at == end else None


def _values(
    record: bytes, header: _Header, count: int | None = None, errors: str = "strict"
) -> list[Any] | None:
    """The values of the first columns; None where a text is none."""
    values: list[Any] = []
    at = header.end
    for serial in header.types[:count]:
        data = record[at : at + _size(serial)]
        at += len(data)
        if serial == 0:
            values.append(None)
        elif serial == 7:
            values.append(struct.unpack(">d", data)[0] if len(data) == 8 else None)
        elif serial < 7:
            values.append(int.from_bytes(data, signed=True))
        elif serial < 12:
            values.append(serial - 8)
        elif serial % 2:
            try:
                values.append(data.decode(errors=errors))
            except UnicodeDecodeError:
                return None
        else:
            values.append(data)
    return values


def _size(serial: int) -> int:
    return (serial - 12) // 2 if serial >= 12 else _SIZES[serial] if serial < 10 else 0


def _varint(image: bytes | mmap.mmap, at: int) -> tuple[int, int]:
    """A number of SQLite's, and where it ends."""
    value = 0
    for count in range(9):
        if at >= len(image):
            return 0, at
        byte = image[at]
        at += 1
        if count == 8:
            return value << 8 | byte, at
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return value, at


def _rowid_before(image: bytes | mmap.mmap, start: int) -> int:
    """The number of a row, which stands right before its record."""
    begin = start - 1
    while begin > 0 and image[begin - 1] & 0x80 and start - begin < 9:
        begin -= 1
    return _varint(image, begin)[0]
