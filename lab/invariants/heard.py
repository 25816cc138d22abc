"""What was heard, and where the model truncates: never more than was generated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ...schema.entries import Entry, Flag, Kind
from ...session.audio import SLACK_MS, Part, ReceivedAudio, heard_part, part_of
from ...session.fields import RAW, client_message, frame_message, server_message, text_of
from ...session.messages import TRUNCATE, TRUNCATED, provider_error, refuses_truncation
from .rule import Found, Invariant, Watching


@dataclass(frozen=True)
class HeardWithinGenerated(Invariant):
    """What the playback tracker says was heard of an item is not more than came of it.

    A player may still be at an item of the connection before: what came of it then counts. Where no sound
    came this way at all (a telephone call, a browser's own connection), nothing is claimed.

    Attributes:
        slack_ms: how much more is let pass, in milliseconds.
    """

    slack_ms: float = SLACK_MS
    name = "heard is never more than generated"
    needs = ("playback",)

    def watch(self) -> Watching:
        """A fresh check."""
        return _Heard(self.slack_ms)

    def by_omission(self) -> bool:
        """Somebody has said it."""
        return False


class _Heard(Watching):
    kinds = frozenset({Kind.PLAYBACK, Kind.RECEIVED, Kind.FRAME_IN})

    def __init__(self, slack_ms: float) -> None:
        self._slack_ms = slack_ms
        self._told: set[Part] = set()
        self._all_known = True
        self._held = _UntilSound()

    def begin(self, *, known_before: bool) -> None:
        self._all_known = self._all_known and known_before

    def add(self, entry: Entry) -> Iterator[Found]:
        yield from self._held.told(self._look(entry), self.readings.received)

    def _look(self, entry: Entry) -> Iterator[Found]:
        if entry.elapsed_ms is None or entry.flags & Flag.ASSUMED:
            return
        if entry.kind != Kind.PLAYBACK:
            return  # nothing was played since the last one
        part = heard_part(entry)
        audio = self.readings.received
        if part is None or part in self._told or not (self._all_known or audio.has(part)):
            return
        generated_ms = audio.ms(part)
        if entry.elapsed_ms > generated_ms + self._slack_ms:
            self._told.add(part)
            heard = f"{entry.elapsed_ms:,.0f} ms of {entry.item_id} were heard"
            yield Found(f"{heard}, and {generated_ms:,.0f} ms had been generated", (entry.seq,))


class _UntilSound:
    """Keeps what was found back for as long as no sound has come."""

    def __init__(self) -> None:
        self._found: list[Found] = []

    def told(self, found: Iterable[Found], audio: ReceivedAudio) -> list[Found]:
        """What is to be told by now."""
        self._found += found
        if not (self._found and audio.any):
            return []
        told, self._found = self._found, []
        return told


_TRUNCATES = frozenset({TRUNCATE, TRUNCATED})


@dataclass(frozen=True)
class TruncatedWithinReceived(Invariant):
    """An item is truncated at a place of the audio that came of it, in the session in which it came.

    Below the interface a model truncates by itself: frames show what it asked for, raw messages what
    the provider confirms, and an error of the provider's what it refuses. Where no sound came this way at
    all, only that is told.
    """

    name = "truncated never beyond the audio received"
    needs = ("frames", "raw_messages")

    def watch(self) -> Watching:
        """A fresh check."""
        return _Truncations()

    def by_omission(self) -> bool:
        """Somebody has said it."""
        return False


class _Truncations(Watching):
    kinds = frozenset({Kind.SENT, Kind.RECEIVED, Kind.FRAME_IN, Kind.FRAME_OUT})

    def __init__(self) -> None:
        self.begin(known_before=True)

    def begin(self, *, known_before: bool) -> None:
        self._held = _UntilSound()
        self._refused: str | None = None  # as a message of the provider's said, of which the event is to come

    def add(self, entry: Entry) -> Iterator[Found]:
        error = provider_error(entry)
        if error is not None and refuses_truncation(error):
            told = text_of(error.get("message"))
            if entry.type == RAW or told != self._refused:
                yield Found(f"the provider refused to truncate: {told}", (entry.seq,))
            self._refused = told if entry.type == RAW else None
        # Another session is another conversation: the provider knows none of the items of the one before.
        yield from self._held.told(self._asked(entry), self.readings.heard.received)

    def _asked(self, entry: Entry) -> Iterator[Found]:
        message = client_message(entry) or server_message(entry)
        if entry.kind == Kind.FRAME_OUT:
            message = frame_message(entry)
        if message is not None and message.get("type") in _TRUNCATES:
            yield from self._look(entry, message)

    def _look(self, entry: Entry, message: dict[str, Any]) -> Iterator[Found]:
        part, audio = part_of(message), self.readings.heard.received
        at_ms = message.get("audio_end_ms")
        if not isinstance(at_ms, int | float) or at_ms <= audio.ceiling_ms(part):
            return
        what = f"{part[0]} was truncated at {at_ms:,.0f} ms"
        yield Found(f"{what}, and {audio.ms(part):,.0f} ms of it had been received", (entry.seq,))
