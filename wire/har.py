"""Websockets in HAR files, as the developer tools of browsers write and read them: `_webSocketMessages`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pybase64

from ..schema.errors import UsageError
from ..session import Draft
from ..session.fields import mapping, sequence, text_of
from .imported import Importing, close_code, nanoseconds, require_few_values
from .recorded import NO_CODE, How, RecordedConnection

MAX_FILE_BYTES = 512 * 1024 * 1024
MAX_VALUES = 10_000_000
"""Of a file, with the commas in its texts."""

MAX_SOCKETS = 1_000
_WAYS = ("receive", "send", "error")
TEXT_OPCODE, BINARY_OPCODE, CLOSE_OPCODE, PING_OPCODE, PONG_OPCODE = 1, 2, 8, 9, 10
"""RFC 6455, section 11.8."""
ERROR = "error"
"""The type of what is no message: Chrome's tools tell so that a connection broke."""
END = "_webSocketEnd"
"""Ours: how it ended. Tools pass over what begins so, and is not theirs."""


def read_har(path: Path) -> list[Draft]:
    """A session for each websocket in a HAR file.

    Raises:
        UsageError: it cannot be read, is none, or holds no websocket.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UsageError(f"{path}: more than {MAX_FILE_BYTES:,} bytes: cut it into smaller files")
        text = path.read_bytes().decode("utf-8-sig")
        require_few_values(text, MAX_VALUES, str(path))
        tree: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: no HAR file ({type(error).__name__}: {error})") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    entries = [mapping(entry) for entry in sequence(mapping(mapping(tree).get("log")).get("entries"))]
    sockets = [entry for entry in entries if "_webSocketMessages" in entry]
    if len(sockets) > MAX_SOCKETS:
        raise UsageError(f"{path}: more than {MAX_SOCKETS:,} websockets: cut it into smaller files")
    found = [_session(path, entry) for entry in sockets]
    if not found:
        raise UsageError(f"{path}: it holds no websocket; save it with messages, as Chrome's tools do")
    return found


def har_of(connections: Sequence[RecordedConnection], started_ns: int) -> dict[str, Any]:
    """A HAR file's tree, with an entry for each connection. Of headers only what was recorded.

    Args:
        started_ns: Unix time at which the first of them began.
    """
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "realtape", "version": _version()},
            "entries": [_entry(one, started_ns + one.begun_ns) for one in connections],
        }
    }


def _session(path: Path, entry: dict[str, Any]) -> Draft:
    importing = Importing(path.name)
    request, response = mapping(entry.get("request")), mapping(entry.get("response"))
    messages = [
        _message(message, f"{path}, message {number} of a websocket")
        for number, message in enumerate(sequence(entry["_webSocketMessages"]))
    ]
    times = {
        number: float(message["time"])
        for number, message in enumerate(messages)
        if nanoseconds(message.get("time"), 10**9, f"{path}, message {number} of a websocket") is not None
    }
    begun_s = _unix(text_of(entry.get("startedDateTime"))) or min(times.values(), default=0.0)
    begun_ns = nanoseconds(begun_s, 10**9, f"{path}, when a websocket began")
    assert begun_ns is not None
    headers = _headers(request)
    offered = [value for name, value in headers if name.lower() == "sec-websocket-protocol"]
    protocols = [one.strip() for value in offered for one in value.split(",")]
    importing.opening(text_of(request.get("url")), headers, protocols)
    status = response.get("status")
    if isinstance(status, int) and status not in (0, 101) and not messages:
        importing.refused(status, text_of(mapping(response.get("content")).get("text")))
    else:
        answered = _headers(response)
        agreed = (value for name, value in answered if name.lower() == "sec-websocket-protocol")
        importing.opened(101, next(agreed, None), answered)
    for number, message in enumerate(messages):
        if number in times:
            importing.at(int((times[number] - begun_s) * 1e9))
        if importing.is_open:
            _add(importing, message, f"{path}, message {number} of a websocket")
    if importing.is_open:
        _end_as_told(importing, mapping(entry.get(END)), f"{path}, {END}")
    return importing.draft(begun_ns)


def _end_as_told(importing: Importing, end: dict[str, Any], where: str) -> None:
    """As an export of ours tells it; one of a browser's tells nothing."""
    by, how = end.get("by"), end.get("how")
    if by in ("server", "client"):
        importing.at(nanoseconds(end.get("ms"), 10**6, where) or 0)
        code = close_code(end.get("code"), where)
        ended: How = "eof" if how == "eof" else "error" if how == "error" else "closed"
        importing.ended(ended, code, text_of(end.get("reason")), by_server=by == "server")


