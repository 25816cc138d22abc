"""The model's events that frames on a socket come to: OpenAI's realtime protocol, of both generations.

For recordings that were made below the interface, such as a proxy's: whoever reads events (timelines, rules)
reads theirs, too. Derived when a recording is read, never stored. What the SDK's model makes of the same
frames is what comes of them here; what the user had heard is not known.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import pybase64
from pydantic import TypeAdapter, ValidationError

from ..schema import events as ev
from ..schema import items, usage
from ..schema.beta_names import by_either, either
from ..schema.codec import STANDARD, Codec, Reference, event_name, from_json, references
from ..schema.entries import Entry, Kind
from ..schema.errors import EncodingError
from ..schema.frames import Frame
from .drafts import Draft
from .fields import frame_message, index_of, mapping, sequence, text_of
from .frame_messages import FrameMessages
from .messages import AUDIO_DELTAS, SPEECH_STARTED, TRUNCATE, ids_in

DERIVED = "events derived of its frames"
"""How the header of such a recording says so."""

_MESSAGE: TypeAdapter[Any] = TypeAdapter(items.RealtimeMessageItem)
_ANNOUNCED = frozenset({"response.output_item.added", "response.output_item.done"})
_ADDED = either("conversation.item.added", "conversation.item.retrieved")
_DELTAS: Mapping[str, Any] = by_either(
    {
        "response.output_audio_transcript.delta": ev.RealtimeModelTranscriptDeltaEvent,
        "response.output_text.delta": ev.RealtimeModelOutputTextDeltaEvent,
    }
)
_AUDIO_DONE = either("response.output_audio.done")
_TEXT, _AUDIO = frozenset({"text", "output_text"}), frozenset({"audio", "output_audio"})
_STATUSES = frozenset({"in_progress", "completed", "incomplete"})


class WireEvents:
    """Reads the messages of one connection, of both sides, and says what events each comes to."""

    def __init__(self) -> None:
        self._last_audio: tuple[str, int] | None = None
        self._interrupted: set[str] = set()
        self._calls: dict[str, ev.RealtimeModelToolCallEvent] = {}

    def server(self, message: dict[str, Any]) -> list[Any]:
        """The events of a message of the server's; the first one is that it came."""
        return [ev.RealtimeModelRawServerEvent(data=message), *self.told(message)]

    def told(self, message: dict[str, Any]) -> list[Any]:
        """The same without that one."""
        made: list[Any] = []
        type = text_of(message.get("type"))
        response_id, item_id = ids_in(message)
        index = index_of(message.get("content_index"))
        item = mapping(message.get("item"))
        if type in AUDIO_DELTAS:
            made += self._audio(message, response_id, item_id, index)
        elif type in _DELTAS:
            delta = text_of(message.get("delta"))
            made.append(_DELTAS[type](item_id=item_id, delta=delta, response_id=response_id))
        elif type in _AUDIO_DONE:
            made.append(ev.RealtimeModelAudioDoneEvent(item_id=item_id, content_index=index))
        elif type == SPEECH_STARTED:
            made += self._interruption()
        elif type == "response.created":
            made.append(ev.RealtimeModelTurnStartedEvent(response_id=response_id or None))
        elif type == "response.done":
            made += self._done(mapping(message.get("response")))
        elif type == "error":
            made.append(ev.RealtimeModelErrorEvent(error=message.get("error")))
        elif type == "conversation.item.deleted":
            made.append(ev.RealtimeModelItemDeletedEvent(item_id=item_id))
        elif type in _ANNOUNCED:
            made += self._announced(type, item)
        elif type in _ADDED and item.get("type") == "message":
            before = text_of(message.get("previous_item_id")) if type == "conversation.item.created" else ""
            made += _item_updated(item, text_of(item.get("status")) or "in_progress", before or None)
        elif type == "conversation.item.input_audio_transcription.completed":
            transcript = text_of(message.get("transcript"))
            made.append(
                ev.RealtimeModelInputAudioTranscriptionCompletedEvent(item_id=item_id, transcript=transcript)
            )
        elif type == "input_audio_buffer.timeout_triggered":
            times = index_of(message.get("audio_start_ms")), index_of(message.get("audio_end_ms"))
            made.append(ev.RealtimeModelInputAudioTimeoutTriggeredEvent(item_id, *times))
        return made

    def client(self, message: dict[str, Any]) -> list[Any]:
        """The events of a message of the client's: what it cuts off, and what its tools answered."""
        type = text_of(message.get("type"))
        if type == TRUNCATE:
            return self._interruption()
        if type == "response.cancel":
            self._interrupted.add(text_of(message.get("response_id")) or "none")
        item = mapping(message.get("item"))
        call = self._calls.get(text_of(item.get("call_id")))
        if type != "conversation.item.create" or item.get("type") != "function_call_output" or call is None:
            return []
        answered = items.RealtimeToolCallItem(
            item_id=call.id or "",
            call_id=call.call_id,
            status="completed",
            arguments=call.arguments,
            name=call.name,
            output=text_of(item.get("output")),
        )
        return [ev.RealtimeModelItemUpdatedEvent(item=answered)]

    def _audio(self, message: dict[str, Any], response_id: str, item_id: str, index: int) -> list[Any]:
        if response_id in self._interrupted:
            return []  # of a response that was cancelled by its name nothing more is played
        try:
            data = pybase64.b64decode(text_of(message.get("delta")), validate=True)
        except ValueError:
            return []
        self._last_audio = (item_id, index)
        return [ev.RealtimeModelAudioEvent(data, response_id, item_id, index)]

    def _interruption(self) -> list[Any]:
        last, self._last_audio = self._last_audio, None
        return [] if last is None else [ev.RealtimeModelAudioInterruptedEvent(*last)]

    def _done(self, response: dict[str, Any]) -> list[Any]:
        response_id = text_of(response.get("id"))
        self._interrupted.discard(response_id)
        told = response.get("usage")
        made: list[Any] = [] if told is None else [_usage(mapping(told))]
        return [*made, ev.RealtimeModelTurnEndedEvent(response_id=response_id or None)]

    def _announced(self, type: str, item: dict[str, Any]) -> list[Any]:
        if item.get("type") == "message":
            done = type == "response.output_item.done"
            status = text_of(item.get("status"))
            if status not in _STATUSES:
                status = "completed" if done else "in_progress"
            return _item_updated(item, status, None)
        if item.get("type") != "function_call" or item.get("status") != "completed":
            return []
        call_id, name = text_of(item.get("call_id")), text_of(item.get("name"))
        call = ev.RealtimeModelToolCallEvent(
            name=name, call_id=call_id, arguments=text_of(item.get("arguments")), id=text_of(item.get("id"))
        )
        self._calls[call_id] = call
        asked = items.RealtimeToolCallItem(
            item_id=call.id or "",
            call_id=call_id,
            status="in_progress",
            arguments=call.arguments,
            name=name,
        )
        return [ev.RealtimeModelItemUpdatedEvent(item=asked), call]


