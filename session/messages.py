"""What an entry says about responses, items, texts and calls: the protocol, as far as a session shows it.

Events of the model and messages of the server are read alike: `ServerEvent`s, in the names of both
generations of the protocol (GA, and the beta before it).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..schema.beta_names import by_either, either
from ..schema.entries import Entry, Kind
from .fields import (
    RAW,
    client_message,
    event_fields,
    facts_of,
    index_of,
    mapping,
    sequence,
    text_of,
    unwrapped,
)

ADDED = frozenset(
    {"response.output_item.added", "conversation.item.added", "conversation.item.created", "item_updated"}
)
"""With one of these an item is there."""

USES = frozenset(
    {
        *("audio", "audio_done", "audio_interrupted", "transcript_delta", "output_text_delta"),
        "item_deleted",
        *("conversation.item.truncated", "conversation.item.deleted", "conversation.item.retrieved"),
        *("conversation.item.done", "response.output_item.done"),
        *("response.content_part.added", "response.content_part.done"),
    }
)
"""What says something of an item that is there; and so does a piece of what the model says. (What the
user said may be transcribed before his item is there.)"""

AUDIO_DELTAS = either("response.output_audio.delta")
"""The server's messages that bring a piece of the model's voice."""

SPOKEN_DELTAS = frozenset({"transcript_delta", "output_text_delta"})
"""The model's events that bring a piece of what it says or writes."""

SESSION_TOLD = frozenset({"session.created", "session.updated"})
"""The server's messages that say what its session is."""

TURN_STARTED = "turn_started"
"""With this event of the model a turn of the conversation begins."""

RESPONSE_BEGINS = frozenset({"response.created", TURN_STARTED})
RESPONSE_ENDS = frozenset({"response.done", "turn_ended"})

SPEECH_STARTED = "input_audio_buffer.speech_started"
SPEECH_STOPPED = "input_audio_buffer.speech_stopped"
TRUNCATE = "conversation.item.truncate"
TRUNCATED = "conversation.item.truncated"
RETRIEVED = "conversation.item.retrieved"

_OUTPUT = "function_call_output"

_REFUSED = re.compile(r"\d ?ms is already shorter than \d")
"""In the words of the provider's error, for which it has no code of its own."""

_DELTAS = by_either(
    {
        "transcript_delta": "said",
        "output_text_delta": "said",
        "response.output_audio_transcript.delta": "said",
        "response.output_text.delta": "said",
        "response.function_call_arguments.delta": "arguments",
    }
)
_WHOLE = by_either(
    {
        "response.output_audio_transcript.done": ("said", "transcript"),
        "response.output_text.done": ("said", "text"),
        "response.function_call_arguments.done": ("arguments", "arguments"),
    }
)


class TextOf(NamedTuple):
    """A text that comes in pieces: what is said in a part of an item, or a call's arguments.

    (The transcript of what the user said comes in pieces, too, but in the end it may be another.)

    Attributes:
        what: `said` or `arguments`.
    """

    item_id: str
    content_index: int
    what: str


class ServerEvent(NamedTuple):
    """What a received entry says.

    Attributes:
        type: of the event, or of the server's message.
        raw: it is a message of the server.
        response_id, item_id: what it is about.
        content_index: of the part of the item; 0 where it names none.
        fields: all of it.
    """

    type: str
    raw: bool
    response_id: str
    item_id: str
    content_index: int
    fields: dict[str, Any]

    @property
    def adds(self) -> bool:
        """Whether the item is there from now on, if it was not yet."""
        return self.type in ADDED

    @property
    def uses(self) -> bool:
        """Whether it can only be said of an item that is there."""
        return self.type in USES or self.of_a_part or self.text is not None

    @property
    def of_a_part(self) -> bool:
        """Whether it is a message about a part of an item which was announced."""
        return self.raw and self.type.startswith("response.") and "content_index" in self.fields

    @property
    def text(self) -> TextOf | None:
        """Which text it is a piece of, or has whole."""
        what = _DELTAS.get(self.type) or _WHOLE.get(self.type, ("",))[0]
        return TextOf(self.item_id, self.content_index, what) if what and self.item_id else None

    @property
    def piece(self) -> str | None:
        """The piece of a text that it brings."""
        delta = self.fields.get("delta")
        return delta if self.type in _DELTAS and isinstance(delta, str) else None

    @property
    def whole(self) -> str | None:
        """The whole text that it tells, after its pieces."""
        _, name = _WHOLE.get(self.type, ("", ""))
        text = self.fields.get(name)
        return text if isinstance(text, str) else None


