"""The core: the server's side of one recorded connection, played to a live client. No I/O, no clock, no
tasks.

Told what the client sends and what time it is, it answers what comes next. `docs/wire.md` has its states and
invariants. Times are integer nanoseconds of the caller's clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..replay import AudioMatching, ClientIds, Difference, PlaybackMatching
from ..schema.codec import to_json
from ..schema.frames import Frame
from ..session.fields import mapping, text_of
from ..session.sound import SoundFormats
from .dialects import Message, message_in
from .frame_rules import AS_RECORDED, FrameRules
from .gates import Appended, Gate, gates_of
from .outbound import Outbound, renamed
from .pictures import Pictures
from .recorded import RecordedConnection, RecordedEnd, WireFrame
from .spoken import Spoken

FindingKind = Literal["changed", "missing", "unexpected", "moved", "given up", "heard"]

PATIENCE_NS = 2_000_000_000
"""How long an inbound frame waits for a client that sends nothing, unless somebody says otherwise."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One point at which the client and the recording part.

    Attributes:
        kind: as in `docs/wire.md`.
        seq: of the recorded frame concerned, or None.
        type: of the frame.
        summary: one sentence.
        after: the inbound frame that was delivered last: the type of what may have caused it.
        differences: fields that differ.
        turn: how many responses had begun.
    """

    kind: FindingKind
    seq: int | None
    type: str
    summary: str
    after: str = ""
    differences: tuple[Difference, ...] = ()
    turn: int = 0


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Send this to the client.

    Attributes:
        place: of the recorded frame.
        message: as a websocket library takes it.
    """

    place: int
    message: str | bytes


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Nothing is to be done before this instant, or until the client sends; None: only the client can go
    on."""

    until_ns: int | None


@dataclass(frozen=True, slots=True)
class EndNow:
    """End the connection as it was ended."""

    end: RecordedEnd


Next = SendFrame | WaitUntil | EndNow


class ServerSide:
    """One connection on its way.

    Args:
        connection: as it was recorded.
        ids: of the run, shared by its connections.
        now_ns: when the live connection begins.
        pace: live seconds for a recorded second; 0: as fast as the client goes.
        patience_ns: how long a frame waits for one that does not come; None: for ever.
        anchored: the client is in our process, and what it did then is known to the round: each frame comes
            where it came relative to the beginning of the connection (later by as much as the client was
            late), and those that it read without giving way whenever it reads.
        playback: a client's frame that says how much was heard, and differs in nothing but that, is `exact`:
            another one, `tolerant`: the recorded one, and that is told, `ignore`: the same.
        audio: how what the client says aloud is compared.
        rules: what else is said of how frames are compared.

    Attributes:
        findings: so far.
        weaker: what of this replay is weaker, a sentence each.
        delivered: places of the inbound frames that were sent.
        skipped: places of those that were given up, or fell.
        matched: how many of the client's frames were recorded ones, audio aside.
        spoken: what the client says aloud.
        pictures: that it appends beside that.
        over: nothing is left to be played.
    """

    def __init__(
        self,
        connection: RecordedConnection,
        ids: ClientIds,
        now_ns: int,
        *,
        pace: float = 1.0,
        patience_ns: int | None = PATIENCE_NS,
        anchored: bool = False,
        playback: PlaybackMatching = "exact",
        audio: AudioMatching = "ignore",
        rules: FrameRules = AS_RECORDED,
    ) -> None:
        self.connection = connection
        self._playback: PlaybackMatching = playback
        self._clocked: dict[int, dict[str, Any]] = {}  # place of a client's frame → what it says by its clock
        self.findings: list[Finding] = []
        self.weaker: dict[str, None] = dict.fromkeys(connection.weaker)
        self.delivered: list[int] = []
        self.skipped: list[int] = []
        self.matched = 0
        self.over = False
        self._frames = connection.frames
        self._gates = gates_of(connection.frames, connection.dialect)
        self._ids = ids
        self._pace = pace
        self._patience_ns = patience_ns
        self._appended = Appended(connection.dialect)
        self._anchored = anchored
        self._shift_ns = 0  # by which an anchored connection is late
        self._due_ns = now_ns  # when the head was due
        appended = _appended_places(connection)
        dialect, frames = connection.dialect, [self._frames[place] for place in appended]
        sounds = [any(True for _ in dialect.appended(frame.type, frame.message)) for frame in frames]
        self._audio_places = [place for place, sound in zip(appended, sounds, strict=True) if sound]
        self.spoken = Spoken(connection, [self._frames[place] for place in self._audio_places], audio)
        self.pictures = Pictures(
            one for frame in frames for one in dialect.pictured(frame.type, frame.message)
        )
        self._outbound = Outbound(connection.frames, set(appended), ids, rules)
        self._inbound = [
            place for place, frame in enumerate(self._frames) if frame.inbound and not frame.hidden
        ]
        self._next = 0  # in `_inbound`
        self._nominal_ns = now_ns  # when the last inbound frame was due
        self._recorded_ns = 0  # its recorded time
        self._begun_ns = now_ns
        self._answered: dict[int, int] = {}  # recorded place of a client's frame → when it came
        self._sent = 0  # the client's frames, audio aside
        self._sent_ns = now_ns  # when the last of them came
        self._heard_ns: int | None = None  # when audio came last
        self._head_ns: int | None = None  # since when the head could have gone, but for its gate
        self._fallen: set[str] = set()
        self._numbers: dict[int, Finding] = {}
        self._left = False
        # client's frames whose absence was told with what waited for them
        self._given_up_for: dict[int, Finding] = {}
        self._gave_up = False  # since the client sent, or got, anything
        self._is_mute = False  # it appends less than was recorded: since it sent last
        self._delivered_ns = self._looked_ns = now_ns

    # --- what the client does -----------------------------------------------------------------------

    def receive(self, frame: Frame, now_ns: int) -> int | None:
        """The client sent a frame; the place of the recorded frame that it is, or None."""
        message = message_in(frame.text)
        type = self.connection.dialect.type_of(message)
        if self._appended.client(type, message):
            self._heard_ns = now_ns
            self.pictures.add(self.connection.dialect.pictured(type, message))
            if next(iter(self.connection.dialect.appended(type, message)), None) is None:
                return None
            self.spoken.add(type, message)
            number = self.spoken.frames
            return self._audio_places[number - 1] if number <= len(self._audio_places) else None
        self._sent += 1
        self._sent_ns = now_ns
        self._gave_up = self._is_mute = False
        match = self._outbound.match(self._sent, frame.data, type, message)
        if match.freed is not None:
            extra = self._numbers.pop(match.freed, None)
            if extra is not None:
                self.findings.remove(extra)
                self._tell(
                    Finding("unexpected", None, extra.type, f"{extra.type or 'a frame'} came once more")
                )
        if match.place is None:
            what = type or "a frame"
            self._tell(
                Finding("unexpected", None, type, f"{what} came, and the recording holds no such frame")
            )
            return None
        place = match.place
        is_late = self._comes_after_all(place)
        self._bind(place, match.minted)
        self._answered.setdefault(place, now_ns)
        self.matched += 1
        if match.differences and self._is_by_its_clock(place, type, message, match.differences):
            if self._playback == "tolerant":
                summary = f"{type} says that more, or less, was heard"
                self._tell(Finding("heard", self._frames[place].seq, type, summary, "", match.differences))
        elif match.differences:
            summary = f"{type or 'a frame'} came with other fields than recorded"
            finding = Finding("changed", self._frames[place].seq, type, summary, "", match.differences)
            self._numbers[self._sent] = self._tell(finding)
        if not is_late:  # else that is told
            self._look_for_move(place, type)
        return place

    def give_up(self) -> None:
        """Nothing else could happen: what waits for the client waits no longer."""
        self._gave_up = True

    def left(self, now_ns: int) -> None:
        """The client ended the connection, or vanished."""
        self._left = True
        self.finish()

    # --- what comes next ------------------------------------------------------------------------------

    def next(self, now_ns: int) -> Next:
        """What is to be done now. To be asked again after whatever it was, and whenever the client sends."""
        found = self.look(now_ns)
        return self.take(found) if isinstance(found, int) else found

    def look(self, now_ns: int) -> int | WaitUntil | EndNow:
        """The same, but of a frame its place: it is still to be taken."""
        self._looked_ns = now_ns
        while self._next < len(self._inbound):
            place = self._inbound[self._next]
            gate, frame = self._gates[place], self._frames[place]
            if gate.named & self._fallen:
                self._skip(place, gate)
                continue
            if self._anchored and self._comes_after_close(frame) and not self._left:
                return WaitUntil(None)
            due_ns = self._due(place, gate)
            opened_ns = self._opened(gate)
            if opened_ns is not None:
                due_ns = self._due_open(frame, gate, due_ns, opened_ns, now_ns)
            if now_ns < due_ns:
                return WaitUntil(due_ns)
            if opened_ns is None:
                given_up_ns = self._given_up_at(gate, max(due_ns, self._head_ns or 0))
                self._head_ns = self._head_ns or due_ns
                if given_up_ns is None:
                    return WaitUntil(None)
                if now_ns < given_up_ns:
                    return WaitUntil(given_up_ns)
                if self._give_up(place, gate):
                    continue
                due_ns = now_ns
            self._due_ns = due_ns
            return place
        return self._end(now_ns)

    def take(self, place: int) -> SendFrame:
        """The frame that was found is delivered now."""
        return self._deliver(place, self._due_ns)

    def finish(self) -> None:
        """Nothing more will come: tell what is missing. May be called again."""
        reached = self._inbound[self._next] if self._next < len(self._inbound) else len(self._frames)
        for place in list(self._outbound.unmatched):
            frame = self._frames[place]
            if frame.implied or (frame.sending is not None and frame.sending.raised is not None):
                continue  # what answers it tells; or it never left the client
            if place > reached:
                break
            del self._outbound.unmatched[place]
            if place not in self._given_up_for:
                what = frame.type or "a frame"
                self._tell(
                    Finding("missing", frame.seq, frame.type, f"{what} was recorded, and did not come")
                )

    def planned_ns(self, at_ns: int) -> int:
        """When something is due that was recorded so long after an anchored connection began: there, and as
        late as the connection is."""
        return self._begun_ns + self._shift_ns + self.lasting_ns(at_ns)

    def lasting_ns(self, ns: int) -> int:
        """How long something takes that took so long when this was recorded."""
        return int(ns * self._pace)

    @property
    def awaits_client(self) -> bool:
        """Whether frames of the client's are awaited that were recorded, and none was in vain."""
        return not self._gave_up and any(
            not self._frames[place].implied for place in self._outbound.unmatched
        )

    @property
    def waits_in_vain(self) -> bool:
        """Whether giving up what is awaited of the client would let something come."""
        if self._left or self._gave_up:
            return False
        if self._next < len(self._inbound):
            frame = self._frames[self._inbound[self._next]]
            return not (self._anchored and self._comes_after_close(frame))
        return self.awaits_client

    def answered(self, place: int) -> int | None:
        """The place of the client's frame that this one answers, or None."""
        return self._gates[place].answers

    @property
    def head_seq(self) -> int | None:
        """The entry of the inbound frame that comes next, or None."""
        return self._frames[self._inbound[self._next]].seq if self._next < len(self._inbound) else None

    def is_behind(self, seq: int) -> bool:
        """Whether frames are still to come that had come before this entry: of the server's any, of the
        client's, audio aside, those behind the last that was delivered. (What is missing from before that
        holds up nobody.)"""
        head = self.head_seq
        if head is not None and head < seq:
            return True
        passed = self.delivered[-1] if self.delivered else -1
        for place in self._outbound.unmatched:  # in order
            if self._frames[place].seq > seq:
                return False
            if place > passed and not self._frames[place].implied:
                return True
        return False

    @property
    def is_held_up(self) -> bool:
        """Whether the inbound frame that comes next answers one that did not come, and that is told."""
        if self._next == len(self._inbound):
            return False
        answers = self._gates[self._inbound[self._next]].answers
        return answers is not None and any(
            one.kind == "missing" and one.seq == self._frames[answers].seq for one in self.findings
        )

    @property
    def renames(self) -> bool:
        """Whether the client has other ids than when this was recorded."""
        return self._ids.renames

    @property
    def unplayed(self) -> int:
        """How many inbound frames are left."""
        return len(self._inbound) - self._next

    # --- helpers --------------------------------------------------------------------------------------

    def _due(self, place: int, gate: Gate) -> int:
        """When a frame is to go, by the recorded gaps: after what it answers, or after the frame before
        it."""
        frame = self._frames[place]
        asked = gate.answers
        if self._anchored:
            late_ns = 0 if asked not in self._answered else self._answered[asked] - self._planned(asked)
            return self._planned(place) + max(late_ns, 0)
        if asked is not None and asked in self._answered:
            gap_ns = frame.at_ns - self._frames[asked].at_ns
            return max(self._nominal_ns, self._answered[asked] + int(max(gap_ns, 0) * self._pace))
        gap_ns = max(frame.at_ns - self._recorded_ns, 0)
        return self._nominal_ns + int(gap_ns * self._pace)

    def _planned(self, place: int) -> int:
        return self.planned_ns(self._frames[place].at_ns)

    def _due_open(self, frame: WireFrame, gate: Gate, due_ns: int, opened_ns: int, now_ns: int) -> int:
        """When a frame is to go whose gate is open."""
        if not self._anchored:
            return max(due_ns, opened_ns)
        if gate.heard_ms and self._head_ns is not None:
            return now_ns  # the client was late to append
        return min(due_ns, now_ns) if frame.data.suspended is False else due_ns

    def _comes_after_close(self, frame: WireFrame) -> bool:
        """Whether a frame was read when the client was closing."""
        end = self.connection.end
        return end.by == "client" and end.seq is not None and frame.seq > end.seq

    def _opened(self, gate: Gate) -> int | None:
        """Since when the gate is open; None: it is not."""
        if gate.answers is not None:
            return self._answered.get(gate.answers)
        if gate.count > self._sent:
            return None
        if gate.heard_ms and self._appended.ms + 0.5 < gate.heard_ms:
            return None
        if gate.heard_ms:
            return self._heard_ns if self._heard_ns is not None else self._begun_ns
        return self._sent_ns if gate.count else self._begun_ns

    def _given_up_at(self, gate: Gate, head_ns: int) -> int | None:
        if self._gave_up or (gate.heard_ms and self._is_mute):  # it has waited for this client already
            return head_ns
        if self._patience_ns is None:
            return None
        last_ns = max(self._sent_ns, self._delivered_ns)
        if gate.heard_ms and self._heard_ns is not None:
            last_ns = max(last_ns, self._heard_ns)
        return max(head_ns, last_ns) + self._patience_ns

    def _give_up(self, place: int, gate: Gate) -> bool:
        """The gate of the head will not open; whether the frame is left out."""
        frame = self._frames[place]
        if gate.answers is None and gate.heard_ms:
            self._is_mute = True
            self.weaker["speech was played at its recorded time: the client appended less audio"] = None
            return False
        self._gave_up = True
        waited = "the frames that came before it"
        if gate.answers is not None:
            asked = self._frames[gate.answers]
            waited = f"{asked.type or 'the frame'} that it answers"
        played = frame.type == "response.done" and not gate.made
        how = "was delivered without it" if played else "was given up"
        summary = f"{frame.type or 'a frame'} {how}: {waited} did not come"
        told = self._tell(Finding("given up", frame.seq, frame.type, summary))
        if gate.answers is not None:
            self._given_up_for[gate.answers] = told
        if not played:
            self._skip(place, gate)
        return not played

    def _comes_after_all(self, place: int) -> bool:
        """Whether what answers this frame of the client's was given up; then it is told that it came late."""
        told = self._given_up_for.get(place)
        if told is None or told not in self.findings:
            return False
        summary = told.summary.replace(" did not come", " came too late")
        after = self._frames[self.delivered[-1]].type if self.delivered else ""
        late = self._given_up_for[place] = replace(told, summary=summary, after=after)
        self.findings[self.findings.index(told)] = late
        return True

    def _skip(self, place: int, gate: Gate) -> None:
        self.skipped.append(place)
        self._fallen |= gate.made
        self._next += 1
        self._head_ns = None

    def _deliver(self, place: int, due_ns: int) -> SendFrame:
        frame = self._frames[place]
        self._nominal_ns = due_ns
        self._recorded_ns = frame.at_ns
        self._head_ns = None
        self._next += 1
        self._gave_up = False  # it may do something upon this
        self._delivered_ns = self._looked_ns
        if self._anchored:
            self._shift_ns += max(due_ns - self._planned(place), 0)
        self.delivered.append(place)
        self._appended.server(frame.message)
        return SendFrame(place, renamed(self._echoed(place), self._ids))

    def _end(self, now_ns: int) -> WaitUntil | EndNow:
        end = self.connection.end
        self.over = True
        if end.by != "server" or self._left:
            return WaitUntil(None)
        due_ns = self._nominal_ns + int(max(end.at_ns - self._recorded_ns, 0) * self._pace)
        if self._anchored:
            due_ns = self.planned_ns(end.at_ns)
        if self.awaits_client:  # it is not done: an end would cut it off
            if self._patience_ns is None and now_ns >= due_ns:
                return WaitUntil(None)
            due_ns = max(due_ns, self._sent_ns + (self._patience_ns or 0))
        return EndNow(end) if now_ns >= due_ns else WaitUntil(due_ns)

    def _tell(self, finding: Finding) -> Finding:
        after = self._frames[self.delivered[-1]].type if self.delivered else ""
        turn = sum(self._frames[place].type == "response.created" for place in self.delivered)
        told = replace(finding, after=after, turn=turn)
        self.findings.append(told)
        return told

    def _bind(self, place: int, minted: tuple[tuple[str, str], ...]) -> None:
        """Where the client names an item now, and the server did: the name stands for the server's."""
        for answer, gate in enumerate(self._gates):
            if minted and gate.answers == place and self._frames[answer].inbound:
                item = mapping((self._frames[answer].message or {}).get("item"))
                if text_of(item.get("id")):
                    self._outbound.bind(place, minted, text_of(item.get("id")))
                return

    def _is_by_its_clock(
        self, place: int, type: str, message: Message | None, differences: Sequence[Difference]
    ) -> bool:
        """Whether a frame differs in nothing but what the client has by a clock, and that can be; remembers
        it."""
        fields = self.connection.dialect.clocked.get(type, frozenset())
        if self._playback == "exact" or any(one.field not in fields for one in differences):
            return False
        said = {name: (message or {}).get(name) for name in fields}
        if not all(self._can_be_heard(place, name, ms) for name, ms in said.items()):
            return False
        self._clocked[place] = said
        return True

    def _can_be_heard(self, place: int, name: str, ms: object) -> bool:
        """Whether the client may say that it heard so much of an item: not more than it was sent, which the
        provider refuses; or it said so when this was recorded, too."""
        if isinstance(ms, bool) or not isinstance(ms, int | float) or ms < 0:
            return False
        recorded = self._frames[place].message or {}
        item_id, then = recorded.get("item_id"), recorded.get(name)
        formats, sent_ms = SoundFormats(), 0.0
        for frame in (self._frames[one] for one in self.delivered):
            message = frame.message or {}
            if frame.type in self.connection.dialect.speaks:
                if message.get("item_id") == item_id:
                    base64 = text_of(message.get("delta")).rstrip("=")
                    sent_ms += formats.model.ms(len(base64) * 3 // 4)
            else:
                formats.tell(message)
        within = not sent_ms or ms <= math.ceil(sent_ms)
        return within or (isinstance(then, int | float) and then > sent_ms)

    def _echoed(self, place: int) -> WireFrame:
        """A frame with what the live client said by its clock, if it repeats that."""
        frame = self._frames[place]
        asked = self._gates[place].answers
        said = None if asked is None else self._clocked.get(asked)
        if not said or frame.message is None:
            return frame
        rows = [row for row in self.connection.dialect.answers if row.type == frame.type]
        names = {name for row in rows for name in row.echoes if name in frame.message and name in said}
        if not names:
            return frame
        message = {**frame.message, **{name: said[name] for name in names}}
        return replace(frame, message=message, data=replace(frame.data, data=to_json(message)))

    def _look_for_move(self, place: int, type: str) -> None:
        """A frame that came on the other side of a landmark. Of one that is implied, nobody knows its
        place."""
        if self._frames[place].implied:
            return
        landmarks = self.connection.dialect.landmarks
        before = [one for one in self._inbound if one < place and self._frames[one].type in landmarks]
        passed = {*self.delivered, *self.skipped}
        ahead = next((one for one in before if one not in passed), None)
        if ahead is not None:
            other = self._frames[ahead].type
            summary = f"{type or 'a frame'} came before {other}; it was recorded after it"
            self._tell(Finding("moved", self._frames[place].seq, type, summary))
            return
        if not self._pace:
            return  # what the client had not read yet was sent all the same
        frame = self._frames[place]
        later = (one for one in self.delivered if one > place and self._frames[one].type in landmarks)
        if self._anchored:
            # What came right behind it, in the same round of the loop, could as well have come before.
            later = (one for one in later if frame.place != self._frames[one].place)
        behind = next(later, None)
        if behind is not None:
            other = self._frames[behind].type
            summary = f"{type or 'a frame'} came after {other}; it was recorded before it"
            self._tell(Finding("moved", self._frames[place].seq, type, summary))


def _appended_places(connection: RecordedConnection) -> list[int]:
    """Where the client appends sound, or pictures, in order."""
    dialect = connection.dialect
    return [
        place
        for place, frame in enumerate(connection.frames)
        if not frame.inbound and next(iter(dialect.media(frame.type, frame.message)), None) is not None
    ]


def decisive(findings: Sequence[Finding], *, strict: bool = False) -> list[Finding]:
    """Those that make a verdict; where a frame came in relation to others, and how much was heard by its own
    clock, is known only in the client."""
    return [finding for finding in findings if strict or finding.kind not in ("moved", "heard")]
