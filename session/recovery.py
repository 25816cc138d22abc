"""What can be saved of a damaged store: of each session the longest prefix that its digest chain proves."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection

from ..schema.codec import Reference, bytes_in, references
from ..schema.entries import Entry, Header, SessionRecord, Status
from ..schema.errors import CorruptRecordError, DecodingError
from ..schema.log import (
    SESSION_COLUMNS,
    Pages,
    RecordPlace,
    advance_session,
    entry_digest,
    header_digest,
    insert_entries,
    insert_segment,
    insert_session,
    locate,
    open_for_writing,
    session_of,
    settle,
    store_errors,
)
from .payloads import SEGMENTS_IN_MEMORY
from .provenance import cut_source

_ROWS = 64
"""Entries that are written at a time."""

Segments = Mapping[int, tuple[RecordPlace, int]]
"""Of each segment where it is, and how many of its bytes are proven."""


class Prefix:
    """The entries of a session that a chain proves, from its beginning.

    Args:
        pages: of the damaged store.
        key: of the session.
        head: with which the chain begins.

    Attributes:
        head: the digest of the last of them.
        places: where they are.
        segments: the bytes that they refer to.
    """

    def __init__(self, pages: Pages, key: int, head: bytes) -> None:
        self.head = head
        self.places: list[RecordPlace] = []
        self.segments: dict[int, tuple[RecordPlace, int]] = {}
        self._pages = pages
        self._key = key
        self._shelf = _Shelf(pages)
        while self._grows():
            pass

    def __len__(self) -> int:
        return len(self.places)

    def entries(self) -> Iterator[tuple[Entry, Callable[[int, int, int], bytes]]]:
        """Each of them, and what has the bytes of its references."""
        get = self._shelf.getter(self.segments)
        for place in self.places:
            entry = self._pages.entry_at(place)
            assert entry is not None, "it was there before"
            yield entry, get

    def segment(self, number: int) -> bytes:
        """The bytes of a segment, as far as they are proven; or all, where that is all of them."""
        place, proven = self.segments[number]
        return self._shelf.data(place)[:proven]

    def _grows(self) -> bool:
        for place, entry in self._pages.entries(self._key, len(self.places)):
            wanted = references(entry.payload)
            for chosen in self._choices({segment for segment, _, _ in wanted}):
                try:
                    digest = entry_digest(self.head, entry, self._shelf.getter(chosen))
                except DecodingError:
                    continue
                if digest == entry.digest:
                    self.head = digest
                    self.places.append(place)
                    self._prove(wanted, chosen)
                    return True
        return False

    def _choices(self, wanted: set[int]) -> Iterator[Segments]:
        """What the segments may be: what they were; else each copy of one of them that agrees with that."""
        known = {segment: self.segments[segment] for segment in wanted & self.segments.keys()}
        for segment in wanted - known.keys():
            for place in self._pages.segments(self._key, segment):
                known[segment] = place, 0
                break
        yield known
        for segment in wanted:
            for place in self._pages.segments(self._key, segment):
                if segment not in self.segments or self._shelf.data(place).startswith(self.segment(segment)):
                    yield {**known, segment: (place, 0)}

    def _prove(self, wanted: Sequence[Reference], chosen: Segments) -> None:
        for segment, offset, length in wanted:
            proven = self.segments[segment][1] if segment in self.segments else 0
            self.segments[segment] = chosen[segment][0], max(proven, offset + length)


class _Shelf:
    """The bytes of segments, of which the last few are in memory."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._held: OrderedDict[RecordPlace, bytes] = OrderedDict()

    def data(self, place: RecordPlace) -> bytes:
        """The segment at a place; empty where it cannot be read."""
        if place not in self._held:
            self._held[place] = self._pages.segment_at(place) or b""
            while len(self._held) > SEGMENTS_IN_MEMORY:
                self._held.popitem(last=False)
        return self._held[place]

    def getter(self, segments: Segments) -> Callable[[int, int, int], bytes]:
        """What has the bytes of a reference, if the segments are there; it raises a `DecodingError`."""

        def get(segment: int, offset: int, length: int) -> bytes:
            found = {segment: self.data(segments[segment][0])} if segment in segments else {}
            return bytes_in(found, segment, offset, length)

        return get


