"""The window: the steps of a recording that are in memory, from the cursor on."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any

from ...schema.entries import AT_NS, CALLS, Kind
from ...schema.rows import Row, entry_of
from ..terms.steps import Step
from .runs import Run

LOOK_AHEAD = 1024
"""Steps in memory, and how far ahead of its place a send is recognised."""

GAP_GRACE = 200
"""So many entries behind a gap, a send that nobody recorded may be one that the recorder lost."""

PASSED = 16
"""Steps that are kept after the cursor has passed them: a report shows what was around."""

FOLLOWERS = 512
"""How many steps on it is looked for what a task does next in a burst."""


class Window:
    """Steps come in at its end, and are passed at its beginning.

    Runs of events lie in it folded, each right behind a step. While one is being given, the cursor is
    within it: whoever looks takes it apart.

    Args:
        unfolds: told of a run that is taken apart.

    Attributes:
        ended: there are no more steps to come.
        unreadable: why what comes cannot be read, if it cannot.
        next_seq: of the step that comes in next.
        giving: the run that is being given, as long as nobody looks.
    """

    def __init__(self, unfolds: Callable[[Run], None] = lambda run: None) -> None:
        self.ended = False
        self.unreadable: Exception | None = None
        self.next_seq = 0
        self._unfolds = unfolds
        self._steps: deque[Any] = deque()  # of Step | Run; the first is a step, but for the one in `giving`
        self._size = 0
        self.giving: Run | None = None
        self._thread = 0  # in which it is given
        self._passed: deque[Step | Row] = deque(maxlen=PASSED)
        self._gaps: deque[int] = deque()

    def __len__(self) -> int:
        run = self.giving
        return self._size if run is None else self._size - run.passed

    @property
    def first(self) -> Step | None:
        """The step at the cursor."""
        if self.giving is not None:
            self.look()
        return self._steps[0] if self._steps else None

    @property
    def second(self) -> Step | None:
        """The step after the one at the cursor, if it is in memory."""
        self.look()
        return self._unfolded(1) if len(self._steps) > 1 else None

    @property
    def passed_ns(self) -> int:
        """When the step that the cursor has passed last was recorded, in nanoseconds."""
        self.look()
        last = self._passed[-1] if self._passed else None
        return 0 if last is None else last.entry.at_ns if isinstance(last, Step) else last[AT_NS]

    @property
    def connects(self) -> bool:
        """Whether the recording begins with a `connect`; one of a model that was never connected
        does not."""
        return self.first is not None and self.first.kind == Kind.CONNECT

    @property
    def hungry(self) -> bool:
        """Whether it must be fed before a call can be judged."""
        run = self.giving
        left = self._size if run is None else self._size - run.given
        return left < LOOK_AHEAD // 2 and not self.ended and self.unreadable is None

    @property
    def full(self) -> bool:
        """Whether it should not be fed more for now."""
        return len(self) >= LOOK_AHEAD

    def append(self, step: Step) -> None:
        """The next step of the recording."""
        self._steps.append(step)
        self._size += 1
        self.next_seq = step.seq + 1
        if step.kind == Kind.GAP:
            self._gaps.append(step.seq)

    def append_run(self, run: Run) -> None:
        """The next steps of the recording: events that come right after its last step."""
        self._steps.append(run)
        self._size += len(run)
        self.next_seq = run.seq + len(run)

    def end(self, *, breaks_off: bool) -> None:
        """There are no more.

        Args:
            breaks_off: the recorder's process died there: what came next is lost, as at a gap.
        """
        self.ended = True
        if breaks_off:
            self._gaps.append(self.next_seq)

    def advance(self) -> None:
        """The cursor passes a step."""
        steps = self._steps
        self._passed.append(steps.popleft())
        self._size -= 1
        if steps and isinstance(steps[0], Run):
            self._unfolded(0)

    def give(self, run: Run) -> None:
        """The cursor passes a step, and goes on in the run behind it, which is being given."""
        self._passed.append(self._steps.popleft())
        self._size -= 1
        self.giving, self._thread = run, threading.get_ident()

    def look(self) -> None:
        """Somebody looks: a run that is being given is one no longer. Another thread, which may ask at
        any moment how far it has come, is told of its beginning."""
        run = self.giving
        if run is None or threading.get_ident() != self._thread:
            return
        passed = run.passed
        self.giving = None
        self._steps.popleft()
        self._steps.extendleft(reversed(run.take_apart()))
        self._size -= passed
        self._passed.extend(run.rows[max(passed - PASSED, 0) : passed])
        self._unfolds(run)

    def holds_folded(self, seq: int) -> bool:
        """Whether the step of this number lies in a run."""
        return any(isinstance(one, Run) and one.seq <= seq < one.seq + len(one) for one in self._steps)

    def near_gap(self) -> bool:
        """Whether the recorder lost something hereabouts, or its process died."""
        first = self.first
        here = self.next_seq if first is None else first.seq
        while self._gaps and self._gaps[0] < here - GAP_GRACE:
            self._gaps.popleft()
        return bool(self._gaps)

    def run_on(self, before: int) -> Step | Run | None:
        """The next event, if it comes right after the one at the cursor: in the same round, from the
        same task; and if neither was at work for longer when this was recorded. All that come so and
        before this entry, if they lie folded."""
        self.look()
        steps = self._steps
        if self._size < 3:
            return None
        here: Step = steps[0]
        step: Step | Run = steps[1]
        if here.ends or step.place is not here.place:
            return None
        if isinstance(step, Run):
            if len(steps) > 2 and step.seq + len(step) <= before:
                return step
            step = self._unfolded(1)
        if step.kind != Kind.RECEIVED or step.ends:
            return None
        return step if step.task == here.task else None

    def run_after(self, before: int) -> Run | None:
        """What lies folded behind the step at the cursor, if all of it stands before this entry."""
        step = self._steps[1] if len(self._steps) > 2 else None
        return step if isinstance(step, Run) and step.seq + len(step) <= before else None

    def is_followed(self, step: Step) -> bool:
        """Whether the application did something of its own accord after this, in the same round."""
        for one in self._ahead():
            if one.seq <= step.seq:
                continue
            if one.place[:3] != step.place[:3]:
                return False
            if isinstance(one, Run) or one.kind not in CALLS:
                continue
            if one.entry.cause != step.seq and one.entry.task != step.entry.task:
                return True
        return False

    def next_of(self, step: Step) -> Step | None:
        """The event that its task gives next, if it does so in the same burst."""
        for at, one in enumerate(self._ahead()):
            if one.place.burst > step.place.burst:
                return None
            if one.seq > step.seq and one.kind == Kind.RECEIVED and one.task == step.entry.task:
                return self._unfolded(at)
        return None

    def caused_by(self, call: Step) -> list[Step]:
        """The first events, in this burst, of tasks that a call started."""
        found: dict[int | None, Step] = {}
        for one in self._ahead():
            if one.place.burst > call.place.burst and one.place.burst > self._steps[0].place.burst:
                break
            if isinstance(one, Step) and one.kind == Kind.RECEIVED and one.entry.cause == call.seq:
                found.setdefault(one.entry.task, one)
        return list(found.values())

    def cancelled_in(self, step: Step) -> list[Step]:
        """The outermost `handled` of each task whose listeners were cancelled in the round of this step:
        whoever closes a model cancels all its tasks at once, and then they end, one after another."""
        self.look()
        found: dict[int | None, Step] = {}
        for one in self._steps:
            if one.seq >= step.seq and one.place[:3] != step.place[:3]:
                break
            if isinstance(one, Step) and one.kind == Kind.HANDLED and one.outcome.how == "cancelled":
                found[one.entry.task] = one
        return list(found.values())

    def due_playback(self) -> Step | None:
        """The recorded call on the tracker that the cursor has come to: if the application makes
        it right now, it is at its place."""
        self.look()
        for step in self._steps:
            if isinstance(step, Run):
                return None
            if step.kind == Kind.PLAYBACK:
                if not step.performed:
                    return step if step.entry.type == "application" else None
            elif step.kind in CALLS or (step.kind == Kind.RECEIVED and not step.performed):
                return None
        return None

    def around(self, seq: int, radius: int = PASSED) -> list[Step]:
        """The steps around a place, as far as they are in memory; passed ones without their values."""
        self.look()
        passed = [one if isinstance(one, Step) else Step(entry_of(one)) for one in self._passed]
        coming = chain.from_iterable(one.steps() if isinstance(one, Run) else [one] for one in self._steps)
        steps = (*passed, *islice(coming, LOOK_AHEAD))
        return [step for step in steps if abs(step.seq - seq) <= radius]

    def _ahead(self) -> Iterator[Step | Run]:
        """What lies from the cursor on, as far as FOLLOWERS steps."""
        self.look()
        left = FOLLOWERS
        for one in self._steps:
            if left <= 0:
                return
            left -= len(one) if isinstance(one, Run) else 1
            yield one

    def _unfolded(self, at: int) -> Step:
        """The step in this place; if that is the first of a run, it is one no longer."""
        step: Step | Run = self._steps[at]
        if isinstance(step, Run):
            self._steps.rotate(-at)
            self._steps.popleft()
            self._unfolds(step)
            steps = step.steps()
            self._steps.extendleft(reversed(steps))
            self._steps.rotate(at)
            return steps[0]
        return step
