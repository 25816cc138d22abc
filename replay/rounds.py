"""Rounds of the event loop: how many passed, when this was recorded, before the next event."""

from __future__ import annotations

from ..schema.entries import SETTLED_TICKS
from .steps import Step


def rounds_between(earlier: Step, later: Step) -> int | None:
    """How many rounds passed between two steps; None: until everything that could run had run."""
    return _between(earlier.entry.tick, later.entry.tick)


class RoundCount:
    """Counts from the last step that has happened again; steps that are left out add up."""

    def __init__(self) -> None:
        self._tick: int | None = None
        self._owed = 0
        self._must_settle = False

    def to(self, step: Step) -> int | None:
        """Rounds to pass before this step; None: until everything that can run has run."""
        passed = _between(self._tick, step.entry.tick)
        return None if passed is None or self._must_settle else max(0, self._owed + passed)

    def arrive(self, step: Step) -> None:
        """It has just happened again."""
        self._tick, self._owed, self._must_settle = step.entry.tick, 0, False

    def spend(self, rounds: int) -> None:
        """So many of them have passed already."""
        self._owed -= rounds

    def leave_out(self, step: Step) -> None:
        """It did not happen again: the rounds that passed before it are still owed."""
        passed = _between(self._tick, step.entry.tick)
        if passed is None:
            self._must_settle = True
        else:
            self._owed += passed
        self._tick = step.entry.tick


def _between(earlier: int | None, later: int | None) -> int | None:
    if earlier is None or later is None or not 0 <= later - earlier < SETTLED_TICKS:
        return None
    return later - earlier
