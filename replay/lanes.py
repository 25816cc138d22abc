"""The live side's tasks: lanes that deliver events, and calls that the application waits for."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from .acts import RecordedCall
from .steps import Outcome, Step


@dataclass(eq=False)
class LiveCall:
    """A call that the application is waiting for."""

    recorded: RecordedCall
    context: contextvars.Context
    inbox: deque[tuple[Step, int]] = field(default_factory=deque[tuple[Step, int]])
    outcome: Outcome | None = None
    failure: BaseException | None = None
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class Lane:
    """The live counterpart of a recorded task that delivered events: one task, one after another."""

    def __init__(
        self, run: Callable[[Step], Coroutine[Any, Any, None]], context: contextvars.Context
    ) -> None:
        self._run = run
        self._inbox: deque[tuple[Step, int]] = deque()
        self._wake = asyncio.Event()
        self.current: Step | None = None
        self.task = asyncio.get_running_loop().create_task(
            self._loop(), name="realtape-replay-lane", context=context
        )

    @property
    def busy(self) -> bool:
        """Whether listeners are handling an event, or one waits for them."""
        return self.current is not None or bool(self._inbox)

    def give(self, step: Step, rounds: int = 0) -> None:
        """Deliver this next, after so many rounds of the loop."""
        self._inbox.append((step, rounds))
        self._wake.set()

    async def _loop(self) -> None:
        while True:
            passed = 1  # waking took one
            while self._inbox:
                self.current, rounds = self._inbox.popleft()
                await pass_rounds(rounds - passed)
                await self._run(self.current)
                self.current = None
                passed = 0
            self._wake.clear()
            await self._wake.wait()


async def pass_rounds(rounds: int) -> None:
    """Let so many rounds of the event loop pass."""
    for _ in range(rounds):
        await asyncio.sleep(0)
