"""`Draft`: a whole session held in memory, as rows: to be copied, cut and written as another recording.

A log is append-only, and nobody edits a recording. What derives one from another (an export, a trim, a
variation) reads a draft, makes another one of it, and writes that under a header of its own, with a
digest chain of its own. Payloads are edited as JSON trees, without a vocabulary: what this release
does not know passes through unharmed. Bytes are cut by changing a reference to them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from sqlalchemy.engine import Connection

from ..schema.codec import Reference, bytes_in, finite, from_json, references, to_json
from ..schema.entries import Entry, Header, SessionRecord, Status
from ..schema.errors import CorruptRecordError, DecodingError, StoreBusyError, UsageError
from ..schema.log import (
    Address,
    DigestChain,
    MemoryDatabase,
    advance_session,
    entry_batches,
    entry_digest,
    fetch_origins,
    fetch_segment,
    fetch_sessions,
    find_session,
    header_digest,
    insert_entries,
    insert_segment,
    insert_session,
    open_blocking,
    open_for_writing,
    put_origins,
    settle,
    store_errors,
)
from .learned import Origins, kept_of
from .provenance import Redaction, cut_source, damage_again

BYTES = ("py:bytes", "py:bytearray", "py:memoryview", "base64", "base64url")
"""The names under which a payload refers to bytes."""

_NO_SEGMENTS: Mapping[int, bytes] = {}


@dataclass(frozen=True)
class Draft:
    """One session, whole.

    Attributes:
        header: the session's header.
        status: how the session ended.
        entries: its rows, in order; `seq` is the place in this tuple.
        segments: the bytes that the payloads refer to, by the number of the segment.
        origins: what was learned of its calls, if that is about this very chain.
    """

    header: Header
    status: Status
    entries: tuple[Entry, ...]
    segments: Mapping[int, bytes] = field(default_factory=lambda: _NO_SEGMENTS, repr=False)
    origins: Origins | None = None

    def __repr__(self) -> str:
        return f"<Draft of session {self.header.id}, {len(self.entries)} entries>"  # not a megabyte of them

    @property
    def last_digest(self) -> bytes:
        """The head of the chain: the digest of the last entry, or the header's."""
        return self.entries[-1].digest if self.entries else header_digest(self.header)

    def bytes_at(self, segment: int, offset: int, length: int) -> bytes:
        """The bytes of a reference.

        Raises:
            DecodingError: the session holds no such bytes.
        """
        return bytes_in(self.segments, segment, offset, length)

    def sealed(self) -> Draft:
        """The same with the digest chain computed anew.

        Raises:
            CorruptRecordError: an entry refers to bytes that are missing.
        """
        digest, entries = header_digest(self.header), list[Entry]()
        for entry in self.entries:
            try:
                digest = entry_digest(digest, entry, self.bytes_at)
            except DecodingError as error:
                raise CorruptRecordError(self.header.id, entry.seq, str(error)) from error
            entries.append(entry._replace(digest=digest))
        same = self.origins is not None and self.origins.head == digest.hex()
        return dataclasses.replace(self, entries=tuple(entries), origins=self.origins if same else None)

    def derived(
        self, how: str, entries: Iterable[Entry], *, status: Status | None = None, **columns: Any
    ) -> Draft:
        """A new recording made of this one: renumbered, with only the bytes that are still referred to,
        with a header of its own whose `source` says where it comes from, and a chain of its own.

        The same derivation of the same recording has the same id in every run, so that what is kept
        in a repository changes only where the recording does. That something was redacted before is
        said again.

        Args:
            how: what was done, a few words: `trimmed to 3–9`.
            entries: of this draft, changed or left out or doubled, in their new order; `seq`, `cause`
                and `of` are still those of this draft. What ends an entry that is gone is gone, too.
            status: how it ended; None: as this one.
            columns: of the new header, that are otherwise, such as `previous_session`.
        """
        renumbered_entries = renumbered(entries)
        source = f"{how}, of {self.header.id}, whose last digest is {self.last_digest.hex()}"
        redaction = Redaction.told_by(self.header.source)
        if redaction is not None and Redaction.told_by(how) is None:
            source = f"{source}, {redaction}"
        source = damage_again(source, self.header.source)
        own = {"id": self._derived_id(source, renumbered_entries), "previous_session": None, "source": source}
        header = dataclasses.replace(self.header, **{**own, **columns})
        ended = self.status if status is None else status
        return compacted(Draft(header, ended, renumbered_entries, self.segments)).sealed()

    def _derived_id(self, source: str, entries: Sequence[Entry]) -> str:
        """A UUID of the form of a UUIDv7, at the time of the session's start; the rest by content."""
        content = hashlib.sha256(source.encode())
        for entry in entries:
            content.update(repr(entry[:-1]).encode())
        number = int.from_bytes(content.digest()[:16])
        number = self.header.started_ns // 1_000_000 << 80 | number & (1 << 80) - 1
        number = number & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62
        return str(uuid.UUID(int=number & (1 << 128) - 1))


