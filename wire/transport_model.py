"""The model of a replay below the interface: the real one, whose connections are recorded ones."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from ..recorder import causes
from ..replay import (
    Divergence,
    Expected,
    PlaybackMatching,
    ReplayReport,
    Transport,
    Unchecked,
    VirtualLoop,
    left_unchecked,
    other_playback,
    unmade_after,
    without,
)
from ..schema.codec import STANDARD, Vocabulary, event_name
from ..schema.errors import UsageError
from ..session import Recording
from .application_part import AUDIO, EARLY_NS, ApplicationPart
from .faults import faults_of, told_fault
from .frame_rules import FrameRules
from .given_events import EventComparison, GivenEvent
from .replay_transport import Connecting, OtherEvents, ReplayTransport
from .replayed_socket import ReplayedSocket
from .server_side import Finding, decisive

OPTIONS = frozenset(
    {
        *("patience", "stuck_after", "pace", "strict", "on_divergence", "at_end"),
        *("audio", "playback", "playback_ms", "faults", "fault_seed"),
        *("expect", "learned", "matchers", "client_ids", "redactors"),
    }
)
"""Of a replay at the interface, those that mean something here as well."""

PATIENCE_S = 60.0
LOOK_S = 0.05
"""So often is looked whether what an application has left is played."""

STUCK_AFTER_S = 2.0
SHOWN = 20


@dataclass(frozen=True)
class TransportReport(ReplayReport):
    """What a replay below the interface found.

    Attributes:
        audio: frames of audio that the client sent.
        skipped: frames of the provider's that were given up, or fell with one that was.
        events: where the model gave other events than it gave when this was recorded; they decide nothing.
        injected: faults that were put in its way, as facts.
    """

    audio: int = 0
    skipped: int = 0
    events: tuple[OtherEvents, ...] = ()
    injected: tuple[dict[str, Any], ...] = ()

    @property
    def remark(self) -> str:
        """What "same" does not say, in a line; empty where all was checked."""
        if not self.events:
            return super().remark
        more = len(self.events) - 1
        told = f"{self.events[0]}" + (f", and other events for {more} more" if more else "")
        return f"{super().remark}, and {told}" if super().remark else told

    def _headline(self, verdict: str) -> str:
        facts = [f"{self.delivered} frames to the model", f"{self.matched} of its own as recorded"]
        facts += [f"{self.audio} of audio"] if self.audio else []
        facts += [f"{self.skipped} left out"] if self.skipped else []
        facts += [f"{self.unplayed} not played"] if self.unplayed else []
        but = f", but {self.remark}" if self.remark else ""
        return f"{verdict}{but}: below the interface, {', '.join(facts)}"

    def _lines(self) -> list[str]:
        lines = [*super()._lines(), *(f"events: {one}" for one in self.events[:SHOWN])]
        if len(self.events) > SHOWN:
            lines.append(f"events: {len(self.events) - SHOWN} more frames with others")
        return lines + [f"injected: {told_fault(facts)}" for facts in self.injected]


class TransportBase(ABC):
    """A real model, replayed below its interface; subclasses say which, and where its seam is.

    Args:
        recording: open; it is read when this is made.
        options: as of a replay at the interface; what means nothing here is told in the report.

    Attributes:
        inner: the model.
        plays: what is replayed: its transport.
        listeners: the application's.
        transport: of the interface; nothing is paused or sought here.

    Raises:
        UsageError: the recording cannot be replayed so, this release's model has another shape, or there is
            no such fault.
        StoreError, CorruptRecordError: it cannot be read.
    """

    vocabulary: Vocabulary = STANDARD
    depth = "wire"

    def __init__(self, recording: Recording, **options: Any) -> None:
        Expected(options.get("expect", "reactions"), vocabulary=self.vocabulary)  # says what is wrong with it
        self._strict = options.get("strict", False)
        self._playback: PlaybackMatching = options.get("playback", "tolerant")
        self._patience_s: float = options.get("patience", PATIENCE_S)
        self._stuck_after_s = min(options.get("stuck_after", STUCK_AFTER_S), STUCK_AFTER_S)
        self._ignored = sorted(name for name in options if name not in OPTIONS)
        rules = FrameRules(
            options.get("matchers", ()), options.get("client_ids"), tuple(options.get("redactors", ()))
        )
        self._without = rules.without
        self._compared = EventComparison(self.vocabulary)
        self.recording = recording
        self.transport = Transport(recording, None)
        self.inner: Any = self.make()
        self.plays = ReplayTransport(
            recording,
            self.vocabulary,
            self._send_for,
            pace=1.0 / (options.get("pace") or 1.0),
            patience=self._patience_s,
            stuck_after=self._stuck_after_s,
            clock=self.clock,
            hung_up=self._hang_up,
            playback=self._playback,
            playback_ms=options.get("playback_ms"),
            audio=options.get("audio", "bytes"),
            faults=faults_of(options.get("faults", ())),
            fault_seed=options.get("fault_seed", 0),
            expect=options.get("expect", "reactions"),
            learned=options.get("learned", True),
            rules=rules,
        )
        self.connect_by(self.plays.connect)
        self.listeners: list[Any] = []
        self._letting_go: asyncio.Task[None] | None = None
        self._relay = self.relay(self._on_event)
        self._stopped = False
        self._closed = False  # by the application
        self._behind_close: list[tuple[str, str]] = []  # what it sent then, in which session
        self._unmade: Sequence[int] = ()  # recorded connections that were not made again: their entries

    # --- for subclasses ---------------------------------------------------------------------------------

    @abstractmethod
    def make(self) -> Any:
        """A new model."""

    @abstractmethod
    def connect_by(self, connecting: Connecting) -> None:
        """Let `inner` make its connections so."""

    @abstractmethod
    def clock(self, part: ApplicationPart) -> None:
        """Let `inner` read the clock so in the extent of this part."""

    @abstractmethod
    def relay(self, handler: Callable[[Any], Any]) -> Any:
        """The listener at `inner`."""

    @abstractmethod
    async def let_go(self) -> None:
        """The user has hung up: end what listens, where no event does."""

    def options_of(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """What `inner` needs to connect where nobody has a key."""
        return options

    # --- the interface ------------------------------------------------------------------------------------

    async def connect(self, options: Any) -> None:
        """Connect the model; it gets the next recorded connection."""
        self.plays.tracker = options.get("playback_tracker")
        self._closed = False
        await self.inner.connect(self.options_of(options))

    def add_listener(self, listener: Any) -> None:
        """Add a listener; one that is there already is not added twice."""
        if not self.listeners:
            self.inner.add_listener(self._relay)
        if listener not in self.listeners:
            self.listeners.append(listener)

    def remove_listener(self, listener: Any) -> None:
        """Remove a listener; one that is not there is none to remove."""
        if listener in self.listeners:
            self.listeners.remove(listener)
            if not self.listeners:
                self.inner.remove_listener(self._relay)

    async def send_event(self, event: Any) -> None:
        """Send through the model; what was done for the application already is not done twice."""
        is_new, seq = await self._sends(event)
        if is_new:
            with self._inside(seq):
                await self.inner.send_event(event)

    async def send_event_if(self, event: Any, send_if: Callable[[], bool]) -> bool:
        """The same, if the condition holds where the model sends."""
        is_new, seq = await self._sends(event)
        if not is_new:
            return send_if()
        with self._inside(seq):
            return await self.inner.send_event_if(event, send_if)

    async def close(self) -> None:
        """Close the model."""
        if self._part is not None:
            await self._part.closes()
        try:
            await self.inner.close()
        finally:
            self._closed = True

    # --- for who holds the replay -------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether nothing is left to be played of what was connected to last."""
        return self._stopped or self.plays.over

    failed = False
    escaped: BaseException | None = None

    def answer_itself(self) -> None:
        """Raises:
        UsageError: below the interface there is nothing without an application.
        """
        raise UsageError('depth="wire": the model needs an application; without one, depth="interface"')

    def ended(self) -> None:
        """As of a replay at the interface: connections that followed were not made. Blocking. (A session
        whose `connect` failed before it came to a socket holds none that could be.)"""
        with_sockets = {one.session for one in self.plays.connections}
        self._unmade = unmade_after(self.recording, self.report, with_sockets)

    async def finished(self) -> ReplayReport:
        """What the application has left to be played is played, as long as the model reads it; the report.
        May be cancelled at any time.

        Raises:
            MatcherError: a matcher raised.
        """
        virtual = isinstance(asyncio.get_running_loop(), VirtualLoop)
        patience_s, waited_s, came = self._patience_s if virtual else self._stuck_after_s, 0.0, 0
        while self.plays.sockets and not self.over and waited_s < patience_s:
            await asyncio.sleep(LOOK_S)
            now = sum(len(socket.side.delivered) + len(socket.sent) for socket in self.plays.sockets)
            waited_s, came = (waited_s + LOOK_S, came) if now == came else (0.0, now)
        await self.abandon()
        for socket in self.plays.sockets:
            if socket.error is not None:
                raise socket.error
        self.ended()
        return self.report

    async def abandon(self) -> None:
        """Give the replay up, wherever it is."""
        if not self._stopped:
            self._stopped = True
            self.plays.finish()

    @property
    def report(self) -> TransportReport:
        """What was found up to now."""
        return without(self._report(), self._unmade, strict=self._strict)

    # --- helpers --------------------------------------------------------------------------------------------

    def _report(self) -> TransportReport:
        plays = self.plays
        sides = plays.run.sides
        placed = plays.is_exact
        divergences = tuple(
            _divergence(finding, side.connection.session)
            for side in sides
            for finding in decisive(side.findings, strict=self._strict or placed)
        )
        divergences += (*self._cut_short(), *self._played_otherwise())
        events = tuple(plays.other_events())
        if self._strict:
            divergences += tuple(map(_gave_others, events))
        numbers = {side.connection.session: number for number, side in enumerate(sides, 1)}
        divergences = tuple(replace(one, nth=numbers.get(one.session, 1)) for one in divergences)
        parts = zip(sides, plays.parts, strict=True)
        done_for = [(side, action) for side, part in parts for action in part.done_for]
        unchecked = tuple(
            Unchecked(action.seq, action.type, action.line, side.connection.session)
            for side, action in done_for
            if action.unknown
        )
        if self._strict:
            divergences += tuple(
                Divergence("unchecked", turn=0, session=session, nth=nth, **left_unchecked(left))
                for session, nth in numbers.items()
                if (left := [one for one in unchecked if one.session == session])
            )
        kinds = [one.kind for one in divergences]
        notes = [f"{name}: means nothing below the interface" for name in self._ignored]
        notes += self._without
        notes += [
            f"{action.type} (#{action.seq}), done for the application, raised {type(error).__name__}: {error}"
            for part in plays.parts
            for action, error in part.errors
        ]
        notes += [note for part in plays.parts for note in part.heard.notes]
        notes += [
            f"moved: {finding.summary}"
            for finding in plays.findings()
            if finding.kind == "moved" and not (self._strict or placed)
        ]
        # Who waits in vain for an answer may hang up at any time: what did not come has diverged.
        notes += [
            f"{_told_early(socket)}, for what comes next answers what did not come"
            for socket in plays.sockets
            if socket.early_ns > EARLY_NS and socket.side.is_held_up
        ]
        derived = sum(part.readings.derived for part in plays.parts)
        weaker = [sentence for side in sides for sentence in side.weaker]
        if derived:
            weaker.append(f"the model read the clock {derived} times where the recording tells no reading")
        if not placed and sides:
            where = "under faults" if plays.is_faulty else "on an ordinary event loop"
            weaker.append(f"{where} rounds are not kept")
        return TransportReport(
            recordings=tuple(side.connection.session for side in sides),
            delivered=sum(len(side.delivered) for side in sides),
            matched=sum(side.matched for side in sides),
            differing=kinds.count("changed"),
            extra=kinds.count("unexpected"),
            missing=kinds.count("missing"),
            unsent=sum(not (action.unknown or action.waived) for _, action in done_for),
            waived=sum(action.waived for _, action in done_for),
            unchecked=unchecked,
            divergences=divergences,
            notes=tuple(dict.fromkeys(notes)),
            weaker=tuple(dict.fromkeys(weaker)),
            unreported=tuple(one for part in plays.parts for one in part.heard.unreported),
            heard=tuple(one for part in plays.parts for one in part.heard.heard),
            uncompared=tuple(one for part in plays.parts for one in part.heard.uncompared),
            unplayed=sum(side.unplayed for side in sides),
            finished=self._stopped,
            recorded_seconds=sum(side.connection.end.at_ns for side in sides) / 1e9,
            audio=sum(side.spoken.frames for side in sides),
            unmatched_audio=sum(side.spoken.unmatched for side in sides),
            skipped=sum(len(side.skipped) for side in sides),
            events=events,
            injected=tuple(one.as_json() for side in sides for one in plays.run.injected[side]),
        )

    async def _on_event(self, event: Any) -> None:
        around = causes.WHERE.get()
        part = None if around is None else around.inside
        if isinstance(part, ApplicationPart) and around is not None and around.seq in part.live:
            part.live[around.seq].append(self._given(part, around.seq, event))
        # What a listener does is the application's.
        with causes.within(None if around is None else around._replace(inside=None)):
            for listener in list(self.listeners):
                await listener.on_event(event)

    def _given(self, part: ApplicationPart, seq: int, event: Any) -> GivenEvent:
        """An event that the model gives for a frame, held against the one that it gave in its place. At once:
        who gets it may change it."""
        name, recorded = self._name(event), part.plan.given.get(seq, [])
        place = len(part.live[seq])
        if place >= len(recorded) or part.renames or self.plays.is_faulty:
            return GivenEvent.of(name, event)
        return GivenEvent.of(name, event, self._compared.differences(recorded[place], name, event))

    async def _sends(self, event: Any) -> tuple[bool, int | None]:
        part, name = self._part, self._name(event)
        if part is None:
            return True, None
        if self._closed and self.over and name != AUDIO and not part.plan.sends_behind_close(name):
            self._behind_close.append((name, self.plays.run.sides[-1].connection.session))
            return True, None
        return await part.sends(name, event)

    def _name(self, event: Any) -> str:
        return event_name(self.vocabulary, cast("type[Any]", type(event)))

    def _cut_short(self) -> Iterator[Divergence]:
        """Where the application closed long before it did when recorded, sent something after that, or
        connected once more than then."""
        for socket in self.plays.sockets:
            if socket.side.unplayed and socket.early_ns > EARLY_NS and not socket.side.is_held_up:
                told = f"below the interface: {_told_early(socket)}"
                yield Divergence("unexpected", told, 0, session=socket.side.connection.session)
        for name, session in self._behind_close:
            told = "the application sent something after it had closed, which it did not when recorded"
            headline = f"extra: {name}, after the close"
            yield Divergence("unexpected", told, 0, headline=headline, session=session)
        if self.plays.exhausted:
            told = "the application connects, and the recording holds no further connection"
            last = self.plays.run.sides[-1].connection.session if self.plays.run.sides else ""
            yield Divergence("exhausted", f"below the interface: {told}", 0, session=last)

    def _played_otherwise(self) -> Iterator[Divergence]:
        """Where the application's player did not do what it did, and that is to diverge."""
        for socket, part in zip(self.plays.sockets, self.plays.parts, strict=True):
            if part.played_otherwise and (self._strict or self._playback == "exact"):
                session = socket.side.connection.session
                yield Divergence("playback", turn=0, session=session, **other_playback(part.heard, session))

    def _hang_up(self) -> None:
        self._letting_go = asyncio.get_running_loop().create_task(self.let_go())

    async def _send_for(self, event: Any) -> None:
        await self.inner.send_event(event)

    @property
    def _part(self) -> ApplicationPart | None:
        return self.plays.parts[-1] if self.plays.parts else None

    def _inside(self, seq: int | None) -> causes.within:
        part = self._part
        return causes.within(causes.WHERE.get()) if part is None else causes.extent(0, seq, 0, part)


def _told_early(socket: ReplayedSocket) -> str:
    sooner = f"{socket.early_ns / 1e9:,.1f} s sooner than recorded"
    return f"the application closed {sooner}: {socket.side.unplayed} frames not played"


def _gave_others(events: OtherEvents) -> Divergence:
    told = f"below the interface: {events}"
    return Divergence(
        "changed", told, 0, seq=events.seq, differences=events.differences, session=events.session
    )


def _divergence(finding: Finding, session: str) -> Divergence:
    after = f", after {finding.after}" if finding.after else ""
    return Divergence(
        finding.kind,
        f"below the interface: {finding.summary}{after}",
        finding.turn,
        seq=finding.seq,
        differences=finding.differences,
        session=session,
    )
