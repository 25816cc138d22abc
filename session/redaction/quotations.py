"""Sentences about recordings, which may quote them: a report's, on a page that is redacted."""

from __future__ import annotations

from collections.abc import Collection

from .finding import Finder
from .stand_ins import StandIns
from .views import Cell

CUT = "…"
"""Where a quotation was cut short."""

LEAST = 3
"""Characters of a value that tell something of it."""


class Quotations:
    """Takes out of sentences what was taken out of the recordings that they quote.

    Args:
        finder: that knows what was found in these.
        stand_ins: what stands there instead.
        values: what was replaced, as it was written there.
    """

    def __init__(self, finder: Finder, stand_ins: StandIns, values: Collection[str]) -> None:
        self._finder = finder
        self._stand_ins = stand_ins
        self._values = values

    def redacted(self, text: str) -> str:
        """A sentence with the stand-ins. Of a value that was cut short in it nothing is left: what looks for
        values does not see that it is one."""
        cell = Cell(CUT.join(self._parts(text)), lambda now: None)
        found = self._finder.find(cell)
        for match in found:
            self._stand_ins.add(match.kind, match.value)
        for match in found:
            for at, char in self._stand_ins.replacing(match.kind, match.value):
                match.view.put(match.start + at, char)
        return cell.now

    def _parts(self, text: str) -> list[str]:
        """What stands between the places where it was cut, without pieces of values there."""
        parts = text.split(CUT)
        last = len(parts) - 1
        for place in range(len(parts)):
            for value in self._values:
                part = parts[place]
                if 0 < place < last and len(part) >= LEAST and part in value:
                    parts[place] = ""
                    continue
                if place < last:
                    parts[place] = part = part[: len(part) - _overlap(part, value)]
                if place > 0:
                    parts[place] = part[_overlap(value, part) :]
        return parts


def _overlap(before: str, after: str) -> int:
    """How many characters end the one and begin the other; 0 for too few."""
    most = min(len(before), len(after))
    return next((n for n in range(most, LEAST - 1, -1) if before.endswith(after[:n])), 0)
