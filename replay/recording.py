"""`Recording`: the read-only view of one session, whatever store it comes from.

It is read in two ways: asynchronously, by whoever shares an event loop with others; and by a replay
blocking, a batch at a time (about a millisecond): so that not a single round of the application's
event loop depends on how long the disk took.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator
from contextlib import AsyncExitStack, ExitStack
from operator import itemgetter
from types import TracebackType
from typing import Any, Self

from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from ..schema.addresses import Address, StoreLocation, locate
from ..schema.clocks import clock_held
from ..schema.codec import REFERS, Codec, references
from ..schema.digests import entry_digest, header_digest
from ..schema.drafts import Draft, in_memory, read_drafts
from ..schema.entries import PAYLOAD, SEQ, Entry, Header, Kind, SessionRecord, Status
from ..schema.errors import CorruptRecordError, DecodingError, RealtapeError, SessionNotFoundError
from ..schema.fixture import is_fixture, read_into_memory
from ..schema.rows import (
    BARE_FIELDS,
    READ_BATCH,
    Row,
    entry_of,
    fetch_ended,
    fetch_entries,
    fetch_rows,
    fetch_segment,
    fetch_sessions,
    has_kind,
    read_entries,
    read_segment,
    read_sessions,
)
from ..schema.standard import STANDARD
from ..schema.stores import open_blocking, open_for_reading, store_errors
from ..schema.vocabulary import Vocabulary
from .core.ended import Ended

SEGMENTS_IN_MEMORY = 8
"""Commits whose bytes are kept while a recording is read; each is what 50 ms brought."""

AT_ONCE_ENTRIES = 256
AT_ONCE_BYTES = 1 << 20
"""How much is decoded in one go: a millisecond's work."""

MOSTLY_BARE = (BARE_FIELDS + len(Entry._fields)) / 2
"""Fields of a row, at most, on average: else it is sooner read all of it."""

_payload = itemgetter(PAYLOAD)


