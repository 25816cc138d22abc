"""An item is never truncated beyond the audio that was received of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...schema.entries import Entry, Kind
from .received_audio import ReceivedAudio
from .rule import Found, Invariant, Watching, client_message, framed_message, server_message, text_of

_TRUNCATES = frozenset({"conversation.item.truncate", "conversation.item.truncated"})


@dataclass(frozen=True)
class TruncatedWithinReceived(Invariant):
    """An item is truncated at a place of the audio that came of it, in the session in which it came.

    Below the interface a model truncates by itself: frames show what it asked for, raw messages what
    the provider confirms.
    """

    name = "truncated never beyond the audio received"
    needs = ("frames", "raw_messages")

    def watch(self) -> Watching:
        """A fresh check."""
        return _Truncations()


class _Truncations(Watching):
    def __init__(self) -> None:
        self._audio = ReceivedAudio()

    def begin(self, *, known_before: bool) -> None:
        self._audio = ReceivedAudio()  # another conversation: the provider knows none of the items

    def add(self, entry: Entry) -> Iterator[Found]:
        self._audio.add(entry)
        message = client_message(entry) or server_message(entry)
        if entry.kind == Kind.FRAME_OUT:
            message = framed_message(entry)
        if message is not None and message.get("type") in _TRUNCATES:
            yield from self._look(entry, message)

    def _look(self, entry: Entry, message: Mapping[str, Any]) -> Iterator[Found]:
        part = (text_of(message.get("item_id")), message.get("content_index") or 0)
        at_ms = message.get("audio_end_ms")
        if not isinstance(at_ms, int | float) or at_ms <= self._audio.ceiling_ms(part):
            return
        what = f"{part[0]} was truncated at {at_ms:,.0f} ms"
        yield Found(f"{what}, and {self._audio.ms(part):,.0f} ms of it had been received", (entry.seq,))
