"""What the messages of OpenAI's Live protocol say, in the words of its realtime protocol.

It has no turns, no responses and no items. What the model says between two things that the user says is an
item here; what the user says comes in pieces without an end, and is whole when the model speaks next.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from .appended_sound import LIVE_SOUND, appended_sound
from .fields import mapping, text_of

LIVE_TYPES = frozenset(
    {
        *("session.started", "session.output_audio.delta", "session.output_transcript.delta"),
        *("session.input_transcript.delta", "response.event", "response.item.create", *LIVE_SOUND),
    }
)
"""Types of messages that say something."""

Told = list[tuple[bool, dict[str, Any]]]
"""Messages: whether the server's, and what."""


class LiveMessages:
    """Reads the messages of one connection, of both sides.

    Args:
        named: how many items of each kind were named so far; the same one for all connections of a session.
    """

    def __init__(self, named: Counter[str]) -> None:
        self._named = named
        self._item = ""
        self._heard: list[str] = []  # of the user, that is not told yet

    def server(self, message: dict[str, Any]) -> Told:
        """What a message of the server's says."""
        match text_of(message.get("type")):
            case "session.started":
                return [(True, {**message, "type": "session.created"})]
            case "session.input_transcript.delta":
                self._heard.append(text_of(message.get("delta")))
                return []
            case "session.output_audio.delta":
                return self._spoken("response.output_audio.delta", message)
            case "session.output_transcript.delta":
                return self._spoken("response.output_audio_transcript.delta", message)
            case "response.event":
                nested = mapping(message.get("event"))
                item = mapping(nested.get("item"))
                called = item.get("type") == "function_call" and nested.get("type")
                return [(True, nested)] if called == "response.output_item.done" else []
            case _:
                return [(True, message)]

    def client(self, message: dict[str, Any]) -> Told:
        """What a message of the client's says."""
        if message.get("type") == "response.item.create":
            return [(False, {**message, "type": "conversation.item.create"})]
        sound = [piece for piece, _ in appended_sound(message)]
        told = [(False, {"type": "input_audio_buffer.append", "audio": piece}) for piece in sound]
        return told or [(False, message)]

    def _spoken(self, type: str, message: dict[str, Any]) -> Told:
        told: Told = []
        if self._heard or not self._item:
            self._named["live"] += 1
            self._item = f"model-{self._named['live']}"
        if self._heard:
            text, self._heard = "".join(self._heard), []
            completed = "conversation.item.input_audio_transcription.completed"
            item = f"spoken-{self._named['live']}"
            told.append((True, {"type": completed, "item_id": item, "content_index": 0, "transcript": text}))
        spoken = {"type": type, "item_id": self._item, "content_index": 0, "delta": message.get("delta")}
        return [*told, (True, {**spoken, "response_id": ""})]
