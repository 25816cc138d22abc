"""Entries in words: one line each, for timelines and reports."""

from __future__ import annotations

import json
from typing import Any

from ..schema.entries import Entry, Kind

MAX_WORDS = 100
"""Characters of a short content."""

_ARROWS = {
    Kind.RECEIVED: "◀",
    Kind.SENT: "▶",
    Kind.CONNECT: "▶",
    Kind.CLOSE: "▶",
    Kind.FRAME_IN: "◁",
    Kind.FRAME_OUT: "▷",
}


def direction(entry: Entry) -> str:
    """◀ from the model, ▶ to it, a dot for what is neither."""
    return _ARROWS.get(Kind(entry.kind), "·") if entry.kind in set(Kind) else "·"


def title(entry: Entry) -> str:
    """What it is: the kind, and the type or method that tells more."""
    if entry.kind == Kind.PLAYBACK:
        return f"playback {entry.method}"
    if entry.kind in (Kind.RECEIVED, Kind.SENT):
        return f"{entry.kind} {entry.type or '?'}"
    return entry.kind


def content(entry: Entry) -> str:
    """A short content, out of the payload as it lies in the log: nothing needs to be decoded."""
    try:
        tree = json.loads(entry.payload)
    except ValueError:
        return short(entry.payload)
    if entry.kind == Kind.RECEIVED:
        return short(_received(entry.type, tree))
    if entry.kind == Kind.SENT:
        return short(_sent(entry.type, tree))
    if entry.kind in (Kind.HANDLED, Kind.SENT_DONE, Kind.CONNECTED, Kind.CONNECT_FAILED, Kind.CLOSED):
        return short(_ended(tree))
    if entry.kind == Kind.PLAYBACK:
        return short(f"{entry.type}: {_plain(tree.get('args'))} → {_plain(tree.get('state'))}")
    if entry.kind == Kind.MARKER:
        return short(f"{tree.get('text')} {_plain(tree.get('data') or '')}")
    if entry.kind == Kind.GAP:
        return short(f"{tree.get('lost')} entries lost: {tree.get('reason')}")
    if entry.kind in (Kind.LISTENER_ADDED, Kind.LISTENER_REMOVED):
        return short(str(tree.get("listener")))
    if entry.kind == Kind.CONNECT:
        return short(str(tree.get("options", {}).get("url", "")))
    return "" if tree == {} else short(_plain(tree))


def line(entry: Entry) -> str:
    """One line: number, direction, what it is, a short content."""
    return f"#{entry.seq} {direction(entry)} {title(entry)} {content(entry)}".rstrip()


def short(text: str, limit: int = MAX_WORDS) -> str:
    """A text on one line, cut to a length."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _received(type: str | None, tree: Any) -> str:
    if not isinstance(tree, dict):
        return _plain(tree)
    event: dict[str, Any] = tree  # pyright: ignore[reportUnknownVariableType]
    if type == "audio":
        return f"{_length(event.get('data'))} of {event.get('item_id')}"
    if type == "function_call":
        return f"{event.get('name')}({event.get('arguments')}) as {event.get('call_id')}"
    if type in ("transcript_delta", "output_text_delta"):
        return repr(event.get("delta"))
    if type == "input_audio_transcription_completed":
        return repr(event.get("transcript"))
    if type == "item_updated":
        return _item(event.get("item"))
    if type == "raw_server_event":
        data = event.get("data")
        return str(data.get("type")) if isinstance(data, dict) else _plain(data)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    if type == "exception":
        return f"{event.get('context')}: {_error(event.get('exception'))}"
    return _fields(event)


def _sent(type: str | None, tree: Any) -> str:
    if not isinstance(tree, dict):
        return _plain(tree)
    event: dict[str, Any] = tree  # pyright: ignore[reportUnknownVariableType]
    if type == "send_audio":
        return _length(event.get("audio")) + (", commit" if event.get("commit") else "")
    if type == "send_user_input":
        return _plain(event.get("user_input"))
    if type == "send_tool_output":
        call: Any = event.get("tool_call") or {}
        return f"{call.get('name')} of {call.get('call_id')} → {event.get('output')}"
    if type == "send_raw_message":
        message: Any = event.get("message") or {}
        return str(message.get("type"))
    if type == "send_session_update":
        settings: Any = event.get("session_settings") or {}
        return ", ".join(map(str, settings))
    return _fields(event)


def _ended(tree: Any) -> str:
    facts: dict[str, Any] = tree
    if "raised" in facts:
        return f"{facts.get('outcome', 'raised')} {_error(facts['raised'])}"
    value = facts.get("value")
    return str(facts.get("outcome", "")) + ("" if value is None else f" {_plain(value)}")


def _item(item: Any) -> str:
    if not isinstance(item, dict):
        return _plain(item)
    facts: dict[str, Any] = item  # pyright: ignore[reportUnknownVariableType]
    if facts.get("type") == "function_call":
        return f"{facts.get('item_id')} {facts.get('name')} {facts.get('status')}"
    parts: Any = facts.get("content") or []
    texts = [str(part.get("text") or part.get("transcript") or part.get("type")) for part in parts]
    return f"{facts.get('item_id')} {facts.get('role')}: {' '.join(texts)}"


def _fields(event: dict[str, Any]) -> str:
    hidden = ("$", "type", "$set", "$extra")
    return ", ".join(
        f"{name}={_plain(value)}" for name, value in event.items() if name not in hidden and value is not None
    )


def _error(error: Any) -> str:
    if not isinstance(error, dict):
        return _plain(error)
    facts: dict[str, Any] = error  # pyright: ignore[reportUnknownVariableType]
    name = facts.get("name") if facts.get("$") == "error" else facts.get("$")
    arguments = facts.get("text") or ", ".join(_plain(item) for item in facts.get("args", ()))
    return f"{name}: {arguments}"


def _length(reference: Any) -> str:
    at: Any = reference.get("at") if isinstance(reference, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return f"{at[2]} bytes" if isinstance(at, list) and len(at) == 3 else "audio"  # pyright: ignore[reportUnknownArgumentType]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
