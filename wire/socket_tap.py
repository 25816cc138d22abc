"""The tap on a socket: what crosses one connection, appended to a session's log as it happens."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..recorder import Recorder, harmless_url, secrets_in, settings_secrets
from ..schema import WIRE_FORMAT, EncodingError, Frame, Kind, Status
from ..schema.codec import to_json
from ..session.fields import mapping, sequence
from .dialects import OPAQUE, Dialect, Message, dialect_of, is_conclusive, message_in
from .faults import Injected
from .recorded import How

_HEAD = re.compile(r'\s*\{\s*(?:"event_id"\s*:\s*"[^"\\]*"\s*,\s*)?"type"\s*:\s*"([^"\\]*)"')
"""How most messages begin: their type is known without reading them."""
_CREDENTIALS_WITHIN = re.compile(
    r'"(?:\w*[hH]eaders|authorization|(?:server|webhook|callback)_?[uU]rl|handle|newHandle|new_handle|credentials?'
    r'|\w*(?:secrets?|password|cookie|api_?keys?|apiKey|_token|\wToken))"'
)
"""In frames with one of these, what stands there is sought from then on wherever else it comes."""
_TELLING = ("headers", "authorization", "server_url", "andle", "secret", "password", "cookie", "api", "oken")
"""One of these is in each of them: to look for a text is quicker than for a pattern."""
_END_CHARS = 512

_HANDLES = frozenset({"handle", "newHandle", "new_handle"})
"""Whoever knows one resumes the session."""

_BEGINNINGS = frozenset("{ \n\t\r")

LOOKED_AT = 8
"""Messages by which a connection's dialect is known, at most."""