# --- payloads as trees ----------------------------------------------------------------------------


def tree_of(entry: Entry) -> Any:
    """The payload as a JSON tree; a new one at each call."""
    return from_json(entry.payload)


def with_tree(entry: Entry, tree: Any) -> Entry:
    """The entry with another payload; its digest is of no use any more."""
    try:
        text = to_json(tree)
    except ValueError:  # another's log may hold a number that no float does
        text = to_json(finite(tree))
    return entry._replace(payload=text, digest=b"")


def mapped(tree: Any, change: Callable[[Reference], Sequence[Any]]) -> Any:
    """The tree with every reference to bytes changed; the old one stays as it is."""
    if isinstance(tree, list):
        return [mapped(item, change) for item in cast("list[Any]", tree)]
    if not isinstance(tree, dict):
        return tree
    facts = cast("dict[str, Any]", tree)
    reference = reference_in(facts)
    if reference is not None:
        return {"$": facts["$"], "at": list(change(reference))}
    return {key: mapped(item, change) for key, item in facts.items()}


def reference_in(tree: Any) -> Reference | None:
    """The reference that a tree is, or None if it is something else."""
    if not isinstance(tree, dict):
        return None
    # `cast` is a call, and this is asked of everything in a payload.
    facts: dict[str, Any] = tree  # pyright: ignore[reportUnknownVariableType]
    if facts.keys() != {"$", "at"} or facts["$"] not in BYTES or type(facts["at"]) is not list:
        return None
    at: list[Any] = facts["at"]  # pyright: ignore[reportUnknownVariableType]
    if [type(number) for number in at] != [int, int, int]:
        return None
    segment, offset, length = at
    return segment, offset, length


# --- making one draft of another ------------------------------------------------------------------


