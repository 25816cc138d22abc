"""A recording made of what others captured: the same tap, with their times."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from ..recorder import InMemory, Recorder
from ..schema.entries import Kind
from ..schema.errors import UsageError
from ..session import Draft
from .recorded import TOLD_CODES, How
from .socket_tap import SocketTap

MAX_PENDING_BYTES = 512 * 1024 * 1024
AT_ONCE = 1_000
"""Frames after which what was appended is taken out of the backlog."""


MOST_NS = 1 << 62
"""A time is no further from its beginning, in nanoseconds: 146 years."""


def require_few_values(text: str, most: int, where: str) -> None:
    """Before JSON is read: a value takes a hundred times the memory of its text.

    Args:
        most: commas and opening brackets.

    Raises:
        UsageError: there are more.
    """
    if sum(map(text.count, ",[{")) > most:
        raise UsageError(f"{where}: more than {most:,} values: cut it into smaller files")


def nanoseconds(value: Any, unit_ns: int, where: str) -> int | None:
    """A time out of somebody's file; None where there is no number.

    Args:
        unit_ns: what it counts, in nanoseconds.
        where: it stands, for the message.

    Raises:
        UsageError: it is no time that a log can hold.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    if not -MOST_NS // unit_ns <= value <= MOST_NS // unit_ns:  # nor is it so of NaN
        raise UsageError(
            f"{where}: {str(value)[:40]} is no time that a log can hold: put it right, or leave it out"
        )
    return int(value * unit_ns)


def close_code(value: Any, where: str) -> int | None:
    """A close code out of somebody's file; None where there is none.

    Raises:
        UsageError: it is no code that a websocket could be closed with.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value not in TOLD_CODES:
        raise UsageError(f"{where}: {str(value)[:40]!r} is no close code of a websocket, such as 1000")
    return value


class _RecorderInMemory(InMemory, Recorder):
    """Keeps what is imported until it is written."""


class Importing:
    """One session on its way. Credentials are taken out as a recorder does it.

    Args:
        name: of the file, for the header's `source`.
        labels: of the session.
    """

    def __init__(self, name: str, labels: dict[str, str] | None = None) -> None:
        self._name = name
        self._now_ns = 0
        self._recorder = _RecorderInMemory(
            "imported", clock=lambda: self._now_ns, max_pending_bytes=MAX_PENDING_BYTES
        )
        self._tap = SocketTap.beginning(self._recorder, labels or {})
        self._number = 0
        self._open = False
        self._count = 0

    @property
    def is_open(self) -> bool:
        """Whether a connection is open."""
        return self._open

    def at(self, now_ns: int) -> None:
        """It is so late, in nanoseconds since any beginning; time does not go back."""
        self._now_ns = max(self._now_ns, now_ns)

    def opening(
        self, url: str = "", headers: Sequence[tuple[str, str]] = (), subprotocols: Sequence[str] = ()
    ) -> None:
        """A connection begins."""
        self._number += 1
        self._tap = SocketTap(self._recorder, self._tap.log, self._number)
        self._tap.opening(url, headers, subprotocols, by="import")
        self._open = True

    def opened(
        self, status: int = 101, subprotocol: str | None = None, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Its handshake is over."""
        self._tap.opened(status, subprotocol, headers)

    def refused(self, status: int, body: str = "") -> None:
        """Its handshake was refused."""
        self._tap.failed(status=status, body=body)
        self._open = False

    def frame(self, inbound: bool, message: str | bytes) -> None:
        """A frame crosses."""
        if inbound:
            self._tap.frame_in(message)
        else:
            self._tap.frame_out(message)
        self._count += 1
        if self._count % AT_ONCE == 0:
            self._recorder.drafts()

    def skeleton(self, inbound: bool, type: str, known: dict[str, Any]) -> None:
        """A frame of which no more is known than this."""
        kind = Kind.FRAME_IN if inbound else Kind.FRAME_OUT
        self._tap.append(kind, {"skeleton": known}, type=type)

    def ended(self, how: How, code: int | None, reason: str, *, by_server: bool) -> None:
        """The connection ended. What comes after that is another one's."""
        if by_server:
            self._tap.server_ended(how, code, reason)
        else:
            self._tap.client_closes(how, code, reason)
        self._open = False

    def draft(self, started_ns: int) -> Draft:
        """The session.

        Args:
            started_ns: Unix time in nanoseconds.
        """
        self._tap.over()
        (draft,) = self._recorder.drafts()
        source = f"imported from {self._name}"
        header = dataclasses.replace(draft.header, started_ns=started_ns, host="", pid=0, source=source)
        return dataclasses.replace(draft, header=header).sealed()