def _item_updated(item: dict[str, Any], status: str, before: str | None) -> list[Any]:
    """A message of the conversation; none where it is no such message."""
    facts: dict[str, Any] = {
        "item_id": text_of(item.get("id")),
        "previous_item_id": before,
        "type": "message",
        "role": item.get("role", "assistant"),
        "content": [_part(mapping(part)) for part in sequence(item.get("content"))],
        "status": status,
    }
    try:
        return [ev.RealtimeModelItemUpdatedEvent(item=_MESSAGE.validate_python(facts))]
    except ValidationError:
        return []


def _part(part: dict[str, Any]) -> dict[str, Any]:
    type = part.get("type")
    if type in _AUDIO:
        return {"type": "audio", "audio": part.get("audio"), "transcript": part.get("transcript")}
    return {"type": "text", "text": part.get("text")} if type in _TEXT else part


def _usage(told: dict[str, Any]) -> ev.RealtimeModelUsageEvent:
    taken, given = mapping(told.get("input_token_details")), mapping(told.get("output_token_details"))
    cached = mapping(taken.get("cached_tokens_details"))
    sums = usage.Usage(
        requests=1,
        input_tokens=index_of(told.get("input_tokens")),
        output_tokens=index_of(told.get("output_tokens")),
    )
    total = told.get("total_tokens")
    sums.total_tokens = total if isinstance(total, int) else sums.input_tokens + sums.output_tokens
    sums.input_tokens_details.cached_tokens = index_of(taken.get("cached_tokens"))
    by_modality = ("text_tokens", "audio_tokens", "image_tokens")
    return ev.RealtimeModelUsageEvent(
        usage=sums,
        input_tokens_details=usage.RealtimeModelInputTokensDetails(
            **{name: taken.get(name) for name in (*by_modality, "cached_tokens")},
            cached_tokens_details=usage.RealtimeModelCachedTokensDetails(
                **{name: cached.get(name) for name in by_modality}
            )
            if cached
            else None,
        )
        if taken
        else None,
        output_tokens_details=usage.RealtimeModelOutputTokensDetails(
            given.get("text_tokens"), given.get("audio_tokens")
        )
        if given
        else None,
    )


