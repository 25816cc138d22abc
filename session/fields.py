"""What lies in an entry: the fields of its event, or of the message that it carries, as plain JSON.

Nothing needs to be decoded, and no class to be known. An event whose class nobody registered lies in a
description (`{"$": "described", …}`): here, and nowhere else, it is unwrapped.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from secrets import token_hex
from typing import Any, cast

from ..schema.codec import from_json
from ..schema.entries import Entry, Kind

RAW = "raw_server_event"
"""The event that brings a message of the server as it came."""

_IN_PLACE = f"\ue000{token_hex(8)}:"
"""Holds a reference's place in a text, in which nobody else has written it."""

_CACHED_CHARS = 1 << 14
"""Longer payloads are few, and read once."""


def payload(entry: Entry) -> Any:
    """The payload as plain JSON; where it is none, its text. A new one at each call."""
    try:
        return from_json(entry.payload)
    except ValueError:
        return entry.payload


def payload_kept(entry: Entry) -> Any:
    """As `payload`; kept for the next who asks: not to be changed."""
    text = entry.payload
    return _tree(text) if len(text) < _CACHED_CHARS else payload(entry)


def mapping(value: Any) -> dict[str, Any]:
    """A payload's value as the dict that it should be; empty if it is something else."""
    # `cast` is a call, and this one is asked a dozen times of every entry.
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def sequence(value: Any) -> list[Any]:
    """A payload's value as the list that it should be; empty if it is something else."""
    return value if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]


def text_of(value: object) -> str:
    """A text, or an empty one where something else stands."""
    return value if isinstance(value, str) else ""


def index_of(value: object) -> int:
    """The index of a part of an item; 0 where none is named."""
    return value if isinstance(value, int) else 0


def byte_count(reference: Any) -> int | None:
    """How many bytes a payload's reference stands for; None if it is no reference."""
    place = sequence(mapping(reference).get("at"))
    return place[2] if len(place) == 3 and isinstance(place[2], int) else None


def unwrapped(tree: Any) -> dict[str, Any]:
    """The dict in which a value's own fields lie: the tree itself, or what is in a description of it."""
    facts = mapping(tree)
    return mapping(facts.get("value")) if facts.get("$") == "described" else facts


def event_fields(entry: Entry) -> dict[str, Any]:
    """The fields of the event that an entry holds.

    Kept for the next who asks: not to be changed.
    """
    return unwrapped(payload_kept(entry))


def facts_of(entry: Entry) -> dict[str, Any]:
    """The fields of the event that an entry holds; of a raw event, those of the server's message.

    Kept for the next who asks: not to be changed.
    """
    fields = event_fields(entry)
    return mapping(fields.get("data")) if entry.type == RAW else fields


def facts_in(entry: Entry, tree: Any) -> dict[str, Any]:
    """The same in a tree of the entry's payload, in which they may be changed."""
    fields = unwrapped(tree)
    return mapping(fields.get("data")) if entry.type == RAW else fields


def server_message(entry: Entry) -> dict[str, Any] | None:
    """The provider's message that an entry brings, above the socket; None if it brings none."""
    return facts_of(entry) if entry.kind == Kind.RECEIVED and entry.type == RAW else None


def client_message(entry: Entry) -> dict[str, Any] | None:
    """The message in the provider's protocol that the application sends by itself, or None."""
    if entry.kind != Kind.SENT or entry.type != "send_raw_message":
        return None
    return client_message_in(event_fields(entry))


def client_message_in(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The message in the fields of a `send_raw_message`; its values are those of the fields."""
    message = mapping(fields.get("message"))
    return {"type": message.get("type"), **mapping(message.get("other_data"))}


def frame_pieces(tree: Any) -> list[Any]:
    """The pieces of a frame's text, in the tree of its payload: texts, and references to the bytes of base64.
    Empty where the frame holds bytes. (In format 1 a frame is nothing but its pieces.)"""
    return sequence(tree) or sequence(mapping(tree).get("pieces"))


def frame_message(entry: Entry) -> dict[str, Any]:
    """The message in a frame; empty if the frame holds none. Bytes are left as references."""
    return frame_message_in(payload(entry))


def frame_message_in(tree: Any) -> dict[str, Any]:
    """The same in the tree of its payload, whose own references are left."""
    pieces = frame_pieces(tree)
    references: dict[str, Any] = {}
    text = ""
    for piece in pieces:
        if not isinstance(piece, str):
            name = f"{_IN_PLACE}{len(references)}"
            references[name], piece = piece, name
        text += piece
    try:
        message = mapping(from_json(text))
    except ValueError:
        return {}
    if references:
        _put_back(message, references)
    return message


def _put_back(tree: Any, references: Mapping[str, Any]) -> None:
    """References take the places that were held for them."""
    places: list[Any] = list(range(len(sequence(tree)))) if isinstance(tree, list) else list(mapping(tree))
    holder: Any = cast("Any", tree)
    for place in places:
        value = holder[place]
        if isinstance(value, str):
            if value.startswith(_IN_PLACE):
                holder[place] = references.get(value, value)
        elif isinstance(value, (dict, list)):
            _put_back(value, references)


def outcome_of(entry: Entry) -> str | None:
    """How what it ends went: `returned`, `raised`, `cancelled`, `withheld`; None where it does not say."""
    outcome = mapping(payload(entry)).get("outcome")
    return outcome if isinstance(outcome, str) else None


def arguments_of(entry: Entry) -> list[Any]:
    """What a method of the tracker was called with, in its order, by position or by name."""
    facts = mapping(payload(entry))
    return [*sequence(facts.get("args")), *mapping(facts.get("kwargs")).values()]


@functools.lru_cache(maxsize=1 << 14)
def _tree(text: str) -> Any:
    """Many readers look at an entry; and hundreds of drafts of a session are looked at in a row, most of
    whose payloads are the same."""
    try:
        return from_json(text)
    except ValueError:
        return text