class Recording:
    """One recorded session. Reading streams: never more than a batch of it is in memory.

    Open one with `await Recording.open(store)`; it is an async context manager.

    Attributes:
        header: id, start, labels, versions.
        status: how the session ended.
        length: number of entries.
        notes: what could not be rebuilt while reading: names and fields that are unknown here.
    """

    def __init__(self, address: Address, session: SessionRecord, vocabulary: Vocabulary) -> None:
        self._address = address
        self._session = session
        self._codec = Codec(vocabulary)
        self._segments: OrderedDict[int, bytes] = OrderedDict()
        self._stack = AsyncExitStack()
        self._connection: AsyncConnection | None = None
        self._blocking_stack = ExitStack()
        self._blocking: Connection | None = None
        self.notes: set[str] = set()

    @classmethod
    async def open(
        cls, store: StoreLocation, session_id: str | None = None, *, vocabulary: Vocabulary = STANDARD
    ) -> Self:
        """Open a session of a store; the newest, if no id is given. An id may be cut short.

        Args:
            store: a path or a URL. A folder, or a file that ends in `.zip`, is a fixture: it is read whole
                into memory, and its first session is the one that is meant if no id is given.

        Raises:
            StoreError: the store cannot be read, or has no such session; see `schema/errors.py`.
        """
        if is_fixture(store):
            with clock_held():
                address, first_id = await asyncio.to_thread(read_into_memory, store)
        else:
            address, first_id = locate(store), None
        async with open_for_reading(address) as connection:
            session = _choose(address, await read_sessions(connection), session_id or first_id)
        return cls(address, session, vocabulary)

    @classmethod
    def of(cls, *drafts: Draft, name: str = "in memory", vocabulary: Vocabulary = STANDARD) -> Self:
        """A recording that is only in memory: of one session, or of those of one model object in order.

        Args:
            name: what messages call it.
        """
        address = in_memory(drafts, name)
        with open_blocking(address) as connection:
            session = _choose(address, fetch_sessions(connection), drafts[0].header.id)
        return cls(address, session, vocabulary)

    @staticmethod
    def again(recording: Recording, vocabulary: Vocabulary) -> Recording:
        """The same session once more, decoded with a vocabulary and read on a connection of its own."""
        return Recording(recording._address, recording._session, vocabulary)

    @property
    def header(self) -> Header:
        """The session's header."""
        return self._session.header

    @property
    def status(self) -> Status:
        """How the session ended."""
        return self._session.status

    @property
    def length(self) -> int:
        """Number of entries."""
        return self._session.entries

    @property
    def codec(self) -> Codec:
        """Decodes this recording's payloads."""
        return self._codec

    def read_as(self, vocabulary: Vocabulary) -> None:
        """Decode with another vocabulary from now on: a replay into the SDK delivers its classes."""
        self._codec = Codec(vocabulary)

    def __str__(self) -> str:
        return f"{self._address}#{self.header.id}"

    async def close(self) -> None:
        """Close the store."""
        self.close_blocking()
        await self._stack.aclose()
        self._connection = None

    def close_blocking(self) -> None:
        """Close what a replay has opened."""
        self._blocking = None
        self._blocking_stack.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def following(self) -> Recording | None:
        """The session that the same model object had next, or None. Also after `close`. Blocking."""
        with open_blocking(self._address) as connection:
            sessions = fetch_sessions(connection)
        for session in sessions:
            if session.header.previous_session == self.header.id:
                return type(self)(self._address, session, self._codec.vocabulary)
        return None

    def drafts(self) -> list[Draft]:
        """This session whole, and those that the same model object had next; blocking. Also after `close`.

        Raises:
            StoreError, CorruptRecordError: they cannot be read.
        """
        return read_drafts(self._address, self.header.id)

    # --- reading, for who shares an event loop with others --------------------------------------------

    async def entries(self, first: int = 0) -> AsyncIterator[Entry]:
        """The entries from seq `first` on, in order."""
        connection = await self._connected()
        with store_errors(self._address):
            async for entry in read_entries(connection, self._session.key, first):
                yield entry

    async def values(self, first: int = 0) -> AsyncGenerator[tuple[Entry, Any]]:
        """The entries from seq `first` on, each with its decoded payload.

        Raises:
            CorruptRecordError: a payload cannot be decoded, or its bytes are missing.
        """
        async for entry in self.entries(first):
            yield entry, await self.decode(entry)

    async def decode(self, entry: Entry) -> Any:
        """The decoded payload of an entry of this recording.

        Raises:
            CorruptRecordError: it cannot be decoded, or its bytes are missing.
        """
        await self._load(entry)
        return self._decoded(entry)

    def bytes_at(self, segment: int, offset: int, length: int) -> bytes:
        """Bytes of a segment that is in memory: those of the entry decoded last are."""
        data = self._segments.get(segment)
        if data is None or not 0 <= offset <= offset + length <= len(data):
            raise DecodingError(f"bytes {offset}+{length} of segment {segment} are missing")
        return data[offset : offset + length]

    # --- reading, for a replay --------------------------------------------------------------------------

    def stream(self) -> Iterator[tuple[Entry, Any]]:
        """All entries, each with its decoded payload; blocking. Their digests may be left out.

        Raises:
            CorruptRecordError: a payload cannot be decoded, or its bytes are missing.
        """
        for rows, values in self.stream_rows():
            yield from zip(map(entry_of, rows), values, strict=True)

    def stream_rows(self) -> Iterator[tuple[list[Row], list[Any]]]:
        """All entries, AT_ONCE_ENTRIES at a time: their rows, and their decoded payloads; blocking.

        Fewer come at the end; and before what cannot be read, which then raises.

        Raises:
            CorruptRecordError: a payload cannot be decoded, or its bytes are missing.
        """
        rows: list[Row] = []
        values: list[Any] = []
        try:
            for some, decoded in self._portions():
                rows += some
                values += decoded
                if len(rows) >= AT_ONCE_ENTRIES:
                    yield rows[:AT_ONCE_ENTRIES], values[:AT_ONCE_ENTRIES]
                    del rows[:AT_ONCE_ENTRIES], values[:AT_ONCE_ENTRIES]
        except RealtapeError:
            if rows:
                yield rows, values
            raise
        if rows:
            yield rows, values

    def batch(self, first: int) -> list[Entry]:
        """Some entries from seq `first` on, none behind the last; blocking. Opens the store for this
        alone, so that it may also be asked after `close`."""
        with open_blocking(self._address) as connection, store_errors(self._address):
            return fetch_entries(connection, self._session.key, first)

    def ended(self) -> Ended:
        """Which entries the log holds an end of; blocking."""
        ended = Ended(self.length)
        with store_errors(self._address):
            for seq in fetch_ended(self._connected_blocking(), self._session.key):
                ended.add(seq)
        return ended

    def has_playback(self) -> bool:
        """Whether calls on a playback tracker were recorded; blocking."""
        with store_errors(self._address):
            return has_kind(self._connected_blocking(), self._session.key, Kind.PLAYBACK)

    def has_sent(self, types: Collection[str]) -> bool:
        """Whether anything of these types was sent; blocking."""
        with store_errors(self._address):
            return has_kind(self._connected_blocking(), self._session.key, Kind.SENT, types)

    async def verify(self) -> None:
        """Read everything, and hold it against the digest chain.

        Raises:
            CorruptRecordError: names the first entry that is not what was appended.
        """
        session = self._session
        digest = header_digest(session.header)
        if digest != session.first_digest:
            raise CorruptRecordError(session.header.id, None, "the header was changed")
        expected = 0
        async for entry in self.entries():
            if entry.seq != expected:
                raise CorruptRecordError(session.header.id, expected, f"missing; {entry.seq} follows")
            await self._load(entry)
            try:
                digest = entry_digest(digest, entry, self.bytes_at)
            except DecodingError as error:
                raise CorruptRecordError(session.header.id, entry.seq, str(error)) from error
            if digest != entry.digest:
                raise CorruptRecordError(session.header.id, entry.seq, "changed after it was appended")
            expected += 1
        if digest != session.last_digest and session.status is not Status.RECORDING:
            raise CorruptRecordError(session.header.id, expected, "the end was cut off")

    # --- helpers ----------------------------------------------------------------------------------------

    async def _connected(self) -> AsyncConnection:
        if self._connection is None:
            self._connection = await self._stack.enter_async_context(open_for_reading(self._address))
        return self._connection

    def _connected_blocking(self) -> Connection:
        if self._blocking is None:
            self._blocking = self._blocking_stack.enter_context(open_blocking(self._address))
        return self._blocking

    def _portions(self) -> Iterator[tuple[list[Row], list[Any]]]:
        """All entries, as many at a time as are decoded in one go; never more than AT_ONCE_ENTRIES."""
        connection, first, bare = self._connected_blocking(), 0, True
        while True:
            with store_errors(self._address):
                batch = fetch_rows(connection, self._session.key, first, bare=bare)
            bare = bare and sum(map(len, batch)) < MOSTLY_BARE * len(batch)
            text = "".join(map(_payload, batch))
            if len(text) <= AT_ONCE_BYTES and REFERS not in text:
                for begin in range(0, len(batch), AT_ONCE_ENTRIES):
                    some = batch[begin : begin + AT_ONCE_ENTRIES]
                    yield some, self._values_of(some, None)
            else:
                for some in _cut(batch):
                    yield some, self._values_of(some, connection)
            if len(batch) < READ_BATCH:
                return
            first = batch[-1][SEQ] + 1

    def _values_of(self, rows: list[Row], bytes_from: Connection | None) -> list[Any]:
        """The decoded payloads of some entries; of one, if it refers to much.

        Args:
            bytes_from: what they refer to is read from there; None: they refer to nothing.
        """
        payloads: list[str] = list(map(_payload, rows))
        if bytes_from is not None:
            self._load_all(payloads, bytes_from)
        decoded = self._codec.decode_all(payloads, self.bytes_at)
        if decoded is None:
            return [self._decoded(entry_of(row)) for row in rows]
        self.notes |= decoded[1]
        return decoded[0]

    def _load_all(self, payloads: list[str], connection: Connection) -> None:
        referring = [payload for payload in payloads if REFERS in payload]
        segments = {segment for payload in referring for segment, _, _ in references(payload)}
        for segment in sorted(segments):
            if not self._has(segment):
                with store_errors(self._address):
                    self._keep(segment, fetch_segment(connection, self._session.key, segment), len(segments))

    def _decoded(self, entry: Entry) -> Any:
        try:
            decoded = self._codec.decode(entry.payload, self.bytes_at)
        except DecodingError as error:
            raise CorruptRecordError(self.header.id, entry.seq, str(error)) from error
        self.notes |= decoded.notes
        return decoded.value

    async def _load(self, entry: Entry) -> None:
        for segment, _, _ in references(entry.payload):
            if not self._has(segment):
                connection = await self._connected()
                with store_errors(self._address):
                    data = await read_segment(connection, self._session.key, segment)
                self._keep(segment, data)

    def _has(self, segment: int) -> bool:
        if segment not in self._segments:
            return False
        self._segments.move_to_end(segment)
        return True

    def _keep(self, segment: int, data: bytes | None, at_once: int = 1) -> None:
        if data is not None:
            self._segments[segment] = data
            if len(self._segments) > max(SEGMENTS_IN_MEMORY, at_once):
                self._segments.popitem(last=False)


