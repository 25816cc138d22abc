"""The protocol behind a socket: a websocket server on the loopback interface."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from .live import LiveProtocol, LiveScript
from .protocol import Ended, Outgoing, RealtimeProtocol, Step
from .requests import Message, RequestRefused, decode, encode
from .script import Ending, Script

DEFAULT_PACE = 0.1
"""Ten times as fast as people talk."""

MAX_FRAME_BYTES = 32 * 1024 * 1024
"""15 MiB of audio, the most that one message carries, as base64, and some room."""

MAX_LOGGED_MESSAGES = 10_000
MAX_LOGGED_CONNECTIONS = 100
"""What a test may look at afterwards; what is older is forgotten."""

CLOSE_TIMEOUT_S = 1.0
"""How long a client may take to answer a close frame. No client should hold up the end of a test."""

Protocol = RealtimeProtocol | LiveProtocol
"""What is spoken on one connection."""


class ConnectionLog:
    """What crossed one connection, oldest first, the latest MAX_LOGGED_MESSAGES each way.

    Attributes:
        number: 1 for the provider's first connection.
        subprotocol: what was agreed on, or None.
        received: the client's messages, as they were sent; frames that held none are left out.
        sent: the provider's messages.
        closed: whether the connection is over.
    """

    def __init__(self, number: int, subprotocol: str | None) -> None:
        self.number = number
        self.subprotocol = subprotocol
        self.received: deque[Message] = deque(maxlen=MAX_LOGGED_MESSAGES)
        self.sent: deque[Message] = deque(maxlen=MAX_LOGGED_MESSAGES)
        self.closed = False


class LocalProvider:
    """A provider for realtime models on this machine, for demonstrations and tests.

    async with LocalProvider(Script(replies=[Reply.speech("Hello.")])) as provider:
        await model.connect({"url": provider.url, "api_key": "any"})

    Any key is accepted and none is looked at. Every connection is a session of its own, which plays
    its script from the start. Leaving the context closes the connections with code 1001 and waits for
    that, for CLOSE_TIMEOUT_S at most.
    """

    def __init__(
        self,
        script: Script | LiveScript | Callable[[int], Script],
        *,
        pace: float = DEFAULT_PACE,
        port: int = 0,
    ) -> None:
        """Make a provider; it listens within `async with`.

        Args:
            script: what to say, or a function from a connection's number (from 1) to its script. A
                `LiveScript` is spoken in the Live protocol.
            pace: seconds of real time per second of audio; 1.0 talks as fast as people do.
            port: the TCP port on 127.0.0.1; 0 lets the system choose.

        Raises:
            ValueError: `pace` is not above zero.
        """
        if not pace > 0:
            raise ValueError("pace must be above zero: with no time between them, all events come at once")
        self._script = script
        self._pace = pace
        self._port = port
        self._server: Server | None = None
        self._accepted = 0
        self._connections: deque[ConnectionLog] = deque(maxlen=MAX_LOGGED_CONNECTIONS)

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        self._server = await serve(
            self._converse,
            "127.0.0.1",
            self._port,
            max_size=MAX_FRAME_BYTES,
            select_subprotocol=_select_subprotocol,
            close_timeout=CLOSE_TIMEOUT_S,
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close all connections."""
        if self._server is not None:
            server, self._server = self._server, None
            server.close()
            await server.wait_closed()

    @property
    def url(self) -> str:
        """Where to connect to; only within `async with`.

        Raises:
            RuntimeError: the provider does not listen.
        """
        if self._server is None:
            raise RuntimeError("the provider listens only within `async with`")
        port = next(iter(self._server.sockets)).getsockname()[1]
        path = "live/sessions" if isinstance(self._script, LiveScript) else "realtime?model=local"
        return f"ws://127.0.0.1:{port}/v1/{path}"

    @property
    def connections(self) -> Sequence[ConnectionLog]:
        """The connections so far, the first one first, open or not."""
        return tuple(self._connections)

    async def _converse(self, connection: ServerConnection) -> None:
        self._accepted += 1
        number = self._accepted
        log = ConnectionLog(number, connection.subprotocol)
        self._connections.append(log)
        protocol = self._protocol(connection, number)
        try:
            await self._relay(connection, protocol, log)
        except ConnectionClosed:
            pass  # the client's right, at any time
        finally:
            log.closed = True

    def _protocol(self, connection: ServerConnection, number: int) -> Protocol:
        script = self._script
        if isinstance(script, LiveScript):
            return LiveProtocol(script, connection=number)
        spoken = script if isinstance(script, Script) else script(number)
        return RealtimeProtocol(spoken, connection=number, model=_model(connection))

    async def _relay(self, connection: ServerConnection, protocol: Protocol, log: ConnectionLog) -> None:
        """Carry messages both ways until the script ends the connection.

        Raises:
            ConnectionClosed: the client ended it, or the provider's context was left.
        """
        clock = asyncio.get_running_loop().time
        start_s = clock()
        while True:
            now_ms = self._audio_ms(clock() - start_s)
            if await _send(connection, protocol.advance(now_ms), log):
                return
            due_ms = protocol.next_due_ms
            try:
                # recv() may be cancelled without losing a message (websockets' documentation of recv).
                async with asyncio.timeout_at(None if due_ms is None else start_s + self._real_s(due_ms)):
                    frame = await connection.recv()
            except TimeoutError:
                continue
            steps = _take(frame, self._audio_ms(clock() - start_s), protocol, log)
            if await _send(connection, steps, log):
                return

    def _audio_ms(self, real_s: float) -> int:
        # The margin keeps a timer that rings at its very time from ringing twice.
        return int(real_s / self._pace * 1_000 + 1e-3)

    def _real_s(self, audio_ms: int) -> float:
        return audio_ms / 1_000 * self._pace


def _take(frame: str | bytes, now_ms: int, protocol: Protocol, log: ConnectionLog) -> Sequence[Step]:
    """Give a frame to the protocol; what it answers."""
    try:
        message = decode(frame)
    except RequestRefused as refused:
        return protocol.refuse(refused, now_ms)
    log.received.append(message)
    return protocol.receive(message, now_ms)


async def _send(connection: ServerConnection, steps: Sequence[Step], log: ConnectionLog) -> bool:
    """Send what is due; True if the connection ended with it.

    On an idle socket `send` returns without yielding to the loop, so the client finds a burst whole.
    """
    for step in steps:
        match step:
            case Outgoing():
                log.sent.append(step.message)
                await connection.send(encode(step.message))
            case Ended():
                await _end(connection, step.ending)
                return True
    return False


async def _end(connection: ServerConnection, ending: Ending) -> None:
    if ending.code is None:
        # What was sent before has left by then: the kernel holds it, and aborting drops only our buffer.
        connection.transport.abort()
    else:
        await connection.close(ending.code, ending.reason)


def _select_subprotocol(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    # Browsers put the API key into another one, which must not be agreed on.
    return Subprotocol("realtime") if "realtime" in offered else None


def _model(connection: ServerConnection) -> str:
    query = urlsplit(connection.request.path).query if connection.request is not None else ""
    return parse_qs(query).get("model", ["local"])[0]
