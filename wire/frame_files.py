"""Frames captured by others, a line of JSON each, as a recording.

    {"dir": "server", "ms": 120, "event": {"type": "session.created", …}}

A line's message is an object, or the very text. A line that has a type and no message is a skeleton: it
is shown, flagged by its payload, and cannot be served.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pybase64

from ..schema.codec import from_json, to_json
from ..schema.errors import UsageError
from ..session import Draft
from ..session.fields import mapping, text_of
from .imported import Importing, close_code, nanoseconds, require_few_values

ASSUMED_STEP_MS = 10
"""From one frame to the next, where a file has no times."""

MAX_LINE_CHARS = 64 * 1024 * 1024
MAX_LINE_VALUES = 1_000_000

_CLIENT = frozenset({"client", "c", "out", "outgoing", "sent", "send", "request", "up", ">"})
_SERVER = frozenset({"server", "s", "in", "incoming", "received", "receive", "recv", "response", "down", "<"})


@dataclass(frozen=True, slots=True)
class LineFields:
    """What a file calls the fields of its lines.

    Attributes:
        direction: `client` or `server`, or any of their usual names; `close` ends the connection.
        message: an object, or the text of the frame; or, of a binary frame, base64 under `base64`.
        time_ms: milliseconds since any beginning.
        second: Unix time in seconds, where there are no milliseconds.
        type: of a line without a message.
    """

    direction: str = "dir"
    message: str = "event"
    time_ms: str = "ms"
    second: str = "id_unix"
    type: str = "type"


def read_frames(path: Path, fields: LineFields | None = None) -> Draft:
    """The recording that a file of frames is.

    Raises:
        UsageError: the file cannot be read, a line is none, or there is no frame in it.
    """
    named = fields or LineFields()
    importing = Importing(path.name)
    count, begun_ns = 0, None
    for number, facts in _lines(path):
        where = f"{path}, line {number}"
        at_ns = nanoseconds(facts.get(named.time_ms), 10**6, where)
        importing.at(count * ASSUMED_STEP_MS * 10**6 if at_ns is None else at_ns)
        begun_ns = begun_ns or max(nanoseconds(facts.get(named.second), 10**9, where) or 0, 0)
        way = text_of(facts.get(named.direction)).lower()
        if way == "close":
            if importing.is_open:
                known = close_code(facts.get("code"), where)
                how = "eof" if known is None else "closed"
                importing.ended(how, known, text_of(facts.get("reason")), by_server=True)
            continue
        if way not in _CLIENT | _SERVER:
            raise UsageError(
                f"{where}: {named.direction!r} is {way[:40]!r}, and should be client, server or close; "
                "say how the fields are called with --direction-field, --message-field, --time-field"
            )
        if not importing.is_open:
            importing.opening()
            importing.opened()
        _add(importing, way in _SERVER, facts, named, where)
        count += 1
    if not count:
        raise UsageError(f"{path}: there is no frame in it")
    return importing.draft(begun_ns or path.stat().st_mtime_ns)


def _add(importing: Importing, inbound: bool, facts: dict[str, Any], named: LineFields, where: str) -> None:
    message = facts.get(named.message)
    if isinstance(message, dict):
        importing.frame(inbound, to_json(message))
    elif isinstance(message, str):
        importing.frame(inbound, message)
    elif isinstance(facts.get("base64"), str):
        try:
            importing.frame(inbound, pybase64.b64decode(facts["base64"], validate=True))
        except ValueError as error:
            raise UsageError(f"{where}: its base64 is none ({error})") from error
    elif text_of(facts.get(named.type)):
        known = {
            key: value for key, value in facts.items() if key not in (named.direction, named.time_ms, "i")
        }
        importing.skeleton(inbound, facts[named.type], known)
    else:
        raise UsageError(f"{where}: it has neither {named.message!r} nor {named.type!r}")


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            lines = iter(lambda: file.readline(MAX_LINE_CHARS + 1), "")
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                if len(line) > MAX_LINE_CHARS:
                    raise UsageError(f"{path}, line {number}: longer than {MAX_LINE_CHARS:,} characters")
                require_few_values(line, MAX_LINE_VALUES, f"{path}, line {number}")
                try:
                    facts = mapping(from_json(line))
                except ValueError as error:
                    raise UsageError(f"{path}, line {number}: no JSON ({error})") from error
                if not facts:
                    raise UsageError(f"{path}, line {number}: not an object")
                yield number, facts
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: no UTF-8 ({error.reason})") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