def renumbered(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries numbered from 0 in their order, with `cause` and `of` following.

    A cause that is gone is None from now on. An entry that ends one that is gone is left out.
    """
    numbering = Renumbering()
    return tuple(one for entry in entries if (one := numbering.number(entry)) is not None)


class Renumbering:
    """Numbers entries as `renumbered` does, one after another."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._next = 0

    def number(self, entry: Entry) -> Entry | None:
        """The next entry; None where it is left out."""
        numbers = self._numbers
        if entry.of is not None and entry.of not in numbers:
            return None
        seq, self._next = self._next, self._next + 1
        cause = None if entry.cause is None else numbers.get(entry.cause)
        of = None if entry.of is None else numbers[entry.of]
        numbers[entry.seq] = seq
        return entry._replace(seq=seq, cause=cause, of=of, digest=b"")


def compacted(draft: Draft) -> Draft:
    """The same with only the bytes that are referred to, each once, in one segment in the order in
    which they are."""
    places: dict[Reference, Reference] = {}
    parts: list[bytes] = []
    size = 0

    def place(reference: Reference) -> Reference:
        nonlocal size
        if reference not in places:
            parts.append(draft.bytes_at(*reference))
            places[reference] = (0, size, reference[2])
            size += reference[2]
        return places[reference]

    entries = tuple(
        with_tree(entry, mapped(tree_of(entry), place)) if references(entry.payload) else entry
        for entry in draft.entries
    )
    return dataclasses.replace(draft, entries=entries, segments={0: b"".join(parts)} if parts else {})


# --- reading and writing --------------------------------------------------------------------------


def fetch_draft(
    connection: Connection, session: SessionRecord, *, verify: bool = True, damaged: bool = False
) -> Draft:
    """Read a session whole.

    Args:
        connection: to its store.
        session: as the store lists it.
        verify: hold it against its digest chain.
        damaged: of one that was damaged take the entries before that. It is interrupted then, its header says
            so, and it has a chain of its own.

    Raises:
        CorruptRecordError: an entry was changed, or it or its bytes are missing.
    """
    entries: list[Entry] = []
    segments: dict[int, bytes] = {}
    try:
        chain = DigestChain(session, partial(bytes_in, segments)) if verify else None
        for entry in itertools.chain.from_iterable(entry_batches(connection, session.key)):
            for segment, _, _ in references(entry.payload):
                if segment not in segments:
                    data = fetch_segment(connection, session.key, segment)
                    if data is None:
                        raise CorruptRecordError(
                            session.header.id, entry.seq, f"the bytes of segment {segment} are missing"
                        )
                    segments[segment] = data
            if chain is not None:
                chain.follow([entry])
            entries.append(entry)
        if chain is not None:
            chain.end()
    except CorruptRecordError as error:
        if not damaged or error.seq is None:
            raise
        head = entries[-1].digest if entries else session.first_digest
        source = cut_source(session.header.source, len(entries), head, session.last_digest)
        header = dataclasses.replace(session.header, source=source)
        return Draft(header, Status.INTERRUPTED, tuple(entries), segments).sealed()
    return Draft(session.header, session.status, tuple(entries), segments, learned_of(connection, session))


def learned_of(connection: Connection, session: SessionRecord) -> Origins | None:
    """What was learned of a session's calls; None where nothing was, or of another chain.

    Raises:
        CorruptRecordError: it cannot be read.
    """
    told = fetch_origins(connection, session.key)
    if told is None:
        return None
    try:
        origins = Origins.of_text(told)
    except ValueError as error:
        problem = f"what was learned of its calls cannot be read: {error}"
        raise CorruptRecordError(session.header.id, None, problem) from error
    return origins if origins.head == session.last_digest.hex() else None


def with_origins(drafts: Iterable[Draft], kept: Mapping[str, Origins]) -> list[Draft]:
    """Sessions with what was learned of them and is kept elsewhere (`read_origins`): it goes before what was
    kept beside them."""
    found = [(one, kept_of(kept, one.header.id, one.last_digest)) for one in drafts]
    return [one if told is None else dataclasses.replace(one, origins=told) for one, told in found]


def keep_origins(address: Address, session_id: str, origins: Origins) -> None:
    """Keep what was learned of a session of a store, beside its entries; blocking.

    Raises:
        StoreError: it cannot be written.
    """
    engine = open_for_writing(address)
    try:
        with store_errors(address), engine.begin() as connection:
            found = find_session(connection, session_id)
            assert found is not None, "it was replayed just now"
            put_origins(connection, found[0], origins.text())
    finally:
        engine.dispose()
        if address.path is not None:
            with contextlib.suppress(StoreBusyError):  # somebody has it open, and settles it at the end
                settle(address)


def read_drafts(address: Address, session_id: str, *, damaged: bool = False) -> list[Draft]:
    """A session, and those that the same model object had after it; blocking. What is in the memory of this
    process was held against its digests when it came there.

    Args:
        address: of their store.
        session_id: of the first.
        damaged: as of `fetch_draft`.

    Raises:
        StoreError, CorruptRecordError: they cannot be read, or were changed.
    """
    with open_blocking(address) as connection, store_errors(address):
        sessions = fetch_sessions(connection)
        following = {session.header.previous_session: session for session in reversed(sessions)}
        chain = [session for session in sessions if session.header.id == session_id]
        while chain and len(chain) <= len(sessions) and chain[-1].header.id in following:
            chain.append(following[chain[-1].header.id])
        verify = address.memory is None
        return [fetch_draft(connection, session, verify=verify, damaged=damaged) for session in chain]


def write_drafts(address: Address, drafts: Sequence[Draft]) -> None:
    """Write sessions whose chains are sealed into a store, all or none; blocking.

    Raises:
        UsageError: the store holds a session of one of these ids.
        StoreError: as in `errors.py`; nothing was written.
    """
    engine = open_for_writing(address)
    try:
        with store_errors(address), engine.begin() as connection:
            for draft in drafts:
                if find_session(connection, draft.header.id) is not None:
                    raise UsageError(
                        f"{address} holds session {draft.header.id} already: name another store, "
                        "or look at that one"
                    )
                _insert_draft(connection, draft)
    finally:
        engine.dispose()
        if address.path is not None:
            with contextlib.suppress(StoreBusyError):  # somebody has it open, and settles it at the end
                settle(address)


def in_memory(drafts: Sequence[Draft], name: str) -> Address:
    """A store of these sessions, in this process's memory, for as long as the address is kept.

    Args:
        name: what messages call it.
    """
    address = Address(None, None, MemoryDatabase(name))
    write_drafts(address, drafts)
    return address


def _insert_draft(connection: Connection, draft: Draft) -> None:
    key, first = insert_session(connection, draft.header)
    for segment, data in sorted(draft.segments.items()):
        insert_segment(connection, key, segment, data)
    if draft.entries:  # nothing was recorded, or all was cut away
        insert_entries(connection, key, draft.entries)
    advance_session(connection, key, draft.header.id, first, draft.last_digest, draft.status)
    if draft.origins is not None:
        put_origins(connection, key, draft.origins.text())
