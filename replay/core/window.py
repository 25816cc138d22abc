"""The window: the entries of a recording that are in memory, from the cursor on."""

from __future__ import annotations

from collections import deque
from itertools import chain, islice

from ...schema.entries import AT_NS, CALLS, Kind
from ...schema.log import Row, entry_of
from ..terms.runs import Run
from ..terms.steps import Step

LOOK_AHEAD = 1024
"""Entries in memory, and how far ahead of its place a send is recognised."""

GAP_GRACE = 200
"""So many entries behind a gap, a send that nobody recorded may be one that the recorder lost."""

ENOUGH = 1 << 62
"""More than any recording has entries."""

PASSED = 16
"""Entries that are kept after the cursor has passed them: a report shows what was around."""

FOLLOWERS = 512
"""How many entries on it is looked for what a task does next in a burst."""


class Window:
    """What is read comes in at its end, and is passed at its beginning: steps, and runs of events.

    Attributes:
        head: the first that is not passed; None where there is none.
        ended: there is no more to come.
        unreadable: why what comes cannot be read, if it cannot.
        next_seq: of the entry that comes in next.
        spare: so many entries can be passed before a call cannot be judged any more, and it must be fed.
    """

    def __init__(self) -> None:
        self.head: Step | Run | None = None
        self.ended = False
        self.unreadable: Exception | None = None
        self.next_seq = 0
        self.spare = -(LOOK_AHEAD // 2)
        self._steps: deque[Step | Run] = deque()
        self._passed: deque[Step | Row] = deque(maxlen=PASSED)
        self._gaps: deque[int] = deque()

    # --- what comes in and what is passed -------------------------------------------------------------

    def append(self, one: Step | Run) -> None:
        """The next entry of the recording, or the next of them."""
        self._steps.append(one)
        self.head = self._steps[0]
        if isinstance(one, Run):
            self.spare += len(one)
            self.next_seq = one.end
        else:
            self.spare += 1
            self.next_seq = one.seq + 1
            if one.kind == Kind.GAP:
                self._gaps.append(one.seq)

    def end(self, *, breaks_off: bool) -> None:
        """There is no more.

        Args:
            breaks_off: the recorder's process died there: what came next is lost, as at a gap.
        """
        self.ended = True
        self.spare = ENOUGH
        if breaks_off:
            self._gaps.append(self.next_seq)

    def break_off(self, error: Exception) -> None:
        """What comes next cannot be read."""
        self.unreadable = error
        self.spare = ENOUGH

    def advance(self) -> None:
        """The cursor passes the first step."""
        steps = self._steps
        passed = steps.popleft()
        assert isinstance(passed, Step), "of a run one becomes a step before"
        self._passed.append(passed)
        self.spare -= 1
        self.head = steps[0] if steps else None

    def unfold(self) -> Step:
        """The first of the run that comes first becomes a step."""
        run = self._steps[0]
        assert isinstance(run, Run), "a step is one"
        step = run.step()
        self._put_before(step, run)
        return step

    def interrupt(self, run: Run) -> Step:
        """Of the run that comes first, so many were given that it is a run no longer; the cursor is at the
        one that was given last."""
        before = run.at
        step, rest = run.interrupt()
        self.spare -= run.given - 1 - before
        self._passed.extend(run.rows[max(before, run.given - 1 - PASSED) : run.given - 1])
        self._put_before(step, rest)
        return step

    def _put_before(self, step: Step, run: Run) -> None:
        """They come first, in place of what did."""
        if len(run):
            self._steps[0] = run
            self._steps.appendleft(step)
        else:
            self._steps[0] = step
        self.head = step

    # --- what there is ----------------------------------------------------------------------------------

    @property
    def cursor(self) -> int:
        """The first entry that is not passed."""
        return self.next_seq if self.head is None else self.head.seq

    @property
    def second(self) -> Step | Run | None:
        """What comes after the step at the cursor, if it is in memory."""
        return self._steps[1] if len(self._steps) > 1 else None

    @property
    def within_burst(self) -> bool:
        """Whether all that is in memory is of the burst at the cursor, and more may come."""
        if self.head is None or self.ended or self.unreadable is not None:
            return False
        return self._steps[-1].place.burst == self.head.place.burst

    def reaches_beyond(self, burst: int) -> bool:
        """Whether all of this burst is in memory, which is not empty: something of a later one is."""
        return self._steps[-1].place.burst > burst

    @property
    def passed_ns(self) -> int:
        """When the entry that the cursor has passed last was recorded, in nanoseconds."""
        last = self._passed[-1] if self._passed else None
        return 0 if last is None else last.entry.at_ns if isinstance(last, Step) else last[AT_NS]

    @property
    def near_gap(self) -> bool:
        """Whether the recorder lost something hereabouts, or its process died."""
        while self._gaps and self._gaps[0] < self.cursor - GAP_GRACE:
            self._gaps.popleft()
        return bool(self._gaps)

    def was_performed(self, seq: int) -> bool:
        """Whether this entry has happened again, if it is an event that the listeners get."""
        if self.head is None or seq < self.head.seq:
            return True
        for one in self._steps:
            if isinstance(one, Run):
                if seq < one.end:
                    return False
            elif one.seq >= seq:
                return one.performed or one.kind != Kind.RECEIVED
        return True

    def is_followed(self, step: Step | Run) -> bool:
        """Whether the application did something of its own accord after this, in the same round."""
        place, seq, limit = step.place[:3], step.seq, self._steps[0].seq + FOLLOWERS
        for one in self._steps:
            if one.seq <= seq:
                continue
            if one.place[:3] != place or one.seq >= limit:
                return False
            if isinstance(one, Step) and one.kind in CALLS:
                entry = one.entry
                if entry.cause != seq and entry.task != step.task:
                    return True
        return False

    def next_of(self, step: Step) -> Step | Run | None:
        """The event that its task gives next, if it does so in the same burst."""
        burst, seq, task = step.place.burst, step.seq, step.task
        limit = seq + FOLLOWERS
        for one in self._steps:
            if one.place.burst > burst or one.seq >= limit:
                return None
            if one.seq > seq and one.kind == Kind.RECEIVED and one.task == task:
                return one
        return None

    def caused_by(self, call: Step) -> list[Step | Run]:
        """The first events, in this burst, of tasks that a call started."""
        found: dict[int | None, Step | Run] = {}
        here = 0 if self.head is None else self.head.place.burst
        burst, limit = max(call.place.burst, here), self.cursor + FOLLOWERS
        for one in self._steps:
            if one.place.burst > burst or one.seq >= limit:
                break
            if isinstance(one, Step) and one.kind == Kind.RECEIVED and one.entry.cause == call.seq:
                found.setdefault(one.task, one)
        return list(found.values())

    def cancelled_in(self, step: Step) -> list[Step]:
        """The outermost `handled` of each task whose listeners were cancelled in the round of this step:
        whoever closes a model cancels all its tasks at once, and then they end, one after another."""
        found: dict[int | None, Step] = {}
        for one in self._steps:
            if one.seq >= step.seq and one.place[:3] != step.place[:3]:
                break
            if isinstance(one, Step) and one.kind == Kind.HANDLED and one.outcome.how == "cancelled":
                found[one.task] = one
        return list(found.values())

    def due_playback(self) -> Step | None:
        """The recorded call on the tracker that the cursor has come to: if the application makes
        it right now, it is at its place."""
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
        """The entries around a place, as far as they are in memory; some without their values."""
        passed = [one if isinstance(one, Step) else Step(entry_of(one)) for one in self._passed]
        coming = chain.from_iterable(
            map(Step, map(entry_of, one.rows[one.at :])) if isinstance(one, Run) else [one]
            for one in self._steps
        )
        steps = (*passed, *islice(coming, LOOK_AHEAD))
        return [step for step in steps if abs(step.seq - seq) <= radius]
