"""Where the entries and the bytes of a session come from: a draft in memory, or a store that may grow."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice
from typing import Protocol

from ..schema import CorruptRecordError, DecodingError, Entry, Header, RealtapeError, SessionRecord, Status
from ..schema.log import Address, entry_batches, fetch_headers, fetch_segment, open_blocking
from ..session import Draft, FrameEvents, entries_with_events

SEGMENTS_IN_MEMORY = 64


class EntrySource(Protocol):
    """One session. A *place* is the number of an entry among those that this gives, from 0: where frames are
    followed by the events that they come to, that is not its seq."""

    header: Header

    def state(self) -> tuple[int, Status]:
        """How many entries there are by now, and how the session stands. Blocking."""
        ...

    def entries(self, first: int) -> Iterator[Entry]:
        """Those from a place on. Blocking."""
        ...

    def bytes_at(self, segment: int, offset: int, length: int) -> bytes:
        """Bytes of a reference. Blocking.

        Raises:
            DecodingError: the log lacks them.
        """
        ...

    def close(self) -> None:
        """Let go of what is held; it may be asked again all the same."""
        ...


class DraftSource:
    """A session in memory; frames are followed by what they come to."""

    def __init__(self, draft: Draft) -> None:
        self.header = draft.header
        self._draft = draft
        self._entries = list(entries_with_events(draft))

    def state(self) -> tuple[int, Status]:
        """It stays as it is."""
        return len(self._entries), self._draft.status

    def entries(self, first: int) -> Iterator[Entry]:
        """From a place on."""
        return islice(self._entries, first, None)

    def bytes_at(self, segment: int, offset: int, length: int) -> bytes:
        """Of the draft."""
        return self._draft.bytes_at(segment, offset, length)

    def close(self) -> None:
        """Nothing is held but memory."""


class StoreSource:
    """A session of a store, read by short transactions: whoever records into it is not held up, and its
    write-ahead log can be merged.

    Args:
        address: of the store.
        record: the session, as the store lists it.
    """

    def __init__(self, address: Address, record: SessionRecord) -> None:
        self.header = record.header
        self._address = address
        self._key = record.key
        self._last = record.entries, record.status
        self._version = StoreVersion(address)
        self._segments: OrderedDict[int, bytes] = OrderedDict()

    def state(self) -> tuple[int, Status]:
        """As the store lists it now, where anything was committed since; of one that is gone, what it was."""
        if self._version.has_changed():
            with open_blocking(self._address) as connection:
                for one in fetch_headers(connection):
                    if isinstance(one, SessionRecord) and one.key == self._key:
                        self._last = one.entries, one.status
            if self._last[1] != Status.RECORDING:
                self._version.close()
        return self._last

    def close(self) -> None:
        """Let go of the file."""
        self._version.close()

    def entries(self, first: int) -> Iterator[Entry]:
        """From a place on, which is a seq; a batch to a transaction."""
        while True:
            with open_blocking(self._address) as connection:
                batches = entry_batches(connection, self._key, first)
                some = [entry for batch in islice(batches, 8) for entry in batch]
                batches.close()
            if not some:
                return
            yield from some
            first = some[-1].seq + 1

    def bytes_at(self, segment: int, offset: int, length: int) -> bytes:
        """Of a segment, of which the last few stay in memory."""
        data = self._segments.get(segment)
        if data is None:
            with open_blocking(self._address) as connection:
                data = fetch_segment(connection, self._key, segment)
            if data is None:
                raise DecodingError(f"the bytes of segment {segment} are missing")
            self._segments[segment] = data
            if len(self._segments) > SEGMENTS_IN_MEMORY:
                self._segments.popitem(last=False)
        else:
            self._segments.move_to_end(segment)
        if offset + length > len(data):
            raise DecodingError(f"segment {segment} is shorter than what refers to it")
        return data[offset : offset + length]


class FrameSource(StoreSource):
    """A session of frames, followed by what they come to: those entries stay in memory, and bytes do not."""

    def __init__(self, address: Address, record: SessionRecord) -> None:
        super().__init__(address, record)
        self._events = FrameEvents(super().bytes_at)
        self._entries: list[Entry] = []
        self._read = 0  # of those that the store has
        self._broken: CorruptRecordError | None = None

    def state(self) -> tuple[int, Status]:
        """With what the frames come to that the store has by now."""
        length, status = super().state()
        if self._read < length and self._broken is None:
            try:
                for entry in super().entries(self._read):
                    self._read = entry.seq + 1
                    self._add(entry)
            except CorruptRecordError as error:  # those before it come first
                self._broken = error
        return len(self._entries), status

    def entries(self, first: int) -> Iterator[Entry]:
        """From a place on, as far as `state` said."""
        yield from islice(self._entries, first, None)
        if self._broken is not None:
            raise self._broken

    def bytes_at(self, segment: int, offset: int, length: int) -> bytes:
        """Of the store, or of what a frame comes to."""
        if segment == self._events.segment:
            return bytes(self._events.data[offset : offset + length])
        return super().bytes_at(segment, offset, length)

    def _add(self, entry: Entry) -> None:
        try:
            self._entries += self._events.of(entry)
        except DecodingError:  # its bytes are missing: it stands for itself
            pass


class StoreVersion:
    """Whether something was committed to a store since it was last asked: SQLite's `data_version`, which is a
    look at shared memory, and no transaction. That who records has died is in no commit: so every few
    questions the answer is yes.
    """

    _EVERY = 5

    def __init__(self, address: Address) -> None:
        self._address = address
        self._connection: sqlite3.Connection | None = None
        self._seen: int | None = None
        self._asked = 0

    def has_changed(self) -> bool:
        """Whether it may have."""
        if self._address.path is None:
            return True
        if self._connection is None:
            uri = self._address.sqlite_uri("ro")
            self._connection = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
        version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        self._asked += 1
        changed = version != self._seen or self._asked % self._EVERY == 0
        self._seen = version
        return changed

    def close(self) -> None:
        """Until it is asked again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def bytes_or_nothing(source: EntrySource, reference: tuple[int, int, int]) -> bytes | None:
    """The bytes of a reference; None where the log lacks them: a page shows what is there."""
    try:
        return source.bytes_at(*reference)
    except RealtapeError:
        return None
