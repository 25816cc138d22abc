"""Handshakes that are larger than the websockets library reads: a header's line, or their number.

The library ends such a connection without a word, before anybody is asked. Here who sent it is answered.
"""

from __future__ import annotations

from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import SecurityError
from websockets.protocol import State

LIMITS = "websockets' limits: WEBSOCKETS_MAX_LINE_LENGTH (8192 bytes) and WEBSOCKETS_MAX_NUM_HEADERS (128)"
"""Of the environment, read when the library is imported."""


def beyond_limits(error: BaseException | None) -> str | None:
    """What is too large of a handshake, and what to do; None: the error is another one."""
    while error is not None:
        if isinstance(error, SecurityError):
            return f"{error}: beyond {LIMITS}; set them in the environment of this program"
        error = error.__cause__
    return None


class AnsweringLeg(ServerConnection):
    """Tells a client whose handshake cannot be read why (431), where the library only hangs up."""

    _told = False

    def too_large(self, error: Exception, told: str) -> None:
        """The client was told so; what else is to be done."""

    def send_data(self) -> None:
        """The library's, after whatever came; also the end that it has decided upon."""
        error = self.protocol.handshake_exc
        if error is not None and not self._told and self.protocol.state is State.CONNECTING:
            self._told = True
            told = beyond_limits(error)
            if told is not None:
                self.transport.write(_answer(f"The handshake is too large: {told}.\n"))
                self.too_large(error, told)
        super().send_data()


def _answer(text: str) -> bytes:
    body = text.encode()
    lines: list[Any] = ["HTTP/1.1 431 Request Header Fields Too Large", "Connection: close"]
    lines += ["Content-Type: text/plain; charset=utf-8", f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body
