"""Runs: events that come one after another from the same task, in the same burst, and nothing between.

Most of what a server sends comes so, and asks nothing of a replay but to be given to the listeners,
round by round. Such events stay rows of the log: they are read, kept and given together, and one of them
becomes a step only where somebody looks at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, islice
from operator import itemgetter, ne
from typing import Any

from ...schema.entries import AT_NS, CAUSE, KIND, OF, SEQ, SETTLED_TICKS, TASK, TICK, TYPE, Kind
from ...schema.log import BARE_FIELDS, Row, RowBatch, entry_of
from ...session.ended import EndedEntries
from ...session.messages import TURN_STARTED
from ...session.places import Numbering, Place
from .steps import Step

TELLING_TYPES = frozenset({TURN_STARTED, "end_of_stream"})
"""Events of which the core itself takes notice."""

MIN_RUN = 2
"""Fewer events are sooner given one by one."""

_alike = itemgetter(TASK, KIND, CAUSE, OF)


class Run:
    """Events that come one after another, of which nothing is asked but that they are given.

    As long as nobody looks at one of them they lie together, from the first on that is not a step. While
    they are given, the cursor is among them.

    Attributes:
        rows: their entries, without a hole.
        values: the events.
        task: that delivered them, as recorded.
        end: the entry number behind the last.
        seq, place: of the first that lies here.
        approached: the model's side has set out on that.
        at: where in `rows` that is.
        last: of those that were given to the listeners, or are steps; before the first of all there is none.
        round_end: where in `rows` the round ends that is being given.
        current: the one that was given last, once somebody has looked.
    """

    __slots__ = (
        "_begins",
        "_first",
        "_next",
        "_round",
        "approached",
        "at",
        "current",
        "end",
        "last",
        "place",
        "round_end",
        "rows",
        "seq",
        "task",
        "values",
    )

    kind = Kind.RECEIVED
    call = None
    performed = False  # not all of it

    def __init__(self, rows: list[Row], values: list[Any], begins: list[int], numbering: Numbering) -> None:
        self.rows = rows
        self.values = values
        self.seq: int = rows[0][SEQ]
        self.end = self.seq + len(rows)
        self.task: int | None = rows[0][TASK]
        self._begins = [*begins, len(rows)]
        self._first = self.place = numbering.place(rows[0][TICK], rows[0][AT_NS])
        self._next: Place | None = None
        self._round = 0
        numbering.go_on(rows[begins[-1]][TICK])
        self.round_end = self._begins[1]
        self.approached = False
        self.at = 0
        self.last = self.seq - 1
        self.current: Step | None = None

    def __len__(self) -> int:
        return len(self.rows) - self.at

    @property
    def given(self) -> int:
        """So many of `rows` were given to the listeners, or are steps."""
        return self.last - self.end + len(self.rows) + 1

    def begin(self) -> None:
        """The first of them is given."""
        self.last = self.seq
        self.approached = False

    @property
    def next_place(self) -> Place | None:
        """All of a round was given: where in time the next one is; None where there is none."""
        if self._next is None and self.round_end < len(self.rows):
            self._next = self._place(self._round + 1)
        return self._next

    def begin_round(self) -> Place:
        """The next round is there: where in time that is."""
        place = self.next_place
        assert place is not None, "somebody has asked"
        self._next = None
        self._round += 1
        self.round_end = self._begins[self._round + 1]
        return place

    def _place(self, number: int) -> Place:
        """Where in time one of its rounds is: all are of one burst."""
        return self._first.later(self.rows[self._begins[number]][TICK] - self.rows[0][TICK])

    def step(self) -> Step:
        """The first of them becomes a step."""
        step = self._step(self.at, self.place)
        step.approached, self.approached = self.approached, False
        self.last = self.seq
        self._pass()
        return step

    def interrupt(self) -> tuple[Step, Run]:
        """They are being given, and somebody looks: the one that was given last is a step, and so much of
        a run is left as lies behind it. That is another one: who gives this one may come back to it after
        those were given to him, too."""
        step = self.current = self._step(self.given - 1, self._place(self._round))
        return step, self._rest()

    def _rest(self) -> Run:
        rest = Run.__new__(Run)
        rest.rows, rest.values, rest.task, rest.end = self.rows, self.values, self.task, self.end
        rest._begins, rest._first, rest._next = self._begins, self._first, None
        rest._round, rest.round_end, rest.last = self._round, self.round_end, self.last
        rest.approached, rest.current = False, None
        rest._pass()
        return rest

    def _step(self, at: int, place: Place) -> Step:
        step = Step(entry_of(self.rows[at]), self.values[at])
        step.place = place
        return step

    def _pass(self) -> None:
        """They lie here from the first on that was not given."""
        at = self.at = self.given
        self.seq = self.end - len(self.rows) + at
        if at < len(self.rows):
            while at >= self.round_end:
                self.begin_round()
        self.place = self._place(self._round)


def alike(batch: RowBatch) -> Iterator[tuple[int, int, list[int]]]:
    """Where to cut entries, so that they are alike in task and kind, and in what caused and what they end,
    and of one burst: where each part begins, where it ends, and where in it another round begins."""
    ticks = batch.column(TICK)
    keys: Sequence[Any] = (
        batch.column(TASK)
        if batch.columns
        else [row[TASK] if len(row) == BARE_FIELDS else _alike(row) for row in batch.rows]
    )
    cuts = set(_changes(keys))
    begin = 0
    rounds: list[int] = []
    for end in sorted(cuts.union(_changes(ticks))):
        if end in cuts or not _is_soon(ticks[end - 1], ticks[end]):
            yield begin, end, rounds
            begin, rounds = end, []
        else:
            rounds.append(end)
    yield begin, len(ticks), rounds


def _changes(values: Sequence[Any]) -> Iterable[int]:
    """Where another value comes than the one before."""
    if values.count(values[0]) == len(values):  # the quickest way to ask
        return ()
    return compress(range(1, len(values)), map(ne, values, islice(values, 1, None)))


def _is_soon(tick: int | None, next_tick: int | None) -> bool:
    """Whether the one is a round of the same burst as the other, or a later one of it."""
    return tick is not None and next_tick is not None and 0 < next_tick - tick < SETTLED_TICKS


def may_run(batch: RowBatch, ended: EndedEntries) -> bool:
    """Whether entries that are alike may lie together as a run: what nothing caused, what nothing ended, of
    which nobody takes notice."""
    rows = batch.rows
    first = rows[0]
    if len(rows) <= MIN_RUN or first[TICK] is None:
        return False
    if len(first) != BARE_FIELDS and (first[KIND], first[CAUSE], first[OF]) != (Kind.RECEIVED, None, None):
        return False
    if rows[-1][SEQ] - first[SEQ] != len(rows) - 1 or ended.any_of(first[SEQ], len(rows)):
        return False
    return TELLING_TYPES.isdisjoint(batch.column(TYPE))
