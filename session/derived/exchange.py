"""`Exchange`: what both sides said, message by message, at whatever depth a session was recorded.

A session holds the same at up to three depths: the socket's frames, the server's messages as raw events, and
the model's events. Whoever counts wants each once, and in one language: messages of OpenAI's realtime
protocol, in the names that it has had since it is generally available.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ...schema.beta_names import GA_NAMES
from ...schema.entries import Entry, Kind
from ..audio import Part, part_of, sound_length
from ..fields import RAW, client_message, event_fields, facts_of, mapping, sequence, text_of
from ..frame_messages import FrameMessages

_OF_EVENTS: Mapping[str, str] = {
    "audio": "response.output_audio.delta",
    "audio_done": "response.output_audio.done",
    "transcript_delta": "response.output_audio_transcript.delta",
    "output_text_delta": "response.output_text.delta",
    "input_audio_transcription_completed": "conversation.item.input_audio_transcription.completed",
    "input_audio_timeout_triggered": "input_audio_buffer.timeout_triggered",
    "item_deleted": "conversation.item.deleted",
    "error": "error",
}
"""Events of the model that say what one message said."""

_MISSED: Mapping[str, str] = {
    "turn_started": "response.created",
    "usage": "response.done",
    "turn_ended": "response.done",
    "function_call": "response.output_item.done",
    **{type: message for type, message in _OF_EVENTS.items() if type not in ("audio", "error")},
}
"""Events that count beside raw messages, where there are none of the kind that they came of. (An error may be
the model's own, and an item is told of again and again.)"""

INTERRUPT = "interrupt"
"""No message of the protocol: above the socket nobody sees what an interruption sends."""


class Exchanged(NamedTuple):
    """A message of one side.

    Attributes:
        by_server: else by the client.
        type: in the names of today.
        message: its fields; bytes are references, or base64 that is too short for one. Not to be changed.
        entry: with which it crossed.
    """

    by_server: bool
    type: str
    message: dict[str, Any]
    entry: Entry


class Exchange:
    """Is told every entry of a session in order, and says which messages crossed with it.

    Where there are frames, these tell; else raw events do, and for the client what the application sends; and
    where there are no raw events, or none of the kind, the model's events. Of the model's sound each part
    counts where it came: what frames, or raw events, lack of it the model's events tell.
    """

    def __init__(self) -> None:
        self._frames = FrameMessages()
        self._framed = False
        self._raw = False
        self._raw_types: set[str] = set()
        self._usage: dict[str, Any] | None = None
        self._sound: dict[bool, Counter[Part]] = {False: Counter(), True: Counter()}  # by events, by messages
        self._known: Counter[Part] = Counter()

    def read(self, entry: Entry) -> Iterator[Exchanged]:
        """The next entry."""
        if entry.kind in (Kind.FRAME_IN, Kind.FRAME_OUT):
            self._framed = True
            for by_server, message in self._frames.read(entry):
                one = _exchanged(by_server, message, entry)
                if self._is_news(one, by_message=True):
                    yield one
        elif entry.kind == Kind.RECEIVED:
            if entry.type == RAW:
                self._raw = True
                one = None if self._framed else _exchanged(True, facts_of(entry), entry)
                if one is not None:
                    self._raw_types.add(one.type)
            elif entry.type == "audio" or self._misses(entry.type or ""):
                message = self._told(entry)
                one = None if message is None else _exchanged(True, message, entry)
            else:
                one = None
            if one is not None and self._is_news(one, by_message=entry.type == RAW):
                yield one
        elif entry.kind == Kind.SENT and not self._framed:
            for message in _sent(entry):
                yield _exchanged(False, message, entry)

    def _misses(self, type: str) -> bool:
        """Whether nothing else tells what an event of this type does."""
        if self._framed or not self._raw:
            return not self._framed
        told_by = _MISSED.get(type)
        return told_by is not None and told_by not in self._raw_types

    def _is_news(self, one: Exchanged, *, by_message: bool) -> bool:
        """Whether it was not told before: sound comes as a message, and as an event, in any order."""
        if one.type != _OF_EVENTS["audio"] or not one.by_server:
            return True
        part, sound = part_of(one.message), self._sound[by_message]
        sound[part] += sound_length(one.message.get("delta"))
        if sound[part] <= self._known[part]:
            return not sound[part]  # an empty piece says no less
        self._known[part] = sound[part]
        return True

    def _told(self, entry: Entry) -> dict[str, Any] | None:
        """The message that an event of the model came of, as far as it tells."""
        fields = event_fields(entry)
        match entry.type or "":
            case "turn_started":
                return {"type": "response.created", "response": {"id": fields.get("response_id")}}
            case "usage":
                self._usage = fields
            case "turn_ended":
                usage, self._usage = self._usage, None
                told = {} if usage is None else {"usage": _usage(usage)}
                return {"type": "response.done", "response": {"id": fields.get("response_id"), **told}}
            case "function_call":
                call = {key: fields.get(key) for key in ("id", "name", "call_id", "arguments")}
                item = {"type": "function_call", "status": "completed", **call}
                return {"type": "response.output_item.done", "item": item}
            case "item_updated":
                item = mapping(fields.get("item"))
                return {"type": "conversation.item.added", "item": {**item, "id": item.get("item_id")}}
            case "audio":
                return {**fields, "type": _OF_EVENTS["audio"], "delta": fields.get("data")}
            case type:
                if type in _OF_EVENTS:
                    return {**fields, "type": _OF_EVENTS[type]}
        return None


def _exchanged(by_server: bool, message: dict[str, Any], entry: Entry) -> Exchanged:
    type = text_of(message.get("type"))
    return Exchanged(by_server, GA_NAMES.get(type, type), message, entry)


def _sent(entry: Entry) -> Iterator[dict[str, Any]]:
    """What the SDK's model makes of what the application sends."""
    fields = event_fields(entry)
    match entry.type:
        case "send_raw_message":
            yield client_message(entry) or {}
        case "send_audio":
            yield {"type": "input_audio_buffer.append", "audio": fields.get("audio")}
            if fields.get("commit") is True:
                yield {"type": "input_audio_buffer.commit"}
        case "send_user_input":
            said = fields.get("user_input")
            item = {"role": "user", "content": [{"type": "input_text", "text": said}]}
            if not isinstance(said, str):
                item = {"role": "user", "content": sequence(mapping(said).get("content"))}
            yield {"type": "conversation.item.create", "item": {"type": "message", **item}}
            yield {"type": "response.create"}
        case "send_tool_output":
            call_id = text_of(mapping(fields.get("tool_call")).get("call_id"))
            item = {"type": "function_call_output", "call_id": call_id, "output": fields.get("output")}
            yield {"type": "conversation.item.create", "item": item}
            if fields.get("start_response"):
                yield {"type": "response.create"}
        case "send_interrupt":
            yield {**fields, "type": INTERRUPT}
        case "send_session_update":
            yield {"type": "session.update", "session": fields.get("session_settings")}
        case _:
            pass


def _usage(event: Mapping[str, Any]) -> dict[str, Any]:
    """The usage of a response as the server tells it, of the model's event of it."""
    sums, taken = mapping(event.get("usage")), mapping(event.get("input_tokens_details"))
    cached = mapping(sums.get("input_tokens_details")).get("cached_tokens")
    told = {name: sums.get(name) for name in ("input_tokens", "output_tokens", "total_tokens")}
    return {
        **told,
        "input_token_details": {"cached_tokens": cached, **taken},
        "output_token_details": mapping(event.get("output_tokens_details")),
    }