class SocketTap:
    """Records one connection. Raises nothing of its own.

    Args:
        recorder: where the session is.
        log: the session's; None: nothing is recorded.
        number: of the connection in the session, from 1.
        finish: told the status instead of the session's ending with the connection.
    """

    def __init__(
        self,
        recorder: Recorder,
        log: Any,
        number: int = 1,
        *,
        finish: Callable[[Status], None] | None = None,
    ) -> None:
        self._log = log
        self._codec = recorder.codec
        self._number = number
        self._told_finish = finish
        self._socket: int | None = None
        self._dialect: Dialect = OPAQUE
        self._looked = 0
        self._is_known = False  # no message says more of the dialect, whose types stand where they mostly do
        self._filtered = bool(recorder.codec.filters)

    @classmethod
    def beginning(cls, recorder: Recorder, labels: dict[str, str], previous: Any = None) -> SocketTap:
        """A tap on the first connection of a session that begins here.

        Args:
            previous: the log of the session that the same client had before.
        """
        log = recorder.begin(labels, previous, format=WIRE_FORMAT, placed=False) if recorder.enabled else None
        return cls(recorder, log)

    @property
    def log(self) -> Any:
        """The session's log, or None."""
        return self._log

    # --- the connection -----------------------------------------------------------------------------

    def opening(
        self,
        url: str,
        headers: Sequence[tuple[str, str]],
        subprotocols: Iterable[str],
        *,
        by: str,
        path: str = "",
        hidden: Iterable[str] = (),
    ) -> None:
        """Before the connection is opened.

        Args:
            url: of the server.
            headers: of the handshake, with their values: these are sought in all that follows.
            by: who looks: `proxy`, `model`.
            path: that the client asked for.
            hidden: further texts that must not be recorded.
        """
        if self._log is None:
            return
        offered = list(subprotocols)
        self._log.secrets.add(secrets_in({"url": url, "headers": list(headers), "subprotocols": offered}))
        self._log.secrets.add(secrets_in({"url": path}))
        self._log.secrets.add(hidden)
        told = {
            "url": harmless_url(url),
            "path": harmless_url(path),
            "headers": sorted({name for name, _ in headers}),
            "subprotocols": offered,
            "by": by,
        }
        self._socket = self.append(Kind.SOCKET, told)

    def opened(self, status: int, subprotocol: str | None, headers: Sequence[tuple[str, str]]) -> None:
        """The handshake is over."""
        if self._log is not None:
            self._log.secrets.add(secrets_in({"headers": list(headers)}))
        told = {
            "status": status,
            "subprotocol": subprotocol,
            "headers": sorted({name for name, _ in headers}),
        }
        self.append(Kind.SOCKET_OPENED, told, of=self._socket)

    def failed(
        self, *, status: int | None = None, body: str = "", error: BaseException | None = None
    ) -> None:
        """The handshake was refused, or there was no answer."""
        told: dict[str, Any] = {"status": status, "body": body} if error is None else {"raised": error}
        self.append(Kind.SOCKET_FAILED, told, of=self._socket)
        self._finish(Status.FAILED)

    def server_ended(
        self, how: How, code: int | None, reason: str, raised: BaseException | None = None
    ) -> int | None:
        """The server's side ended; the entry.

        Args:
            raised: what the client's read raised; None: nothing, or there was no client of ours.
        """
        told: dict[str, Any] = {"how": how, "code": code, "reason": reason}
        if raised is not None:
            told["raised"] = raised
        return self.append(Kind.SOCKET_ENDED, told, of=self._socket)

    def client_closes(self, how: How, code: int | None, reason: str) -> int | None:
        """The client begins to close, or has vanished; what `client_closed` takes."""
        return self.append(Kind.SOCKET_CLOSE, {"how": how, "code": code, "reason": reason})

    def client_closed(
        self, closing: int | None, code: int | None, reason: str, raised: BaseException | None = None
    ) -> None:
        """That is done: what the server answered; or what closing raised."""
        told: dict[str, Any] = {"code": code, "reason": reason}
        if raised is not None:
            told["raised"] = raised
        self.append(Kind.SOCKET_CLOSED, told, of=closing)

    def over(self) -> None:
        """The connection is over, and the session with it."""
        self._finish(Status.CLOSED)

    # --- frames -------------------------------------------------------------------------------------

    def frame_in(self, message: str | bytes, *, suspended: bool | None = None) -> int | None:
        """A frame came from the server; before the client gets it."""
        return self._frame(Kind.FRAME_IN, message, suspended)

    def frame_out(self, message: str | bytes, *, suspended: bool | None = None) -> int | None:
        """A frame is sent to the server; before it is."""
        return self._frame(Kind.FRAME_OUT, message, suspended)

    def fault(self, injected: Injected) -> int | None:
        """A fault was injected: before what the client gets of it, or in the place of that."""
        if self._log is None:
            return None
        told: dict[str, Any] = injected.as_json()
        if injected.message is not None and injected.stream == "downstream":
            # What the client sends is there already, as it sent it.
            frame = Frame.of(injected.message)
            decoded = message_in(frame.text, standard=False)
            self._learn(decoded)
            told["frame"] = self._redacted(frame, decoded) if self._filtered else frame
        return self.append(Kind.FAULT, told, type=injected.toxic)

    def type_of(self, message: str | bytes) -> str:
        """A message's type in the connection's dialect, or empty."""
        decoded = message_in(Frame.of(message).text)
        if decoded is None:
            return ""
        return (dialect_of([decoded]) if self._dialect is OPAQUE else self._dialect).type_of(decoded)

    def frame_done(self, frame: int | None, *, suspended: bool, raised: BaseException | None = None) -> None:
        """A send is over. Of one that returned at once nothing is said."""
        if raised is None:
            if suspended:
                self.append(Kind.FRAME_DONE, {"outcome": "returned", "suspended": True}, of=frame)
            return
        outcome = "cancelled" if isinstance(raised, asyncio.CancelledError) else "raised"
        told = {"outcome": outcome, "suspended": suspended, "raised": raised}
        self.append(Kind.FRAME_DONE, told, of=frame)

    def _frame(self, kind: Kind, message: str | bytes, suspended: bool | None) -> int | None:
        log = self._log
        if log is None or log.refusing:
            return None
        frame = Frame.of(message, suspended=suspended)
        text = frame.text
        type = None
        decoded: Message | None = None
        if text is not None and text[:1] in _BEGINNINGS:
            head = _HEAD.match(text) if self._is_known else None
            telling = tells_of_credentials(text)
            if head is None or telling or self._filtered:
                decoded = message_in(text, standard=False)  # a credential is one wherever it stands
            type = self._type(decoded) if head is None else head[1]
            if telling:
                self._learn(decoded)
        value = self._redacted(frame, decoded) if self._filtered else frame
        return log.append(kind, value, type=type, connection=self._number)

    def _type(self, message: Message | None) -> str | None:
        if message is not None and self._looked < LOOKED_AT and not is_conclusive(self._dialect):
            self._looked += 1
            found = dialect_of([message])
            self._dialect = self._dialect if found is OPAQUE else found
            conclusive = self._looked == LOOKED_AT or is_conclusive(self._dialect)
            self._is_known = conclusive and not self._dialect.types
        return self._dialect.type_of(message) or None

    def _redacted(self, frame: Frame, message: Message | None) -> Any:
        """The frame as the redactors leave its message: another text only where they changed one. What is no
        message they cannot look into, and its length is all that is kept of it."""
        if message is None:
            return _unread(frame)
        try:
            filtered = self._codec.filtered(message)
        except EncodingError as error:
            return {"unrecordable": {"name": "frame", "error": str(error)}}
        if filtered == message:
            return frame
        try:
            text = to_json(filtered)
        except ValueError:  # it holds NaN, or the like
            return _unread(frame)
        data = text if isinstance(frame.data, str) else text.encode()
        return Frame(data, frame.opcode, frame.suspended, redacted=True)

    def _learn(self, message: Message | None) -> None:
        try:
            self._log.secrets.add(settings_secrets(message, self._codec))
        except EncodingError:
            pass  # it is not recorded either
        self._log.secrets.add(_handles(message))

    # --- helpers --------------------------------------------------------------------------------------

    def append(self, kind: Kind, value: Any, *, type: str | None = None, of: int | None = None) -> int | None:
        """Append any entry of this connection's."""
        if self._log is None:
            return None
        return self._log.append(kind, value, type=type, of=of, connection=self._number)

    def _finish(self, status: Status) -> None:
        if self._told_finish is not None:
            self._told_finish(status)
        elif self._log is not None and self._log.status is Status.RECORDING:
            self._log.finish(status)


def _unread(frame: Frame) -> dict[str, Any]:
    """What is kept of a frame that redactors could not look into."""
    data = frame.data.encode("utf-8", "surrogatepass") if isinstance(frame.data, str) else frame.data
    return {"length": len(data), "sha256": hashlib.sha256(data).hexdigest(), "opcode": frame.opcode}


def tells_of_credentials(text: str) -> bool:
    """Whether a name in it is one of those under which they stand. Where there is no quote between the ends
    of a long message there is no name either, but base64, through which a search takes longer than all
    else."""
    if len(text) > 2 * _END_CHARS and text.find('"', _END_CHARS, -_END_CHARS) < 0:
        tail = text.find('"', -_END_CHARS)
        text = text[: text.rfind('"', 0, _END_CHARS) + 1] + (text[tail:] if tail > 0 else "")
    return any(map(text.__contains__, _TELLING)) and _CREDENTIALS_WITHIN.search(text) is not None


def _handles(tree: Any) -> Iterable[str]:
    for item in sequence(tree):
        yield from _handles(item)
    for name, item in mapping(tree).items():
        if isinstance(item, str):
            if name in _HANDLES:
                yield item
        else:
            yield from _handles(item)
