"""Lanes: the live side's tasks that deliver events."""

from __future__ import annotations

import asyncio
import contextvars
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import AbstractContextManager
from typing import Any

from .loop.pacing import Pacer
from .terms.acts import Approach
from .terms.steps import Step


class Lane:
    """The live counterpart of a recorded task that delivered events: one task, one after another.

    Attributes:
        current: the event that listeners are handling.
        follows: it waits for the round in which it gives the next one.
    """

    def __init__(
        self,
        run: Callable[[Step], Coroutine[Any, Any, Approach | None]],
        pacer: Pacer,
        cancelled: Callable[[], None],
        context: contextvars.Context,
    ) -> None:
        self._run = run
        self._pacer = pacer
        self._cancelled = cancelled
        self._inbox: deque[Step] = deque()
        self._wake = asyncio.Event()
        self._retired = False
        self.current: Step | None = None
        self.follows = False
        self._late: asyncio.Future[None] | None = None
        self.task = asyncio.get_running_loop().create_task(
            self._loop(), name="realtape-replay-lane", context=context
        )

    @property
    def busy(self) -> bool:
        """Whether listeners are handling an event, or one waits for them."""
        return self.current is not None or bool(self._inbox)

    def give(self, step: Step) -> None:
        """Deliver this next."""
        self._inbox.append(step)
        self._wake.set()

    def give_late(self, step: Step, waking: Callable[[], AbstractContextManager[None]]) -> None:
        """Deliver this next while it follows a way: at the place in which it had been woken, had it slept.

        Args:
            waking: in this block, who is woken runs next.
        """
        self._inbox.append(step)
        if self._late is None:
            self._late = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(self._woken, self._late, waking)

    def _woken(self, late: asyncio.Future[None], waking: Callable[[], AbstractContextManager[None]]) -> None:
        with waking():
            if not late.done():
                late.set_result(None)

    def retire(self) -> None:
        """End, after what it is busy with."""
        self._retired = True
        self._wake.set()

    async def _loop(self) -> None:
        while True:
            following: Approach | None = None
            while self._inbox:
                self.current = self._inbox.popleft()
                following = await self._run(self.current)
                self.current = None
            if self._retired:
                return
            try:
                if following is None:
                    self._wake.clear()
                    await self._wake.wait()
                else:
                    await self._follow(following)
            except asyncio.CancelledError:
                self._cancelled()
                raise

    async def _follow(self, act: Approach) -> None:
        """Let rounds pass until the one in which the next event comes, or would have come."""
        self.follows = True
        try:
            skip_round, followed = self._pacer.skip_round, self._pacer.followed
            while True:
                if not skip_round(self.task):
                    await _next_round()
                if followed(act) or self._late is not None:
                    break
        finally:
            self.follows = False
        if self._late is not None:
            await self._late
            self._late = None


@types.coroutine
def _next_round() -> Generator[None]:
    """Let this round of the event loop end."""
    yield


class Lanes:
    """The lanes of a replay, by the recorded task.

    Args:
        run: gives an event to the listeners; returns the way to the next one, if that is to be followed.
        pacer: tells when it has come to its end; what is to be delivered there was given to its lane, then.
        cancelled: called when one is cancelled that had nothing to do: the loop is being shut down.
    """

    def __init__(
        self,
        run: Callable[[Step], Coroutine[Any, Any, Approach | None]],
        pacer: Pacer,
        cancelled: Callable[[], None],
    ) -> None:
        self._run = run
        self._pacer = pacer
        self._cancelled = cancelled
        self._lanes: dict[int | None, Lane] = {}

    @property
    def busy(self) -> bool:
        """Whether any of them is."""
        return any(lane.busy for lane in self._lanes.values())

    def of(self, task: int | None, context: contextvars.Context) -> Lane:
        """The lane of a recorded task; a new one begins in a copy of this context."""
        lane = self._lanes.get(task)
        if lane is None or lane.task.done():
            lane = self._lanes[task] = Lane(self._run, self._pacer, self._cancelled, context.copy())
        return lane

    def following(self, task: int | None) -> Lane | None:
        """The lane of a recorded task, if it follows a way."""
        lane = self._lanes.get(task)
        return lane if lane is not None and lane.follows else None

    def first(self, context: contextvars.Context) -> Lane:
        """That of the read loop."""
        return self.of(next(iter(self._lanes), None), context)

    def is_cancelled(self) -> bool:
        """Whether we are in a lane that somebody else cancels; a listener may also raise the like."""
        task = asyncio.current_task()
        lanes = [lane.task for lane in self._lanes.values()]
        return task is not None and task in lanes and task.cancelling() > 0

    def retire(self) -> list[asyncio.Task[None]]:
        """Let those end by themselves that are busy, as they were when this was recorded; returns the
        tasks of the others."""
        idle: list[asyncio.Task[None]] = []
        for lane in self._lanes.values():
            if lane.busy:
                lane.retire()
            else:
                idle.append(lane.task)
        return idle
