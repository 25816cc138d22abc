"""A replay below the interface, without a socket: the model's own code runs, on recorded frames.

The model is whatever makes its connection by a function that can be replaced; which that is, its integration
knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..replay import AudioMatching, Difference, Expectation, PlaybackMatching, VirtualLoop
from ..schema.codec import Vocabulary
from ..schema.errors import UsageError
from ..session import Recording
from .application_part import ApplicationPart
from .client_run import ClientRun
from .connections import connections_of
from .faults import Fault, FaultLine, Stream
from .faulty_socket import FaultySocket
from .flight_plan import plans_of
from .frame_rules import AS_RECORDED, FrameRules
from .given_events import are_alike
from .replayed_socket import ReplayedSocket
from .server_side import Finding, ServerSide
from .wire_report import WireReport, report_of

_STREAMS: tuple[Stream, Stream] = ("downstream", "upstream")

Connecting = Callable[[Callable[[], Awaitable[Any]], str, Mapping[str, str]], Awaitable[Any]]
"""(dial, url, headers) → the connection that a model is to use."""


@dataclass(frozen=True, slots=True)
class OtherEvents:
    """The model gives other events for a frame than it gave when this was recorded.

    Attributes:
        session: id of the recorded session.
        seq: of the frame, or of the socket's end.
        type: of the frame.
        recorded, live: the events, each with what it is about.
        differences: fields in which events of the same type, of the same thing, differ.
    """

    session: str
    seq: int
    type: str
    recorded: tuple[str, ...]
    live: tuple[str, ...]
    differences: tuple[Difference, ...] = ()

    def __str__(self) -> str:
        def named(events: tuple[str, ...]) -> str:
            return ", ".join(events) or "nothing"

        gave = f"for {self.type} (#{self.seq}) the model gave {named(self.live)}"
        if self.recorded == self.live:
            fields = ", ".join(f"{one.field}: {one.recorded} → {one.live}" for one in self.differences)
            return f"{gave}, differing in {fields}"
        return f"{gave}; recorded: {named(self.recorded)}"


class ReplayTransport:
    """The connections of one model, as they were recorded.

    Args:
        recording: open; it is read at once, blocking, with the sessions of the same model that followed.
        vocabulary: of the events that the model takes and gives.
        send: sends an event on the model, past whoever watches the application.
        pace: on an ordinary event loop: seconds for a recorded second.
        patience: on virtual time, where nothing else could happen, a frame waits no longer for one of the
            client's that does not come; so many virtual seconds while timers of the application go on.
        stuck_after: on an ordinary event loop: for so many seconds after the client's last.
        clock: sees to it that the model is told the recorded time in the extent of a part.
        hung_up: called when a stream ends because the user hung up, and the application did not close.
        playback, playback_ms: how what the application's player reports is compared.
        audio: how what its user says aloud is compared.
        faults: that are injected.
        fault_seed: of their chances.
        expect: which of the application's calls must come again; the others are done for it.
        learned: what was learned of the recording's calls counts.
        rules: how frames are compared.

    Attributes:
        tracker: the application's, for the connection that comes next.
        connections: as they were recorded.
        sockets: that were opened, in order.
        parts: the application's, of each.
        exhausted: the application connected once more than was recorded.

    Raises:
        UsageError: the recording holds no frames, nor messages of a provider.
        StoreError, CorruptRecordError: it cannot be read.
    """

    def __init__(
        self,
        recording: Recording,
        vocabulary: Vocabulary,
        send: Callable[[Any], Coroutine[Any, Any, Any]],
        *,
        pace: float = 1.0,
        patience: float = 60.0,
        stuck_after: float = 2.0,
        clock: Callable[[ApplicationPart], object] = lambda part: None,
        hung_up: Callable[[], object] = lambda: None,
        playback: PlaybackMatching = "tolerant",
        playback_ms: float | None = None,
        audio: AudioMatching = "bytes",
        faults: Sequence[Fault] = (),
        fault_seed: int = 0,
        expect: Expectation = "reactions",
        learned: bool = True,
        rules: FrameRules = AS_RECORDED,
    ) -> None:
        drafts = recording.drafts()
        self.name = str(recording)
        self.connections = connections_of(drafts, vocabulary)
        if not any(connection.frames or connection.refusal for connection in self.connections):
            raise UsageError(
                f'{recording}: it holds no frames, nor messages of a provider: depth="interface"'
            )
        self.sockets: list[ReplayedSocket] = []
        self.parts: list[ApplicationPart] = []
        self.run = ClientRun(self.connections, rules=rules)
        self._plans = plans_of(drafts, vocabulary, expect, learned=learned)
        self._send = send
        self._pace = pace
        self._patience = patience
        self._stuck_after = stuck_after
        self._clock = clock
        self._hung_up = hung_up
        self._playback: PlaybackMatching = playback
        self._playback_ms = playback_ms
        self._audio: AudioMatching = audio
        self._faults, self._fault_seed = faults, fault_seed
        self.tracker: Any = None
        self.exhausted = False
        self._idler: _Rest | None = None
        self._was_exact = False

    async def connect(
        self, dial: Callable[[], Awaitable[Any]], url: str, headers: Mapping[str, str]
    ) -> ReplayedSocket:
        """Open the next recorded connection, in the place of the real one.

        Raises:
            ConnectionError: the recording holds no further one; or whatever the recorded one raised.
        """
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)
        upcoming = self.run.upcoming
        if upcoming is None:
            self.exhausted = True
            raise ConnectionError("the recording holds no further connection")
        if upcoming.refusal is not None:
            self.run.refused()
            raised = upcoming.refusal.raised
            told = f"refused with {upcoming.refusal.status}, when this was recorded"
            raise raised if isinstance(raised, Exception) else ConnectionError(told)
        virtual = isinstance(loop, VirtualLoop)
        now_ns = loop.now_ns if isinstance(loop, VirtualLoop) else int(loop.time() * 1e9)
        patience_ns = None if virtual else int(self._stuck_after * 1e9)
        pace = 1.0 if virtual else self._pace
        side = self.run.connect(now_ns, pace=pace, patience_ns=patience_ns, anchored=True, audio=self._audio)
        opened: list[ReplayedSocket] = []

        def wake() -> None:
            for one in opened:
                one.wake()

        part = ApplicationPart(
            self._plans[upcoming.session],
            side,
            self._send,
            wake,
            playback=self._playback,
            playback_ms=self._playback_ms,
        )
        socket = self._socket(side, part, now_ns)
        opened.append(socket)
        self._clock(part)
        part.track(self.tracker)
        self.parts.append(part)
        self.sockets.append(socket)
        if isinstance(loop, VirtualLoop) and self._idler is None:
            self._idler = _Rest(loop, self.sockets, int(self._patience * 1e9))
        return socket

    def _socket(self, side: ServerSide, part: ApplicationPart, now_ns: int) -> ReplayedSocket:
        if not self._faults:
            return ReplayedSocket(side, part, self._closed, self._hung_up)
        down, up = (
            FaultLine(
                self._faults, stream, seed=self._fault_seed, connection=len(self.sockets) + 1, now_ns=now_ns
            )
            for stream in _STREAMS
        )
        tell = self.run.injected[side].append
        return FaultySocket(side, part, self._closed, self._hung_up, down=down, up=up, tell=tell)

    @property
    def over(self) -> bool:
        """Whether nothing is left to be played of what was connected to last."""
        return bool(self.sockets) and all(
            socket.closed or not socket.side.unplayed for socket in self.sockets
        )

    @property
    def is_exact(self) -> bool:
        """On virtual time, without faults: a client's frame comes on its side of an event."""
        return (self._idler is not None or self._was_exact) and not self._faults

    @property
    def is_faulty(self) -> bool:
        """Whether faults are injected."""
        return bool(self._faults)

    def finish(self) -> None:
        """Nothing more is played."""
        for socket in self.sockets:
            socket.closed = True
            self._closed(socket)
            socket.wake()
        if self._idler is not None:
            self._idler.stop()
            self._idler, self._was_exact = None, True

    def report(self, *, strict: bool = False) -> WireReport:
        """What has come of it so far."""
        return report_of(self.name, [self.run] if self.run.sides else [], strict=strict)

    def findings(self) -> list[Finding]:
        """Where the client and the recording part."""
        return [finding for side in self.run.sides for finding in side.findings]

    def other_events(self) -> list[OtherEvents]:
        """Where the model gave other events than it gave when this was recorded."""
        found: list[OtherEvents] = []
        for socket, part in zip(self.sockets, self.parts, strict=True):
            connection = socket.side.connection
            types = {frame.seq: frame.type for frame in connection.frames}
            same_ids = not socket.side.renames
            handled = list(part.live.items())
            if socket.closed_early:
                handled.pop()  # the application closed while the model was at it
            for seq, live in handled:
                if seq == connection.end.seq and connection.end.by == "client":
                    continue  # the user hung up, and that was told as an end
                recorded = [one.given for one in part.plan.given.get(seq, [])]
                if not are_alike(recorded, live, same_ids=same_ids):
                    type = types.get(seq, "the end of the socket")
                    both = tuple(map(str, recorded)), tuple(map(str, live))
                    fields = tuple(field for one in live for field in one.differences)
                    found.append(OtherEvents(connection.session, seq, type, *both, fields))
        return found

    def _closed(self, socket: ReplayedSocket) -> None:
        place = self.sockets.index(socket)
        self.parts[place].stop()
        self.run.ended(socket.side, 0)


