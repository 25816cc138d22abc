"""A provider's protocol in the place of the model's socket: no descriptor, so time is virtual to the last
nanosecond. What a socket does to a client is done here, too: messages come in bursts, some later than they
were sent; `send` gives way now and then; an end comes with a close frame, or without one."""

from __future__ import annotations

import asyncio
from collections import deque
from random import Random
from typing import Any

from realtape.integrations.openai_agents.socket_seam import connect_by
from realtape.provider import Script
from realtape.provider.protocol import Ended, RealtimeProtocol, Step
from realtape.provider.requests import decode, encode
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK
from websockets.frames import Close

LONGEST_S = 0.003
"""That a message is on its way."""


class MemorySocket:
    """One connection.

    Args:
        protocol: the provider's.
        pace: seconds of a second of audio.
        seed: of how long messages are on their way.
    """

    response = subprotocol = None

    def __init__(self, protocol: RealtimeProtocol, pace: float, seed: int) -> None:
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self._protocol = protocol
        self._pace = pace
        self._random = Random(seed)
        self._loop = asyncio.get_running_loop()
        self._start_s = self._loop.time()
        self._inbox: deque[str] = deque()
        self._came = asyncio.Event()
        self._error: Exception | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._arrival_s = 0.0
        self._advance()

    def __aiter__(self) -> MemorySocket:
        return self

    async def __anext__(self) -> str:
        while not self._inbox:
            if self._error is not None:
                if isinstance(self._error, ConnectionClosedOK):
                    raise StopAsyncIteration
                raise self._error
            self._came.clear()
            await self._came.wait()
        return self._inbox.popleft()

    async def send(self, message: str) -> None:
        if self._error is not None:
            raise self._error
        if self._random.random() < 0.1:
            await asyncio.sleep(0)
        self._take(self._protocol.receive(decode(message), self._now_ms()))
        self._advance()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await asyncio.sleep(0)
        self._end(Close(code, reason), by_client=True)

    def _now_ms(self) -> int:
        return int((self._loop.time() - self._start_s) / self._pace * 1_000 + 1e-3)

    def _advance(self) -> None:
        self._take(self._protocol.advance(self._now_ms()))
        if self._timer is not None:
            self._timer.cancel()
        due_ms = self._protocol.next_due_ms
        if due_ms is not None and self._error is None:
            self._timer = self._loop.call_at(self._start_s + due_ms / 1_000 * self._pace, self._advance)

    def _take(self, steps: list[Step]) -> None:
        if not steps or self._error is not None:
            return
        late_s = self._random.random() * LONGEST_S if self._random.random() < 0.5 else 0.0
        self._arrival_s = max(self._arrival_s, self._loop.time() + late_s)  # they stay in order
        self._loop.call_at(self._arrival_s, self._arrive, steps)

    def _arrive(self, steps: list[Step]) -> None:
        for step in steps:
            if isinstance(step, Ended):
                code = step.ending.code
                self._end(None if code is None else Close(code, step.ending.reason), by_client=False)
            elif self._error is None:
                self._inbox.append(encode(step.message))
        self._came.set()

    def _end(self, close: Close | None, *, by_client: bool) -> None:
        if self._error is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
        clean = close is not None and close.code in (1000, 1001)
        self._error = (ConnectionClosedOK if clean else ConnectionClosedError)(
            close, close, None if close is None else not by_client
        )
        self.close_code = 1006 if close is None else close.code
        self.close_reason = "" if close is None else close.reason
        self._came.set()


def in_memory(model: Any, *scripts: Script, pace: float = 0.1, seed: int = 1) -> Any:
    """The model, whose connections lead to such providers: one script for each."""
    number = 0

    async def connecting(dial: Any, url: str, headers: Any) -> MemorySocket:
        nonlocal number
        number += 1
        await asyncio.sleep(0)
        script = scripts[min(number, len(scripts)) - 1]
        return MemorySocket(RealtimeProtocol(script, connection=number), pace, seed + number)

    connect_by(model, connecting)
    return model
