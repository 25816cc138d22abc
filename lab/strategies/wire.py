"""What a server describes: its session, a response and the items of one, as the protocol has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ...schema.playback import is_g711

Message = dict[str, Any]

AudioFormatName = Literal["pcm16", "g711_ulaw", "g711_alaw"]
"""The formats that providers speak: 48 bytes a millisecond, or 8."""

_WIRE_FORMATS: dict[str, Message] = {
    "pcm16": {"type": "audio/pcm", "rate": 24_000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}


def bytes_per_ms(format: AudioFormatName) -> int:
    """How many bytes a millisecond of audio has."""
    return 8 if is_g711(format) else 48


@dataclass
class Spoken:
    """An item that is being said, written or called: what is open of a response.

    Attributes:
        kind: `speech`, `text` or `call`.
        text: so far; of a call, its arguments.
        audio_bytes: so far.
    """

    item_id: str
    kind: Literal["speech", "text", "call"]
    previous_item_id: str | None
    text: str = ""
    audio_bytes: int = 0
    name: str = ""
    call_id: str = ""

    def described(self) -> Message:
        """As the messages show it that are about all of it."""
        described: Message = {"id": self.item_id, "object": "realtime.item", "status": "in_progress"}
        if self.kind == "call":
            call = {"name": self.name, "call_id": self.call_id, "arguments": self.text}
            return {**described, "type": "function_call", **call}
        content: list[Message] = []
        if self.kind == "speech" and (self.text or self.audio_bytes):
            content = [{"type": "output_audio", "transcript": self.text}]
        elif self.text:
            content = [{"type": "output_text", "text": self.text}]
        return {**described, "type": "message", "role": "assistant", "content": content}


@dataclass
class Response:
    """A response that is active.

    Attributes:
        output: the items that are done, as they are described.
        item: the one that is open.
    """

    id: str
    output: list[Message] = field(default_factory=list[Message])
    item: Spoken | None = None

    def described(self, status: str, conversation_id: str) -> Message:
        """As the messages show it that are about all of it."""
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": None,
            "output": [dict(item) for item in self.output],
            "conversation_id": conversation_id,
            "output_modalities": ["audio"],
            "max_output_tokens": "inf",
            "usage": None,
            "metadata": None,
        }


def session_described(id: str, audio_format: AudioFormatName) -> Message:
    """A session, with the settings that matter here."""
    detection = {"type": "server_vad", "create_response": True, "interrupt_response": True}
    format = _WIRE_FORMATS[audio_format]
    return {
        "object": "realtime.session",
        "type": "realtime",
        "id": id,
        "model": "generated",
        "output_modalities": ["audio"],
        "audio": {
            "input": {"format": format, "turn_detection": detection},
            "output": {"format": format, "voice": "alloy", "speed": 1.0},
        },
    }


def usage_described() -> Message:
    """What a response has cost: always the same."""
    return {
        "total_tokens": 3,
        "input_tokens": 2,
        "output_tokens": 1,
        "input_token_details": {"text_tokens": 2, "audio_tokens": 0, "cached_tokens": 0},
        "output_token_details": {"text_tokens": 1, "audio_tokens": 0},
    }
