"""Who is interrupted falls silent: nothing of an item is played after its interruption."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...schema.entries import Entry, Kind
from ...session.audio import PLAYS, Part, part_of, reported_part
from ...session.fields import event_fields
from ...session.messages import interrupts
from .rule import Found, Invariant, Watching

SLACK_MS = 250.0
"""What lies in a loudspeaker's buffer is played all the same, and reported late."""


@dataclass(frozen=True)
class SilentOnceInterrupted(Invariant):
    """Of what an interruption names, or interrupts while it is being heard, a player plays no more: but what
    it had in its buffer, and what came after the interruption.

    Attributes:
        slack_ms: how much more is let pass, in milliseconds.
    """

    slack_ms: float = SLACK_MS
    name = "nothing of an item is played after its interruption"
    needs = ("playback",)

    def watch(self) -> Watching:
        """A fresh check."""
        return _Silenced(self.slack_ms)


@dataclass
class _SilencedPart:
    """A part that was interrupted.

    Attributes:
        seq: of the interruption.
        received_ms: of it, by then.
        state_ms: what the tracker said last of it.
        played_ms: since then.
    """

    seq: int
    received_ms: float
    state_ms: float
    played_ms: float = 0.0


class _Silenced(Watching):
    kinds = frozenset({Kind.RECEIVED, Kind.PLAYBACK})

    def __init__(self, slack_ms: float) -> None:
        self._slack_ms = slack_ms
        self._interrupted: dict[Part, _SilencedPart] = {}
        self._told: set[Part] = set()

    def begin(self, *, known_before: bool) -> None:
        """What was interrupted in one session stays silent in the next."""

    def add(self, entry: Entry) -> Iterator[Found]:
        received = self.readings.received
        playing = reported_part(entry)
        elapsed_ms = entry.elapsed_ms or 0.0
        if interrupts(entry):
            for part in {part_of(event_fields(entry)), playing} - {None}:
                if part is not None and part[0] and part not in self._interrupted:
                    state_ms = elapsed_ms if part == playing else 0.0
                    self._interrupted[part] = _SilencedPart(entry.seq, received.ms(part), state_ms)
        elif entry.kind == Kind.PLAYBACK and playing in self._interrupted:
            yield from self._heard(entry, playing, elapsed_ms)
        elif entry.kind == Kind.PLAYBACK:
            for one in self._interrupted.values():  # it was told of the interruption, or of something else
                one.state_ms = 0.0

    def _heard(self, entry: Entry, part: Part, elapsed_ms: float) -> Iterator[Found]:
        one = self._interrupted[part]
        if entry.method in PLAYS and entry.type == "application":
            one.played_ms += max(0.0, elapsed_ms - one.state_ms)
        one.state_ms = elapsed_ms
        came_ms = self.readings.received.ms(part) - one.received_ms
        if part not in self._told and one.played_ms > self._slack_ms + came_ms:
            self._told.add(part)
            summary = f"{one.played_ms:,.0f} ms of {part[0]} were played after its interruption"
            yield Found(summary, (one.seq, entry.seq))
