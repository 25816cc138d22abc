"""How much audio of an item came, as the log tells: in events, in raw messages, in frames."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from ...schema.entries import Entry, Kind
from ...schema.playback import audio_length_ms
from ...session.words import byte_count, mapping, payload, sequence
from .rule import fields_of, framed_message, server_message, text_of

Part = tuple[str, int]
"""An item, and the index of a content in it."""

DELTAS = frozenset({"response.output_audio.delta", "response.audio.delta"})


class ReceivedAudio:
    """Adds up the audio of each item. The same audio shows at several depths: the fullest counts, for the
    SDK gives no events of what comes of a response that was interrupted."""

    def __init__(self) -> None:
        self._format: Any = None
        self._bytes: dict[str, Counter[Part]] = {"event": Counter(), "raw": Counter(), "frame": Counter()}

    def add(self, entry: Entry) -> None:
        """The next entry."""
        if entry.kind == Kind.RECEIVED and entry.type == "audio":
            fields = fields_of(entry)
            self._count("event", fields, byte_count(fields.get("data")) or 0)
        elif (message := server_message(entry)) is not None:
            self._add_message("raw", message)
        elif entry.kind == Kind.FRAME_IN:
            self._add_message("frame", framed_message(entry))
        elif entry.kind == Kind.PLAYBACK and entry.method == "set_audio_format":
            self._format = next(iter(sequence(mapping(payload(entry)).get("args"))), None)
        elif entry.kind == Kind.CONNECT:
            settings = mapping(mapping(payload(entry)).get("options")).get("initial_model_settings")
            self._format = _output_format(mapping(settings)) or self._format

    def has(self, part: Part) -> bool:
        """Whether any audio of it came."""
        return any(counts[part] for counts in self._bytes.values())

    def ms(self, part: Part) -> float:
        """How long the audio of it plays that came, in milliseconds."""
        return audio_length_ms(self._format, max(counts[part] for counts in self._bytes.values()))

    def ceiling_ms(self, part: Part) -> int:
        """The same in whole milliseconds, the last one begun counted full."""
        return math.ceil(self.ms(part))

    def _add_message(self, where: str, message: Any) -> None:
        kind = message.get("type")
        if kind in DELTAS:
            delta = message.get("delta")
            count = byte_count(delta)
            if count is None:  # too short for a reference: base64, four characters for three bytes
                text = text_of(delta).rstrip("=")
                count = len(text) * 3 // 4
            self._count(where, message, count)
        elif kind in ("session.created", "session.updated") and self._format is None:
            self._format = _output_format(mapping(message.get("session")))

    def _count(self, where: str, fields: Any, count: int) -> None:
        self._bytes[where][text_of(fields.get("item_id")), fields.get("content_index") or 0] += count


def _output_format(settings: Any) -> Any:
    output = mapping(mapping(settings.get("audio")).get("output")).get("format")
    return output or settings.get("output_audio_format")
