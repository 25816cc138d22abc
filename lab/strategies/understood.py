"""`Understanding`: the client's half of the protocol: which events a model gives for a provider's message.

As `agents.realtime.openai_realtime` of the OpenAI Agents SDK (0.24) does it, in its order; a test holds the
two against each other.
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import Any

from ...schema.playback import RealtimePlaybackState, audio_length_ms
from .interface import Interface
from .wire import Message


@dataclass(frozen=True)
class Barge:
    """What a model does when the user breaks in.

    Attributes:
        event: the `audio_interrupted`, to be given before anything else.
        item_id: what to truncate; None: nothing.
        audio_end_ms: where, in milliseconds.
    """

    event: Any
    item_id: str | None
    audio_end_ms: int


class Understanding:
    """One connection's.

    Args:
        interface: of the events that are given.

    Attributes:
        current_item_id: of which there was audio last; None before the first.
        heard_of: the item and content that an interruption would silence, or None.
    """

    def __init__(self, interface: Interface) -> None:
        self._interface = interface
        self._format = "pcm16"
        self._bytes: dict[str, int] = {}
        self._by_response: dict[str, list[str]] = {}
        self._response_id: str | None = None
        self.current_item_id: str | None = None
        self.heard_of: str | None = None

    def events(self, message: Message) -> list[Any]:
        """The events for a message, after the `raw_server_event`; those of a barge-in are in `barge`."""
        make, kind = self._interface.make, message["type"]
        match kind:
            case "session.created" | "session.updated":
                wire = message["session"]["audio"]["output"]["format"]["type"]
                names = {"audio/pcmu": "g711_ulaw", "audio/pcma": "g711_alaw"}
                self._format = names.get(wire, "pcm16")
            case "response.created":
                self._response_id = message["response"]["id"]
                return [make("turn_started", response_id=self._response_id)]
            case "response.output_audio.delta":
                return [self._audio(message)]
            case "response.output_audio.done":
                return [make("audio_done", item_id=message["item_id"], content_index=0)]
            case "response.output_audio_transcript.delta" | "response.output_text.delta":
                name = "transcript_delta" if "transcript" in kind else "output_text_delta"
                fields = {field: message[field] for field in ("item_id", "delta", "response_id")}
                return [make(name, **fields)]
            case "response.output_item.added" | "response.output_item.done":
                return self._output_item(message["item"], kind)
            case "conversation.item.added" | "conversation.item.retrieved":
                if message["item"]["type"] == "message":
                    return [make("item_updated", item=self._item(message["item"]))]
            case "conversation.item.deleted":
                return [make("item_deleted", item_id=message["item_id"])]
            case "conversation.item.input_audio_transcription.completed":
                fields = {field: message[field] for field in ("item_id", "transcript")}
                return [make("input_audio_transcription_completed", **fields)]
            case "response.done":
                self._response_id = None
                return [self._usage(message), make("turn_ended", response_id=message["response"]["id"])]
            case "error":
                return [make("error", error=message["error"])]
            case _:
                pass
        return []

    def barge(self, state: RealtimePlaybackState) -> Barge | None:
        """The user broke in; None where there is nothing to silence.

        Args:
            state: of the playback tracker.
        """
        item_id = self.heard_of
        if item_id is None:
            return None
        self.heard_of = None
        event = self._interface.make("audio_interrupted", item_id=item_id, content_index=0)
        heard_of, elapsed_ms = state["current_item_id"], state["elapsed_ms"]
        if heard_of is None or elapsed_ms is None:
            return Barge(event, None, 0)
        limit_ms = self.received_ms(heard_of)
        complete = limit_ms is not None and round(elapsed_ms) >= limit_ms and not self._owns(heard_of)
        end_ms = max(round(elapsed_ms), 0)
        return Barge(
            event, None if complete else heard_of, end_ms if limit_ms is None else min(end_ms, limit_ms)
        )

    def interrupt(self, state: RealtimePlaybackState) -> Barge | None:
        """The application has sent an interruption; None where nothing is heard."""
        item_id, elapsed_ms = state["current_item_id"], state["elapsed_ms"]
        if item_id is None or elapsed_ms is None:
            return None
        self.heard_of = None
        event = self._interface.make("audio_interrupted", item_id=item_id, content_index=0)
        limit_ms = self.received_ms(item_id)
        end_ms = max(int(elapsed_ms), 0)
        complete = limit_ms is not None and end_ms >= limit_ms and not self._owns(item_id)
        return Barge(
            event, None if complete else item_id, end_ms if limit_ms is None else min(end_ms, limit_ms)
        )

    def received_ms(self, item_id: str) -> int | None:
        """How much audio of an item came, in milliseconds, rounded up; None if none."""
        if item_id not in self._bytes:
            return None
        return math.ceil(audio_length_ms(self._format, self._bytes[item_id]))

    def answered(self, call: Any, output: str) -> Any:
        """The event inside a send of a tool's output."""
        item = self._interface.make(
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
        return self._interface.make("item_updated", item=item)

    @property
    def audio_format(self) -> str:
        """Of what is said, as a tracker is told it."""
        return self._format

    # --- helpers ----------------------------------------------------------------------------------------

    def _owns(self, item_id: str) -> bool:
        """Whether the response that is active may go on with this item."""
        if self._response_id is None:
            return False
        return item_id in self._by_response.get(self._response_id, [])

    def _audio(self, message: Message) -> Any:
        item_id, data = message["item_id"], base64.b64decode(message["delta"])
        self._bytes[item_id] = self._bytes.get(item_id, 0) + len(data)
        self._by_response.setdefault(message["response_id"], []).append(item_id)
        self.current_item_id = self.heard_of = item_id
        fields = {field: message[field] for field in ("response_id", "item_id", "content_index")}
        return self._interface.make("audio", data=data, **fields)

    def _output_item(self, item: Message, kind: str) -> list[Any]:
        make = self._interface.make
        if item["type"] == "message":
            content = [self._part(part) for part in item["content"]]
            fields = {"item_id": item["id"], "type": "message", "role": item["role"]}
            made = make("AssistantMessageItem", **fields, content=content, status=item["status"])
            return [make("item_updated", item=made)]
        if item["status"] != "completed":
            return []
        call = {"name": item["name"], "call_id": item["call_id"], "arguments": item["arguments"]}
        place = {"item_id": item["id"], "previous_item_id": None}
        fields = {**place, **call, "type": "function_call", "status": "in_progress", "output": None}
        return [
            make("item_updated", item=make("RealtimeToolCallItem", **fields)),
            make("function_call", **call, id=item["id"]),
        ]

    def _item(self, item: Message) -> Any:
        name = "UserMessageItem" if item["role"] == "user" else "AssistantMessageItem"
        return self._interface.make(
            name,
            item_id=item["id"],
            previous_item_id=None,
            type="message",
            role=item["role"],
            content=[self._part(part) for part in item["content"]],
            status=item["status"],
        )

    def _part(self, part: Message) -> Any:
        make = self._interface.make
        match part["type"]:
            case "input_text":
                return make("InputText", type="input_text", text=part["text"])
            case "input_audio":
                return make("InputAudio", type="input_audio", audio=None, transcript=part["transcript"])
            case "output_audio":
                return make("AssistantAudio", type="audio", audio=None, transcript=part["transcript"])
            case _:
                return make("AssistantText", type="text", text=part["text"])

    def _usage(self, message: Message) -> Any:
        told = message["response"]["usage"]
        fields = {name: told[name] for name in ("input_tokens", "output_tokens", "total_tokens")}
        details: dict[str, Any] = {}
        for side in ("input", "output"):
            name = f"RealtimeModel{side.title()}TokensDetails"
            if self._interface.find(name) is not None:  # not in older releases
                details[f"{side}_tokens_details"] = self._interface.make(
                    name, **told[f"{side}_token_details"]
                )
        return self._interface.make(
            "usage", usage=self._interface.make("Usage", requests=1, **fields), **details
        )
