"""What the application did in a recorded session, and what its model asked, read and gave: what a replay
below the interface does again, or holds its model against."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..replay import Expectation, Expected, Step
from ..schema.codec import Vocabulary
from ..schema.entries import Entry, Kind
from ..session import Draft, Numbering, Place, Recording, is_stimulus
from ..session.fields import RAW, mapping, text_of
from ..session.words import line
from .given_events import GivenEvent, RecordedEvent

SITES_APART = 2
"""Frames between a reading of the clock and the recorded one of the same site that it may be."""


@dataclass(frozen=True, slots=True, eq=False)
class Action:
    """One thing that the application did to its model, or to its tracker.

    Attributes:
        seq: of its entry.
        at_ns: since the session began.
        kind: `sent`, `close`, or `playback`: a call on the tracker.
        type: of what was sent; the tracker's method.
        value: what was sent; the facts of the call.
        stimulus: it answers nothing that the model gave.
        unknown: of a send: nobody knows whether it must come.
        waived: of a send: it is known to be a reaction, and nothing is expected.
        line: of a send: what it is, in words.
        task: the asyncio task, as in the log.
        place: the burst of the event loop, and the round in it.
        step: of a call on the tracker: the same, for who drives that.
    """

    seq: int
    at_ns: int
    kind: Kind
    type: str
    value: Any
    stimulus: bool
    task: int | None
    place: tuple[int, int]
    step: Step | None = None
    unknown: bool = False
    waived: bool = False
    line: str = ""

    @property
    def is_models(self) -> bool:
        """Whether the model did it: it called the tracker."""
        return self.step is not None and self.step.entry.type == "model"


@dataclass(frozen=True, slots=True)
class Reading:
    """The model read the clock.

    Attributes:
        seq: of its entry.
        at_ns: since the session began.
        cause: seq of what it was doing.
        site: where in its code.
        ns: what it read.
    """

    seq: int
    at_ns: int
    cause: int | None
    site: str
    ns: int


@dataclass
class FlightPlan:
    """Of one session.

    Attributes:
        actions: in order.
        readings: of the clock, in order.
        given: for each frame, and the end of a socket: what events the model made of it.
        frames: seqs of the inbound frames, and of the end of a socket, in order, and when each came.
        socket_ns: when its first connection began, since the session began.
        entries: all of the session.
    """

    actions: list[Action] = field(default_factory=list[Action])
    readings: list[Reading] = field(default_factory=list[Reading])
    given: dict[int, list[RecordedEvent]] = field(default_factory=dict[int, list[RecordedEvent]])
    frames: dict[int, int] = field(default_factory=dict[int, int])
    socket_ns: int = 0
    entries: Sequence[Entry] = ()

    def sends_behind_close(self, type: str) -> bool:
        """Whether the application had sent something of this type when it had closed."""
        closes = [one.seq for one in self.actions if one.kind == Kind.CLOSE]
        sent = (one.seq for one in self.actions if one.kind == Kind.SENT and one.type == type)
        return any(seq > closes[0] for seq in sent) if closes else False


def plans_of(
    drafts: Iterable[Draft],
    vocabulary: Vocabulary,
    expect: Expectation = "reactions",
    *,
    learned: bool = True,
) -> dict[str, FlightPlan]:
    """The plan of each session, by its id; blocking.

    Args:
        expect: which of the application's calls are reactions.
        learned: what was learned of them counts.

    Raises:
        UsageError: that is no expectation.
        StoreError, CorruptRecordError: it cannot be read.
    """
    found: dict[str, FlightPlan] = {}
    for draft in drafts:
        recording = Recording.of(draft, vocabulary=vocabulary)
        try:
            expected = Expected(expect, recording.origins if learned else None)
            found[draft.header.id] = _plan(list(recording.stream()), expected)
        finally:
            recording.close_blocking()
    return found


def _plan(entries: Sequence[tuple[Entry, Any]], expected: Expected) -> FlightPlan:
    plan = FlightPlan(entries=[entry for entry, _ in entries])
    begins = (entry.at_ns for entry, _ in entries if entry.kind in (Kind.SOCKET, Kind.CONNECT))
    sockets = (entry.at_ns for entry, _ in entries if entry.kind == Kind.SOCKET)
    plan.socket_ns = next(sockets, next(begins, 0))
    tapped = any(entry.kind == Kind.FRAME_IN for entry, _ in entries)
    numbering = Numbering()
    latest = -1  # above the socket: the message that came last
    for entry, value in entries:
        facts = mapping(value)
        place = numbering.place(entry.tick, entry.at_ns)
        if not tapped and entry.kind == Kind.RECEIVED and entry.type == RAW:
            latest = entry.seq
            plan.given[latest] = []
            plan.frames[latest] = entry.at_ns
        if entry.kind == Kind.SENT:
            plan.actions.append(_action(entry, entry.type or "", value, place, expected))
        elif entry.kind == Kind.CLOSE:
            plan.actions.append(_action(entry, "close", None, place, expected))
        elif entry.kind == Kind.PLAYBACK:
            plan.actions.append(_action(entry, entry.method or "", facts, place, expected))
        elif entry.kind == Kind.CLOCK:
            ns = facts.get("ns")
            if isinstance(ns, int):
                plan.readings.append(Reading(entry.seq, entry.at_ns, entry.cause, entry.type or "", ns))
        elif entry.kind in (Kind.FRAME_IN, Kind.SOCKET_ENDED):
            plan.given[entry.seq] = []
            plan.frames[entry.seq] = entry.at_ns
        elif entry.kind == Kind.RECEIVED:
            cause = entry.cause if tapped or entry.cause is not None else latest
            if cause in plan.given:
                words = GivenEvent.of(text_of(entry.type), value)
                plan.given[cause].append(RecordedEvent(words, value, entry.payload))
    return plan


def _action(entry: Entry, type: str, value: Any, place: Place, expected: Expected) -> Action:
    step = Step(entry, value) if entry.kind == Kind.PLAYBACK else None
    stimulus = step is not None or _is_users(entry, expected)
    here = place.burst, place.round
    action = Action(entry.seq, entry.at_ns, Kind(entry.kind), type, value, stimulus, entry.task, here, step)
    if entry.kind != Kind.SENT or not stimulus or type == "send_audio":
        return action
    unknown, waived = expected.leaves_open(entry), expected.waives(entry)
    return replace(action, unknown=unknown, waived=waived, line=line(entry))


def _is_users(entry: Entry, expected: Expected) -> bool:
    """Whether a call need not come again, and is made for the application. Of those of unknown origin it is
    one that answers nothing."""
    if expected.requires(entry):
        return False
    return is_stimulus(entry) if expected.leaves_open(entry) else True


WALL_NS = 10 * 365 * 86_400 * 1_000_000_000
"""A clock that says more tells the time of day: no computer has been up for ten years."""
SET_NS = 50_000_000
"""By so much or more nothing but its being set moves the time of day against a clock that only goes on."""


class ClockReadings:
    """What the model is told when it reads the clock: what it read when this was recorded, as far as that is
    known.

    A release that reads a clock which nobody sets is not told that the time of day was set, where an older
    one read that.

    Args:
        plan: of the session.

    Attributes:
        derived: how many readings the recording does not hold.
    """

    def __init__(self, plan: FlightPlan) -> None:
        self.derived = 0
        self._plan = plan
        self._unread = list(plan.readings)
        self._place = {seq: place for place, seq in enumerate(plan.frames)}
        self._last_ns: int | None = None
        first = plan.readings[0] if plan.readings else None
        self._ahead_ns = 0 if first is None else first.ns - first.at_ns

    def read(self, site: str, cause: int | None, frame: int | None, since_ns: int, now_ns: int = 0) -> int:
        """One reading, in nanoseconds.

        Args:
            cause: the recorded entry that the model is at.
            frame: the recorded frame that came last.
            since_ns: how long ago.
            now_ns: what the clock says that the model reads: which kind of clock it is.
        """
        found = next((one for one in self._unread if one.site == site and one.cause == cause), None)
        if found is None:
            here = self._place.get(-1 if frame is None else frame, 0)
            found = next((one for one in self._unread if one.site == site and self._near(one, here)), None)
        if found is not None:
            self._unread.remove(found)
            ns = found.ns
            set_ns = ns - found.at_ns - self._ahead_ns
            if now_ns < WALL_NS <= ns and abs(set_ns) >= SET_NS:
                ns -= set_ns
        else:
            self.derived += 1
            ns = self._derive(frame, since_ns)
        self._last_ns = ns if self._last_ns is None else max(ns, self._last_ns)
        return ns if found is not None else self._last_ns

    def _near(self, reading: Reading, here: int) -> bool:
        before = sum(seq < reading.seq for seq in self._plan.frames) - 1
        return abs(before - here) <= SITES_APART

    def _derive(self, frame: int | None, since_ns: int) -> int:
        """By the recorded instant of the frame that came last, on the clock of the nearest reading."""
        at_ns = self._frame_ns(frame) + since_ns
        readings = self._plan.readings
        if not readings:
            return at_ns
        nearest = min(readings, key=lambda one: abs(one.at_ns - at_ns))
        return nearest.ns + at_ns - nearest.at_ns

    def _frame_ns(self, frame: int | None) -> int:
        return self._plan.frames.get(-1 if frame is None else frame, 0)