# --- recordings with events ---------------------------------------------------------------------------------


def lacks_events(draft: Draft) -> bool:
    """Whether a session holds frames, and no events."""
    kinds = {entry.kind for entry in draft.entries}
    return Kind.FRAME_IN in kinds and Kind.RECEIVED not in kinds


def entries_with_events(draft: Draft) -> Iterator[Entry]:
    """The entries of a session, each frame followed by the events that it comes to. These have the number of
    their frame, which is their cause, too. A session with events of its own, or no frames, stays as it is.

    Raises:
        CorruptRecordError: bytes are missing.
    """
    if lacks_events(draft):
        deriving = FrameEvents(draft.bytes_at, max(draft.segments, default=-1) + 1)
        for entry in draft.entries:
            yield from deriving.of(entry)
    else:
        yield from draft.entries


def with_events(draft: Draft) -> Draft:
    """The same as another session, renumbered, whose header says what it is of.

    Raises:
        CorruptRecordError: bytes are missing.
    """
    if not lacks_events(draft):
        return draft
    deriving = FrameEvents(draft.bytes_at, max(draft.segments, default=-1) + 1)
    entries: list[Entry] = []
    for entry in draft.entries:
        own, *made = deriving.of(entry)
        entries.append(own)
        # Numbers that no entry has, until all of them are numbered anew.
        entries += [one._replace(seq=-1 - len(entries) - place) for place, one in enumerate(made)]
    segments = {**draft.segments, deriving.segment: bytes(deriving.data)}
    return dataclasses.replace(draft, segments=segments).derived(DERIVED, entries)


class FrameEvents:
    """Is told the entries of a session of frames in order, and makes entries of the events that they come to;
    where the session turns out to have events of its own, none. Audio that lies in the frame is not kept once
    more.

    Args:
        bytes_at: gives the bytes to which a frame refers.
        segment: the number of a segment of new bytes; as it stands, one that no recording has.

    Attributes:
        segment: the same.
        data: the new bytes.
    """

    def __init__(self, bytes_at: Callable[[int, int, int], bytes], segment: int = 1 << 40) -> None:
        self.segment = segment
        self._has_own = False
        self.data = bytearray()
        self._bytes_at = bytes_at
        self._codec = Codec(STANDARD)
        self._connections: dict[int | None, WireEvents] = {}
        self._frames = FrameMessages()
        self._known: dict[bytes, Reference] = {}

    def wants(self, entry: Entry) -> bool:
        """Whether bytes to which the next entry refers may be asked for."""
        # At the model's interface, and below: the connecting is recorded first.
        self._has_own = self._has_own or entry.kind in (Kind.CONNECT, Kind.RECEIVED)
        return not self._has_own and entry.kind in (Kind.FRAME_IN, Kind.FRAME_OUT)

    def of(self, entry: Entry) -> Iterator[Entry]:
        """An entry, and what comes of it."""
        yield entry
        if not self.wants(entry):
            return
        reading = self._connections.setdefault(entry.connection, WireEvents())
        message = self._message(entry)
        if message is None:
            return
        made: list[Any] = []
        if entry.kind == Kind.FRAME_IN:
            made.append(ev.RealtimeModelRawServerEvent(data=message))
        for by_server, one in self._frames.of(entry, message):
            made += reading.told(one) if by_server else reading.client(one)
        for event in made:
            derived = self._entry(entry, event)
            if derived is not None:
                yield derived

    def _message(self, entry: Entry) -> dict[str, Any] | None:
        found = {self._bytes_at(*place): place for place in references(entry.payload)}
        self._known = found
        if not frame_message(entry):
            return None
        value = self._codec.decode(entry.payload, self._bytes_at).value
        text = value.text if isinstance(value, Frame) else "".join(sequence(value))
        try:
            return mapping(from_json(text or ""))
        except ValueError:
            return None

    def _entry(self, frame: Entry, event: Any) -> Entry | None:
        try:
            encoded = self._codec.encode(event, self._put)
        except EncodingError:
            return None
        return Entry(
            frame.seq,
            frame.at_ns,
            frame.tick,
            frame.task,
            Kind.RECEIVED,
            event_name(STANDARD, cast("type[Any]", type(event))),
            cause=frame.seq,
            payload=encoded.payload,
        )

    def _put(self, data: bytes) -> Reference:
        known = self._known.get(data)
        if known is None:
            known = (self.segment, len(self.data), len(data))
            self.data += data
        return known
