"""The client's end of a recorded connection under faults: the core of `faults.py` on each way, on the
client's own loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ..recorder import causes
from .dialects import message_in
from .faults import Drained, FaultLine, Injected, PassOn
from .recorded import RecordedEnd, WireFrame
from .replayed_socket import ReplayedSocket
from .server_side import EndNow


class FaultySocket(ReplayedSocket):
    """A `ReplayedSocket` whose messages meet faults; on virtual time, by the same seed the same in every run.

    Args:
        args: those of a `ReplayedSocket`.
        down: the way towards the client.
        up: the way towards the server.
        tell: is told of each fault, when it is injected.
    """

    def __init__(
        self, *args: Any, down: FaultLine, up: FaultLine, tell: Callable[[Injected], object]
    ) -> None:
        super().__init__(*args)
        self._down, self._up, self._tell = down, up, tell
        self._carried: list[WireFrame] = []  # towards the client, by their numbers
        self._last_end: RecordedEnd | None = None  # of the recording: when all has passed
        self._cut: RecordedEnd | None = None  # by a fault on the way up
        self._pumping: asyncio.TimerHandle | None = None
        self._late_ns = 0  # so much later than recorded the client got something
        self._pump()  # what is scheduled waits for no message

    async def __anext__(self) -> str | bytes:
        around = causes.WHERE.get()
        causes.enter(self._extent(around, None))
        while True:
            step = self._down.next(self._now_ns())
            if self._cut is not None:
                self._end(self._cut, around)
            if isinstance(step, Injected):
                self._tell(step)
            elif isinstance(step, PassOn):
                frame = self._carried[step.number - 1]
                self._late_ns = max(self._late_ns, self._now_ns() - self.side.planned_ns(frame.at_ns))
                self._given(frame, around)
                return step.message
            elif isinstance(step, EndNow):
                self._end(step.end, around)
            elif isinstance(step, Drained):
                self._end(self._last_end or self.side.connection.end, around)
            else:
                until_ns, took = self._take_next(around)
                if not took:
                    until = min((one for one in (step.until_ns, until_ns) if one), default=None)
                    await self._wait(until, waits=until is None or until == self._down.strikes_ns)

    async def send(self, message: str | bytes) -> None:
        """The client sends.

        Raises:
            ConnectionClosed: the connection is over.
        """
        over = self._ended or self._cut
        if self.closed or over is not None:
            raise self._closed_by(over or RecordedEnd("client", "closed", 1000))
        self.sent.append(message)
        type = self.side.connection.dialect.type_of(message_in(message if isinstance(message, str) else None))
        self._up.take(message, type, self._now_ns())
        self._pump()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """The client closes."""
        if self._pumping is not None:
            self._pumping.cancel()
        await super().close(code, reason)

    def _take_next(self, around: causes.Frame | None) -> tuple[int | None, bool]:
        """Send what is due on its way to the client: until when there is nothing, and whether there was
        something."""
        now_ns = self._now_ns()
        found = self.side.look(now_ns)
        self._part.go_on()
        if isinstance(found, EndNow):
            first = self._last_end is None
            self._last_end = found.end
            self._down.end(now_ns)
            return None, first
        if isinstance(found, int):
            if self._down.full:
                return None, False
            frame = self.side.connection.frames[found]
            due_ns = None if self.closed else self._part.due_before(frame)
            if due_ns is not None:
                return due_ns, False
            self._carried.append(frame)
            self._down.take(self.side.take(found).message, frame.type, now_ns)
            return None, True
        if self.closed:
            self._end(self.side.connection.end, around)
        if self._part.stays_away():  # and whoever got all late may do all late
            gone_ns = self.side.planned_ns(self.side.connection.end.at_ns) + self._late_ns
            if now_ns > gone_ns:
                self._end(self.side.connection.end, around)
            return gone_ns + 1, False
        return found.until_ns if found.until_ns is not None else self._part.hang_up_ns(), False

    def _pump(self) -> None:
        """Carry what is due to the server."""
        while True:
            now_ns = self._now_ns()
            step = self._up.next(now_ns)
            if isinstance(step, Injected):
                self._tell(step)
            elif isinstance(step, PassOn):
                self._arrive(step.message)
            elif isinstance(step, EndNow):
                self._cut = step.end
                self.wake()
            else:
                if self._pumping is not None:
                    self._pumping.cancel()
                    self._pumping = None
                if not isinstance(step, Drained) and step.until_ns is not None:
                    self._pumping = self._loop.call_at(step.until_ns / 1e9, self._pump)
                return
