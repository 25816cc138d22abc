"""Places in time: where the recorded entries stand.

A session is a series of bursts: something happens, everything runs that this has woken, round by
round of the event loop, until nothing is left to run; then time passes. So a place is the instant at
which a burst began, and a round in it.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from ..schema.entries import LONG_TICKS, SETTLED_TICKS

_new: Any = cast("Any", tuple).__new__  # past the class's own, which is Python


class Place(NamedTuple):
    """A place in a recording, or in a replay.

    Attributes:
        ns: nanoseconds; of a recorded place since the session began.
        burst: number of the burst.
        round: of the event loop, in this burst.
        timed: only the instant is known: another thread was there.
    """

    ns: int
    burst: int
    round: int
    timed: bool = False

    def later(self, rounds: int) -> Place:
        """So many rounds on in the same burst."""
        place: Place = _new(Place, (self.ns, self.burst, self.round + rounds, False))
        return place


MAX_ROUNDS = 1 << 20
"""So many rounds in which something else ran are waited for in a whole recording: a forged one may claim any
number. Of what is beyond it the instants are kept, and not the rounds."""


class Numbering:
    """Finds the places of a recording's entries, which it is shown in order."""

    def __init__(self) -> None:
        self._tick: int | None = None
        self._last = Place(0, 0, 0)
        self._spare = MAX_ROUNDS

    def place(self, tick: int | None, at_ns: int) -> Place:
        """Where the entry stands that has this tick and this time."""
        last = self._last
        if tick is None:
            return Place(at_ns, last.burst, last.round, timed=True)
        passed = SETTLED_TICKS if self._tick is None else tick - self._tick
        if not passed:
            return last  # the very same: most events come in bursts
        if self._tick is None:
            self._last = Place(at_ns, 0, self._rounds(tick))
        elif 0 <= passed < SETTLED_TICKS:
            self._last = last.later(passed)
        elif passed >= LONG_TICKS:
            self._last = last.later(self._rounds(passed - LONG_TICKS))
        else:
            self._last = Place(at_ns, last.burst + 1, self._rounds(passed - SETTLED_TICKS))
        self._tick = tick
        return self._last

    def go_on(self, tick: int) -> None:
        """What was shown last goes on in its burst, round by round, up to one that has this tick."""
        assert self._tick is not None, "it was shown one"
        if tick != self._tick:
            self._last = self._last.later(tick - self._tick)
            self._tick = tick

    def _rounds(self, claimed: int) -> int:
        rounds = min(max(0, claimed), self._spare)
        self._spare -= rounds
        return rounds
