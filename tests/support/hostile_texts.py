"""A session whose texts some databases cut, and some refuse."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from realtape.schema.codec import to_json
from realtape.schema.entries import Entry, Kind
from realtape.session.drafts import Draft
from support.depths import renamed
from support.fixtures import drafts_in
from support.golden import DEMO

Told = tuple[Kind, str, Any]
CALL = {"type": "function_call", "status": "completed", "call_id": "c", "name": "n", "arguments": "{}"}
ITEM = {"type": "response.output_item.done", "response_id": "r", "item": CALL}


def session(*entries: Told) -> Draft:
    """A session of these entries: kind, type, and payload as a tree, or as a text."""
    (draft,) = drafts_in(DEMO)
    made = [
        Entry(
            *(seq, seq * 1_000, 0, 0, kind, type or None),
            payload=told if isinstance(told, str) else to_json(told),
        )
        for seq, (kind, type, told) in enumerate(entries)
    ]
    return renamed(dataclasses.replace(draft, entries=tuple(made), segments={}), "odd")


def raw(message: Any) -> Told:
    return Kind.RECEIVED, "raw_server_event", {"$": "raw_server_event", "data": message}


def frame(text: str) -> Told:
    return Kind.FRAME_IN, "", {"$": "frame", "opcode": "text", "pieces": [text]}


def created(name: Any = "r", **more: Any) -> dict[str, Any]:
    return {"type": "response.created", "response": {"id": name, **more}}


def done(name: Any = "r", **more: Any) -> dict[str, Any]:
    return {"type": "response.done", "response": {"id": name, "status": "completed", **more}}


def hostile() -> Draft:
    """In raw messages; NUL, halves of pairs, a whole one."""
    return session(
        raw(created("r\0s")),
        raw({**ITEM, "response_id": "r\0s", "item": {**CALL, "name": "lone \ud800", "call_id": "c\0d"}}),
        raw(done("r\0s", usage={"input_tokens": 5}, status_details={"reason": "\udfff and \U0001f600"})),
        raw(created("whole")),
        *(raw(created(f"r{number}")) for number in range(6)),
    )


def hostile_frames() -> Draft:
    """The same in frames, whose texts are escaped twice."""
    escaped = json.dumps(done("\U0001f600", status_details={"reason": "\ud800 \0 \\ud800"}))
    return session(frame(json.dumps(created("\U0001f600"))), frame(escaped))
