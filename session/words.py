"""Entries in words: one line each, for timelines and reports."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from ..schema.entries import CALL_ENDS, Entry, Flag, Kind
from .fields import (
    byte_count,
    client_message_in,
    facts_of,
    frame_message_in,
    frame_pieces,
    mapping,
    payload_kept,
    sequence,
    text_of,
    unwrapped,
)
from .gemini_messages import type_told
from .messages import SPOKEN_DELTAS

MAX_WORDS = 100
"""Characters of a short content."""

ID_TAIL = 8
"""Characters that are left of a long id: providers' ids differ at their end."""

_ARROWS: dict[str, str] = {
    Kind.RECEIVED: "◀",
    Kind.SENT: "▶",
    Kind.CONNECT: "▶",
    Kind.CLOSE: "▶",
    Kind.FRAME_IN: "◁",
    Kind.FRAME_OUT: "▷",
}

_ENDINGS = CALL_ENDS | {Kind.HANDLED}

_ABOUT_ITEMS = frozenset(
    {
        "conversation.item.truncate",
        "conversation.item.delete",
        "conversation.item.retrieve",
        "response.cancel",
    }
)
"""Messages of the client whose words are which item or response they are about, and where."""

CONTROLS = "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
"""What a terminal would obey instead of showing: C0, C1, and the marks that turn the direction of text."""

_CONTROLS = re.compile(CONTROLS)
_WITHIN_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def visible(text: str, *, lines: bool = False, escape: Callable[[int], str] = "\\x{:02x}".format) -> str:
    """A text whose control characters are shown, and not obeyed.

    Args:
        text: whatever somebody said.
        lines: it is of several lines, whose ends and tabs are the writer's own.
        escape: how the number of a character is shown.
    """
    return (_WITHIN_LINES if lines else _CONTROLS).sub(lambda found: escape(ord(found[0])), text)


def direction(entry: Entry) -> str:
    """◀ from the model, ▶ to it, ◁ and ▷ the same for frames, a dot for what is neither."""
    return _ARROWS.get(entry.kind, "·")


def title(entry: Entry) -> str:
    """What it is: the kind, and the type or method that tells more."""
    if entry.kind == Kind.PLAYBACK:
        return visible(f"playback {entry.method}")
    if entry.kind in (Kind.RECEIVED, Kind.SENT):
        return visible(f"{entry.kind} {entry.type or '?'}")
    return visible(entry.kind)


def content(entry: Entry) -> str:
    """A short content, out of the payload as it lies in the log: nothing needs to be decoded."""
    return short(told(entry))


def told(entry: Entry) -> str:
    """The same in full: as it was said."""
    return _content(entry, payload_kept(entry))


def playback(entry: Entry) -> str:
    """What the user had heard: milliseconds of an item, with a `~` where that is assumed."""
    if entry.item_id is None:
        return ""
    assumed = "~" if entry.flags & Flag.ASSUMED else ""
    elapsed = "?" if entry.elapsed_ms is None else f"{entry.elapsed_ms:,.0f}"
    return f"{assumed}{elapsed} ms {short_id(entry.item_id)}"


def line(entry: Entry) -> str:
    """One line: number, direction, what it is, a short content."""
    return f"#{entry.seq} {direction(entry)} {title(entry)} {content(entry)}".rstrip()


def short(text: str, limit: int = MAX_WORDS) -> str:
    """A text on one line, cut to a length, without anything that a terminal would obey."""
    shown = " ".join(text[: limit * 4].split())  # a payload may be megabytes
    shown = visible(shown)
    return shown if len(shown) <= limit and len(text) <= limit * 4 else shown[: limit - 1] + "…"


def in_docstring(text: str, limit: int = MAX_WORDS) -> str:
    """A short text for a line of a docstring: without what would end it, or what no file can hold. (Half a
    surrogate pair is none that Python 3.13 reads there, not even escaped.)"""
    shown = short(text, limit).encode(errors="backslashreplace").decode()
    return shown.replace("\\", "/").replace('"""', "'''")


def described(entry: Entry) -> str:
    """What it is and a short content, without its number: for a sentence."""
    told = content(entry)
    name = entry.type or entry.kind if entry.kind in (Kind.RECEIVED, Kind.SENT) else title(entry)
    name = visible(name)
    return name if told in ("", name) else f"{name} {told}"


def item_text(item: dict[str, Any]) -> str:
    """What is said in an item, as far as it is known."""
    parts = [mapping(part) for part in sequence(item.get("content"))]
    return " ".join(str(part.get("text") or part.get("transcript") or "") for part in parts).strip()