class _Rest:
    """Is asked by the loop on virtual time when it is idle: what waits for the client, waits in vain where
    nothing else could happen."""

    def __init__(self, loop: VirtualLoop, sockets: list[ReplayedSocket], patience_ns: int) -> None:
        self._loop = loop
        self._sockets = sockets
        self._patience_ns = patience_ns
        self._since: tuple[int, int] | None = None  # since when, and at which frame
        loop.idlers.append(self)

    def stop(self) -> None:
        """No longer."""
        if self in self._loop.idlers:
            self._loop.idlers.remove(self)

    def next_ns(self) -> int | None:
        """Where timers of the application go on, it has patience."""
        waiting = self._waiting()
        if not waiting or not self._loop.timers:
            self._since = None
            return None
        at = sum(len(socket.side.delivered) + len(socket.sent) for socket in waiting)
        if self._since is None or self._since[1] != at:
            self._since = self._loop.now_ns, at
        return self._since[0] + self._patience_ns

    def act(self) -> None:
        """It has no more."""
        self._since = None
        self.rest()

    def rest(self) -> bool:
        """Nothing else could happen."""
        waiting = self._waiting()
        for socket in waiting:
            socket.side.give_up()
            socket.wake()
        return bool(waiting)

    def _waiting(self) -> list[ReplayedSocket]:
        return [socket for socket in self._sockets if socket.waits and socket.side.waits_in_vain]
