"""The shell around a way under faults: it waits, delivers, and tells what was done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from .faults import Drained, FaultLine, Injected, PassOn
from .recorded import RecordedEnd
from .server_side import EndNow


class FaultyWay:
    """Carries messages along one way of a connection, in the task that calls `run`.

    Args:
        line: what is done to them.
        deliver: gives a message to the other side, and may keep us waiting.
        tell: is told of each fault, when it is injected.
        now_ns: the clock.
        type_of: a message's type in the connection's dialect, or empty.
    """

    def __init__(
        self,
        line: FaultLine,
        deliver: Callable[[str | bytes], Awaitable[None]],
        tell: Callable[[Injected], object],
        now_ns: Callable[[], int],
        type_of: Callable[[str | bytes], str],
    ) -> None:
        self._line = line
        self._deliver = deliver
        self._tell = tell
        self._now_ns = now_ns
        self._type_of = type_of
        self._came = asyncio.Event()
        self._passed = asyncio.Event()
        self._given_up = False

    async def put(self, message: str | bytes) -> None:
        """A message came. Waits while too much is under way. Cancelled, it did not come."""
        while self._line.full:
            self._passed.clear()
            await self._passed.wait()
        self._line.take(message, self._type_of(message), self._now_ns())
        self._came.set()

    def end(self) -> None:
        """No more will come: `run` returns when all has passed."""
        self._line.end(self._now_ns())
        self._came.set()

    def give_up(self) -> None:
        """What is under way will not pass, and `run` returns: who leaves waits for no latency."""
        self._given_up = True
        self._came.set()

    async def run(self) -> RecordedEnd | None:
        """Deliver; returns the end that a fault makes, or None when the source has ended, or we gave up.

        Raises:
            Exception: what `deliver` raises.
        """
        while not self._given_up:
            self._came.clear()
            step = self._line.next(self._now_ns())
            if isinstance(step, Injected):
                self._tell(step)
            elif isinstance(step, PassOn):
                await self._deliver(step.message)
            elif isinstance(step, EndNow):
                return step.end
            elif isinstance(step, Drained):
                return None
            else:
                timeout = None if step.until_ns is None else max(step.until_ns - self._now_ns(), 0) / 1e9
                try:
                    await asyncio.wait_for(self._came.wait(), timeout)
                except TimeoutError:
                    pass
            self._passed.set()
        return None