def _message(value: Any, where: str) -> dict[str, Any]:
    message = mapping(value)
    if message.get("type") not in _WAYS:
        raise UsageError(f"{where}: its type is none of {', '.join(_WAYS)}")
    opcode = message.get("opcode")
    if isinstance(opcode, str) and opcode.isdecimal():
        message = {**message, "opcode": int(opcode)}
    return message


def _add(importing: Importing, message: dict[str, Any], where: str) -> None:
    """A message, or what else a browser tells among them."""
    by_server, opcode = message["type"] == "receive", message.get("opcode")
    if message["type"] == ERROR:
        importing.ended("error", None, text_of(message.get("data")), by_server=True)
    elif opcode == CLOSE_OPCODE:
        code, reason = _closing(text_of(message.get("data")), where)
        importing.ended("closed", code, reason, by_server=by_server)
    elif opcode not in (PING_OPCODE, PONG_OPCODE):
        importing.frame(by_server, _data(message, where))


def _closing(data: str, where: str) -> tuple[int | None, str]:
    """Code and reason of a close frame (RFC 6455, section 5.5.1): its bytes, or a reason alone."""
    try:
        frame = pybase64.b64decode(data, validate=True)
    except ValueError:
        return None, data
    if len(frame) < 2:
        return NO_CODE, ""
    return close_code(int.from_bytes(frame[:2]), where), frame[2:].decode("utf-8", "replace")


def _data(message: dict[str, Any], where: str) -> str | bytes:
    data = text_of(message.get("data"))
    if message.get("opcode") != BINARY_OPCODE:
        return data
    try:
        return pybase64.b64decode(data, validate=True)
    except ValueError as error:
        raise UsageError(f"{where}: it is binary, and its data is no base64 ({error})") from error


def _headers(part: dict[str, Any]) -> list[tuple[str, str]]:
    """With the cookies that stand beside them: some tools leave out the header, and not these."""
    headers, cookies = (list(map(mapping, sequence(part.get(name)))) for name in ("headers", "cookies"))
    named = [(text_of(one.get("name")), text_of(one.get("value"))) for one in headers]
    told = "; ".join(f"{text_of(one.get('name'))}={text_of(one.get('value'))}" for one in cookies)
    return [*named, ("Cookie", told)] if told else named


def _entry(connection: RecordedConnection, began_ns: int) -> dict[str, Any]:
    refusal = connection.refusal
    agreed = connection.subprotocol
    headers = [{"name": "Sec-WebSocket-Protocol", "value": agreed}] if agreed else []
    body = "" if refusal is None else refusal.body
    return {
        "startedDateTime": datetime.fromtimestamp(began_ns / 1e9, UTC).isoformat(),
        "time": connection.end.at_ns / 1e6,
        "_resourceType": "websocket",
        "request": {
            "method": "GET",
            "url": connection.url or f"wss://realtape.invalid{connection.path}",
            "httpVersion": "HTTP/1.1",
            **_EMPTY,
            "headers": [],
            "queryString": [],
        },
        "response": {
            "status": 101 if refusal is None else refusal.status or 0,
            "statusText": "Switching Protocols" if refusal is None else "",
            "httpVersion": "HTTP/1.1",
            **_EMPTY,
            "headers": headers,
            "content": {"size": len(body), "mimeType": "x-unknown", **({"text": body} if body else {})},
            "redirectURL": "",
        },
        "cache": {},
        "timings": {"send": 0, "wait": 0, "receive": connection.end.at_ns / 1e6},
        END: _end(connection),
        "_webSocketMessages": [
            {
                "type": "receive" if frame.inbound else "send",
                "time": (began_ns + frame.at_ns) / 1e9,
                "opcode": TEXT_OPCODE if isinstance(frame.data.message, str) else BINARY_OPCODE,
                "data": frame.data.message
                if isinstance(frame.data.message, str)
                else pybase64.b64encode_as_string(frame.data.message),
            }
            for frame in connection.frames
            if not frame.implied and not frame.hidden
        ],
    }


def _end(connection: RecordedConnection) -> dict[str, Any]:
    end = connection.end
    return {"by": end.by, "how": end.how, "code": end.code, "reason": end.reason, "ms": end.at_ns / 1e6}


_EMPTY: dict[str, Any] = {"cookies": [], "headersSize": -1, "bodySize": -1}


def _unix(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _version() -> str:
    try:
        return version("realtape")
    except PackageNotFoundError:  # run from a folder that nobody installed
        return "unknown"