def short_id(text: str) -> str:
    """The end of a long id."""
    text = short(text, 200)
    return text if len(text) <= ID_TAIL + 2 else "…" + text[-ID_TAIL:]


def _content(entry: Entry, tree: Any) -> str:
    facts = mapping(tree)
    lost = facts.get("unrecordable")
    if lost is not None:
        return f"could not be recorded: {mapping(lost).get('error')}"
    if entry.kind in (Kind.FRAME_IN, Kind.FRAME_OUT):
        return _frame(entry, tree)
    if not isinstance(tree, dict):
        return _plain(tree)
    if entry.kind == Kind.RECEIVED:
        return _received(entry.type, unwrapped(facts))
    if entry.kind == Kind.SENT:
        return _sent(entry.type, unwrapped(facts))
    if entry.kind in _ENDINGS:
        return _ended(facts)
    if entry.kind == Kind.PLAYBACK:
        return _playback(entry, facts)
    if entry.kind == Kind.MARKER:
        return f"{facts.get('text')} {_plain(facts.get('data') or '')}"
    if entry.kind == Kind.GAP:
        return f"{facts.get('lost')} entries lost: {facts.get('reason')}"
    if entry.kind in (Kind.LISTENER_ADDED, Kind.LISTENER_REMOVED):
        return str(facts.get("listener"))
    if entry.kind == Kind.CONNECT:
        return str(mapping(facts.get("options")).get("url", ""))
    if entry.kind.startswith("socket"):
        return _fields(facts)
    if entry.kind == Kind.FAULT:
        return _fault(facts)
    return _plain(facts) if facts else ""


def _fault(facts: dict[str, Any]) -> str:
    """The toxic, where, and what it did; of the message only its type."""
    where = facts.get("type") or ("message" if facts.get("number") else "connection")
    told = {name: value for name, value in facts.items() if name not in ("toxic", "type", "frame")}
    return f"{facts.get('toxic')} {where} {_fields(told)}"


def _frame(entry: Entry, tree: Any) -> str:
    """The message's type, and what it says; of what is no message, the text."""
    message = frame_message_in(tree)
    if not message:
        pieces = [piece for piece in frame_pieces(tree) if isinstance(piece, str)]
        return "".join(pieces) or entry.type or _length(mapping(tree).get("bytes"))
    told = {
        name: value if byte_count(value) is None else _length(value)
        for name, value in message.items()
        if name not in ("type", "event_id")
    }
    return f"{entry.type or ''} {_plain(told)}".strip()


def _received(type: str | None, event: dict[str, Any]) -> str:
    if type == "audio":
        return f"{_length(event.get('data'))} of {event.get('item_id')}"
    if type == "function_call":
        return f"{event.get('name')}({event.get('arguments')}) as {event.get('call_id')}"
    if type in SPOKEN_DELTAS:
        return repr(event.get("delta"))
    if type == "input_audio_transcription_completed":
        return repr(event.get("transcript"))
    if type == "item_updated":
        return _item(event.get("item"))
    if type == "raw_server_event":
        data = event.get("data")
        return _message(mapping(data)) if isinstance(data, dict) else _plain(data)
    if type == "error":
        return _plain(event.get("error"))
    if type == "exception":
        return f"{event.get('context')}: {_error(event.get('exception'))}"
    if type == "usage":
        usage = mapping(event.get("usage"))
        return f"{usage.get('input_tokens')} tokens in, {usage.get('output_tokens')} out"
    return _fields(event)


def _sent(type: str | None, event: dict[str, Any]) -> str:
    if type == "send_audio":
        return _length(event.get("audio")) + (", commit" if event.get("commit") else "")
    if type == "send_user_input":
        return _plain(event.get("user_input"))
    if type == "send_tool_output":
        call = mapping(event.get("tool_call"))
        return f"{call.get('name')} of {call.get('call_id')} → {event.get('output')}"
    if type == "send_raw_message":
        return _message(client_message_in(event))
    if type == "send_session_update":
        return ", ".join(mapping(event.get("session_settings")))
    return _fields(event)


def _message(message: dict[str, Any]) -> str:
    """Its type, and what only it tells."""
    told = detail(message)
    type = type_told(message) or str(message.get("type"))
    return f"{type} {told}" if told else type


