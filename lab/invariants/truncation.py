"""An item is never truncated beyond the audio that was received of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...schema.entries import Entry, Kind
from ...session.audio import ReceivedAudio, part_of
from ...session.fields import client_message, frame_message, server_message
from ...session.messages import TRUNCATED
from .rule import Found, Invariant, Watching

_TRUNCATES = frozenset({"conversation.item.truncate", TRUNCATED})


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
        self._audio.read(entry)
        message = client_message(entry) or server_message(entry)
        if entry.kind == Kind.FRAME_OUT:
            message = frame_message(entry)
        if message is not None and message.get("type") in _TRUNCATES:
            yield from self._look(entry, message)

    def _look(self, entry: Entry, message: dict[str, Any]) -> Iterator[Found]:
        part = part_of(message)
        at_ms = message.get("audio_end_ms")
        if not isinstance(at_ms, int | float) or at_ms <= self._audio.ceiling_ms(part):
            return
        what = f"{part[0]} was truncated at {at_ms:,.0f} ms"
        yield Found(f"{what}, and {self._audio.ms(part):,.0f} ms of it had been received", (entry.seq,))
