"""Folding: a stretch of speech is hundreds of entries, of which people want to read three or four.

Bursts of audio, transcripts and playback become a row each; what only confirms that all went well,
and messages of the provider whose event follows at once and tells as much, are left out. Whatever else comes
ends the bursts, so the order of what matters is the log's; messages fold only where nothing else came in
between.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

from ..schema.codec import references
from ..schema.entries import Entry, Kind
from . import words
from .fields import byte_count, facts_of, mapping, payload_kept
from .messages import SPOKEN_DELTAS
from .notes import Notes
from .timeline import Row, row_of, title_of

PAUSE_NS = 1_000_000_000
"""Silence that ends a burst."""

MAX_TEXT = 1 << 20
"""Characters of what was said that a burst keeps."""

MAX_NAMES = 4
"""Different contents that the row of a burst names."""


@dataclass
class Burst:
    """Entries of one sort, folded into a row."""

    first: Entry
    last: Entry
    count: int = 0
    byte_count: int = 0
    text: str = ""
    names: dict[str, None] = field(default_factory=dict[str, None])

    def add(self, entry: Entry) -> None:
        """One more."""
        self.last = entry
        self.count += 1
        facts = mapping(payload_kept(entry))
        if entry.type in ("audio", "send_audio"):
            self.byte_count += byte_count(facts.get("data", facts.get("audio"))) or 0
        elif entry.kind == Kind.FRAME_OUT:
            self.byte_count += sum(length for _, _, length in references(entry.payload))
            self.names[entry.type or "bytes"] = None
        elif entry.type in SPOKEN_DELTAS:
            if len(self.text) <= MAX_TEXT:
                self.text += str(facts.get("delta"))
        elif len(self.names) <= MAX_NAMES:
            self.names[words.content(entry)] = None

    def row(self) -> Row:
        """What it comes to. As its number and its time, what had been heard is that of its first entry: so of
        bursts that overlap none has heard less than the one above it."""
        row = row_of(self.first)
        if self.count == 1:
            return row
        text = self._content()
        cause = row.cause if self.first.cause == self.last.cause else ""
        return Row(
            row.seq,
            row.at_ns,
            row.direction,
            f"{row.title} ×{self.count}",
            row.playback,
            cause,
            words.short(text),
            self.count,
            kind=row.kind,
            text=text,
        )

    def _content(self) -> str:
        if self.first.type in ("audio", "send_audio"):
            item = mapping(payload_kept(self.first)).get("item_id")
            return f"{self.byte_count:,} bytes" + (f" of {item}" if item else "")
        if self.first.type in SPOKEN_DELTAS:
            return repr(self.text)
        if self.first.kind == Kind.PLAYBACK:
            return f"by the {self.first.type}"
        names = list(self.names)
        if self.first.kind == Kind.FRAME_OUT:
            return f"{', '.join(names)} {self.byte_count:,} bytes"
        more = ", …" if len(names) > MAX_NAMES else ""
        return ", ".join(names[:MAX_NAMES]) + more


class Folder:
    """Takes entries in the order of the log, gives rows.

    Args:
        notes: of the entries before the first that it is given.

    Attributes:
        entries: taken so far.
        rows: given so far.
    """

    def __init__(self, notes: Notes | None = None) -> None:
        self.entries = 0
        self.rows = 0
        self._bursts: dict[Hashable, Burst] = {}
        self._others = 0  # entries that are no messages: those between which messages fold
        self._notes = notes or Notes()
        self._noted: tuple[Entry | None, str] = (None, "")  # the last entry, and what is noted of it
        self._raw: Entry | None = None  # waits for the event that is made of it
        self._frame: Entry | None = None  # waits for the message that it brings

    def add(self, entry: Entry) -> list[Row]:
        """The next entry; the rows that are complete now."""
        self.entries += 1
        self._noted = (entry, self._notes.read(entry))
        frame, self._frame = self._frame, None
        if frame is not None and not (entry.kind == Kind.RECEIVED and entry.cause == frame.seq):
            return self._given([*self._take(frame), *self._add(entry)])
        return self._given(self._add(entry))

    def _add(self, entry: Entry) -> list[Row]:
        raw, self._raw = self._raw, None
        rows: list[Row] = []
        if raw is not None and _is_not_understood(entry) and _follows(entry, raw):
            return [*self._end_bursts(), row_of(raw, text=words.in_full(raw))]
        if raw is not None and (words.detail(facts_of(raw)) or not _follows(entry, raw)):
            rows = self._take(raw)
        if _is_raw(entry):
            self._raw = entry
        elif entry.kind == Kind.FRAME_IN:
            self._frame = entry
        elif not _is_silent(entry):
            self._others += 1
            rows += self._take(entry)
        return rows

    def rest(self) -> list[Row]:
        """The rows that are left at the end."""
        rows: list[Row] = []
        for one in (self._frame, self._raw):
            if one is not None:
                rows += self._take(one)
        self._frame = self._raw = None
        return self._given(rows + self._end_bursts())

    def _take(self, entry: Entry) -> list[Row]:
        sort = self._others if _is_raw(entry) else _sort_of(entry)
        if sort is None or (_is_raw(entry) and words.detail(facts_of(entry))):
            last, note = self._noted
            return [*self._end_bursts(), row_of(entry, note if entry is last else "")]
        rows: list[Row] = []
        burst = self._bursts.get(sort)
        if burst is not None and entry.at_ns - burst.last.at_ns > PAUSE_NS:
            rows, burst = self._end_bursts(), None
        if burst is None:
            burst = self._bursts[sort] = Burst(entry, entry)
        burst.add(entry)
        return rows

    def _end_bursts(self) -> list[Row]:
        bursts = sorted(self._bursts.values(), key=lambda burst: burst.first.seq)
        self._bursts = {}
        return [burst.row() for burst in bursts]

    def _given(self, rows: Iterable[Row]) -> list[Row]:
        given = list(rows)
        self.rows += len(given)
        return given


def _is_raw(entry: Entry) -> bool:
    return entry.kind == Kind.RECEIVED and entry.type == "raw_server_event"


def _follows(event: Entry, raw: Entry) -> bool:
    """Whether it is the event that is made of this message."""
    same = (event.task, event.tick) == (raw.task, raw.tick)
    return same and event.kind == Kind.RECEIVED and not _is_raw(event)


def _is_not_understood(entry: Entry) -> bool:
    """Whether it only says that the SDK's classes do not know the message."""
    return (
        entry.kind == Kind.RECEIVED and entry.type == "error" and "pydantic:ValidationError" in entry.payload
    )


