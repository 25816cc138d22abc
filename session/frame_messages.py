"""What the frames of a session say, in one language: messages of OpenAI's realtime protocol."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..schema.entries import Entry, Kind
from .fields import frame_message
from .gemini_messages import GeminiMessages, Told, gemini_key
from .live_messages import LIVE_TYPES, LiveMessages


class FrameMessages:
    """Is told the frames of a session in order. Messages of OpenAI's are as they came."""

    def __init__(self) -> None:
        self._named = Counter[str]()
        self._reading: dict[int | None, GeminiMessages | LiveMessages] = {}

    def read(self, entry: Entry) -> Told:
        """What a frame says; nothing, if it holds no message. Bytes are left as references."""
        message = frame_message(entry)
        return self.of(entry, message) if message else []

    def of(self, entry: Entry, message: dict[str, Any]) -> Told:
        """The same, of a frame whose message was read before."""
        by_server = entry.kind == Kind.FRAME_IN
        type = message.get("type")
        kind = LiveMessages if isinstance(type, str) and type in LIVE_TYPES else None
        if kind is None and gemini_key(message) is not None:
            kind = GeminiMessages
        if kind is None:
            return [(by_server, message)]
        reading = self._reading.get(entry.connection)
        if not isinstance(reading, kind):
            reading = self._reading[entry.connection] = kind(self._named)
        return reading.server(message) if by_server else reading.client(message)
