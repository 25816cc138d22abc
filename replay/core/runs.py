"""Runs: events that come one after another from the same task, in the same burst, and nothing between.

Most of what a server sends comes so, and asks nothing of a replay but to be given to the listeners,
round by round. Such events stay rows of the log: they are read, kept and given together, and become
steps only where anybody looks at one of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress, islice
from operator import itemgetter, ne
from typing import Any

from ...schema.entries import AT_NS, CAUSE, KIND, OF, SEQ, SETTLED_TICKS, TASK, TICK, TYPE, Kind
from ...schema.rows import BARE_FIELDS, Row, entry_of
from ...session.ended import Ended
from ...session.places import Numbering, Place
from ..terms.steps import Step

TELLING_TYPES = frozenset({"turn_started", "end_of_stream"})
"""Events of which the core itself takes notice."""

MIN_RUN = 2
"""Fewer events are sooner given one by one."""

_alike = itemgetter(TASK, KIND, CAUSE, OF)
_tick = itemgetter(TICK)
_type = itemgetter(TYPE)


class Run:
    """Events that come after the step that stands before them: in its round, or in one soon after it.

    While it is given, it is either within a round, or on its way to the next one.

    Attributes:
        rows: their entries, without a hole.
        values: the events.
        begins: the places in `rows` at which their rounds begin, and its length.
        seq: of the first.
        task: that delivered them, as recorded.
        place: where in time the first stands.
        given: so many of them were given to the listeners.
        head: of the round that is being given, or that comes next, if it began on the way.
        current: the last that was given, once they were taken apart.
    """

    __slots__ = (
        "_head_at",
        "_places",
        "_round",
        "begins",
        "current",
        "given",
        "head",
        "place",
        "rows",
        "seq",
        "task",
        "values",
    )

    kind = Kind.RECEIVED
    performed = False  # not all of it

    def __init__(self, rows: list[Row], values: list[Any], begins: list[int], numbering: Numbering) -> None:
        self.rows = rows
        self.values = values
        self.begins = [*begins, len(rows)]
        self.seq: int = rows[0][SEQ]
        self.task: int | None = rows[0][TASK]
        self._places = [numbering.place(rows[begin][TICK], rows[begin][AT_NS]) for begin in begins]
        self.place = self._places[0]
        self.given = 0
        self.head: Step | None = None
        self.current: Step | None = None
        self._head_at = -1
        self._round = 0

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def round_end(self) -> int:
        """Where in `rows` the round ends that is being given."""
        return self.begins[self._round + 1]

    @property
    def passed(self) -> int:
        """How many of them the cursor has passed."""
        return self.given - (self.given > self._head_at)

    def begin(self, step: Step) -> int:
        """Where in `rows` to begin: at this step, if it is the head; else behind what was given."""
        return self._head_at if self.head is step else self.given

    @property
    def next_place(self) -> Place | None:
        """Where in time its next round is; None where it ends with this one."""
        next_round = self._round + 1
        return self._places[next_round] if next_round < len(self._places) else None

    def go_on(self) -> Place:
        """All of a round was given, and the next one is there: where in time that is."""
        self._round += 1
        return self._places[self._round]

    def next_head(self) -> Step | None:
        """The first event of the next round; None where the run ends before it. See `set_out`."""
        begin = self.given
        if begin >= len(self.rows):
            return None
        head = Step(entry_of(self.rows[begin]), self.values[begin])
        head.place = self._places[self._round + (begin > 0)]
        return head

    def set_out(self, head: Step) -> None:
        """All of a round was given: it is on its way to the next one."""
        self.head, self._head_at = head, self.given
        self._round += self.given > 0

    def steps(self, begin: int = 0) -> list[Step]:
        """Each of them, or of the last of them."""
        found: list[Step] = []
        for number, (first, end) in enumerate(zip(self.begins, self.begins[1:], strict=False)):
            for at in range(max(first, begin), end):
                step = self.head if at == self._head_at else None
                if step is None:
                    step = Step(entry_of(self.rows[at]), self.values[at])
                    step.place = self._places[number]
                found.append(step)
        return found

    def take_apart(self) -> list[Step]:
        """They are being given, and somebody looks: the one that was given last, if it is not on its way
        to the next one; and those after it."""
        left = self.steps(self.passed)
        if self.given > self._head_at:
            self.current = left[0]
            self.current.performed = True
        return left


def alike(rows: list[Row]) -> Iterator[tuple[int, int, list[int]]]:
    """Where to cut rows, so that they are alike in task and kind, and in what caused and what they end,
    and of one burst: where each part begins, where it ends, and where in it another round begins."""
    keys = [row[TASK] if len(row) == BARE_FIELDS else _alike(row) for row in rows]
    ticks = list(map(_tick, rows))
    inner = range(1, len(rows))
    cuts = set(compress(inner, map(ne, keys, islice(keys, 1, None))))
    begin = 0
    rounds: list[int] = []
    for end in sorted(cuts.union(compress(inner, map(ne, ticks, islice(ticks, 1, None))))):
        if end in cuts or not _is_soon(ticks[end - 1], ticks[end]):
            yield begin, end, rounds
            begin, rounds = end, []
        else:
            rounds.append(end)
    yield begin, len(rows), rounds


def _is_soon(tick: int | None, next_tick: int | None) -> bool:
    """Whether the one is a round of the same burst as the other, or a later one of it."""
    return tick is not None and next_tick is not None and 0 < next_tick - tick < SETTLED_TICKS


def may_run(rows: list[Row], ended: Ended) -> bool:
    """Whether rows that are alike may follow the first of them as a run: what nothing caused, what
    nothing ended, of which nobody takes notice."""
    first = rows[0]
    if len(rows) <= MIN_RUN or first[TICK] is None:
        return False
    if len(first) != BARE_FIELDS and (first[KIND], first[CAUSE], first[OF]) != (Kind.RECEIVED, None, None):
        return False
    if rows[-1][SEQ] - first[SEQ] != len(rows) - 1 or ended.any_of(first[SEQ], len(rows)):
        return False
    return TELLING_TYPES.isdisjoint(map(_type, rows))
