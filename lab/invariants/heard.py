"""The user never heard more of an item than was generated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...schema.entries import Entry, Flag, Kind
from ...session.audio import Part, ReceivedAudio, heard_part
from .rule import Found, Invariant, Watching

SLACK_MS = 1.0
"""Players count in whole milliseconds, the audio in samples."""


@dataclass(frozen=True)
class HeardWithinGenerated(Invariant):
    """What the playback tracker says was heard of an item is not more than came of it.

    A player may still be at an item of the connection before: what came of it then counts.

    Attributes:
        slack_ms: how much more is let pass, in milliseconds.
    """

    slack_ms: float = SLACK_MS
    name = "heard is never more than generated"
    needs = ("playback",)

    def watch(self) -> Watching:
        """A fresh check."""
        return _Heard(self.slack_ms)


class _Heard(Watching):
    def __init__(self, slack_ms: float) -> None:
        self._slack_ms = slack_ms
        self._audio = ReceivedAudio()
        self._told: set[Part] = set()
        self._all_known = True

    def begin(self, *, known_before: bool) -> None:
        self._all_known = self._all_known and known_before

    def add(self, entry: Entry) -> Iterator[Found]:
        self._audio.read(entry)
        if entry.elapsed_ms is None or entry.flags & Flag.ASSUMED:
            return
        if entry.kind != Kind.PLAYBACK:
            return  # nothing was played since the last one
        part = heard_part(entry)
        if part is None or part in self._told or not (self._all_known or self._audio.has(part)):
            return
        generated_ms = self._audio.ms(part)
        if entry.elapsed_ms > generated_ms + self._slack_ms:
            self._told.add(part)
            heard = f"{entry.elapsed_ms:,.0f} ms of {entry.item_id} were heard"
            yield Found(f"{heard}, and {generated_ms:,.0f} ms had been generated", (entry.seq,))
