"""What a recording holds of connections: frames in their order, and how each ended.

Two sources: the socket's own entries, where a tap was on it; else the provider's messages as they came
above the socket, with the client's frames that those answer put in their places. That is weaker, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pybase64

from ..schema.codec import STANDARD, Vocabulary, to_json
from ..schema.entries import Entry, Kind
from ..schema.frames import Frame
from ..session import Draft, Numbering, Place, Recording
from ..session.fields import RAW, mapping, sequence, text_of
from ..session.provenance import Redaction
from .dialects import DIALECTS, Dialect, dialect_of, message_in
from .implied import with_implied
from .recorded import RecordedConnection, RecordedEnd, Refusal, Sending, WireFrame


def connections_of(
    recording: Recording | Sequence[Draft], vocabulary: Vocabulary = STANDARD
) -> list[RecordedConnection]:
    """All connections of a recording and of the sessions that followed it, in the order in which they began;
    blocking.

    Args:
        vocabulary: of the exceptions that the client was told.

    Raises:
        StoreError, CorruptRecordError: it cannot be read.
    """
    drafts = recording.drafts() if isinstance(recording, Recording) else recording
    found: list[RecordedConnection] = []
    start_ns = drafts[0].header.started_ns if drafts else 0
    for draft in drafts:
        offset_ns = draft.header.started_ns - start_ns
        with_values = Recording.of(draft, vocabulary=vocabulary)
        try:
            redaction = Redaction.told_by(draft.header.source)
            silent = redaction is not None and redaction.audio != "keep"
            of_it = _connections(draft.header.id, list(with_values.stream()), offset_ns)
            found += (replace(one, silent=silent) for one in of_it)
        finally:
            with_values.close_blocking()
    begun = min((one.begun_ns for one in found), default=0)
    return sorted(
        (replace(one, begun_ns=one.begun_ns - begun) for one in found), key=lambda one: one.begun_ns
    )


@dataclass
class _Reading:
    """A connection that is being read."""

    session: str
    number: int
    begun_ns: int
    offset_ns: int
    dialect: Dialect | None = None
    frames: list[WireFrame] = field(default_factory=list[WireFrame])
    end: RecordedEnd = field(default_factory=RecordedEnd)
    subprotocol: str | None = None
    refusal: Refusal | None = None
    path: str = ""
    url: str = ""
    skeletons: int = 0
    weaker: list[str] = field(default_factory=list[str])
    opened: tuple[int, int] = (0, 0)
    closing: Sending | None = None
    closes: int | None = None  # the entry in which the client began to close
    closes_ns: int = 0
    # The burst in which sends ended last, when the first of these did, and its round.
    ends: tuple[int, int, int] = (-1, 0, 0)

    def add(self, entry: Entry, inbound: bool, data: Frame, place: Place, *, hidden: bool = False) -> None:
        message = message_in(data.text)
        at_ns = entry.at_ns - self.begun_ns
        frame = WireFrame(entry.seq, at_ns, inbound, data, message, "", hidden=hidden)
        self.frames.append(replace(frame, burst=place.burst, round=place.round))

    def sent(self, entry: Entry, facts: dict[str, Any], place: Place) -> None:
        """How a send of the client's ended."""
        for number in range(len(self.frames) - 1, -1, -1):
            frame = self.frames[number]
            if frame.seq == entry.of:
                took_ns, first = 0, frame.round
                if place.burst != frame.burst:
                    burst = place.burst, entry.at_ns - self.begun_ns, place.round
                    self.ends = self.ends if self.ends[0] == place.burst else burst
                    took_ns, first = max(self.ends[1] - frame.at_ns, 1), self.ends[2]
                rounds = place.round - first
                sending = Sending(facts.get("suspended") is True, _raised(facts), took_ns, rounds)
                self.frames[number] = replace(frame, sending=sending)
                return

    def closed(self, entry: Entry, facts: dict[str, Any]) -> None:
        """How the client's closing ended, if it is that which ended the connection."""
        if entry.of is not None and entry.of == self.closes:
            took_ns = entry.at_ns - self.begun_ns - self.closes_ns
            self.closing = Sending(True, _raised(facts), took_ns)

    def ended(self, entry: Entry, facts: dict[str, Any]) -> None:
        """The socket's end; the first one counts, and of that by the client what its read was told then."""
        if entry.kind == Kind.SOCKET_CLOSE and self.closes is None:
            self.closes, self.closes_ns = entry.seq, entry.at_ns - self.begun_ns
        if self.end.by is None:
            self.end = _end(entry, facts, self.begun_ns)
        elif entry.kind == Kind.SOCKET_ENDED:
            raised = _raised(facts)
            if raised is not None:
                self.end = replace(self.end, raised=raised)

    def whole(self) -> RecordedConnection:
        dialect = self.dialect or dialect_of(frame.message for frame in self.frames)
        typed = (replace(frame, type=dialect.type_of(frame.message)) for frame in self.frames)
        return RecordedConnection(
            self.session,
            self.number,
            self.offset_ns + self.begun_ns,
            dialect,
            tuple(typed),
            self.end,
            self.subprotocol,
            self.refusal,
            self.path,
            self.url,
            self.skeletons,
            tuple(dict.fromkeys(self.weaker)),
            self.opened,
            closing=self.closing,
        )


