"""The items of a conversation: messages, tool calls and what the tools returned."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, cast

from pydantic import JsonValue

from .client_messages import (
    InputAudio,
    InputImage,
    InputText,
    NewFunctionCall,
    NewFunctionCallOutput,
    NewItem,
    OutputAudio,
    OutputText,
)
from .ids import Ids
from .refusal import Refused
from .speech import BYTES_PER_MS
from .wire import Message

Status: TypeAlias = Literal["in_progress", "completed", "incomplete"]

_MS_PER_TOKEN = {"user": 100, "assistant": 50}
"""What audio counts for; a word counts as one token. Real providers count about like that."""


@dataclass(slots=True)
class Part:
    """One piece of a message's content.

    Attributes:
        fields: the piece as it is shown, without its audio.
        audio: what was said, as PCM16 at 24 kHz.
        truncated: the user heard less than was sent, and `audio` holds what was heard.
    """

    fields: dict[str, JsonValue]
    audio: bytearray = field(default_factory=bytearray)
    truncated: bool = False

    @property
    def audio_ms(self) -> int:
        """The audio's length, a fraction counted as a whole millisecond, as clients count it."""
        return math.ceil(len(self.audio) / BYTES_PER_MS)

    def truncate(self, audio_end_ms: int) -> None:
        """Forget what the user did not hear, and the transcript, which does not say how far it goes."""
        del self.audio[audio_end_ms * BYTES_PER_MS :]
        self.fields["transcript"] = None
        self.truncated = True

    def describe(self, *, with_audio: bool) -> Message:
        """The piece as the protocol shows it."""
        if not with_audio or not self.audio:
            return dict(self.fields)
        return {**self.fields, "audio": base64.b64encode(self.audio).decode("ascii")}


@dataclass(slots=True)
class Item:
    """One item.

    Attributes:
        fields: the item as it is shown, without id, status and content.
        content: of a message; None for other items.
    """

    id: str
    fields: dict[str, JsonValue]
    status: Status | None = "completed"
    content: list[Part] | None = None

    def describe(self, *, with_audio: bool = False) -> Message:
        """The item as the protocol shows it: with its audio only when it is retrieved."""
        shown: Message = {"id": self.id, **self.fields}
        if self.status is not None:
            shown["status"] = self.status
        if self.content is not None:
            shown["content"] = [part.describe(with_audio=with_audio) for part in self.content]
        return shown

    def spoken_part(self, content_index: int) -> Part:
        """The assistant's speech at that place.

        Raises:
            Refused: there is none.
        """
        parts = self.content or []
        if self.fields.get("role") != "assistant" or content_index >= len(parts):
            raise Refused("Only the assistant's audio can be truncated.", param="content_index")
        part = parts[content_index]
        if part.fields["type"] != "output_audio":
            raise Refused("Only the assistant's audio can be truncated.", param="content_index")
        return part

    def tokens(self) -> tuple[int, int]:
        """How many tokens of text and of audio the item counts for."""
        ms_per_token = _MS_PER_TOKEN.get(str(self.fields.get("role")), 100)
        words, audio_tokens = 0, 0
        for part in self.content or []:
            if part.fields["type"] != "input_audio":
                text = part.fields.get("text") or part.fields.get("transcript") or ""
                words += len(str(text).split())
            audio_tokens += math.ceil(part.audio_ms / ms_per_token)
        for name in ("arguments", "output"):
            words += len(str(self.fields.get(name, "")).split())
        return words, audio_tokens


def user_speech(item_id: str, audio: bytes) -> Item:
    """The message that an utterance of the user becomes, not yet transcribed."""
    part = Part({"type": "input_audio", "transcript": None}, bytearray(audio))
    return Item(item_id, {"type": "message", "role": "user"}, content=[part])


def from_client(new: NewItem, ids: Ids) -> Item:
    """The item that a client creates, under the ids that the client gave it, or else new ones."""
    item_id = new.id or ids.mint("item")
    match new:
        case NewFunctionCall():
            fields: Message = {
                "type": "function_call",
                "name": new.name,
                "call_id": new.call_id or ids.mint("call"),
                "arguments": new.arguments,
            }
            return Item(item_id, fields)
        case NewFunctionCallOutput():
            # The real provider shows no status for these.
            return Item(
                item_id,
                {"type": "function_call_output", "call_id": new.call_id, "output": new.output},
                status=None,
            )
        case _:
            content = [_part(part) for part in new.content]
            return Item(item_id, {"type": "message", "role": new.role}, content=content)


def _part(part: InputText | InputAudio | InputImage | OutputText | OutputAudio) -> Part:
    fields = cast(Message, part.model_dump(exclude={"audio"}))
    match part:
        case InputAudio() | OutputAudio():
            return Part(fields, bytearray(part.audio))
        case _:
            return Part(fields)
