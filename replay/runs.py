"""Runs: events that come right after another, from the same task and in the same round.

Most of what a server sends comes so, and asks nothing of a replay but to be given to the listeners.
Such events stay rows of the log: they are read, kept and given together, and become steps only where
anybody looks at one of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress, islice
from operator import itemgetter, ne
from typing import Any

from ..schema.entries import CAUSE, KIND, OF, SEQ, TASK, TICK, TYPE, Entry, Kind
from ..schema.rows import Row
from .places import Place
from .recording import Ended
from .steps import Step

TELLING_TYPES = frozenset({"turn_started", "end_of_stream"})
"""Events of which the core itself takes notice."""

MIN_RUN = 2
"""Fewer events are sooner given one by one."""

_alike = itemgetter(TICK, TASK, KIND, CAUSE, OF)
_type = itemgetter(TYPE)


class Run:
    """Events that come right after the step that stands before them.

    Attributes:
        rows: their entries, without a hole.
        values: the events.
        seq: of the first.
        task: that delivered them, as recorded.
        place: where in time all of them stand.
        given: so many of them were given to the listeners.
        current: the last of those, once they were taken apart.
    """

    __slots__ = ("current", "given", "place", "rows", "seq", "task", "values")

    kind = Kind.RECEIVED
    performed = False  # not all of it

    def __init__(self, rows: list[Row], values: list[Any], place: Place) -> None:
        self.rows = rows
        self.values = values
        self.seq: int = rows[0][SEQ]
        self.task: int | None = rows[0][TASK]
        self.place = place
        self.given = 0
        self.current: Step | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def steps(self, begin: int = 0) -> list[Step]:
        """Each of them, or of the last of them."""
        found: list[Step] = []
        for row, value in zip(self.rows[begin:], self.values[begin:], strict=True):
            step = Step(Entry._make(row), value)
            step.place = self.place
            found.append(step)
        return found

    def take_apart(self) -> list[Step]:
        """They are being given, and somebody looks: the one that was given last, and those after it."""
        left = self.steps(self.given - 1)
        self.current = left[0]
        self.current.performed = True
        return left


def alike(rows: list[Row]) -> Iterator[tuple[int, int]]:
    """Where to cut rows, so that they are alike in tick, task and kind, and in what caused and what they
    end: where each part begins, and where it ends."""
    keys = list(map(_alike, rows))
    begin = 0
    for end in compress(range(1, len(keys)), map(ne, keys, islice(keys, 1, None))):
        yield begin, end
        begin = end
    yield begin, len(keys)


def may_run(rows: list[Row], ended: Ended) -> bool:
    """Whether rows that are alike may follow the first of them as a run: what nothing caused, what
    nothing ended, of which nobody takes notice."""
    first = rows[0]
    if len(rows) <= MIN_RUN or first[KIND] != Kind.RECEIVED or first[TICK] is None:
        return False
    if first[CAUSE] is not None or first[OF] is not None:
        return False
    if rows[-1][SEQ] - first[SEQ] != len(rows) - 1 or ended.any_of(first[SEQ], len(rows)):
        return False
    return TELLING_TYPES.isdisjoint(map(_type, rows))
