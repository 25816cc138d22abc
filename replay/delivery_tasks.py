"""The tasks that deliver events, for those that did when this was recorded."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from .terms.acts import Deliver

Give = Callable[[Deliver], Coroutine[Any, Any, None]]
"""Gives an event to the listeners."""

Turn = Callable[[], Coroutine[Any, Any, None]]
"""Lets the round come in which the next one is to be given."""


class DeliveryTask:
    """The live counterpart of a recorded task that delivered events: one after another.

    Args:
        give: called with each.
        turn: awaited before one that has come while this ran.
        cancelled: called when this is cancelled while it has nothing to do: the loop is being shut down.
        context: in which it runs.

    Attributes:
        current: what the listeners are handling.
    """

    def __init__(
        self, give: Give, turn: Turn, cancelled: Callable[[], None], context: contextvars.Context
    ) -> None:
        self._give = give
        self._turn = turn
        self._cancelled = cancelled
        self._inbox: deque[Deliver] = deque()
        self._wake = asyncio.Event()
        self._retired = False
        self.current: Deliver | None = None
        self.task = asyncio.get_running_loop().create_task(
            self._loop(), name="realtape-replay-lane", context=context
        )

    @property
    def busy(self) -> bool:
        """Whether listeners are handling an event, or one waits for them."""
        return self.current is not None or bool(self._inbox)

    def deliver(self, act: Deliver) -> None:
        """Deliver this next."""
        self._inbox.append(act)
        self._wake.set()

    def retire(self) -> None:
        """End, after what it is busy with."""
        self._retired = True
        self._wake.set()

    async def _loop(self) -> None:
        while self._inbox or not self._retired:
            try:
                if self._inbox:
                    await self._turn()
                else:
                    self._wake.clear()
                    await self._wake.wait()
            except asyncio.CancelledError:
                self._cancelled()
                raise
            if self._inbox:
                self.current = self._inbox.popleft()
                await self._give(self.current)
                self.current = None


class DeliveryTasks:
    """Those of a replay, by the recorded task.

    Args:
        give: gives an event to the listeners.
        turn: awaited before one that has come while its task ran.
        cancelled: called when one is cancelled that has nothing to do: the loop is being shut down.
    """

    def __init__(self, give: Give, turn: Turn, cancelled: Callable[[], None]) -> None:
        self._give = give
        self._turn = turn
        self._cancelled = cancelled
        self._tasks: dict[int | None, DeliveryTask] = {}

    @property
    def busy(self) -> bool:
        """Whether any of them is."""
        return any(one.busy for one in self._tasks.values())

    def get(self, task: int | None) -> DeliveryTask | None:
        """That of a recorded task, if it has begun and not ended."""
        found = self._tasks.get(task)
        return None if found is None or found.task.done() else found

    def begin(self, task: int | None, context: contextvars.Context) -> DeliveryTask:
        """That of a recorded task; it begins in a copy of this context."""
        begun = self._tasks[task] = DeliveryTask(self._give, self._turn, self._cancelled, context.copy())
        return begun

    @property
    def first(self) -> int | None:
        """The recorded task of the first that has begun: the read loop."""
        return next(iter(self._tasks), None)

    def is_cancelled(self) -> bool:
        """Whether we are in one that somebody else cancels; a listener may also raise the like."""
        task = asyncio.current_task()
        tasks = [one.task for one in self._tasks.values()]
        return task is not None and task in tasks and task.cancelling() > 0

    def retire(self) -> list[asyncio.Task[None]]:
        """Let those end by themselves that are busy, as they were when this was recorded; returns the
        tasks of the others."""
        idle: list[asyncio.Task[None]] = []
        for one in self._tasks.values():
            if one.busy:
                one.retire()
            else:
                idle.append(one.task)
        return idle