def detail(message: dict[str, Any]) -> str:
    """What a message of the protocol tells that no event of the model does: why something failed or was
    cancelled, tools of the provider's own, keys, and the words of the client's items; else empty."""
    type, response, item = (
        text_of(message.get("type")),
        mapping(message.get("response")),
        mapping(message.get("item")),
    )
    if type == "response.done":
        how, why = text_of(response.get("status")), mapping(response.get("status_details"))
        reason = _reason(why.get("error")) or text_of(why.get("reason"))
        return "" if how in ("", "completed") else f"{how}: {reason}" if reason else how
    if message.get("error"):
        return _reason(message["error"]) or _plain(message["error"])
    if type.endswith("dtmf_event_received"):
        return _fields({name: value for name, value in message.items() if name != "event_id"})
    if text_of(item.get("type")).startswith("mcp_"):
        told = (item.get("name"), item.get("arguments"), item.get("output") or _reason(item.get("error")))
        if "approve" in item:
            told = ("approved" if item["approve"] else "refused", item.get("reason"), None)
        elif item.get("tools"):
            offered = (str(mapping(one).get("name")) for one in sequence(item["tools"]))
            told = (item.get("server_label"), ", ".join(offered), None)
        return " ".join(_plain(one) for one in (item["type"], *told) if one)
    if type == "conversation.item.create":
        parts = [_part(mapping(part)) for part in sequence(item.get("content"))]
        return " ".join(parts) or _plain(item.get("output") or "")
    if type in _ABOUT_ITEMS:
        return _fields({name: value for name, value in message.items() if name != "event_id"})
    return text_of(response.get("instructions")) if type == "response.create" else ""


def in_full(entry: Entry) -> str:
    """A message of the server with all its fields, in full, for one that nothing else tells of; before them
    what it says in words, if that is known."""
    message = facts_of(entry)
    told = {name: value for name, value in message.items() if name != "event_id"}
    return " ".join(filter(None, (str(type_told(message)), detail(message), _fields(told))))


def _reason(error: Any) -> str:
    facts = mapping(error)
    return text_of(facts.get("message")) or text_of(facts.get("code")) or text_of(facts.get("type"))


def _ended(facts: dict[str, Any]) -> str:
    if facts.get("outcome") == "cancelled":
        return "cancelled"
    if "raised" in facts:
        return f"{facts.get('outcome', 'raised')} {_error(facts['raised'])}"
    value = facts.get("value")
    return str(facts.get("outcome", "")) + ("" if value is None else f" {_plain(value)}")


def _playback(entry: Entry, facts: dict[str, Any]) -> str:
    """Who called, with what; the state that came of it is in the entry's columns."""
    told = [*sequence(facts.get("args")), *mapping(facts.get("kwargs")).values()]
    words = [_argument(one) for one in told]
    return f"by the {entry.type}: {', '.join(words)}" if words else f"by the {entry.type}"


def _argument(value: Any) -> str:
    """Bytes that were played are kept as their number."""
    count = mapping(value).get("bytes")
    return f"{count:,} bytes" if isinstance(count, int) else _plain(value)


def _item(item: Any) -> str:
    facts = mapping(item)
    if not facts:
        return _plain(item)
    if facts.get("type") == "function_call":
        return f"{facts.get('item_id')} {facts.get('name')} {facts.get('status')}"
    texts = [_part(mapping(part)) for part in sequence(facts.get("content"))]
    return f"{facts.get('item_id')} {facts.get('role')}: {' '.join(texts)}"


def _part(part: dict[str, Any]) -> str:
    return str(part.get("text") or part.get("transcript") or f"({part.get('type')})")


def _fields(event: dict[str, Any]) -> str:
    hidden = ("$", "type", "$set", "$extra")
    told = {name: value for name, value in event.items() if name not in hidden}
    return ", ".join(
        f"{name}={_plain(value)}" for name, value in told.items() if value is not None and value is not False
    )


def _error(error: Any) -> str:
    facts = mapping(error)
    if not facts:
        return _plain(error)
    name = str(facts.get("name") if facts.get("$") == "recorded_error" else facts.get("$")).removeprefix(
        "py:"
    )
    arguments = facts.get("text") or facts.get("$text") or ", ".join(map(_plain, sequence(facts.get("args"))))
    return f"{name}: {arguments}" if arguments else name


def _length(reference: Any) -> str:
    count = byte_count(reference)
    return "audio" if count is None else f"{count:,} bytes"


def _plain(value: Any) -> str:
    if type(value) is int:  # as JSON has it
        return str(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
