"""The words of a recorded connection: its frames in their order, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..schema.frames import Frame
from .dialects import Dialect, Message

How = Literal["closed", "eof", "error", "open"]

CLOSE_CODES = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)})
"""Close codes that can be sent (RFC 6455, section 7.4)."""
TOLD_CODES = CLOSE_CODES | {1005, 1006, 1015}
"""And those that stand for what could not: no code, no close frame, no TLS."""
NO_CODE = 1005
"""What a close frame without a code is told as (RFC 6455, section 7.4.1); it cannot be sent."""
MAX_REASON_BYTES = 123
"""Of a close frame (RFC 6455, section 5.5)."""


@dataclass(frozen=True, slots=True)
class Sending:
    """How the client's sending of a frame, or its closing, ended, where it did not return at once.

    Attributes:
        suspended: it gave way to others.
        raised: what it raised, or None.
        took_ns: how long it took until the burst of the event loop in which it ended; 0: it began in it.
        rounds: of the event loop in that burst, from the first sending that ended in it, or from its own
            beginning.
    """

    suspended: bool
    raised: BaseException | None = None
    took_ns: int = 0
    rounds: int = 0


@dataclass(frozen=True, slots=True)
class WireFrame:
    """A recorded frame.

    Attributes:
        seq: of its entry.
        at_ns: since the connection began.
        inbound: from the server.
        data: what crossed the wire.
        message: the JSON object in it, or None.
        type: in the connection's dialect, or empty.
        implied: it is not in the log: an answer to it is.
        hidden: what it held was not kept: it cannot be played.
        burst, round: its place: which burst of the event loop, and which round in it.
        sending: of the client's, where that did not return at once.
    """

    seq: int
    at_ns: int
    inbound: bool
    data: Frame
    message: Message | None
    type: str
    implied: bool = False
    hidden: bool = False
    burst: int = 0
    round: int = 0
    sending: Sending | None = None

    @property
    def place(self) -> tuple[int, int]:
        """The burst of the event loop, and the round in it. Of what is in the same one, who was first is
        neither's doing."""
        return self.burst, self.round


@dataclass(frozen=True, slots=True)
class RecordedEnd:
    """How a connection ended.

    Attributes:
        by: who ended it, or None where the log has no end.
        how: with a close frame, without one, by an error; or it was open still.
        code, reason: of the close frame.
        at_ns: since the connection began.
        seq: of its entry, or None.
        raised: what the client's read raised; None where the log does not tell, or it raised nothing.
    """

    by: Literal["server", "client"] | None = None
    how: How = "open"
    code: int | None = None
    reason: str = ""
    at_ns: int = 0
    seq: int | None = None
    raised: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer to the handshake that opened nothing.

    Attributes:
        status: of HTTP; None where there was no answer at all.
        body: as text.
        raised: what the client was told, where it was recorded in its process.
    """

    status: int | None
    body: str = ""
    raised: BaseException | None = None


@dataclass(frozen=True)
class RecordedConnection:
    """One connection.

    Attributes:
        session: id of the session that holds it.
        number: of the connection in the session.
        begun_ns: since the first connection of the recording began.
        dialect: of its frames.
        frames: in order, of both directions.
        end: how it ended.
        subprotocol: that was agreed on, or None.
        refusal: the server's, where it was never open.
        silent: of what the client said only the length was kept.
        closing: how the client's closing went; None: it did not close, or that is not known.
        opened: burst of the event loop, and round in it, in which the client had it.
        url, path: of the server, and of the client's handshake; or empty.
        skeletons: how many of its frames were imported without what they held.
        weaker: what a replay of it is weaker in, a sentence each.
    """

    session: str
    number: int
    begun_ns: int
    dialect: Dialect
    frames: tuple[WireFrame, ...]
    end: RecordedEnd = field(default_factory=RecordedEnd)
    subprotocol: str | None = None
    refusal: Refusal | None = None
    path: str = ""
    url: str = ""
    skeletons: int = 0
    weaker: tuple[str, ...] = ()
    opened: tuple[int, int] = (0, 0)
    silent: bool = False
    closing: Sending | None = None
