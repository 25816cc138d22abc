"""A client's own connection, recorded in its process: what goes through it, and whether that gave way to
others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any

from websockets.exceptions import ConnectionClosed

from ..recorder import Recorder, causes
from .socket_ends import end_of
from .socket_tap import SocketTap

Dial = Callable[[], Awaitable[Any]]
"""Opens a connection, as a websocket library's `connect` does."""


class Watched:
    """Awaits something, and knows whether that gave way to others before it was done.

    Attributes:
        suspended: it did.
    """

    def __init__(self, awaited: Awaitable[Any]) -> None:
        self.suspended = False
        self._steps: Any = awaited.__await__()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self  # pyright: ignore[reportReturnType] - whatever can be stepped may be awaited

    def __iter__(self) -> Watched:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        """The next step."""
        given = self._steps.send(value)
        self.suspended = True
        return given

    def throw(self, *error: Any) -> Any:
        """The next step, which is to raise: it is cancelled."""
        given = self._steps.throw(*error)
        self.suspended = True
        return given

    def close(self) -> None:
        """No further step."""
        self._steps.close()


async def tapped(
    recorder: Recorder, log: Any, number: int, dial: Dial, url: str, headers: Mapping[str, str]
) -> TappedSocket:
    """Open a connection of a model that is recorded, and record it. Cancelled, it cancels `dial`, and records
    that.

    Args:
        recorder: which the session is of.
        log: the session's.
        number: of the connection in the session, from 1.
        url: that is dialled.
        headers: of the handshake.

    Raises:
        BaseException: what `dial` raises.
    """
    tap = SocketTap(recorder, log, number, finish=lambda _: None)  # the session is the model's
    tap.opening(url, list(headers.items()), (), by="model")
    try:
        connection = await dial()
    except BaseException as error:
        tap.failed(error=error)
        raise
    response = getattr(connection, "response", None)
    answered = [] if response is None else list(response.headers.raw_items())
    status = 101 if response is None else response.status_code
    tap.opened(status, getattr(connection, "subprotocol", None), answered)
    return TappedSocket(connection, tap, log)


class TappedSocket:
    """A connection that does what `inner` does, and records it. Whatever else `inner` has is there, too.

    A frame is appended before the client gets it, and is the cause of all that the reading task does until it
    reads again.

    Args:
        inner: the client's end of a websocket.
        tap: records it.
        log: the session's.
    """

    def __init__(self, inner: Any, tap: SocketTap, log: Any) -> None:
        self._inner = inner
        self._tap = tap
        self._log = log
        self._frames: Any = None

    def __aiter__(self) -> TappedSocket:
        self._frames = aiter(self._inner)
        return self

    async def __anext__(self) -> str | bytes:
        around = causes.WHERE.get()
        causes.enter(self._frame(around, None))
        watched = Watched(anext(self._frames))
        try:
            message = await watched
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._is_because_of(self._ended(error), around)
            raise
        self._is_because_of(self._tap.frame_in(message, suspended=watched.suspended), around)
        return message

    def _ended(self, error: BaseException) -> int | None:
        inner, tap = self._inner, self._tap
        if isinstance(error, StopAsyncIteration):
            return tap.server_ended("closed", inner.close_code, inner.close_reason or "")
        if isinstance(error, ConnectionClosed):
            return tap.server_ended(*end_of(error), error)
        return tap.server_ended("error", None, "", error)

    async def send(self, message: Any, *args: Any, **options: Any) -> None:
        """Send it."""
        seq = self._tap.frame_out(message) if isinstance(message, str | bytes) else None
        watched = Watched(self._inner.send(message, *args, **options))
        try:
            await watched
        except BaseException as error:
            self._tap.frame_done(seq, suspended=watched.suspended, raised=error)
            raise
        self._tap.frame_done(seq, suspended=watched.suspended)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it."""
        inner = self._inner
        closing = self._tap.client_closes("closed", code, reason)
        try:
            await inner.close(code, reason)
        except BaseException as error:
            self._tap.client_closed(closing, inner.close_code, inner.close_reason or "", error)
            raise
        self._tap.client_closed(closing, inner.close_code, inner.close_reason or "")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _is_because_of(self, seq: int | None, around: causes.Frame | None) -> None:
        causes.enter(self._frame(around, causes.LOST if seq is None else seq))

    def _frame(self, around: causes.Frame | None, seq: int | None) -> causes.Frame:
        tap = 0 if around is None else around.tap
        return causes.frame(around, self._log.number, seq, tap, self._log)
