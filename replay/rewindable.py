"""`Rewindable`: a live replay that also goes backwards, by playing again from the start."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from ..schema.errors import UsageError
from ..session.state import State
from .model import ReplayBase
from .transport import Stop, Transport

Model = TypeVar("Model", bound=ReplayBase)


class Rewindable(Generic[Model]):
    """An application and its replay, which are begun anew where one seeks backwards.

    An async context manager; paused at first, before the application's `connect` returns. What the
    application raises is raised again where this is left, unless it was cancelled to begin anew. What
    it keeps outside itself (globals, files, tasks that it does not await) is its own to put back.

    Args:
        make: makes a model of a recording that was opened for it alone; called for each beginning.
        application: plays; called with each model.

    Attributes:
        model: the one that plays now.
        beginnings: how often it was begun.
    """

    model: Model

    def __init__(
        self, make: Callable[[], Awaitable[Model]], application: Callable[[Model], Awaitable[Any]]
    ) -> None:
        self.beginnings = 0
        self._make = make
        self._application = application
        self._running: asyncio.Task[Any] | None = None

    @property
    def transport(self) -> Transport:
        """That of the model that plays now."""
        return self.model.transport

    @property
    def state(self) -> State:
        """What is true at the cursor."""
        return self.transport.state

    async def seek(self, *, seq: int | None = None, at: float | None = None) -> Stop:
        """To an entry, or to the first one so many seconds after the session began; backwards by playing
        again from the start. Breakpoints are kept, but do not count on the way.

        Raises:
            UsageError: not one of both was given.
        """
        if (seq is None) == (at is None):
            raise UsageError("seek to an entry or to a time: give one of seq= and at=")
        if seq is None:
            seq = self.transport.states.seq_now(at or 0.0)
        if seq < self.transport.seq:
            await self._begin_anew()
        return await self.transport.seek(seq=seq)

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def _begin(self) -> None:
        self.model = await self._make()
        self.beginnings += 1
        self.model.transport.pause()
        self._running = asyncio.ensure_future(self._application(self.model))

    async def _begin_anew(self) -> None:
        before = self.transport
        await self._end()
        await self._begin()
        self.transport.take_over(before)

    async def _end(self) -> None:
        """The application is cancelled where it has not returned."""
        running, self._running = self._running, None
        assert running is not None
        failed = running.exception() if running.done() and not running.cancelled() else None
        await self.model.abandon()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await self.model.recording.close()
        if failed is not None:
            raise failed