def _is_silent(entry: Entry) -> bool:
    """Whether it only says that a call, or the listeners, returned as they always do."""
    if entry.kind == Kind.HANDLED:
        return entry.payload == "{}"
    if entry.kind not in (Kind.SENT_DONE, Kind.CONNECTED, Kind.CLOSED):
        return False
    facts = mapping(payload_kept(entry))
    return facts.get("outcome") == "returned" and facts.get("value") in (None, True)


def _sort_of(entry: Entry) -> Hashable:
    """What folds together; None for what stands alone."""
    if entry.kind == Kind.RECEIVED:
        if entry.type == "audio" or entry.type in SPOKEN_DELTAS:
            return (entry.type, mapping(payload_kept(entry)).get("item_id"))
        return None
    if entry.kind == Kind.FRAME_OUT:  # of the client's, only audio comes in bursts
        return entry.type if '"at":[' in entry.payload else None
    if entry.kind == Kind.SENT:
        commits = mapping(payload_kept(entry)).get("commit")
        return "send_audio" if entry.type == "send_audio" and not commits else None
    if entry.kind == Kind.PLAYBACK:
        # `observed` and interruptions are what somebody looks for.
        folds = entry.method in ("on_play_bytes", "on_play_ms", "get_state")
        return (title_of(entry), entry.type, entry.item_id) if folds else None
    return entry.kind if entry.kind in (Kind.FRAME_IN, Kind.CLOCK) else None