def _cut(batch: list[Row]) -> Iterator[list[Row]]:
    """Cut a batch so that what is decoded in one go stays small."""
    begin, size = 0, 0
    for number, payload in enumerate(map(_payload, batch)):
        weight = len(payload) + sum(length for _, _, length in references(payload))
        if number > begin and (size + weight > AT_ONCE_BYTES or number - begin >= AT_ONCE_ENTRIES):
            yield batch[begin:number]
            begin, size = number, 0
        size += weight
    if batch:
        yield batch[begin:]


def _choose(address: Address, sessions: list[SessionRecord], session_id: str | None) -> SessionRecord:
    if not sessions:
        raise SessionNotFoundError(str(address), "holds no session yet", "record one into it first")
    if session_id is None:
        return sessions[-1]
    matches = [session for session in sessions if session.header.id.startswith(session_id)]
    exact = [session for session in matches if session.header.id == session_id]
    if exact:
        return exact[0]
    if not matches:
        newest = sessions[-1].header.id
        raise SessionNotFoundError(
            str(address),
            f"no session {session_id} among its {len(sessions)}",
            f"list them with `realtape ls`; the newest is {newest}",
        )
    if len(matches) > 1:
        raise SessionNotFoundError(
            str(address), f"{len(matches)} sessions begin with {session_id}", "give more of the id"
        )
    return matches[0]
