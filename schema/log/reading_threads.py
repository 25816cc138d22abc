"""A thread that reads a store for who must not wait for the disk: a blocking connection lives in it, and is
asked one question at a time.

So reading has one way, with and without an event loop, and SQLAlchemy's own for event loops, which brings its
ORM along, is not imported.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from sqlalchemy.engine import Connection

from ..clocks import clock_held
from .reading_connections import ReadingConnection

_P = ParamSpec("_P")
_T = TypeVar("_T")


class ReadingThread:
    """One thread, and the connection in it.

    Args:
        opening: opens the connection; entered and left in the thread.
    """

    def __init__(self, opening: AbstractContextManager[Connection]) -> None:
        self._opening = opening
        self._stack = ExitStack()
        self._thread = ThreadPoolExecutor(1, "realtape-reading")
        self._connection: Connection | None = None

    async def open(self) -> None:
        """Open the connection. Cancelled, it is open all the same, and to be closed."""
        self._connection = await self._run(self._stack.enter_context, self._opening)

    async def ask(
        self,
        fetch: Callable[Concatenate[Connection, _P], _T],
        *args: _P.args,
        **facts: _P.kwargs,
    ) -> _T:
        """What a function of the connection comes to. Cancelled, it reads nothing more of a file; the
        connection can be asked again."""
        assert self._connection is not None, "it was opened"
        connection, given_up = self._connection, threading.Event()

        def answer() -> _T:
            raw = connection.connection.driver_connection
            if isinstance(raw, ReadingConnection):
                raw.is_given_up = given_up.is_set
            return fetch(connection, *args, **facts)

        try:
            return await self._run(answer)
        except asyncio.CancelledError:
            given_up.set()
            raise

    async def close(self) -> None:
        """Close the connection behind what is still asked; also if this is cancelled."""
        closed = self._run(self._stack.close)
        closed.add_done_callback(lambda _: self._thread.shutdown(wait=False))
        await asyncio.shield(closed)

    def _run(self, job: Callable[..., _T], *args: Any) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, job, *args)


@asynccontextmanager
async def reading_in_thread(opening: AbstractContextManager[Connection]) -> AsyncGenerator[ReadingThread]:
    """A thread with what is opened there, for as long as the block lasts; while it is opened or closed,
    virtual time stands still."""
    thread = ReadingThread(opening)
    try:
        with clock_held():
            await thread.open()
        yield thread
    finally:
        with clock_held():
            await thread.close()


async def read(
    thread: ReadingThread,
    fetch: Callable[Concatenate[Connection, _P], _T],
    *args: _P.args,
    **facts: _P.kwargs,
) -> _T:
    """What a function of a blocking connection fetches, without blocking the event loop.

    Cancelled, it fetches nothing more of a file; what a server already computes ends in the thread.
    """
    with clock_held():
        return await thread.ask(fetch, *args, **facts)


async def read_each(
    thread: ReadingThread,
    fetch: Callable[Concatenate[Connection, _P], Iterator[_T]],
    *args: _P.args,
    **facts: _P.kwargs,
) -> AsyncGenerator[_T]:
    """What a generator of a blocking connection fetches, each without blocking the event loop."""
    things = await read(thread, fetch, *args, **facts)
    end = object()
    while (thing := await read(thread, lambda _: next(things, end))) is not end:
        yield cast("_T", thing)