def server_event(entry: Entry) -> ServerEvent | None:
    """What a received entry says; None of any other."""
    if entry.kind != Kind.RECEIVED:
        return None
    fields = facts_of(entry)
    raw = entry.type == RAW
    type = text_of(fields.get("type")) if raw else entry.type or ""
    response, item = ids_in(fields)
    if entry.type == "function_call":
        item = text_of(fields.get("id"))
    return ServerEvent(type, raw, response, item, index_of(fields.get("content_index")), fields)


def ids_in(fields: dict[str, Any]) -> tuple[str, str]:
    """The response and the item that an event, or a message of the server, is about; empty: none."""
    item = mapping(fields.get("item"))
    response_id = fields.get("response_id") or mapping(fields.get("response")).get("id")
    item_id = fields.get("item_id") or item.get("item_id") or item.get("id")
    return text_of(response_id), text_of(item_id)


def begins_turn(entry: Entry) -> bool:
    """Whether a turn of the conversation begins with this entry; the first of them is turn 1."""
    return entry.type == TURN_STARTED and entry.kind == Kind.RECEIVED


def interrupts(entry: Entry) -> bool:
    """Whether the model was interrupted here."""
    return entry.kind == Kind.RECEIVED and entry.type == "audio_interrupted"


def tool_called(entry: Entry) -> str | None:
    """The id of the call with which an entry asks the application for a tool; None of any other."""
    if entry.kind != Kind.RECEIVED or entry.type != "function_call":
        return None
    return text_of(event_fields(entry).get("call_id"))


def answers_call(entry: Entry) -> str | None:
    """The id of the call whose output the application sends with an entry, by a send of its own or by a
    message in the provider's protocol; None of any other."""
    if entry.kind != Kind.SENT:
        return None
    if entry.type == "send_tool_output":
        return text_of(mapping(event_fields(entry).get("tool_call")).get("call_id"))
    item = _output_item(entry)
    return None if item is None else text_of(item.get("call_id"))


def output_of(entry: Entry) -> str:
    """What the tool gave, of an entry that answers a call."""
    return text_of((_output_item(entry) or event_fields(entry)).get("output"))


def _output_item(entry: Entry) -> dict[str, Any] | None:
    if _OUTPUT not in entry.payload:  # most messages of a client are no answers
        return None
    message = client_message(entry) or {}
    item = mapping(message.get("item"))
    answers = message.get("type") == "conversation.item.create" and item.get("type") == _OUTPUT
    return item if answers else None


def provider_error(entry: Entry) -> dict[str, Any] | None:
    """What the provider complains of in a message of its own; None of any other entry.

    The model's own event of it comes after the message, and counts where no messages were recorded.
    """
    if entry.kind != Kind.RECEIVED:
        return None
    fields = facts_of(entry)
    tells = entry.type == "error" or (entry.type == RAW and fields.get("type") == "error")
    error = unwrapped(fields.get("error"))
    return error if tells and error else None


def refuses_truncation(error: Mapping[str, Any]) -> bool:
    """Whether what the provider complains of is that an item was to be truncated."""
    code, message = text_of(error.get("code")), text_of(error.get("message"))
    return code.startswith("item_truncate") or _REFUSED.search(message) is not None


def responded(entry: Entry) -> tuple[str, bool] | None:
    """The response that begins (True) or ends with an entry, by the server's message or the model's event;
    None of any other. (A release of the SDK does not understand every message.)"""
    event = server_event(entry)
    if event is None or event.type not in RESPONSE_BEGINS | RESPONSE_ENDS:
        return None
    return event.response_id, event.type in RESPONSE_BEGINS


def call_told(event: ServerEvent) -> str:
    """The tool call of which the model, or a message of the server, tells; empty of anything else."""
    if event.type in ("function_call", "response.function_call_arguments.done"):
        return text_of(event.fields.get("call_id"))
    item = mapping(event.fields.get("item"))
    return text_of(item.get("call_id")) if event.raw and item.get("type") == "function_call" else ""


def answered_call(event: ServerEvent) -> str:
    """The call whose answer became an item of the conversation; empty of anything else."""
    item = mapping(event.fields.get("item"))
    is_answer = event.raw and item.get("type") == "function_call_output"
    return text_of(item.get("call_id")) if is_answer else ""


def named_items(tree: Any) -> Iterator[str]:
    """The items that a send names."""
    if isinstance(tree, list):
        for one in sequence(tree):
            yield from named_items(one)
    for name, value in mapping(tree).items():
        if name == "item_id" and isinstance(value, str):
            yield value
        elif name != "tool_call":  # its item is known by the call
            yield from named_items(value)
