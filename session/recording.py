"""`Recording`: the read-only view of one session, whatever store it comes from.

It is read in two ways: asynchronously, by whoever shares an event loop with others; and by a replay
blocking, a batch at a time (about a millisecond): so that not a single round of the application's
event loop depends on how long the disk took.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from sqlalchemy.engine import URL, Connection

from ..schema.clocks import clock_held
from ..schema.entries import WIRE_FORMAT, Entry, Header, Kind, SessionRecord, Status
from ..schema.errors import CorruptRecordError, NewerFormatError, SessionNotFoundError
from ..schema.log import (
    Address,
    DigestChain,
    MemoryDatabase,
    RowBatch,
    StoreLocation,
    entry_batches,
    entry_of,
    fetch_ended,
    fetch_entries,
    fetch_headers,
    fetch_of_types,
    fetch_sessions,
    has_kind,
    header_digest,
    locate,
    open_blocking,
    open_for_reading,
    read,
    read_each,
    store_errors,
)
from .drafts import Draft, in_memory, learned_of, read_drafts, with_origins
from .ended import EndedEntries
from .fixture import is_fixture, read_into_memory
from .learned import Origins, kept_of, read_origins
from .payloads import Payloads
from .retention import chains
from .staged import Staged
from .targets import Target, label_in, parse_target
from .verifying import verified_batches

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from ..schema.codec import Codec, Vocabulary

_T = TypeVar("_T")

POLL_S = 0.2
"""Seconds between two looks at a session that is being recorded."""

Batches = Callable[[int], Sequence[Entry]]
"""Gives some entries from a seq on, none behind the last."""


class Recording:
    """One recorded session. Reading streams: never more than a batch of it is in memory.

    Open one with `await Recording.open(store)`; it is an async context manager.

    Attributes:
        header: id, start, labels, versions.
        status: how the session ended.
        length: number of entries.
        staged: gives the entries one by one, instead of a store.
        kept_origins: what was learned of sessions, by their ids, and is kept elsewhere (`read_origins`): it
            goes before what the store keeps.
    """

    def __init__(
        self,
        address: Address,
        session: SessionRecord,
        vocabulary: Vocabulary | None,
        staged: Staged | None = None,
    ) -> None:
        self.staged = staged
        self.kept_origins: Mapping[str, Origins] = {}
        self._address = address
        self._session = session
        self._payloads = Payloads(session.header.id, vocabulary)
        self._stack = AsyncExitStack()
        self._connection: AsyncConnection | None = None
        self._blocking_stack = ExitStack()
        self._blocking: Connection | None = None

    @classmethod
    async def open(
        cls,
        store: StoreLocation,
        session_id: str | None = None,
        *,
        vocabulary: Vocabulary | None = None,
        origins: Path | None = None,
    ) -> Self:
        """Open a session of a store; the newest, if no id is given. An id may be cut short, and stand behind
        the store as on the command line: `calls.db#01a2`, `calls.db#caller=four`.

        Where the newest is one that a model object had after others, by connecting again, it is the first
        of these: with those that followed it, it is the whole conversation.

        Args:
            store: a path or a URL. A folder, or a file that ends in `.zip`, is a fixture: it is read whole
                into memory, and its first session is the one that is meant if no id is given.
            session_id: how an id begins, with or without its hyphens; or a label, `NAME=VALUE`: the newest
                session that has it.
            origins: a file that keeps what was learned of calls (`realtape learn --origins`).

        Raises:
            StoreError: the store cannot be read, or has no such session; see `schema/errors.py`.
            UsageError: `origins` is something else.
        """
        kept = {} if origins is None else await asyncio.to_thread(read_origins, origins)
        store, session_id = _meant(store, session_id)
        if is_fixture(store):
            with clock_held():
                address, first_id = await asyncio.to_thread(read_into_memory, store)
        else:
            address, first_id = locate(store), None
        async with open_for_reading(address) as connection:
            session = choose(address, await read(connection, fetch_headers), session_id or first_id)
        opened = cls(address, session, vocabulary)
        opened.kept_origins = kept
        return opened

    @classmethod
    def open_blocking(
        cls,
        store: StoreLocation,
        session_id: str | None = None,
        *,
        vocabulary: Vocabulary | None = None,
        origins: Path | None = None,
    ) -> Self:
        """As `open`, for who has no event loop, or has it to himself."""
        kept = {} if origins is None else read_origins(origins)
        store, session_id = _meant(store, session_id)
        address, first_id = read_into_memory(store) if is_fixture(store) else (locate(store), None)
        with open_blocking(address) as connection:
            session = choose(address, fetch_headers(connection), session_id or first_id)
        opened = cls(address, session, vocabulary)
        opened.kept_origins = kept
        return opened

    @classmethod
    def of(cls, *drafts: Draft, name: str = "in memory", vocabulary: Vocabulary | None = None) -> Self:
        """A recording that is only in memory: of one session, or of those of one model object in order.

        Args:
            name: what messages call it.
        """
        address = in_memory(drafts, name)
        with open_blocking(address) as connection:
            session = choose(address, fetch_headers(connection), drafts[0].header.id)
        return cls(address, session, vocabulary)

    @classmethod
    def of_staged(
        cls, staged: Staged, *, name: str = "in memory", vocabulary: Vocabulary | None = None
    ) -> Self:
        """A recording of a session, and of those that follow it, of which a replay reads each entry only when
        it must be there.

        Args:
            name: what messages call it.
        """
        return cls(Address(None, None, MemoryDatabase(name)), _record_of(staged.draft), vocabulary, staged)

    @classmethod
    def again(cls, recording: Recording, vocabulary: Vocabulary) -> Self:
        """The same session once more, decoded with a vocabulary and read on a connection of its own."""
        again = cls(recording._address, recording._session, vocabulary, recording.staged)
        again.kept_origins = recording.kept_origins
        return again

    @property
    def header(self) -> Header:
        """The session's header."""
        return self._session.header

    @property
    def status(self) -> Status:
        """How the session ended."""
        return self._session.status if self.staged is None else self.staged.status

    @property
    def length(self) -> int:
        """Number of entries."""
        return self._session.entries

    @property
    def codec(self) -> Codec:
        """Decodes this recording's payloads."""
        return self._payloads.codec

    @property
    def notes(self) -> set[str]:
        """What could not be rebuilt while reading: names and fields that are unknown here."""
        return self._payloads.notes

    def read_as(self, vocabulary: Vocabulary) -> None:
        """Decode with another vocabulary from now on: a replay into the SDK delivers its classes."""
        from ..schema.codec import Codec  # as in `Payloads.codec`

        self._payloads.codec = Codec(vocabulary)

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
        if self.staged is not None:
            next_one = self.staged.following
            if next_one is None:
                return None
            vocabulary = self.codec.vocabulary
            return type(self)(self._address, _record_of(next_one.draft), vocabulary, next_one)
        with open_blocking(self._address) as connection:
            sessions = fetch_sessions(connection)
        for session in sessions:
            if session.header.previous_session == self.header.id:
                found = type(self)(self._address, session, self.codec.vocabulary)
                found.kept_origins = self.kept_origins
                return found
        return None

    def chain(self) -> Iterator[Recording]:
        """This, and those that the same model object had next; none but this is open. Blocking."""
        one: Recording | None = self
        while one is not None:
            yield one
            one = Recording.following(one)  # whoever watches what is replayed is not told

    def drafts(self, *, damaged: bool = False) -> list[Draft]:
        """This session whole, and those that the same model object had next; blocking. Also after `close`.

        Args:
            damaged: of a session that was damaged take the entries before that.

        Raises:
            StoreError, CorruptRecordError: they cannot be read, or were changed.
        """
        if self.staged is not None:
            return [one.draft for one in self.staged.and_following()]
        return with_origins(read_drafts(self._address, self.header.id, damaged=damaged), self.kept_origins)

    # --- reading, for who shares an event loop with others --------------------------------------------

    async def entries(self, first: int = 0) -> AsyncGenerator[Entry]:
        """The entries from seq `first` on, in order."""
        connection = await self._connected()
        with store_errors(self._address):
            async for batch in read_each(connection, entry_batches, self._session.key, first):
                for entry in batch:
                    yield entry

    async def values(self, first: int = 0) -> AsyncGenerator[tuple[Entry, Any]]:
        """The entries from seq `first` on, each with its decoded payload.

        Raises:
            CorruptRecordError: a payload cannot be decoded, or its bytes are missing.
        """
        async for entry in self.entries(first):
            yield entry, await self.decode(entry)

    async def before(self, seq: int, types: Collection[str]) -> list[Entry]:
        """The entries of these types before entry `seq`, in order, without those between them.

        Cancelled, it has changed nothing.
        """
        connection = await self._connected()
        with store_errors(self._address):
            return await read(connection, fetch_of_types, self._session.key, types, seq)

    async def follow(
        self, first: int = 0, *, poll_s: float = POLL_S, on_wait: Callable[[], object] = lambda: None
    ) -> AsyncGenerator[Entry]:
        """The entries from seq `first` on, and those that are still to come, until the session is over.

        No transaction stays open while it waits: the recorder's write-ahead log is merged as it would be
        without. Cancelled, it has changed nothing.

        Args:
            poll_s: seconds between two looks at the store.
            on_wait: called each time when there is nothing new.
        """
        while True:
            # Asked first: what was appended before the end is then read in this round.
            status = await asyncio.to_thread(self._status_now)
            while entries := await asyncio.to_thread(self.batch, first):
                for entry in entries:
                    yield entry
                first = entries[-1].seq + 1
            if status is not Status.RECORDING:
                return
            on_wait()
            await asyncio.sleep(poll_s)

    async def next_session(self, within_s: float, *, poll_s: float = POLL_S) -> Recording | None:
        """The session that the same model object has next, also where it begins a little later: who loses a
        connection waits before he connects again. None where none has begun by then, or who recorded this one
        is gone. Cancelled, it has changed nothing.

        Args:
            within_s: seconds for which it is waited for.
            poll_s: seconds between two looks at the store.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        while True:
            gone = await asyncio.to_thread(self._status_now) is Status.INTERRUPTED
            found = await asyncio.to_thread(self.following)
            if found is not None or gone or loop.time() >= until:
                return found
            await asyncio.sleep(poll_s)

    async def decode(self, entry: Entry) -> Any:
        """The decoded payload of an entry of this recording.

        Raises:
            CorruptRecordError: it cannot be decoded, or its bytes are missing.
        """
        await self.load(entry)
        return self._payloads.value(entry)

    async def ask(self, question: Callable[[Batches], _T]) -> _T:
        """What a question comes to that itself is blocking: while it waits for entries, the loop runs."""
        connection, key = await self._connected(), self._session.key
        with store_errors(self._address):
            return await read(connection, lambda blocking: question(partial(fetch_entries, blocking, key)))

    async def load(self, entry: Entry) -> None:
        """Bring the bytes to which an entry refers into memory, for `bytes_at`."""
        if self._payloads.lacking([entry.payload]):
            connection = await self._connected()
            with store_errors(self._address):
                await read(connection, self._payloads.load, self._session.key, [entry.payload])

    def load_blocking(self, entry: Entry) -> None:
        """As `load`, blocking. Opens the store for this alone, as `batch`."""
        if self._payloads.lacking([entry.payload]):
            with open_blocking(self._address) as connection, store_errors(self._address):
                self._payloads.load(connection, self._session.key, [entry.payload])

    def bytes_at(self, segment: int, offset: int, length: int) -> bytes:
        """Bytes of a segment that is in memory: those of the entry decoded last are."""
        return self._payloads.bytes_at(segment, offset, length)

    # --- reading, for who may wait for the disk ---------------------------------------------------------

    def entries_blocking(self, first: int = 0) -> Iterator[Entry]:
        """As `entries`."""
        with store_errors(self._address):
            for batch in entry_batches(self._connected_blocking(), self._session.key, first):
                yield from batch

    def before_blocking(self, seq: int, types: Collection[str]) -> list[Entry]:
        """As `before`."""
        with store_errors(self._address):
            return fetch_of_types(self._connected_blocking(), self._session.key, types, seq)

    # --- reading, for a replay --------------------------------------------------------------------------

    def stream(self) -> Iterator[tuple[Entry, Any]]:
        """All entries, each with its decoded payload; blocking.

        Raises:
            CorruptRecordError: a payload cannot be decoded, or its bytes are missing.
        """
        for batch, values in self.stream_rows():
            yield from zip(map(entry_of, batch.rows), values, strict=True)

    def broken_off(self, error: Exception) -> None:
        """A replay has come to where this cannot be read any further."""

    def stream_rows(self) -> Iterator[tuple[RowBatch, list[Any]]]:
        """All entries, some at a time, and their decoded payloads; blocking.

        Before what cannot be read, or was changed, come those that can. What is in the memory of this process
        was held against its digests when it came there.

        Raises:
            CorruptRecordError: a payload cannot be decoded, or its bytes are missing, or it was changed.
        """
        if self.staged is not None:
            return self._payloads.one_by_one(self.staged.entries(), self.staged.bytes_at)
        chain = (
            None if self._address.memory is not None else partial(DigestChain, self._session, self.bytes_at)
        )
        return self._payloads.stream(self._connected_blocking(), self._address, self._session.key, chain)

    def batch(self, first: int) -> list[Entry]:
        """Some entries from seq `first` on, none behind the last; blocking. Opens the store for this
        alone, so that it may also be asked after `close`."""
        with open_blocking(self._address) as connection, store_errors(self._address):
            return fetch_entries(connection, self._session.key, first)

    def entries_again(self) -> Iterator[Entry]:
        """All entries in order, for who asks beside a replay, and after it; blocking. The store is opened for
        each batch alone."""
        if self.staged is not None:
            yield from self.staged.given_from(0)
            return
        first = 0
        while entries := self.batch(first):
            yield from entries
            first = entries[-1].seq + 1

    def ended(self) -> EndedEntries:
        """Which entries the log holds an end of; blocking."""
        if self.staged is not None:
            return self.staged.ended
        ended = EndedEntries()
        with store_errors(self._address):
            for seq in fetch_ended(self._connected_blocking(), self._session.key):
                ended.add(seq)
        return ended

    def has_playback(self) -> bool:
        """Whether calls on a playback tracker were recorded; blocking."""
        if self.staged is not None:
            return self.staged.has(Kind.PLAYBACK)
        with store_errors(self._address):
            return has_kind(self._connected_blocking(), self._session.key, Kind.PLAYBACK)

    def has_sent(self, types: Collection[str]) -> bool:
        """Whether anything of these types was sent; blocking."""
        if self.staged is not None:
            return self.staged.has(Kind.SENT, types)
        with store_errors(self._address):
            return has_kind(self._connected_blocking(), self._session.key, Kind.SENT, types)

    @property
    def origins(self) -> Origins | None:
        """What was learned of this session's calls; blocking.

        Raises:
            CorruptRecordError: it cannot be read.
        """
        if self.staged is not None:
            return self.staged.draft.origins
        kept = kept_of(self.kept_origins, self.header.id, self._session.last_digest)
        if kept is not None:
            return kept
        with store_errors(self._address):
            return learned_of(self._connected_blocking(), self._session)

    async def verify(self) -> None:
        """Read everything, and hold it against the digest chain.

        Raises:
            CorruptRecordError: names the first entry that is not what was appended.
        """
        connection = await self._connected()
        with store_errors(self._address):
            async for _ in read_each(connection, verified_batches, self._session):
                pass

    # --- helpers ----------------------------------------------------------------------------------------

    async def _connected(self) -> AsyncConnection:
        if self._connection is None:
            self._connection = await self._stack.enter_async_context(open_for_reading(self._address))
        return self._connection

    def _connected_blocking(self) -> Connection:
        if self._blocking is None:
            self._blocking = self._blocking_stack.enter_context(open_blocking(self._address))
        return self._blocking

    def _status_now(self) -> Status:
        with open_blocking(self._address) as connection, store_errors(self._address):
            sessions = fetch_sessions(connection)
        return next((one.status for one in sessions if one.header.id == self.header.id), self.status)


def _record_of(draft: Draft) -> SessionRecord:
    """Of a session that lies in no store."""
    first = header_digest(draft.header)
    return SessionRecord(0, draft.header, draft.status, first, first, len(draft.entries))


def _meant(store: StoreLocation, session_id: str | None) -> tuple[StoreLocation, str | None]:
    """Which store, and which session of it."""
    if session_id is not None or isinstance(store, URL):
        return store, session_id
    target = parse_target(os.fsdecode(store))
    return target.store, target.session


def choose(
    address: Address, sessions: Sequence[SessionRecord | CorruptRecordError], session_id: str | None
) -> SessionRecord:
    """The session of an id, which may be cut short; or the newest that has a label; without either the
    newest of all. The newest means the whole conversation, from its chain's head on.

    Raises:
        SessionNotFoundError: there is no such session.
        CorruptRecordError: its header cannot be read.
        NewerFormatError: its format is not known here.
    """
    chosen = _named(address, sessions, session_id)
    if isinstance(chosen, CorruptRecordError):
        raise chosen
    if chosen.header.format > WIRE_FORMAT:
        raise NewerFormatError(
            str(address),
            f"session {chosen.header.id} was recorded in format {chosen.header.format}, "
            f"and this release reads up to {WIRE_FORMAT}",
            "upgrade: pip install --upgrade realtape",
        )
    return chosen


def choose_all(
    address: Address, sessions: Sequence[SessionRecord | CorruptRecordError], target: Target
) -> tuple[SessionRecord, ...]:
    """The session that a target names by its id; else, of the one that it means, the whole conversation: with
    those that its model had by connecting again, as far as their headers can be read.

    Raises:
        As `choose`.
    """
    chosen = choose(address, sessions, target.session)
    if target.is_single:
        return (chosen,)
    readable = [one for one in sessions if isinstance(one, SessionRecord)]
    return next(chain for chain in chains(readable) if chosen in chain)


def _named(
    address: Address, sessions: Sequence[SessionRecord | CorruptRecordError], session_id: str | None
) -> SessionRecord | CorruptRecordError:
    if not sessions:
        raise SessionNotFoundError(str(address), "holds no session yet", "record one into it first")
    if session_id is None:
        return _head(sessions, sessions[-1])
    label = label_in(session_id)
    if label is not None:
        labelled = [one for one in sessions if isinstance(one, SessionRecord) and _has(one, label)]
        if not labelled:
            raise SessionNotFoundError(
                str(address),
                f"no session labelled {session_id} among its {len(sessions)}",
                "list them with `realtape ls`",
            )
        return _head(sessions, labelled[-1])
    begin = session_id.replace("-", "")
    matches = [session for session in sessions if _id(session).replace("-", "").startswith(begin)]
    exact = [session for session in matches if len(_id(session).replace("-", "")) == len(begin)]
    if exact:
        return exact[0]
    if not matches:
        raise SessionNotFoundError(
            str(address),
            f"no session {session_id} among its {len(sessions)}",
            f"list them with `realtape ls`; the newest is {_id(sessions[-1])}",
        )
    if len(matches) > 1:
        raise SessionNotFoundError(
            str(address), f"{len(matches)} sessions begin with {session_id}", "give more of the id"
        )
    return matches[0]


def _has(session: SessionRecord, label: tuple[str, str]) -> bool:
    name, value = label
    return session.header.labels.get(name) == value


def _head(
    sessions: Sequence[SessionRecord | CorruptRecordError], newest: SessionRecord | CorruptRecordError
) -> SessionRecord | CorruptRecordError:
    """The first of those that led to the newest: a model that connected again had one conversation."""
    known = {_id(session): session for session in sessions}
    head = newest
    for _ in sessions:  # a log may say anything: no further than there are sessions
        if isinstance(head, CorruptRecordError) or head.header.previous_session not in known:
            break
        head = known[head.header.previous_session]
    return head


def _id(session: SessionRecord | CorruptRecordError) -> str:
    return session.session_id if isinstance(session, CorruptRecordError) else session.header.id
