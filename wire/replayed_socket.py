"""The client's end of a recorded connection: what a model has for a websocket while it is replayed.

A shell around the core (`server_side.py`): it knows how to wait, on virtual time and on an ordinary loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Protocol

from websockets.exceptions import ConnectionClosed, ConnectionClosedError, ConnectionClosedOK
from websockets.frames import Close

from ..recorder import causes
from ..replay import MatcherError, VirtualLoop
from ..schema.frames import Frame
from .recorded import RecordedEnd, Sending, WireFrame
from .server_side import EndNow, ServerSide

CLEAN = (1000, 1001)
"""Codes with which a websocket library takes an end for a good one."""

CANCELLED_NS = 250_000_000
"""So much longer than when it was recorded somebody waits who was cancelled then: what cancels him may have
begun to count before he waited."""


class ApplicationsPart(Protocol):
    """What the application did when this was recorded, and does now."""

    def due_before(self, frame: WireFrame) -> int | None:
        """When what it did before this came will have been done, by it or for it; None: it was."""
        ...

    def came(self, seq: int) -> None:
        """The model was given this frame, or this end."""
        ...

    def go_on(self) -> None:
        """Frames may have been left out, or have come from the client."""
        ...

    def hang_up_ns(self) -> int | None:
        """When the user hangs up, if that is still to come."""
        ...

    def stays_away(self) -> bool:
        """Whether the user has hung up, and the application does not close: nothing more will come."""
        ...


class ReplayedSocket:
    """Goes where a websocket library's connection goes: `async for`, `send`, `close`.

    Args:
        side: the server's, of this connection.
        part: the application's.
        over: called when the client has closed it.
        hung_up: called when the stream ends because the user hung up, and the client has not closed it.

    Attributes:
        sent: what the client sent, or would have where all was over, as it sent it.
        error: that a matcher raised: nothing is known of what was sent since.
        early_ns: how much sooner than recorded it was over, when the client closed it.
        waits: it is read, and nothing comes until the client, or a timer, does something.
    """

    response = subprotocol = None

    def __init__(
        self,
        side: ServerSide,
        part: ApplicationsPart,
        over: Callable[[ReplayedSocket], object],
        hung_up: Callable[[], object] = lambda: None,
    ) -> None:
        self.side = side
        self.sent: list[str | bytes] = []
        self.waits = False
        self.closed = False
        self.early_ns = 0
        self.error: MatcherError | None = None
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self._part = part
        self._over = over
        self._hung_up = hung_up
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._last: WireFrame | None = None  # that was delivered
        self._opened = self._last_round = self._here()
        self._sent_rounds: dict[int, tuple[int, int]] = {}  # place of a client's frame → when it came
        self._ended: RecordedEnd | None = None

    def __aiter__(self) -> ReplayedSocket:
        return self

    async def __anext__(self) -> str | bytes:
        around = causes.WHERE.get()
        causes.enter(self._extent(around, None))
        gave_way = False
        while True:
            found = self.side.look(self._now_ns())
            self._part.go_on()
            until_ns: int | None = None
            if isinstance(found, EndNow):
                self._end(found.end, around)
            elif isinstance(found, int):
                frame = self.side.connection.frames[found]
                until_ns = None if self.closed else self._part.due_before(frame)
                if until_ns is None:
                    if frame.data.suspended is not False and not gave_way:
                        gave_way = True
                        await asyncio.sleep(0)
                        continue
                    if await self._in_its_round(found):
                        continue
                    return self._deliver(found, frame, around)
            elif self.closed or self._part.stays_away():
                self._end(self.side.connection.end, around)
            else:
                until_ns = found.until_ns if found.until_ns is not None else self._part.hang_up_ns()
            gave_way = True
            await self._wait(until_ns)

    async def send(self, message: str | bytes) -> None:
        """The client sends.

        Raises:
            ConnectionClosed: the connection is over; or whatever the recorded send raised.
        """
        self.sent.append(message)
        if self.closed:
            raise self._closed_by(self._ended or RecordedEnd("client", "closed", 1000))
        place = self._arrive(message)
        if self._ended is not None:
            raise self._closed_by(self._ended)
        sending = None if place is None else self.side.connection.frames[place].sending
        if place is not None and sending is not None:
            await self._as_then(sending, self.side.connection.frames[place].at_ns)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """The client closes; what was read while it did is delivered, and the end.

        Raises:
            Exception: whatever the recorded close raised.
        """
        if self.closed:
            return
        self.closed = True
        self.early_ns = self.side.planned_ns(self.side.connection.end.at_ns) - self._now_ns()
        if self.close_code is None:
            self.close_code, self.close_reason = code, reason
        self.side.left(self._now_ns())
        self._over(self)
        self._changed.set()
        closing = self.side.connection.closing
        if closing is None or closing.raised is None:
            await asyncio.sleep(0)
        else:
            await self._as_then(closing, self.side.connection.end.at_ns)

    @property
    def closed_early(self) -> bool:
        """Whether the client closed while it was at a frame, or before it had read all."""
        return self.closed and self._last is not None and self._ended is None

    def wake(self) -> None:
        """Something has changed: what waits here is to look again."""
        self._changed.set()

    # --- helpers --------------------------------------------------------------------------------------

    def _now_ns(self) -> int:
        return now_ns(self._loop)

    async def _as_then(self, then: Sending, at_ns: int) -> None:
        """Take as long as when this was recorded, where it began at `at_ns`, and raise what was raised. Who
        was cancelled is kept waiting a little longer: he waits to be cancelled.

        Virtual time does not go on while the client works: it may be sooner at this point than it was then.
        """
        cancelled = isinstance(then.raised, asyncio.CancelledError)
        if then.took_ns or cancelled:
            until_ns = max(self._now_ns(), self.side.planned_ns(at_ns)) + self.side.lasting_ns(then.took_ns)
            await self._until(until_ns + (CANCELLED_NS if cancelled else 0))
        elif then.suspended:
            await asyncio.sleep(0)
        for _ in range(then.rounds - (not then.took_ns) if isinstance(self._loop, VirtualLoop) else 0):
            await asyncio.sleep(0)
        if isinstance(then.raised, Exception):
            raise then.raised

    async def _until(self, ns: int) -> None:
        """Wait until that instant."""
        passed = asyncio.Event()
        timer = self._loop.call_at(ns / 1e9, passed.set)
        try:
            await passed.wait()
        finally:
            timer.cancel()

    def _here(self) -> tuple[int, int]:
        """The burst of the loop on virtual time, and the round in it."""
        if not isinstance(self._loop, VirtualLoop):
            return 0, 0
        burst, number = self._loop.here
        return burst, number

    async def _wait(self, until_ns: int | None, *, waits: bool = False) -> None:
        """Until that instant, or until something has changed.

        Args:
            waits: though there is an instant, nothing comes then.
        """
        self._changed.clear()
        timer = None
        if until_ns is not None:
            timer = self._loop.call_at(until_ns / 1e9, self._changed.set)
        self.waits = waits or until_ns is None
        try:
            await self._changed.wait()
        finally:
            self.waits = False
            if timer is not None:
                timer.cancel()

    async def _in_its_round(self, place: int) -> bool:
        """On virtual time: let as many rounds pass as had passed when it was read; whether any did."""
        loop, frame = self._loop, self.side.connection.frames[place]
        if not isinstance(loop, VirtualLoop) or frame.data.suspended is False:
            return False
        burst, number = loop.here
        due = [
            there[1] + frame.round - before[1]
            for before, there in self._before(place)
            if before[0] == frame.burst and there[0] == burst
        ]
        if not due and self._now_ns() == self.side.planned_ns(frame.at_ns):
            due = [frame.round]
        missing = max(due, default=0) - number
        for _ in range(missing):
            await asyncio.sleep(0)
        return missing > 0

    def _before(self, place: int) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        """By what the round of a frame is known, where that was then, and is now: the connection was opened;
        a frame was delivered; frames of the client's came."""
        connection = self.side.connection
        yield connection.opened, self._opened
        if self._last is not None:
            yield self._last.place, self._last_round
        for sent, there in reversed(self._sent_rounds.items()):
            if there[0] != self._opened[0] and there[0] < self._last_round[0]:
                return
            if sent < place:
                yield connection.frames[sent].place, there

    def _arrive(self, message: str | bytes) -> int | None:
        """A message of the client's is there; the place of the recorded frame that it is, or None."""
        try:
            place = self.side.receive(Frame.of(message), self._now_ns())
        except MatcherError as error:  # the model may swallow it: who holds the replay raises it again
            self.error = error
            raise
        if place is not None:
            self._sent_rounds[place] = self._here()
        self._part.go_on()
        self._changed.set()
        return place

    def _deliver(self, place: int, frame: WireFrame, around: causes.Frame | None) -> str | bytes:
        message = self.side.take(place).message
        self._given(frame, around)
        return message

    def _given(self, frame: WireFrame, around: causes.Frame | None) -> None:
        """The client gets a frame: it is because of it what is done until it reads again."""
        self._last = frame
        self._last_round = self._here()
        self._part.came(frame.seq)
        causes.enter(self._extent(around, frame.seq))

    def _end(self, end: RecordedEnd, around: causes.Frame | None) -> None:
        """Raises what the recorded read raised."""
        self._ended = end
        if end.by != "server" and not self.closed:
            self._hung_up()
        if end.by == "server" and self.close_code is None:
            self.close_code = 1006 if end.how == "eof" else end.code
            self.close_reason = end.reason
        if end.seq is not None:
            self._part.came(end.seq)
            causes.enter(self._extent(around, end.seq))
        error = end.raised if isinstance(end.raised, Exception) else self._closed_by(end)
        if isinstance(error, ConnectionClosedOK):
            raise StopAsyncIteration
        raise error

    def _closed_by(self, end: RecordedEnd) -> ConnectionClosed:
        told = None if end.how == "eof" or end.code is None else Close(end.code, end.reason)
        if end.by != "server" or (end.how == "closed" and end.code in CLEAN):
            return ConnectionClosedOK(told or Close(1000, ""), told or Close(1000, ""), end.by == "server")
        return ConnectionClosedError(told, None, None if told is None else True)

    def _extent(self, around: causes.Frame | None, seq: int | None) -> causes.Frame:
        return causes.frame(around, 0, seq, 0, self._part)


def now_ns(loop: asyncio.AbstractEventLoop) -> int:
    """The loop's time."""
    return loop.now_ns if isinstance(loop, VirtualLoop) else int(loop.time() * 1e9)
