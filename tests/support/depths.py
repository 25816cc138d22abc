"""A conversation as it would have been recorded at other depths: on the socket, and by events alone."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Iterator
from typing import Any

from realtape.schema.codec import to_json
from realtape.schema.entries import Entry, Kind
from realtape.session.drafts import Draft, reference_in
from realtape.session.fields import event_fields, mapping, payload, sequence

Message = dict[str, Any]


def framed(draft: Draft) -> Draft:
    """What a proxy would have seen of a session of raw messages; of an interruption nothing."""
    entries = [_socket(Kind.SOCKET, "{}"), _socket(Kind.SOCKET_OPENED, "{}")]
    for entry in draft.entries:
        if entry.kind == Kind.RECEIVED and entry.type == "raw_server_event":
            entries.append(_frame(entry, Kind.FRAME_IN, mapping(payload(entry)["data"])))
        elif entry.kind == Kind.SENT:
            entries += [_frame(entry, Kind.FRAME_OUT, message) for message in _sent(entry)]
    return _numbered(draft, entries, "framed")


def bare(draft: Draft) -> Draft:
    """The model's events alone, as from a model that gives no raw messages."""
    entries = [one for one in draft.entries if one.type != "raw_server_event"]
    return _numbered(draft, entries, "bare")


def renamed(draft: Draft, what: str) -> Draft:
    """The same under another id."""
    name = str(uuid.uuid5(uuid.UUID(draft.header.id), what))
    return dataclasses.replace(
        draft, header=dataclasses.replace(draft.header, id=name, previous_session=None)
    )


def _numbered(draft: Draft, entries: list[Entry], what: str) -> Draft:
    numbers: dict[int, int] = {}
    for place, entry in enumerate(entries):
        numbers.setdefault(entry.seq, place)
    made = [
        entry._replace(
            seq=place,
            cause=None if entry.cause is None else numbers.get(entry.cause),
            of=None if entry.of is None else numbers.get(entry.of),
        )
        for place, entry in enumerate(entries)
    ]
    return renamed(dataclasses.replace(draft, entries=tuple(made)), what)


def _socket(kind: Kind, payload: str) -> Entry:
    return Entry(-1, 0, 0, 0, kind, connection=1, payload=payload)


def _frame(entry: Entry, kind: Kind, message: Message) -> Entry:
    """Audio that the message refers to is cut out of its text, as base64 is."""
    references: list[Any] = []

    def cut(tree: Any) -> Any:
        if reference_in(tree) is not None:
            references.append({"$": "base64", "at": list(reference_in(tree) or ())})
            return f"@{len(references) - 1}@"
        if isinstance(tree, dict):
            return {key: cut(value) for key, value in mapping(tree).items()}
        return [cut(one) for one in sequence(tree)] if isinstance(tree, list) else tree

    text = json.dumps(cut(message))
    pieces: list[Any] = []
    for number, reference in enumerate(references):
        before, _, text = text.partition(f"@{number}@")
        pieces += [before, reference]
    tree = {"$": "frame", "opcode": "text", "pieces": [*pieces, text]}
    return entry._replace(
        kind=kind, type=None, method=None, connection=1, item_id=None, content_index=None, elapsed_ms=None,
        cause=None, of=None, flags=0, payload=to_json(tree),
    )  # fmt: skip


def _sent(entry: Entry) -> Iterator[Message]:
    """What the SDK's model sends."""
    fields = event_fields(entry)
    create = "conversation.item.create"
    if entry.type == "send_audio":
        yield {"type": "input_audio_buffer.append", "audio": fields["audio"]}
        if fields["commit"]:
            yield {"type": "input_audio_buffer.commit"}
    elif entry.type == "send_user_input":
        content = [{"type": "input_text", "text": fields["user_input"]}]
        yield {"type": create, "item": {"type": "message", "role": "user", "content": content}}
        yield {"type": "response.create"}
    elif entry.type == "send_tool_output":
        call_id = fields["tool_call"]["call_id"]
        item = {"type": "function_call_output", "call_id": call_id, "output": fields["output"]}
        yield {"type": create, "item": item}
        if fields["start_response"]:
            yield {"type": "response.create"}
    elif entry.type == "send_raw_message":
        message = fields["message"]
        yield {"type": message["type"], **message.get("other_data", {})}
