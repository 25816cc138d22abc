"""Handshakes that the websockets library does not read: larger than it takes, or none at all.

The library ends such a connection without a word, before anybody is asked, or waits for more of what is TLS.
Here who sent it is answered; and what the library would log as a traceback is a line.
"""

from __future__ import annotations

import logging
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import SecurityError
from websockets.protocol import State

LIMITS = "websockets' limits: WEBSOCKETS_MAX_LINE_LENGTH (8192 bytes) and WEBSOCKETS_MAX_NUM_HEADERS (128)"
"""Of the environment, read when the library is imported."""


TLS_RECORD = b"\x16"
"""With it begins who dials `wss://` (RFC 8446, section 5.1); no line of HTTP does."""
TLS_ALERT = b"\x15\x03\x01\x00\x02\x02\x28"
"""A fatal alert, `handshake_failure` (RFC 8446, section 6): what a client of TLS understands."""


class _InALine(logging.Filter):
    """A client that does not come to a handshake is no error of ours: a line, without a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """The library's record, in other words."""
        error = record.exc_info[1] if record.exc_info else None
        if record.msg == "opening handshake failed" and error is not None:
            cause = error.__cause__
            why = f"{error}" if cause is None or beyond_limits(error) is None else f"{cause}"
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.msg, record.args, record.exc_info = "a client's handshake failed: %s", (why,), None
        return True


LOGGER = logging.getLogger("realtape.wire")
"""What is to be told of a server's connections."""
LOGGER.addFilter(_InALine())


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

    def data_received(self, data: bytes) -> None:
        """The library's: what came, decrypted where this listens with TLS."""
        if self.protocol.state is State.CONNECTING and data.startswith(TLS_RECORD):
            LOGGER.warning(
                "a client began with TLS where it is not spoken: connect with ws://, or listen with TLS "
                "(ssl=, --tls)"
            )
            self.transport.write(TLS_ALERT)
            self.transport.close()
            return
        super().data_received(data)

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
