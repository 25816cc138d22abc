"""`Client`: the client's half of the realtime protocol, as the SDK's model has it.

What `agents.realtime.openai_realtime` of the OpenAI Agents SDK (0.24) gives its listeners for each message of
the server and each send of the application, what it tells the server for them, and how it calls the playback
tracker, in its order; a test holds the two against each other. It does not follow when a `response.create`
may go out: that goes out at once.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from ..schema.codec import Vocabulary, event_name
from ..schema.playback import RealtimePlaybackState
from ..session.audio import Part
from ..session.audio_tracker import AudioTracker
from ..session.fields import mapping, sequence
from ..session.sound import SoundFormats

Message: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Given:
    """The listeners are given an event."""

    event: Any


@dataclass(frozen=True)
class Told:
    """The server is told something."""

    message: Message


Step: TypeAlias = Given | Told


class Client:
    """Of one connection. Steps are made one by one: what comes after one has not happened while it is made.

    Args:
        vocabulary: whose classes the events are made in.
        tracker: the application's, which is called as the model calls it; None: it has none.
        now_ns: the clock of who has none; else it is not asked.

    Attributes:
        audio: what came.
    """

    def __init__(
        self, vocabulary: Vocabulary, tracker: Any = None, now_ns: Callable[[], int] = lambda: 0
    ) -> None:
        self.audio = AudioTracker()
        self._make = vocabulary.make
        self._vocabulary = vocabulary
        self._tracker = tracker
        self._now_ns = now_ns
        self._formats = SoundFormats()
        self._server_cancels = False  # a response, when the user breaks in
        self._cancelling = False
        self._silenced: set[str] = set()  # responses whose audio is dropped

    # --- what the server says -----------------------------------------------------------------------

    def receive(self, message: Message) -> Iterator[Step]:
        """What a message of the server comes to."""
        yield Given(self._make("raw_server_event", data=message))
        match message["type"]:
            case "response.output_audio.delta":
                yield from self._audio_came(message)
            case "input_audio_buffer.speech_started":
                yield from self._user_breaks_in()
            case "conversation.item.truncated":
                yield from self._retrieve()
            case "conversation.item.input_audio_transcription.completed":
                yield from self._retrieve()
                yield self._given("input_audio_transcription_completed", message, "item_id", "transcript")
            case "response.output_item.added" | "response.output_item.done":
                yield from self._output_item(message["item"])
            case "conversation.item.added" | "conversation.item.created" | "conversation.item.retrieved":
                if message["item"]["type"] == "message":
                    yield Given(self._make("item_updated", item=self._item(message["item"])))
            case "conversation.item.deleted":
                yield self._given("item_deleted", message, "item_id")
            case "response.output_audio.done":
                yield self._given("audio_done", message, "item_id", "content_index")
            case "response.output_audio_transcript.delta":
                yield self._given("transcript_delta", message, "item_id", "delta", "response_id")
            case "response.output_text.delta":
                yield self._given("output_text_delta", message, "item_id", "delta", "response_id")
            case "response.created" | "response.done":
                yield from self._response(message)
            case "session.created" | "session.updated":
                self._session(message)
            case "error":
                yield Given(self._make("error", error=message["error"]))
            case _:
                pass

    # --- what the application sends ---------------------------------------------------------------------

    def send(self, event: Any) -> Iterator[Step]:
        """What a send of the application comes to."""
        match event_name(self._vocabulary, cast("type[Any]", type(event))):
            case "send_user_input":
                yield _created(_user_item(event.user_input))
                yield Told({"type": "response.create"})
            case "send_audio":
                audio = base64.b64encode(event.audio).decode("ascii")
                yield Told({"type": "input_audio_buffer.append", "audio": audio})
                if event.commit:
                    yield Told({"type": "input_audio_buffer.commit"})
            case "send_tool_output":
                call = event.tool_call
                output = {"call_id": call.call_id, "output": event.output}
                yield _created({"type": "function_call_output", **output})
                yield Given(self._make("item_updated", item=self._answered(call, event.output)))
                if event.start_response:
                    yield Told({"type": "response.create"})
            case "send_interrupt":
                yield from self._interrupt(event)
            case "send_session_update":
                yield Told({"type": "session.update", "session": {}})
            case "send_raw_message":
                yield Told({"type": event.message["type"], **mapping(event.message.get("other_data"))})
            case _:
                pass

    def retire(self, response_id: str) -> None:
        """The session has done with a response (the SDK's private `_retire_response_audio`)."""
        self._silenced.discard(response_id)
        self.audio.response_retired(response_id)

    def close(self) -> None:
        """The connection is closed by the application."""
        if self._tracker is not None:
            self._tracker.on_interrupted()

    # --- interruptions ------------------------------------------------------------------------------

    def _user_breaks_in(self) -> Iterator[Step]:
        latest = self.audio.latest
        if latest is None:
            return
        heard, elapsed_ms = self._heard()
        yield Given(self._interruption(latest))
        if heard is not None and elapsed_ms is not None:
            yield from self._truncate(heard, round(elapsed_ms))
        self.audio.interrupted()
        if self._tracker is not None:
            self._tracker.on_interrupted()
        if not self._server_cancels:
            yield from self._cancel(None)

    def _interrupt(self, event: Any) -> Iterator[Step]:
        response_id = getattr(event, "response_id", None)
        if getattr(event, "cancel_response_only", False):
            yield from self._cancel(response_id)
            return
        playback_only = getattr(event, "playback_only", False)
        if response_id is None:
            yield from self._silence(may_go_on=not playback_only)
        else:
            self._silenced.add(response_id)
            yield from self._silence_response(response_id, may_go_on=not playback_only)
        if not playback_only and (event.force_response_cancel or not self._server_cancels):
            yield from self._cancel(response_id)

    def _silence(self, *, may_go_on: bool) -> Iterator[Step]:
        heard, elapsed_ms = self._heard()
        if heard is None or elapsed_ms is None:
            return
        if elapsed_ms >= 0:
            yield Given(self._interruption(heard))
            yield from self._truncate(heard, int(elapsed_ms), may_go_on=may_go_on)
        self.audio.interrupted()
        if self._tracker is not None:
            self._tracker.get_state()
            self._tracker.on_interrupted()

    def _silence_response(self, response_id: str, *, may_go_on: bool) -> Iterator[Step]:
        heard, elapsed_ms = self._heard()
        parts = self.audio.parts_of(response_id)
        if not parts:
            return
        for part in parts:
            yield Given(self._interruption(part))
        if heard not in parts:
            heard, elapsed_ms = self._heard()
        if heard is not None and heard in parts and elapsed_ms is not None:
            if elapsed_ms >= 0:
                yield from self._truncate(heard, int(elapsed_ms), may_go_on=may_go_on)
            if self._tracker is not None and _part(self._tracker.get_state()) in parts:
                self._tracker.on_interrupted()
        self.audio.response_interrupted(response_id)

    def _truncate(self, part: Part, heard_ms: int, *, may_go_on: bool = True) -> Iterator[Step]:
        at_ms = self.audio.truncates_at(part, heard_ms, may_go_on=may_go_on)
        if at_ms is not None:
            place = {"item_id": part[0], "content_index": part[1], "audio_end_ms": at_ms}
            yield Told({"type": "conversation.item.truncate", **place})

    def _cancel(self, response_id: str | None) -> Iterator[Step]:
        audio = self.audio
        other = None not in (response_id, audio.response_id) and response_id != audio.response_id
        if audio.active and not self._cancelling and not other:
            self._cancelling = True
            which = {} if response_id is None else {"response_id": response_id}
            yield Told({"type": "response.cancel", **which})

    def _interruption(self, part: Part) -> Any:
        return self._make("audio_interrupted", item_id=part[0], content_index=part[1])

    def _heard(self) -> tuple[Part | None, float | None]:
        if self._tracker is not None:
            state: RealtimePlaybackState = self._tracker.get_state()
            return _part(state), state["elapsed_ms"]
        return self.audio.latest, self.audio.elapsed_ms(self._now_ns())

    # --- messages of the server -------------------------------------------------------------------------

    def _audio_came(self, message: Message) -> Iterator[Step]:
        response_id = message["response_id"]
        if response_id in self._silenced:
            return
        part, data = (message["item_id"], message["content_index"]), base64.b64decode(message["delta"])
        ms = self._formats.model.ms(len(data))
        self.audio.came(part, len(data), ms, at_ns=self._now_ns(), response_id=response_id)
        fields = {field: message[field] for field in ("response_id", "item_id", "content_index")}
        yield Given(self._make("audio", data=data, **fields))

    def _response(self, message: Message) -> Iterator[Step]:
        response = message["response"]
        response_id = response["id"]
        if message["type"] == "response.created":
            self._cancelling = False
            self.audio.response_created(response_id)
            yield Given(self._make("turn_started", response_id=response_id))
            return
        self._silenced.discard(response_id)
        self.audio.response_done(response_id)
        self._cancelling &= self.audio.active
        if response["usage"] is not None:
            yield Given(self._usage(response["usage"]))
        yield Given(self._make("turn_ended", response_id=response_id))

    def _retrieve(self) -> Iterator[Step]:
        """The item that was spoken last, whenever one was cut or transcribed."""
        item_id = self.audio.current_item_id
        if item_id is not None:
            yield Told({"type": "conversation.item.retrieve", "item_id": item_id})

    def _session(self, message: Message) -> None:
        session = message["session"]
        if session.get("type") == "transcription":
            return
        audio = mapping(session.get("audio"))
        detection = mapping(mapping(audio.get("input")).get("turn_detection"))
        self._server_cancels = detection.get("interrupt_response") is True
        self._formats.tell(message)
        if self._tracker is not None and mapping(audio.get("output")).get("format") is not None:
            self._tracker.set_audio_format(self._formats.model.counted)

    def _given(self, name: str, message: Message, *fields: str) -> Given:
        return Given(self._make(name, **{field: message[field] for field in fields}))

    # --- items and usage ------------------------------------------------------------------------------

    def _output_item(self, item: Message) -> Iterator[Step]:
        if item["type"] == "message":
            made = self._item(item, previous_item_id=False)
            yield Given(self._make("item_updated", item=made))
        elif item["type"] == "function_call" and item["status"] == "completed":
            call = {"name": item["name"], "call_id": item["call_id"], "arguments": item["arguments"]}
            place = {"item_id": item["id"], "previous_item_id": None, "type": "function_call"}
            fields = {**place, **call, "status": "in_progress", "output": None}
            yield Given(self._make("item_updated", item=self._make("RealtimeToolCallItem", **fields)))
            yield Given(self._make("function_call", **call, id=item["id"]))

    def _answered(self, call: Any, output: str) -> Any:
        return self._make(
            "RealtimeToolCallItem",
            item_id=call.id or "",
            previous_item_id=call.previous_item_id,
            call_id=call.call_id,
            type="function_call",
            status="completed",
            arguments=call.arguments,
            name=call.name,
            output=output,
        )

    def _item(self, item: Message, *, previous_item_id: bool = True) -> Any:
        fields: Message = {"item_id": item["id"], "type": "message", "role": item["role"]}
        if previous_item_id:
            fields["previous_item_id"] = None
        content = [self._part(part) for part in item["content"]]
        return self._make(_MESSAGES[item["role"]], **fields, content=content, status=item["status"])

    def _part(self, part: Message) -> Any:
        name, type = _PARTS[part["type"]]
        fields = ("text",) if name.endswith("Text") else ("audio", "transcript")
        if name == "InputImage":
            fields = ("image_url", "detail")
        return self._make(name, type=type, **{field: part.get(field) for field in fields})

    def _usage(self, told: Message) -> Any:
        details: dict[str, Any] = {}
        for side in ("input", "output"):
            name = f"RealtimeModel{side.title()}TokensDetails"
            if self._vocabulary.word_named(name) is not None:  # not in older releases
                given = {**told[f"{side}_token_details"]}
                if "cached_tokens_details" in given:
                    cached = given["cached_tokens_details"]
                    given["cached_tokens_details"] = self._make("RealtimeModelCachedTokensDetails", **cached)
                details[f"{side}_tokens_details"] = self._make(name, **given)
        counts = {name: told[name] for name in ("input_tokens", "output_tokens", "total_tokens")}
        return self._make("usage", usage=self._make("Usage", requests=1, **counts), **details)


_MESSAGES = {
    "user": "UserMessageItem",
    "assistant": "AssistantMessageItem",
    "system": "SystemMessageItem",
}
_PARTS = {
    "input_text": ("InputText", "input_text"),
    "input_audio": ("InputAudio", "input_audio"),
    "input_image": ("InputImage", "input_image"),
    "output_text": ("AssistantText", "text"),
    "output_audio": ("AssistantAudio", "audio"),
}
"""The interface kept the beta's names of what the model says."""


def _part(state: RealtimePlaybackState) -> Part | None:
    item_id = state["current_item_id"]
    return None if item_id is None else (item_id, state["current_item_content_index"] or 0)


def _created(item: Message) -> Told:
    return Told({"type": "conversation.item.create", "item": item})


def _user_item(user_input: str | Mapping[str, Any]) -> Message:
    """What the user wrote: a text, or a message with parts."""
    content: list[Any] = [{"type": "input_text", "text": user_input}]
    if not isinstance(user_input, str):
        given = sequence(user_input.get("content"))
        content = [part for part in given if mapping(part).get("type") in ("input_text", "input_image")]
    return {"type": "message", "role": "user", "content": content}
