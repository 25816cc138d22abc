"""The legs of a proxied connection: the client's, and the provider's.

A message that is there whole, while nothing waits before it and the other leg takes more, is sent on by who
read it, in that very step: to wake a task for it costs as much as to carry it. All else (a message in
parts, a full buffer, an end) goes through the library's queue, to a task that waits where there is no room.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.connection import Connection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from .handshake_limits import AnsweringLeg

DEAD_S = 60, 10, 6
"""A peer from which nothing has come for so many seconds is asked by the system whether it is there, at such
intervals, so many times. No ping of ours: who waits for a slow reader reads no pong."""

_KEPT_ALIVE = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")

Record = Callable[[str | bytes], object]
"""Told each message; raises nothing."""

if TYPE_CHECKING:
    _Base = Connection
else:
    _Base = object


class _Leg(_Base):
    """Messages of one leg are carried to the other."""

    _onward: tuple[Any, Record] | None = None  # while messages are carried

    async def carry_to(self, sink: Connection, record: Record) -> ConnectionClosed | None:
        """Carry messages one way, until one side ends. Reading waits for sending, so nothing piles up.

        Args:
            sink: the other leg.
            record: told of each message in the step in which it is sent on, and before any other comes.

        Returns:
            How this leg ended; None: the other is gone.
        """
        self._onward = sink, record
        try:
            while True:
                try:
                    message = await self.recv()
                except ConnectionClosed as closed:
                    return closed
                record(message)
                try:
                    await sink.send(message)
                except ConnectionClosed:
                    return None
        finally:
            self._onward = None

    def connection_made(self, transport: Any) -> None:
        """The library's. Of a host that vanished without a word the system tells after two minutes, as of an
        end without a close frame; else its connection, and the other side's, would be open for ever."""
        super().connection_made(transport)
        peer = transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in zip(_KEPT_ALIVE, DEAD_S, strict=True):
            option = getattr(socket, name, None)  # not every system has each
            if option is not None:
                peer.setsockopt(socket.IPPROTO_TCP, option, value)

    def process_event(self, event: Any) -> None:
        """The library's, for each frame that comes, in the round in which it was read."""
        if self._onward is None or not self._passed_on(event, *self._onward):
            super().process_event(event)

    def _passed_on(self, frame: Frame, sink: Any, record: Record) -> bool:
        """Send it on now, if it can be; whether it was."""
        opcode = frame.opcode
        if (
            not frame.fin
            or (opcode is not Opcode.TEXT and opcode is not Opcode.BINARY)
            or len(self.recv_messages.frames)
            or sink.protocol.state is not State.OPEN
            or sink.paused
            or sink.transport.is_closing()
        ):
            return False
        data = bytes(frame.data)
        if opcode is Opcode.BINARY:
            message: str | bytes = data
            sink.protocol.send_binary(data)
        else:
            try:
                message = data.decode()
            except UnicodeDecodeError:
                return False  # who receives it sees to that
            sink.protocol.send_text(data)
        sink.send_data()
        record(message)
        return True


class ClientLeg(_Leg, AnsweringLeg):
    """Of the proxy's client.

    Attributes:
        on_too_large: told of a handshake that cannot be read, once; None: nobody is.
    """

    on_too_large: Callable[[Exception], object] | None = None

    def too_large(self, error: Exception, told: str) -> None:
        """The client was told; now the proxy is."""
        if self.on_too_large is not None:
            self.on_too_large(error)


class ProviderLeg(_Leg, ClientConnection):
    """Of the provider."""