def _connections(
    session: str, entries: Sequence[tuple[Entry, Any]], offset_ns: int
) -> Iterable[RecordedConnection]:
    kinds = {entry.kind for entry, _ in entries}
    if not kinds & {Kind.SOCKET, Kind.FRAME_IN, Kind.FRAME_OUT}:
        return _from_above(session, entries, offset_ns)
    return _from_frames(session, entries, offset_ns)


def _from_frames(
    session: str, entries: Iterable[tuple[Entry, Any]], offset_ns: int
) -> Iterable[RecordedConnection]:
    reading: dict[int, _Reading] = {}
    numbering, last_ns = Numbering(), 0
    for entry, value in entries:
        last_ns = entry.at_ns
        place = numbering.place(entry.tick, entry.at_ns)
        number = entry.connection or 1
        facts = mapping(value)
        one = reading.get(number)
        if entry.kind == Kind.SOCKET:
            named = DIALECTS.get(text_of(facts.get("dialect")))
            one = reading[number] = _Reading(session, number, entry.at_ns, offset_ns, named)
            one.path, one.url = text_of(facts.get("path")), text_of(facts.get("url"))
        elif entry.kind in (Kind.FRAME_IN, Kind.FRAME_OUT):
            if one is None:
                one = reading[number] = _Reading(session, number, entry.at_ns, offset_ns)
            data = _data(value)
            if "skeleton" in facts:
                one.skeletons += 1
            elif data is None:
                one.weaker.append("frames that were not kept whole are not played")
            one.add(entry, entry.kind == Kind.FRAME_IN, data or Frame(""), place, hidden=data is None)
        elif one is None:
            if entry.kind == Kind.GAP:
                reading[number] = one = _Reading(session, number, entry.at_ns, offset_ns)
                one.weaker.append("the recording has a gap: what was lost there is not played")
        elif entry.kind == Kind.GAP:
            for each in reading.values():
                each.weaker.append("the recording has a gap: what was lost there is not played")
        elif entry.kind == Kind.SOCKET_OPENED:
            one.subprotocol = text_of(facts.get("subprotocol")) or None
            one.opened = place.burst, place.round
        elif entry.kind == Kind.SOCKET_FAILED:
            status = facts.get("status")
            one.refusal = Refusal(
                status if isinstance(status, int) else None, text_of(facts.get("body")), _raised(facts)
            )
        elif entry.kind in (Kind.SOCKET_ENDED, Kind.SOCKET_CLOSE):
            one.ended(entry, facts)
        elif entry.kind == Kind.SOCKET_CLOSED:
            one.closed(entry, facts)
        elif entry.kind == Kind.FRAME_DONE:
            one.sent(entry, facts, place)
    for one in reading.values():
        if one.end.by is None:
            one.end = RecordedEnd(at_ns=last_ns - one.begun_ns)
        yield one.whole()


def _end(entry: Entry, facts: dict[str, Any], begun_ns: int) -> RecordedEnd:
    how, code = facts.get("how"), facts.get("code")
    return RecordedEnd(
        "server" if entry.kind == Kind.SOCKET_ENDED else "client",
        how if how in ("eof", "error") else "closed",
        code if isinstance(code, int) else None,
        text_of(facts.get("reason")),
        entry.at_ns - begun_ns,
        entry.seq,
        _raised(facts),
    )


def _raised(facts: dict[str, Any]) -> BaseException | None:
    raised = facts.get("raised")
    return raised if isinstance(raised, BaseException) else None


def _data(value: Any) -> Frame | None:
    """A frame's payload, decoded, in either format; None where only its length was kept."""
    if isinstance(value, Frame):
        return value
    pieces = sequence(value)
    if pieces and all(isinstance(piece, str) for piece in pieces):
        return Frame("".join(pieces))
    return None


# --- recorded above the socket ----------------------------------------------------------------------------


def _from_above(
    session: str, entries: Iterable[tuple[Entry, Any]], offset_ns: int
) -> Iterable[RecordedConnection]:
    one: _Reading | None = None
    numbering, before = Numbering(), None
    for entry, value in entries:
        place = numbering.place(entry.tick, entry.at_ns)
        if one is None and entry.kind in (Kind.CONNECT, Kind.RECEIVED):
            one = _Reading(session, 1, entry.at_ns, offset_ns)
        if one is None:
            continue
        if entry.kind == Kind.RECEIVED and entry.type == RAW:
            data = getattr(value, "data", None)
            if isinstance(data, dict):
                # What came in the same round as the one before it was read without giving way.
                one.add(entry, True, Frame(to_json(data), suspended=place != before), place)
                before = place
        elif entry.kind == Kind.SENT and entry.type == "send_audio":
            audio = getattr(value, "audio", None)
            if isinstance(audio, bytes):
                one.frames.append(_appended(entry, one.begun_ns, audio))
        elif entry.kind == Kind.CLOSE and one.end.by is None:
            one.end = RecordedEnd("client", "closed", 1000, "", entry.at_ns - one.begun_ns, entry.seq)
    if one is None or not one.frames:
        return
    one.weaker.append(
        "it was recorded above the socket: the provider's messages are played as they were parsed, and of "
        "the client's frames only those are known that a message answers"
    )
    yield with_implied(one.whole())


def _appended(entry: Entry, begun_ns: int, audio: bytes) -> WireFrame:
    message = {"type": "input_audio_buffer.append", "audio": pybase64.b64encode_as_string(audio)}
    at_ns = entry.at_ns - begun_ns
    return WireFrame(entry.seq, at_ns, False, Frame(to_json(message)), message, "", implied=True)
