"""How a websocket ended, and ending another one in the same way."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from websockets.asyncio.connection import Connection
from websockets.exceptions import ConnectionClosed

from .recorded import CLOSE_CODES, MAX_REASON_BYTES, NO_CODE, How

END_S = 5.0
"""How long the other side may take to answer a close frame, before the connection is dropped."""


def end_of(closed: ConnectionClosed) -> tuple[How, int | None, str]:
    """How the other side ended it: with a close frame, or without one."""
    if closed.rcvd is not None:
        return "closed", closed.rcvd.code, closed.rcvd.reason
    if closed.sent is not None and closed.sent.code != 1000:
        return "error", closed.sent.code, closed.sent.reason  # it broke the protocol, and we said so
    return "eof", None, ""


async def end_as(connection: Connection, how: How, code: int | None, reason: str) -> None:
    """End a connection as another one was ended, and wait for that. Cancelled, it is dropped at once.

    Where that had a code which cannot be sent (an imported file may say anything), there is no close frame.
    """
    try:
        async with asyncio.timeout(END_S):
            if how == "closed" and code == NO_CODE:
                await _close_without_code(connection)
            elif how == "closed" and (code is None or code in CLOSE_CODES):
                await connection.close(code or 1000, _sendable(reason))
            elif how == "error":
                _reset(connection)
            else:
                connection.transport.close()  # what is buffered is sent, then the end, without a close frame
            await connection.wait_closed()
    except TimeoutError:
        pass
    finally:
        connection.transport.abort()


def _sendable(reason: str) -> str:
    """As much of it as a close frame has room for."""
    return reason.encode("utf-8", "replace")[:MAX_REASON_BYTES].decode("utf-8", "ignore")


def _reset(connection: Connection) -> None:
    """As who broke off: what is under way is dropped, and the other side's system is told so."""
    bare: socket.socket | None = connection.transport.get_extra_info("socket")
    if bare is not None:
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.transport.abort()


async def _close_without_code(connection: Any) -> None:
    try:
        async with connection.send_context():
            connection.protocol.send_close()
    except ConnectionClosed:
        pass
