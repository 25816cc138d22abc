"""Which sessions of a store are meant: by label, date, duration, and by what happened in them.

One filter for all that takes sessions: `listed(connection, SessionFilter(tools=("refund",)))`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from sqlalchemy.engine import Connection

from ..schema.entries import WIRE_FORMAT, Entry, Kind, SessionRecord, Status
from ..schema.errors import CorruptRecordError, UsageError
from ..schema.log import entry_batches, fetch_durations, fetch_entries, fetch_headers
from .failures import is_failure
from .fields import client_message, event_fields, mapping, payload, server_message, text_of
from .messages import SPOKEN_DELTAS, interrupts
from .words import detail, item_text


@dataclass(frozen=True, kw_only=True)
class SessionFilter:
    """What a session must be to be meant: all of this. Without anything, every session is.

    Attributes:
        labels: it has all of these.
        statuses: it ended in one of these ways.
        since_ns, until_ns: it began then or later; before then. Unix time in nanoseconds.
        at_least_ns, at_most_ns: how long it went on, in nanoseconds, both included.
        texts: all of these occur in what was said, written, noted, asked of a tool or answered by one,
            whatever their case; also where they came in pieces.
        tools: all of these were called.
        interrupted: the model was interrupted.
        failed: something failed in it, or was lost.

    Raises:
        UsageError: no session can be so.
    """

    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    statuses: Collection[Status] = frozenset()
    since_ns: int | None = None
    until_ns: int | None = None
    at_least_ns: int | None = None
    at_most_ns: int | None = None
    texts: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    interrupted: bool = False
    failed: bool = False

    def __post_init__(self) -> None:
        pairs = ((self.since_ns, self.until_ns), (self.at_least_ns, self.at_most_ns))
        if any(low is not None and high is not None and low > high for low, high in pairs):
            raise UsageError("no session fits: what it must be at least is more than what it may be at most")
        if "" in self.texts:
            raise UsageError("an empty text is in every session: give one that is not")

    @property
    def reads_entries(self) -> bool:
        """Whether the header and the duration of a session do not tell if it fits."""
        return bool(self.texts or self.tools or self.interrupted or self.failed)

    def fits(self, session: SessionRecord) -> bool:
        """Whether the header of a session is so."""
        header = session.header
        return (
            self.labels.items() <= header.labels.items()
            and (not self.statuses or session.status in self.statuses)
            and (self.since_ns is None or self.since_ns <= header.started_ns)
            and (self.until_ns is None or header.started_ns < self.until_ns)
        )

    def fits_duration(self, duration_ns: int | None) -> bool:
        """Whether it went on for so long; one without entries did not go on at all."""
        went_on = duration_ns or 0
        return (self.at_least_ns is None or self.at_least_ns <= went_on) and (
            self.at_most_ns is None or went_on <= self.at_most_ns
        )

    def fits_entries(self, entries: Iterable[Entry]) -> bool:
        """Whether this happened in it; no further than it is known.

        Args:
            entries: in order; of frames also the events that they come to.
        """
        if not self.reads_entries:
            return True
        wanted = self._wanted()
        for entry in entries:
            wanted = [found for found in wanted if not found(entry)]
            if not wanted:
                return True
        return False

    def _wanted(self) -> list[Callable[[Entry], bool]]:
        wanted: list[Callable[[Entry], bool]] = [_Occurrence(text).is_in for text in self.texts]
        wanted += [_Call(tool).is_in for tool in self.tools]
        if self.interrupted:
            wanted.append(interrupts)
        if self.failed:
            wanted.append(is_failure)
        return wanted


EVERY = SessionFilter()
"""Any session fits."""


@dataclass(frozen=True)
class ListedSession:
    """A session as it is listed.

    Attributes:
        duration_ns: nanoseconds up to its last entry; None where it has none, or it cannot be read.
    """

    record: SessionRecord
    duration_ns: int | None


@dataclass(frozen=True)
class Listing:
    """What a store holds of what was asked for.

    Attributes:
        sessions: those that fit, oldest first.
        damaged: what could not be read, and so may have fitted.
    """

    sessions: list[ListedSession] = field(default_factory=list[ListedSession])
    damaged: list[CorruptRecordError] = field(default_factory=list[CorruptRecordError])


def listed(connection: Connection, wanted: SessionFilter = EVERY) -> Listing:
    """The sessions of a store that fit, oldest first; blocking. Of those whose header fits, entries are read
    as far as they are needed, a batch at a time; frames whole."""
    listing = Listing()
    durations = fetch_durations(connection)
    for record in fetch_headers(connection):
        if isinstance(record, CorruptRecordError):
            listing.damaged.append(record)
            continue
        if not wanted.fits(record):
            continue
        duration_ns = durations.get(record.key)
        try:
            if not record.entries and record.last_digest != record.first_digest:
                raise CorruptRecordError(record.header.id, 0, "none of its entries can be found")
            if duration_ns is None and record.entries:
                last = fetch_entries(connection, record.key, record.entries - 1)
                duration_ns = last[-1].at_ns if last else None
            if wanted.fits_duration(duration_ns) and wanted.fits_entries(_entries(connection, record)):
                listing.sessions.append(ListedSession(record, duration_ns))
        except CorruptRecordError as error:
            listing.damaged.append(error)
            if not wanted.reads_entries and wanted.fits_duration(duration_ns):
                listing.sessions.append(ListedSession(record, duration_ns))
    return listing


def _entries(connection: Connection, session: SessionRecord) -> Iterator[Entry]:
    if session.header.format < WIRE_FORMAT:
        yield from chain.from_iterable(entry_batches(connection, session.key))
    else:
        from .drafts import fetch_draft  # with the codec and its classes: here, for who has frames
        from .wire_events import entries_with_events

        yield from entries_with_events(fetch_draft(connection, session, verify=False))


class _Call:
    """Looks for a call of a tool, the application's or the provider's own."""

    def __init__(self, name: str) -> None:
        self._name = name

    def is_in(self, entry: Entry) -> bool:
        if entry.kind != Kind.RECEIVED or self._name not in entry.payload:
            return False
        if entry.type == "function_call":
            return event_fields(entry).get("name") == self._name
        item = mapping((server_message(entry) or {}).get("item"))
        return item.get("type") == "mcp_call" and item.get("name") == self._name


class _Occurrence:
    """Looks for a text, which may come in pieces."""

    def __init__(self, text: str) -> None:
        self._text = text.casefold()
        self._ends: dict[str, str] = {}
        """The end of what was said in an item so far, in which the text may begin."""

    def is_in(self, entry: Entry) -> bool:
        for item, text in texts_in(entry):
            told = text.casefold()
            if item:
                told = self._ends.get(item, "") + told
                self._ends[item] = told[-len(self._text) :]
            if self._text in told:
                return True
        return False


def texts_in(entry: Entry) -> Iterator[tuple[str, str]]:
    """What an entry brings of the conversation in words; where it is a piece, also the item that it is
    of, else empty."""
    if entry.kind == Kind.MARKER:
        yield "", text_of(mapping(payload(entry)).get("text"))
    elif entry.kind == Kind.SENT:
        fields = event_fields(entry)
        told = fields.get("user_input")
        yield "", told if isinstance(told, str) else item_text(mapping(told))
        yield "", text_of(fields.get("output"))
        yield "", detail(client_message(entry) or {})
    elif entry.kind == Kind.RECEIVED and entry.type in SPOKEN_DELTAS:
        fields = event_fields(entry)
        yield text_of(fields.get("item_id")) or "?", text_of(fields.get("delta"))
    elif entry.kind == Kind.RECEIVED and entry.type == "raw_server_event":
        if '.delta"' not in entry.payload:
            yield "", detail(server_message(entry) or {})
    elif entry.kind == Kind.RECEIVED and entry.type != "audio":
        fields = event_fields(entry)
        item = mapping(fields.get("item"))
        yield from (("", text_of(fields.get(name))) for name in ("transcript", "arguments"))
        yield from (("", told) for told in (item_text(item), text_of(item.get("arguments"))))