@dataclass
class Saved:
    """One session, as far as it is good.

    Attributes:
        session: what its header says.
        proven: whether the chain begins with the digest of that header.
        prefix: the entries that are good.
        seen: number of entries that there were at least.
    """

    session: SessionRecord
    proven: bool
    prefix: Prefix
    seen: int = 0

    @property
    def worth(self) -> tuple[int, bool]:
        """By which one of two is better."""
        return len(self.prefix), self.proven

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        return self.proven and self.prefix.head == self.session.last_digest

    @property
    def header(self) -> Header:
        """With which it is written: what is not whole says so."""
        header = self.session.header
        if self.whole:
            return header
        good, last = len(self.prefix), self.session.last_digest
        source = cut_source(header.source, good, self.prefix.head, last, self.seen)
        return dataclasses.replace(
            header, source=source if self.proven else f"{source}; this header was changed"
        )

    def __str__(self) -> str:
        """For messages."""
        name, good = f"session {self.session.header.id}", len(self.prefix)
        if self.whole:
            return f"{name}: whole, {good} entries"
        lost = f"of at least {self.seen}" if self.seen > good else "and the end is missing"
        if self.prefix.head == self.session.last_digest:
            lost = "all of them"
        return f"{name}: {good} entries, {lost}{'' if self.proven else '; its header was changed'}"


@dataclass(frozen=True)
class Survey:
    """What a damaged store still holds.

    Attributes:
        sessions: what can be saved, the oldest first.
        strays: number of entries whose session has lost its header.
    """

    sessions: Sequence[Saved]
    strays: int

    @property
    def whole(self) -> bool:
        """Whether nothing is missing, as far as can be seen."""
        return not self.strays and all(saved.whole for saved in self.sessions)


def survey(pages: Pages) -> Survey:
    """Find out what can be saved of a store."""
    counts = pages.counts()
    saved = {key: found for key in pages.sessions if (found := _best(pages, key, key)) is not None}
    owners = {key: key for key, found in saved.items() if len(found.prefix)}
    for key in saved.keys() - owners.keys():  # it may be the key itself that was damaged
        for other in counts.keys() - owners.values():
            found = _best(pages, key, other)
            if found is not None and len(found.prefix):
                saved[key], owners[key] = found, other
                break
    for key, found in saved.items():
        found.seen = max(counts.get(owners.get(key, key), (0, 0))[1], len(found.prefix))
    claimed = {owners.get(key, key) for key in saved}
    best: dict[str, Saved] = {}
    for found in saved.values():  # of one id, for a key that was damaged is another one's
        other = best.setdefault(found.session.header.id, found)
        best[found.session.header.id] = max(found, other, key=lambda one: one.worth)
    return Survey(
        sorted(best.values(), key=lambda found: (found.session.header.started_ns, found.session.key)),
        sum(count for key, (count, _) in counts.items() if key not in claimed),
    )


def write_survey(found: Survey, path: Path) -> None:
    """Write what can be saved into a new store.

    Raises:
        StoreError: as in `errors.py`.
    """
    address = locate(path)
    engine = open_for_writing(address)
    try:
        with store_errors(address):
            for saved in found.sessions:
                with engine.begin() as connection:
                    _write(connection, saved)
    finally:
        engine.dispose()
    settle(address)


def _best(pages: Pages, of: int, key: int) -> Saved | None:
    """The longest prefix of a session, by any of the headers that were found for it; the latest of equals.

    Args:
        pages: of the damaged store.
        of: the key of the headers.
        key: of the entries.
    """
    prefixes: dict[bytes, Prefix] = {}
    best: Saved | None = None
    for row in pages.sessions[of]:
        session = _session(row)
        if session.header.id in pages.pruned:
            return None
        begin = header_digest(session.header)
        for head in dict.fromkeys((begin, session.first_digest)):
            if head not in prefixes:
                prefixes[head] = Prefix(pages, key, head)
            # A chain that begins with what the header comes to proves it, whatever stands beside it.
            proven = head == begin and (begin == session.first_digest or len(prefixes[head]) > 0)
            saved = Saved(session, proven, prefixes[head])
            if best is None or saved.worth > best.worth:
                best = saved
    return best


def _session(row: Sequence[Any]) -> SessionRecord:
    """What a row says, without the columns that say nothing: its entries may be good all the same."""
    named = dict(zip(SESSION_COLUMNS, row, strict=True))
    for replaced in ({}, {"status": "interrupted"}, {"labels": "{}"}, {"versions": "{}"}):
        try:
            return session_of([*(named | replaced).values(), None])
        except CorruptRecordError:
            continue
    return session_of([*(named | {"status": "interrupted", "labels": "{}", "versions": "{}"}).values(), None])


def _write(connection: Connection, saved: Saved) -> None:
    """A session as far as it is good, under its own id; nobody records it any more."""
    key, first = insert_session(connection, saved.header)
    digest = first
    for segment in saved.prefix.segments:
        insert_segment(connection, key, segment, saved.prefix.segment(segment))
    rows: list[Entry] = []
    for entry, get in saved.prefix.entries():
        digest = entry_digest(digest, entry, get)
        rows.append(entry._replace(digest=digest))
        if len(rows) == _ROWS:
            insert_entries(connection, key, rows)
            rows = []
    if rows:
        insert_entries(connection, key, rows)
    ended = saved.session.status
    if not saved.whole or ended is Status.RECORDING:
        ended = Status.INTERRUPTED
    advance_session(connection, key, saved.header.id, first, digest, ended)
